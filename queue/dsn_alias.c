/*
 * dsn_alias.c - whom a report names.  Who wrote to an alias is told of the
 * address he wrote, not of those behind it: neither by us, nor by what another
 * host said of them.
 *
 * Way 7 of 8.  From: queue/dsn_people.c, queue/dsn_fields.c.  To: the same.
 * The owner of a list knows its members; postmaster may know everything.
 */
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "dsn.h"

static const char another_host[] = "another mail server";

static bool
same_sender(const struct env_rcpt *a, const struct env_rcpt *b)
{
	if (a->from == NULL || b->from == NULL)
		return a->from == b->from;
	return strcmp(a->from, b->from) == 0;
}

const struct env_rcpt *
dsn_written(const struct dsn *d, const struct env_rcpt *r)
{
	const struct env_rcpt *parent;

	if (*d->sender == '\0')
		return r;
	/* A parent stands before its children, so this ends. */
	while (r->parent != 0 && r->parent < r->n) {
		parent = &d->env->rcpts[r->parent - 1];
		if (!same_sender(parent, r))
			break;		/* a list: its owner wrote r */
		r = parent;
	}
	return r;
}

/* ---- what others say ---- */

static void
replace_all(struct buf *text, const char *what, const char *with)
{
	struct buf out = BUF_INIT;
	const char *p = buf_str(text), *hit;

	while (*what != '\0' && (hit = strcasestr(p, what)) != NULL) {
		buf_add(&out, p, (size_t)(hit - p));
		buf_adds(&out, with);
		p = hit + strlen(what);
	}
	buf_adds(&out, p);
	buf_release(text);
	*text = out;
}

/*
 * Does this word name the target?  As any address at its domain, or its name
 * at any domain; something may stand before it ("rcpt=x@y").
 */
static bool
is_target(const char *word, const char *target, const char *domain)
{
	const char *at = strchr(word, '@');
	size_t len = address_local_len(target);

	if (at == NULL)
		return false;
	if (domain != NULL && strcasestr(word, domain) != NULL)
		return true;
	return (size_t)(at - word) >= len &&
	    strncasecmp(at - len, target, len) == 0;
}

/*
 * Word by word: addresses of the target become the written one, names of
 * hosts and domains that lead there become dots.
 */
static void
hide_words(struct buf *text, const struct env_rcpt *target,
    const struct env_rcpt *written, const char *host)
{
	static const char between[] = " \t<>()[]{}\"',;:";
	const char *p = buf_str(text), *domain = address_domain(target->addr),
	    *known = address_domain(written->addr);
	struct buf out = BUF_INIT, word = BUF_INIT;

	if (domain != NULL && known != NULL && strcasecmp(domain, known) == 0)
		domain = NULL;		/* no secret */
	while (*p != '\0') {
		size_t len = strcspn(p, between);

		buf_reset(&word);
		buf_add(&word, p, len);
		if (is_target(buf_str(&word), target->addr, domain))
			buf_adds(&out, written->addr);
		else if ((domain != NULL &&
		    strcasestr(buf_str(&word), domain) != NULL) ||
		    (*host != '\0' && strcasestr(buf_str(&word), host) != NULL))
			buf_adds(&out, "...");
		else
			buf_add(&out, p, len);
		p += len;
		len = strspn(p, between);
		buf_add(&out, p, len);
		p += len;
	}
	buf_release(&word);
	buf_release(text);
	*text = out;
}

static char *
hidden_text(const struct env_rcpt *target, const struct env_rcpt *written)
{
	struct buf text = BUF_INIT, host = BUF_INIT, ip = BUF_INIT;
	const char *name = target->host != NULL ? target->host : "";
	size_t len = strcspn(name, "[");

	if (strcmp(name, "-") != 0)
		buf_add(&host, name, len);
	if (name[len] == '[')
		buf_add(&ip, name + len + 1, strcspn(name + len + 1, "]"));
	buf_adds(&text, target->text);
	replace_all(&text, target->addr, written->addr);
	replace_all(&text, buf_str(&ip), "...");
	hide_words(&text, target, written, buf_str(&host));
	buf_release(&host);
	buf_release(&ip);
	return buf_detach(&text);
}

/* ---- one entry for all that is behind one address ---- */

struct group {
	const struct env_rcpt *tells;	/* borrowed; NULL: nothing to report */
	unsigned behind;	/* addresses it leads to, the last of each way */
	bool	leads_on;
};

/* What somebody said of the address itself tells more than our own giving up, and that more than no status at all. */
static int
telling(const struct dsn *d, const struct env_rcpt *r)
{
	struct buf status = BUF_INIT;
	const char *reply, *s;
	int n = 0;

	dsn_status(d, r, &status);
	s = buf_str(&status) + 1;
	if (strcmp(s, ".0.0") != 0 && strcmp(s, ".4.1") != 0)
		n = strcmp(s, ".4.7") == 0 ? 1 : 2;
	buf_release(&status);
	return 2 * n + dsn_last_reply(r, &reply);
}

static struct group *
group_all(const struct dsn *d)
{
	const struct envelope *env = d->env;
	struct group *g = xcalloc(env->nrcpts + 1, sizeof(*g)), *of;

	for (unsigned i = 0; i < env->nrcpts; i++)
		if (env->rcpts[i].parent <= i && env->rcpts[i].parent > 0)
			g[env->rcpts[i].parent - 1].leads_on = true;
	for (unsigned i = 0; i < env->nrcpts; i++) {
		const struct env_rcpt *r = &env->rcpts[i];

		of = &g[dsn_written(d, r)->n - 1];
		of->behind += !g[i].leads_on;
		if (dsn_reports(env, d->kind, d->sender, r) &&
		    (of->tells == NULL || telling(d, r) > telling(d, of->tells)))
			of->tells = r;
	}
	return g;
}

static bool
is_hidden(const struct env_rcpt *target, const struct env_rcpt *written)
{
	return strcasecmp(target->addr, written->addr) != 0;
}

/* The story of the target, under the name that is known. */
static struct env_rcpt
told_of(const struct env_rcpt *target, const struct env_rcpt *written,
    char **text_out)
{
	struct env_rcpt r = *target;

	r.addr = written->addr;
	r.orcpt = written->orcpt;
	r.parent = written->parent;
	if (r.host != NULL && strcmp(r.host, "-") != 0)
		r.host = (char *)(uintptr_t)another_host;
	if (r.text != NULL)
		r.text = *text_out = hidden_text(target, written);
	return r;
}

void
dsn_each(const struct dsn *d, void (*fn)(const struct dsn *,
    const struct dsn_entry *, struct buf *), struct buf *out)
{
	struct group *g = group_all(d);
	struct dsn_entry e = { .utf8 = dsn_is_global(d) };

	for (unsigned i = 0; i < d->env->nrcpts; i++) {
		const struct env_rcpt *written = &d->env->rcpts[i];
		char *text = NULL;

		if (g[i].tells == NULL)
			continue;
		e.several = g[i].behind > 1;
		e.hidden = is_hidden(g[i].tells, written);
		e.r = e.hidden ? told_of(g[i].tells, written, &text) :
		    *g[i].tells;
		fn(d, &e, out);
		free(text);
	}
	free(g);
}
