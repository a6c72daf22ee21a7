/*
 * Tests of admin: the directories, locks and starts of `facteur run`.
 * link: admin
 */
#include <sys/file.h>
#include <sys/stat.h>
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
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../admin/admin.h"
#include "config_keys.h"
#include "deadline.h"
#include "log.h"

#define STRANGER	((uid_t)54321)

static char base[64];

/* A configuration whose directories are below `base`; run as given. */
static struct config *
conf(const char *run_dir)
{
	struct buf t = BUF_INIT, why = BUF_INIT;
	struct config *cfg;

	buf_addf(&t, "run = %s/%s\n", base, run_dir);
	cfg = config_from_text(base, false, &t, &why);
	if (cfg == NULL)
		fail_msg("%s", buf_str(&why));
	buf_release(&t);
	buf_release(&why);
	return cfg;
}

static int
make_base(void **state)
{
	(void)state;
	(void)strlcpy(base, "/tmp/facteur-admin-XXXXXX", sizeof(base));
	(void)umask(077);
	return mkdtemp(base) == NULL ? -1 : chmod(base, 0755);
}

/* Removes what a test has left, by the names that tests use. */
static int
drop_base(void **state)
{
	static const char *const names[] = {
		"run/net", "run/lock", "run/life", "run", "up/run/net",
		"up/run", "up", "spool/queue", "spool/hold", "spool/bad",
		"spool", "mail", "link", "real/net", "real",
	};
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", base, names[i]);
		if (remove(path) == -1 && errno != ENOENT && errno != ENOTDIR)
			return -1;
	}
	return rmdir(base);
}

/* What a child complains about is expected. */
static void
hush(void)
{
	if (freopen("/dev/null", "w", stderr) == NULL)
		_exit(99);
}

/* dirs_make() in a child, because it may end the process: its exit code. */
static int
try_dirs(const char *run_dir)
{
	struct config *cfg = conf(run_dir);
	pid_t pid = fork();
	int status;

	assert_true(pid != -1);
	if (pid == 0) {
		hush();
		dirs_make(cfg);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	config_free(cfg);
	return WEXITSTATUS(status);
}

static const char *
below(const char *name)
{
	static char path[2][128];
	static unsigned n;
	char *p = path[n++ % 2];

	(void)snprintf(p, sizeof(path[0]), "%s/%s", base, name);
	return p;
}

static unsigned
mode_of(const char *name)
{
	struct stat st;

	assert_int_equal(lstat(below(name), &st), 0);
	return (unsigned)st.st_mode & 07777;
}

static void
directories_are_made_private(void **state)
{
	static const char *const names[] = {
		"up/run/net", "up/run", "up", "spool/queue", "spool/hold",
		"spool/bad", "spool", "mail",
	};

	(void)state;
	assert_int_equal(try_dirs("up/run"), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(mode_of(names[i]), 0700);
	/* And taken as they are the next time. */
	assert_int_equal(try_dirs("up/run"), 0);
}

static void
a_run_directory_that_others_may_write_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkdir(below("run"), 0700), 0);
	assert_int_equal(chmod(below("run"), 0770), 0);
	assert_int_equal(try_dirs("run"), EX_NOPERM);
	assert_int_equal(chmod(below("run"), 0707), 0);
	assert_int_equal(try_dirs("run"), EX_NOPERM);
	assert_int_equal(chmod(below("run"), 0755), 0);
	assert_int_equal(try_dirs("run"), 0);
}

static void
a_parent_that_others_may_write_must_be_sticky(void **state)
{
	(void)state;
	assert_int_equal(mkdir(below("up"), 0700), 0);
	assert_int_equal(chmod(below("up"), 0777), 0);
	assert_int_equal(try_dirs("up/run"), EX_NOPERM);
	assert_int_equal(chmod(below("up"), 01777), 0);
	assert_int_equal(try_dirs("up/run"), 0);
}

static void
a_symbolic_link_is_no_run_directory(void **state)
{
	(void)state;
	assert_int_equal(mkdir(below("real"), 0700), 0);
	assert_int_equal(symlink(below("real"), below("link")), 0);
	assert_int_equal(try_dirs("link"), EX_NOPERM);
}

static void
a_run_directory_of_somebody_else_is_refused(void **state)
{
	(void)state;
	if (getuid() != 0)
		skip();
	assert_int_equal(mkdir(below("up"), 0700), 0);
	assert_int_equal(chown(below("up"), STRANGER, STRANGER), 0);
	assert_int_equal(try_dirs("up/run"), EX_NOPERM);
	assert_int_equal(chown(below("up"), 0, 0), 0);
	assert_int_equal(chown(below("up/run"), STRANGER, STRANGER), 0);
	assert_int_equal(try_dirs("up/run"), EX_NOPERM);
	/* A stranger's link, even to a directory of ours. */
	assert_int_equal(chown(below("up/run"), 0, 0), 0);
	assert_int_equal(symlink(below("up"), below("link")), 0);
	assert_int_equal(try_dirs("link/run"), 0);
	assert_int_equal(lchown(below("link"), STRANGER, STRANGER), 0);
	assert_int_equal(try_dirs("link/run"), EX_NOPERM);
}

/* ---- locks ------------------------------------------------------------- */

static void
a_second_supervisor_is_turned_away(void **state)
{
	struct config *cfg = conf("run");
	pid_t pid;
	int status;

	(void)state;
	dirs_make(cfg);
	for (int i = 0; i < 2; i++) {
		/* The first one dies, and its lock with it. */
		pid = fork();
		assert_true(pid != -1);
		if (pid == 0) {
			dirs_lock(cfg);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	dirs_lock(cfg);
	pid = fork();
	assert_true(pid != -1);
	if (pid == 0) {
		hush();
		dirs_lock(cfg);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), EX_TEMPFAIL);
	config_free(cfg);
}

static void
a_new_supervisor_waits_for_old_programs(void **state)
{
	struct config *cfg = conf("run");
	int64_t begin;
	int fd, go[2], status;
	pid_t pid;
	char c;

	(void)state;
	dirs_make(cfg);
	assert_int_equal(pipe(go), 0);
	pid = fork();
	assert_true(pid != -1);
	if (pid == 0) {
		/* An old program: has the lock, ends a little later. */
		if (dirs_wait_for_others(cfg) == -1 ||
		    write(go[1], "x", 1) != 1)
			_exit(1);
		(void)usleep(300000);
		_exit(0);
	}
	assert_int_equal(read(go[0], &c, 1), 1);
	begin = now_ms();
	fd = dirs_wait_for_others(cfg);
	assert_true(fd != -1);
	assert_true(now_ms() - begin > 100);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	(void)close(fd);
	(void)close(go[0]);
	(void)close(go[1]);
	config_free(cfg);
}

/* ---- services ---------------------------------------------------------- */

static void
starts_are_spaced_out(void **state)
{
	static const int64_t want[] = { 0, 1, 2, 4, 8, 16, 30, 30 };

	(void)state;
	for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_int_equal(service_backoff(i), want[i] * 1000);
	assert_int_equal(service_backoff(UINT32_MAX), 30000);
}

static void
a_long_life_forgives_early_deaths(void **state)
{
	struct service s = { .name = "x", .pid = 1, .started = now_ms(),
	    .failures = 4 };

	(void)state;
	service_ended(&s, 0);
	assert_int_equal(s.pid, 0);
	assert_int_equal(s.failures, 5);
	assert_true(s.start_at >= now_ms() + 7000);
	s.started = now_ms() - 61 * 1000;
	service_ended(&s, 0);
	assert_int_equal(s.failures, 1);
	assert_true(s.start_at <= now_ms());
}

static void
a_program_that_is_not_there_is_noticed_at_once(void **state)
{
	struct config *cfg = conf("run");
	struct service s = { .name = "no-such-program" };
	struct launchpad l = { .cfg = cfg, .life = STDIN_FILENO };

	(void)state;
	service_environment(&l);
	assert_int_equal(service_start(&s, &l), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(s.pid, 0);
	for (char **e = l.environment; *e != NULL; e++)
		free(*e);
	free(l.environment);
	config_free(cfg);
}

static void
an_unknown_verb_is_a_usage_error(void **state)
{
	char lss[] = "lss", version[] = "version", more[] = "more";
	char *unknown[] = { lss, NULL }, *wordy[] = { version, more, NULL };
	int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);

	(void)state;
	assert_int_equal(dup2(null, STDERR_FILENO), STDERR_FILENO);
	assert_int_equal(verb_dispatch(1, unknown), EX_USAGE);
	assert_int_equal(verb_dispatch(2, wordy), EX_USAGE);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	(void)close(saved);
	(void)close(null);
}

int
main(void)
{
#define IN_BASE(f)	cmocka_unit_test_setup_teardown(f, make_base, drop_base)
	const struct CMUnitTest tests[] = {
		IN_BASE(directories_are_made_private),
		IN_BASE(a_run_directory_that_others_may_write_is_refused),
		IN_BASE(a_parent_that_others_may_write_must_be_sticky),
		IN_BASE(a_symbolic_link_is_no_run_directory),
		IN_BASE(a_run_directory_of_somebody_else_is_refused),
		IN_BASE(a_second_supervisor_is_turned_away),
		IN_BASE(a_new_supervisor_waits_for_old_programs),
		cmocka_unit_test(starts_are_spaced_out),
		cmocka_unit_test(a_long_life_forgives_early_deaths),
		IN_BASE(a_program_that_is_not_there_is_noticed_at_once),
		cmocka_unit_test(an_unknown_verb_is_a_usage_error),
	};

	log_init("test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
