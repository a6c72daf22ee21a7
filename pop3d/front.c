/*
 * front.c - POP3 before the login: the AUTHORIZATION state, TLS, and then
 * the relay between the client and its session.
 *
 * Way 8 of 8, as facteur-net.  From: Billy's mail program.  To: authd, which
 * has launch start the session.  This process opens no mailbox and reads no
 * password file; it moves bytes.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "deadline.h"
#include "log.h"
#include "pop3d.h"
#include "sasl.h"

#define BAD_MAX		3	/* senseless commands, until we hang up */
#define GOODBYE		5	/* seconds to get the last bytes out */
#define DEAD_PEER_MS	60000	/* TCP: unacknowledged for so long is gone */

void
front_bad(struct login *l, const char *text)
{
	stream_printf(l->io, "-ERR %s\r\n", text);
	if (++l->bad >= BAD_MAX)
		l->over = true;
}

bool
front_may_login(const struct login *l)
{
	return l->local || stream_tls_version(l->io) != NULL;
}

/* The handshake, with the certificate of this moment. */
static int
shake_hands(struct login *l, const char *service)
{
	SSL_CTX *ctx = tls_identity_logged(&l->front->tls);
	int r = -1;

	if (ctx == NULL) {
		log_event(NULL, "tls-missing service=%s ip=%s", service, l->ip);
		return -1;
	}
	if ((r = stream_tls_accept(l->io, ctx, l->deadline)) == -1)
		log_errno(NULL, "tls-failed service=%s ip=%s text=%s",
		    service, l->ip, quoted(tls_error()));
	tls_identity_rest(&l->front->tls);
	return r;
}

static bool
may_stls(const struct login *l)
{
	return stream_tls_version(l->io) == NULL &&
	    (l->front->tls.ctx != NULL || tls_identity_logged(&l->front->tls) != NULL);
}

/* RFC 2449 section 5; the list differs before and after STLS. */
static void
do_capa(struct login *l, char *arg)
{
	(void)arg;
	stream_printf(l->io, "+OK\r\n%s%s%s.\r\n", pop3_capa_common,
	    front_may_login(l) ? "USER\r\nSASL PLAIN\r\n" : "",
	    may_stls(l) ? "STLS\r\n" : "");
}

/*
 * RFC 2595 section 4.  Commands sent ahead in the clear may be another man's
 * (CVE-2011-0411); what was said so far is forgotten.
 */
static void
do_stls(struct login *l, char *arg)
{
	(void)arg;
	if (!may_stls(l)) {
		front_bad(l, "no STLS here and now");
		return;
	}
	if (stream_pending(l->io)) {
		front_bad(l, "nothing may be sent ahead behind STLS");
		l->over = true;
		return;
	}
	stream_puts(l->io, "+OK begin TLS\r\n");
	buf_reset(&l->user);
	if (stream_flush(l->io, l->deadline) == -1 ||
	    shake_hands(l, "pop3") == -1) {
		l->io->broken = true;
		l->over = true;
	}
}

static void
do_quit(struct login *l, char *arg)
{
	(void)arg;
	stream_puts(l->io, "+OK bye\r\n");
	l->over = true;
}

#define F_NOARG	0x1u	/* takes no argument */
#define F_LONG	0x2u	/* may be longer than other lines: RFC 5034 section 4 */

static const struct verb {
	const char *name;
	void	  (*run)(struct login *, char *arg);
	unsigned    flags;
} verbs[] = {
	/* RFC 1939 sections 4 and 7 */
	{ "USER", front_user, 0 },
	{ "PASS", front_pass, 0 },
	{ "QUIT", do_quit,    F_NOARG },
	/* RFC 5034, RFC 2449, RFC 2595 */
	{ "AUTH", front_auth, F_LONG },
	{ "CAPA", do_capa,    F_NOARG },
	{ "STLS", do_stls,    F_NOARG },
};

static const struct verb *
verb_find(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcasecmp(name, verbs[i].name) == 0)
			return &verbs[i];
	return NULL;
}

static void
dispatch(struct login *l)
{
	bool is_long = l->line.len > POP3_LINE;
	char *arg = pop3_split(l->line.data);
	const struct verb *v = verb_find(l->line.data);

	if (v == NULL)
		front_bad(l, "unknown command");
	else if (is_long && (v->flags & F_LONG) == 0)
		front_bad(l, "line too long");
	else if ((v->flags & F_NOARG) && arg[strspn(arg, " ")] != '\0')
		front_bad(l, "no argument, please");
	else
		v->run(l, arg);
}

void
front_talk(struct login *l)
{
	enum line got;

	/* nothing about who or what we are, and no APOP timestamp */
	stream_puts(l->io, "+OK POP3 ready\r\n");
	while (!l->over && !l->io->broken) {
		got = pop3_line(l->io, &l->line, SASL_MAX, l->deadline);
		if (got == LINE_OK)
			dispatch(l);
		else if (pop3_line_error(got) != NULL)
			front_bad(l, pop3_line_error(got));
		else
			l->over = true;
		pop3_wipe(l->io, &l->line);
	}
}

/*
 * A client whose line is cut must not keep its mailbox locked for long; the
 * kernel's own patience is hours.  Only a comfort: it may be no TCP socket.
 */
static void
watch_peer(int fd)
{
	const int on = 1, idle = 60, ms = DEAD_PEER_MS;

	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

/* pop3s: TLS before the first word, RFC 8314 section 3.2. */
static bool
begin(struct login *l, const char *listener)
{
	if (!l->front->implicit && strcmp(listener, "pop3s") != 0)
		return true;
	return shake_hands(l, "pop3s") == 0;
}

int
front_session(int fd, const struct serve_conn *conn, void *arg)
{
	struct stream io;
	struct buf ip = BUF_INIT;
	struct login l = {
		.front = arg, .io = &io, .deadline = deadline_in(POP3_LOGIN),
		.local = true,
	};

	if (conn->is_socket) {
		watch_peer(fd);
		netaddr_text(&conn->peer, &ip);
		l.local = netaddr_is_loopback(&conn->peer);
	} else {
		buf_adds(&ip, "pipe");
	}
	l.ip = buf_str(&ip);
	stream_init(&io, fd, conn->is_socket ? fd : STDOUT_FILENO);
	io.write_deadline = l.deadline;
	if (begin(&l, conn->name == NULL ? "" : conn->name)) {
		front_talk(&l);
		(void)stream_goodbye(&io, deadline_in(GOODBYE));
	}
	stream_release(&io);
	buf_release(&l.line);
	buf_release(&l.user);
	buf_release(&ip);
	return EX_OK;
}
