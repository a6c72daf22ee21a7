/*
 * walls.c - under which uids a system may run.  One place decides: a host's
 * configuration needs the facteur-* users, any other runs under one uid.
 *
 * Runs as root or as an ordinary user, once, at the start of `facteur run`.
 * Way 0 of 8.  From: run.c.
 */
#include <err.h>
#include <pwd.h>
#include <stddef.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin.h"
#include "log.h"

static const char *const users[] = {
	"facteur-net", "facteur-queue", "facteur-lookup", "facteur-remote",
	"facteur-auth", "facteur-keys", "facteur-mail",
};

static const char *
missing_user(void)
{
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		if (getpwnam(users[i]) == NULL)
			return users[i];
	return NULL;
}

enum walls
walls_check(const struct config *cfg)
{
	const char *missing;

	if (!cfg->as_root) {
		bool root = geteuid() == 0;

		log_event(NULL, "one-uid uid=%u text=\"all programs run under "
		    "one uid: no walls between them%s\"", (unsigned)geteuid(),
		    root ? ", and it is root" : "");
		return root ? WALLS_SINGLE : WALLS_NONE;
	}
	if (geteuid() != 0)
		errx(EX_NOPERM, "%s is the configuration of the whole host: "
		    "start it as root, or name another directory with -C, or "
		    "use -u", cfg->confdir);
	missing = missing_user();
	if (missing != NULL)
		errx(EX_CONFIG, "there is no user %s: run `facteur setup "
		    "--users` first, or give -u to run everything under one "
		    "uid", missing);
	log_event(NULL, "walls-missing text=\"the users are there, but this "
	    "version still runs every program as root\"");
	return WALLS_UP;
}
