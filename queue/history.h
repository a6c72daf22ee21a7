/*
 * history.h - what became of mail that has left the queue: SPOOL/history, a
 * text file for each day (UTC), one line for each outcome (INTERNALS 3.7).
 */
#ifndef QUEUE_HISTORY_H
#define QUEUE_HISTORY_H

#include <stdint.h>

#include "config.h"
#include "id.h"
#include "spool.h"

enum history_what {
	HISTORY_DONE,		/* delivered, or expanded into others (host NULL) */
	HISTORY_FAIL,		/* given up */
	HISTORY_BOUNCED,	/* and the sender was told: `dsn` is that report's ID */
	HISTORY_GONE		/* taken out of queue/ by hand: to and from are "" where the file was gone at once */
};

/* One line.  Strings are borrowed from the reader, good during the call. */
struct history_line {
	int64_t	time;		/* usec since 1970 */
	char	id[ID_LEN + 1];
	enum history_what what;
	char	*to, *from;	/* never NULL; from "": the null sender */
	int64_t	arrived;	/* usec since 1970; 0: not said */
	unsigned attempts;	/* with this one; 0: not said */
	char	*host;		/* "mx1.d[192.0.2.1]", or NULL */
	char	*tls;		/* "TLSv1.3", or NULL */
	char	*dsn;		/* or NULL */
	char	*text;		/* the reply, control bytes as \xNN; never NULL */
};

/* ---- for those who look (no lock, nothing is written) ---- */

/*
 * Calls fn for each line, oldest first, until it returns non-zero.  With word,
 * only for lines in which these bytes stand somewhere (an ID, an address, a
 * host): a quick sieve, fn decides.  Malformed lines are skipped.  Returns what
 * fn returned last, 0 when there is no history, -1 with errno.
 */
int	history_each(const struct config *, const char *word,
	    int (*fn)(const struct history_line *, void *), void *)
	    __attribute__((warn_unused_result));

/* ---- for hands, while there is no queue manager (history_hand.c) ---- */

/* This file has just been moved from queue/ to hold/.  Says what goes wrong. */
void	history_by_hand(const struct config *, const struct spool *, const char *name);

/* ---- for the queue manager ---- */

struct active;
struct env_rcpt;
struct envelope;

/* Opens it, and has old days removed now and then.  Without it nothing is written. */
void	history_start(void);
/* Closes it: nothing is written from now on. */
void	history_forget(void);
/* The outcome of one recipient, as it stands in r; tls and dsn may be NULL. */
void	history_add(enum history_what, const struct active *,
	    const struct env_rcpt *r, const char *tls, const char *dsn);
/* The file of this ID has been taken away by hand; env: NULL if it could not be read any more. */
void	history_gone(const char *id, const struct envelope *env);
/* Removes days before the last `history_days`: one, if only the clock says so. */
void	history_expire(int64_t now);
#endif
