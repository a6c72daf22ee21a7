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
#include <stdlib.h>
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

#define INSNS	1024
#define AT(member)	((uint32_t)offsetof(struct seccomp_data, member))

struct program {
	struct sock_filter v[INSNS];
	unsigned short n;
};

static void
add(struct program *p, unsigned code, uint32_t k, unsigned jt, unsigned jf)
{
	if (p->n == INSNS)
		abort();	/* the table has outgrown us */
	p->v[p->n++] = (struct sock_filter){ (uint16_t)code, (uint8_t)jt,
	    (uint8_t)jf, k };
}

static void
load(struct program *p, uint32_t offset)
{
	add(p, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

static void
give(struct program *p, uint32_t verdict)
{
	add(p, BPF_RET | BPF_K, verdict, 0, 0);
}

/* Falls through to "allow" if the argument is right, else jumps over it. */
static void
add_test(struct program *p, const struct arg *a)
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
add_call(struct program *p, const struct call *c)
{
	unsigned short jump = p->n;

	add(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)c->nr, 0, 0);
	if (c->arg != NULL)
		add_test(p, c->arg);
	give(p, SECCOMP_RET_ALLOW);
	if (c->arg != NULL)
		load(p, AT(nr));
	p->v[jump].jf = (uint8_t)(p->n - jump - 1);
}

static void
compile(struct program *p, unsigned groups)
{
	p->n = 0;
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

int
sandbox_seccomp(enum sandbox kind)
{
#ifdef ARCH
	static struct program p;
	struct sock_fprog prog = { .filter = p.v };

	compile(&p, sandbox_kinds[kind].calls);
	prog.len = p.n;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
#else
	(void)kind;
	(void)compile;
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
