/*
 * starttls.c - STARTTLS (RFC 3207) and implicit TLS (RFC 8314).
 *
 * TLS is spoken by tlsd (INTERNALS 2.10).  It gets the client's socket; the
 * session goes on over the connection to tlsd, in the clear.  So there is no
 * OpenSSL in this program, which forks for every stranger.
 * Way 1 of 8.  From: verbs.c, session.c.  To: tlsd.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "deadline.h"
#include "log.h"
#include "smtpd.h"

#define ABLE_WAIT	10	/* s */
#define REPLY_WAIT	30	/* s */
#define HANDSHAKE_WAIT	45	/* s; tlsd's own patience ends before */

static int
tlsd_connect(const struct config *cfg, struct stream *tlsd)
{
	int fd = ctl_connect(config_socket(cfg, "net/tlsd"));

	if (fd == -1)
		return -1;
	stream_init(tlsd, fd, fd);
	return 0;
}

bool
tls_able(struct smtpd *d)
{
	struct buf line = BUF_INIT;
	struct stream tlsd;
	struct ctl c;

	if (d->tls_able || *d->cfg->tls_cert == '\0' ||
	    tlsd_connect(d->cfg, &tlsd) == -1)
		return d->tls_able;
	stream_puts(&tlsd, "able\n");
	d->tls_able = ctl_read(&tlsd, &line, &c, deadline_in(ABLE_WAIT)) == 1 &&
	    ctl_is(&c, "yes");
	stream_release(&tlsd);
	buf_release(&line);
	return d->tls_able;
}

/*
 * tlsd shakes hands with the client.  0: the session's stream is the one to
 * tlsd now.  -1: the client's is broken, no byte passes in the clear.
 */
static int
hand_over(struct session *s, struct stream *tlsd)
{
	struct buf frame = BUF_INIT, line = BUF_INIT;
	int64_t deadline = deadline_in(HANDSHAKE_WAIT);
	struct ctl c;
	int r;

	ctl_begin(&frame, "tls");
	ctl_add(&frame, "ip", buf_str(&s->ip));
	ctl_end(&frame);
	r = stream_send_fd(tlsd, s->st.rfd, frame.data, frame.len, deadline);
	if (r == 0)
		r = ctl_read(tlsd, &line, &c, deadline);
	if (r == 0)
		errno = ECONNRESET;
	if (r == 1 && ctl_is(&c, "ok")) {
		s->tls = xstrdup(ctl_str(&c, "version"));
		stream_release(&s->st);
		s->st = *tlsd;
	} else {
		if (r != 1)	/* else tlsd has said why */
			log_errno(NULL, "tls-failed ip=%s text=\"tlsd did not "
			    "answer\"", buf_str(&s->ip));
		s->st.broken = true;
		stream_release(tlsd);
	}
	buf_release(&frame);
	buf_release(&line);
	return s->tls != NULL ? 0 : -1;
}

int
session_tls(struct session *s)
{
	struct stream tlsd;

	if (s->conn->is_socket && tlsd_connect(s->cfg, &tlsd) == 0)
		return hand_over(s, &tlsd);
	log_errno(NULL, "tls-failed ip=%s text=\"tlsd cannot be reached\"",
	    buf_str(&s->ip));
	return -1;
}

/* What came in the clear is forgotten: anyone may have said it. */
static void
forget(struct session *s)
{
	txn_reset(s);
	s->phase = FRESH;
	s->greeting = NO_GREETING;
	buf_reset(&s->helo);
	free(s->user);
	s->user = NULL;
}

void
do_starttls(struct session *s, const char *arg)
{
	struct stream tlsd;

	(void)arg;
	if (s->tls != NULL || s->user != NULL)
		reply(s, 503, "5.5.1", "too late for that");
	else if (!(s->role->flags & R_STARTTLS) || !s->conn->is_socket ||
	    *s->cfg->tls_cert == '\0')
		reply(s, 502, "5.5.1", "no TLS here");
	else if (!tls_able(s->smtpd) || tlsd_connect(s->cfg, &tlsd) == -1)
		reply(s, 454, "4.7.0", "TLS is not available now");
	else {
		reply(s, 220, "2.0.0", "go ahead");
		if (stream_flush(&s->st, deadline_in(REPLY_WAIT)) == -1) {
			stream_release(&tlsd);
			s->closing = true;
		} else if (hand_over(s, &tlsd) == -1) {
			s->closing = true;
		}
		forget(s);
	}
}
