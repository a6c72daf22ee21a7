/*
 * open.c - one message's file: opened, read, checked; and what becomes of it
 * when it is not what we write.
 *
 * Way 4 of 8.  From: queue/active.c.  To: lib/spool_read.c, bad/, the log.
 * Nothing that lies in the directory can stop the queue manager.
 */
#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "date.h"
#include "deadline.h"
#include "foreign.h"
#include "history.h"
#include "log.h"
#include "queue.h"
#include "unsaved.h"

#define LOCKED_MS	20		/* not acknowledged yet: doubled each time, */
#define LOCKED_TIMES	6		/* as often as this */
#define AWAITED_MS	1000		/* not there yet, though inject may write it: doubled, */
#define AWAITED_TIMES	6		/* as often as this */
#define NO_FDS_MS	5000		/* descriptors or memory are short */
#define TELL_MS		60000		/* which is told as often as this */
#define FDS_KEPT	8		/* for agents, reports and resolve */
#define UNREADABLE_MS	600000		/* the disk cannot read it */
#define COPYING_S	60		/* a damaged file this young may be a cp under way */
#define UNREADY_S	3600		/* one without its ready line: inject may be at it */

static unsigned full_at;	/* messages at work when descriptors ran out, 0: never */

static void
retry_later(struct msg *m, int64_t ms)
{
	msg_due(m, now_ms() + ms);
}

bool
message_room(void)
{
	return full_at == 0 || Q.nactive < full_at;
}

/*
 * Messages at work must not take the descriptors that their agents and reports
 * need: then nobody would ever end.  The lowest free number is what we get, so
 * it says how many are left.
 */
bool
message_is_last(int fd)
{
	struct rlimit rl;

	return Q.nactive > 0 && getrlimit(RLIMIT_NOFILE, &rl) == 0 &&
	    (rlim_t)fd + FDS_KEPT >= rl.rlim_cur;
}

/* Not now: as soon as another one leaves, or in a moment if there is none. */
static void
postpone(struct msg *m)
{
	static int64_t told;

	if (told == 0 || now_ms() - told > TELL_MS) {
		log_errno(m->id, "postponed active=%u", Q.nactive);
		told = now_ms();
	}
	full_at = Q.nactive;
	retry_later(m, Q.nactive > 0 ? 0 : NO_FDS_MS);
}

/* Nothing that lies there already is replaced: name, name.1, name.2 ... */
static int
move_to_bad(const char *name)
{
	char to[SPOOL_NAME_MAX + sizeof(".99")];
	struct stat st;

	for (int i = 0; i < 100; i++) {
		(void)snprintf(to, sizeof(to), i == 0 ? "%s" : "%s.%d", name,
		    i);
		if (fstatat(Q.spool.bad, to, &st, AT_SYMLINK_NOFOLLOW) == -1 &&
		    errno == ENOENT)
			return renameat(Q.spool.queue, name, Q.spool.bad, to);
	}
	return -1;
}

/*
 * The file is not what we write.  A young one may be half copied: it is looked
 * at again; else it goes to bad/, is reported once, and nothing stops.
 */
static void
damaged(struct msg *m, int fd, const struct envelope *env)
{
	char name[SPOOL_NAME_MAX + 1];
	struct stat st;
	time_t age;

	spool_name(name, m->id, m->size);
	if (fstat(fd, &st) == -1)
		st.st_mtime = 0;
	age = time(NULL) - st.st_mtime;
	/* From a time that has not come yet: one look more, whatever its age. */
	if (age < 0 ? !m->on_trial :
	    age < (env->ready ? COPYING_S : UNREADY_S)) {
		if (!m->on_trial)
			log_event(m->id, "incomplete reason=%s",
			    quoted(env->damage));
		m->on_trial = true;
		msg_begun(m);
		retry_later(m, COPYING_S * 1000);
		return;
	}
	if (move_to_bad(name) == 0)
		log_event(m->id, "damaged moved-to=bad reason=%s",
		    quoted(env->damage));
	else
		foreign_report(name, env->damage);
	msg_forget(m);
}

/* The disk would not let us read it: that is no damage yet. */
static void
unreadable(struct msg *m)
{
	char name[SPOOL_NAME_MAX + 1];

	spool_name(name, m->id, m->size);
	foreign_report(name, strerror(errno));
	msg_begun(m);
	retry_later(m, UNREADABLE_MS);
}

/* Opens m's file; on -1 it has been decided what becomes of m. */
static int
open_file(struct msg *m)
{
	char name[SPOOL_NAME_MAX + 1];
	int fd;

	spool_name(name, m->id, m->size);
	fd = spool_open_file(Q.spool.queue, name);
	if (fd != -1 && message_is_last(fd)) {
		close(fd);
		fd = -1;
		errno = EMFILE;
	}
	if (fd != -1) {
		m->locked = 0;
		m->awaited = false;
		full_at += full_at > 0;	/* one more may be tried next time */
		return fd;
	}
	switch (errno) {
	case ENOENT:
		if (m->awaited && m->locked < AWAITED_TIMES) {
			retry_later(m, AWAITED_MS << m->locked++);
			break;
		}
		unsaved_forget(m->id);
		msg_forget(m);
		break;
	case EWOULDBLOCK:
		retry_later(m, LOCKED_MS << m->locked);
		if (m->locked < LOCKED_TIMES)
			m->locked++;
		break;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		postpone(m);
		break;
	case EINVAL:
		foreign_report(name, "no file of our own");
		msg_forget(m);
		break;
	default:
		unreadable(m);
	}
	return -1;
}

/*
 * What was here before this process is checked against the commit mark before
 * its first use: the power may have gone since, on this host or, with a disk
 * that moved, on another.  A message from the future may be older than the
 * process too: the clock was not set yet.
 */
static int
check_content(struct msg *m, int fd, struct envelope *env)
{
	int right = 1;

	if (!m->checked &&
	    (env->arrived < Q.started || env->arrived > date_now_usec()))
		right = spool_verify(fd, m->size, env);
	if (right == 1) {
		m->checked = true;
		return 0;
	}
	free(env->damage);
	env->damage = right == -1 ? NULL :
	    xstrdup("checksum of the content is wrong");
	return -1;
}

/*
 * Reads the envelope.  What stands behind the last whole line (a torn append)
 * is cut off here, so that our next line starts on a line of its own.
 * -1: it is damaged, or, without env->damage, cannot be read now (errno).
 */
static int
read_message(struct msg *m, int fd, struct envelope *env)
{
	struct stat st;

	if (spool_read_envelope(fd, m->size, env) == -1 ||
	    check_content(m, fd, env) == -1)
		return -1;
	m->repeat |= env->tried;
	if (fstat(fd, &st) == 0 && st.st_size > m->size + (off_t)env->used) {
		log_event(m->id, "tail-cut reason=%s", quoted(env->damage));
		/* Or after a power cut a new line might stand within the old
		 * length, before what it tells of is on disk (INTERNALS 3.6). */
		if (ftruncate(fd, m->size + (off_t)env->used) == -1 ||
		    fsync(fd) == -1)
			log_errno(m->id, "tail-cut");
	}
	return 0;
}

int
message_open(struct msg *m, struct envelope *env)
{
	int fd = open_file(m);

	if (fd == -1)
		return -1;
	envelope_init(env);
	if (read_message(m, fd, env) == 0)
		return fd;
	if (env->damage != NULL)
		damaged(m, fd, env);
	else
		unreadable(m);
	envelope_release(env);
	close(fd);
	return -1;
}

/* `facteur rm` takes this way, too. False: it is not there, or not readable. */
static bool
read_held(const struct msg *m, struct envelope *env)
{
	char name[SPOOL_NAME_MAX + 1];
	bool ok;
	int fd;

	spool_name(name, m->id, m->size);
	fd = spool_open_file(Q.spool.hold, name);
	if (fd == -1)
		return false;
	ok = spool_read_envelope(fd, m->size, env) == 0;
	close(fd);
	return ok;
}

bool
message_append(int dir, const char *name, const struct buf *lines)
{
	int fd = spool_open_file(dir, name);
	bool ok;

	if (fd == -1)
		return false;
	errno = ENOSPC;		/* a part of it: the reader leaves that out */
	ok = write(fd, lines->data, lines->len) == (ssize_t)lines->len;
	(void)close(fd);
	return ok;
}

/* What could not be written to its file so far follows it into hold/. */
static void
lines_follow(const struct msg *m)
{
	struct buf lines = BUF_INIT;
	char name[SPOOL_NAME_MAX + 1];

	if (!unsaved_take(m->id, &lines))
		return;
	spool_name(name, m->id, m->size);
	if (!message_append(Q.spool.hold, name, &lines) && errno != ENOENT)
		log_errno(m->id, "outcome-not-recorded");
	buf_release(&lines);
}

void
message_gone(struct msg *m, const struct envelope *known)
{
	struct envelope env;

	log_event(m->id, "gone from=queue");
	envelope_init(&env);
	if (known == NULL && read_held(m, &env))
		known = &env;
	history_gone(m->id, known);
	envelope_release(&env);
	lines_follow(m);
	msg_forget(m);
}
