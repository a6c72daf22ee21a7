/*
 * inject_client.c - the other end of INTERNALS 2.2: hands a message to the
 * inject server through its public socket.
 *
 * Runs in sendmail and inject, as the caller.
 * Way 2 of 8.  From: queue/inject_submit.c.  To: queue/inject_session.c.
 */
#include <errno.h>
#include <string.h>

#include "ctl.h"
#include "deadline.h"
#include "inject.h"
#include "stream.h"

#define DATA_MAX	65536	/* bytes of one data frame */

/* A frame from the server, or what replaces it. */
struct reply {
	struct buf line;
	struct ctl frame;
};

static void
fail(struct inject_result *out, const char *what)
{
	out->code = 451;
	buf_reset(&out->enh);
	buf_adds(&out->enh, "4.3.0");
	buf_reset(&out->text);
	buf_adds(&out->text, what);
}

/* Waits for `verb`.  Anything else becomes the result; then -1. */
static int
expect(struct stream *s, struct reply *r, const char *verb,
    struct inject_result *out)
{
	switch (ctl_read(s, &r->line, &r->frame, deadline_in(INJECT_WAIT))) {
	case 1:
		break;
	case 0:
		fail(out, "inject closed the connection");
		return -1;
	default:
		fail(out, errno == ETIMEDOUT ? "inject does not answer" :
		    strerror(errno));
		return -1;
	}
	if (ctl_is(&r->frame, verb))
		return 0;
	fail(out, "inject speaks another protocol");
	if (ctl_is(&r->frame, "err")) {
		out->code = (int)ctl_num(&r->frame, "code", 400, 599, 451);
		buf_reset(&out->enh);
		buf_adds(&out->enh, ctl_str(&r->frame, "enh"));
		buf_reset(&out->text);
		buf_adds(&out->text, ctl_str(&r->frame, "text"));
	}
	return -1;
}

static void
send_envelope(struct stream *stream, const struct inject_submission *s)
{
	struct buf out = BUF_INIT;

	ctl_begin(&out, "message");
	ctl_add(&out, "sender", buf_str(&s->sender));
	ctl_add(&out, "ret", s->ret);
	ctl_add(&out, "envid", s->envid);
	ctl_add(&out, "body", s->body8 ? "8bit" : NULL);
	ctl_add(&out, "utf8", s->utf8 ? "yes" : NULL);
	ctl_add(&out, "fix", s->fix ? "yes" : NULL);
	ctl_end(&out);
	for (size_t i = 0; i < s->rcpts.n; i++) {
		ctl_begin(&out, "rcpt");
		ctl_add(&out, "to", s->rcpts.v[i]);
		ctl_add(&out, "notify", s->notify);
		ctl_end(&out);
	}
	ctl_begin(&out, "go");
	ctl_addn(&out, "size", s->input.size + (int64_t)s->head.len);
	ctl_end(&out);
	ctl_send(stream, &out);
	buf_release(&out);
}

static int
send_data(void *stream, const char *p, size_t len)
{
	struct buf frame = BUF_INIT;

	while (len > 0) {
		size_t n = len < DATA_MAX ? len : DATA_MAX;

		ctl_begin(&frame, "data");
		ctl_addn(&frame, "len", (int64_t)n);
		ctl_end(&frame);
		ctl_send(stream, &frame);
		stream_write(stream, p, n);
		buf_reset(&frame);
		p += n;
		len -= n;
	}
	buf_release(&frame);
	return 0;
}

/*
 * When inject has refused and closed, writing fails, but its answer is there
 * to be read: so only reading decides.
 */
static void
converse(struct stream *stream, struct inject_submission *s,
    struct inject_result *out)
{
	struct reply r = { .line = BUF_CAPPED(CTL_MAX) };
	struct buf end = BUF_INIT;

	send_envelope(stream, s);
	if (expect(stream, &r, "ready", out) == -1)
		goto out;
	(void)send_data(stream, buf_str(&s->head), s->head.len);
	if (inject_input_each(&s->input, send_data, stream) == -1) {
		fail(out, "the temporary file cannot be read");
		goto out;
	}
	ctl_begin(&end, "end");
	ctl_end(&end);
	ctl_send(stream, &end);
	if (expect(stream, &r, "ok", out) == -1)
		goto out;
	out->code = 250;
	buf_adds(&out->enh, "2.0.0");
	buf_adds(&out->id, ctl_str(&r.frame, "id"));
out:
	buf_release(&end);
	buf_release(&r.line);
}

void
inject_submit_client(struct inject_submission *s, struct inject_result *out)
{
	const char *path = config_socket(s->cfg, "inject");
	struct stream stream;
	int fd = ctl_connect(path);

	if (fd == -1) {
		int error = errno;

		fail(out, "");
		buf_addf(&out->text, "cannot reach inject at %s (%s): is "
		    "`facteur run` running?", path, strerror(error));
		return;
	}
	stream_init(&stream, fd, fd);
	converse(&stream, s, out);
	stream_release(&stream);
}
