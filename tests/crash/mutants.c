/*
 * mutants.c - the suites must be able to fail: programs with a known mistake
 * are put before them, and each must be noticed.
 *
 * Some are made by the tracer, which reports success where a call has failed:
 * so behaves a program that does not look.  The others are built from the real
 * objects with one function replaced (mutants/NAME.c).
 *
 * A test tool.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crash.h"

static const struct lie {
	const char *way;
	unsigned class;
	int	 nth;		/* 0: any */
	const char *what;
} lies[] = {
	{ "inject -f", C_WRITE, 0, "a failed write is overlooked" },
	{ "inject -f", C_SYNC, 1, "a failed fsync of the file is overlooked" },
	{ "inject -f", C_SYNC, 2, "a failed fsync of queue/ is overlooked" },
	{ "inject -f", C_CLOSE, 0, "a failed close is overlooked" },
	{ "inject -f", C_LINK, 0, "a failed link is overlooked" },
	{ "inject's socket", C_WRITE, 0, "a failed write is overlooked" },
	{ "inject's socket", C_CLOSE, 0, "a failed close is overlooked" },
	{ "local", C_WRITE, 0, "a failed write is overlooked" },
	{ "local", C_SYNC, 1, "a failed fsync of the file is overlooked" },
	{ "local", C_SYNC, 2, "a failed fsync of new/ is overlooked" },
	{ "local", C_CLOSE, 0, "a failed close is overlooked" },
	{ "local", C_LINK, 0, "a failed link is overlooked" },
	{ "POP3 session", C_UNLINK, 0, "a failed unlink is overlooked" },
};

static const struct mutant {
	const char *name;	/* mutants/NAME.c */
	const char *way;
	unsigned classes;
	enum tamper tamper;
	const char *what;
} mutants[] = {
	{ "inject_name_first", "inject -f", C_VISIBLE, T_KILL,
	    "the name in queue/ before the content" },
	{ "inject_fsync_again", "inject -f", C_SYNC, T_FAIL,
	    "fsync is tried again when it fails" },
	{ "inject_answer_first", "inject's socket", C_VISIBLE, T_KILL,
	    "`ok` before the commit" },
	{ "local_name_first", "local", C_VISIBLE, T_KILL,
	    "the name in new/ before the content" },
	{ "queue_mark_first", "queue", C_VISIBLE, T_KILL,
	    "done is written before the delivery" },
	{ "queue_remove_first", "queue", C_VISIBLE, T_KILL,
	    "the file is removed before the delivery" },
	{ "inject_direct_blind", "directly: launch and local", C_VISIBLE,
	    T_KILL, "`ok`, whatever became of a direct delivery" },
	{ "queue_direct_first", "directly: queue", C_VISIBLE, T_KILL,
	    "`done` before the direct delivery" },
	{ "pop3d_no_quit", "POP3 without QUIT", C_VISIBLE, T_KILL,
	    "messages are removed without QUIT" },
};

static const struct way *
find_way(const char *name)
{
	for (unsigned i = 0; i < n_filter_ways; i++)
		if (strcmp(filter_ways[i].name, name) == 0)
			return &filter_ways[i];
	for (unsigned i = 0; i < n_walk_ways; i++)
		if (strcmp(walk_ways[i].name, name) == 0)
			return &walk_ways[i];
	return NULL;
}

static void
try_lie(const struct lie *l)
{
	const struct way *w = find_way(l->way);
	struct rule r = { .program = w->program, .classes = l->class,
	    .tamper = T_LIE, .error = EIO, .nth = l->nth };
	char what[160];

	tally_begin_mutant();
	if (l->nth != 0) {
		run_is(&r);
		if (!w->run(&r))
			T.failures = 0;
	} else
		sweep(w, &r, 1, true);
	(void)snprintf(what, sizeof(what), "mutant caught: %s: %s", l->way,
	    l->what);
	tally_end_mutant(what);
}

static void
try_mutant(const struct mutant *m, const char *build)
{
	const struct way *w = find_way(m->way);
	struct rule r = { .program = w->program, .classes = m->classes,
	    .tamper = m->tamper, .error = EIO };
	struct buf where = BUF_INIT;
	char what[160];

	buf_addf(&where, "%s/crash/%s", build, m->name);
	tally_begin_mutant();
	S.build = buf_str(&where);
	if (access(site_program(w->program), X_OK) == 0)
		sweep(w, &r, 1, true);
	S.build = build;
	(void)snprintf(what, sizeof(what), "mutant caught: %s: %s", m->name,
	    m->what);
	tally_end_mutant(what);
	buf_release(&where);
}

void
suite_mutants(void)
{
	const char *build = S.build;

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
		try_lie(&lies[i]);
	for (size_t i = 0; i < sizeof(mutants) / sizeof(mutants[0]); i++)
		try_mutant(&mutants[i], build);
}
