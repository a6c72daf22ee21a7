/*
 * direct.c - messages for mailboxes of this host that are delivered before
 * they lie in queue/: a worker of inject hands one over and waits (INTERNALS
 * 2.11).  If all its mailboxes have it, it need not lie there at all.
 *
 * Runs in the queue manager.  Way 4 of 8.  From: queue/inject_direct.c.
 * To: queue/active.c, and back with the outcome.
 */
#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "direct.h"
#include "log.h"
#include "queue.h"
#include "seams.h"

/* A worker of inject; one message at a time. */
struct direct {
	struct peer peer;		/* first */
	bool	waits;			/* for the outcome of: */
	char	id[ID_LEN + 1];
	int64_t	began;			/* usec, monotonic */
};

/* ---- the answer ---- */

static void
say_done(struct direct *d)
{
	struct buf b = BUF_INIT;

	ctl_begin(&b, "done");
	ctl_end(&b);
	peer_send(&d->peer, &b, -1);
	buf_release(&b);
}

/* What has become of it so far goes along, to be written behind it. */
static void
say_keep(struct direct *d, const struct buf *lines, bool tried)
{
	struct buf b = BUF_INIT;

	ctl_begin(&b, "keep");
	ctl_addn(&b, "len", (int64_t)lines->len);
	ctl_add(&b, "tried", tried ? "yes" : NULL);
	ctl_end(&b);
	buf_add(&b, buf_str(lines), lines->len);
	peer_send(&d->peer, &b, -1);
	buf_release(&b);
}

static void
count(struct msg *m, const struct active *a, const struct direct *d)
{
	stats_message(m);
	stats_recipients(a->env.nrcpts);
	stats_accept(now_us() - d->began);
}

/* Nobody waits any more, and no file was seen; but one may come.  The lines are kept for it. */
static void
wait_for_file(struct active *a)
{
	struct msg *m = a->msg;

	active_free(a);
	m->awaited = true;
	msg_due(m, now_ms());
}

/* Has he hung up, though we have not come to that yet? */
static bool
has_left(const struct direct *d)
{
	char c;

	return d->peer.closing || recv(d->peer.watch.fd, &c, 1,
	    MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void
answer(struct direct *d, struct active *a)
{
	struct msg *m = a->msg;

	if (envelope_pending(&a->env) == 0 && !report_is_due(a)) {
		count(m, a, d);
		say_done(d);
	} else
		say_keep(d, &a->lines, m->repeat);
	buf_reset(&a->lines);
	active_free(a);
	msg_forget(m);
}

bool
direct_end(struct active *a)
{
	struct direct *d = a->waiter;

	if (d != NULL) {
		d->waits = false;
		/* A file that was seen (stats.h): he has not waited, either. */
		if (!a->msg->counted && !has_left(d) &&
		    a->lines.len <= DIRECT_LINES) {
			answer(d, a);
			return true;
		}
		peer_close(&d->peer, "too late, or too much to tell");
	}
	a->msg->repeat = a->recalled = true;
	if (a->msg->counted)
		return false;
	wait_for_file(a);
	return true;
}

/* ---- the question ---- */

/* The envelope of what has been handed over. False: it is none of ours. */
static bool
is_message(int fd, int64_t size, struct envelope *env)
{
	envelope_init(env);
	if (size != -1 && spool_is_in_memory(fd) &&
	    spool_read_envelope(fd, size, env) == 0)
		return true;
	envelope_release(env);
	return false;
}

static void
start(struct direct *d, const char *id, int64_t size, int fd,
    const struct envelope *env)
{
	struct msg *m = msg_add(id, size, 0);

	msg_taken(m);
	m->checked = true;
	d->waits = true;
	memcpy(d->id, m->id, sizeof(d->id));
	d->began = now_us();
	active_begin(m, fd, env, NULL, d);
	active_run();
}

static void
direct_frame(struct peer *p, struct ctl *c)
{
	static const struct buf none = BUF_INIT;
	struct direct *d = (struct direct *)p;
	const char *id = ctl_str(c, "id");
	int64_t size = ctl_num(c, "size", 0, INT64_MAX / 2, -1);
	int fd = peer_take_fd(p);
	struct envelope env;

	if (!ctl_is(c, "deliver") || d->waits ||
	    !is_id(id, strlen(id)) || msg_find(id) != NULL ||
	    !is_message(fd, size, &env)) {
		if (fd != -1)
			close(fd);
		peer_close(p, "not a message to deliver");
		return;
	}
	if (Q.draining || Q.nactive >= Q.active_max || !message_room() ||
	    message_is_last(fd)) {
		envelope_release(&env);
		close(fd);
		say_keep(d, &none, false);
		return;
	}
	start(d, id, size, fd, &env);
}

/* Those it still runs at have kept a sender waiting: not the next one, too. */
static void
mark_slow(struct active *a, int64_t now)
{
	for (unsigned i = 0; i < a->env.nrcpts; i++)
		if (a->work[i].step == STEP_TASK &&
		    !sched_is_waiting(a, i + 1))
			a->work[i].site->direct_after = now + DIRECT_REST_MS;
}

/* He will not wait for longer, or has died.  What runs goes on. */
static void
direct_closed(struct peer *p, const char *why)
{
	struct direct *d = (struct direct *)p;
	struct active *a = d->waits ? msg_find(d->id)->active : NULL;

	if (a == NULL) {
		free(d);
		return;
	}
	a->waiter = NULL;
	if (now_us() - d->began >= DIRECT_SLOW_MS * 1000)
		mark_slow(a, now_ms());
	free(d);
	log_event(a->msg->id, "direct-left reason=%s", quoted(why));
	active_recall(a);
	active_run();
}

void
direct_ready(struct watch *w, uint32_t events)
{
	struct direct *d;
	int64_t uid;
	int fd = seam_accept(w->fd, "direct", &uid);

	(void)events;
	if (fd == -1)
		return;
	d = xcalloc(1, sizeof(*d));
	if (peer_init(&d->peer, Q.loop, fd, direct_frame, direct_closed)
	    == -1) {
		log_errno(NULL, "direct");
		free(d);
	}
}
