/*
 * maildir_find.c - was this delivered before?  The name in a Maildir carries
 * the queue ID and the recipient's number, so a delivery whose `done` was lost
 * in a crash is found again, also when a mail program has moved it on.
 *
 * Privilege: the mailbox owner.  Asked for repeats alone (INTERNALS 2.6): it
 * costs a look at every name in the Maildir.
 * Way 6 of 8.  From: deliver.c.  To: new/ and cur/ of the Maildir.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "beneath.h"
#include "local.h"

/* Is the second part of this name "Q<ID>R<n>", whatever stands around it? */
static bool
is_it(const char *name, const char *part)
{
	const char *dot = strchr(name, '.');

	return dot != NULL && dot != name &&
	    strncmp(dot, part, strlen(part)) == 0;
}

/* Looks at every name of one directory, which is closed here. */
static int
find_in(struct maildir_file *m, int fd, const char *where, const char *part)
{
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *d;
	int found = 0, saved;

	if (dir == NULL) {
		saved = errno;
		if (fd != -1)
			(void)close(fd);
		errno = saved;
		/* What is missing holds nothing. */
		return fd == -1 && errno == ENOENT ? 0 : -1;
	}
	while ((errno = 0, d = readdir(dir)) != NULL)
		if (is_it(d->d_name, part)) {
			buf_reset(&m->name);
			buf_addf(&m->name, "%s/%s", where, d->d_name);
			found = 1;
			break;
		}
	/* Its maker may have died before the name was on disk. */
	if (errno != 0 || (found == 1 && fsync(dirfd(dir)) == -1))
		found = -1;
	saved = errno;
	(void)closedir(dir);
	errno = saved;
	return found;
}

int
maildir_find(struct maildir_file *m, int at, const char *name, const char *id,
    unsigned n)
{
	static const char *const dirs[] = { "new", "cur" };
	struct buf part = BUF_INIT, path = BUF_INIT;
	int found = 0;

	buf_addf(&part, ".Q%sR%u.", id, n);
	/* In the order in which a mail program moves it: it cannot slip by. */
	for (int i = 0; i < 2 && found == 0; i++) {
		buf_reset(&path);
		buf_addf(&path, "%s/%s", name, dirs[i]);
		found = find_in(m, beneath_open(at, buf_str(&path), O_RDONLY |
		    O_DIRECTORY, 0), dirs[i], buf_str(&part));
	}
	buf_release(&part);
	buf_release(&path);
	return found;
}
