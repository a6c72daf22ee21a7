/*
 * attack.c - what an intruder would try, played inside each program at the
 * moment it has entered its sandbox.  Linked into test programs only
 * (build/attack); one log line for each attempt:
 *
 *   attack program=smtpd:session try=open-passwd result=denied error="..."
 *
 * result is denied, killed (it would have been: test programs catch SIGSYS),
 * granted (that is its work) or BREACH.
 * Runs at the uid of the program.  From: lib/sandbox.c.  To: flow/06-attack.t.
 */
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "sandbox_private.h"

#define IS(kind)	(1u << SANDBOX_##kind)
#define MASTERS		(IS(SMTPD) | IS(TLSD) | IS(POP3D) | IS(INJECT) | \
			    IS(REMOTE) | IS(LAUNCH) | IS(AUTHD))
#define SPOOLERS	(IS(INJECT) | IS(INJECT_WORKER) | IS(QUEUE))
#define CONF		(IS(AUTHD) | IS(RESOLVE) | IS(QUEUE) | IS(KEYD))

static const struct config *cfg;

/* Closes what it got: getting it was enough. */
static int
got(int fd)
{
	if (fd == -1)
		return -1;
	(void)close(fd);
	return 0;
}

static int
open_below(const char *dir, const char *name, int flags)
{
	struct buf path = BUF_INIT;
	int r;

	buf_addf(&path, "%s/%s", dir, name);
	r = got(open(buf_str(&path), flags, 0600));
	buf_release(&path);
	return r;
}

static int
open_passwd(void)
{
	return got(open("/etc/passwd", O_RDONLY));
}

static int
open_users(void)
{
	return open_below(cfg->confdir, "users", O_RDONLY);
}

static int
open_key(void)
{
	return got(open(cfg->tls_key, O_RDONLY));
}

static int
open_spool(void)
{
	return open_below(cfg->spool, "queue", O_RDONLY | O_DIRECTORY);
}

static int
write_spool(void)
{
	return open_below(cfg->spool, "queue", O_WRONLY | O_TMPFILE);
}

static int
open_mail(void)
{
	return got(open(cfg->mail, O_RDONLY | O_DIRECTORY));
}

/* The test has put a file there, beside the mailbox that is served. */
static int
open_neighbour(void)
{
	return open_below(cfg->mail, "neighbour/secret", O_RDONLY);
}

static int
write_etc(void)
{
	return got(open("/etc/facteur-attack", O_WRONLY | O_CREAT, 0600));
}

static int
parents_memory(void)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)getppid());
	return got(open(path, O_RDWR));
}

static int
own_memory(void)
{
	return got(open("/proc/self/mem", O_RDWR));
}

/* Directories kept open would lead out of a chroot. */
static int
escape(void)
{
	for (int fd = 0; fd < 256; fd++)
		if (got(openat(fd, "../../../../../../../../etc/passwd",
		    O_RDONLY)) == 0)
			return 0;
	return -1;
}

static int
inet_socket(void)
{
	return got(socket(AF_INET, SOCK_STREAM, 0));
}

static int
udp_socket(void)
{
	return got(socket(AF_INET6, SOCK_DGRAM, 0));
}

static int
packet_socket(void)
{
	return got(socket(AF_PACKET, SOCK_RAW, 0));
}

static struct sockaddr_in
loopback(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
	    .sin_addr = { htonl(INADDR_LOOPBACK) }, .sin_port = htons(9) };
}

/* Refused by the other side is reached all the same. */
static int
connect_out(void)
{
	struct sockaddr_in in = loopback();
	int fd = socket(AF_INET, SOCK_STREAM, 0), r;

	if (fd == -1)
		return -1;
	r = connect(fd, (struct sockaddr *)&in, sizeof(in));
	if (r == -1 && errno == ECONNREFUSED)
		r = 0;
	(void)close(fd);
	return r;
}

static int
bind_port(void)
{
	struct sockaddr_in in = loopback();
	int fd = socket(AF_INET, SOCK_STREAM, 0), r;

	if (fd == -1)
		return -1;
	in.sin_port = 0;
	r = bind(fd, (struct sockaddr *)&in, sizeof(in));
	(void)close(fd);
	return r;
}

static int
do_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid == -1 || waitpid(pid, NULL, 0) == -1 ? -1 : 0;
}

static int
execute(void)
{
	static char *none[] = { NULL };

	return execve("/bin/sh", none, none);
}

static int
execute_fd(void)
{
	static char *none[] = { NULL };

	return (int)syscall(SYS_execveat, 0, "", none, none, AT_EMPTY_PATH);
}

static int
trace_parent(void)
{
	return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int
read_parent(void)
{
	char c;
	struct iovec v = { &c, 1 };

	return process_vm_readv(getppid(), &v, 1, &v, 1, 0) == -1 ? -1 : 0;
}

static int
keyring(void)
{
	return (int)syscall(SYS_keyctl, 0, -3, 1);
}

static int
mount_something(void)
{
	return (int)syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL);
}

static int
load_bpf(void)
{
	return (int)syscall(SYS_bpf, 0, NULL, 0);
}

static int
new_namespace(void)
{
	return (int)syscall(SYS_unshare, 0x10000000 /* CLONE_NEWUSER */);
}

static int
signal_parent(void)
{
	return kill(getppid(), 0);
}

/* SIGIO, or whatever F_SETSIG says, sent by the kernel in our name. */
static int
own_for_parent(void)
{
	return fcntl(STDERR_FILENO, F_SETOWN, getppid());
}

static int
signal_init(void)
{
	return kill(1, 0);
}

static int
become_root(void)
{
	return setuid(0);
}

static int
allow_core(void)
{
	static const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	return setrlimit(RLIMIT_CORE, &all);
}

static int
executable_memory(void)
{
	void *p = mmap(NULL, 4096, PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : munmap(p, 4096);
}

/*
 * `works`: for whom it is their work.  `one_uid`: who may where all programs
 * are one user and no directory is the jail, and uids cannot hold them.
 */
static const struct attempt {
	const char *name;
	int	(*f)(void);
	unsigned works, one_uid;
} attempts[] = {
	{ "open-passwd", open_passwd, IS(AUTHD) | IS(LAUNCH) | IS(REMOTE), 0 },
	{ "open-users", open_users, IS(AUTHD) | IS(LAUNCH), CONF },
	{ "open-key", open_key, IS(LAUNCH) | IS(KEYD), CONF },
	{ "open-spool", open_spool, SPOOLERS | IS(LAUNCH), 0 },
	{ "write-spool", write_spool, SPOOLERS | IS(LAUNCH), 0 },
	{ "open-mail", open_mail, IS(LAUNCH), IS(LOCAL) },
	{ "open-neighbour", open_neighbour, IS(LAUNCH), IS(LOCAL) },
	{ "write-etc", write_etc, IS(LAUNCH), 0 },
	{ "parents-memory", parents_memory, 0, 0 },
	{ "own-memory", own_memory, IS(LAUNCH), 0 },
	{ "escape", escape, IS(AUTHD) | IS(LAUNCH) | IS(REMOTE), 0 },
	{ "inet-socket", inet_socket, IS(REMOTE) | IS(REMOTE_AGENT), 0 },
	{ "udp-socket", udp_socket, IS(REMOTE) | IS(REMOTE_AGENT), 0 },
	{ "packet-socket", packet_socket, 0, 0 },
	{ "connect-out", connect_out, IS(REMOTE) | IS(REMOTE_AGENT), 0 },
	{ "bind-port", bind_port, 0, 0 },
	{ "fork", do_fork, MASTERS, 0 },
	{ "execve", execute, 0, 0 },
	{ "execveat", execute_fd, 0, 0 },
	{ "ptrace", trace_parent, 0, 0 },
	{ "process_vm_readv", read_parent, 0, 0 },
	{ "keyctl", keyring, 0, 0 },
	{ "mount", mount_something, 0, 0 },
	{ "bpf", load_bpf, 0, 0 },
	{ "unshare", new_namespace, 0, 0 },
	{ "kill-parent", signal_parent, 0, 0 },
	{ "own-for-parent", own_for_parent, 0, 0 },
	{ "kill-init", signal_init, 0, 0 },
	/* Still root, until it knows whose mailbox it is. */
	{ "setuid-0", become_root, IS(LAUNCH), 0 },
	{ "core-limit", allow_core, IS(LAUNCH), 0 },
	{ "executable-memory", executable_memory, 0, 0 },
};

static sigjmp_buf back;

static void
on_sigsys(int sig)
{
	(void)sig;
	siglongjmp(back, 1);
}

static void
report(enum sandbox kind, const struct attempt *a, const char *result,
    int error)
{
	log_event(NULL, "attack program=%s try=%s result=%s error=%s",
	    sandbox_name(kind), a->name, result,
	    quoted(error == 0 ? "" : strerror(error)));
}

static void
try_one(enum sandbox kind, const struct attempt *a)
{
	unsigned may = a->works | (cfg->as_root ? 0 : a->one_uid);

	if (sigsetjmp(back, 1) != 0) {
		report(kind, a, "killed", 0);
		return;
	}
	errno = 0;
	if (a->f() == 0)
		report(kind, a, (may >> kind & 1) != 0 ? "granted" : "BREACH",
		    0);
	else if (errno == EPERM || errno == EACCES)
		report(kind, a, "denied", errno);
	else if (errno == ENOENT || errno == EBADF || errno == ENOTDIR)
		/* Nothing there to be had: our jail, or no such file. */
		report(kind, a, "denied", errno);
	else
		report(kind, a, "BREACH", errno);
}

void
attack(enum sandbox kind, const struct config *config)
{
	struct sigaction sa = { .sa_handler = on_sigsys,
	    .sa_flags = SA_NODEFER }, old;

	cfg = config;
	if (sigaction(SIGSYS, &sa, &old) == -1)
		return;
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		try_one(kind, &attempts[i]);
	(void)sigaction(SIGSYS, &old, NULL);
}
