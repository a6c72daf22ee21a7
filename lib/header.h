/*
 * header.h - a look over a message's header block (RFC 5322 section 2.2),
 * without understanding more of it than mail transport needs.
 */
#ifndef LIB_HEADER_H
#define LIB_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

/* One field, as views into the header text (LF line ends). */
struct header {
	const char *name;	/* without the colon or blanks before it */
	size_t	 name_len;
	const char *value;	/* behind the colon, folds and all; no last LF */
	size_t	 value_len;
	const char *start;	/* the whole field, its LF included */
	size_t	 len;
};

/*
 * Steps through the fields: *pos starts at 0 and is moved.  Returns false at
 * the end of the block: an empty line, the end of the text, or a line that is
 * no field (then the body begins there without a separator).
 */
bool	header_next(const char *text, size_t len, size_t *pos,
	    struct header *out);
/*
 * Does a field begin here ("Name:", blanks before the colon allowed)?  1 yes, 0
 * no, -1: cannot be said before there is more of the line.  For streams.
 */
int	header_begins(const char *line, size_t len);
/* Is the field's name this one, in any case? */
bool	header_is(const struct header *, const char *name);
/*
 * Offset at which the header block ends: behind the empty line, at the first
 * line that is no field, or at len.
 */
size_t	header_end(const char *text, size_t len);
/* How many fields of that name the block has. */
unsigned header_count(const char *text, size_t len, const char *name);
/*
 * The addresses of an address-list field body (To, Cc, Bcc; RFC 5322 section
 * 3.4: display names, groups, comments, quoted strings, folded lines), each
 * handed to fn as written, without brackets.  0, or -1 on a syntax error or
 * more than `max` addresses.
 */
int	header_addresses(const char *value, size_t len, size_t max,
	    void (*fn)(void *, const char *addr, size_t len), void *)
	    __attribute__((warn_unused_result));
/* Value unfolded: LFs removed, leading and trailing blanks gone. Appends. */
void	header_unfold(const struct header *, struct buf *out);
#endif
