/*
 * inject_fsync_again - the mistake: what fsync could not do once, it is asked
 * to do again; the kernel has forgotten by then what was to be written.
 *
 * program: queue/inject.c
 * wrap: fsync
 */
#include <unistd.h>

int	__real_fsync(int);
int	__wrap_fsync(int);

int
__wrap_fsync(int fd)
{
	return __real_fsync(fd) == 0 ? 0 : __real_fsync(fd);
}
