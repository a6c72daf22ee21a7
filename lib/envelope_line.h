/*
 * envelope_line.h - the words of one line of a queue file; private to
 * envelope_parse.c and envelope_line.c.
 */
#ifndef LIB_ENVELOPE_LINE_H
#define LIB_ENVELOPE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One line while it is taken apart, without its LF; every step moves p. */
struct env_line {
	const char *p;
	const char *end;
};

/* "key=value", both still as they stand in the line. */
struct env_pair {
	const char *key, *value;
	size_t key_len, len;
};

/* Each gives false for what is absent or malformed. */
bool	line_word(struct env_line *, const char **s, size_t *len);
bool	line_number(struct env_line *, unsigned max, unsigned *out);
bool	line_time(struct env_line *, int64_t *usec_out);
/* The next pair: 1, 0 at the line's end, -1 malformed. */
int	line_pair(struct env_line *, struct env_pair *out);
bool	pair_is(const struct env_pair *, const char *key);
bool	pair_value_is(const struct env_pair *, const char *value);

/* A decimal number without leading zeros, at most max. */
bool	text_number(const char *s, size_t len, unsigned max, unsigned *out);
/* 0 to 15, or -1. */
int	text_hex(char);
/*
 * Decodes %XX and puts the value (owned) in place of the older one. False:
 * malformed, or a control byte in it.
 */
bool	text_set(char **field, const char *s, size_t len);
/* The same for "<address>". */
bool	text_set_address(char **field, const char *s, size_t len);
/* The same for "text" as log_quote() writes it. */
bool	text_set_quoted(char **field, const char *s, size_t len);
#endif
