/* serve_private.h - shared by serve*.c only. */
#ifndef LIB_SERVE_PRIVATE_H
#define LIB_SERVE_PRIVATE_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "serve.h"

#define SERVE_REST	1000	/* ms to wait when the system is short of something */

struct listener {
	int	 fd;		/* owned */
	const char *name;	/* borrowed from serve_listeners() */
	bool	 tcp;
	bool	 reserved;	/* may use the reserved slots */
};

struct listeners {
	struct listener v[SERVE_LISTENERS];
	unsigned n;
};

/* Takes over what was handed to us, ready to accept without blocking. 0, or -1 with errno. */
int	listeners_open(struct listeners *, const struct serve *) __attribute__((warn_unused_result));
void	listeners_close(struct listeners *);
/*
 * A descriptor that becomes ready when a client comes to one of them (all, or
 * the reserved ones only); the kernel tells one process of each client.
 * epoll's data.u32 is the listener's number.  -1 with errno.
 */
int	listeners_watch(const struct listeners *, bool reserved_only) __attribute__((warn_unused_result));
/* The pipe that asks the supervisor for a successor, or -1: nobody would hear. */
int	successor_pipe(void);
/* May this client speak on that Unix socket? TCP: always. */
bool	listener_allows(const struct listener *, const struct serve *, int fd);

/* One connection from the backlog. fd; -1 with errno EAGAIN (none), EBUSY (no memory or descriptors: rest a moment), other (look again). */
int	listener_accept(const struct listener *, struct netaddr *peer_out) __attribute__((warn_unused_result));
/* Tells a client to come again, and closes. Never waits for him: one packet fits, or he does without. */
void	listener_turn_away(const struct listener *, const struct serve *, int fd, const struct netaddr *peer);
/* What a child does before the first byte of a client. 0, or -1 with errno. */
int	confine_session(const struct serve *) __attribute__((warn_unused_result));
/* Runs the conversation on fd, which it takes over. Returns what session() did. */
int	session_run(const struct serve *, const struct listener *, int fd, const struct netaddr *peer);

/* ---- the acceptor and its children (serve_accept.c, serve_spare.c) ------- */

/* The parent alone makes a seat free, or gives it to a new child. */
enum seat_state {
	SEAT_FREE,
	SEAT_SPARE,		/* its child waits for a client */
	SEAT_RESERVED,		/* the same, on reserved listeners alone */
	SEAT_TAKEN		/* its child has one */
};

struct seat {
	_Atomic enum seat_state state;
	bool	 tcp;		/* these two: of who has taken it */
	unsigned char client[NETADDR_CLIENT];
};

/* In memory that all of them share; a child gives it up before the first byte. */
struct seats {
	pthread_mutex_t lock;	/* robust: held by a child that takes its seat */
	unsigned n;		/* seats */
	struct seat seat[];
};

/* NULL with errno. */
struct seats *seats_new(unsigned seats) __attribute__((warn_unused_result));
void	seats_free(struct seats *);

#define SPARES_LOW	1	/* no more than so many wait for a client: the parent is told */

/* A child from its birth on. */
struct spare {
	const struct serve *s;	/* borrowed */
	struct listeners *l;	/* borrowed: the parent's, a copy */
	struct seats *seats;	/* borrowed */
	unsigned seat;		/* its own; says which listeners are meant */
	int	 wake;		/* the parent's wake_open(): "spares are few" */
	int	 renew;		/* the parent's, or -1; the child closes it */
	pid_t	 parent;
	const sigset_t *waiting;	/* borrowed: lets SIGHUP in */
};

/* Waits for one client, serves him, ends. */
_Noreturn void spare_live(const struct spare *);
/* SERVE_LISTEN of serve_run. */
int	serve_accept(const struct serve *);
#endif
