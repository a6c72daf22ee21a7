/*
 * pressure.c - how much mail waits for its first attempt, as those who take
 * mail in read it, and what follows from it for the next message.
 *
 * Runs in inject, as facteur-queue (or as who commits by hand).
 * Way 3 of 8.  From: queue/pressure_tell.c.  To: queue/inject_txn.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pressure.h"

#define WAITING		"waiting "
#define CLOCK		"clock   "
#define DIGITS		8
#define CLOCK_TURN	INT64_C(100000000)	/* eight digits: three years */
#define DELAY_MAX_MS	1000
#define READ_MS		200	/* what was read is good for this long */
#define OPEN_MS		10000	/* the file may have been replaced by hand */

int
pressure_delay_ms(unsigned waiting)
{
	if (waiting <= PRESSURE_FROM)
		return 0;
	if (waiting >= PRESSURE_FULL)
		return DELAY_MAX_MS;
	return (int)((waiting - PRESSURE_FROM) * DELAY_MAX_MS /
	    (PRESSURE_FULL - PRESSURE_FROM));
}

void
pressure_text(char out[PRESSURE_LEN + 1], unsigned waiting, int64_t second)
{
	if (waiting > 99999999)
		waiting = 99999999;
	(void)snprintf(out, PRESSURE_LEN + 1, WAITING "%08u\n" CLOCK "%08u\n",
	    waiting, (unsigned)(second % CLOCK_TURN));
}

/* Eight digits behind a word, and the end of the line; -1: malformed. */
static int64_t
number(const char *line, const char *word)
{
	size_t len = strlen(word);
	int64_t n = 0;

	if (memcmp(line, word, len) != 0 || line[len + DIGITS] != '\n')
		return -1;
	for (size_t i = len; i < len + DIGITS; i++) {
		if (line[i] < '0' || line[i] > '9')
			return -1;
		n = n * 10 + (line[i] - '0');
	}
	return n;
}

unsigned
pressure_parse(const char text[PRESSURE_LEN], int64_t second)
{
	int64_t waiting = number(text, WAITING);
	int64_t told = number(text + PRESSURE_LEN / 2, CLOCK), age;

	if (waiting == -1 || told == -1)
		return 0;
	/* Of the time before the host was started it seems to come from the future: just as old. */
	age = (second % CLOCK_TURN - told + CLOCK_TURN) % CLOCK_TURN;
	return age > PRESSURE_OLD_S ? 0 : (unsigned)waiting;
}

static void
open_again(struct pressure *p, int root, int64_t now)
{
	pressure_close(p);
	p->fd = openat(root, PRESSURE_FILE,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	p->opened = now;
}

unsigned
pressure_waiting(struct pressure *p, int root, int64_t now)
{
	char text[PRESSURE_LEN];

	if (p->read != 0 && now - p->read < READ_MS)
		return p->waiting;
	if (p->opened == 0 || now - p->opened >= OPEN_MS)
		open_again(p, root, now);
	p->read = now;
	p->waiting = 0;
	if (p->fd != -1 && pread(p->fd, text, sizeof(text), 0) ==
	    (ssize_t)sizeof(text))
		p->waiting = pressure_parse(text, now / 1000);
	return p->waiting;
}

void
pressure_close(struct pressure *p)
{
	int saved = errno;

	if (p->fd != -1)
		(void)close(p->fd);
	p->fd = -1;
	errno = saved;
}
