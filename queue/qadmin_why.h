/* qadmin_why.h - what qadmin_why.c and qadmin_next.c share, and nobody else. */
#ifndef QUEUE_QADMIN_WHY_H
#define QUEUE_QADMIN_WHY_H

#include "qadmin.h"

struct why {
	const struct config *cfg;
	const char *address;	/* as asked for: only this recipient; or NULL */
	int64_t	now;		/* usec since 1970 */
	struct stream control;
	bool	connected;
	char	*no_control;	/* owned; why it cannot be asked */
	/* What the queue manager says about the message in hand. */
	char	*state, *site;	/* owned; site: that it waits for, or NULL */
	int64_t	due_ms;
	struct why_rcpt { unsigned n; char *step, *site; } *rcpts;	/* owned */
	size_t	nrcpts;
	unsigned shown;
};

/* Asks the queue manager about a message; what it said of the last one is forgotten. */
void	why_look(struct why *, const char *id);
void	why_forget(struct why *);
/* What happens next for this recipient of a message that is not done with it. */
void	why_next(struct why *, const struct entry *, const struct env_rcpt *);
/* How a site is, in words. `name` a key or a domain. False: nothing is known of it. */
bool	why_site(struct why *, const char *name);
/* "in 5 minutes", "2 hours ago" */
void	print_when(int64_t usec, int64_t now);
#endif
