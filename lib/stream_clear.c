/*
 * stream_clear.c - the clear transport of a stream, and descriptors on it.
 *
 * Runs at every privilege; what is read, descriptors too, is a stranger's.
 * Nothing here waits, whatever mode the descriptor is in: sockets by
 * MSG_DONTWAIT, pipes and terminals by asking poll first.
 * Way: everywhere.  From: stream.c.  To: the kernel.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "deadline.h"
#include "stream.h"
#include "stream_io.h"

#define ROOM_MS	2	/* until we look again for room for a descriptor */

/* Is it ready this instant? -1 with EAGAIN if not. */
static int
ready_now(int fd, short events)
{
	if (stream_wait_fd(fd, events, 0) == 0)
		return 0;
	if (errno == ETIMEDOUT)
		errno = EAGAIN;
	return -1;
}

/* Keeps what fits, closes the rest: a peer may not fill our table of files. */
static void
keep_fds(struct stream *s, struct msghdr *msg)
{
	struct cmsghdr *c;
	size_t n;
	int fd;

	for (c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(fd);
		for (size_t i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (s->nfds < STREAM_FDS)
				s->fds[s->nfds++] = fd;
			else
				(void)close(fd);
		}
	}
}

static ssize_t
recv_fds(struct stream *s, void *to, size_t n)
{
	union {
		struct cmsghdr align;
		char	 room[CMSG_SPACE(STREAM_FDS * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = to, .iov_len = n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
	    .msg_control = &control, .msg_controllen = sizeof(control) };
	ssize_t got = recvmsg(s->rfd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (got != -1)
		keep_fds(s, &msg);
	return got;
}

static ssize_t
clear_try_read(struct stream *s, void *to, size_t n)
{
	ssize_t got;

	if (!s->rplain) {
		got = s->unix_fds ? recv_fds(s, to, n) :
		    recv(s->rfd, to, n, MSG_DONTWAIT);
		if (got != -1 || errno != ENOTSOCK)
			return got;
		s->rplain = true;
	}
	if (ready_now(s->rfd, POLLIN) == -1)
		return -1;
	return read(s->rfd, to, n);
}

/* A blocking pipe that polls writable takes PIPE_BUF bytes; more may block. */
static ssize_t
clear_try_write(struct stream *s, const void *p, size_t n)
{
	ssize_t put;

	if (!s->wplain) {
		put = send(s->wfd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (put != -1 || errno != ENOTSOCK)
			return put;
		s->wplain = true;
	}
	if (ready_now(s->wfd, POLLOUT) == -1)
		return -1;
	return write(s->wfd, p, n > PIPE_BUF ? PIPE_BUF : n);
}

ssize_t
stream_try_read(struct stream *s, void *to, size_t n, short *want_out)
{
	ssize_t got;

	if (s->layer != NULL)
		return s->layer->try_read(s, to, n, want_out);
	*want_out = POLLIN;
	do
		got = clear_try_read(s, to, n);
	while (got == -1 && errno == EINTR);
	return got;
}

ssize_t
stream_try_write(struct stream *s, const void *p, size_t n, short *want_out)
{
	ssize_t put;

	if (s->layer != NULL)
		return s->layer->try_write(s, p, n, want_out);
	*want_out = POLLOUT;
	do
		put = clear_try_write(s, p, n);
	while (put == -1 && errno == EINTR);
	return put;
}

int
stream_take_fd(struct stream *s)
{
	int fd;

	if (s->nfds == 0)
		return -1;
	fd = s->fds[0];
	memmove(s->fds, s->fds + 1, --s->nfds * sizeof(s->fds[0]));
	return fd;
}

/* What the kernel took of `bytes` together with the descriptor, or -1. */
static ssize_t
try_send_fd(struct stream *s, int fd, const void *bytes, size_t n)
{
	union {
		struct cmsghdr align;
		char	 room[CMSG_SPACE(sizeof(int))];
	} control = { .room = "" };
	struct iovec iov = { .iov_len = n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
	    .msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	memcpy(&iov.iov_base, &bytes, sizeof(bytes));	/* drops the const */
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(s->wfd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/*
 * Waits until a descriptor may be sent that could not be, for the reason in
 * errno.  Linux lets a user have no more under way, in all his processes, than
 * the sender may have open, and says nothing when there is room again.
 */
static int
wait_to_send_fd(struct stream *s, int64_t deadline)
{
	if (errno == EINTR)
		return 0;
	if (errno != ETOOMANYREFS)
		return would_block() ?
		    stream_wait_fd(s->wfd, POLLOUT, deadline) : -1;
	if (now_ms() >= deadline) {
		errno = ETIMEDOUT;
		return -1;
	}
	(void)poll(NULL, 0, ROOM_MS);
	return 0;
}

int
stream_send_fd(struct stream *s, int fd, const void *bytes, size_t len,
    int64_t deadline)
{
	const char *p = bytes;
	ssize_t put;

	assert(s->layer == NULL && len > 0);
	if (stream_flush(s, deadline) == -1)
		return -1;
	while ((put = try_send_fd(s, fd, p, len)) == -1)
		if (wait_to_send_fd(s, deadline) == -1)
			return stream_break(s, errno);
	return stream_write_all(s, p + put, len - (size_t)put, deadline);
}
