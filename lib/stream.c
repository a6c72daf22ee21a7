/*
 * stream.c - one end of a conversation: lines in, replies out, in time.
 *
 * Runs at every privilege; all bytes read are a stranger's.  Each transfer is
 * first tried without waiting (stream_clear.c, stream_tls.c), then waited for
 * with the deadline, so the same code serves sockets, pipes and terminals,
 * blocking or not.
 * Way: everywhere.  From: serve.c, ctl.c.  To: the peer.
 */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "deadline.h"
#include "stream.h"
#include "stream_io.h"

#define STREAM_OUT	65535	/* bytes collected at most; with NUL 64 KiB */
#define OUT_KEEP	16384	/* of them kept allocated while idle */
#define WRITE_SECONDS	300	/* for a full buffer, when nobody said */
#define QUIET_MS	1000	/* without a word: memory is given back */
#define LINGER_MAX	(256 * 1024)

void
stream_init(struct stream *s, int rfd, int wfd)
{
	memset(s, 0, sizeof(*s));
	s->rfd = rfd;
	s->wfd = wfd;
	s->in_size = STREAM_IN;
	s->out.max = STREAM_OUT;
}

void
stream_init_unix(struct stream *s, int fd)
{
	stream_init(s, fd, fd);
	s->unix_fds = true;
}

void
stream_release(struct stream *s)
{
	int saved = errno;

	if (s->layer != NULL)
		s->layer->release(s);
	for (unsigned i = 0; i < s->nfds; i++)
		(void)close(s->fds[i]);
	s->nfds = 0;
	if (s->wfd != -1 && s->wfd != s->rfd)
		(void)close(s->wfd);
	if (s->rfd != -1)
		(void)close(s->rfd);
	s->rfd = s->wfd = -1;
	free(s->in);
	s->in = NULL;
	s->in_pos = s->in_len = 0;
	buf_release(&s->out);
	errno = saved;
}

int
stream_break(struct stream *s, int error)
{
	s->broken = true;
	s->error = error;
	buf_reset(&s->out);
	errno = error;
	return -1;
}

/* ---- waiting ---- */

/* An error or a hangup is ready too: the transfer will tell which. */
int
stream_wait_fd(int fd, short events, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		int ms = deadline_poll(deadline);
		int n = poll(&p, 1, ms);

		if (n > 0)
			return 0;
		if (n == 0 && ms != INT32_MAX) {
			errno = ETIMEDOUT;
			return -1;
		}
		if (n == -1 && errno != EINTR)
			return -1;
	}
}

int
stream_wait(const struct stream *s, short want, int64_t deadline)
{
	return stream_wait_fd(want == POLLIN ? s->rfd : s->wfd, want,
	    deadline);
}

/* ---- reading ---- */

ssize_t
stream_try_fill(struct stream *s, short *want_out)
{
	ssize_t got;

	if (s->eof)
		return 0;
	if (s->in == NULL)
		s->in = xmalloc(s->in_size);
	s->in_pos = s->in_len = 0;
	got = stream_try_read(s, s->in, s->in_size, want_out);
	if (got > 0)
		s->in_len = (size_t)got;
	else if (got == 0)
		s->eof = true;
	return got;
}

/*
 * Before the reader blocks, the peer gets everything it may be waiting for.
 * A peer that is gone may still have told us why: only a timeout ends the
 * reading.
 */
static int
flush_before_wait(struct stream *s, int64_t deadline)
{
	if (s->out.len > 0 && stream_flush(s, deadline) == -1 &&
	    errno == ETIMEDOUT)
		return -1;
	if (s->out.cap > OUT_KEEP)
		buf_release(&s->out);
	return 0;
}

/* A layer gives memory back when its peer is quiet, not in the middle of work. */
static int
wait_for_peer(struct stream *s, short want, int64_t deadline)
{
	int64_t quiet;

	if (s->layer != NULL && (quiet = now_ms() + QUIET_MS) < deadline) {
		if (stream_wait(s, want, quiet) == 0)
			return 0;
		if (errno != ETIMEDOUT)
			return -1;
		s->layer->rest();
	}
	return stream_wait(s, want, deadline);
}

/*
 * Fills the empty input buffer. 1, 0 at the end, -1 with errno.  Who has
 * something to say waits for the answer at once: a read before that would
 * find nothing.
 */
static int
fill(struct stream *s, int64_t deadline)
{
	ssize_t got;
	short want;

	if (s->out.len > 0 && !stream_pending(s) &&
	    (flush_before_wait(s, deadline) == -1 ||
	    wait_for_peer(s, POLLIN, deadline) == -1))
		return -1;
	while ((got = stream_try_fill(s, &want)) == -1) {
		if (!would_block())
			return -1;
		if (flush_before_wait(s, deadline) == -1 ||
		    wait_for_peer(s, want, deadline) == -1)
			return -1;
	}
	return got > 0;
}

ssize_t
stream_peek(struct stream *s, const char **p_out, int64_t deadline)
{
	int got;

	if (s->in_pos == s->in_len && (got = fill(s, deadline)) <= 0)
		return got;
	*p_out = s->in + s->in_pos;
	return (ssize_t)(s->in_len - s->in_pos);
}

void
stream_consume(struct stream *s, size_t n)
{
	assert(n <= s->in_len - s->in_pos);
	s->in_pos += n;
}

bool
stream_pending(const struct stream *s)
{
	return s->in_pos < s->in_len ||
	    (s->layer != NULL && s->layer->pending(s));
}

/* ---- writing ---- */

static void
flush_full(struct stream *s)
{
	int64_t deadline = s->write_deadline;

	if (deadline == 0)
		deadline = deadline_in(WRITE_SECONDS);
	(void)!stream_flush(s, deadline);	/* s->broken keeps a failure */
}

void
stream_write(struct stream *s, const void *data, size_t len)
{
	const char *p = data;
	size_t n;

	while (len > 0 && !s->broken) {
		n = STREAM_OUT - s->out.len;
		if (n > len)
			n = len;
		buf_add(&s->out, p, n);
		p += n;
		len -= n;
		if (s->out.len == STREAM_OUT)
			flush_full(s);
	}
}

void
stream_puts(struct stream *s, const char *text)
{
	stream_write(s, text, strlen(text));
}

void
stream_printf(struct stream *s, const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;

	if (s->broken)
		return;
	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	if (buf_ok(&text))
		stream_write(s, text.data, text.len);
	else
		(void)stream_break(s, EMSGSIZE);
	buf_release(&text);
}

int
stream_write_all(struct stream *s, const char *p, size_t len, int64_t deadline)
{
	ssize_t put;
	short want;

	while (len > 0) {
		put = stream_try_write(s, p, len, &want);
		if (put >= 0) {
			p += put;
			len -= (size_t)put;
		} else if (!would_block() ||
		    stream_wait(s, want, deadline) == -1)
			return stream_break(s, errno);
	}
	return 0;
}

int
stream_flush(struct stream *s, int64_t deadline)
{
	if (s->broken) {
		errno = s->error;
		return -1;
	}
	if (stream_write_all(s, s->out.data, s->out.len, deadline) == -1)
		return -1;
	buf_reset(&s->out);
	return 0;
}

/*
 * Reading goes on to work: the peer may still be in the middle of a word.  The
 * last line, close_notify and the end are one packet, where it is TCP.
 */
int
stream_goodbye(struct stream *s, int64_t deadline)
{
	static const int on = 1;
	int result;

	(void)setsockopt(s->wfd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
	if ((result = stream_flush(s, deadline)) == 0 && s->layer != NULL)
		s->layer->goodbye(s, deadline);
	if (shutdown(s->wfd, SHUT_WR) == -1 && errno == ENOTSOCK &&
	    s->wfd != s->rfd) {
		(void)close(s->wfd);
		s->wfd = -1;
	}
	(void)stream_break(s, EPIPE);
	return result;
}

void
stream_linger(struct stream *s, int seconds)
{
	int64_t deadline = deadline_in(seconds);
	size_t total = 0;
	const char *p;
	ssize_t n;

	while (total < LINGER_MAX &&
	    (n = stream_peek(s, &p, deadline)) > 0) {
		stream_consume(s, (size_t)n);
		total += (size_t)n;
	}
}
