/*
 * show_config.c - `facteur config`: every key, its value, and where it comes
 * from; what it prints is itself a configuration.
 *
 * Runs as whoever calls it.
 * Way 0 of 8.  From: verbs.c.  To: a reader.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "admin.h"

struct widths { size_t key, value; };

static void
measure(void *arg, const char *key, const char *value, const char *origin)
{
	struct widths *w = arg;

	(void)origin;
	if (strlen(key) > w->key)
		w->key = strlen(key);
	/* One long path shall not push all the origins off the screen. */
	if (strlen(value) > w->value && strlen(value) <= 40)
		w->value = strlen(value);
}

static void
print(void *arg, const char *key, const char *value, const char *origin)
{
	const struct widths *w = arg;

	(void)printf("%-*s = %-*s  # %s\n", (int)w->key, key, (int)w->value,
	    value, origin);
}

int
show_config(int argc, char *argv[])
{
	struct config *cfg = config_or_die(NULL);
	struct widths w = { 0, 0 };

	(void)argc;
	(void)argv;
	(void)printf("# %s/facteur.conf\n", cfg->confdir);
	config_each(cfg, measure, &w);
	config_each(cfg, print, &w);
	config_free(cfg);
	return fflush(stdout) == 0 ? 0 : EX_IOERR;
}
