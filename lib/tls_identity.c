/*
 * tls_identity.c - which certificate and key a server shows, now.
 *
 * Runs as facteur-net: the parent asks once, so that its children share the
 * parsed chain; each child asks whether that is still the one, and has keyd
 * sign.  Where there is no keyd, the files are read directly, if they may be.
 * Way 1 and 8 of 8.  From: tlsd, pop3d.  To: lib/tls.c, lib/keyask.c.
 */
#include <sys/stat.h>

#include <errno.h>
#include <string.h>

#include "log.h"
#include "tls.h"

void
tls_identity_init(struct tls_identity *t, const struct config *cfg)
{
	memset(t, 0, sizeof(*t));
	t->cfg = cfg;
	t->keyd.cfg = cfg;
	t->signer.sign = keyask_sign;
	t->signer.arg = &t->keyd;
}

void
tls_identity_rest(struct tls_identity *t)
{
	keyask_hang_up(&t->keyd);
}

void
tls_identity_share(struct tls_identity *t)
{
	if (t->ctx != NULL)
		tls_warm_up(t->ctx);
	tls_identity_rest(t);
}

void
tls_identity_release(struct tls_identity *t)
{
	tls_identity_rest(t);
	SSL_CTX_free(t->ctx);
	t->ctx = NULL;
}

static void
adopt(struct tls_identity *t, SSL_CTX *fresh)
{
	if (fresh == NULL)
		return;
	SSL_CTX_free(t->ctx);
	t->ctx = fresh;
}

/* ---- with keyd ----------------------------------------------------------- */

/* What is to be done where keyd did not say: is there one at all? */
static bool
is_away(int error)
{
	return error == ENOENT || error == ECONNREFUSED || error == EACCES;
}

/* false: there is no keyd. */
static bool
from_keyd(struct tls_identity *t, struct buf *why)
{
	char mark[KEYASK_MARK + 1];
	struct buf der = BUF_INIT;
	SSL_CTX *fresh;
	int r = keyask_chain(&t->keyd, t->mark, mark, &der);
	bool there = r != -1 || !is_away(errno);

	if (r == -1 && there)
		buf_addf(why, "keyd: %s", errno == EAGAIN ?
		    "it has no certificate" : strerror(errno));
	if (r == 1) {
		fresh = tls_server_held(der.data, der.len, &t->signer, why);
		adopt(t, fresh);
		if (fresh != NULL)
			memcpy(t->mark, mark, sizeof(mark));
	}
	buf_release(&der);
	return there;
}

/* ---- without ------------------------------------------------------------- */

static bool
is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static void
from_files(struct tls_identity *t, struct buf *why)
{
	struct stat cert, key;
	SSL_CTX *fresh;

	if (stat(t->cfg->tls_cert, &cert) == -1 ||
	    stat(t->cfg->tls_key, &key) == -1) {
		if (t->ctx == NULL)
			buf_addf(why, "tls_cert %s: %s", t->cfg->tls_cert,
			    strerror(errno));
		return;
	}
	if (t->mark[0] == '\0' && is_same_time(t->seen[0], cert.st_mtim) &&
	    is_same_time(t->seen[1], key.st_mtim))
		return;
	t->seen[0] = cert.st_mtim;
	t->seen[1] = key.st_mtim;
	fresh = tls_server(t->cfg->tls_cert, t->cfg->tls_key, why);
	adopt(t, fresh);
	if (fresh != NULL)
		t->mark[0] = '\0';
}

SSL_CTX *
tls_identity_current(struct tls_identity *t, struct buf *why)
{
	if (*t->cfg->tls_cert == '\0')
		return NULL;
	if (!from_keyd(t, why))
		from_files(t, why);
	return t->ctx;
}

SSL_CTX *
tls_identity_logged(struct tls_identity *t)
{
	struct buf why = BUF_INIT;
	SSL_CTX *ctx = tls_identity_current(t, &why);

	if (why.len > 0)
		log_event(NULL, "tls-error cert=%s text=%s", t->cfg->tls_cert,
		    quoted(buf_str(&why)));
	buf_release(&why);
	return ctx;
}
