/*
 * qadmin_stats.c - `facteur stats`: the queue manager's figures, as Prometheus
 * reads them.
 *
 * Runs as the caller.  From: queue/control_look.c.
 */
#include <err.h>
#include <stdio.h>
#include <sysexits.h>

#include "deadline.h"
#include "qadmin.h"

#define TEXT_MAX	(1024 * 1024)
#define ANSWER_S	30

static void
read_text(struct stream *s, int64_t left, struct buf *text)
{
	const char *p;
	ssize_t n;

	for (; left > 0; left -= n) {
		n = stream_peek(s, &p, deadline_in(ANSWER_S));
		if (n <= 0)
			errx(EX_TEMPFAIL, "the queue manager's answer breaks off");
		if (n > left)
			n = (ssize_t)left;
		buf_add(text, p, (size_t)n);
		stream_consume(s, (size_t)n);
	}
}

void
stats_ask(struct stream *s, struct buf *text,
    void (*reason)(const struct ctl *, void *), void *arg)
{
	struct buf b = BUF_INIT, line = BUF_INIT;
	struct ctl c;
	bool more;

	ctl_begin(&b, "stats");
	ctl_add(&b, "reasons", reason != NULL ? "yes" : NULL);
	ctl_end(&b);
	for (more = control_ask(s, &b, &line, &c); more && ctl_is(&c, "reason");
	    more = control_next(s, &line, &c))
		if (reason != NULL)
			reason(&c, arg);
	if (!ctl_is(&c, "data"))
		errx(EX_TEMPFAIL, "the queue manager has no figures");
	read_text(s, ctl_num(&c, "len", 0, TEXT_MAX, 0), text);
	buf_release(&b);
	buf_release(&line);
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
	stats_ask(&s, &text, NULL, NULL);
	stream_release(&s);
	fwrite(buf_str(&text), 1, text.len, stdout);
	buf_release(&text);
	return print_finish(EX_OK);
}
