/*
 * header.c - steps through the fields of a header block, in one pass and
 * without a copy.  The address lists are read in header_addresses.c.
 *
 * A library: runs in inject, sendmail, local, queue, at their privilege.
 */
#include <string.h>

#include "header.h"

#define NAME_MAX_LEN	998	/* RFC 5322 section 2.1.1; no line is longer */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

int
header_begins(const char *line, size_t len)
{
	size_t i = 0;

	while (i < len && line[i] > ' ' && line[i] < 0x7F && line[i] != ':')
		i++;
	if (i == 0 && len > 0)
		return 0;
	while (i < len && i <= NAME_MAX_LEN && is_blank(line[i]))
		i++;
	if (i > NAME_MAX_LEN)
		return 0;
	if (i == len)
		return -1;
	return line[i] == ':';
}

/* Offset behind the line that begins at pos. */
static size_t
line_end(const char *text, size_t len, size_t pos)
{
	const char *lf = memchr(text + pos, '\n', len - pos);

	return lf == NULL ? len : (size_t)(lf - text) + 1;
}

bool
header_next(const char *text, size_t len, size_t *pos, struct header *out)
{
	const char *start = text + *pos, *colon;
	size_t end, lf;

	if (*pos >= len || header_begins(start, len - *pos) != 1)
		return false;
	end = line_end(text, len, *pos);
	while (end < len && is_blank(text[end]))
		end = line_end(text, len, end);
	colon = memchr(start, ':', len - *pos);
	out->start = start;
	out->len = end - *pos;
	out->name = start;
	out->name_len = (size_t)(colon - start);
	while (out->name_len > 0 && is_blank(start[out->name_len - 1]))
		out->name_len--;
	lf = text[end - 1] == '\n';
	out->value = colon + 1;
	out->value_len = (size_t)(text + end - lf - out->value);
	*pos = end;
	return true;
}

bool
header_is(const struct header *h, const char *name)
{
	return strlen(name) == h->name_len &&
	    strncasecmp(h->name, name, h->name_len) == 0;
}

size_t
header_end(const char *text, size_t len)
{
	struct header h;
	size_t pos = 0;

	while (header_next(text, len, &pos, &h))
		continue;
	return pos < len && text[pos] == '\n' ? pos + 1 : pos;
}

unsigned
header_count(const char *text, size_t len, const char *name)
{
	struct header h;
	size_t pos = 0;
	unsigned n = 0;

	while (header_next(text, len, &pos, &h))
		n += header_is(&h, name);
	return n;
}

void
header_unfold(const struct header *h, struct buf *out)
{
	const char *p = h->value, *end = p + h->value_len;

	while (p < end && (is_blank(*p) || *p == '\n'))
		p++;
	while (p < end && (is_blank(end[-1]) || end[-1] == '\n'))
		end--;
	for (; p < end; p++)
		if (*p != '\n')
			buf_addc(out, *p);
}
