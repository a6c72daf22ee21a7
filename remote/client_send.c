/*
 * client_send.c - one message through an open connection: MAIL, RCPT, DATA
 * (RFC 5321 section 3.3), in one write where the peer allows it (RFC 2920).
 *
 * Runs as facteur-remote.  Each recipient gets the reply that is about it,
 * and no other: a reply that is missing, malformed or one too many ends the
 * connection, and what had no answer by then stays pending.
 * Way 6 of 8.  From: remote/deliver.c.  To: the peer, and outcomes.
 */
#include <stdlib.h>
#include <string.h>

#include "remote.h"

#define LAST_WORDS	5	/* seconds for why a peer hung up */

struct txn {
	struct client *c;
	struct job *job;
	struct outcome *why;
	struct rcpt *batch[BATCH];	/* borrowed from the job */
	unsigned n, accepted;
	bool	 mail_ok;
};

/* Settles those of the batch that are pending (only the accepted ones). */
static void
settle(struct txn *t, const struct outcome *o, bool accepted_only)
{
	for (unsigned i = 0; i < t->n; i++) {
		struct rcpt *r = t->batch[i];

		if (r->outcome.status == PENDING &&
		    (r->accepted || !accepted_only))
			r->outcome = *o;
	}
}

/*
 * A reply before the end of the message.  False: the connection is gone; the
 * peer's 421 counts as that too.
 */
static bool
next_reply(struct txn *t, int seconds, const char *phase)
{
	struct client *c = t->c;

	if (!client_reply(c, seconds, phase, t->why))
		return false;
	if (c->reply.code != 421)
		return true;
	client_outcome(c, DEFER, phase, "3.2", t->why);
	client_drop(c);
	return false;
}

/* A class of reply that has no meaning here: we are out of step. */
static bool
out_of_step(struct txn *t, const char *phase)
{
	client_broken(t->c, "protocol", phase,
	    "the host's reply does not fit the command", t->why);
	return false;
}

static void
send_commands(struct txn *t, bool reset)
{
	if (reset)
		stream_puts(&t->c->io, "RSET\r\n");
	if (!t->c->caps.pipelining)
		return;
	put_mail(t->c, t->job);
	for (unsigned i = 0; i < t->n; i++)
		put_rcpt(t->c, t->batch[i]);
	stream_puts(&t->c->io, "DATA\r\n");
}

static bool
do_reset(struct txn *t)
{
	if (!next_reply(t, t->c->r->wait.rset, "rset"))
		return false;
	return reply_is(&t->c->reply, 2) || out_of_step(t, "rset");
}

static bool
do_mail(struct txn *t)
{
	struct client *c = t->c;
	struct outcome o;

	if (!c->caps.pipelining)
		put_mail(c, t->job);
	c->dirty = true;
	if (!next_reply(t, c->r->wait.mail, "mail"))
		return false;
	if (reply_is(&c->reply, 3))
		return out_of_step(t, "mail");
	t->mail_ok = reply_is(&c->reply, 2);
	if (!t->mail_ok) {
		client_outcome(c, reply_status(&c->reply), "mail",
		    c->reply.code == 552 ? "3.4" : "1.0", &o);
		settle(t, &o, false);
	}
	return true;
}

static bool
is_limit(const struct reply *r)
{
	return (r->code == 452 || r->code == 552) && (r->enh[0] == '\0' ||
	    strcmp(r->enh + 1, ".5.3") == 0);
}

/*
 * RFC 5321 section 4.5.3.1.10: a limit on recipients is 452, from old hosts
 * 552.  Those beyond it go in the next transaction, if this one has any.
 */
static void
judge_rcpt(struct txn *t, struct rcpt *r)
{
	const struct reply *reply = &t->c->reply;
	enum status status = reply_status(reply);

	if (status == DONE) {
		r->accepted = true;
		t->accepted++;
	} else if (!is_limit(reply)) {
		client_outcome(t->c, status, "rcpt", "1.0", &r->outcome);
	} else if (t->accepted == 0) {
		client_outcome(t->c, DEFER, "rcpt", "5.3", &r->outcome);
	}
}

static bool
do_rcpts(struct txn *t)
{
	struct client *c = t->c;

	for (unsigned i = 0; i < t->n; i++) {
		if (!c->caps.pipelining) {
			if (!t->mail_ok)
				return true;
			put_rcpt(c, t->batch[i]);
		}
		if (!next_reply(t, c->r->wait.rcpt, "rcpt"))
			return false;
		if (reply_is(&c->reply, 3))
			return out_of_step(t, "rcpt");
		if (t->mail_ok)
			judge_rcpt(t, t->batch[i]);
	}
	return true;
}

/*
 * Nobody is left, but DATA was sent along.  A peer that took it gets an empty
 * message, which it has no one to give to (RFC 2920 section 3.1).
 */
static void
unwind_data(struct txn *t)
{
	struct client *c = t->c;

	if (!c->caps.pipelining || !next_reply(t, c->r->wait.data, "data") ||
	    !reply_is(&c->reply, 3))
		return;
	stream_puts(&c->io, ".\r\n");
	(void)next_reply(t, c->r->wait.final, "final");
}

/* True: the peer waits for the message. */
static bool
do_data(struct txn *t)
{
	struct client *c = t->c;
	struct outcome o;

	if (!c->caps.pipelining)
		stream_puts(&c->io, "DATA\r\n");
	if (!next_reply(t, c->r->wait.data, "data"))
		return false;
	if (reply_is(&c->reply, 2))
		return out_of_step(t, "data");
	if (!reply_is(&c->reply, 3)) {
		client_outcome(c, reply_status(&c->reply), "data",
		    c->reply.code == 552 ? "3.4" : "0.0", &o);
		settle(t, &o, true);
		return false;
	}
	if (stream_pending(&c->io))
		return out_of_step(t, "data");
	return true;
}

/*
 * The reply to the message.  From the end mark on, silence means "perhaps":
 * the recipient is tried again, even at the price of a second copy.
 */
static void
do_final(struct txn *t, struct rcpt *only)
{
	struct client *c = t->c;
	struct outcome o;

	if (!client_reply(c, c->r->wait.final, "final", t->why)) {
		settle(t, t->why, true);
		return;
	}
	if (reply_is(&c->reply, 3)) {
		out_of_step(t, "final");
		settle(t, t->why, true);
		return;
	}
	client_outcome(c, reply_status(&c->reply), "final",
	    c->reply.code == 552 ? "3.4" : "0.0", &o);
	if (only != NULL)
		only->outcome = o;
	else
		settle(t, &o, true);
	if (c->reply.code == 421)
		client_drop(c);
}

/* LMTP answers for each accepted recipient, in order (RFC 2033 section 4.2). */
static void
do_finals(struct txn *t)
{
	t->c->dirty = false;
	if (!t->c->lmtp) {
		do_final(t, NULL);
		return;
	}
	for (unsigned i = 0; i < t->n && t->c->open; i++)
		if (t->batch[i]->accepted)
			do_final(t, t->batch[i]);
	settle(t, t->why, true);
}

/* The connection broke under the message: perhaps the peer said why. */
static void
hear_last_words(struct txn *t)
{
	struct client *c = t->c;
	struct outcome o;

	if (!client_reply(c, LAST_WORDS, "data", t->why))
		return;
	client_outcome(c, reply_is(&c->reply, 5) ? FAIL : DEFER, "data",
	    c->reply.code == 552 ? "3.4" : "4.2", &o);
	settle(t, &o, true);
	client_drop(c);
}

static void
send_body(struct txn *t)
{
	struct outcome o;

	switch (client_body(t->c, t->job)) {
	case BODY_SENT:
		do_finals(t);
		return;
	case BODY_BROKEN:
		hear_last_words(t);
		return;
	case BODY_UNREADABLE:
		outcome_set(&o, DEFER, "4.3.0", "data",
		    "the message cannot be read from the queue");
		break;
	case BODY_BAD:
		outcome_set(&o, FAIL, "5.6.0", "data",
		    "the message holds a bare CR or a NUL byte, which SMTP "
		    "cannot carry");
		break;
	}
	settle(t, &o, true);
	client_drop(t->c);	/* no end mark: the peer forgets what it has */
}

static void
transaction(struct txn *t)
{
	struct client *c = t->c;
	bool reset = c->dirty;

	if (stream_pending(&c->io)) {
		client_broken(c, "protocol", "mail",
		    "the host talks out of turn", t->why);
		return;
	}
	c->messages++;
	send_commands(t, reset);
	if ((reset && !do_reset(t)) || !do_mail(t) || !do_rcpts(t))
		return;
	if (t->accepted == 0)
		unwind_data(t);
	else if (do_data(t))
		send_body(t);
}

static bool
is_too_large(struct client *c, struct job *job)
{
	int64_t size = job->size + (int64_t)job->head.len;
	struct outcome o;

	if (c->caps.size_max == 0 || size <= c->caps.size_max)
		return false;
	client_outcome(c, FAIL, "mail", "3.4", &o);
	(void)strlcpy(o.enh, "5.3.4", sizeof(o.enh));
	o.code = 0;
	snprintf(o.text, sizeof(o.text),
	    "the message of %lld bytes is larger than the %lld the host takes",
	    (long long)size, (long long)c->caps.size_max);
	job_settle(job, &o);
	return true;
}

void
client_send(struct client *c, struct job *job, struct outcome *why)
{
	unsigned next = 0;

	if (is_too_large(c, job))
		return;
	while (c->open) {
		struct txn t = { .c = c, .job = job, .why = why };

		/* What a limit left pending lies behind us: begin again. */
		if (next >= job->nrcpts)
			next = 0;
		for (; next < job->nrcpts && t.n < BATCH; next++) {
			struct rcpt *r = &job->rcpts[next];

			r->accepted = false;
			if (r->outcome.status == PENDING)
				t.batch[t.n++] = r;
		}
		if (t.n == 0 && !job_is_pending(job))
			return;
		if (t.n > 0)
			transaction(&t);
	}
}
