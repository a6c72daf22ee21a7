/*
 * smtpd - takes mail in by SMTP and LMTP.
 *
 * Runs as facteur-net.  The acceptor reads the configuration once and forks a
 * child for each connection, which is one session (session.c).
 * Way 1 of 8.  From: the network, or sendmail -bs.  To: session.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "log.h"
#include "privdrop.h"
#include "sandbox.h"
#include "seams.h"
#include "smtpd.h"

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: %s [-C confdir] [-r role]\n"
	    "role: smtp, submission, submissions, lmtp or local\n",
	    getprogname());
	exit(EX_USAGE);
}

/* A Unix listener for LMTP: who may reach its path may use it. */
static bool
is_allowed(const char *name, int64_t uid)
{
	(void)name;
	(void)uid;
	return true;
}

/*
 * The front's walls: its own uid, and run/net for a root directory.  A session
 * that `sendmail -bs` has started is its caller's.
 */
static int
confine(void *arg)
{
	const struct smtpd *d = arg;

	if (!(d->role->flags & R_LOCAL) && seam_become_front(d->cfg) == -1)
		return -1;
	sandbox_enter(SANDBOX_SMTPD, d->cfg, NULL);
	return 0;
}

/* Of the front's own rights a session keeps its sockets. */
static int
confine_session(void *arg)
{
	const struct smtpd *d = arg;

	sandbox_enter(SANDBOX_SMTPD_SESSION, d->cfg, NULL);
	return 0;
}

static int
serve(struct smtpd *d)
{
	const struct config *cfg = d->cfg;
	struct serve how = {
		.session = smtp_session,
		.arg = d,
		.max = (unsigned)cfg->connections,
		.spares = SERVE_SPARES,
		.max_per_client = (unsigned)cfg->connections_per_address,
		.reserved = (unsigned)(cfg->connections + 9) / 10,
		.is_reserved = is_submission,
		.busy = "421 4.3.2 too many connections, try again later\r\n",
		.allowed = is_allowed,
		.confine = confine,
		.confine_session = confine_session,
	};

	return serve_run(&how);
}

int
main(int argc, char *argv[])
{
	struct smtpd d = { .role = role_find("smtp") };
	struct config *cfg;
	const char *confdir = NULL;
	int ch, status;

	setprogname(argv[0]);
	process_init();
	while ((ch = getopt(argc, argv, "C:r:")) != -1)
		switch (ch) {
		case 'C':
			confdir = optarg;
			break;
		case 'r':
			if ((d.role = role_find(optarg)) == NULL)
				usage();
			break;
		default:
			usage();
		}
	if (argc != optind)
		usage();

	log_init("smtpd");
	tzset();	/* the time zone is a file; no session opens one */
	d.cfg = cfg = config_or_die(confdir);
	seams_init(cfg);
	known_map(&d.known, serve_inherited(KNOWN_VARIABLE), false);
	if (!(d.role->flags & R_LOCAL))
		(void)tls_able(&d);
	status = serve(&d);
	config_free(cfg);
	return status == -1 ? EX_OSERR : status;
}
