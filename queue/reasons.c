/*
 * reasons.c - the commonest reasons why deliveries were put off lately, in a
 * table that hostile replies cannot make larger.
 *
 * Runs in the queue manager.  Way 7 of 8.  From: queue/outcome.c.  To:
 * queue/control_look.c, for `facteur top`.
 * "Space saving" (Metwally, Agrawal, El Abbadi 2005): a new text takes the
 * place of the rarest one.  Two tables, this hour's and the last one's.
 */
#include <string.h>

#include "stats.h"

#define PLACES	64
#define HOUR_MS	INT64_C(3600000)

struct reason {
	char	 text[REASON_MAX];
	uint64_t n;
	uint64_t before;	/* of n: counted for others, whose place it took */
};

static struct reason tables[2][PLACES];
static unsigned current;
static int64_t	began;		/* of the current table */

/*
 * A word with a digit in it names a message, a host or a time; only the reply's
 * own codes, the first two words, stay.
 */
static void
normalize(const char *text, char out[REASON_MAX])
{
	size_t len = 0;

	for (unsigned word = 0; *text != '\0'; word++) {
		size_t n = strcspn(text, " ");
		bool own = word >= 2 && strcspn(text, "0123456789") < n;

		if (word == 0 && n > REASON_MAX - 2)
			n = REASON_MAX - 2;
		if (len + (own ? 1 : n) + 2 > REASON_MAX)
			break;
		if (len > 0)
			out[len++] = ' ';
		if (own)
			out[len++] = '*';
		else
			memcpy(out + len, text, n);
		len += own ? 0 : n;
		text += n;
		text += strspn(text, " ");
	}
	out[len] = '\0';
}

static void
turn(int64_t now)
{
	if (began == 0)
		began = now;
	if (now - began < HOUR_MS)
		return;
	if (now - began >= 2 * HOUR_MS)
		memset(tables[current], 0, sizeof(tables[0]));
	current = !current;
	memset(tables[current], 0, sizeof(tables[0]));
	began = now;
}

static struct reason *
find(struct reason *table, const char *text)
{
	for (unsigned i = 0; i < PLACES; i++)
		if (table[i].n > 0 && strcmp(table[i].text, text) == 0)
			return &table[i];
	return NULL;
}

void
reasons_add(const char *text, int64_t now)
{
	char key[REASON_MAX];
	struct reason *r;

	turn(now);
	normalize(text, key);
	if ((r = find(tables[current], key)) == NULL) {
		r = &tables[current][0];
		for (unsigned i = 1; i < PLACES; i++)
			if (tables[current][i].n < r->n)
				r = &tables[current][i];
		strlcpy(r->text, key, sizeof(r->text));
		r->before = r->n;
	}
	r->n++;
}

void
reasons_each(int64_t now, void (*fn)(const char *, uint64_t, void *),
    void *arg)
{
	struct reason *one, *two, *r;

	turn(now);
	one = tables[current];
	two = tables[!current];
	for (unsigned i = 0; i < PLACES; i++) {
		if (one[i].n == 0)
			continue;
		r = find(two, one[i].text);
		fn(one[i].text, one[i].n - one[i].before +
		    (r == NULL ? 0 : r->n - r->before), arg);
	}
	for (unsigned i = 0; i < PLACES; i++)
		if (two[i].n > 0 && find(one, two[i].text) == NULL)
			fn(two[i].text, two[i].n - two[i].before, arg);
}
