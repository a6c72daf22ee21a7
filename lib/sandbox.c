/*
 * sandbox.c - the one call with which a program shuts itself in: resource
 * limits, then files (Landlock), then system calls (seccomp).
 *
 * Runs at the final uid, before the first byte of a client.  What the kernel
 * cannot do is said once and done without, unless require_sandbox = yes.
 * Way: everywhere.  From: the mains, lib/serve's children.
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "sandbox_private.h"

#if defined(__SANITIZE_ADDRESS__)
#define RELAXED	true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RELAXED	true
#endif
#endif
#ifndef RELAXED
#define RELAXED	false
#endif

#define MEGA	((rlim_t)1024 * 1024)

const char *
sandbox_name(enum sandbox kind)
{
	return sandbox_kinds[kind].name;
}

enum sandbox
sandbox_find(const char *name, bool *whole_out)
{
	unsigned kind;

	for (kind = 0; kind < SANDBOX_KINDS; kind++) {
		size_t len = strlen(sandbox_kinds[kind].name);

		if (strncmp(name, sandbox_kinds[kind].name, len) != 0)
			continue;
		/* "+": one that waits for its client (serve_spare.c) */
		*whole_out = name[len] == '\0' || strcmp(name + len, "+") == 0;
		if (*whole_out || strcmp(name + len, "-") == 0)
			break;
	}
	return (enum sandbox)kind;
}

/* ---- limits ------------------------------------------------------------ */

/* Only ever downwards.  A child need not do what its parent has done. */
static int
lower(unsigned what, rlim_t to)
{
	static struct { struct rlimit rl; bool known; } now[RLIM_NLIMITS];
	struct rlimit *rl = &now[what].rl;

	if (!now[what].known && to > 0) {
		if (getrlimit((int)what, rl) == -1)
			return -1;
		now[what].known = true;
	}
	if (now[what].known && rl->rlim_max <= to)
		return 0;
	rl->rlim_max = to;
	if (rl->rlim_cur > to)
		rl->rlim_cur = to;
	now[what].known = setrlimit((int)what, rl) == 0;
	return now[what].known ? 0 : -1;
}

/* A log in a file would end the program with the first line (SIGXFSZ). */
static bool
is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* A child's stdout and stderr are its parent's. */
static bool
may_write_files(const struct kind *k)
{
	static bool looked, may;

	if (!k->no_files)
		return true;
	if (!looked)
		may = is_file(STDOUT_FILENO) || is_file(STDERR_FILENO);
	looked = true;
	return may;
}

int
sandbox_limits(enum sandbox kind)
{
	const struct kind *k = &sandbox_kinds[kind];

	if (lower(RLIMIT_CORE, 0) == -1 ||
	    (k->nofile != 0 && lower(RLIMIT_NOFILE, k->nofile) == -1) ||
	    (k->megabytes != 0 &&
	    lower(RLIMIT_AS, k->megabytes * MEGA) == -1) ||
	    (k->alone && lower(RLIMIT_NPROC, 0) == -1) ||
	    (!may_write_files(k) && lower(RLIMIT_FSIZE, 0) == -1))
		return -1;
	return 0;
}

void
sandbox_show_limits(enum sandbox kind, struct buf *out)
{
	const struct kind *k = &sandbox_kinds[kind];

	buf_adds(out, "no core");
	if (k->nofile != 0)
		buf_addf(out, ", %u descriptors", k->nofile);
	if (k->megabytes != 0)
		buf_addf(out, ", %u MB", k->megabytes);
	if (k->alone)
		buf_adds(out, ", no children");
	if (k->no_files)
		buf_adds(out, ", no bytes into files");
}

/* ---- entering ---------------------------------------------------------- */

/* What libc would open later is opened now. */
static void
warm_up(enum sandbox kind)
{
	tzset();
	/* The modules of the name service are libraries. */
	if (kind == SANDBOX_AUTHD || kind == SANDBOX_LAUNCH)
		(void)getpwnam("root");
}

/* Said once: a child is told by its parent's memory that it has been said. */
static void
tell(const struct config *cfg, const char *layer, enum sandbox kind)
{
	static bool told;
	const char *why = strerror(errno);

	if (cfg->require_sandbox) {
		log_event(NULL, "sandbox-missing program=%s layer=%s "
		    "error=%s text=\"require_sandbox = yes, so it ends\"",
		    sandbox_name(kind), layer, quoted(why));
		exit(EX_CONFIG);
	}
	if (!told)
		log_event(NULL, "sandbox-missing program=%s layer=%s error=%s",
		    sandbox_name(kind), layer, quoted(why));
	told = true;
}

/* The sanitizers read files and trace themselves. */
static bool
is_relaxed(const struct config *cfg, enum sandbox kind)
{
	if (RELAXED) {
		errno = ENOTSUP;
		tell(cfg, "all: sanitizer-build", kind);
	}
	return RELAXED;
}

/* What ps shows: "smtpd:session", "smtpd:session-". */
static void
take_name(enum sandbox kind, bool whole)
{
	char name[16];

	(void)strlcpy(name, sandbox_name(kind), sizeof(name));
	if (!whole)
		(void)strlcat(name, "-", sizeof(name));
	(void)prctl(PR_SET_NAME, name, 0, 0, 0);
}

void
sandbox_enter(enum sandbox kind, const struct config *given,
    const char *home)
{
	static const struct config *cfg;
	/* What our parent is in, layer by layer; we are in it too. */
	static enum sandbox walls = SANDBOX_KINDS, calls = SANDBOX_KINDS;
	bool whole = true;

	if (given != NULL)
		cfg = given;
	if (cfg == NULL)
		return;		/* the parent is in no sandbox either: a test */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1) {
		log_errno(NULL, "start-failed program=%s", sandbox_name(kind));
		exit(EX_OSERR);
	}
	if (is_relaxed(cfg, kind))
		return;
	if (calls == SANDBOX_KINDS)
		warm_up(kind);
	if (sandbox_limits(kind) == -1) {
		tell(cfg, "limits", kind);
		whole = false;
	}
	if (calls != walls || !sandbox_same_walls(kind, walls)) {
		if (sandbox_landlock(kind, cfg, home) == 0) {
			walls = kind;
		} else {
			tell(cfg, "landlock", kind);
			whole = false;
		}
	}
	take_name(kind, whole);		/* afterwards it cannot */
	if (sandbox_seccomp(kind, calls) == 0) {
		calls = kind;
	} else {
		tell(cfg, "seccomp", kind);
		take_name(kind, false);
	}
#ifdef FACTEUR_ATTACK
	attack(kind, cfg);
#endif
}
