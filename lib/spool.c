/*
 * spool.c - puts a message into the spool: the one place where durability is
 * made.  INTERNALS, section 3, has the argument for the order.
 *
 * A library: runs in inject, as facteur-queue.
 * Way 3 of 8.  From: queue/inject.  To: queue/queue, which is told the name.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "memory.h"
#include "spool.h"

#define PENDING_MAX	65536	/* bytes collected before they are written */

/* "tmp.ID": no reader takes it for a message. */
#define TMP_NAME_MAX	(4 + ID_LEN)

static void
tmp_name(char out[TMP_NAME_MAX + 1], const char *id)
{
	(void)snprintf(out, TMP_NAME_MAX + 1, "tmp.%s", id);
}

/* Opens the file, with the lock that says "not acknowledged yet". */
static int
open_locked(const struct spool_file *f)
{
	char name[TMP_NAME_MAX + 1];
	int fd, saved;

	tmp_name(name, f->id);
	if (f->named)
		fd = openat(f->dir, name,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	else
		fd = openat(f->dir, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	if (fd == -1 || flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	saved = errno;
	if (f->named)
		(void)unlinkat(f->dir, name, 0);
	(void)close(fd);
	errno = saved;
	return -1;
}

void
spool_begin(struct spool_file *f, const struct spool *spool)
{
	*f = (struct spool_file)SPOOL_FILE_INIT;
	f->dir = spool->queue;
	f->named = spool->named;
	f->one_flush = spool->one_flush;
	f->crc = (uint32_t)crc32(0, NULL, 0);
	f->pending.max = 2 * PENDING_MAX + ENVELOPE_MAX;
	id_new(f->id);
}

int
spool_create(struct spool_file *f, const struct spool *spool)
{
	spool_begin(f, spool);
	f->fd = open_locked(f);
	return f->fd == -1 ? -1 : 0;
}

/* Whole, or -1; the first failure sticks. */
static int
write_all(struct spool_file *f, const char *p, size_t len)
{
	if (f->fd == -1 && (f->fd = open_locked(f)) == -1) {
		f->error = errno;
		return -1;
	}
	while (len > 0) {
		ssize_t n = write(f->fd, p, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			f->error = n == 0 ? EIO : errno;
			errno = f->error;
			return -1;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
flush(struct spool_file *f)
{
	int result;

	if (!buf_ok(&f->pending)) {
		f->error = errno = EFBIG;
		return -1;
	}
	result = write_all(f, f->pending.data, f->pending.len);
	buf_reset(&f->pending);
	return result;
}

int
spool_write(struct spool_file *f, const void *p, size_t len)
{
	if (f->error != 0) {
		errno = f->error;
		return -1;
	}
	if (len == 0)
		return 0;	/* crc32 takes NULL for "begin anew" */
	f->crc = (uint32_t)crc32_z(f->crc, p, len);
	f->size += (int64_t)len;
	if (f->pending.len + len > PENDING_MAX && flush(f) == -1)
		return -1;
	if (len > PENDING_MAX)
		return write_all(f, p, len);
	buf_add(&f->pending, p, len);
	return 0;
}

/* The envelope and its ready line, appended to what stands before them. */
static int
add_envelope(const struct spool_file *f, const struct envelope *e,
    struct buf *out)
{
	size_t before = out->len;

	if (envelope_encode(e, out) == -1)
		return -1;
	if (!buf_ok(out)) {
		errno = EFBIG;
		return -1;
	}
	envelope_ready(out, (uint32_t)crc32_z(f->crc,
	    (const unsigned char *)out->data + before, out->len - before));
	return 0;
}

/* Nobody can write to it, nor make it longer or shorter, nor change that. */
#define SEALS	(F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

int
spool_in_memory(const struct spool_file *f, const struct envelope *e)
{
	struct buf all = BUF_CAPPED(f->pending.max);
	int fd = -1, saved;

	if (f->size != (int64_t)f->pending.len || f->error != 0) {
		errno = EFBIG;
		return -1;
	}
	buf_add(&all, buf_str(&f->pending), f->pending.len);
	if (add_envelope(f, e, &all) == 0 && (fd = memory_new("message")) != -1 &&
	    (write(fd, all.data, all.len) != (ssize_t)all.len ||
	    fcntl(fd, F_ADD_SEALS, SEALS) == -1)) {
		saved = errno;
		(void)close(fd);
		fd = -1;
		errno = saved;
	}
	buf_release(&all);
	return fd;
}

bool
spool_is_in_memory(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	return seals != -1 && (seals & SEALS) == SEALS;
}

/*
 * From one name to the other, in one step, and never over a message that is
 * there: no two IDs agree, but what they name is somebody's mail.
 */
static int
rename_new(int dir, const char *from, const char *to)
{
	struct stat st;

	if (renameat2(dir, from, dir, to, RENAME_NOREPLACE) == 0)
		return 0;
	/* NFS and others cannot promise that: ask first. */
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (fstatat(dir, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return renameat(dir, from, dir, to);
}

/* Gives the file the name by which it is a message. */
static int
link_file(struct spool_file *f)
{
	char name[SPOOL_NAME_MAX + 1], tmp[TMP_NAME_MAX + 1], self[32];

	spool_name(name, f->id, f->size);
	if (f->named) {
		/* One name at any time, so that a crash leaves no pair. */
		tmp_name(tmp, f->id);
		if (rename_new(f->dir, tmp, name) == -1)
			return -1;
	} else {
		(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", f->fd);
		if (linkat(AT_FDCWD, self, f->dir, name,
		    AT_SYMLINK_FOLLOW) == -1)
			return -1;
	}
	f->linked = true;
	return 0;
}

/*
 * Some file systems tell of a failed write only at close().  The file must
 * stay open, because its lock goes with it: so a duplicate is closed.
 */
static int
check_close(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy == -1 ? -1 : close(copy);
}

static void
take_away(struct spool_file *f)
{
	char name[SPOOL_NAME_MAX + 1];

	if (f->linked)
		spool_name(name, f->id, f->size);
	else if (f->named)
		tmp_name(name, f->id);
	else
		return;		/* it never had a name */
	(void)unlinkat(f->dir, name, 0);
	f->linked = f->named = false;
}

/* Content before name: right on every file system. */
static int
commit_in_two(struct spool_file *f)
{
	if (fsync(f->fd) == -1 || check_close(f->fd) == -1 ||
	    link_file(f) == -1)
		return -1;
	return fsync(f->dir);
}

/*
 * The name first; the one flush then takes both (never fdatasync: that may
 * leave the name out).  A cut before it can leave a name without its content,
 * which the ready line betrays.
 */
static int
commit_in_one(struct spool_file *f)
{
	if (link_file(f) == -1 || fsync(f->fd) == -1)
		return -1;
	return check_close(f->fd);
}

/* The rest of the message, the envelope, and what is known of its outcome. */
static int
write_pending(struct spool_file *f, const struct envelope *e)
{
	if (add_envelope(f, e, &f->pending) == -1)
		return -1;
	buf_add(&f->pending, buf_str(&f->outcomes), f->outcomes.len);
	return flush(f);
}

/*
 * No fsync is ever repeated: after a failure the kernel may have forgotten the
 * pages that did not reach the disk, and a second call would say "fine".
 */
int
spool_commit(struct spool_file *f, const struct envelope *e)
{
	int saved;

	assert(!f->committed);
	if (f->error == 0 && write_pending(f, e) == 0 &&
	    (f->one_flush ? commit_in_one(f) : commit_in_two(f)) == 0) {
		f->committed = true;
		return 0;
	}
	saved = f->error != 0 ? f->error : errno;
	f->error = saved;
	take_away(f);
	errno = saved;
	return -1;
}

void
spool_file_close(struct spool_file *f)
{
	int saved = errno;

	if (f->fd != -1) {
		if (!f->committed)
			take_away(f);
		(void)close(f->fd);
		f->fd = -1;
	}
	buf_release(&f->pending);
	buf_release(&f->outcomes);
	errno = saved;
}
