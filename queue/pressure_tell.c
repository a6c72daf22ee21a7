/*
 * pressure_tell.c - tells those who take mail in how much of it waits for its
 * first attempt.  While it is little, nothing is written; when it is much, the
 * file is brought up to date twenty times a second, and says when that was.
 *
 * Runs in the queue manager.  Way 4 of 8.  From: queue/msg.c (Q.fresh).  To:
 * queue/pressure.c, in inject.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "deadline.h"
#include "log.h"
#include "pressure.h"
#include "queue.h"

#define TELL_MS		50
#define LITTLE		(PRESSURE_FROM / 2)

static int file = -1;		/* owned */
static unsigned told;		/* what stands there */
static bool	slowing, complained;	/* the log has said so */
static struct timer next;

static void
open_file(void)
{
	if (file != -1)
		(void)close(file);
	file = openat(Q.spool.root, PRESSURE_FILE,
	    O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
}

/* Also when it has been removed, or replaced, by hand. */
static void
write_file(void)
{
	char text[PRESSURE_LEN + 1];
	struct stat st;

	if (file == -1 || fstat(file, &st) == -1 || st.st_nlink == 0)
		open_file();
	pressure_text(text, Q.fresh, now_ms() / 1000);
	told = Q.fresh;
	if (file != -1 && pwrite(file, text, PRESSURE_LEN, 0) == PRESSURE_LEN)
		return;
	if (!complained)
		log_errno(NULL, "pressure-not-told");
	complained = true;
}

static void
log_change(void)
{
	if (!slowing && told > PRESSURE_FROM)
		log_event(NULL, "intake-slowed waiting=%u", told);
	else if (slowing && told < LITTLE)
		log_event(NULL, "intake-free waiting=%u", told);
	slowing = told > PRESSURE_FROM || (slowing && told >= LITTLE);
}

static void
tell(struct timer *t)
{
	(void)t;
	write_file();
	log_change();
	pressure_tell();
}

void
pressure_start(void)
{
	next.fire = tell;
	write_file();
}

void
pressure_tell(void)
{
	if ((Q.fresh >= LITTLE || told >= LITTLE) && next.slot == 0)
		loop_timer_set(Q.loop, &next, now_ms() + TELL_MS);
}
