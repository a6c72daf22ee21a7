/*
 * qadmin_entry.c - walks over the queue files for those who only look.
 *
 * Runs as the caller.  From: the spool directory.  To: queue/qadmin_*.c.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "qadmin.h"
#include "spool.h"

struct names { char (*v)[64]; size_t n, cap; };

static int
by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The names of one directory, sorted: IDs sort by time. */
static int
read_names(int dirfd, const char *id, struct names *names)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	char found[ID_LEN + 1];
	struct dirent *d;

	if (dir == NULL)
		return -1;
	names->n = 0;
	while ((d = readdir(dir)) != NULL) {
		if (!spool_name_parse(d->d_name, found, NULL) ||
		    (id != NULL && strcmp(found, id) != 0))
			continue;
		if (names->n == names->cap) {
			names->cap = names->cap == 0 ? 256 : names->cap * 2;
			names->v = xreallocarray(names->v, names->cap,
			    sizeof(*names->v));
		}
		strlcpy(names->v[names->n++], d->d_name, sizeof(*names->v));
	}
	closedir(dir);
	if (names->n > 0)
		qsort(names->v, names->n, sizeof(*names->v), by_name);
	return 0;
}

/* Not one of ours unless it is a file: a link or a pipe is not counted. */
static int
visit(int dirfd, struct entry *e, int (*fn)(struct entry *, void *), void *arg,
    int *count)
{
	struct stat st;
	int r = 0;

	e->fd = openat(dirfd, e->name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (e->fd == -1)
		return 0;		/* delivered meanwhile */
	envelope_init(&e->env);
	if (fstat(e->fd, &st) == 0 && S_ISREG(st.st_mode)) {
		e->readable = spool_read_envelope(e->fd, e->size, &e->env) == 0;
		r = fn(e, arg);
		++*count;
	}
	envelope_release(&e->env);
	close(e->fd);
	return r;
}

bool
entries_in_bad(int dir, const char *id)
{
	struct names names = { NULL, 0, 0 };
	bool found = read_names(dir, id, &names) == 0 && names.n > 0;

	free(names.v);
	return found;
}

bool
entry_is_held(const struct entry *e)
{
	return strcmp(e->dir, "hold") == 0;
}

bool
rcpt_is_open(const struct env_rcpt *r)
{
	return r->state == RCPT_PENDING || r->state == RCPT_FAILED ||
	    (r->state == RCPT_DONE && r->report != REPORT_NONE);
}

void
spool_die(const struct config *cfg)
{
	if (errno == ENOENT)
		errx(EX_TEMPFAIL, "%s: there is no spool yet; nothing has run "
		    "here (`facteur run` makes it)", cfg->spool);
	err(errno == EACCES ? EX_NOPERM : EX_OSERR, "%s", cfg->spool);
}

int
entries_each(const struct config *cfg, const char *id,
    int (*fn)(struct entry *, void *), void *arg)
{
	static const char *const dirs[] = { "queue", "hold" };
	struct names names = { NULL, 0, 0 };
	struct spool spool = SPOOL_INIT;
	struct entry e;
	int count = 0, stop = 0;

	if (spool_open(&spool, cfg->spool, false) == -1)
		return -1;
	for (int i = 0; i < 2 && !stop; i++) {
		int fd = i == 0 ? spool.queue : spool.hold;

		if (read_names(fd, id, &names) == -1) {
			count = -1;
			break;
		}
		for (size_t k = 0; k < names.n && !stop; k++) {
			memset(&e, 0, sizeof(e));
			e.dir = dirs[i];
			strlcpy(e.name, names.v[k], sizeof(e.name));
			if (spool_name_parse(e.name, e.id, &e.size))
				stop = visit(fd, &e, fn, arg, &count);
		}
	}
	free(names.v);
	spool_close(&spool);
	return count;
}
