/*
 * agent.c - the conversation with one agent: a connection to `remote` (one
 * destination) or to `launch` (one owner), which takes job after job.
 *
 * Way 5 of 8.  From: queue/sched.c.  To: remote/job.c, local/worker.c (6).
 * An agent may report only on its own job; whatever it leaves unanswered is deferred.
 */
#include <sys/queue.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "deadline.h"
#include "log.h"
#include "queue.h"
#include "sites_conf.h"

struct agent {
	struct peer peer;		/* first */
	struct site *site;		/* borrowed: agents keep it alive */
	struct task *task;		/* owned; NULL: idle */
	bool	took;			/* the task has delivered something */
	bool	leaving;		/* no longer counted in all[] */
	struct timer idle_over;
	struct agent *next_idle;
	TAILQ_ENTRY(agent) by_age;
};

/* By kind: how many agents there are, and the idle ones, longest idle first. */
static struct {
	TAILQ_HEAD(, agent) idle;
	unsigned n, nidle;
} all[] = {
	[SITE_LOCAL] = { TAILQ_HEAD_INITIALIZER(all[SITE_LOCAL].idle), 0, 0 },
	[SITE_REMOTE] = { TAILQ_HEAD_INITIALIZER(all[SITE_REMOTE].idle), 0, 0 },
};

static void
idle_remove(struct agent *g)
{
	struct agent **p = &g->site->idle;

	while (*p != NULL && *p != g)
		p = &(*p)->next_idle;
	if (*p == g) {
		*p = g->next_idle;
		TAILQ_REMOVE(&all[g->site->kind].idle, g, by_age);
		all[g->site->kind].nidle--;
	}
	loop_timer_clear(Q.loop, &g->idle_over);
}

static void
leave(struct agent *g, const char *why)
{
	if (!g->leaving)
		all[g->site->kind].n--;
	g->leaving = true;
	idle_remove(g);
	peer_close(&g->peer, why);
}

/*
 * An idle agent may not take the place of one that has work: a letter to a
 * thousand hosts would wait for each hundred of them to have been idle for
 * seconds.
 */
static void
make_room(enum site_kind kind)
{
	unsigned most = kind == SITE_LOCAL ?
	    (unsigned)Q.cfg->local_concurrency + Q.local_kept :
	    (unsigned)Q.cfg->remote_concurrency;
	struct agent *g = TAILQ_FIRST(&all[kind].idle);

	if (all[kind].n >= most && g != NULL)
		leave(g, "its place is needed");
}

static void
idle_over(struct timer *t)
{
	struct agent *g = (struct agent *)
	    ((char *)t - offsetof(struct agent, idle_over));

	peer_close(&g->peer, g->task == NULL ? "idle" : "no descriptor for the job");
}

static enum via
via(const struct agent *g)
{
	return g->site->kind == SITE_LOCAL ? VIA_LOCAL : VIA_REMOTE;
}

/* Every recipient of the task that has no answer is tried again later. */
static void
task_end(struct agent *g, enum site_result result, const char *why)
{
	struct outcome o = { .enhanced = "4.3.0", .text = why,
	    .via = via(g) };
	struct task *t = g->task;
	struct active *a = t->active;

	g->task = NULL;
	for (unsigned i = 0; i < t->n; i++)
		if (a->work[t->rcpt[i] - 1].step == STEP_TASK) {
			a->work[t->rcpt[i] - 1].step = STEP_SETTLED;
			outcome_defer(a, t->rcpt[i], &o);
		}
	/* The round's last outcomes are for active_finish(): perhaps the file goes. */
	if (a->open > t->n)
		(void)outcome_flush(a);
	sched_ended(t->site, t, result, now_ms());
	for (unsigned i = 0; i < t->n; i++)
		active_release(a);
	free(t);
}

/*
 * What one answer says about the site: that it took something outweighs all,
 * then the most cautious reading counts.
 */
static void
note_result(struct agent *g, struct ctl *c, bool done)
{
	struct site *s = g->site;
	const char *text = ctl_str(c, "text");
	enum site_result result;
	int64_t pause;

	if (s->kind == SITE_LOCAL)
		return;
	if (done) {
		g->took = true;
		return;
	}
	result = site_classify((int)ctl_num(c, "code", 0, 599, 0),
	    ctl_str(c, "enh"), ctl_str(c, "phase"), text);
	if (result > g->task->result)
		g->task->result = result;
	free(s->error);
	s->error = xstrdup(text);
	if ((pause = sites_conf_pause(s->key, text)) > 0)
		site_pause(&s->flow, now_ms() + pause);
}

/* The task is over: what it says about the site, all in all. */
static enum site_result
final_result(const struct agent *g, struct ctl *end)
{
	bool fault = ctl_get(end, "fault") != NULL;

	if (g->task->result == SITE_CROWDED || g->task->result == SITE_SLOWER)
		return g->task->result;
	return fault && !g->took ? SITE_DOWN : SITE_OK;
}

/* remote has seen which hosts serve the domain: from now on it counts as part of that site, which is returned. */
static struct site *
note_site(struct agent *g, struct ctl *end)
{
	const char *key = ctl_get(end, "site");
	const struct task *t = g->task;

	if (key == NULL || *key == '\0' || g->site->kind == SITE_LOCAL ||
	    g->site->relay != NULL)
		return g->site;
	return site_learn(address_domain(
	    t->active->env.rcpts[t->rcpt[0] - 1].addr), key);
}

static void
frame_rcpt(struct agent *g, struct ctl *c)
{
	struct task *t = g->task;
	struct active *a = t->active;
	unsigned n = (unsigned)ctl_num(c, "n", 1, a->env.nrcpts, 0), i;
	const char *status = ctl_str(c, "status"), *ip = ctl_get(c, "ip");
	struct outcome o = { .tls = ctl_get(c, "tls"),
	    .enhanced = ctl_get(c, "enh"), .text = ctl_str(c, "text"),
	    .via = via(g) };
	char host[512];

	for (i = 0; i < t->n && t->rcpt[i] != n; i++)
		continue;
	if (i == t->n || a->work[n - 1].step != STEP_TASK) {
		peer_close(&g->peer, "answer for a recipient not asked about");
		return;
	}
	if (ctl_get(c, "host") != NULL) {
		snprintf(host, sizeof(host), ip != NULL ? "%s[%s]" : "%s",
		    ctl_str(c, "host"), ip);
		o.host = host;
	}
	a->work[n - 1].step = STEP_SETTLED;
	stats_reply(o.via, (now_ms() - t->started) * 1000,
	    (int)ctl_num(c, "code", 0, 599, 0));
	note_result(g, c, strcmp(status, "done") == 0);
	o.slower = t->result == SITE_SLOWER || t->result == SITE_CROWDED;
	/* A host that knows DSN goes on from here, the others end it. */
	o.report = g->site->kind == SITE_LOCAL ? REPORT_DELIVERED :
	    ctl_yes(c, "dsn") ? REPORT_NONE : REPORT_RELAYED;
	if (strcmp(status, "done") == 0)
		outcome_done(a, n, &o);
	else if (strcmp(status, "fail") == 0)
		outcome_fail(a, n, &o);
	else
		outcome_defer(a, n, &o);
}

/*
 * How long may this one rest?  An owner's last worker for long, because the
 * next one would cost as much as a message; the others of a burst not.  Those
 * that are too many go at once: would they take the place of who has rested
 * for longest, and more owners took turns than there are places, then nobody
 * would ever find his.
 */
static int64_t
rest_ms(const struct agent *g)
{
	enum site_kind kind = g->site->kind;

	if (kind == SITE_LOCAL && all[kind].nidle >= Q.local_kept)
		return 0;
	return kind == SITE_LOCAL && g->site->idle == NULL ? LOCAL_IDLE_MS :
	    AGENT_IDLE_MS;
}

static void
become_idle(struct agent *g)
{
	int64_t rest = rest_ms(g);

	g->next_idle = g->site->idle;
	g->site->idle = g;
	TAILQ_INSERT_TAIL(&all[g->site->kind].idle, g, by_age);
	all[g->site->kind].nidle++;
	g->idle_over.fire = idle_over;
	loop_timer_set(Q.loop, &g->idle_over, now_ms() + rest);
}

/* The agent's connection serves that site from now on. False: it has enough of them. */
static bool
join(struct agent *g, struct site *to)
{
	if (to->agents >= to->flow.limits.connections)
		return false;
	g->site->agents--;
	g->site = to;
	to->agents++;
	return true;
}

static void
frame_end(struct agent *g, struct ctl *c)
{
	bool keep = g->site->kind == SITE_LOCAL ?
	    ctl_get(c, "keep") == NULL : ctl_yes(c, "keep");
	struct site *from = site_ref(g->site), *to = note_site(g, c);
	struct task *t = g->task;

	if (to != from) {
		sched_move(from, to, now_ms());
		keep = keep && join(g, to);
	}
	/* Idle first: what the end sets free may need this agent at once. */
	if (keep)
		become_idle(g);
	if (to != from && ctl_yes(c, "moved")) {
		g->task = NULL;
		sched_not_begun(t, to, now_ms());
	} else {
		task_end(g, final_result(g, c),
		    "the agent gave no answer for this recipient");
	}
	if (!keep)
		leave(g, "done");
	site_unref(from);
	active_run();
}

static void
agent_frame(struct peer *p, struct ctl *c)
{
	struct agent *g = (struct agent *)p;

	if (g->task == NULL)
		peer_close(p, "answer without a job");
	else if (ctl_is(c, "rcpt"))
		frame_rcpt(g, c);
	else if (ctl_is(c, "end"))
		frame_end(g, c);
	else
		peer_close(p, "unknown frame");
}

static void
agent_closed(struct peer *p, const char *why)
{
	struct agent *g = (struct agent *)p;
	struct site *s = g->site;

	idle_remove(g);
	if (g->task != NULL) {
		g->task->active->msg->repeat = true;
		log_event(g->task->active->msg->id,
		    "agent-lost site=%s reason=%s", quoted(s->key), quoted(why));
		task_end(g, SITE_OK,
		    "the delivery agent ended without an answer");
	}
	s->agents--;
	if (!g->leaving)
		all[s->kind].n--;
	free(g);
	site_drop(s);
	active_run();
}

/*
 * The job as frames, and a descriptor of the message: of a file one of its own,
 * read-only; of memory a copy, for nobody can write there.
 */
static void
send_job(struct agent *g, const struct task *t)
{
	const struct active *a = t->active;
	struct buf b = BUF_INIT;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", a->fd);
	fd = a->direct ? fcntl(a->fd, F_DUPFD_CLOEXEC, 0) :
	    open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1) {
		/* Ended from the loop: our callers still hold the site. */
		log_errno(a->msg->id, "job-open");
		g->idle_over.fire = idle_over;
		loop_timer_set(Q.loop, &g->idle_over, now_ms());
		return;
	}
	agent_job(&b, g->site, t);
	peer_send(&g->peer, &b, fd);
	buf_release(&b);
}

void
agent_give(struct agent *g, struct task *t)
{
	idle_remove(g);
	g->task = t;
	g->took = false;
	send_job(g, t);
}

int
agent_start(struct site *s, struct task *t)
{
	struct agent *g = xcalloc(1, sizeof(*g));
	const char *name = s->kind == SITE_LOCAL ? "launch" : "remote";
	struct buf b = BUF_INIT;

	make_room(s->kind);
	g->site = s;
	if (peer_connect(&g->peer, Q.loop, config_socket(Q.cfg, name),
	    agent_frame, agent_closed) == -1) {
		log_errno(t->active->msg->id, "agent-unreachable socket=%s", name);
		free(g);
		return -1;
	}
	s->agents++;
	all[s->kind].n++;
	g->task = t;
	if (s->kind == SITE_LOCAL) {
		ctl_begin(&b, "local");
		ctl_add(&b, "address",
		    t->active->work[t->rcpt[0] - 1].address);
		ctl_end(&b);
		peer_send(&g->peer, &b, -1);
		buf_release(&b);
	}
	send_job(g, t);
	return 0;
}
