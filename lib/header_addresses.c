/*
 * header_addresses.c - finds the addresses in To, Cc and Bcc (RFC 5322 section
 * 3.4), as people and scripts write them.  Whether one is good is asked of
 * address.c; here it only has to be found.  Nothing recurses.
 *
 * A library: runs in sendmail, as the caller.
 */
#include <string.h>

#include "header.h"

#define ADDRESS_MAX	1024	/* bytes of one address as written */

struct list {
	const char *p, *end;
	struct buf addr;	/* what was read of the current mailbox */
	bool	phrase;		/* it has two words: a name, not an address */
	bool	group;		/* between "name:" and ";" */
	bool	emitted;	/* the current mailbox had its <...> */
	size_t	left;		/* how many more are allowed */
	void	(*fn)(void *, const char *, size_t);
	void	*arg;
};

/*
 * Steps over blanks, folds and (nested (comments)). Returns -1 if one stays
 * open; else whether there was any.
 */
static int
skip_blanks(struct list *l)
{
	const char *start = l->p;
	size_t depth = 0;

	for (; l->p < l->end; l->p++) {
		if (depth > 0 && *l->p == '\\' && l->p + 1 < l->end)
			l->p++;
		else if (*l->p == '(')
			depth++;
		else if (depth > 0 && *l->p == ')')
			depth--;
		else if (depth == 0 && strchr(" \t\r\n", *l->p) == NULL)
			break;
	}
	return depth > 0 ? -1 : l->p != start;
}

/* Copies up to and with `close`; a backslash hides the next byte. */
static int
copy_until(struct list *l, char close)
{
	buf_addc(&l->addr, *l->p++);
	while (l->p < l->end && *l->p != close) {
		if (*l->p == '\\' && l->p + 1 < l->end)
			buf_addc(&l->addr, *l->p++);
		if (*l->p != '\n')
			buf_addc(&l->addr, *l->p);
		l->p++;
	}
	if (l->p == l->end)
		return -1;
	buf_addc(&l->addr, *l->p++);
	return 0;
}

/* One atom, quoted string or literal. */
static int
copy_word(struct list *l)
{
	if (*l->p == '"')
		return copy_until(l, '"');
	if (*l->p == '[')
		return copy_until(l, ']');
	/* A NUL, which strchr() finds too, is none either. */
	if (strchr(")]>\\", *l->p) != NULL)
		return -1;
	buf_addc(&l->addr, *l->p++);
	return 0;
}

static int
emit(struct list *l)
{
	if (!buf_ok(&l->addr) || l->addr.len == 0 || l->left-- == 0)
		return -1;
	l->fn(l->arg, l->addr.data, l->addr.len);
	buf_reset(&l->addr);
	return 0;
}

/* "<address>": what was read before was only a name. */
static int
angle(struct list *l)
{
	if (l->emitted)
		return -1;
	buf_reset(&l->addr);
	l->p++;
	for (;;) {
		if (skip_blanks(l) == -1 || l->p == l->end)
			return -1;
		if (*l->p == '>')
			break;
		if (*l->p == '<' || copy_word(l) == -1)
			return -1;
	}
	l->p++;
	l->emitted = true;
	l->phrase = false;
	return emit(l);
}

/* The mailbox is over: at a comma, a semicolon, or the end. */
static int
finish(struct list *l)
{
	int result = 0;

	if (l->addr.len > 0 || !buf_ok(&l->addr))
		result = l->emitted || l->phrase ? -1 : emit(l);
	buf_reset(&l->addr);
	l->emitted = l->phrase = false;
	return result;
}

/* A blank between two words makes a phrase, but not around '@' and '.'. */
static void
note_blank(struct list *l)
{
	if (l->addr.len > 0 && l->p < l->end &&
	    strchr("@.,;:<", *l->p) == NULL &&
	    strchr("@.", l->addr.data[l->addr.len - 1]) == NULL)
		l->phrase = true;
}

/* Takes what stands at l->p. */
static int
step(struct list *l)
{
	switch (*l->p) {
	case '<':
		return angle(l);
	case ',':
		l->p++;
		return finish(l);
	case ';':
		l->p++;
		if (!l->group)
			return -1;
		l->group = false;
		return finish(l);
	case ':':
		l->p++;
		if (l->group || l->emitted || l->addr.len == 0)
			return -1;
		l->group = true;
		l->phrase = false;
		buf_reset(&l->addr);
		return 0;
	default:
		return copy_word(l);
	}
}

int
header_addresses(const char *value, size_t len, size_t max,
    void (*fn)(void *, const char *, size_t), void *arg)
{
	struct list l = { value, value + len, BUF_CAPPED(ADDRESS_MAX),
	    false, false, false, max, fn, arg };
	int result = 0;

	while (result == 0) {
		int blanks = skip_blanks(&l);

		if (blanks == -1) {
			result = -1;
			break;
		}
		if (blanks)
			note_blank(&l);
		if (l.p == l.end) {
			result = finish(&l);
			break;
		}
		result = step(&l);
	}
	buf_release(&l.addr);
	return result;
}
