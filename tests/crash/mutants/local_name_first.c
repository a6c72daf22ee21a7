/*
 * local_name_first - the mistake: the name in new/ before the content.
 *
 * program: local/local.c
 * wrap: write linkat
 */
#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

ssize_t	__real_write(int, const void *, size_t);
ssize_t	__wrap_write(int, const void *, size_t);
int	__real_linkat(int, const char *, int, const char *, int);
int	__wrap_linkat(int, const char *, int, const char *, int);

static char early[600];

int
__wrap_linkat(int a, const char *from, int b, const char *to, int flags)
{
	if (early[0] != '\0')
		return 0;
	return __real_linkat(a, from, b, to, flags);
}

/* Before its first byte a nameless file has a name in new/. */
ssize_t
__wrap_write(int fd, const void *p, size_t len)
{
	char self[64], path[512];
	struct stat st;
	ssize_t n;
	char *new;

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (early[0] == '\0' && fstat(fd, &st) == 0 && st.st_nlink == 0 &&
	    (n = readlink(self, path, sizeof(path) - 1)) > 0) {
		path[n] = '\0';
		if ((new = strstr(path, "/new/#")) != NULL) {
			*new = '\0';
			(void)snprintf(early, sizeof(early), "%s/new/1.early",
			    path);
			(void)!__real_linkat(AT_FDCWD, self, AT_FDCWD, early,
			    AT_SYMLINK_FOLLOW);
		}
	}
	return __real_write(fd, p, len);
}
