/*
 * test_serve_short.c - an acceptor on a system that is short of something:
 * it rests and never spins, and serves again afterwards.
 *
 * wrap: accept4
 */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "deadline.h"
#include "serve.h"

#define CHILDREN	4

static struct {
	atomic_int calls;	/* of accept4() */
	atomic_int left;	/* of them that still fail, */
	atomic_int error;	/* with this */
} *board;			/* shared with the server */

int __real_accept4(int, struct sockaddr *, socklen_t *, int);
int __wrap_accept4(int, struct sockaddr *, socklen_t *, int);

int
__wrap_accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	atomic_fetch_add(&board->calls, 1);
	if (atomic_load(&board->left) > 0) {
		atomic_fetch_sub(&board->left, 1);
		errno = atomic_load(&board->error);
		return -1;
	}
	return __real_accept4(fd, sa, len, flags);
}

static int
session(int fd, const struct serve_conn *conn, void *arg)
{
	(void)conn;
	(void)arg;
	return write(fd, "hello\n", 6) == 6 ? 0 : 1;
}

static pid_t
start(int *port_out)
{
	static const struct serve how = { .session = session,
	    .max = CHILDREN };
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0), null;
	char number[32];
	pid_t pid;

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	*port_out = ntohs(sin.sin_port);
	pid = fork();
	if (pid == 0) {
		(void)alarm(30);
		null = open("/dev/null", O_WRONLY);
		(void)dup2(null, 2);
		if (fd != 3 && dup2(fd, 3) == -1)
			_exit(99);
		(void)snprintf(number, sizeof(number), "%d", (int)getpid());
		if (setenv("LISTEN_PID", number, 1) == -1 ||
		    setenv("LISTEN_FDS", "1", 1) == -1)
			_exit(99);
		_exit(serve_run(&how));
	}
	assert_true(pid > 0);
	(void)close(fd);
	return pid;
}

static void
stop(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int
dial(int port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_addr = { htonl(INADDR_LOOPBACK) },
	    .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	return fd;
}

/* Does it greet within ms? */
static bool
greets(int fd, int ms)
{
	struct pollfd p = { fd, POLLIN, 0 };
	char c;

	return poll(&p, 1, ms) == 1 && read(fd, &c, 1) == 1;
}

static void
fail_next(int n, int error)
{
	atomic_store(&board->calls, 0);
	atomic_store(&board->error, error);
	atomic_store(&board->left, n);
}

/* Children wait side by side: another one may come to help at once. */
static void
whoever_is_short_rests_and_serves_again(void **state)
{
	static const int errors[] = { EMFILE, ENFILE, ENOBUFS, ENOMEM };
	int port, fd;

	(void)state;
	for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		/* A fresh one: a child that ends ends the rest as well. */
		pid_t pid = start(&port);
		fail_next(1, errors[i]);
		fd = dial(port);
		assert_true(greets(fd, 5000));
		/* The one that failed, the one that did not, and looks. */
		assert_in_range(atomic_load(&board->calls), 2, 1 + CHILDREN);
		(void)close(fd);
		stop(pid);
	}
}

static void
a_long_shortage_costs_each_child_one_attempt_a_second(void **state)
{
	int port, fd;
	pid_t pid = start(&port);

	(void)state;
	fail_next(1000000, ENFILE);
	fd = dial(port);
	assert_false(greets(fd, 1500));
	assert_in_range(atomic_load(&board->calls), 1, 2 * CHILDREN);
	(void)close(fd);
	stop(pid);
}

static void
a_client_that_has_gone_again_delays_nobody(void **state)
{
	static const int errors[] = { ECONNABORTED, EPROTO, ENETDOWN,
		EHOSTUNREACH, EOPNOTSUPP };
	int port, fd;
	pid_t pid = start(&port);

	(void)state;
	for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		int64_t before = now_ms();

		fail_next(3, errors[i]);
		fd = dial(port);
		assert_true(greets(fd, 5000));
		assert_in_range(now_ms() - before, 0, 800);
		assert_in_range(atomic_load(&board->calls), 4, 4 + CHILDREN);
		(void)close(fd);
	}
	stop(pid);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whoever_is_short_rests_and_serves_again),
		cmocka_unit_test(
		    a_long_shortage_costs_each_child_one_attempt_a_second),
		cmocka_unit_test(a_client_that_has_gone_again_delays_nobody),
	};

	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
