/*
 * maildir.h - names of messages in a Maildir, made by local and read by pop3d.
 *
 * <sec>.Q<ID>R<n>.<host>,S=<bytes>,W=<bytes with CRLF>: the time of arrival, the queue ID and
 * the recipient's number, so that delivering the same thing twice finds the first.
 */
#ifndef LIB_MAILDIR_H
#define LIB_MAILDIR_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

/* Appends the name; host is cleaned ('/' and ':' and ',' replaced) and cut so that the part before ",S=" is at most 70 characters. */
void	maildir_name(struct buf *, const char *id, unsigned n, const char *host, int64_t size, int64_t wire);

struct maildir_entry {
	size_t	 unique_len;	/* length of the part before the first ',' or ':' */
	int64_t	 sec;		/* leading decimal number, 0 if none */
	int64_t	 usec;		/* of an M field ("M123456"), or of our Q ID; 0 if none */
	int64_t	 size;		/* ,S= or -1 */
	int64_t	 wire;		/* ,W= or -1 */
};

/* False for names that are no message (a leading dot, empty). */
bool	maildir_parse(const char *name, struct maildir_entry *out);

/*
 * Counts bytes for the wire while copying: stored bytes in, CRLF bytes out,
 * before dot-stuffing; what dot_out (lenient) sends. Any split of the input gives the same.
 */
struct wire_count { int64_t bytes; bool bol, cr; };
void	wire_count_init(struct wire_count *);
void	wire_count(struct wire_count *, const char *, size_t);
int64_t	wire_count_end(struct wire_count *);
#endif
