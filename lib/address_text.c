/*
 * address_text.c - how an address may be spelled on the wire: UTF-8 (RFC 3629)
 * and xtext (RFC 3461 section 4).
 *
 * A library: runs in every program, at its privilege.
 */
#include "address.h"

bool
is_utf8(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s, *end = p + len;

	while (p < end) {
		unsigned char c = *p++, low = 0x80, high = 0xBF;
		int more;

		if (c < 0x80)
			continue;
		if (c < 0xC2 || c > 0xF4)
			return false;
		more = c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
		if (c == 0xE0)
			low = 0xA0;	/* overlong */
		else if (c == 0xED)
			high = 0x9F;	/* surrogates */
		else if (c == 0xF0)
			low = 0x90;	/* overlong */
		else if (c == 0xF4)
			high = 0x8F;	/* above U+10FFFF */
		for (; more > 0; more--, low = 0x80, high = 0xBF)
			if (p == end || *p < low || *p++ > high)
				return false;
	}
	return true;
}

/* Value of an upper-case hex digit, or -1: RFC 3461 allows no other. */
static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int
xtext_decode(const char *s, size_t len, struct buf *out)
{
	size_t before = out->len;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '+') {
			int high = i + 2 < len ? hex_digit(s[i + 1]) : -1;
			int low = i + 2 < len ? hex_digit(s[i + 2]) : -1;

			if (high < 0 || low < 0)
				goto bad;
			c = (unsigned char)(high << 4 | low);
			i += 2;
			if (c < ' ' || c == 0x7F)
				goto bad;
		} else if (c <= ' ' || c >= 0x7F || c == '=')
			goto bad;
		buf_addc(out, (char)c);
	}
	return 0;
bad:
	buf_cut(out, before);
	return -1;
}

void
xtext_encode(const char *s, struct buf *out)
{
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c > ' ' && c < 0x7F && c != '+' && c != '=')
			buf_addc(out, *s);
		else
			buf_addf(out, "+%02X", c);
	}
}
