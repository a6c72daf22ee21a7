/*
 * session.c - one session: the banner, one command after the other, the end.
 *
 * Runs as facteur-net, one process for each client, and is where a stranger's
 * bytes arrive.  This file owns patience: what a client may get wrong, how
 * often and how slowly.  A session is smtpd's in the clear and tlsd's with TLS;
 * between the two lies starttls.c.
 * Way 1 of 8.  From: the network, through lib/serve; tlsd_session.c.
 * To: verbs.c.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "deadline.h"
#include "log.h"
#include "netaddr.h"
#include "sasl.h"
#include "smtpd.h"

#define ERRORS_SLOW	10	/* from here on each costs a second */
#define ERRORS_MAX	20
#define JUNK_MAX	100	/* NOOP, RSET... without a message */
#define TARPIT_MS	1000
#define GOODBYE_WAIT	10	/* s */
#define LINGER_WAIT	2	/* s */
#define REPLY_TEXT	480	/* bytes; RFC 5321, 4.5.3.1.5 has 512 */

static const struct role roles[] = {
	{ "smtp", R_STARTTLS | R_STRANGER, "net/inject" },
	{ "submission", R_AUTH | R_STARTTLS | R_FIX, "net/inject" },
	{ "submissions", R_AUTH | R_TLS | R_FIX, "net/inject" },
	{ "lmtp", R_LMTP | R_STARTTLS, "net/inject" },
	{ "local", R_LOCAL | R_FIX, "inject" },
};

const struct role *
role_find(const char *name)
{
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcmp(roles[i].name, name) == 0)
			return &roles[i];
	return NULL;
}

bool
is_submission(const char *listener)
{
	const struct role *role = role_find(listener);

	return role != NULL && (role->flags & R_AUTH);
}

/* ---- replies ---- */

static bool
is_clients_error(int code)
{
	return (code >= 500 && code <= 504) || code == 555;
}

void
reply(struct session *s, int code, const char *enh, const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	if (text.len > REPLY_TEXT)
		buf_cut(&text, REPLY_TEXT);
	for (char *p = text.data; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			*p = '?';
	if (enh != NULL)
		stream_printf(&s->st, "%d %s %s\r\n", code, enh, text.data);
	else
		stream_printf(&s->st, "%d %s\r\n", code, text.data);
	buf_release(&text);
	if (is_clients_error(code))
		s->errors++;
}

void
reply_close(struct session *s, int code, const char *enh, const char *text)
{
	reply(s, code, enh, "%s", text);
	s->closing = true;
	s->linger = true;
}

/* ---- reading ---- */

enum line
session_line(struct session *s, size_t max)
{
	int64_t deadline = deadline_in(COMMAND_WAIT);
	enum line got;

	s->st.write_deadline = deadline;
	got = stream_line(&s->st, &s->line, max, EOL_CRLF, deadline);
	switch (got) {
	case LINE_OK:
		s->pending = stream_pending(&s->st);
		break;
	case LINE_TIMEOUT:
		reply_close(s, 421, "4.4.2", "you were silent for too long");
		s->linger = false;
		break;
	case LINE_TOOLONG:
		reply(s, 500, "5.5.6", "line too long");
		break;
	case LINE_BADEOL:
		reply(s, 500, "5.5.2", "a line ends in CR LF, nothing else");
		break;
	case LINE_NUL:
		reply(s, 500, "5.5.2", "NUL byte in a command");
		break;
	case LINE_EOF:
		s->closing = true;	/* its answers are still sent */
		break;
	case LINE_ERROR:
		reply_close(s, 500, "5.5.2", "this is no conversation");
		break;
	}
	return got;
}

/* ---- the loop ---- */

/* Waits before the collected replies go out, or until the client has left. */
static void
tarpit(struct session *s)
{
	struct pollfd pfd = { .fd = s->st.rfd, .events = 0 };

	(void)poll(&pfd, 1, TARPIT_MS);
}

/* After each command: has the client used up our patience? */
static void
judge(struct session *s, unsigned errors_before)
{
	if (s->junk > JUNK_MAX)
		s->errors++;
	if (s->errors > ERRORS_SLOW && s->errors > errors_before)
		s->slow = true;
	if (s->slow)
		tarpit(s);
	s->slow = false;
	if (s->errors >= ERRORS_MAX && !s->closing) {
		log_event(NULL, "refused ip=%s text=\"too many errors\"",
		    buf_str(&s->ip));
		reply_close(s, 421, "4.7.0", "too many errors");
	}
}

/* One command; a control byte in it could only be a trick. */
static void
command(struct session *s)
{
	for (size_t i = 0; i < s->line.len; i++) {
		unsigned char c = (unsigned char)s->line.data[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f) {
			reply(s, 500, "5.5.2", "control byte in a command");
			return;
		}
	}
	if (s->line.len == 0)
		reply(s, 500, "5.5.2", "that was an empty line");
	else
		verb_dispatch(s, s->line.data, s->line.len);
}

static void
step(struct session *s)
{
	unsigned before = s->errors;
	/* only AUTH may be longer; verb_dispatch() sees to the others */
	size_t max = s->role->flags & R_AUTH ? SASL_MAX + 32 : COMMAND_MAX;

	if (session_line(s, max) == LINE_OK)
		command(s);
	judge(s, before);
	if (s->st.broken)
		s->closing = true;
}

/* ---- the beginning and the end ---- */

/*
 * Has the client spoken before we said who we are?  Only a bot that reads no
 * replies does that, or a browser that was told to.
 */
static bool
talks_first(const struct session *s)
{
	char c;

	return s->conn->is_socket && (s->role->flags & R_STRANGER) &&
	    recv(s->st.rfd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static void
greet(struct session *s)
{
	if (talks_first(s)) {
		log_event(NULL, "refused ip=%s "
		    "text=\"talks before the banner\"", buf_str(&s->ip));
		reply_close(s, 554, "5.5.1", "wait for the banner");
		return;
	}
	stream_printf(&s->st, "220 %s %s Facteur\r\n", s->cfg->hostname,
	    s->role->flags & R_LMTP ? "LMTP" : "ESMTP");
}

static void
farewell(struct session *s)
{
	/* Broken: nobody listens, or it is tlsd's now. */
	if (s->st.broken ||
	    stream_goodbye(&s->st, deadline_in(GOODBYE_WAIT)) == -1)
		return;
	if (s->linger || s->tls != NULL)	/* TLS: his close_notify */
		stream_linger(&s->st, LINGER_WAIT);
}

static void
converse(struct session *s)
{
	while (!s->closing)
		step(s);
	farewell(s);
}

/* All but the stream. */
static void
session_init(struct session *s, const struct serve_conn *conn,
    struct smtpd *smtpd)
{
	const struct role *role = role_find(conn->name);

	*s = (struct session){
		.smtpd = smtpd,
		.cfg = smtpd->cfg,
		.role = role != NULL ? role : smtpd->role,
		.conn = conn,
		.near = netaddr_is_loopback(&conn->peer),
		.trusted = netaddr_in(&conn->peer, &smtpd->cfg->trusted),
		.txn.mail = MAIL_INIT,
	};
	netaddr_text(&conn->peer, &s->ip);
}

static void
session_release(struct session *s)
{
	txn_reset(s);
	route_hang_up(s);
	stream_release(&s->st);
	buf_release(&s->line);
	buf_release(&s->helo);
	buf_release(&s->ip);
	free(s->tls);
	free(s->user);
	s->tls = s->user = NULL;
}

int
smtp_session(int fd, const struct serve_conn *conn, void *arg)
{
	struct session s;

	session_init(&s, conn, arg);
	stream_init(&s.st, fd, conn->is_socket ? fd : STDOUT_FILENO);
	if (s.role->flags & R_TLS)
		tls_begin(&s);
	else
		greet(&s);
	converse(&s);
	session_release(&s);
	tls_outlive(&s);
	return 0;
}

void
smtp_session_tls(struct stream *client, const char *version,
    const struct serve_conn *conn, struct smtpd *smtpd)
{
	struct session s;

	session_init(&s, conn, smtpd);
	s.st = *client;
	s.tls = xstrdup(version);
	if (s.role->flags & R_TLS)	/* after STARTTLS he has had it */
		greet(&s);
	converse(&s);
	session_release(&s);
}
