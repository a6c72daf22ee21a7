/*
 * queue_remove_first - the mistake: the file is removed when the message is
 * handed to an agent.
 *
 * program: queue/queue.c
 * wrap: open
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int	__real_open(const char *, int, ...);
int	__wrap_open(const char *, int, ...);

/* The one file that is opened so is the message for an agent. */
int
__wrap_open(const char *path, int flags, ...)
{
	int fd = __real_open(path, flags, 0600);
	char name[512];
	ssize_t n;

	if (fd != -1 && strncmp(path, "/proc/self/fd/", 14) == 0 &&
	    (n = readlink(path, name, sizeof(name) - 1)) > 0) {
		name[n] = '\0';
		(void)unlink(name);
	}
	return fd;
}
