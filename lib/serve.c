/*
 * serve.c - how a server finds out what it was started for, and the plain
 * case: one conversation on fd 0.  serve_accept.c forks one child for each
 * connection, serve_pool.c keeps a few workers.
 *
 * Runs as the server's own uid; no byte of a client is read here.
 * Way 1, 3, 6 and 8 of 8.  From: a connection.  To: session().
 */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "ctl.h"
#include "log.h"
#include "serve_private.h"

#define FIRST_FD	3	/* as systemd counts */

/* How many listeners were handed over to this very process; 0: none. */
static int
handed_over(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	const char *bad;
	long long v;

	if (pid == NULL || n == NULL)
		return 0;
	v = strtonum(pid, 1, INT32_MAX, &bad);
	if (bad != NULL || v != getpid())
		return 0;
	v = strtonum(n, 1, 1024, &bad);
	return bad != NULL ? 0 : (int)v;
}

int
serve_inherited(const char *variable)
{
	const char *s = getenv(variable), *bad;
	int fd;

	if (s == NULL || handed_over() == 0)
		return -1;
	fd = (int)strtonum(s, FIRST_FD, 4096, &bad);
	if (bad != NULL || fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
		return -1;
	return fd;
}

int
successor_pipe(void)
{
	return serve_inherited("FACTEUR_RENEW");
}

enum serve_mode
serve_mode(void)
{
	struct stat st;

	if (handed_over() > 0)
		return SERVE_LISTEN;
	if (fstat(STDIN_FILENO, &st) == 0 && S_ISSOCK(st.st_mode))
		return SERVE_SOCKET;
	return SERVE_PIPE;
}

/* The i-th of LISTEN_FDNAMES; sockets without a name are called "". */
static const char *
listener_name(int i)
{
	static char *v[SERVE_LISTENERS];
	static bool known;
	char *rest;

	if (!known && getenv("LISTEN_FDNAMES") != NULL) {
		rest = xstrdup(getenv("LISTEN_FDNAMES"));
		for (int n = 0; rest != NULL && n < SERVE_LISTENERS; n++)
			v[n] = strsep(&rest, ":");
	}
	known = true;
	return i < SERVE_LISTENERS && v[i] != NULL ? v[i] : "";
}

int
serve_listeners(int fd[], const char *name[], int max)
{
	int n = handed_over();

	if (n > max) {
		errno = E2BIG;
		return -1;
	}
	for (int i = 0; i < n; i++) {
		fd[i] = FIRST_FD + i;
		if (fcntl(fd[i], F_SETFD, FD_CLOEXEC) == -1)
			return -1;
		name[i] = listener_name(i);
	}
	return n;
}

static bool
is_tcp(int fd)
{
	int domain;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
	    (domain == AF_INET || domain == AF_INET6);
}

/* One write for a reply must be one packet, and a dead client must be noticed. */
static int
tune_tcp(int fd)
{
	static const int on = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) == -1)
		return -1;
	return 0;
}

int
listeners_open(struct listeners *l, const struct serve *s)
{
	int fd[SERVE_LISTENERS];
	const char *name[SERVE_LISTENERS];
	int n = serve_listeners(fd, name, SERVE_LISTENERS);

	if (n == -1)
		return -1;
	l->n = (unsigned)n;
	for (int i = 0; i < n; i++) {
		int flags = fcntl(fd[i], F_GETFL);

		l->v[i] = (struct listener){ fd[i], name[i], is_tcp(fd[i]),
		    s->is_reserved != NULL && s->is_reserved(name[i]) };
		if (flags == -1 ||
		    fcntl(fd[i], F_SETFL, flags | O_NONBLOCK) == -1)
			return -1;
	}
	return 0;
}

void
listeners_close(struct listeners *l)
{
	if (l->n == 0)
		return;
	/* They follow each other.  Kernels before 5.9 have no such call. */
	if (close_range((unsigned)l->v[0].fd,
	    (unsigned)l->v[l->n - 1].fd, 0) == -1)
		for (unsigned i = 0; i < l->n; i++)
			(void)close(l->v[i].fd);
	l->n = 0;
}

bool
listener_allows(const struct listener *l, const struct serve *s, int fd)
{
	int64_t uid;
	bool ok;

	if (l->tcp)
		return true;
	uid = ctl_peer_uid(fd);
	if (uid == -1)
		ok = false;
	else if (s->allowed != NULL)
		ok = s->allowed(l->name, uid);
	else
		ok = uid == 0 || uid == (int64_t)geteuid();
	if (!ok)
		log_event(NULL, "refused socket=%s uid=%lld", l->name,
		    (long long)uid);
	return ok;
}

int
listener_accept(const struct listener *l, struct netaddr *peer_out)
{
	int fd;

	memset(peer_out, 0, sizeof(*peer_out));
	peer_out->len = sizeof(peer_out->ss);
	fd = accept4(l->fd, (struct sockaddr *)&peer_out->ss, &peer_out->len,
	    SOCK_CLOEXEC);
	if (fd != -1) {
		if (!l->tcp)
			peer_out->ss.ss_family = AF_UNIX;
		return fd;
	}
	switch (errno) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		errno = EBUSY;
		break;
	case EWOULDBLOCK:
#if EAGAIN != EWOULDBLOCK
	case EAGAIN:
#endif
		errno = EAGAIN;
		break;
	default:		/* ECONNABORTED and the network's own errors */
		errno = ECONNABORTED;
	}
	return -1;
}

int
listeners_watch(const struct listeners *l, bool reserved_only)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), saved;

	for (unsigned i = 0; ep != -1 && i < l->n; i++) {
		struct epoll_event ev = { .events = EPOLLIN | EPOLLEXCLUSIVE,
		    .data.u32 = i };

		if ((l->v[i].reserved || !reserved_only) &&
		    epoll_ctl(ep, EPOLL_CTL_ADD, l->v[i].fd, &ev) == -1) {
			saved = errno;
			(void)close(ep);
			errno = saved;
			return -1;
		}
	}
	return ep;
}

void
listener_turn_away(const struct listener *l, const struct serve *s, int fd,
    const struct netaddr *peer)
{
	struct buf text = BUF_INIT;

	netaddr_text(peer, &text);
	log_event(NULL, "busy socket=%s ip=%s", l->name, buf_str(&text));
	buf_release(&text);
	if (l->tcp && s->busy != NULL) {
		(void)send(fd, s->busy, strlen(s->busy),
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		(void)shutdown(fd, SHUT_WR);
	}
	(void)close(fd);
}

int
confine_session(const struct serve *s)
{
	return s->confine_session == NULL ? 0 : s->confine_session(s->arg);
}

int
session_run(const struct serve *s, const struct listener *l, int fd,
    const struct netaddr *peer)
{
	struct serve_conn c = { .name = l->name, .peer = *peer,
	    .is_socket = true };

	/* A client that has gone already is the session's business. */
	if (l->tcp && tune_tcp(fd) == -1 && errno != EINVAL)
		log_errno(NULL, "setsockopt socket=%s", l->name);
	return s->session(fd, &c, s->arg);
}

/* ---- one conversation on fd 0 ------------------------------------------ */

/* An address told by tcpserver and its kin; without one, `out` stays. */
static void
from_environ(const char *ip, const char *port, struct netaddr *out)
{
	const char *host = getenv(ip), *p = getenv(port), *bad = NULL;
	struct netaddr a;
	int n = 0;

	if (host == NULL)
		return;
	if (p != NULL)
		n = (int)strtonum(p, 0, 65535, &bad);
	if (netaddr_host(host, bad == NULL ? n : 0, &a) == 0)
		*out = a;
}

static void
fill_from_environ(struct serve_conn *c)
{
	c->peer.ss.ss_family = AF_UNIX;
	c->peer.len = sizeof(sa_family_t);
	if (getenv("PROTO") == NULL)
		return;
	from_environ("TCP6REMOTEIP", "TCP6REMOTEPORT", &c->peer);
	from_environ("TCPREMOTEIP", "TCPREMOTEPORT", &c->peer);
}

/*
 * inetd and systemd make stderr the client's connection too: what we log
 * would be a part of the conversation.
 */
static int
part_stderr(void)
{
	struct stat in, log;
	int fd;

	if (fstat(STDIN_FILENO, &in) == -1 ||
	    fstat(STDERR_FILENO, &log) == -1)
		return -1;
	if (in.st_dev != log.st_dev || in.st_ino != log.st_ino)
		return 0;
	fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (fd == -1 || dup2(fd, STDERR_FILENO) == -1)
		return -1;
	(void)close(fd);
	return 0;
}

static int
serve_one(const struct serve *s, bool is_socket)
{
	struct serve_conn c = { .name = "", .is_socket = is_socket };

	c.peer.len = sizeof(c.peer.ss);
	if (is_socket && part_stderr() == -1)
		return -1;
	if (is_socket && is_tcp(STDIN_FILENO)) {
		if (getpeername(STDIN_FILENO, (struct sockaddr *)&c.peer.ss,
		    &c.peer.len) == -1 || tune_tcp(STDIN_FILENO) == -1)
			return -1;
	} else {
		fill_from_environ(&c);
	}
	if ((s->confine != NULL && s->confine(s->arg) == -1) ||
	    confine_session(s) == -1)
		return -1;
	return s->session(STDIN_FILENO, &c, s->arg);
}

int
serve_run(const struct serve *s)
{
	switch (serve_mode()) {
	case SERVE_LISTEN:
		return serve_accept(s);
	case SERVE_SOCKET:
		return serve_one(s, true);
	case SERVE_PIPE:
		break;
	}
	return serve_one(s, false);
}
