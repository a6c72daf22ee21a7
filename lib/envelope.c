/*
 * envelope.c - writes the story of a message: the lines behind its content in
 * the queue file (INTERNALS, section 3).  The reader is envelope_parse.c; what
 * they add up to is asked in envelope_state.c.
 *
 * A library: runs in inject and queue, as facteur-queue.
 * Way 3 of 8.  From: queue/inject.  To: queue/queue, which appends outcomes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "date.h"
#include "envelope.h"
#include "log.h"

void
envelope_init(struct envelope *e)
{
	memset(e, 0, sizeof(*e));
	e->uid = -1;
}

static void
rcpt_release(struct env_rcpt *r)
{
	free(r->addr);
	free(r->orcpt);
	free(r->from);
	free(r->host);
	free(r->text);
	free(r->route);
}

void
envelope_release(struct envelope *e)
{
	int saved = errno;

	for (unsigned i = 0; i < e->nrcpts; i++)
		rcpt_release(&e->rcpts[i]);
	for (unsigned i = 0; i < e->nheads; i++)
		free(e->heads[i].text);
	free(e->rcpts);
	free(e->heads);
	free(e->ip);
	free(e->helo);
	free(e->with);
	free(e->auth);
	free(e->tls);
	free(e->sender);
	free(e->ret);
	free(e->envid);
	free(e->damage);
	envelope_init(e);
	errno = saved;
}

/* Room for one more behind n: the array doubles at each power of two. */
static void *
one_more(void *array, unsigned n, size_t size)
{
	if ((n & (n - 1)) != 0)
		return array;
	return xreallocarray(array, n == 0 ? 1 : (size_t)n * 2, size);
}

struct env_rcpt *
envelope_add(struct envelope *e, const char *addr)
{
	struct env_rcpt *r;

	e->rcpts = one_more(e->rcpts, e->nrcpts, sizeof(*e->rcpts));
	r = &e->rcpts[e->nrcpts++];
	memset(r, 0, sizeof(*r));
	r->n = e->nrcpts;
	r->addr = xstrdup(addr);
	return r;
}

struct env_head *
envelope_add_head(struct envelope *e, unsigned n, const char *text)
{
	struct env_head *h;

	e->heads = one_more(e->heads, e->nheads, sizeof(*e->heads));
	h = &e->heads[e->nheads++];
	h->n = n;
	h->text = xstrdup(text);
	return h;
}

static bool
is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7F;
}

/* A value as in INTERNALS 2.1: no separator is left. -1: control byte. */
static int
add_value(struct buf *out, const char *value)
{
	for (; *value != '\0'; value++) {
		if (is_control(*value))
			return -1;
		if (strchr(" %\"<>", *value) != NULL)
			buf_addf(out, "%%%02X", (unsigned char)*value);
		else
			buf_addc(out, *value);
	}
	return 0;
}

/* " key=value"; NULL leaves it out. */
static int
add_pair(struct buf *out, const char *key, const char *value)
{
	if (value == NULL)
		return 0;
	buf_addf(out, " %s=", key);
	return add_value(out, value);
}

/* " <address>" */
static int
add_address(struct buf *out, const char *address)
{
	int result;

	buf_adds(out, " <");
	result = add_value(out, address);
	buf_addc(out, '>');
	return result;
}

int
envelope_rcpt_line(struct buf *out, const struct env_rcpt *r)
{
	size_t before = out->len;

	buf_addf(out, "rcpt %u", r->n);
	if (add_address(out, r->addr) == -1)
		goto bad;
	if (r->notify != 0) {
		buf_adds(out, " notify=");
		notify_text(out, r->notify);
	}
	if (add_pair(out, "orcpt", r->orcpt) == -1)
		goto bad;
	if (r->from != NULL) {
		buf_adds(out, " from=<");
		if (add_value(out, r->from) == -1)
			goto bad;
		buf_addc(out, '>');
	}
	if (r->exact)
		buf_adds(out, " exact=yes");
	if (r->parent != 0)
		buf_addf(out, " parent=%u", r->parent);
	buf_addc(out, '\n');
	return 0;
bad:
	buf_cut(out, before);
	errno = EINVAL;
	return -1;
}

static int
head_line(struct buf *out, const struct env_head *h)
{
	for (const char *p = h->text; *p != '\0'; p++)
		if (is_control(*p))
			return -1;
	if (h->n == 0)
		buf_addf(out, "head * %s\n", h->text);
	else
		buf_addf(out, "head %u %s\n", h->n, h->text);
	return 0;
}

static int
arrived_line(struct buf *out, const struct envelope *e)
{
	buf_adds(out, "arrived ");
	date_iso(out, e->arrived, 6);
	if (add_pair(out, "ip", e->ip) == -1 ||
	    add_pair(out, "helo", e->helo) == -1 ||
	    add_pair(out, "with", e->with) == -1 ||
	    add_pair(out, "auth", e->auth) == -1 ||
	    add_pair(out, "tls", e->tls) == -1)
		return -1;
	if (e->uid != -1)
		buf_addf(out, " uid=%lld", (long long)e->uid);
	if (e->tried)
		buf_adds(out, " tried=yes");
	buf_addc(out, '\n');
	return 0;
}

static int
sender_line(struct buf *out, const struct envelope *e)
{
	buf_adds(out, "sender");
	if (add_address(out, e->sender == NULL ? "" : e->sender) == -1 ||
	    add_pair(out, "ret", e->ret) == -1 ||
	    add_pair(out, "envid", e->envid) == -1)
		return -1;
	if (e->body8)
		buf_adds(out, " body=8bit");
	if (e->utf8)
		buf_adds(out, " utf8=yes");
	buf_addc(out, '\n');
	return 0;
}

int
envelope_encode(const struct envelope *e, struct buf *out)
{
	size_t before = out->len;

	buf_addf(out, "facteur %d\n", ENVELOPE_VERSION);
	if (arrived_line(out, e) == -1 || sender_line(out, e) == -1)
		goto bad;
	for (unsigned i = 0; i < e->nrcpts; i++)
		if (envelope_rcpt_line(out, &e->rcpts[i]) == -1)
			goto bad;
	for (unsigned i = 0; i < e->nheads; i++)
		if (head_line(out, &e->heads[i]) == -1)
			goto bad;
	return 0;
bad:
	buf_cut(out, before);
	errno = EINVAL;
	return -1;
}

void
envelope_ready(struct buf *out, uint32_t crc)
{
	buf_addf(out, "ready %08x\n", (unsigned)crc);
}

/* An outcome must always be writable, so a control byte becomes '?'. */
static void
add_safe(struct buf *out, const char *value)
{
	char one[2] = "?";

	for (; *value != '\0'; value++) {
		one[0] = is_control(*value) ? '?' : *value;
		(void)add_value(out, one);
	}
}

/* "done 1 TIME" */
static void
event(struct buf *out, const char *word, unsigned n, int64_t at)
{
	buf_addf(out, "%s %u ", word, n);
	date_iso(out, at, 6);
}

/* ' HOST tls=X report=X "text"' and the line's end */
static void
told_by(struct buf *out, const char *host, const char *tls,
    enum rcpt_report report, const char *text)
{
	buf_addc(out, ' ');
	add_safe(out, host == NULL || *host == '\0' ? "-" : host);
	if (tls != NULL) {
		buf_adds(out, " tls=");
		add_safe(out, tls);
	}
	if (report != REPORT_NONE)
		buf_addf(out, " report=%s", rcpt_report_text(report));
	buf_addc(out, ' ');
	log_quote(out, text == NULL ? "" : text);
	buf_addc(out, '\n');
}

void
envelope_defer(struct buf *out, unsigned n, int64_t at, int64_t next,
    const char *host, const char *tls, const char *text)
{
	event(out, "defer", n, at);
	buf_adds(out, " next=");
	date_iso(out, next, 6);
	told_by(out, host, tls, REPORT_NONE, text);
}

void
envelope_done(struct buf *out, unsigned n, int64_t at, const char *host,
    const char *tls, const char *text)
{
	envelope_done_owing(out, n, at, host, tls, REPORT_NONE, text);
}

void
envelope_done_owing(struct buf *out, unsigned n, int64_t at, const char *host,
    const char *tls, enum rcpt_report report, const char *text)
{
	event(out, "done", n, at);
	told_by(out, host, tls, report, text);
}

void
envelope_fail(struct buf *out, unsigned n, int64_t at, const char *host,
    const char *tls, const char *text)
{
	event(out, "fail", n, at);
	told_by(out, host, tls, REPORT_NONE, text);
}

void
envelope_told(struct buf *out, unsigned n, int64_t at, const char *dsn_id)
{
	event(out, "told", n, at);
	buf_addc(out, ' ');
	add_safe(out, dsn_id);
	buf_addc(out, '\n');
}

void
envelope_delayed(struct buf *out, int64_t at, const char *dsn_id)
{
	buf_adds(out, "delayed ");
	date_iso(out, at, 6);
	buf_addc(out, ' ');
	add_safe(out, dsn_id);
	buf_addc(out, '\n');
}

void
envelope_retry(struct buf *out, unsigned n, int64_t at)
{
	event(out, "retry", n, at);
	buf_addc(out, '\n');
}

void
envelope_route(struct buf *out, unsigned n, int64_t at, const char *host)
{
	event(out, "route", n, at);
	buf_addc(out, ' ');
	add_safe(out, host == NULL ? "-" : host);
	buf_addc(out, '\n');
}
