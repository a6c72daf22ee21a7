/*
 * data.c - DATA: carries the message from the wire to inject.
 *
 * lib/eol alone decides what a line is and where the message ends.  A message
 * with a bare CR, a bare LF or a NUL is read to its real end, then refused,
 * and the connection with it: someone may be smuggling a second one (RFC 5321
 * section 2.3.8).  Nothing counts before inject has said "ok".
 * Way 2 of 8.  From: verbs.c.  To: handoff.c.
 */
#include <errno.h>

#include "deadline.h"
#include "eol.h"
#include "log.h"
#include "smtpd.h"

#define BLOCK_WAIT	300	/* s between two pieces */
#define GRACE_MS	(300 * 1000)	/* then it must have been */
#define RATE_MIN	500	/* bytes/s at least */
#define PIECE		65536	/* bytes of content in one data frame */
#define SLACK		65536	/* bytes on the wire beyond twice the limit */

struct transfer {
	struct handoff handoff;
	struct dot_in eol;
	struct buf piece;	/* decoded, not yet handed on */
	int64_t	 started;	/* monotonic ms */
	int64_t	 wire;		/* bytes read */
	int64_t	 size;		/* bytes of message so far */
	bool	 broken;	/* inject takes no more */
};

static bool
is_bad(const struct transfer *t)
{
	return t->eol.bad_eol || t->eol.nul;
}

/* Hands on what has been collected, unless the message is lost already. */
static void
pass_on(struct transfer *t, int64_t limit)
{
	t->size += (int64_t)t->piece.len;
	if (is_bad(t) || t->size > limit)
		handoff_release(&t->handoff);	/* nothing happened */
	else if (!t->broken && t->piece.len > 0)
		t->broken = handoff_data(&t->handoff, t->piece.data,
		    t->piece.len) == -1;
	buf_reset(&t->piece);
}

static bool
is_too_slow(const struct transfer *t)
{
	int64_t ms = now_ms() - t->started;

	return ms > GRACE_MS && t->wire < ms / 1000 * RATE_MIN;
}

/*
 * Reads to the end mark.  A message that is refused already is read on, so
 * that its rest is not taken for commands, but not forever.
 */
static int
receive(struct session *s, struct transfer *t)
{
	const int64_t limit = s->cfg->message_size;
	const char *p;

	while (!t->eol.done) {
		int64_t deadline = deadline_in(BLOCK_WAIT);
		ssize_t n;

		s->st.write_deadline = deadline;
		n = stream_peek(&s->st, &p, deadline);
		if (n <= 0) {
			errno = n == 0 ? ECONNRESET : errno;
			return -1;
		}
		n = (ssize_t)dot_in(&t->eol, p, (size_t)n, &t->piece);
		stream_consume(&s->st, (size_t)n);
		t->wire += n;
		if (t->piece.len >= PIECE - STREAM_IN || t->eol.done ||
		    is_bad(t))
			pass_on(t, limit);
		if (is_too_slow(t) || t->wire > 2 * limit + SLACK) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
	return 0;
}

static void
judge(struct session *s, struct transfer *t, struct verdict *v)
{
	if (is_bad(t)) {
		verdict_set(v, 554, "5.6.0", t->eol.bad_eol ?
		    "bare CR or LF in message" : "NUL byte in message");
		s->closing = true;
		s->linger = true;
	} else if (t->size > s->cfg->message_size)
		verdict_set(v, 552, "5.3.4", "that message is too big");
	else
		handoff_end(&t->handoff, v);
}

static void
log_verdict(const struct session *s, const struct handoff *h,
    const struct verdict *v)
{
	const struct txn *t = &s->txn;
	struct buf with = BUF_INIT;

	with_text(s, &with);
	if (v->code == 250)
		log_event(h->id, "accepted from=<%s> rcpts=%zu size=%lld "
		    "ip=%s helo=%s with=%s tls=%s auth=%s", t->mail.sender,
		    t->nrcpts, (long long)h->size, buf_str(&s->ip),
		    buf_str(&s->helo), buf_str(&with),
		    s->tls == NULL ? "-" : s->tls,
		    s->user == NULL ? "-" : s->user);
	else
		log_event(NULL, "refused ip=%s from=<%s> rcpts=%zu "
		    "code=%d text=%s", buf_str(&s->ip), t->mail.sender,
		    t->nrcpts, v->code, quoted(buf_str(&v->text)));
	buf_release(&with);
}

/* In LMTP each accepted recipient gets its own answer (RFC 2033, 4.2). */
static void
answer(struct session *s, const struct handoff *h, const struct verdict *v)
{
	const struct txn *t = &s->txn;
	const char *id = v->code == 250 ? h->id : "";
	const char *blank = v->code == 250 ? " " : "";

	if (!(s->role->flags & R_LMTP)) {
		reply(s, v->code, buf_str(&v->enh), "%s%s%s",
		    buf_str(&v->text), blank, id);
		return;
	}
	for (size_t i = 0; i < t->nrcpts; i++)
		reply(s, v->code, buf_str(&v->enh), "<%s> %s%s%s",
		    t->rcpts[i].addr, buf_str(&v->text), blank, id);
}

static void
transfer(struct session *s, struct transfer *t, struct verdict *v)
{
	reply(s, 354, NULL, "go ahead, end with a dot on a line by itself");
	if (receive(s, t) == -1) {
		log_errno(NULL, "lost ip=%s from=<%s> bytes=%lld",
		    buf_str(&s->ip), s->txn.mail.sender, (long long)t->wire);
		reply_close(s, 421, "4.4.2", "the message did not end");
		return;
	}
	judge(s, t, v);
	log_verdict(s, &t->handoff, v);
	answer(s, &t->handoff, v);
}

void
do_data(struct session *s, const char *arg)
{
	struct transfer t = { .started = now_ms() };
	struct verdict v = { 0 };

	(void)arg;
	dot_in_init(&t.eol);
	if (handoff_open(&t.handoff, s, &v) == 0)
		transfer(s, &t, &v);
	else {
		log_verdict(s, &t.handoff, &v);
		reply(s, v.code, buf_str(&v.enh), "%s", buf_str(&v.text));
	}
	if (v.code == 250)
		s->junk = 0;
	handoff_release(&t.handoff);
	buf_release(&t.piece);
	verdict_release(&v);
	txn_reset(s);
}
