/*
 * serve_accept.c - the acceptor: one connection, one child, one conversation.
 *
 * Runs as the server's own uid, never reads from a client.  Children accept
 * for themselves (serve_spare.c).  Where the server wants that, a few wait for
 * the next clients: then nobody has to wait until a process is made.  The
 * acceptor sleeps until they are few, or a client waits where no child does,
 * or one ends; whatever is short (places, memory) makes it wait, never spin.
 * Way 1, 6 and 8 of 8.  From: a connection.  To: session(), in a child.
 */
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "buf.h"
#include "deadline.h"
#include "log.h"
#include "serve_private.h"
#include "wake.h"

#define NAP	10	/* ms in which children that end wake nobody */

struct acceptor {
	const struct serve *s;	/* borrowed */
	pid_t	 self;
	struct listeners l;	/* owned */
	struct seats *seats;	/* owned, shared */
	pid_t	*pid;		/* owned; [s->max]: who sits there, or 0 */
	unsigned n;		/* children */
	unsigned spare, reserved;	/* of them: see look() */
	unsigned open;		/* children that strangers may have, at most */
	bool	 has_reserved;	/* a listener for the places beyond */
	int	 wake;		/* borrowed */
	int64_t	 rest_until;	/* the system was short of something */
	bool	 lost;		/* one has died that waited */
	int	 renew;		/* owned: asks for a successor; -1: asked, or none */
	int64_t	 changed;	/* when a child last came or went */
	bool	 nap;		/* some have just ended: others will */
	sigset_t asleep;	/* the mask of a nap */
	sigset_t mask, in_child;	/* ours; a child's, while it does not wait */
};

/* How many wait for a client, now? */
static void
look(struct acceptor *a)
{
	a->spare = a->reserved = 0;
	for (unsigned i = 0; i < a->s->max; i++)
		switch (atomic_load(&a->seats->seat[i].state)) {
		case SEAT_SPARE:
			a->spare++;
			break;
		case SEAT_RESERVED:
			a->reserved++;
			break;
		case SEAT_FREE:
		case SEAT_TAKEN:
			break;
		}
}

/* ---- children come ------------------------------------------------------- */

/*
 * SIGHUP ("accept nothing more") is let in by a child only while it waits, so
 * that it never hits who has a client already.  _Fork() instead of fork(): with
 * one thread there are no locks to put right, and each page in which that is
 * done would be copied for the child.
 */
static bool
start_child(struct acceptor *a, enum seat_state kind)
{
	struct spare me = { a->s, &a->l, a->seats, 0, a->wake, a->renew,
	    a->self, &a->mask };
	pid_t pid;

	while (a->pid[me.seat] != 0)
		me.seat++;
	atomic_store(&a->seats->seat[me.seat].state, kind);
	(void)sigprocmask(SIG_SETMASK, &a->in_child, NULL);
	pid = _Fork();
	if (pid == 0)
		spare_live(&me);
	(void)sigprocmask(SIG_SETMASK, &a->mask, NULL);
	if (pid == -1) {
		log_errno(NULL, "fork-failed children=%u", a->n);
		atomic_store(&a->seats->seat[me.seat].state, SEAT_FREE);
		a->rest_until = now_ms() + SERVE_REST;
		return false;
	}
	a->pid[me.seat] = pid;
	a->n++;
	a->changed = now_ms();
	return true;
}

/* For a stranger; a reserved seat that is not taken does not count. */
static bool
has_open_seat(const struct acceptor *a)
{
	return a->n < a->s->max && a->n - a->reserved < a->open;
}

/*
 * Several at once: after a fork the parent pays for each page it writes to,
 * and pays once for those that follow each other.  Where one that waited has
 * died another must look: the client that it was told of, nobody else was.
 */
static void
refill(struct acceptor *a, int64_t now)
{
	look(a);
	if (wake_draining() || now < a->rest_until)
		return;
	if (a->lost && a->n < a->s->max && start_child(a,
	    has_open_seat(a) ? SEAT_SPARE : SEAT_RESERVED)) {
		a->lost = false;
		look(a);
	}
	if (a->spare <= SPARES_LOW)
		while (a->spare < a->s->spares && has_open_seat(a) &&
		    start_child(a, SEAT_SPARE))
			a->spare++;
	if (!has_open_seat(a) && a->has_reserved &&
	    a->spare + a->reserved <= SPARES_LOW)
		while (a->reserved < a->s->spares && a->n < a->s->max &&
		    start_child(a, SEAT_RESERVED))
			a->reserved++;
}

/* ---- nobody is left for a client ----------------------------------------- */

/* Has it got no child that waits for its clients? */
static bool
is_deserted(const struct acceptor *a, const struct listener *l)
{
	return a->spare == 0 && !(l->reserved && a->reserved > 0);
}

/* May it have another child? */
static bool
has_seat(const struct acceptor *a, const struct listener *l)
{
	return has_open_seat(a) || (l->reserved && a->n < a->s->max);
}

static void
tell_busy(struct acceptor *a, const struct listener *l)
{
	struct netaddr peer;
	int fd = listener_accept(l, &peer);

	if (fd != -1) {
		listener_turn_away(l, a->s, fd, &peer);
	} else if (errno == EBUSY) {
		log_event(NULL, "accept-short socket=%s", l->name);
		a->rest_until = now_ms() + SERVE_REST;
	}
}

/* A client waits there, and nobody for him. */
static void
attend(struct acceptor *a, const struct listener *l)
{
	if (!has_seat(a, l))
		tell_busy(a, l);
	else if (start_child(a, has_open_seat(a) ? SEAT_SPARE : SEAT_RESERVED))
		look(a);
}

/* ---- children go --------------------------------------------------------- */

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
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	unsigned seat = 0;
	bool served;

	while (seat < a->s->max && a->pid[seat] != pid)
		seat++;
	if (seat == a->s->max)
		return;
	served = atomic_exchange(&a->seats->seat[seat].state, SEAT_FREE) ==
	    SEAT_TAKEN;
	a->pid[seat] = 0;
	a->n--;
	a->changed = now_ms();
	/* One that never had a client: the next would not do better. */
	a->rest_until = served ? 0 : a->changed + SERVE_REST;
	a->lost |= !served;
	if (sig != 0 && (served || is_crash(sig)) && !serve_stopping())
		log_event(NULL, "session-killed pid=%d signal=%d", (int)pid,
		    sig);
	if (is_crash(sig))
		ask_for_successor(a);
}

/* Has one ended? */
static bool
reap(struct acceptor *a)
{
	unsigned before = a->n;
	int status;
	pid_t pid;

	while (a->n > 0 && (pid = waitpid(-1, &status, WNOHANG)) > 0)
		forget_child(a, pid, status);
	return a->n < before;
}

static void
signal_children(const struct acceptor *a, int sig, bool spare_only)
{
	for (unsigned i = 0; i < a->s->max; i++)
		if (a->pid[i] != 0 && !(spare_only && atomic_load(
		    &a->seats->seat[i].state) == SEAT_TAKEN))
			(void)kill(a->pid[i], sig);
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

	signal_children(a, SIGTERM, false);
	for (reap(a); a->n > 0 && now_ms() < deadline; reap(a)) {
		(void)poll(&p, 1, deadline_poll(deadline));
		wake_clear();
	}
	signal_children(a, SIGKILL, false);
	while (a->n > 0 && (pid = waitpid(-1, &status, 0)) > 0)
		forget_child(a, pid, status);
}

/* A successor has the listeners too: those that wait are not needed. */
static void
drain(struct acceptor *a)
{
	if (a->l.n > 0)
		signal_children(a, SIGHUP, true);
	listeners_close(&a->l);
}

/* ---- the loop ------------------------------------------------------------ */

/*
 * The listeners to look at: those that no child looks at.  A full house lets
 * clients wait in the backlog as long as places become free, and tells them so
 * when none does.  Sets when to look again if nothing happens.
 */
static void
choose(const struct acceptor *a, struct pollfd *p, int64_t *until_out)
{
	int64_t now = now_ms(), patience = a->changed + SERVE_PATIENCE, at;

	*until_out = now < a->rest_until ? a->rest_until : DEADLINE_NEVER;
	for (unsigned i = 0; i < a->l.n; i++) {
		const struct listener *l = &a->l.v[i];

		p[i] = (struct pollfd){ -1, POLLIN, 0 };
		if (!is_deserted(a, l) || (!has_seat(a, l) && !l->tcp))
			continue;
		at = has_seat(a, l) ? now : patience;
		if (now >= at && now >= a->rest_until)
			p[i].fd = l->fd;
		else if (now < at && at < *until_out)
			*until_out = at;
	}
}

/* Where children end by the hundred, we are not woken for each of them. */
static int
doze(const struct acceptor *a, struct pollfd *p, int64_t until)
{
	int64_t nap = now_ms() + NAP;
	int ms = deadline_poll(a->nap && nap < until ? nap : until);
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	return ppoll(p, 1 + a->l.n, ms < 0 ? NULL : &ts,
	    a->nap ? &a->asleep : NULL);
}

/* Sleeps until something happens, then does it. */
static int
turn(struct acceptor *a)
{
	struct pollfd p[1 + SERVE_LISTENERS];
	int64_t until;
	bool ended;
	int n;

	refill(a, now_ms());
	p[0] = (struct pollfd){ a->wake, POLLIN, 0 };
	choose(a, p + 1, &until);
	n = doze(a, p, until);
	if (n == -1 && errno != EINTR)
		return -1;
	if (n == -1 || p[0].revents != 0)
		wake_clear();
	ended = reap(a);
	a->nap = ended && has_open_seat(a);
	/* One from each; who has ended has left a place: look again then. */
	for (unsigned i = 0; n > 0 && !ended && i < a->l.n &&
	    !serve_stopping(); i++)
		if (p[1 + i].revents != 0 && is_deserted(a, &a->l.v[i]))
			attend(a, &a->l.v[i]);
	return 0;
}

static int
prepare_masks(struct acceptor *a)
{
	if (sigprocmask(SIG_SETMASK, NULL, &a->mask) == -1)
		return -1;
	a->asleep = a->in_child = a->mask;
	return sigaddset(&a->asleep, SIGCHLD) == -1 ||
	    sigaddset(&a->in_child, SIGHUP) == -1 ? -1 : 0;
}

static int
prepare(struct acceptor *a)
{
	const struct serve *s = a->s;

	a->wake = wake_open();
	if (a->wake == -1 || wake_on_children() == -1 ||
	    (a->renew != -1 && wake_on_hangup() == -1) ||
	    listeners_open(&a->l, s) == -1 ||
	    prepare_masks(a) == -1 ||
	    (a->seats = seats_new(s->max)) == NULL)
		return -1;
	for (unsigned i = 0; i < a->l.n; i++)
		a->has_reserved |= a->l.v[i].reserved;
	return s->confine == NULL ? 0 : s->confine(s->arg);
}

int
serve_accept(const struct serve *s)
{
	struct acceptor a = { .s = s, .self = getpid(), .wake = -1,
	    .renew = successor_pipe(),
	    .open = s->max - (s->reserved < s->max ? s->reserved : 0) };
	int r = 0;

	if (prepare(&a) == -1)
		return -1;
	a.pid = xcalloc(s->max, sizeof(*a.pid));
	while (r == 0 && !serve_stopping() &&
	    !(wake_draining() && a.n == 0)) {
		if (wake_draining())
			drain(&a);
		r = turn(&a);
	}
	listeners_close(&a.l);
	stop_children(&a);
	seats_free(a.seats);
	free(a.pid);
	return r;
}
