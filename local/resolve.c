/*
 * resolve - whose address is this, and where does its mail go?
 *
 * Serves smtpd and queue as facteur-lookup (INTERNALS 2.3); with arguments it
 * tells an administrator: exit 0 deliverable, 67 refused, 75 not known now.
 * Way 2 and 5 of 8.  From: smtpd/rcpt.c, queue/lookup.c.  To: resolve_serve.c.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "log.h"
#include "privdrop.h"
#include "resolve.h"
#include "sandbox.h"
#include "seams.h"
#include "serve.h"

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: resolve [-C confdir] [-v] address ...\n");
	exit(EX_USAGE);
}

static int
by_hand(const struct config *cfg, char *address[], bool verbose)
{
	struct route route = ROUTE_INIT;
	struct resolver r;
	struct who w;
	int worst = EX_OK, rc;

	who_init(&w, cfg);
	resolver_init(&r, cfg, who_ask_or_file, &w);
	for (; *address != NULL; address++) {
		resolve_address(&r, *address, false, &route);
		rc = route_print(*address, &route, verbose);
		if (rc > worst)		/* 75 is worse than 67 */
			worst = rc;
	}
	route_reset(&route);
	resolver_release(&r);
	who_release(&w);
	return fflush(stdout) == EOF ? EX_IOERR : worst;
}

static int
serve(const struct config *cfg)
{
	sandbox_enter(SANDBOX_RESOLVE, cfg, NULL);
	return serve_mode() == SERVE_LISTEN ? resolve_serve(cfg) :
	    resolve_session(cfg, STDIN_FILENO);
}

int
main(int argc, char *argv[])
{
	const char *confdir = NULL;
	struct config *cfg;
	bool verbose = false;
	int ch, rc;

	process_init();
	log_init("resolve");
	while ((ch = getopt(argc, argv, "C:v")) != -1)
		switch (ch) {
		case 'C':
			confdir = optarg;
			break;
		case 'v':
			verbose = true;
			break;
		default:
			usage();
		}
	if (argc == optind && serve_mode() == SERVE_PIPE)
		usage();
	cfg = config_or_die(confdir);
	seams_init(cfg);
	if (argc > optind)
		rc = by_hand(cfg, argv + optind, verbose);
	else if (seam_become(cfg, SEAM_LOOKUP, false) == -1)
		err(EX_CONFIG, "cannot become %s", seam_name(SEAM_LOOKUP));
	else
		rc = serve(cfg);
	config_free(cfg);
	return rc;
}
