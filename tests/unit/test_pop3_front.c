/*
 * test_pop3_front.c - POP3 before the login: the front, a false authd, and
 * behind it real sessions.
 * link: pop3d
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "buf.h"
#include "config.h"
#include "ctl.h"
#include "deadline.h"
#include "netaddr.h"
#include "sasl.h"
#include "stream_tls.h"
#include "tls.h"
#include "../../pop3d/pop3d.h"
#include "../../pop3d/session.h"

#define SOON	deadline_in(20)

static char dir[64], maildir[128];
static struct config *cfg;
static SSL_CTX *client_tls;
static struct config bare;	/* cfg without a certificate */
static char none[] = "";

/* ---- the false authd: what it says depends on the user alone */

static int listener;
static pthread_t authd_thread;
static struct { char verb[16], user[64], pass[64], ip[64], service[16]; } asked;
static unsigned times_asked;

static void
answer(struct stream *s, const char *verb, const char *key, const char *value)
{
	struct buf b = BUF_INIT;

	ctl_begin(&b, verb);
	ctl_add(&b, key, value);
	ctl_end(&b);
	ctl_send(s, &b);
	if (stream_flush(s, SOON) == -1)
		abort();
	buf_release(&b);
}

/* Returns a descriptor on which a session is to run, or -1. */
static int
judge(struct stream *s, const struct ctl *c)
{
	int fd = stream_take_fd(s);

	times_asked++;
	strlcpy(asked.verb, c->verb, sizeof(asked.verb));
	strlcpy(asked.user, ctl_str(c, "user"), sizeof(asked.user));
	strlcpy(asked.pass, ctl_str(c, "pass"), sizeof(asked.pass));
	strlcpy(asked.ip, ctl_str(c, "ip"), sizeof(asked.ip));
	strlcpy(asked.service, ctl_str(c, "service"), sizeof(asked.service));
	if (strcmp(asked.user, "billy") == 0)
		answer(s, "ok", "user", "billy@yahoo.co.uk");
	else if (strcmp(asked.user, "dead") == 0)
		answer(s, "ok", "user", "dead@yahoo.co.uk");
	else if (strcmp(asked.user, "later") == 0)
		answer(s, "later", "text", "no disk");
	else if (strcmp(asked.user, "silent") != 0)
		answer(s, "fail", "text", "no");
	if (strcmp(asked.user, "billy") == 0)
		return fd;
	if (fd != -1)
		close(fd);
	return -1;
}

static void *
authd(void *arg)
{
	int fd;

	(void)arg;
	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) != -1) {
		struct stream s;
		struct buf line = BUF_INIT;
		struct ctl c;
		int session = -1;

		stream_init_unix(&s, fd);
		if (ctl_read(&s, &line, &c, SOON) == 1)
			session = judge(&s, &c);
		stream_release(&s);
		buf_release(&line);
		if (session != -1)
			(void)pop3_session(session, session, maildir, "billy");
	}
	return NULL;
}

/* ---- a certificate that names nobody */

static void
write_pem(const char *path, EVP_PKEY *key, X509 *cert)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL,
	    NULL), 1);
	assert_int_equal(PEM_write_X509(f, cert), 1);
	assert_int_equal(fclose(f), 0);
}

static void
make_contexts(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	struct buf why = BUF_INIT;
	char path[128];

	assert_non_null(key);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN",
	    MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	snprintf(path, sizeof(path), "%s/cert.pem", dir);
	write_pem(path, key, cert);
	X509_free(cert);
	EVP_PKEY_free(key);
	client_tls = tls_client(&why);
	assert_non_null(client_tls);
	buf_release(&why);
}

static int
setup(void **state)
{
	char path[128];
	struct buf why = BUF_INIT, spec = BUF_INIT;
	FILE *f;

	(void)state;
	signal(SIGPIPE, SIG_IGN);	/* as process_init() does */
	strlcpy(dir, "/tmp/facteur-front.XXXXXX", sizeof(dir));
	assert_non_null(mkdtemp(dir));
	snprintf(maildir, sizeof(maildir), "%s/Maildir", dir);
	snprintf(path, sizeof(path), "%s/facteur.conf", dir);
	f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f, "run = %s/run\ntls_cert = %s/cert.pem\n", dir, dir);
	assert_int_equal(fclose(f), 0);
	cfg = config_load(dir, false, &why);
	if (cfg == NULL)
		fail_msg("%s", buf_str(&why));
	bare = *cfg;
	bare.tls_cert = none;
	snprintf(path, sizeof(path), "%s/run", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	strlcat(path, "/net", sizeof(path));
	assert_int_equal(mkdir(path, 0700), 0);
	buf_addf(&spec, "unix:%s", config_socket(cfg, "net/authd"));
	listener = netaddr_listen(spec.data, 0600);
	assert_int_not_equal(listener, -1);
	make_contexts();
	assert_int_equal(pthread_create(&authd_thread, NULL, authd, NULL), 0);
	buf_release(&spec);
	buf_release(&why);
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int
teardown(void **state)
{
	(void)state;
	shutdown(listener, SHUT_RDWR);
	pthread_join(authd_thread, NULL);
	close(listener);
	SSL_CTX_free(client_tls);
	config_free(cfg);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

/* ---- a client */

struct client {
	struct stream io;
	struct buf line;
	pthread_t thread;
	struct front front;
	struct serve_conn conn;
	int	 fd;		/* the front's end */
};

static void *
front_thread(void *arg)
{
	struct client *c = arg;

	assert_int_equal(front_session(c->fd, &c->conn, &c->front), 0);
	return NULL;
}

static void
dial(struct client *c, const char *name, const char *ip, bool tls)
{
	int pair[2];

	*c = (struct client){ .front = { .cfg = tls ? cfg : &bare },
	    .conn = { .name = name, .is_socket = true } };
	tls_identity_init(&c->front.tls, c->front.cfg);
	assert_int_equal(netaddr_host(ip, 40000, &c->conn.peer), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    pair), 0);
	stream_init(&c->io, pair[0], pair[0]);
	c->fd = pair[1];
	assert_int_equal(pthread_create(&c->thread, NULL, front_thread, c), 0);
}

static void
hang_up(struct client *c)
{
	stream_release(&c->io);
	assert_int_equal(pthread_join(c->thread, NULL), 0);
	buf_release(&c->line);
	tls_identity_release(&c->front.tls);
}

/* One line, which must end in CRLF; NULL at the end. */
static const char *
hear(struct client *c)
{
	enum line got = stream_line(&c->io, &c->line, 1024, EOL_CRLF, SOON);

	assert_true(got == LINE_OK || got == LINE_EOF);
	return got == LINE_OK ? buf_str(&c->line) : NULL;
}

static void
ask(struct client *c, const char *command, const char *reply)
{
	const char *got;

	stream_puts(&c->io, command);
	stream_puts(&c->io, "\r\n");
	got = hear(c);
	assert_non_null(got);
	assert_string_equal(got, reply);
}

/* The reply only has to begin like that. */
static void
expect(struct client *c, const char *command, const char *begin)
{
	const char *got;

	stream_puts(&c->io, command);
	stream_puts(&c->io, "\r\n");
	got = hear(c);
	assert_non_null(got);
	assert_memory_equal(got, begin, strlen(begin));
}

static void
expect_end(struct client *c)
{
	assert_null(hear(c));
}

static void
connect_from(struct client *c, const char *ip)
{
	dial(c, "pop3", ip, true);
	assert_string_equal(hear(c), "+OK POP3 ready");
}

static void
start_tls(struct client *c)
{
	ask(c, "STLS", "+OK begin TLS");
	assert_int_equal(stream_tls_connect(&c->io, client_tls, NULL, SOON),
	    0);
}

/* The lines of CAPA, joined. */
static struct buf
capa(struct client *c)
{
	struct buf all = BUF_INIT;
	const char *line;

	ask(c, "CAPA", "+OK");
	while ((line = hear(c)) != NULL && strcmp(line, ".") != 0) {
		buf_adds(&all, line);
		buf_addc(&all, ';');
	}
	assert_non_null(line);
	return all;
}

static void
expect_capa(struct client *c, const char *extra)
{
	struct buf got = capa(c), want = BUF_INIT;

	buf_adds(&want, "TOP;UIDL;RESP-CODES;AUTH-RESP-CODE;PIPELINING;"
	    "EXPIRE NEVER;");
	buf_adds(&want, extra);
	assert_string_equal(got.data, want.data);
	buf_release(&got);
	buf_release(&want);
}

/* ---- who may log in */

static void
capa_says_what_may_be_done_now(void **state)
{
	struct client c;

	(void)state;
	connect_from(&c, "192.0.2.9");
	expect_capa(&c, "STLS;");
	start_tls(&c);
	expect_capa(&c, "USER;SASL PLAIN;");
	ask(&c, "USER billy", "+OK");
	ask(&c, "PASS geheim", "+OK 0 messages");
	expect_capa(&c, "IMPLEMENTATION Facteur;");
	hang_up(&c);

	connect_from(&c, "127.0.0.1");
	expect_capa(&c, "USER;SASL PLAIN;STLS;");
	hang_up(&c);

	dial(&c, "pop3", "::1", false);
	(void)hear(&c);
	expect_capa(&c, "USER;SASL PLAIN;");
	expect(&c, "STLS", "-ERR ");
	hang_up(&c);
}

static void
no_password_is_taken_in_the_clear(void **state)
{
	static const char *const commands[] = {
		"USER billy", "PASS geheim", "AUTH PLAIN AGJpbGx5AGdlaGVpbQ==",
		"AUTH PLAIN",
	};
	unsigned before = times_asked;
	struct client c;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		connect_from(&c, "192.0.2.9");
		expect(&c, commands[i], "-ERR no login without TLS");
		hang_up(&c);
	}
	assert_int_equal(times_asked, before);
}

static void
tls_begins_at_once_on_pop3s(void **state)
{
	struct client c;

	(void)state;
	dial(&c, "pop3s", "192.0.2.9", true);
	assert_int_equal(stream_tls_connect(&c.io, client_tls, NULL, SOON), 0);
	assert_string_equal(hear(&c), "+OK POP3 ready");
	expect_capa(&c, "USER;SASL PLAIN;");
	expect(&c, "STLS", "-ERR ");
	ask(&c, "USER billy", "+OK");
	ask(&c, "PASS geheim", "+OK 0 messages");
	ask(&c, "QUIT", "+OK bye");
	expect_end(&c);
	hang_up(&c);
	assert_string_equal(asked.ip, "192.0.2.9");
}

static void
pop3s_without_a_certificate_says_nothing_in_the_clear(void **state)
{
	struct client c;

	(void)state;
	dial(&c, "pop3s", "127.0.0.1", false);
	expect_end(&c);
	hang_up(&c);
}

/* catalogue 9; CVE-2011-0411 */
static void
nothing_may_be_sent_ahead_behind_stls(void **state)
{
	struct client c;

	(void)state;
	connect_from(&c, "127.0.0.1");
	expect(&c, "STLS\r\nUSER evil\r\nPASS x", "-ERR ");
	expect_end(&c);
	hang_up(&c);
}

static void
stls_forgets_the_user(void **state)
{
	struct client c;

	(void)state;
	connect_from(&c, "127.0.0.1");
	ask(&c, "USER billy", "+OK");
	start_tls(&c);
	expect(&c, "PASS geheim", "-ERR ");
	hang_up(&c);
}

/* ---- logging in */

static void
user_and_pass_reach_authd_as_they_were_sent(void **state)
{
	struct client c;

	(void)state;
	connect_from(&c, "127.0.0.1");
	ask(&c, "user ../billy@\303\251.fr %s", "+OK");
	expect(&c, "pass  two  words ", "-ERR [AUTH] ");
	hang_up(&c);
	assert_string_equal(asked.verb, "login");
	assert_string_equal(asked.service, "pop3");
	assert_string_equal(asked.user, "../billy@\303\251.fr %s");
	assert_string_equal(asked.pass, " two  words ");
	assert_string_equal(asked.ip, "127.0.0.1");
}

static void
auth_plain_works_in_both_ways(void **state)
{
	struct client c;

	(void)state;
	connect_from(&c, "127.0.0.1");
	ask(&c, "AUTH PLAIN AGJpbGx5AGdlaGVpbQ==", "+OK 0 messages");
	ask(&c, "QUIT", "+OK bye");
	hang_up(&c);
	assert_string_equal(asked.user, "billy");
	assert_string_equal(asked.pass, "geheim");

	connect_from(&c, "127.0.0.1");
	ask(&c, "auth plain", "+ ");
	ask(&c, "AGJpbGx5AGdlaGVpbTI=", "+OK 0 messages");
	ask(&c, "QUIT", "+OK bye");
	hang_up(&c);
	assert_string_equal(asked.pass, "geheim2");
}

static void
auth_alone_lists_the_mechanisms(void **state)
{
	struct client c;

	(void)state;
	connect_from(&c, "127.0.0.1");
	ask(&c, "AUTH", "+OK");
	assert_string_equal(hear(&c), "PLAIN");
	assert_string_equal(hear(&c), ".");
	ask(&c, "AUTH ", "+OK");	/* Outlook */
	assert_string_equal(hear(&c), "PLAIN");
	assert_string_equal(hear(&c), ".");
	hang_up(&c);

	connect_from(&c, "192.0.2.9");
	ask(&c, "AUTH", "+OK");
	assert_string_equal(hear(&c), ".");
	hang_up(&c);
}

static void
malformed_auth_is_refused_before_authd(void **state)
{
	static const char *const responses[] = {
		"=", "*", "x", "AGJpbGx5", "AGJpbGx5AGdlaGVpbQ", "====",
		"AGJpbGx5AGdlaGVpbQ== x", "eABiaWxseQBnZWhlaW0=", "",
	};
	unsigned before = times_asked;
	struct client c;

	(void)state;
	for (size_t i = 0; i < sizeof(responses) / sizeof(*responses); i++) {
		connect_from(&c, "127.0.0.1");
		ask(&c, "AUTH PLAIN", "+ ");
		expect(&c, responses[i], "-ERR ");
		ask(&c, "QUIT", "+OK bye");
		hang_up(&c);
	}
	connect_from(&c, "127.0.0.1");
	expect(&c, "AUTH LOGIN", "-ERR ");
	expect(&c, "AUTH PLAIN =", "-ERR ");
	hang_up(&c);
	assert_int_equal(times_asked, before);
}

static void
failures_say_which_kind_they_are(void **state)
{
	struct client c;

	(void)state;
	connect_from(&c, "127.0.0.1");
	ask(&c, "USER nobody", "+OK");
	expect(&c, "PASS x", "-ERR [AUTH] ");
	expect(&c, "PASS x", "-ERR USER first");
	ask(&c, "USER later", "+OK");
	expect(&c, "PASS x", "-ERR [SYS/TEMP] ");
	ask(&c, "USER billy", "+OK");
	ask(&c, "PASS x", "+OK 0 messages");
	hang_up(&c);

	connect_from(&c, "127.0.0.1");
	ask(&c, "USER silent", "+OK");
	expect(&c, "PASS x", "-ERR [SYS/TEMP] ");
	hang_up(&c);
}

static void
a_session_that_dies_at_once_is_a_failure_for_later(void **state)
{
	struct client c;

	(void)state;
	connect_from(&c, "127.0.0.1");
	ask(&c, "USER dead", "+OK");
	expect(&c, "PASS x", "-ERR [SYS/TEMP] ");
	expect_end(&c);
	hang_up(&c);
}

static void
the_third_failure_is_the_last(void **state)
{
	struct client c;

	(void)state;
	connect_from(&c, "127.0.0.1");
	for (int i = 0; i < 3; i++) {
		ask(&c, "USER nobody", "+OK");
		expect(&c, "PASS x", "-ERR [AUTH] ");
	}
	expect_end(&c);
	hang_up(&c);
}

static void
commands_sent_ahead_reach_the_session(void **state)
{
	struct client c;
	struct buf all = BUF_INIT;

	(void)state;
	connect_from(&c, "127.0.0.1");
	buf_adds(&all, "USER billy\r\nPASS x\r\nSTAT\r\nUIDL");
	for (int i = 0; i < 2000; i++)
		buf_adds(&all, "\r\nNOOP");
	ask(&c, all.data, "+OK");
	assert_string_equal(hear(&c), "+OK 0 messages");
	assert_string_equal(hear(&c), "+OK 0 0");
	assert_string_equal(hear(&c), "+OK");
	assert_string_equal(hear(&c), ".");
	for (int i = 0; i < 2000; i++)
		assert_string_equal(hear(&c), "+OK");
	ask(&c, "QUIT", "+OK bye");
	expect_end(&c);
	hang_up(&c);
	buf_release(&all);
}

static void
a_client_that_ends_after_its_last_command_gets_its_answers(void **state)
{
	struct client c;

	(void)state;
	connect_from(&c, "127.0.0.1");
	stream_puts(&c.io, "USER billy\r\nPASS x\r\nSTAT\r\nQUIT\r\n");
	assert_int_equal(stream_flush(&c.io, SOON), 0);
	assert_int_equal(shutdown(c.io.wfd, SHUT_WR), 0);
	assert_string_equal(hear(&c), "+OK");
	assert_string_equal(hear(&c), "+OK 0 messages");
	assert_string_equal(hear(&c), "+OK 0 0");
	assert_string_equal(hear(&c), "+OK bye");
	expect_end(&c);
	hang_up(&c);
}

/* ---- nonsense */

static void
what_belongs_behind_the_login_is_refused_before_it(void **state)
{
	static const char *const commands[] = {
		"STAT", "LIST", "RETR 1", "DELE 1", "UIDL", "TOP 1 1", "NOOP",
		"RSET", "APOP billy 0123456789abcdef0123456789abcdef", "",
		"PASS x", "USER", "USER ", "USER a\001b", "USER \377", "CAPA x",
		"QUIT now", "STLS x",
	};
	struct client c;

	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		connect_from(&c, "127.0.0.1");
		expect(&c, commands[i], "-ERR ");
		ask(&c, "QUIT", "+OK bye");
		expect_end(&c);
		hang_up(&c);
	}
}

static void
the_third_nonsense_is_the_last(void **state)
{
	struct client c;

	(void)state;
	connect_from(&c, "127.0.0.1");
	for (int i = 0; i < 3; i++)
		expect(&c, "GET / HTTP/1.1", "-ERR ");
	expect_end(&c);
	hang_up(&c);
}

static void
long_lines_are_refused(void **state)
{
	char text[POP3_LINE + 2], *huge = xmalloc(65537);
	struct client c;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memcpy(text, "USER ", 5);
	memset(huge, 'x', 65536);
	huge[65536] = '\0';
	memcpy(huge, "USER ", 5);
	connect_from(&c, "127.0.0.1");
	expect(&c, text, "-ERR line too long");
	expect(&c, huge, "-ERR line too long");
	ask(&c, "QUIT", "+OK bye");
	hang_up(&c);
	free(huge);
}

#define T(f)	cmocka_unit_test(f)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(capa_says_what_may_be_done_now),
		T(no_password_is_taken_in_the_clear),
		T(tls_begins_at_once_on_pop3s),
		T(pop3s_without_a_certificate_says_nothing_in_the_clear),
		T(nothing_may_be_sent_ahead_behind_stls),
		T(stls_forgets_the_user),
		T(user_and_pass_reach_authd_as_they_were_sent),
		T(auth_plain_works_in_both_ways),
		T(auth_alone_lists_the_mechanisms),
		T(malformed_auth_is_refused_before_authd),
		T(failures_say_which_kind_they_are),
		T(a_session_that_dies_at_once_is_a_failure_for_later),
		T(the_third_failure_is_the_last),
		T(commands_sent_ahead_reach_the_session),
		T(a_client_that_ends_after_its_last_command_gets_its_answers),
		T(what_belongs_behind_the_login_is_refused_before_it),
		T(the_third_nonsense_is_the_last),
		T(long_lines_are_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
