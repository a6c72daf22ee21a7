/*
 * drop_scan.c - the list of messages in a Maildir, from their names alone.
 *
 * Way 8 of 8, as the mailbox owner.  From: Maildir/new and cur, written by
 * local.  To: drop.c.
 *
 * Other programs (an IMAP server, a mail reader on the host) move messages from
 * new to cur and rename them in cur to change their flags; only the
 * unique part of a name stays.  So new is read first, and cur again if it
 * changed meanwhile: a message may then be seen twice, but not be missed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drop.h"
#include "maildir.h"

#define SCAN_TRIES	3
#define NAMES_MAX	(1024u * 1024 * 1024)	/* bytes, together */

/* RFC 1939 section 7: 1 to 70 characters of 0x21 to 0x7E. */
static bool
is_uidl(const char *s, size_t len)
{
	if (len == 0 || len > UIDL_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (s[i] < 0x21 || s[i] > 0x7e)
			return false;
	return true;
}

/*
 * A size in a name is believed unless it cannot be true: each LF became CRLF
 * at most, and a last line end may have come.
 */
static int64_t
believable(const struct maildir_entry *e)
{
	if (e->wire < 0)
		return -1;
	if (e->size >= 0 && (e->wire < e->size || e->wire / 2 > e->size + 1))
		return -1;
	return e->wire;
}

static int
list_add(struct drop_list *l, const char *name, unsigned where)
{
	struct maildir_entry e;
	struct drop_msg *m;

	if (!maildir_parse(name, &e) || e.unique_len > UINT8_MAX)
		return 0;
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 256 : l->cap * 2;
		l->v = xreallocarray(l->v, l->cap, sizeof(*l->v));
	}
	m = &l->v[l->n];
	*m = (struct drop_msg){
		.sec = e.sec, .usec = e.usec, .wire = believable(&e),
		.name = (uint32_t)l->names.len,
		.unique_len = (uint8_t)e.unique_len, .where = (uint8_t)where,
		.plain = is_uidl(name, e.unique_len),
	};
	buf_add(&l->names, name, strlen(name) + 1);
	if (!buf_ok(&l->names)) {
		errno = ENOMEM;
		return -1;
	}
	l->n++;
	return 0;
}

/*
 * Only regular files are messages; on nearly every file system the directory
 * itself knows.
 */
static bool
is_file(int dir, const struct dirent *de)
{
	struct stat st;

	if (de->d_type != DT_UNKNOWN)
		return de->d_type == DT_REG;
	return fstatat(dir, de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode);
}

static int
scan_dir(struct drop_list *l, int sub, unsigned where)
{
	int fd = openat(sub, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dp = fd == -1 ? NULL : fdopendir(fd);
	const struct dirent *de;
	int saved, failed = 0;

	if (dp == NULL) {
		saved = errno;
		if (fd != -1)
			close(fd);
		errno = saved;
		return -1;
	}
	while (!failed && (errno = 0, de = readdir(dp)) != NULL)
		if (de->d_name[0] != '.' && is_file(sub, de))
			failed = list_add(l, de->d_name, where);
	saved = errno;
	closedir(dp);
	errno = saved;
	return saved != 0 ? -1 : 0;
}

/* Compares what identifies a message: arrival, then the unique part. */
static int
cmp_unique(const struct drop_list *la, const struct drop_msg *a,
    const struct drop_list *lb, const struct drop_msg *b)
{
	size_t len = a->unique_len < b->unique_len ?
	    a->unique_len : b->unique_len;
	int c;

	if (a->sec != b->sec)
		return a->sec < b->sec ? -1 : 1;
	if (a->usec != b->usec)
		return a->usec < b->usec ? -1 : 1;
	if ((c = memcmp(drop_name(la, a), drop_name(lb, b), len)) != 0)
		return c;
	return (int)a->unique_len - (int)b->unique_len;
}

static int
cmp_msg(const void *va, const void *vb, void *list)
{
	const struct drop_msg *a = va, *b = vb;
	const struct drop_list *l = list;
	int c = cmp_unique(l, a, l, b);

	if (c != 0)
		return c;
	if (a->where != b->where)
		return (int)a->where - (int)b->where;
	return strcmp(drop_name(l, a), drop_name(l, b));
}

/*
 * n messages share one unique part.  Either one was moved while we looked, and
 * its old name is dead; or it has two links for a moment; or there really are
 * several.  The living are moved to `to`; returns their number.
 */
static size_t
settle(const struct drop_list *l, const int sub[2], struct drop_msg *to,
    const struct drop_msg *from, size_t n)
{
	struct stat st, last = { .st_ino = 0 };
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (fstatat(sub[from[i].where], drop_name(l, &from[i]), &st,
		    AT_SYMLINK_NOFOLLOW) == -1)
			continue;
		if (kept > 0 && st.st_ino == last.st_ino &&
		    st.st_dev == last.st_dev)
			continue;
		last = st;
		to[kept] = from[i];
		to[kept].extra = kept > 0;
		kept++;
	}
	for (size_t i = 0; i < kept; i++)
		to[i].twin = kept > 1;
	return kept;
}

static void
settle_all(struct drop_list *l, const int sub[2])
{
	size_t kept = 0, end;

	for (size_t i = 0; i < l->n; i = end) {
		for (end = i + 1; end < l->n; end++)
			if (cmp_unique(l, &l->v[i], l, &l->v[end]) != 0)
				break;
		if (end - i == 1)
			l->v[kept++] = l->v[i];
		else
			kept += settle(l, sub, &l->v[kept], &l->v[i], end - i);
	}
	l->n = kept;
}

static int
mtime(int fd, struct timespec *out)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return -1;
	*out = st.st_mtim;
	return 0;
}

int
drop_list_scan(struct drop_list *l, const int sub[2],
    struct timespec looked_out[2])
{
	struct timespec now;

	l->names.max = NAMES_MAX;
	for (int try = 0; try < SCAN_TRIES; try++) {
		l->n = 0;
		buf_reset(&l->names);
		if (mtime(sub[DROP_NEW], &looked_out[DROP_NEW]) == -1 ||
		    mtime(sub[DROP_CUR], &looked_out[DROP_CUR]) == -1 ||
		    scan_dir(l, sub[DROP_NEW], DROP_NEW) == -1 ||
		    scan_dir(l, sub[DROP_CUR], DROP_CUR) == -1 ||
		    mtime(sub[DROP_CUR], &now) == -1)
			return -1;
		if (now.tv_sec == looked_out[DROP_CUR].tv_sec &&
		    now.tv_nsec == looked_out[DROP_CUR].tv_nsec)
			break;
	}
	if (l->n > 1)
		qsort_r(l->v, l->n, sizeof(*l->v), cmp_msg, l);
	settle_all(l, sub);
	return 0;
}

void
drop_list_follow(struct drop_list *l, const struct drop_list *now)
{
	size_t j = 0;
	int c = 1;

	for (size_t i = 0; i < l->n; i++) {
		struct drop_msg *m = &l->v[i];
		const char *name;

		while (j < now->n &&
		    (c = cmp_unique(now, &now->v[j], l, m)) < 0)
			j++;
		if (j == now->n)
			return;
		/* of several nobody knows which is which */
		if (c != 0 || m->twin || now->v[j].twin)
			continue;
		name = drop_name(now, &now->v[j]);
		m->where = now->v[j].where;
		if (strcmp(name, drop_name(l, m)) != 0 &&
		    strlen(name) < NAMES_MAX - l->names.len) {
			m->name = (uint32_t)l->names.len;
			buf_add(&l->names, name, strlen(name) + 1);
		}
	}
}

void
drop_list_release(struct drop_list *l)
{
	free(l->v);
	l->v = NULL;
	l->n = l->cap = 0;
	buf_release(&l->names);
}
