/*
 * tracer.c - a process that runs the programs of a test under ptrace, follows
 * their forks, counts the system calls of a class in one of them, and meddles
 * with the n-th.  It is the test's child; the rule lies in shared memory, so
 * that it can change while the system runs.  When the tracer ends, the kernel
 * kills all that it traced: nothing is left behind, whatever happens.
 *
 * A test tool.  From: fail.c, kill.c.  To: tamper.c.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "tracer_private.h"

#define PROCS	512
#define OPTIONS	(PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | \
		 PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | \
		 PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD | \
		 PTRACE_O_EXITKILL)

static struct proc procs[PROCS];
static struct board *board;

/* ---- in the tracer ----------------------------------------------------- */

static void
read_name(struct proc *p)
{
	char path[64], exe[512];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)p->pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = '\0';
	(void)snprintf(p->name, sizeof(p->name), "%.15s",
	    strrchr(exe, '/') != NULL ? strrchr(exe, '/') + 1 : exe);
}

static struct proc *
find_proc(pid_t pid)
{
	struct proc *place = NULL;

	for (unsigned i = 0; i < PROCS; i++) {
		if (procs[i].pid == pid)
			return &procs[i];
		if (procs[i].pid == 0 && place == NULL)
			place = &procs[i];
	}
	if (place == NULL)
		errx(1, "tracer: too many processes");
	*place = (struct proc){ .pid = pid };
	read_name(place);
	return place;
}

/* A child is what its parent is, until it execs. */
static void
forked(const struct proc *parent)
{
	unsigned long pid;

	if (ptrace(PTRACE_GETEVENTMSG, parent->pid, 0, &pid) == 0)
		(void)memcpy(find_proc((pid_t)pid)->name, parent->name,
		    sizeof(parent->name));
}

/* True when the rule is for this call, and this is the n-th. */
static bool
strikes(const struct proc *p, const struct syscall_row *row)
{
	int generation = atomic_load(&board->generation);

	if ((generation & 1) != 0 || board->nth == 0 ||
	    atomic_load(&board->fired) ||
	    (board->classes & row->class) == 0 ||
	    strcmp(board->program, p->name) != 0)
		return false;
	return atomic_fetch_add(&board->seen, 1) + 1 == board->nth;
}

static void
fired(const struct proc *p, const struct syscall_row *row, const regs_t *r)
{
	char path[64], target[512] = "";
	const char *on = target;
	bool on_fd = (row->class & (C_WRITE | C_SYNC | C_CLOSE | C_TRUNC |
	    C_LOCK | C_TALK | C_READ)) != 0;
	ssize_t n = -1;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)p->pid,
	    (int)regs_arg(r, 0));
	if (on_fd && (n = readlink(path, target, sizeof(target) - 1)) > 0)
		target[n] = '\0';
	/* The last two parts of a path tell enough. */
	for (const char *s = target; n > 0 && *s != '\0'; s++)
		if (*s == '/' && memchr(s + 1, '/', strlen(s + 1)) != NULL)
			on = s + 1;
	(void)snprintf(board->what, sizeof(board->what), "%s%s%.60s",
	    row->name, n > 0 ? " " : "", on);
	atomic_store(&board->fired, true);
}

/* It stands before a call that the filter knows.  How it goes on. */
static int
before_call(struct proc *p)
{
	const struct syscall_row *row;
	regs_t r;

	if (regs_get(p->pid, &r) == -1 ||
	    (row = syscall_find(regs_nr(&r))) == NULL)
		return PTRACE_CONT;
	if (row->class == C_PRCTL) {
		tamper_watch(p, &r);
		return PTRACE_CONT;
	}
	if (!strikes(p, row)) {
		tamper_note(p, row, &r);
		return PTRACE_CONT;
	}
	if (board->tamper == T_KILL) {
		/* Every thread of it, as kill -9 does. */
		fired(p, row, &r);
		(void)kill(p->pid, SIGKILL);
		return PTRACE_CONT;
	}
	fired(p, row, &r);
	if (!tamper_do(p, row, &r, board->tamper, board->error))
		return PTRACE_CONT;
	return PTRACE_SYSCALL;
}

static void
stopped(pid_t pid, int status)
{
	struct proc *p = find_proc(pid);
	int event = status >> 16, sig = WSTOPSIG(status), deliver = 0;
	int how = PTRACE_CONT;

	if (event == PTRACE_EVENT_SECCOMP)
		how = before_call(p);
	else if (event == PTRACE_EVENT_EXEC)
		read_name(p);
	else if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK ||
	    event == PTRACE_EVENT_CLONE)
		forked(p);
	else if (event == PTRACE_EVENT_STOP) {
		if (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN ||
		    sig == SIGTTOU)
			how = PTRACE_LISTEN;
	} else if (sig == (SIGTRAP | 0x80)) {
		if (p->tampered)
			tamper_done(p);
	} else
		deliver = sig;
	(void)ptrace(how, pid, 0, (void *)(long)deliver);
}

static _Noreturn void
be_tracer(pid_t first)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		if (pid == -1)
			continue;
		if (WIFSTOPPED(status)) {
			stopped(pid, status);
			continue;
		}
		find_proc(pid)->pid = 0;
		if (pid == first)
			atomic_store(&board->status, status);
	}
	_exit(0);
}

/* ---- in the program to be -------------------------------------------- */

static void
place(int fd, int at)
{
	if (fd == -1 && (fd = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1)
		_exit(126);
	if (dup2(fd, at) == -1)
		_exit(126);
}

static _Noreturn void
be_program(const struct start *s, int go)
{
	char c;

	if (read(go, &c, 1) != 1)
		_exit(126);
	/* Away from where they are going to be. */
	place(s->in == -1 ? -1 : fcntl(s->in, F_DUPFD_CLOEXEC, 10), 0);
	place(s->out == -1 ? -1 : fcntl(s->out, F_DUPFD_CLOEXEC, 10), 1);
	place(s->err == -1 ? -1 : fcntl(s->err, F_DUPFD_CLOEXEC, 10), 2);
	if (s->uid != 0 && (setgroups(0, NULL) == -1 ||
	    setresgid(s->uid, s->uid, s->uid) == -1 ||
	    setresuid(s->uid, s->uid, s->uid) == -1))
		_exit(126);
	if (syscall_filter() == -1)
		_exit(126);
	(void)execv(s->argv[0], s->argv);
	_exit(126);
}

static _Noreturn void
trace(const struct start *s, pid_t parent)
{
	int go[2];
	pid_t pid;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	/* A ^C is for the test, which then ends us. */
	(void)setpgid(0, 0);
	if (pipe2(go, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		err(1, "tracer");
	if (pid == 0) {
		(void)close(go[1]);
		be_program(s, go[0]);
	}
	if (ptrace(PTRACE_SEIZE, pid, 0, (void *)(long)OPTIONS) == -1)
		err(1, "tracer: PTRACE_SEIZE");
	/* What we borrowed is theirs now: their peers wait for an EOF. */
	for (int fd = 3; fd < 1024; fd++)
		if (fd != go[1])
			(void)close(fd);
	(void)read_name(find_proc(pid));
	if (write(go[1], "x", 1) != 1)
		_exit(1);
	(void)close(go[1]);
	if (s->in > 2 || s->in == -1)
		place(-1, 0);
	place(-1, 1);
	be_tracer(pid);
}

/* ---- in the test ----------------------------------------------------- */

void
trace_arm(struct trace *t, const struct rule *r)
{
	struct board *b = t->board;

	atomic_fetch_add(&b->generation, 1);
	b->nth = r == NULL ? 0 : r->nth;
	if (r != NULL) {
		(void)snprintf(b->program, sizeof(b->program), "%s",
		    r->program);
		b->classes = r->classes;
		b->tamper = r->tamper;
		b->error = r->error;
		atomic_store(&b->seen, 0);
		atomic_store(&b->fired, false);
		b->what[0] = '\0';
	}
	atomic_fetch_add(&b->generation, 1);
}

void
trace_start(struct trace *t, const struct start *s, const struct rule *r)
{
	pid_t parent = getpid();

	t->board = mmap(NULL, sizeof(*t->board), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (t->board == MAP_FAILED)
		err(1, "mmap");
	atomic_store(&t->board->status, -1);
	trace_arm(t, r);
	(void)fflush(stdout);
	if ((t->tracer = fork()) == -1)
		err(1, "fork");
	if (t->tracer == 0) {
		board = t->board;
		trace(s, parent);
	}
}

bool
trace_fired(const struct trace *t)
{
	return atomic_load(&t->board->fired);
}

const char *
trace_what(const struct trace *t)
{
	return t->board->what;
}

int
trace_seen(const struct trace *t)
{
	return atomic_load(&t->board->seen);
}

int
trace_wait(struct trace *t, int seconds)
{
	int pidfd = (int)syscall(SYS_pidfd_open, t->tracer, 0);
	struct pollfd p = { pidfd, POLLIN, 0 };

	/* The tracer ends with the last of the processes. */
	if (pidfd != -1) {
		while (poll(&p, 1, seconds * 1000) == -1 && errno == EINTR)
			continue;
		(void)close(pidfd);
	}
	return atomic_load(&t->board->status);
}

void
trace_end(struct trace *t)
{
	if (t->tracer == 0)
		return;
	(void)kill(t->tracer, SIGKILL);
	(void)waitpid(t->tracer, NULL, 0);
	(void)munmap(t->board, sizeof(*t->board));
	*t = (struct trace){ 0, NULL };
}

bool
trace_works(void)
{
	char path[] = "/bin/true", *argv[] = { path, NULL };
	struct start s = { argv, -1, -1, -1, 0 };
	struct trace t;
	int status;

	trace_start(&t, &s, NULL);
	status = trace_wait(&t, 20);
	trace_end(&t);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
