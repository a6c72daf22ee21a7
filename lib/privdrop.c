/*
 * privdrop.c - giving root up for good, and the first thing every program
 * does: leave nothing to whoever started it.
 *
 * Called as root, returns as somebody else.
 * Way 0 of 8: before mail comes near.
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <sysexits.h>
#include <unistd.h>

#include "privdrop.h"

/* All three uids and gids are the new ones, and no old group is left. */
static bool
is_dropped(uid_t uid, gid_t gid)
{
	uid_t r, e, s;
	gid_t rg, eg, sg, left;

	return getresuid(&r, &e, &s) == 0 && r == uid && e == uid &&
	    s == uid && getresgid(&rg, &eg, &sg) == 0 && rg == gid &&
	    eg == gid && sg == gid &&
	    getgroups(0, NULL) <= 1 &&
	    (getgroups(1, &left) == 0 || left == gid);
}

/* The order is the point: jail while we may, groups before user, then proof. */
int
privdrop(uid_t uid, gid_t gid, const char *jail)
{
	if (uid == 0 || gid == 0) {
		errno = EINVAL;		/* "dropping" to root is a mistake */
		return -1;
	}
	if (jail != NULL && (chroot(jail) == -1 || chdir("/") == -1))
		return -1;
	if (setgroups(1, &gid) == -1 || setresgid(gid, gid, gid) == -1 ||
	    setresuid(uid, uid, uid) == -1)
		return -1;
	if (setuid(0) != -1 || setgid(0) != -1 || !is_dropped(uid, gid)) {
		errno = EPERM;		/* the door behind us is still open */
		return -1;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return -1;
	return 0;
}

void
process_init(void)
{
	static const struct rlimit none = { 0, 0 };
	static const int reset[] = { SIGCHLD, SIGTERM, SIGINT, SIGALRM };
	sigset_t empty;
	int fd;

	/* A descriptor opened later must not become somebody's stdout. */
	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (fd == -1)
			err(EX_OSERR, "/dev/null");
		/* For 0 to 2 it has to survive exec, like the ones of others. */
		if (fd <= STDERR_FILENO && fcntl(fd, F_SETFD, 0) == -1)
			err(EX_OSERR, "fcntl");
	} while (fd <= STDERR_FILENO);
	(void)close(fd);

	(void)umask(077);
	if (setrlimit(RLIMIT_CORE, &none) == -1)
		err(EX_OSERR, "setrlimit");
	/* What a parent ignored or blocked would stay so: nohup, cron, shells. */
	for (unsigned i = 0; i < sizeof(reset) / sizeof(reset[0]); i++)
		if (signal(reset[i], SIG_DFL) == SIG_ERR)
			err(EX_OSERR, "signal");
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
	    sigemptyset(&empty) == -1 ||
	    sigprocmask(SIG_SETMASK, &empty, NULL) == -1)
		err(EX_OSERR, "signal");
}
