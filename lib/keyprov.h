/*
 * keyprov.h - keys of which we hold the public half only: an OpenSSL provider
 * whose signatures are made by somebody else (keyd).
 */
#ifndef LIB_KEYPROV_H
#define LIB_KEYPROV_H

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <sys/types.h>

#define KEYPROV_ID	64	/* hex digits of a SHA-256 */

struct keyprov_signer {
	/*
	 * Signs all of tbs with the key `id`.  alg: "ed25519", or one of rsa,
	 * pss (salt as long as the hash), ecdsa with -sha256, -sha384, -sha512.
	 * Bytes put into sig (at most room), or -1 with errno.
	 */
	ssize_t	(*sign)(void *arg, const char *id, const char *alg,
		    const void *tbs, size_t len, unsigned char *sig,
		    size_t room);
	void	*arg;
};

/* The name of a key: SHA-256 over its SubjectPublicKeyInfo, in hex. 0, or -1. */
int	keyprov_id(EVP_PKEY *, char id[KEYPROV_ID + 1])
	    __attribute__((warn_unused_result));
/*
 * A key that looks whole to OpenSSL: RSA, EC or Ed25519.  `public` is copied,
 * the signer borrowed.  It signs, it never decrypts, and its private half
 * cannot be written down.  NULL on failure (tls_error() says why).
 */
EVP_PKEY *keyprov_key(EVP_PKEY *public, const struct keyprov_signer *);
/*
 * A context whose keys may be such: it has a library context of its own, so
 * that nothing changes for any other use of OpenSSL in this process.
 */
SSL_CTX	*keyprov_context(const SSL_METHOD *);
#endif
