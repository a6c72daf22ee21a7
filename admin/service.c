/*
 * service.c - one program under the supervisor: started with its listeners
 * and nothing else, noticed when it ends, started again after a while.
 *
 * Runs as root or as the one uid; between fork and exec it is the program.
 * Way 0 of 8.  From: run.c.  To: exec.
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin.h"
#include "deadline.h"
#include "known.h"
#include "log.h"
#include "privdrop.h"
#include "wake.h"

#define FIRST_FD	3		/* as systemd counts */
#define SPARE_FD	200		/* above any descriptor handed over */
#define LONG_ENOUGH	(60 * 1000)	/* ms of life that forgive all */
#define LONGEST		30		/* s between two starts */

/* Of our own environment a program gets what only means comfort, not power. */
static const char *const passed_on[] = {
	"TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS",
};

void
service_environment(struct launchpad *l)
{
	size_t n = 0, room = sizeof(passed_on) / sizeof(passed_on[0]) + 8;
	struct buf b = BUF_INIT;

	/* Five more entries, for the descriptors, are filled in by the child. */
	l->environment = xcalloc(room, sizeof(char *));
	l->environment[n++] = xstrdup("PATH=/usr/bin:/bin");
	if (!l->cfg->as_root)
		l->environment[n++] = xstrdup("FACTEUR_SINGLE_UID=1");
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++) {
		const char *value = getenv(passed_on[i]);

		if (value == NULL)
			continue;
		buf_addf(&b, "%s=%s", passed_on[i], value);
		l->environment[n++] = buf_detach(&b);
	}
}

static void
add_variables(const struct service *s, bool known, char **environment)
{
	struct buf b = BUF_INIT;
	size_t n = 0;

	while (environment[n] != NULL)
		n++;
	buf_addf(&b, "LISTEN_PID=%d", (int)getpid());
	environment[n++] = buf_detach(&b);
	buf_addf(&b, "LISTEN_FDS=%u", s->sockets.n);
	environment[n++] = buf_detach(&b);
	buf_adds(&b, "LISTEN_FDNAMES=");
	for (unsigned i = 0; i < s->sockets.n; i++)
		buf_addf(&b, "%s%s", i > 0 ? ":" : "", s->sockets.name[i]);
	environment[n++] = buf_detach(&b);
	buf_addf(&b, "FACTEUR_RENEW=%u", FIRST_FD + s->sockets.n + 1);
	environment[n++] = buf_detach(&b);
	if (!known)
		return;
	buf_addf(&b, KNOWN_VARIABLE "=%u", FIRST_FD + s->sockets.n + 2);
	environment[n] = buf_detach(&b);
}

/*
 * Puts the listeners at 3, 4, ..., behind them the sign of life, the pipe that
 * asks for a successor and, for whom it is (not 0), the table of known
 * mailboxes; all survive exec, everything else does not.  *report moves out of
 * the way.
 */
static int
place_descriptors(const struct service *s, int life, int renew, int known,
    int *report)
{
	int fd[SERVE_LISTENERS + 3], null, n = 0;

	for (unsigned i = 0; i < s->sockets.n; i++)
		fd[n++] = s->sockets.fd[i];
	fd[n++] = life;
	fd[n++] = renew;
	if (known != 0)
		fd[n++] = known;
	*report = fcntl(*report, F_DUPFD_CLOEXEC, SPARE_FD);
	if (*report == -1)
		return -1;
	for (int i = 0; i < n; i++)
		if ((fd[i] = fcntl(fd[i], F_DUPFD_CLOEXEC, SPARE_FD)) == -1)
			return -1;
	for (int i = 0; i < n; i++)
		if (dup2(fd[i], FIRST_FD + i) == -1)
			return -1;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	/* Our stdout says `ready` and nothing else. */
	if (null == -1 || dup2(null, STDIN_FILENO) == -1 ||
	    dup2(STDERR_FILENO, STDOUT_FILENO) == -1)
		return -1;
	return 0;
}

/* Root is left behind before the first instruction of the program. */
static int
become_user(const struct service *s, const struct config *cfg)
{
	uid_t uid;
	gid_t gid;

	if (!cfg->as_root || s->user == SEAM_ROOT)
		return 0;
	if (!seam_ids(s->user, &uid, &gid)) {
		errno = ENOENT;
		return -1;
	}
	return privdrop_for_exec(uid, gid, s->jailed);
}

static _Noreturn void
be_program(const struct service *s, const struct launchpad *l, pid_t parent,
    int renew, int report)
{
	const char *path = program_path(s->name);
	const int known = l->known[s->known];
	char *argv[4];

	wake_child();
	/* Its own group: a terminal's ^C is for the supervisor alone. */
	(void)setpgid(0, 0);
	if (place_descriptors(s, l->life, renew, known, &report) == 0 &&
	    become_user(s, l->cfg) == 0) {
		/* The kernel forgets this wish with a change of uid. */
		if (wake_with_parent(parent) == -1)
			_exit(0);
		argv[0] = xstrdup(s->name);
		argv[1] = xstrdup("-C");
		argv[2] = xstrdup(l->cfg->confdir);
		argv[3] = NULL;
		add_variables(s, known != 0, l->environment);
		(void)execve(path, argv, l->environment);
	}
	if (write(report, &errno, sizeof(errno)) == -1)
		_exit(EX_OSERR);
	_exit(EX_OSERR);
}

/* Waits for exec: 0, or the errno that the child reports. */
static int
wait_for_exec(int fd)
{
	int error = 0;
	ssize_t n;

	do
		n = read(fd, &error, sizeof(error));
	while (n == -1 && errno == EINTR);
	return n == (ssize_t)sizeof(error) ? error : 0;
}

int
service_start(struct service *s, const struct launchpad *l)
{
	pid_t parent = getpid(), pid;
	int report[2], renew[2], error;

	if (pipe2(report, O_CLOEXEC) == -1)
		return -1;
	if (pipe2(renew, O_CLOEXEC | O_NONBLOCK) == -1) {
		(void)close(report[0]);
		(void)close(report[1]);
		return -1;
	}
	pid = fork();
	if (pid == 0)
		be_program(s, l, parent, renew[1], report[1]);
	error = pid == -1 ? errno : 0;
	(void)close(renew[1]);
	(void)close(report[1]);
	if (pid != -1) {
		error = wait_for_exec(report[0]);
		if (error != 0)
			(void)waitpid(pid, NULL, 0);
	}
	(void)close(report[0]);
	if (error != 0) {
		(void)close(renew[0]);
		errno = error;
		return -1;
	}
	s->renew = renew[0];
	s->pid = pid;
	s->started = now_ms();
	s->start_at = DEADLINE_NEVER;
	return 0;
}

int64_t
service_backoff(unsigned failures)
{
	int64_t s;

	if (failures == 0)
		return 0;
	s = failures > 5 ? LONGEST : (int64_t)1 << (failures - 1);
	return (s > LONGEST ? LONGEST : s) * 1000;
}

void
service_ended(struct service *s, int status)
{
	int64_t now = now_ms(), wait;

	renew_forget(s);
	if (now - s->started >= LONG_ENOUGH)
		s->failures = 0;
	wait = service_backoff(s->failures++);
	if (!serve_stopping())
		log_event(NULL, "program-ended program=%s pid=%d %s=%d "
		    "again_in=%llds", s->name, (int)s->pid,
		    WIFSIGNALED(status) ? "signal" : "status",
		    WIFSIGNALED(status) ? WTERMSIG(status) :
		    WEXITSTATUS(status), (long long)wait / 1000);
	s->pid = 0;
	s->start_at = now + wait;
}
