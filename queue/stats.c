/*
 * stats.c - counts what the queue manager does: additions in memory.
 *
 * Runs in the queue manager.  Way 4 to 7 of 8.  From: everywhere in queue/.
 * To: queue/stats_text.c.
 */
#include "id.h"
#include "queue.h"
#include "stats.h"

#define MS	INT64_C(1000)
#define S	INT64_C(1000000)

static const int64_t accept_upto[] = {
	MS / 2, MS, 5 * MS / 2, 5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS,
	250 * MS, 500 * MS, S, 5 * S / 2, 5 * S, 10 * S, 0
};
/* From a mailbox beside us to the last attempt after five days. */
static const int64_t waited_upto[] = {
	10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS, S, 5 * S / 2,
	5 * S, 10 * S, 30 * S, 60 * S, 300 * S, 900 * S, 3600 * S, 14400 * S,
	86400 * S, 432000 * S, 0
};
static const int64_t took_upto[] = {
	MS, 5 * MS / 2, 5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS,
	500 * MS, S, 5 * S / 2, 5 * S, 10 * S, 30 * S, 60 * S, 120 * S,
	300 * S, 600 * S, 0
};

struct stats stats = {
	.accept = { .upto = accept_upto },
	.waited = { [VIA_LOCAL] = { .upto = waited_upto },
	    [VIA_REMOTE] = { .upto = waited_upto } },
	.took = { [VIA_LOCAL] = { .upto = took_upto },
	    [VIA_REMOTE] = { .upto = took_upto } },
};

/* A clock that was set back may make it negative. */
static void
observe(struct histogram *h, int64_t usec)
{
	unsigned i = 0;

	if (usec < 0)
		usec = 0;
	while (h->upto[i] != 0 && usec > h->upto[i])
		i++;
	h->n[i]++;
	h->sum += usec;
}

void
stats_message(struct msg *m)
{
	if (m->counted)
		return;
	m->counted = true;
	if (id_usec(m->id) < Q.started)
		return;
	stats.messages++;
	stats.bytes += (uint64_t)m->size;
}

void
stats_recipients(unsigned n)
{
	stats.recipients += n;
}

void
stats_accept(int64_t usec)
{
	observe(&stats.accept, usec);
}

void
stats_attempt(enum via via)
{
	stats.attempts[via]++;
}

void
stats_outcome(enum via via, enum fate fate, int64_t bytes, int64_t age)
{
	stats.outcomes[via][fate]++;
	if (fate != FATE_DONE || via == VIA_NONE)
		return;
	stats.delivered[via] += (uint64_t)bytes;
	observe(&stats.waited[via], age);
}

void
stats_reply(enum via via, int64_t usec, int code)
{
	if (via == VIA_NONE)
		return;
	observe(&stats.took[via], usec);
	if (via == VIA_LOCAL)
		return;
	if (code >= 200 && code < 200 + STATS_CODES)
		stats.codes[code - 200]++;
	else
		stats.no_code++;
}

void
stats_report(unsigned kind)
{
	if (kind < STATS_REPORTS)
		stats.reports[kind]++;
}
