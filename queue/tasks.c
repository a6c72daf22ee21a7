/*
 * tasks.c - what waits at a site, in which order, and what moves it elsewhere.
 *
 * Way 5 of 8.  From: queue/lookup.c.  To: queue/sched.c.
 * Nothing here reads a clock or a file.
 */
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "sched.h"

#define LARGE_SHARE	4	/* tasks of a large message for one of a small one: it is slowed by a quarter at most */

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

/* Somebody waits for the outcome: only a mailbox, and none that is known to be slow. */
static bool
is_worth_waiting(const struct site *s, int64_t now)
{
	return s->kind == SITE_LOCAL && now >= s->direct_after;
}

void
sched_add(struct active *a, unsigned n, struct site *s, int64_t now)
{
	enum turn turn = a->env.rcpts[n - 1].attempts > 0 ?
	    TURN_AGAIN : TURN_FIRST;
	struct tasks *small = &s->wait[turn][0], *large = &s->wait[turn][1];
	struct task *t;
	bool forced;

	if (s->kind == SITE_REMOTE)
		msg_begun(a->msg);	/* from now on it waits for that host */
	if (a->caller == s) {
		/* Here it is; not sched_missed(), for s must live on. */
		a->caller = NULL;
		s->ncoming--;
		s->refs--;
	}
	if (a->recalled || (a->direct && !is_worth_waiting(s, now))) {
		a->work[n - 1].step = STEP_IDLE;
		return;
	}
	forced = a->forced && site_probe_now(&s->flow, now);
	/* A retry of thousands waits closed, too: open, they would leave no room for the mail of others. */
	if ((!forced && site_closed_until(&s->flow, now) > 0) ||
	    s->small >= enough(s)) {
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

struct task *
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

void
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

/* The task's recipients wait for that site from now on; it ends here. */
static void
task_moves(struct task *t, struct site *to, int64_t now)
{
	struct active *a = t->active;
	unsigned n = t->n;

	for (unsigned i = 0; i < n; i++) {
		struct rcpt_work *w = &a->work[t->rcpt[i] - 1];

		if (w->step != STEP_TASK)
			continue;	/* it has been answered for */
		w->step = STEP_IDLE;
		sched_add(a, t->rcpt[i], to, now);
	}
	for (unsigned i = 0; i < n; i++)
		active_release(a);
	free(t);
}

static bool
is_for(const struct task *t, const struct site *s)
{
	const struct env_rcpt *r = t->active->env.rcpts;

	return site_of_domain(address_domain(r[t->rcpt[0] - 1].addr)) == s;
}

static void
move_list(struct tasks *l, unsigned *small, struct site *from,
    struct site *to, int64_t now)
{
	struct tasks keep = { NULL, NULL };
	struct task *t;

	while ((t = tasks_take(l)) != NULL) {
		if (!is_for(t, to)) {
			tasks_append(&keep, t);
			continue;
		}
		from->waiting--;
		if (small != NULL)
			--*small;
		task_moves(t, to, now);
	}
	*l = keep;
}

void
sched_move(struct site *from, struct site *to, int64_t now)
{
	for (int turn = 0; turn < 2; turn++) {
		move_list(&from->wait[turn][0], &from->small, from, to, now);
		move_list(&from->wait[turn][1], NULL, from, to, now);
	}
}

void
sched_not_begun(struct task *t, struct site *to, int64_t now)
{
	sched_ended(t->site, t, SITE_OK, now);
	task_moves(t, to, now);
}

void
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
