/*
 * plan - `facteur queue --plan 6h`: the real scheduler on a virtual clock, over
 * the real spool.  Prints the attempts to come, if what has failed fails again
 * and what was never tried succeeds.
 *
 * Runs as the caller.  Way 5 of 8, in thought only: takes no lock, writes
 * nothing, connects to nobody.  It stands where active.c, lookup.c and agent.c
 * do; sched.c, parked.c, site.c, sites.c and msg.c are those of the queue manager.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "address.h"
#include "date.h"
#include "deadline.h"
#include "log.h"
#include "plan.h"
#include "privdrop.h"
#include "qadmin.h"

#define TASK_MS		1000		/* what an attempt takes */
#define DOWN_MS		30000		/* one that gets no connection */
#define LONGEST_MS	(5 * 3600 * 1000)
#define SLACK_USEC	60000000	/* as in active.c */

struct run {			/* a task under way */
	int64_t	end;
	struct task *task;
	enum site_result result;
};

static int64_t now, wall;		/* virtual: ms; usec - 1000 * now */
static struct run *runs;		/* owned */
static unsigned nruns, runs_cap;
static unsigned printed, given_up, delivered;

static int64_t
wall_now(void)
{
	return wall + now * 1000;
}

static void
print_line(const struct msg *m, unsigned n, const char *site, const char *what)
{
	struct buf line = BUF_INIT;

	date_iso(&line, wall_now(), 0);
	buf_addf(&line, " %s %u %s ", m->id, n, n == 1 ? "recipient" :
	    "recipients");
	log_safe(&line, site);
	buf_addf(&line, " %s", what);
	puts(buf_str(&line));
	buf_release(&line);
}

/* ---- what stands for agent.c ---- */

static bool
was_tried(const struct task *t)
{
	return t->active->env.rcpts[t->rcpt[0] - 1].attempts > 0;
}

/* What failed fails again, in the same way; who cannot be reached, for nobody. */
static enum site_result
result_of(const struct task *t)
{
	const struct env_rcpt *r = &t->active->env.rcpts[t->rcpt[0] - 1];

	if (t->site->kind == SITE_LOCAL)
		return SITE_OK;
	if (t->site->flow.failing_since != 0)
		return SITE_DOWN;
	if (!was_tried(t))
		return SITE_OK;
	if (!env_rcpt_is_reply(r))
		return SITE_DOWN;
	return site_classify((int)strtol(r->text, NULL, 10), r->text + 4,
	    "rcpt", r->text);
}

int
agent_start(struct site *s, struct task *t)
{
	char what[32];
	struct run *r;

	if (nruns == runs_cap) {
		runs_cap = runs_cap == 0 ? 128 : runs_cap * 2;
		runs = xreallocarray(runs, runs_cap, sizeof(*runs));
	}
	r = &runs[nruns++];
	r->task = t;
	r->result = result_of(t);
	r->end = now + (r->result == SITE_DOWN ? DOWN_MS : TASK_MS);
	(void)snprintf(what, sizeof(what), "attempt %u",
	    t->active->env.rcpts[t->rcpt[0] - 1].attempts + 1);
	print_line(t->active->msg, t->n, s->key, what);
	printed++;
	return 0;
}

void
agent_give(struct agent *g, struct task *t)
{
	(void)g;
	(void)t;
	abort();			/* none is ever idle here */
}

/* ---- what stands for outcome.c ---- */

static bool
is_expired(const struct active *a, const struct env_rcpt *r)
{
	int64_t life = a->env.sender[0] == '\0' ? Q.cfg->bounce_lifetime :
	    Q.cfg->queue_lifetime;

	return r->tried > life * 1000000;
}

static void
settle(struct active *a, unsigned n, bool works)
{
	struct env_rcpt *r = &a->env.rcpts[n - 1];

	a->work[n - 1].step = STEP_SETTLED;
	if (works) {
		r->state = RCPT_DONE;
		delivered++;
		return;
	}
	envelope_tried(&a->env, r, wall_now());
	if (is_expired(a, r)) {
		r->state = RCPT_FAILED;
		given_up++;
		print_line(a->msg, 1, address_domain(r->addr), "is given up");
		return;
	}
	r->attempts++;
	r->last = wall_now();
	r->next = r->last + 1000 * retry_after_ms(r, 0.5);
}

bool
outcome_waited(struct active *a, unsigned n, const struct site *s, int64_t at)
{
	struct env_rcpt *r = &a->env.rcpts[n - 1], tried = *r;
	int64_t failing = site_failing_ms(&s->flow, at) * 1000;
	int64_t since = wall_now() - (r->last != 0 ? r->last : a->env.arrived);

	tried.tried += since < failing ? since : failing;
	if (since <= 0 || failing == 0 || !is_expired(a, &tried))
		return false;
	r->state = RCPT_FAILED;
	a->work[n - 1].step = STEP_SETTLED;
	given_up++;
	print_line(a->msg, 1, s->key, "is given up");
	return true;
}

/* ---- what stands for active.c and lookup.c ---- */

/* Aliases are not asked about: that would be a conversation. */
static struct site *
site_for(const char *addr)
{
	const char *domain = address_domain(addr);

	if (domain == NULL || config_is_ours(Q.cfg, domain, strlen(domain)))
		return site_get(SITE_LOCAL, "our mailboxes", NULL);
	if (*Q.cfg->relay_host != '\0')
		return site_get(SITE_REMOTE, Q.cfg->relay_host,
		    Q.cfg->relay_host);
	return site_of_domain(domain);
}

static void
begin(struct msg *m)
{
	struct site *caller;
	struct story *story;
	struct active *a;

	if (!sched_leaves(m, false, now, &caller))
		return;
	if ((story = plan_story(m)) == NULL) {
		sched_missed(caller);
		return;
	}
	a = xcalloc(1, sizeof(*a));
	a->msg = m;
	a->fd = -1;
	a->env = story->env;
	a->caller = caller;
	a->work = xcalloc(a->env.nrcpts + 1, sizeof(*a->work));
	m->active = a;
	Q.nactive++;
	a->open = 1;
	for (unsigned i = 0; i < a->env.nrcpts; i++)
		if (a->env.rcpts[i].state == RCPT_PENDING &&
		    a->env.rcpts[i].next <= wall_now() + SLACK_USEC)
			sched_add(a, i + 1, site_for(a->env.rcpts[i].addr), now);
	active_release(a);
}

/* What all that is left waits for, or when the first of them is due. */
static struct site *
what_next(const struct active *a, int64_t *due)
{
	struct site *site = NULL;
	bool own = false;

	*due = INT64_MAX;
	for (unsigned i = 0; i < a->env.nrcpts; i++) {
		const struct env_rcpt *r = &a->env.rcpts[i];

		if (r->state != RCPT_PENDING)
			continue;
		if (a->work[i].step == STEP_PARKED) {
			site = a->work[i].site;
			continue;
		}
		own = true;
		if (r->next < *due)
			*due = r->next;
	}
	return own ? NULL : site;
}

static int64_t
due_in(int64_t next)
{
	int64_t ms = (next - wall_now()) / 1000;

	return ms < 1000 ? 1000 : ms > LONGEST_MS ? LONGEST_MS : ms;
}

void
active_release(struct active *a)
{
	struct msg *m = a->msg;
	struct site *site;
	int64_t next;

	if (--a->open > 0)
		return;
	site = what_next(a, &next);
	if (site != NULL)
		sched_park_msg(m, site, now);
	else if (next != INT64_MAX)
		msg_due(m, now + due_in(next));
	sched_missed(a->caller);
	for (unsigned i = 0; i < a->env.nrcpts; i++)
		if (a->work[i].step == STEP_PARKED)
			site_unref(a->work[i].site);
	m->active = NULL;
	Q.nactive--;
	free(a->work);
	free(a);
}

void
active_run(void)
{
}

static void
run_ended(struct run r)
{
	struct task *t = r.task;
	struct active *a = t->active;
	bool works = r.result == SITE_OK && !was_tried(t);

	for (unsigned i = 0; i < t->n; i++)
		settle(a, t->rcpt[i], works);
	sched_ended(t->site, t, r.result, now);
	for (unsigned i = t->n; i > 0; i--)
		active_release(a);
	free(t);
}

/* There are never more of them than agents. The first to end, or nruns. */
static unsigned
first_run(void)
{
	unsigned first = 0;

	for (unsigned i = 1; i < nruns; i++)
		if (runs[i].end < runs[first].end)
			first = i;
	return first;
}

static void
run_until(int64_t end)
{
	struct msg *m;
	struct run r;
	int64_t next;
	unsigned i;

	for (;;) {
		while (Q.nactive < Q.active_max &&
		    (m = msg_pop_due(now)) != NULL)
			begin(m);
		next = sched_pass(now);
		if (Q.nactive < Q.active_max && msg_next_due() < next)
			next = msg_next_due();
		i = first_run();
		if (nruns > 0 && runs[i].end < next)
			next = runs[i].end;
		if (next > end)
			return;
		now = next > now ? next : now;
		while (nruns > 0 && runs[i = first_run()].end <= now) {
			r = runs[i];
			runs[i] = runs[--nruns];
			run_ended(r);
		}
	}
}

/* ---- the command ---- */

/* A message with nothing due before the end is not even remembered. */
static int
load_one(struct entry *e, void *arg)
{
	int64_t next, *end = arg, ms;

	if (strcmp(e->dir, "queue") != 0 || !e->readable ||
	    (next = envelope_next(&e->env)) == INT64_MAX)
		return 0;
	ms = next == 0 ? 0 : (next - wall_now()) / 1000;
	if (ms > LONGEST_MS)
		ms = LONGEST_MS;
	if (now + ms <= *end)
		(void)msg_add(e->id, e->size, ms <= 0 ? now : now + ms);
	return 0;
}

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: facteur [-C confdir] queue --plan 6h\n");
	exit(EX_USAGE);
}

/* The scheduler logs what it does; here it only thinks of doing it. */
static void
hush(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (fd != -1 && dup2(fd, STDERR_FILENO) != -1)
		(void)close(fd);
}

int
main(int argc, char *argv[])
{
	const char *confdir = NULL;
	int64_t span, end;
	int ch;

	setprogname("facteur");
	process_init();
	log_init("plan");
	while ((ch = getopt(argc, argv, "C:")) != -1)
		switch (ch) {
		case 'C':
			confdir = optarg;
			break;
		default:
			usage();
		}
	if (argc - optind != 1 || (span = plan_span(argv[optind])) == 0)
		usage();
	Q.cfg = config_or_die(confdir);
	Q.active_max = ACTIVE_MAX;
	if (spool_open(&Q.spool, Q.cfg->spool, false) == -1)
		spool_die(Q.cfg);
	now = now_ms();
	wall = date_now_usec() - now * 1000;
	end = now + span;
	sites_refresh(now);
	sites_state_load(now);
	if (entries_each(Q.cfg, NULL, load_one, &end) == -1)
		spool_die(Q.cfg);
	hush();
	run_until(end);
	printf("%u attempt%s in %s: %u delivered, %u given up.\n", printed,
	    printed == 1 ? "" : "s", argv[optind], delivered, given_up);
	return fflush(stdout) == EOF || ferror(stdout) ? EX_IOERR : EX_OK;
}
