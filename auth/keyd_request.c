/*
 * keyd_request.c - what keyd is asked to sign, and whether it ever would.
 *
 * Runs as facteur-keys; its input comes from processes that talk with
 * strangers and may be theirs by now.  keyd is no oracle: a text that a
 * server does not sign in a TLS handshake is not signed, whoever asks.
 * Way 1 and 8 of 8.  From: auth/keyd_desk.c.
 */
#include <string.h>

#include "keyd.h"
#include "sasl.h"

/* ---- shapes -------------------------------------------------------------- */

#define PADDING	64	/* RFC 8446 section 4.4.3: so many blanks */

/* Blanks, the context, NUL, and the hash of the handshake: SHA-256 or -384. */
static bool
is_tls13(const char *p, size_t len, const char *context)
{
	size_t n = strlen(context) + 1, head = PADDING + n;

	if (len != head + 32 && len != head + 48)
		return false;
	for (size_t i = 0; i < PADDING; i++)
		if (p[i] != 0x20)
			return false;
	return memcmp(p + PADDING, context, n) == 0;
}

/*
 * RFC 8422 section 5.4: both randoms, then named_curve, the curve, and the
 * point with its length.  There is no other ServerKeyExchange in our contexts.
 */
static bool
is_tls12(const unsigned char *p, size_t len)
{
	static const struct {
		unsigned char curve, point, first;
	} curves[] = {
		{ 23, 65, 4 },		/* secp256r1, uncompressed */
		{ 24, 97, 4 },		/* secp384r1 */
		{ 25, 133, 4 },		/* secp521r1 */
		{ 29, 32, 0 },		/* x25519 */
		{ 30, 56, 0 },		/* x448 */
	};

	if (len < 64 + 5 || p[64] != 3 || p[65] != 0)
		return false;
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
		if (p[66] == curves[i].curve)
			return p[67] == curves[i].point &&
			    len == 68 + (size_t)curves[i].point &&
			    (curves[i].first == 0 || p[68] == curves[i].first);
	return false;
}

enum shape
shape_of(const void *tbs, size_t len)
{
	if (is_tls13(tbs, len, "TLS 1.3, server CertificateVerify"))
		return SHAPE_SERVER13;
	if (is_tls13(tbs, len, "TLS 1.3, client CertificateVerify"))
		return SHAPE_CLIENT13;
	return is_tls12(tbs, len) ? SHAPE_SERVER12 : SHAPE_NONE;
}

const char *
shape_name(enum shape s)
{
	static const char *const names[] = {
		[SHAPE_NONE] = "none",
		[SHAPE_SERVER13] = "server13",
		[SHAPE_CLIENT13] = "client13",
		[SHAPE_SERVER12] = "server12",
	};

	return names[s];
}

/* ---- requests ------------------------------------------------------------ */

/* No SHA-1, and PKCS #1 v1.5 only where TLS 1.2 has it. */
static const struct sign_alg algs[] = {
	{ "pss-sha256",	  "RSA",     "SHA256", true,  true },
	{ "pss-sha384",	  "RSA",     "SHA384", true,  true },
	{ "pss-sha512",	  "RSA",     "SHA512", true,  true },
	{ "rsa-sha256",	  "RSA",     "SHA256", false, false },
	{ "rsa-sha384",	  "RSA",     "SHA384", false, false },
	{ "rsa-sha512",	  "RSA",     "SHA512", false, false },
	{ "ecdsa-sha256", "EC",	     "SHA256", false, true },
	{ "ecdsa-sha384", "EC",	     "SHA384", false, true },
	{ "ecdsa-sha512", "EC",	     "SHA512", false, true },
	{ "ed25519",	  "ED25519", NULL,     false, true },
};

static const struct sign_alg *
alg_find(const char *name)
{
	for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++)
		if (strcmp(algs[i].name, name) == 0)
			return &algs[i];
	return NULL;
}

enum judged
request_read(const struct ctl *c, struct request *out)
{
	const char *id = ctl_str(c, "key"), *tbs = ctl_str(c, "tbs");

	memset(out, 0, sizeof(*out));
	out->tbs.max = KEYASK_TBS;
	if (strlen(id) != KEYPROV_ID ||
	    strspn(id, "0123456789abcdef") != KEYPROV_ID ||
	    base64_decode(tbs, strlen(tbs), &out->tbs) == -1)
		return REQUEST_MALFORMED;
	(void)strlcpy(out->id, id, sizeof(out->id));
	out->alg = alg_find(ctl_str(c, "alg"));
	/* An overflowed buffer is empty, and so has no shape. */
	out->shape = shape_of(buf_str(&out->tbs), out->tbs.len);
	if (out->alg == NULL || out->shape == SHAPE_NONE ||
	    (out->shape != SHAPE_SERVER12 && !out->alg->tls13))
		return REQUEST_REFUSED;
	return REQUEST_OK;
}

void
request_release(struct request *r)
{
	buf_release(&r->tbs);
}
