/*
 * history_hand.c - writes down what `facteur hold` and `facteur rm` take out of
 * queue/ while no queue manager is there to see it go.
 *
 * Runs as the caller: the spool's owner, or root, who leaves nothing in there
 * that is his.  From: queue/qadmin_act.c.  To: queue/history_read.c.
 */
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "date.h"
#include "history.h"
#include "history_file.h"

/* Whoever owns the directory owns its files; what else lies there is no history. */
static bool
is_ours(int dir, int fd)
{
	struct stat d, f;

	if (fstat(dir, &d) == -1 || fstat(fd, &f) == -1)
		return false;
	if (S_ISREG(f.st_mode) && f.st_nlink == 1 && f.st_uid == d.st_uid)
		return true;
	errno = EINVAL;
	return false;
}

/* A file that we made gets the owner of its directory. */
static int
give_away(int dir, int fd)
{
	struct stat d;

	if (fd == -1 || fstat(dir, &d) == -1)
		return -1;
	return d.st_uid == geteuid() ? 0 : fchown(fd, d.st_uid, d.st_gid);
}

static int
open_day(int dir, int64_t now)
{
	static const int how = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC;
	char day[HISTORY_DAY + 1];
	int fd, saved;

	history_day_of(day, now);
	fd = openat(dir, day, how);
	if (fd == -1 && errno == ENOENT) {
		fd = openat(dir, day, how | O_CREAT | O_EXCL, 0600);
		if (fd == -1 && errno == EEXIST)
			fd = openat(dir, day, how);	/* just made by another */
		else if (give_away(dir, fd) == -1 && fd != -1)
			(void)unlinkat(dir, day, 0);
	}
	if (fd != -1 && !is_ours(dir, fd)) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* In one write: a queue manager may be starting at this moment. */
static int
append(int dir, int64_t now, const struct buf *lines)
{
	struct buf b = BUF_INIT;
	int fd = open_day(dir, now), result = -1;
	ssize_t n;

	if (fd == -1)
		return -1;
	if (history_ends_torn(fd))
		buf_addc(&b, '\n');
	buf_add(&b, buf_str(lines), lines->len);
	n = write(fd, buf_str(&b), b.len);
	if (n == (ssize_t)b.len)
		result = 0;
	else if (n >= 0)
		errno = ENOSPC;
	buf_release(&b);
	close(fd);
	return result;
}

void
history_by_hand(const struct config *cfg, const struct spool *spool,
    const char *name)
{
	struct buf lines = BUF_INIT;
	struct envelope env;
	char id[ID_LEN + 1];
	int64_t size, now = date_now_usec();
	int fd, dir = openat(spool->root, HISTORY_DIR, O_RDONLY | O_DIRECTORY |
	    O_NOFOLLOW | O_CLOEXEC);
	bool known;

	/* None is kept, or none was ever written. */
	if (dir == -1 || cfg->history_days == 0 ||
	    !spool_name_parse(name, id, &size)) {
		if (dir != -1)
			close(dir);
		return;
	}
	envelope_init(&env);
	fd = spool_open_file(spool->hold, name);
	known = fd != -1 && spool_read_envelope(fd, size, &env) == 0;
	history_put_gone(&lines, now, id, known ? &env : NULL);
	if (append(dir, now, &lines) == -1)
		warn("%s/" HISTORY_DIR, cfg->spool);
	if (fd != -1)
		close(fd);
	envelope_release(&env);
	buf_release(&lines);
	close(dir);
}
