/*
 * tlsd_session.c - one client's TLS: the handshake, and then the session.
 *
 * Runs as facteur-net, one process for each client.  A stranger's bytes pass
 * through OpenSSL here and nowhere else on way 1, and no other client's session
 * is near.  smtpd says by which door the client came in; who he is says his
 * socket.
 * Way 1 of 8.  From: starttls.c.  To: lib/stream_tls, session.c.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "ctl.h"
#include "deadline.h"
#include "log.h"
#include "seams.h"
#include "stream_tls.h"
#include "tlsd.h"

#define QUESTION_WAIT	10	/* s for smtpd to say what it wants */
#define HANDSHAKE_WAIT	30	/* s for all of it */

static void
say_able(struct tlsd *t, struct stream *smtpd)
{
	bool able = tls_identity_logged(&t->tls) != NULL;

	stream_puts(smtpd, able ? "yes\n" : "no\n");
	(void)!stream_flush(smtpd, deadline_in(QUESTION_WAIT));
}

static int
shake_hands(struct tlsd *t, struct stream *client, const struct netaddr *peer)
{
	SSL_CTX *ctx = tls_identity_logged(&t->tls);
	struct buf ip = BUF_INIT;
	int r = -1;

	netaddr_text(peer, &ip);
	if (ctx == NULL)
		log_event(NULL, "tls-failed ip=%s text=\"no certificate\"",
		    buf_str(&ip));
	else if ((r = stream_tls_accept(client, ctx,
	    deadline_in(HANDSHAKE_WAIT))) == -1)
		log_errno(NULL, "tls-failed ip=%s text=%s", buf_str(&ip),
		    quoted(tls_error()));
	tls_identity_rest(&t->tls);
	buf_release(&ip);
	return r;
}

static void
serve_client(struct tlsd *t, int fd, const struct serve_conn *conn)
{
	struct stream client;

	stream_init(&client, fd, fd);
	if (shake_hands(t, &client, &conn->peer) == 0)
		smtp_session_tls(&client, stream_tls_version(&client), conn,
		    &t->smtpd);
	else
		stream_release(&client);
}

/* Does TLS begin there?  Not for who runs `sendmail -bs`. */
static bool
is_tls_role(const char *name)
{
	const struct role *role = role_find(name);

	return role != NULL && (role->flags & (R_TLS | R_STARTTLS));
}

static void
take_client(struct tlsd *t, struct stream *smtpd, const char *role)
{
	struct serve_conn conn = { .name = role, .is_socket = true };
	int fd = stream_take_fd(smtpd);

	conn.peer.len = sizeof(conn.peer.ss);
	if (!is_tls_role(role)) {
		log_event(NULL, "refused role=%s", quoted(role));
	} else if (getpeername(fd, (struct sockaddr *)&conn.peer.ss,
	    &conn.peer.len) == -1) {
		log_errno(NULL, "refused text=\"no client came with the "
		    "request, or he has gone\"");
	} else {
		smtpd->unix_fds = false;	/* there was one to take */
		serve_client(t, fd, &conn);
		return;
	}
	if (fd != -1)
		(void)close(fd);
}

/*
 * Whoever asked waits until our end of the connection is gone: so the places
 * that smtpd counts are ours too.  That we do when all is done.
 */
int
tlsd_session(int fd, const struct serve_conn *conn, void *arg)
{
	struct tlsd *t = arg;
	struct stream smtpd;
	struct buf line = BUF_INIT;
	struct ctl c;

	(void)conn;
	stream_init_unix(&smtpd, fd);
	smtpd.in_size = ANSWER_SIZE;
	if (ctl_read(&smtpd, &line, &c, deadline_in(QUESTION_WAIT)) != 1)
		;
	else if (!seam_allows("tlsd", c.verb, ctl_peer_uid(fd)))
		log_event(NULL, "refused verb=%s", quoted(c.verb));
	else if (ctl_is(&c, "able"))
		say_able(t, &smtpd);
	else
		take_client(t, &smtpd, ctl_str(&c, "role"));
	stream_release(&smtpd);
	buf_release(&line);
	return 0;
}
