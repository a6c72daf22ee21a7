/*
 * test_auth_desk.c - authd's conversations, over real sockets with a real pool.
 * link: auth
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../auth/auth.h"
#include "../../auth/edit.h"
#include "../../auth/hash.h"
#include "ctl.h"
#include "deadline.h"
#include "netaddr.h"
#include "stream.h"

/* One authd in a process of its own; its launcher is the test. */
static struct {
	char	dir[64], users[96];
	struct config *cfg;
	int	launcher;	/* listening */
	pid_t	pid;
} site;

static _Noreturn void
authd(int listener)
{
	struct loop *loop = loop_new();
	struct pool *pool = loop != NULL ? pool_new(loop) : NULL;
	struct desk *desk;

	(void)close(site.launcher);
	if (pool == NULL)
		_exit(1);
	desk = desk_new(site.cfg, loop, pool);
	if (desk_listen(desk, listener) == -1)
		_exit(2);
	loop_run(loop);
	desk_free(desk);
	loop_free(loop);
	exit(0);		/* and leaks are looked for */
}

static int
listen_at(const char *name)
{
	struct buf spec = BUF_INIT;
	int fd;

	buf_addf(&spec, "unix:%s", config_socket(site.cfg, name));
	fd = netaddr_listen(buf_str(&spec), 0600);
	assert_int_not_equal(fd, -1);
	buf_release(&spec);
	return fd;
}

static void
add_user(const char *address, const char *password)
{
	struct buf hash = BUF_INIT;

	if (password != NULL)
		assert_int_equal(password_hash(password, &hash), 0);
	else
		buf_adds(&hash, "*");
	assert_int_not_equal(users_edit(site.cfg, site.users, address,
	    buf_str(&hash)), -1);
	buf_release(&hash);
}

static void
write_conf(void)
{
	char path[96];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/facteur.conf", site.dir);
	f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f, "domains = b.c d.e\nrun = %s/run\n", site.dir);
	assert_int_equal(fclose(f), 0);
	(void)snprintf(path, sizeof(path), "%s/run", site.dir);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/run/net", site.dir);
	assert_int_equal(mkdir(path, 0700), 0);
}

static int
setup(void **state)
{
	struct buf why = BUF_INIT;
	int listener;

	(void)state;
	(void)snprintf(site.dir, sizeof(site.dir), "/tmp/test_desk.XXXXXX");
	assert_non_null(mkdtemp(site.dir));
	(void)snprintf(site.users, sizeof(site.users), "%s/users", site.dir);
	write_conf();
	site.cfg = config_load(site.dir, false, &why);
	assert_non_null(site.cfg);
	buf_release(&why);
	add_user("billy@b.c", "noisette");
	add_user("locked@b.c", NULL);
	listener = listen_at("net/authd");
	site.launcher = listen_at("launch");
	site.pid = fork();
	assert_int_not_equal(site.pid, -1);
	if (site.pid == 0)
		authd(listener);
	assert_int_equal(close(listener), 0);
	return 0;
}

static int
teardown(void **state)
{
	static const char *const names[] = { "/users", "/facteur.conf",
	    "/run/net/authd", "/run/launch", NULL };
	char path[128];
	int status;

	(void)state;
	assert_int_equal(kill(site.pid, SIGTERM), 0);
	assert_int_equal(waitpid(site.pid, &status, 0), site.pid);
	assert_int_equal(status, 0);
	(void)close(site.launcher);
	for (int i = 0; names[i] != NULL; i++) {
		(void)snprintf(path, sizeof(path), "%s%s", site.dir, names[i]);
		(void)unlink(path);
	}
	(void)snprintf(path, sizeof(path), "%s/run/net", site.dir);
	assert_int_equal(rmdir(path), 0);
	(void)snprintf(path, sizeof(path), "%s/run", site.dir);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(site.dir), 0);
	config_free(site.cfg);
	return 0;
}

/* ---- a client ---- */

struct talk {
	struct stream s;
	struct buf line;
	struct ctl ctl;
};

static void
talk_open(struct talk *t)
{
	int fd = ctl_connect(config_socket(site.cfg, "net/authd"));

	assert_int_not_equal(fd, -1);
	memset(t, 0, sizeof(*t));
	stream_init_unix(&t->s, fd);
}

static void
talk_close(struct talk *t)
{
	buf_release(&t->line);
	stream_release(&t->s);
}

static void
say_login(struct talk *t, const char *verb, const char *user,
    const char *pass, int fd)
{
	struct buf b = BUF_INIT;

	ctl_begin(&b, verb);
	ctl_add(&b, "user", user);
	ctl_add(&b, "pass", pass);
	ctl_add(&b, "ip", "127.0.0.1");
	ctl_add(&b, "service", "test");
	ctl_end(&b);
	if (fd != -1)
		assert_int_equal(stream_send_fd(&t->s, fd, b.data, b.len,
		    deadline_in(10)), 0);
	else
		ctl_send(&t->s, &b);
	assert_int_equal(stream_flush(&t->s, deadline_in(10)), 0);
	buf_release(&b);
}

static void
say_who(struct talk *t, const char *address)
{
	struct buf b = BUF_INIT;

	ctl_begin(&b, "who");
	ctl_add(&b, "address", address);
	ctl_end(&b);
	ctl_send(&t->s, &b);
	assert_int_equal(stream_flush(&t->s, deadline_in(10)), 0);
	buf_release(&b);
}

/* 1, 0, -1 as ctl_read(). */
static int
hear(struct talk *t)
{
	return ctl_read(&t->s, &t->line, &t->ctl, deadline_in(30));
}

static void
assert_auth(struct talk *t, const char *user, const char *pass,
    const char *verb)
{
	say_login(t, "auth", user, pass, -1);
	assert_int_equal(hear(t), 1);
	assert_string_equal(t->ctl.verb, verb);
}

/* ---- tests ---- */

static void
the_right_password_is_ok_in_any_spelling_of_the_user(void **state)
{
	struct talk t;

	(void)state;
	talk_open(&t);
	assert_auth(&t, "billy@b.c", "noisette", "ok");
	assert_string_equal(ctl_str(&t.ctl, "user"), "billy@b.c");
	assert_auth(&t, "BILLY@B.C", "noisette", "ok");
	assert_string_equal(ctl_str(&t.ctl, "user"), "billy@b.c");
	talk_close(&t);
}

static void
wrong_ones_fail_later_and_later(void **state)
{
	struct talk t;
	int64_t begin = now_ms();

	(void)state;
	talk_open(&t);
	assert_auth(&t, "billy@b.c", "Noisette", "fail");
	assert_true(now_ms() - begin >= 1000);
	begin = now_ms();
	assert_auth(&t, "billy@b.c", "", "fail");
	assert_true(now_ms() - begin >= 2000);
	/* and a success ends that */
	assert_auth(&t, "billy@b.c", "noisette", "ok");
	begin = now_ms();
	assert_auth(&t, "billy@b.c", "x", "fail");
	assert_true(now_ms() - begin < 2000);
	talk_close(&t);
}

static void
nobody_logs_in_without_a_hash_or_with_endless_passwords(void **state)
{
	static const struct { const char *user, *pass; } tries[] = {
		{ "locked@b.c", "*" }, { "nobody@b.c", "noisette" },
		{ "postmaster@b.c", "" }, { "", "" }, { "billy", "noisette" },
		{ "locked@b.c", "" },
	};
	struct talk t[sizeof(tries) / sizeof(tries[0])], big;
	char pass[2000];

	(void)state;
	/* all at once: their delays pass together */
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		talk_open(&t[i]);
		say_login(&t[i], "auth", tries[i].user, tries[i].pass, -1);
	}
	memset(pass, 'x', sizeof(pass) - 1);
	pass[sizeof(pass) - 1] = '\0';
	talk_open(&big);
	say_login(&big, "auth", "locked@b.c", pass, -1);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(hear(&t[i]), 1);
		assert_string_equal(t[i].ctl.verb, "fail");
		talk_close(&t[i]);
	}
	assert_int_equal(hear(&big), 1);
	assert_string_equal(big.ctl.verb, "fail");
	talk_close(&big);
}

static void
who_does_not_wait_for_a_hash(void **state)
{
	struct talk t, w;
	int64_t begin;

	(void)state;
	talk_open(&t);
	talk_open(&w);
	say_login(&t, "auth", "billy@b.c", "wrong again", -1);
	begin = now_ms();
	say_who(&w, "Billy@B.c");
	assert_int_equal(hear(&w), 1);
	assert_true(now_ms() - begin < 900);
	assert_string_equal(w.ctl.verb, "user");
	assert_string_equal(ctl_str(&w.ctl, "address"), "billy@b.c");
	assert_int_equal(ctl_num(&w.ctl, "uid", 0, UINT32_MAX, -1), geteuid());
	assert_int_equal(ctl_num(&w.ctl, "gid", 0, UINT32_MAX, -1), getegid());
	assert_non_null(strstr(ctl_str(&w.ctl, "home"), "/mail/b.c/billy"));
	assert_int_equal(hear(&t), 1);
	assert_string_equal(t.ctl.verb, "fail");
	talk_close(&t);
	talk_close(&w);
}

static void
postmaster_has_a_mailbox_in_our_domains_only(void **state)
{
	static const struct { const char *address, *verb, *home; } table[] = {
		{ "postmaster@b.c", "user", "/mail/b.c/postmaster" },
		{ "PostMaster@D.E", "user", "/mail/d.e/postmaster" },
		{ "postmaster@x.y", "none", NULL },
		{ "postmaster2@b.c", "none", NULL },
		{ "postmaster", "none", NULL },
		{ "nobody@b.c", "none", NULL },
		{ "", "none", NULL },
		{ "a b@b.c", "none", NULL },
		{ "locked@b.c", "user", "/mail/b.c/locked" },
	};
	struct talk t;

	(void)state;
	talk_open(&t);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		say_who(&t, table[i].address);
		assert_int_equal(hear(&t), 1);
		assert_string_equal(t.ctl.verb, table[i].verb);
		if (table[i].home != NULL)
			assert_non_null(strstr(ctl_str(&t.ctl, "home"),
			    table[i].home));
	}
	talk_close(&t);
}

static void
a_changed_file_counts_at_once(void **state)
{
	struct talk t;

	(void)state;
	talk_open(&t);
	say_who(&t, "new@b.c");
	assert_int_equal(hear(&t), 1);
	assert_string_equal(t.ctl.verb, "none");
	add_user("new@b.c", "un");
	assert_auth(&t, "new@b.c", "un", "ok");
	add_user("new@b.c", "deux");
	assert_auth(&t, "new@b.c", "un", "fail");
	assert_auth(&t, "new@b.c", "deux", "ok");
	talk_close(&t);
}

static void
a_file_that_vanishes_means_later_not_nobody(void **state)
{
	struct talk t;
	char away[128];

	(void)state;
	(void)snprintf(away, sizeof(away), "%s/away", site.dir);
	talk_open(&t);
	assert_int_equal(rename(site.users, away), 0);
	say_who(&t, "billy@b.c");
	assert_int_equal(hear(&t), 1);
	assert_string_equal(t.ctl.verb, "later");
	assert_auth(&t, "billy@b.c", "noisette", "later");
	assert_int_equal(rename(away, site.users), 0);
	assert_auth(&t, "billy@b.c", "noisette", "ok");
	talk_close(&t);
}

/* The launcher's side: takes the descriptor, and says this (NULL: leaves). */
static void
launcher(const char *verb)
{
	int fd = accept4(site.launcher, NULL, NULL, SOCK_CLOEXEC), session;
	struct buf line = BUF_INIT, b = BUF_INIT;
	struct stream s;
	struct ctl ctl;

	assert_int_not_equal(fd, -1);
	stream_init_unix(&s, fd);
	assert_int_equal(ctl_read(&s, &line, &ctl, deadline_in(20)), 1);
	assert_string_equal(ctl.verb, "pop3");
	assert_string_equal(ctl_str(&ctl, "address"), "billy@b.c");
	session = stream_take_fd(&s);
	assert_int_not_equal(session, -1);
	if (verb != NULL) {
		assert_int_equal(write(session, "+OK\r\n", 5), 5);
		ctl_begin(&b, verb);
		ctl_add(&b, "text", "because");
		ctl_end(&b);
		ctl_send(&s, &b);
		assert_int_equal(stream_flush(&s, deadline_in(20)), 0);
	}
	assert_int_equal(close(session), 0);
	buf_release(&b);
	buf_release(&line);
	stream_release(&s);
}

static void
a_login_is_ok_when_the_launcher_has_it(void **state)
{
	struct talk t;
	char hello[8];
	int pair[2];

	(void)state;
	talk_open(&t);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    pair), 0);
	say_login(&t, "login", "billy@b.c", "noisette", pair[1]);
	assert_int_equal(close(pair[1]), 0);
	launcher("ok");
	assert_int_equal(hear(&t), 1);
	assert_string_equal(t.ctl.verb, "ok");
	assert_int_equal(read(pair[0], hello, sizeof(hello)), 5);
	/* nobody in between keeps it open */
	assert_int_equal(read(pair[0], hello, sizeof(hello)), 0);
	assert_int_equal(close(pair[0]), 0);
	talk_close(&t);
}

static void
a_launcher_that_refuses_or_leaves_means_later(void **state)
{
	static const char *const says[] = { "err", NULL };
	struct talk t;
	int pair[2];

	(void)state;
	talk_open(&t);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM |
		    SOCK_CLOEXEC, 0, pair), 0);
		say_login(&t, "login", "billy@b.c", "noisette", pair[1]);
		assert_int_equal(close(pair[1]), 0);
		launcher(says[i]);
		assert_int_equal(hear(&t), 1);
		assert_string_equal(t.ctl.verb, "later");
		assert_int_equal(close(pair[0]), 0);
	}
	/* without a descriptor there is nothing to launch */
	say_login(&t, "login", "billy@b.c", "noisette", -1);
	assert_int_equal(hear(&t), 1);
	assert_string_equal(t.ctl.verb, "later");
	talk_close(&t);
}

static void
who_speaks_wrongly_is_hung_up_on(void **state)
{
	static const char *const words[] = { "passwords\n", "who =\n", "\n" };
	struct talk t;

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		talk_open(&t);
		stream_puts(&t.s, words[i]);
		assert_int_equal(stream_flush(&t.s, deadline_in(10)), 0);
		assert_int_not_equal(hear(&t), 1);
		talk_close(&t);
	}
	/* a second question before the answer */
	talk_open(&t);
	say_login(&t, "auth", "billy@b.c", "a", -1);
	say_login(&t, "auth", "billy@b.c", "b", -1);
	assert_int_not_equal(hear(&t), 1);
	talk_close(&t);
	/* and all others are served */
	talk_open(&t);
	assert_auth(&t, "billy@b.c", "noisette", "ok");
	talk_close(&t);
}

/* The first worker of authd: a child of it. */
static pid_t
a_worker(void)
{
	char path[64];
	int pid = -1;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children",
	    (int)site.pid, (int)site.pid);
	if ((f = fopen(path, "re")) == NULL)
		return -1;
	if (fscanf(f, "%d", &pid) != 1)
		pid = -1;
	(void)fclose(f);
	return pid;
}

static void
a_worker_that_dies_is_replaced(void **state)
{
	struct talk t;
	pid_t pid;

	(void)state;
	talk_open(&t);
	for (int i = 0; i < POOL_WORKERS; i++) {
		if ((pid = a_worker()) == -1)
			skip();
		assert_int_equal(kill(pid, SIGKILL), 0);
		/* until authd has seen it, what it had is `later` */
		say_login(&t, "auth", "billy@b.c", "noisette", -1);
		assert_int_equal(hear(&t), 1);
		if (!ctl_is(&t.ctl, "ok"))
			assert_string_equal(t.ctl.verb, "later");
	}
	assert_auth(&t, "billy@b.c", "noisette", "ok");
	talk_close(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    the_right_password_is_ok_in_any_spelling_of_the_user),
		cmocka_unit_test(wrong_ones_fail_later_and_later),
		cmocka_unit_test(
		    nobody_logs_in_without_a_hash_or_with_endless_passwords),
		cmocka_unit_test(who_does_not_wait_for_a_hash),
		cmocka_unit_test(postmaster_has_a_mailbox_in_our_domains_only),
		cmocka_unit_test(a_changed_file_counts_at_once),
		cmocka_unit_test(a_file_that_vanishes_means_later_not_nobody),
		cmocka_unit_test(a_login_is_ok_when_the_launcher_has_it),
		cmocka_unit_test(a_launcher_that_refuses_or_leaves_means_later),
		cmocka_unit_test(who_speaks_wrongly_is_hung_up_on),
		cmocka_unit_test(a_worker_that_dies_is_replaced),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, setup, teardown);
}
