/*
 * serve_host.h - for the tests of lib/serve: a server in a child, with two TCP
 * listeners and a Unix one, and clients that listen to it.
 */
#ifndef SERVE_HOST_H
#define SERVE_HOST_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
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

#include "ctl.h"
#include "log.h"
#include "serve.h"

#define BUSY	"421 too busy\r\n"

/* ---- a server in a child ----------------------------------------------- */

struct server {
	pid_t	pid;
	int	tcp[2];		/* listeners, ours too */
	int	port[2];
	int	sock;		/* a Unix listener */
	int	renew;		/* borrowed */
	char	path[64];
};

static int
tcp_listener(int *port_out)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd != -1);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	*port_out = ntohs(sin.sin_port);
	return fd;
}

/*
 * In the child: listeners at 3.., and at 6 the pipe that asks for a successor,
 * as a supervisor would hand them over.
 */
static void
hand_over(const struct server *s, const char *names)
{
	int from[4] = { s->tcp[0], s->tcp[1], s->sock, s->renew };
	int n = s->renew == -1 ? 3 : 4;
	char number[32];

	for (int i = 0; i < n; i++)
		from[i] = fcntl(from[i], F_DUPFD, 100);
	for (int i = 0; i < n; i++)
		if (dup2(from[i], 3 + i) == -1 || close(from[i]) == -1)
			_exit(99);
	closefrom(3 + n);
	(void)snprintf(number, sizeof(number), "%d", (int)getpid());
	if (setenv("LISTEN_PID", number, 1) == -1 ||
	    setenv("LISTEN_FDS", "3", 1) == -1 ||
	    setenv("LISTEN_FDNAMES", names, 1) == -1 ||
	    (n == 4 && setenv("FACTEUR_RENEW", "6", 1) == -1))
		_exit(99);
}

/* Starts serve_run (workers 0) or serve_pool. renew: a pipe's end, or -1. */
static struct server
start_with(const struct serve *conf, unsigned workers, rlim_t files, int renew)
{
	struct server s = { .renew = renew };
	struct buf spec = BUF_INIT;
	struct rlimit limit = { files, files };

	s.tcp[0] = tcp_listener(&s.port[0]);
	s.tcp[1] = tcp_listener(&s.port[1]);
	(void)snprintf(s.path, sizeof(s.path), "/tmp/facteur-serve-%d",
	    (int)getpid());
	buf_addf(&spec, "unix:%s", s.path);
	s.sock = netaddr_listen(spec.data, 0600);
	assert_true(s.sock != -1);
	buf_release(&spec);
	s.pid = fork();
	assert_true(s.pid != -1);
	if (s.pid == 0) {
		(void)alarm(30);
		hand_over(&s, "smtp:submission:inject");
		if (files != 0 && setrlimit(RLIMIT_NOFILE, &limit) == -1)
			_exit(99);
		_exit(workers != 0 ? serve_pool(conf, workers) :
		    serve_run(conf));
	}
	return s;
}

static struct server
start(const struct serve *conf, unsigned workers, rlim_t files)
{
	return start_with(conf, workers, files, -1);
}

static void
forget(struct server *s)
{
	(void)close(s->tcp[0]);
	(void)close(s->tcp[1]);
	(void)close(s->sock);
	(void)unlink(s->path);
}

/* SIGTERM, and the exit status. */
static int
stop(struct server *s)
{
	int status;

	assert_int_equal(kill(s->pid, SIGTERM), 0);
	assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
	forget(s);
	return status;
}

/* ---- clients ----------------------------------------------------------- */

static int
dial(int port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	return fd;
}

/* What the server says within `ms`: one line, or "(end)", or "(silence)". */
static const char *
hear(int fd, int ms)
{
	static char line[256];
	struct pollfd p = { fd, POLLIN, 0 };
	size_t n = 0;

	while (n < sizeof(line) - 1) {
		if (poll(&p, 1, ms) != 1)
			return "(silence)";
		if (read(fd, line + n, 1) != 1)
			return "(end)";
		if (line[n++] == '\n')
			break;
	}
	line[n] = '\0';
	return line;
}

static void
hang_up(int *fd, int n)
{
	for (int i = 0; i < n; i++)
		(void)close(fd[i]);
}
#endif
