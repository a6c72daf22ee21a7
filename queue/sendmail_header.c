/*
 * sendmail_header.c - what sendmail reads in and changes of a message's
 * header: recipients for -t, no Bcc, a From for those who wrote none.
 *
 * Runs in sendmail, as the caller.
 * Way 2 of 8.  From: queue/sendmail_submit.c.  To: queue/inject_client.c.
 */
#include <ctype.h>
#include <err.h>
#include <pwd.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "address.h"
#include "header.h"
#include "sendmail.h"

#define WORD_MAX	45	/* bytes of name in one encoded word */
#define ADDRESSES_MAX	100000	/* in one field, copies counted */

/* Does it read as it is: words of RFC 5322 atoms and blanks? */
static bool
is_phrase(const char *name)
{
	for (; *name != '\0'; name++)
		if (!isalnum((unsigned char)*name) &&
		    strchr(" !#$%&'*+-/=?^_`{|}~", *name) == NULL)
			return false;
	return true;
}

static bool
is_ascii(const char *s)
{
	while (*s != '\0')
		if ((unsigned char)*s++ >= 0x80)
			return false;
	return true;
}

/* RFC 2047: no word longer than 75, none that ends inside a character. */
static void
add_encoded(struct buf *out, const char *name)
{
	size_t room = 0;

	for (; *name != '\0'; name++) {
		unsigned char c = (unsigned char)*name;
		bool begins = (c & 0xC0) != 0x80;

		if (room == 0 || (begins && room < 12)) {
			buf_adds(out, room == 0 ? "=?UTF-8?Q?" :
			    "?=\n =?UTF-8?Q?");
			room = WORD_MAX;
		}
		if (isalnum(c)) {
			buf_addc(out, *name);
			room--;
		} else {
			buf_addf(out, "=%02X", c);
			room -= room < 3 ? room - 1 : 3;
		}
	}
	buf_adds(out, "?=");
}

void
sendmail_mailbox(struct buf *out, const char *name, const char *address)
{
	if (*name == '\0' || !is_utf8(name, strlen(name))) {
		buf_adds(out, address);
		return;
	}
	if (!is_ascii(name))
		add_encoded(out, name);
	else if (is_phrase(name))
		buf_adds(out, name);
	else {
		buf_addc(out, '"');
		for (; *name != '\0'; name++) {
			if (*name == '"' || *name == '\\')
				buf_addc(out, '\\');
			buf_addc(out, *name);
		}
		buf_addc(out, '"');
	}
	buf_addf(out, " <%s>", address);
}

/* -F, or the password file's: up to the first comma, & is the login name. */
static void
full_name(const struct sendmail_options *o, struct buf *out)
{
	const struct passwd *pw;

	if (o->name != NULL) {
		buf_adds(out, o->name);
		return;
	}
	if ((pw = getpwuid(getuid())) == NULL)
		return;
	for (const char *p = pw->pw_gecos; *p != '\0' && *p != ','; p++)
		if (*p == '&') {
			buf_addc(out, (char)toupper((unsigned char)
			    pw->pw_name[0]));
			buf_adds(out, pw->pw_name[0] == '\0' ? "" :
			    pw->pw_name + 1);
		} else if ((unsigned char)*p >= ' ' && *p != 0x7F)
			buf_addc(out, *p);
}

static void
add_from(const struct inject_submission *s, const struct sendmail_options *o,
    struct buf *out)
{
	struct buf name = BUF_INIT, login = BUF_INIT;

	full_name(o, &name);
	if (s->sender.len == 0)
		inject_login(s->cfg, &login);
	buf_adds(out, "From: ");
	sendmail_mailbox(out, buf_str(&name),
	    s->sender.len == 0 ? buf_str(&login) : buf_str(&s->sender));
	buf_addc(out, '\n');
	buf_release(&name);
	buf_release(&login);
}

/* For header_addresses(). */
struct collect {
	struct inject_submission *s;
	bool	bad;
};

static void
collect(void *arg, const char *addr, size_t len)
{
	struct collect *c = arg;

	if (inject_submission_rcpt(c->s, addr, len) == -1) {
		warnx("\"%.*s\" is not an address", (int)(len < 200 ? len :
		    200), addr);
		c->bad = true;
	}
}

static bool
is_recipient(const struct header *h, bool resent)
{
	if (resent)
		return header_is(h, "Resent-To") ||
		    header_is(h, "Resent-Cc") || header_is(h, "Resent-Bcc");
	return header_is(h, "To") || header_is(h, "Cc") ||
	    header_is(h, "Bcc");
}

/* A message that was sent on by its reader goes to whom he said. */
static bool
is_resent(const char *text, size_t len)
{
	return header_count(text, len, "Resent-To") > 0 ||
	    header_count(text, len, "Resent-Cc") > 0 ||
	    header_count(text, len, "Resent-Bcc") > 0;
}

static int
recipients(struct inject_submission *s, const char *text, size_t len)
{
	struct collect c = { s, false };
	bool resent = is_resent(text, len);
	struct header h;
	size_t pos = 0;

	while (header_next(text, len, &pos, &h)) {
		if (!is_recipient(&h, resent))
			continue;
		if (header_addresses(h.value, h.value_len, ADDRESSES_MAX,
		    collect, &c) == -1 || c.bad) {
			warnx("cannot read the addresses in %.*s:",
			    (int)h.name_len, h.name);
			return EX_DATAERR;
		}
	}
	return EX_OK;
}

/* Everything but what must not be seen; header[0, len) is the block. */
static void
copy_header(struct inject_submission *s, const struct sendmail_options *o,
    const char *text, size_t len)
{
	struct header h;
	size_t pos = 0;

	if (header_count(text, len, "From") == 0)
		add_from(s, o, &s->head);
	while (header_next(text, len, &pos, &h))
		if (!o->from_header || !(header_is(&h, "Bcc") ||
		    header_is(&h, "Resent-Bcc")))
			buf_add(&s->head, h.start, h.len);
	/* The separator; a body that begins without one gets it. */
	buf_addc(&s->head, '\n');
}

/*
 * Length of a mailbox file's "From " line at the beginning, which is none of
 * ours.
 */
static size_t
mbox_line(const char *text, size_t len)
{
	const char *lf;
	size_t quote = len > 0 && text[0] == '>';

	if (len < 5 + quote || memcmp(text + quote, "From ", 5) != 0)
		return 0;
	lf = memchr(text, '\n', len);
	return lf == NULL ? 0 : (size_t)(lf - text) + 1;
}

int
sendmail_header(struct inject_submission *s, const struct sendmail_options *o)
{
	struct buf *in = &s->input.memory;
	size_t len;
	int status;

	buf_shift(in, mbox_line(buf_str(in), in->len));
	len = header_end(buf_str(in), in->len);
	if (len > INJECT_HEADER_MAX) {
		warnx("header too large");
		return EX_DATAERR;
	}
	if (o->from_header) {
		status = recipients(s, buf_str(in), len);
		if (status != EX_OK)
			return status;
	}
	copy_header(s, o, buf_str(in), len);
	buf_shift(in, len);
	return EX_OK;
}
