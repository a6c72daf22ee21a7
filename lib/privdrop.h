/* privdrop.h - giving root up for good. */
#ifndef LIB_PRIVDROP_H
#define LIB_PRIVDROP_H

#include <sys/types.h>

/*
 * Becomes uid/gid with no other groups, shut inside `jail` (NULL: no chroot),
 * without new privileges, not dumpable; proves that the way back is closed.
 * 0, or -1 with errno (EINVAL for uid or gid 0); after -1 the caller must exit.
 */
int	privdrop(uid_t, gid_t, const char *jail) __attribute__((warn_unused_result));
/* What every program does first: umask 077, SIGPIPE ignored, fds 0-2 open, no core dumps. Dies if it cannot. */
void	process_init(void);
#endif
