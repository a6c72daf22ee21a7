/*
 * aliases.c - reads aliases(5): "name: target, target", continued by blanks.
 *
 * Privilege: facteur-lookup; the text is the administrator's, but is parsed as
 * if it were a stranger's.  A fault in a list never drops the list: its mail
 * waits until the line is mended, instead of bouncing.
 * Way 2 and 5 of 8.  From: CONFDIR/aliases.  To: resolve_expand.c.
 */
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "resolve.h"

struct parser {
	struct aliases *out;
	struct buf *complaints;
	struct buf logical;	/* a line with its continuations, LF between */
	unsigned line;		/* where it began */
};

const char *
alias_kind_text(enum alias_kind kind)
{
	static const char *const text[] = {
		[ALIAS_ADDRESS] = "an address",
		[ALIAS_EXACT] = "an address",
		[ALIAS_PROGRAM] = "a program, which is not supported",
		[ALIAS_FILE] = "a file, which is not supported",
		[ALIAS_INCLUDE] = "an :include:, which is not supported",
		[ALIAS_BAD] = "no address",
	};

	return text[kind];
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void
lower(char *s)
{
	for (; *s != '\0'; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s += 'a' - 'A';
}

/* Appends the canonical form, in lower case where it is a key. */
static bool
canonical(const char *s, size_t len, struct buf *out)
{
	return address_parse(s, len, ADDR_ALLOW_UTF8 | ADDR_ALLOW_BARE, out) ==
	    ADDR_OK && buf_ok(out) && out->len > 0;
}

/*
 * Reads one item up to the delimiter (or the end) into `out`, trimmed;
 * quotes protect everything, and "#" behind a blank starts a comment up to
 * the end of its line.  Returns what follows the delimiter, NULL at the end
 * of the text; *ok_out is false when a quote was never closed.
 */
static const char *
read_item(const char *s, const char *end, char delimiter, struct buf *out,
    bool *ok_out)
{
	bool quote = false;

	buf_reset(out);
	for (; s < end && (quote || *s != delimiter); s++) {
		if (*s == '"')
			quote = !quote;
		if (quote && *s == '\\' && s + 1 < end)
			buf_addc(out, *s++);
		if (!quote && *s == '#' &&
		    (out->len == 0 || is_blank(out->data[out->len - 1]))) {
			while (s + 1 < end && s[1] != '\n')
				s++;
			continue;
		}
		if (out->len > 0 || !is_blank(*s))
			buf_addc(out, *s);
	}
	while (out->len > 0 && is_blank(out->data[out->len - 1]))
		buf_cut(out, out->len - 1);
	*ok_out = !quote;
	return s < end ? s + 1 : NULL;
}

/* "|program with, commas" and its like are quoted as a whole. */
static bool
is_quoted_whole(const char *s, size_t len)
{
	return len > 3 && s[0] == '"' && s[len - 1] == '"' &&
	    (s[1] == '|' || s[1] == '/' || s[1] == ':');
}

static enum alias_kind
target_kind(const char *s)
{
	if (*s == '|')
		return ALIAS_PROGRAM;
	if (*s == '/')
		return ALIAS_FILE;
	if (strncasecmp(s, ":include:", 9) == 0)
		return ALIAS_INCLUDE;
	return *s == '\\' ? ALIAS_EXACT : ALIAS_ADDRESS;
}

static struct alias_target *
alias_add(struct alias *a, enum alias_kind kind, const char *text)
{
	struct alias_target *t;

	if ((a->ntargets & (a->ntargets - 1)) == 0)
		a->targets = xreallocarray(a->targets,
		    a->ntargets == 0 ? 1 : a->ntargets * 2, sizeof(*t));
	t = &a->targets[a->ntargets++];
	t->kind = kind;
	t->text = xstrdup(text);
	return t;
}

static void
add_target(struct alias *a, const struct buf *item, bool ok)
{
	struct buf address = BUF_INIT;
	const char *s = item->data;
	size_t len = item->len;
	enum alias_kind kind;

	if (is_quoted_whole(s, len)) {
		s++;
		len -= 2;
	}
	kind = ok && buf_ok(item) ? target_kind(s) : ALIAS_BAD;
	if (kind == ALIAS_ADDRESS || kind == ALIAS_EXACT) {
		if (kind == ALIAS_EXACT) {
			s++;
			len--;
		}
		if (len > 2 && s[0] == '<' && s[len - 1] == '>') {
			s++;
			len -= 2;
		}
		if (canonical(s, len, &address))
			alias_add(a, kind, address.data);
		else
			kind = ALIAS_BAD;
	}
	if (kind != ALIAS_ADDRESS && kind != ALIAS_EXACT)
		alias_add(a, kind, item->data);
	buf_release(&address);
}

static void
complain(struct parser *p, unsigned line, const char *what)
{
	buf_addf(p->complaints, "aliases:%u: %s\n", line, what);
}

static void
add_targets(struct parser *p, struct alias *a, const char *s, const char *end)
{
	struct buf item = BUF_INIT;
	bool ok;

	while (s != NULL) {
		s = read_item(s, end, ',', &item, &ok);
		if (item.len > 0 || !buf_ok(&item))
			add_target(a, &item, ok);
	}
	if (a->ntargets == 0)
		alias_add(a, ALIAS_BAD, "");
	for (size_t i = 0; i < a->ntargets; i++)
		if (a->targets[i].kind >= ALIAS_PROGRAM)
			complain(p, a->line,
			    alias_kind_text(a->targets[i].kind));
	buf_release(&item);
}

/* A line with all its continuations has been read. */
static void
end_logical(struct parser *p)
{
	const char *end = buf_str(&p->logical) + p->logical.len, *s;
	struct buf item = BUF_INIT, name = BUF_INIT;
	struct aliases *out = p->out;
	struct alias *a;
	bool ok;

	if (p->logical.len == 0)
		return;
	s = read_item(p->logical.data, end, ':', &item, &ok);
	if (s == NULL || !ok || !canonical(buf_str(&item), item.len, &name)) {
		complain(p, p->line, s == NULL ? "\"name:\" is missing" :
		    "this is no name for an alias");
	} else {
		if ((out->n & (out->n - 1)) == 0)
			out->v = xreallocarray(out->v,
			    out->n == 0 ? 1 : out->n * 2, sizeof(*a));
		a = &out->v[out->n++];
		*a = (struct alias){ .line = p->line };
		a->name = buf_detach(&name);
		lower(a->name);
		add_targets(p, a, s, end);
	}
	buf_release(&item);
	buf_release(&name);
	buf_reset(&p->logical);
}

/* s[len] is not part of the line. */
static void
physical_line(struct parser *p, const char *s, size_t len, unsigned number)
{
	size_t blanks = 0;

	while (blanks < len && is_blank(s[blanks]))
		blanks++;
	if (blanks == len || s[blanks] == '#')
		return;
	if (blanks == 0) {
		end_logical(p);
		p->line = number;
	} else if (p->logical.len == 0) {
		complain(p, number, "continues no line");
		return;
	}
	buf_add(&p->logical, s, len);
	buf_addc(&p->logical, '\n');
}

static int
by_name(const void *a, const void *b)
{
	const struct alias *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	if (order != 0)
		return order;
	return x->line < y->line ? -1 : x->line > y->line;
}

static void
alias_release(struct alias *a)
{
	for (size_t i = 0; i < a->ntargets; i++)
		free(a->targets[i].text);
	free(a->targets);
	free(a->name);
}

/* The first definition of a name counts. */
static void
drop_seconds(struct parser *p)
{
	struct aliases *t = p->out;
	size_t kept = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (kept > 0 &&
		    strcmp(t->v[kept - 1].name, t->v[i].name) == 0) {
			buf_addf(p->complaints,
			    "aliases:%u: line %u has this name already\n",
			    t->v[i].line, t->v[kept - 1].line);
			alias_release(&t->v[i]);
		} else
			t->v[kept++] = t->v[i];
	}
	t->n = kept;
}

void
aliases_parse(const char *text, size_t len, struct aliases *out,
    struct buf *complaints)
{
	struct parser p = { .out = out, .complaints = complaints,
	    .logical = BUF_INIT };
	unsigned number = 1;
	const char *lf;
	size_t n;

	*out = (struct aliases)ALIASES_INIT;
	for (size_t at = 0; at < len; at += n + 1, number++) {
		lf = memchr(text + at, '\n', len - at);
		n = lf != NULL ? (size_t)(lf - (text + at)) : len - at;
		physical_line(&p, text + at, n, number);
	}
	end_logical(&p);
	if (out->n > 0)
		qsort(out->v, out->n, sizeof(*out->v), by_name);
	drop_seconds(&p);
	buf_release(&p.logical);
}

void
aliases_release(struct aliases *t)
{
	for (size_t i = 0; i < t->n; i++)
		alias_release(&t->v[i]);
	free(t->v);
	*t = (struct aliases)ALIASES_INIT;
}

static int
name_order(const void *key, const void *member)
{
	return strcmp(key, ((const struct alias *)member)->name);
}

const struct alias *
aliases_find(const struct aliases *t, const char *name)
{
	if (t->n == 0)
		return NULL;
	return bsearch(name, t->v, t->n, sizeof(*t->v), name_order);
}
