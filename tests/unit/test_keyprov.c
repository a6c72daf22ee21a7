/*
 * test_keyprov.c - handshakes whose server has no private key: the provider,
 * keyd's client, and a real keyd.
 * link: auth
 */
#include <openssl/err.h>

#include <errno.h>

#include "keyd_site.h"

/* A handshake in memory. The server's result; the client's is the same. */
static bool
shake_hands(SSL_CTX *server, SSL_CTX *client, SSL **client_out)
{
	SSL *s = SSL_new(server), *c = SSL_new(client);
	BIO *a, *b;
	int rs = 0, rc = 0;

	assert_non_null(s);
	assert_non_null(c);
	assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
	SSL_set_bio(s, a, a);
	SSL_set_bio(c, b, b);
	SSL_set_accept_state(s);
	SSL_set_connect_state(c);
	for (int i = 0; i < 20 && (rs != 1 || rc != 1); i++) {
		if (rc != 1)
			rc = SSL_do_handshake(c);
		if (rs != 1)
			rs = SSL_do_handshake(s);
		if (rs != 1 && SSL_get_error(s, rs) == SSL_ERROR_SSL)
			break;
	}
	SSL_free(s);
	if (client_out != NULL && rs == 1 && rc == 1)
		*client_out = c;
	else
		SSL_free(c);
	return rs == 1 && rc == 1;
}

/* Handshakes at one version; false when it did not come to that version. */
static bool
works_at(SSL_CTX *server, int version)
{
	struct buf why = BUF_INIT;
	SSL_CTX *client = tls_client(&why);
	SSL *c = NULL;
	bool ok;

	assert_non_null(client);
	assert_int_equal(SSL_CTX_set_min_proto_version(client, version), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(client, version), 1);
	ok = shake_hands(server, client, &c) && SSL_version(c) == version;
	SSL_free(c);
	SSL_CTX_free(client);
	buf_release(&why);
	return ok;
}

static void
every_kind_of_key_shakes_hands_in_both_versions(void **state)
{
	static const char *const types[] = { "RSA", "P-256", "P-384",
	    "ED25519" };

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		EVP_PKEY *key = new_key(types[i]);
		struct buf why = BUF_INIT;
		struct tls_identity t;
		SSL_CTX *server;

		write_key(key);
		write_cert(key);
		keyd_start();
		tls_identity_init(&t, site.cfg);
		server = tls_identity_current(&t, &why);
		assert_string_equal(buf_str(&why), "");
		assert_non_null(server);
		assert_int_equal(strlen(t.mark), KEYASK_MARK);
		if (!works_at(server, TLS1_2_VERSION) ||
		    !works_at(server, TLS1_3_VERSION))
			fail_msg("%s: %s", types[i], tls_error());
		tls_identity_release(&t);
		keyd_stop();
		EVP_PKEY_free(key);
	}
}

/* The key is with keyd: there must be no file to fall back to. */
static void
no_private_key_is_in_the_server(void **state)
{
	EVP_PKEY *key = new_key("P-256"), *held;
	struct buf why = BUF_INIT;
	struct tls_identity t;
	BIO *out = BIO_new(BIO_s_mem());
	BIGNUM *secret = NULL;
	char *text;

	(void)state;
	write_key(key);
	write_cert(key);
	keyd_start();
	tls_identity_init(&t, site.cfg);
	assert_non_null(tls_identity_current(&t, &why));
	held = SSL_CTX_get0_privatekey(t.ctx);
	assert_non_null(held);
	assert_int_equal(EVP_PKEY_eq(held, key), 1);
	/* as PEM, as DER, as a number */
	assert_int_equal(PEM_write_bio_PrivateKey(out, held, NULL, NULL, 0,
	    NULL, NULL), 0);
	assert_int_equal(BIO_get_mem_data(out, &text), 0);
	assert_true(i2d_PrivateKey(held, NULL) <= 0);
	assert_int_equal(EVP_PKEY_get_bn_param(held, "priv", &secret), 0);
	assert_int_equal(EVP_PKEY_get_bn_param(key, "priv", &secret), 1);
	BN_clear_free(secret);
	BIO_free(out);
	ERR_clear_error();
	tls_identity_release(&t);
	keyd_stop();
	EVP_PKEY_free(key);
}

static void
rsa_without_forward_secrecy_is_refused(void **state)
{
	EVP_PKEY *key = new_key("RSA");
	struct buf why = BUF_INIT;
	SSL_CTX *client = tls_client(&why);
	struct tls_identity t;

	(void)state;
	write_key(key);
	write_cert(key);
	keyd_start();
	tls_identity_init(&t, site.cfg);
	assert_non_null(tls_identity_current(&t, &why));
	SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
	assert_int_equal(SSL_CTX_set_cipher_list(client, "kRSA"), 1);
	assert_false(shake_hands(t.ctx, client, NULL));
	assert_string_equal(tls_error(), "no shared cipher");
	SSL_CTX_free(client);
	tls_identity_release(&t);
	keyd_stop();
	EVP_PKEY_free(key);
}

static void
without_keyd_the_files_are_read(void **state)
{
	EVP_PKEY *key = new_key("P-256");
	struct buf why = BUF_INIT;
	struct tls_identity t;

	(void)state;
	write_key(key);
	write_cert(key);
	tls_identity_init(&t, site.cfg);
	assert_non_null(tls_identity_current(&t, &why));
	assert_string_equal(t.mark, "");
	assert_true(works_at(t.ctx, TLS1_3_VERSION));
	/* and where there are none, it says so */
	assert_int_equal(unlink(site.key), 0);
	tls_identity_release(&t);
	tls_identity_init(&t, site.cfg);
	assert_null(tls_identity_current(&t, &why));
	assert_non_null(strstr(buf_str(&why), "No such file"));
	buf_release(&why);
	tls_identity_release(&t);
	EVP_PKEY_free(key);
}

static void
a_renewed_pair_needs_no_restart(void **state)
{
	EVP_PKEY *old = new_key("P-256"), *new = new_key("ED25519");
	struct buf why = BUF_INIT;
	struct tls_identity early, late;
	SSL_CTX *first;

	(void)state;
	write_key(old);
	write_cert(old);
	keyd_start();
	tls_identity_init(&early, site.cfg);
	tls_identity_init(&late, site.cfg);
	first = tls_identity_current(&late, &why);
	assert_non_null(first);
	assert_non_null(tls_identity_current(&early, &why));
	/* the same while nothing happens */
	assert_ptr_equal(tls_identity_current(&late, &why), first);

	/* half done, either way: the old pair serves on */
	write_key(new);
	assert_ptr_equal(tls_identity_current(&late, &why), first);
	assert_true(works_at(late.ctx, TLS1_3_VERSION));
	write_cert(new);
	assert_non_null(tls_identity_current(&late, &why));
	assert_int_equal(EVP_PKEY_eq(SSL_CTX_get0_privatekey(late.ctx), new),
	    1);
	assert_true(works_at(late.ctx, TLS1_3_VERSION));
	/* who still has the old certificate gets the old key's signature */
	assert_true(works_at(early.ctx, TLS1_3_VERSION));

	/* the certificate first, this time */
	write_cert(old);
	assert_non_null(tls_identity_current(&late, &why));
	write_key(old);
	assert_non_null(tls_identity_current(&late, &why));
	assert_int_equal(EVP_PKEY_eq(SSL_CTX_get0_privatekey(late.ctx), old),
	    1);
	assert_true(works_at(late.ctx, TLS1_2_VERSION));

	/* nonsense, and nothing at all, change nothing */
	assert_int_equal(truncate(site.key, 40), 0);
	assert_non_null(tls_identity_current(&late, &why));
	assert_int_equal(unlink(site.cert), 0);
	assert_non_null(tls_identity_current(&late, &why));
	assert_true(works_at(late.ctx, TLS1_3_VERSION));
	assert_string_equal(buf_str(&why), "");
	tls_identity_release(&early);
	tls_identity_release(&late);
	keyd_stop();
	EVP_PKEY_free(old);
	EVP_PKEY_free(new);
}

/* A key that nobody's certificate ever matched must not push out ours. */
static void
two_wrong_keys_do_not_push_out_the_right_one(void **state)
{
	EVP_PKEY *right = new_key("P-256"), *wrong;
	struct buf why = BUF_INIT;
	struct tls_identity t;

	(void)state;
	write_key(right);
	write_cert(right);
	keyd_start();
	tls_identity_init(&t, site.cfg);
	for (int i = 0; i < 3; i++) {
		assert_non_null(tls_identity_current(&t, &why));
		assert_true(works_at(t.ctx, TLS1_3_VERSION));
		wrong = new_key("P-256");
		write_key(wrong);
		EVP_PKEY_free(wrong);
	}
	tls_identity_release(&t);
	keyd_stop();
	EVP_PKEY_free(right);
}

static void
a_keyd_that_is_gone_fails_the_handshake_and_nothing_else(void **state)
{
	EVP_PKEY *key = new_key("P-256");
	struct buf why = BUF_INIT;
	struct tls_identity t;

	(void)state;
	write_key(key);
	write_cert(key);
	keyd_start();
	tls_identity_init(&t, site.cfg);
	assert_non_null(tls_identity_current(&t, &why));
	keyd_stop();
	assert_false(works_at(t.ctx, TLS1_3_VERSION));
	keyd_start();
	assert_true(works_at(t.ctx, TLS1_3_VERSION));
	tls_identity_release(&t);
	keyd_stop();
	EVP_PKEY_free(key);
}

#define T(f)	cmocka_unit_test_setup_teardown(f, site_setup, site_teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		T(every_kind_of_key_shakes_hands_in_both_versions),
		T(no_private_key_is_in_the_server),
		T(rsa_without_forward_secrecy_is_refused),
		T(without_keyd_the_files_are_read),
		T(a_renewed_pair_needs_no_restart),
		T(two_wrong_keys_do_not_push_out_the_right_one),
		T(a_keyd_that_is_gone_fails_the_handshake_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
