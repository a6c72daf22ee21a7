/*
 * setup.c - `facteur setup --users`: the users under whom our programs run,
 * made by the system's own useradd(8).  What is there already stays as it is.
 *
 * Runs as root, once, at the installation; --root is for packages and images.
 * Way 0 of 8.  From: verbs.c.  To: /etc/passwd, /etc/group.
 */
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin.h"
#include "options.h"

static const struct account {
	enum seam_user user;
	const char *gecos;
} accounts[] = {
	{ SEAM_NET, "Facteur, talks with strangers" },
	{ SEAM_QUEUE, "Facteur, the queue" },
	{ SEAM_LOOKUP, "Facteur, whose address is it" },
	{ SEAM_REMOTE, "Facteur, to other hosts" },
	{ SEAM_AUTH, "Facteur, passwords" },
	{ SEAM_KEYS, "Facteur, private keys" },
	{ SEAM_MAIL, "Facteur, virtual mailboxes" },
};

static FILE *
open_below(const char *root, const char *name)
{
	struct buf path = BUF_INIT;
	FILE *f;

	buf_addf(&path, "%s%s", root, name);
	f = fopen(path.data, "re");
	if (f == NULL && errno != ENOENT)
		err(EX_OSFILE, "%s", path.data);
	buf_release(&path);
	return f;
}

/* In a scratch root its own files count, not what this host knows. */
static bool
has_user(const char *root, const char *name)
{
	const struct passwd *pw;
	FILE *f;

	if (*root == '\0')
		return getpwnam(name) != NULL;
	if ((f = open_below(root, "/etc/passwd")) == NULL)
		return false;
	while ((pw = fgetpwent(f)) != NULL && strcmp(pw->pw_name, name) != 0)
		;
	(void)fclose(f);
	return pw != NULL;
}

static bool
has_group(const char *root, const char *name)
{
	const struct group *gr;
	FILE *f;

	if (*root == '\0')
		return getgrnam(name) != NULL;
	if ((f = open_below(root, "/etc/group")) == NULL)
		return false;
	while ((gr = fgetgrent(f)) != NULL && strcmp(gr->gr_name, name) != 0)
		;
	(void)fclose(f);
	return gr != NULL;
}

static const char *
useradd_path(void)
{
	static const char *const at[] = { "/usr/sbin/useradd",
	    "/sbin/useradd", "/usr/bin/useradd" };

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		if (access(at[i], X_OK) == 0)
			return at[i];
	errx(EX_UNAVAILABLE, "there is no useradd(8) here: install the "
	    "package passwd, or make the users by hand (see facteur(8))");
}

/* No shell sees any of it. 0, or an exit code. */
static int
run_program(const char *path, char *const args[])
{
	static char *const environment[] = {
	    (char *)(uintptr_t)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	pid_t pid = fork();
	int status;

	if (pid == -1)
		err(EX_OSERR, "fork");
	if (pid == 0) {
		(void)execve(path, args, environment);
		warn("%s", path);
		_exit(EX_UNAVAILABLE);
	}
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			err(EX_OSERR, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}

static int
make_user(const char *root, const struct account *a)
{
	const char *name = seam_name(a->user);
	bool group = has_group(root, name);
	const char *args[20];
	size_t n = 0;
	char **copy;
	int r;

	args[n++] = "useradd";
	if (*root != '\0') {
		args[n++] = "--prefix";
		args[n++] = root;
	}
	args[n++] = "--system";
	args[n++] = group ? "--gid" : "--user-group";
	if (group)
		args[n++] = name;
	args[n++] = "--no-create-home";
	args[n++] = "--home-dir";
	args[n++] = "/nonexistent";
	args[n++] = "--shell";
	args[n++] = "/usr/sbin/nologin";
	args[n++] = "--comment";
	args[n++] = a->gecos;
	args[n++] = name;
	copy = xcalloc(n + 1, sizeof(*copy));
	for (size_t i = 0; i < n; i++)
		copy[i] = xstrdup(args[i]);
	r = run_program(useradd_path(), copy);
	for (size_t i = 0; i < n; i++)
		free(copy[i]);
	free(copy);
	return r;
}

static int
make_users(const char *root)
{
	for (size_t i = 0; i < sizeof(accounts) / sizeof(accounts[0]); i++) {
		const char *name = seam_name(accounts[i].user);

		if (has_user(root, name)) {
			(void)printf("%s is there\n", name);
			continue;
		}
		if (geteuid() != 0)
			errx(EX_NOPERM, "%s is missing; only root can make it",
			    name);
		if (make_user(root, &accounts[i]) != 0 || !has_user(root, name))
			errx(EX_CANTCREAT, "%s: useradd failed", name);
		(void)printf("%s made\n", name);
	}
	return fflush(stdout) == 0 ? 0 : EX_IOERR;
}

int
setup(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "users", no_argument, NULL, 'u' },
		{ "root", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	const char *root = "";
	bool users = false;
	int ch;

	optind = 0;
	while ((ch = options_next(argc, argv, "+", options)) != -1)
		switch (ch) {
		case 'u':
			users = true;
			break;
		case 'r':
			root = strcmp(optarg, "/") == 0 ? "" : optarg;
			break;
		default:
			return EX_USAGE;
		}
	if (!users || optind != argc || (*root != '\0' && *root != '/')) {
		warnx("usage: facteur setup --users [--root /DIR]");
		return EX_USAGE;
	}
	return make_users(root);
}
