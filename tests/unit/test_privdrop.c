/* Tests of lib/privdrop: the way down, and that there is none back. */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "privdrop.h"

#define UID	((uid_t)54321)
#define GID	((gid_t)54322)

/* Runs fn in a child; its result. */
static int
in_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid != -1);
	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
dropping_to_root_is_refused(void **state)
{
	(void)state;
	assert_int_equal(privdrop(0, GID, NULL), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(privdrop(UID, 0, NULL), -1);
	assert_int_equal(errno, EINVAL);
}

static int
drop(void)
{
	static const gid_t many[] = { 1, 2, 3 };
	gid_t left[8];

	if (setgroups(3, many) == -1 || privdrop(UID, GID, NULL) == -1)
		return 1;
	if (getuid() != UID || geteuid() != UID || getgid() != GID ||
	    getgroups(8, left) != 0)
		return 2;
	if (setuid(0) != -1 || seteuid(0) != -1 || setgid(0) != -1)
		return 3;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 ||
	    prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return 4;
	return 0;
}

static char jail[] = "/tmp/facteur-jail-XXXXXX";

static int
drop_into_jail(void)
{
	if (privdrop(UID, GID, jail) == -1)
		return 2;
	/* Neither by name nor upwards is there anything else. */
	return access("/etc/passwd", F_OK) == -1 &&
	    access("../../../../etc/passwd", F_OK) == -1 ? 0 : 3;
}

static int
drop_into_nothing(void)
{
	return privdrop(UID, GID, "/nonexistent/jail") == -1 &&
	    errno == ENOENT && getuid() == 0 ? 0 : 1;
}

static int
drop_from_below(void)
{
	if (privdrop(UID, GID, NULL) == -1)
		return 1;
	return privdrop(UID + 1, GID, NULL) == -1 && errno == EPERM ? 0 : 2;
}

static void
root_is_given_up_for_good(void **state)
{
	(void)state;
	if (getuid() != 0)
		skip();
	assert_int_equal(in_child(drop), 0);
	assert_int_equal(in_child(drop_from_below), 0);
}

static void
the_jail_is_entered_first(void **state)
{
	(void)state;
	if (getuid() != 0)
		skip();
	assert_non_null(mkdtemp(jail));
	assert_int_equal(chmod(jail, 0755), 0);
	assert_int_equal(in_child(drop_into_jail), 0);
	assert_int_equal(rmdir(jail), 0);
	assert_int_equal(in_child(drop_into_nothing), 0);
}

static int
init_in_a_poor_house(void)
{
	struct rlimit core;
	struct sigaction sa;
	sigset_t all;
	int fd;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	(void)signal(SIGCHLD, SIG_IGN);
	(void)umask(0);
	(void)close(0);
	(void)close(1);
	process_init();
	if (umask(0) != 077)
		return 1;
	if (getrlimit(RLIMIT_CORE, &core) == -1 || core.rlim_max != 0)
		return 2;
	if (sigprocmask(SIG_SETMASK, NULL, &all) == -1 ||
	    sigismember(&all, SIGTERM) != 0)
		return 3;
	if (sigaction(SIGCHLD, NULL, &sa) == -1 || sa.sa_handler != SIG_DFL ||
	    sigaction(SIGPIPE, NULL, &sa) == -1 || sa.sa_handler != SIG_IGN)
		return 4;
	/* 0 and 1 are taken, survive exec, and nothing else is. */
	if (fcntl(0, F_GETFD) != 0 || fcntl(1, F_GETFD) != 0)
		return 5;
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return fd > 2 ? 0 : 6;
}

static void
a_program_starts_clean_whoever_started_it(void **state)
{
	(void)state;
	assert_int_equal(in_child(init_in_a_poor_house), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dropping_to_root_is_refused),
		cmocka_unit_test(root_is_given_up_for_good),
		cmocka_unit_test(the_jail_is_entered_first),
		cmocka_unit_test(a_program_starts_clean_whoever_started_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
