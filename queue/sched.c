/*
 * sched.c - whose turn it is.
 *
 * Way 5 of 8.  From: queue/lookup.c.  To: queue/agent.c.
 * Sites with work stand in a round; each turn starts one task, so no site waits
 * for another one's backlog (DESIGN 6.5).  Nothing here reads a clock or a file.
 */
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "deadline.h"
#include "log.h"
#include "sched.h"

#define STALLED_MS	1000	/* an agent could not be reached: its program is being restarted */
#define SLOW_MS		1000	/* a round trip of this length is slow */
#define LARGE_SHARE	4	/* tasks of a large message for one of a small one: it is slowed by a quarter at most */

int64_t
retry_delay_ms(unsigned attempts, double chance)
{
	static const int minutes[] = { 5, 10, 20, 40, 80, 160, 240 };
	unsigned last = sizeof(minutes) / sizeof(minutes[0]) - 1;
	unsigned i = attempts == 0 ? 0 : attempts - 1;
	double ms = minutes[i < last ? i : last] * 60000.0;

	return (int64_t)(ms * (0.8 + 0.4 * chance));
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

/* ---- tasks ---- */

static void
tasks_append(struct tasks *l, struct task *t)
{
	t->next = NULL;
	if (l->tail == NULL)
		l->head = t;
	else
		l->tail->next = t;
	l->tail = t;
}

static struct task *
tasks_take(struct tasks *l)
{
	struct task *t = l->head;

	if (t != NULL) {
		l->head = t->next;
		if (l->head == NULL)
			l->tail = NULL;
		t->next = NULL;
	}
	return t;
}

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

/* May recipient n travel with those of task t? Same message, sender, domain (one site may serve many) and headers. */
static bool
task_takes(const struct task *t, const struct active *a, unsigned n)
{
	const struct env_rcpt *r = a->env.rcpts, *first;

	if (t == NULL || t->active != a || t->n == TASK_RCPTS)
		return false;
	first = &r[t->rcpt[0] - 1];
	return same_sender(first->from, r[n - 1].from) &&
	    (t->site->kind == SITE_LOCAL || t->site->relay != NULL ||
	    same_sender(address_domain(first->addr),
	    address_domain(r[n - 1].addr))) &&
	    !has_own_head(&a->env, n) && !has_own_head(&a->env, first->n);
}

/* The reference keeps the site until the message is put away. */
static void
park_rcpt(struct active *a, unsigned n, struct site *s)
{
	a->work[n - 1].step = STEP_PARKED;
	a->work[n - 1].site = site_ref(s);
}

void
sched_add(struct active *a, unsigned n, struct site *s, int64_t now)
{
	enum turn turn = a->env.rcpts[n - 1].attempts > 0 ?
	    TURN_AGAIN : TURN_FIRST;
	struct tasks *small = &s->wait[turn][0], *large = &s->wait[turn][1];
	struct task *t;

	if (s->kind == SITE_REMOTE)
		msg_begun(a->msg);	/* from now on it waits for that host */
	if (a->caller == s) {
		/* Here it is; not sched_missed(), for s must live on. */
		a->caller = NULL;
		s->ncoming--;
		s->refs--;
	}
	if (a->recalled) {
		a->work[n - 1].step = STEP_IDLE;
		return;
	}
	if (a->forced)
		site_probe_now(&s->flow, now);
	if (!a->forced && (site_closed_until(&s->flow, now) > 0 ||
	    s->small >= enough(s))) {
		if (!outcome_waited(a, n, s, now))
			park_rcpt(a, n, s);
		return;
	}
	a->work[n - 1].step = STEP_TASK;
	a->work[n - 1].site = s;
	a->open++;
	if (task_takes(large->tail, a, n)) {
		t = large->tail;
	} else if (task_takes(small->tail, a, n)) {
		t = small->tail;
	} else {
		t = xcalloc(1, sizeof(*t));
		t->active = a;
		t->site = s;
		t->turn = turn;
		t->order = ++Q.order;
		/* The first task of a message is small; what follows it is not. */
		if ((small->tail != NULL && small->tail->active == a) ||
		    (large->tail != NULL && large->tail->active == a))
			tasks_append(large, t);
		else {
			tasks_append(small, t);
			s->small++;
		}
		s->waiting++;
	}
	t->rcpt[t->n++] = n;
	round_append(s);
}

/* Within a turn: in order of arrival, but a small message passes a large one. */
static struct task *
take_within(struct site *s, enum turn turn)
{
	struct tasks *small = &s->wait[turn][0], *large = &s->wait[turn][1];
	bool passes = small->head != NULL && large->head != NULL &&
	    small->head->order > large->head->order;

	if (large->head != NULL && (small->head == NULL ||
	    (passes && s->credit < LARGE_SHARE))) {
		s->credit++;
		return tasks_take(large);
	}
	if (small->head == NULL)
		return NULL;
	if (passes)
		s->credit = 0;
	s->small--;
	return tasks_take(small);
}

/* The next task of a site, or NULL. */
static struct task *
next_task(struct site *s, enum turn *turn_out)
{
	enum turn other = s->last == TURN_FIRST ? TURN_AGAIN : TURN_FIRST;
	bool again_ok = s->kind == SITE_LOCAL ||
	    Q.running_again < (unsigned)(Q.cfg->remote_concurrency + 1) / 2;
	struct task *t = NULL;

	if (other == TURN_FIRST || again_ok)
		t = take_within(s, other);
	if (t == NULL && (s->last == TURN_FIRST || again_ok))
		t = take_within(s, s->last);
	if (t == NULL)
		return NULL;
	s->last = *turn_out = t->turn;
	s->waiting--;
	return t;
}

static void
task_back(struct site *s, struct task *t)
{
	struct tasks *l = &s->wait[t->turn][0];

	t->next = l->head;
	l->head = t;
	if (l->tail == NULL)
		l->tail = t;
	s->waiting++;
	s->small++;
}

static void
withdraw_list(struct site *s, struct tasks *l, bool small, struct active *a)
{
	struct tasks keep = { NULL, NULL };
	struct task *t;

	while ((t = tasks_take(l)) != NULL) {
		if (t->active != a) {
			tasks_append(&keep, t);
			continue;
		}
		s->waiting--;
		s->small -= small;
		for (unsigned i = 0; i < t->n; i++) {
			a->work[t->rcpt[i] - 1].step = STEP_IDLE;
			active_release(a);
		}
		free(t);
	}
	*l = keep;
}

static void
withdraw_from(struct site *s, void *arg)
{
	for (int turn = 0; turn < 2; turn++)
		for (int large = 0; large < 2; large++)
			withdraw_list(s, &s->wait[turn][large], large == 0,
			    arg);
}

void
sched_withdraw(struct active *a)
{
	site_each(withdraw_from, a);
}

bool
sched_is_waiting(const struct active *a, unsigned n)
{
	const struct site *s = a->work[n - 1].site;

	for (int i = 0; i < 4; i++)
		for (const struct task *t = s->wait[i / 2][i % 2].head;
		    t != NULL; t = t->next)
			for (unsigned k = 0; t->active == a && k < t->n; k++)
				if (t->rcpt[k] == n)
					return true;
	return false;
}

/* The site rests from now on: what waits for it lets go of its message. */
static void
park_tasks(struct site *s)
{
	struct task *t;

	for (int turn = 0; turn < 2; turn++)
		for (int large = 0; large < 2; large++)
			while ((t = tasks_take(&s->wait[turn][large])) != NULL) {
				s->waiting--;
				s->small -= large == 0;
				for (unsigned i = 0; i < t->n; i++)
					park_rcpt(t->active, t->rcpt[i], s);
				for (unsigned i = 0; i < t->n; i++)
					active_release(t->active);
				free(t);
			}
}

/* ---- starting ---- */

static unsigned
slots(enum site_kind kind)
{
	return (unsigned)(kind == SITE_LOCAL ?
	    Q.cfg->local_concurrency : Q.cfg->remote_concurrency);
}

/*
 * Has it as many slots as it may have while others wait?  Never more than a
 * fifth; and no more than there are still free, so that some always are and
 * who comes next finds one.  A site that answers fast gives its slots back
 * soon: for it the free ones count up to twenty times, and slow ones do not slow it.
 */
static bool
has_its_share(const struct site *s)
{
	unsigned all = slots(s->kind), free = all - Q.running[s->kind];
	int64_t speed = s->flow.round_trip <= 0 ? 1 :
	    SLOW_MS / s->flow.round_trip;

	if (s->kind == SITE_LOCAL || Q.in_round == 0 || s->flow.running == 0)
		return false;
	if (s->flow.running >= all / 5)
		return true;
	speed = speed < 1 ? 1 : speed > 20 ? 20 : speed;
	return s->flow.running >= free * (unsigned)speed;
}

enum start { STARTED, NOT_NOW, STALLED };

static enum start
start_one(struct site *s, int64_t now)
{
	enum turn turn;
	struct task *t;

	if (Q.running[s->kind] >= slots(s->kind) || has_its_share(s) ||
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
	Q.running[s->kind]++;
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

static bool
all_slots_taken(void)
{
	return Q.running[SITE_LOCAL] >= slots(SITE_LOCAL) &&
	    Q.running[SITE_REMOTE] >= slots(SITE_REMOTE);
}

int64_t
sched_pass(int64_t now)
{
	int64_t next = wake_sleepers(now);
	bool progress = !Q.draining;

	/* Round after round, until a whole one has started nothing. */
	while (progress && Q.round_head != NULL && !all_slots_taken()) {
		progress = sweep(RANK_NONE, now, &next);
		while (sweep(RANK_FAST, now, &next))
			progress = true;
		if (sweep(RANK_REST, now, &next))
			progress = true;
	}
	return next;
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
sched_ended(struct site *s, const struct task *t, enum site_result result,
    int64_t now)
{
	bool was_down = s->flow.rest_until != 0;
	bool had_learned = site_has_learned(&s->flow);
	bool rests = site_end(&s->flow, result, t->started, now);

	Q.running[s->kind]--;
	if (s->kind == SITE_REMOTE && t->turn == TURN_AGAIN)
		Q.running_again--;
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
