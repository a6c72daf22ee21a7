/*
 * eol.c - wire form to stored form and back: CRLF and doubled dots.
 *
 * Runs in the processes that talk to strangers; every byte of every message
 * passes here.  Lines are found with memchr and copied whole; only what lies
 * around a line end goes through the states.
 * Way 1, 6 and 8 of 8.  From: smtpd (in), remote and pop3d (out).  To: inject.
 */
#include <stdint.h>
#include <string.h>

#include "eol.h"

#define SLICE	16384		/* bytes worked on at once: fits the cache */

/*
 * The decoder's states, named by what was just read.  Only CR LF leads to
 * AT_LINE, and only there a dot is more than a dot.  AFTER_CRS: of two CRs in
 * a row neither is part of a line end, since hops disagree what CR CR LF is.
 */
enum {
	AT_LINE,		/* the very start, or CRLF */
	IN_LINE,
	AFTER_CR,
	AFTER_CRS,
	AFTER_DOT,		/* a dot, first on its line: not given out */
	AFTER_DOT_CR
};

void
dot_in_init(struct dot_in *d)
{
	memset(d, 0, sizeof(*d));
	d->state = AT_LINE;
}

static bool
is_spoilt(const struct dot_in *d)
{
	return d->bad_eol || d->nul;
}

/* Gives out text without a CR, up to its first bare LF or NUL. */
static char *
put_text(struct dot_in *d, const char *p, size_t n, char *to)
{
	const char *lf = memchr(p, '\n', n);
	const char *nul = memchr(p, '\0', n);
	bool produce = to != NULL && !is_spoilt(d);

	if (lf != NULL) {
		d->bad_eol = true;
		n = (size_t)(lf - p);
	}
	if (nul != NULL) {
		d->nul = true;
		if ((size_t)(nul - p) < n)
			n = (size_t)(nul - p);
	}
	if (!produce)
		return to;
	memcpy(to, p, n);
	return to + n;
}

/* The byte c in any state but AT_LINE and IN_LINE. */
static char *
put_special(struct dot_in *d, char c, char *to)
{
	bool cr = d->state == AFTER_CR || d->state == AFTER_DOT_CR;

	if (cr && c == '\n') {
		d->done = d->state == AFTER_DOT_CR;
		d->state = AT_LINE;
		if (!d->done && to != NULL && !is_spoilt(d))
			*to++ = '\n';
		return to;
	}
	if (d->state == AFTER_DOT && c == '\r') {
		d->state = AFTER_DOT_CR;
		return to;
	}
	if (cr)
		d->bad_eol = true;
	if (c == '\r') {
		d->state = AFTER_CRS;
		return to;
	}
	d->state = IN_LINE;
	return put_text(d, &c, 1, to);
}

/* Decodes up to the end mark; returns what was used, and moves *to. */
static size_t
decode(struct dot_in *d, const char *in, size_t len, char **to)
{
	const char *p = in, *end = in + len, *cr;

	while (p < end && !d->done) {
		if (d->state == AT_LINE && *p == '.') {
			d->state = AFTER_DOT;
			p++;
		} else if (d->state == AT_LINE || d->state == IN_LINE) {
			cr = memchr(p, '\r', (size_t)(end - p));
			d->state = cr == NULL ? IN_LINE : AFTER_CR;
			*to = put_text(d, p,
			    (size_t)((cr == NULL ? end : cr) - p), *to);
			p = cr == NULL ? end : cr + 1;
		} else
			*to = put_special(d, *p++, *to);
	}
	return (size_t)(p - in);
}

/* No byte makes more than one byte, so a slice needs its own length as room. */
size_t
dot_in(struct dot_in *d, const char *in, size_t len, struct buf *out)
{
	size_t used = 0;
	char *start, *to;

	while (used < len && !d->done) {
		size_t n = len - used > SLICE ? SLICE : len - used;

		to = start = is_spoilt(d) ? NULL : buf_room(out, n);
		used += decode(d, in + used, n, &to);
		if (start != NULL) {
			out->len += (size_t)(to - start);
			buf_cut(out, out->len);
		}
	}
	return used;
}

/* ---- stored form to wire form ---- */

void
dot_out_init(struct dot_out *d, bool stuff, bool lenient)
{
	memset(d, 0, sizeof(*d));
	d->bol = true;
	d->stuff = stuff;
	d->lenient = lenient;
}

/* Encodes text that holds neither CR nor NUL. */
static char *
put_lines(struct dot_out *d, const char *p, const char *end, char *to)
{
	const char *lf;
	size_t n;

	while (p < end) {
		if (d->bol && d->stuff && *p == '.')
			*to++ = '.';
		lf = memchr(p, '\n', (size_t)(end - p));
		n = (size_t)((lf == NULL ? end : lf) - p);
		memcpy(to, p, n);
		to += n;
		if ((d->bol = lf != NULL)) {
			if (n > 0 || !d->cr)
				*to++ = '\r';
			*to++ = '\n';
			n++;
		}
		d->cr = false;
		p += n;
	}
	return to;
}

/* The first CR or NUL, or NULL. */
static const char *
find_odd(const char *p, const char *end)
{
	const char *cr = memchr(p, '\r', (size_t)(end - p));
	const char *nul = memchr(p, '\0',
	    (size_t)((cr == NULL ? end : cr) - p));

	return nul == NULL ? cr : nul;
}

static char *
encode(struct dot_out *d, const char *p, const char *end, char *to)
{
	const char *odd;

	while (p < end) {
		odd = find_odd(p, end);
		to = put_lines(d, p, odd == NULL ? end : odd, to);
		if (odd == NULL)
			break;
		if (!d->lenient) {
			d->bad = true;
			break;
		}
		d->cr = *odd == '\r';
		d->bol = false;
		*to++ = d->cr ? '\r' : (char)0x80;
		p = odd + 1;
	}
	return to;
}

/* No byte makes more than two: LF makes CRLF, a dot makes two dots. */
void
dot_out(struct dot_out *d, const char *in, size_t len, struct buf *out)
{
	char *start;
	size_t n;

	while (len > 0 && !d->bad) {
		n = len > SLICE ? SLICE : len;
		if ((start = buf_room(out, 2 * n)) == NULL)
			return;
		out->len += (size_t)(encode(d, in, in + n, start) - start);
		buf_cut(out, out->len);
		in += n;
		len -= n;
	}
}

/* A lenient last line that ends in CR lacks only its LF. */
void
dot_out_end(struct dot_out *d, struct buf *out)
{
	if (d->bad)
		return;
	if (!d->bol)
		buf_adds(out, d->cr ? "\n" : "\r\n");
	d->bol = true;
	d->cr = false;
	if (d->stuff)
		buf_adds(out, ".\r\n");
}
