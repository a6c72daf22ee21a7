/* plan.h - what plan.c and plan_story.c share, and nobody else. */
#ifndef QUEUE_PLAN_H
#define QUEUE_PLAN_H

#include "queue.h"

/* The story of a message goes on in memory, once it has been tried here. */
struct story {
	struct msg *msg;
	struct envelope env;		/* owned */
};

/* As it stands in the file, or as it has become here. NULL: it cannot be read, or has gone. */
struct story *plan_story(struct msg *);
/* "6h", "30m", "2d", "90s": milliseconds, or 0. */
int64_t	plan_span(const char *);
#endif
