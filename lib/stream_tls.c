/*
 * stream_tls.c - the TLS transport of a stream.
 *
 * Runs at every privilege; the peer may be hostile.  OpenSSL never waits
 * here: the descriptors are non-blocking, it says what it lacks, and the
 * stream waits for that with its deadline.  After a failed handshake nothing
 * is read or written any more: no byte may pass in the clear by accident.
 * Way: everywhere.  From: stream.c.  To: OpenSSL.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream_tls.h"
#include "stream_io.h"

/*
 * Turns OpenSSL's verdict on a result <= 0 into an errno; EAGAIN with *want
 * when it only has to wait.  EPROTO leaves the reason for tls_error().
 */
static int
tls_errno(SSL *ssl, int result, short *want_out)
{
	int saved = errno;

	switch (SSL_get_error(ssl, result)) {
	case SSL_ERROR_WANT_READ:
		*want_out = POLLIN;
		return EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		*want_out = POLLOUT;
		return EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return ECONNRESET;
	case SSL_ERROR_SYSCALL:
		return saved != 0 ? saved : ECONNRESET;
	default:
		return EPROTO;
	}
}

/* SSL_get_error(3) wants errno and OpenSSL's own queue clean before a call. */
static void
forget_errors(void)
{
	ERR_clear_error();
	errno = 0;
}

static ssize_t
tls_try_read(struct stream *s, void *to, size_t n, short *want_out)
{
	size_t got;
	int result;

	forget_errors();
	if ((result = SSL_read_ex(s->ssl, to, n, &got)) == 1)
		return (ssize_t)got;
	if (SSL_get_error(s->ssl, result) == SSL_ERROR_ZERO_RETURN)
		return 0;
	errno = tls_errno(s->ssl, result, want_out);
	return -1;
}

static ssize_t
tls_try_write(struct stream *s, const void *p, size_t n, short *want_out)
{
	size_t put;
	int result;

	forget_errors();
	if ((result = SSL_write_ex(s->ssl, p, n, &put)) == 1)
		return (ssize_t)put;
	errno = tls_errno(s->ssl, result, want_out);
	return -1;
}

static bool
tls_pending(const struct stream *s)
{
	return SSL_has_pending(s->ssl) == 1;
}

/* The peer's own close_notify is not waited for (RFC 8446 section 6.1). */
static void
tls_goodbye(struct stream *s, int64_t deadline)
{
	short want = 0;
	int result;

	do {
		forget_errors();
		result = SSL_shutdown(s->ssl);
	} while (result < 0 && tls_errno(s->ssl, result, &want) == EAGAIN &&
	    want == POLLOUT && stream_wait(s, want, deadline) == 0);
}

/* What a handshake needed, and a record; an idle session has no use for it. */
static void
tls_rest(void)
{
	(void)malloc_trim(0);
}

static void
tls_release(struct stream *s)
{
	SSL_free(s->ssl);
	s->ssl = NULL;
	s->layer = NULL;
}

static const struct stream_layer tls_layer = {
	tls_try_read, tls_try_write, tls_pending, tls_goodbye, tls_rest,
	tls_release
};

static int
set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1)
		return -1;
	return flags & O_NONBLOCK ? 0 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* Lets go of TLS for good: the stream is broken, and at its end too. */
static int
tls_fail(struct stream *s, int error)
{
	if (s->layer != NULL)
		s->layer->release(s);
	s->eof = true;
	s->in_pos = s->in_len = 0;
	return stream_break(s, error);
}

static int
tls_prepare(struct stream *s, SSL_CTX *ctx, int64_t deadline)
{
	if (s->layer != NULL || s->in_pos < s->in_len)
		return tls_fail(s, EPROTO);
	if (stream_flush(s, deadline) == -1 ||
	    set_nonblocking(s->rfd) == -1 || set_nonblocking(s->wfd) == -1)
		return tls_fail(s, errno);
	forget_errors();
	if ((s->ssl = SSL_new(ctx)) == NULL)
		return tls_fail(s, EPROTO);
	s->layer = &tls_layer;
	if (SSL_set_rfd(s->ssl, s->rfd) != 1 ||
	    SSL_set_wfd(s->ssl, s->wfd) != 1)
		return tls_fail(s, EPROTO);
	SSL_set_mode(s->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_set_read_ahead(s->ssl, 1);	/* one read for many records */
	return 0;
}

/* Runs the handshake, as the side set by SSL_set_*_state(). */
static int
tls_handshake(struct stream *s, int64_t deadline)
{
	short want;
	int error, result;

	for (;;) {
		forget_errors();
		if ((result = SSL_do_handshake(s->ssl)) == 1)
			return 0;
		error = tls_errno(s->ssl, result, &want);
		if (error != EAGAIN)
			return tls_fail(s, error);
		if (stream_wait(s, want, deadline) == -1)
			return tls_fail(s, errno);
	}
}

/*
 * The last word of a handshake is the client's, and without tickets we have no
 * answer to it: the kernel would be 40 ms late with its acknowledgement, and
 * many a client's first command waits for that (Nagle).
 */
int
stream_tls_accept(struct stream *s, SSL_CTX *ctx, int64_t deadline)
{
	static const int on = 1;

	if (tls_prepare(s, ctx, deadline) == -1)
		return -1;
	SSL_set_accept_state(s->ssl);
	if (tls_handshake(s, deadline) == -1)
		return -1;
	(void)setsockopt(s->rfd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
	return 0;
}

/* SNI; an address is no server name (RFC 6066 section 3). */
static int
set_server_name(SSL *ssl, const char *host)
{
	unsigned char addr[sizeof(struct in6_addr)];
	char *name;
	int ok;

	if (host == NULL || *host == '\0' ||
	    inet_pton(AF_INET, host, addr) == 1 ||
	    inet_pton(AF_INET6, host, addr) == 1)
		return 1;
	name = xstrdup(host);	/* OpenSSL's macro wants it writable */
	ok = SSL_set_tlsext_host_name(ssl, name);
	free(name);
	return ok;
}

int
stream_tls_connect(struct stream *s, SSL_CTX *ctx, const char *host,
    int64_t deadline)
{
	if (tls_prepare(s, ctx, deadline) == -1)
		return -1;
	if (set_server_name(s->ssl, host) != 1)
		return tls_fail(s, EPROTO);
	SSL_set_connect_state(s->ssl);
	return tls_handshake(s, deadline);
}

const char *
stream_tls_version(const struct stream *s)
{
	return s->ssl == NULL ? NULL : SSL_get_version(s->ssl);
}

const char *
stream_tls_cipher(const struct stream *s)
{
	return s->ssl == NULL ? NULL : SSL_get_cipher_name(s->ssl);
}
