/*
 * load_smtp.c - the load generator's SMTP: one session's conversation, one
 * reply at a time.  Recipients go out one by one, or with -P all together with
 * MAIL and DATA in one write (RFC 2920).
 */
#include <sys/socket.h>

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"

/* Lines of 72 bytes, counted from the end, so that any tail ends a line. */
static const char *
body(size_t n)
{
	static char *text;
	static size_t len;

	if (text == NULL) {
		len = (size_t)opt.size;
		if ((text = malloc(len)) == NULL)
			err(1, "malloc");
		for (size_t i = 0; i < len; i++) {
			size_t k = (len - 1 - i) % 72;

			text[i] = k == 0 ? '\n' : k == 1 ? '\r' :
			    (char)('a' + i * 7 % 26);
		}
	}
	return text + len - n;
}

static void
put_content(struct session *s)
{
	char head[512];
	int n = snprintf(head, sizeof(head),
	    "From: <sender@client.test>\r\nTo: <user%d@bench.test>\r\n"
	    "Date: Mon, 23 Nov 2026 03:00:00 +0000\r\n"
	    "Message-Id: <%d.%d@client.test>\r\n"
	    "Subject: message %d of the load\r\n\r\n",
	    s->msg % opt.users, (int)getpid(), s->msg, s->msg);
	size_t rest = n < opt.size ? (size_t)(opt.size - n) : 0;

	io_put(s, head, (size_t)n);
	io_put(s, body(rest), rest);
	io_put(s, ".\r\n", 3);
}

static void
put_rcpt(struct session *s)
{
	io_putf(s, "RCPT TO:<user%d@bench.test>\r\n",
	    (s->msg + s->asked++) % opt.users);
}

void
smtp_send(struct session *s)
{
	s->asked = s->answered = 0;
	io_putf(s, "MAIL FROM:<sender@client.test>\r\n");
	if (opt.pipelining) {
		while (s->asked < opt.rcpts)
			put_rcpt(s);
		io_putf(s, "DATA\r\n");
	}
	s->step = MAIL;
	if (io_flush(s) == -1)
		smtp_lost(s, "write");
}

void
smtp_start(struct session *s)
{
	s->done = 0;
	s->secured = false;
	s->step = BANNER;
	if (io_connect(s) == -1)
		smtp_lost(s, "connect");
}

void
smtp_lost(struct session *s, const char *why)
{
	io_close(s);
	if (s->step != QUIT)
		load_failed(s, why);
	s->step = FREE;
	if (s->msg == -1 && s->again <= now() && load_next(s))
		smtp_start(s);
}

static void
quit(struct session *s)
{
	io_putf(s, "QUIT\r\n");
	s->step = QUIT;
}

/* Greeted, or done with a message: the next one, or the end. */
static void
next(struct session *s)
{
	s->step = READY;
	if (opt.idle)
		return;
	if (opt.per_conn != 0 && s->done >= opt.per_conn)
		quit(s);
	else if (s->msg != -1 || load_next(s))
		smtp_send(s);
	else if (opt.rate == 0)
		quit(s);	/* nothing is left */
}

static void
greeted(struct session *s)
{
	if (opt.tls && !s->secured) {
		io_putf(s, "STARTTLS\r\n");
		s->step = STARTTLS;
	} else
		next(s);
}

static void
rcpt_answered(struct session *s)
{
	if (++s->answered == opt.rcpts) {
		if (!opt.pipelining)
			io_putf(s, "DATA\r\n");
		s->step = DATA;
	} else if (!opt.pipelining)
		put_rcpt(s);
}

static void
secured(struct session *s)
{
	s->secured = true;
	io_putf(s, "EHLO client.test\r\n");
	s->step = EHLO;
}

/* 0, or -1: not the answer we need. */
static int
answer(struct session *s, int code)
{
	static const int wanted[] = { [BANNER] = 220, [EHLO] = 250,
	    [STARTTLS] = 220, [MAIL] = 250, [RCPT] = 250, [DATA] = 354,
	    [DOT] = 250, [QUIT] = 221 };
	int r = 0;

	if (s->step == READY || code != wanted[s->step])
		return -1;
	switch (s->step) {
	case BANNER:
		io_putf(s, "EHLO client.test\r\n");
		s->step = EHLO;
		break;
	case EHLO:
		greeted(s);
		break;
	case STARTTLS:
		s->step = HANDSHAKE;
		if ((r = io_starttls(s)) == 1)
			secured(s);
		break;
	case MAIL:
		if (!opt.pipelining)
			put_rcpt(s);
		s->step = RCPT;
		break;
	case RCPT:
		rcpt_answered(s);
		break;
	case DATA:
		put_content(s);
		s->dot = now();
		s->step = DOT;
		break;
	case DOT:
		s->done++;
		load_sent(s);
		next(s);
		break;
	default:
		return -1;	/* 221: this connection is over */
	}
	return r < 0 ? -1 : 0;
}

static int
lines(struct session *s)
{
	char *p = s->in, *end = s->in + s->inlen, *nl;

	while ((nl = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		if (nl - p >= 4 && p[3] != '-' &&
		    answer(s, (int)strtol(p, NULL, 10)) == -1) {
			*nl = '\0';
			smtp_lost(s, p);
			return -1;
		}
		p = nl + 1;
	}
	s->inlen = (size_t)(end - p);
	memmove(s->in, p, s->inlen);
	return 0;
}

void
smtp_news(struct session *s)
{
	int r;

	if (s->step == HANDSHAKE) {
		if ((r = io_handshake(s)) == -1) {
			smtp_lost(s, "TLS handshake");
			return;
		}
		if (r == 1)
			secured(s);
	}
	if (io_flush(s) == -1) {
		smtp_lost(s, "write");
		return;
	}
	while (s->step != HANDSHAKE && (r = io_fill(s)) != 0) {
		if (r == -1) {
			smtp_lost(s, "connection lost");
			return;
		}
		if (lines(s) == -1)
			return;
		if (io_flush(s) == -1) {
			smtp_lost(s, "write");
			return;
		}
		/* Exim waits up to 200 ms for this before its 221. */
		if (s->step == QUIT && s->ssl == NULL && s->outlen == 0)
			(void)shutdown(s->fd, SHUT_WR);
		if (s->ssl == NULL && s->step != FREE)
			return;		/* one read; epoll tells of more */
	}
}
