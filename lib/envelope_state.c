/*
 * envelope_state.c - what the lines of a queue file add up to: who is still
 * to be tried and when, and who wants to hear of it.
 *
 * A library: runs in queue (facteur-queue) and in the administrator's tools.
 * Way 4 of 8.  From: envelope_parse.c.  To: queue/sched.
 */
#include <string.h>

#include "envelope.h"

#define USEC		1000000
#define TRIED_MAX	((int64_t)8 * 3600 * USEC)	/* for one attempt */

static const struct { unsigned bit; const char *word; } notify_words[] = {
	{ NOTIFY_NEVER, "never" }, { NOTIFY_SUCCESS, "success" },
	{ NOTIFY_FAILURE, "failure" }, { NOTIFY_DELAY, "delay" }
};
#define NOTIFY_WORDS	(sizeof(notify_words) / sizeof(notify_words[0]))

void
notify_text(struct buf *out, unsigned notify)
{
	const char *before = "";

	for (size_t i = 0; i < NOTIFY_WORDS; i++)
		if (notify & notify_words[i].bit) {
			buf_addf(out, "%s%s", before, notify_words[i].word);
			before = ",";
		}
}

static unsigned
notify_bit(const char *s, size_t len)
{
	for (size_t i = 0; i < NOTIFY_WORDS; i++)
		if (strlen(notify_words[i].word) == len &&
		    strncasecmp(notify_words[i].word, s, len) == 0)
			return notify_words[i].bit;
	return 0;
}

/* RFC 3461 section 4.1: each word once, NEVER only alone. */
unsigned
notify_parse(const char *s)
{
	unsigned bits = 0;

	for (;;) {
		size_t len = strcspn(s, ",");
		unsigned bit = notify_bit(s, len);

		if (bit == 0 || (bits & bit) != 0)
			return 0;
		bits |= bit;
		if (s[len] == '\0')
			break;
		s += len + 1;
	}
	return (bits & NOTIFY_NEVER) && bits != NOTIFY_NEVER ? 0 : bits;
}

const char *
rcpt_report_text(enum rcpt_report report)
{
	static const char *const words[] = {
		[REPORT_NONE] = NULL,
		[REPORT_DELIVERED] = "delivered",
		[REPORT_RELAYED] = "relayed",
		[REPORT_EXPANDED] = "expanded",
	};

	return words[report];
}

void
envelope_tried(const struct envelope *e, struct env_rcpt *r, int64_t now)
{
	int64_t spent = now - (r->last != 0 ? r->last : e->arrived);

	if (spent > TRIED_MAX)
		spent = TRIED_MAX;
	if (spent > 0)
		r->tried += spent;
}

static unsigned
count(const struct envelope *e, enum rcpt_state state)
{
	unsigned n = 0;

	for (unsigned i = 0; i < e->nrcpts; i++)
		n += e->rcpts[i].state == state;
	return n;
}

unsigned
envelope_pending(const struct envelope *e)
{
	return count(e, RCPT_PENDING);
}

unsigned
envelope_failed(const struct envelope *e)
{
	return count(e, RCPT_FAILED);
}

unsigned
envelope_owed(const struct envelope *e)
{
	unsigned n = 0;

	for (unsigned i = 0; i < e->nrcpts; i++)
		n += e->rcpts[i].report != REPORT_NONE;
	return n;
}

int64_t
envelope_next(const struct envelope *e)
{
	int64_t next = INT64_MAX;

	for (unsigned i = 0; i < e->nrcpts; i++)
		if (e->rcpts[i].state == RCPT_PENDING &&
		    e->rcpts[i].next < next)
			next = e->rcpts[i].next;
	return next;
}

bool
env_rcpt_is_reply(const struct env_rcpt *r)
{
	return r->host != NULL && r->text != NULL &&
	    strspn(r->text, "0123456789") == 3 &&
	    (r->text[3] == ' ' || r->text[3] == '\0');
}
