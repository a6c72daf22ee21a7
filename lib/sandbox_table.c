/*
 * sandbox_table.c - who may do what: one row for each program, each group of
 * system calls, each place of the file system.
 *
 * Nothing here acts.  sandbox_seccomp.c, sandbox_landlock.c and sandbox.c tell
 * the kernel what stands here; `facteur sandbox` tells people.  A child whose
 * row grants what its parent's grants stays in its parent's Landlock ruleset,
 * and its filter speaks only of calls that its parent has and it has not.
 * Way: everywhere, before the first byte of a stranger.
 */
#include "sandbox_private.h"

#define TALK	(C_BASE | C_CALM)	/* with descriptors it has got */
#define MASTER	(C_BASE | C_FORK | C_ACCEPT)
/* It accepts its one client itself, and has no listener afterwards. */
#define GUEST	(TALK | C_CONNECT | C_ACCEPT)

const struct kind sandbox_kinds[SANDBOX_KINDS] = {
	/* name, calls, nofile, megabytes, alone, no_files */
	[SANDBOX_SMTPD] = { "smtpd", MASTER | C_CONNECT,
	    256, 512, false, true },
	[SANDBOX_SMTPD_SESSION] = { "smtpd:session", GUEST, 96, 512, true, true },
	[SANDBOX_POP3D] = { "pop3d", MASTER | C_CONNECT,
	    256, 512, false, true },
	[SANDBOX_POP3D_SESSION] = { "pop3d:session", GUEST, 96, 512, true, true },
	[SANDBOX_TLSD] = { "tlsd", MASTER | C_CONNECT,
	    256, 512, false, true },
	[SANDBOX_TLSD_SESSION] = { "tlsd:session", GUEST, 96, 512, true, true },
	[SANDBOX_INJECT] = { "inject",
	    MASTER | C_CONNECT | C_READ | C_WRITE, 0, 1024, false, false },
	[SANDBOX_INJECT_WORKER] = { "inject:worker",
	    TALK | C_ACCEPT | C_CONNECT | C_READ | C_WRITE,
	    64, 1024, true, false },
	[SANDBOX_QUEUE] = { "queue",
	    TALK | C_ACCEPT | C_CONNECT | C_READ | C_WRITE | C_WATCH,
	    0, 4096, true, false },
	[SANDBOX_REMOTE] = { "remote",
	    MASTER | C_CONNECT | C_NET | C_READ, 256, 1024, false, true },
	[SANDBOX_REMOTE_AGENT] = { "remote:agent",
	    TALK | C_CONNECT | C_NET, 64, 1024, true, true },
	[SANDBOX_RESOLVE] = { "resolve",
	    TALK | C_ACCEPT | C_CONNECT | C_READ, 0, 2048, true, true },
	[SANDBOX_LAUNCH] = { "launch",
	    MASTER | C_CONNECT | C_READ | C_WRITE | C_OWNER,
	    256, 1024, false, false },
	[SANDBOX_LOCAL] = { "local", TALK | C_READ | C_WRITE,
	    64, 1024, true, false },
	[SANDBOX_POP3_MAILBOX] = { "pop3:mailbox", TALK | C_READ | C_WRITE,
	    64, 1024, true, false },
	[SANDBOX_AUTHD] = { "authd", MASTER | C_CONNECT | C_READ,
	    0, 1024, false, true },
	/* yescrypt and argon2 take some memory. */
	[SANDBOX_AUTHD_HASH] = { "authd:hash", TALK, 16, 2048, true, true },
	[SANDBOX_KEYD] = { "keyd", TALK | C_ACCEPT | C_READ,
	    0, 512, true, true },
};

/*
 * Directories, because a file that is replaced is another file: the rule on the
 * old one would not find it.  Sockets need no rule.
 */
const struct path_rule sandbox_paths[] = {
	{ SANDBOX_INJECT, P_SPOOL, WRITE },
	{ SANDBOX_INJECT_WORKER, P_SPOOL, WRITE },
	{ SANDBOX_QUEUE, P_SPOOL, WRITE },
	{ SANDBOX_QUEUE, P_CONFDIR, READ },	/* sites */
	{ SANDBOX_QUEUE, P_STATS, WRITE },
	{ SANDBOX_REMOTE, P_ETC, READ },	/* resolv.conf, hosts */
	{ SANDBOX_REMOTE, P_RESOLV, READ },
	{ SANDBOX_RESOLVE, P_CONFDIR, READ },	/* aliases */
	{ SANDBOX_LAUNCH, P_ROOT, WRITE },	/* but nothing is executed */
	{ SANDBOX_LOCAL, P_MAIL, WRITE },
	{ SANDBOX_LOCAL, P_HOME, WRITE },
	{ SANDBOX_POP3_MAILBOX, P_HOME, WRITE },
	{ SANDBOX_AUTHD, P_CONFDIR, READ },	/* users */
	{ SANDBOX_AUTHD, P_ETC, READ },		/* passwd */
	{ SANDBOX_KEYD, P_CERT, READ },		/* to notice new ones */
	{ SANDBOX_KEYD, P_CERT_REAL, READ },
	{ SANDBOX_KEYD, P_KEY, READ },
	{ SANDBOX_KEYD, P_KEY_REAL, READ },
};
const size_t sandbox_npaths = sizeof(sandbox_paths) / sizeof(sandbox_paths[0]);
