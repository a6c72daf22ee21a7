/*
 * keyprov_sign.c - the provider's one signature algorithm: it hands the whole
 * text to the signer, who must see what he signs.
 *
 * Runs as facteur-net, in the process that talks with a stranger.
 * Way 1 and 8 of 8.  From: OpenSSL, in a handshake.  To: lib/keyask.c.
 */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "keyprov_private.h"

/* A signature in the making. */
struct signing {
	const struct half *half;	/* borrowed: OpenSSL keeps the key */
	bool	 pss;
	char	 hash[16];	/* "sha256", "" for Ed25519 */
};

static void *
signing_new(void *provider, const char *properties)
{
	(void)provider;
	(void)properties;
	return xcalloc(1, sizeof(struct signing));
}

static void *
signing_dup(void *from)
{
	struct signing *s = xcalloc(1, sizeof(*s));

	memcpy(s, from, sizeof(*s));
	return s;
}

/* OpenSSL says SHA256 or SHA2-256; keyd knows one word for it. */
static int
set_hash(struct signing *s, const char *name)
{
	static const char *const known[][3] = {
		{ "sha256", "SHA256", "SHA2-256" },
		{ "sha384", "SHA384", "SHA2-384" },
		{ "sha512", "SHA512", "SHA2-512" },
	};

	s->hash[0] = '\0';
	if (name == NULL || *name == '\0')
		return 1;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		for (int j = 1; j < 3; j++)
			if (strcasecmp(name, known[i][j]) == 0) {
				(void)strlcpy(s->hash, known[i][0],
				    sizeof(s->hash));
				return 1;
			}
	return 0;
}

static int
signing_set(void *ctx, const OSSL_PARAM p[])
{
	struct signing *s = ctx;
	const OSSL_PARAM *pad;
	int mode;

	if (p == NULL)
		return 1;
	pad = OSSL_PARAM_locate_const(p, OSSL_SIGNATURE_PARAM_PAD_MODE);
	if (pad == NULL)
		return 1;
	if (pad->data_type == OSSL_PARAM_UTF8_STRING) {
		s->pss = strcmp(pad->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0;
		return 1;
	}
	if (OSSL_PARAM_get_int(pad, &mode) != 1)
		return 0;
	s->pss = mode == RSA_PKCS1_PSS_PADDING;
	return s->pss || mode == RSA_PKCS1_PADDING;
}

static const OSSL_PARAM *
signing_settable(void *ctx, void *provider)
{
	static const OSSL_PARAM all[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL,
		    0),
		OSSL_PARAM_END
	};

	(void)ctx;
	(void)provider;
	return all;
}

static int
signing_init(void *ctx, const char *hash, void *key, const OSSL_PARAM p[])
{
	struct signing *s = ctx;

	if (key != NULL)
		s->half = key;
	if (s->half == NULL || s->half->signer == NULL || !set_hash(s, hash))
		return 0;
	return signing_set(s, p);
}

static int
signing_sign(void *ctx, unsigned char *sig, size_t *len_out, size_t room,
    const unsigned char *tbs, size_t len)
{
	const struct signing *s = ctx;
	const struct half *h = s->half;
	struct buf alg = BUF_INIT;
	ssize_t n;

	if (sig == NULL) {
		*len_out = (size_t)EVP_PKEY_get_size(h->pub);
		return 1;
	}
	if (EVP_PKEY_is_a(h->pub, "RSA"))
		buf_adds(&alg, s->pss ? "pss-" : "rsa-");
	else
		buf_adds(&alg, EVP_PKEY_is_a(h->pub, "EC") ? "ecdsa-" :
		    "ed25519");
	buf_adds(&alg, s->hash);
	n = h->signer->sign(h->signer->arg, h->id, buf_str(&alg), tbs, len,
	    sig, room);
	buf_release(&alg);
	if (n == -1) {
		ERR_raise(ERR_LIB_SYS, errno);
		return 0;
	}
	*len_out = (size_t)n;
	return 1;
}

const OSSL_DISPATCH keyprov_signature[] = {
	{ OSSL_FUNC_SIGNATURE_NEWCTX, (fn)signing_new },
	{ OSSL_FUNC_SIGNATURE_FREECTX, (fn)free },
	{ OSSL_FUNC_SIGNATURE_DUPCTX, (fn)signing_dup },
	{ OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, (fn)signing_init },
	{ OSSL_FUNC_SIGNATURE_DIGEST_SIGN, (fn)signing_sign },
	{ OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, (fn)signing_set },
	{ OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, (fn)signing_settable },
	{ 0, NULL }
};
