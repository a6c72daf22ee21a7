/* hash.h - hashes of passwords, by crypt(3). */
#ifndef AUTH_HASH_H
#define AUTH_HASH_H

#include <stdbool.h>

#include "buf.h"

#define PASSWORD_MAX	511	/* bytes; what crypt(3) takes */

/* Is this the password?  Compares in constant time. */
bool	password_is(const char *hash, const char *password);
/* A new yescrypt hash, appended. 0, or -1 with errno. */
int	password_hash(const char *password, struct buf *out)
	    __attribute__((warn_unused_result));
#endif
