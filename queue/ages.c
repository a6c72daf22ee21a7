/*
 * ages.c - when the oldest message in the queue arrived, without a walk over
 * the queue: messages are counted by the minute of their arrival.
 *
 * Runs in the queue manager.  Way 4 of 8.  From: queue/msg.c.
 * There are as many minutes as mail lies here, 7,200 in five days; they stand
 * in a hash table (linear probing), which forgets empty ones when it grows.
 */
#include <stdlib.h>

#include "buf.h"
#include "stats.h"

#define MINUTE	INT64_C(60000000)

struct minute {
	int64_t	at;		/* minutes since 1970; 0: this place is free */
	int64_t	first;		/* usec: the earliest of its messages so far */
	unsigned n;
};

static struct minute *table;	/* owned; [cap], a power of two */
static unsigned cap, used;	/* used: places not free, empty minutes too */
static int64_t oldest;		/* minute; 0: not known */

static struct minute *
place_of(struct minute *t, unsigned size, int64_t at)
{
	unsigned i = (unsigned)((uint64_t)at * UINT64_C(11400714819323198485)
	    >> 32) & (size - 1);

	while (t[i].at != 0 && t[i].at != at)
		i = (i + 1) & (size - 1);
	return &t[i];
}

static void
grow(void)
{
	unsigned live = 0, size = 64;
	struct minute *bigger;

	for (unsigned i = 0; i < cap; i++)
		live += table[i].n > 0;
	while (size < 4 * live)
		size *= 2;
	bigger = xcalloc(size, sizeof(*bigger));
	for (unsigned i = 0; i < cap; i++)
		if (table[i].n > 0)
			*place_of(bigger, size, table[i].at) = table[i];
	free(table);
	table = bigger;
	cap = size;
	used = live;
}

/* The first minutes of 1970 and before are one: no real message is of them. */
static int64_t
minute_of(int64_t arrived)
{
	return arrived < MINUTE ? 1 : arrived / MINUTE;
}

void
ages_add(int64_t arrived)
{
	int64_t at = minute_of(arrived);
	struct minute *m;

	if (2 * used >= cap)
		grow();
	m = place_of(table, cap, at);
	if (m->at == 0) {
		m->at = at;
		used++;
	}
	if (m->n++ == 0 || arrived < m->first)
		m->first = arrived;
	if (oldest != 0 && at < oldest)
		oldest = at;
}

void
ages_remove(int64_t arrived)
{
	int64_t at = minute_of(arrived);
	struct minute *m;

	if (cap == 0 || (m = place_of(table, cap, at))->n == 0)
		return;
	if (--m->n == 0 && at == oldest)
		oldest = 0;
}

int64_t
ages_oldest(void)
{
	if (oldest == 0)
		for (unsigned i = 0; i < cap; i++)
			if (table[i].n > 0 &&
			    (oldest == 0 || table[i].at < oldest))
				oldest = table[i].at;
	return oldest == 0 ? 0 : place_of(table, cap, oldest)->first;
}
