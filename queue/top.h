/* top.h - what the files of top share: the facts of one moment, and a frame made of two. */
#ifndef QUEUE_TOP_H
#define QUEUE_TOP_H

#include "qadmin.h"

/* What the queue manager knew at one moment. */
struct top_facts {
	int64_t	at;		/* monotonic ms; 0: nothing is known */
	struct buf stats;	/* owned; Prometheus' text */
	struct sites_view sites;	/* owned; without domains */
	struct top_reason { char *text; int64_t n; } *reasons; /* owned; commonest first */
	size_t	nreasons;
};

enum top_sort { TOP_WAITING, TOP_RUNNING, TOP_REST, TOP_NAME };

/* What a frame is made of. */
struct top_view {
	const char *hostname;
	struct top_facts now, before;	/* before.at 0: rates are those since the start */
	enum top_sort sort;
	unsigned rows;		/* of the screen; 0: no limit */
	const char *trouble;	/* NULL, or why what is shown is old */
	bool	keys;		/* says which keys there are */
};

/* Asks for everything; the old content is released. 0, or -1 with errno: out is as it was. */
int	top_ask(struct stream *, struct top_facts *out)
	    __attribute__((warn_unused_result));
void	top_facts_release(struct top_facts *);
/* The figure of exactly this name (with its labels) in Prometheus' text; 0: there is none. */
double	top_figure(const struct buf *text, const char *name);

#define TOP_HEADING	'='	/* a line that begins so is a heading, */
#define TOP_PLAIN	' '	/* so: an ordinary one */
/*
 * Appends the frame: lines with one of these in front, each ended by LF.
 * Sorts v->now.sites.  Nothing in it can harm a terminal.
 */
void	top_frame(struct top_view *, struct buf *out);
#endif
