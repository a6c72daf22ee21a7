/*
 * connect.c - reaches one of several addresses (RFC 8305): the next one is
 * tried 250 ms after the one before, or at once when that has failed; the
 * first to answer wins.  A dead IPv6 route costs a quarter of a second.
 *
 * Runs as facteur-remote.  Way 6 of 8.  From: remote/deliver.c.
 * To: remote/client.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "remote.h"

#define HEAD_START_MS	250

struct runner {
	int	 fd;		/* -1: not started, or out of the race */
	struct target *target;
	int64_t	 give_up;	/* deadline */
};

struct race {
	struct runner runner[ADDRS_MAX];
	unsigned n;		/* in all */
	unsigned started;
	unsigned running;
	int64_t	 next;		/* when the next one starts */
	int64_t	 patience;	/* ms for each */
	struct outcome *why;
};

static void
runner_failed(struct race *race, struct runner *run, int error)
{
	struct buf ip = BUF_INIT;

	netaddr_text(&run->target->addr, &ip);
	outcome_set(race->why, DEFER, "4.4.1", "connect",
	    "cannot connect to %s[%s] port %d: %s", run->target->host,
	    buf_str(&ip), netaddr_port(&run->target->addr), strerror(error));
	(void)strlcpy(race->why->host, run->target->host,
	    sizeof(race->why->host));
	(void)strlcpy(race->why->ip, buf_str(&ip), sizeof(race->why->ip));
	buf_release(&ip);
	run->target->tried = true;
	if (run->fd != -1) {
		(void)close(run->fd);
		run->fd = -1;
		race->running--;
	}
	race->next = now_ms();	/* no reason to wait any longer */
}

/* Starts the next runner. */
static void
start(struct race *race)
{
	struct runner *run = &race->runner[race->started++];
	const struct netaddr *a = &run->target->addr;

	run->give_up = now_ms() + race->patience;
	run->fd = socket(a->ss.ss_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (run->fd == -1) {
		runner_failed(race, run, errno);
		return;
	}
	race->running++;
	race->next = now_ms() + HEAD_START_MS;
	if (connect(run->fd, (const struct sockaddr *)&a->ss, a->len) == -1 &&
	    errno != EINPROGRESS)
		runner_failed(race, run, errno);
}

/* Is this one through?  A failure takes it out of the race. */
static bool
has_arrived(struct race *race, struct runner *run)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(run->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error == 0)
		return true;
	runner_failed(race, run, error);
	return false;
}

/* Waits for news.  The winner, or NULL when there is none yet. */
static struct runner *
watch(struct race *race)
{
	struct pollfd p[ADDRS_MAX];
	int64_t until = race->started < race->n ? race->next : DEADLINE_NEVER;

	for (unsigned i = 0; i < race->started; i++) {
		struct runner *run = &race->runner[i];

		p[i] = (struct pollfd){ .fd = run->fd, .events = POLLOUT };
		if (run->fd != -1 && run->give_up < until)
			until = run->give_up;
	}
	if (poll(p, race->started, deadline_poll(until)) == -1)
		return NULL;	/* EINTR; the deadlines still hold */
	for (unsigned i = 0; i < race->started; i++) {
		struct runner *run = &race->runner[i];

		if (run->fd == -1)
			continue;
		if (p[i].revents != 0) {
			if (has_arrived(race, run))
				return run;
		} else if (run->give_up <= now_ms()) {
			runner_failed(race, run, ETIMEDOUT);
		}
	}
	return NULL;
}

static struct runner *
run_race(struct race *race)
{
	struct runner *winner = NULL;

	while (winner == NULL) {
		if (race->started < race->n &&
		    (race->running == 0 || race->next <= now_ms()))
			start(race);
		else if (race->running > 0)
			winner = watch(race);
		else
			break;
	}
	return winner;
}

int
connect_race(struct target *target, unsigned n, int seconds,
    unsigned *which_out, struct outcome *why)
{
	struct race race = { .why = why, .patience = (int64_t)seconds * 1000 };
	struct runner *winner;
	int fd = -1, one = 1;

	for (unsigned i = 0; i < n && race.n < ADDRS_MAX; i++)
		if (!target[i].tried)
			race.runner[race.n++] = (struct runner){ .fd = -1,
			    .target = &target[i] };
	winner = run_race(&race);
	for (unsigned i = 0; i < race.started; i++)
		if (&race.runner[i] != winner && race.runner[i].fd != -1)
			(void)close(race.runner[i].fd);
	if (winner == NULL)
		return -1;
	fd = winner->fd;
	winner->target->tried = true;
	*which_out = (unsigned)(winner->target - target);
	/* Commands are small and wait for answers; no use on AF_UNIX. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}
