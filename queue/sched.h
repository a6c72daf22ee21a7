/* sched.h - what sched.c, slots.c, tasks.c and parked.c share, and nobody else. */
#ifndef QUEUE_SCHED_H
#define QUEUE_SCHED_H

#include "queue.h"

/* ---- slots.c ---- */
/* A task that has just started, and one that has ended. */
void	slot_take(struct task *);
void	slot_give(struct task *);
/* Who has been silent for long enough by now counts as that. Returns when the next one will; SITE_NEVER. */
int64_t	slots_turn(int64_t now);
/* Is there one for this site?  The last tenth is for sites that answered when they were last asked. */
bool	slots_has_one(const struct site *);
/* Has it a fifth of them, or `speed` times what is still free? */
bool	slots_share_taken(const struct site *, int64_t speed);
bool	slots_all_taken(void);

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
