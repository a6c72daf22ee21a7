/*
 * inject_session.c - one client of inject: INTERNALS 2.2.  A connection carries
 * one message; a frame that is malformed or out of place closes it, and nothing
 * has happened.
 *
 * Runs in a worker of inject, as facteur-queue.  The client is smtpd (a
 * stranger's bytes), the queue, or anyone on this host.
 * Way 3 of 8.  From: smtpd/data, queue/sendmail.  To: queue/inject_txn.c.
 */
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "ctl.h"
#include "deadline.h"
#include "inject.h"
#include "log.h"
#include "seams.h"
#include "stream.h"

#define DATA_MAX	(16 << 20)	/* bytes of one data frame */
#define DISCARD_MAX	(64 << 20)	/* bytes read behind a verdict */

enum phase { IDLE, ENVELOPE, CONTENT };

struct session {
	struct stream stream;
	struct inject_txn txn;
	enum phase phase;
	bool	trusted;	/* its trace is believed */
	bool	public;		/* anyone's socket, the queue manager's too */
	int64_t	uid;		/* of the peer */
	int64_t	discarded;	/* content bytes read behind a verdict */
};

/* A handler's answer to "go on with this connection?" */
#define GO_ON	true
#define CLOSE	false

static bool
refuse(struct session *s)
{
	const struct inject_answer *a = inject_answer(s->txn.verdict);
	struct buf out = BUF_INIT;

	ctl_begin(&out, "err");
	ctl_addn(&out, "code", a->code);
	ctl_add(&out, "enh", a->enh);
	ctl_add(&out, "text", a->text);
	ctl_end(&out);
	ctl_send(&s->stream, &out);
	buf_release(&out);
	log_event(NULL, "inject-refused code=%d enh=%s uid=%lld text=%s",
	    a->code, a->enh, (long long)s->uid, quoted(a->text));
	return CLOSE;
}

/* Who brought it: what a trusted client says, or whose process it is. */
static void
take_trace(struct session *s, const struct ctl *c)
{
	struct envelope *e = &s->txn.env;

	if (s->trusted) {
		e->ip = inject_clean(ctl_get(c, "ip"));
		e->helo = inject_clean(ctl_get(c, "helo"));
		e->with = inject_clean(ctl_get(c, "with"));
		e->tls = inject_clean(ctl_get(c, "tls"));
		e->auth = inject_clean(ctl_get(c, "auth"));
		s->txn.name = inject_clean(ctl_get(c, "name"));
	}
	if (e->ip == NULL)
		e->uid = s->uid;
}

/* A copy of a value that is not absurdly long; else there is a verdict. */
static char *
value(struct inject_txn *t, const struct ctl *c, const char *key)
{
	const char *s = ctl_get(c, key);

	if (s == NULL)
		return NULL;
	if (strlen(s) > INJECT_VALUE_MAX && t->verdict == INJECT_OK)
		t->verdict = INJECT_ENVELOPE;
	return xstrndup(s, INJECT_VALUE_MAX);
}

static bool
do_message(struct session *s, const struct ctl *c)
{
	struct inject_txn *t = &s->txn;
	const char *ret = ctl_str(c, "ret");

	if (ctl_get(c, "sender") == NULL)
		return CLOSE;
	take_trace(s, c);
	inject_txn_sender(t, ctl_str(c, "sender"));
	if (strcmp(ret, "full") == 0 || strcmp(ret, "hdrs") == 0)
		t->env.ret = xstrdup(ret);
	t->env.envid = value(t, c, "envid");
	t->env.body8 = strcmp(ctl_str(c, "body"), "8bit") == 0;
	t->env.utf8 |= ctl_yes(c, "utf8");
	t->fix = ctl_yes(c, "fix");
	t->client = s->stream.rfd;
	t->urgent = s->public && s->trusted && *ctl_str(c, "sender") == '\0';
	s->phase = ENVELOPE;
	return GO_ON;
}

static bool
do_rcpt(struct session *s, const struct ctl *c)
{
	struct inject_txn *t = &s->txn;
	const char *notify = ctl_str(c, "notify");
	struct env_rcpt *r;

	if (ctl_get(c, "to") == NULL)
		return CLOSE;
	if ((r = inject_txn_rcpt(t, ctl_str(c, "to"))) == NULL)
		return GO_ON;		/* `go` will tell */
	r->notify = notify_parse(notify);
	if (r->notify == 0 && *notify != '\0')
		t->verdict = INJECT_ENVELOPE;
	r->orcpt = value(t, c, "orcpt");
	r->exact = ctl_yes(c, "exact");
	t->mailboxes += ctl_yes(c, "mailbox");
	return GO_ON;
}

/* "size": an announcement (RFC 1870), so that a full disk is told early. */
static bool
do_go(struct session *s, const struct ctl *c)
{
	struct buf out = BUF_INIT;

	inject_txn_go(&s->txn, ctl_num(c, "size", 0, INT64_MAX / 4, 0));
	if (s->txn.verdict != INJECT_OK)
		return refuse(s);
	ctl_begin(&out, "ready");
	ctl_end(&out);
	ctl_send(&s->stream, &out);
	buf_release(&out);
	s->phase = CONTENT;
	return GO_ON;
}

/* What follows a verdict is read, so that the client hears it at `end`. */
static bool
do_data(struct session *s, const struct ctl *c)
{
	int64_t left = ctl_num(c, "len", 0, DATA_MAX, -1);

	if (left == -1)
		return CLOSE;
	while (left > 0) {
		const char *p;
		ssize_t n = stream_peek(&s->stream, &p,
		    deadline_in(INJECT_WAIT));

		if (n <= 0)
			return CLOSE;
		if (n > left)
			n = (ssize_t)left;
		inject_content(&s->txn, p, (size_t)n);
		stream_consume(&s->stream, (size_t)n);
		left -= n;
		if (s->txn.verdict != INJECT_OK)
			s->discarded += n;
		if (s->discarded > DISCARD_MAX)
			return refuse(s);
	}
	return GO_ON;
}

static bool
do_end(struct session *s, const struct ctl *c)
{
	struct buf out = BUF_INIT;

	(void)c;
	if (inject_txn_commit(&s->txn) != INJECT_OK)
		return refuse(s);
	ctl_begin(&out, "ok");
	ctl_add(&out, "id", s->txn.file.id);
	ctl_addn(&out, "size", s->txn.file.size);
	ctl_end(&out);
	ctl_send(&s->stream, &out);
	buf_release(&out);
	return CLOSE;
}

static const struct verb {
	const char *name;
	bool	  (*run)(struct session *, const struct ctl *);
	enum phase  when;
} verbs[] = {
	{ "message", do_message, IDLE },
	{ "rcpt",    do_rcpt,	 ENVELOPE },
	{ "go",	     do_go,	 ENVELOPE },
	{ "data",    do_data,	 CONTENT },
	{ "end",     do_end,	 CONTENT },
};

static bool
dispatch(struct session *s, const struct ctl *c)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (verbs[i].when == s->phase && ctl_is(c, verbs[i].name))
			return verbs[i].run(s, c);
	return CLOSE;
}

int
inject_session(int fd, const struct serve_conn *conn, void *inject)
{
	struct session s = { .phase = IDLE };
	struct buf line = BUF_CAPPED(CTL_MAX);
	struct ctl frame;
	int status;

	s.uid = ctl_peer_uid(fd);
	s.public = strcmp(conn->name, "inject") == 0;
	/* One connection on fd 0 is whoever we are started as. */
	s.trusted = seam_allows(*conn->name == '\0' ? "inject" : conn->name,
	    "trace", s.uid);
	stream_init(&s.stream, fd, fd);
	inject_txn_init(&s.txn, inject);
	while (ctl_read(&s.stream, &line, &frame,
	    deadline_in(INJECT_WAIT)) == 1)
		if (dispatch(&s, &frame) == CLOSE)
			break;
	status = stream_flush(&s.stream, deadline_in(INJECT_WAIT)) == 0 ?
	    EX_OK : EX_TEMPFAIL;
	inject_txn_reset(&s.txn);
	stream_release(&s.stream);
	buf_release(&line);
	return status;
}
