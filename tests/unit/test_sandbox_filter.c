/*
 * test_sandbox_filter.c - a child's seccomp filter is laid over its parent's
 * and speaks only of the calls that it loses: is the answer to every call the
 * one that its whole list would give?
 */
#include <sys/mman.h>
#include <sys/socket.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox_private.h"

/* What the kernel would answer. */
static uint32_t
verdict(const struct sock_filter *f, const struct seccomp_data *d)
{
	uint32_t a = 0;

	for (;; f++) {
		bool yes;

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, (const char *)d + f->k, sizeof(a));
			continue;
		case BPF_RET | BPF_K:
			return f->k;
		case BPF_JMP | BPF_JEQ | BPF_K:
			yes = a == f->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			yes = a >= f->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			yes = (a & f->k) != 0;
			break;
		default:
			fail_msg("unknown instruction");
			return 0;
		}
		f += yes ? f->jt : f->jf;
	}
}

/* Of the parent's answer and the child's the kernel takes the stricter. */
static uint32_t
stricter(uint32_t parent, uint32_t child)
{
	return (int32_t)(child & SECCOMP_RET_ACTION_FULL) <=
	    (int32_t)(parent & SECCOMP_RET_ACTION_FULL) ? child : parent;
}

static const struct family {
	enum sandbox parent, child;
} families[] = {
	{ SANDBOX_SMTPD, SANDBOX_SMTPD_SESSION },
	{ SANDBOX_POP3D, SANDBOX_POP3D_SESSION },
	{ SANDBOX_TLSD, SANDBOX_TLSD_SESSION },
	{ SANDBOX_INJECT, SANDBOX_INJECT_WORKER },
	{ SANDBOX_REMOTE, SANDBOX_REMOTE_AGENT },
	{ SANDBOX_LAUNCH, SANDBOX_LOCAL },
	{ SANDBOX_LAUNCH, SANDBOX_POP3_MAILBOX },
	{ SANDBOX_AUTHD, SANDBOX_AUTHD_HASH },
};

static struct sock_filter whole_of[1024], short_of[1024], parent_of[1024];

/* Its length in instructions. */
static size_t
filter(struct sock_filter *to, enum sandbox kind, enum sandbox over)
{
	struct buf b = BUF_INIT;
	size_t n;

	sandbox_filter(kind, over, &b);
	n = b.len / sizeof(*to);
	assert_true(n <= 1024 && b.len % sizeof(*to) == 0);
	memcpy(to, b.data, b.len);
	buf_release(&b);
	return n;
}

/* One call, with one argument that is `value` and others that are 0. */
static void
ask_both(int nr, unsigned index, uint64_t value, uint32_t arch)
{
	struct seccomp_data d = { .nr = nr, .arch = arch };
	uint32_t parent;

	d.args[index] = value;
	parent = verdict(parent_of, &d);
	if (stricter(parent, verdict(whole_of, &d)) !=
	    stricter(parent, verdict(short_of, &d)))
		fail_msg("call %d, argument %u = %llu", nr, index,
		    (unsigned long long)value);
}

static void
ask_about(int nr)
{
	static const uint64_t odd[] = { 0, 1, 2, UINT32_MAX, 1ull << 32,
	    PROT_EXEC | PROT_READ, MSG_FASTOPEN, CLONE_NEWUSER | SIGCHLD };
	const struct arg *a;

	for (unsigned i = 0; i < 6; i++) {
		for (unsigned j = 0; j < sizeof(odd) / sizeof(odd[0]); j++)
			ask_both(nr, i, odd[j], AUDIT_ARCH_X86_64);
		ask_both(nr, i, (uint64_t)getpid(), AUDIT_ARCH_X86_64);
		ask_both(nr, i, (uint64_t)getppid(), AUDIT_ARCH_X86_64);
		ask_both(nr, i, 0, AUDIT_ARCH_AARCH64);
		ask_both(nr, i, 0, AUDIT_ARCH_I386);
	}
	for (size_t i = 0; i < sandbox_ncalls; i++) {
		if (sandbox_calls[i].nr != nr ||
		    (a = sandbox_calls[i].arg) == NULL)
			continue;
		for (unsigned j = 0; j < a->n; j++) {
			ask_both(nr, a->index, a->v[j], AUDIT_ARCH_X86_64);
			ask_both(nr, a->index, a->v[j], AUDIT_ARCH_AARCH64);
		}
	}
}

static void
a_childs_short_filter_says_what_the_whole_one_would(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		const struct family *f = &families[i];
		size_t all, few;

		(void)filter(parent_of, f->parent, SANDBOX_KINDS);
		all = filter(whole_of, f->child, SANDBOX_KINDS);
		few = filter(short_of, f->child, f->parent);
		assert_true(few * 2 < all);
		for (int nr = -1; nr < 1024; nr++)
			ask_about(nr);
		for (int nr = 0; nr < 1024; nr++)	/* x32 */
			ask_both(0x40000000 | nr, 0, 0, AUDIT_ARCH_X86_64);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_childs_short_filter_says_what_the_whole_one_would),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
