/*
 * address.h - mail addresses as SMTP has them (RFC 5321 section 4.1.2, RFC 6531).
 *
 * Comments, folding and obsolete forms of RFC 5322 are refused; source routes
 * are stripped.  Views in, nothing is written to the input.
 */
#ifndef LIB_ADDRESS_H
#define LIB_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

#define ADDR_LOCAL_MAX	64	/* octets, RFC 5321 section 4.5.3.1.1 */
#define ADDR_DOMAIN_MAX	255
#define ADDR_MAX	(ADDR_LOCAL_MAX + 1 + ADDR_DOMAIN_MAX)

enum addr_result {
	ADDR_OK,
	ADDR_SYNTAX,		/* 5.1.3 / 5.1.7 */
	ADDR_TOO_LONG,
	ADDR_UTF8,		/* holds UTF-8 but the caller did not allow it (553 5.6.7) */
	ADDR_NO_DOMAIN		/* a bare local part where a domain is needed ("postmaster" is the caller's exception) */
};

#define ADDR_ALLOW_UTF8		1u
#define ADDR_ALLOW_BARE		2u	/* a local part alone is fine: out gets no '@' */

/*
 * Checks `local@domain` (no angle brackets) and appends its canonical form to
 * out: domain in lower case and without trailing dot; local part as written, but without quotes that
 * are not needed.  Domain literals [1.2.3.4], [IPv6:...] are checked and kept.
 * Control bytes, and UTF-8 that is malformed, are never accepted.
 */
enum addr_result address_parse(const char *s, size_t len, unsigned flags, struct buf *out);
/*
 * The path of MAIL and RCPT: reads "<...>" from the start of s, strips a source
 * route, appends the canonical address ("" for <>); *used_out gets the length
 * including the brackets.  MAIL/RCPT parameters follow it.
 */
enum addr_result address_path(const char *s, size_t len, unsigned flags, struct buf *out, size_t *used_out);
/* The domain of a canonical address (behind the last '@'), or NULL. Points into it. */
const char *address_domain(const char *address);
/* Length of the local part of a canonical address. */
size_t	address_local_len(const char *address);
/* The local part without quotes and backslashes, appended to out. */
void	address_unquote_local(const char *address, struct buf *out);
/* A host name by letters, digits, hyphens, dots (underscore tolerated), labels 1-63, <= 253. */
bool	is_hostname(const char *s, size_t len);
/* Well-formed UTF-8 (no overlong forms, no surrogates)? */
bool	is_utf8(const char *s, size_t len);
/*
 * xtext (RFC 3461 section 4): decode refuses malformed input and any result
 * byte that is a control byte (-1); encode never fails.
 */
int	xtext_decode(const char *s, size_t len, struct buf *out) __attribute__((warn_unused_result));
void	xtext_encode(const char *s, struct buf *out);
#endif
