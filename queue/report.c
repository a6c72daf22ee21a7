/*
 * report.c - carries a bounce to inject, and marks the recipients it speaks of
 * as told only when inject says that it is on disk.
 *
 * Way 7 of 8.  From: queue/active.c.  To: queue/inject.c (3).
 */
#include <stdlib.h>
#include <string.h>

#include "date.h"
#include "history.h"
#include "log.h"
#include "queue.h"

struct report {
	struct peer peer;		/* first */
	struct active *active;
	char	*sender;		/* owned; whom it goes to */
	struct buf text;		/* owned */
	bool	committed;
};

/* All failed recipients whose failure is `sender`'s to hear of, wanted or not. */
static void
mark_told(struct active *a, const char *sender, const char *dsn_id)
{
	int64_t now = date_now_usec();

	for (unsigned i = 0; i < a->env.nrcpts; i++) {
		struct env_rcpt *r = &a->env.rcpts[i];

		if (r->state != RCPT_FAILED ||
		    strcmp(dsn_sender(&a->env, r), sender) != 0)
			continue;
		envelope_told(&a->lines, r->n, now, dsn_id);
		r->state = RCPT_TOLD;
		if (strcmp(dsn_id, "-") != 0)
			history_add(HISTORY_BOUNCED, a, r, NULL, dsn_id);
	}
}

static void
report_free(struct report *r)
{
	buf_release(&r->text);
	free(r->sender);
	free(r);
}

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
		log_event(r->active->msg->id, "bounced dsn=%s to=%s",
		    ctl_str(c, "id"), quoted(r->sender));
		mark_told(r->active, r->sender, ctl_str(c, "id"));
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
	const struct envelope *env = &r->active->env;
	struct buf b = BUF_INIT;

	ctl_begin(&b, "message");
	ctl_add(&b, "sender", "");
	ctl_add(&b, "body", "8bit");
	ctl_add(&b, "utf8", env->utf8 ? "yes" : NULL);
	ctl_end(&b);
	ctl_begin(&b, "rcpt");
	ctl_add(&b, "to", r->sender);
	ctl_add(&b, "notify", "never");
	ctl_end(&b);
	ctl_begin(&b, "go");
	ctl_end(&b);
	peer_send(&r->peer, &b, -1);
	buf_release(&b);
}

/* The sender that the first failed recipient is to be reported to. */
static const char *
next_sender(const struct envelope *env)
{
	for (unsigned i = 0; i < env->nrcpts; i++)
		if (env->rcpts[i].state == RCPT_FAILED)
			return dsn_sender(env, &env->rcpts[i]);
	return "";
}

/* Is there anybody to tell, who wants to be told? Never a bounce for a bounce. */
static bool
is_wanted(const struct envelope *env, const char *sender)
{
	if (sender[0] == '\0')
		return false;
	for (unsigned i = 0; i < env->nrcpts; i++)
		if (dsn_reports(env, sender, &env->rcpts[i]))
			return true;
	return false;
}

void
report_start(struct active *a)
{
	const char *sender = next_sender(&a->env);
	struct report *r;

	if (!is_wanted(&a->env, sender)) {
		log_event(a->msg->id, "not-bounced sender=%s", quoted(sender));
		mark_told(a, sender, "-");
		return;
	}
	r = xcalloc(1, sizeof(*r));
	r->active = a;
	r->sender = xstrdup(sender);
	if (dsn_compose(Q.cfg, &a->env, sender, a->msg->id, a->fd,
	    a->msg->size, date_now_usec(), &r->text) == -1 ||
	    peer_connect(&r->peer, Q.loop, config_socket(Q.cfg, "inject"),
	    report_frame, report_closed) == -1) {
		log_errno(a->msg->id, "report-postponed");
		a->report_failed = true;
		report_free(r);
		return;
	}
	a->open++;
	send_envelope(r);
}
