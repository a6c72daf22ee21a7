/*
 * tls.c - OpenSSL contexts as we want them.
 *
 * A server's context is made once, before privileges are dropped, and is
 * shared by all children.  No tickets and no session cache: a resumed session
 * would need a key that outlives the child that made it.  No kRSA: who gets
 * hold of a key shall not read what was said before, and keyd never decrypts.
 * Way 1, 6 and 8 of 8.  From: smtpd, remote, pop3d.  To: stream_tls.c.
 */
#include <errno.h>
#include <malloc.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tls.h"

#define REHEARSAL	4	/* turns that a handshake takes at most */
#define GAP_MAX		65536	/* bytes */
#define GAP_MIN		16

static void *gaps;		/* close_gaps(): taken for good */

const char *
tls_error(void)
{
	static char text[256];
	unsigned long e = ERR_get_error();
	const char *reason = ERR_reason_error_string(e);

	if (e == 0)
		return "unknown TLS error";
	if (reason != NULL)
		strlcpy(text, reason, sizeof(text));
	else
		ERR_error_string_n(e, text, sizeof(text));
	ERR_clear_error();
	return text;
}

/* What both sides have in common; takes ctx. NULL, with `why`: out of luck. */
static SSL_CTX *
tls_context(SSL_CTX *ctx, struct buf *why)
{
	if (ctx == NULL ||
	    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) {
		buf_addf(why, "cannot start TLS: %s", tls_error());
		SSL_CTX_free(ctx);
		return NULL;
	}
	/* Mail protocols say when they are over: truncation shows there. */
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	return ctx;
}

/* OpenSSL's own words for a missing file are of no help to anyone. */
static bool
readable(const char *key, const char *path, struct buf *why)
{
	if (access(path, R_OK) == 0)
		return true;
	buf_addf(why, "%s %s: %s", key, path, strerror(errno));
	return false;
}

/* Never asks a terminal for a pass phrase. */
static int
no_passphrase(char *to, int size, int writing, void *arg)
{
	(void)to;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static bool
load_pair(SSL_CTX *ctx, const char *cert, const char *key, struct buf *why)
{
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	if (!readable("tls_cert", cert, why) || !readable("tls_key", key, why))
		return false;
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		buf_addf(why, "tls_cert %s: no certificate in PEM form: %s",
		    cert, tls_error());
	else if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) {
		if (ERR_GET_REASON(ERR_peek_error()) ==
		    X509_R_KEY_VALUES_MISMATCH)
			buf_addf(why, "tls_key %s: does not belong to the "
			    "certificate %s", key, cert);
		else
			buf_addf(why, "tls_key %s: no private key in PEM "
			    "form without a pass phrase: %s", key, tls_error());
	} else if (SSL_CTX_check_private_key(ctx) != 1)
		buf_addf(why, "tls_key %s: does not belong to the "
		    "certificate %s", key, cert);
	else
		return true;
	ERR_clear_error();
	return false;
}

/* A server's context, still without certificate and key; takes ctx. */
static SSL_CTX *
server_context(SSL_CTX *ctx, struct buf *why)
{
	if ((ctx = tls_context(ctx, why)) == NULL)
		return NULL;
	SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
	(void)SSL_CTX_set_num_tickets(ctx, 0);	/* TLS 1.3 has its own switch */
	if (SSL_CTX_set_cipher_list(ctx, "DEFAULT:!kRSA:!kPSK:!SRP") != 1) {
		buf_addf(why, "cannot start TLS: %s", tls_error());
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

SSL_CTX *
tls_server(const char *cert, const char *key, struct buf *why)
{
	SSL_CTX *ctx;

	ERR_clear_error();
	ctx = server_context(SSL_CTX_new(TLS_server_method()), why);
	if (ctx != NULL && !load_pair(ctx, cert, key, why)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

/* The first certificate is ours, the others lead to its root. */
static bool
use_chain(SSL_CTX *ctx, const void *der, size_t len,
    const struct keyprov_signer *signer)
{
	const unsigned char *p = der, *end = p + len;
	bool first = true, ok = len > 0;

	for (; ok && p < end; first = false) {
		X509 *x = d2i_X509(NULL, &p, (long)(end - p));
		EVP_PKEY *key = NULL;

		if (x == NULL)
			return false;
		if (!first) {
			ok = SSL_CTX_add1_chain_cert(ctx, x) == 1;
		} else {
			key = keyprov_key(X509_get0_pubkey(x), signer);
			ok = key != NULL &&
			    SSL_CTX_use_certificate(ctx, x) == 1 &&
			    SSL_CTX_use_PrivateKey(ctx, key) == 1 &&
			    SSL_CTX_check_private_key(ctx) == 1;
		}
		EVP_PKEY_free(key);
		X509_free(x);
	}
	return ok;
}

SSL_CTX *
tls_server_held(const void *der, size_t len,
    const struct keyprov_signer *signer, struct buf *why)
{
	SSL_CTX *ctx;

	ERR_clear_error();
	ctx = server_context(keyprov_context(TLS_server_method()), why);
	if (ctx == NULL || use_chain(ctx, der, len, signer))
		return ctx;
	buf_addf(why, "the certificate cannot be used: %s", tls_error());
	SSL_CTX_free(ctx);
	return NULL;
}

/* A handshake with ourselves, in memory; that it succeeds is not needed. */
static void
rehearse(SSL *server, SSL *client)
{
	BIO *near, *far;

	if (BIO_new_bio_pair(&near, 0, &far, 0) != 1)
		return;
	SSL_set_bio(server, near, near);
	SSL_set_bio(client, far, far);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	for (int i = 0; i < REHEARSAL; i++) {
		(void)SSL_do_handshake(client);
		(void)SSL_do_handshake(server);
	}
}

/*
 * A child whose pieces come to lie between its parent's gets a page of its own
 * for each.  So the gaps are taken for good: what a child asks for lies
 * together, at the heap's end.  52 KB less for each of them.
 */
static void
close_gaps(void)
{
	const char *end;
	void *p, *taken = gaps;

	(void)malloc_trim(0);
	end = sbrk(0);
	for (size_t size = GAP_MAX; size >= GAP_MIN;
	    size = size > 1024 ? size / 2 : size - GAP_MIN) {
		while ((p = malloc(size)) != NULL && (const char *)p < end) {
			*(void **)p = taken;
			taken = p;
		}
		free(p);
	}
	gaps = taken;
}

void
tls_warm_up(SSL_CTX *ctx)
{
	struct buf why = BUF_INIT;
	SSL_CTX *peer = tls_client(&why);
	SSL *server = SSL_new(ctx), *client = NULL;

	if (peer != NULL)
		client = SSL_new(peer);
	if (server != NULL && client != NULL)
		rehearse(server, client);
	SSL_free(server);
	SSL_free(client);
	SSL_CTX_free(peer);
	buf_release(&why);
	ERR_clear_error();
	close_gaps();
}

SSL_CTX *
tls_client(struct buf *why)
{
	SSL_CTX *ctx;

	ERR_clear_error();
	ctx = tls_context(SSL_CTX_new(TLS_client_method()), why);
	if (ctx != NULL)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	return ctx;
}
