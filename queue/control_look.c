/*
 * control_look.c - where a message is in the queue manager's hands, and how
 * the sites are: answers for `facteur why`, `facteur sites` and the filters.
 *
 * Runs in the queue manager.  From: queue/control.c.
 */
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "deadline.h"

static void
tell_active(struct msg *m, void *arg)
{
	struct buf *b = arg;

	if (m->active == NULL)
		return;
	ctl_begin(b, "active");
	ctl_add(b, "id", m->id);
	ctl_end(b);
}

void
control_status(struct peer *p, struct ctl *c)
{
	struct buf b = BUF_INIT;

	if (ctl_yes(c, "names"))
		msg_each(tell_active, &b);
	ctl_begin(&b, "ok");
	ctl_addn(&b, "messages", Q.index_n);
	ctl_addn(&b, "active", Q.nactive);
	ctl_end(&b);
	peer_write(p, b.data, b.len);
	buf_release(&b);
}

/* ---- one message ---- */

static const char *
step_word(const struct active *a, unsigned n)
{
	switch (a->work[n - 1].step) {
	case STEP_LOOKUP:
		return "lookup";
	case STEP_TASK:
		return sched_is_waiting(a, n) ? "waiting" : "running";
	case STEP_PARKED:
		return "parked";
	case STEP_IDLE:
	case STEP_SETTLED:
		break;
	}
	return NULL;
}

static void
look_active(struct buf *b, const struct active *a)
{
	for (unsigned n = 1; n <= a->env.nrcpts; n++) {
		const struct rcpt_work *w = &a->work[n - 1];
		const char *step = step_word(a, n);

		if (step == NULL)
			continue;
		ctl_begin(b, "rcpt");
		ctl_addn(b, "n", n);
		ctl_add(b, "step", step);
		if (w->step == STEP_TASK || w->step == STEP_PARKED)
			ctl_add(b, "site", w->site->key);
		ctl_end(b);
	}
}

void
control_look(struct peer *p, struct ctl *c)
{
	struct msg *m = msg_find(ctl_str(c, "id"));
	int64_t now = now_ms();
	struct buf b = BUF_INIT;

	if (m != NULL && m->active != NULL)
		look_active(&b, m->active);
	ctl_begin(&b, "ok");
	ctl_add(&b, "state", m == NULL ? "unknown" : m->active != NULL ?
	    "active" : m->site != NULL ? "parked" : "waiting");
	if (m != NULL && m->active == NULL && m->site != NULL)
		ctl_add(&b, "site", m->site->key);
	else if (m != NULL && m->active == NULL)
		ctl_addn(&b, "due-ms", m->due > now ? m->due - now : 0);
	ctl_end(&b);
	peer_write(p, b.data, b.len);
	buf_release(&b);
}

/* ---- sites ---- */

struct telling {
	struct buf out;
	const char *name;	/* the one asked for, or NULL: all */
	const struct site *only;
	int64_t	now;
};

static void
tell_site(struct site *s, void *arg)
{
	struct telling *t = arg;
	const struct site_flow *f = &s->flow;
	struct buf *b = &t->out;

	if (t->name != NULL && s != t->only && strcasecmp(s->key, t->name) != 0)
		return;
	ctl_begin(b, "site");
	ctl_add(b, "key", s->key);
	ctl_add(b, "kind", s->kind == SITE_LOCAL ? "local" : "remote");
	ctl_addn(b, "running", f->running);
	ctl_addn(b, "window", (int64_t)f->window);
	ctl_addn(b, "waiting", s->waiting + s->nparked + s->ncoming);
	if (f->rate > 0)
		ctl_addn(b, "rate", (int64_t)(f->rate + 0.5));
	if (f->rest_until > t->now)
		ctl_addn(b, "rest-ms", f->rest_until - t->now);
	else if (f->rest_until != 0 && f->running > 0)
		ctl_add(b, "probing", "yes");
	if (f->pause_until > t->now)
		ctl_addn(b, "pause-ms", f->pause_until - t->now);
	if (f->failing_since != 0)
		ctl_addn(b, "failing-ms", site_failing_ms(f, t->now));
	ctl_add(b, "error", s->error);
	ctl_end(b);
}

static void
find_domain(const char *domain, struct site *s, void *arg)
{
	struct telling *t = arg;

	if (strcasecmp(domain, t->name) == 0)
		t->only = s;
}

static void
tell_domain(const char *domain, struct site *s, void *arg)
{
	struct telling *t = arg;

	if (t->name != NULL && s != t->only && strcasecmp(s->key, t->name) != 0)
		return;
	ctl_begin(&t->out, "domain");
	ctl_add(&t->out, "name", domain);
	ctl_add(&t->out, "site", s->key);
	ctl_end(&t->out);
}

/* Every site (or the one of that key or domain), then which site each domain belongs to. */
void
control_sites(struct peer *p, struct ctl *c)
{
	struct telling t = { .name = ctl_get(c, "name"), .now = now_ms() };

	if (t.name != NULL)
		domain_each(find_domain, &t);
	site_each(tell_site, &t);
	if (ctl_yes(c, "domains"))
		domain_each(tell_domain, &t);
	ctl_begin(&t.out, "ok");
	ctl_end(&t.out);
	/* As raw bytes: many sites are more than a peer may queue in frames. */
	peer_write(p, t.out.data, t.out.len);
	buf_release(&t.out);
}

/* ---- the figures ---- */

static void
tell_reason(const char *text, uint64_t n, void *out)
{
	ctl_begin(out, "reason");
	ctl_addn(out, "count", (int64_t)n);
	ctl_add(out, "text", text);
	ctl_end(out);
}

void
control_stats(struct peer *p, struct ctl *c)
{
	struct buf out = BUF_INIT, text = BUF_INIT;

	if (ctl_yes(c, "reasons"))
		reasons_each(now_ms(), tell_reason, &out);
	stats_text(&text);
	ctl_begin(&out, "data");
	ctl_addn(&out, "len", (int64_t)text.len);
	ctl_end(&out);
	buf_add(&out, text.data, text.len);
	peer_write(p, out.data, out.len);
	buf_release(&out);
	buf_release(&text);
}
