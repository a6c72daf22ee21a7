/*
 * resolve_alias.c - expands an alias completely: lists, lists in lists, a name
 * that lists itself; loops and monsters are refused.
 *
 * Privilege: facteur-lookup.
 * Way 2 and 5 of 8.  From: resolve_expand.c.  To: resolve_serve.c.
 *
 * A fault in the table is ours and temporary (the mail waits); a loop is a
 * verdict that time does not change.
 */
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "log.h"
#include "resolve.h"

/* Where we are: an alias, the one that named it, and so on. */
struct step {
	const struct alias *alias;
	const char *domain;		/* its bare targets are in this one */
	const struct step *up;
	unsigned depth;
};

struct expansion {
	struct resolver *r;
	struct route *out;
	struct done {			/* not to be expanded twice */
		const struct alias *alias;
		char	*domain;	/* owned */
	} *done;			/* owned */
	size_t	 ndone;
	size_t	 known;			/* targets that are not UNKNOWN */
};

enum found {
	FOUND,
	UNKNOWN,			/* no alias, no mailbox */
	STOP				/* out says REFUSE or LATER */
};

static enum found expand(struct expansion *, const struct step *);

static enum found
stop(struct expansion *x, enum route_kind kind, int code, const char *enh,
    const struct alias *a, const char *what)
{
	struct buf text = BUF_INIT;

	buf_addf(&text, "aliases:%u: %s", a->line, what);
	log_event(NULL, "alias-fault file=%s/aliases line=%u name=%s what=%s",
	    x->r->cfg->confdir, a->line, quoted(a->name), quoted(what));
	route_fail(x->out, kind, code, enh, buf_str(&text));
	buf_release(&text);
	return STOP;
}

static bool
is_listed(const struct route *out, const char *address)
{
	for (size_t i = 0; i < out->nto; i++)
		if (strcasecmp(out->to[i].address, address) == 0)
			return true;
	return false;
}

static enum found
list(struct expansion *x, const struct step *at, const char *address,
    bool exact)
{
	struct route *out = x->out;

	if (is_listed(out, address))
		return FOUND;
	if (out->nto == EXPAND_TARGETS)
		return stop(x, ROUTE_LATER, 451, "4.3.5", at->alias,
		    "becomes too many addresses");
	if ((out->nto & (out->nto - 1)) == 0)
		out->to = xreallocarray(out->to,
		    out->nto == 0 ? 1 : out->nto * 2, sizeof(*out->to));
	out->to[out->nto].address = xstrdup(address);
	out->to[out->nto++].exact = exact;
	return FOUND;
}

/* Has this alias been expanded, or is it being? Remembers it if not. */
static bool
is_done(struct expansion *x, const struct alias *alias, const char *domain)
{
	for (size_t i = 0; i < x->ndone; i++)
		if (x->done[i].alias == alias &&
		    strcmp(x->done[i].domain, domain) == 0)
			return true;
	if ((x->ndone & (x->ndone - 1)) == 0)
		x->done = xreallocarray(x->done,
		    x->ndone == 0 ? 1 : x->ndone * 2, sizeof(*x->done));
	x->done[x->ndone++] = (struct done){ alias, xstrdup(domain) };
	return false;
}

static enum found
nested(struct expansion *x, const struct step *at, const struct alias *alias,
    const char *domain)
{
	struct step next = { alias, domain, at, at->depth + 1 };

	for (const struct step *s = at; s != NULL; s = s->up)
		if (s->alias == alias)
			return stop(x, ROUTE_REFUSE, 550, "5.4.6", at->alias,
			    "the alias leads back to itself");
	if (next.depth >= EXPAND_DEPTH)
		return stop(x, ROUTE_REFUSE, 550, "5.4.6", alias,
		    "aliases are nested too deep");
	if (x->ndone >= EXPAND_TARGETS)
		return stop(x, ROUTE_LATER, 451, "4.3.5", alias,
		    "too many aliases within an alias");
	return is_done(x, alias, domain) ? FOUND : expand(x, &next);
}

/*
 * A target in one of our domains: an alias (but a name in its own list is the
 * mailbox), or a mailbox.
 */
static enum found
target_here(struct expansion *x, const struct step *at, const char *address,
    bool exact)
{
	struct mailbox box = MAILBOX_INIT;
	struct buf why = BUF_INIT;
	const struct alias *alias;
	enum found found = UNKNOWN;
	struct place p;
	bool has_ext;

	if (is_listed(x->out, address))
		return FOUND;
	place_init(&p, x->r->cfg, address);
	alias = exact ? NULL : place_alias(&p, x->r);
	if (alias != NULL && alias != at->alias) {
		found = nested(x, at, alias, p.domain);
		place_release(&p);
		return found;
	}
	switch (place_mailbox(&p, x->r, &box, &has_ext, &why)) {
	case WHO_USER:
		x->known++;
		found = list(x, at, address, true);
		break;
	case WHO_NONE:
		break;
	case WHO_LATER:
		route_fail(x->out, ROUTE_LATER, 451, "4.3.0", buf_str(&why));
		found = STOP;
		break;
	}
	mailbox_release(&box);
	buf_release(&why);
	place_release(&p);
	return found;
}

/*
 * A bare name is in the domain of the list; if it does not exist there, in
 * our first one.
 */
static enum found
target_bare(struct expansion *x, const struct step *at, const char *name,
    bool exact)
{
	const struct config *cfg = x->r->cfg;
	struct buf b = BUF_INIT;
	enum found found;

	buf_addf(&b, "%s@%s", name, at->domain);
	found = target_here(x, at, buf_str(&b), exact);
	if (found == UNKNOWN && cfg->domains.n > 0 &&
	    strcmp(cfg->domains.v[0], at->domain) != 0) {
		buf_reset(&b);
		buf_addf(&b, "%s@%s", name, cfg->domains.v[0]);
		found = target_here(x, at, buf_str(&b), exact);
		buf_reset(&b);
		buf_addf(&b, "%s@%s", name, at->domain);
	}
	/* It is listed all the same, so that its failure is reported. */
	if (found == UNKNOWN)
		found = list(x, at, buf_str(&b), true);
	buf_release(&b);
	return found;
}

static enum found
target(struct expansion *x, const struct step *at,
    const struct alias_target *t)
{
	const char *domain;
	bool exact = t->kind == ALIAS_EXACT;
	enum found found;

	if (t->kind != ALIAS_ADDRESS && !exact)
		return stop(x, ROUTE_LATER, 451, "4.3.5", at->alias,
		    alias_kind_text(t->kind));
	domain = address_domain(t->text);
	if (domain == NULL)
		return target_bare(x, at, t->text, exact);
	if (!config_is_ours(x->r->cfg, domain, strlen(domain))) {
		x->known++;
		return list(x, at, t->text, false);
	}
	found = target_here(x, at, t->text, exact);
	return found == UNKNOWN ? list(x, at, t->text, true) : found;
}

static enum found
expand(struct expansion *x, const struct step *at)
{
	for (size_t i = 0; i < at->alias->ntargets; i++)
		if (target(x, at, &at->alias->targets[i]) == STOP)
			return STOP;
	return FOUND;
}

/*
 * owner-NAME gets what goes wrong behind the list NAME: it becomes the
 * sender.
 */
static char *
list_owner(const struct resolver *r, const struct alias *alias,
    const char *domain)
{
	size_t len = strcspn(alias->name, "@");
	struct buf b = BUF_INIT;

	if (*alias->name == '"' || strncmp(alias->name, "owner-", 6) == 0 ||
	    len + strlen("owner-") > ADDR_LOCAL_MAX)
		return NULL;
	buf_adds(&b, "owner-");
	buf_add(&b, alias->name, len);
	if (aliases_find(&r->aliases, buf_str(&b)) == NULL) {
		buf_addf(&b, "@%s", domain);
		if (aliases_find(&r->aliases, buf_str(&b)) == NULL) {
			buf_release(&b);
			return NULL;
		}
	} else
		buf_addf(&b, "@%s", domain);
	return buf_detach(&b);
}

void
resolve_alias(struct resolver *r, struct place *p, const struct alias *alias,
    struct route *out)
{
	struct expansion x = { .r = r, .out = out };
	struct step first = { alias, p->domain, NULL, 0 };

	out->kind = ROUTE_ALIAS;
	(void)is_done(&x, alias, p->domain);
	if (expand(&x, &first) == FOUND) {
		if (x.known == 0)
			(void)stop(&x, ROUTE_REFUSE, 550, "5.1.1", alias,
			    "none of the addresses exists");
		else
			out->sender = list_owner(r, alias, p->domain);
	}
	for (size_t i = 0; i < x.ndone; i++)
		free(x.done[i].domain);
	free(x.done);
}
