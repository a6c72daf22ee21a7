/*
 * qadmin_past.c - `facteur why` of what has left the queue: the lines of the
 * history about a message, or the latest about an address.
 *
 * Runs as the caller.  From: queue/history_read.c.  To: queue/qadmin_why.c.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "log.h"
#include "qadmin_why.h"

struct past {
	struct why *why;
	const char *id;
	struct history_line kept[WHY_LATEST];	/* strings: owned; a ring */
	size_t	seen;
};

/* The first words of this part, before its first line. */
static void
begin(struct why *w)
{
	if (w->past++ > 0)
		return;
	if (w->shown > 0)
		putchar('\n');
	else if (w->address != NULL)
		printf("No message from or to %s is in the queue.\n",
		    quoted(w->address));
	w->shown++;
	printf("What the history knows:\n");
}

static void
tell_history_advice(const struct history_line *l)
{
	const char *advice = cause_advice(l->text, l->host != NULL &&
	    strspn(l->text, "0123456789") == 3);

	if (advice != NULL)
		printf("    What to do: %s\n", advice);
}

static void
tell_line(struct why *w, const struct history_line *l)
{
	static const char *const words[] = { "delivered:", "failed for good:",
		"reported to the sender:", "taken out of queue/ by hand" };

	begin(w);
	print_time(l->time);
	printf(" %s", l->id);
	if (*l->to != '\0') {
		printf(" from ");
		print_address(l->from);
		printf(" to ");
		print_address(l->to);
	}
	if (l->what == HISTORY_DONE && why_is_expansion(l->host, l->text)) {
		printf("  sent on to the addresses behind it; `facteur why "
		    "%s` tells more\n", l->id);
		return;
	}
	printf("  %s", (size_t)l->what < 4 ? words[l->what] : "");
	if (l->what == HISTORY_BOUNCED)
		printf(" by the message %s\n",
		    l->dsn == NULL ? "(unknown)" : l->dsn);
	else if (l->what == HISTORY_GONE)
		putchar('\n');
	else
		why_reply(l->host, l->tls, l->text);
	if (l->what == HISTORY_FAIL)
		tell_history_advice(l);
}

static void
line_release(struct history_line *l)
{
	free(l->to);
	free(l->from);
	free(l->host);
	free(l->tls);
	free(l->dsn);
	free(l->text);
}

static char *
copy(const char *s)
{
	return s == NULL ? NULL : xstrdup(s);
}

static void
keep_line(struct past *p, const struct history_line *l)
{
	struct history_line *to = &p->kept[p->seen++ % WHY_LATEST];

	line_release(to);
	*to = *l;
	to->to = copy(l->to);
	to->from = copy(l->from);
	to->host = copy(l->host);
	to->tls = copy(l->tls);
	to->dsn = copy(l->dsn);
	to->text = copy(l->text);
}

static int
see_line(const struct history_line *l, void *arg)
{
	struct past *p = arg;

	if (p->id != NULL ? strcmp(l->id, p->id) != 0 :
	    strcasecmp(l->to, p->why->address) != 0 &&
	    strcasecmp(l->from, p->why->address) != 0)
		return 0;
	if (p->id != NULL || p->why->all)
		tell_line(p->why, l);
	else
		keep_line(p, l);
	return 0;
}

void
why_older(struct why *w, const char *what, const char *where)
{
	if (w->older > 0)
		printf("\n%u older %s%s %s: `facteur why --all %s` tells of "
		    "all.\n", w->older, what, w->older == 1 ? "" : "s", where,
		    strpbrk(w->address, "'\"`$\\!*?[]() \t;&|<>#~") == NULL ?
		    w->address : "ADDRESS");
	w->older = 0;
}

void
why_past(struct why *w, const char *id)
{
	struct past p = { .why = w, .id = id };
	size_t first;

	if (history_each(w->cfg, id, see_line, &p) == -1 && errno != ENOENT)
		warn("%s/history", w->cfg->spool);
	first = p.seen > WHY_LATEST ? p.seen - WHY_LATEST : 0;
	for (size_t i = first; i < p.seen; i++)
		tell_line(w, &p.kept[i % WHY_LATEST]);
	w->older = (unsigned)first;
	why_older(w, "line", "in the history");
	for (size_t i = 0; i < WHY_LATEST; i++)
		line_release(&p.kept[i]);
}
