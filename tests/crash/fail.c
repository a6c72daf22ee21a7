/*
 * fail.c - suite 1: every system call fails.  For each program that touches
 * the spool or a Maildir the n-th open, write, fsync, link, ... fails, for
 * each error a disk knows, and for every n there is.
 *
 * A test tool.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "crash.h"

static const struct fault {
	unsigned class;
	enum tamper tamper;
	int	 error;
	bool	 brief;		/* also in the short form */
} faults[] = {
	{ C_OPEN, T_FAIL, EMFILE, true },
	{ C_OPEN, T_FAIL, EIO, false },
	{ C_OPEN, T_FAIL, ENOSPC, false },
	{ C_OPEN, T_FAIL, EINTR, false },
	{ C_WRITE, T_FAIL, ENOSPC, true },
	{ C_WRITE, T_FAIL, EIO, false },
	{ C_WRITE, T_FAIL, EDQUOT, false },
	{ C_WRITE, T_FAIL, EINTR, true },
	{ C_WRITE, T_SHORT, 0, true },
	{ C_SYNC, T_FAIL, EIO, true },
	{ C_SYNC, T_FAIL, ENOSPC, false },
	{ C_SYNC, T_FAIL, EDQUOT, false },
	{ C_SYNC, T_FAIL, EINTR, false },
	{ C_LINK, T_FAIL, EIO, true },
	{ C_LINK, T_FAIL, ENOSPC, false },
	{ C_LINK, T_FAIL, EDQUOT, false },
	{ C_RENAME, T_FAIL, EIO, true },
	{ C_UNLINK, T_FAIL, EIO, true },
	{ C_CLOSE, T_FAIL, EIO, true },
	{ C_CLOSE, T_FAIL, EDQUOT, false },
	{ C_CLOSE, T_FAIL, EINTR, false },
	{ C_TRUNC, T_FAIL, EIO, true },
	{ C_STAT, T_FAIL, EIO, true },
	{ C_READ, T_FAIL, EIO, true },
};

/* A whole site costs more than one program: the short form takes a part. */
static int
step_of(bool walk, unsigned class)
{
	if (!O.brief || !walk)
		return O.step;
	return class == C_OPEN || class == C_CLOSE ? 11 : 5;
}

static void
fail_way(const struct way *w, bool walk)
{
	char what[128];

	if (O.way != NULL && strcmp(O.way, w->name) != 0)
		return;
	tally_begin();
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		const struct fault *f = &faults[i];
		struct rule r = { .program = w->program, .classes = f->class,
		    .tamper = f->tamper, .error = f->error };

		if ((w->classes & f->class) == 0 || (O.brief && !f->brief))
			continue;
		sweep(w, &r, step_of(walk, f->class), false);
	}
	(void)snprintf(what, sizeof(what), "every call fails: %s%s", w->name,
	    walk ? ", in a running site" : "");
	tally_end(what);
}

void
suite_fail(void)
{
	for (unsigned i = 0; i < n_filter_ways; i++)
		fail_way(&filter_ways[i], false);
	for (unsigned i = 0; i < n_walk_ways; i++)
		if (walk_ways[i].classes != 0)
			fail_way(&walk_ways[i], true);
}
