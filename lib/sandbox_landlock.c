/*
 * sandbox_landlock.c - turns the table of places into Landlock rules.
 *
 * The headers of Debian 12 know version 2 of the interface; kernels know more.
 * So the constants stand here, and the kernel is asked how many it knows.
 * Way: everywhere.  From: sandbox.c.
 */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sandbox_private.h"

#define VERSION		1u	/* flag: only say which ABI */
#define RULE_PATH	1

#define FS_EXECUTE	0x0001u
#define FS_WRITE_FILE	0x0002u
#define FS_READ_FILE	0x0004u
#define FS_READ_DIR	0x0008u
#define FS_REMOVE_DIR	0x0010u
#define FS_REMOVE_FILE	0x0020u
#define FS_MAKE_DIR	0x0080u
#define FS_MAKE_REG	0x0100u
#define FS_REFER	0x2000u	/* ABI 2: rename and link between directories */
#define FS_TRUNCATE	0x4000u	/* 3 */
#define FS_IOCTL_DEV	0x8000u	/* 5 */
#define FS_ABI1		0x1fffu

#define NET_BIND	0x1u	/* ABI 4 */
#define NET_CONNECT	0x2u

#define SCOPE_ABSTRACT	0x1u	/* ABI 6: sockets without a file */
#define SCOPE_SIGNAL	0x2u

#define READS	(FS_READ_FILE | FS_READ_DIR)
#define WRITES	(READS | FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | \
		    FS_MAKE_DIR | FS_MAKE_REG | FS_REFER | FS_TRUNCATE)

struct ruleset_attr {
	uint64_t fs, net, scoped;
};

struct path_attr {
	uint64_t access;
	int32_t	 parent_fd;
} __attribute__((packed));

int
sandbox_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, VERSION);

	return abi < 0 ? 0 : (int)abi;
}

/* What is taken away, as far as this kernel can; how much of it it reads. */
static size_t
ruleset_for(enum sandbox kind, int abi, struct ruleset_attr *a)
{
	*a = (struct ruleset_attr){ .fs = FS_ABI1 };
	if (abi >= 2)
		a->fs |= FS_REFER;
	if (abi >= 3)
		a->fs |= FS_TRUNCATE;
	if (abi >= 5)
		a->fs |= FS_IOCTL_DEV;
	if (abi < 4)
		return sizeof(a->fs);
	a->net = NET_BIND;
	if ((sandbox_kinds[kind].calls & C_NET) == 0)
		a->net |= NET_CONNECT;
	if (abi < 6)
		return sizeof(a->fs) + sizeof(a->net);
	a->scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL;
	return sizeof(*a);
}

static bool
is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 &&
	    (path[len] == '/' || path[len] == '\0');
}

static void
add_dirname(const char *path, struct buf *out)
{
	const char *slash = strrchr(path, '/');

	if (slash != NULL)
		buf_add(out, path, slash == path ? 1 : (size_t)(slash - path));
}

/* Where it really lies: certificates and resolv.conf are often links. */
static void
add_real_dirname(const char *path, struct buf *out)
{
	char *real = realpath(path, NULL);

	if (real != NULL)
		add_dirname(real, out);
	free(real);
}

void
sandbox_place(enum place place, const struct config *cfg, const char *home,
    struct buf *out)
{
	switch (place) {
	case P_SPOOL:
		buf_adds(out, cfg->spool);
		break;
	case P_CONFDIR:
		buf_adds(out, cfg->confdir);
		break;
	case P_ETC:
		buf_adds(out, "/etc");
		break;
	case P_RESOLV:
		add_real_dirname("/etc/resolv.conf", out);
		break;
	case P_CERT:
		add_dirname(cfg->tls_cert, out);
		break;
	case P_CERT_REAL:
		add_real_dirname(cfg->tls_cert, out);
		break;
	case P_KEY_REAL:
		add_real_dirname(cfg->tls_key, out);
		break;
	case P_KEY:
		add_dirname(cfg->tls_key, out);
		break;
	case P_STATS:
		add_dirname(cfg->stats_file, out);
		break;
	case P_MAIL:
		/* The homes of all virtual users, who share one owner. */
		if (home != NULL && is_below(home, cfg->mail))
			buf_adds(out, cfg->mail);
		break;
	case P_HOME:
		if (home != NULL && !is_below(home, cfg->mail))
			buf_adds(out, home);
		break;
	case P_ROOT:
		buf_adds(out, "/");
		break;
	}
}

/* A place that does not exist, or not in our jail, needs no rule. */
static int
allow(int ruleset, const char *path, uint64_t access)
{
	struct path_attr a = { .access = access };
	int r, saved;

	if (*path == '\0')
		return 0;
	a.parent_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (a.parent_fd == -1)
		/* Any other error will pass; a wall too many would not. */
		return errno == ENOENT || errno == ENOTDIR ||
		    errno == EACCES ? 0 : -1;
	r = (int)syscall(SYS_landlock_add_rule, ruleset, RULE_PATH, &a, 0);
	saved = errno;
	(void)close(a.parent_fd);
	errno = saved;
	return r;
}

static int
add_rules(int ruleset, enum sandbox kind, uint64_t handled,
    const struct config *cfg, const char *home)
{
	struct buf path = BUF_INIT;
	int r = 0;

	for (size_t i = 0; r == 0 && i < sandbox_npaths; i++) {
		const struct path_rule *rule = &sandbox_paths[i];

		if (rule->who != kind)
			continue;
		buf_reset(&path);
		sandbox_place(rule->place, cfg, home, &path);
		r = allow(ruleset, buf_str(&path),
		    handled & (rule->reach == WRITE ? WRITES : READS));
	}
	buf_release(&path);
	return r;
}

/* May a file have to go from one directory to another? */
static bool
needs_refer(enum sandbox kind)
{
	return (sandbox_kinds[kind].calls & C_WRITE) != 0;
}

static bool
may_reach(enum sandbox kind, const struct path_rule *what)
{
	for (size_t i = 0; i < sandbox_npaths; i++)
		if (sandbox_paths[i].who == kind &&
		    sandbox_paths[i].place == what->place &&
		    sandbox_paths[i].reach >= what->reach)
			return true;
	return false;
}

/*
 * One thing a layer more would give: signals (SCOPE_SIGNAL) stop at the child
 * then, not at its parent.  That, seccomp sees to, too: kill() is of itself
 * only, and fcntl() makes no one the owner of a descriptor.
 */
bool
sandbox_same_walls(enum sandbox kind, enum sandbox over)
{
	if (over == SANDBOX_KINDS || (sandbox_kinds[kind].calls & C_NET) <
	    (sandbox_kinds[over].calls & C_NET))
		return false;
	for (size_t i = 0; i < sandbox_npaths; i++)
		if (sandbox_paths[i].who == over &&
		    !may_reach(kind, &sandbox_paths[i]))
			return false;
	return true;
}

int
sandbox_landlock(enum sandbox kind, const struct config *cfg,
    const char *home)
{
	struct ruleset_attr a;
	int abi = sandbox_landlock_abi(), fd, saved, r;
	size_t size = ruleset_for(kind, abi, &a);

	if (abi == 0 || (abi == 1 && needs_refer(kind))) {
		/* Version 1 forbids what the spool needs, whatever the rules. */
		errno = ENOSYS;
		return -1;
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &a, size, 0);
	if (fd == -1)
		return -1;
	r = add_rules(fd, kind, a.fs, cfg, home);
	if (r == 0)
		r = (int)syscall(SYS_landlock_restrict_self, fd, 0);
	saved = errno;
	(void)close(fd);
	errno = saved;
	return r;
}

void
sandbox_show_files(enum sandbox kind, const struct config *cfg,
    struct buf *out)
{
	/* Whose home it is only the process itself knows. */
	bool owner = kind == SANDBOX_LOCAL || kind == SANDBOX_POP3_MAILBOX;
	const char *blank = "";
	struct buf path = BUF_INIT;

	if (owner)
		buf_adds(out, "rw the owner's home");
	for (size_t i = 0; i < sandbox_npaths && !owner; i++) {
		const struct path_rule *rule = &sandbox_paths[i];

		buf_reset(&path);
		if (rule->who == kind)
			sandbox_place(rule->place, cfg, NULL, &path);
		if (path.len == 0)
			continue;
		buf_addf(out, "%s%s %s", blank,
		    rule->reach == WRITE ? "rw" : "r", path.data);
		blank = ", ";
	}
	if (out->len == 0)
		buf_adds(out, "none");
	buf_release(&path);
}

void
sandbox_show_net(enum sandbox kind, struct buf *out)
{
	unsigned calls = sandbox_kinds[kind].calls;

	if ((calls & C_NET) != 0)
		buf_adds(out, "connect to anybody, no TCP port of its own");
	else if ((calls & C_CONNECT) != 0)
		buf_adds(out, "our own sockets");
	else
		buf_adds(out, "none");
	if ((calls & C_ACCEPT) != 0)
		buf_adds(out, "; accepts on what it was given");
}
