/*
 * pressure.h - how much mail waits for its first attempt, told by the queue
 * manager to those who take mail in, so that intake does not outrun dispatch
 * (INTERNALS 4).  It travels in SPOOL/pressure, two lines for anyone to read:
 *
 *	waiting 00001234
 *	clock   00456789	CLOCK_MONOTONIC, seconds, when that was written
 *
 * What waits for another host's sake does not count: a slow host is no reason
 * to slow those who write to others.  Below half of PRESSURE_FROM the file is
 * left as it is, so a host at rest, or one that keeps up, never touches it.
 */
#ifndef QUEUE_PRESSURE_H
#define QUEUE_PRESSURE_H

#include <stdint.h>

#define PRESSURE_FILE	"pressure"
#define PRESSURE_LEN	34		/* bytes of both lines */
#define PRESSURE_FROM	1000u		/* waiting messages: from here each new one is delayed, */
#define PRESSURE_FULL	5000u		/* from here by a second */
#define PRESSURE_REFUSE	100000u		/* and from here it is refused */
#define PRESSURE_OLD_S	10		/* told longer ago: the queue manager is away, which delays nobody */

/* How long a new message is delayed: 0 to 1000 ms. */
int	pressure_delay_ms(unsigned waiting);
/* The text of the file at this monotonic second. */
void	pressure_text(char out[PRESSURE_LEN + 1], unsigned waiting,
	    int64_t second);
/* What it says at this second; 0 when it is malformed, or too old. */
unsigned pressure_parse(const char text[PRESSURE_LEN], int64_t second);

/* ---- for those who take mail in ---- */

struct pressure {
	int	fd;		/* owned; -1: none */
	int64_t	opened, read;	/* monotonic ms; 0: never */
	unsigned waiting;	/* as last read */
};

#define PRESSURE_INIT { .fd = -1 }

/*
 * How many wait, to a fifth of a second.  `root` is the spool's directory.  No
 * file, or one that cannot be read: none.
 */
unsigned pressure_waiting(struct pressure *, int root, int64_t now);
void	pressure_close(struct pressure *);

/* ---- for the queue manager (pressure_tell.c) ---- */

/* Makes the file.  Without it nobody is delayed. */
void	pressure_start(void);
/* Q.fresh may have changed: it is told soon if it matters.  Costs nothing while it does not. */
void	pressure_tell(void);
#endif
