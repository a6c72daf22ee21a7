/*
 * session.c - POP3 after the login: the TRANSACTION and UPDATE states.
 *
 * Way 8 of 8, as the mailbox owner.  From: launch (a login) or pop3d.c (a
 * filter).  To: Billy's mail program, through the front.
 *
 * One command, one reply, whatever happens: clients send a hundred commands
 * ahead and count the replies.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "deadline.h"
#include "log.h"
#include "pop3d.h"
#include "session.h"

#define BAD_MAX	20	/* commands that make no sense, until we hang up */

static void
reply_later(struct session *s, const char *what)
{
	int error = errno;

	log_errno(NULL, "pop3-error user=%s doing=\"%s\"", quoted(s->user),
	    what);
	stream_printf(&s->io, "-ERR [SYS/TEMP] %s: %s\r\n", what,
	    strerror(error));
}

static void
reply_none(struct session *s)
{
	stream_puts(&s->io, "-ERR no such message\r\n");
}

/* What is not marked deleted; every size must be known. */
static size_t
sum(const struct drop *d, int64_t *octets_out)
{
	size_t n = 0;

	*octets_out = 0;
	for (size_t i = 0; i < d->list.n; i++)
		if (drop_has(d, i)) {
			*octets_out += d->list.v[i].wire;
			n++;
		}
	return n;
}

static void
do_stat(struct session *s, const uint32_t num[2], int n)
{
	int64_t octets;
	size_t count;

	(void)num, (void)n;
	if (drop_measure(&s->drop) == -1) {
		reply_later(s, "cannot read the messages");
		return;
	}
	count = sum(&s->drop, &octets);
	stream_printf(&s->io, "+OK %zu %" PRId64 "\r\n", count, octets);
}

static void
list_one(struct session *s, uint32_t number)
{
	size_t i = (size_t)number - 1;
	int64_t size = drop_size(&s->drop, i);

	if (size >= 0)
		stream_printf(&s->io, "+OK %" PRIu32 " %" PRId64 "\r\n",
		    number, size);
	else if (s->drop.list.v[i].gone)
		reply_none(s);
	else
		reply_later(s, "cannot read the message");
}

static void
do_list(struct session *s, const uint32_t num[2], int n)
{
	const struct drop *d = &s->drop;
	int64_t octets;
	size_t count;

	if (n == 1) {
		list_one(s, num[0]);
		return;
	}
	if (drop_measure(&s->drop) == -1) {
		reply_later(s, "cannot read the messages");
		return;
	}
	count = sum(d, &octets);
	stream_printf(&s->io, "+OK %zu messages (%" PRId64 " octets)\r\n",
	    count, octets);
	for (size_t i = 0; i < d->list.n; i++)
		if (drop_has(d, i))
			stream_printf(&s->io, "%zu %" PRId64 "\r\n", i + 1,
			    d->list.v[i].wire);
	stream_puts(&s->io, ".\r\n");
}

static void
do_uidl(struct session *s, const uint32_t num[2], int n)
{
	char id[UIDL_MAX + 1];

	if (n == 1) {
		drop_uidl(&s->drop, (size_t)num[0] - 1, id);
		stream_printf(&s->io, "+OK %" PRIu32 " %s\r\n", num[0], id);
		return;
	}
	stream_puts(&s->io, "+OK\r\n");
	for (size_t i = 0; i < s->drop.list.n; i++)
		if (drop_has(&s->drop, i)) {
			drop_uidl(&s->drop, i, id);
			stream_printf(&s->io, "%zu %s\r\n", i + 1, id);
		}
	stream_puts(&s->io, ".\r\n");
}

static void
do_retr(struct session *s, const uint32_t num[2], int n)
{
	(void)n;
	session_send(s, (size_t)num[0] - 1, -1);
}

static void
do_top(struct session *s, const uint32_t num[2], int n)
{
	(void)n;
	session_send(s, (size_t)num[0] - 1, num[1]);
}

static void
do_dele(struct session *s, const uint32_t num[2], int n)
{
	(void)n;
	s->drop.list.v[num[0] - 1].deleted = true;
	s->deleted++;
	stream_printf(&s->io, "+OK message %" PRIu32 " deleted\r\n", num[0]);
}

static void
do_rset(struct session *s, const uint32_t num[2], int n)
{
	(void)num, (void)n;
	for (size_t i = 0; i < s->drop.list.n; i++)
		s->drop.list.v[i].deleted = false;
	s->deleted = 0;
	stream_puts(&s->io, "+OK\r\n");
}

static void
do_noop(struct session *s, const uint32_t num[2], int n)
{
	(void)num, (void)n;
	stream_puts(&s->io, "+OK\r\n");
}

static void
do_capa(struct session *s, const uint32_t num[2], int n)
{
	(void)num, (void)n;
	stream_printf(&s->io, "+OK\r\n%sIMPLEMENTATION Facteur\r\n.\r\n",
	    pop3_capa_common);
}

/*
 * The UPDATE state.  Answered after the fact; and unlocked before the answer,
 * so that a client which comes back at once does not meet itself.
 */
static void
do_quit(struct session *s, const uint32_t num[2], int n)
{
	size_t left = drop_commit(&s->drop);

	(void)num, (void)n;
	s->quit = true;
	s->end = "quit";
	if (left > 0) {
		s->status = EX_TEMPFAIL;
		s->deleted -= (unsigned)left;
		log_errno(NULL, "pop3-error user=%s kept=%zu", quoted(s->user),
		    left);
		stream_printf(&s->io, "-ERR [SYS/TEMP] %zu messages could not "
		    "be deleted\r\n", left);
	} else {
		stream_puts(&s->io, "+OK bye\r\n");
	}
	drop_close(&s->drop);
}

#define F_MESSAGE	0x1u	/* the first number is that of a message */

static const struct verb {
	const char *name;
	void	  (*run)(struct session *, const uint32_t num[2], int n);
	int	    min, max;	/* numbers behind it */
	unsigned    flags;
} verbs[] = {
	/* RFC 1939 section 5 and, TOP and UIDL, 7; CAPA: RFC 2449 section 5 */
	{ "STAT", do_stat, 0, 0, 0 },
	{ "LIST", do_list, 0, 1, F_MESSAGE },
	{ "UIDL", do_uidl, 0, 1, F_MESSAGE },
	{ "RETR", do_retr, 1, 1, F_MESSAGE },
	{ "TOP",  do_top,  2, 2, F_MESSAGE },
	{ "DELE", do_dele, 1, 1, F_MESSAGE },
	{ "RSET", do_rset, 0, 0, 0 },
	{ "NOOP", do_noop, 0, 0, 0 },
	{ "CAPA", do_capa, 0, 0, 0 },
	{ "QUIT", do_quit, 0, 0, 0 },
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
bad(struct session *s, const char *text)
{
	stream_printf(&s->io, "-ERR %s\r\n", text);
	if (++s->bad >= BAD_MAX)
		s->end = "errors";
}

/* Every rule about numbers lives here, so no handler has to ask. */
static void
dispatch(struct session *s, char *line)
{
	uint32_t num[2] = { 0, 0 };
	const char *arg = pop3_split(line);
	const struct verb *v = verb_find(line);
	int n = pop3_numbers(arg, num);

	if (v == NULL)
		bad(s, "unknown command");
	else if (n < v->min || n > v->max)
		bad(s, v->max == 0 ? "no argument, please" :
		    "wrong arguments");
	else if ((v->flags & F_MESSAGE) && n > 0 &&
	    (num[0] == 0 || !drop_has(&s->drop, (size_t)num[0] - 1)))
		reply_none(s);
	else
		v->run(s, num, n);
}

void
session_talk(struct session *s)
{
	enum line got;

	while (s->end == NULL && !s->io.broken) {
		s->io.write_deadline = deadline_in(POP3_IDLE);
		got = pop3_line(&s->io, &s->line, POP3_LINE,
		    deadline_in(POP3_IDLE));
		if (got == LINE_OK)
			dispatch(s, s->line.data);
		else if (pop3_line_error(got) != NULL)
			bad(s, pop3_line_error(got));
		else
			s->end = got == LINE_EOF ? "eof" :
			    got == LINE_TIMEOUT ? "timeout" : "error";
	}
}

static void
refuse(struct session *s)
{
	s->status = EX_TEMPFAIL;
	s->end = "not-opened";
	if (errno == EWOULDBLOCK) {
		s->end = "in-use";
		stream_puts(&s->io, "-ERR [IN-USE] another session has this "
		    "mailbox open\r\n");
	} else {
		reply_later(s, "cannot open the mailbox");
	}
}

static void
log_end(const struct session *s, size_t messages)
{
	log_event(NULL, "pop3 user=%s messages=%zu retrieved=%u deleted=%u "
	    "end=%s", quoted(s->user), messages, s->retrieved,
	    s->quit ? s->deleted : 0, s->end);
}

int
pop3_session(int rfd, int wfd, const char *maildir, const char *user)
{
	struct session s = { .user = user, .status = EX_OK };
	size_t messages = 0;

	stream_init(&s.io, rfd, wfd);
	s.io.write_deadline = deadline_in(POP3_IDLE);
	if (drop_open(&s.drop, maildir) == -1) {
		refuse(&s);
	} else {
		messages = s.drop.list.n;
		stream_printf(&s.io, "+OK %zu messages\r\n", messages);
		session_talk(&s);
	}
	if (stream_flush(&s.io, deadline_in(POP3_IDLE)) == -1 ||
	    s.end == NULL)
		s.end = "broken";
	log_end(&s, messages);
	drop_close(&s.drop);
	stream_release(&s.io);
	buf_release(&s.line);
	buf_release(&s.wire);
	return s.status;
}
