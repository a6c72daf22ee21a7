/*
 * known.h - addresses that are mailboxes of ours just now: a table in memory
 * that resolve writes and smtpd reads, so that RCPT need not ask each time
 * (INTERNALS 2.3).
 *
 * `facteur run` makes it and hands it on; who is started otherwise has none,
 * and to him nobody is known.  Not to be known means nothing: ask resolve.
 */
#ifndef LIB_KNOWN_H
#define LIB_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

/* In the environment: the number of the descriptor. */
#define KNOWN_VARIABLE	"FACTEUR_KNOWN"

struct known_table;

struct known {
	struct known_table *table;	/* mapped for good; NULL: none */
	uint64_t key[2];
};

/*
 * Makes an empty table with a key of its own: *writer_out may change its
 * content, *reader_out cannot, and nobody its size.  Both are closed on exec
 * and the caller's.  0, or -1 with errno.
 */
int	known_make(int *writer_out, int *reader_out)
	    __attribute__((warn_unused_result));
/*
 * Maps the table that fd is, and closes fd.  Anything else, be it a table with
 * more or fewer rights than this, is left alone: then nobody is known.  -1 will
 * do.  Children have the mapping too.
 */
void	known_map(struct known *, int fd, bool writer);
/*
 * Did resolve call this very string, when asked without exact=yes, a mailbox,
 * and may that be repeated now (monotonic ms)?
 */
bool	known_has(const struct known *, const char *address, int64_t now);
/* The writer: it may be repeated until then. */
void	known_tell(const struct known *, const char *address, int64_t until);
#endif
