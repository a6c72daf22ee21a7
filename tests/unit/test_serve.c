/* Tests of lib/serve: acceptor, pool, and the three ways to be started. */
#include "serve_host.h"

#include <netinet/tcp.h>

#include <errno.h>

#include "deadline.h"

/* ---- conversations ----------------------------------------------------- */

static bool
is_submission(const char *name)
{
	return strcmp(name, "submission") == 0;
}

static bool
nobody(const char *name, int64_t uid)
{
	(void)name;
	(void)uid;
	return false;
}

static bool
has_option(int fd, int level, int option)
{
	int on = 0;
	socklen_t len = sizeof(on);

	return getsockopt(fd, level, option, &on, &len) == 0 && on != 0;
}

/* Tells who it is talking to, then echoes lines; "crash" ends it badly. */
static int
echo(int fd, const struct serve_conn *c, void *arg)
{
	struct buf text = BUF_INIT, line = BUF_INIT;
	struct stream s;
	bool tcp = c->peer.ss.ss_family == AF_INET;

	netaddr_text(&c->peer, &text);
	stream_init(&s, fd, c->is_socket ? fd : STDOUT_FILENO);
	stream_printf(&s, "%s %s %d %s%s%s\n", c->name, text.data,
	    tcp ? netaddr_port(&c->peer) : 0, (const char *)arg,
	    tcp && has_option(fd, IPPROTO_TCP, TCP_NODELAY) ? " nodelay" : "",
	    tcp && has_option(fd, SOL_SOCKET, SO_KEEPALIVE) ? " alive" : "");
	while (stream_line(&s, &line, 200, EOL_LF, deadline_in(20)) ==
	    LINE_OK) {
		if (strcmp(buf_str(&line), "crash") == 0)
			(void)raise(SIGKILL);
		if (strcmp(buf_str(&line), "pid") == 0)
			stream_printf(&s, "%d\n", (int)getpid());
		else
			stream_printf(&s, "%s\n", buf_str(&line));
	}
	if (stream_flush(&s, deadline_in(1)) == -1)
		log_errno(NULL, "flush");
	stream_release(&s);
	buf_release(&text);
	buf_release(&line);
	return 7;
}

/* The port of our end. */
static int
own_port(int fd)
{
	struct netaddr a = { .len = sizeof(a.ss) };

	assert_int_equal(getsockname(fd, (struct sockaddr *)&a.ss, &a.len), 0);
	return netaddr_port(&a);
}

static char hi[] = "hi";
static const struct serve plain = { .session = echo, .arg = hi, .max = 8,
    .busy = BUSY };

static void
each_connection_is_a_child_of_its_own(void **state)
{
	struct server s = start(&plain, 0, 0);
	char want[128], first[32];
	int fd[3];

	(void)state;
	fd[0] = dial(s.port[0]);
	(void)snprintf(want, sizeof(want),
	    "smtp 127.0.0.1 %d hi nodelay alive\n", own_port(fd[0]));
	assert_string_equal(hear(fd[0], 5000), want);
	fd[1] = dial(s.port[1]);
	(void)snprintf(want, sizeof(want),
	    "submission 127.0.0.1 %d hi nodelay alive\n", own_port(fd[1]));
	assert_string_equal(hear(fd[1], 5000), want);
	fd[2] = ctl_connect(s.path);
	assert_string_equal(hear(fd[2], 5000), "inject unix 0 hi\n");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(write(fd[i], "pid\n", 4), 4);
		if (i == 0)
			(void)strlcpy(first, hear(fd[i], 5000), sizeof(first));
		else
			assert_string_not_equal(hear(fd[i], 5000), first);
	}
	/* A crash is that session's own affair. */
	assert_int_equal(write(fd[0], "crash\n", 6), 6);
	assert_string_equal(hear(fd[0], 5000), "(end)");
	assert_int_equal(write(fd[1], "still\n", 6), 6);
	assert_string_equal(hear(fd[1], 5000), "still\n");
	/* SIGTERM ends the acceptor and the sessions that are left. */
	assert_int_equal(stop(&s), 0);
	assert_string_equal(hear(fd[1], 5000), "(end)");
	assert_string_equal(hear(fd[2], 5000), "(end)");
	hang_up(fd, 3);
}

static void
one_address_gets_no_more_than_its_share(void **state)
{
	struct serve conf = plain;
	struct server s;
	int fd[4], sock;

	(void)state;
	conf.max_per_client = 2;
	s = start(&conf, 0, 0);
	for (int i = 0; i < 2; i++) {
		fd[i] = dial(s.port[i]);
		assert_string_not_equal(hear(fd[i], 5000), BUSY);
	}
	fd[2] = dial(s.port[1]);
	assert_string_equal(hear(fd[2], 5000), BUSY);
	assert_string_equal(hear(fd[2], 5000), "(end)");
	sock = ctl_connect(s.path);
	assert_string_equal(hear(sock, 5000), "inject unix 0 hi\n");
	(void)close(sock);
	/* A place that is given up can be taken again. */
	(void)shutdown(fd[0], SHUT_WR);
	assert_string_equal(hear(fd[0], 5000), "(end)");
	for (int tries = 0;; tries++) {
		fd[3] = dial(s.port[0]);
		if (strcmp(hear(fd[3], 5000), BUSY) != 0)
			break;
		(void)close(fd[3]);
		assert_true(tries < 1000);
	}
	hang_up(fd, 4);
	assert_int_equal(stop(&s), 0);
}

static void
a_full_house_lets_wait_then_says_busy_but_keeps_reserved_places(void **state)
{
	struct serve conf = plain;
	struct server s;
	int fd[4];

	(void)state;
	conf.max = 3;
	conf.reserved = 1;
	conf.is_reserved = is_submission;
	s = start(&conf, 0, 0);
	for (int i = 0; i < 2; i++) {
		fd[i] = dial(s.port[0]);
		assert_int_equal(strncmp(hear(fd[i], 5000), "smtp ", 5), 0);
	}
	/* The third waits, and gets in when a place becomes free. */
	fd[2] = dial(s.port[0]);
	assert_string_equal(hear(fd[2], 100), "(silence)");
	(void)close(fd[0]);
	assert_int_equal(strncmp(hear(fd[2], 5000), "smtp ", 5), 0);
	/* The fourth waits in vain. */
	fd[0] = dial(s.port[0]);
	assert_string_equal(hear(fd[0], 100), "(silence)");
	fd[3] = dial(s.port[1]);
	assert_int_equal(strncmp(hear(fd[3], 1000), "submission ", 11), 0);
	assert_string_equal(hear(fd[0], SERVE_PATIENCE + 1000), BUSY);
	hang_up(fd, 4);
	assert_int_equal(stop(&s), 0);
}

static void
a_unix_client_is_asked_for_his_uid(void **state)
{
	struct serve conf = plain;
	struct server s;
	int fd;

	(void)state;
	conf.allowed = nobody;
	s = start(&conf, 0, 0);
	fd = ctl_connect(s.path);
	assert_string_equal(hear(fd, 5000), "(end)");
	(void)close(fd);
	assert_int_equal(stop(&s), 0);
}

static void
no_descriptors_left_means_rest_not_spin(void **state)
{
	/* 0-2, three listeners, the signals: 7 and nothing for a client. */
	struct server s = start(&plain, 0, 7);
	struct rusage used;
	int fd = dial(s.port[0]), status;

	(void)state;
	assert_string_equal(hear(fd, 1200), "(silence)");
	assert_int_equal(kill(s.pid, SIGTERM), 0);
	assert_int_equal(wait4(s.pid, &status, 0, &used), s.pid);
	assert_int_equal(status, 0);
	assert_int_equal(used.ru_utime.tv_sec + used.ru_stime.tv_sec, 0);
	assert_true(used.ru_utime.tv_usec + used.ru_stime.tv_usec < 200000);
	(void)close(fd);
	forget(&s);
}

/* ---- pool -------------------------------------------------------------- */

static void
workers_serve_again_and_are_replaced(void **state)
{
	struct server s = start(&plain, 2, 0);
	char pids[4][32];
	int fd;

	(void)state;
	for (int i = 0; i < 4; i++) {
		fd = ctl_connect(s.path);
		assert_string_equal(hear(fd, 5000), "inject unix 0 hi\n");
		assert_int_equal(write(fd, "pid\n", 4), 4);
		(void)strlcpy(pids[i], hear(fd, 5000), sizeof(pids[i]));
		if (i == 1 || i == 3)
			assert_int_equal(write(fd, "crash\n", 6), 6);
		else
			(void)shutdown(fd, SHUT_WR);
		assert_string_equal(hear(fd, 5000), "(end)");
		(void)close(fd);
	}
	/* Four connections, not four processes at once: two crashed. */
	fd = ctl_connect(s.path);
	assert_string_equal(hear(fd, 5000), "inject unix 0 hi\n");
	(void)close(fd);
	assert_int_equal(stop(&s), 0);
}

/* Answers each line with "done" after a while; a pipe tells when it began. */
static int begun[2];

static int
slow(int fd, const struct serve_conn *c, void *arg)
{
	struct buf line = BUF_INIT;
	struct stream s;

	(void)c;
	(void)arg;
	stream_init(&s, fd, fd);
	while (stream_line(&s, &line, 200, EOL_LF, deadline_in(20)) ==
	    LINE_OK) {
		if (write(begun[1], "x", 1) != 1)
			_exit(1);
		(void)poll(NULL, 0, 300);
		stream_puts(&s, "done\n");
		if (stream_flush(&s, deadline_in(1)) == -1)
			break;
	}
	stream_release(&s);
	buf_release(&line);
	return 0;
}

static void
a_worker_finishes_what_has_arrived(void **state)
{
	struct serve conf = { .session = slow, .max = 2 };
	struct server s;
	int64_t begin;
	char c;
	int fd, idle, status;

	(void)state;
	assert_int_equal(pipe(begun), 0);
	/* Behind the listeners' numbers, where closefrom() would take it. */
	s.tcp[0] = s.tcp[1] = -1;
	(void)snprintf(s.path, sizeof(s.path), "unix:/tmp/facteur-serve-%d",
	    (int)getpid());
	s.sock = netaddr_listen(s.path, 0600);
	assert_true(s.sock != -1);
	memmove(s.path, s.path + 5, strlen(s.path) - 4);
	s.pid = fork();
	assert_true(s.pid != -1);
	if (s.pid == 0) {
		char number[32];
		int spare = fcntl(begun[1], F_DUPFD, 100);

		(void)alarm(30);
		begun[1] = spare;
		(void)snprintf(number, sizeof(number), "%d", (int)getpid());
		if (dup2(s.sock, 3) == -1 ||
		    setenv("LISTEN_PID", number, 1) == -1 ||
		    setenv("LISTEN_FDS", "1", 1) == -1 ||
		    setenv("LISTEN_FDNAMES", "inject", 1) == -1)
			_exit(99);
		_exit(serve_pool(&conf, 2));
	}
	fd = ctl_connect(s.path);
	idle = ctl_connect(s.path);
	assert_true(fd != -1 && idle != -1);
	/* Who is still in the backlog at SIGTERM belongs to the next pool. */
	assert_int_equal(write(idle, "zero\n", 5), 5);
	assert_int_equal(read(begun[0], &c, 1), 1);
	assert_string_equal(hear(idle, 5000), "done\n");
	assert_int_equal(write(fd, "one\n", 4), 4);
	assert_int_equal(read(begun[0], &c, 1), 1);
	assert_int_equal(write(fd, "two\nhalf", 8), 8);
	begin = now_ms();
	assert_int_equal(kill(s.pid, SIGTERM), 0);
	/* What had arrived whole is answered, the half line never was. */
	assert_string_equal(hear(fd, 5000), "done\n");
	assert_string_equal(hear(fd, 5000), "done\n");
	assert_string_equal(hear(fd, 5000), "(end)");
	assert_string_equal(hear(idle, 5000), "(end)");
	assert_int_equal(waitpid(s.pid, &status, 0), s.pid);
	assert_int_equal(status, 0);
	assert_true(now_ms() - begin < SERVE_GRACE);
	(void)close(fd);
	(void)close(idle);
	(void)close(s.sock);
	(void)close(begun[0]);
	(void)close(begun[1]);
	(void)unlink(s.path);
}

static void
children_end_with_a_killed_acceptor(void **state)
{
	struct server s = start(&plain, 0, 0);
	int fd = dial(s.port[0]), status;

	(void)state;
	assert_int_equal(strncmp(hear(fd, 5000), "smtp ", 5), 0);
	assert_int_equal(kill(s.pid, SIGKILL), 0);
	assert_int_equal(waitpid(s.pid, &status, 0), s.pid);
	assert_string_equal(hear(fd, 5000), "(end)");
	(void)close(fd);
	forget(&s);
}

/* ---- fd 0 -------------------------------------------------------------- */

/* Runs one session with `in` as fd 0 and `out` as fd 1; gives its status. */
static int
run_one(int in, int out, const char *ip)
{
	pid_t pid = fork();
	int status;

	assert_true(pid != -1);
	if (pid == 0) {
		(void)alarm(30);
		/* Handed over to somebody else: not to us. */
		if (setenv("LISTEN_PID", "1", 1) == -1 ||
		    setenv("LISTEN_FDS", "1", 1) == -1 ||
		    dup2(in, 0) == -1 || dup2(out, 1) == -1)
			_exit(99);
		if (ip != NULL && (setenv("PROTO", "TCP", 1) == -1 ||
		    setenv("TCPREMOTEIP", ip, 1) == -1 ||
		    setenv("TCPREMOTEPORT", "2525", 1) == -1))
			_exit(99);
		_exit(serve_run(&plain));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void
fd_0_may_be_a_socket_or_a_pipe(void **state)
{
	int sv[2], in[2], out[2], port, l = tcp_listener(&port), fd;
	char want[128];

	(void)state;
	fd = dial(port);
	sv[0] = accept(l, NULL, NULL);
	(void)shutdown(fd, SHUT_WR);
	assert_int_equal(run_one(sv[0], sv[0], NULL), 7);
	(void)snprintf(want, sizeof(want), " 127.0.0.1 %d hi nodelay alive\n",
	    own_port(fd));
	assert_string_equal(hear(fd, 5000), want);
	(void)close(sv[0]);
	(void)close(fd);
	(void)close(l);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	(void)shutdown(sv[1], SHUT_WR);
	assert_int_equal(run_one(sv[0], sv[0], NULL), 7);
	assert_string_equal(hear(sv[1], 5000), " unix 0 hi\n");
	hang_up(sv, 2);

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	(void)close(in[1]);
	assert_int_equal(run_one(in[0], out[1], "192.0.2.7"), 7);
	assert_string_equal(hear(out[0], 5000), " 192.0.2.7 2525 hi\n");
	(void)close(in[0]);
	hang_up(out, 2);
}

/* Logs, as a session would; under inetd that would be a part of the dialogue. */
static int
chatter(int fd, const struct serve_conn *c, void *arg)
{
	(void)c;
	(void)arg;
	log_event(NULL, "leak");
	return write(fd, "bye\n", 4) == 4 ? 0 : 1;
}

static void
the_log_is_no_part_of_the_conversation(void **state)
{
	struct serve conf = { .session = chatter, .max = 1 };
	int sv[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	pid = fork();
	assert_true(pid != -1);
	if (pid == 0) {
		for (int i = 0; i < 3; i++)
			if (dup2(sv[0], i) == -1)
				_exit(99);
		_exit(serve_run(&conf));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	(void)close(sv[0]);
	assert_string_equal(hear(sv[1], 5000), "bye\n");
	assert_string_equal(hear(sv[1], 5000), "(end)");
	(void)close(sv[1]);
}

/* What a process finds that was started with these; 98: no descriptor. */
static int
inherits(const char *pid, const char *listeners, const char *value)
{
	pid_t child = fork();
	int status, fd;

	assert_true(child != -1);
	if (child == 0) {
		char me[32];

		(void)snprintf(me, sizeof(me), "%d", (int)getpid());
		if (setenv("LISTEN_PID", pid != NULL ? pid : me, 1) == -1 ||
		    setenv("LISTEN_FDS", listeners, 1) == -1 ||
		    (value != NULL && setenv("TEST_FD", value, 1) == -1))
			_exit(99);
		fd = serve_inherited("TEST_FD");
		if (fd == -1)
			_exit(98);
		_exit(fcntl(fd, F_GETFD) == FD_CLOEXEC ? fd : 97);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WEXITSTATUS(status);
}

static void
a_descriptor_is_inherited_from_who_started_us_alone(void **state)
{
	int fd = dup2(STDERR_FILENO, 60);

	(void)state;
	assert_int_equal(fd, 60);
	assert_int_equal(inherits(NULL, "1", "60"), 60);
	assert_int_equal(inherits("1", "1", "60"), 98);
	assert_int_equal(inherits(NULL, "0", "60"), 98);
	assert_int_equal(inherits(NULL, "1", NULL), 98);
	assert_int_equal(inherits(NULL, "1", ""), 98);
	assert_int_equal(inherits(NULL, "1", "2"), 98);
	assert_int_equal(inherits(NULL, "1", "-60"), 98);
	assert_int_equal(inherits(NULL, "1", "60x"), 98);
	assert_int_equal(inherits(NULL, "1", "61"), 98);
	assert_int_equal(inherits(NULL, "1", "99999999999999999999"), 98);
	(void)close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_connection_is_a_child_of_its_own),
		cmocka_unit_test(one_address_gets_no_more_than_its_share),
		cmocka_unit_test(
		    a_full_house_lets_wait_then_says_busy_but_keeps_reserved_places),
		cmocka_unit_test(a_unix_client_is_asked_for_his_uid),
		cmocka_unit_test(no_descriptors_left_means_rest_not_spin),
		cmocka_unit_test(workers_serve_again_and_are_replaced),
		cmocka_unit_test(a_worker_finishes_what_has_arrived),
		cmocka_unit_test(children_end_with_a_killed_acceptor),
		cmocka_unit_test(fd_0_may_be_a_socket_or_a_pipe),
		cmocka_unit_test(the_log_is_no_part_of_the_conversation),
		cmocka_unit_test(
		    a_descriptor_is_inherited_from_who_started_us_alone),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	log_init("test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
