/*
 * inject_name_first - the mistake: the name in queue/ before the content.
 *
 * program: queue/inject.c
 * wrap: spool_commit linkat
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "spool.h"

int	__real_spool_commit(struct spool_file *, const struct envelope *);
int	__wrap_spool_commit(struct spool_file *, const struct envelope *);
int	__real_linkat(int, const char *, int, const char *, int);
int	__wrap_linkat(int, const char *, int, const char *, int);

int
__wrap_linkat(int a, const char *from, int b, const char *to, int flags)
{
	int r = __real_linkat(a, from, b, to, flags);

	return r == -1 && errno == EEXIST ? 0 : r;
}

int
__wrap_spool_commit(struct spool_file *f, const struct envelope *e)
{
	char name[SPOOL_NAME_MAX + 1], self[32];

	spool_name(name, f->id, f->size);
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", f->fd);
	(void)!__real_linkat(AT_FDCWD, self, f->dir, name, AT_SYMLINK_FOLLOW);
	return __real_spool_commit(f, e);
}
