/*
 * history.c - writes down what became of mail that leaves the queue: one line
 * for each outcome in SPOOL/history/DAY.  Appended without a flush: after a
 * power cut some lines may be missing, mail never is.
 *
 * Runs in the queue manager.  Way 7 of 8.  From: queue/outcome.c,
 * queue/report.c, queue/scan.c.  To: queue/history_read.c.
 * Nothing here can stop mail: what cannot be written is reported once a day.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "date.h"
#include "deadline.h"
#include "history.h"
#include "history_file.h"
#include "log.h"
#include "queue.h"

#define DAY_USEC	INT64_C(86400000000)
#define LOOK_MS		(60 * 60 * 1000)	/* old days go on quiet hosts too */

const char *const history_words[] = { "done", "fail", "bounced", "gone" };

static struct timer look;
static bool	on;			/* history_start() was called */
static int	dir = -1, file = -1;	/* owned */
static char	today[HISTORY_DAY + 1];	/* of file */
static bool	torn;			/* the file does not end with a whole line */
static bool	complained;		/* today */

static void
day_of(char out[HISTORY_DAY + 1], int64_t usec)
{
	struct buf b = BUF_INIT;

	date_iso(&b, usec, 0);
	strlcpy(out, buf_str(&b), HISTORY_DAY + 1);
	buf_release(&b);
}

static void
complain(void)
{
	if (!complained)
		log_errno(NULL, "history-not-written");
	complained = true;
}

/* Days before the last `history_days` go; those are today and the ones before it. */
static void
remove_old(int64_t now)
{
	char first[HISTORY_DAY + 1];
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (d == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	day_of(first, now - (Q.cfg->history_days - 1) * DAY_USEC);
	while ((e = readdir(d)) != NULL)
		if (is_history_day(e->d_name) && strcmp(e->d_name, first) < 0)
			(void)unlinkat(dir, e->d_name, 0);
	closedir(d);
}

/* A line that a power cut or a full disk has torn is ended before the next one. */
static bool
ends_torn(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char last;

	return size > 0 && (pread(fd, &last, 1, size - 1) != 1 || last != '\n');
}

/* Sees to it that `file` is the one of this day. -1: there is none. */
static int
turn_to(int64_t now)
{
	char day[HISTORY_DAY + 1];

	day_of(day, now);
	if (file != -1 && strcmp(day, today) == 0)
		return 0;
	if (strcmp(day, today) != 0)
		complained = false;
	if (file != -1)
		close(file);
	strlcpy(today, day, sizeof(today));
	file = openat(dir, day, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW |
	    O_NONBLOCK | O_CLOEXEC, 0600);
	if (file == -1) {
		complain();
		return -1;
	}
	torn = ends_torn(file);
	remove_old(now);
	return 0;
}

static void
look_again(struct timer *t)
{
	int64_t now = date_now_usec();

	remove_old(Q.cfg->history_days == 0 ? now + DAY_USEC : now);
	loop_timer_set(Q.loop, t, now_ms() + LOOK_MS);
}

void
history_start(void)
{
	if (Q.cfg->history_days > 0 &&
	    mkdirat(Q.spool.root, HISTORY_DIR, 0700) == -1 && errno != EEXIST)
		complain();
	dir = openat(Q.spool.root, HISTORY_DIR,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir == -1) {
		if (Q.cfg->history_days > 0)
			complain();
		return;
	}
	on = Q.cfg->history_days > 0;
	look.fire = look_again;
	look_again(&look);
}

void
history_forget(void)
{
	on = false;
	if (file != -1)
		close(file);
	if (dir != -1)
		close(dir);
	file = dir = -1;
	loop_timer_clear(Q.loop, &look);
}

static void
put(const struct buf *line)
{
	ssize_t n;

	if (torn && write(file, "\n", 1) != 1) {
		complain();
		return;
	}
	torn = false;
	n = write(file, buf_str(line), line->len);
	if (n == (ssize_t)line->len)
		return;
	if (n >= 0)
		errno = ENOSPC;
	torn = n > 0;
	complain();
}

static void
begin(struct buf *b, int64_t now, const char *id, enum history_what what)
{
	date_iso(b, now, 3);
	buf_addf(b, " %s ", id);
	ctl_begin(b, history_words[what]);
}

void
history_add(enum history_what what, const struct active *a,
    const struct env_rcpt *r, const char *tls, const char *dsn)
{
	int64_t now = date_now_usec();
	struct buf b = BUF_INIT;
	const char *text = r->text;

	if (!on || turn_to(now) == -1)
		return;
	begin(&b, now, a->msg->id, what);
	ctl_add(&b, "to", r->addr);
	ctl_add(&b, "from", r->from != NULL ? r->from : a->env.sender);
	buf_adds(&b, " arrived=");
	date_iso(&b, a->env.arrived, 3);
	if (what == HISTORY_BOUNCED) {
		ctl_add(&b, "dsn", dsn);
		text = "";
	} else {
		ctl_addn(&b, "attempts", (int64_t)r->attempts + 1);
		ctl_add(&b, "host", r->host);
		ctl_add(&b, "tls", tls);
	}
	buf_addc(&b, ' ');
	log_quote(&b, text != NULL ? text : "");
	ctl_end(&b);
	put(&b);
	buf_release(&b);
}

void
history_gone(const char *id)
{
	int64_t now = date_now_usec();
	struct buf b = BUF_INIT;

	if (!on || turn_to(now) == -1)
		return;
	begin(&b, now, id, HISTORY_GONE);
	buf_adds(&b, " \"taken out of queue/ by hand\"");
	ctl_end(&b);
	put(&b);
	buf_release(&b);
}
