/*
 * session_send.c - RETR and TOP: from the file to the wire.
 *
 * Way 8 of 8, as the mailbox owner.  From: Maildir/new and cur.  To: the
 * client.  Line ends, dots, NULs: lib/eol, from the very first octet on;
 * lib/maildir's wire_count counts what it sends.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "eol.h"
#include "log.h"
#include "pop3d.h"

/*
 * RFC 1939 section 7: the header, the blank line, and so many lines of the
 * body.  A line that is only a CR is blank too: some Maildirs hold CRLF.
 */
size_t
top_cut(struct top *t, const char *p, size_t len)
{
	size_t i = 0;

	while (i < len) {
		const char *lf;
		size_t part;

		if ((t->done = t->body && t->lines == 0))
			break;
		lf = memchr(p + i, '\n', len - i);
		part = lf == NULL ? len - i : (size_t)(lf - p) - i;
		if (t->col == 0)
			t->cr = p[i] == '\r';
		t->col += part;
		i += part;
		if (lf == NULL)
			break;
		if (t->body)
			t->lines--;
		else if (t->col == 0 || (t->col == 1 && t->cr))
			t->body = true;
		t->col = 0;
		i++;
	}
	return i;
}

/* Copies the message; false: it could not be read to its end. */
static bool
copy(struct session *s, int fd, struct top *top)
{
	struct dot_out dot;
	ssize_t n = 0;

	dot_out_init(&dot, true, true);
	while (!s->io.broken && (top == NULL || !top->done) &&
	    (n = read(fd, s->drop.block, DROP_BLOCK)) > 0) {
		size_t len = top == NULL ? (size_t)n :
		    top_cut(top, s->drop.block, (size_t)n);

		dot_out(&dot, s->drop.block, len, &s->wire);
		s->io.write_deadline = deadline_in(POP3_IDLE);
		stream_write(&s->io, s->wire.data, s->wire.len);
		buf_reset(&s->wire);
	}
	if (n == -1)
		return false;
	dot_out_end(&dot, &s->wire);
	stream_write(&s->io, buf_str(&s->wire), s->wire.len);
	buf_reset(&s->wire);
	return true;
}

void
session_send(struct session *s, size_t i, int64_t lines)
{
	struct top top = { .lines = lines };
	const struct drop_msg *m = &s->drop.list.v[i];
	int fd = drop_read(&s->drop, i);

	if (fd == -1 && m->gone) {
		stream_puts(&s->io, "-ERR no such message\r\n");
		return;
	}
	if (fd == -1) {
		log_errno(NULL, "pop3-error user=%s doing=retr",
		    quoted(s->user));
		stream_puts(&s->io, "-ERR [SYS/TEMP] cannot read the "
		    "message\r\n");
		return;
	}
	if (lines < 0 && m->wire >= 0)
		stream_printf(&s->io, "+OK %" PRId64 " octets\r\n", m->wire);
	else
		stream_puts(&s->io, "+OK\r\n");
	if (copy(s, fd, lines < 0 ? NULL : &top)) {
		s->retrieved += lines < 0;
	} else {
		/* +OK is said: hang up, so that it does not look whole */
		log_errno(NULL, "pop3-error user=%s doing=retr",
		    quoted(s->user));
		s->end = "read-error";
	}
	close(fd);
}
