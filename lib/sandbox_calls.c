/*
 * sandbox_calls.c - the system calls our programs make, in groups, and what
 * some of their arguments have to be.
 *
 * A call that is not here fails with EPERM, because the next libc may try a
 * new one and can do without; the lethal ones end the process.
 * Way: everywhere.  For: sandbox_seccomp.c, and `facteur sandbox`.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/netlink.h>

#include <fcntl.h>
#include <sched.h>

#include "sandbox_private.h"

#define CALL(name, groups)	{ SYS_##name, #name, groups, NULL },
#define CHECK(name, groups, arg) { SYS_##name, #name, groups, &(arg) },
#define LETHAL(name)		{ SYS_##name, #name },

static const struct arg not_exec = {
	.index = 2, .test = T_NO_BITS, .v = { PROT_EXEC }, .says = "no exec" };
static const struct arg local_socket = {
	.index = 0, .test = T_ONE_OF, .v = { AF_UNIX }, .n = 1,
	.says = "unix" };
static const struct arg net_socket = {
	.index = 0, .test = T_ONE_OF,
	.v = { AF_INET, AF_INET6, AF_NETLINK }, .n = 3,
	.says = "inet inet6 netlink" };
/* Fast open would be a connect() by another name. */
static const struct arg not_fast4 = {
	.index = 3, .test = T_NO_BITS, .v = { MSG_FASTOPEN },
	.says = "no fast open" };
static const struct arg not_fast3 = {
	.index = 2, .test = T_NO_BITS, .v = { MSG_FASTOPEN },
	.says = "no fast open" };
/* Not F_SETOWN: the kernel would send signals in our name. */
static const struct arg harmless_fcntl = {
	.index = 1, .test = T_ONE_OF,
	.v = { F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC,
	    F_SETLK, F_SETLKW, F_OFD_SETLK, F_ADD_SEALS, F_GET_SEALS }, .n = 11,
	.says = "no owner" };
static const struct arg harmless_ioctl = {
	.index = 1, .test = T_ONE_OF, .v = { FIONREAD, TCGETS }, .n = 2,
	.says = "FIONREAD TCGETS" };
static const struct arg own_life = {
	.index = 0, .test = T_ONE_OF,
	.v = { PR_SET_PDEATHSIG, PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS,
	    PR_GET_NAME, PR_SET_NAME },
	.n = 5, .says = "death signal, name" };
/* What a child does before it has a sandbox of its own. */
static const struct arg child_life = {
	.index = 0, .test = T_ONE_OF,
	.v = { PR_SET_NO_NEW_PRIVS, PR_SET_NAME, PR_SET_DUMPABLE,
	    PR_SET_KEEPCAPS, PR_CAPBSET_READ, PR_CAPBSET_DROP,
	    PR_CAP_AMBIENT }, .n = 7, .says = "to shut doors" };
static const struct arg only_asking = {
	.index = 2, .test = T_NULL, .says = "only asking" };
static const struct arg descriptors = {
	.index = 1, .test = T_ONE_OF, .v = { RLIMIT_NOFILE }, .n = 1,
	.says = "of descriptors" };
static const struct arg oneself = {
	.index = 0, .test = T_SELF, .says = "itself" };
static const struct arg plain_fork = {
	.index = 0, .test = T_NO_BITS,
	.v = { CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
	    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_VM },
	.says = "plain" };

const struct call sandbox_calls[] = {
	/* What it has. The most frequent first. */
	CALL(read, C_BASE)
	CALL(write, C_BASE)
	CALL(readv, C_BASE)
	CALL(writev, C_BASE)
	CALL(pwritev2, C_BASE)		/* the log: RWF_NOWAIT */
	CALL(close, C_BASE)
#ifdef SYS_poll
	CALL(poll, C_BASE)
#endif
	CALL(ppoll, C_BASE)
	CHECK(sendto, C_BASE, not_fast4)
	CHECK(sendmsg, C_BASE, not_fast3)
	CALL(recvfrom, C_BASE)
	CALL(recvmsg, C_BASE)
#ifdef SYS_epoll_wait
	CALL(epoll_wait, C_BASE)
#endif
	CALL(epoll_pwait, C_BASE)
	CALL(epoll_ctl, C_BASE)
	CALL(epoll_create1, C_BASE)
	CALL(pread64, C_BASE)
	CALL(lseek, C_BASE)
	CALL(fstat, C_BASE)
	CALL(newfstatat, C_BASE)	/* fstat() of some libcs; see C_READ */
	CHECK(fcntl, C_BASE, harmless_fcntl)
	CALL(dup, C_BASE)
#ifdef SYS_dup2
	CALL(dup2, C_BASE)
#endif
	CALL(dup3, C_BASE)
	CALL(close_range, C_BASE)
	CALL(eventfd2, C_BASE)
	CALL(shutdown, C_BASE)
	CALL(getsockopt, C_BASE)
	CALL(setsockopt, C_BASE)
	CALL(getsockname, C_BASE)
	CALL(getpeername, C_BASE)
	CHECK(ioctl, C_BASE, harmless_ioctl)
	/* Memory. */
	CHECK(mmap, C_BASE, not_exec)
	CHECK(mprotect, C_BASE, not_exec)
	CALL(munmap, C_BASE)
	CALL(mremap, C_BASE)
	CALL(brk, C_BASE)
	CALL(madvise, C_BASE)
	CALL(futex, C_BASE)
	CALL(getrandom, C_BASE)
	/* Time and itself. */
	CALL(clock_gettime, C_BASE)
	CALL(clock_nanosleep, C_BASE)
	CALL(nanosleep, C_BASE)
	CALL(gettimeofday, C_BASE)
#ifdef SYS_time
	CALL(time, C_BASE)
#endif
	CALL(rt_sigaction, C_BASE)
	CALL(rt_sigprocmask, C_BASE)
	CALL(rt_sigreturn, C_BASE)
	CALL(sigaltstack, C_BASE)
	CALL(restart_syscall, C_BASE)
	CALL(getpid, C_BASE)
	CALL(getppid, C_BASE)
	CALL(gettid, C_BASE)
	CALL(getuid, C_BASE)
	CALL(geteuid, C_BASE)
	CALL(getgid, C_BASE)
	CALL(getegid, C_BASE)
	CALL(sched_yield, C_BASE)
	CALL(sched_getaffinity, C_BASE)
	CALL(sysinfo, C_BASE)
	CALL(uname, C_BASE)
	CALL(exit, C_BASE)
	CALL(exit_group, C_BASE)
	CALL(set_robust_list, C_BASE)
	CALL(rseq, C_BASE)
#ifdef SYS_getrlimit
	CALL(getrlimit, C_BASE)
#endif
	CHECK(prlimit64, C_BASE, only_asking)
	CHECK(prlimit64, C_READ, descriptors)
	CHECK(prctl, C_BASE, own_life)
	CHECK(tgkill, C_CALM, oneself)
	CHECK(kill, C_CALM, oneself)
	/* Our own sockets, and the Internet. */
	CHECK(socket, C_CONNECT, local_socket)
	CHECK(socket, C_NET, net_socket)
	CHECK(socketpair, C_CONNECT | C_FORK, local_socket)
	CALL(connect, C_CONNECT | C_NET)
	CALL(bind, C_NET)		/* getifaddrs(); TCP: Landlock */
	CALL(accept4, C_ACCEPT)
	CALL(accept, C_ACCEPT)
	/* Children. */
	CHECK(clone, C_FORK, plain_fork)
#ifdef SYS_fork
	CALL(fork, C_FORK)
#endif
	CALL(wait4, C_FORK)
	CALL(kill, C_FORK)
	CALL(tgkill, C_FORK)
	CHECK(prctl, C_FORK, child_life)
	CALL(prlimit64, C_FORK)
	CALL(seccomp, C_FORK)
	CALL(landlock_create_ruleset, C_FORK)
	CALL(landlock_add_rule, C_FORK)
	CALL(landlock_restrict_self, C_FORK)
	/* Files by name. */
	CALL(openat, C_READ)
#ifdef SYS_open
	CALL(open, C_READ)
	CALL(stat, C_READ)
	CALL(lstat, C_READ)
	CALL(access, C_READ)
	CALL(readlink, C_READ)
#endif
	CALL(openat2, C_READ)
	CALL(statx, C_READ)
	CALL(faccessat, C_READ)
	CALL(faccessat2, C_READ)
	CALL(readlinkat, C_READ)
	CALL(getdents64, C_READ)
	CALL(statfs, C_READ)
	CALL(fstatfs, C_READ)
	CALL(chdir, C_READ)
	CALL(fchdir, C_READ)
	CALL(getcwd, C_READ)
	CALL(fadvise64, C_READ)
	CALL(flock, C_READ)
	/* Writing them. */
	CALL(pwrite64, C_WRITE)
	CALL(pwritev, C_WRITE)
	CALL(fsync, C_WRITE)
	CALL(fdatasync, C_WRITE)
	CALL(syncfs, C_WRITE)
	CALL(sync_file_range, C_WRITE)
	CALL(memfd_create, C_WRITE)
	CALL(ftruncate, C_WRITE)
	CALL(fallocate, C_WRITE)
	CALL(copy_file_range, C_WRITE)
	CALL(linkat, C_WRITE)
	CALL(unlinkat, C_WRITE)
	CALL(renameat, C_WRITE)
	CALL(renameat2, C_WRITE)
	CALL(mkdirat, C_WRITE)
	CALL(fchmod, C_WRITE)
	CALL(fchmodat, C_WRITE)
	CALL(utimensat, C_WRITE)
	CALL(umask, C_WRITE)
#ifdef SYS_link
	CALL(link, C_WRITE)
	CALL(unlink, C_WRITE)
	CALL(rename, C_WRITE)
	CALL(mkdir, C_WRITE)
#endif
	CALL(inotify_init1, C_WATCH)
	CALL(inotify_add_watch, C_WATCH)
	CALL(inotify_rm_watch, C_WATCH)
	CALL(signalfd4, C_WATCH)
	/* launch: root on its way to being somebody else. */
	CALL(setuid, C_OWNER)
	CALL(setgid, C_OWNER)
	CALL(setresuid, C_OWNER)
	CALL(setresgid, C_OWNER)
	CALL(getresuid, C_OWNER)
	CALL(getresgid, C_OWNER)
	CALL(getgroups, C_OWNER)
	CALL(setgroups, C_OWNER)
	CALL(capset, C_OWNER)
	CALL(capget, C_OWNER)
};
const size_t sandbox_ncalls = sizeof(sandbox_calls) / sizeof(sandbox_calls[0]);

const struct lethal sandbox_lethal[] = {
	LETHAL(execve)
	LETHAL(execveat)
	LETHAL(ptrace)
	LETHAL(process_vm_readv)
	LETHAL(process_vm_writev)
	LETHAL(pidfd_getfd)
	LETHAL(keyctl)
	LETHAL(add_key)
	LETHAL(request_key)
	LETHAL(mount)
	LETHAL(umount2)
	LETHAL(pivot_root)
	LETHAL(move_mount)
	LETHAL(open_tree)
	LETHAL(fsopen)
	LETHAL(fsmount)
	LETHAL(open_by_handle_at)
	LETHAL(unshare)
	LETHAL(setns)
	LETHAL(bpf)
	LETHAL(userfaultfd)
	LETHAL(perf_event_open)
	LETHAL(io_uring_setup)
	LETHAL(init_module)
	LETHAL(finit_module)
	LETHAL(delete_module)
	LETHAL(kexec_load)
	LETHAL(reboot)
	LETHAL(swapon)
	LETHAL(swapoff)
	LETHAL(acct)
	LETHAL(settimeofday)
	LETHAL(clock_settime)
	LETHAL(sethostname)
};
const size_t sandbox_nlethal = sizeof(sandbox_lethal) /
    sizeof(sandbox_lethal[0]);
