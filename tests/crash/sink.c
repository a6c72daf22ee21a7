/*
 * sink.c - another host, so to speak: takes mail for anybody but nobody@, and
 * puts each message into a file before it says 250.
 *
 * A test tool.  From: remote/client.c.  To: look.c.
 */
#include <sys/prctl.h>
#include <sys/socket.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crash.h"
#include "deadline.h"
#include "stream.h"

#define LINE_S	60

/* To the line of one dot. False when it never came. */
static bool
take(struct stream *s, struct buf *out)
{
	struct buf line = BUF_INIT;
	bool ended = false;

	while (!ended && stream_line(s, &line, 65536, EOL_CRLF,
	    deadline_in(LINE_S)) == LINE_OK) {
		const char *p = buf_str(&line);

		ended = strcmp(p, ".") == 0;
		if (!ended)
			buf_addf(out, "%s\n", *p == '.' ? p + 1 : p);
	}
	buf_release(&line);
	return ended;
}

static bool
store(const struct buf *msg, const char *dir)
{
	static unsigned n;
	struct buf tmp = BUF_INIT, name = BUF_INIT;
	bool ok = false;
	FILE *f;

	buf_addf(&tmp, "%s/.%d", dir, (int)getpid());
	buf_addf(&name, "%s/%d.%u", dir, (int)getpid(), ++n);
	if ((f = fopen(tmp.data, "we")) != NULL) {
		ok = fwrite(msg->data, 1, msg->len, f) == msg->len;
		ok = fclose(f) == 0 && ok;
		ok = ok && rename(tmp.data, name.data) == 0;
	}
	buf_release(&tmp);
	buf_release(&name);
	return ok;
}

static void
converse(int fd, const char *dir)
{
	struct buf line = BUF_INIT, msg = BUF_INIT;
	struct stream s;

	stream_init(&s, fd, fd);
	stream_puts(&s, "220 far.example ESMTP\r\n");
	while (stream_line(&s, &line, 2048, EOL_CRLF,
	    deadline_in(LINE_S)) == LINE_OK) {
		const char *p = buf_str(&line);

		if (strncasecmp(p, "DATA", 4) == 0) {
			stream_puts(&s, "354 go on\r\n");
			buf_reset(&msg);
			if (!take(&s, &msg))
				break;
			stream_puts(&s, store(&msg, dir) ? "250 2.0.0 taken\r\n"
			    : "451 4.3.0 no room\r\n");
		} else if (strncasecmp(p, "QUIT", 4) == 0) {
			stream_puts(&s, "221 bye\r\n");
			break;
		} else if (strcasestr(p, "<nobody@") != NULL) {
			stream_puts(&s, "550 5.1.1 no such user\r\n");
		} else {
			stream_puts(&s, "250 2.0.0 fine\r\n");
		}
	}
	(void)!stream_flush(&s, deadline_in(LINE_S));
	stream_release(&s);
	buf_release(&line);
	buf_release(&msg);
}

void
sink_run(int listener, const char *dir)
{
	char *where = xstrdup(dir);

	(void)signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		pid_t parent = getpid();

		if (fd == -1)
			continue;
		if (fork() == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (getppid() == parent)
				converse(fd, where);
			_exit(0);
		}
		(void)close(fd);
	}
}
