/* history_file.h - what the writers and the reader of the history share, and nobody else. */
#ifndef QUEUE_HISTORY_FILE_H
#define QUEUE_HISTORY_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "envelope.h"

#define HISTORY_DIR	"history"	/* below SPOOL */
#define HISTORY_DAY	10		/* "2026-11-23" */

/* By enum history_what. */
extern const char *const history_words[4];

/* Is it the name of one of our files? They sort by time. */
bool	is_history_day(const char *name);
/* The name of the file for what happens now. */
void	history_day_of(char out[HISTORY_DAY + 1], int64_t usec);
/* Has a power cut or a full disk torn the last line? It is to be ended before the next one. */
bool	history_ends_torn(int fd);
/* Appends the lines of HISTORY_GONE, one for each recipient that was open; env NULL: one that knows none. */
void	history_put_gone(struct buf *, int64_t now, const char *id, const struct envelope *env);
#endif
