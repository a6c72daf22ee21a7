/*
 * qadmin_next.c - what happens next to a message: what the queue manager has
 * in mind for it, in plain words.
 *
 * Runs as the caller.  From: queue/control_look.c.  To: queue/qadmin_why.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "date.h"
#include "log.h"
#include "qadmin_why.h"

void
why_forget(struct why *w)
{
	for (size_t i = 0; i < w->nrcpts; i++) {
		free(w->rcpts[i].step);
		free(w->rcpts[i].site);
	}
	free(w->rcpts);
	free(w->state);
	free(w->site);
	w->rcpts = NULL;
	w->nrcpts = 0;
	w->state = w->site = NULL;
}

static void
look_rcpt(struct why *w, const struct ctl *c)
{
	struct why_rcpt *r;

	w->rcpts = xreallocarray(w->rcpts, w->nrcpts + 1, sizeof(*w->rcpts));
	r = &w->rcpts[w->nrcpts++];
	r->n = (unsigned)ctl_num(c, "n", 1, UINT32_MAX, 0);
	r->step = xstrdup(ctl_str(c, "step"));
	r->site = xstrdup(ctl_str(c, "site"));
}

void
why_look(struct why *w, const char *id)
{
	struct buf b = BUF_INIT, line = BUF_INIT;
	struct ctl c;
	bool more;

	why_forget(w);
	if (!w->connected)
		return;
	ctl_begin(&b, "look");
	ctl_add(&b, "id", id);
	ctl_end(&b);
	more = control_ask(&w->control, &b, &line, &c);
	for (; more && ctl_is(&c, "rcpt");
	    more = control_next(&w->control, &line, &c))
		look_rcpt(w, &c);
	w->state = xstrdup(ctl_str(&c, "state"));
	if (ctl_get(&c, "site") != NULL)
		w->site = xstrdup(ctl_get(&c, "site"));
	w->due_ms = ctl_num(&c, "due-ms", 0, INT64_MAX, 0);
	buf_release(&b);
	buf_release(&line);
}

void
print_when(int64_t usec, int64_t now)
{
	struct buf b = BUF_INIT;
	int64_t seconds = (usec - now) / 1000000;

	date_iso(&b, usec, 0);
	buf_addf(&b, seconds > 0 ? " (in " : " (");
	date_span(&b, seconds > 0 ? seconds : -seconds);
	buf_addf(&b, seconds > 0 ? ")" : " ago)");
	fputs(buf_str(&b), stdout);
	buf_release(&b);
}

/* ---- sites ---- */

static void
say_site(const struct why *w, const struct site_view *s)
{
	printf("    The site ");
	print_bare(s->key);
	if (s->rest_ms > 0) {
		printf(" rests until ");
		print_when(w->now + s->rest_ms * 1000, w->now);
		printf(", because it could not be reached. Then one message "
		    "is tried; if that succeeds, the others follow.\n");
	} else if (s->probing) {
		printf(" did not answer; one message is being tried there "
		    "at this moment, and the others wait for how that "
		    "ends.\n");
	} else if (s->pause_ms > 0) {
		printf(" has asked for a pause: nothing goes there until ");
		print_when(w->now + s->pause_ms * 1000, w->now);
		printf(".\n");
	} else {
		printf(" is open: %lld connection%s at work, at most %lld now.\n",
		    (long long)s->running, s->running == 1 ? "" : "s",
		    (long long)s->window);
	}
	if (s->rate > 0)
		printf("    It gets at most %lld message%s a minute.\n",
		    (long long)s->rate, s->rate == 1 ? "" : "s");
	if (s->waiting > 0)
		printf("    %lld message%s (or parts of one) wait%s for it.\n",
		    (long long)s->waiting, s->waiting == 1 ? "" : "s",
		    s->waiting == 1 ? "s" : "");
	if (s->error != NULL)
		printf("    The last thing that went wrong there: %s\n",
		    quoted(s->error));
}

bool
why_site(struct why *w, const char *name)
{
	struct sites_view v;
	bool any;

	if (!w->connected)
		return false;
	sites_ask(&w->control, name, &v);
	for (size_t i = 0; i < v.n; i++)
		say_site(w, &v.v[i]);
	any = v.n > 0;
	sites_view_release(&v);
	return any;
}

/* ---- one recipient ---- */

/* Where it would go, as far as we can tell without asking resolve; or NULL. */
static const char *
likely_site(const struct why *w, const struct env_rcpt *r)
{
	const char *domain = address_domain(r->addr);

	if (r->route != NULL)
		return r->route;
	if (domain == NULL || config_is_ours(w->cfg, domain, strlen(domain)))
		return NULL;
	return w->cfg->relay_host[0] != '\0' ? w->cfg->relay_host : domain;
}

/* The rest of the site, if it outlasts the time when the attempt is due; else 0. */
static int64_t
rest_beyond(struct why *w, const char *name, int64_t due)
{
	struct sites_view v;
	int64_t until = 0;

	if (!w->connected || name == NULL)
		return 0;
	sites_ask(&w->control, name, &v);
	for (size_t i = 0; i < v.n; i++)
		if (w->now + v.v[i].rest_ms * 1000 > due &&
		    v.v[i].rest_ms > 0)
			until = w->now + v.v[i].rest_ms * 1000;
	sites_view_release(&v);
	return until;
}

static void
next_at(struct why *w, const struct env_rcpt *r, int64_t due)
{
	const char *name = likely_site(w, r);

	if (rest_beyond(w, name, due) != 0) {
		printf("    Next: an attempt is due at ");
		print_when(due, w->now);
		printf(", but it has to wait for its site.\n");
		(void)why_site(w, name);
	} else if (due <= w->now) {
		printf("    Next: an attempt is due.\n");
	} else {
		printf("    Next: an attempt at ");
		print_when(due, w->now);
		printf(".\n");
	}
}

/* Its site would take it, but all deliveries that may run are at other sites. */
static void
say_full(struct why *w, const char *site)
{
	struct sites_view v;
	const struct site_view *mine = NULL;
	int64_t running = 0, most;
	bool local;

	sites_ask(&w->control, NULL, &v);
	for (size_t i = 0; i < v.n; i++)
		if (strcmp(v.v[i].key, site) == 0)
			mine = &v.v[i];
	for (size_t i = 0; i < v.n && mine != NULL; i++)
		if (strcmp(v.v[i].kind, mine->kind) == 0)
			running += v.v[i].running;
	local = mine != NULL && strcmp(mine->kind, "local") == 0;
	most = local ? w->cfg->local_concurrency : w->cfg->remote_concurrency;
	if (mine == NULL || mine->running >= mine->window)
		;		/* its own window keeps it waiting */
	else if (running >= most)
		printf("    As many deliveries as may run at once are under "
		    "way (%s_concurrency = %lld); its turn comes when one of "
		    "them ends.\n", local ? "local" : "remote",
		    (long long)most);
	else if (!local && running >= most - most / 10)
		printf("    %lld of %lld deliveries are under way "
		    "(remote_concurrency), and what is left is kept for hosts "
		    "that answered when they were last asked.\n",
		    (long long)running, (long long)most);
	sites_view_release(&v);
}

static void
next_step(struct why *w, const struct why_rcpt *s)
{
	if (strcmp(s->step, "running") == 0)
		printf("    Next: it is being delivered at this moment, to ");
	else if (strcmp(s->step, "waiting") == 0)
		printf("    Next: it waits for its turn at ");
	else if (strcmp(s->step, "parked") == 0)
		printf("    Next: it waits for ");
	else {
		printf("    Next: where it goes is being looked up at this "
		    "moment.\n");
		return;
	}
	print_bare(s->site);
	printf(".\n");
	(void)why_site(w, s->site);
	if (strcmp(s->step, "waiting") == 0)
		say_full(w, s->site);
}

static void
next_pending(struct why *w, const struct env_rcpt *r)
{
	for (size_t i = 0; i < w->nrcpts; i++)
		if (w->rcpts[i].n == r->n) {
			next_step(w, &w->rcpts[i]);
			return;
		}
	if (strcmp(w->state, "parked") == 0 && w->site != NULL) {
		printf("    Next: it waits for ");
		print_bare(w->site);
		printf(".\n");
		(void)why_site(w, w->site);
	} else if (strcmp(w->state, "waiting") == 0 && w->due_ms > 0 &&
	    r->next <= w->now + w->due_ms * 1000) {
		next_at(w, r, w->now + w->due_ms * 1000);
	} else if (strcmp(w->state, "unknown") == 0) {
		printf("    Next: the queue manager has not seen it yet, or "
		    "has just let it go.\n");
	} else {
		next_at(w, r, r->next);
	}
}

/* It was handed in when the last attempt ended: if it is still to be done, that went wrong. */
static void
next_report(const struct why *w, const struct env_rcpt *r)
{
	printf("    Next: the sender is told%s", r->state == RCPT_FAILED ?
	    ", if there is one who wants to be" : "");
	if (w->state != NULL && strcmp(w->state, "waiting") == 0) {
		printf(". The report is handed in at ");
		print_when(w->now + w->due_ms * 1000, w->now);
		printf("; if that was tried before, the log says why it "
		    "failed (`report-postponed`)");
	} else if (w->state != NULL && strcmp(w->state, "active") == 0) {
		printf(", when all that is at work for this message has "
		    "ended");
	}
	printf(". Then this is over.\n");
}

void
why_next(struct why *w, const struct entry *e, const struct env_rcpt *r)
{
	if (entry_is_held(e))
		return;		/* said once, above */
	if (r->state != RCPT_PENDING)
		next_report(w, r);
	else if (w->state == NULL)
		next_at(w, r, r->next);
	else
		next_pending(w, r);
}
