/*
 * wake.c - signals as a descriptor, for loops that sleep in poll or epoll.
 *
 * Runs at every privilege.
 * Way 0 of 8: how every server is told to stop.
 */
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include "serve.h"
#include "wake.h"

static volatile sig_atomic_t stopping, draining;
static volatile sig_atomic_t wake_fd = -1;
static pid_t owner;		/* whose wake_fd it is; a fork inherits both */

/* Only async-signal-safe calls. */
static void
on_signal(int sig)
{
	static const uint64_t one = 1;
	int saved = errno;

	if (getpid() != owner) {
		/* A child: do what it would expect. */
		(void)signal(sig, SIG_DFL);
		(void)raise(sig);
		errno = saved;
		return;
	}
	if (sig == SIGHUP)
		draining = 1;
	else if (sig != SIGCHLD)
		stopping = 1;
	/* A full counter is readable too, so nothing can be lost. */
	if (write(wake_fd, &one, sizeof(one)) == -1)
		errno = saved;
	errno = saved;
}

static int
install(int sig, int flags)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = flags };

	return sigfillset(&sa.sa_mask) == -1 ? -1 : sigaction(sig, &sa, NULL);
}

int
wake_open(void)
{
	if (wake_fd != -1 && owner == getpid())
		return wake_fd;
	if (wake_fd != -1)
		(void)close(wake_fd);	/* our parent's, inherited */
	wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (wake_fd == -1)
		return -1;
	owner = getpid();
	stopping = 0;
	/* Without SA_RESTART: a blocking call shall notice. */
	if (install(SIGTERM, 0) == -1 || install(SIGINT, 0) == -1)
		return -1;
	return wake_fd;
}

int
wake_on_children(void)
{
	return install(SIGCHLD, SA_RESTART | SA_NOCLDSTOP);
}

int
wake_on_hangup(void)
{
	return install(SIGHUP, SA_RESTART);
}

bool
wake_draining(void)
{
	return draining != 0;
}

void
wake_clear(void)
{
	uint64_t n;

	while (read(wake_fd, &n, sizeof(n)) == -1 && errno == EINTR)
		;
}

void
wake_child(void)
{
	if (wake_fd != -1)
		(void)close(wake_fd);
	wake_fd = -1;
	stopping = 0;
	/* The handlers stay: on_signal() sees that they are not this one's. */
	owner = 0;
}

int
wake_with_parent(int parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) == -1)
		return -1;
	if (getppid() != parent) {
		errno = ESRCH;	/* it died before we had asked */
		return -1;
	}
	return 0;
}

bool
serve_stopping(void)
{
	return stopping != 0;
}
