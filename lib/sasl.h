/* sasl.h - what smtpd and pop3d share of authentication: base64, PLAIN, and asking authd. */
#ifndef LIB_SASL_H
#define LIB_SASL_H

#include "buf.h"
#include "config.h"

#define SASL_MAX	12288	/* bytes of one base64 line, RFC 4954 section 4 */

/* Strict base64 (RFC 4648, no line ends, right padding) appended to out. -1: malformed. */
int	base64_decode(const char *s, size_t len, struct buf *out) __attribute__((warn_unused_result));
void	base64_encode(const void *, size_t, struct buf *out);
/*
 * RFC 4616 PLAIN: "authzid NUL authcid NUL password", already decoded. authzid must be
 * empty or equal to authcid.  Both results non-empty, UTF-8, no control bytes in user; NUL-terminated. -1: malformed.
 */
int	sasl_plain(const char *s, size_t len, struct buf *user, struct buf *pass) __attribute__((warn_unused_result));

enum auth_result { AUTH_OK, AUTH_FAIL, AUTH_LATER };

/*
 * Asks authd (INTERNALS 2.4).  verb: "auth" or "login"; fd: for login the
 * descriptor to hand over, else -1.  AUTH_OK: `who` gets the address.  Otherwise `who` gets the text.
 */
enum auth_result auth_ask(const struct config *, const char *verb, const char *service,
	    const char *user, const char *pass, const char *ip, int fd, struct buf *who, int64_t deadline);
#endif
