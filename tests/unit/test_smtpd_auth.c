/*
 * test_smtpd_auth.c - AUTH, STARTTLS, TLS from the first byte, and who may
 * send as whom.
 * link: smtpd
 * wrap: getpeername
 *
 * Numbers in comments are those of the attack checklist.
 */
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include "../../smtpd/tlsd.h"
#include "sasl.h"
#include "seams.h"
#include "smtpd_fakes.h"
#include "stream_tls.h"

static char cert_path[128], key_path[128];

/* ---- a certificate ---- */

static void
make_cert(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	FILE *f;

	assert_non_null(key);
	assert_non_null(x);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN",
	    MBSTRING_ASC, (const unsigned char *)"mx.test", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	assert_non_null(f = fopen(cert_path, "we"));
	assert_int_equal(PEM_write_X509(f, x), 1);
	assert_int_equal(fclose(f), 0);
	assert_non_null(f = fopen(key_path, "we"));
	assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL,
	    NULL), 1);
	assert_int_equal(fclose(f), 0);
	X509_free(x);
	EVP_PKEY_free(key);
}

/* ---- tlsd ---- */

int	__real_getpeername(int, struct sockaddr *, socklen_t *);
int	__wrap_getpeername(int, struct sockaddr *, socklen_t *);

/* The far end of each client's socket pair is said to be there: */
#define FAR	"192.0.2.7"

int
__wrap_getpeername(int fd, struct sockaddr *sa, socklen_t *len)
{
	struct netaddr a;
	int r = __real_getpeername(fd, sa, len);

	if (r == 0) {
		assert_int_equal(netaddr_host(FAR, 1234, &a), 0);
		memcpy(sa, &a.ss, a.len);
		*len = a.len;
	}
	return r;
}

static struct {
	int	 listener;
	pthread_t thread;
	struct tlsd tlsd;
} server = { .listener = -1 };

/* The real conversation, one client after the other. */
static void *
tlsd_serve(void *arg)
{
	struct serve_conn conn = { .name = "tlsd", .is_socket = true };
	int fd;

	(void)arg;
	while ((fd = accept(server.listener, NULL, NULL)) != -1)
		(void)tlsd_session(fd, &conn, &server.tlsd);
	return NULL;
}

static void
tlsd_start(void)
{
	server.tlsd.cfg = &fake.cfg;
	server.tlsd.smtpd.cfg = &fake.cfg;
	tls_identity_init(&server.tlsd.tls, &fake.cfg);
	server.listener = fake_listen("net/tlsd");
	assert_int_equal(pthread_create(&server.thread, NULL, tlsd_serve,
	    NULL), 0);
}

static void
tlsd_stop(void)
{
	char path[128];

	shutdown(server.listener, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.listener);
	server.listener = -1;
	tls_identity_release(&server.tlsd.tls);
	snprintf(path, sizeof(path), "%s/net/tlsd", fake.dir);
	unlink(path);
}

static int
start(void **state)
{
	fakes_start(state);
	seams_init(&fake.cfg);
	snprintf(cert_path, sizeof(cert_path), "%s/cert", fake.dir);
	snprintf(key_path, sizeof(key_path), "%s/key", fake.dir);
	make_cert();
	free(fake.cfg.tls_cert);
	free(fake.cfg.tls_key);
	fake.cfg.tls_cert = xstrdup(cert_path);
	fake.cfg.tls_key = xstrdup(key_path);
	tlsd_start();
	return 0;
}

static int
stop(void **state)
{
	tlsd_stop();
	unlink(cert_path);
	unlink(key_path);
	return fakes_stop(state);
}

static int
client_tls(struct client *c)
{
	struct buf why = BUF_INIT;
	SSL_CTX *ctx = tls_client(&why);
	int rc;

	assert_non_null(ctx);
	rc = stream_tls_connect(&c->st, ctx, "mx.test", deadline_in(10));
	SSL_CTX_free(ctx);
	buf_release(&why);
	return rc;
}

/* ---- TLS ---- */

static void
starttls_forgets_everything_said_before(void **state)
{
	struct client c;

	(void)state;
	client_start(&c, "smtp", "192.0.2.7");
	assert_int_equal(ask(&c, "EHLO liar.test"), 250);
	assert_non_null(strstr(buf_str(&c.all), "STARTTLS\n"));
	assert_int_equal(ask(&c, "STARTTLS"), 220);
	assert_int_equal(client_tls(&c), 0);
	assert_int_equal(ask(&c, "MAIL FROM:<a@b.c>"), 503);
	assert_int_equal(ask(&c, "EHLO mua.test"), 250);
	assert_null(strstr(buf_str(&c.all), "STARTTLS"));
	assert_int_equal(ask(&c, "STARTTLS"), 503);	/* 49 */
	assert_int_equal(ask(&c, "MAIL FROM:<a@b.c>"), 250);
	assert_int_equal(ask(&c, "STARTTLS"), 503);
	assert_int_equal(ask(&c, "RCPT TO:<billy@yahoo.co.uk>"), 250);
	assert_int_equal(ask(&c, "DATA"), 354);
	assert_int_equal(ask(&c, "."), 250);
	assert_int_equal(ask(&c, "QUIT"), 221);
	client_end(&c);
	assert_non_null(strstr(buf_str(&fake.frames),
	    " helo=mua.test with=ESMTPS tls=TLSv1.3\n"));
}

/* Attack 47 (CVE-2011-0411): the plaintext behind STARTTLS is never run. */
static void
nothing_may_stand_behind_starttls(void **state)
{
	struct client c;

	(void)state;
	client_start(&c, "smtp", "192.0.2.7");
	assert_int_equal(ask(&c, "EHLO x"), 250);
	say(&c, "STARTTLS\r\nMAIL FROM:<evil@x.y>\r\n");
	assert_int_equal(reply_code(&c), 503);
	assert_int_equal(reply_code(&c), 0);
	client_end(&c);
}

/*
 * Behind STARTTLS a session is another process's: it has the role of the door
 * the client came in by, and no banner.
 */
static void
the_door_decides_what_is_spoken_behind_tls(void **state)
{
	static const struct {
		const char *role, *hello, *other;
		bool	 auth;
	} doors[] = {
		{ "smtp", "EHLO x", "LHLO x", false },
		{ "submission", "EHLO x", "LHLO x", true },
		{ "lmtp", "LHLO x", "EHLO x", false },
	};

	(void)state;
	for (size_t i = 0; i < N(doors); i++) {
		struct client c;

		client_start(&c, doors[i].role, FAR);
		assert_int_equal(ask(&c, doors[i].hello), 250);
		assert_int_equal(ask(&c, "STARTTLS"), 220);
		assert_int_equal(client_tls(&c), 0);
		assert_int_equal(ask(&c, doors[i].other), 500);
		assert_int_equal(ask(&c, doors[i].hello), 250);
		assert_int_equal(strstr(buf_str(&c.all), "AUTH") != NULL,
		    doors[i].auth);
		assert_int_equal(ask(&c, "AUTH PLAIN"), doors[i].auth ? 334 :
		    502);
		client_end(&c);
	}
}

/* Nobody's word for it: 198.51.100.0/24 may relay, and FAR may not. */
static void
his_socket_says_who_a_client_is_behind_tls(void **state)
{
	struct client c;

	(void)state;
	client_start(&c, "smtp", "198.51.100.9");
	assert_int_equal(ask(&c, "EHLO x"), 250);
	assert_int_equal(ask(&c, "MAIL FROM:<a@b.c>"), 250);
	assert_int_equal(ask(&c, "RCPT TO:<x@elsewhere.example>"), 250);
	assert_int_equal(ask(&c, "RSET"), 250);
	assert_int_equal(ask(&c, "STARTTLS"), 220);
	assert_int_equal(client_tls(&c), 0);
	assert_int_equal(ask(&c, "EHLO x"), 250);
	assert_int_equal(ask(&c, "MAIL FROM:<a@b.c>"), 250);
	assert_int_not_equal(ask(&c, "RCPT TO:<x@elsewhere.example>"), 250);
	client_end(&c);
}

static void
a_failed_handshake_ends_the_session(void **state)
{
	struct client c;

	(void)state;
	client_start(&c, "smtp", "192.0.2.7");
	assert_int_equal(ask(&c, "EHLO x"), 250);
	assert_int_equal(ask(&c, "STARTTLS"), 220);
	say(&c, "MAIL FROM:<evil@x.y>\r\n");
	assert_int_not_equal(reply_code(&c), 250);
	client_end(&c);
}

static void
submissions_speaks_tls_from_the_first_byte(void **state)
{
	struct client c;

	(void)state;
	client_connect(&c, "submissions", "192.0.2.7", "");
	client_run(&c);
	assert_int_equal(client_tls(&c), 0);
	assert_int_equal(reply_code(&c), 220);
	assert_int_equal(ask(&c, "EHLO x"), 250);
	assert_null(strstr(buf_str(&c.all), "STARTTLS"));
	assert_non_null(strstr(buf_str(&c.all), "AUTH PLAIN LOGIN\n"));
	client_end(&c);
}

/* Whoever cannot have TLS is told so before the word, and nothing breaks. */
static void
without_tlsd_there_is_no_starttls(void **state)
{
	struct client c;

	(void)state;
	tlsd_stop();
	client_start(&c, "smtp", "192.0.2.7");
	assert_int_equal(ask(&c, "EHLO x"), 250);
	assert_null(strstr(buf_str(&c.all), "STARTTLS"));
	assert_int_equal(ask(&c, "STARTTLS"), 454);
	assert_int_equal(ask(&c, "MAIL FROM:<a@b.c>"), 250);
	client_end(&c);
	client_connect(&c, "submissions", "192.0.2.7", "");
	client_run(&c);
	assert_int_equal(reply_code(&c), 0);
	client_end(&c);
	tlsd_start();
	client_start(&c, "smtp", "192.0.2.7");
	assert_int_equal(ask(&c, "EHLO x"), 250);
	assert_non_null(strstr(buf_str(&c.all), "STARTTLS\n"));
	client_end(&c);
}

/*
 * tlsd waits a while for a client that stays after the goodbye.  smtpd waits
 * for tlsd, for only its own children are counted and limited.
 */
static void
smtpd_outlives_the_session_it_gave_to_tlsd(void **state)
{
	struct timespec soon;
	struct client c;

	(void)state;
	client_start(&c, "smtp", "192.0.2.7");
	assert_int_equal(ask(&c, "EHLO x"), 250);
	assert_int_equal(ask(&c, "STARTTLS"), 220);
	assert_int_equal(client_tls(&c), 0);
	assert_int_equal(ask(&c, "QUIT"), 221);
	assert_int_equal(reply_code(&c), 0);	/* hung up, but we stay */
	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_nsec += 300 * 1000 * 1000;
	soon.tv_sec += soon.tv_nsec / 1000000000;
	soon.tv_nsec %= 1000000000;
	assert_int_equal(pthread_timedjoin_np(c.thread, NULL, &soon),
	    ETIMEDOUT);
	client_end(&c);
}

/* tlsd serves nobody's descriptor but a socket, and no verb but its own. */
static void
tlsd_wants_a_socket(void **state)
{
	static const char *const asked[] = { "tls role=smtp\n",
	    "handshake\n", "able able able\n" };
	struct stream st;
	char path[128];
	const char *p;
	int file = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	assert_true(file != -1);
	snprintf(path, sizeof(path), "%s/net/tlsd", fake.dir);
	for (size_t i = 0; i < 2 * N(asked); i++) {
		const char *say_it = asked[i / 2];
		int fd = ctl_connect(path);

		assert_true(fd != -1);
		stream_init(&st, fd, fd);
		if (i % 2 == 0)
			stream_puts(&st, say_it);
		else
			assert_int_equal(stream_send_fd(&st, file, say_it,
			    strlen(say_it), deadline_in(10)), 0);
		assert_int_equal(stream_flush(&st, deadline_in(10)), 0);
		assert_true(stream_peek(&st, &p, deadline_in(30)) <= 0);
		stream_release(&st);
	}
	close(file);
}

/* For smtpd alone may ask, but a name it has not got opens no door. */
static void
tlsd_knows_no_role_without_tls(void **state)
{
	static const char *const asked[] = { "tls\n", "tls role=local\n",
	    "tls role=inject\n", "tls role=smtp%20\n" };
	static const struct timeval soon = { .tv_sec = 5 };
	char path[128], c;

	(void)state;
	snprintf(path, sizeof(path), "%s/net/tlsd", fake.dir);
	for (size_t i = 0; i < N(asked); i++) {
		struct stream st;
		int pair[2], fd = ctl_connect(path);

		assert_true(fd != -1);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		stream_init(&st, fd, fd);
		assert_int_equal(stream_send_fd(&st, pair[1], asked[i],
		    strlen(asked[i]), deadline_in(10)), 0);
		close(pair[1]);
		assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO,
		    &soon, sizeof(soon)), 0);
		assert_int_equal(read(pair[0], &c, 1), 0);
		close(pair[0]);
		stream_release(&st);
	}
}

static void
a_new_certificate_needs_no_restart(void **state)
{
	struct tls_identity d;
	struct timespec later[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	SSL_CTX *first, *second;
	FILE *f;

	(void)state;
	tls_identity_init(&d, &fake.cfg);
	assert_non_null(first = tls_identity_logged(&d));
	SSL_CTX_up_ref(first);		/* its address is not used again */
	assert_ptr_equal(tls_identity_logged(&d), first);
	make_cert();
	assert_int_equal(utimensat(AT_FDCWD, cert_path, later, 0), 0);
	assert_non_null(second = tls_identity_logged(&d));
	assert_ptr_not_equal(second, first);
	/* one that cannot be read changes nothing */
	assert_non_null(f = fopen(cert_path, "we"));
	assert_int_equal(fclose(f), 0);
	assert_ptr_equal(tls_identity_logged(&d), second);
	unlink(cert_path);
	assert_ptr_equal(tls_identity_logged(&d), second);
	make_cert();
	assert_non_null(tls_identity_logged(&d));
	SSL_CTX_free(first);
	tls_identity_release(&d);
}

/* ---- AUTH: where ---- */

static void
auth_wants_tls_or_loopback_and_a_submission_port(void **state)
{
	static const struct {
		const char *role, *ip;
		int	 code;
		bool	 offered;
	} table[] = {
		{ "submission", "192.0.2.7", 538, false },	/* 55 */
		{ "submission", "127.0.0.1", 334, true },
		{ "submission", "::1", 334, true },
		{ "smtp", "127.0.0.1", 502, false },		/* 62 */
		{ "smtp", "192.0.2.7", 502, false },
	};

	(void)state;
	for (size_t i = 0; i < N(table); i++) {
		struct client c;

		client_start(&c, table[i].role, table[i].ip);
		assert_int_equal(ask(&c, "EHLO x"), 250);
		assert_int_equal(strstr(buf_str(&c.all), "AUTH") != NULL,
		    table[i].offered);
		assert_int_equal(ask(&c, "AUTH PLAIN"), table[i].code);
		client_end(&c);
	}
}

/* From loopback and from trusted networks, too. */
static void
submission_wants_auth_before_mail(void **state)
{
	static const char *const ips[] = { "192.0.2.7", "127.0.0.1",
		"198.51.100.9" };

	(void)state;
	for (size_t i = 0; i < N(ips); i++) {
		struct client c;

		client_start(&c, "submission", ips[i]);
		assert_int_equal(ask(&c, "MAIL FROM:<a@b.c>"), 503);
		assert_int_equal(ask(&c, "EHLO x"), 250);
		assert_int_equal(ask(&c, "MAIL FROM:<a@b.c>"), 530);
		assert_int_equal(ask(&c, "RCPT TO:<billy@yahoo.co.uk>"), 503);
		client_end(&c);
	}
}

/* ---- AUTH: how ---- */

/* PLAIN of jean-bob@emc.fr with "secret", with "wrong", of "later" */
#define P_RIGHT	"AGplYW4tYm9iQGVtYy5mcgBzZWNyZXQ="
#define P_WRONG	"AGplYW4tYm9iQGVtYy5mcgB3cm9uZw=="
#define P_LATER	"AGxhdGVyAHNlY3JldA=="
#define L_USER	"amVhbi1ib2JAZW1jLmZy"
#define L_PASS	"c2VjcmV0"

static void
auth_dialogues_end_as_the_table_says(void **state)
{
	static const struct {
		const char *line[3];
		int	 code[3];
	} table[] = {
		{ { "AUTH PLAIN " P_RIGHT }, { 235 } },
		{ { "auth plain " P_RIGHT }, { 235 } },
		{ { "AUTH PLAIN", P_RIGHT }, { 334, 235 } },
		{ { "AUTH LOGIN", L_USER, L_PASS }, { 334, 334, 235 } },
		{ { "AUTH LOGIN " L_USER, L_PASS }, { 334, 235 } },
		{ { "AUTH PLAIN " P_WRONG }, { 535 } },
		{ { "AUTH LOGIN", L_USER, L_USER }, { 334, 334, 535 } },
		{ { "AUTH PLAIN " P_LATER }, { 454 } },
		{ { "AUTH" }, { 501 } },
		{ { "AUTH CRAM-MD5" }, { 504 } },
		{ { "AUTH PLAINE " P_RIGHT }, { 504 } },
		{ { "AUTH P " P_RIGHT }, { 504 } },
		/* 56 */
		{ { "AUTH PLAIN", "*" }, { 334, 501 } },
		{ { "AUTH LOGIN", "*" }, { 334, 501 } },
		{ { "AUTH LOGIN", L_USER, "*" }, { 334, 334, 501 } },
		{ { "AUTH PLAIN =" }, { 501 } },
		{ { "AUTH PLAIN", "" }, { 334, 501 } },
		{ { "AUTH PLAIN", "=" }, { 334, 501 } },
		{ { "AUTH PLAIN !!!!" }, { 501 } },
		{ { "AUTH PLAIN " P_RIGHT "x" }, { 501 } },
		{ { "AUTH PLAIN amVhbi1ib2I=" }, { 501 } },	/* no NUL */
		{ { "AUTH PLAIN AGEAYgBj" }, { 501 } },	/* one NUL more */
		{ { "AUTH PLAIN AGEKYgBj" }, { 501 } },		/* LF in it */
		{ { "AUTH PLAIN AP8AYw==" }, { 501 } },		/* no UTF-8 */
		{ { "AUTH LOGIN", "", L_PASS }, { 334, 334, 501 } },
		{ { "AUTH LOGIN", L_USER, "" }, { 334, 334, 501 } },
		{ { "AUTH LOGIN", "YQBi", L_PASS }, { 334, 334, 501 } },
	};

	(void)state;
	for (size_t i = 0; i < N(table); i++) {
		struct client c;
		int last = 0;

		client_start(&c, "submission", "127.0.0.1");
		assert_int_equal(ask(&c, "EHLO x"), 250);
		for (int j = 0; j < 3 && table[i].line[j] != NULL; j++) {
			last = ask(&c, table[i].line[j]);
			if (last != table[i].code[j])
				fail_msg("%s: step %d gives %d",
				    table[i].line[0], j, last);
		}
		assert_int_equal(ask(&c, "MAIL FROM:<>"),
		    last == 235 ? 250 : 530);
		client_end(&c);
	}
}

/* Attack 56: 3 MiB of base64. */
static void
a_monstrous_response_is_refused(void **state)
{
	struct client c;
	struct buf line = BUF_INIT;
	int code;

	(void)state;
	client_start(&c, "submission", "127.0.0.1");
	assert_int_equal(ask(&c, "EHLO x"), 250);
	buf_adds(&line, "AUTH PLAIN ");
	while (line.len < 13000)
		buf_adds(&line, "QUFB");
	assert_int_equal(ask(&c, line.data), 500);
	assert_int_equal(ask(&c, "AUTH PLAIN"), 334);
	assert_int_equal(ask(&c, line.data + 11), 500);
	memcpy(line.data, "NOOP QUFBxx", 11);
	line.data[3000] = '\0';		/* long is for AUTH alone */
	assert_int_equal(ask(&c, line.data), 500);
	assert_int_equal(ask(&c, "AUTH PLAIN"), 334);
	while (line.len < 3 * 1024 * 1024)
		buf_add(&line, "QUFB", 4);
	memset(line.data, 'A', line.len);
	say(&c, line.data);
	code = reply_code(&c);
	assert_true(code == 500 || code == 0);
	client_end(&c);
	buf_release(&line);
}

/* Attack 57. */
static void
a_client_may_leave_at_each_step(void **state)
{
	static const char *const steps[] = { "AUTH PLAIN\r\n",
		"AUTH LOGIN\r\n", "AUTH LOGIN " L_USER "\r\n",
		"AUTH PLAIN " P_RIGHT "\r\n", "AUTH PL" };

	(void)state;
	for (size_t i = 0; i < N(steps); i++) {
		struct client c;

		client_start(&c, "submission", "127.0.0.1");
		assert_int_equal(ask(&c, "EHLO x"), 250);
		say(&c, steps[i]);
		client_end(&c);
	}
}

static void
a_login_is_once_and_outside_of_a_message(void **state)
{
	struct client c;

	(void)state;
	client_start(&c, "submission", "127.0.0.1");
	assert_int_equal(ask(&c, "AUTH PLAIN " P_RIGHT), 503);
	assert_int_equal(ask(&c, "EHLO x"), 250);
	assert_int_equal(ask(&c, "AUTH PLAIN " P_RIGHT), 235);
	assert_int_equal(ask(&c, "AUTH PLAIN " P_RIGHT), 503);
	assert_int_equal(ask(&c, "STARTTLS"), 503);	/* 49 */
	assert_int_equal(ask(&c, "EHLO x"), 250);
	assert_null(strstr(buf_str(&c.all), "AUTH"));
	assert_int_equal(ask(&c, "MAIL FROM:<jean-bob@emc.fr>"), 250);
	assert_int_equal(ask(&c, "AUTH PLAIN " P_RIGHT), 503);
	client_end(&c);
}

/* Attack 59. */
static void
three_wrong_passwords_are_enough(void **state)
{
	struct client c;

	(void)state;
	client_start(&c, "submission", "127.0.0.1");
	assert_int_equal(ask(&c, "EHLO x"), 250);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ask(&c, "AUTH PLAIN " P_WRONG), 535);
	assert_int_equal(ask(&c, "AUTH PLAIN " P_RIGHT), 421);
	assert_int_equal(reply_code(&c), 0);
	client_end(&c);
}

/* ---- who may send as whom (attack 61) ---- */

static void
who_logged_in_sends_as_himself(void **state)
{
	static const struct { const char *sender; int code; } table[] = {
		{ "jean-bob@emc.fr", 250 },
		{ "Jean-Bob@EMC.fr", 250 },
		{ "", 250 },
		{ "jean-bob+x@emc.fr", 250 },
		{ "jb@emc.fr", 250 },			/* his alias */
		{ "billy@yahoo.co.uk", 553 },
		{ "bill@yahoo.co.uk", 553 },		/* another's alias */
		{ "team@yahoo.co.uk", 553 },
		{ "nobody@yahoo.co.uk", 553 },
		{ "x@elsewhere.example", 553 },
		{ "soon@yahoo.co.uk", 451 },
	};
	struct client c;
	char command[100];

	(void)state;
	client_start(&c, "submission", "127.0.0.1");
	assert_int_equal(ask(&c, "EHLO x"), 250);
	assert_int_equal(ask(&c, "AUTH PLAIN " P_RIGHT), 235);
	for (size_t i = 0; i < N(table); i++) {
		int code;

		snprintf(command, sizeof(command), "MAIL FROM:<%s>",
		    table[i].sender);
		code = ask(&c, command);
		if (code != table[i].code)
			fail_msg("%s: %d", table[i].sender, code);
		assert_int_equal(ask(&c, "RSET"), 250);
	}
	client_end(&c);
}

static void
who_logged_in_may_relay_and_is_named(void **state)
{
	struct client c;

	(void)state;
	client_start(&c, "submission", "192.0.2.7");
	assert_int_equal(ask(&c, "EHLO x"), 250);
	assert_int_equal(ask(&c, "STARTTLS"), 220);
	assert_int_equal(client_tls(&c), 0);
	assert_int_equal(ask(&c, "EHLO mua.emc.fr"), 250);
	assert_int_equal(ask(&c, "AUTH PLAIN " P_RIGHT), 235);
	assert_int_equal(ask(&c, "MAIL FROM:<jean-bob@emc.fr>"), 250);
	assert_int_equal(ask(&c, "RCPT TO:<x@elsewhere.example>"), 250);
	assert_int_equal(ask(&c, "DATA"), 354);
	assert_int_equal(ask(&c, "Subject: x\r\n\r\nHi\r\n."), 250);
	client_end(&c);
	assert_string_equal(buf_str(&fake.frames),
	    "message sender=jean-bob@emc.fr fix=yes ip=192.0.2.7 "
	    "helo=mua.emc.fr with=ESMTPSA tls=TLSv1.3 auth=jean-bob@emc.fr\n"
	    "rcpt to=x@elsewhere.example\ngo\nend\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starttls_forgets_everything_said_before),
		cmocka_unit_test(nothing_may_stand_behind_starttls),
		cmocka_unit_test(the_door_decides_what_is_spoken_behind_tls),
		cmocka_unit_test(his_socket_says_who_a_client_is_behind_tls),
		cmocka_unit_test(a_failed_handshake_ends_the_session),
		cmocka_unit_test(submissions_speaks_tls_from_the_first_byte),
		cmocka_unit_test(without_tlsd_there_is_no_starttls),
		cmocka_unit_test(smtpd_outlives_the_session_it_gave_to_tlsd),
		cmocka_unit_test(tlsd_wants_a_socket),
		cmocka_unit_test(tlsd_knows_no_role_without_tls),
		cmocka_unit_test(a_new_certificate_needs_no_restart),
		cmocka_unit_test(
		    auth_wants_tls_or_loopback_and_a_submission_port),
		cmocka_unit_test(submission_wants_auth_before_mail),
		cmocka_unit_test(auth_dialogues_end_as_the_table_says),
		cmocka_unit_test(a_monstrous_response_is_refused),
		cmocka_unit_test(a_client_may_leave_at_each_step),
		cmocka_unit_test(a_login_is_once_and_outside_of_a_message),
		cmocka_unit_test(three_wrong_passwords_are_enough),
		cmocka_unit_test(who_logged_in_sends_as_himself),
		cmocka_unit_test(who_logged_in_may_relay_and_is_named),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
