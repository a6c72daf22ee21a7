/*
 * test_sandbox.c - what a process can and cannot do in each sandbox, tried
 * in children that enter it; and a kernel that lacks a layer.
 *
 * wrap: syscall
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <netinet/in.h>
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

#include "config.h"
#include "sandbox_private.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static bool no_landlock, no_seccomp;

long __real_syscall(long, ...);
long __wrap_syscall(long, ...);

/* A kernel as old as the test wants it. */
long
__wrap_syscall(long nr, ...)
{
	long a[6];
	va_list ap;

	va_start(ap, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if ((no_landlock && nr == SYS_landlock_create_ruleset) ||
	    (no_seccomp && nr == SYS_seccomp)) {
		errno = ENOSYS;
		return -1;
	}
	return __real_syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static char dir[64];
static struct config cfg;

static int
setup(void **state)
{
	static char path[4][96], figures[128];

	(void)state;
	(void)strlcpy(dir, "/tmp/facteur-sandbox.XXXXXX", sizeof(dir));
	if (mkdtemp(dir) == NULL)
		return -1;
	for (int i = 0; i < 4; i++) {
		(void)snprintf(path[i], sizeof(path[i]), "%s/%s", dir,
		    ((const char *const[]){ "spool", "conf", "mail",
		    "other" })[i]);
		if (mkdir(path[i], 0700) == -1)
			return -1;
	}
	cfg.spool = path[0];
	cfg.confdir = path[1];
	cfg.mail = path[2];
	cfg.tls_cert = cfg.tls_key = path[3] + strlen(path[3]);
	(void)snprintf(figures, sizeof(figures), "%s/figures/x.prom", dir);
	*strrchr(figures, '/') = '\0';
	if (mkdir(figures, 0700) == -1)
		return -1;
	figures[strlen(figures)] = '/';
	cfg.stats_file = figures;
	return 0;
}

static int
teardown(void **state)
{
	static const char *const names[] = { "spool/a", "spool/b", "spool",
		"conf/aliases", "conf", "mail", "other/x", "other",
		"figures/x", "figures", "" };
	char path[128];

	(void)state;
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)remove(path);
	}
	return 0;
}

/* ---- what is tried ----------------------------------------------------- */

static int
open_passwd(void)
{
	return open("/etc/passwd", O_RDONLY);
}

static int
make(const char *below)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, below);
	return open(path, O_RDWR | O_CREAT, 0600);
}

static int
make_in_spool(void)
{
	return make("spool/a");
}

static int
make_in_figures(void)
{
	return make("figures/x");
}

static int
make_in_conf(void)
{
	return make("conf/aliases");
}

static int
make_elsewhere(void)
{
	return make("other/x");
}

static int
read_conf(void)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/conf", dir);
	return open(path, O_RDONLY | O_DIRECTORY);
}

static int
inet_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int
unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int
do_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid == -1 ? -1 : waitpid(pid, NULL, 0);
}

static int
new_user_space(void)
{
	return (int)syscall(SYS_clone, 0x10000000L | SIGCHLD, 0, 0, 0, 0);
}

static int
exec_true(void)
{
	static char *none[] = { NULL };

	return execve("/bin/true", none, none);
}

static int
ptrace_parent(void)
{
	return (int)syscall(SYS_ptrace, 16 /* ATTACH */, getppid(), 0, 0);
}

static int
signal_parent(void)
{
	return kill(getppid(), 0);
}

static int
executable_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static int
plain_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static int
fast_open(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = 9,
	    .sin_addr = { htonl(INADDR_LOOPBACK) } };

	return (int)sendto(0, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&in,
	    sizeof(in));
}

static int
listen_on_tcp(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
	    .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd == -1 ? -1 : bind(fd, (struct sockaddr *)&in, sizeof(in));
}

static int
become_root(void)
{
	return setuid(0);
}

static int
terminal_input(void)
{
	return (int)syscall(SYS_ioctl, 0, 0x5412 /* TIOCSTI */, "x");
}

/* ---- the children ------------------------------------------------------ */

#define OK	0	/* it worked */
#define NO	1	/* it failed with EPERM or EACCES (or EAGAIN: a limit) */
#define DEAD	2	/* SIGSYS */
#define ODD	3

/* Enters and tries. */
static int
try_in(enum sandbox kind, int (*what)(void))
{
	int status, null;
	pid_t pid = fork();

	if (pid == 0) {
		null = open("/dev/null", O_WRONLY);
		(void)dup2(null, 2);
		sandbox_enter(kind, &cfg, cfg.mail);
		errno = 0;
		if (what() != -1)
			_exit(OK);
		_exit(errno == EPERM || errno == EACCES || errno == EAGAIN ?
		    NO : ODD);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? DEAD : ODD;
	return WEXITSTATUS(status);
}

static void
skip_if_sanitized(void)
{
	if (SANITIZED)
		skip();		/* the sandbox is off in these builds */
}

static void
skip_without_landlock(void)
{
	skip_if_sanitized();
	if (sandbox_landlock_abi() < 2)
		skip();		/* this kernel has no (useful) Landlock */
}

static void
a_session_can_do_nothing_but_talk(void **state)
{
	static const enum sandbox who[] = {
		SANDBOX_SMTPD_SESSION, SANDBOX_POP3D_SESSION,
		SANDBOX_AUTHD_HASH,
	};

	(void)state;
	skip_if_sanitized();
	for (unsigned i = 0; i < sizeof(who) / sizeof(who[0]); i++) {
		assert_int_equal(try_in(who[i], open_passwd), NO);
		assert_int_equal(try_in(who[i], make_elsewhere), NO);
		assert_int_equal(try_in(who[i], read_conf), NO);
		assert_int_equal(try_in(who[i], inet_socket), NO);
		assert_int_equal(try_in(who[i], listen_on_tcp), NO);
		assert_int_equal(try_in(who[i], fast_open), NO);
		assert_int_equal(try_in(who[i], do_fork), NO);
		assert_int_equal(try_in(who[i], signal_parent), NO);
		assert_int_equal(try_in(who[i], become_root), NO);
		assert_int_equal(try_in(who[i], executable_memory), NO);
		assert_int_equal(try_in(who[i], terminal_input), NO);
		assert_int_equal(try_in(who[i], plain_memory), OK);
	}
	assert_int_equal(try_in(SANDBOX_SMTPD_SESSION, unix_socket), OK);
	assert_int_equal(try_in(SANDBOX_AUTHD_HASH, unix_socket), NO);
}

static void
whoever_executes_or_traces_dies(void **state)
{
	(void)state;
	skip_if_sanitized();
	for (unsigned k = 0; k < SANDBOX_KINDS; k++) {
		assert_int_equal(try_in((enum sandbox)k, exec_true), DEAD);
		assert_int_equal(try_in((enum sandbox)k, ptrace_parent),
		    DEAD);
	}
}

static void
only_masters_fork_and_never_into_new_namespaces(void **state)
{
	(void)state;
	skip_if_sanitized();
	assert_int_equal(try_in(SANDBOX_SMTPD, do_fork), OK);
	assert_int_equal(try_in(SANDBOX_LAUNCH, do_fork), OK);
	assert_int_equal(try_in(SANDBOX_QUEUE, do_fork), NO);
	assert_int_equal(try_in(SANDBOX_LOCAL, do_fork), NO);
	assert_int_equal(try_in(SANDBOX_SMTPD, new_user_space), NO);
	assert_int_equal(try_in(SANDBOX_LAUNCH, new_user_space), NO);
}

static void
only_remote_reaches_the_internet_and_nobody_listens(void **state)
{
	(void)state;
	skip_without_landlock();
	for (unsigned k = 0; k < SANDBOX_KINDS; k++) {
		bool net = k == SANDBOX_REMOTE || k == SANDBOX_REMOTE_AGENT;

		assert_int_equal(try_in((enum sandbox)k, inet_socket),
		    net ? OK : NO);
		if (sandbox_landlock_abi() >= 4)
			assert_int_equal(try_in((enum sandbox)k,
			    listen_on_tcp), NO);
	}
}

static void
each_reaches_its_own_directories_only(void **state)
{
	(void)state;
	skip_without_landlock();
	assert_int_equal(try_in(SANDBOX_QUEUE, make_in_spool), OK);
	assert_int_equal(try_in(SANDBOX_QUEUE, make_in_figures), OK);
	assert_int_equal(try_in(SANDBOX_INJECT_WORKER, make_in_spool), OK);
	assert_int_equal(try_in(SANDBOX_INJECT_WORKER, make_in_figures), NO);
	assert_int_equal(try_in(SANDBOX_QUEUE, make_in_conf), NO);
	assert_int_equal(try_in(SANDBOX_QUEUE, open_passwd), NO);
	assert_int_equal(try_in(SANDBOX_RESOLVE, read_conf), OK);
	assert_int_equal(try_in(SANDBOX_RESOLVE, make_in_conf), NO);
	assert_int_equal(try_in(SANDBOX_RESOLVE, make_in_spool), NO);
	assert_int_equal(try_in(SANDBOX_AUTHD, read_conf), OK);
	assert_int_equal(try_in(SANDBOX_AUTHD, make_in_conf), NO);
	assert_int_equal(try_in(SANDBOX_LOCAL, make_in_spool), NO);
	assert_int_equal(try_in(SANDBOX_LOCAL, open_passwd), NO);
	assert_int_equal(try_in(SANDBOX_POP3_MAILBOX, make_in_spool), NO);
}

/* From one directory to another: LANDLOCK_ACCESS_FS_REFER. */
static int
rename_in_spool(void)
{
	char from[128], to[128];
	int fd = make("spool/a");

	if (fd == -1)
		return -1;
	(void)snprintf(from, sizeof(from), "%s/spool/a", dir);
	(void)snprintf(to, sizeof(to), "%s/spool/sub", dir);
	if (mkdir(to, 0700) == -1)
		return -1;
	(void)snprintf(to, sizeof(to), "%s/spool/sub/a", dir);
	if (rename(from, to) == -1 || unlink(to) == -1)
		return -1;
	(void)snprintf(to, sizeof(to), "%s/spool/sub", dir);
	return unlinkat(AT_FDCWD, to, AT_REMOVEDIR);
}

static void
the_queue_moves_files_between_its_directories(void **state)
{
	(void)state;
	skip_without_landlock();
	assert_int_equal(try_in(SANDBOX_QUEUE, rename_in_spool), OK);
}

static int
enter_session_too(void)
{
	sandbox_enter(SANDBOX_SMTPD_SESSION, &cfg, NULL);
	return open_passwd() == -1 && do_fork() == -1 &&
	    inet_socket() == -1 && unix_socket() != -1 ? 0 : -1;
}

static void
a_child_puts_its_own_sandbox_over_its_parents(void **state)
{
	(void)state;
	skip_if_sanitized();
	assert_int_equal(try_in(SANDBOX_SMTPD, enter_session_too), OK);
}

/* A signal in our name when something arrives, even SIGKILL. */
static int
own_a_descriptor_for_the_parent(void)
{
	return fcntl(STDERR_FILENO, F_SETOWN, getppid());
}

static void
only_a_child_that_reaches_less_gets_walls_of_its_own(void **state)
{
	(void)state;
	assert_true(sandbox_same_walls(SANDBOX_SMTPD_SESSION, SANDBOX_SMTPD));
	assert_true(sandbox_same_walls(SANDBOX_POP3D_SESSION, SANDBOX_POP3D));
	assert_true(sandbox_same_walls(SANDBOX_INJECT_WORKER, SANDBOX_INJECT));
	assert_false(sandbox_same_walls(SANDBOX_REMOTE_AGENT, SANDBOX_REMOTE));
	assert_false(sandbox_same_walls(SANDBOX_LOCAL, SANDBOX_LAUNCH));
	assert_false(sandbox_same_walls(SANDBOX_POP3_MAILBOX, SANDBOX_LAUNCH));
	assert_false(sandbox_same_walls(SANDBOX_AUTHD_HASH, SANDBOX_AUTHD));
	assert_false(sandbox_same_walls(SANDBOX_SMTPD, SANDBOX_KINDS));
	assert_false(sandbox_same_walls(SANDBOX_SMTPD_SESSION, SANDBOX_REMOTE));
	skip_if_sanitized();
	/* What such a wall would stop is stopped elsewhere. */
	for (unsigned k = 0; k < SANDBOX_KINDS; k++)
		assert_int_equal(try_in((enum sandbox)k,
		    own_a_descriptor_for_the_parent), NO);
}

static int
look_at_limits(void)
{
	struct rlimit core, proc, as;

	if (getrlimit(RLIMIT_CORE, &core) == -1 ||
	    getrlimit(RLIMIT_NPROC, &proc) == -1 ||
	    getrlimit(RLIMIT_AS, &as) == -1)
		return -1;
	return core.rlim_max == 0 && proc.rlim_max == 0 &&
	    as.rlim_max == (rlim_t)512 * 1024 * 1024 &&
	    prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 &&
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : -1;
}

static void
a_session_has_no_core_no_children_and_a_ceiling(void **state)
{
	(void)state;
	skip_if_sanitized();
	assert_int_equal(try_in(SANDBOX_SMTPD_SESSION, look_at_limits), OK);
}

/* ---- kernels that lack a layer ----------------------------------------- */

/* What a program says on stderr when it enters; its exit status. */
static int
enter_and_listen(char *out, size_t size, int times)
{
	int p[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		(void)dup2(p[1], 2);
		(void)close(p[0]);
		(void)close(p[1]);
		while (times-- > 0)
			sandbox_enter(SANDBOX_SMTPD, &cfg, NULL);
		_exit(0);
	}
	(void)close(p[1]);
	while ((n = read(p[0], out + len, size - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	(void)close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static unsigned
lines(const char *s)
{
	unsigned n = 0;

	for (; *s != '\0'; s++)
		n += *s == '\n';
	return n;
}

static void
a_missing_layer_costs_one_log_line_a_program(void **state)
{
	char said[4096];

	(void)state;
	skip_if_sanitized();
	no_landlock = no_seccomp = true;
	assert_int_equal(enter_and_listen(said, sizeof(said), 2), 0);
	assert_int_equal(lines(said), 1);
	assert_non_null(strstr(said, "sandbox-missing"));
	assert_non_null(strstr(said, "layer=landlock"));
	/* What is left still holds. */
	no_seccomp = false;
	assert_int_equal(try_in(SANDBOX_SMTPD_SESSION, open_passwd), NO);
	no_landlock = false;
	no_seccomp = true;
	if (sandbox_landlock_abi() > 0)
		assert_int_equal(try_in(SANDBOX_SMTPD_SESSION, open_passwd),
		    NO);
	no_seccomp = false;
}

static void
require_sandbox_makes_a_missing_layer_fatal(void **state)
{
	char said[4096];

	(void)state;
	skip_if_sanitized();
	cfg.require_sandbox = true;
	no_seccomp = true;
	assert_int_equal(enter_and_listen(said, sizeof(said), 1), EX_CONFIG);
	assert_non_null(strstr(said, "layer=seccomp"));
	assert_non_null(strstr(said, "require_sandbox"));
	no_seccomp = cfg.require_sandbox = false;
}

static void
a_whole_sandbox_is_entered_without_a_word(void **state)
{
	char said[4096];

	(void)state;
	skip_without_landlock();
	cfg.require_sandbox = true;
	assert_int_equal(enter_and_listen(said, sizeof(said), 1), 0);
	assert_string_equal(said, "");
	cfg.require_sandbox = false;
}

static void
names_are_found_again_and_say_what_is_missing(void **state)
{
	bool whole;

	(void)state;
	for (unsigned k = 0; k < SANDBOX_KINDS; k++) {
		char name[32];

		assert_in_range(strlen(sandbox_name((enum sandbox)k)), 1, 14);
		assert_int_equal(sandbox_find(sandbox_name((enum sandbox)k),
		    &whole), k);
		assert_true(whole);
		(void)snprintf(name, sizeof(name), "%s-",
		    sandbox_name((enum sandbox)k));
		assert_int_equal(sandbox_find(name, &whole), k);
		assert_false(whole);
	}
	assert_int_equal(sandbox_find("sh", &whole), SANDBOX_KINDS);
	assert_int_equal(sandbox_find("smtpdx", &whole), SANDBOX_KINDS);
	/* It waits for a client. */
	assert_int_equal(sandbox_find("smtpd:session+", &whole),
	    SANDBOX_SMTPD_SESSION);
	assert_true(whole);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_can_do_nothing_but_talk),
		cmocka_unit_test(whoever_executes_or_traces_dies),
		cmocka_unit_test(
		    only_masters_fork_and_never_into_new_namespaces),
		cmocka_unit_test(
		    only_remote_reaches_the_internet_and_nobody_listens),
		cmocka_unit_test(each_reaches_its_own_directories_only),
		cmocka_unit_test(the_queue_moves_files_between_its_directories),
		cmocka_unit_test(a_child_puts_its_own_sandbox_over_its_parents),
		cmocka_unit_test(
		    only_a_child_that_reaches_less_gets_walls_of_its_own),
		cmocka_unit_test(
		    a_session_has_no_core_no_children_and_a_ceiling),
		cmocka_unit_test(a_missing_layer_costs_one_log_line_a_program),
		cmocka_unit_test(require_sandbox_makes_a_missing_layer_fatal),
		cmocka_unit_test(a_whole_sandbox_is_entered_without_a_word),
		cmocka_unit_test(names_are_found_again_and_say_what_is_missing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
