/*
 * dsn_text.c - a report as a message (RFC 3464 in the multipart/report of RFC
 * 6522): first for people, then for programs, then what was sent.
 *
 * Way 7 of 8.  From: queue/report.c.  To: inject (3), as an ordinary message.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "date.h"
#include "dsn.h"
#include "header.h"
#include "id.h"

#define FIELD_MAX	800	/* bytes of a text: a line may have 998 */
#define MESSAGE_ID_MAX	250

bool
dsn_is_ascii(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] > 0x7f)
			return false;
	return true;
}

/* The length of a character of UTF-8 that turns the text around, ends its line or controls a terminal; 0: it is none. */
static size_t
unsafe_len(const char *s)
{
	const unsigned char *u = (const unsigned char *)s;

	if (u[0] == 0xc2 && u[1] >= 0x80 && u[1] <= 0x9f)
		return 2;		/* C1 */
	if (u[0] == 0xe2 && ((u[1] == 0x80 && u[2] >= 0xa8 && u[2] <= 0xae) ||
	    (u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9)))
		return 3;		/* U+2028 to 202E, 2066 to 2069 */
	return 0;
}

void
dsn_put_text(struct buf *out, const char *text, bool utf8)
{
	for (size_t i = 0; text[i] != '\0' && i < FIELD_MAX; i++) {
		unsigned char c = (unsigned char)text[i];
		size_t unsafe = utf8 ? unsafe_len(text + i) : 0;

		if (unsafe > 0) {
			i += unsafe - 1;
			c = '?';
		} else if (c < 0x20 || c == 0x7f)
			c = ' ';
		else if (c > 0x7f && !utf8)
			c = '?';
		buf_addc(out, (char)c);
	}
}

/* RET is about failures; the other reports never carry the body (RFC 3461 section 4.3). */
bool
dsn_headers_only(const struct dsn *d)
{
	return d->kind != DSN_FAILED || d->size > DSN_FULL_MAX ||
	    (d->env->ret != NULL && strcmp(d->env->ret, "hdrs") == 0);
}

static bool
is_ascii(const char *s)
{
	return s == NULL || dsn_is_ascii(s, strlen(s));
}

bool
dsn_is_global(const struct dsn *d)
{
	if (!is_ascii(d->to) || !is_ascii(d->env->envid))
		return true;
	for (unsigned i = 0; i < d->env->nrcpts; i++) {
		const struct env_rcpt *r = &d->env->rcpts[i];

		if (!dsn_reports(d->env, d->kind, d->sender, r))
			continue;
		r = dsn_written(d, r);
		if (!is_ascii(r->addr) || !is_ascii(r->orcpt))
			return true;
	}
	return false;
}

/* The message, or its beginning, for the caller to free. NULL with errno. */
static char *
read_original(const struct dsn *d, size_t *len_out)
{
	size_t want = d->size > DSN_FULL_MAX ? DSN_FULL_MAX : (size_t)d->size;
	char *text = xmalloc(want + 1);
	ssize_t n = pread(d->fd, text, want, 0);

	*len_out = want;
	if (n == (ssize_t)want)
		return text;
	if (n >= 0)
		errno = EIO;
	free(text);
	return NULL;
}

/* "<left@right>", and nothing that could end the field it is copied to. */
static bool
is_message_id(const char *s)
{
	size_t len = strlen(s);

	if (len < 3 || len > MESSAGE_ID_MAX || s[0] != '<' ||
	    s[len - 1] != '>')
		return false;
	for (size_t i = 1; i < len - 1; i++)
		if (s[i] <= ' ' || s[i] > '~' || s[i] == '<' || s[i] == '>')
			return false;
	return true;
}

/* So that mail programs show the report beside what it is about. */
static void
put_reply_to(struct buf *out, const char *text, size_t len)
{
	struct buf id = BUF_INIT;
	struct header h;
	size_t pos = 0;

	while (header_next(text, len, &pos, &h)) {
		if (!header_is(&h, "Message-ID"))
			continue;
		header_unfold(&h, &id);
		if (is_message_id(buf_str(&id)))
			buf_addf(out, "In-Reply-To: %s\nReferences: %s\n",
			    buf_str(&id), buf_str(&id));
		break;
	}
	buf_release(&id);
}

static const char *
subject(const struct dsn *d)
{
	if (*d->sender == '\0')
		return "Undelivered: a report could not be delivered";
	switch (d->kind) {
	case DSN_SUCCESS:
		return "Report: your message has gone its way";
	case DSN_DELAYED:
		return "Delayed: your message has not been delivered yet";
	case DSN_FAILED:
		break;
	}
	return "Undelivered: your message could not be delivered";
}

static void
put_header(const struct dsn *d, const char *boundary, const char *text,
    size_t len, struct buf *out)
{
	buf_addf(out, "From: Mail System <MAILER-DAEMON@%s>\nTo: <%s>\n"
	    "Subject: %s\nDate: ", d->cfg->hostname, d->to, subject(d));
	date_rfc5322(out, (time_t)(d->now / 1000000));
	buf_addf(out, "\nMessage-ID: <%.*s@%s>\n", ID_LEN, boundary,
	    d->cfg->hostname);
	put_reply_to(out, text, len);
	buf_addf(out, "Auto-Submitted: auto-replied\nMIME-Version: 1.0\n"
	    "Content-Type: multipart/report;\n"
	    "\treport-type=%s; boundary=\"%s\"\n", dsn_is_global(d) ?
	    "global-delivery-status" : "delivery-status", boundary);
}

static void
put_part(struct buf *out, const char *boundary, const char *type,
    const char *text, size_t len)
{
	buf_addf(out, "\n--%s\nContent-Type: %s\n"
	    "Content-Transfer-Encoding: %s\n\n", boundary, type,
	    dsn_is_ascii(text, len) ? "7bit" : "8bit");
	buf_add(out, text, len);
}

/* The message, whole if small and wanted, else its headers, is the last part. */
static void
put_original(const struct dsn *d, const char *boundary, const char *text,
    size_t len, struct buf *out)
{
	size_t header = header_end(text, len);
	bool global = d->env->utf8 && !dsn_is_ascii(text, header);

	if (dsn_headers_only(d))
		put_part(out, boundary, global ? "message/global-headers" :
		    "text/rfc822-headers", text, header);
	else
		put_part(out, boundary, global ? "message/global" :
		    "message/rfc822", text, len);
}

int
dsn_compose(const struct dsn *d, struct buf *out)
{
	char boundary[ID_LEN + sizeof("=_report")];
	struct buf part = BUF_INIT;
	size_t len;
	char *text = read_original(d, &len);

	if (text == NULL)
		return -1;
	/* An ID of ours does not occur in a message older than itself. */
	id_new(boundary);
	strlcat(boundary, "=_report", sizeof(boundary));
	put_header(d, boundary, text, len, out);
	dsn_people(d, &part);
	put_part(out, boundary, "text/plain; charset=utf-8", buf_str(&part),
	    part.len);
	buf_reset(&part);
	dsn_fields(d, &part);
	put_part(out, boundary, dsn_is_global(d) ?
	    "message/global-delivery-status" : "message/delivery-status",
	    buf_str(&part), part.len);
	put_original(d, boundary, text, len, out);
	buf_addf(out, "\n--%s--\n", boundary);
	buf_release(&part);
	free(text);
	if (!buf_ok(out)) {
		errno = EFBIG;
		return -1;
	}
	return 0;
}
