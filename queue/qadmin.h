/* qadmin.h - the verbs of qadmin; argv[0] is the first argument behind the verb. Each returns an exit status. */
#ifndef QUEUE_QADMIN_H
#define QUEUE_QADMIN_H

#include "config.h"
#include "envelope.h"
#include "id.h"

/* A queue file, as the verbs look at it. */
struct entry {
	const char *dir;	/* "queue" or "hold"; static */
	char	name[64];	/* ID.SIZE */
	char	id[ID_LEN + 1];
	int64_t	size;
	int	fd;		/* owned; read-only */
	struct envelope env;	/* owned */
	bool	readable;	/* the envelope could be replayed; else env.damage */
};

/*
 * Calls fn for each queue file in queue/ and hold/ (id NULL: all, in order of
 * arrival), until it returns non-zero.  The entry is released afterwards.
 * Returns how many files there were, or -1 with errno.
 */
int	entries_each(const struct config *, const char *id,
	    int (*fn)(struct entry *, void *), void *);

int	qadmin_ls(const struct config *, int argc, char *argv[]);
int	qadmin_show(const struct config *, int argc, char *argv[]);
int	qadmin_retry(const struct config *, int argc, char *argv[]);
#endif
