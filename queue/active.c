/*
 * active.c - one message at work: opened, read, its recipients handed on, and
 * in the end removed, or put back until its next attempt.
 *
 * Way 4 of 8.  From: queue/msg.c (due).  To: queue/lookup.c (5), queue/outcome.c (7).
 */
#include <sys/stat.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "date.h"
#include "deadline.h"
#include "dsn.h"
#include "log.h"
#include "pressure.h"
#include "queue.h"
#include "unsaved.h"

#define REPORT_MS	60000		/* inject would not take the report */
#define LONGEST_MS	(5 * 3600 * 1000)	/* no wait is longer, whatever a file or the clock says */
#define TURN_MS		5	/* opening files; then others speak: a million may lie there */
#define SLACK_USEC	60000000	/* recipients due within a minute of the first go along */

static void
retry_later(struct msg *m, int64_t ms)
{
	msg_due(m, now_ms() + ms);
}

/* An administrator has ordered the bounce. */
static void
give_up(struct active *a, unsigned n)
{
	const struct env_rcpt *r = &a->env.rcpts[n - 1];
	struct buf text = BUF_INIT;
	struct outcome o = { .enhanced = "5.0.0" };

	buf_addf(&text, "5.0.0 an administrator of %s has stopped trying%s%s",
	    Q.cfg->hostname, a->msg->last_words != NULL ? ": " : "",
	    a->msg->last_words != NULL ? a->msg->last_words : "");
	if (r->text != NULL)
		buf_addf(&text, "; the last attempt said: %s", r->text);
	o.text = buf_str(&text);
	a->work[n - 1].step = STEP_SETTLED;
	outcome_fail(a, n, &o);
	buf_release(&text);
}

/* Where it goes is what resolve says, unless an administrator has said. */
static void
start_one(struct active *a, const struct env_rcpt *r)
{
	if (r->route != NULL)
		sched_add(a, r->n, site_get(SITE_REMOTE, r->route, r->route),
		    now_ms());
	else
		lookup_start(a, r->n);
}

static void
start_recipients(struct active *a)
{
	int64_t now = date_now_usec();
	bool forced = a->msg->forced, bounce = a->msg->bounce;

	a->msg->forced = a->msg->bounce = false;
	a->forced = forced;
	for (unsigned i = 0; i < a->env.nrcpts; i++) {
		struct env_rcpt *r = &a->env.rcpts[i];

		if (r->state != RCPT_PENDING)
			continue;
		/* A next attempt that lies beyond every wait of ours: the clock was set back. */
		if (bounce)
			give_up(a, r->n);
		else if (forced || r->next <= now + SLACK_USEC ||
		    r->next > now + (int64_t)LONGEST_MS * 1000)
			start_one(a, r);
	}
	if (bounce) {
		free(a->msg->last_words);
		a->msg->last_words = NULL;
	}
}

/* Old enough that it might have to be given up, whatever its site does? */
static bool
may_be_expired(const struct msg *m)
{
	int64_t life = Q.cfg->queue_lifetime < Q.cfg->bounce_lifetime ?
	    Q.cfg->queue_lifetime : Q.cfg->bounce_lifetime;

	return date_now_usec() - id_usec(m->id) > life * 1000000;
}

/* Old enough that its sender might have to be told that it takes longer? */
static bool
may_be_late(const struct msg *m)
{
	return !m->delay_told && Q.cfg->delay_notice > 0 &&
	    date_now_usec() - id_usec(m->id) > Q.cfg->delay_notice * 1000000;
}

/* In the figures, once, if it came while we were here. */
static void
count_recipients(const struct active *a)
{
	if (a->env.arrived >= Q.started && !a->msg->rcpts_counted)
		stats_recipients(a->env.nrcpts);
	a->msg->rcpts_counted = true;
}

void
active_begin(struct msg *m, int fd, const struct envelope *env,
    struct site *caller, struct direct *waiter)
{
	struct active *a = xcalloc(1, sizeof(*a));

	a->msg = m;
	a->fd = fd;
	a->env = *env;
	a->caller = caller;
	a->waiter = waiter;
	a->direct = waiter != NULL;
	if (unsaved_take(m->id, &a->lines))
		envelope_more(&a->env, buf_str(&a->lines), a->lines.len);
	a->work = xcalloc(a->env.nrcpts + 1, sizeof(*a->work));
	m->active = a;
	Q.nactive++;
	if (!a->direct)
		count_recipients(a);
	a->open = 1;		/* our own hold, until everything is started */
	start_recipients(a);
	active_release(a);
}

static void
active_start(struct msg *m)
{
	struct site *caller;
	struct envelope env;
	int fd;

	if (!sched_leaves(m, m->forced || may_be_expired(m) ||
	    may_be_late(m), now_ms(), &caller))
		return;
	if ((fd = message_open(m, &env)) == -1) {
		sched_missed(caller);
		return;
	}
	active_begin(m, fd, &env, caller, NULL);
}

void
active_free(struct active *a)
{
	sched_missed(a->caller);
	for (unsigned i = 0; i < a->env.nrcpts; i++) {
		if (a->work[i].step == STEP_PARKED)
			site_unref(a->work[i].site);
		free(a->work[i].address);
		free(a->work[i].ext);
		free(a->work[i].home);
	}
	free(a->work);
	close(a->fd);
	envelope_release(&a->env);
	if (a->lines.len > 0)
		unsaved_keep(a->msg->id, &a->lines);
	buf_release(&a->lines);
	a->msg->active = NULL;
	Q.nactive--;
	free(a);
}

/* Has an administrator put another file in the place of the one we hold? */
static bool
is_replaced(const struct active *a, const char *name)
{
	struct stat ours, there;

	return fstat(a->fd, &ours) == 0 &&
	    fstatat(Q.spool.queue, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (ours.st_ino != there.st_ino || ours.st_dev != there.st_dev);
}

/*
 * Nothing is left to do for anyone: the file goes, and with it its last
 * outcomes, which nobody would read.  Where it stays, or an administrator has
 * moved it, they are written down.
 */
static void
remove_message(struct active *a)
{
	char name[SPOOL_NAME_MAX + 1];
	struct msg *m = a->msg;
	bool replaced, gone;
	int error;

	spool_name(name, m->id, m->size);
	replaced = is_replaced(a, name);
	gone = !replaced && unlinkat(Q.spool.queue, name, 0) == 0;
	error = errno;
	if (gone)
		buf_reset(&a->lines);
	else
		(void)outcome_flush(a);
	active_free(a);
	if (replaced) {
		log_event(m->id, "replaced");
		unsaved_forget(m->id);
		m->checked = false;
		retry_later(m, 0);
		return;
	}
	if (!gone && error != ENOENT) {
		/* It stays, fully marked: the next look at it tries again. */
		errno = error;
		log_errno(m->id, "remove-failed");
		retry_later(m, REPORT_MS);
		return;
	}
	log_event(m->id, "removed");
	unsaved_forget(m->id);
	msg_forget(m);
}

/*
 * The site that all that is left waits for; NULL when a recipient has a next
 * attempt of its own.  With several sites, one of them: when it asks for the
 * message, the others' recipients are parked anew.
 */
static struct site *
waits_for(const struct active *a)
{
	struct site *s = NULL;

	for (unsigned i = 0; i < a->env.nrcpts; i++) {
		if (a->env.rcpts[i].state != RCPT_PENDING)
			continue;
		if (a->work[i].step != STEP_PARKED)
			return NULL;
		s = a->work[i].site;
	}
	return s;
}

/* Milliseconds until the next attempt of a recipient that has one, or the delay notice. */
static int64_t
wait_for_next(const struct active *a)
{
	int64_t now = date_now_usec(), next, ms;

	next = dsn_delay_left(Q.cfg, &a->env, now);
	if (next != INT64_MAX)
		next += now;

	for (unsigned i = 0; i < a->env.nrcpts; i++) {
		const struct env_rcpt *r = &a->env.rcpts[i];

		if (r->state == RCPT_PENDING && r->next < next &&
		    a->work[i].step != STEP_PARKED)
			next = r->next;
	}
	ms = (next - now) / 1000;
	if (ms < 1000)
		return 1000;
	return ms > LONGEST_MS ? LONGEST_MS : ms;
}

bool
active_is_gone(const struct active *a)
{
	char name[SPOOL_NAME_MAX + 1];

	spool_name(name, a->msg->id, a->msg->size);
	return faccessat(Q.spool.queue, name, F_OK, AT_SYMLINK_NOFOLLOW) == -1
	    && errno == ENOENT;
}

/* Its file has gone; or somebody wants it looked at anew. */
static void
finish_recalled(struct active *a)
{
	struct msg *m = a->msg;
	bool gone = active_is_gone(a);
	struct envelope env = a->env;

	envelope_init(&a->env);
	active_free(a);
	if (gone)
		message_gone(m, &env);
	else
		retry_later(m, 0);
	envelope_release(&env);
}

/* The round is over: report, remove, or wait for the next one. */
static void
active_finish(struct active *a)
{
	struct msg *m = a->msg;
	struct site *site;
	bool untold;
	int64_t wait;

	if (a->direct && direct_end(a))
		return;
	if (!a->recalled && envelope_pending(&a->env) == 0 &&
	    !report_is_due(a)) {
		remove_message(a);
		return;
	}
	(void)outcome_flush(a);
	if (a->recalled) {
		finish_recalled(a);
		return;
	}
	untold = report_is_due(a);
	if (untold && !a->report_failed) {
		a->open = 1;
		report_start(a);
		active_release(a);
		return;
	}
	m->delay_told = dsn_delay_left(Q.cfg, &a->env, date_now_usec()) ==
	    INT64_MAX;
	site = untold ? NULL : waits_for(a);
	if (site == NULL)
		msg_begun(m);
	wait = untold ? REPORT_MS : wait_for_next(a);
	if (site != NULL)
		sched_park_msg(m, site, now_ms());
	active_free(a);
	if (site == NULL)
		retry_later(m, wait);
}

void
active_recall(struct active *a)
{
	a->recalled = true;
	a->open++;		/* until all is withdrawn */
	sched_withdraw(a);
	active_release(a);
}

void
active_release(struct active *a)
{
	assert(a->open > 0);
	if (--a->open == 0)
		active_finish(a);
}

static void
tick(struct timer *t)
{
	(void)t;
	active_run();
}

void
active_run(void)
{
	int64_t now = now_ms(), next;
	struct msg *m;

	sites_refresh(now);

	while (!Q.draining && Q.nactive < Q.active_max && message_room() &&
	    now_ms() - now < TURN_MS &&
	    (m = msg_pop_due(now)) != NULL)
		active_start(m);
	sched_run();
	pressure_tell();

	/* A full house is woken by the next message that leaves it. */
	next = msg_next_due();
	Q.tick.fire = tick;
	if (next == INT64_MAX || Q.draining || Q.nactive >= Q.active_max ||
	    !message_room())
		loop_timer_clear(Q.loop, &Q.tick);
	else
		loop_timer_set(Q.loop, &Q.tick, next);
}
