/*
 * id.c - makes and reads queue IDs (see id.h): time first, so that `ls` sorts
 * messages by arrival; then the process, so that two never agree.
 *
 * A library: runs in inject (facteur-queue) and wherever IDs are read.
 * Way 3 of 8.  From: queue/inject.  To: the names in the spool.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "date.h"
#include "id.h"

#define BASE		31
#define TIME_DIGITS	11	/* 31^11 microseconds are 805 years */
#define TAIL_DIGITS	5	/* 31^5 = 28,629,151 */

/* Each process owns this many tails: 6 * 2^22 (Linux' largest pid) fit. */
#define TAILS		6

static const char digits[BASE + 1] = "0123456789bcdfghjklmnpqrstvwxyz";

static void
put(char *out, int n, uint64_t value)
{
	while (n-- > 0) {
		out[n] = digits[value % BASE];
		value /= BASE;
	}
}

void
id_new(char out[ID_LEN + 1])
{
	static int64_t last;	/* the clock may stand still or go back */
	int64_t usec = date_now_usec();

	if (usec <= last)
		usec = last + 1;
	last = usec;
	assert(usec > 0);
	put(out, TIME_DIGITS, (uint64_t)usec);
	put(out + TIME_DIGITS, TAIL_DIGITS,
	    (uint64_t)getpid() * TAILS + arc4random_uniform(TAILS));
	out[ID_LEN] = '\0';
}

bool
is_id(const char *s, size_t len)
{
	if (len != ID_LEN)
		return false;
	for (size_t i = 0; i < len; i++)
		if (s[i] == '\0' || strchr(digits, s[i]) == NULL)
			return false;
	return true;
}

int64_t
id_usec(const char *id)
{
	uint64_t value = 0;

	if (!is_id(id, strlen(id)))
		return -1;
	for (int i = 0; i < TIME_DIGITS; i++)
		value = value * BASE +
		    (uint64_t)(strchr(digits, id[i]) - digits);
	return (int64_t)value;
}
