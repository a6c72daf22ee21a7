/*
 * envelope_line.c - takes one line of a queue file apart: words, numbers,
 * times, values and key=value pairs.  For envelope_parse.c alone.
 *
 * A library: runs in queue (facteur-queue) and in the administrator's tools.
 * Way 4 of 8.  From: envelope_parse.c.  To: envelope_parse.c.
 */
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "date.h"
#include "envelope_line.h"

int
text_hex(char c)
{
	const char *digits = "0123456789ABCDEF0123456789abcdef", *found;

	found = c == '\0' ? NULL : strchr(digits, c);
	return found == NULL ? -1 : (int)((found - digits) % 16);
}

/* A value without its %XX, for the caller to free; NULL: malformed. */
static char *
decode(const char *s, size_t len)
{
	char *out = xmalloc(len + 1);
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '%') {
			int high = i + 2 < len ? text_hex(s[i + 1]) : -1;
			int low = i + 2 < len ? text_hex(s[i + 2]) : -1;

			c = high < 0 || low < 0 ? 0 :
			    (unsigned char)(high << 4 | low);
			i += 2;
		}
		if (c < ' ' || c == 0x7F) {
			free(out);
			return NULL;
		}
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return out;
}

/* The next word, which one blank or the line's end follows. */
bool
line_word(struct env_line *c, const char **s, size_t *len)
{
	const char *blank;

	if (c->p == c->end)
		return false;
	*s = c->p;
	blank = memchr(c->p, ' ', (size_t)(c->end - c->p));
	*len = (size_t)((blank == NULL ? c->end : blank) - c->p);
	c->p = blank == NULL ? c->end : blank + 1;
	return *len > 0;
}

/* A decimal number without leading zeros, at most max. */
bool
text_number(const char *s, size_t len, unsigned max, unsigned *out)
{
	uint64_t n = 0;

	if (len == 0 || len > 10 || (s[0] == '0' && len > 1))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(s[i] - '0');
	}
	*out = (unsigned)n;
	return n <= max;
}

bool
line_number(struct env_line *c, unsigned max, unsigned *out)
{
	const char *s;
	size_t len;

	return line_word(c, &s, &len) && text_number(s, len, max, out);
}

bool
line_time(struct env_line *c, int64_t *out)
{
	const char *s;
	size_t len;

	return line_word(c, &s, &len) && date_iso_parse(s, len, out) == 0;
}

/* Puts a decoded value in place of an older one. */
bool
text_set(char **field, const char *s, size_t len)
{
	char *value = decode(s, len);

	if (value == NULL)
		return false;
	free(*field);
	*field = value;
	return true;
}

/* "<address>" */
bool
text_set_address(char **field, const char *s, size_t len)
{
	return len >= 2 && s[0] == '<' && s[len - 1] == '>' &&
	    text_set(field, s + 1, len - 2);
}

/* The next pair. 1, 0 at the line's end, -1 malformed. */
int
line_pair(struct env_line *c, struct env_pair *out)
{
	const char *equals;
	size_t len;

	if (c->p == c->end)
		return 0;
	if (!line_word(c, &out->key, &len) ||
	    (equals = memchr(out->key, '=', len)) == NULL)
		return -1;
	out->key_len = (size_t)(equals - out->key);
	out->value = equals + 1;
	out->len = len - out->key_len - 1;
	return 1;
}

bool
pair_is(const struct env_pair *p, const char *key)
{
	return p->key_len == strlen(key) &&
	    memcmp(p->key, key, p->key_len) == 0;
}

bool
pair_value_is(const struct env_pair *p, const char *value)
{
	return p->len == strlen(value) &&
	    memcmp(p->value, value, p->len) == 0;
}

/*
 * "text" up to the line's end: what log_quote() wrote.  Only \" and \\ are
 * undone; \xNN stays as it is, so that no control byte comes back to life.
 */
bool
text_set_quoted(char **field, const char *s, size_t len)
{
	char *out;
	size_t n = 0;

	if (len < 2 || s[0] != '"' || s[len - 1] != '"')
		return false;
	out = xmalloc(len);
	for (size_t i = 1; i < len - 1; i++) {
		if (s[i] == '\\' && (s[i + 1] == '\\' || s[i + 1] == '"') &&
		    i + 1 < len - 1)
			i++;
		out[n++] = s[i];
	}
	out[n] = '\0';
	free(*field);
	*field = out;
	return true;
}
