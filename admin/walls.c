/*
 * walls.c - under which uids a system may run.  One place decides: a host's
 * configuration needs the facteur-* users, any other runs under one uid.
 *
 * Runs as root or as an ordinary user, once, at the start of `facteur run`.
 * Way 0 of 8.  From: run.c.
 */
#include <err.h>
#include <stddef.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin.h"
#include "log.h"

static const char *
missing_user(void)
{
	uid_t uid;
	gid_t gid;

	for (unsigned i = 0; i < SEAM_USERS; i++)
		if (!seam_ids((enum seam_user)i, &uid, &gid))
			return seam_name((enum seam_user)i);
	return NULL;
}

enum walls
walls_check(const struct config *cfg)
{
	const char *missing;

	seams_init(cfg);
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
	log_event(NULL, "walls text=\"each program runs under its own uid\"");
	return WALLS_UP;
}
