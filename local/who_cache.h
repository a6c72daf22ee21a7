/*
 * who_cache.h - authd's answers, remembered for a moment: smtpd and the queue
 * ask about the same recipient within milliseconds of each other.
 */
#ifndef LOCAL_WHO_CACHE_H
#define LOCAL_WHO_CACHE_H

#include "who.h"

#define WHO_KEEP_MS	1000	/* so long may a removed user still be taken for one */
#define WHO_SLOTS	1024	/* a power of two */

struct who_cache {
	struct who who;
	struct who_slot {
		char	*asked;		/* owned; NULL: empty */
		struct mailbox box;	/* owned */
	} slot[WHO_SLOTS];
};

void	who_cache_init(struct who_cache *, const struct config *);
void	who_cache_release(struct who_cache *);
/*
 * As who_ask().  Only mailboxes are remembered, never that there is none, or
 * none now: a new user is there at once.  cache: a struct who_cache.
 */
enum who_result who_cache_ask(void *cache, const char *address,
	    struct mailbox *out, struct buf *why);
#endif
