/*
 * seams.h - who may connect where and say what: INTERNALS section 2 as one
 * table, for those who make the sockets and those who answer on them.
 *
 * On a host with walls every program has a uid of its own (DESIGN section 4);
 * in single-uid mode all of them are the one user, who may do everything.
 */
#ifndef LIB_SEAMS_H
#define LIB_SEAMS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "config.h"

enum seam_user {
	SEAM_ROOT, SEAM_NET, SEAM_QUEUE, SEAM_LOOKUP, SEAM_REMOTE, SEAM_AUTH,
	SEAM_KEYS, SEAM_MAIL, SEAM_USERS
};

/* Idle workers of launch that the queue may keep, besides local_concurrency. */
#define LOCAL_KEPT	200

/* One Unix socket. */
struct seam {
	const char *listener;	/* its name for lib/serve */
	const char *path;	/* below cfg->run */
	const char *service;	/* who listens */
	enum seam_user owner, group;	/* of the socket, where there are walls */
	mode_t	 mode;		/* there; otherwise that without the group's part */
	bool	 datagram;
};

extern const struct seam seams[];
extern const unsigned nseams;

/*
 * Learns the uids, once, while getpwnam() still finds its files.  Without
 * walls (cfg->as_root is false) everybody is who we are.
 */
void	seams_init(const struct config *);
/* "facteur-queue"; "root" for SEAM_ROOT. */
const char *seam_name(enum seam_user);
/* false: there is no such user on this host. */
bool	seam_ids(enum seam_user, uid_t *, gid_t *) __attribute__((warn_unused_result));
/* Is this the uid of one of our programs?  facteur-mail, who owns mailboxes, is none. */
bool	seam_is_program(uid_t);
/*
 * May this uid say this verb on this socket ("net-inject", "control", ...)?
 * verb NULL: may it connect at all?
 */
bool	seam_allows(const char *listener, const char *verb, int64_t uid);
/* The second question, as struct serve asks it. */
bool	seam_may_connect(const char *listener, int64_t uid);
/*
 * Takes one connection from that listener, non-blocking; who may say nothing
 * there is hung up on, and logged.  The descriptor and whose it is, or -1.
 */
int	seam_accept(int fd, const char *listener, int64_t *uid_out) __attribute__((warn_unused_result));

/*
 * Becomes `who` for good where there are walls and we are root still; with
 * `jail` shut inside run/net.  Started as that user already, it only takes the
 * rest.  0; 1: without the jail, which takes CAP_SYS_CHROOT; -1 with errno.
 */
int	seam_become(const struct config *, enum seam_user who, bool jail) __attribute__((warn_unused_result));
/* As facteur-net, in the jail; logs what it could not.  0, or -1. */
int	seam_become_front(const struct config *) __attribute__((warn_unused_result));
#endif
