/*
 * tlsd_session.c - one client's TLS: the handshake, then a relay between the
 * client's socket and its session in smtpd.
 *
 * Runs as facteur-net, one process for each client.  A stranger's bytes pass
 * through OpenSSL here and nowhere else on way 1: no mail, no password and no
 * lookup is understood in this process, and no other client's session is near.
 * Way 1 of 8.  From: smtpd/starttls.c.  To: lib/stream_tls, lib/stream_splice.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "deadline.h"
#include "log.h"
#include "seams.h"
#include "stream_tls.h"
#include "tlsd.h"

#define QUESTION_WAIT	10	/* s for smtpd to say what it wants */
#define HANDSHAKE_WAIT	30	/* s for all of it */
#define IDLE_WAIT	1200	/* s; the session itself is less patient */
#define REST_WAIT	10	/* s, when it has ended, for its last replies */
#define GOODBYE_WAIT	5	/* s */
#define LINGER_WAIT	2	/* s */

/* Says one frame of at most two pairs; a NULL value leaves its pair out. */
static int
answer(struct stream *session, const char *verb, const char *version,
    const char *cipher)
{
	struct buf frame = BUF_INIT;

	ctl_begin(&frame, verb);
	ctl_add(&frame, "version", version);
	ctl_add(&frame, "cipher", cipher);
	ctl_end(&frame);
	ctl_send(session, &frame);
	buf_release(&frame);
	return stream_flush(session, deadline_in(QUESTION_WAIT));
}

static int
shake_hands(struct tlsd *t, struct stream *client, const char *ip)
{
	SSL_CTX *ctx = tls_identity_logged(&t->tls);
	int r = -1;

	if (ctx == NULL)
		log_event(NULL, "tls-failed ip=%s text=\"no certificate\"",
		    quoted(ip));
	else if ((r = stream_tls_accept(client, ctx,
	    deadline_in(HANDSHAKE_WAIT))) == -1)
		log_errno(NULL, "tls-failed ip=%s text=%s", quoted(ip),
		    quoted(tls_error()));
	tls_identity_rest(&t->tls);
	return r;
}

/*
 * The session ends it, and stays until we have gone (TLSD_WAIT there is more
 * than our three): so the places that smtpd counts are ours too.
 */
static void
relay(struct stream *client, struct stream *session)
{
	if (stream_splice(client, session, IDLE_WAIT, REST_WAIT) == -1)
		return;
	stream_goodbye(client, deadline_in(GOODBYE_WAIT));
	stream_linger(client, LINGER_WAIT);
}

static void
serve_client(struct tlsd *t, struct stream *session, const char *ip)
{
	struct stream client;
	struct stat st;
	int fd = stream_take_fd(session);

	if (fd == -1 || fstat(fd, &st) == -1 || !S_ISSOCK(st.st_mode)) {
		log_event(NULL, "refused text=\"no socket came with the "
		    "request\"");
		if (fd != -1)
			(void)close(fd);
		return;
	}
	session->unix_fds = false;	/* there was one to take */
	stream_init(&client, fd, fd);
	if (shake_hands(t, &client, ip) == -1)
		(void)answer(session, "failed", NULL, NULL);
	else if (answer(session, "ok", stream_tls_version(&client),
	    stream_tls_cipher(&client)) == 0)
		relay(&client, session);
	stream_release(&client);
}

int
tlsd_session(int fd, const struct serve_conn *conn, void *arg)
{
	struct tlsd *t = arg;
	struct stream session;
	struct buf line = BUF_INIT;
	struct ctl c;

	(void)conn;
	stream_init_unix(&session, fd);
	if (ctl_read(&session, &line, &c, deadline_in(QUESTION_WAIT)) != 1)
		;
	else if (!seam_allows("tlsd", c.verb, ctl_peer_uid(fd)))
		log_event(NULL, "refused verb=%s", quoted(c.verb));
	else if (ctl_is(&c, "able"))
		(void)answer(&session, tls_identity_logged(&t->tls) != NULL ? "yes" : "no",
		    NULL, NULL);
	else
		serve_client(t, &session, ctl_str(&c, "ip"));
	stream_release(&session);
	buf_release(&line);
	return 0;
}
