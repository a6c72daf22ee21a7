/*
 * inject - the only writer of new messages in the spool.
 *
 * As a server (LISTEN_FDS) a pool of workers, as facteur-queue; by hand a
 * filter, as the caller; under the name qmail-queue (or with -q) what that was.
 * Way 3 of 8.  From: smtpd/data, queue/sendmail.  To: the spool, queue/queue.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "inject.h"
#include "log.h"
#include "privdrop.h"
#include "sandbox.h"
#include "seams.h"

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: inject [-v] [-C confdir] [-f sender] "
	    "recipient ... <message\n"
	    "       inject -q [-C confdir] <message 1<envelope\n"
	    "       inject [-C confdir]     (with LISTEN_FDS)\n");
	exit(EX_USAGE);
}

/* The spool is open; the configuration has been read. */
static int
confine(void *arg)
{
	const struct inject *in = arg;

	sandbox_enter(SANDBOX_INJECT, in->cfg, NULL);
	return 0;
}

static int
confine_session(void *arg)
{
	const struct inject *in = arg;

	sandbox_enter(SANDBOX_INJECT_WORKER, in->cfg, NULL);
	return 0;
}

/* All workers share what is opened here, before the first client. */
static int
serve(const struct config *cfg)
{
	struct inject in;
	struct serve s = {
		.session = inject_session,
		.arg = &in,
		/* Who sends slowly holds a worker: enough for all. */
		.max = (unsigned)(cfg->connections + cfg->inject_workers),
		.allowed = seam_may_connect,
		.confine = confine,
		.confine_session = confine_session,
	};
	int status;

	if (inject_open(&in, cfg) == -1) {
		log_errno(NULL, "start-failed spool=%s", quoted(cfg->spool));
		return EX_CANTCREAT;
	}
	spool_try_one_flush(&in.spool);
	if (serve_mode() == SERVE_LISTEN)
		status = serve_pool(&s, (unsigned)cfg->inject_workers);
	else
		status = serve_run(&s);
	inject_close(&in);
	return status;
}

int
main(int argc, char *argv[])
{
	const char *confdir = NULL, *sender = NULL;
	struct config *cfg;
	bool qmail, verbose = false;
	int ch, status;

	process_init();
	setprogname(argc > 0 ? argv[0] : "inject");
	qmail = strcmp(getprogname(), "qmail-queue") == 0;
	while ((ch = getopt(argc, argv, "+C:f:qv")) != -1)
		switch (ch) {
		case 'C':
			confdir = optarg;
			break;
		case 'f':
			sender = optarg;
			break;
		case 'q':
			qmail = true;
			break;
		case 'v':
			verbose = true;
			break;
		default:
			usage();
		}
	log_init("inject");
	cfg = config_or_die(confdir);
	seams_init(cfg);
	if (qmail)
		status = inject_qmail(cfg);
	else if (optind < argc)
		status = inject_filter(cfg, sender, argv + optind, verbose);
	else if (sender == NULL && serve_mode() != SERVE_PIPE)
		status = serve(cfg);
	else
		usage();
	config_free(cfg);
	return status;
}
