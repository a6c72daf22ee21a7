/*
 * nearest.c - "did you mean": the word of a list that is closest to a
 * mistyped one, for keys of the configuration and verbs of the command line.
 *
 * Runs at every privilege; touches nothing but its arguments.
 * Way 0 of 8: for people, not for mail.
 */
#include <string.h>

#include "nearest.h"

#define WORD_MAX	63

static unsigned
min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Damerau's distance with three rows: only neighbours can be swapped. */
unsigned
edit_distance(const char *a, const char *b)
{
	unsigned rows[3][WORD_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2], *spare;
	size_t la = strnlen(a, WORD_MAX), lb = strnlen(b, WORD_MAX);

	for (unsigned j = 0; j <= lb; j++)
		last[j] = before[j] = j;
	for (unsigned i = 1; i <= la; i++) {
		now[0] = i;
		for (unsigned j = 1; j <= lb; j++) {
			now[j] = min3(last[j] + 1, now[j - 1] + 1,
			    last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
		spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[lb];
}

const char *
nearest(const char *word, const char *(*name)(const void *, size_t),
    const void *arg, size_t n)
{
	const char *best = NULL;
	unsigned least = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned d = edit_distance(word, name(arg, i));

		if (best == NULL || d < least) {
			best = name(arg, i);
			least = d;
		}
	}
	return best;
}
