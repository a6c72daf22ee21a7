/*
 * qadmin - the administrator's eyes and hands on the queue: `facteur ls`,
 * `show`, `retry`; also what `mailq` prints.
 *
 * Runs as the caller: looking needs the right to read the spool, acting goes
 * through the queue manager's control socket.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "log.h"
#include "privdrop.h"
#include "qadmin.h"

static const struct verb {
	const char *name;
	int	  (*run)(const struct config *, int argc, char *argv[]);
	const char *usage;
} verbs[] = {
	{ "ls",	     qadmin_ls,	     "ls [--json] [FILTER ...]" },
	{ "show",    qadmin_show,    "show ID" },
	{ "why",     qadmin_why,     "why ID | ADDRESS | SITE" },
	{ "sites",   qadmin_sites,   "sites [--json] [GLOB]" },
	{ "stats",   qadmin_stats,   "stats" },
	{ "retry",   qadmin_retry,   "retry [-n] ID ... | FILTER ... | --all" },
	{ "hold",    qadmin_hold,    "hold [-n] ID ... | FILTER ..." },
	{ "release", qadmin_release, "release [-n] ID ... | FILTER ... | --all" },
	{ "rm",	     qadmin_rm,	     "rm [-n] ID ... | FILTER ..." },
	{ "bounce",  qadmin_bounce,  "bounce [-n] [--text TEXT] ID ... | FILTER ..." },
	{ "reroute", qadmin_reroute, "reroute [-n] ID ... HOST:PORT" },
	{ "mailq",   qadmin_mailq,   "mailq" },
};
#define NVERBS	(sizeof(verbs) / sizeof(verbs[0]))

static _Noreturn void
usage(void)
{
	for (size_t i = 0; i < NVERBS; i++)
		fprintf(stderr, "%s facteur [-C confdir] %s\n",
		    i == 0 ? "usage:" : "      ", verbs[i].usage);
	exit(EX_USAGE);
}

int
main(int argc, char *argv[])
{
	struct config *cfg;
	const char *confdir = NULL;
	int ch, status;

	setprogname("facteur");
	process_init();
	while ((ch = getopt(argc, argv, "+C:")) != -1)
		switch (ch) {
		case 'C':
			confdir = optarg;
			break;
		default:
			usage();
		}
	argc -= optind;
	argv += optind;
	if (argc == 0)
		usage();
	log_init("facteur");
	for (size_t i = 0; i < NVERBS; i++)
		if (strcmp(argv[0], verbs[i].name) == 0) {
			cfg = config_or_die(confdir);
			status = verbs[i].run(cfg, argc - 1, argv + 1);
			config_free(cfg);
			return status;
		}
	warnx("unknown verb: %s", argv[0]);
	usage();
}
