/*
 * authd - who is it, and is this the password?  The only reader of `users`.
 *
 * Runs as facteur-auth: one event loop and a few processes that compute
 * hashes.  Started by `facteur run` or systemd with its listener (LISTEN_FDS).
 *
 * Way 1 and 8 of 8.  From: smtpd/auth.c, pop3d/front.c.  To: local/launch.c.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "auth.h"
#include "log.h"
#include "privdrop.h"
#include "serve.h"

#define LISTENERS	8

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: authd [-C confdir]\n"
	    "authd is started by `facteur run`, with its socket\n");
	exit(EX_USAGE);
}

/* Serves until SIGTERM. */
static int
work(const struct config *cfg, const int *fd, int n)
{
	struct loop *loop = loop_new();
	struct pool *pool;
	struct desk *desk;

	if (loop == NULL || (pool = pool_new(loop)) == NULL)
		err(EX_OSERR, "cannot start");
	desk = desk_new(cfg, loop, pool);
	for (int i = 0; i < n; i++)
		if (desk_listen(desk, fd[i]) == -1)
			err(EX_OSERR, "cannot listen");
	loop_run(loop);
	desk_free(desk);
	loop_free(loop);
	return EX_OK;
}

int
main(int argc, char *argv[])
{
	const char *confdir = NULL, *name[LISTENERS];
	struct config *cfg;
	int fd[LISTENERS], ch, n;

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
	cfg = config_or_die(confdir);
	log_init("authd");
	if ((n = serve_listeners(fd, name, LISTENERS)) == -1)
		err(EX_OSERR, "LISTEN_FDS");
	n = work(cfg, fd, n);
	config_free(cfg);
	return n;
}
