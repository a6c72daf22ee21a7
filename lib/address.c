/*
 * address.c - the one parser of mail addresses: a mailbox, or the path of
 * MAIL and RCPT, in; the canonical form, or a refusal, out.
 *
 * A library: runs in every program, at its privilege.
 */
#include <arpa/inet.h>

#include <string.h>

#include "address.h"
#include "ascii.h"

/* What is left to read. */
struct view {
	const char *p;
	const char *end;
};

/* RFC 5321 section 4.1.2 with RFC 6531: may it stand in an unquoted word? */
static bool
is_atext(char c)
{
	unsigned char u = (unsigned char)c;

	return u >= 0x80 || ascii_is_alnum(c) ||
	    (u != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", u) != NULL);
}

static bool
is_dot_string(const char *s, size_t len)
{
	bool dot = true;	/* a word must begin here */

	for (size_t i = 0; i < len; i++) {
		if (s[i] == '.' ? dot : !is_atext(s[i]))
			return false;
		dot = s[i] == '.';
	}
	return !dot;
}

/* Letters, digits, hyphens within labels, and whatever `utf8` lets in. */
static bool
is_domain_name(const char *s, size_t len, size_t max, bool utf8)
{
	size_t label = 0;

	if (len == 0 || len > max)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		bool last = i + 1 == len || s[i + 1] == '.';

		if (c == '.') {
			if (label == 0 || last)
				return false;
			label = 0;
			continue;
		}
		if (c == '-' ? label == 0 || last :
		    !ascii_is_alnum(s[i]) && c != '_' && !(utf8 && c >= 0x80))
			return false;
		if (++label > 63 && !utf8)
			return false;
	}
	return true;
}

bool
is_hostname(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] >= 0x80)
			return false;
	return is_domain_name(s, len, 253, false);
}

/* [1.2.3.4] or [IPv6:2001:db8::1]; the tag's case is made regular. */
static enum addr_result
literal(const char *s, size_t len, struct buf *out)
{
	static const char tag[] = "IPv6:";
	char text[INET6_ADDRSTRLEN + sizeof(tag)];
	unsigned char addr[sizeof(struct in6_addr)];
	bool v6;

	if (len < 2 || s[len - 1] != ']' || len - 2 >= sizeof(text))
		return ADDR_SYNTAX;
	memcpy(text, s + 1, len - 2);
	text[len - 2] = '\0';
	v6 = ascii_same(text, tag, sizeof(tag) - 1);
	if (strlen(text) != len - 2 || inet_pton(v6 ? AF_INET6 : AF_INET,
	    v6 ? text + sizeof(tag) - 1 : text, addr) != 1)
		return ADDR_SYNTAX;
	buf_addc(out, '[');
	if (v6)
		buf_adds(out, tag);
	for (const char *p = v6 ? text + sizeof(tag) - 1 : text; *p; p++)
		buf_addc(out, ascii_lower(*p));
	buf_addc(out, ']');
	return ADDR_OK;
}

static enum addr_result
domain(const char *s, size_t len, struct buf *out)
{
	bool utf8 = false;

	if (len > 0 && s[0] == '[')
		return literal(s, len, out);
	if (len > 1 && s[len - 1] == '.')
		len--;
	for (size_t i = 0; i < len; i++)
		utf8 |= (unsigned char)s[i] >= 0x80;
	/* ASCII names have 253 octets at most: DNS itself cannot hold more. */
	if (len > (utf8 ? ADDR_DOMAIN_MAX : 253))
		return ADDR_TOO_LONG;
	if (!is_domain_name(s, len, ADDR_DOMAIN_MAX, utf8))
		return ADDR_SYNTAX;
	for (size_t i = 0; i < len; i++)
		buf_addc(out, s[i] >= 'A' && s[i] <= 'Z' ?
		    (char)(s[i] + 'a' - 'A') : s[i]);
	return ADDR_OK;
}

/* Reads "quoted string" from v, appending what it stands for. */
static enum addr_result
quoted_string(struct view *v, struct buf *out)
{
	for (v->p++; v->p < v->end && *v->p != '"'; v->p++) {
		if (*v->p == '\\' && ++v->p == v->end)
			return ADDR_SYNTAX;
		buf_addc(out, *v->p);
	}
	if (v->p == v->end)
		return ADDR_SYNTAX;
	v->p++;
	if (!buf_ok(out))
		return ADDR_TOO_LONG;
	return out->len > 0 ? ADDR_OK : ADDR_SYNTAX;	/* "" is nobody */
}

/* Appends a local part given without quotes, with quotes if it needs them. */
static void
add_local(struct buf *out, const char *s, size_t len)
{
	if (is_dot_string(s, len)) {
		buf_add(out, s, len);
		return;
	}
	buf_addc(out, '"');
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '"' || s[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, s[i]);
	}
	buf_addc(out, '"');
}

static enum addr_result
local_part(struct view *v, struct buf *out)
{
	struct buf plain = BUF_CAPPED(2 * ADDR_LOCAL_MAX);
	const char *start = v->p;
	enum addr_result result = ADDR_OK;
	size_t before = out->len;

	if (v->p < v->end && *v->p == '"')
		result = quoted_string(v, &plain);
	else {
		while (v->p < v->end && (is_atext(*v->p) || *v->p == '.'))
			v->p++;
		if (!is_dot_string(start, (size_t)(v->p - start)))
			result = ADDR_SYNTAX;
		buf_add(&plain, start, (size_t)(v->p - start));
	}
	if (result == ADDR_OK && !buf_ok(&plain))
		result = ADDR_TOO_LONG;
	if (result == ADDR_OK) {
		add_local(out, plain.data, plain.len);
		if (out->len - before > ADDR_LOCAL_MAX)
			result = ADDR_TOO_LONG;
	}
	buf_release(&plain);
	return result;
}

static enum addr_result
mailbox(const char *s, size_t len, unsigned flags, struct buf *out)
{
	struct view v = { s, s + len };
	enum addr_result result = local_part(&v, out);

	if (result != ADDR_OK)
		return result;
	if (v.p == v.end)
		return flags & ADDR_ALLOW_BARE ? ADDR_OK : ADDR_NO_DOMAIN;
	if (*v.p++ != '@')
		return ADDR_SYNTAX;
	buf_addc(out, '@');
	return domain(v.p, (size_t)(v.end - v.p), out);
}

/* Control bytes of both kinds: C0 and DEL, and U+0080 to U+009F. */
static bool
has_control(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c < ' ' || c == 0x7F || (c == 0xC2 && i + 1 < len &&
		    (unsigned char)s[i + 1] < 0xA0))
			return true;
	}
	return false;
}

static bool
is_ascii(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] >= 0x80)
			return false;
	return true;
}

static enum addr_result
check_bytes(const char *s, size_t len, unsigned flags)
{
	if (has_control(s, len) || !is_utf8(s, len))
		return ADDR_SYNTAX;
	return flags & ADDR_ALLOW_UTF8 || is_ascii(s, len) ? ADDR_OK :
	    ADDR_UTF8;
}

enum addr_result
address_parse(const char *s, size_t len, unsigned flags, struct buf *out)
{
	size_t before = out->len;
	enum addr_result result = check_bytes(s, len, flags);

	if (result == ADDR_OK)
		result = mailbox(s, len, flags, out);
	if (result != ADDR_OK)
		buf_cut(out, before);
	return result;
}

/* Offset of the '>' that ends the path which begins at s[0]; len: none. */
static size_t
path_end(const char *s, size_t len)
{
	bool quoted = false;

	for (size_t i = 1; i < len; i++) {
		if (quoted && s[i] == '\\')
			i++;
		else if (s[i] == '"')
			quoted = !quoted;
		else if (s[i] == '>' && !quoted)
			return i;
	}
	return len;
}

/* Steps over "@a,@b:"; RFC 5321 appendix C: accepted, checked, forgotten. */
static enum addr_result
skip_route(struct view *v)
{
	struct buf hop = BUF_INIT;
	enum addr_result result = ADDR_SYNTAX;

	while (v->p < v->end && *v->p == '@') {
		const char *start = ++v->p, *stop = ",:";

		if (v->p < v->end && *v->p == '[')
			stop = "]";	/* an address has colons of its own */
		while (v->p < v->end && strchr(stop, *v->p) == NULL)
			v->p++;
		if (*stop == ']' && v->p < v->end)
			v->p++;
		result = domain(start, (size_t)(v->p - start), &hop);
		if (result == ADDR_OK && v->p == v->end)
			result = ADDR_SYNTAX;
		if (result != ADDR_OK || *v->p++ == ':')
			break;
		result = ADDR_SYNTAX;	/* a comma: another must follow */
	}
	buf_release(&hop);
	return result;
}

enum addr_result
address_path(const char *s, size_t len, unsigned flags, struct buf *out,
    size_t *used_out)
{
	struct view v;
	size_t end;

	if (len == 0 || s[0] != '<' || (end = path_end(s, len)) == len)
		return ADDR_SYNTAX;
	*used_out = end + 1;
	v = (struct view){ s + 1, s + end };
	if (v.p == v.end)
		return ADDR_OK;		/* <> */
	if (*v.p == '@') {
		enum addr_result result = check_bytes(s, end, flags);

		if (result == ADDR_OK)
			result = skip_route(&v);
		if (result != ADDR_OK)
			return result;
	}
	return address_parse(v.p, (size_t)(v.end - v.p), flags, out);
}

size_t
address_local_len(const char *address)
{
	const char *p = address;

	if (*p != '"')
		return (size_t)(strchrnul(p, '@') - p);
	for (p++; *p != '\0' && *p != '"'; p++)
		if (*p == '\\' && p[1] != '\0')
			p++;
	return (size_t)(p - address) + (*p == '"');
}

const char *
address_domain(const char *address)
{
	const char *p = address + address_local_len(address);

	return *p == '@' ? p + 1 : NULL;
}

void
address_unquote_local(const char *address, struct buf *out)
{
	size_t len = address_local_len(address);

	if (address[0] != '"') {
		buf_add(out, address, len);
		return;
	}
	for (size_t i = 1; i + 1 < len; i++) {
		if (address[i] == '\\' && i + 2 < len)
			i++;
		buf_addc(out, address[i]);
	}
}
