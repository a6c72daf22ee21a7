/*
 * sched.c - destinations and whose turn it is.
 *
 * Way 5 of 8.  From: queue/lookup.c.  To: queue/agent.c.
 * Destinations with work stand in a round; each turn starts one task, so no
 * destination waits for another one's backlog.
 */
#include <stdlib.h>
#include <string.h>

#include "deadline.h"
#include "log.h"
#include "queue.h"

#define STALLED_MS	1000	/* an agent could not be reached: its program is being restarted */

static struct timer stalled;

int64_t
retry_delay_ms(unsigned attempts, double chance)
{
	static const int minutes[] = { 5, 10, 20, 40, 80, 160, 240 };
	unsigned last = sizeof(minutes) / sizeof(minutes[0]) - 1;
	unsigned i = attempts == 0 ? 0 : attempts - 1;
	double ms = minutes[i < last ? i : last] * 60000.0;

	return (int64_t)(ms * (0.8 + 0.4 * chance));
}

static unsigned
key_hash(const char *key)
{
	uint32_t h = 2166136261u;

	while (*key != '\0')
		h = (h ^ (unsigned char)*key++) * 16777619u;
	return h;
}

static void
dests_grow(void)
{
	unsigned cap = Q.dest_cap == 0 ? 256 : Q.dest_cap * 2;
	struct dest **table = xcalloc(cap, sizeof(*table));

	for (unsigned i = 0; i < Q.dest_cap; i++)
		for (struct dest *d = Q.dests[i], *next; d != NULL; d = next) {
			unsigned slot = key_hash(d->key) & (cap - 1);

			next = d->next_hash;
			d->next_hash = table[slot];
			table[slot] = d;
		}
	free(Q.dests);
	Q.dests = table;
	Q.dest_cap = cap;
}

struct dest *
dest_get(enum dest_kind kind, const char *key, const char *relay)
{
	struct dest *d;
	unsigned slot;

	if (Q.dest_n >= Q.dest_cap)
		dests_grow();
	slot = key_hash(key) & (Q.dest_cap - 1);
	for (d = Q.dests[slot]; d != NULL; d = d->next_hash)
		if (d->kind == kind && strcmp(d->key, key) == 0)
			return d;
	d = xcalloc(1, sizeof(*d));
	d->kind = kind;
	d->key = xstrdup(key);
	if (relay != NULL)
		d->relay = xstrdup(relay);
	d->next_hash = Q.dests[slot];
	Q.dests[slot] = d;
	Q.dest_n++;
	return d;
}

void
dest_drop(struct dest *d)
{
	struct dest **p;

	if (d->head != NULL || d->agents > 0 || d->listed)
		return;
	p = &Q.dests[key_hash(d->key) & (Q.dest_cap - 1)];
	while (*p != d)
		p = &(*p)->next_hash;
	*p = d->next_hash;
	Q.dest_n--;
	free(d->key);
	free(d->relay);
	free(d);
}

/* ---- the round: destinations that may start something ---- */

static void
round_append(struct dest *d)
{
	if (d->listed)
		return;
	d->listed = true;
	d->next_round = NULL;
	if (Q.round_tail == NULL)
		Q.round_head = d;
	else
		Q.round_tail->next_round = d;
	Q.round_tail = d;
}

static struct dest *
round_take(void)
{
	struct dest *d = Q.round_head;

	if (d != NULL) {
		Q.round_head = d->next_round;
		if (Q.round_head == NULL)
			Q.round_tail = NULL;
		d->listed = false;
	}
	return d;
}

/* ---- tasks ---- */

static bool
same_sender(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
has_own_head(const struct envelope *env, unsigned n)
{
	for (unsigned i = 0; i < env->nheads; i++)
		if (env->heads[i].n == n)
			return true;
	return false;
}

/* May recipient n travel with those of task t? Same message, sender and headers. */
static bool
task_takes(const struct task *t, const struct active *a, unsigned n)
{
	const struct env_rcpt *r = a->env.rcpts;

	return t != NULL && t->active == a && t->n < TASK_RCPTS &&
	    same_sender(r[t->rcpt[0] - 1].from, r[n - 1].from) &&
	    !has_own_head(&a->env, n) && !has_own_head(&a->env, t->rcpt[0]);
}

void
sched_add(struct active *a, unsigned n, struct dest *d)
{
	struct task *t = d->tail;

	a->work[n - 1].step = STEP_TASK;
	a->open++;
	if (!task_takes(t, a, n)) {
		t = xcalloc(1, sizeof(*t));
		t->active = a;
		t->dest = d;
		if (d->tail == NULL)
			d->head = t;
		else
			d->tail->next = t;
		d->tail = t;
	}
	t->rcpt[t->n++] = n;
	round_append(d);
}

struct task *
sched_next_task(struct dest *d)
{
	struct task *t = d->head;

	if (t != NULL) {
		d->head = t->next;
		if (d->head == NULL)
			d->tail = NULL;
		t->next = NULL;
	}
	return t;
}

static void
task_back(struct dest *d, struct task *t)
{
	t->next = d->head;
	d->head = t;
	if (d->tail == NULL)
		d->tail = t;
}

static unsigned
slots(enum dest_kind kind)
{
	return (unsigned)(kind == DEST_LOCAL ?
	    Q.cfg->local_concurrency : Q.cfg->remote_concurrency);
}

static unsigned
window(const struct dest *d)
{
	return (unsigned)(d->kind == DEST_LOCAL ?
	    Q.cfg->local_concurrency : Q.cfg->site_concurrency);
}

static void
stalled_over(struct timer *t)
{
	(void)t;
	sched_run();
}

/* Starts one task of d. False: it cannot be now, d stays as it is. */
static bool
start_one(struct dest *d)
{
	struct task *t = sched_next_task(d);

	if (d->idle != NULL) {
		agent_give(d->idle, t);
	} else if (agent_start(d, t) == -1) {
		task_back(d, t);
		stalled.fire = stalled_over;
		loop_timer_set(Q.loop, &stalled, now_ms() + STALLED_MS);
		return false;
	}
	d->running++;
	Q.running[d->kind]++;
	return true;
}

void
sched_run(void)
{
	struct dest *d, *last = Q.round_tail;
	bool progress = true;

	/* Round after round, until one whole round has started nothing. */
	while (!Q.draining && progress && Q.round_head != NULL) {
		progress = false;
		last = Q.round_tail;
		do {
			d = round_take();
			if (d->head != NULL && d->running < window(d) &&
			    Q.running[d->kind] < slots(d->kind) && start_one(d))
				progress = true;
			/* One that is at its window comes back when a task of its ends. */
			if (d->head != NULL && d->running < window(d))
				round_append(d);
		} while (d != last && Q.round_head != NULL);
	}
}

void
sched_ended(struct dest *d)
{
	d->running--;
	Q.running[d->kind]--;
	if (d->head != NULL)
		round_append(d);
	if (Q.draining && Q.running[0] + Q.running[1] == 0)
		loop_stop(Q.loop);
}
