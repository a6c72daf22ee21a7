/*
 * starttls.c - STARTTLS (RFC 3207), implicit TLS (RFC 8314), and the context.
 *
 * The parent loads certificate and key before the first connection; a child
 * looks whether they have changed since, so that a new certificate needs no
 * restart.
 * Way 1 of 8.  From: verbs.c, session.c.  To: lib/stream.
 */
#include <stdlib.h>
#include <string.h>

#include "deadline.h"
#include "log.h"
#include "smtpd.h"
#include "tls.h"

#define HANDSHAKE_WAIT	30	/* s for all of it */

static bool
is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

SSL_CTX *
tls_current(struct smtpd *d)
{
	struct buf why = BUF_INIT;
	struct stat cert, key;
	SSL_CTX *fresh;

	if (*d->cfg->tls_cert == '\0')
		return NULL;
	if (stat(d->cfg->tls_cert, &cert) == -1 ||
	    stat(d->cfg->tls_key, &key) == -1) {
		if (d->tls == NULL)
			log_errno(NULL, "tls-error cert=%s", d->cfg->tls_cert);
		return d->tls;
	}
	if (is_same_time(d->tls_seen[0], cert.st_mtim) &&
	    is_same_time(d->tls_seen[1], key.st_mtim))
		return d->tls;
	d->tls_seen[0] = cert.st_mtim;
	d->tls_seen[1] = key.st_mtim;
	fresh = tls_server(d->cfg->tls_cert, d->cfg->tls_key, &why);
	if (fresh == NULL)
		log_event(NULL, "tls-error cert=%s text=%s", d->cfg->tls_cert,
		    quoted(buf_str(&why)));
	else {
		SSL_CTX_free(d->tls);
		d->tls = fresh;
	}
	buf_release(&why);
	return d->tls;
}

int
session_tls(struct session *s)
{
	SSL_CTX *ctx = tls_current(s->smtpd);

	if (ctx == NULL)
		return -1;
	if (stream_tls_accept(&s->st, ctx, deadline_in(HANDSHAKE_WAIT)) == 0)
		return 0;
	log_errno(NULL, "tls-failed ip=%s text=%s", buf_str(&s->ip),
	    quoted(tls_error()));
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
	(void)arg;
	if (s->st.ssl != NULL || s->user != NULL)
		reply(s, 503, "5.5.1", "too late for that");
	else if (!(s->role->flags & R_STARTTLS) || !s->conn->is_socket ||
	    *s->cfg->tls_cert == '\0')
		reply(s, 502, "5.5.1", "no TLS here");
	else if (tls_current(s->smtpd) == NULL)
		reply(s, 454, "4.7.0", "TLS is not available now");
	else {
		reply(s, 220, "2.0.0", "go ahead");
		if (stream_flush(&s->st, deadline_in(HANDSHAKE_WAIT)) == -1 ||
		    session_tls(s) == -1)
			s->closing = true;
		forget(s);
	}
}
