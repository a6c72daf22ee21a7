/*
 * scan.c - what lies in queue/: read once at the start and again every ten
 * minutes, and watched in between, so that an administrator's mv, cp and rm count.
 *
 * Way 4 of 8.  From: the directory.  To: queue/msg.c.
 * inject's notices are only faster: losing every one of them would cost seconds.
 */
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "deadline.h"
#include "foreign.h"
#include "history.h"
#include "log.h"
#include "queue.h"
#include "unsaved.h"

#define SLICE		5000	/* names read before others get their turn */
#define RESCAN_MS	(10 * 60 * 1000)
/*
 * A name seen by inotify is looked at this much later if no notice comes first
 * (the kernel holds only ten of them): inject is just about to unlock it.
 */
#define SETTLE_MS	20
#define STALE_S		3600	/* an unfinished file of this age is garbage */

/*
 * An unfinished file of inject (only where O_TMPFILE is missing) goes when it
 * is old.  One that is locked is being written, whatever the clock says.
 */
static void
remove_stale(const char *name, const struct stat *st)
{
	int fd;

	if (time(NULL) - st->st_mtime <= STALE_S)
		return;
	fd = openat(Q.spool.queue, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 &&
	    unlinkat(Q.spool.queue, name, 0) == 0)
		log_event(NULL, "stale-removed name=%s", quoted(name));
	(void)close(fd);
}

/* A name that is not ID.SIZE: reported, and left alone. */
static void
scan_foreign(const char *name)
{
	struct stat st;

	if (fstatat(Q.spool.queue, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return;
	if (strncmp(name, "tmp.", 4) == 0 && S_ISREG(st.st_mode))
		remove_stale(name, &st);
	else
		foreign_report(name, "not the name of a message");
}

/* The message of that name, new or known; NULL when it is none. */
static struct msg *
scan_name(const char *name, int64_t due)
{
	char id[ID_LEN + 1];
	struct msg *m;
	int64_t size;

	if (spool_name_parse(name, id, &size)) {
		m = msg_add(id, size, due);
		if (m->size == size)
			return m;
		/* Only one can be at work; the other one's turn comes. */
		foreign_report(name, "another message has this ID");
	} else if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
		scan_foreign(name);
	return NULL;
}

/* A message whose name the scan has not met: is its file really gone? */
static void
forget_missing(struct msg *m, void *arg)
{
	char name[SPOOL_NAME_MAX + 1];
	struct stat st;

	(void)arg;
	if (m->seen == Q.scan || m->active != NULL)
		return;
	spool_name(name, m->id, m->size);
	if (fstatat(Q.spool.queue, name, &st, AT_SYMLINK_NOFOLLOW) == -1 &&
	    errno == ENOENT) {
		unsaved_forget(m->id);
		msg_forget(m);
	}
}

/* ---- a scan of the directory, a slice at a time ---- */

static struct {
	DIR	*dir;		/* owned; NULL: none is under way */
	int64_t	 due;		/* of what it finds */
	bool	 first;		/* at the start: all of it was here before us */
	bool	 again;		/* events were lost meanwhile: not the last one */
	uint32_t finished;	/* the rename by which inject's last one came */
	struct timer more;
} S;

static int
scan_begin(bool first)
{
	int fd;

	if (S.dir != NULL)
		return 0;
	fd = openat(Q.spool.queue, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	S.dir = fd == -1 ? NULL : fdopendir(fd);
	if (S.dir == NULL) {
		log_errno(NULL, "scan-failed dir=queue");
		if (fd != -1)
			close(fd);
		return -1;
	}
	S.due = now_ms();
	S.first = first;
	Q.scan++;		/* what is added from now on counts as seen */
	return 0;
}

static void
scan_end(void)
{
	if (errno != 0)
		log_errno(NULL, "scan-incomplete dir=queue");
	else if (!S.first)
		msg_each(forget_missing, NULL);
	closedir(S.dir);
	S.dir = NULL;
	if (S.again)
		loop_timer_set(Q.loop, &Q.rescan, now_ms());
	S.again = false;
}

/* Reads at most n names. False: that was the last of them. */
static bool
scan_slice(unsigned n)
{
	struct dirent *d;
	struct msg *m;

	for (; n > 0; n--) {
		errno = 0;
		if ((d = readdir(S.dir)) == NULL) {
			scan_end();
			return false;
		}
		if ((m = scan_name(d->d_name, S.due)) == NULL)
			continue;
		stats_message(m);
		m->seen = Q.scan;
		/* Who had it last may have died in the middle. */
		if (S.first && m->due == S.due) {
			m->repeat = true;
			msg_begun(m);
		}
	}
	return true;
}

void
scan_all(void)
{
	if (scan_begin(false) == 0)
		while (scan_slice(SLICE))
			continue;
}

/* With a million names, mail that has just come must not wait for the last. */
static void
scan_more(struct timer *t)
{
	if (scan_slice(SLICE))
		loop_timer_set(Q.loop, t, now_ms());
	active_run();
}

static void
scan_go(bool first)
{
	S.more.fire = scan_more;
	if (S.dir != NULL)
		S.again = true;	/* what it has passed may have changed */
	else if (scan_begin(first) == 0)
		loop_timer_set(Q.loop, &S.more, now_ms());
}

static void
rescan(struct timer *t)
{
	scan_go(false);
	loop_timer_set(Q.loop, t, now_ms() + RESCAN_MS);
}

/* An event may be older than what we have done since: delivered, and removed. */
static bool
is_over(const char *name)
{
	char id[ID_LEN + 1];

	return spool_name_parse(name, id, NULL) && msg_find(id) == NULL &&
	    faccessat(Q.spool.queue, name, F_OK, AT_SYMLINK_NOFOLLOW) == -1 &&
	    errno == ENOENT;
}

static void
scan_event(const struct inotify_event *e)
{
	char id[ID_LEN + 1];
	struct msg *m;
	int64_t size;

	if (e->mask & IN_Q_OVERFLOW) {
		rescan(&Q.rescan);
		return;
	}
	if (e->len == 0)
		return;
	if (e->mask & (IN_CREATE | IN_MOVED_TO)) {
		if (is_over(e->name))
			return;
		m = scan_name(e->name, now_ms() + SETTLE_MS);
		if (m == NULL)
			return;
		if ((e->mask & IN_MOVED_TO) && e->cookie != S.finished) {
			m->counted = m->rcpts_counted = true;
			m->repeat = true;	/* from hold/, or from a backup */
			if (m->due != 0)
				msg_begun(m);
		}
		stats_message(m);
		return;
	}
	/* Where O_TMPFILE is missing, a new one gets its name by a rename. */
	if ((e->mask & IN_MOVED_FROM) && strncmp(e->name, "tmp.", 4) == 0)
		S.finished = e->cookie;
	/* Gone: an administrator's rm or mv, or our own. */
	foreign_gone(e->name);
	if (!spool_name_parse(e->name, id, &size) ||
	    (m = msg_find(id)) == NULL || m->size != size)
		return;
	if (m->active != NULL) {
		if (active_is_gone(m->active))
			active_recall(m->active);
	} else {
		message_gone(m, NULL);
	}
}

static void
inotify_ready(struct watch *w, uint32_t events)
{
	/* static: on the stack it would be cleared for each event */
	static char buf[16384]
	    __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t len;

	(void)events;
	while ((len = read(w->fd, buf, sizeof(buf))) > 0)
		for (char *p = buf; p < buf + len;) {
			struct inotify_event *e = (struct inotify_event *)p;

			scan_event(e);
			p += sizeof(*e) + e->len;
		}
	active_run();
}

int
scan_start(void)
{
	char path[64];

	/* By descriptor: whatever was moved or mounted, it is the directory we hold. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", Q.spool.queue);
	Q.inotify.ready = inotify_ready;
	Q.inotify.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (Q.inotify.fd == -1)
		return -1;
	if (inotify_add_watch(Q.inotify.fd, path, IN_CREATE | IN_MOVED_TO |
	    IN_MOVED_FROM | IN_DELETE) == -1 ||
	    loop_add(Q.loop, &Q.inotify, EPOLLIN) == -1)
		return -1;
	scan_go(true);
	Q.rescan.fire = rescan;
	loop_timer_set(Q.loop, &Q.rescan, now_ms() + RESCAN_MS);
	return 0;
}
