/*
 * run.c - `facteur run`: opens every socket, starts every program, starts
 * again what dies, and stops all in order on SIGTERM.
 *
 * Runs as root (or as the one uid of an unprivileged system) and reads
 * nothing but its configuration and its children's exit codes.
 * Way 0 of 8: starts all the others.
 */
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin.h"
#include "deadline.h"
#include "known.h"
#include "log.h"
#include "wake.h"

/*
 * Started from the last to the first row, stopped from the first order on:
 * whoever takes mail in goes first, whoever is asked goes last.
 */
static struct service services[] = {
	{ .name = "smtpd", .user = SEAM_NET, .jailed = true,
	    .known = KNOWN_READER, .stop_order = 0, .only_with_sockets = true },
	{ .name = "pop3d", .user = SEAM_NET, .jailed = true,
	    .stop_order = 0, .only_with_sockets = true },
	{ .name = "tlsd", .user = SEAM_NET, .jailed = true,
	    .known = KNOWN_READER, .stop_order = 0 },
	{ .name = "inject", .user = SEAM_QUEUE, .stop_order = 1 },
	{ .name = "queue", .user = SEAM_QUEUE, .stop_order = 2 },
	{ .name = "remote", .user = SEAM_REMOTE, .stop_order = 3 },
	{ .name = "launch", .user = SEAM_ROOT, .stop_order = 3 },
	{ .name = "authd", .user = SEAM_AUTH, .stop_order = 4 },
	{ .name = "keyd", .user = SEAM_ROOT, .stop_order = 4 },
	{ .name = "resolve", .user = SEAM_LOOKUP, .known = KNOWN_WRITER,
	    .stop_order = 4 },
};
#define NSERVICES	((unsigned)(sizeof(services) / sizeof(services[0])))

/* ms that each order has to end; together less than the 10 s promised. */
static const int64_t patience[] = { 2500, 2500, 2000, 1500, 1000 };
#define NORDERS		(sizeof(patience) / sizeof(patience[0]))

/*
 * Better one sentence now than a log line a second later.  keyd says it, for
 * no key ever comes into our own memory; it ends us if there is one.
 */
static void
check_tls(const struct config *cfg)
{
	const char *path = program_path("keyd");
	pid_t pid;
	int status;

	if (*cfg->tls_cert == '\0')
		return;
	pid = fork();
	if (pid == 0) {
		(void)execl(path, "keyd", "-t", "-C", cfg->confdir,
		    (char *)NULL);
		err(EX_OSERR, "cannot start %s", path);
	}
	while (pid != -1 && waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			pid = -1;
	if (pid == -1)
		err(EX_OSERR, "cannot wait for %s", path);
	if (status != 0)
		exit(WIFEXITED(status) ? WEXITSTATUS(status) : EX_OSERR);
}

static void
reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (unsigned i = 0; i < NSERVICES; i++)
			if (services[i].pid == pid)
				service_ended(&services[i], status);
			else if (renew_ended(&services[i], pid))
				break;
}

/* Starts what is due; gives the time of the next start. */
static int64_t
start_due(const struct launchpad *l)
{
	int64_t next = DEADLINE_NEVER;

	for (unsigned i = 0; i < NSERVICES; i++) {
		struct service *s = &services[i];

		if (renew_due(s) <= now_ms())
			renew_start(s, l);
		if (renew_due(s) < next)
			next = renew_due(s);
		if (s->pid != 0)
			continue;
		if (s->start_at <= now_ms() && service_start(s, l) == -1) {
			log_errno(NULL, "program-failed program=%s", s->name);
			s->start_at = now_ms() +
			    service_backoff(++s->failures);
		}
		if (s->pid == 0 && s->start_at < next)
			next = s->start_at;
	}
	return next;
}

static void
sleep_until(int wake, int64_t deadline)
{
	struct pollfd p[1 + NSERVICES];

	p[0] = (struct pollfd){ wake, POLLIN, 0 };
	for (unsigned i = 0; i < NSERVICES; i++)
		p[1 + i] = (struct pollfd){ services[i].renew > 0 &&
		    !services[i].renew_asked ? services[i].renew : -1,
		    POLLIN, 0 };
	(void)poll(p, 1 + NSERVICES, deadline_poll(deadline));
	wake_clear();
	for (unsigned i = 0; i < NSERVICES; i++)
		if ((p[1 + i].revents & POLLIN) != 0)
			renew_look(&services[i]);
		else if ((p[1 + i].revents & (POLLHUP | POLLERR)) != 0)
			renew_forget(&services[i]);
	reap();
}

/* Whether any program of this order is still there; it gets the signal. */
static bool
signal_order(unsigned order, int sig)
{
	bool alive = false;

	for (unsigned i = 0; i < NSERVICES; i++) {
		const struct service *s = &services[i];

		if (s->stop_order != order)
			continue;
		for (unsigned j = 0; j < s->nold; j++)
			(void)kill(s->old[j], sig);
		if (s->pid != 0)
			(void)kill(s->pid, sig);
		alive = alive || s->pid != 0 || s->nold > 0;
	}
	return alive;
}

static void
stop_all(int wake)
{
	for (unsigned order = 0; order < NORDERS; order++) {
		int64_t deadline = now_ms() + patience[order];

		(void)signal_order(order, SIGTERM);
		while (signal_order(order, 0) && now_ms() < deadline)
			sleep_until(wake, deadline);
		if (signal_order(order, SIGKILL))
			log_event(NULL, "killed text=\"programs of stop order "
			    "%u did not end in time\"", order);
		while (signal_order(order, 0))
			sleep_until(wake, DEADLINE_NEVER);
	}
}

/* With system_users = yes authd forks a child that stays root, then drops. */
static void
leave_root_to_authd(const struct config *cfg)
{
	for (unsigned i = 0; i < NSERVICES; i++)
		if (services[i].user == SEAM_AUTH && cfg->system_users)
			services[i].user = SEAM_ROOT;
}

/* The first start of all. 0, or an exit code when one cannot be started. */
static int
start_all(const struct launchpad *l)
{
	for (unsigned i = NSERVICES; i-- > 0;) {
		struct service *s = &services[i];

		s->start_at = DEADLINE_NEVER;
		if (s->only_with_sockets && s->sockets.n == 0)
			continue;
		if (service_start(s, l) == -1) {
			warn("cannot start %s", program_path(s->name));
			return EX_OSERR;
		}
	}
	return 0;
}

static void
say_ready(const struct config *cfg)
{
	log_event(NULL, "ready confdir=%s hostname=%s", cfg->confdir,
	    cfg->hostname);
	/* Nobody has to listen. */
	(void)fputs("ready\n", stdout);
	(void)fflush(stdout);
}

static int
supervise(struct launchpad *l, int wake)
{
	int r = start_all(l);

	if (r == 0)
		say_ready(l->cfg);
	while (r == 0 && !serve_stopping())
		sleep_until(wake, start_due(l));
	log_event(NULL, "stopping");
	sockets_close(services, NSERVICES);
	stop_all(wake);
	return r;
}

/* Without it each recipient is a question, that is all. */
static void
make_known(struct launchpad *l)
{
	if (known_make(&l->known[KNOWN_WRITER], &l->known[KNOWN_READER]) == 0)
		return;
	log_errno(NULL, "no-known-table");
	l->known[KNOWN_WRITER] = l->known[KNOWN_READER] = 0;
}

int
run(int argc, char *argv[])
{
	struct launchpad l = { .life = -1 };
	struct config *cfg;
	int wake, r;

	(void)argc;
	(void)argv;
	/* What our own parent left open is nobody's business here. */
	closefrom(STDERR_FILENO + 1);
	cfg = config_or_die(NULL);
	(void)walls_check(cfg);
	check_or_die(cfg);
	check_tls(cfg);
	leave_root_to_authd(cfg);
	dirs_make(cfg);
	dirs_lock(cfg);
	wake = wake_open();
	if (wake == -1 || wake_on_children() == -1)
		err(EX_OSERR, "cannot wait for signals");
	l.cfg = cfg;
	l.life = dirs_wait_for_others(cfg);
	if (serve_stopping())
		return 0;
	r = sockets_open(cfg, services, NSERVICES);
	if (r == 0) {
		make_known(&l);
		service_environment(&l);
		r = supervise(&l, wake);
	}
	sockets_close(services, NSERVICES);
	for (char **e = l.environment; e != NULL && *e != NULL; e++)
		free(*e);
	free(l.environment);
	config_free(cfg);
	return r;
}
