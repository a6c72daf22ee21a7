/*
 * keyprov.c - a built-in OpenSSL 3 provider, "keyd", for keys whose private
 * half lives in another process.
 *
 * Runs as facteur-net, in the process that talks with a stranger: there is
 * nothing here worth stealing.  Three kinds of key share one keymgmt, which
 * lets the default provider do all that is public; keyprov_sign.c has the one
 * signature algorithm.  There is no asymmetric cipher, so nothing can be
 * decrypted (kRSA is off, lib/tls.c).
 * Way 1 and 8 of 8.  From: OpenSSL, in a handshake.  To: lib/keyprov_sign.c.
 */
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/x509.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "keyprov_private.h"

#define P_SIGNER	"facteur-signer"	/* bytes of a pointer to it */

int
keyprov_id(EVP_PKEY *key, char id[KEYPROV_ID + 1])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char *der = NULL, md[EVP_MAX_MD_SIZE];
	int len = i2d_PUBKEY(key, &der);
	unsigned n = 0;
	bool ok = len > 0 && EVP_Digest(der, (size_t)len, md, &n,
	    EVP_sha256(), NULL) == 1;

	OPENSSL_free(der);
	if (!ok)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		id[2 * i] = hex[md[i] >> 4];
		id[2 * i + 1] = hex[md[i] & 15];
	}
	id[2 * n] = '\0';
	return 0;
}

/* ---- keys ---------------------------------------------------------------- */

static void *
half_new(void *provider)
{
	(void)provider;
	return xcalloc(1, sizeof(struct half));
}

static void
half_free(void *key)
{
	struct half *h = key;

	if (h != NULL)
		EVP_PKEY_free(h->pub);
	free(h);
}

static int
half_has(const void *key, int selection)
{
	const struct half *h = key;

	if (h == NULL || h->pub == NULL)
		return 0;
	return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 ||
	    h->signer != NULL;
}

static int
half_match(const void *a, const void *b, int selection)
{
	const struct half *x = a, *y = b;

	(void)selection;	/* a public key says all */
	return x->pub != NULL && y->pub != NULL &&
	    EVP_PKEY_eq(x->pub, y->pub) == 1;
}

static int
half_import(struct half *h, const char *type, const OSSL_PARAM p[])
{
	const OSSL_PARAM *s = OSSL_PARAM_locate_const(p, P_SIGNER);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	/* OpenSSL only reads it; its prototype is older than const. */
	OSSL_PARAM *all = (OSSL_PARAM *)(uintptr_t)p;
	int ok = ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
	    EVP_PKEY_fromdata(ctx, &h->pub, EVP_PKEY_PUBLIC_KEY, all) == 1 &&
	    keyprov_id(h->pub, h->id) == 0;

	EVP_PKEY_CTX_free(ctx);
	if (ok && s != NULL && s->data_size == sizeof(h->signer))
		memcpy(&h->signer, s->data, sizeof(h->signer));
	return ok;
}

static int
rsa_import(void *key, int selection, const OSSL_PARAM p[])
{
	(void)selection;
	return half_import(key, "RSA", p);
}

static int
ec_import(void *key, int selection, const OSSL_PARAM p[])
{
	(void)selection;
	return half_import(key, "EC", p);
}

static int
ed25519_import(void *key, int selection, const OSSL_PARAM p[])
{
	(void)selection;
	return half_import(key, "ED25519", p);
}

/* Whoever asks for the private half asks in vain. */
static int
half_export(void *key, int selection, OSSL_CALLBACK *give, void *arg)
{
	const struct half *h = key;
	OSSL_PARAM *p = NULL;
	int r;

	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ||
	    h->pub == NULL ||
	    EVP_PKEY_todata(h->pub, EVP_PKEY_PUBLIC_KEY, &p) != 1)
		return 0;
	r = give(p, arg);
	OSSL_PARAM_free(p);
	return r;
}

static const OSSL_PARAM *
half_types(int selection)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_octet_string(P_SIGNER, NULL, 0),
		OSSL_PARAM_END
	};

	(void)selection;
	return types;
}

static int
half_get(void *key, OSSL_PARAM p[])
{
	const struct half *h = key;

	return h->pub != NULL && EVP_PKEY_get_params(h->pub, p) == 1;
}

static const OSSL_PARAM *
half_gettable(void *provider)
{
	static const OSSL_PARAM all[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL,
		    0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL,
		    0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_END
	};

	(void)provider;
	return all;
}

static const char *
ec_operation(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

#define KEYMGMT(name, import)						\
static const OSSL_DISPATCH name[] = {					\
	{ OSSL_FUNC_KEYMGMT_NEW, (fn)half_new },			\
	{ OSSL_FUNC_KEYMGMT_FREE, (fn)half_free },			\
	{ OSSL_FUNC_KEYMGMT_HAS, (fn)half_has },			\
	{ OSSL_FUNC_KEYMGMT_MATCH, (fn)half_match },			\
	{ OSSL_FUNC_KEYMGMT_IMPORT, (fn)import },			\
	{ OSSL_FUNC_KEYMGMT_IMPORT_TYPES, (fn)half_types },		\
	{ OSSL_FUNC_KEYMGMT_EXPORT, (fn)half_export },			\
	{ OSSL_FUNC_KEYMGMT_EXPORT_TYPES, (fn)half_types },		\
	{ OSSL_FUNC_KEYMGMT_GET_PARAMS, (fn)half_get },			\
	{ OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, (fn)half_gettable },	\
	KEYMGMT_MORE							\
	{ 0, NULL }							\
}
#define KEYMGMT_MORE
KEYMGMT(rsa_keymgmt, rsa_import);
KEYMGMT(ed25519_keymgmt, ed25519_import);
#undef KEYMGMT_MORE
#define KEYMGMT_MORE							\
	{ OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, (fn)ec_operation },
KEYMGMT(ec_keymgmt, ec_import);

/* ---- the provider -------------------------------------------------------- */

#define OURS	"provider=keyd"

static const OSSL_ALGORITHM keymgmts[] = {
	{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", OURS, rsa_keymgmt, NULL },
	{ "EC:id-ecPublicKey:1.2.840.10045.2.1", OURS, ec_keymgmt, NULL },
	{ "ED25519:1.3.101.112", OURS, ed25519_keymgmt, NULL },
	{ NULL, NULL, NULL, NULL }
};

static const OSSL_ALGORITHM signatures[] = {
	{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", OURS, keyprov_signature,
	    NULL },
	{ "ECDSA", OURS, keyprov_signature, NULL },
	{ "ED25519:1.3.101.112", OURS, keyprov_signature, NULL },
	{ NULL, NULL, NULL, NULL }
};

static const OSSL_ALGORITHM *
provider_query(void *provider, int operation, int *no_cache)
{
	(void)provider;
	*no_cache = 0;
	if (operation == OSSL_OP_KEYMGMT)
		return keymgmts;
	return operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

static int
provider_init(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
    const OSSL_DISPATCH **out, void **provider_out)
{
	static const OSSL_DISPATCH dispatch[] = {
		{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, (fn)provider_query },
		{ 0, NULL }
	};

	(void)in;
	*out = dispatch;
	*provider_out = (void *)(uintptr_t)core;	/* anything but NULL */
	return 1;
}

/* The library context with both providers; made once, never given back. */
static OSSL_LIB_CTX *
world(void)
{
	static OSSL_LIB_CTX *ctx;

	if (ctx != NULL)
		return ctx;
	ctx = OSSL_LIB_CTX_new();
	if (ctx != NULL &&
	    OSSL_PROVIDER_add_builtin(ctx, "keyd", provider_init) == 1 &&
	    OSSL_PROVIDER_load(ctx, "default") != NULL &&
	    OSSL_PROVIDER_load(ctx, "keyd") != NULL)
		return ctx;
	OSSL_LIB_CTX_free(ctx);
	ctx = NULL;
	return NULL;
}

SSL_CTX *
keyprov_context(const SSL_METHOD *method)
{
	OSSL_LIB_CTX *ctx = world();

	/*
	 * The default provider first, ours where only it has the key.  To
	 * exclude ours would hide its signatures from its own keys too.
	 */
	return ctx == NULL ? NULL :
	    SSL_CTX_new_ex(ctx, "?provider=default", method);
}

static const char *
type_of(EVP_PKEY *key)
{
	static const char *const types[] = { "RSA", "EC", "ED25519" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (EVP_PKEY_is_a(key, types[i]))
			return types[i];
	return NULL;
}

EVP_PKEY *
keyprov_key(EVP_PKEY *public, const struct keyprov_signer *signer)
{
	const char *type = type_of(public);
	OSSL_PARAM *pub = NULL, *all = NULL, ours[2];
	EVP_PKEY_CTX *ctx = NULL;
	EVP_PKEY *key = NULL;

	ours[0] = OSSL_PARAM_construct_octet_string(P_SIGNER, &signer,
	    sizeof(signer));
	ours[1] = OSSL_PARAM_construct_end();
	if (type != NULL && world() != NULL &&
	    EVP_PKEY_todata(public, EVP_PKEY_PUBLIC_KEY, &pub) == 1 &&
	    (all = OSSL_PARAM_merge(pub, ours)) != NULL &&
	    (ctx = EVP_PKEY_CTX_new_from_name(world(), type, OURS)) != NULL &&
	    EVP_PKEY_fromdata_init(ctx) == 1 &&
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, all) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	OPENSSL_free(all);	/* shallow: the values are pub's and ours */
	OSSL_PARAM_free(pub);
	return key;
}
