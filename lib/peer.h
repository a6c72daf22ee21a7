/*
 * peer.h - a small event loop (epoll, timers) and our frames on it, without
 * blocking: for queue and authd, the two programs with many conversations.
 */
#ifndef LIB_PEER_H
#define LIB_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "ctl.h"

struct loop;

struct watch {			/* something with a descriptor; embed it */
	int	 fd;
	void	(*ready)(struct watch *, uint32_t epoll_events);
};

struct timer {			/* embed it */
	int64_t	 at;		/* deadline (monotonic ms) */
	void	(*fire)(struct timer *);
	unsigned slot;		/* private: place in the heap, 0: not set */
};

struct loop *loop_new(void);
void	loop_free(struct loop *);
int	loop_add(struct loop *, struct watch *, uint32_t epoll_events) __attribute__((warn_unused_result));
int	loop_mod(struct loop *, struct watch *, uint32_t epoll_events);
void	loop_del(struct loop *, struct watch *);
void	loop_timer_set(struct loop *, struct timer *, int64_t at);
void	loop_timer_clear(struct loop *, struct timer *);
/* Runs until loop_stop() was called.  A watch may be deleted and freed inside any callback. */
void	loop_run(struct loop *);
void	loop_stop(struct loop *);

/* One connection that speaks frames. */
struct peer {
	struct watch watch;	/* first */
	struct loop *loop;	/* borrowed */
	struct buf in, out;	/* in: at most CTL_MAX + a read; out: capped by out_max */
	struct { int fd; size_t at; } send[STREAM_FDS];	/* descriptors to go with the byte at offset `at` of out; owned */
	unsigned nsend;
	int	 recv[STREAM_FDS];	/* received, not yet taken */
	unsigned nrecv;
	bool	 closing;
	/* frame: once for each; the ctl is good during the call.  May call peer_close(). */
	void	(*frame)(struct peer *, struct ctl *);
	/* closed: exactly once, at EOF, an error, a malformed frame, or peer_close(); the owner frees the memory here. why: for the log. */
	void	(*closed)(struct peer *, const char *why);
};

/* Starts on a connected descriptor, which it takes over and sets non-blocking. */
int	peer_init(struct peer *, struct loop *, int fd,
	    void (*frame)(struct peer *, struct ctl *), void (*closed)(struct peer *, const char *)) __attribute__((warn_unused_result));
/* Non-blocking connect to a Unix socket, then peer_init. -1 with errno (EAGAIN: the backlog is full). */
int	peer_connect(struct peer *, struct loop *, const char *path,
	    void (*frame)(struct peer *, struct ctl *), void (*closed)(struct peer *, const char *)) __attribute__((warn_unused_result));
/* Queues a frame, sent when the socket takes it; fd >= 0 goes along and is closed afterwards (owned from here on, also on failure). */
void	peer_send(struct peer *, const struct buf *, int fd);
/* Raw bytes (behind a data frame). */
void	peer_write(struct peer *, const void *, size_t);
int	peer_take_fd(struct peer *);
/* Ends it from our side; `closed` is called before this returns to the loop. */
void	peer_close(struct peer *, const char *why);
#endif
