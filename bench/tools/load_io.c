/*
 * load_io.c - the load generator's bytes: non-blocking sockets, with TLS over
 * them where a session has begun it, and one epoll for all.
 *
 * Each session comes from an address of its own (127.1.x.y): to the server
 * they are strangers, not one client with 200 connections.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <err.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"

static int ep = -1;
static SSL_CTX *tls;

void
io_init(void)
{
	if ((ep = epoll_create1(EPOLL_CLOEXEC)) == -1)
		err(1, "epoll_create1");
	if (!opt.tls)
		return;
	/* Nobody is verified and nothing resumed: each is a new stranger. */
	if ((tls = SSL_CTX_new(TLS_client_method())) == NULL)
		errx(1, "SSL_CTX_new");
	SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
	(void)SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

static void
want(struct session *s, bool out)
{
	struct epoll_event ev = { .events = EPOLLIN | (out ? EPOLLOUT : 0),
	    .data.ptr = s };

	if (epoll_ctl(ep, EPOLL_CTL_MOD, s->fd, &ev) == -1)
		err(1, "epoll_ctl");
}

static int
bind_address(int fd, int nr)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int one = 1;

	a.sin_addr.s_addr = htonl(0x7f010000u +
	    ((unsigned)nr / 250u << 8) + (unsigned)nr % 250u + 1u);
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
	    sizeof(one)) == -1)
		return -1;
	return bind(fd, (struct sockaddr *)&a, sizeof(a));
}

int
io_connect(struct session *s)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = s };
	int one = 1;

	a.sin_port = htons((uint16_t)opt.port);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd == -1 || bind_address(s->fd, s->nr) == -1 ||
	    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one,
	    sizeof(one)) == -1 ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, s->fd, &ev) == -1)
		err(1, "socket");
	s->inlen = s->outlen = s->outoff = 0;
	if (connect(s->fd, (struct sockaddr *)&a, sizeof(a)) == -1 &&
	    errno != EINPROGRESS)
		return -1;
	return 0;
}

void
io_close(struct session *s)
{
	SSL_free(s->ssl);
	s->ssl = NULL;
	if (s->fd != -1)
		(void)close(s->fd);
	s->fd = -1;
}

int
io_starttls(struct session *s)
{
	if ((s->ssl = SSL_new(tls)) == NULL || SSL_set_fd(s->ssl, s->fd) != 1)
		errx(1, "SSL_new");
	SSL_set_connect_state(s->ssl);
	return io_handshake(s);
}

/*
 * 0: OpenSSL wants to wait, and for what is now in the epoll; -1: lost.  What
 * another session has left in its queue of errors would be taken for r's.
 */
static int
tls_wait(struct session *s, int r)
{
	switch (SSL_get_error(s->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		want(s, false);
		return 0;
	case SSL_ERROR_WANT_WRITE:
		want(s, true);
		return 0;
	default:
		return -1;
	}
}

int
io_handshake(struct session *s)
{
	int r;

	ERR_clear_error();
	r = SSL_do_handshake(s->ssl);
	return r == 1 ? 1 : tls_wait(s, r);
}

void
io_put(struct session *s, const char *p, size_t n)
{
	if (s->outlen + n > s->outcap) {
		s->outcap = (s->outlen + n) * 2;
		if ((s->out = realloc(s->out, s->outcap)) == NULL)
			err(1, "realloc");
	}
	memcpy(s->out + s->outlen, p, n);
	s->outlen += n;
}

void
io_putf(struct session *s, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	io_put(s, line, (size_t)n);
}

static ssize_t
put_some(struct session *s, const char *p, size_t n)
{
	ssize_t r;

	if (s->ssl != NULL) {
		ERR_clear_error();
		r = SSL_write(s->ssl, p, (int)n);
		return r > 0 ? r : tls_wait(s, (int)r);
	}
	r = write(s->fd, p, n);
	if (r != -1 || errno != EAGAIN)
		return r;
	want(s, true);
	return 0;
}

int
io_flush(struct session *s)
{
	bool waited = s->outoff > 0;

	while (s->outoff < s->outlen) {
		ssize_t r = put_some(s, s->out + s->outoff,
		    s->outlen - s->outoff);

		if (r <= 0)
			return (int)r;
		s->outoff += (size_t)r;
	}
	s->outlen = s->outoff = 0;
	if (waited)
		want(s, false);
	return 0;
}

int
io_fill(struct session *s)
{
	size_t room = sizeof(s->in) - s->inlen;
	ssize_t r;

	if (room == 0)
		return -1;	/* no server talks that much */
	if (s->ssl != NULL) {
		ERR_clear_error();
		r = SSL_read(s->ssl, s->in + s->inlen, (int)room);
		if (r <= 0)
			return tls_wait(s, (int)r);
	} else {
		r = read(s->fd, s->in + s->inlen, room);
		if (r == -1 && errno == EAGAIN)
			return 0;
		if (r <= 0)
			return -1;
	}
	s->inlen += (size_t)r;
	return 1;
}

int
io_wait(double seconds, struct session **news, int max)
{
	struct epoll_event ev[128];
	struct timespec ts = { (time_t)seconds,
	    (long)((seconds - (double)(time_t)seconds) * 1e9) };
	int n = epoll_pwait2(ep, ev, max < 128 ? max : 128, &ts, NULL);

	if (n == -1 && errno != EINTR)
		err(1, "epoll_pwait2");
	for (int i = 0; i < n; i++)
		news[i] = ev[i].data.ptr;
	return n;
}
