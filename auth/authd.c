/*
 * authd - who is it, and is this the password?  The only reader of `users`.
 *
 * Runs as facteur-auth: one event loop and a few processes that compute
 * hashes; with system_users = yes also a child that stays root (verify.c).
 * Started by `facteur run` or systemd with its listener (LISTEN_FDS).
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
#include "sandbox.h"
#include "seams.h"
#include "serve.h"
#include "verify.h"

#define LISTENERS	8

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: authd [-C confdir]\n"
	    "authd is started by `facteur run`, with its socket\n");
	exit(EX_USAGE);
}

/*
 * The one child that stays root, forked before we drop; with system_users = no
 * we are not root even now.  Its descriptor, or -1: there is none.
 */
static int
start_child(const struct config *cfg, pid_t *pid_out)
{
	int fd;

	if (!cfg->system_users)
		return -1;
	if (!cfg->as_root || geteuid() != 0) {
		log_event(NULL, "system-users-off text=\"only authd started "
		    "as root can check their passwords\"");
		return -1;
	}
	if ((fd = verify_start(pid_out)) == -1)
		err(EX_OSERR, "cannot start the child for system_users");
	return fd;
}

/* Serves until SIGTERM. */
static int
work(const struct config *cfg, const int *fd, int n, int child, pid_t pid)
{
	struct loop *loop = loop_new();
	struct pool *pool;
	struct desk *desk;

	if (loop == NULL || (pool = pool_new(loop)) == NULL)
		err(EX_OSERR, "cannot start");
	desk = desk_new(cfg, loop, pool);
	if (child != -1 && (desk->system = pool_adopt(loop, child, pid)) == NULL)
		err(EX_OSERR, "cannot start");
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
	int fd[LISTENERS], ch, child, n;
	pid_t pid = -1;

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
	seams_init(cfg);
	child = start_child(cfg, &pid);
	if (seam_become(cfg, SEAM_AUTH, false) == -1)
		err(EX_OSERR, "cannot become %s", seam_name(SEAM_AUTH));
	sandbox_enter(SANDBOX_AUTHD, cfg, NULL);
	n = work(cfg, fd, n, child, pid);
	config_free(cfg);
	return n;
}
