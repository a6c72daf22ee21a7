/* tracer_private.h - what tracer.c, tamper.c and syscalls.c share. */
#ifndef CRASH_TRACER_PRIVATE_H
#define CRASH_TRACER_PRIVATE_H

#include <sys/user.h>

#include "tracer.h"

#if defined(__x86_64__)
typedef struct user_regs_struct regs_t;
#else
typedef struct user_pt_regs regs_t;	/* <asm/ptrace.h> */
#endif

struct syscall_row {
	long	 nr;
	unsigned class;
	const char *name;
};

/* In memory shared by the test and its tracer. */
struct board {
	atomic_int generation;	/* of the rule; odd while it is being changed */
	char	 program[16];
	unsigned classes;
	enum tamper tamper;
	int	 error, nth;
	atomic_int seen;
	atomic_bool fired;
	char	 what[96];
	atomic_int status;	/* of the first program; -1: it runs */
};

/* A traced process (or thread). */
struct proc {
	pid_t	 pid;		/* 0: a free place */
	char	 name[16];	/* base name of its executable */
	bool	 tampered;	/* at work in a call that we changed: */
	regs_t	 regs;		/* as they were before that */
	int64_t	 result;	/* what is reported instead; */
	bool	 report;	/* if so */
	char	 link[512];	/* the name it has made last */
	uint64_t closed;	/* inode of the file it has closed well last */
};

const struct syscall_row *syscall_find(long nr);
int	 syscall_filter(void);

int	 regs_get(pid_t, regs_t *);
int	 regs_set(pid_t, const regs_t *);
long	 regs_nr(const regs_t *);
uint64_t regs_arg(const regs_t *, unsigned i);

/*
 * The process stands before a call.  Notes what later damage needs to know.
 */
void	 tamper_note(struct proc *, const struct syscall_row *, const regs_t *);
/*
 * A prctl: a program that makes itself invisible in /proc (PR_SET_DUMPABLE)
 * would be so to us, too, if we are not root.  Here it stays visible.
 */
void	 tamper_watch(const struct proc *, const regs_t *);
/*
 * Does the rule's deed to the call it stands before.  Returns false when the
 * deed does not apply to this call (a short write of one byte).
 */
bool	 tamper_do(struct proc *, const struct syscall_row *, const regs_t *,
	    enum tamper, int error);
/* The changed call has returned: puts the registers right, and the result. */
void	 tamper_done(struct proc *);
#endif
