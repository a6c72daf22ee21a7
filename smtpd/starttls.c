/*
 * starttls.c - STARTTLS (RFC 3207), implicit TLS (RFC 8314), and the context.
 *
 * The parent prepares the certificate before the first connection; a child
 * asks keyd whether it has been renewed since, and for its signature.
 * Way 1 of 8.  From: verbs.c, session.c.  To: lib/stream, lib/tls_identity.c.
 */
#include <stdlib.h>
#include <string.h>

#include "deadline.h"
#include "log.h"
#include "smtpd.h"

#define HANDSHAKE_WAIT	30	/* s for all of it */

SSL_CTX *
tls_current(struct smtpd *d)
{
	struct buf why = BUF_INIT;
	SSL_CTX *ctx = tls_identity_current(&d->tls, &why);

	if (why.len > 0)
		log_event(NULL, "tls-error cert=%s text=%s", d->cfg->tls_cert,
		    quoted(buf_str(&why)));
	buf_release(&why);
	return ctx;
}

static int
shake_hands(struct session *s, SSL_CTX *ctx)
{
	int r = stream_tls_accept(&s->st, ctx, deadline_in(HANDSHAKE_WAIT));

	if (r == -1)
		log_errno(NULL, "tls-failed ip=%s text=%s", buf_str(&s->ip),
		    quoted(tls_error()));
	tls_identity_rest(&s->smtpd->tls);
	return r;
}

int
session_tls(struct session *s)
{
	SSL_CTX *ctx = tls_current(s->smtpd);

	return ctx == NULL ? -1 : shake_hands(s, ctx);
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
	SSL_CTX *ctx;

	(void)arg;
	if (s->st.ssl != NULL || s->user != NULL)
		reply(s, 503, "5.5.1", "too late for that");
	else if (!(s->role->flags & R_STARTTLS) || !s->conn->is_socket ||
	    *s->cfg->tls_cert == '\0')
		reply(s, 502, "5.5.1", "no TLS here");
	else if ((ctx = tls_current(s->smtpd)) == NULL)
		reply(s, 454, "4.7.0", "TLS is not available now");
	else {
		reply(s, 220, "2.0.0", "go ahead");
		if (stream_flush(&s->st, deadline_in(HANDSHAKE_WAIT)) == -1 ||
		    shake_hands(s, ctx) == -1)
			s->closing = true;
		forget(s);
	}
}
