/*
 * stats.h - what the queue manager counts, for `facteur stats`, `facteur top`
 * and Prometheus (INTERNALS 2.8).
 *
 * Counting is adding in memory, never a system call.  Everything is since the
 * start of the queue manager; a restart begins at 0, as Prometheus expects.
 */
#ifndef QUEUE_STATS_H
#define QUEUE_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

struct msg;

/* By whose hands: nobody's is an alias that was expanded, a refusal by resolve, a bounce by order. */
enum via { VIA_NONE, VIA_LOCAL, VIA_REMOTE, VIAS };
enum fate { FATE_DONE, FATE_DEFER, FATE_FAIL, FATES };

/* ---- counting (stats.c) ---- */

/* It lies in queue/ for the first time, if it arrived since we started. Any number of times. */
void	stats_message(struct msg *);
/* It is read for the first time: n recipients. */
void	stats_recipients(unsigned n);
/* inject took this many microseconds from a client's `end` to its `ok`. */
void	stats_accept(int64_t usec);
/* A job is handed to an agent. */
void	stats_attempt(enum via);
/* A recipient's outcome: the message's bytes, microseconds since its arrival. */
void	stats_outcome(enum via, enum fate, int64_t bytes, int64_t age);
/* An agent has answered for one recipient: microseconds since it got the job, the peer's code; 0: none. */
void	stats_reply(enum via, int64_t usec, int code);
/* A report is committed; `kind` is an enum dsn_kind. */
void	stats_report(unsigned kind);

/* ---- telling (stats_text.c) ---- */

/* All of it, as Prometheus' text format 0.0.4; appended. */
void	stats_text(struct buf *);
/* A label's value with its quotes: \\, \" and \n escaped, other control bytes and what is no UTF-8 as '?'. Appended. */
void	stats_label(struct buf *, const char *value);

/* ---- a file of it (stats_file.c) ---- */

/* Writes stats_file now and every 15 s; nothing without that key. */
void	stats_file_start(void);
/* Once: to a new file that takes the name of the old one. -1 with errno. */
int	stats_file_write(const char *path);

/* ---- how old the oldest message is (ages.c) ---- */

/* A message that arrived then (usec since 1970) is in the queue; is no more. */
void	ages_add(int64_t arrived);
void	ages_remove(int64_t arrived);
/*
 * When the oldest arrived; 0: there is none.  Exact unless others of its
 * minute have left before it; then up to a minute early.
 */
int64_t	ages_oldest(void);

/* ---- why deliveries are put off (reasons.c) ---- */

#define REASON_MAX	120	/* bytes */

/* This text was the reason, at `now` (monotonic ms). What differs from message to message in it (words with digits) is left out. */
void	reasons_add(const char *text, int64_t now);
/* Of the last hour or two, in no order. A text may be counted too low, or be missing, when there are hundreds. */
void	reasons_each(int64_t now, void (*)(const char *text, uint64_t n, void *), void *);

/* ---- its private parts, shared by stats.c and stats_text.c ---- */

#define STATS_BUCKETS	18	/* at most */
#define STATS_CODES	400	/* 200 to 599 */
#define STATS_REPORTS	3

struct histogram {
	const int64_t *upto;	/* usec, ascending, 0 ends; the rest is +Inf */
	uint64_t n[STATS_BUCKETS + 1];
	int64_t	 sum;		/* usec */
};

struct stats {
	uint64_t messages, bytes, recipients;
	uint64_t attempts[VIAS];
	uint64_t outcomes[VIAS][FATES];
	uint64_t delivered[VIAS];	/* bytes */
	uint64_t reports[STATS_REPORTS];
	uint64_t codes[STATS_CODES], no_code;
	struct histogram accept, waited[VIAS], took[VIAS];
};

extern struct stats stats;
#endif
