/*
 * envelope_events.c - the story of a message told again, line by line, for
 * those who want every attempt and not only what they add up to.
 *
 * A library: runs in the administrator's tools.
 * Way 7 of 8.  From: the spool.  To: queue/qadmin_why.
 */
#include <stdlib.h>
#include <string.h>

#include "date.h"
#include "envelope.h"
#include "envelope_line.h"

/* next=TIME HOST [tls=] QUOTED; the first of defer only */
static bool
read_attempt(struct env_event *v, struct env_line *c)
{
	const char *s;
	size_t len;

	if (strcmp(v->kind, "defer") == 0 && (!line_word(c, &s, &len) ||
	    len < 6 || memcmp(s, "next=", 5) != 0 ||
	    date_iso_parse(s + 5, len - 5, &v->next) == -1))
		return false;
	if (!line_word(c, &s, &len) || *s == '"' || !text_set(&v->host, s, len))
		return false;
	while (c->p < c->end && *c->p != '"') {
		struct env_pair p;

		if (line_pair(c, &p) != 1)
			return false;
		if (pair_is(&p, "tls") && !text_set(&v->tls, p.value, p.len))
			return false;
	}
	return text_set_quoted(&v->text, c->p, (size_t)(c->end - c->p));
}

static bool
read_id(struct env_event *v, struct env_line *c)
{
	const char *s;
	size_t len;

	return line_word(c, &s, &len) && text_set(&v->text, s, len);
}

static bool
read_host(struct env_event *v, struct env_line *c)
{
	const char *s;
	size_t len;

	return line_word(c, &s, &len) && text_set(&v->host, s, len);
}

static const struct kind {
	const char *name;
	bool	  (*rest)(struct env_event *, struct env_line *);
	bool	    numbered;
} kinds[] = {
	{ "defer",   read_attempt, true },
	{ "done",    read_attempt, true },
	{ "fail",    read_attempt, true },
	{ "told",    read_id,	   true },
	{ "delayed", read_id,	   false },
	{ "retry",   NULL,	   true },
	{ "route",   read_host,	   true },
};

static bool
read_event(const struct kind *k, struct env_event *v, struct env_line *c)
{
	v->kind = k->name;
	return (!k->numbered || line_number(c, UINT32_MAX, &v->n)) &&
	    line_time(c, &v->at) && (k->rest == NULL || k->rest(v, c));
}

static void
one_line(const char *line, size_t len,
    void (*fn)(const struct env_event *, void *), void *arg)
{
	struct env_line c = { line, line + len };
	struct env_event v = { .kind = "" };
	const char *name;
	size_t n;

	if (!line_word(&c, &name, &n))
		return;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strlen(kinds[i].name) != n ||
		    memcmp(kinds[i].name, name, n) != 0)
			continue;
		if (read_event(&kinds[i], &v, &c))
			fn(&v, arg);
		free(v.host);
		free(v.tls);
		free(v.text);
		return;
	}
}

void
envelope_events(const char *text, size_t len,
    void (*fn)(const struct env_event *, void *), void *arg)
{
	const char *lf;

	for (; (lf = memchr(text, '\n', len)) != NULL; text = lf + 1) {
		one_line(text, (size_t)(lf - text), fn, arg);
		len -= (size_t)(lf - text) + 1;
	}
}
