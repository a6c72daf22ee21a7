/*
 * qadmin_ask.c - the administrator's side of the control socket (INTERNALS 2.8).
 *
 * Runs as the caller.  To: queue/control.c.
 */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "deadline.h"
#include "qadmin.h"

#define ANSWER_S	30

int
control_open(const struct config *cfg, struct stream *s)
{
	int fd = ctl_connect(config_socket(cfg, "control"));

	if (fd == -1)
		return -1;
	stream_init_unix(s, fd);
	return 0;
}

void
control_or_die(const struct config *cfg, struct stream *s)
{
	const char *path = config_socket(cfg, "control");

	if (control_open(cfg, s) == 0)
		return;
	if (errno == EACCES)
		err(EX_NOPERM, "%s", path);
	err(EX_TEMPFAIL, "%s: is `facteur run` at work?", path);
}

static void
read_answer(struct stream *s, struct buf *line, struct ctl *answer)
{
	buf_reset(line);
	if (ctl_read(s, line, answer, deadline_in(ANSWER_S)) != 1)
		errx(EX_TEMPFAIL, "the queue manager gave no answer");
}

bool
control_ask(struct stream *s, struct buf *b, struct buf *line,
    struct ctl *answer)
{
	ctl_send(s, b);
	read_answer(s, line, answer);
	return !ctl_is(answer, "err");
}

bool
control_next(struct stream *s, struct buf *line, struct ctl *answer)
{
	read_answer(s, line, answer);
	return !ctl_is(answer, "ok") && !ctl_is(answer, "err");
}

static int
by_id(const void *a, const void *b)
{
	return strcmp(a, b);
}

void
active_ask(struct stream *s, struct ids *ids)
{
	struct buf b = BUF_INIT, line = BUF_INIT;
	struct ctl c;
	bool more;

	ctl_begin(&b, "status");
	ctl_add(&b, "names", "yes");
	ctl_end(&b);
	more = control_ask(s, &b, &line, &c);
	for (; more && ctl_is(&c, "active");
	    more = control_next(s, &line, &c)) {
		ids->v = xreallocarray(ids->v, ids->n + 1, sizeof(*ids->v));
		strlcpy(ids->v[ids->n++], ctl_str(&c, "id"), sizeof(*ids->v));
	}
	if (ids->n > 0)
		qsort(ids->v, ids->n, sizeof(*ids->v), by_id);
	buf_release(&b);
	buf_release(&line);
}

bool
ids_have(const struct ids *ids, const char *id)
{
	return ids->n > 0 && bsearch(id, ids->v, ids->n, sizeof(*ids->v),
	    by_id) != NULL;
}

static char *
dup_or_null(const char *s)
{
	return s == NULL ? NULL : xstrdup(s);
}

static void
add_site(struct sites_view *v, const struct ctl *c)
{
	struct site_view *s;

	v->v = xreallocarray(v->v, v->n + 1, sizeof(*v->v));
	s = &v->v[v->n++];
	s->key = xstrdup(ctl_str(c, "key"));
	s->kind = xstrdup(ctl_str(c, "kind"));
	s->error = dup_or_null(ctl_get(c, "error"));
	s->running = ctl_num(c, "running", 0, INT64_MAX, 0);
	s->window = ctl_num(c, "window", 0, INT64_MAX, 0);
	s->waiting = ctl_num(c, "waiting", 0, INT64_MAX, 0);
	s->rate = ctl_num(c, "rate", 0, INT64_MAX, 0);
	s->rest_ms = ctl_num(c, "rest-ms", 0, INT64_MAX, 0);
	s->pause_ms = ctl_num(c, "pause-ms", 0, INT64_MAX, 0);
	s->failing_ms = ctl_num(c, "failing-ms", 0, INT64_MAX, 0);
	s->probing = ctl_yes(c, "probing");
}

static void
add_domain(struct sites_view *v, const struct ctl *c)
{
	v->domains = xreallocarray(v->domains, v->ndomains + 1,
	    sizeof(*v->domains));
	v->domains[v->ndomains].name = xstrdup(ctl_str(c, "name"));
	v->domains[v->ndomains++].key = xstrdup(ctl_str(c, "site"));
}

static int
by_name(const void *a, const void *b)
{
	const struct domain_view *x = a, *y = b;

	return strcasecmp(x->name, y->name);
}

void
sites_ask(struct stream *s, const char *name, struct sites_view *v)
{
	struct buf b = BUF_INIT, line = BUF_INIT;
	struct ctl c;
	bool more;

	memset(v, 0, sizeof(*v));
	ctl_begin(&b, "sites");
	ctl_add(&b, "name", name);
	ctl_add(&b, "domains", "yes");
	ctl_end(&b);
	for (more = control_ask(s, &b, &line, &c) && !ctl_is(&c, "ok"); more;
	    more = control_next(s, &line, &c))
		if (ctl_is(&c, "site"))
			add_site(v, &c);
		else if (ctl_is(&c, "domain"))
			add_domain(v, &c);
	if (v->ndomains > 0)
		qsort(v->domains, v->ndomains, sizeof(*v->domains), by_name);
	buf_release(&b);
	buf_release(&line);
}

int
sites_read(struct stream *s, struct sites_view *v, int64_t deadline)
{
	struct buf b = BUF_INIT, line = BUF_INIT;
	struct ctl c;
	int n, r = -1;

	memset(v, 0, sizeof(*v));
	ctl_begin(&b, "sites");
	ctl_end(&b);
	ctl_send(s, &b);
	while ((n = ctl_read(s, &line, &c, deadline)) == 1 &&
	    ctl_is(&c, "site"))
		add_site(v, &c);
	if (n == 1 && ctl_is(&c, "ok"))
		r = 0;
	else if (n >= 0)
		errno = n == 0 ? ECONNRESET : EBADMSG;
	buf_release(&b);
	buf_release(&line);
	if (r == -1)
		sites_view_release(v);
	return r;
}

void
sites_view_release(struct sites_view *v)
{
	for (size_t i = 0; i < v->n; i++) {
		free(v->v[i].key);
		free(v->v[i].kind);
		free(v->v[i].error);
	}
	for (size_t i = 0; i < v->ndomains; i++) {
		free(v->domains[i].name);
		free(v->domains[i].key);
	}
	free(v->v);
	free(v->domains);
	memset(v, 0, sizeof(*v));
}

const char *
sites_view_domain(const struct sites_view *v, const char *domain)
{
	struct domain_view key = { NULL, NULL }, *found;
	char *name = xstrdup(domain);

	key.name = name;
	found = v->ndomains == 0 ? NULL : bsearch(&key, v->domains,
	    v->ndomains, sizeof(*v->domains), by_name);
	free(name);
	return found == NULL ? NULL : found->key;
}
