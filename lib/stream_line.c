/*
 * stream_line.c - what a line of a conversation is.
 *
 * Runs at every privilege, on a stranger's bytes.  The one place that decides
 * where a command, a reply or a frame ends; message content is eol.c's.
 * Way: everywhere.  From: stream.c.  To: smtpd, pop3d, remote, ctl.c.
 */
#include <errno.h>
#include <string.h>

#include "stream.h"

#define LONG_FACTOR	64	/* a line is discarded up to that many max */

/* A line while it is read. */
struct gather {
	struct buf *line;
	size_t	 max;
	size_t	 seen;		/* bytes of it consumed */
	bool	 cr;		/* the last byte was a CR and is held back */
	bool	 toolong;
};

static void
gather_add(struct gather *g, const char *p, size_t n)
{
	if (g->toolong)
		return;
	if (n > g->max - g->line->len) {
		g->toolong = true;
		buf_reset(g->line);
		return;
	}
	buf_add(g->line, p, n);
	if (!buf_ok(g->line))
		g->toolong = true;
}

/* A CR is part of the line only when something else than LF follows it. */
static void
gather_crlf(struct gather *g, const char *p, size_t n)
{
	if (n == 0)
		return;
	if (g->cr)
		gather_add(g, "\r", 1);
	g->cr = p[n - 1] == '\r';
	gather_add(g, p, g->cr ? n - 1 : n);
}

static enum line
gather_end(struct gather *g, enum eol eol)
{
	struct buf *line = g->line;

	if (g->toolong) {
		buf_reset(line);
		return LINE_TOOLONG;
	}
	if (line->len > 0 && memchr(line->data, '\0', line->len) != NULL) {
		buf_reset(line);
		return LINE_NUL;
	}
	if (eol == EOL_CRLF && (!g->cr || (line->len > 0 &&
	    memchr(line->data, '\r', line->len) != NULL)))
		return LINE_BADEOL;
	return LINE_OK;
}

static enum line
gather_failed(struct gather *g, ssize_t got)
{
	buf_reset(g->line);
	if (got == 0)
		return LINE_EOF;
	return errno == ETIMEDOUT ? LINE_TIMEOUT : LINE_ERROR;
}

enum line
stream_line(struct stream *s, struct buf *line, size_t max, enum eol eol,
    int64_t deadline)
{
	struct gather g = { .line = line, .max = max };
	const char *p, *lf;
	size_t n;
	ssize_t got;

	buf_reset(line);
	for (;;) {
		if ((got = stream_peek(s, &p, deadline)) <= 0)
			return gather_failed(&g, got);
		lf = memchr(p, '\n', (size_t)got);
		n = lf == NULL ? (size_t)got : (size_t)(lf - p);
		if (eol == EOL_CRLF)
			gather_crlf(&g, p, n);
		else
			gather_add(&g, p, n);
		stream_consume(s, lf == NULL ? n : n + 1);
		if (lf != NULL)
			return gather_end(&g, eol);
		g.seen += n;
		if (g.toolong && g.seen / LONG_FACTOR > max) {
			errno = EMSGSIZE;
			return gather_failed(&g, -1);
		}
	}
}
