/*
 * sendmail - what every mail program and script on a host calls; also mailq
 * and newaliases.  Not setuid: a client of inject's public socket.
 *
 * Way 2 of 8.  From: the caller.  To: queue/inject, or smtpd (-bs).
 */
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "privdrop.h"
#include "sendmail.h"

/* Becomes another of our programs; it finds the configuration as we did. */
static _Noreturn void
become(const struct config *cfg, const char *program, const char *arg1,
    const char *arg2, const char *arg3)
{
	const char *path = program_path(program);
	const char *argv[] = { program, arg1, arg2, arg3, NULL };

	if (setenv("FACTEUR_CONF", cfg->confdir, 1) == -1)
		err(EX_OSERR, "setenv");
	execv(path, (char *const *)(uintptr_t)argv);
	err(EX_UNAVAILABLE, "%s", path);
}

/*
 * -q; -qI, -qR, -qS: what stands anywhere in ID, recipient or sender.  It
 * tells people how many there are, and nothing to cron, which would mail it.
 */
static _Noreturn void
retry(const struct config *cfg, const struct sendmail_options *o)
{
	struct buf glob = BUF_INIT;
	int null;

	if (!isatty(STDOUT_FILENO)) {
		if ((null = open("/dev/null", O_WRONLY | O_CLOEXEC)) == -1 ||
		    dup2(null, STDOUT_FILENO) == -1)
			err(EX_OSERR, "/dev/null");
		(void)close(null);
	}
	if (o->retry_filter == NULL)
		become(cfg, "qadmin", "retry", "--all", "--yes");
	buf_addf(&glob, "%s=*", o->retry_filter);
	for (const char *p = o->retry_text; *p != '\0'; p++) {
		if (strchr("*?[\\", *p) != NULL)
			buf_addc(&glob, '\\');
		buf_addc(&glob, *p);
	}
	buf_addc(&glob, '*');
	become(cfg, "qadmin", "retry", buf_str(&glob), "--yes");
}

int
main(int argc, char *argv[])
{
	struct sendmail_options o;
	struct config *cfg;
	int status = EX_OK;

	process_init();
	setprogname(argc > 0 && argv[0] != NULL ? argv[0] : "sendmail");
	if (argc == 0)
		errx(EX_USAGE, "no program name");
	sendmail_options(&o, argc, argv);
	if (o.mode == MODE_NOTHING)
		return EX_OK;
	cfg = config_or_die(o.confdir);
	switch (o.mode) {
	case MODE_SMTP:
		become(cfg, "smtpd", "-r", "local", NULL);
	case MODE_LIST:
		become(cfg, "qadmin", "mailq", NULL, NULL);
	case MODE_RETRY:
		retry(cfg, &o);
	case MODE_SUBMIT:
	case MODE_NOTHING:
		status = sendmail_submit(cfg, &o);
		break;
	}
	config_free(cfg);
	return status;
}
