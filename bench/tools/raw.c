/*
 * raw - the durable limit: files on disk, and nothing else: no protocol, no
 * scheduler, no walls.
 *
 * usage: raw [-d] [-p processes] [-n messages] [-l bytes] QUEUEDIR MAILDIR...
 * Each process takes a message all the way through a queue, with a flush for
 * whatever must be safe: a file there (name, then one flush: INTERNALS 3.6), a
 * file in one of the Maildirs (flush, name, flush of new/), a line of outcome,
 * and the queue's file away.  With -d as Facteur delivers directly (2.11): a
 * file in one of the Maildirs (written out, name, one flush), and none in the
 * queue.  Prints one JSON line.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ENVELOPE 320	/* bytes of it behind a message of one recipient */

static char *content;
static size_t size = 4096;
static bool directly;

static double
now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int
open_dir(const char *path, const char *sub)
{
	char name[4096];
	int fd;

	(void)snprintf(name, sizeof(name), "%s/%s", path, sub);
	if ((fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		err(1, "%s", name);
	return fd;
}

static void
put(int fd, size_t n)
{
	if (write(fd, content, n) != (ssize_t)n)
		err(1, "write");
}

static void
name_it(int fd, int dir, const char *name)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW) == -1)
		err(1, "linkat");
}

static void
flush(int fd)
{
	if (fsync(fd) == -1)
		err(1, "fsync");
}

static int
nameless(int dir)
{
	int fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd == -1)
		err(1, "O_TMPFILE");
	return fd;
}

static void
message(int queue, const char *maildir, const char *name)
{
	int q = nameless(queue), tmp = open_dir(maildir, "tmp");
	int new = open_dir(maildir, "new"), m;

	put(q, size + ENVELOPE);
	name_it(q, queue, name);
	flush(q);

	m = nameless(tmp);
	if (pread(q, content, size, 0) != (ssize_t)size)
		err(1, "pread");
	put(m, size);
	flush(m);
	name_it(m, new, name);
	flush(new);

	put(q, 100);
	if (unlinkat(queue, name, 0) == -1)
		err(1, "unlink");
	(void)close(q);
	(void)close(m);
	(void)close(tmp);
	(void)close(new);
}

/* The content is with the device before there is a name. */
static void
message_directly(const char *maildir, const char *name)
{
	int new = open_dir(maildir, "new"), m = nameless(new);

	put(m, size);
	if (sync_file_range(m, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE |
	    SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) == -1)
		err(1, "sync_file_range");
	name_it(m, new, name);
	flush(m);
	(void)close(new);
	(void)close(m);
}

static void
work(int me, int messages, const char *queuedir, char **maildirs, int n)
{
	int queue = open_dir(queuedir, ".");
	char name[64];

	for (int i = 0; i < messages; i++) {
		(void)snprintf(name, sizeof(name), "raw%d.%d", me, i);
		if (directly)
			message_directly(maildirs[(me * 7 + i) % n], name);
		else
			message(queue, maildirs[(me * 7 + i) % n], name);
	}
}

int
main(int argc, char *argv[])
{
	int processes = 1, messages = 1000, status, bad = 0, ch;
	double start;

	while ((ch = getopt(argc, argv, "dp:n:l:")) != -1)
		switch (ch) {
		case 'd': directly = true; break;
		case 'p': processes = (int)strtonum(optarg, 1, 10000, NULL); break;
		case 'n': messages = (int)strtonum(optarg, 1, 1 << 30, NULL); break;
		case 'l': size = (size_t)strtonum(optarg, 1, 1 << 30, NULL); break;
		default: return 64;
		}
	if (argc - optind < 2)
		errx(64, "usage: raw [options] queuedir maildir...");
	if ((content = malloc(size + ENVELOPE)) == NULL)
		err(1, "malloc");
	memset(content, 'x', size + ENVELOPE);
	messages /= processes;
	start = now();
	for (int i = 0; i < processes; i++)
		switch (fork()) {
		case -1:
			err(1, "fork");
		case 0:
			work(i, messages, argv[optind], argv + optind + 1,
			    argc - optind - 1);
			_exit(0);
		}
	while (wait(&status) != -1)
		bad |= status;
	(void)printf("{\"messages\":%d,\"seconds\":%.4f}\n",
	    messages * processes, now() - start);
	return bad != 0;
}
