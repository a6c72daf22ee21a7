/*
 * pool.c - crypt(3) in a few processes of its own, so that a slow hash never
 * keeps `who` waiting.
 *
 * The workers run as authd does (facteur-auth), forked without exec, with no
 * descriptor but their end of a socket pair: they get one "hash NUL password"
 * at a time and answer one byte.  A worker that dies is replaced.
 *
 * Way 1 and 8 of 8.  From: auth/desk.c.  To: back there.
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sysexits.h>
#include <unistd.h>

#include "auth.h"
#include "deadline.h"
#include "hash.h"
#include "log.h"
#include "sandbox.h"

#define TASK_MAX	8192	/* bytes: a hash and a password */
#define CRYPT_SECONDS	30	/* a hash that takes longer is refused */
#define RESPAWN_MS	1000	/* at most one new process in this time */

struct worker {
	struct watch watch;	/* first; fd -1: no process now */
	struct timer timer;	/* busy: its time is over; dead: fork again */
	struct pool *pool;	/* borrowed */
	pid_t	 pid;
	int64_t	 born;		/* ms */
	struct pool_job *job;	/* borrowed; NULL: idle */
};

struct pool {
	struct loop *loop;	/* borrowed */
	struct worker worker[POOL_WORKERS];
	size_t	 n;		/* so many of them */
	bool	 adopted;	/* they cannot be forked again */
	struct pool_job *first, **last;	/* waiting; borrowed */
	unsigned waiting;
};

/* ---- the worker's side ---- */

static _Noreturn void
worker_main(int fd)
{
	char task[TASK_MAX + 1];
	const char *password;
	sigset_t none;
	ssize_t n;
	char answer;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGINT, SIG_DFL);
	if (fd != 3 && dup2(fd, 3) == -1)
		_exit(EX_OSERR);
	closefrom(4);
	sandbox_enter(SANDBOX_AUTHD_HASH, NULL, NULL);
	while ((n = recv(3, task, TASK_MAX, 0)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			_exit(EX_IOERR);
		task[n] = '\0';
		password = memchr(task, '\0', (size_t)n + 1);
		password += password < task + n;
		answer = password_is(task, password) ? '1' : '0';
		explicit_bzero(task, sizeof(task));
		if (send(3, &answer, 1, MSG_NOSIGNAL) != 1)
			_exit(EX_IOERR);
	}
	_exit(0);		/* authd has ended */
}

/* ---- authd's side ---- */

static void
job_forget(struct pool_job *job)
{
	if (job->task != NULL)
		explicit_bzero(job->task, job->len);
	free(job->task);
	job->task = NULL;
}

static void	worker_next(struct worker *);

static void
worker_finish(struct worker *w, enum pool_result result)
{
	struct pool_job *job = w->job;

	w->job = NULL;
	loop_timer_clear(w->pool->loop, &w->timer);
	if (job != NULL)
		job->done(job, result);
}

static void
worker_gone(struct worker *w)
{
	int status = 0;
	int64_t at = w->born + RESPAWN_MS;

	loop_del(w->pool->loop, &w->watch);
	(void)close(w->watch.fd);
	w->watch.fd = -1;
	if (w->pool->adopted) {
		/* The supervisor starts us again, and us another one. */
		log_event(NULL, "system-child-died pid=%d", (int)w->pid);
		exit(EX_TEMPFAIL);
	}
	(void)kill(w->pid, SIGKILL);
	while (waitpid(w->pid, &status, 0) == -1 && errno == EINTR)
		continue;
	log_event(NULL, "worker-died pid=%d status=%d", (int)w->pid, status);
	worker_finish(w, POOL_FAILED);
	loop_timer_set(w->pool->loop, &w->timer, at);
}

static void
worker_ready(struct watch *watch, uint32_t events)
{
	struct worker *w = (struct worker *)watch;
	char answer = 0;
	ssize_t n = recv(w->watch.fd, &answer, 1, MSG_DONTWAIT);

	(void)events;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != 1 || w->job == NULL) {
		worker_gone(w);
		return;
	}
	worker_finish(w, answer == '1' ? POOL_RIGHT : POOL_WRONG);
	worker_next(w);
}

static int
worker_fork(struct worker *w)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	w->pid = fork();
	if (w->pid == 0)
		worker_main(pair[1]);
	(void)close(pair[1]);
	w->born = now_ms();
	w->watch.fd = pair[0];
	w->watch.ready = worker_ready;
	if (w->pid == -1 || loop_add(w->pool->loop, &w->watch, EPOLLIN) == -1) {
		(void)close(pair[0]);	/* which ends the worker, if any */
		w->watch.fd = -1;
		return -1;
	}
	return 0;
}

/* Busy too long: kill it.  Dead: start another one. */
static void
worker_timer(struct timer *t)
{
	struct worker *w = (struct worker *)((char *)t -
	    offsetof(struct worker, timer));

	if (w->watch.fd != -1) {
		log_event(NULL, "hash-too-slow pid=%d", (int)w->pid);
		worker_gone(w);
	} else if (worker_fork(w) == -1) {
		log_errno(NULL, "worker-fork");
		loop_timer_set(w->pool->loop, &w->timer,
		    now_ms() + RESPAWN_MS);
	} else
		worker_next(w);
}

/* Gives an idle worker the oldest task that waits. */
static void
worker_next(struct worker *w)
{
	struct pool *p = w->pool;
	struct pool_job *job = p->first;

	if (job == NULL || w->job != NULL || w->watch.fd == -1)
		return;
	if (send(w->watch.fd, job->task, job->len, MSG_NOSIGNAL) == -1) {
		worker_gone(w);		/* the task waits for another one */
		return;
	}
	if ((p->first = job->next) == NULL)
		p->last = &p->first;
	p->waiting--;
	w->job = job;
	job_forget(job);
	loop_timer_set(p->loop, &w->timer, deadline_in(CRYPT_SECONDS));
}

int
pool_check(struct pool *p, struct pool_job *job, const char *hash,
    const char *password)
{
	size_t h = strlen(hash) + 1, n = strlen(password);

	if (p->waiting >= POOL_QUEUE || n > PASSWORD_MAX || h + n > TASK_MAX)
		return -1;
	job->len = h + n;
	job->task = xmalloc(job->len);
	memcpy(job->task, hash, h);
	memcpy(job->task + h, password, n);
	job->next = NULL;
	*p->last = job;
	p->last = &job->next;
	p->waiting++;
	for (size_t i = 0; i < p->n; i++)
		worker_next(&p->worker[i]);
	return 0;
}

bool
pool_cancel(struct pool *p, struct pool_job *job)
{
	struct pool_job **at = &p->first;

	while (*at != NULL && *at != job)
		at = &(*at)->next;
	if (*at == NULL)
		return false;
	if ((*at = job->next) == NULL)
		p->last = at;
	p->waiting--;
	job_forget(job);
	return true;
}

static struct pool *
pool_empty(struct loop *loop, size_t n)
{
	struct pool *p = xcalloc(1, sizeof(*p));

	p->loop = loop;
	p->last = &p->first;
	p->n = n;
	for (size_t i = 0; i < n; i++) {
		p->worker[i].watch.fd = -1;
		p->worker[i].pool = p;
		p->worker[i].timer.fire = worker_timer;
	}
	return p;
}

struct pool *
pool_new(struct loop *loop)
{
	struct pool *p = pool_empty(loop, POOL_WORKERS);
	int saved;

	for (size_t i = 0; i < p->n; i++)
		if (worker_fork(&p->worker[i]) == -1) {
			saved = errno;
			pool_free(p);
			errno = saved;
			return NULL;
		}
	return p;
}

struct pool *
pool_adopt(struct loop *loop, int fd, pid_t pid)
{
	struct pool *p = pool_empty(loop, 1);
	struct worker *w = &p->worker[0];
	int saved;

	p->adopted = true;
	w->pid = pid;
	w->born = now_ms();
	w->watch.fd = fd;
	w->watch.ready = worker_ready;
	if (loop_add(loop, &w->watch, EPOLLIN) == 0)
		return p;
	saved = errno;
	w->watch.fd = -1;
	(void)close(fd);
	pool_free(p);
	errno = saved;
	return NULL;
}

void
pool_free(struct pool *p)
{
	struct worker *w;

	if (p == NULL)
		return;
	while (p->first != NULL)
		(void)pool_cancel(p, p->first);
	for (size_t i = 0; i < p->n; i++) {
		w = &p->worker[i];
		loop_timer_clear(p->loop, &w->timer);
		if (w->watch.fd == -1)
			continue;
		loop_del(p->loop, &w->watch);
		(void)close(w->watch.fd);
		/* One that is root ends by itself. */
		if (!p->adopted)
			(void)kill(w->pid, SIGTERM);
		while (!p->adopted && waitpid(w->pid, NULL, 0) == -1 &&
		    errno == EINTR)
			continue;
		worker_finish(w, POOL_FAILED);
	}
	free(p);
}
