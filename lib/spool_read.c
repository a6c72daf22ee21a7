/*
 * spool_read.c - the spool as its readers see it: directories, names, opening
 * a message that somebody else has put there.  Nothing found is trusted.
 *
 * A library: runs in inject and queue (facteur-queue) and in the
 * administrator's tools.
 * Way 4 of 8.  From: the spool.  To: queue/queue.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <zlib.h>

#include "spool.h"

#define BLOCK		65536		/* bytes read at once */
#define RESERVE_BYTES	(4 << 20)	/* left to the queue and its log */
#define RESERVE_FILES	64

/* A directory of ours below `at`, or -1. */
static int
open_dir(int at, const char *name, bool create)
{
	if (create && mkdirat(at, name, 0700) == -1 && errno != EEXIST)
		return -1;
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Can a file be made without a name, and be named later, here? */
static bool
needs_names(int dir)
{
	int fd = openat(dir, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	char self[32];
	bool needs;

	if (fd == -1)
		return true;
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	needs = access(self, F_OK) == -1;
	(void)close(fd);
	return needs;
}

int
spool_open(struct spool *spool, const char *path, bool create)
{
	*spool = (struct spool)SPOOL_INIT;
	if ((spool->root = open_dir(AT_FDCWD, path, create)) == -1 ||
	    (spool->queue = open_dir(spool->root, "queue", create)) == -1 ||
	    (spool->hold = open_dir(spool->root, "hold", create)) == -1 ||
	    (spool->bad = open_dir(spool->root, "bad", create)) == -1) {
		spool_close(spool);
		return -1;
	}
	spool->named = needs_names(spool->queue);
	return 0;
}

static void
close_dir(int *fd)
{
	if (*fd != -1)
		(void)close(*fd);
	*fd = -1;
}

void
spool_close(struct spool *spool)
{
	int saved = errno;

	close_dir(&spool->root);
	close_dir(&spool->queue);
	close_dir(&spool->hold);
	close_dir(&spool->bad);
	errno = saved;
}

bool
spool_name_parse(const char *name, char id[ID_LEN + 1], int64_t *size_out)
{
	const char *digits = name + ID_LEN + 1, *why;
	long long size;

	if (strnlen(name, ID_LEN + 2) < ID_LEN + 2 || name[ID_LEN] != '.' ||
	    !is_id(name, ID_LEN))
		return false;
	if (digits[strspn(digits, "0123456789")] != '\0' ||
	    (digits[0] == '0' && digits[1] != '\0'))
		return false;
	size = strtonum(digits, 0, INT64_MAX, &why);
	if (why != NULL)
		return false;
	if (id != NULL) {
		memcpy(id, name, ID_LEN);
		id[ID_LEN] = '\0';
	}
	if (size_out != NULL)
		*size_out = size;
	return true;
}

void
spool_name(char out[SPOOL_NAME_MAX + 1], const char *id, int64_t size)
{
	(void)snprintf(out, SPOOL_NAME_MAX + 1, "%.*s.%lld", ID_LEN, id,
	    (long long)size);
}

/* 0 when the open file is a message that may be worked on; else an errno. */
static int
refuse_file(int dir, int fd)
{
	struct stat st, home;

	/* The lock first: while it is held, the rest may still change. */
	if (flock(fd, LOCK_SH | LOCK_NB) == -1 || fstat(fd, &st) == -1 ||
	    fstat(dir, &home) == -1)
		return errno;
	if (st.st_nlink == 0)
		return ENOENT;		/* taken away since it was opened */
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1 ||
	    st.st_uid != home.st_uid)
		return EINVAL;
	return 0;
}

int
spool_open_file(int dir, const char *name)
{
	struct stat st;
	int fd, refused;

	if (!spool_name_parse(name, NULL, NULL)) {
		errno = EINVAL;
		return -1;
	}
	/* Opening a device or a pipe is already doing something to it. */
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	fd = openat(dir, name, O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK |
	    O_NOCTTY | O_CLOEXEC);
	if (fd == -1) {
		/* A symbolic link, a directory, a socket. */
		if (errno == ELOOP || errno == EISDIR || errno == ENXIO)
			errno = EINVAL;
		return -1;
	}
	if ((refused = refuse_file(dir, fd)) == 0)
		return fd;
	(void)close(fd);
	errno = refused;
	return -1;
}

/* As many of len bytes as the file has from `at` on; -1 with errno. */
static ssize_t
read_at(int fd, char *p, size_t len, int64_t at)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(fd, p + got, len - got,
		    (off_t)(at + (int64_t)got));

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

int
spool_read_envelope(int fd, int64_t size, struct envelope *e)
{
	struct stat st;
	ssize_t len;
	char *text;
	int result;

	if (fstat(fd, &st) == -1)
		return -1;
	if (st.st_size < size || st.st_size - size > ENVELOPE_MAX) {
		e->damage = xstrdup(st.st_size < size ?
		    "shorter than its name says" : "envelope too long");
		return -1;
	}
	text = xmalloc((size_t)(st.st_size - size) + 1);
	len = read_at(fd, text, (size_t)(st.st_size - size), size);
	result = len == -1 ? -1 : envelope_parse(e, text, (size_t)len);
	free(text);
	return result;
}

int
spool_verify(int fd, int64_t size, const struct envelope *e)
{
	int64_t left = size + (int64_t)e->ready_at, at = 0;
	uLong crc = crc32(0, NULL, 0);
	char *block = xmalloc(BLOCK);
	ssize_t n = 0;

	for (; left > 0; left -= n, at += n) {
		n = read_at(fd, block, left < BLOCK ? (size_t)left : BLOCK, at);
		if (n <= 0)
			break;
		crc = crc32_z(crc, (const unsigned char *)block, (size_t)n);
	}
	free(block);
	if (n == -1)
		return -1;
	return e->ready && left == 0 && (uint32_t)crc == e->crc;
}

bool
spool_has_room(const struct spool *spool, int64_t need)
{
	struct statvfs fs;
	uint64_t room;

	if (fstatvfs(spool->queue, &fs) == -1)
		return true;	/* the commit itself will tell */
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (room < (uint64_t)need * 2 + RESERVE_BYTES)
		return false;
	/* Some file systems (btrfs) make inodes as they go and count none. */
	return fs.f_files == 0 || fs.f_favail >= RESERVE_FILES;
}
