/*
 * top_facts.c - asks the queue manager for all that `facteur top` shows.
 *
 * Runs as the caller.  From: queue/control_look.c.  To: queue/top_frame.c.
 */
#include <stdlib.h>
#include <string.h>

#include "deadline.h"
#include "top.h"

#define ANSWER_MS	5000

static void
add_reason(const struct ctl *c, void *arg)
{
	struct top_facts *f = arg;

	f->reasons = xreallocarray(f->reasons, f->nreasons + 1,
	    sizeof(*f->reasons));
	f->reasons[f->nreasons].text = xstrdup(ctl_str(c, "text"));
	f->reasons[f->nreasons++].n = ctl_num(c, "count", 0, INT64_MAX, 0);
}

static int
commonest_first(const void *a, const void *b)
{
	const struct top_reason *x = a, *y = b;

	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return strcmp(x->text, y->text);
}

void
top_facts_release(struct top_facts *f)
{
	buf_release(&f->stats);
	sites_view_release(&f->sites);
	for (size_t i = 0; i < f->nreasons; i++)
		free(f->reasons[i].text);
	free(f->reasons);
	f->reasons = NULL;
	f->nreasons = 0;
	f->at = 0;
}

int
top_ask(struct stream *s, struct top_facts *out)
{
	int64_t deadline = now_ms() + ANSWER_MS;
	struct top_facts f;

	memset(&f, 0, sizeof(f));
	if (stats_read(s, &f.stats, add_reason, &f, deadline) == -1 ||
	    sites_read(s, &f.sites, deadline) == -1) {
		top_facts_release(&f);
		return -1;
	}
	f.at = now_ms();
	if (f.nreasons > 0)
		qsort(f.reasons, f.nreasons, sizeof(*f.reasons),
		    commonest_first);
	top_facts_release(out);
	*out = f;
	return 0;
}

double
top_figure(const struct buf *text, const char *name)
{
	size_t len = strlen(name);
	const char *line = buf_str(text);

	for (; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, len) == 0 && line[len] == ' ')
			return strtod(line + len + 1, NULL);
	}
	return 0;
}
