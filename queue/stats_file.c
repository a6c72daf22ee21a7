/*
 * stats_file.c - the figures in a file (the key stats_file), where
 * node_exporter's textfile collector finds them.
 *
 * Runs in the queue manager, as facteur-queue; the sandbox lets it write in the
 * directory of that file.  Way 7 of 8.
 * Nothing here can stop mail: what cannot be written is told once.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "log.h"
#include "queue.h"
#include "stats.h"

#define EVERY_MS	15000

static int
write_all(int dir, const char *name, const struct buf *text)
{
	int saved, fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0600);
	ssize_t n;

	if (fd == -1)
		return -1;
	n = write(fd, text->data, text->len);
	if (n >= 0 && n != (ssize_t)text->len)
		errno = ENOSPC;
	if (n == (ssize_t)text->len && fchmod(fd, 0644) == 0)
		return close(fd);
	saved = errno;
	(void)close(fd);
	errno = saved;
	return -1;
}

/* Its temporary name begins with a dot and has another end: not collected. */
static int
replace(int dir, const char *name)
{
	struct buf text = BUF_INIT, temp = BUF_INIT;
	int saved, r;

	buf_addf(&temp, ".%s.tmp", name);
	stats_text(&text);
	(void)unlinkat(dir, buf_str(&temp), 0);	/* of one that was killed */
	r = write_all(dir, buf_str(&temp), &text);
	if (r == 0)
		r = renameat(dir, buf_str(&temp), dir, name);
	saved = errno;
	if (r == -1)
		(void)unlinkat(dir, buf_str(&temp), 0);
	buf_release(&text);
	buf_release(&temp);
	errno = saved;
	return r;
}

int
stats_file_write(const char *path)
{
	const char *slash = strrchr(path, '/');
	struct buf parent = BUF_INIT;
	int dir, r, saved;

	if (slash == NULL || slash[1] == '\0') {
		errno = EINVAL;
		return -1;
	}
	buf_add(&parent, path, slash == path ? 1 : (size_t)(slash - path));
	dir = open(buf_str(&parent), O_PATH | O_DIRECTORY | O_CLOEXEC);
	buf_release(&parent);
	if (dir == -1)
		return -1;
	r = replace(dir, slash + 1);
	saved = errno;
	(void)close(dir);
	errno = saved;
	return r;
}

/* Written whether or not anything has changed: its age tells that we live. */
static void
write_again(struct timer *t)
{
	static int told;
	int error = stats_file_write(Q.cfg->stats_file) == 0 ? 0 : errno;

	errno = error;
	if (error != 0 && error != told)
		log_errno(NULL, "stats-not-written file=%s",
		    quoted(Q.cfg->stats_file));
	else if (error == 0 && told != 0)
		log_event(NULL, "stats-written file=%s",
		    quoted(Q.cfg->stats_file));
	told = error;
	loop_timer_set(Q.loop, t, now_ms() + EVERY_MS);
}

void
stats_file_start(void)
{
	static struct timer again;

	if (*Q.cfg->stats_file == '\0')
		return;
	again.fire = write_again;
	loop_timer_set(Q.loop, &again, now_ms());
}
