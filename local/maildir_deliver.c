/*
 * maildir_deliver.c - writes one message into one Maildir, durably.
 *
 * Privilege: the mailbox owner.  Order of a commit: the bytes, their fsync, the
 * name in new/, the fsync of new/; less where the file system keeps that order
 * by itself (INTERNALS 3.6).  Never the name first: nothing guards a Maildir
 * against half a message (DESIGN section 5).
 * Way 6 of 8.  From: deliver.c.  To: Maildir/new, read by pop3d/drop.c.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "beneath.h"
#include "local.h"

#define BLOCK	(64 * 1024)	/* bytes written at once */

/*
 * The new/ that was looked at last, with all that is around it.  While it is
 * the same directory, that need not be seen again for each message.
 */
static struct { dev_t dev; ino_t ino; } seen;

static int
open_dir(int at, const char *name)
{
	return beneath_open(at, name, O_RDONLY | O_DIRECTORY, 0);
}

/* What belongs to someone else is closed and refused. */
static int
keep_ours(int fd, struct stat *st)
{
	int saved;

	if (fstat(fd, st) == 0) {
		if (st->st_uid == owner_uid())
			return fd;
		errno = EPERM;
	}
	saved = errno;
	(void)close(fd);
	errno = saved;
	return -1;
}

/*
 * Opens one directory, making it if it is missing (and its name durable: a
 * message is no safer than the way to it).  A link, or what belongs to
 * someone else, is refused: it would lead the mail to another's Maildir.
 */
static int
open_ours(int at, const char *name)
{
	int fd = open_dir(at, name);
	struct stat st;

	if (fd == -1 && errno == ENOENT) {
		if (mkdirat(at, name, 0700) == -1 && errno != EEXIST)
			return -1;
		if (fsync(at) == -1)
			return -1;
		fd = open_dir(at, name);
	}
	return fd == -1 ? -1 : keep_ours(fd, &st);
}

/* Opens all of a Maildir, made where it is missing. */
static int
open_whole(struct maildir_file *m, int at, const char *name,
    struct verdict *v)
{
	struct stat st;
	int cur;

	if ((m->dir = open_ours(at, name)) == -1)
		return verdict_errno(v, name);
	if ((m->tmp = open_ours(m->dir, "tmp")) == -1)
		return verdict_errno(v, "Maildir/tmp");
	if (m->new == -1 && (m->new = open_ours(m->dir, "new")) == -1)
		return verdict_errno(v, "Maildir/new");
	if ((cur = open_ours(m->dir, "cur")) == -1)
		return verdict_errno(v, "Maildir/cur");
	(void)close(cur);
	if (fstat(m->new, &st) == -1)
		return verdict_errno(v, "Maildir/new");
	m->dev = seen.dev = st.st_dev;
	seen.ino = st.st_ino;
	return 0;
}

/* Without /proc a nameless file could not be linked later. */
static bool
has_proc(void)
{
	static enum { UNKNOWN, MISSING, THERE } proc;

	if (proc == UNKNOWN)
		proc = access("/proc/self/fd", X_OK) == 0 ? THERE : MISSING;
	return proc == THERE;
}

/*
 * A file without a name; it need not come from tmp/, for nobody sees it.  1,
 * 0: there are none here, -1 with errno.
 */
static int
open_nameless(struct maildir_file *m)
{
	if (!has_proc())
		return 0;
	m->fd = openat(m->new, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (m->fd != -1)
		return 1;
	return errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT ||
	    errno == EINVAL ? 0 : -1;
}

/* One in tmp/, with a name nobody can guess. */
static int
open_named(struct maildir_file *m)
{
	char name[32];

	id_new(name);
	m->fd = openat(m->tmp, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (m->fd == -1)
		return -1;
	buf_adds(&m->tmpname, name);
	return 0;
}

/* new/ alone, if it is the one that was seen: most deliveries need no more. */
static bool
open_known(struct maildir_file *m, int at, const char *name)
{
	struct buf path = BUF_INIT;
	struct stat st;

	buf_addf(&path, "%s/new", name);
	m->new = open_dir(at, buf_str(&path));
	buf_release(&path);
	if (m->new == -1 || (m->new = keep_ours(m->new, &st)) == -1)
		return false;
	if (st.st_dev == seen.dev && st.st_ino == seen.ino) {
		m->dev = st.st_dev;
		return true;
	}
	(void)close(m->new);
	m->new = -1;
	return false;
}

int
maildir_begin(struct maildir_file *m, int at, const char *name,
    struct verdict *v)
{
	int rc;

	*m = (struct maildir_file)MAILDIR_FILE_INIT;
	wire_count_init(&m->wire);
	if (!open_known(m, at, name) && open_whole(m, at, name, v) == -1)
		return -1;
	if ((rc = open_nameless(m)) == -1)
		return verdict_errno(v, "Maildir/new");
	if (rc == 0) {
		if (m->tmp == -1 && open_whole(m, at, name, v) == -1)
			return -1;
		if (open_named(m) == -1)
			return verdict_errno(v, "Maildir/tmp");
	}
	m->block = xmalloc(BLOCK);
	return 0;
}

static int
flush_block(struct maildir_file *m)
{
	const char *p = m->block;

	while (m->used > 0) {
		ssize_t n = write(m->fd, p, m->used);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		p += n;
		m->used -= (size_t)n;
	}
	return 0;
}

static void
count(struct maildir_file *m, size_t n)
{
	wire_count(&m->wire, m->block + m->used, n);
	m->used += n;
	m->size += (int64_t)n;
}

int
maildir_write(struct maildir_file *m, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len > 0) {
		size_t n = BLOCK - m->used < len ? BLOCK - m->used : len;

		memcpy(m->block + m->used, p, n);
		count(m, n);
		p += n;
		len -= n;
		if (m->used == BLOCK && flush_block(m) == -1)
			return -1;
	}
	return 0;
}

ssize_t
maildir_copy(struct maildir_file *m, int fd, int64_t at, int64_t left)
{
	size_t room = BLOCK - m->used;
	ssize_t n;

	if ((int64_t)room > left)
		room = (size_t)left;
	do
		n = pread(fd, m->block + m->used, room, at);
	while (n == -1 && errno == EINTR);
	if (n <= 0)
		return n;
	count(m, (size_t)n);
	if (m->used == BLOCK && flush_block(m) == -1)
		return -1;
	return n;
}

/* 0: linked now.  1: it was there before.  -1: errno. */
static int
link_name(struct maildir_file *m)
{
	char path[64];
	int rc;

	if (m->tmpname.len > 0)
		rc = linkat(m->tmp, m->tmpname.data, m->new, m->name.data, 0);
	else {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", m->fd);
		rc = linkat(AT_FDCWD, path, m->new, m->name.data,
		    AT_SYMLINK_FOLLOW);
	}
	return rc == -1 && errno == EEXIST ? 1 : rc;
}

/* Takes the name in new/ away again; the error that led here counts. */
static int
unlink_name(struct maildir_file *m)
{
	int saved = errno;

	(void)unlinkat(m->new, m->name.data, 0);
	errno = saved;
	return -1;
}

/*
 * The bytes, before the name.  Where order is kept it is enough that the
 * device has them: it writes them down before the journal has the name.
 */
static int
write_out(const struct maildir_file *m)
{
	if (m->ordered)
		return sync_file_range(m->fd, 0, 0,
		    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
		    SYNC_FILE_RANGE_WAIT_AFTER);
	return fsync(m->fd);
}

/*
 * And the name, also one that was there: its maker may have died right behind
 * link.
 */
static int
flush_name(const struct maildir_file *m, int there)
{
	if (!m->ordered || (m->alone && there))
		return fsync(m->new);
	return m->alone ? fsync(m->fd) : 0;
}

int
maildir_commit(struct maildir_file *m, const char *id, unsigned n,
    const char *host)
{
	int fd, there;

	if (flush_block(m) == -1 || write_out(m) == -1)
		return -1;
	buf_reset(&m->name);
	maildir_name(&m->name, id, n, host, m->size, wire_count_end(&m->wire));
	if ((there = link_name(m)) == -1)
		return -1;
	if (flush_name(m, there) == -1)
		return there ? -1 : unlink_name(m);
	fd = m->fd;
	m->fd = -1;
	if (close(fd) == -1 && !there)
		return unlink_name(m);
	return 0;
}

void
maildir_end(struct maildir_file *m)
{
	int saved = errno;

	if (m->tmpname.len > 0)
		(void)unlinkat(m->tmp, m->tmpname.data, 0);
	if (m->fd != -1)
		(void)close(m->fd);
	if (m->tmp != -1)
		(void)close(m->tmp);
	if (m->new != -1)
		(void)close(m->new);
	if (m->dir != -1)
		(void)close(m->dir);
	free(m->block);
	buf_release(&m->tmpname);
	buf_release(&m->name);
	*m = (struct maildir_file)MAILDIR_FILE_INIT;
	errno = saved;
}
