/*
 * drop.c - the maildrop: lock, content, sizes, unique ids, deleting.
 *
 * Way 8 of 8, as the mailbox owner.  From: Maildir/new and cur.  To:
 * session.c.  What lies in a Maildir is its owner's, and may be anything:
 * links, pipes, names with newlines.
 */
#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "beneath.h"
#include "drop.h"
#include "maildir.h"

#define LOCK_NAME	".pop3.lock"

/* Makes the name of an open directory durable. */
static int
sync_name(int fd)
{
	int saved, rc, up = openat(fd, "..", O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC);

	if (up == -1)
		return -1;
	rc = fsync(up);
	saved = errno;
	close(up);
	errno = saved;
	return rc;
}

static int
open_any(int at, const char *name, int flags, mode_t mode)
{
	return openat(at, name, flags, mode);
}

/*
 * Opens a directory, making it where it is missing.  local takes one that is
 * there for durable and puts messages into it, so that it has to be.
 */
static int
open_dir(int at, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	/* An absolute path is that of a caller who knows what he says. */
	int (*way)(int, const char *, int, mode_t) =
	    *name == '/' ? open_any : beneath_open;
	int saved, fd = way(at, name, flags, 0);

	if (fd != -1 || errno != ENOENT)
		return fd;
	if (mkdirat(at, name, 0700) == -1 && errno != EEXIST)
		return -1;
	fd = way(at, name, flags, 0);
	if (fd != -1 && sync_name(fd) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/*
 * RFC 1939 section 3 asks for an exclusive lock.  This one belongs to the open
 * file, so it cannot outlive a session that was killed.
 */
static int
lock(struct drop *d)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	d->lock = beneath_open(d->dir, LOCK_NAME,
	    O_RDWR | O_CREAT | O_NONBLOCK, 0600);
	if (d->lock == -1)
		return -1;
	if (fcntl(d->lock, F_OFD_SETLK, &fl) == 0)
		return 0;
	if (errno == EACCES)
		errno = EWOULDBLOCK;
	return -1;
}

static void
close_fd(int *fd)
{
	if (*fd != -1)
		(void)close(*fd);
	*fd = -1;
}

int
drop_open(struct drop *d, const char *maildir)
{
	int tmp;

	*d = (struct drop){ .dir = -1, .sub = { -1, -1 }, .lock = -1 };
	if ((d->dir = open_dir(AT_FDCWD, maildir)) == -1 || lock(d) == -1 ||
	    (tmp = open_dir(d->dir, "tmp")) == -1)
		return -1;
	close_fd(&tmp);
	if ((d->sub[DROP_NEW] = open_dir(d->dir, "new")) == -1 ||
	    (d->sub[DROP_CUR] = open_dir(d->dir, "cur")) == -1)
		return -1;
	d->block = xmalloc(DROP_BLOCK);
	return drop_list_scan(&d->list, d->sub, d->looked);
}

void
drop_close(struct drop *d)
{
	int saved = errno;

	close_fd(&d->lock);
	close_fd(&d->sub[DROP_NEW]);
	close_fd(&d->sub[DROP_CUR]);
	close_fd(&d->dir);
	drop_list_release(&d->list);
	free(d->block);
	d->block = NULL;
	errno = saved;
}

bool
drop_has(const struct drop *d, size_t i)
{
	return i < d->list.n && !d->list.v[i].deleted && !d->list.v[i].gone;
}

/*
 * Looks again where the messages are.  1: done; 0: neither directory has
 * changed since the last look, so that a client asking for what is gone does
 * not make us read them again and again; -1 with errno.
 */
static int
look_again(struct drop *d)
{
	struct drop_list now = { .names = BUF_INIT };
	struct timespec looked[2];
	bool changed = false;
	struct stat st;

	for (int i = DROP_NEW; i <= DROP_CUR; i++) {
		if (fstat(d->sub[i], &st) == -1)
			return -1;
		changed |= st.st_mtim.tv_sec != d->looked[i].tv_sec ||
		    st.st_mtim.tv_nsec != d->looked[i].tv_nsec;
	}
	if (!changed)
		return 0;
	if (drop_list_scan(&now, d->sub, looked) == -1) {
		drop_list_release(&now);
		return -1;
	}
	memcpy(d->looked, looked, sizeof(looked));
	drop_list_follow(&d->list, &now);
	drop_list_release(&now);
	return 1;
}

/* No link is followed, no pipe waited for. */
static int
open_msg(const struct drop *d, const struct drop_msg *m)
{
	int saved, fd = beneath_open(d->sub[m->where], drop_name(&d->list, m),
	    O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == 0) {
		if (S_ISREG(st.st_mode))
			return fd;
		errno = EINVAL;
	}
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* Errors that the next session would meet as well. */
static bool
is_lasting(int error)
{
	return error == ENOENT || error == ELOOP || error == EINVAL ||
	    error == EACCES || error == EPERM || error == ENXIO ||
	    error == EISDIR;
}

int
drop_read(struct drop *d, size_t i)
{
	struct drop_msg *m = &d->list.v[i];
	int fd = open_msg(d, m);

	if (fd == -1 && errno == ENOENT) {
		int again = look_again(d);

		if (again == -1)
			return -1;
		errno = ENOENT;
		if (again == 1)
			fd = open_msg(d, m);
	}
	if (fd == -1 && is_lasting(errno))
		m->gone = true;
	return fd;
}

int64_t
drop_size(struct drop *d, size_t i)
{
	struct drop_msg *m = &d->list.v[i];
	struct wire_count w;
	ssize_t n;
	int fd, saved;

	if (m->wire >= 0)
		return m->wire;
	if ((fd = drop_read(d, i)) == -1)
		return -1;
	wire_count_init(&w);
	while ((n = read(fd, d->block, DROP_BLOCK)) > 0)
		wire_count(&w, d->block, (size_t)n);
	saved = errno;
	close(fd);
	errno = saved;
	if (n == -1)
		return -1;
	return m->wire = wire_count_end(&w);
}

int
drop_measure(struct drop *d)
{
	if (d->measured)
		return 0;
	for (size_t i = 0; i < d->list.n; i++)
		if (drop_has(d, i) && drop_size(d, i) == -1 &&
		    !d->list.v[i].gone)
			return -1;
	d->measured = true;
	return 0;
}

/* 160 bits of SHA-256, in base32 (RFC 4648, lower case): 32 characters. */
static void
hash_text(const char *s, size_t len, char out[UIDL_MAX + 1])
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned char sum[SHA256_DIGEST_LENGTH];
	SHA2_CTX ctx;
	unsigned acc = 0, bits = 0;

	SHA256Init(&ctx);
	SHA256Update(&ctx, (const unsigned char *)s, len);
	SHA256Final(sum, &ctx);
	for (size_t i = 0; i < 20; i++) {
		acc = acc << 8 | sum[i];
		for (bits += 8; bits >= 5; bits -= 5)
			*out++ = digits[acc >> (bits - 5) & 31];
	}
	*out = '\0';
}

/*
 * The unique part of the name never changes, and needs no index that could get
 * lost.  Of several messages with the same unique part only the first can have
 * it: clients take two messages with one id for one.  The others' whole name is
 * used; it changes with their flags, but then a message is at
 * worst fetched again, never overlooked.
 */
void
drop_uidl(const struct drop *d, size_t i, char out[UIDL_MAX + 1])
{
	const struct drop_msg *m = &d->list.v[i];
	const char *name = drop_name(&d->list, m);
	struct buf path = BUF_INIT;

	if (m->extra) {
		buf_adds(&path, m->where == DROP_NEW ? "new/" : "cur/");
		buf_adds(&path, name);
		hash_text(path.data, path.len, out);
		buf_release(&path);
	} else if (!m->plain) {
		hash_text(name, m->unique_len, out);
	} else {
		memcpy(out, name, m->unique_len);
		out[m->unique_len] = '\0';
	}
}

/*
 * Removes what it can.  *missing_out: some were not where they had been.
 * Returns how many failed otherwise, and the last reason in *error_out.
 */
static size_t
remove_marked(struct drop *d, bool *missing_out, int *error_out)
{
	size_t left = 0;

	*missing_out = false;
	for (size_t i = 0; i < d->list.n; i++) {
		struct drop_msg *m = &d->list.v[i];
		const char *name = drop_name(&d->list, m);

		if (!m->deleted || m->gone)
			continue;
		if (unlinkat(d->sub[m->where], name, 0) == 0) {
			m->gone = true;
		} else if (errno == ENOENT) {
			*missing_out = true;
		} else {
			*error_out = errno;
			left++;
		}
	}
	return left;
}

/*
 * Not made durable: after a crash a deleted message may come back, which is
 * a nuisance; the other way round it would be a loss.
 */
size_t
drop_commit(struct drop *d)
{
	bool missing;
	int again, error = 0;
	size_t left = remove_marked(d, &missing, &error);

	if (missing) {
		/* flags were changed: one more look for all of them */
		if ((again = look_again(d)) == 1) {
			left = remove_marked(d, &missing, &error);
		} else if (again == -1) {
			error = errno;
			left++;
		}
	}
	errno = error;
	return left;
}
