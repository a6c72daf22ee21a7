/*
 * stream_splice.c - the relay between a client and its session.
 *
 * Runs as facteur-net in pop3d's front, with a stranger on one side.  Both
 * directions go on at once and never wait for each other: a session that is
 * busy sending must not stop us from taking what it sends.
 * Way 8 of 8.  From: pop3d's front.  To: the session of the mailbox owner.
 */
#include <errno.h>
#include <poll.h>

#include "deadline.h"
#include "stream.h"
#include "stream_io.h"

#define NO_FD	{ .fd = -1 }

enum pump {
	PUMP_MOVED,		/* call again */
	PUMP_WAIT,		/* `on` says for what */
	PUMP_END,		/* `from` has ended, all of it is delivered */
	PUMP_ERROR		/* `to` takes no more; errno */
};

static enum pump
wait_for(const struct stream *s, short want, struct pollfd *on)
{
	on->fd = want == POLLIN ? s->rfd : s->wfd;
	on->events = want;
	return PUMP_WAIT;
}

/* One step of one direction.  A reset by `from` is its end, too. */
static enum pump
pump(struct stream *from, struct stream *to, struct pollfd *on)
{
	ssize_t n;
	short want;

	on->fd = -1;
	if (from->in_pos == from->in_len) {
		n = stream_try_fill(from, &want);
		if (n == -1 && would_block())
			return wait_for(from, want, on);
		if (n <= 0)
			return PUMP_END;
	}
	n = stream_try_write(to, from->in + from->in_pos,
	    from->in_len - from->in_pos, &want);
	if (n == -1 && would_block())
		return wait_for(to, want, on);
	if (n == -1)
		return PUMP_ERROR;
	stream_consume(from, (size_t)n);
	return PUMP_MOVED;
}

/* Sleeps until one of the directions can go on, or the session has left. */
static int
wait_both(struct pollfd on[3], int64_t deadline)
{
	int n;

	do
		n = poll(on, 3, deadline_poll(deadline));
	while (n == -1 && errno == EINTR);
	if (n == 0)
		errno = ETIMEDOUT;
	return n > 0 ? 0 : -1;
}

int
stream_splice(struct stream *a, struct stream *b, int idle_s, int rest_s)
{
	/* the third only tells that b has ended while a does not read */
	struct pollfd on[3] = { NO_FD, NO_FD,
	    { .fd = b->rfd, .events = POLLRDHUP } };
	int64_t deadline = deadline_in(idle_s), last = DEADLINE_NEVER;
	enum pump up = PUMP_MOVED, down = PUMP_MOVED;

	if (stream_flush(a, deadline) == -1 || stream_flush(b, deadline) == -1)
		return -1;
	if (a->layer != NULL)
		a->layer->rest();
	for (;;) {
		if (up == PUMP_MOVED || up == PUMP_WAIT) {
			up = pump(a, b, &on[0]);
			if (up == PUMP_END || up == PUMP_ERROR)
				(void)stream_goodbye(b, deadline);
		}
		down = pump(b, a, &on[1]);
		if (down == PUMP_END)
			return 0;
		if (down == PUMP_ERROR)
			return stream_break(a, errno);
		if (up == PUMP_MOVED || down == PUMP_MOVED)
			deadline = deadline_in(idle_s);
		else if (wait_both(on, deadline) == -1)
			return -1;
		if (on[2].fd != -1 && on[2].revents != 0) {
			on[2].fd = -1;
			last = deadline_in(rest_s);
		}
		if (deadline > last)
			deadline = last;
	}
}
