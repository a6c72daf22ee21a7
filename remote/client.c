/*
 * client.c - one SMTP (or LMTP) connection from its first byte to its last:
 * greeting, EHLO, STARTTLS, QUIT.
 *
 * Runs as facteur-remote, facing a stranger.  Before the first MAIL nothing
 * the peer says is permanent: a 5yz greeting speaks for that host only.
 * Way 6 of 8.  From: remote/deliver.c.  To: remote/client_send.c.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "log.h"
#include "remote.h"
#include "tls.h"

const struct timeouts rfc_timeouts = {
	.dns = 30, .connect = 10, .greeting = 300, .ehlo = 300, .tls = 60,
	.mail = 300, .rcpt = 300, .data = 120, .block = 180, .final = 600,
	.rset = 20
};

void
client_init(struct client *c, const struct remote *r)
{
	memset(c, 0, sizeof(*c));
	c->r = r;
	stream_init(&c->io, -1, -1);
	reply_init(&c->reply);
}

void
client_release(struct client *c)
{
	client_drop(c);
	reply_release(&c->reply);
	buf_release(&c->line);
	free(c->dest);
	c->dest = NULL;
}

void
client_drop(struct client *c)
{
	stream_release(&c->io);
	c->open = false;
}

/* Nobody waits for the answer: the queue has better things to do. */
void
client_quit(struct client *c)
{
	if (c->open) {
		stream_puts(&c->io, "QUIT\r\n");
		(void)stream_goodbye(&c->io, now_ms());
	}
	client_drop(c);
}

/* The same destination, or another domain of the same hosts. */
static bool
leads_to(const struct client *c, const struct job *job)
{
	const char *dest = job->relay != NULL ? job->relay : job->dest;

	if (strcasecmp(c->dest, dest) == 0)
		return true;
	return job->relay == NULL && job->site != NULL && c->site[0] != '\0' &&
	    strcmp(c->site, job->site) == 0;
}

/*
 * A peer that has something to say while it is not its turn, be it the end of
 * the connection, is not one to send the next message to.
 */
bool
client_is_ready(struct client *c, const struct job *job)
{
	struct pollfd p = { .fd = c->io.rfd, .events = POLLIN };

	return c->open && leads_to(c, job) &&
	    c->messages < job->messages &&
	    now_ms() - c->since < SESSION_SECONDS * 1000 &&
	    !stream_pending(&c->io) && poll(&p, 1, 0) == 0;
}

/* ---- replies ----------------------------------------------------------- */

enum status
reply_status(const struct reply *r)
{
	if (reply_is(r, 2))
		return DONE;
	return reply_is(r, 5) ? FAIL : DEFER;
}

static void
set_peer(const struct client *c, struct outcome *o)
{
	const char *tls = stream_tls_version(&c->io);

	(void)strlcpy(o->host, c->host, sizeof(o->host));
	(void)strlcpy(o->ip, c->ip, sizeof(o->ip));
	(void)strlcpy(o->tls, tls != NULL ? tls : "", sizeof(o->tls));
	o->dsn = c->caps.dsn;
}

void
client_outcome(const struct client *c, enum status status, const char *phase,
    const char *detail, struct outcome *o)
{
	char class = status == DONE ? '2' : status == FAIL ? '5' : '4';
	char enh[sizeof(o->enh)];

	enh[0] = class;
	enh[1] = '.';
	(void)strlcpy(enh + 2, detail, sizeof(enh) - 2);
	outcome_set(o, status, c->reply.enh[0] == class ? c->reply.enh : enh,
	    phase, "%s", "");
	o->code = c->reply.code;
	reply_text(&c->reply, o->text, sizeof(o->text));
	set_peer(c, o);
}

void
client_broken(struct client *c, const char *fault, const char *phase,
    const char *text, struct outcome *why)
{
	outcome_set(why, DEFER, strcmp(fault, "protocol") == 0 ? "4.5.0" :
	    "4.4.2", phase, "%s (in %s)", text, phase);
	set_peer(c, why);
	c->fault = fault;
	client_drop(c);
}

static const char *
line_trouble(enum line got)
{
	switch (got) {
	case LINE_EOF:
		return "the host closed the connection";
	case LINE_TIMEOUT:
		return "the host did not answer in time";
	case LINE_ERROR:
		return strerror(errno);
	case LINE_TOOLONG:
		return "the host sent an endless line";
	case LINE_BADEOL:
		return "the host sent a line end other than CRLF";
	case LINE_NUL:
		return "the host sent a NUL byte";
	case LINE_OK:
		break;
	}
	return "the host sent something that is no SMTP reply";
}

/* One deadline for the whole reply, so that a slow drip ends in time too. */
bool
client_reply(struct client *c, int seconds, const char *phase,
    struct outcome *why)
{
	int64_t deadline = deadline_in(seconds);
	enum reply_state state = REPLY_MORE;
	enum line got = LINE_OK;

	reply_reset(&c->reply);
	while (state == REPLY_MORE && got == LINE_OK) {
		got = stream_line(&c->io, &c->line, REPLY_LINE, EOL_CRLF,
		    deadline);
		if (got == LINE_OK)
			state = reply_line(&c->reply, buf_str(&c->line),
			    c->line.len);
	}
	if (state == REPLY_DONE) {
		if (c->reply.code == 421)
			c->said_421 = true;
		return true;
	}
	client_broken(c, got == LINE_EOF || got == LINE_TIMEOUT ||
	    got == LINE_ERROR ? "io" : "protocol", phase, line_trouble(got),
	    why);
	return false;
}

/* ---- opening ----------------------------------------------------------- */

/* The peer does not want us, at least now: the next host may. */
static bool
refused(struct client *c, const char *phase, struct outcome *why)
{
	client_outcome(c, DEFER, phase, "3.2", why);
	c->fault = "greeting";
	client_quit(c);
	return false;
}

static bool
hear_greeting(struct client *c, struct outcome *why)
{
	if (!client_reply(c, c->r->wait.greeting, "greeting", why)) {
		c->fault = "greeting";
		return false;
	}
	return reply_is(&c->reply, 2) || refused(c, "greeting", why);
}

static bool
ask_hello(struct client *c, const char *verb, struct outcome *why)
{
	stream_printf(&c->io, "%s %s\r\n", verb, c->r->cfg->hostname);
	if (client_reply(c, c->r->wait.ehlo, "ehlo", why))
		return true;
	c->fault = "greeting";
	return false;
}

/* EHLO, or HELO with a host that does not know it (RFC 5321 section 3.2). */
static bool
say_hello(struct client *c, struct outcome *why)
{
	memset(&c->caps, 0, sizeof(c->caps));
	if (!ask_hello(c, c->lmtp ? "LHLO" : "EHLO", why))
		return false;
	if (reply_is(&c->reply, 2)) {
		caps_parse(&c->reply, &c->caps);
		return true;
	}
	if (!reply_is(&c->reply, 5) || c->lmtp)
		return refused(c, "ehlo", why);
	if (!ask_hello(c, "HELO", why))
		return false;
	return reply_is(&c->reply, 2) || refused(c, "ehlo", why);
}

static enum client_result
tls_failed(struct client *c, const char *id, const char *error,
    struct outcome *why)
{
	log_event(id, "tls-failed host=%s ip=%s error=%s", quoted(c->host),
	    c->ip, quoted(error));
	client_broken(c, "tls", "tls", "TLS could not be started", why);
	return CLIENT_TLS;
}

/* RFC 3207.  CLIENT_OPEN also when the peer has changed its mind. */
static enum client_result
start_tls(struct client *c, const char *id, struct outcome *why)
{
	int64_t deadline;

	stream_puts(&c->io, "STARTTLS\r\n");
	if (!client_reply(c, c->r->wait.ehlo, "tls", why))
		return tls_failed(c, id, why->text, why);
	if (c->said_421) {
		(void)refused(c, "tls", why);
		return CLIENT_FAILED;
	}
	if (!reply_is(&c->reply, 2))
		return CLIENT_OPEN;
	deadline = deadline_in(c->r->wait.tls);
	if (stream_tls_connect(&c->io, c->r->tls, c->lmtp ? NULL : c->host,
	    deadline) == -1)
		return tls_failed(c, id, errno == EPROTO ? tls_error() :
		    strerror(errno), why);
	/* TLS 1.3: a server that dislikes us says so only now. */
	if (!say_hello(c, why))
		return c->said_421 ? CLIENT_FAILED :
		    tls_failed(c, id, why->text, why);
	return CLIENT_OPEN;
}

enum client_result
client_open(struct client *c, int fd, const char *host, const char *ip,
    bool tls, const char *id, struct outcome *why)
{
	enum client_result result = CLIENT_OPEN;
	const char *version;

	client_drop(c);
	stream_init(&c->io, fd, fd);
	(void)strlcpy(c->host, host, sizeof(c->host));
	(void)strlcpy(c->ip, ip, sizeof(c->ip));
	c->open = true;
	c->dirty = c->said_421 = false;
	c->messages = 0;
	c->since = now_ms();
	if (!hear_greeting(c, why) || !say_hello(c, why))
		return CLIENT_FAILED;
	if (tls && c->caps.starttls && c->r->tls != NULL)
		result = start_tls(c, id, why);
	if (result == CLIENT_OPEN) {
		version = stream_tls_version(&c->io);
		log_event(id, "connect host=%s ip=%s tls=%s", quoted(c->host),
		    c->ip, version != NULL ? version : "none");
	}
	return result;
}
