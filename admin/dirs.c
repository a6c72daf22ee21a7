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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin.h"
#include "log.h"

#define OTHERS_END	10	/* s that a former system has to disappear */

/* Makes a directory and what is missing above it. */
static void
make_dir(const char *path, mode_t mode)
{
	char *copy, *slash;

	if (mkdir(path, 0700) == 0) {
		/* The umask has no say in it. */
		if (chmod(path, mode) == -1)
			err(EX_CANTCREAT, "%s", path);
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
	make_dir(copy, mode);
	free(copy);
	if (mkdir(path, 0700) == -1 || chmod(path, mode) == -1)
		err(EX_CANTCREAT, "%s", path);
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

static void
make_below(const char *dir, const char *name, mode_t mode)
{
	struct buf path = BUF_INIT;

	buf_addf(&path, "%s/%s", dir, name);
	make_dir(path.data, mode);
	buf_release(&path);
}

void
dirs_make(const struct config *cfg)
{
	static const char *const spool[] = { "queue", "hold", "bad" };
	/* A host's users reach `inject` and their mailboxes. */
	mode_t open_to_all = cfg->as_root ? 0755 : 0700;

	make_dir(cfg->spool, 0700);
	for (size_t i = 0; i < sizeof(spool) / sizeof(spool[0]); i++)
		make_below(cfg->spool, spool[i], 0700);
	make_dir(cfg->mail, cfg->as_root ? 0711 : 0700);
	make_dir(cfg->run, open_to_all);
	check_run_dir(cfg);
	make_below(cfg->run, "net", 0700);
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
