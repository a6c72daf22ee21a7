/*
 * starttls.c - STARTTLS (RFC 3207) and implicit TLS (RFC 8314).
 *
 * TLS is spoken by tlsd (INTERNALS 2.10), which gets the client's socket and
 * is the session from there on.  What stays here keeps the place that smtpd
 * counts.  So there is no OpenSSL in smtpd, which forks for every stranger.
 * Way 1 of 8.  From: verbs.c, session.c.  To: tlsd_session.c.
 */
#include "ctl.h"
#include "deadline.h"
#include "log.h"
#include "smtpd.h"

#define ABLE_WAIT	10	/* s */
#define REPLY_WAIT	30	/* s */
#define HAND_OVER_WAIT	10	/* s */

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
 * What the client has said in the clear anyone may have said: nothing of it
 * goes along, only where he has come in.  After this no byte passes here,
 * whatever becomes of the handshake.
 */
static void
hand_over(struct session *s, struct stream *tlsd)
{
	struct buf frame = BUF_INIT;
	int sent;

	ctl_begin(&frame, "tls");
	ctl_add(&frame, "role", s->role->name);
	ctl_end(&frame);
	sent = stream_send_fd(tlsd, s->st.rfd, frame.data, frame.len,
	    deadline_in(HAND_OVER_WAIT));
	if (sent == -1)
		log_errno(NULL, "tls-failed ip=%s text=\"tlsd does not take "
		    "the client\"", buf_str(&s->ip));
	buf_release(&frame);
	stream_release(&s->st);
	s->st.broken = true;
	if (sent == -1) {
		stream_release(tlsd);	/* half a frame is none */
		return;
	}
	s->tlsd = *tlsd;
	s->has_tlsd = true;
}

void
tls_begin(struct session *s)
{
	struct stream tlsd;

	s->closing = true;
	if (s->conn->is_socket && tlsd_connect(s->cfg, &tlsd) == 0)
		hand_over(s, &tlsd);
	else
		log_errno(NULL, "tls-failed ip=%s text=\"tlsd cannot be "
		    "reached\"", buf_str(&s->ip));
}

/* It says nothing, but its end of the connection ends with its process. */
void
tls_outlive(struct session *s)
{
	const char *p;

	if (!s->has_tlsd)
		return;
	s->tlsd.in_size = ANSWER_SIZE;
	(void)!stream_peek(&s->tlsd, &p, DEADLINE_NEVER);
	stream_release(&s->tlsd);
	s->has_tlsd = false;
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
		s->closing = true;
		if (stream_flush(&s->st, deadline_in(REPLY_WAIT)) == 0)
			hand_over(s, &tlsd);
		else
			stream_release(&tlsd);
	}
}
