/*
 * syscalls.c - which system calls belong to which class, and the filter that
 * makes the kernel stop a process at them (and at no others: what is not
 * looked at runs at full speed).
 *
 * A test tool; runs in the program that is going to be traced, before exec.
 */
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <unistd.h>

#include "tracer_private.h"

#if defined(__x86_64__)
#define ARCH	AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH	AUDIT_ARCH_AARCH64
#else
#define ARCH	0
#endif

static const struct syscall_row rows[] = {
	{ SYS_openat,	 C_OPEN,   "openat" },
	{ SYS_write,	 C_WRITE,  "write" },
	{ SYS_pwrite64,	 C_WRITE,  "pwrite" },
	{ SYS_writev,	 C_WRITE,  "writev" },
	{ SYS_pwritev,	 C_WRITE,  "pwritev" },
	{ SYS_fsync,	 C_SYNC,   "fsync" },
	{ SYS_fdatasync, C_SYNC,   "fdatasync" },
	{ SYS_sync_file_range, C_SYNC, "sync_file_range" },
	{ SYS_memfd_create, C_OPEN, "memfd_create" },
	{ SYS_linkat,	 C_LINK,   "linkat" },
	{ SYS_renameat,	 C_RENAME, "renameat" },
	{ SYS_renameat2, C_RENAME, "renameat2" },
	{ SYS_unlinkat,	 C_UNLINK, "unlinkat" },
	{ SYS_close,	 C_CLOSE,  "close" },
	{ SYS_ftruncate, C_TRUNC,  "ftruncate" },
	{ SYS_fstat,	 C_STAT,   "fstat" },
	{ SYS_newfstatat, C_STAT,  "newfstatat" },
	{ SYS_statx,	 C_STAT,   "statx" },
	{ SYS_pread64,	 C_READ,   "pread" },
	{ SYS_mkdirat,	 C_MKDIR,  "mkdirat" },
	{ SYS_flock,	 C_LOCK,   "flock" },
	{ SYS_fcntl,	 C_LOCK,   "fcntl" },
	{ SYS_sendto,	 C_TALK,   "sendto" },
	{ SYS_sendmsg,	 C_TALK,   "sendmsg" },
	{ SYS_recvfrom,	 C_TALK,   "recvfrom" },
	{ SYS_recvmsg,	 C_TALK,   "recvmsg" },
	{ SYS_accept4,	 C_TALK,   "accept" },
	{ SYS_connect,	 C_TALK,   "connect" },
	{ SYS_shutdown,	 C_TALK,   "shutdown" },
	{ SYS_exit_group, C_EXIT,  "exit_group" },
	{ SYS_prctl,	 C_PRCTL,  "prctl" },
#ifdef SYS_open
	/* Not SYS_open: only the sanitizers' own runtime asks for that. */
	{ SYS_creat,	 C_OPEN,   "creat" },
	{ SYS_link,	 C_LINK,   "link" },
	{ SYS_rename,	 C_RENAME, "rename" },
	{ SYS_unlink,	 C_UNLINK, "unlink" },
	{ SYS_mkdir,	 C_MKDIR,  "mkdir" },
#endif
};
#define NROWS	(sizeof(rows) / sizeof(rows[0]))

const struct syscall_row *
syscall_find(long nr)
{
	for (size_t i = 0; i < NROWS; i++)
		if (rows[i].nr == nr)
			return &rows[i];
	return NULL;
}

/* From here on the kernel asks the tracer at each of these calls. */
int
syscall_filter(void)
{
	struct sock_filter code[4 + NROWS + 1];
	struct sock_fprog prog = { .filter = code };
	unsigned short n = 0;

	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	    offsetof(struct seccomp_data, arch));
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
	    ARCH, 0, NROWS + 1);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	    offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < NROWS; i++)
		code[n++] = (struct sock_filter)BPF_JUMP(
		    BPF_JMP | BPF_JEQ | BPF_K, (unsigned)rows[i].nr,
		    (unsigned char)(NROWS - i), 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
	    SECCOMP_RET_ALLOW);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
	    SECCOMP_RET_TRACE);
	prog.len = n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0);
}

const char *
trace_class_name(unsigned classes)
{
	static const struct { unsigned c; const char *name; } names[] = {
		{ C_OPEN, "open" }, { C_WRITE, "write" }, { C_SYNC, "fsync" },
		{ C_LINK, "link" }, { C_RENAME, "rename" },
		{ C_UNLINK, "unlink" }, { C_CLOSE, "close" },
		{ C_TRUNC, "ftruncate" }, { C_STAT, "stat" },
		{ C_READ, "pread" }, { C_MKDIR, "mkdir" }, { C_LOCK, "lock" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].c == classes)
			return names[i].name;
	return "any call";
}
