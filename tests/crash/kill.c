/*
 * kill.c - suite 2: kill -9 before each system call that anybody else can see
 * the effect of, on a message's way from accept to remove; what lies between
 * two of those is seen by nobody.
 *
 * A test tool.
 */
#include <stdio.h>
#include <string.h>

#include "crash.h"

void
sweep(const struct way *w, const struct rule *rule, int step, bool until_bad)
{
	struct rule r = *rule;
	unsigned before = T.runs;
	bool fired = true;

	r.program = w->program;
	/* A part of the calls: another one each time. */
	r.nth = 1 + (step > 1 ? (int)(O.seed % (unsigned)step) : 0);
	if (O.nth != 0)
		r.nth = O.nth;
	for (; fired && r.nth < 10000; r.nth += step) {
		run_is(&r);
		fired = w->run(&r);
		/* A mutant is caught in the act, or it is not caught. */
		if (until_bad && !fired)
			T.failures = 0;
		if ((until_bad && T.failures > 0) || O.nth != 0)
			break;
	}
	run_is(NULL);
	if (O.verbose)
		note("%s: %s %s: %u runs", w->name,
		    trace_class_name(r.classes), r.tamper == T_KILL ? "killed" :
		    r.tamper == T_SHORT ? "short" : "fails", T.runs - before);
}

static void
kill_way(const struct way *w, bool walk)
{
	struct rule r = { .classes = C_VISIBLE, .tamper = T_KILL };
	char what[128];

	if (O.way != NULL && strcmp(O.way, w->name) != 0)
		return;
	tally_begin();
	sweep(w, &r, O.brief && walk ? 13 : O.step, false);
	(void)snprintf(what, sizeof(what), "kill -9 before every call: %s%s",
	    w->name, walk ? ", in a running site" : "");
	tally_end(what);
}

void
suite_kill(void)
{
	for (unsigned i = 0; i < n_filter_ways; i++)
		kill_way(&filter_ways[i], false);
	for (unsigned i = 0; i < n_walk_ways; i++)
		kill_way(&walk_ways[i], true);
}
