/* verify.h - passwords of the host's own users, tried by a child that has stayed root. */
#ifndef AUTH_VERIFY_H
#define AUTH_VERIFY_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Forks the child, while we are root ourselves.  The descriptor of its socket
 * (SOCK_SEQPACKET): "user NUL password" in, one byte out, '1' for the right
 * one.  It ends when the other end is closed.  -1 with errno.
 */
int	verify_start(pid_t *pid_out) __attribute__((warn_unused_result));
/* Is this the user's password, and is the account alive?  Needs root. */
bool	verify_password(const char *user, const char *password);
#endif
