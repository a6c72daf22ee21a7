/*
 * keyask.h - asking keyd (INTERNALS 2.9): for the certificate chain that this
 * host shows, and for signatures in its name.
 */
#ifndef LIB_KEYASK_H
#define LIB_KEYASK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "buf.h"
#include "config.h"
#include "stream.h"

#define KEYASK_MARK	64	/* hex digits: SHA-256 of a chain's bytes */
#define KEYASK_CHAIN	20000	/* bytes of DER that fit into one frame */
#define KEYASK_TBS	256	/* bytes to be signed; TLS needs 201 at most */

struct keyask {
	const struct config *cfg;	/* borrowed: where the socket is */
	struct stream st;	/* owned while open */
	bool	 open;
};

/* Ends the conversation; the next question connects anew.  From any state. */
void	keyask_hang_up(struct keyask *);
/*
 * The chain, as the DER forms of its certificates one after the other, and
 * its mark.  have: the mark of the one in hand, or "".  1: here it is; 0: what
 * you have is current; -1 with errno: ENOENT, ECONNREFUSED, EACCES: there is no
 * keyd for us; EAGAIN: it has none now; others.
 */
int	keyask_chain(struct keyask *, const char *have,
	    char mark[KEYASK_MARK + 1], struct buf *der)
	    __attribute__((warn_unused_result));
/* Fits struct keyprov_signer; arg is a struct keyask. EPERM: keyd refused. */
ssize_t	keyask_sign(void *arg, const char *id, const char *alg,
	    const void *tbs, size_t len, unsigned char *sig, size_t room);
#endif
