/*
 * sched.c - whose turn it is.
 *
 * Way 5 of 8.  From: queue/lookup.c.  To: queue/agent.c.
 * Sites with work stand in a round; each turn starts one task, so no site waits
 * for another one's backlog (DESIGN 6.5).  Nothing here reads a clock or a file.
 */
#include <stdlib.h>
#include <string.h>

#include "deadline.h"
#include "direct.h"
#include "log.h"
#include "sched.h"

#define STALLED_MS	1000	/* an agent could not be reached: its program is being restarted */
#define SLOW_MS		1000	/* a round trip of this length is slow */

int64_t
retry_delay_ms(unsigned attempts, double chance)
{
	static const int minutes[] = { 5, 10, 20, 40, 80, 160, 240 };
	unsigned last = sizeof(minutes) / sizeof(minutes[0]) - 1;
	unsigned i = attempts == 0 ? 0 : attempts - 1;
	double ms = minutes[i < last ? i : last] * 60000.0;

	return (int64_t)(ms * (0.8 + 0.4 * chance));
}

/*
 * As the waits double, the next one is 5 minutes more than all before it
 * together; a quarter more allows for those that were short by chance.
 */
int64_t
retry_after_ms(const struct env_rcpt *r, double chance)
{
	int64_t ms = retry_delay_ms(r->attempts, chance);
	double most = (double)r->tried / 1000 * 1.25 * (0.8 + 0.4 * chance) +
	    (double)retry_delay_ms(1, chance);

	return (double)ms > most ? (int64_t)most : ms;
}

/* ---- the round ---- */

void
round_append(struct site *s)
{
	if (s->listed)
		return;
	s->listed = true;
	s->next_round = NULL;
	if (Q.round_tail == NULL)
		Q.round_head = s;
	else
		Q.round_tail->next_round = s;
	Q.round_tail = s;
	Q.in_round++;
}

static struct site *
round_take(void)
{
	struct site *s = Q.round_head;

	if (s != NULL) {
		Q.round_head = s->next_round;
		if (Q.round_head == NULL)
			Q.round_tail = NULL;
		s->listed = false;
		Q.in_round--;
	}
	return s;
}

/* ---- starting ---- */

/*
 * Has it as many slots as it may have while others wait?  Never more than a
 * fifth; and no more than there are still free, so that some always are and
 * who comes next finds one.  A site that answers fast gives its slots back
 * soon: for it the free ones count up to twenty times, and slow ones do not slow it.
 */
static bool
has_its_share(const struct site *s)
{
	int64_t speed = s->flow.round_trip <= 0 ? 1 :
	    SLOW_MS / s->flow.round_trip;

	if (s->kind == SITE_LOCAL || Q.in_round == 0 || s->flow.running == 0)
		return false;
	speed = speed < 1 ? 1 : speed > 20 ? 20 : speed;
	return slots_share_taken(s, speed);
}

enum start { STARTED, NOT_NOW, STALLED };

static enum start
start_one(struct site *s, int64_t now)
{
	enum turn turn;
	struct task *t;

	if (!slots_has_one(s) || has_its_share(s) ||
	    (t = next_task(s, &turn)) == NULL)
		return NOT_NOW;
	t->started = now;
	t->result = SITE_OK;
	msg_begun(t->active->msg);
	if (s->idle != NULL) {
		agent_give(s->idle, t);
	} else if (agent_start(s, t) == -1) {
		task_back(s, t);
		return STALLED;
	}
	site_start(&s->flow, now);
	stats_attempt(s->kind == SITE_LOCAL ? VIA_LOCAL : VIA_REMOTE);
	slot_take(t);
	if (s->kind == SITE_REMOTE && turn == TURN_AGAIN)
		Q.running_again++;
	return STARTED;
}

/* Who comes first when slots are short: those who have none, those who give them back soon, the rest. */
enum rank { RANK_NONE, RANK_FAST, RANK_REST, RANKS };

static enum rank
rank_of(const struct site *s)
{
	if (s->flow.running == 0)
		return RANK_NONE;
	return s->flow.round_trip < SLOW_MS / 10 ? RANK_FAST : RANK_REST;
}

/* One turn for each site of this rank. True: something was started. */
static bool
sweep(enum rank rank, int64_t now, int64_t *next)
{
	bool progress = false;
	struct site *s;
	int64_t when;

	for (unsigned left = Q.in_round; left > 0; left--) {
		if ((s = round_take())->waiting == 0)
			continue;
		if (rank_of(s) != rank) {
			round_append(s);
			continue;
		}
		if ((when = site_when(&s->flow, now)) > now) {
			/* At its window: back when a task of its ends. */
			if (when != SITE_NEVER) {
				sleep_add(s, when);
				*next = when < *next ? when : *next;
			}
			continue;
		}
		switch (start_one(s, now)) {
		case STARTED:
			progress = true;
			break;
		case STALLED:
			if (now + STALLED_MS < *next)
				*next = now + STALLED_MS;
			break;
		case NOT_NOW:
			break;
		}
		if (s->waiting > 0)
			round_append(s);
	}
	return progress;
}

int64_t
sched_pass(int64_t now)
{
	int64_t next = wake_sleepers(now), turn;
	bool progress = !Q.draining;

	(void)slots_turn(now);
	/* Round after round, until a whole one has started nothing. */
	while (progress && Q.round_head != NULL && !slots_all_taken()) {
		progress = sweep(RANK_NONE, now, &next);
		while (sweep(RANK_FAST, now, &next))
			progress = true;
		if (sweep(RANK_REST, now, &next))
			progress = true;
	}
	/* What silence sets free is of use to those who wait. */
	turn = slots_turn(now);
	return Q.in_round > 0 && turn < next ? turn : next;
}

static void
wake(struct timer *t)
{
	(void)t;
	sched_run();
}

void
sched_run(void)
{
	int64_t next = sched_pass(now_ms());

	Q.wake.fire = wake;
	if (next == SITE_NEVER)
		loop_timer_clear(Q.loop, &Q.wake);
	else
		loop_timer_set(Q.loop, &Q.wake, next);
}

void
sched_ended(struct site *s, struct task *t, enum site_result result,
    int64_t now)
{
	bool was_down = s->flow.rest_until != 0;
	bool had_learned = site_has_learned(&s->flow);
	bool rests = site_end(&s->flow, result, t->started, now);

	slot_give(t);
	if (s->kind == SITE_REMOTE && t->turn == TURN_AGAIN)
		Q.running_again--;
	if (t->active->direct && now - t->started >= DIRECT_SLOW_MS)
		s->direct_after = now + DIRECT_REST_MS;
	if (result != SITE_OK || had_learned != site_has_learned(&s->flow))
		sites_state_changed();
	if (rests) {
		log_event(NULL, "site-rests site=%s seconds=%lld error=%s",
		    quoted(s->key), (long long)(s->flow.rest_until - now) / 1000,
		    quoted(s->error != NULL ? s->error : ""));
		park_tasks(s);
		sleep_add(s, s->flow.rest_until);
	}
	if (was_down && s->flow.rest_until == 0) {
		/* It is back.  Those who waited come evenly, not all at once. */
		log_event(NULL, "site-back site=%s waiting=%u", quoted(s->key),
		    s->nparked);
		spread_parked(s, now);
	} else if (s->spread <= 0) {
		call_parked(s, now);
	}
	if (s->waiting > 0)
		round_append(s);
	if (Q.draining && Q.running[0] + Q.running[1] == 0)
		loop_stop(Q.loop);
}
