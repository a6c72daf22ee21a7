/*
 * reply.c - what a server says (RFC 5321 section 4.2), line by line.
 *
 * Runs as facteur-remote, on a stranger's bytes; fuzzed alone.  Whatever is
 * not a well-formed reply is REPLY_BAD, which can only ever defer.
 * Way 6 of 8.  From: remote/client.c.  To: outcomes, and from there logs and
 * bounces: so the text is made printable here.
 */
#include <string.h>

#include "address.h"
#include "remote.h"

void
reply_init(struct reply *r)
{
	memset(r, 0, sizeof(*r));
}

void
reply_reset(struct reply *r)
{
	r->code = 0;
	r->enh[0] = '\0';
	r->lines = 0;
	buf_reset(&r->text);
}

void
reply_release(struct reply *r)
{
	buf_release(&r->text);
	reply_init(r);
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Three digits and a separator or nothing; -1: no reply code. */
static int
parse_code(const char *line, size_t len)
{
	if (len < 3 || line[0] < '2' || line[0] > '5' ||
	    !is_digit(line[1]) || !is_digit(line[2]))
		return -1;
	if (len > 3 && line[3] != ' ' && line[3] != '-')
		return -1;
	return (line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0';
}

static size_t
digits(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && is_digit(s[n]))
		n++;
	return n;
}

/*
 * Length of "C.DDD.DDD" at the start of s with class C (RFC 3463), which must
 * end at a blank or with the text; 0: there is none.
 */
static size_t
enhanced_len(const char *s, size_t len, int class)
{
	size_t at = 2, n;

	if (len < 5 || s[0] != '0' + class || s[1] != '.')
		return 0;
	n = digits(s + at, len - at);
	if (n < 1 || n > 3 || (at += n) >= len || s[at] != '.')
		return 0;
	at++;
	n = digits(s + at, len - at);
	if (n < 1 || n > 3)
		return 0;
	at += n;
	return at == len || s[at] == ' ' ? at : 0;
}

/* Appends text without control bytes; UTF-8 stays if it is well-formed. */
static void
add_printable(struct buf *out, const char *s, size_t len)
{
	bool utf8 = is_utf8(s, len);

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '\t')
			buf_addc(out, ' ');
		else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8))
			buf_addc(out, '?');
		else
			buf_addc(out, s[i]);
	}
	buf_addc(out, '\n');
}

enum reply_state
reply_line(struct reply *r, const char *line, size_t len)
{
	int code = parse_code(line, len);
	bool more = len > 3 && line[3] == '-';
	size_t skip = len > 3 ? 4 : 3, n;

	if (code == -1 || len > REPLY_LINE || r->lines >= REPLY_LINES)
		return REPLY_BAD;
	if (r->lines > 0 && code != r->code)
		return REPLY_BAD;
	line += skip;
	len -= skip;
	n = enhanced_len(line, len, code / 100);
	if (r->lines++ == 0) {
		r->code = code;
		memcpy(r->enh, line, n);
		r->enh[n] = '\0';
	}
	/* The same code on each line would only be in the way of reading. */
	if (n > 0 && n == strlen(r->enh) && memcmp(line, r->enh, n) == 0) {
		line += n;
		len -= n;
		while (len > 0 && *line == ' ') {
			line++;
			len--;
		}
	}
	add_printable(&r->text, line, len);
	return more ? REPLY_MORE : REPLY_DONE;
}

void
reply_text(const struct reply *r, char *out, size_t size)
{
	struct buf b = BUF_INIT;
	size_t cut;

	buf_addf(&b, "%d", r->code);
	if (r->enh[0] != '\0')
		buf_addf(&b, " %s", r->enh);
	if (r->text.len > 1) {
		buf_addc(&b, ' ');
		buf_add(&b, r->text.data, r->text.len - 1);
	}
	for (size_t i = 0; i < b.len; i++)
		if (b.data[i] == '\n')
			b.data[i] = ' ';
	/* Not through the middle of a UTF-8 character. */
	cut = b.len < size ? b.len : size - 1;
	while (cut < b.len && cut > 0 && (b.data[cut] & 0xc0) == 0x80)
		cut--;
	buf_cut(&b, cut);
	(void)strlcpy(out, buf_str(&b), size);
	buf_release(&b);
}
