/*
 * sandbox_seccomp.c - turns the table of system calls into a BPF program and
 * gives it to the kernel.
 *
 * Runs at the final uid; needs nothing but no_new_privs.
 * Way: everywhere.  From: sandbox.c.
 */
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <errno.h>
#include <unistd.h>

#include "sandbox_private.h"

#if defined(__x86_64__)
#define ARCH	AUDIT_ARCH_X86_64
#define X32	0x40000000u	/* the same calls by other numbers */
#elif defined(__aarch64__)
#define ARCH	AUDIT_ARCH_AARCH64
#endif

/* A test build lives on, to tell that it would have been killed. */
#ifdef FACTEUR_ATTACK
#define DEATH	SECCOMP_RET_TRAP
#else
#define DEATH	SECCOMP_RET_KILL_PROCESS
#endif

#define INSN		sizeof(struct sock_filter)
#define AT(member)	((uint32_t)offsetof(struct seccomp_data, member))

static void
add(struct buf *p, unsigned code, uint32_t k, unsigned jt, unsigned jf)
{
	struct sock_filter f = { (uint16_t)code, (uint8_t)jt, (uint8_t)jf, k };

	buf_add(p, &f, sizeof(f));
}

static void
load(struct buf *p, uint32_t offset)
{
	add(p, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

static void
give(struct buf *p, uint32_t verdict)
{
	add(p, BPF_RET | BPF_K, verdict, 0, 0);
}

/* Falls through to "allow" if the argument is right, else jumps over it. */
static void
add_test(struct buf *p, const struct arg *a)
{
	uint32_t low = AT(args[0]) + a->index * 8, v;
	unsigned n = a->test == T_SELF ? 1 : a->n;

	/* Both machines are little endian: the low half comes first. */
	load(p, low);
	switch (a->test) {
	case T_ANY:
		break;
	case T_SELF:
	case T_ONE_OF:
		for (unsigned i = 0; i < n; i++) {
			v = a->test == T_SELF ? (uint32_t)getpid() : a->v[i];
			add(p, BPF_JMP | BPF_JEQ | BPF_K, v, n - 1 - i,
			    i == n - 1);
		}
		break;
	case T_NO_BITS:
		add(p, BPF_JMP | BPF_JSET | BPF_K, a->v[0], 1, 0);
		break;
	case T_NULL:
		add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3);
		load(p, low + 4);
		add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1);
		break;
	}
}

/* "If it is this call and its argument is right: yes", else on to the next. */
static void
add_call(struct buf *p, const struct call *c)
{
	size_t jump = p->len, over;

	add(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)c->nr, 0, 0);
	if (c->arg != NULL)
		add_test(p, c->arg);
	give(p, SECCOMP_RET_ALLOW);
	if (c->arg != NULL)
		load(p, AT(nr));
	over = (p->len - jump) / INSN - 1;
	p->data[jump + offsetof(struct sock_filter, jf)] = (char)over;
}

static void
begin(struct buf *p)
{
#ifdef ARCH
	load(p, AT(arch));
	add(p, BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	give(p, SECCOMP_RET_KILL_PROCESS);
#endif
	load(p, AT(nr));
#ifdef X32
	add(p, BPF_JMP | BPF_JGE | BPF_K, X32, 0, 1);
	give(p, SECCOMP_RET_KILL_PROCESS);
#endif
}

/* All that `groups` grant, and nothing else. */
static void
compile(struct buf *p, unsigned groups)
{
	begin(p);
	for (size_t i = 0; i < sandbox_ncalls; i++)
		if ((sandbox_calls[i].groups & groups) != 0)
			add_call(p, &sandbox_calls[i]);
	for (size_t i = 0; i < sandbox_nlethal; i++) {
		add(p, BPF_JMP | BPF_JEQ | BPF_K,
		    (uint32_t)sandbox_lethal[i].nr, 0, 1);
		give(p, DEATH);
	}
	/* Its arguments cannot be seen; libc then takes clone(), whose can. */
	add(p, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1);
	give(p, SECCOMP_RET_ERRNO | ENOSYS);
	give(p, SECCOMP_RET_ERRNO | EPERM);
}

/* Does `over` grant this and `groups` not? */
static bool
loses(const struct call *c, unsigned groups, unsigned over)
{
	return (c->groups & over) != 0 && (c->groups & groups) == 0;
}

/* Has an earlier row led to this call? */
static bool
is_told(const struct call *c, unsigned groups, unsigned over)
{
	for (const struct call *p = sandbox_calls; p < c; p++)
		if (p->nr == c->nr && loses(p, groups, over))
			return true;
	return false;
}

/*
 * The same, for a process that is in the filter of `over` already: the kernel
 * asks both and takes the stricter answer.  So this one speaks only of calls
 * of which `over` grants more; to all others it says yes.  (Calls by other
 * numbers are among those.)
 */
static void
compile_over(struct buf *p, unsigned groups, unsigned over)
{
	const struct call *end = sandbox_calls + sandbox_ncalls;

	load(p, AT(nr));
	for (const struct call *c = sandbox_calls; c < end; c++) {
		if (!loses(c, groups, over) || is_told(c, groups, over))
			continue;
		for (const struct call *r = sandbox_calls; r < end; r++)
			if (r->nr == c->nr && (r->groups & groups) != 0)
				add_call(p, r);
		add(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)c->nr, 0, 1);
		give(p, SECCOMP_RET_ERRNO | EPERM);
	}
	give(p, SECCOMP_RET_ALLOW);
}

void
sandbox_filter(enum sandbox kind, enum sandbox over, struct buf *out)
{
	if (over == SANDBOX_KINDS)
		compile(out, sandbox_kinds[kind].calls);
	else
		compile_over(out, sandbox_kinds[kind].calls,
		    sandbox_kinds[over].calls);
}

int
sandbox_seccomp(enum sandbox kind, enum sandbox over)
{
#ifdef ARCH
	struct buf filter = BUF_INIT;
	struct sock_fprog prog;
	int result;

	sandbox_filter(kind, over, &filter);
	prog.len = (unsigned short)(filter.len / INSN);
	prog.filter = (struct sock_filter *)(void *)filter.data;
	result = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
	buf_release(&filter);
	return result;
#else
	(void)kind;
	(void)over;
	errno = ENOSYS;
	return -1;
#endif
}

/* "read write ... socket(unix)", in the order of the table. */
void
sandbox_show_calls(enum sandbox kind, struct buf *out)
{
	const char *blank = "";

	for (size_t i = 0; i < sandbox_ncalls; i++) {
		const struct call *c = &sandbox_calls[i];

		if ((c->groups & sandbox_kinds[kind].calls) == 0)
			continue;
		buf_addf(out, "%s%s", blank, c->name);
		if (c->arg != NULL)
			buf_addf(out, "(%s)", c->arg->says);
		blank = " ";
	}
}
