/*
 * front_auth.c - USER, PASS and AUTH: credentials go to authd, and with them
 * one end of a socket pair, which becomes the session.
 *
 * Way 8 of 8, as facteur-net.  From: front.c.  To: authd (INTERNALS 2.4),
 * then bytes both ways.  Only authd says who may; nothing here could.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "deadline.h"
#include "log.h"
#include "pop3d.h"
#include "sasl.h"

#define TRIES_MAX	3	/* failed logins, until we hang up */
#define ASK		60	/* seconds for authd, its penalties included */
#define OPEN		60	/* seconds for a session to open its mailbox */

/*
 * The session has the word.  What the client has sent ahead is in our buffer
 * and goes along.  A session that ends without one word (its host is in
 * trouble) must not leave the client without a reply.
 */
static void
relay(struct login *l, int fd)
{
	struct stream session;
	const char *p;

	stream_init(&session, fd, fd);
	session.write_deadline = deadline_in(POP3_IDLE);
	if (stream_peek(&session, &p, deadline_in(OPEN)) <= 0) {
		log_event(NULL, "session-failed service=pop3 user=%s",
		    quoted(buf_str(&l->user)));
		stream_puts(l->io, "-ERR [SYS/TEMP] the mailbox cannot be "
		    "opened now\r\n");
	} else if (stream_splice(l->io, &session, POP3_IDLE,
	    POP3_IDLE) == -1) {
		log_errno(NULL, "relay-ended service=pop3 user=%s",
		    quoted(buf_str(&l->user)));
	}
	stream_release(&session);
	l->over = true;
}

static void
failed(struct login *l, enum auth_result result, const char *user,
    const char *why)
{
	if (result == AUTH_FAIL) {
		/* authd has logged it: one event, one line */
		stream_puts(l->io, "-ERR [AUTH] wrong user or password\r\n");
	} else {
		log_event(NULL, "auth-later service=pop3 ip=%s user=%s why=%s",
		    l->ip, quoted(user), quoted(why));
		stream_puts(l->io, "-ERR [SYS/TEMP] cannot check it now, "
		    "try again later\r\n");
	}
	if (++l->tries >= TRIES_MAX)
		l->over = true;
}

/* The one reply to PASS and AUTH comes from here, or from the session. */
static void
log_in(struct login *l, const char *user, const char *pass)
{
	const char *tls = stream_tls_version(l->io);
	struct buf who = BUF_INIT;
	enum auth_result result = AUTH_LATER;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1) {
		failed(l, AUTH_LATER, user, strerror(errno));
		return;
	}
	result = auth_ask(l->front->cfg, "login", "pop3", user, pass, l->ip,
	    pair[1], &who, deadline_in(ASK));
	close(pair[1]);
	if (result == AUTH_OK) {
		log_event(NULL, "login service=pop3 user=%s ip=%s tls=%s",
		    quoted(buf_str(&who)), l->ip, tls == NULL ? "none" : tls);
		buf_reset(&l->user);
		buf_adds(&l->user, buf_str(&who));
		pop3_wipe(l->io, &l->line);
		relay(l, pair[0]);
	} else {
		failed(l, result, user, buf_str(&who));
		close(pair[0]);
	}
	buf_release(&who);
}

/* No password in the clear, RFC 8314; asked before anything is looked at. */
static bool
refused(struct login *l)
{
	if (front_may_login(l))
		return false;
	front_bad(l, "no login without TLS: STLS first, or port 995");
	return true;
}

void
front_user(struct login *l, char *arg)
{
	if (refused(l))
		return;
	buf_reset(&l->user);
	if (*arg == '\0' || !is_utf8(arg, strlen(arg))) {
		front_bad(l, "USER needs a name");
		return;
	}
	for (const char *p = arg; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f) {
			front_bad(l, "USER needs a name");
			return;
		}
	buf_adds(&l->user, arg);
	/* the same for everybody: it tells nobody who exists */
	stream_puts(l->io, "+OK\r\n");
}

void
front_pass(struct login *l, char *arg)
{
	struct buf user = l->user;

	if (refused(l))
		return;
	if (user.len == 0) {
		front_bad(l, "USER first");
		return;
	}
	if (*arg == '\0') {
		front_bad(l, "PASS needs a password");
		return;
	}
	/* a failed login forgets the name, RFC 1939 section 7 */
	l->user = (struct buf)BUF_INIT;
	log_in(l, buf_str(&user), arg);
	buf_release(&user);
}

/* Decodes a PLAIN response and tries it. "=" is an empty one, RFC 5034. */
static void
plain(struct login *l, const char *text)
{
	struct buf raw = BUF_CAPPED(SASL_MAX), user = BUF_INIT,
	    pass = BUF_INIT;

	if (strcmp(text, "=") == 0)
		text = "";
	if (base64_decode(text, strlen(text), &raw) == -1 ||
	    sasl_plain(buf_str(&raw), raw.len, &user, &pass) == -1)
		front_bad(l, "malformed response");
	else
		log_in(l, buf_str(&user), buf_str(&pass));
	if (raw.data != NULL)
		explicit_bzero(raw.data, raw.cap);
	if (pass.data != NULL)
		explicit_bzero(pass.data, pass.cap);
	buf_release(&raw);
	buf_release(&user);
	buf_release(&pass);
}

/* The response on a line of its own; "*" gives up. */
static void
ask_plain(struct login *l)
{
	enum line got;

	stream_puts(l->io, "+ \r\n");
	got = pop3_line(l->io, &l->line, SASL_MAX, l->deadline);
	if (got == LINE_OK && strcmp(buf_str(&l->line), "*") == 0)
		stream_puts(l->io, "-ERR cancelled\r\n");
	else if (got == LINE_OK)
		plain(l, buf_str(&l->line));
	else if (pop3_line_error(got) != NULL)
		front_bad(l, pop3_line_error(got));
	else
		l->over = true;
}

/* RFC 5034.  AUTH alone, from before it, lists what there is. */
void
front_auth(struct login *l, char *arg)
{
	char *response;

	arg += strspn(arg, " ");
	if (*arg == '\0') {
		stream_printf(l->io, "+OK\r\n%s.\r\n",
		    front_may_login(l) ? "PLAIN\r\n" : "");
		return;
	}
	if (refused(l))
		return;
	response = pop3_split(arg);
	if (strcasecmp(arg, "PLAIN") != 0)
		front_bad(l, "no such mechanism");
	else if (*response != '\0')
		plain(l, response);
	else
		ask_plain(l);
}
