/*
 * stream_tls.h - TLS on a stream.  Who does not call these has no OpenSSL in
 * his program: a stream in the clear knows nothing of it.
 */
#ifndef LIB_STREAM_TLS_H
#define LIB_STREAM_TLS_H

#include <openssl/ssl.h>

#include "stream.h"

/*
 * Starts TLS on the stream, as server or client.  The input buffer must be
 * empty (else -1 with EPROTO: the peer talked ahead, CVE-2011-0411).
 * `host` (client): SNI, or NULL.  0, or -1 with errno; the stream is broken then.
 */
int	 stream_tls_accept(struct stream *, SSL_CTX *, int64_t deadline)
	    __attribute__((warn_unused_result));
int	 stream_tls_connect(struct stream *, SSL_CTX *, const char *host, int64_t deadline)
	    __attribute__((warn_unused_result));
/* "TLSv1.3", or NULL in the clear. */
const char *stream_tls_version(const struct stream *);
/* Cipher name, or NULL. */
const char *stream_tls_cipher(const struct stream *);
#endif
