/*
 * crash - proves "250 means on disk" for failing system calls and kill -9.
 *
 * usage: crash [-sv] [-n nth] [-r seed] [-w way] BUILDDIR [SUITE ...]
 * SUITE: mutants, fail, kill, load.  Prints TAP: what was tried, what was
 * found.  -s: a part of it, for `make check`; -w, -n: only this way, this
 * call, to look into a failure (KEEP=1 in the environment leaves the directory
 * with the log).  Where ptrace is not allowed it says so, and that is all.
 *
 * A test tool (make crash).  Suite 3, the power cut, is tests/powercut.
 */
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "crash.h"
#include "deadline.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED	true	/* such programs start ten times slower */
#else
#define SANITIZED	false
#endif

static const struct suite {
	const char *name;
	void	  (*run)(void);
} suites[] = {
	{ "mutants", suite_mutants },
	{ "fail", suite_fail },
	{ "kill", suite_kill },
	{ "load", suite_load },
};
#define NSUITES	(sizeof(suites) / sizeof(suites[0]))

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: crash [-sv] [-n nth] [-r seed] [-w way] "
	    "builddir [mutants | fail | kill | load ...]\n");
	exit(64);
}

/* exit() cleans up, and the kernel ends what we trace. */
static void
ended(int sig)
{
	(void)sig;
	exit(130);
}

static bool
wanted(const char *name, char *const *names)
{
	if (*names == NULL)
		return true;
	for (; *names != NULL; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

int
main(int argc, char *argv[])
{
	char asan[256];
	int ch;

	O.seed = (unsigned long)time(NULL);
	O.step = 1;
	while ((ch = getopt(argc, argv, "n:r:svw:")) != -1)
		switch (ch) {
		case 's':
			O.brief = true;
			O.step = SANITIZED ? 4 : 1;
			break;
		case 'r':
			O.seed = strtoul(optarg, NULL, 10);
			break;
		case 'n':
			O.nth = (int)strtol(optarg, NULL, 10);
			break;
		case 'w':
			O.way = optarg;
			break;
		case 'v':
			O.verbose = true;
			break;
		default:
			usage();
		}
	if (optind == argc)
		usage();
	(void)signal(SIGINT, ended);
	(void)signal(SIGTERM, ended);
	(void)signal(SIGHUP, ended);
	(void)signal(SIGPIPE, SIG_IGN);
	/* Who is traced cannot look for leaks: that would be ptrace as well. */
	(void)snprintf(asan, sizeof(asan), "%s:detect_leaks=0",
	    getenv("ASAN_OPTIONS") != NULL ? getenv("ASAN_OPTIONS") : "");
	(void)setenv("ASAN_OPTIONS", asan, 1);
	if ((S.build = realpath(argv[optind], NULL)) == NULL)
		err(1, "%s", argv[optind]);
	if (!trace_works()) {
		printf("ok 1 - crash # SKIP ptrace or seccomp is not allowed "
		    "here\n1..1\n");
		return 0;
	}
	site_make();
	for (size_t i = 0; i < NSUITES; i++) {
		int64_t start = now_ms();

		if (!wanted(suites[i].name, argv + optind + 1))
			continue;
		suites[i].run();
		note("%s took %lld s", suites[i].name,
		    (long long)(now_ms() - start) / 1000);
	}
	return plan() ? 0 : 1;
}
