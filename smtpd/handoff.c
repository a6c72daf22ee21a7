/*
 * handoff.c - the conversation with inject (INTERNALS 2.2): envelope, content,
 * verdict.
 *
 * smtpd never holds a descriptor of the spool.  Until handoff_end() nothing
 * has happened, and closing the connection keeps it so.  A message of usual
 * size goes to inject in one piece, envelope and all, when it is there: no
 * worker waits for a client, and nobody waits for "ready".
 * Way 2 of 8.  From: data.c.  To: queue/inject.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "deadline.h"
#include "log.h"
#include "smtpd.h"

#define LARGE		(1024 * 1024)	/* bytes: ask before they are sent */
/* Seconds.  The client waits 120 and 600 for us (RFC 5321, 4.5.3.2). */
#define READY_WAIT	110
#define WRITE_WAIT	120
#define ACCEPT_WAIT	300

/* ---- verdicts ---- */

/* "5.7.1", and of the same class as the code. */
static bool
is_enhanced(const char *s, int code)
{
	char *end;
	unsigned long n;

	if (s[0] != '0' + code / 100 || s[1] != '.')
		return false;
	for (int i = 0; i < 2; i++) {
		s = i == 0 ? s + 2 : end + 1;
		if (*s < '0' || *s > '9')
			return false;
		n = strtoul(s, &end, 10);
		if (n > 999 || *end != (i == 0 ? '.' : '\0'))
			return false;
	}
	return true;
}

void
verdict_set(struct verdict *v, int code, const char *enh, const char *text)
{
	v->code = code;
	buf_reset(&v->enh);
	buf_adds(&v->enh, enh);
	buf_reset(&v->text);
	buf_adds(&v->text, text);
}

void
verdict_read(struct verdict *v, const struct ctl *ctl)
{
	int code = (int)ctl_num(ctl, "code", 400, 599, 451);
	const char *enh = ctl_str(ctl, "enh");
	const char *text = ctl_str(ctl, "text");

	if (!is_enhanced(enh, code))
		enh = code < 500 ? "4.3.0" : "5.3.0";
	if (*text == '\0')
		text = code < 500 ? "try again later" : "refused";
	verdict_set(v, code, enh, text);
}

void
verdict_release(struct verdict *v)
{
	v->code = 0;
	buf_release(&v->enh);
	buf_release(&v->text);
}

static void
verdict_gone(struct verdict *v)
{
	verdict_set(v, 451, "4.3.0", "the queue is not reachable now");
}

/* ---- the envelope ---- */

/* RFC 3848, RFC 6531 section 4.3. */
void
with_text(const struct session *s, struct buf *out)
{
	if (s->greeting == HELO) {
		buf_adds(out, "SMTP");
		return;
	}
	if (s->txn.mail.utf8)
		buf_adds(out, "UTF8");
	if (s->greeting == LHLO)
		buf_adds(out, "LMTP");
	else
		buf_adds(out, s->txn.mail.utf8 ? "SMTP" : "ESMTP");
	if (s->tls != NULL)
		buf_addc(out, 'S');
	if (s->user != NULL)
		buf_addc(out, 'A');
}

/* Who brought it; the public socket takes nobody's word for that. */
static void
add_trace(const struct session *s, struct buf *frame)
{
	struct buf with = BUF_INIT;

	if (s->role->flags & R_LOCAL)
		return;
	with_text(s, &with);
	ctl_add(frame, "ip", buf_str(&s->ip));
	ctl_add(frame, "helo", buf_str(&s->helo));
	ctl_add(frame, "with", buf_str(&with));
	ctl_add(frame, "tls", s->tls);
	ctl_add(frame, "auth", s->user);
	buf_release(&with);
}

static void
send_message(struct handoff *h, const struct session *s)
{
	const struct mail *m = &s->txn.mail;
	struct buf frame = BUF_INIT;

	ctl_begin(&frame, "message");
	ctl_add(&frame, "sender", m->sender);
	ctl_add(&frame, "ret", m->ret);
	ctl_add(&frame, "envid", m->envid);
	ctl_add(&frame, "body", m->body8 ? "8bit" : NULL);
	ctl_add(&frame, "utf8", m->utf8 ? "yes" : NULL);
	ctl_add(&frame, "fix", s->role->flags & R_FIX ? "yes" : NULL);
	add_trace(s, &frame);
	ctl_end(&frame);
	ctl_send(&h->st, &frame);
	buf_release(&frame);
}

static void
send_rcpts(struct handoff *h, const struct txn *t)
{
	struct buf frame = BUF_INIT, notify = BUF_INIT;

	for (size_t i = 0; i < t->nrcpts; i++) {
		const struct rcpt *r = &t->rcpts[i];

		buf_reset(&notify);
		notify_text(&notify, r->notify);
		buf_reset(&frame);
		ctl_begin(&frame, "rcpt");
		ctl_add(&frame, "to", r->addr);
		ctl_add(&frame, "notify", notify.len > 0 ? notify.data : NULL);
		ctl_add(&frame, "orcpt", r->orcpt);
		ctl_add(&frame, "mailbox", r->mailbox ? "yes" : NULL);
		ctl_end(&frame);
		ctl_send(&h->st, &frame);
	}
	buf_release(&frame);
	buf_release(&notify);
}

/* With the size the client has announced: a disk too full is told before. */
static void
send_go(struct handoff *h, const struct txn *t)
{
	struct buf frame = BUF_INIT;

	ctl_begin(&frame, "go");
	if (t->mail.size > 0)
		ctl_addn(&frame, "size", t->mail.size);
	ctl_end(&frame);
	ctl_send(&h->st, &frame);
	buf_release(&frame);
}

static void
send_word(struct handoff *h, const char *verb)
{
	struct buf frame = BUF_INIT;

	ctl_begin(&frame, verb);
	ctl_end(&frame);
	ctl_send(&h->st, &frame);
	buf_release(&frame);
}

/* ---- the conversation ---- */

/* Waits for `word`; false: it is "err", or inject is gone: see the verdict. */
static bool
await(struct handoff *h, const char *word, int wait_s, struct verdict *v)
{
	struct buf line = BUF_INIT;
	struct ctl ctl;
	bool ok = false;

	h->st.write_deadline = deadline_in(WRITE_WAIT);
	errno = ECONNRESET;
	if (ctl_read(&h->st, &line, &ctl, deadline_in(wait_s)) != 1) {
		log_errno(NULL, "inject-error");
		verdict_gone(v);
	} else if (ctl_is(&ctl, word)) {
		ok = true;
		(void)strlcpy(h->id, ctl_str(&ctl, "id"), sizeof(h->id));
		h->size = ctl_num(&ctl, "size", 0, INT64_MAX, -1);
	} else
		verdict_read(v, &ctl);
	buf_release(&line);
	return ok;
}

/* Connects at the first call, and has the envelope collected. */
static int
reach(struct handoff *h)
{
	const struct session *s = h->session;
	int fd;

	if (h->open)
		return 0;
	fd = h->gone ? -1 : ctl_connect(config_socket(s->cfg,
	    s->role->inject));
	if (fd == -1) {
		if (!h->gone)
			log_errno(NULL, "inject-error");
		h->gone = true;
		return -1;
	}
	stream_init(&h->st, fd, fd);
	h->st.in_size = ANSWER_SIZE;
	h->st.write_deadline = deadline_in(WRITE_WAIT);
	h->open = true;
	send_message(h, s);
	send_rcpts(h, &s->txn);
	send_go(h, &s->txn);
	return 0;
}

int
handoff_open(struct handoff *h, const struct session *s, struct verdict *v)
{
	*h = (struct handoff){ .session = s };
	if (s->txn.mail.size <= LARGE)
		return 0;
	if (reach(h) == -1)
		verdict_gone(v);
	else
		h->ready = await(h, "ready", READY_WAIT, v);
	if (h->ready)
		return 0;
	handoff_release(h);
	return -1;
}

int
handoff_data(struct handoff *h, const char *data, size_t len)
{
	struct buf frame = BUF_INIT;

	if (reach(h) == -1)
		return -1;
	ctl_begin(&frame, "data");
	ctl_addn(&frame, "len", (int64_t)len);
	ctl_end(&frame);
	h->st.write_deadline = deadline_in(WRITE_WAIT);
	ctl_send(&h->st, &frame);
	stream_write(&h->st, data, len);
	buf_release(&frame);
	return h->st.broken ? -1 : 0;
}

void
handoff_end(struct handoff *h, struct verdict *v)
{
	bool broken;
	int wait_s;

	if (reach(h) == -1) {
		verdict_gone(v);
		return;
	}
	/* If it broke off, its "err" may still be there to be read. */
	broken = h->st.broken;
	wait_s = broken ? 1 : ACCEPT_WAIT;
	if (!broken)
		send_word(h, "end");
	if (!h->ready && !await(h, "ready", wait_s, v))
		return;
	if (!await(h, "ok", wait_s, v))
		return;
	if (broken || h->id[0] == '\0')
		verdict_gone(v);	/* an answer to no question */
	else
		verdict_set(v, 250, "2.0.0", "ok");
}

void
handoff_release(struct handoff *h)
{
	if (h->open)
		stream_release(&h->st);
	h->open = false;
}
