/* tls.h - OpenSSL contexts as we want them: TLS 1.2 and up, no tickets, no renegotiation, no compression. */
#ifndef LIB_TLS_H
#define LIB_TLS_H

#include <openssl/ssl.h>

#include "buf.h"

/*
 * A server context with this certificate chain and key (PEM files).
 * NULL on failure; `why` then says what, in one line for an administrator.
 */
SSL_CTX	*tls_server(const char *cert, const char *key, struct buf *why);
/* A client context that encrypts without verifying (opportunistic, RFC 7435). */
SSL_CTX	*tls_client(struct buf *why);
/* The oldest error OpenSSL has queued, as text, and empties the queue; "unknown TLS error" if none. Valid until the next call. */
const char *tls_error(void);
#endif
