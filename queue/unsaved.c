/*
 * unsaved.c - outcomes that the disk would not take (it is full, as a rule).
 * They are kept in memory until it does: a recipient who has the message must
 * not get it once more at every attempt for another one.
 *
 * Way 7 of 8.  From: queue/active.c, when a round is over.  To: the next one.
 */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "id.h"
#include "unsaved.h"

struct unsaved {
	char	id[ID_LEN + 1];		/* first: what the tree compares */
	struct buf lines;		/* owned */
};

static void *tree;			/* tsearch(3) */

static int
by_id(const void *a, const void *b)
{
	return strcmp(a, b);
}

void
unsaved_keep(const char *id, struct buf *lines)
{
	struct unsaved *u = xcalloc(1, sizeof(*u));

	unsaved_forget(id);
	strlcpy(u->id, id, sizeof(u->id));
	u->lines = *lines;
	*lines = (struct buf)BUF_INIT;
	if (tsearch(u, &tree, by_id) == NULL) {
		buf_release(&u->lines);
		free(u);
	}
}

bool
unsaved_take(const char *id, struct buf *out)
{
	struct unsaved *const *found = tfind(id, &tree, by_id), *u;

	if (found == NULL)
		return false;
	u = *found;
	(void)tdelete(id, &tree, by_id);
	buf_release(out);
	*out = u->lines;
	free(u);
	return true;
}

void
unsaved_forget(const char *id)
{
	struct buf lines = BUF_INIT;

	if (unsaved_take(id, &lines))
		buf_release(&lines);
}
