/*
 * plan_story.c - what `queue --plan` knows about each message: read from its
 * file when its turn comes, and kept from then on, for it is not written back.
 *
 * Runs as the caller.  Way 5 of 8, in thought only.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "plan.h"

/* Found by msg; never more than half full. */
static struct story **stories;
static unsigned nstories, stories_cap;

static struct story **
story_at(const struct msg *m)
{
	unsigned i = (unsigned)((uintptr_t)m >> 4) * 2654435761u;

	while (stories[i & (stories_cap - 1)] != NULL &&
	    stories[i & (stories_cap - 1)]->msg != m)
		i++;
	return &stories[i & (stories_cap - 1)];
}

static void
stories_grow(void)
{
	struct story **old = stories;
	unsigned cap = stories_cap;

	stories_cap = cap == 0 ? 1024 : cap * 2;
	stories = xcalloc(stories_cap, sizeof(struct story *));
	for (unsigned i = 0; i < cap; i++)
		if (old[i] != NULL)
			*story_at(old[i]->msg) = old[i];
	free(old);
}

struct story *
plan_story(struct msg *m)
{
	char name[SPOOL_NAME_MAX + 1];
	struct story *s, **at;
	int fd;

	if (2 * nstories >= stories_cap)
		stories_grow();
	at = story_at(m);
	if (*at != NULL)
		return *at;
	spool_name(name, m->id, m->size);
	fd = openat(Q.spool.queue, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return NULL;		/* delivered meanwhile */
	s = xcalloc(1, sizeof(*s));
	s->msg = m;
	envelope_init(&s->env);
	if (spool_read_envelope(fd, m->size, &s->env) == -1) {
		envelope_release(&s->env);
		free(s);
		s = NULL;
	}
	close(fd);
	*at = s;
	nstories += s != NULL;
	return s;
}

int64_t
plan_span(const char *s)
{
	static const struct { char unit; int64_t seconds; } units[] = {
		{ 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 },
	};
	char *end;
	long long n;

	errno = 0;
	n = strtoll(s, &end, 10);
	if (errno != 0 || end == s || n < 1 || n > 1000000 || *s == '-')
		return 0;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (end[0] == units[i].unit && end[1] == '\0' &&
		    n * units[i].seconds <= 366 * 86400)
			return n * units[i].seconds * 1000;
	return 0;
}
