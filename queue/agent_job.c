/*
 * agent_job.c - a task in the words of a job (INTERNALS 2.5, 2.6).
 *
 * Way 5 of 8.  From: queue/agent.c.  To: remote/job.c, local/worker.c (6).
 */
#include "address.h"
#include "queue.h"

static void
add_heads(struct buf *b, const struct envelope *env, unsigned n)
{
	for (unsigned i = 0; i < env->nheads; i++) {
		if (env->heads[i].n != 0 && env->heads[i].n != n)
			continue;
		ctl_begin(b, "head");
		ctl_add(b, "text", env->heads[i].text);
		ctl_end(b);
	}
}

static void
add_rcpt(struct buf *b, const struct active *a, unsigned n)
{
	const struct env_rcpt *r = &a->env.rcpts[n - 1];
	const struct rcpt_work *w = &a->work[n - 1];
	struct buf notify = BUF_INIT;

	ctl_begin(b, "rcpt");
	ctl_addn(b, "n", n);
	ctl_add(b, "to", r->addr);
	ctl_add(b, "address", w->address);
	ctl_add(b, "home", w->home);
	ctl_add(b, "ext", w->ext);
	if (r->notify != 0) {
		notify_text(&notify, r->notify);
		ctl_add(b, "notify", buf_str(&notify));
		buf_release(&notify);
	}
	ctl_add(b, "orcpt", r->orcpt);
	ctl_end(b);
}

void
agent_job(struct buf *b, const struct site *s, const struct task *t)
{
	const struct active *a = t->active;
	const struct envelope *env = &a->env;
	const struct env_rcpt *first = &env->rcpts[t->rcpt[0] - 1];

	ctl_begin(b, "job");
	ctl_add(b, "id", a->msg->id);
	ctl_addn(b, "size", a->msg->size);
	ctl_add(b, "repeat", a->msg->repeat ? "yes" : NULL);
	ctl_add(b, "sender", first->from != NULL ? first->from : env->sender);
	if (s->kind == SITE_LOCAL && Q.ordered)
		ctl_addn(b, "ordered", (int64_t)Q.device);
	if (s->kind == SITE_LOCAL)
		ctl_add(b, "alone", a->direct ? "yes" : NULL);
	if (s->kind == SITE_REMOTE) {
		ctl_add(b, "dest", address_domain(first->addr));
		ctl_add(b, "relay", s->relay);
		ctl_add(b, "site", s->key);
		ctl_addn(b, "messages", s->flow.limits.messages);
		ctl_add(b, "body", env->body8 ? "8bit" : NULL);
		ctl_add(b, "utf8", env->utf8 ? "yes" : NULL);
		/* They are the sender's; a list's owner has sent none. */
		ctl_add(b, "ret", first->from == NULL ? env->ret : NULL);
		ctl_add(b, "envid", first->from == NULL ? env->envid : NULL);
	}
	ctl_end(b);
	add_heads(b, env, t->rcpt[0]);
	for (unsigned i = 0; i < t->n; i++)
		add_rcpt(b, a, t->rcpt[i]);
	ctl_begin(b, "end");
	ctl_end(b);
}
