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

/* Something to be done before the loop sleeps again; embed it. */
struct later {
	void	(*run)(struct later *);
	struct later *next;	/* private */
	bool	queued;		/* private */
};

/* Never NULL: dies without memory. Installs the handlers of wake.h: SIGTERM and SIGINT end loop_run. */
struct loop *loop_new(void);
void	loop_free(struct loop *);
int	loop_add(struct loop *, struct watch *, uint32_t epoll_events) __attribute__((warn_unused_result));
int	loop_mod(struct loop *, struct watch *, uint32_t epoll_events);
void	loop_del(struct loop *, struct watch *);
void	loop_timer_set(struct loop *, struct timer *, int64_t at);
void	loop_timer_clear(struct loop *, struct timer *);
/* Calls l->run once, soon; queueing it again before that changes nothing. */
void	loop_later(struct loop *, struct later *);
void	loop_never(struct loop *, struct later *);
/* Runs until loop_stop() was called or serve_stopping().  A watch may be deleted and freed inside any callback. */
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
	bool	 closing;	/* dead for everybody: `closed` follows before the loop sleeps */
	struct later later;	/* private: flush, or close */
	size_t	 out_pos;	/* private: bytes of out that are sent */
	bool	 wants_out;	/* private: waits for EPOLLOUT */
	char	 why[96];	/* private: for closed() */
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
/*
 * Frames queued in one turn of the loop leave in one write.  A peer that does
 * not read is closed at PEER_OUT_MAX, or PEER_DATA_MAX once raw bytes are queued.
 */
#define PEER_OUT_MAX	((size_t)1024 * 1024)
#define PEER_DATA_MAX	((size_t)64 * 1024 * 1024)
/* Queues a frame, sent when the socket takes it; fd >= 0 goes along and is closed afterwards (owned from here on, also on failure). */
void	peer_send(struct peer *, const struct buf *, int fd);
/* Raw bytes (behind a data frame). */
void	peer_write(struct peer *, const void *, size_t);
int	peer_take_fd(struct peer *);
/*
 * Ends it from our side, after one attempt to send what is queued.  p stays
 * valid in the caller; `closed` is called before the loop sleeps again, and no frame in between.
 */
void	peer_close(struct peer *, const char *why);
#endif
