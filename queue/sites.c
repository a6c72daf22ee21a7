/*
 * sites.c - the destinations: found by name, and by the domains behind which
 * `remote` has found them.
 *
 * Way 5 of 8.  From: queue/lookup.c.  To: queue/sched.c.
 */
#include <stdlib.h>
#include <string.h>

#include "queue.h"
#include "sites_conf.h"

#define REFRESH_MS	1000
#define SITES_MAX	50000	/* above this, what an idle site has taught us is forgotten */
#define DOMAINS_MAX	100000	/* mappings remembered; then they start anew */

struct domain {			/* what remote said about a domain */
	char	*name;		/* owned */
	struct site *site;	/* holds a reference */
	struct domain *next;
};

static struct {
	struct domain **table;
	unsigned n, cap;
} D;

static unsigned
key_hash(const char *key)
{
	uint32_t h = 2166136261u;

	while (*key != '\0')
		h = (h ^ (unsigned char)*key++) * 16777619u;
	return h;
}

static void
sites_grow(void)
{
	unsigned cap = Q.site_cap == 0 ? 256 : Q.site_cap * 2;
	struct site **table = xcalloc(cap, sizeof(*table));

	for (unsigned i = 0; i < Q.site_cap; i++)
		for (struct site *s = Q.sites[i], *next; s != NULL; s = next) {
			unsigned slot = key_hash(s->key) & (cap - 1);

			next = s->next_hash;
			s->next_hash = table[slot];
			table[slot] = s;
		}
	free(Q.sites);
	Q.sites = table;
	Q.site_cap = cap;
}

static struct site_limits
limits_of(enum site_kind kind, const char *key)
{
	struct site_limits limits = { .messages = 100 };

	if (kind == SITE_LOCAL) {
		limits.connections = (unsigned)Q.cfg->local_concurrency;
		return limits;
	}
	limits.connections = (unsigned)Q.cfg->site_concurrency;
	sites_conf_limits(key, &limits);
	return limits;
}

struct site *
site_get(enum site_kind kind, const char *key, const char *relay)
{
	struct site_limits limits;
	struct site *s;
	unsigned slot;

	if (Q.site_n >= Q.site_cap)
		sites_grow();
	slot = key_hash(key) & (Q.site_cap - 1);
	for (s = Q.sites[slot]; s != NULL; s = s->next_hash)
		if (s->kind == kind && strcmp(s->key, key) == 0)
			return s;
	s = xcalloc(1, sizeof(*s));
	s->kind = kind;
	s->key = xstrdup(key);
	if (relay != NULL)
		s->relay = xstrdup(relay);
	limits = limits_of(kind, key);
	site_flow_init(&s->flow, &limits);
	if (kind == SITE_LOCAL)		/* our own disk: nothing to feel for */
		s->flow.window = limits.connections;
	s->next_hash = Q.sites[slot];
	Q.sites[slot] = s;
	Q.site_n++;
	return s;
}

struct site *
site_ref(struct site *s)
{
	s->refs++;
	return s;
}

void
site_unref(struct site *s)
{
	s->refs--;
	site_drop(s);
}

void
site_drop(struct site *s)
{
	struct site **p;

	if (s->refs > 0 || s->waiting > 0 || s->agents > 0 || s->listed ||
	    s->sleeping || s->ncoming > 0 || s->flow.running > 0 ||
	    (site_has_learned(&s->flow) && Q.site_n < SITES_MAX))
		return;
	p = &Q.sites[key_hash(s->key) & (Q.site_cap - 1)];
	while (*p != s)
		p = &(*p)->next_hash;
	*p = s->next_hash;
	Q.site_n--;
	free(s->key);
	free(s->relay);
	free(s->error);
	free(s);
}

void
site_each(void (*fn)(struct site *, void *), void *arg)
{
	for (unsigned i = 0; i < Q.site_cap; i++)
		for (struct site *s = Q.sites[i], *next; s != NULL; s = next) {
			next = s->next_hash;
			fn(s, arg);
		}
}

/* ---- domains ---- */

static void
domains_forget(void)
{
	for (unsigned i = 0; i < D.cap; i++)
		for (struct domain *d = D.table[i], *next; d != NULL; d = next) {
			next = d->next;
			site_unref(d->site);
			free(d->name);
			free(d);
		}
	free(D.table);
	memset(&D, 0, sizeof(D));
}

static struct domain *
domain_find(const char *name)
{
	struct domain *d;

	if (D.cap == 0)
		return NULL;
	d = D.table[key_hash(name) & (D.cap - 1)];
	while (d != NULL && strcmp(d->name, name) != 0)
		d = d->next;
	return d;
}

void
domain_each(void (*fn)(const char *, struct site *, void *), void *arg)
{
	for (unsigned i = 0; i < D.cap; i++)
		for (struct domain *d = D.table[i]; d != NULL; d = d->next)
			fn(d->name, d->site, arg);
}

/* The file of the administrator has changed: what it says holds from now on. */
static void
set_limits(struct site *s, void *arg)
{
	struct site_limits limits = limits_of(s->kind, s->key);

	(void)arg;
	if (s->flow.rate == s->flow.limits.rate || (limits.rate > 0 &&
	    s->flow.rate > limits.rate))
		s->flow.rate = limits.rate;
	s->flow.limits = limits;
	if (s->flow.window > limits.connections)
		s->flow.window = limits.connections;
}

void
sites_refresh(int64_t now)
{
	static int64_t looked;
	struct buf path = BUF_INIT;

	if (looked != 0 && now - looked < REFRESH_MS)
		return;
	looked = now;
	buf_addf(&path, "%s/sites", Q.cfg->confdir);
	if (sites_conf_refresh(buf_str(&path)))
		site_each(set_limits, NULL);
	buf_release(&path);
}

struct site *
site_of_domain(const char *domain)
{
	struct domain *d = domain_find(domain);

	return d != NULL ? d->site : site_get(SITE_REMOTE, domain, NULL);
}

struct site *
site_learn(const char *domain, const char *key)
{
	struct site *s = site_get(SITE_REMOTE, key, NULL);
	struct domain *d = domain_find(domain);
	unsigned slot;

	if (d != NULL && d->site == s)
		return s;
	if (d != NULL) {
		struct site *old = d->site;

		d->site = site_ref(s);
		site_unref(old);
		return s;
	}
	if (D.n >= DOMAINS_MAX)
		domains_forget();
	if (D.cap == 0) {
		D.cap = 16384;
		D.table = xcalloc(D.cap, sizeof(*D.table));
	}
	d = xcalloc(1, sizeof(*d));
	d->name = xstrdup(domain);
	d->site = site_ref(s);
	slot = key_hash(domain) & (D.cap - 1);
	d->next = D.table[slot];
	D.table[slot] = d;
	D.n++;
	return s;
}
