/*
 * serve_pool.c - a few workers, forked beforehand, for clients we know: each
 * accepts and runs session() again and again.  When all are busy the master
 * adds one more, up to a maximum: a stranger behind a client decides how long a
 * worker is held, so a fixed number could be held by a few slow ones.
 *
 * Runs as the server's own uid.  The kernel hands each connection to one idle
 * worker (EPOLLEXCLUSIVE); the master only watches over them.
 * Way 3 of 8.  From: smtpd, sendmail, queue.  To: session(), in a worker.
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "buf.h"
#include "deadline.h"
#include "log.h"
#include "serve_private.h"
#include "wake.h"

#define SPARE	10000	/* ms without work after which an added worker ends */

/* What master and workers see of each other: in shared memory. */
struct board {
	atomic_int idle;	/* workers that could take a connection now */
	atomic_bool busy[];	/* by worker: is it in a session? */
};

struct place {			/* where a worker stands */
	struct board *board;	/* borrowed */
	unsigned n;		/* its number */
	int	 more;		/* borrowed: eventfd, "all of us are busy" */
	bool	 spare;		/* added under load: ends when it is not needed */
};

/* ---- the worker -------------------------------------------------------- */

static volatile sig_atomic_t worker_stop;
static volatile sig_atomic_t worker_fd = -1;

/*
 * The end of what the client may say: the session still finds what has
 * arrived, answers it, and then sees EOF.
 */
static void
on_stop(int sig)
{
	int saved = errno;

	(void)sig;
	worker_stop = 1;
	if (worker_fd != -1)
		(void)shutdown(worker_fd, SHUT_RD);
	errno = saved;
}

/* SIGTERM is let in only while we sleep or serve; `idle_out`: the mask to sleep with. */
static int
worker_signals(sigset_t *busy_out, sigset_t *idle_out)
{
	struct sigaction sa = { .sa_handler = on_stop };

	if (sigemptyset(&sa.sa_mask) == -1 || sigemptyset(busy_out) == -1 ||
	    sigaddset(busy_out, SIGTERM) == -1 ||
	    sigprocmask(SIG_BLOCK, busy_out, idle_out) == -1 ||
	    sigdelset(idle_out, SIGTERM) == -1)
		return -1;
	return sigaction(SIGTERM, &sa, NULL);
}

static void
mark_busy(const struct place *at)
{
	atomic_store(&at->board->busy[at->n], true);
	if (atomic_fetch_sub(&at->board->idle, 1) <= 1)
		(void)eventfd_write(at->more, 1);
}

static void
mark_idle(const struct place *at)
{
	atomic_fetch_add(&at->board->idle, 1);
	atomic_store(&at->board->busy[at->n], false);
}

static void
worker_serve(const struct serve *s, const struct listener *l,
    const struct place *at, const sigset_t *busy, const sigset_t *idle)
{
	struct netaddr peer;
	int fd = listener_accept(l, &peer);

	if (fd == -1) {
		/* A colleague was faster, or the system is short: rest then. */
		if (errno == EBUSY)
			(void)poll(NULL, 0, SERVE_REST);
		return;
	}
	if (!listener_allows(l, s, fd)) {
		(void)close(fd);
		return;
	}
	mark_busy(at);
	worker_fd = fd;
	(void)sigprocmask(SIG_SETMASK, idle, NULL);
	(void)session_run(s, l, fd, &peer);
	worker_fd = -1;
	mark_idle(at);
	(void)sigprocmask(SIG_BLOCK, busy, NULL);
}

static _Noreturn void
be_worker(const struct serve *s, const struct listeners *l,
    const struct place *at, pid_t parent)
{
	sigset_t busy, idle;
	struct epoll_event ev;
	int ep, n;

	wake_child();
	if (worker_signals(&busy, &idle) == -1 ||
	    wake_with_parent(parent) == -1 || (ep = listeners_watch(l, false)) == -1 ||
	    confine_session(s) == -1) {
		log_errno(NULL, "worker-failed");
		_exit(1);
	}
	while (!worker_stop) {
		n = epoll_pwait(ep, &ev, 1, at->spare ? SPARE : -1, &idle);
		if (n == 1)
			worker_serve(s, &l->v[ev.data.u32], at, &busy, &idle);
		else if (n == 0)
			break;
		else if (errno != EINTR)
			_exit(1);
	}
	_exit(0);
}

/* ---- the master -------------------------------------------------------- */

struct worker {
	pid_t	pid;		/* 0: not running */
	int64_t	started, start_at;
};

struct pool {
	const struct serve *s;	/* borrowed */
	struct listeners l;	/* owned */
	struct worker *v;	/* owned; [max]: the first n always, the rest under load */
	unsigned n, max;
	struct board *board;	/* owned, shared */
	int	 wake;		/* borrowed */
	int	 more;		/* owned */
};

static bool
start(struct pool *p, unsigned i, int64_t now)
{
	struct place at = { p->board, i, p->more, i >= p->n };
	struct worker *w = &p->v[i];
	pid_t parent = getpid();

	atomic_store(&p->board->busy[i], false);
	atomic_fetch_add(&p->board->idle, 1);
	w->pid = fork();
	if (w->pid == 0)
		be_worker(p->s, &p->l, &at, parent);
	w->started = now;
	if (w->pid != -1)
		return true;
	log_errno(NULL, "fork-failed");
	atomic_fetch_sub(&p->board->idle, 1);
	w->pid = 0;
	w->start_at = now + SERVE_REST;
	return false;
}

/* Keeps the first n alive, and adds one when nobody is idle. */
static void
start_due(struct pool *p)
{
	int64_t now = now_ms();

	for (unsigned i = 0; i < p->max; i++) {
		if (i >= p->n && atomic_load(&p->board->idle) > 0)
			break;
		if (p->v[i].pid == 0 && p->v[i].start_at <= now &&
		    !start(p, i, now))
			break;
	}
}

static int64_t
next_start(const struct pool *p)
{
	int64_t at = DEADLINE_NEVER;

	for (unsigned i = 0; i < p->n; i++)
		if (p->v[i].pid == 0 && p->v[i].start_at < at)
			at = p->v[i].start_at;
	return at;
}

static void
forget_worker(struct pool *p, pid_t pid, int status)
{
	int64_t now = now_ms();

	for (unsigned i = 0; i < p->max; i++) {
		struct worker *w = &p->v[i];

		if (w->pid != pid)
			continue;
		if (!atomic_load(&p->board->busy[i]))
			atomic_fetch_sub(&p->board->idle, 1);
		w->pid = 0;
		w->start_at = now - w->started < SERVE_REST ?
		    now + SERVE_REST : now;
		if (!serve_stopping() && status != 0)
			log_event(NULL, "worker-ended pid=%d status=%d "
			    "signal=%d", (int)pid,
			    WIFEXITED(status) ? WEXITSTATUS(status) : 0,
			    WIFSIGNALED(status) ? WTERMSIG(status) : 0);
		return;
	}
}

static void
reap(struct pool *p)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		forget_worker(p, pid, status);
}

static unsigned
signal_workers(const struct pool *p, int sig)
{
	unsigned alive = 0;

	for (unsigned i = 0; i < p->max; i++)
		if (p->v[i].pid != 0) {
			(void)kill(p->v[i].pid, sig);
			alive++;
		}
	return alive;
}

static void
sleep_until(const struct pool *p, int64_t deadline)
{
	struct pollfd fd[] = { { p->wake, POLLIN, 0 }, { p->more, POLLIN, 0 } };
	eventfd_t count;

	(void)poll(fd, 2, deadline_poll(deadline));
	wake_clear();
	(void)eventfd_read(p->more, &count);
}

/* Killing is safe too, only less polite: a commit is there or it is not. */
static void
stop_workers(struct pool *p)
{
	int64_t deadline = now_ms() + SERVE_GRACE;
	int status;
	pid_t pid;

	(void)signal_workers(p, SIGTERM);
	for (reap(p); signal_workers(p, 0) > 0 && now_ms() < deadline; reap(p))
		sleep_until(p, deadline);
	while (signal_workers(p, SIGKILL) > 0 &&
	    (pid = waitpid(-1, &status, 0)) > 0)
		forget_worker(p, pid, status);
}

int
serve_pool(const struct serve *s, unsigned n)
{
	struct pool p = { .s = s, .n = n, .max = s->max > n ? s->max : n };
	size_t size = sizeof(*p.board) + p.max * sizeof(p.board->busy[0]);

	p.wake = wake_open();
	p.more = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	p.board = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p.wake == -1 || p.more == -1 || p.board == MAP_FAILED ||
	    wake_on_children() == -1 || listeners_open(&p.l, s) == -1 ||
	    (s->confine != NULL && s->confine(s->arg) == -1))
		return -1;
	p.v = xcalloc(p.max, sizeof(*p.v));
	while (!serve_stopping()) {
		start_due(&p);
		sleep_until(&p, next_start(&p));
		reap(&p);
	}
	listeners_close(&p.l);
	stop_workers(&p);
	free(p.v);
	(void)munmap(p.board, size);
	(void)close(p.more);
	return 0;
}
