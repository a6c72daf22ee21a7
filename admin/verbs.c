/*
 * verbs.c - the verbs of `facteur`: a few are built in, the others are
 * programs of ours, executed in place of this one.
 *
 * Runs as whoever calls it.
 * Way 0 of 8.  From: the command line.  To: run.c, show_config.c, libexec.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin.h"
#include "nearest.h"

static int help(int, char *[]);
static int version(int, char *[]);

static const struct verb {
	const char *name;
	int	  (*run)(int argc, char *argv[]);	/* built in, or NULL */
	const char *program;	/* else: executed */
	bool	    tell;	/* the program is told the verb; built in: takes arguments */
	const char *args, *does;
} verbs[] = {
	{ "run", run, NULL, false, "", "start everything, in the foreground" },
	{ "setup", setup, NULL, true, "--users [--root DIR]",
	    "make the system's users" },
	{ "check-install", check_install, NULL, false, "",
	    "what is wrong here, and how to mend it" },
	{ "config", show_config, NULL, false, "",
	    "every key, its value, where it comes from" },
	{ "sandbox", show_sandbox, NULL, false, "",
	    "what each running program may still do" },
	{ "ls", NULL, "qadmin", true, "[--json] [FILTER...]",
	    "what is in the queue" },
	{ "show", NULL, "qadmin", true, "ID", "one message and its story" },
	{ "why", NULL, "qadmin", true, "ID|ADDRESS|SITE",
	    "where it is, what happened, what happens next" },
	{ "sites", NULL, "qadmin", true, "[--json] [GLOB]",
	    "every destination: window, pace, rest, last error" },
	{ "stats", NULL, "qadmin", true, "", "figures, for Prometheus" },
	{ "top", NULL, "top", false, "[--once] [-d SECONDS]",
	    "the queue, live" },
	{ "retry", NULL, "qadmin", true, "ID...|FILTER...|--all",
	    "try again now" },
	{ "hold", NULL, "qadmin", true, "ID...|FILTER...",
	    "keep it until released" },
	{ "release", NULL, "qadmin", true, "ID...|FILTER...", "let it go on" },
	{ "rm", NULL, "qadmin", true, "ID...|FILTER...",
	    "take it out for good; nobody is told" },
	{ "bounce", NULL, "qadmin", true, "ID...|FILTER...",
	    "give it up, and tell the sender" },
	{ "reroute", NULL, "qadmin", true, "ID... HOST:PORT",
	    "send it another way" },
	{ "resolve", NULL, "resolve", false, "ADDRESS...",
	    "where mail for an address goes" },
	{ "passwd", NULL, "passwd", false, "ADDRESS", "set a password" },
	{ "inject", NULL, "inject", false, "-f SENDER RCPT...",
	    "a message from stdin into the queue" },
	{ "remote", NULL, "remote", false, "-f SENDER RCPT...",
	    "a message from stdin to another host, now" },
	{ "local", NULL, "local", false, "ADDRESS",
	    "a message from stdin into a Maildir, now" },
	{ "queue", NULL, "queue", false, "--plan 6h",
	    "the attempts to come" },
	{ "version", version, NULL, false, "", "what this is" },
	{ "help", help, NULL, false, "", "this table" },
};
#define NVERBS	(sizeof(verbs) / sizeof(verbs[0]))

static void
print_table(FILE *to)
{
	(void)fprintf(to, "usage: facteur [-C CONFDIR] [-u] VERB ...\n\n");
	for (size_t i = 0; i < NVERBS; i++) {
		const struct verb *v = &verbs[i];
		int used = fprintf(to, "    %s%s%s", v->name,
		    *v->args != '\0' ? " " : "", v->args);

		(void)fprintf(to, "%*s%s\n", used < 32 ? 32 - used : 1, "",
		    v->does);
	}
	(void)fprintf(to, "\nCONFDIR is /etc/facteur unless -C or "
	    "$FACTEUR_CONF says otherwise; see facteur(8).\n");
}

void
verb_usage(void)
{
	print_table(stderr);
}

static int
help(int argc, char *argv[])
{
	(void)argc;
	(void)argv;
	print_table(stdout);
	return fflush(stdout) == 0 ? 0 : EX_IOERR;
}

static int
version(int argc, char *argv[])
{
	(void)argc;
	(void)argv;
	(void)printf("facteur %s\n", FACTEUR_VERSION);
	return fflush(stdout) == 0 ? 0 : EX_IOERR;
}

/* Never returns but with an exit code for its failure. */
static int
execute(const struct verb *v, int argc, char *argv[])
{
	const char *path = program_path(v->program);
	char **args = xcalloc((size_t)argc + 2, sizeof(*args));
	int n = 0;

	args[n++] = xstrdup(v->program);
	/* argv[0] is the verb itself. */
	for (int i = v->tell ? 0 : 1; i < argc; i++)
		args[n++] = argv[i];
	(void)execv(path, args);
	warn("%s", path);
	return EX_UNAVAILABLE;
}

static const char *
verb_name(const void *v, size_t i)
{
	return ((const struct verb *)v)[i].name;
}

static const struct verb *
verb_find(const char *name)
{
	for (size_t i = 0; i < NVERBS; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/*
 * `facteur VERB -C CONFDIR` is as good as `facteur -C CONFDIR VERB`, and so
 * is -u.  Returns how many arguments behind the verb that used up.
 */
static int
take_options(int argc, char *argv[])
{
	int i = 1;

	for (; i < argc; i++) {
		if (strcmp(argv[i], "-u") == 0) {
			if (setenv("FACTEUR_SINGLE_UID", "1", 1) == -1)
				err(EX_OSERR, "setenv");
		} else if (strcmp(argv[i], "-C") == 0 && i + 1 < argc) {
			if (setenv("FACTEUR_CONF", argv[++i], 1) == -1)
				err(EX_OSERR, "setenv");
		} else {
			break;
		}
	}
	return i - 1;
}

int
verb_dispatch(int argc, char *argv[])
{
	const struct verb *v;
	const char *near;
	int used;

	if (argc == 0)
		return help(0, NULL);
	v = verb_find(argv[0]);
	if (v == NULL) {
		near = nearest(argv[0], verb_name, verbs, NVERBS);
		if (2 * edit_distance(argv[0], near) > strlen(near))
			warnx("unknown verb \"%s\"", argv[0]);
		else
			warnx("unknown verb \"%s\"; the nearest one is "
			    "\"%s\"", argv[0], near);
		print_table(stderr);
		return EX_USAGE;
	}
	used = take_options(argc, argv);
	argv[used] = argv[0];
	argv += used;
	argc -= used;
	if (v->run == NULL)
		return execute(v, argc, argv);
	if (argc > 1 && !v->tell) {
		warnx("%s: \"%s\" is too much", v->name, argv[1]);
		return EX_USAGE;
	}
	return v->run(argc, argv);
}
