/*
 * walk.c - a message's whole way through a running site: in by SMTP; to a
 * mailbox, to another host, and to an address that host refuses, so that its
 * sender gets a report; or to two mailboxes, which it reaches while the client
 * waits.  One program is meddled with.  A second message then shows that
 * service goes on.
 *
 * A test tool.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crash.h"
#include "deadline.h"

#define SETTLE_S	40	/* for both messages, after restarts */
#define QUIET_MS	100	/* without news: what was put off is tried now */

static const char *const everybody[] = { LOCAL, FAR, REFUSED, NULL };
static const char *const mailboxes[] = { LOCAL, LOCAL_TOO, NULL };

struct arrived {
	bool	direct;		/* it was for the mailboxes alone */
	struct found local, too, far, report;
};

static struct arrived
look(const char *token, const struct buf *msg, bool direct)
{
	struct arrived a = { .direct = direct };

	a.local = look_maildir(
	    site_path("mail/emc.fr/billy/Maildir/new"), token, msg);
	if (direct) {
		a.too = look_maildir(
		    site_path("mail/emc.fr/marie/Maildir/new"), token, msg);
		return a;
	}
	a.far = look_sink(token, msg);
	a.report = look_reports(token);
	return a;
}

static bool
is_complete(const struct arrived *a)
{
	return a->local.whole > 0 && (a->direct ? a->too.whole > 0 :
	    a->far.whole > 0 && a->report.whole > 0);
}

/* Until all is delivered and the queue is empty. */
static bool
settle(const char *token, const struct buf *msg, bool direct, int64_t deadline)
{
	for (;;) {
		struct arrived a;

		if (look_count("spool/queue") == 0) {
			/* What was under way when we looked has arrived. */
			a = look(token, msg, direct);
			return token[0] == '-' || is_complete(&a);
		}
		if (now_ms() > deadline)
			return false;
		if (!site_changed(QUIET_MS))
			site_push();
	}
}

static void
check_place(const char *where, const struct found *f, enum answer a,
    bool may_repeat)
{
	if (f->broken > 0)
		bad("%s: not whole: %s", where, f->why);
	if (a == ACKED && f->whole == 0)
		bad("accepted, but it never came: %s", where);
	if ((a == NOT_NOW || a == NEVER) && f->whole > 0)
		bad("refused, but it came: %s", where);
	if (f->whole > 1 && may_repeat)
		T.copies += f->whole - 1;
	else if (f->whole > 1)
		bad("%s: %u copies, and no reason for it", where, f->whole);
}

/*
 * Twice is right only where an outcome could not be written down: the other
 * host had the message, or inject the report, when a program ended.  A mailbox
 * knows its message by its name, so there it is never right.
 */
static void
check(const char *token, const struct buf *msg, bool direct, enum answer a,
    const char *program)
{
	struct arrived x = look(token, msg, direct);
	bool queue = strcmp(program, "queue") == 0;

	check_place("mailbox", &x.local, a, false);
	if (direct) {
		check_place("the other mailbox", &x.too, a, false);
		return;
	}
	check_place("other host", &x.far, a,
	    queue || strcmp(program, "remote") == 0);
	check_place("report", &x.report, a,
	    queue || strcmp(program, "inject") == 0);
}

/* The second message: it may need some tries until all programs are back. */
static void
follow(const struct buf *msg, int64_t deadline)
{
	enum answer a;

	while ((a = smtp_send(msg, everybody)) != ACKED &&
	    now_ms() < deadline)
		(void)site_changed(QUIET_MS);
	if (a != ACKED)
		bad("the next message is not accepted any more");
}

static bool
walk(const struct rule *r, bool direct)
{
	struct buf a = BUF_INIT, b = BUF_INIT;
	int64_t deadline = now_ms() + SETTLE_S * 1000;
	enum answer answer;
	bool fired;

	message_make(&a, "A", 3000);
	message_make(&b, "B", 2000);
	site_clear();
	if (!site_start(true))
		bad("the site does not start");
	trace_arm(&S.trace, r);
	answer = smtp_send(&a, direct ? mailboxes : everybody);
	count_answer(answer);
	if (answer == NEVER)
		bad("refused for ever, because of a fault that will pass");
	/*
	 * When inject dies behind its commit, or the delivery, before its
	 * answer, smtpd knows no better than 451: so it may be there, or not.
	 */
	if (answer == NOT_NOW && r->tamper == T_KILL &&
	    strcmp(r->program, "inject") == 0)
		answer = LOST;
	/*
	 * Its whole way, while the rule holds.  A mutant's may begin after the
	 * answer: then neither the queue nor the mailbox has it yet.
	 */
	while (!settle(answer == ACKED ? "A" : "-", &a, direct, deadline) &&
	    !trace_fired(&S.trace) && now_ms() < deadline)
		(void)site_changed(QUIET_MS);
	fired = trace_fired(&S.trace);
	if (!fired && answer != ACKED)
		bad("nothing was wrong, and it was not accepted");
	trace_arm(&S.trace, NULL);
	follow(&b, deadline);
	(void)settle("B", &b, false, deadline);
	if (look_count("spool/queue") > 0)
		bad("after %d s the queue holds %u files", SETTLE_S,
		    look_count("spool/queue"));
	if (look_count("spool/bad") > 0)
		bad("a message was moved to bad/");
	check("A", &a, direct, answer, r->program);
	check("B", &b, false, ACKED, "");
	site_kill();
	buf_release(&a);
	buf_release(&b);
	return fired;
}

static bool
run_walk(const struct rule *r)
{
	return walk(r, false);
}

static bool
run_direct(const struct rule *r)
{
	return walk(r, true);
}

/* sendmail hands a message to the running site. */
static bool
run_sendmail(const struct rule *r)
{
	char from[] = SENDER, to[] = LOCAL, f[] = "-f", i[] = "-i";
	char *argv[] = { NULL, i, f, from, to, NULL };
	struct start s = { .argv = argv, .out = -1 };
	int64_t deadline = now_ms() + SETTLE_S * 1000;
	struct buf msg = BUF_INIT;
	struct found found;
	enum answer a;

	site_clear();
	message_make(&msg, "A", 3000);
	if (!site_start(false))
		bad("the site does not start");
	argv[0] = xstrdup(site_program("sendmail"));
	s.in = file_of(msg.data, msg.len);
	(void)setenv("FACTEUR_CONF", S.conf, 1);
	a = exit_answer(run_traced(&s, r), false);
	(void)unsetenv("FACTEUR_CONF");
	count_answer(a);
	/* One address: only the queue has to be empty. */
	(void)settle("-", &msg, false, deadline);
	found = look_maildir(site_path("mail/emc.fr/billy/Maildir/new"), "A",
	    &msg);
	check_place("mailbox", &found, a, false);
	if (a == NEVER)
		bad("refused for ever, because of a fault that will pass");
	if (!trace_fired(&S.trace) && a != ACKED)
		bad("nothing was wrong, and it was not accepted");
	(void)close(s.in);
	free(argv[0]);
	buf_release(&msg);
	return run_finish();
}

#define WRITES	(C_OPEN | C_WRITE | C_SYNC | C_LINK | C_UNLINK | C_CLOSE | \
		 C_TRUNC | C_STAT | C_READ)

const struct way walk_ways[] = {
	{ "sendmail", "sendmail", run_sendmail, WRITES },
	{ "smtpd", "smtpd", run_walk, 0 },
	{ "inject", "inject", run_walk, WRITES },
	{ "queue", "queue", run_walk, WRITES },
	{ "launch and local", "launch", run_walk, WRITES },
	{ "remote", "remote", run_walk, 0 },
	{ "resolve", "resolve", run_walk, 0 },
	{ "authd", "authd", run_walk, 0 },
	{ "directly: smtpd", "smtpd", run_direct, 0 },
	{ "directly: inject", "inject", run_direct, WRITES },
	{ "directly: queue", "queue", run_direct, WRITES },
	{ "directly: launch and local", "launch", run_direct, WRITES },
	{ "directly: resolve", "resolve", run_direct, 0 },
};
const unsigned n_walk_ways = sizeof(walk_ways) / sizeof(walk_ways[0]);
