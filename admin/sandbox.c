/*
 * sandbox.c - `facteur sandbox`: for each running program, what it may do.
 *
 * The rules come from the tables the programs themselves hand to the kernel;
 * everything else is what /proc says of them now.
 * Runs as whoever calls it; others' descriptors and roots are for root alone.
 * Way 0 of 8.  From: verbs.c.  To: a reader.
 */
#include <ctype.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin.h"
#include "sandbox.h"

#define WIDTH	78

/* One file of /proc/PID, whole; false if it is gone or not for us. */
static bool
slurp(const char *pid, const char *name, struct buf *out)
{
	struct buf path = BUF_INIT;
	ssize_t n;
	char *to;
	int fd;

	buf_reset(out);
	buf_addf(&path, "/proc/%s/%s", pid, name);
	fd = open(buf_str(&path), O_RDONLY | O_CLOEXEC);
	buf_release(&path);
	if (fd == -1)
		return false;
	while ((to = buf_room(out, 4096)) != NULL &&
	    (n = read(fd, to, 4096)) > 0)
		out->len += (size_t)n;
	(void)close(fd);
	buf_cut(out, out->len);
	return out->len > 0;
}

/* Where a link of /proc/PID leads; "?" if we may not know. Appended. */
static bool
add_link(const char *pid, const char *name, struct buf *out)
{
	struct buf path = BUF_INIT;
	char to[4096];
	ssize_t n;

	buf_addf(&path, "/proc/%s/%s", pid, name);
	n = readlink(buf_str(&path), to, sizeof(to) - 1);
	buf_release(&path);
	if (n == -1)
		buf_addc(out, '?');
	else
		buf_add(out, to, (size_t)n);
	return n != -1;
}

/* The value of "Key:" in status, without blanks around; appended. */
static void
add_field(const struct buf *status, const char *key, struct buf *out)
{
	size_t len = strlen(key);
	const char *line = buf_str(status), *end;

	for (; line != NULL && *line != '\0'; line = *end == '\0' ? NULL :
	    end + 1) {
		end = line + strcspn(line, "\n");
		if (strncmp(line, key, len) != 0 || line[len] != ':')
			continue;
		line += len + 1;
		line += strspn(line, " \t");
		while (end > line && isspace((unsigned char)end[-1]))
			end--;
		for (; line < end; line++)
			buf_addc(out, *line == '\t' ? ' ' : *line);
		return;
	}
}

/* "key   words words", wrapped and indented. */
static void
print_words(const char *key, const char *text)
{
	size_t col = 0;

	while (*text != '\0') {
		size_t word = strcspn(text, " ");

		if (col > 0 && col + 1 + word > WIDTH) {
			(void)putchar('\n');
			col = 0;
		}
		if (col == 0) {
			col = (size_t)printf("    %-9s", key);
			key = "";
		} else {
			(void)putchar(' ');
			col++;
		}
		(void)printf("%.*s", (int)word, text);
		col += word;
		text += word + strspn(text + word, " ");
	}
	(void)putchar('\n');
}

static void
print_who(const char *pid, const struct buf *status)
{
	static const char *const fields[][2] = {
		{ "Uid", "uid" }, { "Gid", "gid" }, { "Groups", "groups" },
		{ "CapEff", "capabilities" },
	};
	struct buf b = BUF_INIT, v = BUF_INIT;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		buf_reset(&v);
		add_field(status, fields[i][0], &v);
		/* Real, effective, saved, file: one if they are one. */
		if (i < 2)
			buf_cut(&v, strcspn(buf_str(&v), " "));
		if (i == 3 && strspn(buf_str(&v), "0") == v.len)
			buf_reset(&v);
		buf_addf(&b, "%s%s %s", i > 0 ? ", " : "", fields[i][1],
		    v.len == 0 ? "none" : buf_str(&v));
	}
	print_words("is", buf_str(&b));
	buf_reset(&b);
	(void)add_link(pid, "root", &b);
	print_words("root", buf_str(&b));
	buf_release(&b);
	buf_release(&v);
}

/* What the kernel says is in force. */
static void
print_layers(const struct buf *status, bool whole)
{
	struct buf b = BUF_INIT, v = BUF_INIT;
	bool filtered;

	add_field(status, "Seccomp", &v);
	filtered = strcmp(buf_str(&v), "2") == 0;
	buf_reset(&v);
	add_field(status, "Seccomp_filters", &v);
	if (filtered)
		buf_addf(&b, "seccomp (%s filters)", buf_str(&v));
	else
		buf_adds(&b, "NO SECCOMP");
	buf_addf(&b, whole ? ", Landlock version %d" :
	    ", A LAYER IS MISSING: see sandbox-missing in the log "
	    "(Landlock version %d)", sandbox_landlock_abi());
	buf_reset(&v);
	add_field(status, "NoNewPrivs", &v);
	buf_adds(&b, strcmp(buf_str(&v), "1") == 0 ?
	    ", no new privileges" : ", MAY GAIN PRIVILEGES");
	print_words("layers", buf_str(&b));
	buf_release(&b);
	buf_release(&v);
}

static void
print_rules(enum sandbox kind, const struct config *cfg)
{
	struct buf b = BUF_INIT;

	sandbox_show_files(kind, cfg, &b);
	print_words("files", buf_str(&b));
	buf_reset(&b);
	sandbox_show_net(kind, &b);
	print_words("network", buf_str(&b));
	buf_reset(&b);
	sandbox_show_limits(kind, &b);
	print_words("limits", buf_str(&b));
	buf_reset(&b);
	sandbox_show_calls(kind, &b);
	print_words("calls", buf_str(&b));
	buf_release(&b);
}

static int
by_number(const struct dirent **a, const struct dirent **b)
{
	long x = strtol((*a)->d_name, NULL, 10);
	long y = strtol((*b)->d_name, NULL, 10);

	return x < y ? -1 : x > y;
}

static int
is_number(const struct dirent *d)
{
	return isdigit((unsigned char)d->d_name[0]);
}

static void
print_open(const char *pid)
{
	struct buf b = BUF_INIT, name = BUF_INIT;
	struct dirent **list;
	int n;

	buf_addf(&b, "/proc/%s/fd", pid);
	n = scandir(buf_str(&b), &list, is_number, by_number);
	buf_reset(&b);
	if (n == -1)
		buf_adds(&b, "? (only root may look)");
	for (int i = 0; i < n; i++) {
		buf_reset(&name);
		buf_addf(&name, "fd/%s", list[i]->d_name);
		buf_addf(&b, "%s%s=", i > 0 ? " " : "", list[i]->d_name);
		(void)add_link(pid, buf_str(&name), &b);
		free(list[i]);
	}
	if (n != -1)
		free(list);
	print_words("open", buf_str(&b));
	buf_release(&b);
	buf_release(&name);
}

/*
 * Is it one of this system's?  Its arguments name the configuration, or, for
 * the host's own, none: systemd starts it so.
 */
static bool
is_ours(const char *pid, const struct config *cfg)
{
	struct buf line = BUF_INIT;
	bool said = false, ours = false;

	if (slurp(pid, "cmdline", &line)) {
		const char *s = line.data, *end = line.data + line.len;

		for (; s < end && !ours; s += strlen(s) + 1) {
			ours = said && strcmp(s, cfg->confdir) == 0;
			if (strcmp(s, "-C") == 0)
				said = true;
		}
		ours = ours || (!said &&
		    strcmp(cfg->confdir, config_dir("")) == 0);
	}
	buf_release(&line);
	return ours;
}

/* Prints one process if it is ours and there is still somebody there. */
static bool
show(const char *pid, const struct config *cfg)
{
	struct buf comm = BUF_INIT, status = BUF_INIT, parent = BUF_INIT;
	enum sandbox kind = SANDBOX_KINDS;
	bool whole = false;

	if (slurp(pid, "comm", &comm)) {
		buf_cut(&comm, strcspn(buf_str(&comm), "\n"));
		kind = sandbox_find(buf_str(&comm), &whole);
	}
	if (kind != SANDBOX_KINDS && is_ours(pid, cfg) &&
	    slurp(pid, "status", &status)) {
		add_field(&status, "PPid", &parent);
		(void)printf("%s[%s], child of %s\n", sandbox_name(kind), pid,
		    buf_str(&parent));
		print_who(pid, &status);
		print_layers(&status, whole);
		print_rules(kind, cfg);
		print_open(pid);
	} else {
		kind = SANDBOX_KINDS;
	}
	buf_release(&comm);
	buf_release(&status);
	buf_release(&parent);
	return kind != SANDBOX_KINDS;
}

int
show_sandbox(int argc, char *argv[])
{
	struct config *cfg = config_or_die(NULL);
	struct dirent **list;
	unsigned shown = 0;
	int n;

	(void)argc;
	(void)argv;
	n = scandir("/proc", &list, is_number, by_number);
	if (n == -1)
		err(EX_OSERR, "/proc");
	for (int i = 0; i < n; i++) {
		shown += show(list[i]->d_name, cfg);
		free(list[i]);
	}
	free(list);
	if (shown == 0)
		warnx("no program of %s is running", cfg->confdir);
	config_free(cfg);
	if (fflush(stdout) != 0)
		return EX_IOERR;
	return shown == 0 ? EX_UNAVAILABLE : EX_OK;
}
