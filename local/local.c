/*
 * local - puts one message into one Maildir, by hand or from a script.
 *
 * stdin is the message; the exit status is the outcome: 0 delivered, 75 try
 * again, 65 never, 67 no such mailbox.  Started by root it becomes the owner.
 * Way 6 of 8.  From: a pipe (the queue comes by launch.c).  To: deliver.c.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "address.h"
#include "local.h"
#include "log.h"
#include "privdrop.h"
#include "resolve.h"
#include "seams.h"

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: local [-C confdir] [-d maildir] [-f sender] "
	    "address <message\n");
	exit(EX_USAGE);
}

static _Noreturn void
die(int status, const char *what, const char *why)
{
	fprintf(stderr, "local: %s: %s\n", quoted(what), why);
	exit(status);
}

/* Whose mailbox is it?  Ends the program if it is nobody's. */
static void
find_mailbox(const struct config *cfg, const char *address, struct route *out)
{
	struct resolver r;
	struct who w;

	who_init(&w, cfg);
	resolver_init(&r, cfg, who_ask_or_file, &w);
	resolve_address(&r, address, true, out);
	resolver_release(&r);
	who_release(&w);
	if (out->kind == ROUTE_LATER)
		die(EX_TEMPFAIL, address, buf_str(&out->text));
	if (out->kind == ROUTE_REFUSE)
		die(EX_NOUSER, address, buf_str(&out->text));
	if (out->kind != ROUTE_MAILBOX)
		die(EX_NOUSER, address, "not in one of our domains");
}

static void
become_owner(const struct config *cfg, const struct mailbox *box)
{
	if (!cfg->as_root || geteuid() != 0)
		return;
	seams_init(cfg);
	if (seam_is_program(box->uid))
		die(EX_NOPERM, box->address, "that is a program of ours");
	if (privdrop(box->uid, box->gid, NULL) == -1)
		die(EX_TEMPFAIL, box->address, strerror(errno));
}

/*
 * A pipe can be read once only, and its size is not known: copies it to a
 * file that has no name.
 */
static int
spool_stdin(void)
{
	static char block[64 * 1024];
	FILE *f = tmpfile();
	ssize_t n;
	int fd = -1;

	if (f == NULL)
		return -1;
	while ((n = read(STDIN_FILENO, block, sizeof(block))) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 || fwrite(block, 1, (size_t)n, f) != (size_t)n)
			goto out;
	}
	if (fflush(f) == 0)
		fd = fcntl(fileno(f), F_DUPFD_CLOEXEC, 3);
out:
	(void)fclose(f);
	return fd;
}

static void
take_message(struct message *m, const char *sender)
{
	struct stat st;

	if (lseek(STDIN_FILENO, 0, SEEK_CUR) == 0 &&
	    fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode))
		m->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		m->fd = spool_stdin();
	if (m->fd == -1 || fstat(m->fd, &st) == -1)
		die(EX_TEMPFAIL, "cannot read the message", strerror(errno));
	m->size = st.st_size;
	m->sender = xstrdup(sender);
	id_new(m->id);
}

/* "dir/Maildir/" -> the directory opened, and the name in it. */
static int
split_maildir(char *path, const char **name)
{
	char *slash;
	size_t len = strlen(path);
	int fd;

	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	slash = strrchr(path, '/');
	*name = slash == NULL ? path : slash + 1;
	if (slash != NULL)
		*slash = '\0';
	fd = open(slash == NULL ? "." : slash == path ? "/" : path,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		die(EX_TEMPFAIL, path, strerror(errno));
	return fd;
}

static int
outcome_exit(const struct verdict *v)
{
	static const int status[] = {
		[DELIVERED] = EX_OK, [DEFERRED] = EX_TEMPFAIL,
		[FAILED] = EX_DATAERR,
	};

	if (v->outcome != DELIVERED)
		fprintf(stderr, "local: %s %s\n", v->enh, buf_str(&v->text));
	return status[v->outcome];
}

static int
run(const struct config *cfg, const char *sender, char *maildir,
    const char *address)
{
	struct message m = MESSAGE_INIT;
	struct delivery d = { 1, address, NULL, -1, "Maildir" };
	struct verdict v = VERDICT_INIT;
	struct route route = ROUTE_INIT;
	int rc;

	if (maildir == NULL) {
		find_mailbox(cfg, address, &route);
		become_owner(cfg, &route.box);
		d.home = route.box.home;
	} else
		d.at = split_maildir(maildir, &d.maildir);
	take_message(&m, sender);
	if (message_load(&m, &v) == 0)
		deliver(&m, &d, cfg, &v);
	rc = outcome_exit(&v);
	if (d.at != -1)
		(void)close(d.at);
	message_release(&m);
	buf_release(&v.text);
	route_reset(&route);
	return rc;
}

/* The canonical form; a name alone is in our first domain. */
static void
canonical(const struct config *cfg, const char *s, struct buf *out)
{
	if (address_parse(s, strlen(s), ADDR_ALLOW_UTF8 | ADDR_ALLOW_BARE,
	    out) != ADDR_OK || !buf_ok(out))
		die(EX_USAGE, s, "this is not a mail address");
	if (address_domain(buf_str(out)) == NULL)
		buf_addf(out, "@%s", config_home_domain(cfg));
}

int
main(int argc, char *argv[])
{
	struct buf to = BUF_INIT, from = BUF_INIT;
	const char *confdir = NULL, *sender = "";
	char *maildir = NULL;
	struct config *cfg;
	int ch, rc;

	process_init();
	log_init("local");
	while ((ch = getopt(argc, argv, "C:d:f:")) != -1)
		switch (ch) {
		case 'C':
			confdir = optarg;
			break;
		case 'd':
			maildir = optarg;
			break;
		case 'f':
			sender = optarg;
			break;
		default:
			usage();
		}
	if (argc - optind != 1 || (maildir != NULL && *maildir == '\0'))
		usage();
	cfg = config_or_die(confdir);
	canonical(cfg, argv[optind], &to);
	if (*sender != '\0' && strcmp(sender, "<>") != 0)
		canonical(cfg, sender, &from);
	rc = run(cfg, buf_str(&from), maildir, buf_str(&to));
	buf_release(&to);
	buf_release(&from);
	config_free(cfg);
	return rc;
}
