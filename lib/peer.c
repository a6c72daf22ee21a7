/*
 * peer.c - one connection that speaks our frames, on an event loop, without
 * ever blocking; descriptors may travel along, both ways.
 *
 * Runs as queue or authd.  The other end may be less privileged: what is
 * malformed, too much or not read ends that connection and nothing else.
 * Way 4 and 5 of 8.  From: loop.c.  To: the owner's frame() and closed().
 */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

/* The first reason is the one that counts. */
static void
doom(struct peer *p, const char *why)
{
	if (p->closing)
		return;
	p->closing = true;
	(void)strlcpy(p->why, why, sizeof(p->why));
	loop_later(p->loop, &p->later);
}

void
peer_close(struct peer *p, const char *why)
{
	doom(p, why);
}

/* ---- out --------------------------------------------------------------- */

/* How many bytes one call can send, and the descriptor to go along, or -1. */
static size_t
next_piece(const struct peer *p, int *fd_out)
{
	size_t end = p->out.len;
	unsigned i = 0;

	*fd_out = -1;
	if (i < p->nsend && p->send[i].at == p->out_pos)
		*fd_out = p->send[i++].fd;
	if (i < p->nsend)
		end = p->send[i].at;
	return end - p->out_pos;
}

static ssize_t
send_piece(struct peer *p, size_t len, int fd)
{
	struct iovec iov = { p->out.data + p->out_pos, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;

	if (fd != -1) {
		struct cmsghdr *c = &control.align;

		memset(&control, 0, sizeof(control));
		m.msg_control = &control;
		m.msg_controllen = sizeof(control.room);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(p->watch.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Forgets n bytes that are sent, and the descriptor that went with them. */
static void
sent(struct peer *p, size_t n, int fd)
{
	if (fd != -1) {
		(void)close(fd);
		p->nsend--;
		memmove(p->send, p->send + 1, p->nsend * sizeof(p->send[0]));
	}
	p->out_pos += n;
	if (p->out_pos == p->out.len) {
		buf_reset(&p->out);
		p->out.max = PEER_OUT_MAX;
		p->out_pos = 0;
	}
}

/* Moves what is left to the front when that costs less than it frees. */
static void
compact(struct peer *p)
{
	if (p->out_pos < p->out.len / 2 || p->out_pos == 0)
		return;
	buf_shift(&p->out, p->out_pos);
	for (unsigned i = 0; i < p->nsend; i++)
		p->send[i].at -= p->out_pos;
	p->out_pos = 0;
}

/* Sends what the socket takes. 0, or -1 with errno. */
static int
flush(struct peer *p)
{
	while (p->out.len > p->out_pos) {
		int fd;
		size_t len = next_piece(p, &fd);
		ssize_t n = send_piece(p, len, fd);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return errno == EAGAIN ? 0 : -1;
		sent(p, (size_t)n, fd);
	}
	return 0;
}

static void
watch_out(struct peer *p)
{
	bool want = p->out.len > p->out_pos;

	if (want == p->wants_out)
		return;
	p->wants_out = want;
	if (loop_mod(p->loop, &p->watch,
	    EPOLLIN | (want ? (uint32_t)EPOLLOUT : 0)) == -1)
		doom(p, strerror(errno));
}

/* Gives everything back but the memory, which is the owner's to free. */
static void
finish(struct peer *p)
{
	char why[sizeof(p->why)];

	(void)flush(p);
	loop_del(p->loop, &p->watch);
	(void)close(p->watch.fd);
	p->watch.fd = -1;
	for (unsigned i = 0; i < p->nsend; i++)
		(void)close(p->send[i].fd);
	for (unsigned i = 0; i < p->nrecv; i++)
		(void)close(p->recv[i]);
	p->nsend = p->nrecv = 0;
	buf_release(&p->in);
	buf_release(&p->out);
	loop_never(p->loop, &p->later);
	/* p may be gone before the owner has written its log line. */
	(void)strlcpy(why, p->why, sizeof(why));
	p->closed(p, why);
}

/* Before the loop sleeps: one write for all that was queued. */
static void
on_later(struct later *x)
{
	struct peer *p = (struct peer *)(void *)
	    ((char *)x - offsetof(struct peer, later));

	if (!p->closing && flush(p) == -1)
		doom(p, strerror(errno));
	if (!p->closing)
		watch_out(p);
	if (p->closing)
		finish(p);
}

static void
queue_bytes(struct peer *p, const void *data, size_t len)
{
	compact(p);
	buf_add(&p->out, data, len);
	if (!buf_ok(&p->out)) {
		p->out_pos = 0;
		doom(p, "it does not read what we send");
		return;
	}
	loop_later(p->loop, &p->later);
}

void
peer_send(struct peer *p, const struct buf *b, int fd)
{
	if (p->closing || !buf_ok(b) || b->len == 0 ||
	    (fd != -1 && p->nsend == STREAM_FDS)) {
		if (fd != -1)
			(void)close(fd);
		doom(p, "a frame that cannot be sent");
		return;
	}
	compact(p);
	if (fd != -1) {
		p->send[p->nsend].fd = fd;
		p->send[p->nsend++].at = p->out.len;
	}
	queue_bytes(p, b->data, b->len);
}

void
peer_write(struct peer *p, const void *data, size_t len)
{
	if (p->closing || len == 0)
		return;
	p->out.max = PEER_DATA_MAX;
	queue_bytes(p, data, len);
}

/* ---- in ---------------------------------------------------------------- */

int
peer_take_fd(struct peer *p)
{
	int fd;

	if (p->nrecv == 0)
		return -1;
	fd = p->recv[0];
	p->nrecv--;
	memmove(p->recv, p->recv + 1, p->nrecv * sizeof(p->recv[0]));
	return fd;
}

/* Keeps the descriptors of one message; false when they are too many. */
static bool
keep_fds(struct peer *p, struct msghdr *m)
{
	bool ok = (m->msg_flags & MSG_CTRUNC) == 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL;
	    c = CMSG_NXTHDR(m, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (p->nrecv < STREAM_FDS) {
				p->recv[p->nrecv++] = fd;
			} else {
				(void)close(fd);
				ok = false;
			}
		}
	}
	return ok;
}

static ssize_t
receive(struct peer *p)
{
	char *room = buf_room(&p->in, STREAM_IN);
	struct iovec iov = { room, STREAM_IN };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(STREAM_FDS * sizeof(int))];
	} control;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
	    .msg_control = &control, .msg_controllen = sizeof(control.room) };
	ssize_t n;

	assert(room != NULL);	/* in has no cap of its own */
	do
		n = recvmsg(p->watch.fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	if (n > 0)
		p->in.len += (size_t)n;
	if (n >= 0 && !keep_fds(p, &m)) {
		errno = EBADMSG;
		return -1;
	}
	return n;
}

/* Hands out the complete frames; stops when one of them ends the peer. */
static void
hand_out(struct peer *p)
{
	size_t pos = 0;
	char *lf;

	while (!p->closing && pos < p->in.len &&
	    (lf = memchr(p->in.data + pos, '\n', p->in.len - pos)) != NULL) {
		char *line = p->in.data + pos;
		struct ctl c;

		*lf = '\0';
		pos += (size_t)(lf - line) + 1;
		if (ctl_parse(line, (size_t)(lf - line), &c) == -1)
			doom(p, "a malformed frame");
		else
			p->frame(p, &c);
	}
	buf_shift(&p->in, pos);
	if (p->in.len > CTL_MAX)
		doom(p, "a frame that is too long");
}

static void
on_ready(struct watch *w, uint32_t events)
{
	struct peer *p = (struct peer *)(void *)w;
	ssize_t n;

	if (events & EPOLLOUT)
		loop_later(p->loop, &p->later);
	if ((events & ~(uint32_t)EPOLLOUT) == 0 || p->closing)
		return;
	n = receive(p);
	if (n > 0)
		hand_out(p);
	else if (n == 0)
		doom(p, "it has ended");
	else if (errno == EBADMSG)
		doom(p, "too many descriptors");
	else if (errno != EAGAIN)
		doom(p, strerror(errno));
}

/* ---- beginning --------------------------------------------------------- */

int
peer_init(struct peer *p, struct loop *l, int fd,
    void (*frame)(struct peer *, struct ctl *),
    void (*closed)(struct peer *, const char *))
{
	int flags = fcntl(fd, F_GETFL), saved;

	memset(p, 0, sizeof(*p));
	p->watch.fd = fd;
	p->watch.ready = on_ready;
	p->later.run = on_later;
	p->loop = l;
	p->out.max = PEER_OUT_MAX;
	p->frame = frame;
	p->closed = closed;
	if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 ||
	    loop_add(l, &p->watch, EPOLLIN) == -1) {
		saved = errno;
		(void)close(fd);
		p->watch.fd = -1;
		errno = saved;
		return -1;
	}
	return 0;
}

int
peer_connect(struct peer *p, struct loop *l, const char *path,
    void (*frame)(struct peer *, struct ctl *),
    void (*closed)(struct peer *, const char *))
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, saved;

	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	/* A Unix socket connects at once or not at all. */
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1) {
		saved = errno;
		(void)close(fd);
		errno = saved;
		return -1;
	}
	return peer_init(p, l, fd, frame, closed);
}
