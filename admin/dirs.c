/*
 * dirs.c - the directories a system lives in, and the two locks that keep a
 * second system out of them.
 *
 * Runs as root or as the one uid, before any program is started.  /tmp may
 * be full of traps: what is not ours is refused, never repaired.
 * Way 0 of 8.  From: run.c.
 */
#include <sys/file.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin.h"
#include "log.h"

#define OTHERS_END	10	/* s that a former system has to disappear */

/* The umask has no say in it, and it is its owner's from the start. */
static void
give(const char *path, mode_t mode, enum seam_user owner)
{
	uid_t uid;
	gid_t gid;

	if (!seam_ids(owner, &uid, &gid))
		errx(EX_CONFIG, "there is no user %s", seam_name(owner));
	if ((geteuid() == 0 && lchown(path, uid, gid) == -1) ||
	    chmod(path, mode) == -1)
		err(EX_CANTCREAT, "%s", path);
}

/* Makes a directory and what is missing above it, which is ours. */
static void
make_dir(const char *path, mode_t mode, enum seam_user owner)
{
	char *copy, *slash;

	if (mkdir(path, 0700) == 0) {
		give(path, mode, owner);
		return;
	}
	if (errno == EEXIST)
		return;
	if (errno != ENOENT)
		err(EX_CANTCREAT, "%s", path);
	copy = xstrdup(path);
	slash = strrchr(copy, '/');
	if (slash == NULL || slash == copy)
		errx(EX_CANTCREAT, "%s: %s", path, strerror(ENOENT));
	*slash = '\0';
	make_dir(copy, (mode & 07) != 0 || owner != SEAM_ROOT ? 0755 : mode,
	    SEAM_ROOT);
	free(copy);
	if (mkdir(path, 0700) == -1)
		err(EX_CANTCREAT, "%s", path);
	give(path, mode, owner);
}

static bool
is_trusted(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

/*
 * Nobody but us may put anything there.  `parent`: it may also be a directory
 * like /tmp, whose sticky bit keeps others from moving what is ours, and a
 * symbolic link that root or we have made.
 */
static void
check_dir(const char *path, bool parent)
{
	struct stat st;

	if (lstat(path, &st) == -1)
		err(EX_CANTCREAT, "%s", path);
	if (parent && S_ISLNK(st.st_mode) && is_trusted(&st) &&
	    stat(path, &st) == -1)
		err(EX_CANTCREAT, "%s", path);
	if (!S_ISDIR(st.st_mode))
		errx(EX_NOPERM, "%s is not a directory: remove it, or set "
		    "`run` in facteur.conf", path);
	if (!is_trusted(&st))
		errx(EX_NOPERM, "%s belongs to uid %u: set `run` in "
		    "facteur.conf to a directory of your own", path,
		    (unsigned)st.st_uid);
	if ((st.st_mode & 022) != 0 && !(parent && (st.st_mode & S_ISVTX)))
		errx(EX_NOPERM, "%s may be written by others (mode %03o): "
		    "chmod it, or set `run` in facteur.conf", path,
		    (unsigned)st.st_mode & 0777);
}

static void
check_run_dir(const struct config *cfg)
{
	char *parent = xstrdup(cfg->run);
	char *slash = strrchr(parent, '/');

	if (slash != NULL && slash != parent) {
		*slash = '\0';
		check_dir(parent, true);
	}
	check_dir(cfg->run, false);
	free(parent);
}

/* Where a system with walls lives; without them nobody else comes in. */
const struct place places[] = {
	{ offsetof(struct config, spool), "", SEAM_QUEUE, 0700 },
	{ offsetof(struct config, spool), "/queue", SEAM_QUEUE, 0700 },
	{ offsetof(struct config, spool), "/hold", SEAM_QUEUE, 0700 },
	{ offsetof(struct config, spool), "/bad", SEAM_QUEUE, 0700 },
	/* A host's users reach their mailboxes and `inject`. */
	{ offsetof(struct config, mail), "", SEAM_MAIL, 0711 },
	{ offsetof(struct config, run), "", SEAM_ROOT, 0755 },
	/* The jail: each socket there says itself who may connect. */
	{ offsetof(struct config, run), "/net", SEAM_ROOT, 0711 },
};
const unsigned nplaces = sizeof(places) / sizeof(places[0]);

void
place_path(const struct config *cfg, const struct place *p, struct buf *out)
{
	buf_addf(out, "%s%s",
	    *(char *const *)(const void *)((const char *)cfg + p->dir),
	    p->below);
}

void
dirs_make(const struct config *cfg)
{
	struct buf path = BUF_INIT;

	seams_init(cfg);
	for (unsigned i = 0; i < nplaces; i++) {
		const struct place *p = &places[i];

		buf_reset(&path);
		place_path(cfg, p, &path);
		/* Not without walls: /tmp is full of traps. */
		make_dir(path.data, cfg->as_root ? p->mode : 0700,
		    cfg->as_root ? p->owner : SEAM_ROOT);
	}
	buf_release(&path);
	check_run_dir(cfg);
}

static int
open_lock(const struct config *cfg, const char *name)
{
	const char *path = config_socket(cfg, name);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd == -1)
		err(EX_CANTCREAT, "%s", path);
	return fd;
}

void
dirs_lock(const struct config *cfg)
{
	char pid[32];
	int fd = open_lock(cfg, "lock"), n;
	ssize_t got;

	if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		if (errno != EWOULDBLOCK)
			err(EX_OSERR, "%s", config_socket(cfg, "lock"));
		got = pread(fd, pid, sizeof(pid) - 1, 0);
		pid[got > 0 ? got : 0] = '\0';
		pid[strcspn(pid, "\n")] = '\0';
		errx(EX_TEMPFAIL, "%s: another `facteur run` (pid %s) holds "
		    "the lock", cfg->run, *pid != '\0' ? pid : "unknown");
	}
	n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) == -1 || pwrite(fd, pid, (size_t)n, 0) != n)
		err(EX_CANTCREAT, "%s", config_socket(cfg, "lock"));
	/* fd stays open, and with it the lock, until we end, however we do. */
}

static volatile sig_atomic_t too_late;

static void
on_alarm(int sig)
{
	(void)sig;
	too_late = 1;
}

/*
 * When a supervisor was killed, its programs end a moment later, and until
 * then they hold its ports.  Each of them holds this lock too.
 */
int
dirs_wait_for_others(const struct config *cfg)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	int fd = open_lock(cfg, "life"), r;

	if (sigaction(SIGALRM, &sa, NULL) == -1)
		err(EX_OSERR, "sigaction");
	(void)alarm(OTHERS_END);
	do
		r = flock(fd, LOCK_EX);
	while (r == -1 && errno == EINTR && !too_late && !serve_stopping());
	(void)alarm(0);
	if (r == -1 && too_late)
		log_event(NULL, "still-there text=\"programs of a former "
		    "`facteur run` have not ended after %d s\"", OTHERS_END);
	else if (r == -1 && errno != EINTR)
		err(EX_OSERR, "%s", config_socket(cfg, "life"));
	return fd;
}
