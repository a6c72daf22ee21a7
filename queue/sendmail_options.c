/*
 * sendmail_options.c - the options that forty years of scripts pass.  What
 * changes nothing here is accepted in silence; what would be a promise we do
 * not keep is refused.
 *
 * Runs in sendmail, as the caller.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "sendmail.h"

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: sendmail [-ti] [-C confdir] [-f sender] "
	    "[-F name] [-N notify] [-R ret]\n"
	    "                [-V envid] [-B body] [recipient ...]\n"
	    "       sendmail -bs | -bp | -q[Itext | Rtext | Stext]\n");
	exit(EX_USAGE);
}

/* No line end or escape from a command line reaches a header or a log. */
static const char *
clean(const char *value, char option)
{
	for (const char *p = value; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7F)
			errx(EX_USAGE, "-%c: control character in the value",
			    option);
	return value;
}

static enum sendmail_mode
mode(const char *arg)
{
	switch (arg[0]) {
	case 'm':
	case 'a':
		return MODE_SUBMIT;
	case 's':
		return MODE_SMTP;
	case 'p':
		return MODE_LIST;
	case 'i':
		return MODE_NOTHING;
	case 'd':
	case 'D':
		errx(EX_USAGE, "-b%s: the servers are started by "
		    "`facteur run`", arg);
	case 'v':
		errx(EX_USAGE, "-bv: use `facteur resolve ADDRESS`");
	default:
		errx(EX_USAGE, "-b%s: unknown mode", arg);
	}
}

static const char *
dsn_notify(const char *arg)
{
	if (notify_parse(arg) == 0)
		errx(EX_USAGE, "-N: never, or some of success,failure,delay");
	return arg;
}

static const char *
dsn_ret(const char *arg)
{
	if (strcasecmp(arg, "full") == 0)
		return "full";
	if (strcasecmp(arg, "hdrs") == 0)
		return "hdrs";
	errx(EX_USAGE, "-R: full or hdrs");
}

static void
body(struct sendmail_options *o, const char *arg)
{
	if (strcasecmp(arg, "8BITMIME") == 0)
		o->body8 = true;
	else if (strcasecmp(arg, "7BIT") != 0)
		errx(EX_USAGE, "-B: 7BIT or 8BITMIME");
}

/* -q, -q30m (we always run), -qItext, -qRtext, -qStext */
static void
retry(struct sendmail_options *o, const char *arg)
{
	static const struct { char letter; const char *filter; } kinds[] = {
		{ 'I', "--id" }, { 'R', "--recipient" }, { 'S', "--sender" }
	};

	o->mode = MODE_RETRY;
	if (arg == NULL || *arg == '\0' || (*arg >= '0' && *arg <= '9'))
		return;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (*arg == kinds[i].letter && arg[1] != '\0') {
			o->retry_filter = kinds[i].filter;
			o->retry_text = clean(arg + 1, 'q');
			return;
		}
	errx(EX_USAGE, "-q%s: -qItext, -qRtext and -qStext choose messages by "
	    "ID, recipient or sender", clean(arg, 'q'));
}

static void
one_option(struct sendmail_options *o, int ch, const char *arg)
{
	switch (ch) {
	case 'C':
		o->confdir = arg;
		break;
	case 'f':
	case 'r':
		o->sender = clean(arg, (char)ch);
		break;
	case 'F':
		o->name = clean(arg, 'F');
		break;
	case 'b':
		o->mode = mode(arg);
		break;
	case 'q':
		retry(o, arg);
		break;
	case 't':
		o->from_header = true;
		break;
	case 'i':
		o->ignore_dots = true;
		break;
	case 'o':
		o->ignore_dots |= strcmp(arg, "i") == 0 ||
		    strcmp(arg, "iTrue") == 0;
		break;
	case 'O':
		o->ignore_dots |= strcasecmp(arg, "IgnoreDots") == 0 ||
		    strcasecmp(arg, "IgnoreDots=true") == 0;
		break;
	case 'N':
		o->notify = dsn_notify(clean(arg, 'N'));
		break;
	case 'R':
		o->ret = dsn_ret(arg);
		break;
	case 'V':
		o->envid = clean(arg, 'V');
		break;
	case 'B':
		body(o, arg);
		break;
	case '?':
		usage();
	default:
		break;		/* harmless: see sendmail(1) */
	}
}

/*
 * '+': the first word that is no option is a recipient, and so is what
 * follows it; an address from a web form must not become an option.
 */
void
sendmail_options(struct sendmail_options *o, int argc, char **argv)
{
	int ch;

	*o = (struct sendmail_options){ .mode = MODE_SUBMIT };
	if (strcmp(getprogname(), "mailq") == 0)
		o->mode = MODE_LIST;
	else if (strcmp(getprogname(), "newaliases") == 0)
		o->mode = MODE_NOTHING;
	while ((ch = getopt(argc, argv, "+A:B:C:D:F:GIL:N:O:R:UV:X:"
	    "b:cd::e:f:h:imno:p:q::r:stvx")) != -1)
		one_option(o, ch, optarg);
	o->rcpts = argv + optind;
}
