/*
 * client.c - who hands the messages in, and believes what is answered.
 *
 * A test tool.  From: walk.c, filters.c, load.c.  To: smtpd, inject.
 */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crash.h"
#include "ctl.h"
#include "deadline.h"

#define ANSWER_S	30

static int
smtp_connect(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_port = htons((uint16_t)S.port);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd != -1 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	if (fd != -1)
		(void)close(fd);
	return -1;
}

/* The code of a whole reply; 0 when none comes. */
static int
smtp_reply(struct stream *s)
{
	struct buf line = BUF_INIT;
	int code = 0;

	while (stream_line(s, &line, 2048, EOL_CRLF,
	    deadline_in(ANSWER_S)) == LINE_OK)
		if (line.len >= 3 && (line.len == 3 || line.data[3] != '-')) {
			code = (line.data[0] - '0') * 100 +
			    (line.data[1] - '0') * 10 + line.data[2] - '0';
			break;
		}
	buf_release(&line);
	return code;
}

static enum answer
answer(int code)
{
	if (code == 250)
		return ACKED;
	return code == 0 ? LOST : code < 500 ? NOT_NOW : NEVER;
}

/* LF lines as they stand on the wire. */
static void
send_content(struct stream *s, const struct buf *msg)
{
	for (size_t i = 0, n; i < msg->len; i += n + 1) {
		const char *p = msg->data + i;

		n = strcspn(p, "\n");
		if (*p == '.')
			stream_write(s, ".", 1);
		stream_write(s, p, n);
		stream_puts(s, "\r\n");
	}
	stream_puts(s, ".\r\n");
}

enum answer
smtp_send(const struct buf *msg, const char *const *rcpts)
{
	struct stream s;
	int fd = smtp_connect(), code;

	if (fd == -1)
		return NOT_NOW;
	stream_init(&s, fd, fd);
	code = smtp_reply(&s) == 220 ? 250 : 451;
	if (code == 250) {
		stream_puts(&s, "EHLO mua.emc.fr\r\n");
		code = smtp_reply(&s);
	}
	if (code == 250) {
		stream_puts(&s, "MAIL FROM:<" SENDER ">\r\n");
		code = smtp_reply(&s);
	}
	for (; code == 250 && *rcpts != NULL; rcpts++) {
		stream_printf(&s, "RCPT TO:<%s>\r\n", *rcpts);
		code = smtp_reply(&s);
	}
	if (code == 250) {
		stream_puts(&s, "DATA\r\n");
		code = smtp_reply(&s);
		if (code == 354) {
			send_content(&s, msg);
			code = smtp_reply(&s);
			stream_release(&s);
			return answer(code);
		}
	}
	/* Before the content nothing can have been taken. */
	stream_release(&s);
	return code >= 500 ? NEVER : NOT_NOW;
}

/* The next frame is `verb`: ACKED; else what it says. */
static enum answer
frame(struct stream *s, const char *verb)
{
	struct buf line = BUF_INIT;
	enum answer a = LOST;
	struct ctl c;

	if (ctl_read(s, &line, &c, deadline_in(ANSWER_S)) == 1) {
		if (ctl_is(&c, verb))
			a = ACKED;
		else
			a = answer((int)ctl_num(&c, "code", 400, 599, 0));
	}
	buf_release(&line);
	return a;
}

enum answer
inject_send(int fd, const struct buf *msg, const char *rcpt)
{
	struct buf b = BUF_INIT;
	struct stream s;
	enum answer a;

	stream_init(&s, fd, fd);
	ctl_begin(&b, "message");
	ctl_add(&b, "sender", SENDER);
	ctl_end(&b);
	ctl_begin(&b, "rcpt");
	ctl_add(&b, "to", rcpt);
	ctl_end(&b);
	ctl_begin(&b, "go");
	ctl_end(&b);
	ctl_send(&s, &b);
	a = frame(&s, "ready");
	if (a == ACKED) {
		buf_reset(&b);
		ctl_begin(&b, "data");
		ctl_addn(&b, "len", (int64_t)msg->len);
		ctl_end(&b);
		ctl_send(&s, &b);
		stream_write(&s, msg->data, msg->len);
		buf_reset(&b);
		ctl_begin(&b, "end");
		ctl_end(&b);
		ctl_send(&s, &b);
		a = frame(&s, "ok");
	} else if (a == LOST)
		a = NOT_NOW;		/* nothing was handed over yet */
	stream_release(&s);
	buf_release(&b);
	return a;
}
