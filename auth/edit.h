/* edit.h - changing CONFDIR/users: what `facteur passwd` does. */
#ifndef AUTH_EDIT_H
#define AUTH_EDIT_H

#include "buf.h"
#include "config.h"

/*
 * Gives the user (canonical, lower case) this hash; NULL takes the user away.
 * Locks, rewrites, and replaces the file durably.  1 changed an old line, 0
 * there was none (and with a hash a new one was added), -1 with errno and the
 * file as it was.
 */
int	users_edit(const struct config *, const char *path,
	    const char *address, const char *hash)
	    __attribute__((warn_unused_result));
/*
 * The pure part: copies the text of the file, changed, to out. 1 or 0 as
 * above.  Another user's line, a comment, a bad line: not a byte changes.
 */
int	users_rewrite(const char *text, size_t len, const char *address,
	    const char *hash, struct buf *out);
#endif
