/*
 * edit.c - a new version of CONFDIR/users, put in place in one step.
 *
 * Runs as the administrator (root, or the owner of the file).  New file in
 * the same directory, fsync, rename, fsync of the directory: authd sees the
 * old table or the new one, also after a power cut.
 *
 * Way: beside it.  From: auth/passwd.c.  To: CONFDIR/users.
 */
#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "edit.h"
#include "userdb.h"

#define TMP	".users.new"	/* only the holder of the lock makes it */

static bool
line_is(const char *line, size_t len, const char *address)
{
	struct user u;
	bool is;

	if (userdb_parse_line(line, len, &u) != 1)
		return false;
	is = strcmp(u.address, address) == 0;
	user_release(&u);
	return is;
}

/* The line with another hash; its uid, home and so on stay. */
static void
line_with(const char *line, size_t len, const char *hash, struct buf *out)
{
	const char *colon = memchr(line, ':', len);
	size_t before = (size_t)(colon - line) + 1;
	const char *rest = memchr(colon + 1, ':', len - before);

	buf_add(out, line, before);
	buf_adds(out, hash);
	if (rest != NULL)
		buf_add(out, rest, (size_t)(line + len - rest));
	else if (line[len - 1] == '\r')
		buf_addc(out, '\r');
}

int
users_rewrite(const char *text, size_t len, const char *address,
    const char *hash, struct buf *out)
{
	const char *p, *lf, *end = text + len;
	int found = 0;

	for (p = text; p < end; p = lf + 1) {
		if ((lf = memchr(p, '\n', (size_t)(end - p))) == NULL)
			lf = end;
		if (!line_is(p, (size_t)(lf - p), address)) {
			buf_add(out, p, (size_t)(lf - p));
			buf_addc(out, '\n');
			continue;
		}
		/* Of two lines only the first counts: change it, drop both. */
		if (hash != NULL && !found) {
			line_with(p, (size_t)(lf - p), hash, out);
			buf_addc(out, '\n');
		}
		found = 1;
	}
	if (!found && hash != NULL)
		buf_addf(out, "%s:%s\n", address, hash);
	return found;
}

/* The file's text; nothing when there is none. 0, or -1 with errno. */
static int
read_file(int dir, const char *name, struct buf *out)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY), saved;
	ssize_t n = -1;
	char *p;

	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	errno = EFBIG;
	while ((p = buf_room(out, 16384)) != NULL &&
	    (n = read(fd, p, 16384)) > 0)
		out->len += (size_t)n;
	saved = errno;
	(void)close(fd);
	errno = saved;
	return p != NULL && n == 0 ? 0 : -1;
}

static int
write_all(int fd, const char *p, size_t len)
{
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n) {
		n = write(fd, p, len);
		if (n == -1 && errno == EINTR)
			n = 0;
		else if (n == -1)
			return -1;
	}
	return 0;
}

/* On a host with walls authd must be able to read it, and nobody else. */
static int
give_away(const struct config *cfg, int fd)
{
	const struct passwd *pw;

	if (!cfg->as_root || geteuid() != 0)
		return 0;
	if ((pw = getpwnam("facteur-auth")) == NULL)
		return 0;
	return fchown(fd, pw->pw_uid, pw->pw_gid);
}

static int
replace(const struct config *cfg, int dir, const char *name,
    const struct buf *text)
{
	int fd, saved;

	if (unlinkat(dir, TMP, 0) == -1 && errno != ENOENT)
		return -1;
	fd = openat(dir, TMP, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	if (write_all(fd, buf_str(text), text->len) == -1 ||
	    give_away(cfg, fd) == -1 || fsync(fd) == -1) {
		saved = errno;
		(void)close(fd);
		goto fail;
	}
	if (close(fd) == -1 || renameat(dir, TMP, dir, name) == -1) {
		saved = errno;
		goto fail;
	}
	return fsync(dir);
fail:
	(void)unlinkat(dir, TMP, 0);
	errno = saved;
	return -1;
}

/* Reads, changes and replaces; the caller holds the lock on the directory. */
static int
edit_locked(const struct config *cfg, int dir, const char *name,
    const char *address, const char *hash)
{
	struct buf old = BUF_INIT, new = BUF_INIT;
	int found = -1;

	if (read_file(dir, name, &old) == 0) {
		found = users_rewrite(buf_str(&old), old.len, address, hash,
		    &new);
		if (!buf_ok(&new)) {
			errno = EFBIG;
			found = -1;
		} else if ((found || hash != NULL) &&
		    replace(cfg, dir, name, &new) == -1)
			found = -1;
	}
	buf_release(&old);
	buf_release(&new);
	return found;
}

int
users_edit(const struct config *cfg, const char *path, const char *address,
    const char *hash)
{
	/* Behind a symbolic link the file itself is replaced. */
	char *real = realpath(path, NULL), *a, *b;
	int dir, saved, found = -1;

	if (real == NULL && errno != ENOENT)
		return -1;
	a = xstrdup(real != NULL ? real : path);
	b = xstrdup(a);
	dir = open(dirname(a), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir != -1 && flock(dir, LOCK_EX) == 0)
		found = edit_locked(cfg, dir, basename(b), address, hash);
	saved = errno;
	if (dir != -1)
		(void)close(dir);
	free(real);
	free(a);
	free(b);
	errno = saved;
	return found;
}
