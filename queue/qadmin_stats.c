/*
 * qadmin_stats.c - `facteur stats`: the queue manager's figures, as Prometheus
 * reads them.
 *
 * Runs as the caller.  From: queue/control_look.c.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <sysexits.h>

#include "deadline.h"
#include "qadmin.h"

#define TEXT_MAX	(1024 * 1024)
#define ANSWER_S	30

static int
read_text(struct stream *s, int64_t left, struct buf *text, int64_t deadline)
{
	const char *p;
	ssize_t n;

	for (; left > 0; left -= n) {
		n = stream_peek(s, &p, deadline);
		if (n <= 0) {
			if (n == 0)
				errno = ECONNRESET;
			return -1;
		}
		if (n > left)
			n = (ssize_t)left;
		buf_add(text, p, (size_t)n);
		stream_consume(s, (size_t)n);
	}
	return 0;
}

int
stats_read(struct stream *s, struct buf *text,
    void (*reason)(const struct ctl *, void *), void *arg, int64_t deadline)
{
	struct buf b = BUF_INIT, line = BUF_INIT;
	struct ctl c;
	int n, r = -1;

	ctl_begin(&b, "stats");
	ctl_add(&b, "reasons", reason != NULL ? "yes" : NULL);
	ctl_end(&b);
	ctl_send(s, &b);
	while ((n = ctl_read(s, &line, &c, deadline)) == 1 &&
	    ctl_is(&c, "reason"))
		if (reason != NULL)
			reason(&c, arg);
	if (n == 1 && ctl_is(&c, "data"))
		r = read_text(s, ctl_num(&c, "len", 0, TEXT_MAX, 0), text,
		    deadline);
	else if (n >= 0)
		errno = n == 0 ? ECONNRESET : EBADMSG;
	buf_release(&b);
	buf_release(&line);
	return r;
}

int
qadmin_stats(const struct config *cfg, int argc, char *argv[])
{
	struct buf text = BUF_INIT;
	struct stream s;

	(void)argv;
	if (argc != 0)
		errx(EX_USAGE, "usage: facteur stats");
	control_or_die(cfg, &s);
	if (stats_read(&s, &text, NULL, NULL, deadline_in(ANSWER_S)) == -1)
		err(EX_TEMPFAIL, "the queue manager tells no figures");
	stream_release(&s);
	fwrite(buf_str(&text), 1, text.len, stdout);
	buf_release(&text);
	return print_finish(EX_OK);
}
