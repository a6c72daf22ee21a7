/*
 * options.c - the options of our commands, written out or refused.
 *
 * In what people type, at their privilege.  getopt_long(3) takes any beginning
 * of a word that fits only one: half a word, meant for another option or cut
 * off by a script, would act on a whole queue; and with the next option that
 * begins alike, scripts that worked would not.
 */
#include <err.h>
#include <stdio.h>
#include <string.h>

#include "options.h"

int
options_next(int argc, char *argv[], const char *letters,
    const struct option *words)
{
	int which = -1, ch = getopt_long(argc, argv, letters, words, &which);
	const char *word, *name;
	size_t len;

	if (ch == -1 || ch == '?' || which == -1)
		return ch;
	/* The word just read, or the one before its argument. */
	word = argv[optind - 1];
	if (optarg != NULL && optarg == word)
		word = argv[optind - 2];
	name = words[which].name;
	len = strcspn(word, "=");
	if (len == strlen(name) + 2 && memcmp(word + 2, name, len - 2) == 0)
		return ch;
	warnx("%.*s: not an option; is --%s meant? Options are not "
	    "abbreviated", (int)len, word, name);
	return '?';
}
