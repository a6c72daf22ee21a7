/* local.h - what the files of local, and launch, which becomes local, share. */
#ifndef LOCAL_LOCAL_H
#define LOCAL_LOCAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "buf.h"
#include "config.h"
#include "id.h"
#include "maildir.h"
#include "stream.h"

enum outcome { DELIVERED, DEFERRED, FAILED };

struct verdict {
	enum outcome outcome;
	const char *enh;	/* static: "4.3.1" */
	struct buf text;	/* for people */
};

#define VERDICT_INIT	{ DEFERRED, "4.3.0", BUF_INIT }

/* Fills a verdict; returns -1, so that a failing function may end with it. */
int	verdict_set(struct verdict *, enum outcome, const char *enh,
	    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* DEFERRED with the code that fits errno, and "what: strerror". Returns -1. */
int	verdict_errno(struct verdict *, const char *what);

/* ---- home.c: the directory of a mailbox, as its owner ---- */
/* Who we are, asked once: nobody comes here before he has become the owner. */
uid_t	owner_uid(void);
/*
 * Opens it. One below `mail` that is missing is made (0700, with what lies
 * between); any other must be there: it may be a disk that is not mounted.
 * A directory descriptor, or -1 and the verdict.
 */
int	home_open(const char *mail, const char *home, struct verdict *)
	    __attribute__((warn_unused_result));

/* ---- maildir_deliver.c: one message into one Maildir ---- */
struct maildir_file {
	int	dir, tmp, new;	/* owned dirfds: the Maildir, its tmp and new;
				 * the first two only where they are needed */
	dev_t	dev;		/* where new is */
	bool	ordered;	/* no change here comes to disk before an earlier one */
	bool	alone;		/* nobody else has the message: its name, too,
				 * is to be on disk; else what the queue does
				 * later is the later change */
	int	fd;		/* owned; the message being written */
	struct buf tmpname;	/* its name in tmp; empty: O_TMPFILE */
	struct buf name;	/* its name in new, once linked */
	char	*block;		/* owned; bytes not yet written */
	size_t	 used;
	int64_t	 size;		/* bytes so far */
	struct wire_count wire;
};

#define MAILDIR_FILE_INIT	{ .dir = -1, .tmp = -1, .new = -1, .fd = -1 }

/*
 * Opens, and creates where missing, the Maildir `name` in the directory `at`;
 * starts an empty message. 0, or -1 and the verdict.
 */
int	maildir_begin(struct maildir_file *, int at, const char *name,
	    struct verdict *) __attribute__((warn_unused_result));
/* 0, or -1 with errno. */
int	maildir_write(struct maildir_file *, const void *, size_t)
	    __attribute__((warn_unused_result));
/*
 * Writes up to `left` bytes of fd from offset `at`. Returns how many (0: its
 * end), or -1 with errno.
 */
ssize_t	maildir_copy(struct maildir_file *, int fd, int64_t at, int64_t left)
	    __attribute__((warn_unused_result));
/*
 * Has the file on disk, then gives it its name in new/, then makes that
 * durable, if it has to be done by us (INTERNALS 3.6).  Only after a 0 may
 * anyone say "done".  A name that exists already is the same delivery: also 0.
 * After -1 (errno) nothing is left in new/.
 */
int	maildir_commit(struct maildir_file *, const char *id, unsigned n,
	    const char *host) __attribute__((warn_unused_result));
/*
 * maildir_find.c: is a delivery of message `id` to recipient n in new/ or in
 * cur/ already, under any flags?  1: it is, durably; m->name is then "new/..."
 * or "cur/...".  0: it is not.  -1 errno.
 */
int	maildir_find(struct maildir_file *, int at, const char *name,
	    const char *id, unsigned n) __attribute__((warn_unused_result));
/*
 * Releases from any state, and takes away what has no place in new/. Keeps
 * errno.
 */
void	maildir_end(struct maildir_file *);

/* ---- deliver.c: what is put in front, what is checked ---- */
struct message {
	int	 fd;		/* owned; [0, size) of it is the message */
	int64_t	 size;
	char	 id[ID_LEN + 1];
	bool	 repeat;	/* it may have been delivered before a crash */
	bool	 alone;		/* it lies nowhere else on disk */
	bool	 ordered;	/* the spool's device, dev, keeps the order of
				 * its changes (INTERNALS 3.6) */
	dev_t	 dev;
	char	*sender;	/* owned; "" for the null sender */
	struct buf heads;	/* fields to put in front, each with its LF */
	struct buf start;	/* its first bytes, with all of the header */
	size_t	 header_len;	/* of that block, its empty line included */
};

#define MESSAGE_INIT	{ .fd = -1 }

void	message_release(struct message *);
/* Reads the start of the message. 0, or -1 and the verdict. */
int	message_load(struct message *, struct verdict *)
	    __attribute__((warn_unused_result));

struct delivery {
	unsigned n;		/* of the recipient in the queue file, from 1 */
	const char *to;		/* borrowed; the address for Delivered-To */
	const char *home;	/* borrowed; NULL: the Maildir is in `at` */
	int	 at;		/* borrowed dirfd; -1: in home */
	const char *maildir;	/* borrowed; its name there */
};

/* One message to one recipient; the verdict is the result. */
void	deliver(struct message *, const struct delivery *,
	    const struct config *, struct verdict *);

/* ---- worker.c: the protocol of INTERNALS 2.6 ---- */
/*
 * Takes jobs until the queue closes the stream; released here.  refusal:
 * NULL, or why every recipient is to be deferred instead.  Exit status.
 */
int	local_worker(struct stream *, const struct config *,
	    const struct verdict *refusal);
#endif
