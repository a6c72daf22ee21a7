/* sandbox_private.h - the tables behind sandbox.h, for sandbox*.c only. */
#ifndef LIB_SANDBOX_PRIVATE_H
#define LIB_SANDBOX_PRIVATE_H

#include <stddef.h>
#include <stdint.h>

#include "sandbox.h"

/* Groups of system calls. */
#define C_BASE		0x01u	/* memory, time, its own descriptors */
#define C_CONNECT	0x02u	/* to our own sockets */
#define C_NET		0x04u	/* to the Internet */
#define C_ACCEPT	0x08u
#define C_FORK		0x10u	/* children, and putting them in their sandbox */
#define C_READ		0x20u	/* files by name */
#define C_WRITE		0x40u
#define C_WATCH		0x80u	/* inotify */
#define C_OWNER		0x100u	/* becoming somebody else */
#define C_CALM		0x200u	/* has no children: signals itself alone */

enum test { T_ANY, T_ONE_OF, T_NO_BITS, T_NULL, T_SELF };

/* What an argument has to be. */
struct arg {
	unsigned index;
	enum test test;
	uint32_t v[12];		/* T_ONE_OF: values; T_NO_BITS: v[0] */
	unsigned n;
	const char *says;	/* "unix", for people */
};

struct call {
	int	 nr;
	const char *name;
	unsigned groups;	/* any of them will do */
	const struct arg *arg;	/* NULL: any */
};

extern const struct call sandbox_calls[];
extern const size_t sandbox_ncalls;
/* These end the process: nobody calls them by accident. */
struct lethal { int nr; const char *name; };
extern const struct lethal sandbox_lethal[];
extern const size_t sandbox_nlethal;

/* Places of the file system. */
enum place {
	P_SPOOL, P_CONFDIR, P_ETC, P_RESOLV, P_CERT, P_CERT_REAL,
	P_KEY, P_KEY_REAL, P_STATS, P_MAIL, P_HOME, P_ROOT
};
enum reach { READ, WRITE };	/* WRITE: make, change and remove too */

struct path_rule {
	enum sandbox who;
	enum place place;
	enum reach reach;
};

extern const struct path_rule sandbox_paths[];
extern const size_t sandbox_npaths;

struct kind {
	const char *name;
	unsigned calls;		/* groups */
	unsigned nofile;	/* 0: as it is */
	unsigned megabytes;	/* address space; 0: as it is */
	bool	 alone;		/* forks nothing: NPROC 0 */
	bool	 no_files;	/* writes none: FSIZE 0 */
};

extern const struct kind sandbox_kinds[SANDBOX_KINDS];

/* The directory a place means now, or "" when there is none. Appended. */
void	sandbox_place(enum place, const struct config *, const char *home, struct buf *);
/*
 * 0, or -1 with errno: this layer is missing.  `over`: what the process is in
 * already (its parent's); SANDBOX_KINDS: nothing.
 */
int	sandbox_seccomp(enum sandbox, enum sandbox over) __attribute__((warn_unused_result));
int	sandbox_landlock(enum sandbox, const struct config *, const char *home) __attribute__((warn_unused_result));
int	sandbox_limits(enum sandbox) __attribute__((warn_unused_result));
/* Would Landlock for this one take nothing away from a child of `over`? */
bool	sandbox_same_walls(enum sandbox, enum sandbox over);
/* Appends the filter that sandbox_seccomp() gives to the kernel: struct sock_filter, one after the other. For tests. */
void	sandbox_filter(enum sandbox, enum sandbox over, struct buf *out);
#ifdef FACTEUR_ATTACK
/* tests/attack/attack.c: does from the inside what an intruder would. */
void	attack(enum sandbox, const struct config *);
#endif
#endif
