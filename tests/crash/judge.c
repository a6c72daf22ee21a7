/*
 * judge.c - counts what was tried and what was wrong, and says so (TAP).
 *
 * A test tool.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "crash.h"

#define SHOWN	5	/* failures that are told of each test */

struct tally T;
struct options O;
static struct rule now;
static bool have_rule, mutant;
static unsigned tests, failed;

static const char *
deed(void)
{
	static char text[64];

	switch (now.tamper) {
	case T_KILL:
		return "killed before it";
	case T_SHORT:
		return "wrote half";
	case T_FAIL:
	case T_LIE:
		(void)snprintf(text, sizeof(text), "%s%s",
		    strerrorname_np(now.error),
		    now.tamper == T_LIE ? ", overlooked" : "");
		break;
	}
	return text;
}

void
run_is(const struct rule *r)
{
	have_rule = r != NULL;
	if (r != NULL)
		now = *r;
	T.runs += r != NULL;
}

size_t
message_size(void)
{
	return have_rule && now.classes == C_WRITE ? 180000 : 600;
}

void
bad(const char *fmt, ...)
{
	char text[700], line[1000];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (have_rule)
		(void)snprintf(line, sizeof(line), "%s %s #%d (%s; %s): %s",
		    now.program, trace_class_name(now.classes), now.nth,
		    S.trace.board != NULL ? trace_what(&S.trace) : "",
		    deed(), text);
	else
		(void)snprintf(line, sizeof(line), "%s", text);
	if (T.failures++ == 0)
		(void)snprintf(T.first, sizeof(T.first), "%s", line);
	if (!mutant && T.failures <= SHOWN)
		printf("# %s\n", line);
}

void
note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("# ");
	(void)vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
	(void)fflush(stdout);
}

void
tally_begin(void)
{
	T = (struct tally){ 0 };
	mutant = false;
}

void
tally_begin_mutant(void)
{
	tally_begin();
	mutant = true;
}

bool
plan(void)
{
	printf("1..%u\n", tests);
	return failed == 0;
}

static void
tell(bool ok, const char *what, const char *more)
{
	failed += !ok;
	printf("%sok %u - %s (%s)\n", ok ? "" : "not ", ++tests, what, more);
	(void)fflush(stdout);
	tally_begin();
}

void
tally_end(const char *what)
{
	char more[200], copies[40] = "";

	if (T.copies > 0)
		(void)snprintf(copies, sizeof(copies), ", %u delivered twice",
		    T.copies);
	(void)snprintf(more, sizeof(more), "%u runs: %u accepted, %u refused, "
	    "%u without an answer%s; %u failures", T.runs, T.acked, T.refused,
	    T.lost, copies, T.failures);
	tell(T.failures == 0 && T.runs > 0, what, more);
}

void
tally_end_mutant(const char *what)
{
	char more[1100];

	if (T.failures == 0)
		(void)snprintf(more, sizeof(more), "NOT noticed in %u runs",
		    T.runs);
	else
		(void)snprintf(more, sizeof(more), "run %u: %s", T.runs,
		    T.first);
	tell(T.failures > 0, what, more);
}
