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
	{ "why",     qadmin_why,     "why ID | [--all] ADDRESS | SITE" },
	{ "sites",   qadmin_sites,   "sites [--json] [GLOB]" },
	{ "stats",   qadmin_stats,   "stats" },
	{ "retry",   qadmin_retry,   "retry [-n] ID ... | FILTER ... | --all" },
	{ "hold",    qadmin_hold,    "hold [-n] ID ... | FILTER ... | --all" },
	{ "release", qadmin_release, "release [-n] ID ... | FILTER ... | --all" },
	{ "rm",	     qadmin_rm,	     "rm [-n] ID ... | FILTER ... | --all" },
	{ "bounce",  qadmin_bounce,  "bounce [-n] [--text TEXT] ID ... | FILTER ... | --all" },
	{ "reroute", qadmin_reroute, "reroute [-n] ID ... | FILTER ... | --all HOST:PORT" },
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

/* `facteur ls --help`: asked for, so it goes to standard output. */
static int
help(const struct verb *v)
{
	printf("usage: facteur [-C confdir] %s\n", v->usage);
	if (strstr(v->usage, "FILTER") != NULL)
		puts("FILTER, all that are given have to fit:\n"
		    "    --site GLOB  --sender GLOB  --recipient GLOB  "
		    "--reason TEXT\n"
		    "    --age 2h (older; '<2h': younger)  --held  --id GLOB");
	if (strstr(v->usage, "[-n]") != NULL)
		puts("-n: say what would be done, and to how many, and do "
		    "nothing.\n"
		    "--yes: a filter is meant, though this is a terminal.");
	puts("More in facteur-ls(8).");
	return print_finish(EX_OK);
}

static bool
wants_help(int argc, char *argv[])
{
	return argc == 2 && (strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "-h") == 0);
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
			if (wants_help(argc, argv))
				return help(&verbs[i]);
			cfg = config_or_die(confdir);
			status = verbs[i].run(cfg, argc - 1, argv + 1);
			config_free(cfg);
			return status;
		}
	warnx("unknown verb: %s", argv[0]);
	usage();
}
