/*
 * qadmin_sites.c - `facteur sites`: every destination the queue manager has to
 * do with: its window, its pace, its rest, who waits, what it said last.
 *
 * Runs as the caller.  From: queue/control_look.c.
 */
#include <err.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "date.h"
#include "log.h"
#include "qadmin.h"

static void
print_span(const char *before, int64_t ms)
{
	struct buf b = BUF_INIT;

	date_span(&b, ms / 1000);
	printf("%s%s", before, buf_str(&b));
	buf_release(&b);
}

static void
print_site(const struct site_view *s)
{
	if (strcmp(s->kind, "local") == 0)
		printf("mailboxes of ");
	print_bare(s->key);
	printf(": %lld of %lld connection%s at work, %lld waiting",
	    (long long)s->running,
	    (long long)s->window, s->window == 1 ? "" : "s",
	    (long long)s->waiting);
	if (s->rate > 0)
		printf(", at most %lld a minute", (long long)s->rate);
	if (s->rest_ms > 0)
		print_span(", rests for ", s->rest_ms);
	if (s->probing)
		printf(", being tried with one message");
	if (s->pause_ms > 0)
		print_span(", pauses for ", s->pause_ms);
	if (s->failing_ms > 0)
		print_span(", has been failing for ", s->failing_ms);
	putchar('\n');
	if (s->error != NULL)
		printf("        last error: %s\n", quoted(s->error));
}

static void
json_number(const char *key, int64_t n)
{
	printf(",\"%s\":%lld", key, (long long)n);
}

static void
json_site(const struct site_view *s)
{
	printf("{\"site\":");
	json_string(s->key);
	json_pair("kind", s->kind);
	json_number("running", s->running);
	json_number("window", s->window);
	json_number("waiting", s->waiting);
	json_number("rate", s->rate);
	json_number("rest_ms", s->rest_ms);
	json_number("pause_ms", s->pause_ms);
	json_number("failing_ms", s->failing_ms);
	printf(",\"probing\":%s", s->probing ? "true" : "false");
	json_pair("error", s->error);
	puts("}");
}

static int
busiest_first(const void *a, const void *b)
{
	const struct site_view *x = a, *y = b;

	if (x->waiting != y->waiting)
		return x->waiting < y->waiting ? 1 : -1;
	return strcmp(x->key, y->key);
}

int
qadmin_sites(const struct config *cfg, int argc, char *argv[])
{
	struct sites_view v;
	struct stream s;
	bool json = argc > 0 && strcmp(argv[0], "--json") == 0;
	const char *glob = argc > json ? argv[json] : NULL;
	size_t shown = 0;

	if (argc > json + 1 || (glob != NULL && *glob == '-'))
		errx(EX_USAGE, "usage: facteur sites [--json] [GLOB]");
	control_or_die(cfg, &s);
	sites_ask(&s, NULL, &v);
	stream_release(&s);
	if (v.n > 0)
		qsort(v.v, v.n, sizeof(*v.v), busiest_first);
	for (size_t i = 0; i < v.n; i++) {
		if (glob != NULL &&
		    fnmatch(glob, v.v[i].key, FNM_CASEFOLD) != 0)
			continue;
		shown++;
		(json ? json_site : print_site)(&v.v[i]);
	}
	if (shown == 0 && !json)
		puts(glob == NULL ? "No site is being served." :
		    "No site of that name is being served.");
	sites_view_release(&v);
	return print_finish(EX_OK);
}
