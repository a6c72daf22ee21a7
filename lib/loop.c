/*
 * loop.c - a small event loop: descriptors (epoll), timers (a heap), and
 * things to do before it sleeps again.
 *
 * Runs as queue or authd, the two programs with many conversations at once.
 * Way 4 of 8.  From: peer.c, notices, timers.  To: callbacks.
 */
#include <sys/epoll.h>

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "deadline.h"
#include "peer.h"
#include "serve.h"
#include "wake.h"

#define BATCH	64

struct loop {
	int	 epfd;		/* owned */
	struct watch wake;	/* signals; the descriptor is wake.c's */
	bool	 stop;
	struct epoll_event batch[BATCH];	/* what is being handed out */
	int	 nbatch;
	struct timer **heap;	/* owned; [1..ntimers], timers borrowed */
	size_t	 ntimers, captimers;
	struct later *first, **last;
};

/* What it means is asked before the next sleep. */
static void
on_wake(struct watch *w, uint32_t events)
{
	(void)w;
	(void)events;
	wake_clear();
}

struct loop *
loop_new(void)
{
	struct loop *l = xcalloc(1, sizeof(*l));

	l->wake.fd = wake_open();
	l->wake.ready = on_wake;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->wake.fd == -1 || l->epfd == -1 ||
	    loop_add(l, &l->wake, EPOLLIN) == -1)
		err(EX_TEMPFAIL, "epoll");
	l->last = &l->first;
	return l;
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	(void)close(l->epfd);
	free(l->heap);
	free(l);
}

int
loop_add(struct loop *l, struct watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	return epoll_ctl(l->epfd, EPOLL_CTL_ADD, w->fd, &ev);
}

int
loop_mod(struct loop *l, struct watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	return epoll_ctl(l->epfd, EPOLL_CTL_MOD, w->fd, &ev);
}

void
loop_del(struct loop *l, struct watch *w)
{
	(void)epoll_ctl(l->epfd, EPOLL_CTL_DEL, w->fd, NULL);
	/* It may be freed now, while its event lies before us. */
	for (int i = 0; i < l->nbatch; i++)
		if (l->batch[i].data.ptr == w)
			l->batch[i].data.ptr = NULL;
}

/* ---- timers ------------------------------------------------------------ */

static void
heap_put(struct loop *l, size_t i, struct timer *t)
{
	l->heap[i] = t;
	t->slot = (unsigned)i;
}

/* Moves t, which is to stand at i, to where it belongs. */
static void
heap_settle(struct loop *l, size_t i, struct timer *t)
{
	size_t child;

	for (; i > 1 && l->heap[i / 2]->at > t->at; i /= 2)
		heap_put(l, i, l->heap[i / 2]);
	for (; (child = 2 * i) <= l->ntimers; i = child) {
		if (child < l->ntimers &&
		    l->heap[child + 1]->at < l->heap[child]->at)
			child++;
		if (l->heap[child]->at >= t->at)
			break;
		heap_put(l, i, l->heap[child]);
	}
	heap_put(l, i, t);
}

void
loop_timer_set(struct loop *l, struct timer *t, int64_t at)
{
	size_t i = t->slot;

	t->at = at;
	if (i == 0) {
		if (l->ntimers + 1 >= l->captimers) {
			l->captimers = 2 * l->captimers + 16;
			l->heap = xreallocarray(l->heap, l->captimers,
			    sizeof(*l->heap));
		}
		i = ++l->ntimers;
	}
	heap_settle(l, i, t);
}

void
loop_timer_clear(struct loop *l, struct timer *t)
{
	size_t i = t->slot;
	struct timer *moved;

	if (i == 0)
		return;
	t->slot = 0;
	moved = l->heap[l->ntimers--];
	if (moved != t)
		heap_settle(l, i, moved);
}

/* ---- later ------------------------------------------------------------- */

void
loop_later(struct loop *l, struct later *x)
{
	if (x->queued)
		return;
	x->queued = true;
	x->next = NULL;
	*l->last = x;
	l->last = &x->next;
}

void
loop_never(struct loop *l, struct later *x)
{
	struct later **p = &l->first;

	if (!x->queued)
		return;
	while (*p != x)
		p = &(*p)->next;
	*p = x->next;
	if (l->last == &x->next)
		l->last = p;
	x->queued = false;
}

static void
run_later(struct loop *l)
{
	struct later *x;

	while ((x = l->first) != NULL) {
		loop_never(l, x);
		x->run(x);
	}
}

/* ---- the loop ---------------------------------------------------------- */

/* Those due now; one that is set again inside its own call waits its turn. */
static void
fire_timers(struct loop *l)
{
	int64_t now = now_ms();
	size_t most = l->ntimers;

	while (most-- > 0 && l->ntimers > 0 && l->heap[1]->at <= now) {
		struct timer *t = l->heap[1];

		loop_timer_clear(l, t);
		t->fire(t);
		run_later(l);
	}
}

static void
hand_out(struct loop *l)
{
	for (int i = 0; i < l->nbatch && !l->stop; i++) {
		struct watch *w = l->batch[i].data.ptr;

		if (w == NULL)
			continue;
		w->ready(w, l->batch[i].events);
		run_later(l);
	}
	l->nbatch = 0;
}

void
loop_run(struct loop *l)
{
	l->stop = false;
	run_later(l);
	/* A signal that comes after the question makes `wake` readable. */
	while (!l->stop && !serve_stopping()) {
		int64_t at = l->ntimers > 0 ? l->heap[1]->at : DEADLINE_NEVER;
		int n = epoll_wait(l->epfd, l->batch, BATCH, deadline_poll(at));

		if (n == -1 && errno != EINTR)
			err(EX_TEMPFAIL, "epoll_wait");
		l->nbatch = n > 0 ? n : 0;
		hand_out(l);
		if (!l->stop)
			fire_timers(l);
	}
}

void
loop_stop(struct loop *l)
{
	l->stop = true;
}
