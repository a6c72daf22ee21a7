/*
 * buf_format.c - buf_addf(): text and plain numbers, of which nearly all our
 * formats are made, by ourselves; any other by libc.
 *
 * Runs at every privilege.  No format comes from outside.  libc's printf
 * costs a process with one message six page faults more (INTERNALS 8).
 * Way: everywhere.  From: every program.  To: buf.c.
 */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"

/* Decimal; as printf's "%0<width>": zeros in front, the sign counts. */
static void
add_number(struct buf *b, bool minus, unsigned long long v, size_t width)
{
	char text[sizeof(v) * CHAR_BIT], *end = text + sizeof(text), *p = end;

	do
		*--p = (char)('0' + v % 10);
	while ((v /= 10) > 0 || (size_t)(end - p) + minus < width);
	if (minus)
		*--p = '-';
	buf_add(b, p, (size_t)(end - p));
}

static void
add_signed(struct buf *b, long long v, size_t width)
{
	add_number(b, v < 0, v < 0 ? 0 - (unsigned long long)v :
	    (unsigned long long)v, width);
}

/*
 * One conversion, from behind its "%".  Returns what is behind it, or NULL:
 * it is none of %s %c %d %u %zu, with "l" or "ll", a width of "01" to "09".
 */
static const char *
add_one(struct buf *b, const char *p, va_list *ap)
{
	size_t width = 0;
	unsigned longs = 0;
	const char *s;

	if (p[0] == '0' && p[1] >= '1' && p[1] <= '9') {
		width = (size_t)(p[1] - '0');
		p += 2;
	}
	while (*p == 'l') {
		longs++;
		p++;
	}
	if (*p == 'd')
		add_signed(b, longs == 0 ? va_arg(*ap, int) : longs == 1 ?
		    va_arg(*ap, long) : va_arg(*ap, long long), width);
	else if (*p == 'u')
		add_number(b, false, longs == 0 ? va_arg(*ap, unsigned) :
		    longs == 1 ? va_arg(*ap, unsigned long) :
		    va_arg(*ap, unsigned long long), width);
	else if (width > 0 || longs > 0)
		return NULL;
	else if (*p == 's')
		buf_adds(b, (s = va_arg(*ap, const char *)) == NULL ?
		    "(null)" : s);
	else if (*p == 'c')
		buf_addc(b, (char)va_arg(*ap, int));
	else if (*p == 'z' && *++p == 'u')
		add_number(b, false, va_arg(*ap, size_t), 0);
	else
		return NULL;
	return p + 1;
}

static bool
add_plain(struct buf *b, const char *fmt, va_list *ap)
{
	const char *p;

	for (;;) {
		p = strchrnul(fmt, '%');
		buf_add(b, fmt, (size_t)(p - fmt));
		if (*p == '\0')
			return true;
		if ((fmt = add_one(b, p + 1, ap)) == NULL)
			return false;
	}
}

static void add_by_libc(struct buf *, const char *, va_list)
    __attribute__((format(printf, 2, 0)));

static void
add_by_libc(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	char *to;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	to = buf_room(b, n < 0 ? SIZE_MAX : (size_t)n);
	if (to != NULL) {
		(void)vsnprintf(to, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
}

void
buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
	size_t before = b->len;
	va_list mine;
	bool done;

	va_copy(mine, ap);
	done = add_plain(b, fmt, &mine);
	va_end(mine);
	if (done)
		return;
	if (!b->overflow)
		buf_cut(b, before);
	add_by_libc(b, fmt, ap);
}

void
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(b, fmt, ap);
	va_end(ap);
}
