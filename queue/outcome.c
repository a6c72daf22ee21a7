/*
 * outcome.c - what became of a recipient: a line behind the message, a line in
 * the log, and the new state in memory.
 *
 * Way 7 of 8.  From: queue/agent.c, queue/lookup.c.  To: the queue file.
 * Lines are collected and appended in one write.  They are not flushed to
 * disk: a mark lost in a crash costs a repeat, not a message.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "date.h"
#include "deadline.h"
#include "dsn.h"
#include "history.h"
#include "log.h"
#include "queue.h"

/*
 * The reply with an enhanced code in it: "550 5.1.1 no such user".  The agent's
 * code is put in where the peer gave none, so that the text alone suffices later.
 */
static void
full_text(struct buf *out, const struct outcome *o)
{
	const char *text = o->text;
	size_t code = strspn(text, "0123456789");

	if (o->enhanced == NULL || *o->enhanced == '\0' ||
	    strstr(text, o->enhanced) != NULL) {
		buf_adds(out, text);
		return;
	}
	if (code == 3 && text[3] == ' ') {
		buf_add(out, text, 4);
		text += 4;
	}
	buf_addf(out, "%s %s", o->enhanced, text);
}

static void
set_last(struct env_rcpt *r, const struct outcome *o, const char *text)
{
	free(r->host);
	free(r->text);
	r->host = o->host == NULL ? NULL : xstrdup(o->host);
	r->text = xstrdup(text);
}

static void
log_outcome(const struct active *a, const char *event,
    const struct env_rcpt *r, const char *extra, const char *text)
{
	int64_t delay = (date_now_usec() - a->env.arrived) / 1000;

	if (delay < 0)
		delay = 0;	/* the clock was set back */
	log_event(a->msg->id, "%s rcpt=%s host=%s delay=%lld.%03lld%s text=%s",
	    event, quoted(r->addr), r->host != NULL ? r->host : "-",
	    (long long)(delay / 1000), (long long)(delay % 1000), extra,
	    quoted(text));
}

/* For the figures: what has just become of r. */
static void
count(const struct active *a, const struct env_rcpt *r, enum via via,
    enum fate fate)
{
	stats_outcome(via, fate, a->msg->size, r->last - a->env.arrived);
}

/* Is a report about this success owed to the sender? */
static enum rcpt_report
owed(const struct active *a, const struct env_rcpt *r, enum rcpt_report report)
{
	if ((r->notify & NOTIFY_SUCCESS) == 0 ||
	    *dsn_sender(&a->env, r) == '\0' ||
	    !dsn_may_hear_success(Q.cfg, &a->env))
		return REPORT_NONE;
	return report;
}

void
outcome_done(struct active *a, unsigned n, const struct outcome *o)
{
	struct env_rcpt *r = &a->env.rcpts[n - 1];
	struct buf text = BUF_INIT;

	full_text(&text, o);
	r->last = date_now_usec();
	r->report = owed(a, r, o->report);
	envelope_done_owing(&a->lines, n, r->last, o->host, o->tls, r->report,
	    buf_str(&text));
	r->state = RCPT_DONE;
	set_last(r, o, buf_str(&text));
	count(a, r, o->via, FATE_DONE);
	history_add(HISTORY_DONE, a, r, o->tls, NULL);
	log_outcome(a, "delivered", r, a->direct ? " direct=yes" : "",
	    buf_str(&text));
	buf_release(&text);
}

static void
fail_text(struct active *a, unsigned n, const struct outcome *o,
    const char *text)
{
	struct env_rcpt *r = &a->env.rcpts[n - 1];

	r->last = date_now_usec();
	envelope_fail(&a->lines, n, r->last, o->host, o->tls, text);
	r->state = RCPT_FAILED;
	set_last(r, o, text);
	count(a, r, o->via, FATE_FAIL);
	history_add(HISTORY_FAIL, a, r, o->tls, NULL);
	log_outcome(a, "failed", r, "", text);
}

void
outcome_fail(struct active *a, unsigned n, const struct outcome *o)
{
	struct buf text = BUF_INIT;

	full_text(&text, o);
	fail_text(a, n, o, buf_str(&text));
	buf_release(&text);
}

/*
 * Has it been tried for long enough?  What counts is time spent trying
 * (envelope.h: tried), so neither a clock that jumps nor a host that was off
 * makes a message expire.
 */
static bool
is_expired(const struct active *a, const struct env_rcpt *r)
{
	int64_t lifetime = a->env.sender[0] == '\0' ?
	    Q.cfg->bounce_lifetime : Q.cfg->queue_lifetime;

	return r->tried > lifetime * 1000000;
}

void
outcome_defer(struct active *a, unsigned n, const struct outcome *o)
{
	struct env_rcpt *r = &a->env.rcpts[n - 1];
	struct buf text = BUF_INIT, extra = BUF_INIT;
	int64_t now = date_now_usec();
	double chance;

	full_text(&text, o);
	envelope_tried(&a->env, r, now);
	if (is_expired(a, r)) {
		buf_addf(&extra, "4.4.7 given up; the last attempt said: %s",
		    buf_str(&text));
		fail_text(a, n, o, buf_str(&extra));
		goto out;
	}
	r->attempts++;
	r->last = now;
	/* A site that wants it slower is not down: its window and pace wait. */
	chance = arc4random_uniform(1000) / 1000.0;
	r->next = now + 1000 * (o->slower ? retry_delay_ms(1, chance) / 5 :
	    retry_after_ms(r, chance));
	envelope_defer(&a->lines, n, now, r->next, o->host, o->tls,
	    buf_str(&text));
	set_last(r, o, buf_str(&text));
	count(a, r, o->via, FATE_DEFER);
	reasons_add(buf_str(&text), now_ms());
	buf_adds(&extra, " next=");
	date_iso(&extra, r->next, 0);
	log_outcome(a, "deferred", r, buf_str(&extra), buf_str(&text));
out:
	buf_release(&text);
	buf_release(&extra);
}

bool
outcome_waited(struct active *a, unsigned n, const struct site *s, int64_t now)
{
	struct env_rcpt *r = &a->env.rcpts[n - 1], tried = *r;
	struct outcome o = { .enhanced = "4.4.1", .via = VIA_REMOTE };
	struct buf text = BUF_INIT;
	int64_t failing = site_failing_ms(&s->flow, now) * 1000;
	int64_t since = date_now_usec() - (r->last != 0 ? r->last :
	    a->env.arrived);

	/* What it has waited, as far as the site was failing all that time. */
	tried.tried += since < failing ? since : failing;
	if (since <= 0 || failing == 0 || !is_expired(a, &tried))
		return false;
	buf_addf(&text, "4.4.7 given up; %s did not answer; the last attempt "
	    "there said: %s", s->key, s->error != NULL ? s->error : "nothing");
	o.text = buf_str(&text);
	fail_text(a, n, &o, o.text);
	a->work[n - 1].step = STEP_SETTLED;
	buf_release(&text);
	return true;
}

/*
 * One write, so that an expansion's new recipients and their parent's `done`
 * stand or fall together; a torn one is cut off when the file is next opened.
 * What the disk does not take stays in a->lines, for the next time.
 */
int
outcome_flush(struct active *a)
{
	ssize_t n;

	/* Of a direct one they go to inject, or to its file when it is opened. */
	if (a->lines.len == 0 || a->direct)
		return 0;
	n = write(a->fd, a->lines.data, a->lines.len);
	if (n != (ssize_t)a->lines.len) {
		if (n >= 0)
			errno = ENOSPC;
		log_errno(a->msg->id, "outcome-not-recorded");
		if (n > 0 && ftruncate(a->fd,
		    lseek(a->fd, 0, SEEK_END) - n) == 0)
			(void)!fsync(a->fd);	/* as in open.c */
		return -1;
	}
	buf_reset(&a->lines);
	return 0;
}
