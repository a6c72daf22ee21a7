/* tls.h - OpenSSL contexts as we want them: TLS 1.2 and up, no tickets, no renegotiation, no compression, no kRSA. */
#ifndef LIB_TLS_H
#define LIB_TLS_H

#include <openssl/ssl.h>
#include <time.h>

#include "buf.h"
#include "keyask.h"
#include "keyprov.h"

/*
 * A server context with this certificate chain and key (PEM files).
 * NULL on failure; `why` then says what, in one line for an administrator.
 */
SSL_CTX	*tls_server(const char *cert, const char *key, struct buf *why);
/*
 * The same with a chain of certificates in DER, one after the other, and a key
 * that somebody else holds.  The signer is borrowed.
 */
SSL_CTX	*tls_server_held(const void *der, size_t len,
	    const struct keyprov_signer *, struct buf *why);
/* A client context that encrypts without verifying (opportunistic, RFC 7435). */
SSL_CTX	*tls_client(struct buf *why);
/* A handshake with ourselves, after which OpenSSL has loaded all it needs for one. The key signs once. */
void	 tls_warm_up(SSL_CTX *);
/* The oldest error OpenSSL has queued, as text, and empties the queue; "unknown TLS error" if none. Valid until the next call. */
const char *tls_error(void);

/*
 * What this host shows to its clients: the certificate, and a key that is with
 * keyd, or, where no keyd runs (by hand, in tests), read from its file.
 * Prepared in the parent; it must not move afterwards.
 */
struct tls_identity {
	const struct config *cfg;	/* borrowed */
	SSL_CTX	*ctx;		/* owned; NULL: none that works */
	char	 mark[KEYASK_MARK + 1];	/* of keyd's chain in ctx; "": files */
	struct timespec seen[2];	/* mtimes of the files it came from */
	struct keyask keyd;
	struct keyprov_signer signer;
};

void	tls_identity_init(struct tls_identity *, const struct config *);
/*
 * The context to shake hands with now: a renewed certificate is noticed, and
 * while the new one cannot be had, the old one serves on.  Borrowed.  NULL:
 * there is none.  `why` gets a sentence if something is amiss, else nothing.
 */
SSL_CTX	*tls_identity_current(struct tls_identity *, struct buf *why);
/* The same; what is amiss becomes a line in the log. */
SSL_CTX	*tls_identity_logged(struct tls_identity *);
/* The handshake is over: keyd is not needed any more. */
void	tls_identity_rest(struct tls_identity *);
/*
 * The same for a parent, before its first child: prepares what all handshakes
 * have in common, with one of its own, so that children share it.
 */
void	tls_identity_share(struct tls_identity *);
void	tls_identity_release(struct tls_identity *);
#endif
