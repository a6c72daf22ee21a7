/* qadmin_why.h - what qadmin_why.c, qadmin_next.c and qadmin_past.c share, and nobody else. */
#ifndef QUEUE_QADMIN_WHY_H
#define QUEUE_QADMIN_WHY_H

#include "qadmin.h"

#define WHY_LATEST	20	/* messages, and lines of the history, told about an address */

struct why {
	const struct config *cfg;
	const char *address;	/* as asked for: only this recipient; or NULL */
	bool	all;		/* not only the latest */
	int64_t	now;		/* usec since 1970 */
	struct stream control;
	bool	connected;
	char	*no_control;	/* owned; why it cannot be asked */
	/* What the queue manager says about the message in hand. */
	char	*state, *site;	/* owned; site: that it waits for, or NULL */
	int64_t	due_ms;
	struct why_rcpt { unsigned n; char *step, *site; } *rcpts;	/* owned */
	size_t	nrcpts;
	unsigned shown, past;	/* parts of the answer; of it, lines of the history */
	struct entry kept[WHY_LATEST];	/* owned: env and fd; oldest first */
	size_t	nkept;
	unsigned older;		/* that were not kept */
};

/* Asks the queue manager about a message; what it said of the last one is forgotten. */
void	why_look(struct why *, const char *id);
void	why_forget(struct why *);
/* What happens next for this recipient of a message that is not done with it. */
void	why_next(struct why *, const struct entry *, const struct env_rcpt *);
/* How a site is, in words. `name` a key or a domain. False: nothing is known of it. */
bool	why_site(struct why *, const char *name);
/* What the history knows of a message (id), or of the address asked for. */
void	why_past(struct why *, const char *id);
/* How many were left out, if any, and how to see them. */
void	why_older(struct why *, const char *what, const char *where);
/* " HOST said ..." and a line end. */
void	why_reply(const char *host, const char *tls, const char *text);
/* The only `done` of ours without a host that is no mailbox: queue/lookup.c. */
bool	why_is_expansion(const char *host, const char *text);
/* "in 5 minutes", "2 hours ago" */
void	print_when(int64_t usec, int64_t now);
#endif
