/*
 * hash.c - crypt(3): making a hash of a password, and comparing with one.
 *
 * Runs in authd's workers (facteur-auth) and in `facteur passwd`.
 *
 * Way 1 and 8 of 8.  From: auth/pool.c.  To: back there.
 */
#include <crypt.h>
#include <openssl/crypto.h>
#include <string.h>

#include "hash.h"

bool
password_is(const char *hash, const char *password)
{
	static struct crypt_data data;
	const char *made;
	bool same;

	made = crypt_rn(password, hash, &data, sizeof(data));
	same = made != NULL && made[0] != '*' &&
	    strlen(made) == strlen(hash) &&
	    CRYPTO_memcmp(made, hash, strlen(hash)) == 0;
	explicit_bzero(&data, sizeof(data));
	return same;
}

int
password_hash(const char *password, struct buf *out)
{
	static struct crypt_data data;
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	const char *hash;

	/* No random bytes given: libcrypt asks the kernel. */
	if (crypt_gensalt_rn("$y$", 0, NULL, 0, setting,
	    sizeof(setting)) == NULL)
		return -1;
	hash = crypt_rn(password, setting, &data, sizeof(data));
	if (hash != NULL && hash[0] != '*')
		buf_adds(out, hash);
	explicit_bzero(&data, sizeof(data));
	return out->len > 0 ? 0 : -1;
}
