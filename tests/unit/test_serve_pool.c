/*
 * The pool of workers: it grows while all are busy, and replaces who dies.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "log.h"
#include "serve.h"

#define WARM	2
#define MOST	6

static char dir[] = "/tmp/facteur-pool-XXXXXX";
static struct sockaddr_un addr = { .sun_family = AF_UNIX };

/* Answers each byte with the worker's pid; 'x' kills the worker. */
static int
session(int fd, const struct serve_conn *c, void *arg)
{
	pid_t me = getpid();
	char byte;

	(void)c;
	(void)arg;
	while (read(fd, &byte, 1) == 1) {
		if (byte == 'x')
			abort();
		if (write(fd, &me, sizeof(me)) != sizeof(me))
			break;
	}
	close(fd);
	return 0;
}

static pid_t
start_pool(void)
{
	struct serve s = { .session = session, .max = MOST };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char pid[16];
	pid_t child;

	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, SOMAXCONN), 0);
	if ((child = fork()) == 0) {
		if (fd != 3 && (dup2(fd, 3) == -1 || close(fd) == -1))
			_exit(99);
		snprintf(pid, sizeof(pid), "%d", (int)getpid());
		setenv("LISTEN_PID", pid, 1);
		setenv("LISTEN_FDS", "1", 1);
		setenv("LISTEN_FDNAMES", "test", 1);
		_exit(serve_pool(&s, WARM) == 0 ? 0 : 98);
	}
	close(fd);
	return child;
}

static int
client(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* The pid of the worker that serves fd; 0 when nobody does within ms. */
static pid_t
ask(int fd, int ms)
{
	struct pollfd p = { fd, POLLIN, 0 };
	pid_t pid = 0;

	assert_int_equal(write(fd, "?", 1), 1);
	if (poll(&p, 1, ms) != 1)
		return 0;
	assert_int_equal(read(fd, &pid, sizeof(pid)), sizeof(pid));
	return pid;
}

static void
stop_pool(pid_t pool)
{
	int status;

	assert_int_equal(kill(pool, SIGTERM), 0);
	assert_int_equal(waitpid(pool, &status, 0), pool);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	unlink(addr.sun_path);
}

static void
clients_that_hold_all_workers_do_not_keep_the_next_one_waiting(void **state)
{
	pid_t pool = start_pool(), seen[MOST];
	int fd[MOST + 1];

	(void)state;
	for (int i = 0; i < MOST; i++) {
		fd[i] = client();
		seen[i] = ask(fd[i], 10000);
		assert_int_not_equal(seen[i], 0);
		for (int k = 0; k < i; k++)
			assert_int_not_equal(seen[i], seen[k]);
	}
	/* The maximum holds: one more waits until another leaves. */
	fd[MOST] = client();
	assert_int_equal(ask(fd[MOST], 300), 0);
	close(fd[0]);
	{
		struct pollfd p = { fd[MOST], POLLIN, 0 };

		assert_int_equal(poll(&p, 1, 10000), 1);
	}
	for (int i = 1; i <= MOST; i++)
		close(fd[i]);
	stop_pool(pool);
}

static void
a_worker_that_dies_takes_only_its_own_client_along(void **state)
{
	pid_t pool = start_pool();
	int a = client(), b = client(), c;
	char byte;

	(void)state;
	assert_int_not_equal(ask(a, 10000), 0);
	assert_int_not_equal(ask(b, 10000), 0);
	assert_int_equal(write(a, "x", 1), 1);
	assert_int_equal(read(a, &byte, 1), 0);
	assert_int_not_equal(ask(b, 10000), 0);
	c = client();
	assert_int_not_equal(ask(c, 10000), 0);
	close(a);
	close(b);
	close(c);
	stop_pool(pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_that_hold_all_workers_do_not_keep_the_next_one_waiting),
		cmocka_unit_test(a_worker_that_dies_takes_only_its_own_client_along),
	};
	int r;

	log_init("test");
	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/s", dir);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(dir);
	return r;
}
