/*
 * keyd - signs TLS handshakes: the only reader of private keys.
 *
 * Started as root by `facteur run`, it reads certificate and key, becomes
 * facteur-keys for good, and only then takes its first client.
 *
 * Way 1 and 8 of 8.  From: smtpd, pop3d, through lib/keyask.c.
 */
#include <sys/prctl.h>

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "keyd.h"
#include "log.h"
#include "privdrop.h"
#include "sandbox.h"
#include "seams.h"
#include "serve.h"
#include "wake.h"

#define LISTENERS	8

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: keyd [-t] [-C confdir]\n"
	    "keyd is started by `facteur run`, with its socket; "
	    "-t only checks the files\n");
	exit(EX_USAGE);
}

static int
check(const struct config *cfg)
{
	struct buf why = BUF_INIT;
	struct keys keys;

	if (keys_open(&keys, cfg, &why) == -1)
		errx(EX_CONFIG, "%s", buf_str(&why));
	keys_close(&keys);
	return EX_OK;
}

/* The files while we may still be root, then root is gone. */
static void
prepare(struct keys *keys, const struct config *cfg)
{
	struct buf why = BUF_INIT;
	pid_t parent = getppid();

	if (keys_open(keys, cfg, &why) == -1)
		log_event(NULL, "key-error old=none text=%s",
		    quoted(buf_str(&why)));
	buf_release(&why);
	seams_init(cfg);
	if (seam_become(cfg, SEAM_KEYS, false) == -1)
		err(EX_OSERR, "cannot become %s", seam_name(SEAM_KEYS));
	/* Under one uid too: a neighbour's debugger is not let in. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		err(EX_OSERR, "prctl");
	/* The change of uid has cancelled what the supervisor arranged. */
	if (wake_with_parent(parent) == -1)
		exit(EX_OK);
	keys_check_access(keys);
}

/* Serves until SIGTERM. */
static int
work(struct keys *keys, const struct config *cfg)
{
	const char *name[LISTENERS];
	int fd[LISTENERS], n = serve_listeners(fd, name, LISTENERS);
	struct loop *loop = loop_new();
	struct keyd_desk *desk = keyd_desk_new(loop, keys);

	if (n == -1)
		err(EX_OSERR, "LISTEN_FDS");
	for (int i = 0; i < n; i++)
		if (keyd_desk_listen(desk, fd[i]) == -1)
			err(EX_OSERR, "cannot listen");
	sandbox_enter(SANDBOX_KEYD, cfg, NULL);
	loop_run(loop);
	keyd_desk_free(desk);
	loop_free(loop);
	return EX_OK;
}

int
main(int argc, char *argv[])
{
	const char *confdir = NULL;
	bool only_check = false;
	struct config *cfg;
	struct keys keys;
	int ch, r;

	process_init();
	while ((ch = getopt(argc, argv, "C:t")) != -1)
		switch (ch) {
		case 'C':
			confdir = optarg;
			break;
		case 't':
			only_check = true;
			break;
		default:
			usage();
		}
	if (argc != optind || (!only_check && serve_mode() != SERVE_LISTEN))
		usage();
	cfg = config_or_die(confdir);
	log_init("keyd");
	if (only_check) {
		r = check(cfg);
	} else {
		prepare(&keys, cfg);
		r = work(&keys, cfg);
		keys_close(&keys);
	}
	config_free(cfg);
	return r;
}
