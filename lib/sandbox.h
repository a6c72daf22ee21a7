/*
 * sandbox.h - what a program may still ask of the kernel once it has started:
 * files by Landlock, system calls by seccomp, sizes by resource limits.
 *
 * One table (sandbox_table.c) says who may do what; it is what the kernel is
 * told and what `facteur sandbox` prints.  Root is not needed for any of it.
 */
#ifndef LIB_SANDBOX_H
#define LIB_SANDBOX_H

#include <stdbool.h>

#include "buf.h"
#include "config.h"

/*
 * Who enters.  A server that forks has two: the parent, which never reads a
 * stranger's byte, and the child, whose sandbox is laid over the parent's.
 */
enum sandbox {
	SANDBOX_SMTPD, SANDBOX_SMTPD_SESSION,
	SANDBOX_TLSD, SANDBOX_TLSD_SESSION,
	SANDBOX_POP3D, SANDBOX_POP3D_SESSION,
	SANDBOX_INJECT, SANDBOX_INJECT_WORKER,
	SANDBOX_QUEUE,
	SANDBOX_REMOTE, SANDBOX_REMOTE_AGENT,
	SANDBOX_RESOLVE,
	SANDBOX_LAUNCH, SANDBOX_LOCAL, SANDBOX_POP3_MAILBOX,
	SANDBOX_AUTHD, SANDBOX_AUTHD_HASH,
	SANDBOX_KEYD,
	SANDBOX_KINDS
};

/*
 * Enters for good, as the last thing before the first byte of a client; the
 * uid and the root directory are the final ones already.  `home`: the mailbox owner's, for
 * SANDBOX_LOCAL and SANDBOX_POP3_MAILBOX ("." for where we are); else NULL.
 * The process is then called sandbox_name(), with "-" behind it if a layer is
 * missing.  A kernel that lacks one costs one log line for each program; with
 * require_sandbox = yes the process exits EX_CONFIG (78).  A child may give NULL
 * for the config of its parent (and enters nothing if that entered nothing).
 */
void	sandbox_enter(enum sandbox, const struct config *, const char *home);

/* "smtpd:session": at most 14 characters, what ps calls the process. */
const char *sandbox_name(enum sandbox);
/* The other way; *whole_out: no layer is missing. SANDBOX_KINDS: no name of ours. */
enum sandbox sandbox_find(const char *name, bool *whole_out);
/* The Landlock ABI of this kernel; 0: none. */
int	sandbox_landlock_abi(void);
/* What the kernel is told, for people; appended, lines without end.  From the same tables. */
void	sandbox_show_files(enum sandbox, const struct config *, struct buf *);
void	sandbox_show_net(enum sandbox, struct buf *);
void	sandbox_show_calls(enum sandbox, struct buf *);
void	sandbox_show_limits(enum sandbox, struct buf *);
#endif
