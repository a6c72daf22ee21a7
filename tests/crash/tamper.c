/*
 * tamper.c - what is done to one system call: it fails, is cut short, or says
 * that it has succeeded.  A disk that fails loses something: a failing fsync or
 * close takes the bytes along that were on their way, and that of a directory
 * the name that was made last.  So a program that does not look, or asks a
 * second time, is left with a message that is not whole.
 *
 * A test tool; runs in the tracer.
 */
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tracer_private.h"

/* ---- registers --------------------------------------------------------- */

int
regs_get(pid_t pid, regs_t *r)
{
	struct iovec iov = { r, sizeof(*r) };

	return (int)ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov);
}

int
regs_set(pid_t pid, const regs_t *r)
{
	regs_t copy = *r;
	struct iovec iov = { &copy, sizeof(copy) };

	return (int)ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &iov);
}

#if defined(__x86_64__)
long
regs_nr(const regs_t *r)
{
	return (long)r->orig_rax;
}

uint64_t
regs_arg(const regs_t *r, unsigned i)
{
	const unsigned long long arg[] = { r->rdi, r->rsi, r->rdx, r->r10,
	    r->r8, r->r9 };

	return arg[i];
}

static void
set_arg(regs_t *r, unsigned i, uint64_t v)
{
	unsigned long long *arg[] = { &r->rdi, &r->rsi, &r->rdx, &r->r10,
	    &r->r8, &r->r9 };

	*arg[i] = v;
}

static void
set_result(regs_t *r, int64_t v)
{
	r->rax = (unsigned long long)v;
}

static int64_t
get_result(const regs_t *r)
{
	return (int64_t)r->rax;
}
#else
long
regs_nr(const regs_t *r)
{
	return (long)r->regs[8];
}

uint64_t
regs_arg(const regs_t *r, unsigned i)
{
	return r->regs[i];
}

static void
set_arg(regs_t *r, unsigned i, uint64_t v)
{
	r->regs[i] = v;
}

static void
set_result(regs_t *r, int64_t v)
{
	r->regs[0] = (uint64_t)v;
}

static int64_t
get_result(const regs_t *r)
{
	return (int64_t)r->regs[0];
}
#endif

/* ---- what it takes along ----------------------------------------------- */

/* A regular file that it may write to; its inode, else 0. */
static uint64_t
file_behind(const struct proc *p, int fd, struct stat *st)
{
	char path[64], line[128];
	unsigned flags = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)p->pid, fd);
	if (fd <= 2 || stat(path, st) == -1 || !S_ISREG(st->st_mode))
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)p->pid,
	    fd);
	if ((f = fopen(path, "re")) == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "flags: %o", &flags) == 1)
			break;
	(void)fclose(f);
	return (flags & O_ACCMODE) != O_RDONLY ? (uint64_t)st->st_ino : 0;
}

/* The second half of the file's bytes never reached the disk. */
static void
lose_bytes(const struct proc *p, int fd, off_t size)
{
	static const char zeros[4096];
	char path[64];
	int copy;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)p->pid, fd);
	copy = open(path, O_WRONLY | O_CLOEXEC);
	for (off_t at = size / 2; copy != -1 && at < size;) {
		size_t n = size - at < (off_t)sizeof(zeros) ?
		    (size_t)(size - at) : sizeof(zeros);

		if (pwrite(copy, zeros, n, at) != (ssize_t)n)
			break;
		at += (off_t)n;
	}
	if (copy != -1)
		(void)close(copy);
}

static void
lose(struct proc *p, const struct syscall_row *row, const regs_t *r)
{
	int fd = (int)regs_arg(r, 0);
	struct stat st;
	uint64_t ino;

	/* The queue only appends to what was durable before it came. */
	if (strcmp(p->name, "queue") == 0)
		return;
	ino = file_behind(p, fd, &st);
	/* What the first close reported well is not lost by the second. */
	if (ino != 0 && (row->class == C_SYNC || ino != p->closed))
		lose_bytes(p, fd, st.st_size);
	else if (row->class == C_SYNC && p->link[0] != '\0') {
		(void)unlink(p->link);
		p->link[0] = '\0';
	}
}

/* ---- what to remember -------------------------------------------------- */

static bool
read_string(pid_t pid, uint64_t at, char *out, size_t size)
{
	struct iovec to = { out, size - 1 };
	struct iovec from = { (void *)(uintptr_t)at, size - 1 };
	ssize_t n = process_vm_readv(pid, &to, 1, &from, 1, 0);

	if (n <= 0) {			/* the page's end: a little less */
		size_t page = 4096 - (at & 4095);

		to.iov_len = from.iov_len = page < size ? page : size - 1;
		n = process_vm_readv(pid, &to, 1, &from, 1, 0);
	}
	if (n <= 0)
		return false;
	out[n] = '\0';
	return true;
}

/* The new name of a link or rename, as a path for us. */
static void
note_link(struct proc *p, const regs_t *r, bool at)
{
	char name[256], proc[64], dir[256];
	ssize_t n;
	int fd = at ? (int)regs_arg(r, 2) : AT_FDCWD;

	p->link[0] = '\0';
	if (!read_string(p->pid, regs_arg(r, at ? 3 : 1), name, sizeof(name)))
		return;
	if (fd == AT_FDCWD)
		(void)snprintf(proc, sizeof(proc), "/proc/%d/cwd",
		    (int)p->pid);
	else
		(void)snprintf(proc, sizeof(proc), "/proc/%d/fd/%d",
		    (int)p->pid, fd);
	if ((n = readlink(proc, dir, sizeof(dir) - 1)) <= 0)
		return;
	dir[n] = '\0';
	if (name[0] == '/')
		(void)snprintf(p->link, sizeof(p->link), "%s", name);
	else
		(void)snprintf(p->link, sizeof(p->link), "%s/%s", dir, name);
}

void
tamper_note(struct proc *p, const struct syscall_row *row, const regs_t *r)
{
	struct stat st;
	uint64_t ino;

	if (row->class == C_LINK || row->class == C_RENAME)
		note_link(p, r, strstr(row->name, "at") != NULL);
	/* An inode's number may be used again for the next file. */
	if (row->class == C_OPEN)
		p->closed = 0;
	if (row->class == C_CLOSE &&
	    (ino = file_behind(p, (int)regs_arg(r, 0), &st)) != 0)
		p->closed = ino;
}

void
tamper_watch(const struct proc *p, const regs_t *r)
{
	regs_t changed = *r;

	if (regs_arg(r, 0) != PR_SET_DUMPABLE || regs_arg(r, 1) != 0)
		return;
	set_arg(&changed, 1, 1);
	(void)regs_set(p->pid, &changed);
}

/* ---- the deed ---------------------------------------------------------- */

/* Bytes of a writev, as it would report them. */
static int64_t
vector_bytes(pid_t pid, const regs_t *r)
{
	struct iovec v[16], to = { v, sizeof(v) };
	size_t n = regs_arg(r, 2) < 16 ? (size_t)regs_arg(r, 2) : 16;
	struct iovec from = { (void *)(uintptr_t)regs_arg(r, 1),
	    n * sizeof(v[0]) };
	int64_t sum = 0;

	to.iov_len = from.iov_len;
	if (process_vm_readv(pid, &to, 1, &from, 1, 0) == -1)
		return 0;
	for (size_t i = 0; i < n; i++)
		sum += (int64_t)v[i].iov_len;
	return sum;
}

static bool
is_vector(const struct syscall_row *row)
{
	return strchr(row->name, 'v') != NULL;
}

bool
tamper_do(struct proc *p, const struct syscall_row *row, const regs_t *r,
    enum tamper tamper, int error)
{
	regs_t changed = *r;

	if (tamper == T_SHORT) {
		if (regs_arg(r, 2) < 2)
			return false;
		set_arg(&changed, 2, regs_arg(r, 2) / 2);
		p->report = false;
	} else {
		if (row->class == C_SYNC || row->class == C_CLOSE)
			lose(p, row, r);
		/* On Linux a failing close has closed all the same. */
		for (unsigned i = 0; row->class != C_CLOSE && i < 6; i++)
			set_arg(&changed, i, UINT64_MAX);
		p->report = true;
		p->result = -error;
		if (tamper == T_LIE && row->class != C_WRITE)
			p->result = 0;
		else if (tamper == T_LIE)
			p->result = is_vector(row) ? vector_bytes(p->pid, r) :
			    (int64_t)regs_arg(r, 2);
	}
	p->regs = *r;
	p->tampered = true;
	/*
	 * The call itself is left in place, with arguments that make it fail:
	 * so a filter of the program's own finds nothing new.
	 */
	(void)regs_set(p->pid, &changed);
	return true;
}

void
tamper_done(struct proc *p)
{
	regs_t now;
	int64_t result;

	p->tampered = false;
	if (regs_get(p->pid, &now) == -1)
		return;
	result = p->report ? p->result : get_result(&now);
	for (unsigned i = 0; i < 6; i++)
		set_arg(&now, i, regs_arg(&p->regs, i));
	set_result(&now, result);
	(void)regs_set(p->pid, &now);
}
