/*
 * check.c - owners and modes of what the system lives on: a wall with a door
 * in it is worse than none, because nobody looks any more.
 *
 * Runs as root or as the one uid; what several uids share is tried by a child
 * that has become the one in question.  Nothing is repaired here.
 * Way 0 of 8.  From: run.c, check_install.c.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin.h"
#include "privdrop.h"

struct checker {
	const struct config *cfg;
	void	(*tell)(void *, const struct finding *);
	void	*arg;
};

static void
tell(const struct checker *c, bool fatal, struct buf *what, struct buf *mend)
{
	struct finding f = { fatal, buf_str(what), buf_str(mend) };

	c->tell(c->arg, &f);
	buf_release(what);
	buf_release(mend);
}

static void
tell_mode(const struct checker *c, bool fatal, const char *path,
    const struct stat *st, const char *why, const char *chmod_to)
{
	struct buf what = BUF_INIT, mend = BUF_INIT;

	buf_addf(&what, "%s has mode %04o: %s", path,
	    (unsigned)st->st_mode & 07777, why);
	buf_addf(&mend, "chmod %s %s", chmod_to, path);
	tell(c, fatal, &what, &mend);
}

static void
tell_owner(const struct checker *c, const char *path, const struct stat *st,
    enum seam_user owner, bool all_below)
{
	struct buf what = BUF_INIT, mend = BUF_INIT;
	uid_t uid;
	gid_t gid;

	if (!seam_ids(owner, &uid, &gid))
		return;			/* walls_check() tells of that */
	buf_addf(&what, "%s belongs to uid %u, not to ", path,
	    (unsigned)st->st_uid);
	buf_addf(&mend, "chown %s", all_below ? "-R " : "");
	if (c->cfg->as_root) {
		buf_addf(&what, "%s", seam_name(owner));
		buf_addf(&mend, "%s:%s %s", seam_name(owner),
		    seam_name(owner), path);
	} else {
		buf_addf(&what, "uid %u", (unsigned)uid);
		buf_addf(&mend, "%u:%u %s", (unsigned)uid, (unsigned)gid, path);
	}
	tell(c, true, &what, &mend);
}

/*
 * On a host every door is.  An ordinary user may have a umask of 002, and a
 * group of his own: only what everybody may write stops him.
 */
static bool
is_fatal(const struct checker *c, const struct stat *st)
{
	return c->cfg->as_root || (st->st_mode & 02) != 0;
}

/* ---- directories ------------------------------------------------------- */

static void
check_place(const struct checker *c, const struct place *p)
{
	struct buf path = BUF_INIT, what = BUF_INIT, mend = BUF_INIT;
	enum seam_user owner = p->owner;
	mode_t shut = p->mode == 0700 ? 077 : 022, open = p->mode & 0111;
	struct stat st;
	char to[8];
	uid_t uid;
	gid_t gid;

	if (!c->cfg->as_root)
		open = 0100;
	place_path(c->cfg, p, &path);
	/* spool or mail may be a link to a larger disk, nothing below may. */
	if ((*p->below != '\0' ? lstat : stat)(path.data, &st) == -1) {
		/* `facteur run` makes what is missing. */
	} else if (!S_ISDIR(st.st_mode)) {
		buf_addf(&what, "%s is no directory", path.data);
		buf_addf(&mend, "mv %s %s.old", path.data, path.data);
		tell(c, true, &what, &mend);
	} else if (!seam_ids(owner, &uid, &gid) || st.st_uid != uid) {
		tell_owner(c, path.data, &st, owner, owner == SEAM_QUEUE);
	} else if ((st.st_mode & shut) != 0 || (st.st_mode & open) != open) {
		(void)snprintf(to, sizeof(to), "%04o",
		    c->cfg->as_root ? (unsigned)p->mode : 0700u);
		tell_mode(c, is_fatal(c, &st), path.data, &st,
		    (st.st_mode & shut) != 0 ?
		    "too much for others" : "not enough for its users", to);
	}
	buf_release(&path);
}

/* ---- files ------------------------------------------------------------- */

/*
 * Is it this user's right to reach it?  `refused` tries as one who has become
 * that user; true: no, with errno EACCES or EROFS.
 */
static bool
is_refused(enum seam_user who, const char *path, bool (*refused)(const char *))
{
	uid_t uid;
	gid_t gid;
	pid_t pid;
	int status;

	if (!seam_ids(who, &uid, &gid) || (pid = fork()) == -1)
		return false;		/* other findings tell of that */
	if (pid == 0) {
		if (privdrop(uid, gid, NULL) == -1)
			_exit(0);
		_exit(refused(path));
	}
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) != 0;
}

static bool
read_refused(const char *path)
{
	return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) == -1 &&
	    errno == EACCES;
}

static bool
write_refused(const char *dir)
{
	return faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) == -1;
}

/* The first directory on the way that keeps others out, appended; or none. */
static bool
closed_directory(const char *path, struct buf *out)
{
	struct stat st;

	for (const char *p = path; (p = strchr(p + 1, '/')) != NULL;) {
		buf_reset(out);
		buf_add(out, path, (size_t)(p - path));
		if (stat(out->data, &st) == 0 && (st.st_mode & 01) == 0)
			return true;
	}
	return false;
}

static void
check_readable(const struct checker *c, const char *path, enum seam_user who,
    bool fatal, const char *mend_file)
{
	struct buf what = BUF_INIT, mend = BUF_INIT, dir = BUF_INIT;

	if (c->cfg->as_root && is_refused(who, path, read_refused)) {
		buf_addf(&what, "%s cannot be read by %s", path,
		    seam_name(who));
		if (closed_directory(path, &dir))
			buf_addf(&mend, "chmod a+x %s", dir.data);
		else
			buf_addf(&mend, "%s %s", mend_file, path);
		tell(c, fatal, &what, &mend);
	}
	buf_release(&dir);
}

/* Nobody but its owner, who is root or `owner`, may change it. */
static bool
check_owned(const struct checker *c, const char *path, enum seam_user owner)
{
	struct stat st;
	uid_t uid;
	gid_t gid;

	if (stat(path, &st) == -1)
		return false;
	if (!seam_ids(owner, &uid, &gid) || (st.st_uid != uid &&
	    st.st_uid != 0)) {
		tell_owner(c, path, &st, owner, false);
		return false;
	}
	if ((st.st_mode & 022) != 0)
		tell_mode(c, is_fatal(c, &st), path, &st,
		    "others may change it", "go-w");
	else if (S_ISREG(st.st_mode) && (owner == SEAM_AUTH ||
	    owner == SEAM_KEYS) && (st.st_mode & 04) != 0)
		tell_mode(c, false, path, &st, "everybody may read it", "o-r");
	return true;
}

static void
check_confdir(const struct checker *c)
{
	static const struct {
		const char *name, *mend;
		enum seam_user owner, reader;
	} files[] = {
		{ "facteur.conf", "chmod a+r", SEAM_ROOT, SEAM_NET },
		{ "aliases", "chmod a+r", SEAM_ROOT, SEAM_LOOKUP },
		{ "users", "chown facteur-auth:facteur-auth", SEAM_AUTH,
		    SEAM_AUTH },
	};
	struct buf path = BUF_INIT;

	(void)check_owned(c, c->cfg->confdir, SEAM_ROOT);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		buf_reset(&path);
		buf_addf(&path, "%s/%s", c->cfg->confdir, files[i].name);
		if (check_owned(c, path.data, files[i].owner))
			check_readable(c, path.data, files[i].reader, true,
			    files[i].mend);
	}
	buf_release(&path);
}

/* keyd reads both as root at its start, but as itself when they change. */
static void
check_tls_files(const struct checker *c)
{
	const char *key = c->cfg->tls_key;
	struct buf mend = BUF_INIT;

	if (*c->cfg->tls_cert == '\0')
		return;
	if (check_owned(c, c->cfg->tls_cert, SEAM_ROOT))
		check_readable(c, c->cfg->tls_cert, SEAM_KEYS, false,
		    "chmod a+r");
	buf_addf(&mend, "chgrp %s %s && chmod 0640", seam_name(SEAM_KEYS), key);
	if (check_owned(c, key, SEAM_KEYS))
		check_readable(c, key, SEAM_KEYS, false, mend.data);
	buf_release(&mend);
}

/* Figures that cannot be written stop nobody; but somebody waits for them. */
static void
check_stats_dir(const struct checker *c)
{
	const char *file = c->cfg->stats_file, *slash = strrchr(file, '/');
	struct buf dir = BUF_INIT, what = BUF_INIT, mend = BUF_INIT;
	const char *user = seam_name(SEAM_QUEUE);
	struct stat st;

	if (slash == NULL)
		return;
	buf_add(&dir, file, slash == file ? 1 : (size_t)(slash - file));
	if (stat(dir.data, &st) == -1 || !S_ISDIR(st.st_mode)) {
		buf_addf(&what, "stats_file: %s is no directory", dir.data);
		if (c->cfg->as_root)
			buf_addf(&mend, "install -d -o %s %s", user, dir.data);
		else
			buf_addf(&mend, "mkdir %s", dir.data);
	} else if (c->cfg->as_root ? is_refused(SEAM_QUEUE, dir.data,
	    write_refused) : write_refused(dir.data)) {
		buf_addf(&what, "stats_file: %s cannot be written by %s",
		    dir.data, c->cfg->as_root ? user : "us");
		if (c->cfg->as_root)
			buf_addf(&mend, "chgrp %s %s && chmod g+wx %s", user,
			    dir.data, dir.data);
		else
			buf_addf(&mend, "chmod u+wx %s", dir.data);
	}
	if (what.len > 0)
		tell(c, false, &what, &mend);
	buf_release(&dir);
}

void
check_files(const struct config *cfg,
    void (*how)(void *, const struct finding *), void *arg)
{
	struct checker c = { cfg, how, arg };

	check_confdir(&c);
	check_tls_files(&c);
	check_stats_dir(&c);
	for (unsigned i = 0; i < nplaces; i++)
		check_place(&c, &places[i]);
}

static void
refuse(void *n, const struct finding *f)
{
	if (!f->fatal)
		return;
	warnx("%s; mend it with: %s", f->what, f->mend);
	++*(unsigned *)n;
}

void
check_or_die(const struct config *cfg)
{
	unsigned n = 0;

	check_files(cfg, refuse, &n);
	if (n > 0)
		errx(EX_NOPERM, "not started: owners and modes are not right");
}
