/*
 * beneath.c - opening what lies below a directory, and nowhere else: the way
 * into a Maildir, whose owner may put there what he likes.
 *
 * Runs as the mailbox owner.
 * Way 6 and 8 of 8.  From: local, pop3d.  To: Maildir.
 */
#include <sys/syscall.h>

#include <linux/openat2.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "beneath.h"
#include "buf.h"

/* One component.  With O_DIRECTORY a link would be ENOTDIR: say what it is. */
static int
step(int dir, const char *name, size_t len, int flags, mode_t mode)
{
	struct buf part = BUF_INIT;
	char link;
	int fd, saved;

	buf_add(&part, name, len);
	fd = openat(dir, buf_str(&part), flags | O_NOFOLLOW | O_CLOEXEC, mode);
	saved = errno;
	if (fd == -1 && saved == ENOTDIR &&
	    readlinkat(dir, part.data, &link, 1) != -1)
		saved = ELOOP;
	buf_release(&part);
	errno = saved;
	return fd;
}

int
beneath_walk(int dir, const char *path, int flags, mode_t mode)
{
	int at = dir, fd, saved;

	if (*path == '/') {
		errno = EXDEV;
		return -1;
	}
	for (;; at = fd) {
		size_t len = strcspn(path, "/");
		const char *rest = path + len + strspn(path + len, "/");

		if (len == 2 && memcmp(path, "..", 2) == 0) {
			errno = EXDEV;
			fd = -1;
		} else {
			fd = step(at, path, len, *rest == '\0' ? flags :
			    O_PATH | O_DIRECTORY, mode);
		}
		saved = errno;
		if (at != dir)
			(void)close(at);
		errno = saved;
		if (fd == -1 || *rest == '\0')
			return fd;
		path = rest;
	}
}

int
beneath_open(int dir, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.mode = (flags & O_CREAT) != 0 ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
		    RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));

	/* EPERM: a container's filter from before 2020. */
	if (fd == -1 && (errno == ENOSYS || errno == EPERM))
		return beneath_walk(dir, path, flags, mode);
	return fd;
}
