/*
 * log.h - one line a event: "ID event t=TIME by=PROGRAM[PID] key=value ...", on stderr.
 *
 * Never blocks: when the reader of stderr has stopped, lines are dropped and
 * counted (mail goes on).  Text from peers goes through log_quote() and stands
 * last on the line.  Never secrets, never content.
 */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include "buf.h"

/* `name` is borrowed for the life of the process. */
void	log_init(const char *name);
/* id NULL is written "-".  fmt gives "event key=value ..."; control bytes in the result are replaced. */
void	log_event(const char *id, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
/* The same with ": strerror(errno)" quoted as error="...". Keeps errno. */
void	log_errno(const char *id, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
/* "text", at most 500 bytes, with \" \\ and \xNN; for text from a peer, in logs, envelopes and bounces. UTF-8 stays if well-formed. Appends. */
void	log_quote(struct buf *, const char *text);
/* All of a line as it may stand on a terminal: \xNN for what would end it, move the cursor or turn text around. No quotes, no limit. Appends. */
void	log_safe(struct buf *, const char *line);
/* The same as log_quote() into a static ring of 4 buffers, for use as a printf argument. */
const char *quoted(const char *text);
#endif
