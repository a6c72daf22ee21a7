/*
 * qadmin_retry.c - `facteur retry`: asks the queue manager to try messages now.
 *
 * Runs as the caller.  To: queue/control.c.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "ctl.h"
#include "deadline.h"
#include "log.h"
#include "qadmin.h"

#define ANSWER_S	30

/* One question, one answer. Returns the count, or -1 when told why not (printed). */
static int64_t
ask(struct stream *s, const char *key, const char *value)
{
	struct buf b = BUF_INIT, line = BUF_INIT;
	struct ctl c;
	int64_t count = -1;

	ctl_begin(&b, "retry");
	ctl_add(&b, key, value);
	ctl_end(&b);
	ctl_send(s, &b);
	if (ctl_read(s, &line, &c, deadline_in(ANSWER_S)) != 1)
		errx(EX_TEMPFAIL, "the queue manager gave no answer");
	if (ctl_is(&c, "ok"))
		count = ctl_num(&c, "count", 0, INT64_MAX, 0);
	else
		warnx("%s: %s", value, ctl_str(&c, "text"));
	buf_release(&b);
	buf_release(&line);
	return count;
}

int
qadmin_retry(const struct config *cfg, int argc, char *argv[])
{
	const char *path = config_socket(cfg, "control");
	bool all = argc == 1 && strcmp(argv[0], "--all") == 0;
	int64_t total = 0, n;
	struct stream s;
	int fd, status = EX_OK;

	if (argc == 0)
		errx(EX_USAGE, "usage: facteur retry ID... | --all");
	if ((fd = ctl_connect(path)) == -1) {
		if (errno == EACCES)
			err(EX_NOPERM, "%s", path);
		err(EX_TEMPFAIL, "%s: is `facteur run` at work?", path);
	}
	stream_init_unix(&s, fd);
	for (int i = 0; i < argc; i++) {
		n = all ? ask(&s, "all", "yes") : ask(&s, "id", argv[i]);
		if (n == -1)
			status = EX_DATAERR;
		else
			total += n;
	}
	stream_release(&s);
	printf("%lld message%s will be tried now.\n", (long long)total,
	    total == 1 ? "" : "s");
	return status;
}
