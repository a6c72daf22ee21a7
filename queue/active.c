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
#include "log.h"
#include "queue.h"

#define LOCKED_MS	20		/* not acknowledged yet: doubled each time, */
#define LOCKED_TIMES	6		/* as often as this */
#define NO_FDS_MS	5000		/* descriptors or memory are short */
#define REPORT_MS	60000		/* inject would not take the report */
#define LONGEST_MS	(5 * 3600 * 1000)	/* no wait is longer, whatever a file or the clock says */
#define COPYING_S	60		/* a damaged file this young may be a cp under way */
#define UNREADY_S	3600		/* one without its ready line: inject may be at it */
#define SLACK_USEC	60000000	/* recipients due within a minute of the first go along */

static void
retry_later(struct msg *m, int64_t ms)
{
	msg_due(m, now_ms() + ms);
}

/*
 * The file is not what we write.  A young one may be half copied: it is looked
 * at again; else it goes to bad/, is reported once, and nothing stops.
 */
static void
damaged(struct msg *m, int fd, const struct envelope *env)
{
	char name[SPOOL_NAME_MAX + 1];
	struct stat st;
	time_t age;

	spool_name(name, m->id, m->size);
	if (fstat(fd, &st) == -1)
		st.st_mtime = 0;
	age = time(NULL) - st.st_mtime;
	if (age >= 0 && age < (env->ready ? COPYING_S : UNREADY_S)) {
		if (!m->on_trial)
			log_event(m->id, "incomplete reason=%s",
			    quoted(env->damage));
		m->on_trial = true;
		retry_later(m, COPYING_S * 1000);
		return;
	}
	if (renameat(Q.spool.queue, name, Q.spool.bad, name) == 0)
		log_event(m->id, "damaged moved-to=bad reason=%s",
		    quoted(env->damage));
	else
		log_errno(m->id, "damaged reason=%s", quoted(env->damage));
	msg_forget(m);
}

/* Opens m's file; on -1 it has been decided what becomes of m. */
static int
open_message(struct msg *m)
{
	char name[SPOOL_NAME_MAX + 1];
	int fd;

	spool_name(name, m->id, m->size);
	fd = spool_open_file(Q.spool.queue, name);
	if (fd != -1) {
		m->locked = 0;
		return fd;
	}
	switch (errno) {
	case ENOENT:
		msg_forget(m);
		break;
	case EWOULDBLOCK:
		retry_later(m, LOCKED_MS << m->locked);
		if (m->locked < LOCKED_TIMES)
			m->locked++;
		break;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		log_errno(m->id, "postponed");
		retry_later(m, NO_FDS_MS);
		break;
	default:
		log_errno(m->id, "foreign-object dir=queue name=%s",
		    quoted(name));
		msg_forget(m);
	}
	return -1;
}

/*
 * Reads the envelope.  What stands behind the last whole line (a torn append)
 * is cut off here, so that our next line starts on a line of its own.  After a
 * reboot the content is checked against the commit mark before its first use.
 */
static int
read_message(struct msg *m, int fd, struct envelope *env)
{
	struct stat st;

	if (spool_read_envelope(fd, m->size, env) == -1) {
		if (env->damage == NULL)
			env->damage = xstrdup(strerror(errno));
		return -1;
	}
	if (env->arrived < Q.boot && envelope_next(env) == 0 &&
	    spool_verify(fd, m->size, env) != 1) {
		free(env->damage);
		env->damage = xstrdup("checksum of the content is wrong");
		return -1;
	}
	if (fstat(fd, &st) == 0 && st.st_size > m->size + (off_t)env->used) {
		log_event(m->id, "tail-cut reason=%s", quoted(env->damage));
		if (ftruncate(fd, m->size + (off_t)env->used) == -1)
			log_errno(m->id, "tail-cut");
	}
	return 0;
}

static void
start_recipients(struct active *a)
{
	int64_t now = date_now_usec();
	bool forced = a->msg->forced;

	a->msg->forced = false;
	for (unsigned i = 0; i < a->env.nrcpts; i++) {
		struct env_rcpt *r = &a->env.rcpts[i];

		if (r->state != RCPT_PENDING)
			continue;
		/* A next attempt that lies beyond every wait of ours: the clock was set back. */
		if (forced || r->next <= now + SLACK_USEC ||
		    r->next > now + (int64_t)LONGEST_MS * 1000)
			lookup_start(a, r->n);
	}
}

static void
active_start(struct msg *m)
{
	struct active *a;
	struct envelope env;
	int fd;

	if ((fd = open_message(m)) == -1)
		return;
	envelope_init(&env);
	if (read_message(m, fd, &env) == -1) {
		damaged(m, fd, &env);
		envelope_release(&env);
		close(fd);
		return;
	}
	a = xcalloc(1, sizeof(*a));
	a->msg = m;
	a->fd = fd;
	a->env = env;
	a->work = xcalloc(env.nrcpts + 1, sizeof(*a->work));
	m->active = a;
	Q.nactive++;
	a->open = 1;		/* our own hold, until everything is started */
	start_recipients(a);
	active_release(a);
}

static void
active_free(struct active *a)
{
	for (unsigned i = 0; i < a->env.nrcpts; i++) {
		free(a->work[i].address);
		free(a->work[i].ext);
		free(a->work[i].home);
	}
	free(a->work);
	close(a->fd);
	envelope_release(&a->env);
	buf_release(&a->lines);
	a->msg->active = NULL;
	Q.nactive--;
	free(a);
}

/* Nothing is left to do for anyone: the file goes. */
static void
remove_message(struct msg *m)
{
	char name[SPOOL_NAME_MAX + 1];

	spool_name(name, m->id, m->size);
	if (unlinkat(Q.spool.queue, name, 0) == -1 && errno != ENOENT) {
		/* It stays, fully marked: the next look at it tries again. */
		log_errno(m->id, "remove-failed");
		retry_later(m, REPORT_MS);
		return;
	}
	log_event(m->id, "removed");
	msg_forget(m);
}

static int64_t
wait_for_next(const struct envelope *env)
{
	int64_t ms = (envelope_next(env) - date_now_usec()) / 1000;

	if (ms < 1000)
		return 1000;
	return ms > LONGEST_MS ? LONGEST_MS : ms;
}

/* The round is over: report, remove, or wait for the next one. */
static void
active_finish(struct active *a)
{
	struct msg *m = a->msg;
	bool failed, pending;
	int64_t wait = 0;

	(void)outcome_flush(a);
	if (envelope_failed(&a->env) > 0 && !a->report_failed) {
		a->open = 1;
		report_start(a);
		active_release(a);
		return;
	}
	failed = envelope_failed(&a->env) > 0;
	pending = envelope_pending(&a->env) > 0;
	if (pending)
		wait = wait_for_next(&a->env);
	if (failed && (!pending || wait > REPORT_MS))
		wait = REPORT_MS;
	active_free(a);
	if (failed || pending)
		retry_later(m, wait);
	else
		remove_message(m);
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

	while (!Q.draining && Q.nactive < ACTIVE_MAX &&
	    (m = msg_pop_due(now)) != NULL)
		active_start(m);
	sched_run();

	/* A full house is woken by the next message that leaves it. */
	next = msg_next_due();
	Q.tick.fire = tick;
	if (next == INT64_MAX || Q.draining || Q.nactive >= ACTIVE_MAX)
		loop_timer_clear(Q.loop, &Q.tick);
	else
		loop_timer_set(Q.loop, &Q.tick, next);
}
