/*
 * test_sasl.c - base64, PLAIN, and asking authd.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl.h"
#include "deadline.h"
#include "sasl.h"
#include "stream.h"

#define N(a)	(sizeof(a) / sizeof((a)[0]))

/* ---- base64 ---- */

static void
base64_gives_the_vectors_of_rfc_4648(void **state)
{
	static const struct { const char *plain, *b64; } t[] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
		{ "\xff\xfe\xfd", "//79" },
	};
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < N(t); i++) {
		buf_reset(&out);
		base64_encode(t[i].plain, strlen(t[i].plain), &out);
		assert_string_equal(buf_str(&out), t[i].b64);
		buf_reset(&out);
		assert_int_equal(base64_decode(t[i].b64, strlen(t[i].b64),
		    &out), 0);
		assert_string_equal(buf_str(&out), t[i].plain);
	}
	buf_release(&out);
}

/* Attack 56: whatever is no base64 is refused, and adds nothing. */
static void
malformed_base64_is_refused(void **state)
{
	static const char *const bad[] = {
		"A", "AA", "AAA", "=", "==", "===", "====", "A===", "Zg=",
		"Zg", "Zg==Zg==", "Zm8=Zm8=", "Z=g=", "=Zg=", "Zm9v\n",
		"Zm 9", "Zm-_", "Zh==", "Zm9=", "Zm9v====", "Zm9v*A==",
		"\xc3\xa4\xc3\xa4",
	};
	struct buf out = BUF_INIT;

	(void)state;
	buf_adds(&out, "before");
	for (size_t i = 0; i < N(bad); i++) {
		assert_int_equal(base64_decode(bad[i], strlen(bad[i]), &out),
		    -1);
		assert_string_equal(buf_str(&out), "before");
	}
	buf_release(&out);
}

static void
base64_does_not_read_past_the_view(void **state)
{
	char *s = xmalloc(4);
	struct buf out = BUF_INIT;

	(void)state;
	memcpy(s, "Zg==", 4);		/* no NUL behind it: ASan watches */
	assert_int_equal(base64_decode(s, 4, &out), 0);
	assert_string_equal(buf_str(&out), "f");
	free(s);
	buf_release(&out);
}

/* ---- PLAIN ---- */

#define PLAIN(s)	s, sizeof(s) - 1

static void
plain_gives_user_and_password(void **state)
{
	struct buf user = BUF_INIT, pass = BUF_INIT;

	(void)state;
	assert_int_equal(sasl_plain(PLAIN("\0jb@emc.fr\0p w"), &user, &pass),
	    0);
	assert_string_equal(buf_str(&user), "jb@emc.fr");
	assert_string_equal(buf_str(&pass), "p w");
	assert_int_equal(sasl_plain(PLAIN("jb\0jb\0\xc3\xa9"), &user, &pass),
	    0);
	assert_string_equal(buf_str(&user), "jb");
	assert_string_equal(buf_str(&pass), "\xc3\xa9");
	buf_release(&user);
	buf_release(&pass);
}

/* Attack 56: missing and extra NULs, control bytes, invalid UTF-8. */
static void
malformed_plain_is_refused(void **state)
{
	static const struct { const char *s; size_t len; } bad[] = {
		{ PLAIN("") }, { PLAIN("\0") }, { PLAIN("\0\0") },
		{ PLAIN("jb") }, { PLAIN("\0jb") }, { PLAIN("jb\0pw") },
		{ PLAIN("\0jb\0") }, { PLAIN("\0\0pw") },
		{ PLAIN("\0jb\0pw\0") }, { PLAIN("\0jb\0p\0w") },
		{ PLAIN("billy\0jb\0pw") }, { PLAIN("j\0jb\0pw") },
		{ PLAIN("\0j\nb\0pw") }, { PLAIN("\0j\x7f" "b\0pw") },
		{ PLAIN("\0j\xff\0pw") }, { PLAIN("\0jb\0\xc3") },
		{ PLAIN("\0j\xc0\x80\0pw") },
	};
	struct buf user = BUF_INIT, pass = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < N(bad); i++)
		assert_int_equal(sasl_plain(bad[i].s, bad[i].len, &user,
		    &pass), -1);
	buf_release(&user);
	buf_release(&pass);
}

/* ---- authd ---- */

static struct {
	char	 dir[64], path[128];
	struct config cfg;
	int	 listener;
	const char *answer;	/* NULL: hangs up */
	char	 asked[512];
	bool	 got_fd;
} authd;

static int
authd_setup(void **state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	(void)state;
	strlcpy(authd.dir, "/tmp/test-sasl-XXXXXX", sizeof(authd.dir));
	assert_non_null(mkdtemp(authd.dir));
	snprintf(authd.path, sizeof(authd.path), "%s/net", authd.dir);
	assert_int_equal(mkdir(authd.path, 0700), 0);
	strlcat(authd.path, "/authd", sizeof(authd.path));
	authd.cfg.run = authd.dir;
	authd.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(authd.listener != -1);
	strlcpy(sun.sun_path, authd.path, sizeof(sun.sun_path));
	assert_int_equal(bind(authd.listener, (struct sockaddr *)&sun,
	    sizeof(sun)), 0);
	assert_int_equal(listen(authd.listener, 5), 0);
	return 0;
}

static int
authd_teardown(void **state)
{
	(void)state;
	close(authd.listener);
	unlink(authd.path);
	*strrchr(authd.path, '/') = '\0';
	rmdir(authd.path);
	return rmdir(authd.dir);
}

/* Answers one question. */
static void *
authd_main(void *arg)
{
	struct stream st;
	struct buf line = BUF_INIT;
	struct ctl c;
	int fd;

	(void)arg;
	stream_init_unix(&st, accept(authd.listener, NULL, NULL));
	if (ctl_read(&st, &line, &c, deadline_in(10)) == 1)
		snprintf(authd.asked, sizeof(authd.asked),
		    "%s user=%s pass=%s ip=%s service=%s", c.verb,
		    ctl_str(&c, "user"), ctl_str(&c, "pass"),
		    ctl_str(&c, "ip"), ctl_str(&c, "service"));
	fd = stream_take_fd(&st);
	authd.got_fd = fd != -1;
	if (fd != -1)
		close(fd);
	if (authd.answer != NULL)
		stream_puts(&st, authd.answer);
	(void)!stream_flush(&st, deadline_in(10));
	stream_release(&st);
	buf_release(&line);
	return NULL;
}

static enum auth_result
ask(const char *verb, const char *answer, int fd, struct buf *who)
{
	pthread_t thread;
	enum auth_result result;

	authd.answer = answer;
	authd.asked[0] = '\0';
	assert_int_equal(pthread_create(&thread, NULL, authd_main, NULL), 0);
	result = auth_ask(&authd.cfg, verb, "smtp", "jb@emc.fr", "p %\"w",
	    "192.0.2.7", fd, who, deadline_in(10));
	assert_int_equal(pthread_join(thread, NULL), 0);
	return result;
}

static void
authd_is_asked_and_its_answer_told(void **state)
{
	struct buf who = BUF_INIT;

	(void)state;
	assert_int_equal(ask("auth", "ok user=jb@emc.fr\n", -1, &who),
	    AUTH_OK);
	assert_string_equal(buf_str(&who), "jb@emc.fr");
	assert_string_equal(authd.asked, "auth user=jb@emc.fr pass=p %\"w "
	    "ip=192.0.2.7 service=smtp");
	assert_false(authd.got_fd);
	assert_int_equal(ask("auth", "fail text=no%20such\n", -1, &who),
	    AUTH_FAIL);
	assert_string_equal(buf_str(&who), "no such");
	assert_int_equal(ask("auth", "later text=soon\n", -1, &who),
	    AUTH_LATER);
	assert_string_equal(buf_str(&who), "soon");
	buf_release(&who);
}

/* A login without a name, garbage, nothing: never a yes, never a no. */
static void
an_answer_that_makes_no_sense_is_later(void **state)
{
	static const char *const odd[] = { "ok\n", "ok user=\n", "OK\n",
		"\n", "maybe\n", "ok user=a b\n", NULL };
	struct buf who = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < N(odd); i++)
		assert_int_equal(ask("auth", odd[i], -1, &who), AUTH_LATER);
	buf_release(&who);
}

static void
login_hands_the_descriptor_over(void **state)
{
	struct buf who = BUF_INIT;

	(void)state;
	assert_int_equal(ask("login", "ok user=jb@emc.fr\n", STDIN_FILENO,
	    &who), AUTH_OK);
	assert_true(authd.got_fd);
	buf_release(&who);
}

static void
without_authd_it_is_later(void **state)
{
	struct config cfg = { .run = authd.path };	/* nothing below it */
	struct buf who = BUF_INIT;

	(void)state;
	assert_int_equal(auth_ask(&cfg, "auth", "smtp", "u", "p", "::1", -1,
	    &who, deadline_in(1)), AUTH_LATER);
	assert_true(who.len > 0);
	buf_release(&who);
}

static void
a_monstrous_password_is_not_carried(void **state)
{
	struct buf who = BUF_INIT, pass = BUF_INIT;

	(void)state;
	for (int i = 0; i < 5000; i++)
		buf_addc(&pass, 'x');
	assert_int_equal(auth_ask(&authd.cfg, "auth", "smtp", "u",
	    buf_str(&pass), "::1", -1, &who, deadline_in(1)), AUTH_FAIL);
	buf_release(&who);
	buf_release(&pass);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_gives_the_vectors_of_rfc_4648),
		cmocka_unit_test(malformed_base64_is_refused),
		cmocka_unit_test(base64_does_not_read_past_the_view),
		cmocka_unit_test(plain_gives_user_and_password),
		cmocka_unit_test(malformed_plain_is_refused),
		cmocka_unit_test(authd_is_asked_and_its_answer_told),
		cmocka_unit_test(an_answer_that_makes_no_sense_is_later),
		cmocka_unit_test(login_hands_the_descriptor_over),
		cmocka_unit_test(without_authd_it_is_later),
		cmocka_unit_test(a_monstrous_password_is_not_carried),
	};

	return cmocka_run_group_tests(tests, authd_setup, authd_teardown);
}
