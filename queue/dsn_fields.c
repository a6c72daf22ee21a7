/*
 * dsn_fields.c - the part of a report for programs: message/delivery-status
 * (RFC 3464), or its form for UTF-8 (RFC 6533).
 *
 * Way 7 of 8.  From: queue/dsn_text.c.  To: queue/dsn_text.c.
 */
#include <string.h>

#include "date.h"
#include "dsn.h"

/* "; the last attempt said: " and the like stand before the reply itself. */
static const char said[] = " said: ";

bool
dsn_last_reply(const struct env_rcpt *r, const char **text_out)
{
	const char *text = r->text != NULL ? r->text : "", *inner;
	struct env_rcpt last = *r;

	*text_out = text;
	if (env_rcpt_is_reply(r))
		return true;
	if (strncmp(text, "4.4.7 ", 6) != 0 ||
	    (inner = strstr(text, said)) == NULL)
		return false;
	inner += strlen(said);
	last.text = (char *)(uintptr_t)inner;
	if (!env_rcpt_is_reply(&last))
		return false;
	*text_out = inner;
	return true;
}

/* Length of "d.ddd.ddd" at s, 0 if there is none. */
static size_t
enhanced_len(const char *s)
{
	static const char digits[] = "0123456789";
	size_t b, c;

	if ((*s != '2' && *s != '4' && *s != '5') || s[1] != '.')
		return 0;
	b = strspn(s + 2, digits);
	if (b < 1 || b > 3 || s[2 + b] != '.')
		return 0;
	c = strspn(s + 3 + b, digits);
	return c < 1 || c > 3 ? 0 : 3 + b + c;
}

/*
 * A 4.x.x that has become final is reported as the 5 it is now, and one that
 * a host has called permanent, but we do not, as a 4.
 */
void
dsn_status(const struct dsn *d, const struct env_rcpt *r, struct buf *out)
{
	static const char class[] = {
		[DSN_FAILED] = '5', [DSN_SUCCESS] = '2', [DSN_DELAYED] = '4'
	};
	const char *text = r->text != NULL ? r->text : "";
	size_t len;

	if (strspn(text, "0123456789") == 3 &&
	    (text[3] == ' ' || text[3] == '-'))
		text += 4;
	len = enhanced_len(text);
	buf_addc(out, class[d->kind]);
	/* A code of success has nothing to say about a failure. */
	if (len == 0 || (d->kind == DSN_SUCCESS) != (*text == '2'))
		buf_adds(out, d->kind == DSN_DELAYED ? ".4.1" : ".0.0");
	else
		buf_add(out, text + 1, len - 1);
}

static void
date_field(struct buf *out, const char *name, int64_t usec)
{
	buf_addf(out, "%s: ", name);
	date_rfc5322(out, (time_t)(usec / 1000000));
	buf_addc(out, '\n');
}

static void
text_field(struct buf *out, const char *name, const char *text, bool utf8)
{
	if (text == NULL)
		return;
	buf_addf(out, "%s: ", name);
	dsn_put_text(out, text, utf8);
	buf_addc(out, '\n');
}

/* RFC 3464 section 2.3.9: until when we go on, as things are now. */
static int64_t
retry_until(const struct dsn *d, const struct env_rcpt *r)
{
	struct env_rcpt spent = *r;
	int64_t left;

	envelope_tried(d->env, &spent, d->now);
	left = d->cfg->queue_lifetime * 1000000 - spent.tried;
	return d->now + (left > 0 ? left : 0);
}

static void
put_recipient(const struct dsn *d, const struct dsn_entry *e, struct buf *out)
{
	const struct env_rcpt *r = &e->r;
	size_t host = r->host != NULL && !e->hidden ?
	    strcspn(r->host, "[") : 0;
	const char *text;
	bool reply = dsn_last_reply(r, &text), utf8 = e->utf8;

	buf_addc(out, '\n');
	text_field(out, "Original-Recipient", r->orcpt, utf8);
	buf_addf(out, "Final-Recipient: %s; ",
	    dsn_is_ascii(r->addr, strlen(r->addr)) ? "rfc822" : "utf-8");
	dsn_put_text(out, r->addr, utf8);
	buf_addf(out, "\nAction: %s\nStatus: ", d->kind == DSN_FAILED ?
	    "failed" : d->kind == DSN_DELAYED ? "delayed" :
	    rcpt_report_text(r->report));
	dsn_status(d, r, out);
	buf_addc(out, '\n');
	if (host > 0)
		buf_addf(out, "Remote-MTA: dns; %.*s\n", (int)host, r->host);
	if (*text != '\0' && (reply || d->kind != DSN_SUCCESS)) {
		buf_addf(out, "Diagnostic-Code: %s; ",
		    reply ? "smtp" : "x-facteur");
		dsn_put_text(out, text, utf8);
		buf_addc(out, '\n');
	}
	if (r->last != 0)
		date_field(out, "Last-Attempt-Date", r->last);
	if (d->kind == DSN_DELAYED)
		date_field(out, "Will-Retry-Until", retry_until(d, r));
}

void
dsn_fields(const struct dsn *d, struct buf *out)
{
	bool utf8 = dsn_is_global(d);

	buf_addf(out, "Reporting-MTA: dns; %s\n", d->cfg->hostname);
	/* It is the sender's own, not that of the owner of a list. */
	if (strcmp(d->sender, d->env->sender) == 0)
		text_field(out, "Original-Envelope-Id", d->env->envid, utf8);
	date_field(out, "Arrival-Date", d->env->arrived);
	buf_addf(out, "X-Facteur-ID: %s\n", d->id);
	dsn_each(d, put_recipient, out);
}
