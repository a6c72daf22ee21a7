/*
 * remote - carries messages to other hosts: MX, TLS, SMTP.
 *
 * Started as facteur-remote by `facteur run`; it keeps the configuration, the
 * TLS context and the resolver warm and forks a child for each connection
 * from the queue.  With recipients as arguments it is a filter.
 * Way 6 of 8.  From: queue/agent.c.  To: another host's smtpd.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "log.h"
#include "privdrop.h"
#include "remote.h"
#include "sandbox.h"
#include "seams.h"
#include "serve.h"
#include "tls.h"

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: %s [-C confdir]\n"
	    "       %s [-C confdir] [-f sender] recipient ... <message\n",
	    getprogname(), getprogname());
	exit(EX_USAGE);
}

static int
confine(void *arg)
{
	const struct remote *r = arg;

	sandbox_enter(SANDBOX_REMOTE, r->cfg, NULL);
	return 0;
}

static int
session(int fd, const struct serve_conn *conn, void *arg)
{
	const struct remote *warm = arg;
	struct remote r = *warm;

	(void)conn;
	/* resolv.conf may have changed since; if it is gone, ours is good. */
	if (*r.cfg->resolver == '\0' && dns_init(&r.dns, "") == -1)
		r.dns = warm->dns;
	/* From here on it opens nothing. */
	sandbox_enter(SANDBOX_REMOTE_AGENT, r.cfg, NULL);
	return agent_session(fd, &r);
}

/*
 * What every delivery needs.  Without TLS or a name server there is still a
 * service, one that defers: a fault of the host must not bounce mail.
 */
static void
warm_up(struct remote *r, const struct config *cfg)
{
	struct buf why = BUF_INIT;

	r->cfg = cfg;
	r->wait = rfc_timeouts;
	if ((r->tls = tls_client(&why)) == NULL)
		log_event(NULL, "no-tls reason=%s", quoted(buf_str(&why)));
	if (dns_init(&r->dns, cfg->resolver) == -1)
		log_event(NULL, "no-resolver resolver=%s",
		    quoted(cfg->resolver));
	buf_release(&why);
}

static int
serve(struct remote *r)
{
	struct serve s = { .session = session, .arg = r,
	    .max = (unsigned)r->cfg->remote_concurrency * 3 / 2 + 20,
	    .allowed = seam_may_connect, .confine = confine };

	seams_init(r->cfg);
	if (seam_become(r->cfg, SEAM_REMOTE, false) == -1)
		err(EX_TEMPFAIL, "cannot become %s", seam_name(SEAM_REMOTE));
	return serve_run(&s);
}

int
main(int argc, char *argv[])
{
	const char *confdir = NULL, *sender = "";
	struct config *cfg;
	struct remote r = { .tls = NULL };
	int ch, status;

	process_init();
	while ((ch = getopt(argc, argv, "C:f:")) != -1)
		switch (ch) {
		case 'C':
			confdir = optarg;
			break;
		case 'f':
			sender = optarg;
			break;
		default:
			usage();
		}
	if (optind == argc && serve_mode() == SERVE_PIPE)
		usage();
	cfg = config_or_die(confdir);
	log_init("remote");
	warm_up(&r, cfg);
	status = optind == argc ? serve(&r) : filter(&r, sender, argv + optind,
	    (unsigned)(argc - optind));
	SSL_CTX_free(r.tls);
	config_free(cfg);
	return status;
}
