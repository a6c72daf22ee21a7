/*
 * lookup.c - asks resolve where each recipient goes, in one conversation with
 * any number of questions under way; answers come in order.
 *
 * Way 5 of 8.  From: queue/active.c.  To: queue/sched.c, queue/outcome.c.
 * Resolve is asked anew at every attempt, so that a mended alias frees stuck mail.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deadline.h"
#include "dsn.h"
#include "log.h"
#include "queue.h"

#define RECONNECT_MS	500
#define TRIES		3	/* times a question may see its connection die */
#define ASKED_MAX	500	/* questions under way: a list of 50,000 must not fill the socket */

struct lookup {
	struct active *active;
	unsigned n;
	unsigned tries;
	struct lookup *next;
};

static struct {
	struct lookup *head, *tail;
	struct lookup *unasked;	/* the first that has not been asked on this connection */
	unsigned asked;		/* questions under way */
	struct peer peer;
	bool	connected;
	struct timer again;
	unsigned targets;	/* `to` frames of an alias that are still to come */
	unsigned count;		/* and of all that it has */
	unsigned added;		/* recipients that have come of them */
	char	*sender;	/* owner-: sender of the list's recipients */
} L;

static void lookup_connect(void);

static void
ask(const struct lookup *l)
{
	const struct env_rcpt *r = &l->active->env.rcpts[l->n - 1];
	struct buf b = BUF_INIT;

	ctl_begin(&b, "resolve");
	ctl_add(&b, "address", r->addr);
	ctl_add(&b, "exact", r->exact ? "yes" : NULL);
	ctl_end(&b);
	peer_send(&L.peer, &b, -1);
	buf_release(&b);
}

static void
ask_more(void)
{
	for (; L.connected && L.unasked != NULL && L.asked < ASKED_MAX;
	    L.asked++, L.unasked = L.unasked->next)
		ask(L.unasked);
}

void
lookup_start(struct active *a, unsigned n)
{
	struct lookup *l = xcalloc(1, sizeof(*l));

	l->active = a;
	l->n = n;
	a->work[n - 1].step = STEP_LOOKUP;
	a->open++;
	if (L.tail == NULL)
		L.head = l;
	else
		L.tail->next = l;
	L.tail = l;
	if (L.unasked == NULL)
		L.unasked = l;
	if (L.connected)
		ask_more();
	else if (L.again.slot == 0)
		lookup_connect();
}

/* The question at the head is answered: the next answer is for the next one. */
static void
lookup_pop(void)
{
	struct lookup *l = L.head;
	struct active *a = l->active;

	L.head = l->next;
	if (L.head == NULL)
		L.tail = NULL;
	if (L.unasked == l)
		L.unasked = l->next;	/* given up, never asked */
	else if (L.asked > 0)
		L.asked--;
	free(l);
	ask_more();
	active_release(a);
	/* One message's recipients go out together: not before all are known. */
	if (L.head == NULL || L.head->active != a)
		active_run();
}

/* Ends the question at the head with an outcome that needs no agent. */
static void
settle(void (*outcome)(struct active *, unsigned, const struct outcome *),
    const char *enhanced, const char *text)
{
	struct outcome o = { .enhanced = enhanced, .text = text };

	L.head->active->work[L.head->n - 1].step = STEP_SETTLED;
	outcome(L.head->active, L.head->n, &o);
}

static bool
is_below_mail(const char *home)
{
	size_t len = strlen(Q.cfg->mail);

	return strncmp(home, Q.cfg->mail, len) == 0 && home[len] == '/';
}

static void
route_mailbox(struct ctl *c)
{
	struct active *a = L.head->active;
	struct rcpt_work *w = &a->work[L.head->n - 1];
	char key[256];

	if (ctl_get(c, "address") == NULL || ctl_get(c, "home") == NULL) {
		settle(outcome_defer, "4.3.5", "resolve named no mailbox");
		return;
	}
	free(w->address);
	free(w->home);
	free(w->ext);
	w->address = xstrdup(ctl_str(c, "address"));
	w->home = xstrdup(ctl_str(c, "home"));
	w->ext = xstrdup(ctl_str(c, "ext"));
	/* An agent's sandbox is one home, or the mail directory with them all. */
	snprintf(key, sizeof(key), "uid %lld%s%s",
	    (long long)ctl_num(c, "uid", 0, UINT32_MAX, 0),
	    is_below_mail(w->home) ? "" : " ",
	    is_below_mail(w->home) ? "" : w->home);
	sched_add(a, L.head->n, site_get(SITE_LOCAL, key, NULL), now_ms());
}

static void
route_remote(struct ctl *c, const char *relay)
{
	const char *domain = ctl_str(c, "domain");

	sched_add(L.head->active, L.head->n, relay != NULL ?
	    site_get(SITE_REMOTE, relay, relay) : site_of_domain(domain),
	    now_ms());
}

/*
 * An alias has told all its targets: the recipient itself is done with.  For
 * its sender it has arrived at a list, or the only target answers for it.
 */
static void
alias_end(void)
{
	struct outcome o = { .enhanced = "2.0.0", .text = "expanded" };
	struct active *a = L.head->active;

	if (L.sender != NULL)
		o.report = REPORT_DELIVERED;
	else if (L.count != 1 || L.added != 1)
		o.report = REPORT_EXPANDED;
	a->work[L.head->n - 1].step = STEP_SETTLED;
	outcome_done(a, L.head->n, &o);
	free(L.sender);
	L.sender = NULL;
	lookup_pop();
}

static bool
has_recipient(const struct envelope *env, const char *addr, bool exact)
{
	for (unsigned i = 0; i < env->nrcpts; i++)
		if (strcasecmp(env->rcpts[i].addr, addr) == 0 &&
		    env->rcpts[i].exact == exact)
			return true;
	return false;
}

/*
 * What the sender has asked for goes along, but not to the members of a list
 * (RFC 3461 section 5.2.7): their reports are for its owner.
 */
static void
inherit(const struct envelope *env, const struct env_rcpt *parent,
    struct env_rcpt *r)
{
	if (L.sender != NULL) {
		r->from = xstrdup(L.sender);
		return;
	}
	/* A stranger must not make another host tell where an alias leads. */
	r->notify = dsn_inherited(parent->notify, L.count == 1 &&
	    dsn_may_hear_success(Q.cfg, env));
	if (parent->orcpt != NULL)
		r->orcpt = xstrdup(parent->orcpt);
	if (parent->from != NULL)
		r->from = xstrdup(parent->from);
}

/*
 * A target of the alias at the head becomes a recipient of its own; its line
 * stands before the parent's `done`, and both go out in one write.
 */
static void
alias_target(struct ctl *c)
{
	struct active *a = L.head->active;
	const char *addr = ctl_get(c, "address");
	bool exact = ctl_yes(c, "exact");
	struct env_rcpt *r, *parent;

	if (addr != NULL && !has_recipient(&a->env, addr, exact)) {
		a->work = xreallocarray(a->work, a->env.nrcpts + 2,
		    sizeof(*a->work));
		memset(&a->work[a->env.nrcpts], 0, 2 * sizeof(*a->work));
		r = envelope_add(&a->env, addr);
		parent = &a->env.rcpts[L.head->n - 1];
		r->exact = exact;
		r->parent = parent->n;
		inherit(&a->env, parent, r);
		L.added++;
		if (envelope_rcpt_line(&a->lines, r) == 0)
			lookup_start(a, r->n);
		else
			r->state = RCPT_DONE;	/* cannot be: resolve sent control bytes */
	}
	if (--L.targets == 0)
		alias_end();
}

static void
route(struct ctl *c)
{
	const char *kind = ctl_str(c, "kind");

	if (strcmp(kind, "alias") == 0) {
		L.targets = (unsigned)ctl_num(c, "count", 0, 100000, 0);
		L.count = L.targets;
		L.added = 0;
		if (ctl_get(c, "sender") != NULL)
			L.sender = xstrdup(ctl_get(c, "sender"));
		if (L.targets == 0)
			alias_end();
		return;
	}
	if (strcmp(kind, "mailbox") == 0)
		route_mailbox(c);
	else if (strcmp(kind, "remote") == 0)
		route_remote(c, NULL);
	else if (strcmp(kind, "relay") == 0)
		route_remote(c, ctl_str(c, "host"));
	else if (strcmp(kind, "refuse") == 0)
		settle(outcome_fail, ctl_str(c, "enh"), ctl_str(c, "text"));
	else
		settle(outcome_defer, ctl_str(c, "enh"), ctl_str(c, "text"));
	lookup_pop();
}

static void
lookup_frame(struct peer *p, struct ctl *c)
{
	if (L.head != NULL && L.targets > 0 && ctl_is(c, "to"))
		alias_target(c);
	else if (L.head != NULL && L.targets == 0 && ctl_is(c, "route"))
		route(c);
	else
		peer_close(p, "unexpected frame");
}

/* Resolve has ended.  What was asked is asked again; a question that is always the last one is given up for now. */
static void
lookup_closed(struct peer *p, const char *why)
{
	(void)p;
	L.connected = false;
	L.unasked = L.head;
	L.asked = 0;
	L.targets = 0;
	free(L.sender);
	L.sender = NULL;
	if (L.head == NULL)
		return;
	log_event(NULL, "resolve-lost reason=%s", quoted(why));
	loop_timer_set(Q.loop, &L.again, now_ms() + RECONNECT_MS);
	if (++L.head->tries >= TRIES) {
		settle(outcome_defer, "4.3.0", "resolve gave no answer");
		lookup_pop();
	}
}

static void
lookup_again(struct timer *t)
{
	(void)t;
	if (!L.connected && L.head != NULL)
		lookup_connect();
}

static void
lookup_connect(void)
{
	L.again.fire = lookup_again;
	if (peer_connect(&L.peer, Q.loop, config_socket(Q.cfg, "net/resolve"),
	    lookup_frame, lookup_closed) == -1) {
		loop_timer_set(Q.loop, &L.again, now_ms() + RECONNECT_MS);
		return;
	}
	L.connected = true;
	ask_more();
}
