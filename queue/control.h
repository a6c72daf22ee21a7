/* control.h - what control.c and control_act.c share, and nobody else. */
#ifndef QUEUE_CONTROL_H
#define QUEUE_CONTROL_H

#include "queue.h"

void	control_answer(struct peer *, const char *key, int64_t n);
void	control_refuse(struct peer *, const char *text);

/* control_act.c: the verbs that change something. */
void	control_retry(struct peer *, struct ctl *);
void	control_recall(struct peer *, struct ctl *);
void	control_bounce(struct peer *, struct ctl *);
void	control_reroute(struct peer *, struct ctl *);
/* control_look.c: the verbs that only look. */
void	control_status(struct peer *, struct ctl *);
void	control_look(struct peer *, struct ctl *);
void	control_sites(struct peer *, struct ctl *);
void	control_stats(struct peer *, struct ctl *);
#endif
