/*
 * slots.c - how many deliveries may be under way at once.
 *
 * Way 5 of 8.  From: queue/sched.c.  Nothing here reads a clock or a file.
 * A host that has not answered yet, or not when it was last asked, and says
 * nothing for SILENT_MS either, is silent: that costs a process and waiting,
 * no bandwidth.  So the silent ones do not count, up to half as many as there
 * are slots: a hundred hosts that hang are not in the way of the next one, who
 * may live; and all together are still bounded.
 */
#include "sched.h"

#define SILENT_MS	3000

static unsigned
slots(enum site_kind kind)
{
	return (unsigned)(kind == SITE_LOCAL ?
	    Q.cfg->local_concurrency : Q.cfg->remote_concurrency);
}

static unsigned
taken(enum site_kind kind)
{
	unsigned most = slots(kind) / 2;

	if (kind == SITE_LOCAL)
		return Q.running[kind];
	return Q.running[kind] - (Q.silent < most ? Q.silent : most);
}

static unsigned
free_slots(enum site_kind kind)
{
	return taken(kind) < slots(kind) ? slots(kind) - taken(kind) : 0;
}

static bool
answers(const struct site *s)
{
	return s->flow.round_trip > 0 && s->flow.failing_since == 0;
}

/* ---- taking and giving back ---- */

void
slot_take(struct task *t)
{
	enum site_kind kind = t->site->kind;

	Q.running[kind]++;
	t->quiet = kind == SITE_LOCAL || answers(t->site) ? QUIET_NO :
	    QUIET_YOUNG;
	if (t->quiet == QUIET_NO)
		return;
	if (Q.young.tqh_last == NULL)
		TAILQ_INIT(&Q.young);
	TAILQ_INSERT_TAIL(&Q.young, t, by_start);
}

void
slot_give(struct task *t)
{
	Q.running[t->site->kind]--;
	if (t->quiet == QUIET_YOUNG)
		TAILQ_REMOVE(&Q.young, t, by_start);
	else if (t->quiet == QUIET_SILENT)
		Q.silent--;
	t->quiet = QUIET_NO;
}

int64_t
slots_turn(int64_t now)
{
	struct task *t;

	while ((t = TAILQ_FIRST(&Q.young)) != NULL) {
		if (t->started + SILENT_MS > now)
			return t->started + SILENT_MS;
		TAILQ_REMOVE(&Q.young, t, by_start);
		t->quiet = answers(t->site) ? QUIET_NO : QUIET_SILENT;
		Q.silent += t->quiet == QUIET_SILENT;
	}
	return SITE_NEVER;
}

/* ---- asking for one ---- */

bool
slots_share_taken(const struct site *s, int64_t speed)
{
	return s->flow.running >= slots(s->kind) / 5 ||
	    s->flow.running >= free_slots(s->kind) * (unsigned)speed;
}

bool
slots_has_one(const struct site *s)
{
	unsigned all = slots(s->kind);

	if (s->kind == SITE_REMOTE && !answers(s))
		all -= all / 10;
	return taken(s->kind) < all;
}

bool
slots_all_taken(void)
{
	return free_slots(SITE_LOCAL) == 0 && free_slots(SITE_REMOTE) == 0;
}
