/*
 * tlsd - the sessions of smtpd that have TLS.
 *
 * Runs as facteur-net.  The acceptor asks keyd for the certificate once,
 * rehearses a handshake, and forks a child for each client (tlsd_session.c).
 * It is a program of its own because OpenSSL is by far the largest part of a
 * process that forks: sessions in the clear do without.
 * Way 1 of 8.  From: smtpd.  To: tlsd_session.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "known.h"
#include "log.h"
#include "privdrop.h"
#include "sandbox.h"
#include "seams.h"
#include "tlsd.h"

#define SPARE	16	/* processes */

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: tlsd [-C confdir]\n"
	    "tlsd is started by `facteur run`, with its socket\n");
	exit(EX_USAGE);
}

/* Its own uid, and run/net for a root directory, as smtpd. */
static int
confine(void *arg)
{
	const struct tlsd *t = arg;

	if (seam_become_front(t->cfg) == -1)
		return -1;
	sandbox_enter(SANDBOX_TLSD, t->cfg, NULL);
	return 0;
}

static int
confine_session(void *arg)
{
	const struct tlsd *t = arg;

	sandbox_enter(SANDBOX_TLSD_SESSION, t->cfg, NULL);
	return 0;
}

int
main(int argc, char *argv[])
{
	const char *confdir = NULL;
	struct config *cfg;
	struct tlsd t = { .smtpd.role = role_find("smtp") };
	struct serve how = {
		.session = tlsd_session,
		.spares = SERVE_SPARES,
		.arg = &t,
		.confine = confine,
		.confine_session = confine_session,
		.allowed = seam_may_connect,
	};
	int ch, status;

	process_init();
	while ((ch = getopt(argc, argv, "C:")) != -1)
		switch (ch) {
		case 'C':
			confdir = optarg;
			break;
		default:
			usage();
		}
	if (argc != optind || serve_mode() != SERVE_LISTEN)
		usage();
	log_init("tlsd");
	tzset();	/* the time zone is a file; no child opens one */
	t.cfg = t.smtpd.cfg = cfg = config_or_die(confdir);
	seams_init(cfg);
	known_map(&t.smtpd.known, serve_inherited(KNOWN_VARIABLE), false);
	/* one for each session, and room for those that are just ending */
	how.max = (unsigned)(cfg->connections + SPARE);
	tls_identity_init(&t.tls, cfg);
	(void)tls_identity_logged(&t.tls);
	tls_identity_share(&t.tls);
	status = serve_run(&how);
	tls_identity_release(&t.tls);
	config_free(cfg);
	return status == -1 ? EX_OSERR : status;
}
