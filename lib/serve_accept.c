/*
 * serve_accept.c - the acceptor: one connection, one child, one conversation.
 *
 * Runs as the server's own uid, never reads from a client.  It sleeps in one
 * poll over its listeners and its signals; whatever is short (slots, memory,
 * descriptors) makes it look away from the listeners, never spin.
 * Way 1, 6 and 8 of 8.  From: a connection.  To: session(), in a child.
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "buf.h"
#include "deadline.h"
#include "log.h"
#include "serve_private.h"
#include "wake.h"

#define REST	1000	/* ms without accepting when the system is short */

struct child {
	pid_t	pid;
	bool	tcp;
	struct netaddr peer;
};

struct acceptor {
	const struct serve *s;	/* borrowed */
	pid_t	 self;
	struct listeners l;	/* owned */
	struct child *children;	/* owned; [s->max] */
	unsigned n;
	int	 wake;		/* borrowed */
	int64_t	 rest_until;	/* the system was short of something */
	int	 renew;		/* owned: asks for a successor; -1: asked, or none */
	int64_t	 changed;	/* when a child last came or went */
};

static bool
has_slot(const struct acceptor *a, const struct listener *l)
{
	unsigned kept = a->s->reserved < a->s->max ? a->s->reserved : 0;

	return a->n < a->s->max - (l->reserved ? 0 : kept);
}

static bool
is_over_share(const struct acceptor *a, const struct netaddr *peer)
{
	unsigned same = 0;

	if (a->s->max_per_client == 0)
		return false;
	for (unsigned i = 0; i < a->n; i++)
		if (a->children[i].tcp &&
		    netaddr_same_client(&a->children[i].peer, peer))
			same++;
	return same >= a->s->max_per_client;
}

/* Never waits for a client: one packet fits, or he does without. */
static void
turn_away(const struct acceptor *a, const struct listener *l, int fd)
{
	if (l->tcp && a->s->busy != NULL) {
		(void)send(fd, a->s->busy, strlen(a->s->busy),
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		(void)shutdown(fd, SHUT_WR);
	}
	(void)close(fd);
}

static _Noreturn void
be_child(struct acceptor *a, const struct listener *l, int fd,
    const struct netaddr *peer)
{
	struct listener mine = *l;

	wake_child();
	listeners_close(&a->l);
	if (a->renew != -1)
		(void)close(a->renew);
	if (wake_with_parent(a->self) == -1)
		_exit(0);
	if (confine_session(a->s) == -1)
		_exit(EX_OSERR);
	_exit(session_run(a->s, &mine, fd, peer));
}

static void
start_child(struct acceptor *a, const struct listener *l, int fd,
    const struct netaddr *peer)
{
	pid_t pid = fork();

	if (pid == 0)
		be_child(a, l, fd, peer);
	if (pid == -1) {
		log_errno(NULL, "fork-failed children=%u", a->n);
		turn_away(a, l, fd);
		a->rest_until = now_ms() + REST;
		return;
	}
	(void)close(fd);
	a->children[a->n++] = (struct child){ pid, l->tcp, *peer };
	a->changed = now_ms();
}

static void
take_one(struct acceptor *a, const struct listener *l)
{
	struct netaddr peer;
	struct buf text = BUF_INIT;
	int fd = listener_accept(l, &peer);

	if (fd == -1 && errno == EBUSY) {
		log_event(NULL, "accept-short socket=%s children=%u", l->name,
		    a->n);
		a->rest_until = now_ms() + REST;
	}
	if (fd == -1)
		return;
	if (!listener_allows(l, a->s, fd)) {
		(void)close(fd);
	} else if (!has_slot(a, l) || (l->tcp && is_over_share(a, &peer))) {
		netaddr_text(&peer, &text);
		log_event(NULL, "busy socket=%s ip=%s children=%u", l->name,
		    buf_str(&text), a->n);
		turn_away(a, l, fd);
		buf_release(&text);
	} else {
		start_child(a, l, fd, &peer);
	}
}

/*
 * Should we look at this listener now?  A full house lets clients wait in the
 * backlog as long as places become free, and tells them so when none does.
 */
static bool
is_open(const struct acceptor *a, const struct listener *l, int64_t now)
{
	if (now < a->rest_until)
		return false;
	return has_slot(a, l) ||
	    (l->tcp && now >= a->changed + SERVE_PATIENCE);
}

/* Until when to sleep if nothing happens. */
static int64_t
next_look(const struct acceptor *a, int64_t now)
{
	int64_t at = DEADLINE_NEVER;

	if (now < a->rest_until)
		return a->rest_until;
	for (unsigned i = 0; i < a->l.n; i++)
		if (a->l.v[i].tcp && !is_open(a, &a->l.v[i], now))
			at = a->changed + SERVE_PATIENCE;
	return at;
}

/* Not killed by somebody, but by a mistake: ours, or an attacker's. */
static bool
is_crash(int sig)
{
	return sig == SIGSEGV || sig == SIGBUS || sig == SIGILL ||
	    sig == SIGFPE || sig == SIGABRT || sig == SIGSYS || sig == SIGTRAP;
}

/*
 * The next child would have the memory layout and the canary of the one that
 * crashed: whoever makes them crash could learn both, bit by bit.  We cannot
 * execute ourselves from behind our walls, so somebody else has to.
 */
static void
ask_for_successor(struct acceptor *a)
{
	if (a->renew == -1)
		return;
	if (write(a->renew, "r", 1) == -1)
		log_errno(NULL, "no-successor");
	(void)close(a->renew);
	a->renew = -1;
}

static void
forget_child(struct acceptor *a, pid_t pid, int status)
{
	for (unsigned i = 0; i < a->n; i++) {
		if (a->children[i].pid != pid)
			continue;
		if (WIFSIGNALED(status) && !serve_stopping())
			log_event(NULL, "session-killed pid=%d signal=%d",
			    (int)pid, WTERMSIG(status));
		if (WIFSIGNALED(status) && is_crash(WTERMSIG(status)))
			ask_for_successor(a);
		a->children[i] = a->children[--a->n];
		a->changed = now_ms();
		a->rest_until = 0;
		return;
	}
}

static void
reap(struct acceptor *a)
{
	int status;
	pid_t pid;

	while (a->n > 0 && (pid = waitpid(-1, &status, WNOHANG)) > 0)
		forget_child(a, pid, status);
}

/* Sleeps until something happens, then does it. */
static int
turn(struct acceptor *a)
{
	struct pollfd p[1 + SERVE_LISTENERS];
	int64_t now = now_ms();
	int n;

	p[0] = (struct pollfd){ a->wake, POLLIN, 0 };
	for (unsigned i = 0; i < a->l.n; i++) {
		const struct listener *l = &a->l.v[i];

		p[1 + i] = (struct pollfd){ is_open(a, l, now) ? l->fd : -1,
		    POLLIN, 0 };
	}
	n = poll(p, 1 + a->l.n, deadline_poll(next_look(a, now)));
	if (n == -1 && errno != EINTR)
		return -1;
	if (n == -1 || p[0].revents != 0) {
		wake_clear();
		reap(a);
	}
	/* One from each, then ask again: there is seldom a second one. */
	for (unsigned i = 0; n > 0 && i < a->l.n && !serve_stopping(); i++)
		if (p[1 + i].revents != 0 && is_open(a, &a->l.v[i], now))
			take_one(a, &a->l.v[i]);
	return 0;
}

static void
signal_children(const struct acceptor *a, int sig)
{
	for (unsigned i = 0; i < a->n; i++)
		(void)kill(a->children[i].pid, sig);
}

/*
 * SIGTERM ends a session where it stands.  That is safe: what it has answered
 * 250 for is with inject, and what it has not will be sent again.
 */
static void
stop_children(struct acceptor *a)
{
	int64_t deadline = now_ms() + SERVE_GRACE;
	struct pollfd p = { a->wake, POLLIN, 0 };
	int status;
	pid_t pid;

	signal_children(a, SIGTERM);
	for (reap(a); a->n > 0 && now_ms() < deadline; reap(a)) {
		(void)poll(&p, 1, deadline_poll(deadline));
		wake_clear();
	}
	signal_children(a, SIGKILL);
	while (a->n > 0 && (pid = waitpid(-1, &status, 0)) > 0)
		forget_child(a, pid, status);
}

int
serve_accept(const struct serve *s)
{
	struct acceptor a = { .s = s, .self = getpid(), .wake = -1,
	    .renew = successor_pipe() };
	int r = 0;

	a.wake = wake_open();
	if (a.wake == -1 || wake_on_children() == -1 ||
	    (a.renew != -1 && wake_on_hangup() == -1) ||
	    listeners_open(&a.l, s) == -1 ||
	    (s->confine != NULL && s->confine(s->arg) == -1))
		return -1;
	a.children = xcalloc(s->max, sizeof(*a.children));
	while (r == 0 && !serve_stopping() &&
	    !(wake_draining() && a.n == 0)) {
		if (wake_draining())
			listeners_close(&a.l);	/* a successor has them too */
		r = turn(&a);
	}
	listeners_close(&a.l);
	stop_children(&a);
	free(a.children);
	return r;
}
