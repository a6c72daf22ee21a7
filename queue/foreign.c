/*
 * foreign.c - remembers what was reported about names in queue/, so that a
 * rescan every ten minutes does not say it again and again.
 *
 * Way 4 of 8.  From: queue/scan.c, queue/active.c.  To: the log.
 */
#include <errno.h>
#include <search.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "foreign.h"
#include "log.h"

#define NAMES_MAX	10000	/* beyond that somebody else lives in here */

static void *names;		/* tsearch(3); owned strings */
static unsigned nnames;
static bool full;		/* and that was told */

static int
by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

void
foreign_report(const char *name, const char *why)
{
	int saved = errno;

	if (tfind(name, &names, by_name) != NULL)
		goto out;
	if (nnames == NAMES_MAX) {
		if (!full)
			log_event(NULL, "foreign-objects-many dir=queue n=%u",
			    nnames);
		full = true;
	} else if (tsearch(xstrdup(name), &names, by_name) != NULL) {
		nnames++;
		log_event(NULL, "foreign-object dir=queue name=%s reason=%s",
		    quoted(name), quoted(why));
	}
out:
	errno = saved;
}

void
foreign_gone(const char *name)
{
	char *const *found = tfind(name, &names, by_name), *owned;

	if (found == NULL)
		return;
	owned = *found;
	(void)tdelete(name, &names, by_name);
	free(owned);
	nnames--;
	full = false;
}
