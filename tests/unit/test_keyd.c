/*
 * test_keyd.c - keyd is no oracle: what it signs, what it refuses, whom it
 * lets wait.  Numbers in comments are those of the attack checklist.
 * link: auth
 */
#include <errno.h>

#include "keyd_site.h"
#include "sasl.h"
#include "stream.h"

#define SERVER	"TLS 1.3, server CertificateVerify"
#define CLIENT	"TLS 1.3, client CertificateVerify"

/* ---- texts --------------------------------------------------------------- */

static void
add_tls13(struct buf *b, int blanks, const char *context, size_t hash)
{
	for (int i = 0; i < blanks; i++)
		buf_addc(b, ' ');
	buf_add(b, context, strlen(context) + 1);
	for (size_t i = 0; i < hash; i++)
		buf_addc(b, (char)(i * 7));
}

static void
add_tls12(struct buf *b, const char *params, size_t n, size_t point)
{
	for (int i = 0; i < 64; i++)
		buf_addc(b, (char)(i * 5));
	buf_add(b, params, n);
	for (size_t i = 0; i < point; i++)
		buf_addc(b, (char)i);
}

static void
only_handshakes_have_a_shape(void **state)
{
	static const struct {
		int	 blanks;
		const char *context;
		size_t	 hash;
		enum shape is;
	} tls13[] = {
		{ 64, SERVER, 32, SHAPE_SERVER13 },
		{ 64, SERVER, 48, SHAPE_SERVER13 },
		{ 64, CLIENT, 32, SHAPE_CLIENT13 },
		{ 64, CLIENT, 48, SHAPE_CLIENT13 },
		{ 64, SERVER, 0, SHAPE_NONE },
		{ 64, SERVER, 20, SHAPE_NONE },
		{ 64, SERVER, 31, SHAPE_NONE },
		{ 64, SERVER, 33, SHAPE_NONE },
		{ 64, SERVER, 64, SHAPE_NONE },
		{ 63, SERVER, 32, SHAPE_NONE },
		{ 65, SERVER, 32, SHAPE_NONE },
		{ 64, "TLS 1.3, server certificateVerify", 32, SHAPE_NONE },
		{ 64, "TLS 1.3, server CertificateVerif", 32, SHAPE_NONE },
		{ 64, "", 32, SHAPE_NONE },
		{ 0, SERVER, 32, SHAPE_NONE },
	};
	static const struct {
		const char *params;
		size_t	 n, point;
		enum shape is;
	} tls12[] = {
		{ "\3\0\27\101\4", 5, 64, SHAPE_SERVER12 },	/* P-256 */
		{ "\3\0\30\141\4", 5, 96, SHAPE_SERVER12 },	/* P-384 */
		{ "\3\0\31\205\4", 5, 132, SHAPE_SERVER12 },	/* P-521 */
		{ "\3\0\35\40", 4, 32, SHAPE_SERVER12 },	/* x25519 */
		{ "\3\0\36\70", 4, 56, SHAPE_SERVER12 },	/* x448 */
		{ "\3\0\27\101\2", 5, 64, SHAPE_NONE },	/* compressed */
		{ "\3\0\27\101\4", 5, 63, SHAPE_NONE },
		{ "\3\0\27\101\4", 5, 65, SHAPE_NONE },
		{ "\3\0\27\100\4", 5, 63, SHAPE_NONE },
		{ "\3\0\35\40", 4, 33, SHAPE_NONE },
		{ "\3\0\35\41", 4, 33, SHAPE_NONE },
		{ "\3\1\35\40", 4, 32, SHAPE_NONE },
		{ "\3\0\26\101\4", 5, 64, SHAPE_NONE },	/* no such curve */
		{ "\1\0\35\40", 4, 32, SHAPE_NONE },	/* explicit_prime */
		{ "\3\0", 2, 0, SHAPE_NONE },
		{ "", 0, 0, SHAPE_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(tls13) / sizeof(tls13[0]); i++) {
		struct buf b = BUF_INIT;

		add_tls13(&b, tls13[i].blanks, tls13[i].context,
		    tls13[i].hash);
		assert_int_equal(shape_of(b.data, b.len), tls13[i].is);
		buf_release(&b);
	}
	for (size_t i = 0; i < sizeof(tls12) / sizeof(tls12[0]); i++) {
		struct buf b = BUF_INIT;

		add_tls12(&b, tls12[i].params, tls12[i].n, tls12[i].point);
		assert_int_equal(shape_of(b.data, b.len), tls12[i].is);
		buf_release(&b);
	}
	assert_int_equal(shape_of("", 0), SHAPE_NONE);
}

/* ---- requests ------------------------------------------------------------ */

#define ID	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static enum judged
judge(const char *id, const char *alg, const char *tbs64)
{
	struct buf b = BUF_INIT;
	struct request r;
	struct ctl c;
	enum judged j;

	ctl_begin(&b, "sign");
	ctl_add(&b, "key", id);
	ctl_add(&b, "alg", alg);
	ctl_add(&b, "tbs", tbs64);
	assert_int_equal(ctl_parse(b.data, b.len, &c), 0);
	j = request_read(&c, &r);
	request_release(&r);
	buf_release(&b);
	return j;
}

static void
requests_are_judged(void **state)
{
	struct buf t13 = BUF_INIT, t12 = BUF_INIT, b13 = BUF_INIT,
	    b12 = BUF_INIT, big = BUF_INIT;

	(void)state;
	add_tls13(&t13, 64, SERVER, 32);
	add_tls12(&t12, "\3\0\35\40", 4, 32);
	base64_encode(t13.data, t13.len, &b13);
	base64_encode(t12.data, t12.len, &b12);
	assert_int_equal(judge(ID, "ed25519", b13.data), REQUEST_OK);
	assert_int_equal(judge(ID, "pss-sha256", b13.data), REQUEST_OK);
	assert_int_equal(judge(ID, "pss-sha512", b12.data), REQUEST_OK);
	assert_int_equal(judge(ID, "rsa-sha256", b12.data), REQUEST_OK);
	/* PKCS #1 v1.5 is not for TLS 1.3, SHA-1 and MD5 for nothing */
	assert_int_equal(judge(ID, "rsa-sha256", b13.data), REQUEST_REFUSED);
	assert_int_equal(judge(ID, "rsa-sha1", b12.data), REQUEST_REFUSED);
	assert_int_equal(judge(ID, "rsa-md5", b12.data), REQUEST_REFUSED);
	assert_int_equal(judge(ID, "rsa", b12.data), REQUEST_REFUSED);
	assert_int_equal(judge(ID, NULL, b12.data), REQUEST_REFUSED);
	/* no client of ours */
	assert_int_equal(judge(ID "0", "ed25519", b13.data),
	    REQUEST_MALFORMED);
	assert_int_equal(judge("../../etc/passwd", "ed25519", b13.data),
	    REQUEST_MALFORMED);
	assert_int_equal(judge(NULL, "ed25519", b13.data), REQUEST_MALFORMED);
	assert_int_equal(judge(ID, "ed25519", "=A"), REQUEST_MALFORMED);
	assert_int_equal(judge(ID, "ed25519", NULL), REQUEST_REFUSED);
	/* longer than any handshake */
	for (int i = 0; i < 20000; i++)
		buf_addc(&big, 'A');
	assert_int_equal(judge(ID, "ed25519", big.data), REQUEST_REFUSED);
	buf_release(&big);
	buf_release(&b12);
	buf_release(&b13);
	buf_release(&t12);
	buf_release(&t13);
}

/* ---- a real keyd --------------------------------------------------------- */

static struct keyask asked;
static char key_id[KEYPROV_ID + 1];

static int
start(void **state)
{
	EVP_PKEY *key = new_key("RSA");

	site_setup(state);
	write_key(key);
	write_cert(key);
	assert_int_equal(keyprov_id(key, key_id), 0);
	EVP_PKEY_free(key);
	keyd_start();
	asked = (struct keyask){ .cfg = site.cfg };
	return 0;
}

static int
stop(void **state)
{
	keyask_hang_up(&asked);
	return site_teardown(state);
}

/* Bytes of the signature, or -1 with errno. */
static ssize_t
sign(const char *id, const char *alg, const char *tbs, size_t len)
{
	unsigned char sig[512];

	return keyask_sign(&asked, id, alg, tbs, len, sig, sizeof(sig));
}

static ssize_t
sign_handshake(void)
{
	struct buf b = BUF_INIT;
	ssize_t n;

	add_tls13(&b, 64, SERVER, 32);
	n = sign(key_id, "pss-sha256", b.data, b.len);
	buf_release(&b);
	return n;
}

static void
refused(const char *what, const char *alg, const char *tbs, size_t len)
{
	if (sign(key_id, alg, tbs, len) != -1 || errno != EPERM)
		fail_msg("%s was signed", what);
}

static void
nothing_but_a_handshake_is_signed(void **state)	/* 153 */
{
	static const char jwt[] = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyb290In0";
	static const char digest_info[] = "\060\061\060\015\006\011\140\206"
	    "\110\001\145\003\004\002\001\005\000\004\040"
	    "01234567890123456789012345678901";
	static const char dkim[] = "from:a@emc.fr\r\n"
	    "dkim-signature:v=1; a=rsa-sha256; d=emc.fr; s=x; b=";
	struct buf b = BUF_INIT;
	unsigned char *tbs = NULL;
	FILE *f = fopen(site.cert, "re");
	X509 *x = PEM_read_X509(f, NULL, NULL, NULL);
	int len;

	(void)state;
	assert_int_equal(fclose(f), 0);
	assert_int_equal(sign_handshake(), 256);
	refused("a JWT", "rsa-sha256", jwt, sizeof(jwt) - 1);
	refused("a DigestInfo", "rsa-sha256", digest_info,
	    sizeof(digest_info) - 1);
	refused("a mail", "rsa-sha256", dkim, sizeof(dkim) - 1);
	refused("nothing", "rsa-sha256", "", 0);
	assert_true((len = i2d_re_X509_tbs(x, &tbs)) > 0);
	refused("a certificate", "rsa-sha256", (char *)tbs, (size_t)len);
	refused("a part of one", "rsa-sha256", (char *)tbs, KEYASK_TBS);
	OPENSSL_free(tbs);
	X509_free(x);
	/* the right form with the wrong key or algorithm */
	add_tls13(&b, 64, SERVER, 32);
	assert_int_equal(sign(ID, "pss-sha256", b.data, b.len), -1);
	refused("for a strange algorithm", "none", b.data, b.len);
	refused("RSA as EC", "ecdsa-sha256", b.data, b.len);
	refused("RSA as Ed25519", "ed25519", b.data, b.len);
	buf_release(&b);
	/* and the connection is still good */
	assert_int_equal(sign_handshake(), 256);
}

static void
the_signature_is_the_right_one(void **state)
{
	struct buf b = BUF_INIT, der = BUF_INIT;
	char mark[KEYASK_MARK + 1];
	unsigned char sig[512];
	const unsigned char *p;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	ssize_t n;
	X509 *x;

	(void)state;
	assert_int_equal(keyask_chain(&asked, "", mark, &der), 1);
	p = (const unsigned char *)der.data;
	assert_non_null(x = d2i_X509(NULL, &p, (long)der.len));
	add_tls13(&b, 64, SERVER, 48);
	n = keyask_sign(&asked, key_id, "pss-sha384", b.data, b.len, sig,
	    sizeof(sig));
	assert_int_equal(n, 256);
	assert_int_equal(EVP_DigestVerifyInit(ctx, &pctx, EVP_sha384(), NULL,
	    X509_get0_pubkey(x)), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pctx,
	    RSA_PKCS1_PSS_PADDING), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx,
	    RSA_PSS_SALTLEN_DIGEST), 1);
	assert_int_equal(EVP_DigestVerify(ctx, sig, (size_t)n,
	    (unsigned char *)b.data, b.len), 1);
	EVP_MD_CTX_free(ctx);
	X509_free(x);
	/* who has the chain is told so */
	assert_int_equal(keyask_chain(&asked, mark, mark, &der), 0);
	mark[0] = mark[0] == '0' ? '1' : '0';
	assert_int_equal(keyask_chain(&asked, mark, mark, &der), 1);
	buf_release(&der);
	buf_release(&b);
}

/* What keyd answers to raw bytes: a frame, or "" when it hangs up. */
static void
say(const char *bytes, size_t n, struct buf *answer)
{
	int fd = ctl_connect(config_socket(site.cfg, "net/keyd"));
	struct stream s;

	assert_int_not_equal(fd, -1);
	stream_init(&s, fd, fd);
	stream_write(&s, bytes, n);
	if (stream_flush(&s, deadline_in(10)) == -1 ||
	    stream_line(&s, answer, CTL_MAX, EOL_LF,
	    deadline_in(10)) != LINE_OK)
		buf_reset(answer);
	stream_release(&s);
}

static void
nonsense_closes_that_connection_only(void **state)	/* 153 */
{
	static const char *const nonsense[] = {
		"\n", "GET / HTTP/1.0\r\n\r\n", "sign\n", "sign key=x\n",
		"decrypt key=" ID " data=AAAA\n", "export key=" ID "\n",
		"sign key=" ID " alg=ed25519 tbs=%%%\n",
		"sign key=" ID " key=" ID "\n", "sign-client key=" ID "\n",
		"chain chain\n", "\376\377\n",
	};
	struct buf answer = BUF_INIT, big = BUF_INIT;

	(void)state;
	assert_int_equal(sign_handshake(), 256);
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		say(nonsense[i], strlen(nonsense[i]), &answer);
		if (answer.len > 0)
			fail_msg("%s: %s", nonsense[i], answer.data);
	}
	for (int i = 0; i < 100000; i++)
		buf_addc(&big, 'x');
	say(big.data, big.len, &answer);
	assert_int_equal(answer.len, 0);
	buf_release(&big);
	buf_release(&answer);
	/* the others notice nothing */
	assert_true(asked.open);
	assert_int_equal(sign_handshake(), 256);
}

static void
two_questions_at_once_are_one_too_many(void **state)
{
	struct buf q = BUF_INIT, b64 = BUF_INIT, tbs = BUF_INIT, line = BUF_INIT;
	int fd = ctl_connect(config_socket(site.cfg, "net/keyd")), n = 0;
	struct stream s;

	(void)state;
	add_tls13(&tbs, 64, SERVER, 32);
	base64_encode(tbs.data, tbs.len, &b64);
	for (int i = 0; i < KEYD_BURST + 2; i++)
		buf_addf(&q, "sign key=%s alg=pss-sha256 tbs=%s\n", key_id,
		    b64.data);
	stream_init(&s, fd, fd);
	stream_write(&s, q.data, q.len);
	assert_int_equal(stream_flush(&s, deadline_in(10)), 0);
	while (stream_line(&s, &line, CTL_MAX, EOL_LF,
	    deadline_in(10)) == LINE_OK)
		n++;
	/* within the budget each is answered at once, then one would wait */
	assert_true(n <= KEYD_BURST);
	stream_release(&s);
	buf_release(&line);
	buf_release(&tbs);
	buf_release(&b64);
	buf_release(&q);
}

/* A process that wants too much waits, as long as its budget says. */
static void
a_flood_waits_and_delays_nobody_else(void **state)	/* 153 */
{
	int64_t begin, slow, fast;
	int status;
	pid_t pid;

	(void)state;
	begin = now_ms();
	for (int i = 0; i < KEYD_BURST + 3; i++)
		assert_int_equal(sign_handshake(), 256);
	slow = now_ms() - begin;
	assert_true(slow >= 2 * KEYD_INTERVAL);
	/* while ours would wait again, another process does not */
	assert_int_not_equal(pid = fork(), -1);
	if (pid == 0) {
		asked.open = false;	/* the parent's */
		begin = now_ms();
		for (int i = 0; i < KEYD_BURST; i++)
			if (sign_handshake() != 256)
				_exit(1);
		fast = now_ms() - begin;
		keyask_hang_up(&asked);
		_exit(fast < KEYD_BURST * KEYD_INTERVAL ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
one_process_has_eight_connections(void **state)
{
	int fd[8];
	char c;

	(void)state;
	assert_int_equal(sign_handshake(), 256);	/* the first of them */
	for (int i = 0; i < 8; i++)
		fd[i] = ctl_connect(config_socket(site.cfg, "net/keyd"));
	/* the ninth is hung up on, the first stays */
	assert_int_equal(read(fd[7], &c, 1), 0);
	assert_int_equal(sign_handshake(), 256);
	for (int i = 0; i < 8; i++)
		(void)close(fd[i]);
}

static void
without_a_certificate_there_is_none(void **state)
{
	struct buf der = BUF_INIT;
	char mark[KEYASK_MARK + 1];

	site_setup(state);
	keyd_start();
	asked = (struct keyask){ .cfg = site.cfg };
	assert_int_equal(keyask_chain(&asked, "", mark, &der), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(sign_handshake(), -1);
	assert_int_equal(errno, EPERM);
	stop(state);
}

static void
keys_open_says_what_is_wrong(void **state)
{
	EVP_PKEY *a = new_key("P-256"), *b = new_key("P-256");
	struct buf why = BUF_INIT;
	struct keys k;
	FILE *f;

	site_setup(state);
	assert_int_equal(keys_open(&k, site.cfg, &why), -1);
	assert_non_null(strstr(why.data, "No such file"));
	keys_close(&k);
	write_key(a);
	write_cert(b);
	buf_reset(&why);
	assert_int_equal(keys_open(&k, site.cfg, &why), -1);
	assert_non_null(strstr(why.data, "does not belong"));
	keys_close(&k);
	write_cert(a);
	buf_reset(&why);
	assert_int_equal(keys_open(&k, site.cfg, &why), 0);
	keys_close(&k);
	/* a certificate behind ours that is cut off */
	assert_non_null(f = fopen(site.cert, "ae"));
	fputs("-----BEGIN CERTIFICATE-----\nMIIB\n", f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(keys_open(&k, site.cfg, &why), -1);
	assert_non_null(strstr(why.data, "no certificate"));
	keys_close(&k);
	/* a certificate for a key, a directory for a file */
	write_cert(a);
	assert_int_equal(rename(site.cert, site.key), 0);
	buf_reset(&why);
	assert_int_equal(keys_open(&k, site.cfg, &why), -1);
	assert_non_null(strstr(why.data, "no private key"));
	keys_close(&k);
	buf_release(&why);
	EVP_PKEY_free(a);
	EVP_PKEY_free(b);
	site_teardown(state);
}

#define T(f)	cmocka_unit_test_setup_teardown(f, start, stop)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_handshakes_have_a_shape),
		cmocka_unit_test(requests_are_judged),
		T(nothing_but_a_handshake_is_signed),
		T(the_signature_is_the_right_one),
		T(nonsense_closes_that_connection_only),
		T(two_questions_at_once_are_one_too_many),
		T(a_flood_waits_and_delays_nobody_else),
		T(one_process_has_eight_connections),
		cmocka_unit_test(without_a_certificate_there_is_none),
		cmocka_unit_test(keys_open_says_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
