/* serve_private.h - shared by serve*.c only. */
#ifndef LIB_SERVE_PRIVATE_H
#define LIB_SERVE_PRIVATE_H

#include "serve.h"

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
/* The pipe that asks the supervisor for a successor, or -1: nobody would hear. */
int	successor_pipe(void);
/* May this client speak on that Unix socket? TCP: always. */
bool	listener_allows(const struct listener *, const struct serve *, int fd);

/* One connection from the backlog. fd; -1 with errno EAGAIN (none), EBUSY (no memory or descriptors: rest a moment), other (look again). */
int	listener_accept(const struct listener *, struct netaddr *peer_out) __attribute__((warn_unused_result));
/* What a child does before the first byte of a client. 0, or -1 with errno. */
int	confine_session(const struct serve *) __attribute__((warn_unused_result));
/* Runs the conversation on fd, which it takes over. Returns what session() did. */
int	session_run(const struct serve *, const struct listener *, int fd, const struct netaddr *peer);

/* SERVE_LISTEN of serve_run. */
int	serve_accept(const struct serve *);
#endif
