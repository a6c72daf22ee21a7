/* sched.h - what sched.c, tasks.c and parked.c share, and nobody else. */
#ifndef QUEUE_SCHED_H
#define QUEUE_SCHED_H

#include "queue.h"

/* Puts a site at the end of the round of those that may start something. */
void	round_append(struct site *);
/* The next task of a site, or NULL. */
struct task *next_task(struct site *, enum turn *turn_out);
/* It could not be started: first in its line again. */
void	task_back(struct site *, struct task *);
/* The site rests from now on: what waits for it lets go of its message. */
void	park_tasks(struct site *);
/* The site is to be looked at again at this time. */
void	sleep_add(struct site *, int64_t until);
/* Those whose time has come go back into the round. Returns the next time. */
int64_t	wake_sleepers(int64_t now);
/* Tasks that a site may have waiting; what comes on top stays closed on disk. */
unsigned enough(const struct site *);
/* Asks for messages that wait for this site, as many as it can use. */
void	call_parked(struct site *, int64_t now);
/* The site is back: those who waited come evenly, not all at once. */
void	spread_parked(struct site *, int64_t now);
#endif
