/* privdrop.h - giving root up for good. */
#ifndef LIB_PRIVDROP_H
#define LIB_PRIVDROP_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Becomes uid/gid with no other groups, shut inside `jail` (NULL: no chroot),
 * without capabilities (bounding set included), new privileges or core dumps,
 * not dumpable; proves that the way back is closed.
 * 0, or -1 with errno (EINVAL for uid or gid 0); after -1 the caller must exit.
 */
int	privdrop(uid_t, gid_t, const char *jail) __attribute__((warn_unused_result));
/*
 * The same, between fork and exec.  With may_jail the program gets
 * CAP_SYS_CHROOT along, and nothing else, for privdrop_jail().
 */
int	privdrop_for_exec(uid_t, gid_t, bool may_jail) __attribute__((warn_unused_result));
/*
 * Empties the bounding set alone, once for all children: for who will exec
 * nothing.  The capabilities we have we keep.  0, or -1 with errno.
 */
int	privdrop_bounding(void) __attribute__((warn_unused_result));
/* Were we given the right to shut ourselves in? */
bool	privdrop_may_jail(void);
/* Shuts this process inside dir and gives that right away; proves it. 0, or -1 with errno. */
int	privdrop_jail(const char *dir) __attribute__((warn_unused_result));
/*
 * What every program does first: umask 077, SIGPIPE ignored, fds 0-2 open, no
 * core dumps, and not dumpable if it was started without new privileges.  Dies
 * if it cannot.
 */
void	process_init(void);
#endif
