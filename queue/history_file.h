/* history_file.h - what the writer and the reader of the history share, and nobody else. */
#ifndef QUEUE_HISTORY_FILE_H
#define QUEUE_HISTORY_FILE_H

#include <stdbool.h>

#define HISTORY_DIR	"history"	/* below SPOOL */
#define HISTORY_DAY	10		/* "2026-11-23" */

/* By enum history_what. */
extern const char *const history_words[4];

/* Is it the name of one of our files? They sort by time. */
bool	is_history_day(const char *name);
#endif
