/*
 * direct.h - what inject and the queue manager agree on about messages that
 * are delivered before they are queued (INTERNALS 2.11).
 */
#ifndef QUEUE_DIRECT_H
#define QUEUE_DIRECT_H

#define DIRECT_RCPTS	10		/* recipients of one at most */
#define DIRECT_SIZE	(60 * 1024)	/* bytes of one that are announced, at most */
#define DIRECT_LINES	(64 * 1024)	/* bytes of outcomes that are given back, at most */
#define DIRECT_WAIT_MS	3000		/* inject waits no longer for the answer */
#define DIRECT_SLOW_MS	1000		/* a site that takes longer for one */
#define DIRECT_REST_MS	60000		/* gets the next ones from the queue for so long */
#define DIRECT_AWAY_MS	10000		/* a queue manager who does not answer is not asked again, doubled each time, */
#define DIRECT_LEAVE_MS	300000		/* up to this */

#endif
