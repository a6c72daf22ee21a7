/*
 * test_tls.c - TLS contexts, and a stream that goes through TLS: nothing said
 * before the handshake counts after it, and nothing at all after a failed one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "deadline.h"
#include "stream_tls.h"
#include "tls.h"

#define SOON	deadline_in(20)		/* never reached when all is well */

static char dir[] = "/tmp/io-tls-XXXXXX";
static char cert[64], key[64], other_key[64], garbage[64];
static SSL_CTX *server, *client;

/* ---- a certificate of our own ---- */

static void
write_key(const char *path, EVP_PKEY *pkey)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(PEM_write_PrivateKey(f, pkey, NULL, NULL, 0, NULL,
	    NULL), 1);
	assert_int_equal(fclose(f), 0);
}

static void
write_cert(const char *path, EVP_PKEY *pkey)
{
	X509 *x = X509_new();
	FILE *f = fopen(path, "we");

	assert_non_null(x);
	assert_non_null(f);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	assert_int_equal(X509_set_pubkey(x, pkey), 1);
	assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(x),
	    "CN", MBSTRING_ASC, (const unsigned char *)"mx.emc.fr", -1, -1,
	    0), 1);
	assert_int_equal(X509_set_issuer_name(x, X509_get_subject_name(x)), 1);
	assert_true(X509_sign(x, pkey, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509(f, x), 1);
	assert_int_equal(fclose(f), 0);
	X509_free(x);
}

static int
make_files(void **state)
{
	EVP_PKEY *a = EVP_EC_gen("P-256"), *b = EVP_EC_gen("P-256");
	struct buf why = BUF_INIT;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(cert, sizeof(cert), "%s/cert", dir);
	snprintf(key, sizeof(key), "%s/key", dir);
	snprintf(other_key, sizeof(other_key), "%s/other", dir);
	snprintf(garbage, sizeof(garbage), "%s/garbage", dir);
	write_key(key, a);
	write_key(other_key, b);
	write_cert(cert, a);
	f = fopen(garbage, "we");
	assert_true(fputs("this is no PEM file\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	EVP_PKEY_free(a);
	EVP_PKEY_free(b);
	server = tls_server(cert, key, &why);
	client = tls_client(&why);
	return server == NULL || client == NULL;
}

static int
remove_files(void **state)
{
	(void)state;
	SSL_CTX_free(server);
	SSL_CTX_free(client);
	(void)unlink(cert);
	(void)unlink(key);
	(void)unlink(other_key);
	(void)unlink(garbage);
	return rmdir(dir);
}

static void
assert_refused(const char *c, const char *k, const char *file,
    const char *reason)
{
	struct buf why = BUF_INIT;

	assert_null(tls_server(c, k, &why));
	if (strstr(buf_str(&why), file) == NULL ||
	    strstr(buf_str(&why), reason) == NULL)
		fail_msg("\"%s\" lacks %s or %s", buf_str(&why), file, reason);
	assert_null(strchr(buf_str(&why), '\n'));
	assert_string_equal(tls_error(), "unknown TLS error");
	buf_release(&why);
}

static void
a_refused_file_is_named_with_the_reason(void **state)
{
	(void)state;
	assert_refused("/nonexistent", key, "/nonexistent", "No such file");
	assert_refused(cert, "/nonexistent", "/nonexistent", "No such file");
	assert_refused(garbage, key, garbage, "no certificate");
	assert_refused(cert, garbage, garbage, "no private key");
	assert_refused(cert, other_key, other_key, "does not belong");
	assert_refused(dir, key, dir, "no certificate");
}

/* ---- streams ---- */

static void
pair(struct stream *a, struct stream *b)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    fd), 0);
	stream_init(a, fd[0], fd[0]);
	stream_init(b, fd[1], fd[1]);
}

/* A child that is the client; it exits with what fn returns. */
static pid_t
with_client(struct stream *ours, int (*fn)(struct stream *))
{
	struct stream theirs;
	pid_t child;

	pair(ours, &theirs);
	child = fork();
	assert_true(child != -1);
	if (child == 0) {
		stream_release(ours);
		_exit(fn(&theirs));
	}
	stream_release(&theirs);
	return child;
}

static void
assert_succeeded(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* Says hello, gets each line back, and hears the end. */
static int
client_of_echo(struct stream *s)
{
	struct buf line = BUF_INIT;
	const char *p;

	if (stream_tls_connect(s, client, "mx.emc.fr", SOON) == -1)
		return 1;
	stream_puts(s, "one\r\ntwo\r\n");
	for (int i = 0; i < 2; i++)
		if (stream_line(s, &line, 100, EOL_CRLF, SOON) != LINE_OK ||
		    strcmp(line.data, i == 0 ? "one" : "two") != 0)
			return 2;
	if (stream_peek(s, &p, SOON) != 0)
		return 3;
	buf_release(&line);
	if (stream_goodbye(s, SOON) == -1)
		return 4;
	stream_release(s);
	return 0;
}

/* Has a handshake with this context succeeded so far? */
static int handshakes;

static void
count_handshake(const SSL *ssl, int where, int result)
{
	(void)ssl;
	(void)result;
	handshakes += where == SSL_CB_HANDSHAKE_DONE;
}

static void
a_context_rehearses_a_whole_handshake(void **state)
{
	(void)state;
	handshakes = 0;
	SSL_CTX_set_info_callback(server, count_handshake);
	tls_warm_up(server);
	SSL_CTX_set_info_callback(server, NULL);
	assert_int_equal(handshakes, 1);
	assert_int_equal(ERR_peek_error(), 0);
}

static void
lines_go_through_tls_until_goodbye(void **state)
{
	struct buf line = BUF_INIT;
	struct stream s;
	pid_t child = with_client(&s, client_of_echo);

	(void)state;
	assert_null(stream_tls_version(&s));
	assert_int_equal(stream_tls_accept(&s, server, SOON), 0);
	assert_string_equal(stream_tls_version(&s), "TLSv1.3");
	assert_non_null(stream_tls_cipher(&s));
	assert_string_equal(SSL_get_servername(s.ssl,
	    TLSEXT_NAMETYPE_host_name), "mx.emc.fr");
	assert_int_equal(stream_line(&s, &line, 100, EOL_CRLF, SOON), LINE_OK);
	assert_true(stream_pending(&s));
	stream_printf(&s, "%s\r\n", line.data);
	assert_int_equal(stream_line(&s, &line, 100, EOL_CRLF, SOON), LINE_OK);
	assert_false(stream_pending(&s));
	stream_printf(&s, "%s\r\n", line.data);
	assert_int_equal(stream_goodbye(&s, SOON), 0);
	assert_int_equal(stream_line(&s, &line, 100, EOL_CRLF, SOON),
	    LINE_EOF);
	assert_succeeded(child);
	buf_release(&line);
	stream_release(&s);
}

enum { A_LOT = 3000017 };

static int
client_that_sends_a_lot(struct stream *s)
{
	char block[5003];

	if (stream_tls_connect(s, client, NULL, SOON) == -1)
		return 1;
	for (size_t at = 0, n; at < A_LOT; at += n) {
		n = A_LOT - at < sizeof(block) ? A_LOT - at : sizeof(block);
		for (size_t i = 0; i < n; i++)
			block[i] = (char)((at + i) % 251);
		stream_write(s, block, n);
	}
	if (stream_goodbye(s, SOON) == -1)
		return 5;
	stream_release(s);
	return 0;
}

static void
a_lot_arrives_whole_through_tls(void **state)
{
	struct stream s;
	pid_t child = with_client(&s, client_that_sends_a_lot);
	const char *p;
	size_t at = 0;
	ssize_t n;

	(void)state;
	assert_int_equal(stream_tls_accept(&s, server, SOON), 0);
	while ((n = stream_peek(&s, &p, SOON)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			if (p[i] != (char)((at + (size_t)i) % 251))
				fail_msg("wrong byte at %zu", at + (size_t)i);
		at += (size_t)n;
		stream_consume(&s, (size_t)n);
	}
	assert_int_equal(n, 0);
	assert_int_equal(at, A_LOT);
	assert_succeeded(child);
	stream_release(&s);
}

static int
client_of_tls12(struct stream *s)
{
	struct buf why = BUF_INIT;
	SSL_CTX *old = tls_client(&why);

	SSL_CTX_set_max_proto_version(old, TLS1_2_VERSION);
	return stream_tls_connect(s, old, NULL, SOON) == -1 ||
	    strcmp(stream_tls_version(s), "TLSv1.2") != 0;
}

static int
client_of_tls11(struct stream *s)
{
	struct buf why = BUF_INIT;
	SSL_CTX *old = tls_client(&why);

	SSL_CTX_set_security_level(old, 0);
	SSL_CTX_set_min_proto_version(old, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(old, TLS1_1_VERSION);
	return stream_tls_connect(s, old, NULL, SOON) == 0;
}

static void
tls_1_2_is_the_oldest_we_speak(void **state)
{
	struct stream s;
	pid_t child = with_client(&s, client_of_tls12);

	(void)state;
	assert_int_equal(SSL_CTX_get_min_proto_version(server),
	    TLS1_2_VERSION);
	assert_int_equal(stream_tls_accept(&s, server, SOON), 0);
	assert_succeeded(child);
	stream_release(&s);
	child = with_client(&s, client_of_tls11);
	assert_int_equal(stream_tls_accept(&s, server, SOON), -1);
	assert_int_equal(errno, EPROTO);
	assert_string_not_equal(tls_error(), "unknown TLS error");
	assert_succeeded(child);
	stream_release(&s);
}

static void
assert_dead(struct stream *s)
{
	struct buf line = BUF_INIT;

	assert_int_equal(stream_line(s, &line, 100, EOL_CRLF, SOON), LINE_EOF);
	stream_puts(s, "in the clear!");
	assert_int_equal(stream_flush(s, SOON), -1);
	assert_null(stream_tls_version(s));
	buf_release(&line);
}

/* CVE-2011-0411: commands sent in the clear, to be run inside TLS. */
static void
words_before_the_handshake_are_refused(void **state)
{
	struct buf line = BUF_INIT;
	struct stream a, b;

	(void)state;
	pair(&a, &b);
	stream_puts(&b, "STARTTLS\r\nRSET\r\n");
	assert_int_equal(stream_flush(&b, SOON), 0);
	assert_int_equal(stream_line(&a, &line, 100, EOL_CRLF, SOON), LINE_OK);
	assert_true(stream_pending(&a));
	assert_int_equal(stream_tls_accept(&a, server, SOON), -1);
	assert_int_equal(errno, EPROTO);
	assert_dead(&a);
	buf_release(&line);
	stream_release(&a);
	stream_release(&b);
}

static void
after_a_failed_handshake_nothing_passes(void **state)
{
	struct stream a, b;
	const char *p;

	(void)state;
	pair(&a, &b);
	stream_puts(&b, "GET / HTTP/1.0\r\n\r\nQUIT\r\n");
	assert_int_equal(stream_flush(&b, SOON), 0);
	stream_puts(&a, "220 go\r\n");		/* is sent before */
	assert_int_equal(stream_tls_accept(&a, server, SOON), -1);
	assert_int_equal(errno, EPROTO);
	assert_dead(&a);
	assert_int_equal(stream_goodbye(&a, SOON), -1);
	assert_true(stream_peek(&b, &p, SOON) >= 8);
	assert_memory_equal(p, "220 go\r\n", 8);
	stream_release(&a);
	stream_release(&b);
}

static void
a_silent_peer_times_the_handshake_out(void **state)
{
	struct stream a, b;

	(void)state;
	pair(&a, &b);
	assert_int_equal(stream_tls_accept(&a, server, now_ms() + 50), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_dead(&a);
	stream_release(&a);
	pair(&a, &b);
	assert_int_equal(stream_tls_connect(&a, client, "x", now_ms() + 50),
	    -1);
	assert_int_equal(errno, ETIMEDOUT);
	stream_release(&a);
	stream_release(&b);
}

static void
a_peer_that_leaves_ends_the_handshake(void **state)
{
	struct stream a, b;

	(void)state;
	pair(&a, &b);
	assert_int_equal(stream_goodbye(&b, SOON), 0);
	assert_int_equal(stream_tls_accept(&a, server, SOON), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_dead(&a);
	stream_release(&a);
	stream_release(&b);
}

static int
client_that_does_not_read(struct stream *s)
{
	struct buf line = BUF_INIT;

	if (stream_tls_connect(s, client, NULL, SOON) == -1)
		return 1;
	usleep(300000);
	buf_release(&line);
	return 0;
}

static void
a_tls_peer_that_does_not_read_times_out(void **state)
{
	struct stream s;
	pid_t child = with_client(&s, client_that_does_not_read);
	char block[65536];

	(void)state;
	memset(block, 'x', sizeof(block));
	assert_int_equal(stream_tls_accept(&s, server, SOON), 0);
	s.write_deadline = now_ms() + 100;
	for (int i = 0; i < 100 && !s.broken; i++)
		stream_write(&s, block, sizeof(block));
	assert_int_equal(stream_flush(&s, SOON), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_succeeded(child);
	stream_release(&s);
}

/* ---- the relay, with TLS on the client's side as in pop3d's front ---- */

static int
front(struct stream *session_end)
{
	struct stream a;
	pid_t child = with_client(&a, client_that_sends_a_lot);
	int status;

	if (stream_tls_accept(&a, server, SOON) == -1)
		return 1;
	if (stream_splice(&a, session_end, 20, 20) == -1)
		return 2;
	if (stream_goodbye(&a, SOON) == -1)
		return 6;
	stream_release(&a);
	stream_release(session_end);
	return waitpid(child, &status, 0) != child || status != 0;
}

static void
the_relay_carries_what_tls_had_buffered(void **state)
{
	struct stream session;
	pid_t child = with_client(&session, front);
	const char *p;
	size_t total = 0;
	ssize_t n;

	(void)state;
	while ((n = stream_peek(&session, &p, SOON)) > 0) {
		total += (size_t)n;
		stream_consume(&session, (size_t)n);
	}
	assert_int_equal(total, A_LOT);
	stream_release(&session);
	assert_succeeded(child);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refused_file_is_named_with_the_reason),
		cmocka_unit_test(a_context_rehearses_a_whole_handshake),
		cmocka_unit_test(lines_go_through_tls_until_goodbye),
		cmocka_unit_test(a_lot_arrives_whole_through_tls),
		cmocka_unit_test(tls_1_2_is_the_oldest_we_speak),
		cmocka_unit_test(words_before_the_handshake_are_refused),
		cmocka_unit_test(after_a_failed_handshake_nothing_passes),
		cmocka_unit_test(a_silent_peer_times_the_handshake_out),
		cmocka_unit_test(a_peer_that_leaves_ends_the_handshake),
		cmocka_unit_test(a_tls_peer_that_does_not_read_times_out),
		cmocka_unit_test(the_relay_carries_what_tls_had_buffered),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	alarm(60);		/* a wait without end is a failure, too */
	return cmocka_run_group_tests(tests, make_files, remove_files);
}
