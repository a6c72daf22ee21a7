/*
 * home.c - finds the home of a mailbox, and makes that of a virtual user.
 *
 * Privilege: the mailbox owner (never root, except in single-uid mode).
 * Way 6 of 8.  From: deliver.c, launch.c.  To: maildir_deliver.c.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "beneath.h"
#include "local.h"
#include "who.h"

int
verdict_set(struct verdict *v, enum outcome outcome, const char *enh,
    const char *fmt, ...)
{
	va_list ap;

	v->outcome = outcome;
	v->enh = enh;
	buf_reset(&v->text);
	va_start(ap, fmt);
	buf_vaddf(&v->text, fmt, ap);
	va_end(ap);
	return -1;
}

/* Nothing the local system says is for ever: each of these can be mended. */
int
verdict_errno(struct verdict *v, const char *what)
{
	int error = errno;
	const char *enh = "4.3.0";

	if (error == EDQUOT)
		enh = "4.2.2";
	else if (error == ENOSPC || error == EFBIG)
		enh = "4.3.1";
	else if (error == EACCES || error == EPERM || error == ELOOP ||
	    error == ENOTDIR || error == ENOENT || error == EROFS)
		enh = "4.3.5";
	return verdict_set(v, DEFERRED, enh, "%s: %s", what, strerror(error));
}

uid_t
owner_uid(void)
{
	static uid_t uid = (uid_t)-1;

	if (uid == (uid_t)-1)
		uid = geteuid();
	return uid;
}

static int
open_dir(int at, const char *path)
{
	return openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/*
 * Makes the directory and its name durable; one that another made meanwhile
 * will do.
 */
static int
make_dir(int at, const char *name)
{
	if (mkdirat(at, name, 0700) == -1)
		return errno == EEXIST ? 0 : -1;
	return fsync(at);
}

/*
 * Walks down from base, making what is missing.  `below` is relative and free
 * of "..".  Links are not followed: nobody but owners makes names here.
 */
static int
make_below(const char *base, const char *below)
{
	struct buf part = BUF_INIT;
	int dir, next, saved;

	if (mkdir(base, 0700) == -1 && errno != EEXIST)
		return -1;
	dir = open_dir(AT_FDCWD, base);
	while (dir != -1 && *below != '\0') {
		size_t len = strcspn(below, "/");

		buf_reset(&part);
		buf_add(&part, below, len);
		below += len + strspn(below + len, "/");
		next = make_dir(dir, buf_str(&part)) == -1 ? -1 :
		    beneath_open(dir, buf_str(&part), O_RDONLY | O_DIRECTORY,
		    0);
		saved = errno;
		(void)close(dir);
		errno = saved;
		dir = next;
	}
	buf_release(&part);
	return dir;
}

/*
 * A home of somebody else, one that others may write, or one that its owner
 * holds by its sticky bit, waits.
 */
static int
home_check(int fd, const char *home, struct verdict *v)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return verdict_errno(v, home);
	/* Root's will do: sftp jails are. */
	if (st.st_uid != owner_uid() && st.st_uid != 0)
		return verdict_set(v, DEFERRED, "4.3.5",
		    "%s: belongs to somebody else", home);
	if (st.st_mode & S_IWOTH)
		return verdict_set(v, DEFERRED, "4.3.5",
		    "%s: everyone may write there", home);
	if (st.st_mode & S_ISVTX)
		return verdict_set(v, DEFERRED, "4.2.1",
		    "%s: held by its owner (sticky bit)", home);
	return 0;
}

int
home_open(const char *mail, const char *home, struct verdict *v)
{
	size_t len = strlen(mail);
	int fd;

	if (!is_home(home))
		return verdict_set(v, DEFERRED, "4.3.5",
		    "the home directory is no absolute path");
	fd = open_dir(AT_FDCWD, home);
	if (fd == -1 && errno == ENOENT && strncmp(home, mail, len) == 0 &&
	    home[len] == '/')
		fd = make_below(mail, home + len + strspn(home + len, "/"));
	if (fd == -1)
		return verdict_errno(v, home);
	if (home_check(fd, home, v) == -1) {
		(void)close(fd);
		return -1;
	}
	return fd;
}
