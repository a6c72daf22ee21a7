/*
 * check_install.c - `facteur check-install`: one line for each thing that is
 * not right on this host, with the command that mends it.
 *
 * Runs as root (or the one uid); changes nothing.
 * Way 0 of 8.  From: verbs.c.  To: a reader; exit 0 when there is nothing.
 */
#include <sys/file.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin.h"
#include "userdb.h"

static unsigned findings;

static void
print(void *arg, const struct finding *f)
{
	(void)arg;
	findings++;
	(void)printf("%s; %s\n", f->what, f->mend);
}

static void found(const char *mend, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
found(const char *mend, const char *fmt, ...)
{
	struct buf what = BUF_INIT;
	struct finding f = { true, NULL, mend };
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&what, fmt, ap);
	va_end(ap);
	f.what = buf_str(&what);
	print(NULL, &f);
	buf_release(&what);
}

/* ---- users ------------------------------------------------------------- */

static void
check_uids(void)
{
	uid_t uid[SEAM_USERS];
	gid_t gid[SEAM_USERS];
	struct buf mend = BUF_INIT;

	for (unsigned i = SEAM_NET; i < SEAM_USERS; i++) {
		const char *name = seam_name((enum seam_user)i);

		if (!seam_ids((enum seam_user)i, &uid[i], &gid[i])) {
			found("facteur setup --users", "there is no user %s",
			    name);
			uid[i] = (uid_t)-1;
			continue;
		}
		buf_reset(&mend);
		buf_addf(&mend, "userdel %s && facteur setup --users", name);
		if (uid[i] == 0 || gid[i] == 0)
			found(mend.data, "%s has the uid or gid of root", name);
		for (unsigned j = SEAM_NET; j < i; j++)
			if (uid[j] == uid[i])
				found(mend.data, "%s has the uid of %s", name,
				    seam_name((enum seam_user)j));
	}
	buf_release(&mend);
}

/* Mailboxes that launch will refuse. */
static void
check_owners(const struct config *cfg)
{
	struct buf path = BUF_INIT, complaints = BUF_INIT, mend = BUF_INIT;
	struct userdb db;

	buf_addf(&path, "%s/users", cfg->confdir);
	buf_addf(&mend, "editor %s", path.data);
	if (userdb_read(path.data, &db, &complaints) == -1) {
		found("ls -l", "%s: %s", path.data, strerror(errno));
		goto out;
	}
	for (size_t i = 0; i < db.n; i++)
		if (db.v[i].uid == 0 || db.v[i].gid == 0 ||
		    seam_is_program(db.v[i].uid))
			found(mend.data, "%s: the mailbox %s has the uid of "
			    "root or of a program, and is not served",
			    path.data, db.v[i].address);
	userdb_release(&db);
out:
	buf_release(&path);
	buf_release(&complaints);
	buf_release(&mend);
}

/* ---- programs ---------------------------------------------------------- */

static void
check_programs(void)
{
	static const char *const names[] = { "facteur", "sendmail", "smtpd",
	    "pop3d", "inject", "queue", "remote", "launch", "local", "resolve",
	    "authd", "keyd", "tlsd", "qadmin", "passwd" };
	struct buf mend = BUF_INIT;
	struct stat st;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *path = program_path(names[i]);

		buf_reset(&mend);
		if (stat(path, &st) == -1) {
			found("make install", "%s: %s", path, strerror(errno));
		} else if ((st.st_mode & (S_ISUID | S_ISGID)) != 0) {
			buf_addf(&mend, "chmod ug-s %s", path);
			found(mend.data, "%s is setuid or setgid", path);
		} else if ((st.st_mode & 022) != 0) {
			buf_addf(&mend, "chmod go-w %s", path);
			found(mend.data, "%s may be changed by others", path);
		} else if ((st.st_mode & 0111) != 0111 && geteuid() == 0) {
			buf_addf(&mend, "chmod a+rx %s", path);
			found(mend.data, "%s cannot be run by all our users",
			    path);
		}
	}
	buf_release(&mend);
}

/* ---- ports ------------------------------------------------------------- */

/* Is our own system running?  Then the ports are taken by the right one. */
static bool
is_running(const struct config *cfg)
{
	int fd = open(config_socket(cfg, "lock"), O_RDWR | O_CLOEXEC |
	    O_NOFOLLOW);
	bool held = fd != -1 && flock(fd, LOCK_EX | LOCK_NB) == -1 &&
	    errno == EWOULDBLOCK;

	if (fd != -1)
		(void)close(fd);
	return held;
}

static void
check_ports(const struct config *cfg)
{
	static const struct { const char *key; size_t at; } lists[] = {
#define LIST(x)	{ #x, offsetof(struct config, x) }
		LIST(listen_smtp), LIST(listen_submission),
		LIST(listen_submissions), LIST(listen_lmtp),
		LIST(listen_pop3), LIST(listen_pop3s),
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		const struct strlist *l = (const void *)
		    ((const char *)cfg + lists[i].at);

		for (size_t j = 0; j < l->n; j++) {
			const char *spec = l->v[j];
			int fd;

			if (strncmp(spec, "unix:", 5) == 0)
				continue;	/* a listen would replace it */
			fd = netaddr_listen(spec, 0600);
			if (fd != -1)
				(void)close(fd);
			else if (errno == EADDRINUSE)
				found("ss -lntp (tells who; stop it, or change "
				    "the key)", "%s: %s is in use",
				    lists[i].key, spec);
			else
				found("edit facteur.conf", "%s: %s: %s",
				    lists[i].key, spec, strerror(errno));
		}
	}
}

int
check_install(int argc, char *argv[])
{
	struct config *cfg = config_or_die(NULL);

	(void)argc;
	(void)argv;
	if (cfg->as_root && geteuid() != 0)
		errx(EX_NOPERM, "%s is the configuration of the whole host: "
		    "only root can look at all of it", cfg->confdir);
	seams_init(cfg);
	if (cfg->as_root) {
		check_uids();
		check_owners(cfg);
	}
	check_files(cfg, print, NULL);
	check_programs();
	if (!is_running(cfg))
		check_ports(cfg);
	config_free(cfg);
	if (fflush(stdout) != 0)
		return EX_IOERR;
	return findings == 0 ? 0 : EX_CONFIG;
}
