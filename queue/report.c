/*
 * report.c - carries a report to inject, and marks the recipients it speaks of
 * as told only when inject says that it is on disk.
 *
 * Way 7 of 8.  From: queue/active.c.  To: queue/inject.c (3).
 */
#include <stdlib.h>
#include <string.h>

#include "date.h"
#include "dsn.h"
#include "history.h"
#include "log.h"
#include "queue.h"

struct report {
	struct peer peer;		/* first */
	struct active *active;
	enum dsn_kind kind;
	char	*sender;		/* owned; whose recipients it is about */
	struct buf to;			/* owned; whom it goes to */
	struct buf text;		/* owned */
	bool	committed;
};

/* Everything this report would speak of is settled, wanted or not. */
static void
mark_told(struct active *a, enum dsn_kind kind, const char *sender,
    const char *dsn_id)
{
	int64_t now = date_now_usec();

	for (unsigned i = 0; i < a->env.nrcpts; i++) {
		struct env_rcpt *r = &a->env.rcpts[i];

		if (!dsn_concerns(&a->env, kind, sender, r))
			continue;
		if (kind == DSN_DELAYED) {
			r->delay_told = true;
			continue;
		}
		envelope_told(&a->lines, r->n, now, dsn_id);
		if (kind == DSN_SUCCESS) {
			r->report = REPORT_NONE;
			continue;
		}
		r->state = RCPT_TOLD;
		if (strcmp(dsn_id, "-") != 0)
			history_add(HISTORY_BOUNCED, a, r, NULL, dsn_id);
	}
	if (kind == DSN_DELAYED)
		envelope_delayed(&a->lines, now, dsn_id);
}

static void
report_free(struct report *r)
{
	buf_release(&r->text);
	buf_release(&r->to);
	free(r->sender);
	free(r);
}

static const char *const events[] = {
	[DSN_FAILED] = "bounced",
	[DSN_SUCCESS] = "success-reported",
	[DSN_DELAYED] = "delay-reported",
};

static void
report_frame(struct peer *p, struct ctl *c)
{
	struct report *r = (struct report *)p;
	struct buf b = BUF_INIT;

	if (ctl_is(c, "ready") && !r->committed) {
		ctl_begin(&b, "data");
		ctl_addn(&b, "len", (int64_t)r->text.len);
		ctl_end(&b);
		peer_send(p, &b, -1);
		peer_write(p, r->text.data, r->text.len);
		buf_reset(&b);
		ctl_begin(&b, "end");
		ctl_end(&b);
		peer_send(p, &b, -1);
		buf_release(&b);
	} else if (ctl_is(c, "ok")) {
		r->committed = true;
		stats_report(r->kind);
		log_event(r->active->msg->id, "%s dsn=%s to=%s",
		    events[r->kind], ctl_str(c, "id"), quoted(buf_str(&r->to)));
		mark_told(r->active, r->kind, r->sender, ctl_str(c, "id"));
		peer_close(p, "done");
	} else {
		peer_close(p, ctl_is(c, "err") ? ctl_str(c, "text") :
		    "unexpected frame");
	}
}

static void
report_closed(struct peer *p, const char *why)
{
	struct report *r = (struct report *)p;
	struct active *a = r->active;

	if (!r->committed) {
		log_event(a->msg->id, "report-postponed reason=%s", quoted(why));
		a->report_failed = true;
	}
	report_free(r);
	active_release(a);
	active_run();
}

static void
send_envelope(struct report *r)
{
	struct buf b = BUF_INIT;

	ctl_begin(&b, "message");
	ctl_add(&b, "sender", "");
	ctl_add(&b, "body", dsn_is_ascii(buf_str(&r->text), r->text.len) ?
	    NULL : "8bit");
	ctl_end(&b);
	ctl_begin(&b, "rcpt");
	ctl_add(&b, "to", buf_str(&r->to));
	ctl_add(&b, "notify", "never");
	ctl_end(&b);
	ctl_begin(&b, "go");
	ctl_end(&b);
	peer_send(&r->peer, &b, -1);
	buf_release(&b);
}

/* What is to be told first, and whose recipient is the first of those; NULL: nothing. */
static const char *
next_sender(const struct envelope *env, enum dsn_kind *kind_out)
{
	enum dsn_kind kind;

	if (envelope_failed(env) > 0)
		kind = DSN_FAILED;
	else if (envelope_owed(env) > 0)
		kind = DSN_SUCCESS;
	else if (dsn_delay_left(Q.cfg, env, date_now_usec()) <= 0)
		kind = DSN_DELAYED;
	else
		return NULL;
	*kind_out = kind;
	for (unsigned i = 0; i < env->nrcpts; i++) {
		const struct env_rcpt *r = &env->rcpts[i];
		const char *sender = dsn_sender(env, r);

		/* Of a delay only who wants to know is told at all. */
		if (kind == DSN_DELAYED ? dsn_reports(env, kind, sender, r) :
		    dsn_concerns(env, kind, sender, r))
			return sender;
	}
	return NULL;
}

bool
report_is_due(const struct active *a)
{
	enum dsn_kind kind;

	return next_sender(&a->env, &kind) != NULL;
}

static int
compose(struct report *r)
{
	const struct active *a = r->active;
	struct dsn d = { .kind = r->kind, .cfg = Q.cfg, .env = &a->env,
	    .id = a->msg->id, .sender = r->sender, .to = buf_str(&r->to),
	    .fd = a->fd, .size = a->msg->size, .now = date_now_usec() };

	return dsn_compose(&d, &r->text);
}

static void
report_postpone(struct report *r)
{
	log_errno(r->active->msg->id, "report-postponed");
	r->active->report_failed = true;
	report_free(r);
}

void
report_start(struct active *a)
{
	enum dsn_kind kind;
	const char *sender = next_sender(&a->env, &kind);
	struct report *r;

	if (sender == NULL)
		return;
	r = xcalloc(1, sizeof(*r));
	r->active = a;
	r->kind = kind;
	r->sender = xstrdup(sender);
	if (!dsn_address(Q.cfg, &a->env, kind, sender, &r->to)) {
		log_event(a->msg->id, "not-bounced sender=%s", quoted(sender));
		mark_told(a, kind, r->sender, "-");
		report_free(r);
		return;
	}
	if (compose(r) == -1 ||
	    peer_connect(&r->peer, Q.loop, config_socket(Q.cfg, "inject"),
	    report_frame, report_closed) == -1) {
		report_postpone(r);
		return;
	}
	a->open++;
	send_envelope(r);
}
