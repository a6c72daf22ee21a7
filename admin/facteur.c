/*
 * facteur - the administrator's command: runs the whole system, shows its
 * configuration, and is the front door of all other verbs, as git's is.
 *
 * Runs as whoever calls it; `run` as root stays root and reads no mail.
 * Way 0 of 8: starts all the others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin.h"
#include "log.h"
#include "options.h"
#include "privdrop.h"

int
main(int argc, char *argv[])
{
	static const struct option words[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 }
	};
	static char help[] = "help", version[] = "version";
	int ch;

	setprogname("facteur");
	log_init("facteur");
	process_init();
	/* '+': what stands behind the verb is the verb's. */
	while ((ch = options_next(argc, argv, "+C:uhV", words)) != -1)
		switch (ch) {
		case 'C':
			if (setenv("FACTEUR_CONF", optarg, 1) == -1)
				return EX_OSERR;
			break;
		case 'u':
			if (setenv("FACTEUR_SINGLE_UID", "1", 1) == -1)
				return EX_OSERR;
			break;
		case 'h':
			return verb_dispatch(1, (char *[]){ help, NULL });
		case 'V':
			return verb_dispatch(1, (char *[]){ version, NULL });
		default:
			verb_usage();
			return EX_USAGE;
		}
	return verb_dispatch(argc - optind, argv + optind);
}
