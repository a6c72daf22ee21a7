/*
 * drop.h - the maildrop: a Maildir as POP3 sees it, one numbered list that
 * does not change while the session lasts (RFC 1939 section 5).
 *
 * Opening it costs one pass over the directory and a sort: no file is opened
 * or even looked at before its content, or a size its name does not tell, is
 * asked for.  Message i of this interface is number i + 1 of the client's.
 */
#ifndef POP3D_DROP_H
#define POP3D_DROP_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "buf.h"

enum { DROP_NEW, DROP_CUR };

#define UIDL_MAX	70	/* characters, RFC 1939 section 7 */
#define DROP_BLOCK	65536	/* bytes read from a message at once */

/* 32 bytes, so that a million messages stay small. */
struct drop_msg {
	int64_t	 sec, usec;	/* arrival, out of the name: the order */
	int64_t	 wire;		/* octets, see drop_size(); -1: not counted */
	uint32_t name;		/* its offset in drop_list.names */
	uint8_t	 unique_len;	/* of the name, before the first ',' or ':' */
	uint8_t	 where;		/* DROP_NEW or DROP_CUR */
	bool	 deleted;	/* DELE: goes at QUIT */
	uint8_t	 gone : 1;	/* no message (any more): hidden */
	uint8_t	 plain : 1;	/* the unique part can be the UIDL */
	uint8_t	 twin : 1;	/* another one has the same unique part */
	uint8_t	 extra : 1;	/* and is listed before this one */
};

struct drop_list {
	struct drop_msg *v;	/* owned; sorted */
	size_t	 n, cap;
	struct buf names;	/* all names, each with its NUL */
};

struct drop {
	int	 dir;		/* owned; the Maildir */
	int	 sub[2];	/* owned; new and cur */
	int	 lock;		/* owned; holds the lock while it is open */
	bool	 measured;	/* every size is known */
	struct drop_list list;
	struct timespec looked[2];	/* mtime of new, cur at the last scan */
	char	*block;		/* owned; DROP_BLOCK bytes for reading */
};

/*
 * Opens (or makes) the Maildir, locks it against other sessions and lists it.
 * -1 with errno; EWOULDBLOCK: another session has it.  drop_close() may follow
 * in any case.
 */
int	drop_open(struct drop *, const char *maildir)
	    __attribute__((warn_unused_result));
/* Unlocks and releases from any state. Keeps errno. */
void	drop_close(struct drop *);
/* Is there a message i, neither deleted nor gone? */
bool	drop_has(const struct drop *, size_t i);
/*
 * Opens message i for reading, wherever other programs have moved it; owned
 * by the caller.  -1 with errno; it is hidden from now on if that cannot pass
 * (gone, not a regular file, not ours to read).
 */
int	drop_read(struct drop *, size_t i) __attribute__((warn_unused_result));
/*
 * The octets that RETR sends, before dots are doubled; reads the message if
 * its name does not tell.  -1 as drop_read.
 */
int64_t	drop_size(struct drop *, size_t i) __attribute__((warn_unused_result));
/* Makes sure that all sizes are known. -1 with errno: not now. */
int	drop_measure(struct drop *) __attribute__((warn_unused_result));
/* The unique id of message i, RFC 1939 section 7. */
void	drop_uidl(const struct drop *, size_t i, char out[UIDL_MAX + 1]);
/*
 * Removes what is marked deleted; what is not there any more counts as
 * removed.  Returns how many are still there, errno saying why.
 */
size_t	drop_commit(struct drop *);

/* ---- the list alone (drop_scan.c) */

/*
 * Reads both directories into l, sorted; looked_out gets their mtimes from
 * before.  -1 with errno.
 */
int	drop_list_scan(struct drop_list *, const int sub[2],
	    struct timespec looked_out[2]) __attribute__((warn_unused_result));
/* Takes over from `now`, a later scan, where the messages of l have gone. */
void	drop_list_follow(struct drop_list *l, const struct drop_list *now);
void	drop_list_release(struct drop_list *);
static inline const char *
drop_name(const struct drop_list *l, const struct drop_msg *m)
{
	return l->names.data + m->name;
}
#endif
