/*
 * verbs.c - the verb table, and the verbs that fit on a hand.
 *
 * Every rule about who may say what and when lives in the table; no handler
 * has to ask "may I?".
 * Way 1 of 8.  From: session.c.  To: txn.c, data.c, auth.c, starttls.c.
 */
#include <string.h>

#include "ascii.h"
#include "log.h"
#include "smtpd.h"

#define IN(phase)	(1u << (phase))
#define ANY		(IN(FRESH) | IN(GREETED) | IN(MAIL) | IN(RCPT))

#define V_NOARG		0x01u	/* takes no argument */
#define V_ARG		0x02u	/* needs one */
#define V_LAST		0x04u	/* nothing may be pipelined behind it */
#define V_LOGIN		0x08u	/* on a submission listener: after AUTH only */
#define V_AUTH		0x10u	/* exists on submission listeners only */
#define V_LMTP		0x20u	/* exists in LMTP only */
#define V_SMTP		0x40u	/* exists in SMTP only */
#define V_JUNK		0x80u	/* carries no mail forward: in moderation */
#define V_LONG		0x100u	/* may be longer than COMMAND_MAX */
#define V_HIDDEN	0x200u	/* HELP is silent about it */

static void do_helo(struct session *, const char *);
static void do_ehlo(struct session *, const char *);
static void do_lhlo(struct session *, const char *);
static void do_rset(struct session *, const char *);
static void do_noop(struct session *, const char *);
static void do_quit(struct session *, const char *);
static void do_vrfy(struct session *, const char *);
static void do_expn(struct session *, const char *);
static void do_help(struct session *, const char *);
static void do_http(struct session *, const char *);

static const struct verb {
	const char *name;
	void	  (*run)(struct session *, const char *arg);
	unsigned    when;	/* set of IN(phase) */
	unsigned    flags;
	const char *need;	/* what to say at any other time */
} verbs[] = {
	/* RFC 5321 section 4.1.1 */
	{ "EHLO", do_ehlo, ANY, V_ARG | V_LAST | V_SMTP | V_JUNK, "" },
	{ "HELO", do_helo, ANY, V_ARG | V_LAST | V_SMTP | V_JUNK, "" },
	{ "MAIL", do_mail, IN(GREETED), V_ARG | V_LOGIN,
	    "one message at a time, and EHLO before the first" },
	{ "RCPT", do_rcpt, IN(MAIL) | IN(RCPT), V_ARG, "MAIL comes first" },
	{ "DATA", do_data, IN(RCPT), V_NOARG | V_LAST,
	    "no recipient was accepted" },
	{ "RSET", do_rset, ANY, V_NOARG | V_JUNK, "" },
	{ "NOOP", do_noop, ANY, V_JUNK, "" },
	{ "QUIT", do_quit, ANY, V_NOARG, "" },
	{ "VRFY", do_vrfy, ANY, V_ARG | V_JUNK, "" },
	{ "EXPN", do_expn, ANY, V_JUNK | V_HIDDEN, "" },
	{ "HELP", do_help, ANY, V_JUNK, "" },
	/* RFC 2033 section 4.1 */
	{ "LHLO", do_lhlo, ANY, V_ARG | V_LAST | V_LMTP | V_JUNK, "" },
	/* RFC 3207 */
	{ "STARTTLS", do_starttls, IN(GREETED), V_NOARG | V_LAST,
	    "after EHLO and outside of a message" },
	/* RFC 4954 */
	{ "AUTH", do_auth, IN(GREETED), V_ARG | V_LAST | V_AUTH | V_LONG,
	    "after EHLO and outside of a message" },
	/* a browser that was tricked into talking to us */
	{ "GET", do_http, ANY, V_HIDDEN, "" },
	{ "POST", do_http, ANY, V_HIDDEN, "" },
	{ "PUT", do_http, ANY, V_HIDDEN, "" },
	{ "HEAD", do_http, ANY, V_HIDDEN, "" },
	{ "OPTIONS", do_http, ANY, V_HIDDEN, "" },
	{ "CONNECT", do_http, ANY, V_HIDDEN, "" },
	{ "Host:", do_http, ANY, V_HIDDEN, "" },
};
#define NVERBS	(sizeof(verbs) / sizeof(verbs[0]))

/* Does this verb exist in this role at all? */
static bool
is_spoken(const struct verb *v, const struct session *s)
{
	bool lmtp = s->role->flags & R_LMTP;

	return !(v->flags & V_LMTP && !lmtp) && !(v->flags & V_SMTP && lmtp);
}

/* Splits "VERB argument" in place; returns NULL for a verb we do not know. */
static const struct verb *
verb_find(char *line, const char **arg)
{
	char *end = line;

	while (*end != '\0' && !ascii_is_blank(*end))
		end++;
	*arg = end;
	while (ascii_is_blank(**arg))
		++*arg;
	*end = '\0';
	for (size_t i = 0; i < NVERBS; i++)
		if (ascii_same(line, verbs[i].name, SIZE_MAX))
			return &verbs[i];
	return NULL;
}

/*
 * Has the client talked ahead where it must wait?  A script on a pipe may:
 * it can be no attacker between two others.  Not before STARTTLS, though.
 */
static bool
is_ahead(const struct session *s, const struct verb *v)
{
	return (v->flags & V_LAST) && s->pending &&
	    (s->conn->is_socket || v->run == do_starttls);
}

void
verb_dispatch(struct session *s, char *line, size_t len)
{
	const char *arg;
	const struct verb *v;

	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		line[--len] = '\0';
	v = verb_find(line, &arg);

	if (v == NULL || !is_spoken(v, s))
		reply(s, 500, "5.5.2", "unknown command");
	else if (len > COMMAND_MAX && !(v->flags & V_LONG))
		reply(s, 500, "5.5.6", "line too long");
	else if ((v->flags & V_AUTH) && !(s->role->flags & R_AUTH))
		reply(s, 502, "5.5.1", "not on this port");
	else if ((v->when & IN(s->phase)) == 0)
		reply(s, 503, "5.5.1", "%s", v->need);
	else if (is_ahead(s, v))
		reply_close(s, 503, "5.5.0", "wait for the reply first");
	else if ((v->flags & V_LOGIN) && (s->role->flags & R_AUTH) &&
	    s->user == NULL)
		reply(s, 530, "5.7.0", "log in first");
	else if ((v->flags & V_NOARG) && *arg != '\0')
		reply(s, 501, "5.5.4", "no argument, please");
	else if ((v->flags & V_ARG) && *arg == '\0')
		reply(s, 501, "5.5.4", "an argument, please");
	else {
		s->junk += (v->flags & V_JUNK) != 0;
		v->run(s, arg);
	}
}

/* ---- hello ---- */

/*
 * Keeps what the client calls itself.  It will stand in a header and in the
 * log, so what is no host name or address literal is blunted there, not
 * refused: many an honest client has a strange name.
 */
static bool
helo_keep(struct session *s, const char *name)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789.-_:[]";
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] > 0x7e)
			len = 0;
	if (len == 0 || len > HELO_MAX) {
		reply(s, 501, "5.5.4", "that is no host name");
		return false;
	}
	txn_reset(s);
	buf_reset(&s->helo);
	for (size_t i = 0; i < len; i++)
		buf_addc(&s->helo,
		    strchr(plain, name[i]) != NULL ? name[i] : '?');
	return true;
}

static void
do_helo(struct session *s, const char *arg)
{
	if (!helo_keep(s, arg))
		return;
	s->greeting = HELO;
	s->phase = GREETED;
	reply(s, 250, NULL, "%s", s->cfg->hostname);
}

bool
session_may_auth(const struct session *s)
{
	return (s->role->flags & R_AUTH) && (s->tls != NULL || s->near);
}

/* The extensions, RFC 5321 section 4.1.1.1; the last line is always there. */
static void
hello_extended(struct session *s, const char *arg, enum greeting greeting)
{
	struct stream *st = &s->st;

	if (!helo_keep(s, arg))
		return;
	s->greeting = greeting;
	s->phase = GREETED;
	stream_printf(st, "250-%s\r\n", s->cfg->hostname);
	stream_puts(st, "250-PIPELINING\r\n");
	stream_printf(st, "250-SIZE %lld\r\n",
	    (long long)s->cfg->message_size);
	if ((s->role->flags & R_STARTTLS) && s->tls == NULL &&
	    s->conn->is_socket && tls_able(s->smtpd))
		stream_puts(st, "250-STARTTLS\r\n");
	if (session_may_auth(s) && s->user == NULL)
		stream_puts(st, "250-AUTH PLAIN LOGIN\r\n");
	stream_puts(st, "250-8BITMIME\r\n"
	    "250-SMTPUTF8\r\n"
	    "250-DSN\r\n"
	    "250 ENHANCEDSTATUSCODES\r\n");
}

static void
do_ehlo(struct session *s, const char *arg)
{
	hello_extended(s, arg, EHLO);
}

static void
do_lhlo(struct session *s, const char *arg)
{
	hello_extended(s, arg, LHLO);
}

/* ---- small ones ---- */

static void
do_rset(struct session *s, const char *arg)
{
	(void)arg;
	txn_reset(s);
	reply(s, 250, "2.0.0", "forgotten");
}

static void
do_noop(struct session *s, const char *arg)
{
	(void)arg;
	reply(s, 250, "2.0.0", "ok");
}

static void
do_quit(struct session *s, const char *arg)
{
	(void)arg;
	reply(s, 221, "2.0.0", "goodbye");
	s->closing = true;
}

static void
do_vrfy(struct session *s, const char *arg)
{
	(void)arg;
	reply(s, 252, "2.5.0", "send it a message and see");
}

static void
do_expn(struct session *s, const char *arg)
{
	(void)arg;
	reply(s, 502, "5.5.1", "lists are private here");
}

static void
do_help(struct session *s, const char *arg)
{
	struct buf text = BUF_INIT;

	(void)arg;
	for (size_t i = 0; i < NVERBS; i++)
		if (is_spoken(&verbs[i], s) && !(verbs[i].flags & V_HIDDEN) &&
		    (!(verbs[i].flags & V_AUTH) || session_may_auth(s)))
			buf_addf(&text, " %s", verbs[i].name);
	reply(s, 214, "2.0.0", "I know%s", buf_str(&text));
	buf_release(&text);
}

static void
do_http(struct session *s, const char *arg)
{
	(void)arg;
	log_event(NULL, "refused ip=%s text=\"speaks HTTP\"", buf_str(&s->ip));
	reply_close(s, 421, "4.7.0", "this is a mail server");
}
