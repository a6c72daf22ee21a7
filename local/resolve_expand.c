/*
 * resolve_expand.c - from one address to its route.  The single truth: smtpd,
 * queue and `facteur resolve` all hear it from here.
 *
 * Privilege: facteur-lookup; addresses come from strangers.
 * Way 2 and 5 of 8.  From: resolve_serve.c.  To: resolve_alias.c, who.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "address.h"
#include "log.h"
#include "resolve.h"

#define ALIASES_MAX	(32 * 1024 * 1024)	/* bytes of the file */

void
resolver_init(struct resolver *r, const struct config *cfg,
    enum who_result (*who)(void *, const char *, struct mailbox *,
    struct buf *), void *arg)
{
	*r = (struct resolver){ .cfg = cfg, .who = who, .who_arg = arg };
}

void
resolver_release(struct resolver *r)
{
	aliases_release(&r->aliases);
	r->loaded = false;
}

/* Reads all of a regular file. 0, or -1 with errno. */
static int
slurp(const char *path, struct buf *out, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), saved;
	ssize_t n = -1;
	char *room;

	if (fd == -1)
		return -1;
	if (fstat(fd, st) == -1)
		goto out;
	errno = EINVAL;
	if (!S_ISREG(st->st_mode))
		goto out;
	do {
		errno = EFBIG;
		if (out->len > ALIASES_MAX ||
		    (room = buf_room(out, 65536)) == NULL)
			goto out;
		n = read(fd, room, 65536);
		if (n > 0) {
			out->len += (size_t)n;
			room[n] = '\0';
		}
	} while (n > 0);
out:
	saved = errno;
	(void)close(fd);
	errno = saved;
	return n == 0 ? 0 : -1;
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
	    a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void
log_complaints(const struct buf *complaints)
{
	const char *s = buf_str(complaints), *lf;
	char *line;

	for (; (lf = strchr(s, '\n')) != NULL; s = lf + 1) {
		line = xstrndup(s, (size_t)(lf - s));
		log_event(NULL, "aliases-complaint what=%s", quoted(line));
		free(line);
	}
}

static int
aliases_load(struct resolver *r, const char *path)
{
	struct buf text = BUF_CAPPED(ALIASES_MAX + 65536);
	struct buf complaints = BUF_INIT;
	struct stat st = { .st_ino = 0 };
	struct aliases fresh;
	bool known;

	if (slurp(path, &text, &st) == -1 && errno != ENOENT) {
		buf_release(&text);
		return -1;
	}
	aliases_parse(buf_str(&text), text.len, &fresh, &complaints);
	known = r->loaded && same_file(&st, &r->stamp);
	aliases_release(&r->aliases);
	r->aliases = fresh;
	r->stamp = st;
	r->loaded = true;
	/* A file written twice within one tick of the clock looks unchanged. */
	r->racy = st.st_ino != 0 && st.st_mtim.tv_sec >= time(NULL) - 1;
	if (!known)
		log_complaints(&complaints);
	buf_release(&complaints);
	buf_release(&text);
	return 0;
}

int
resolver_refresh(struct resolver *r)
{
	struct buf path = BUF_INIT;
	struct stat st = { .st_ino = 0 };
	int rc = 0;

	buf_addf(&path, "%s/aliases", r->cfg->confdir);
	if (stat(buf_str(&path), &st) == -1 && errno != ENOENT)
		rc = -1;
	else if (!r->loaded || r->racy || !same_file(&st, &r->stamp))
		rc = aliases_load(r, buf_str(&path));
	buf_release(&path);
	return rc;
}

void
route_reset(struct route *t)
{
	for (size_t i = 0; i < t->nto; i++)
		free(t->to[i].address);
	free(t->to);
	free(t->ext);
	free(t->domain);
	free(t->sender);
	mailbox_release(&t->box);
	buf_release(&t->text);
	*t = (struct route)ROUTE_INIT;
}

void
route_fail(struct route *t, enum route_kind kind, int code, const char *enh,
    const char *text)
{
	t->kind = kind;
	t->code = code;
	t->enh = enh;
	buf_reset(&t->text);
	buf_adds(&t->text, text);
}

void
place_init(struct place *p, const struct config *cfg, const char *address)
{
	size_t len = address_local_len(address), base;

	*p = (struct place){ .key = BUF_INIT, .address = xstrdup(address) };
	p->domain = p->address + len + 1;
	p->local = xstrndup(address, len);
	for (char *s = p->local; *s != '\0'; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s += 'a' - 'A';
	if (len < 2 || *p->local == '"')
		return;
	/* Not at the start: "+x" is a name, not an extension of nobody. */
	base = 1 + strcspn(p->local + 1, cfg->recipient_delimiter);
	if (base < len) {
		p->base = xstrndup(p->local, base);
		p->ext = xstrndup(address + base + 1, len - base - 1);
	}
}

void
place_release(struct place *p)
{
	buf_release(&p->key);
	free(p->address);
	free(p->local);
	free(p->base);
	free(p->ext);
}

static const char *
place_key(struct place *p, const char *local)
{
	buf_reset(&p->key);
	buf_addf(&p->key, "%s@%s", local, p->domain);
	return buf_str(&p->key);
}

const struct alias *
place_alias(struct place *p, const struct resolver *r)
{
	const struct alias *a;

	a = aliases_find(&r->aliases, place_key(p, p->local));
	if (a == NULL)
		a = aliases_find(&r->aliases, p->local);
	if (a == NULL && p->base != NULL)
		a = aliases_find(&r->aliases, place_key(p, p->base));
	if (a == NULL && p->base != NULL)
		a = aliases_find(&r->aliases, p->base);
	return a;
}

enum who_result
place_mailbox(struct place *p, const struct resolver *r, struct mailbox *box,
    bool *ext_out, struct buf *why)
{
	enum who_result result;

	*ext_out = false;
	result = r->who(r->who_arg, place_key(p, p->local), box, why);
	if (result != WHO_NONE || p->base == NULL)
		return result;
	*ext_out = true;
	return r->who(r->who_arg, place_key(p, p->base), box, why);
}

/*
 * Reads the address as it came.  A name alone, and postmaster at a host name
 * that is none of our domains, is the first domain's: postmaster always
 * resolves, and so does root, if he is an alias.
 */
static int
canonical(const struct config *cfg, const char *address, struct buf *out)
{
	const char *home = config_home_domain(cfg);
	const char *domain;

	if (address_parse(address, strlen(address),
	    ADDR_ALLOW_UTF8 | ADDR_ALLOW_BARE, out) != ADDR_OK || !buf_ok(out))
		return -1;
	domain = address_domain(out->data);
	if (domain == NULL) {
		buf_addc(out, '@');
		buf_adds(out, home);
	} else if (strncasecmp(out->data, "postmaster@", 11) == 0 &&
	    strcasecmp(domain, cfg->hostname) == 0 &&
	    !config_is_ours(cfg, domain, strlen(domain))) {
		buf_cut(out, strlen("postmaster@"));
		buf_adds(out, home);
	}
	return buf_ok(out) ? 0 : -1;
}

static void
route_away(const struct config *cfg, const char *domain, struct route *out)
{
	out->kind = ROUTE_REMOTE;
	out->domain = xstrdup(domain);
	if (*cfg->relay_host != '\0') {
		out->kind = ROUTE_RELAY;
		out->host = cfg->relay_host;
	}
}

static void
route_mailbox(struct resolver *r, struct place *p, struct route *out)
{
	struct buf why = BUF_INIT;
	bool has_ext;

	switch (place_mailbox(p, r, &out->box, &has_ext, &why)) {
	case WHO_USER:
		out->kind = ROUTE_MAILBOX;
		if (has_ext)
			out->ext = xstrdup(p->ext);
		break;
	case WHO_NONE:
		route_fail(out, ROUTE_REFUSE, 550, "5.1.1",
		    "no such mailbox here");
		break;
	case WHO_LATER:
		route_fail(out, ROUTE_LATER, 451, "4.3.0", buf_str(&why));
		break;
	}
	buf_release(&why);
}

static void
route_ours(struct resolver *r, const char *address, bool exact,
    struct route *out)
{
	const struct alias *alias = NULL;
	struct place p;

	out->local = true;
	if (!exact && resolver_refresh(r) == -1) {
		log_errno(NULL, "aliases-unreadable");
		route_fail(out, ROUTE_LATER, 451, "4.3.5",
		    "the aliases cannot be read");
		return;
	}
	place_init(&p, r->cfg, address);
	if (!exact)
		alias = place_alias(&p, r);
	if (alias != NULL)
		resolve_alias(r, &p, alias, out);
	else
		route_mailbox(r, &p, out);
	place_release(&p);
}

void
resolve_address(struct resolver *r, const char *address, bool exact,
    struct route *out)
{
	struct buf b = BUF_CAPPED(2 * ADDR_MAX);
	const char *domain;

	route_reset(out);
	if (canonical(r->cfg, address, &b) == -1) {
		route_fail(out, ROUTE_REFUSE, 553, "5.1.3",
		    "this is not a mail address");
	} else {
		domain = address_domain(b.data);
		if (config_is_ours(r->cfg, domain, strlen(domain)))
			route_ours(r, b.data, exact, out);
		else
			route_away(r->cfg, domain, out);
	}
	buf_release(&b);
}
