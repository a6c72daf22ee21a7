/*
 * parked.c - messages that wait, closed on disk, for a site that rests or has
 * enough to do; and the sites that wait for a time.
 *
 * Way 5 of 8.  From: queue/active.c, queue/sched.c.  To: queue/msg.c, when a
 * site asks for them.  Nothing here reads a clock or a file.
 */
#include <stdlib.h>

#include "sched.h"

#define EXPIRY_LOOK_MS	(60 * 60 * 1000)
#define SPREAD_TICK_MS	100
#define SPREAD_PART	200	/* a site that is back gets this part of those who waited each second, */
#define SPREAD_LEAST	20	/* but as many as this */

void
sleep_add(struct site *s, int64_t until)
{
	if (Q.sleepers == NULL || until < Q.sleep_until)
		Q.sleep_until = until;
	if (s->sleeping)
		return;
	s->sleeping = true;
	s->next_sleep = Q.sleepers;
	Q.sleepers = s;
}


static void
list_remove(struct site *s, struct msg *m)
{
	if (m->prev_parked != NULL)
		m->prev_parked->next_parked = m->next_parked;
	else
		s->parked = m->next_parked;
	if (m->next_parked != NULL)
		m->next_parked->prev_parked = m->prev_parked;
	else
		s->last_parked = m->prev_parked;
	m->next_parked = m->prev_parked = NULL;
	s->nparked--;
}

void
sched_park_msg(struct msg *m, struct site *s, int64_t now)
{
	int64_t closed = site_closed_until(&s->flow, now);

	if (closed > 0)
		msg_begun(m);	/* not our slowness: the site rests */
	m->site = site_ref(s);
	m->called = false;
	m->prev_parked = s->last_parked;
	if (s->last_parked != NULL)
		s->last_parked->next_parked = m;
	else
		s->parked = m;
	s->last_parked = m;
	s->nparked++;
	/* In the heap too: now and then it asks whether it has expired. */
	msg_due(m, now + EXPIRY_LOOK_MS + arc4random_uniform(EXPIRY_LOOK_MS));
	if (closed > 0 || s->spread > 0)
		sleep_add(s, closed > now ? closed : now + SPREAD_TICK_MS);
	else if (s->small + s->ncoming < enough(s))
		/* It waited for others until all was over there: nothing may end any more that would call it. */
		sleep_add(s, now);
}

void
sched_unpark_msg(struct msg *m)
{
	struct site *s = m->site;

	if (s == NULL)
		return;
	if (m->called)
		s->ncoming--;
	else
		list_remove(s, m);
	m->site = NULL;
	m->called = false;
	site_unref(s);
}

void
sched_missed(struct site *caller)
{
	if (caller == NULL)
		return;
	caller->ncoming--;
	/* Nothing of it may end any more that would call the next. */
	if (caller->parked != NULL)
		sleep_add(caller, 0);
	site_unref(caller);
}

bool
sched_leaves(struct msg *m, bool must, int64_t now, struct site **caller_out)
{
	*caller_out = NULL;
	if (m->site == NULL)
		return true;
	if (m->called) {
		*caller_out = site_ref(m->site);
		(*caller_out)->ncoming++;
	} else if (!must) {
		msg_due(m, now + EXPIRY_LOOK_MS);
		return false;
	}
	sched_unpark_msg(m);
	return true;
}

unsigned
enough(const struct site *s)
{
	return 2 * s->flow.limits.connections + 10;
}

static unsigned
spread_allows(struct site *s, int64_t now)
{
	double n;

	if (s->spread <= 0)
		return UINT32_MAX;
	n = (double)(now - s->spread_at) * s->spread / 1000;
	if (n < 1)
		return 0;
	s->spread_at = now;
	return (unsigned)n;
}

void
call_parked(struct site *s, int64_t now)
{
	unsigned have = s->small + s->ncoming, want = enough(s), allowed;
	struct msg *m;

	if (s->parked == NULL || site_closed_until(&s->flow, now) > 0)
		return;
	if (s->flow.rest_until != 0)
		want = 1;		/* the probe */
	if (have >= want)
		return;
	allowed = spread_allows(s, now);
	for (unsigned n = want - have; n > 0 && allowed > 0 &&
	    (m = s->parked) != NULL; n--, allowed--) {
		list_remove(s, m);
		m->called = true;
		s->ncoming++;
		msg_due(m, now);
	}
	if (s->parked == NULL)
		s->spread = 0;
}

/* When the site needs to be looked at although nothing of it ends. */
static int64_t
sleeps_until(const struct site *s, int64_t now)
{
	int64_t when = SITE_NEVER, closed;

	if (s->waiting > 0 && (when = site_when(&s->flow, now)) <= now)
		when = SITE_NEVER;	/* it is in the round */
	if (s->parked == NULL)
		return when;
	closed = site_closed_until(&s->flow, now);
	if (closed > now)
		return closed < when ? closed : when;
	return s->spread > 0 && now + SPREAD_TICK_MS < when ?
	    now + SPREAD_TICK_MS : when;
}

int64_t
wake_sleepers(int64_t now)
{
	struct site *s, *next, *list = Q.sleepers;

	if (list == NULL || now < Q.sleep_until)
		return list == NULL ? SITE_NEVER : Q.sleep_until;
	Q.sleepers = NULL;
	Q.sleep_until = SITE_NEVER;
	for (s = list; s != NULL; s = next) {
		int64_t until;

		next = s->next_sleep;
		s->sleeping = false;
		call_parked(s, now);
		if ((until = sleeps_until(s, now)) != SITE_NEVER)
			sleep_add(s, until);
		if (s->waiting > 0 && site_when(&s->flow, now) <= now)
			round_append(s);
		site_drop(s);
	}
	return Q.sleepers == NULL ? SITE_NEVER : Q.sleep_until;
}

void
spread_parked(struct site *s, int64_t now)
{
	s->spread = s->nparked / (double)SPREAD_PART;
	if (s->spread < SPREAD_LEAST)
		s->spread = SPREAD_LEAST;
	s->spread_at = now;
	sleep_add(s, now + SPREAD_TICK_MS);
}
