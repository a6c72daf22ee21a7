/*
 * inject_direct.c - a message for mailboxes of this host is delivered while
 * its sender waits, so that it need not lie in the queue (INTERNALS 2.11).
 *
 * The Maildirs' own commits then stand in for ours.  Whatever goes another
 * way, or takes too long, is committed as everything else.
 * Runs in a worker of inject, as facteur-queue.
 * Way 3 of 8.  From: queue/inject_txn.c.  To: queue/direct.c.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "deadline.h"
#include "direct.h"
#include "inject.h"
#include "log.h"

bool
inject_may_be_direct(const struct inject_txn *t, int64_t need)
{
	return t->env.nrcpts <= DIRECT_RCPTS &&
	    t->mailboxes == t->env.nrcpts && need <= DIRECT_SIZE;
}

void
inject_direct_close(struct inject *in)
{
	if (in->talking)
		stream_release(&in->direct);
	in->talking = false;
}

void
inject_direct_pause(struct inject *in)
{
	in->away_ms = in->away_ms == 0 ? DIRECT_AWAY_MS :
	    in->away_ms < DIRECT_LEAVE_MS / 2 ? in->away_ms * 2 :
	    DIRECT_LEAVE_MS;
	in->away_until = now_ms() + in->away_ms;
	inject_direct_close(in);
}

/* False: the queue manager is not to be had. */
static bool
talk(struct inject *in)
{
	int fd;

	if (in->talking)
		return true;
	if (now_ms() < in->away_until)
		return false;
	fd = ctl_connect_now(config_socket(in->cfg, "direct"));
	if (fd == -1) {
		inject_direct_pause(in);
		return false;
	}
	stream_init(&in->direct, fd, fd);
	in->talking = true;
	return true;
}

static bool
hand_over(struct inject_txn *t, int message, int64_t deadline)
{
	struct buf b = BUF_INIT;
	int sent;

	ctl_begin(&b, "deliver");
	ctl_add(&b, "id", t->file.id);
	ctl_addn(&b, "size", t->file.size);
	ctl_end(&b);
	sent = stream_send_fd(&t->in->direct, message, b.data, b.len,
	    deadline);
	buf_release(&b);
	return sent == 0;
}

/* The outcome lines that follow `keep`; len -1: a silly number. False: errno. */
static bool
read_outcomes(struct stream *s, struct buf *out, int64_t len, int64_t deadline)
{
	errno = EBADMSG;
	if (len == -1)
		return false;
	while (len > 0) {
		const char *p;
		ssize_t n = stream_peek(s, &p, deadline);

		if (n == 0)
			errno = ECONNRESET;
		if (n <= 0)
			return false;
		if (n > len)
			n = (ssize_t)len;
		buf_add(out, p, (size_t)n);
		stream_consume(s, (size_t)n);
		len -= n;
	}
	return true;
}

enum answer { DONE, KEEP, NONE };

/* NONE: errno. */
static enum answer
await_answer(struct inject_txn *t, int64_t deadline)
{
	struct stream *s = &t->in->direct;
	struct buf line = BUF_CAPPED(CTL_MAX);
	enum answer answer = NONE;
	struct ctl c;
	int got;

	got = ctl_read(s, &line, &c, deadline);
	if (got == 1 && ctl_is(&c, "done"))
		answer = DONE;
	else if (got == 1 && ctl_is(&c, "keep")) {
		t->env.tried = ctl_yes(&c, "tried");
		if (read_outcomes(s, &t->file.outcomes,
		    ctl_num(&c, "len", 0, DIRECT_LINES, -1), deadline))
			answer = KEEP;
	} else if (got != -1)
		errno = got == 0 ? ECONNRESET : EBADMSG;
	buf_release(&line);
	return answer;
}

/* Half an answer is none: what was delivered is found by its name then. */
static void
forget(struct inject_txn *t)
{
	bool silent = errno == ETIMEDOUT;

	log_errno(t->file.id, "direct-lost");
	if (silent)
		inject_direct_pause(t->in);
	else
		inject_direct_close(t->in);
	buf_reset(&t->file.outcomes);
	t->env.tried = true;
}

bool
inject_direct(struct inject_txn *t)
{
	int64_t deadline = now_ms() + DIRECT_WAIT_MS;
	enum answer answer = NONE;
	int message;

	if (!inject_may_be_direct(t, t->file.size) || !talk(t->in) ||
	    (message = spool_in_memory(&t->file, &t->env)) == -1)
		return false;
	if (hand_over(t, message, deadline))
		answer = await_answer(t, deadline);
	(void)close(message);
	if (answer == NONE)
		forget(t);
	if (answer == DONE)
		t->in->away_ms = 0;
	return answer == DONE;
}
