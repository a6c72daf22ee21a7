/*
 * sink - an SMTP server that takes everything and keeps nothing; the far end
 * of the relay rows of `make bench`.  One process, one epoll.
 *
 * usage: sink -p port -n messages [-w ms] [-c connections]
 *   -w MS  the answer to the final dot comes so much later
 *   -c N   more connections at once are told 421
 * Says "ready", and ends with one JSON line when N messages are answered, or at
 * SIGTERM.  Times in seconds on CLOCK_MONOTONIC; "full" is the time of the
 * first moment at which 95 % of -c connections held a message, -1: never.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <sys/queue.h>

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

struct conn {
	int	fd;
	bool	data;		/* inside DATA */
	bool	paused;		/* has said more while an answer is due */
	int	matched;	/* bytes of CRLF . CRLF seen */
	int	messages;
	double	due;		/* when the delayed answer goes out; 0: none */
	char	line[1024];
	size_t	len;
	TAILQ_ENTRY(conn) next;
};

static TAILQ_HEAD(, conn) late = TAILQ_HEAD_INITIALIZER(late);
static int ep, target, limit, received, answered, conns, open_now, open_max;
static int held, reuse_max;
static double wait_s, first, last, full = -1;
static volatile sig_atomic_t stop;

static double
now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
say(struct conn *c, const char *text)
{
	if (write(c->fd, text, strlen(text)) == -1 && errno != EPIPE &&
	    errno != ECONNRESET)
		warn("write");
}

static void
bye(struct conn *c)
{
	if (c->due != 0) {
		TAILQ_REMOVE(&late, c, next);
		held--;
	}
	(void)close(c->fd);
	free(c);
	open_now--;
}

static void
taken(struct conn *c)
{
	c->data = false;
	received++;
	if (++c->messages > reuse_max)
		reuse_max = c->messages;
	last = now();
	if (wait_s == 0) {
		answered++;
		say(c, "250 2.0.0 taken\r\n");
		return;
	}
	c->due = last + wait_s;
	TAILQ_INSERT_TAIL(&late, c, next);
	if (++held >= limit * 95 / 100 && full < 0 && limit != 0)
		full = last;
}

/* -1: the connection is gone. */
static int
command(struct conn *c)
{
	if (strncasecmp(c->line, "EHLO", 4) == 0)
		say(c, "250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
		    "250 SIZE 0\r\n");
	else if (strncasecmp(c->line, "DATA", 4) == 0) {
		say(c, "354 go\r\n");
		c->data = true;
		c->matched = 2;
	} else if (strncasecmp(c->line, "QUIT", 4) == 0) {
		say(c, "221 bye\r\n");
		bye(c);
		return -1;
	} else
		say(c, "250 ok\r\n");
	return 0;
}

/* One byte of content: true at the last. */
static bool
content(struct conn *c, char ch)
{
	static const char end[] = "\r\n.\r\n";

	if (ch == end[c->matched])
		c->matched++;
	else
		c->matched = ch == '\r';
	return c->matched == 5;
}

static int
input(struct conn *c, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (c->data) {
			if (c->matched == 0) {
				const char *p = memchr(b + i, '\r', n - i);

				if (p == NULL)
					return 0;
				i = (size_t)(p - b);
			}
			if (content(c, b[i]))
				taken(c);
		} else if (b[i] == '\n') {
			c->line[c->len] = '\0';
			c->len = 0;
			if (command(c) == -1)
				return -1;
		} else if (c->len < sizeof(c->line) - 1)
			c->line[c->len++] = b[i];
	}
	return 0;
}

static void
news(struct conn *c)
{
	char buf[65536];
	ssize_t r;

	/* QUIT with the dot, or half a close (Exim): it still wants its reply. */
	if (c->due != 0) {
		c->paused = true;
		(void)epoll_ctl(ep, EPOLL_CTL_DEL, c->fd, NULL);
		return;
	}
	r = read(c->fd, buf, sizeof(buf));
	if (r == -1 && errno == EAGAIN)
		return;
	if (r <= 0)
		bye(c);
	else
		(void)input(c, buf, (size_t)r);
}

static void
greet(int fd)
{
	struct conn *c = calloc(1, sizeof(*c));
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	int one = 1;

	if (c == NULL)
		err(1, "calloc");
	c->fd = fd;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == -1)
		err(1, "epoll_ctl");
	if (conns++ == 0)
		first = now();
	if (++open_now > open_max)
		open_max = open_now;
	say(c, "220 sink.test ESMTP\r\n");
}

static void
accept_all(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL,
	    SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
		if (limit == 0 || open_now < limit) {
			greet(fd);
			continue;
		}
		if (write(fd, "421 too many\r\n", 14) == -1)
			warn("write");
		(void)close(fd);
	}
}

/* Gives the answers that are due; ms until the next, -1: none waits. */
static int
answer_late(void)
{
	double t = now();
	struct conn *c;

	while ((c = TAILQ_FIRST(&late)) != NULL && c->due <= t) {
		struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

		TAILQ_REMOVE(&late, c, next);
		c->due = 0;
		held--;
		answered++;
		last = t;
		say(c, "250 2.0.0 taken\r\n");
		if (c->paused)
			(void)epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev);
		c->paused = false;
	}
	return c == NULL ? -1 : (int)((c->due - t) * 1e3) + 1;
}

static void
on_term(int sig)
{
	(void)sig;
	stop = 1;
}

static int
listener(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct epoll_event ev = { .events = EPOLLIN };
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	a.sin_port = htons((uint16_t)port);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one,
	    sizeof(one)) == -1 ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) == -1 ||
	    listen(fd, SOMAXCONN) == -1 ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == -1)
		err(1, "listen");
	return fd;
}

static void
serve(int fd)
{
	struct epoll_event ev[128];

	while (!stop && (target == 0 || answered < target)) {
		int n = epoll_wait(ep, ev, 128, answer_late());

		for (int i = 0; i < n; i++)
			if (ev[i].data.ptr == NULL)
				accept_all(fd);
			else
				news(ev[i].data.ptr);
	}
}

int
main(int argc, char *argv[])
{
	struct sigaction sa = { .sa_handler = on_term };
	int ch, port = 0;

	while ((ch = getopt(argc, argv, "p:n:w:c:")) != -1)
		switch (ch) {
		case 'p': port = (int)strtonum(optarg, 1, 65535, NULL); break;
		case 'n': target = (int)strtonum(optarg, 0, 1 << 30, NULL); break;
		case 'w':
			wait_s = (double)strtonum(optarg, 0, 1 << 20, NULL) / 1e3;
			break;
		case 'c': limit = (int)strtonum(optarg, 0, 1 << 20, NULL); break;
		default: return 64;
		}
	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigaction(SIGTERM, &sa, NULL);
	if ((ep = epoll_create1(EPOLL_CLOEXEC)) == -1)
		err(1, "epoll_create1");
	ch = listener(port);
	(void)puts("ready");
	(void)fflush(stdout);
	serve(ch);
	(void)printf("{\"received\":%d,\"conns\":%d,\"max_conns\":%d,"
	    "\"max_reuse\":%d,\"first\":%.6f,\"last\":%.6f,\"full\":%.6f}\n",
	    received, conns, open_max, reuse_max, first, last, full);
	return 0;
}
