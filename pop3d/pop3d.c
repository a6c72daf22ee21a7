/*
 * pop3d - hands Billy his mail over POP3.
 *
 * Way 8 of 8.  From: Maildir, filled by local.  To: his mail program.
 * As a server this is the front, facteur-net, and the session is in launch;
 * with a Maildir as argument it is the session itself, as whoever calls it.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "log.h"
#include "pop3d.h"
#include "privdrop.h"
#include "sandbox.h"
#include "seams.h"
#include "session.h"

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: %s [-s] [-C confdir]\n"
	    "       %s [-C confdir] maildir\n", getprogname(), getprogname());
	exit(EX_USAGE);
}

/* As a filter there is no login: the caller has seen to it who we are. */
static int
filter(const char *maildir)
{
	const char *user = getenv("USER");	/* checkpassword sets it */

	if (getuid() == 0 || geteuid() == 0)
		errx(EX_NOPERM, "not as root: a mailbox belongs to a user");
	return pop3_session(STDIN_FILENO, STDOUT_FILENO, maildir,
	    user == NULL ? "" : user);
}

/* The front's walls: its own uid, and run/net for a root directory. */
static int
confine(void *arg)
{
	const struct front *f = arg;

	if (seam_become_front(f->cfg) == -1)
		return -1;
	sandbox_enter(SANDBOX_POP3D, f->cfg, NULL);
	return 0;
}

/* Of the front's own rights a session keeps its sockets. */
static int
confine_session(void *arg)
{
	const struct front *f = arg;

	sandbox_enter(SANDBOX_POP3D_SESSION, f->cfg, NULL);
	return 0;
}

static int
serve(struct front *f, const char *confdir)
{
	struct config *cfg = config_or_die(confdir);
	int r;
	struct serve s = {
		.session = front_session, .arg = f, .confine = confine,
		.confine_session = confine_session,
		.max = (unsigned)cfg->connections,
		.max_per_client = (unsigned)cfg->connections_per_address,
		.busy = "-ERR [SYS/TEMP] too many connections\r\n",
	};

	f->cfg = cfg;
	seams_init(cfg);
	tls_identity_init(&f->tls, cfg);
	(void)tls_identity_logged(&f->tls);	/* children share what it prepares */
	tls_identity_share(&f->tls);
	r = serve_run(&s);
	tls_identity_release(&f->tls);
	return r == -1 ? EX_OSERR : r;
}

int
main(int argc, char *argv[])
{
	struct front f = { .implicit = false };
	const char *confdir = NULL;
	int ch;

	setprogname(argv[0]);
	while ((ch = getopt(argc, argv, "C:s")) != -1)
		switch (ch) {
		case 'C':
			confdir = optarg;
			break;
		case 's':
			f.implicit = true;
			break;
		default:
			usage();
		}
	if (argc - optind > 1)
		usage();
	process_init();
	log_init("pop3d");
	if (argc - optind == 1)
		return filter(argv[optind]);
	return serve(&f, confdir);
}
