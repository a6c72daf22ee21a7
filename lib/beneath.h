/* beneath.h - opening what lies below a directory, and nowhere else. */
#ifndef LIB_BENEATH_H
#define LIB_BENEATH_H

#include <sys/types.h>

/*
 * openat() that follows no symbolic link on the whole way and does not leave
 * `dir` (openat2(2), or step by step where the kernel has none).  O_CLOEXEC is
 * added.  fd, or -1 with errno: ELOOP for a link, EXDEV for a way out ("..", an
 * absolute path).
 */
int	beneath_open(int dir, const char *path, int flags, mode_t mode)
	    __attribute__((warn_unused_result));
/* The second way alone, for the tests. */
int	beneath_walk(int dir, const char *path, int flags, mode_t mode)
	    __attribute__((warn_unused_result));
#endif
