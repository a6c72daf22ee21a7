/*
 * envelope_parse.c - replays the story of a message (INTERNALS, section 3).
 *
 * What was written is validated again: the file may have been torn by a power
 * cut, copied, or edited.  Replay stops at the first line that is not whole.
 *
 * A library: runs in queue (facteur-queue) and in the administrator's tools.
 * Way 4 of 8.  From: the spool.  To: queue/queue, which schedules.
 */
#include <stdlib.h>
#include <string.h>

#include "date.h"
#include "envelope.h"
#include "envelope_line.h"

static bool
arrived_pair(struct envelope *e, const struct env_pair *p)
{
	unsigned uid;

	if (pair_is(p, "ip"))
		return text_set(&e->ip, p->value, p->len);
	if (pair_is(p, "helo"))
		return text_set(&e->helo, p->value, p->len);
	if (pair_is(p, "with"))
		return text_set(&e->with, p->value, p->len);
	if (pair_is(p, "auth"))
		return text_set(&e->auth, p->value, p->len);
	if (pair_is(p, "tls"))
		return text_set(&e->tls, p->value, p->len);
	if (pair_is(p, "uid")) {
		if (!text_number(p->value, p->len, UINT32_MAX, &uid))
			return false;
		e->uid = uid;
	}
	if (pair_is(p, "tried"))
		e->tried = true;
	return true;
}

static bool
sender_pair(struct envelope *e, const struct env_pair *p)
{
	if (pair_is(p, "ret"))
		return text_set(&e->ret, p->value, p->len);
	if (pair_is(p, "envid"))
		return text_set(&e->envid, p->value, p->len);
	if (pair_is(p, "body"))
		e->body8 = pair_value_is(p, "8bit");
	else if (pair_is(p, "utf8"))
		e->utf8 = pair_value_is(p, "yes");
	return true;
}

static bool
rcpt_pair(struct env_rcpt *r, const struct env_pair *p)
{
	if (pair_is(p, "notify")) {
		char *value = xstrndup(p->value, p->len);

		r->notify = notify_parse(value);
		free(value);
	} else if (pair_is(p, "orcpt"))
		return text_set(&r->orcpt, p->value, p->len);
	else if (pair_is(p, "from"))
		return text_set_address(&r->from, p->value, p->len);
	else if (pair_is(p, "exact"))
		r->exact = pair_value_is(p, "yes");
	else if (pair_is(p, "parent"))
		return text_number(p->value, p->len, r->n - 1, &r->parent);
	return true;
}

static bool
do_arrived(struct envelope *e, struct env_line *c)
{
	struct env_pair p;
	int more;

	if (e->arrived != 0 || !line_time(c, &e->arrived))
		return false;
	while ((more = line_pair(c, &p)) == 1)
		if (!arrived_pair(e, &p))
			return false;
	return more == 0;
}

static bool
do_sender(struct envelope *e, struct env_line *c)
{
	struct env_pair p;
	const char *s;
	size_t len;
	int more;

	if (e->sender != NULL || !line_word(c, &s, &len) ||
	    !text_set_address(&e->sender, s, len))
		return false;
	while ((more = line_pair(c, &p)) == 1)
		if (!sender_pair(e, &p))
			return false;
	return more == 0;
}

/*
 * Before the commit mark, and behind it when a recipient was expanded.  A
 * recipient that was half read is not taken.
 */
static bool
do_rcpt(struct envelope *e, struct env_line *c)
{
	struct env_rcpt r = { .n = e->nrcpts + 1 }, *added;
	struct env_pair p;
	const char *s;
	unsigned n;
	size_t len;
	int more = -1;

	if (line_number(c, UINT32_MAX, &n) && n == r.n &&
	    line_word(c, &s, &len) && text_set_address(&r.addr, s, len))
		while ((more = line_pair(c, &p)) == 1)
			if (!rcpt_pair(&r, &p))
				break;
	if (more != 0) {
		free(r.addr);
		free(r.orcpt);
		free(r.from);
		return false;
	}
	added = envelope_add(e, r.addr);
	free(r.addr);
	r.addr = added->addr;
	*added = r;
	return true;
}

/* "* TEXT" or "N TEXT" */
static bool
do_head(struct envelope *e, struct env_line *c)
{
	const char *s;
	unsigned n = 0;
	size_t len;
	char *text;

	if (!line_word(c, &s, &len) || c->p == c->end)
		return false;
	if (!(len == 1 && *s == '*') &&
	    (!text_number(s, len, e->nrcpts, &n) || n == 0))
		return false;
	text = xstrndup(c->p, (size_t)(c->end - c->p));
	envelope_add_head(e, n, text);
	free(text);
	return true;
}

static bool
do_ready(struct envelope *e, struct env_line *c)
{
	uint32_t crc = 0;

	if (c->end - c->p != 8 || e->sender == NULL || e->arrived == 0)
		return false;
	for (; c->p < c->end; c->p++) {
		int digit = text_hex(*c->p);

		if (digit < 0)
			return false;
		crc = crc << 4 | (uint32_t)digit;
	}
	e->crc = crc;
	e->ready = true;
	return true;
}

/* What defer, done and fail have in common. */
struct outcome {
	struct env_rcpt *rcpt;
	int64_t at, next;
	enum rcpt_report report;
	char *host, *text;	/* owned */
};

/* A word of a version to come owes nothing that we could tell. */
static enum rcpt_report
read_report(const struct env_pair *p)
{
	for (int i = REPORT_DELIVERED; i <= REPORT_EXPANDED; i++)
		if (pair_value_is(p, rcpt_report_text((enum rcpt_report)i)))
			return (enum rcpt_report)i;
	return REPORT_NONE;
}

static bool
read_outcome(struct envelope *e, struct env_line *c, bool defer,
    struct outcome *o)
{
	const char *s;
	unsigned n;
	size_t len;

	if (!line_number(c, e->nrcpts, &n) || n == 0 ||
	    !line_time(c, &o->at))
		return false;
	o->rcpt = &e->rcpts[n - 1];
	if (defer && (!line_word(c, &s, &len) || len < 6 ||
	    memcmp(s, "next=", 5) != 0 ||
	    date_iso_parse(s + 5, len - 5, &o->next) == -1))
		return false;
	if (!line_word(c, &s, &len) || *s == '"' || !text_set(&o->host, s, len))
		return false;
	while (c->p < c->end && *c->p != '"') {
		struct env_pair p;

		if (line_pair(c, &p) != 1)
			return false;
		if (pair_is(&p, "report"))
			o->report = read_report(&p);
	}
	return text_set_quoted(&o->text, c->p, (size_t)(c->end - c->p));
}

/* A recipient only moves forward: what is done or failed is not undone. */
static bool
outcome(struct envelope *e, struct env_line *c, enum rcpt_state state)
{
	struct outcome o = { 0 };
	struct env_rcpt *r;
	bool whole = read_outcome(e, c, state == RCPT_PENDING, &o);

	if (whole && (r = o.rcpt)->state == RCPT_PENDING) {
		if (state == RCPT_PENDING)
			envelope_tried(e, r, o.at);
		r->state = state;
		r->report = state == RCPT_DONE ? o.report : REPORT_NONE;
		r->last = o.at;
		r->next = o.next;
		r->attempts += state == RCPT_PENDING;
		free(r->host);
		free(r->text);
		r->host = strcmp(o.host, "-") == 0 ? NULL : xstrdup(o.host);
		r->text = o.text;
		o.text = NULL;
	}
	free(o.host);
	free(o.text);
	return whole;
}

static bool
do_defer(struct envelope *e, struct env_line *c)
{
	return outcome(e, c, RCPT_PENDING);
}

static bool
do_done(struct envelope *e, struct env_line *c)
{
	return outcome(e, c, RCPT_DONE);
}

static bool
do_fail(struct envelope *e, struct env_line *c)
{
	return outcome(e, c, RCPT_FAILED);
}

static bool
do_told(struct envelope *e, struct env_line *c)
{
	int64_t at;
	unsigned n;

	if (!line_number(c, e->nrcpts, &n) || n == 0 || !line_time(c, &at))
		return false;
	if (e->rcpts[n - 1].state == RCPT_FAILED)
		e->rcpts[n - 1].state = RCPT_TOLD;
	e->rcpts[n - 1].report = REPORT_NONE;
	return true;
}

static bool
do_delayed(struct envelope *e, struct env_line *c)
{
	int64_t at;

	if (!line_time(c, &at))
		return false;
	e->delay_told = true;
	for (unsigned i = 0; i < e->nrcpts; i++)
		e->rcpts[i].delay_told = true;
	return true;
}

/* "retry N TIME", N 0 for all of them */
static bool
do_retry(struct envelope *e, struct env_line *c)
{
	int64_t at;
	unsigned n;

	if (!line_number(c, e->nrcpts, &n) || !line_time(c, &at))
		return false;
	for (unsigned i = 0; i < e->nrcpts; i++)
		if ((n == 0 || n == i + 1) &&
		    e->rcpts[i].state == RCPT_PENDING)
			e->rcpts[i].next = at;
	return true;
}

/* "route N TIME HOST:PORT", N 0 for all that are there; "-": as usual again */
static bool
do_route(struct envelope *e, struct env_line *c)
{
	char *host = NULL;
	const char *s;
	unsigned n;
	size_t len;
	int64_t at;

	if (!line_number(c, e->nrcpts, &n) || !line_time(c, &at) ||
	    !line_word(c, &s, &len) || !text_set(&host, s, len))
		return false;
	for (unsigned i = 0; i < e->nrcpts; i++) {
		if (n != 0 && n != i + 1)
			continue;
		free(e->rcpts[i].route);
		e->rcpts[i].route = strcmp(host, "-") == 0 ? NULL :
		    xstrdup(host);
	}
	free(host);
	return true;
}

#define ABOVE	1u		/* may stand above the ready line */
#define BELOW	2u		/* may stand below it */

static const struct keyword {
	const char *name;
	bool	  (*run)(struct envelope *, struct env_line *);
	unsigned    where;
} keywords[] = {
	{ "arrived", do_arrived, ABOVE },
	{ "sender",  do_sender,	 ABOVE },
	{ "rcpt",    do_rcpt,	 ABOVE | BELOW },
	{ "head",    do_head,	 ABOVE | BELOW },
	{ "ready",   do_ready,	 ABOVE },
	{ "defer",   do_defer,	 BELOW },
	{ "done",    do_done,	 BELOW },
	{ "fail",    do_fail,	 BELOW },
	{ "told",    do_told,	 BELOW },
	{ "delayed", do_delayed, BELOW },
	{ "retry",   do_retry,	 BELOW },
	{ "route",   do_route,	 BELOW },
};

/* One whole line without its LF. NULL, or what is wrong with it. */
static const char *
replay_line(struct envelope *e, const char *line, size_t len)
{
	struct env_line c = { line, line + len };
	const char *name;
	size_t n;

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7F)
			return "control byte";
	if (!line_word(&c, &name, &n))
		return "malformed";
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		const struct keyword *k = &keywords[i];

		if (strlen(k->name) != n || memcmp(k->name, name, n) != 0)
			continue;
		if ((k->where & (e->ready ? BELOW : ABOVE)) == 0)
			return "out of place";
		return k->run(e, &c) ? NULL : "malformed";
	}
	return NULL;		/* of a version to come */
}

/* "facteur 1\n" comes first.  Returns its length, 0 if it is not that. */
static size_t
first_line(struct envelope *e, const char *text, size_t len)
{
	static const char magic[] = "facteur ";
	const size_t n = sizeof(magic) - 1;
	const char *lf = memchr(text, '\n', len < 64 ? len : 64);
	unsigned version;

	if (lf == NULL || len < n || memcmp(text, magic, n) != 0 ||
	    !text_number(text + n, (size_t)(lf - text) - n, 9999, &version)) {
		e->damage = xstrdup("no envelope");
		return 0;
	}
	if (version != ENVELOPE_VERSION) {
		struct buf why = BUF_INIT;

		buf_addf(&why, "version %u", version);
		e->damage = buf_detach(&why);
		return 0;
	}
	return (size_t)(lf - text) + 1;
}

static void
set_damage(struct envelope *e, unsigned line, const char *what)
{
	struct buf why = BUF_INIT;

	buf_addf(&why, "line %u: %s", line, what);
	e->damage = buf_detach(&why);
}

int
envelope_parse(struct envelope *e, const char *text, size_t len)
{
	size_t pos = first_line(e, text, len);

	for (unsigned n = 2; pos > 0 && pos < len; n++) {
		const char *lf = memchr(text + pos, '\n', len - pos), *wrong;
		bool was_ready = e->ready;

		wrong = lf == NULL ? "no line end" : replay_line(e, text + pos,
		    (size_t)(lf - text) - pos);
		if (wrong != NULL) {
			set_damage(e, n, wrong);
			break;
		}
		if (e->ready && !was_ready)
			e->ready_at = pos;
		pos = (size_t)(lf - text) + 1;
	}
	e->used = pos;
	if (!e->ready && e->damage == NULL)
		e->damage = xstrdup("no ready line");
	return e->ready ? 0 : -1;
}

void
envelope_more(struct envelope *e, const char *text, size_t len)
{
	const char *lf;

	for (; (lf = memchr(text, '\n', len)) != NULL; text = lf + 1) {
		if (replay_line(e, text, (size_t)(lf - text)) != NULL)
			return;
		len -= (size_t)(lf - text) + 1;
	}
}
