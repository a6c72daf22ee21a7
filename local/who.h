/*
 * who.h - whose mailbox is an address? What resolve, launch and local ask
 * authd (INTERNALS 2.4).
 */
#ifndef LOCAL_WHO_H
#define LOCAL_WHO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "config.h"
#include "stream.h"

struct mailbox {
	char	*address;	/* owned; canonical */
	char	*home;		/* owned; absolute; of home/Maildir */
	uid_t	 uid;
	gid_t	 gid;
	int64_t	 until;		/* monotonic ms: who_cache.c repeats it; 0: nobody does */
};

#define MAILBOX_INIT	{ NULL, NULL, (uid_t)-1, (gid_t)-1, 0 }

enum who_result {
	WHO_USER,
	WHO_NONE,		/* nobody has that address */
	WHO_LATER		/* authd is away or cannot tell now */
};

/* A connection to authd that outlives many questions. */
struct who {
	const struct config *cfg;	/* borrowed */
	struct stream stream;
	bool	 open;
	struct buf line;
	int64_t	 rest_until;	/* a silent authd is left alone until then */
};

void	mailbox_release(struct mailbox *);
/* Absolute, and no component is "..": a path the owner may be sent to. */
bool	is_home(const char *path);

void	who_init(struct who *, const struct config *);
void	who_release(struct who *);
/*
 * Asks authd, connecting (again) as needed; `out` is filled for WHO_USER,
 * `why` for WHO_LATER. who: a struct who (void, to fit a struct resolver).
 */
enum who_result who_ask(void *who, const char *address, struct mailbox *out,
	    struct buf *why);
/*
 * The same answer from CONFDIR/users, for an administrator while authd is not
 * running.
 */
enum who_result who_file(const struct config *, const char *address,
	    struct mailbox *out, struct buf *why);
/* authd if it answers, else the file: for programs started by hand. */
enum who_result who_ask_or_file(void *who, const char *address,
	    struct mailbox *out, struct buf *why);
#endif
