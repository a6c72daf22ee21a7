/*
 * queue - the queue manager: sees what lies in queue/, hands it to agents,
 * writes down what became of it, tells senders what failed.
 *
 * Runs as facteur-queue.  Way 4 of 8.  From: queue/inject.c, through the
 * directory.  To: remote/remote.c and local/launch.c (5), outcomes (7).
 */
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "date.h"
#include "deadline.h"
#include "history.h"
#include "log.h"
#include "options.h"
#include "pressure.h"
#include "privdrop.h"
#include "queue.h"
#include "sandbox.h"
#include "seams.h"
#include "serve.h"

#define DRAIN_MS	4000	/* after SIGTERM, for outcomes that are on their way */

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: %s [-C confdir] [--plan 6h]\n", getprogname());
	exit(EX_USAGE);
}

/*
 * Descriptors: one for each active message, two for each agent while a job is
 * handed over, one for each that is idle, one for each worker of inject, some
 * more.
 */
static void
raise_nofile(void)
{
	struct rlimit rl = { 1024, 1024 };

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &rl);
	}
	Q.active_max = rl.rlim_max > 2 * ACTIVE_MAX ? ACTIVE_MAX :
	    (unsigned)rl.rlim_max / 2;
	Q.local_kept = rl.rlim_max > 8 * LOCAL_KEPT ? LOCAL_KEPT :
	    (unsigned)rl.rlim_max / 8;
}

/*
 * Opens the spool and makes sure that we are its only manager.  The lock is on
 * the directory's descriptor, so it goes with the process and cannot be stale.
 */
static void
open_spool(void)
{
	const char *path = Q.cfg->spool;

	if (spool_open(&Q.spool, path, true) == -1)
		err(EX_OSERR, "%s", path);
	if (flock(Q.spool.root, LOCK_EX | LOCK_NB) == 0)
		return;
	if (errno == EWOULDBLOCK)
		errx(EX_TEMPFAIL, "%s: another queue manager is at work here", path);
	err(EX_OSERR, "%s: flock", path);
}

static void
drain_over(struct timer *t)
{
	(void)t;
	loop_stop(Q.loop);
}

/* SIGTERM: nothing new is started, what runs may report for a moment. */
static void
signal_ready(struct watch *w, uint32_t events)
{
	struct signalfd_siginfo si;

	(void)events;
	if (read(w->fd, &si, sizeof(si)) != sizeof(si) || Q.draining)
		return;
	Q.draining = true;
	if (Q.running[SITE_LOCAL] + Q.running[SITE_REMOTE] == 0)
		loop_stop(Q.loop);
	else
		loop_timer_set(Q.loop, &Q.drain, now_ms() + DRAIN_MS);
}

static void
watch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == -1)
		err(EX_OSERR, "sigprocmask");
	Q.signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	Q.signals.ready = signal_ready;
	if (Q.signals.fd == -1 ||
	    loop_add(Q.loop, &Q.signals, EPOLLIN) == -1)
		err(EX_OSERR, "signalfd");
}

/* Takes over the sockets we were given; by hand there are none, which is fine. */
static void
watch_listeners(void)
{
	const char *name[8];
	int fd[8], n;

	n = serve_mode() == SERVE_LISTEN ? serve_listeners(fd, name, 8) : 0;
	for (int i = 0; i < n; i++) {
		struct watch *w = NULL;

		if (strcmp(name[i], "notice") == 0) {
			w = &Q.notice;
			w->ready = notice_ready;
		} else if (strcmp(name[i], "direct") == 0) {
			w = &Q.direct;
			w->ready = direct_ready;
		} else if (strcmp(name[i], "control") == 0) {
			w = &Q.control;
			w->ready = control_ready;
		}
		if (w == NULL || w->fd > 0) {
			close(fd[i]);
			continue;
		}
		w->fd = fd[i];
		if (loop_add(Q.loop, w, EPOLLIN) == -1)
			err(EX_OSERR, "listener %s", name[i]);
	}
}

/* The same scheduler in thought only: a program of its own, which writes nothing. */
static _Noreturn void
run_plan(const char *confdir, char *span)
{
	char option[] = "-C", name[] = "plan";
	char *dir = confdir == NULL ? NULL : xstrdup(confdir);
	char *with[] = { name, option, dir, span, NULL };
	char *without[] = { name, span, NULL };

	(void)execv(program_path("plan"), dir == NULL ? without : with);
	err(EX_OSERR, "%s", program_path("plan"));
}

int
main(int argc, char *argv[])
{
	static const struct option words[] = {
		{ "plan", required_argument, NULL, 'p' }, { NULL, 0, NULL, 0 }
	};
	const char *confdir = NULL;
	char *plan = NULL;
	struct stat st;
	int ch;

	setprogname(argv[0]);
	while ((ch = options_next(argc, argv, "C:", words)) != -1)
		switch (ch) {
		case 'C':
			confdir = optarg;
			break;
		case 'p':
			plan = optarg;
			break;
		default:
			usage();
		}
	if (argc != optind)
		usage();
	if (plan != NULL)
		run_plan(confdir, plan);

	process_init();
	log_init("queue");
	raise_nofile();
	Q.cfg = config_or_die(confdir);
	seams_init(Q.cfg);
	open_spool();
	Q.ordered = fstat(Q.spool.queue, &st) == 0 &&
	    spool_keeps_order(&Q.spool);
	Q.device = Q.ordered ? st.st_dev : 0;
	Q.started = date_now_usec();
	Q.loop = loop_new();
	Q.drain.fire = drain_over;
	watch_signals();
	watch_listeners();
	sites_refresh(now_ms());
	sites_state_load(now_ms());
	history_start();
	stats_file_start();
	pressure_start();
	if (scan_start() == -1)
		err(EX_OSERR, "%s/queue", Q.cfg->spool);
	sandbox_enter(SANDBOX_QUEUE, Q.cfg, NULL);
	active_run();
	loop_run(Q.loop);
	sites_state_save();
	return 0;
}
