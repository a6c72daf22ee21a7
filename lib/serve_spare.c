/*
 * serve_spare.c - the acceptor's child: forked, and behind its walls, before
 * its client comes; it accepts one, serves him, and ends.
 *
 * Runs as the server's own uid.  Until it has its client it reads nothing;
 * before it reads from him it has given up all that it shares with others:
 * the listeners, and who sits where.
 * Way 1, 6 and 8 of 8.  From: serve_accept.c.  To: session().
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "log.h"
#include "serve_private.h"
#include "wake.h"

#define SECOND_TRIES	3	/* for a seat, in all the life of a child */
#define SECOND_TRY	2	/* ms between them */
#define NAME	16	/* bytes of a process's name, with its NUL */

/* ---- the seats ----------------------------------------------------------- */

static size_t
seats_size(unsigned seats)
{
	return sizeof(struct seats) + seats * sizeof(struct seat);
}

/* A child may be killed while it holds the lock: the next one gets it then. */
static int
lock_init(pthread_mutex_t *lock)
{
	pthread_mutexattr_t a;
	int e;

	if ((e = pthread_mutexattr_init(&a)) == 0 &&
	    (e = pthread_mutexattr_setpshared(&a,
	    PTHREAD_PROCESS_SHARED)) == 0 &&
	    (e = pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST)) == 0)
		e = pthread_mutex_init(lock, &a);
	return e;
}

struct seats *
seats_new(unsigned seats)
{
	struct seats *b = mmap(NULL, seats_size(seats),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (b == MAP_FAILED)
		return NULL;
	b->n = seats;
	if ((errno = lock_init(&b->lock)) == 0)
		return b;
	seats_free(b);
	return NULL;
}

void
seats_free(struct seats *b)
{
	int saved = errno;

	(void)munmap(b, seats_size(b->n));
	errno = saved;
}

static void
seats_lock(struct seats *b)
{
	if (pthread_mutex_lock(&b->lock) == EOWNERDEAD)
		(void)pthread_mutex_consistent(&b->lock);
}

/*
 * Sits down, unless this client has his share of seats; and wakes the parent
 * when few of our kind are left.
 */
static bool
take_seat(const struct spare *me, const struct seat *guest)
{
	struct seat *mine = &me->seats->seat[me->seat];
	enum seat_state kind = atomic_load(&mine->state), state;
	unsigned cap = me->s->max_per_client, same = 0, left = 0;
	bool ok;

	seats_lock(me->seats);
	for (unsigned i = 0; i < me->seats->n; i++) {
		const struct seat *other = &me->seats->seat[i];

		state = atomic_load(&other->state);
		left += other != mine && state == kind;
		same += state == SEAT_TAKEN && other->tcp && guest->tcp &&
		    memcmp(other->client, guest->client,
		    sizeof(other->client)) == 0;
	}
	ok = cap == 0 || same < cap;
	if (ok) {
		mine->tcp = guest->tcp;
		memcpy(mine->client, guest->client, sizeof(mine->client));
		atomic_store(&mine->state, SEAT_TAKEN);
	}
	(void)pthread_mutex_unlock(&me->seats->lock);
	if (ok && left <= SPARES_LOW)
		(void)eventfd_write(me->wake, 1);
	return ok;
}

/*
 * The parent naps (serve_accept.c), so the seats of sessions that have just
 * ended may not be free yet, and who comes back at once would hear that he has
 * too many.  So it is woken, and he waits a little: a few times in a child's
 * life, for a client who knocks without end shall cost no more than that.
 */
static bool
take_seat_soon(const struct spare *me, const struct seat *guest)
{
	static int tries = SECOND_TRIES;

	while (!take_seat(me, guest)) {
		if (tries == 0)
			return false;
		tries--;
		(void)eventfd_write(me->wake, 1);
		(void)poll(NULL, 0, SECOND_TRY);
	}
	return true;
}

/* ---- from birth to the first byte ---------------------------------------- */

/* The client's descriptor, or -1: there is none for us, look again. */
static int
receive(const struct spare *me, const struct listener *l,
    struct netaddr *peer)
{
	struct seat guest = { .tcp = l->tcp };
	int fd = listener_accept(l, peer);

	if (fd == -1 && errno == EBUSY) {
		log_event(NULL, "accept-short socket=%s", l->name);
		(void)poll(NULL, 0, SERVE_REST);
	}
	if (fd == -1)
		return -1;
	if (!listener_allows(l, me->s, fd)) {
		(void)close(fd);
		return -1;
	}
	netaddr_client(peer, guest.client);
	if (take_seat_soon(me, &guest))
		return fd;
	listener_turn_away(l, me->s, fd, peer);
	return -1;
}

/* What is the parent's: no byte of a client may find it here. */
static void
give_up(const struct spare *me, int ep)
{
	seats_free(me->seats);
	listeners_close(me->l);
	wake_child();
	(void)close(ep);
	if (me->renew != -1)
		(void)close(me->renew);
}

/* ps shows "smtpd:session+": it waits.  name gets what it is called else. */
static void
show_waiting(char name[NAME])
{
	char waiting[NAME + 1];

	(void)prctl(PR_GET_NAME, name, 0, 0, 0);
	(void)strlcpy(waiting, name, sizeof(waiting));
	(void)strlcat(waiting, "+", sizeof(waiting));
	(void)prctl(PR_SET_NAME, waiting, 0, 0, 0);
}

_Noreturn void
spare_live(const struct spare *me)
{
	bool reserved_only = atomic_load(&me->seats->seat[me->seat].state) ==
	    SEAT_RESERVED;
	struct epoll_event ev;
	struct listener mine;
	struct netaddr peer;
	char name[NAME] = "";
	int ep, fd = -1;

	if (wake_with_parent(me->parent) == -1)
		_exit(EX_OSERR);
	ep = listeners_watch(me->l, reserved_only);
	if (ep == -1 || confine_session(me->s) == -1) {
		log_errno(NULL, "spare-failed");
		_exit(EX_OSERR);
	}
	if (me->s->spares > 0)
		show_waiting(name);
	while (fd == -1) {
		if (epoll_pwait(ep, &ev, 1, -1, me->waiting) != 1)
			continue;
		mine = me->l->v[ev.data.u32];
		fd = receive(me, &mine, &peer);
	}
	give_up(me, ep);
	if (*name != '\0')
		(void)prctl(PR_SET_NAME, name, 0, 0, 0);
	_exit(session_run(me->s, &mine, fd, &peer));
}
