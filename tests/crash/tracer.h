/*
 * tracer.h - runs programs under ptrace and meddles with the n-th system call
 * of one of them: it fails, writes short, or the process is killed there.
 */
#ifndef CRASH_TRACER_H
#define CRASH_TRACER_H

#include <sys/types.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Classes of system calls; a rule counts the calls of a set of them. */
enum {
	C_OPEN	 = 0x001,	/* openat, creat */
	C_WRITE	 = 0x002,	/* write, pwrite64, writev, pwritev */
	C_SYNC	 = 0x004,	/* fsync, fdatasync */
	C_LINK	 = 0x008,	/* link, linkat */
	C_RENAME = 0x010,
	C_UNLINK = 0x020,
	C_CLOSE	 = 0x040,
	C_TRUNC	 = 0x080,	/* ftruncate */
	C_STAT	 = 0x100,	/* fstat, newfstatat, statx */
	C_READ	 = 0x200,	/* pread64: of message files only */
	C_MKDIR	 = 0x400,
	C_LOCK	 = 0x800,	/* flock, fcntl */
	C_TALK	 = 0x1000,	/* send*, recv*, accept, connect, shutdown */
	C_EXIT	 = 0x2000,	/* exit_group */
	C_PRCTL	 = 0x4000	/* prctl: never counted, see tamper_watch() */
};
/*
 * Where a kill can make a difference: whatever lies between two of these calls
 * is seen by nobody, so killing before each of them is killing everywhere.
 */
#define C_VISIBLE	(C_OPEN | C_WRITE | C_SYNC | C_LINK | C_RENAME | \
			 C_UNLINK | C_CLOSE | C_TRUNC | C_MKDIR | C_LOCK | \
			 C_TALK | C_EXIT)

enum tamper {
	T_FAIL,			/* returns `error`; what a disk loses then is lost */
	T_SHORT,		/* writes half of it */
	T_LIE,			/* as T_FAIL, but success is reported */
	T_KILL			/* SIGKILL instead of the call */
};

struct rule {
	const char *program;	/* base name of the executable */
	unsigned classes;
	enum tamper tamper;
	int	 error;
	int	 nth;		/* from 1, since trace_arm() */
};

struct trace {
	pid_t	 tracer;	/* our child, which traces; 0: none */
	struct board *board;	/* shared with it */
};

/* How a program is started. Descriptors are borrowed; -1: /dev/null. */
struct start {
	char *const *argv;
	int	 in, out, err;
	uid_t	 uid;		/* 0: as we are */
};

/* Can we trace here at all? Else errno. */
bool	 trace_works(void);
/* Starts the tracer and under it the program. The rule may be NULL. */
void	 trace_start(struct trace *, const struct start *, const struct rule *);
/* Counts anew, with this rule, or with none (NULL). */
void	 trace_arm(struct trace *, const struct rule *);
/* Has the rule struck? */
bool	 trace_fired(const struct trace *);
/* Which call it was: "inject: fsync" ; "" when none. */
const char *trace_what(const struct trace *);
/* Calls counted since the rule was armed. */
int	 trace_seen(const struct trace *);
/* Waits for the program's end: its wait status, -1 after `seconds`. */
int	 trace_wait(struct trace *, int seconds);
/* Kills what is left, all of it. */
void	 trace_end(struct trace *);
/* The strings of `classes` for people: "fsync". */
const char *trace_class_name(unsigned classes);
#endif
