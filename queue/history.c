/*
 * history.c - writes down what became of mail that leaves the queue: one line
 * for each outcome in SPOOL/history/DAY.  Appended without a flush: after a
 * power cut some lines may be missing, mail never is.
 *
 * Runs in the queue manager (its lines also in history_hand.c).  Way 7 of 8.  From: queue/outcome.c,
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
#define FIRST_LOOK_MS	(10 * 60 * 1000)	/* for old days: not while a host that has just started */
#define LOOK_MS		(60 * 60 * 1000)	/* may still ask what time it is */

static const char by_hand[] = "taken out of queue/ by hand";

const char *const history_words[] = { "done", "fail", "bounced", "gone" };

static struct timer look;
static bool	on;			/* history_start() was called */
static int	dir = -1, file = -1;	/* owned */
static char	today[HISTORY_DAY + 1];	/* of file */
static bool	torn;			/* the file does not end with a whole line */
static bool	complained;		/* today */

void
history_day_of(char out[HISTORY_DAY + 1], int64_t usec)
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

static int
is_day(const struct dirent *d)
{
	return is_history_day(d->d_name);
}

/*
 * The clock may be wrong, so its word alone removes one day at a time; others
 * go too, if more than enough days that are newer lie there.
 */
void
history_expire(int64_t now)
{
	char first[HISTORY_DAY + 1];
	struct dirent **days;
	unsigned removed = 0;
	int n = scandirat(dir, ".", &days, is_day, alphasort);

	history_day_of(first, now - (Q.cfg->history_days - 1) * DAY_USEC);
	for (int i = 0; i < n; i++) {
		int newer = n - 1 - i;

		if (Q.cfg->history_days == 0 ||
		    (strcmp(days[i]->d_name, first) < 0 &&
		    (newer > Q.cfg->history_days || removed == 0)))
			removed += unlinkat(dir, days[i]->d_name, 0) == 0;
		free(days[i]);
	}
	if (n >= 0)
		free(days);
}

bool
history_ends_torn(int fd)
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

	history_day_of(day, now);
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
	torn = history_ends_torn(file);
	return 0;
}

static void
look_again(struct timer *t)
{
	history_expire(date_now_usec());
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
	if (!on)
		history_expire(0);	/* no clock is asked: all of it */
	look.fire = look_again;
	loop_timer_set(Q.loop, &look, now_ms() + FIRST_LOOK_MS);
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

static void
put_line(struct buf *b, int64_t now, const char *id,
    const struct envelope *env, enum history_what what,
    const struct env_rcpt *r, const char *tls, const char *dsn)
{
	const char *text = r->text;

	begin(b, now, id, what);
	ctl_add(b, "to", r->addr);
	ctl_add(b, "from", r->from != NULL ? r->from : env->sender);
	buf_adds(b, " arrived=");
	date_iso(b, env->arrived, 3);
	if (what == HISTORY_BOUNCED) {
		ctl_add(b, "dsn", dsn);
		text = "";
	} else if (what == HISTORY_GONE) {
		text = by_hand;
	} else {
		ctl_addn(b, "attempts", (int64_t)r->attempts + 1);
		ctl_add(b, "host", r->host);
		ctl_add(b, "tls", tls);
	}
	buf_addc(b, ' ');
	log_quote(b, text != NULL ? text : "");
	ctl_end(b);
}

void
history_add(enum history_what what, const struct active *a,
    const struct env_rcpt *r, const char *tls, const char *dsn)
{
	int64_t now = date_now_usec();
	struct buf b = BUF_INIT;

	if (!on || turn_to(now) == -1)
		return;
	put_line(&b, now, a->msg->id, &a->env, what, r, tls, dsn);
	put(&b);
	buf_release(&b);
}

void
history_put_gone(struct buf *b, int64_t now, const char *id,
    const struct envelope *env)
{
	bool any = false;

	for (unsigned i = 0; env != NULL && i < env->nrcpts; i++) {
		const struct env_rcpt *r = &env->rcpts[i];

		if (r->state != RCPT_PENDING && r->state != RCPT_FAILED)
			continue;
		any = true;
		put_line(b, now, id, env, HISTORY_GONE, r, NULL, NULL);
	}
	if (any)
		return;
	begin(b, now, id, HISTORY_GONE);
	buf_addf(b, " \"%s\"", by_hand);
	ctl_end(b);
}

void
history_gone(const char *id, const struct envelope *env)
{
	int64_t now = date_now_usec();
	struct buf b = BUF_INIT;

	if (!on || turn_to(now) == -1)
		return;
	history_put_gone(&b, now, id, env);
	put(&b);
	buf_release(&b);
}
