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
#include <sys/syscall.h>

#include <linux/capability.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdint.h>
#include <sysexits.h>
#include <unistd.h>

#include "privdrop.h"

#define JAIL	(1u << CAP_SYS_CHROOT)

/* Has these capabilities in all three sets, and no others. */
static int
set_caps(uint32_t caps)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = {
		{ caps, caps, caps }, { 0, 0, 0 } };

	return (int)syscall(SYS_capset, &h, d);
}

static int
get_caps(struct __user_cap_data_struct d[2])
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3 };

	return (int)syscall(SYS_capget, &h, d);
}

/* Of what we have, only these outlive an exec. */
static int
inherit(uint32_t caps)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	if (get_caps(d) == -1)
		return -1;
	d[0].inheritable = caps;
	d[1].inheritable = 0;
	return (int)syscall(SYS_capset, &h, d);
}

/*
 * What no exec of ours or of our children may ever give back.  A container
 * may have kept the right to do even that from us; no_new_privs stands.
 */
int
privdrop_bounding(void)
{
	static bool done;	/* by us, or by the parent that forked us */
	int has;

	for (unsigned long cap = 0; !done &&
	    (has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0)) >= 0; cap++)
		if (has == 1 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == -1 &&
		    errno != EPERM)
			return -1;
	done = true;
	return 0;
}

static bool
has_no_caps(void)
{
	struct __user_cap_data_struct d[2];

	if (get_caps(d) == -1)
		return false;
	for (int i = 0; i < 2; i++)
		if ((d[i].effective | d[i].permitted | d[i].inheritable) != 0)
			return false;
	return true;
}

/* All three uids and gids are the new ones, and no old group is left. */
static bool
is_dropped(uid_t uid, gid_t gid)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	return getresuid(&r, &e, &s) == 0 && r == uid && e == uid &&
	    s == uid && getresgid(&rg, &eg, &sg) == 0 && rg == gid &&
	    eg == gid && sg == gid && getgroups(0, NULL) == 0;
}

/* Nothing inherited, nobody looking in, no file of our memory. */
static int
shut_doors(void)
{
	static const struct rlimit none = { 0, 0 };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return -1;
	return setrlimit(RLIMIT_CORE, &none);
}

/* Tries to come back: each of these has to fail. */
static int
prove(uid_t uid, gid_t gid)
{
	if (setuid(0) != -1 || setgid(0) != -1 || setgroups(1, &gid) != -1 ||
	    !is_dropped(uid, gid)) {
		errno = EPERM;		/* the door behind us is still open */
		return -1;
	}
	return 0;
}

/* Groups before user.  `keep`: capabilities that outlive it, and exec. */
static int
change_user(uid_t uid, gid_t gid, uint32_t keep)
{
	if (uid == 0 || gid == 0) {
		errno = EINVAL;		/* "dropping" to root is a mistake */
		return -1;
	}
	/* It has to be in the bounding set to become inheritable: first. */
	if (inherit(keep) == -1 || privdrop_bounding() == -1 ||
	    prctl(PR_SET_KEEPCAPS, keep != 0, 0, 0, 0) == -1 ||
	    setgroups(0, NULL) == -1 || setresgid(gid, gid, gid) == -1 ||
	    setresuid(uid, uid, uid) == -1)
		return -1;
	return set_caps(keep);
}

/* The order is the point: jail while we may, then the user, then proof. */
int
privdrop(uid_t uid, gid_t gid, const char *jail)
{
	if (uid != 0 && gid != 0 && jail != NULL &&
	    (chroot(jail) == -1 || chdir("/") == -1))
		return -1;
	if (change_user(uid, gid, 0) == -1 || prove(uid, gid) == -1)
		return -1;
	if (!has_no_caps()) {
		errno = EPERM;
		return -1;
	}
	return shut_doors();
}

int
privdrop_for_exec(uid_t uid, gid_t gid, bool may_jail)
{
	if (!may_jail)
		return privdrop(uid, gid, NULL);
	if (change_user(uid, gid, JAIL) == -1 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_CHROOT, 0,
	    0) == -1 || prove(uid, gid) == -1)
		return -1;
	return shut_doors();
}

bool
privdrop_may_jail(void)
{
	struct __user_cap_data_struct d[2];

	return get_caps(d) == 0 && (d[0].effective & JAIL) != 0;
}

int
privdrop_jail(const char *dir)
{
	if (chroot(dir) == -1 || chdir("/") == -1 || set_caps(0) == -1 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == -1)
		return -1;
	if (chroot("/") != -1 || setuid(0) != -1 || !has_no_caps()) {
		errno = EPERM;
		return -1;
	}
	return shut_doors();
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
	/* Who may never gain anything is not to be looked into either. */
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 &&
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		err(EX_OSERR, "prctl");
	/* What a parent ignored or blocked would stay so: nohup, cron, shells. */
	for (unsigned i = 0; i < sizeof(reset) / sizeof(reset[0]); i++)
		if (signal(reset[i], SIG_DFL) == SIG_ERR)
			err(EX_OSERR, "signal");
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
	    sigemptyset(&empty) == -1 ||
	    sigprocmask(SIG_SETMASK, &empty, NULL) == -1)
		err(EX_OSERR, "signal");
}
