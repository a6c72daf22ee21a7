/*
 * test_eol.c - what a line is, tried on every string there is (up to a length)
 * over the five bytes that matter, against an oracle that looks at the whole
 * string at once; and on the fake ends that SMTP smuggling uses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "eol.h"

#define LONGEST	6

static const char alphabet[] = { 'a', '.', '\r', '\n', '\0' };

/* Calls fn for each of the strings of up to LONGEST bytes. */
static void
each_string(void (*fn)(const char *, size_t))
{
	char s[LONGEST];
	unsigned count = 1;

	for (size_t n = 0; n <= LONGEST; n++, count *= 5)
		for (unsigned i = 0; i < count; i++) {
			unsigned rest = i;

			for (size_t k = 0; k < n; k++, rest /= 5)
				s[k] = alphabet[rest % 5];
			fn(s, n);
		}
}

/* ---- the oracle: may look back and ahead ---- */

static bool
is_cr(const char *s, size_t n, size_t i)	/* i may be (size_t)-1 */
{
	return i < n && s[i] == '\r';
}

/* Is s[i] the LF of a line end? */
static bool
ends_line(const char *s, size_t n, size_t i)
{
	return i < n && s[i] == '\n' && is_cr(s, n, i - 1) &&
	    !is_cr(s, n, i - 2);
}

/* Does a line begin at i? */
static bool
begins_line(const char *s, size_t n, size_t i)
{
	return i == 0 || ends_line(s, n, i - 1);
}

/* The number of bytes up to and with the end mark; 0: it has none. */
static size_t
oracle_end(const char *s, size_t n)
{
	for (size_t i = 0; i + 3 <= n; i++)
		if (begins_line(s, n, i) && memcmp(s + i, ".\r\n", 3) == 0)
			return i + 3;
	return 0;
}

static bool
oracle_bad(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n' && !ends_line(s, n, i))
			return true;
		if (s[i] == '\r' && i + 1 < n && !ends_line(s, n, i + 1))
			return true;
		/* the second of two is known at once */
		if (s[i] == '\r' && is_cr(s, n, i - 1))
			return true;
	}
	return false;
}

#define EVERYWHERE	UINT_MAX

/* Decodes s, split before byte i for each bit i of `splits`. */
static size_t
decode(struct dot_in *d, const char *s, size_t n, unsigned splits,
    struct buf *out)
{
	size_t from = 0, used = 0;

	dot_in_init(d);
	buf_reset(out);
	for (size_t i = 1; i <= n && !d->done; i++)
		if (i == n || splits == EVERYWHERE ||
		    (i < 32 && (splits >> i & 1))) {
			used += dot_in(d, s + from, i - from, out);
			from = i;
		}
	return used;
}

static void
check_decoder(const char *s, size_t n)
{
	struct buf out = BUF_INIT, parts = BUF_INIT;
	struct dot_in d, p;
	size_t end = oracle_end(s, n), seen = end == 0 ? n : end;
	size_t used = decode(&d, s, n, 0, &out);

	assert_int_equal(d.done, end != 0);
	assert_int_equal(used, seen);
	assert_int_equal(d.bad_eol, oracle_bad(s, seen));
	assert_int_equal(d.nul, seen > 0 && memchr(s, '\0', seen) != NULL);
	for (unsigned splits = 2; n > 0 && splits < 1u << n; splits += 2) {
		assert_int_equal(decode(&p, s, n, splits, &parts), used);
		assert_int_equal(p.done, d.done);
		assert_int_equal(p.bad_eol, d.bad_eol);
		assert_int_equal(p.nul, d.nul);
		assert_int_equal(p.state, d.state);
		assert_string_equal(buf_str(&parts), buf_str(&out));
		assert_int_equal(parts.len, out.len);
	}
	buf_release(&out);
	buf_release(&parts);
}

static void
any_split_decodes_the_same_and_as_the_oracle_says(void **state)
{
	(void)state;
	each_string(check_decoder);
}

static unsigned
count_ends(const struct buf *wire)
{
	const char *p = wire->data, *end = wire->data + wire->len;
	unsigned n = wire->len >= 3 && memcmp(p, ".\r\n", 3) == 0;

	for (; (p = memmem(p, (size_t)(end - p), "\r\n.\r\n", 5)) != NULL; p++)
		n++;
	return n;
}

static void
encode(struct dot_out *d, const char *s, size_t n, bool lenient,
    struct buf *wire)
{
	dot_out_init(d, true, lenient);
	for (size_t i = 0; i < n; i++)
		dot_out(d, s + i, 1, wire);
	dot_out_end(d, wire);
}

static void
check_encoder(const char *s, size_t n)
{
	struct buf wire = BUF_INIT, whole = BUF_INIT, back = BUF_INIT;
	struct dot_out out, at_once;
	struct dot_in in;
	bool odd = n > 0 && (memchr(s, '\r', n) != NULL ||
	    memchr(s, '\0', n) != NULL);

	encode(&out, s, n, false, &wire);
	dot_out_init(&at_once, true, false);
	dot_out(&at_once, s, n, &whole);
	dot_out_end(&at_once, &whole);
	assert_int_equal(out.bad, odd);
	assert_string_equal(buf_str(&wire), buf_str(&whole));
	if (odd)
		assert_int_equal(count_ends(&wire), 0);
	else {
		assert_int_equal(count_ends(&wire), 1);
		dot_in_init(&in);
		assert_int_equal(dot_in(&in, wire.data, wire.len, &back),
		    wire.len);
		assert_true(in.done && !in.bad_eol && !in.nul);
		assert_int_equal(back.len, n + (n > 0 && s[n - 1] != '\n'));
		assert_memory_equal(buf_str(&back), s, n);
	}
	buf_release(&wire);
	buf_release(&whole);
	buf_release(&back);
}

static void
what_is_encoded_ends_once_and_decodes_to_itself(void **state)
{
	(void)state;
	each_string(check_encoder);
}

static void
check_lenient(const char *s, size_t n)
{
	struct buf wire = BUF_INIT, whole = BUF_INIT;
	struct dot_out out, at_once;

	encode(&out, s, n, true, &wire);
	dot_out_init(&at_once, true, true);
	dot_out(&at_once, s, n, &whole);
	dot_out_end(&at_once, &whole);
	assert_false(out.bad);
	assert_int_equal(count_ends(&wire), 1);
	assert_string_equal(wire.data + wire.len - 3, ".\r\n");
	assert_string_equal(wire.data, whole.data);
	assert_int_equal(strlen(wire.data), wire.len);	/* no NUL */
	buf_release(&wire);
	buf_release(&whole);
}

static void
the_lenient_encoder_ends_once_whatever_is_stored(void **state)
{
	(void)state;
	each_string(check_lenient);
}

/* The fake ends of the smuggling scanners; each stands inside a message. */
static const struct {
	const char *bytes;
	size_t	    len;
} fakes[] = {
#define FAKE(s) { s, sizeof(s) - 1 }
	FAKE("\n.\n"), FAKE("\r.\r"), FAKE("\r.\n"), FAKE("\n.\r"),
	FAKE("\n.\r\n"), FAKE("\r\n.\n"), FAKE("\r.\r\n"), FAKE("\r\n.\r"),
	FAKE("\r\n\0.\r\n"), FAKE("\r\n.\0\r\n"), FAKE("\r\n.\r\r\n"),
	FAKE("\r\r\n.\r\r\n"), FAKE("\r\r\n.\r\n"),
};

static void
no_fake_end_ends_the_message_and_each_spoils_it(void **state)
{
	static const char rest[] = "MAIL FROM:<x@y>\r\nDATA\r\n.\r\n";
	struct buf wire = BUF_INIT, out = BUF_INIT;
	struct dot_in d;

	(void)state;
	for (size_t i = 0; i < sizeof(fakes) / sizeof(fakes[0]); i++) {
		buf_reset(&wire);
		buf_adds(&wire, "Subject: x\r\n\r\nhello");
		buf_add(&wire, fakes[i].bytes, fakes[i].len);
		buf_adds(&wire, rest);
		buf_adds(&wire, "QUIT\r\n");
		for (unsigned splits = 0; splits < 2; splits++) {
			assert_int_equal(decode(&d, wire.data, wire.len,
			    splits == 0 ? 0 : EVERYWHERE, &out), wire.len - 6);
			assert_true(d.done);
			assert_true(d.bad_eol || d.nul);
			assert_null(memmem(buf_str(&out), out.len, "\r", 1));
			assert_null(strstr(buf_str(&out), "MAIL"));
		}
	}
	buf_release(&wire);
	buf_release(&out);
}

static const struct {
	const char *stored;
	const char *strict, *plain, *lenient;	/* wire forms; NULL: refused */
} forms[] = {
	{ "",		".\r\n",		"",	".\r\n" },
	{ "a",		"a\r\n.\r\n",		"a\r\n", "a\r\n.\r\n" },
	{ "a\n",	"a\r\n.\r\n",		"a\r\n", "a\r\n.\r\n" },
	{ ".",		"..\r\n.\r\n",		".\r\n", "..\r\n.\r\n" },
	{ ".\n..\na.\n", "..\r\n...\r\na.\r\n.\r\n",
	    ".\r\n..\r\na.\r\n",		"..\r\n...\r\na.\r\n.\r\n" },
	{ "\n\n",	"\r\n\r\n.\r\n",	"\r\n\r\n", "\r\n\r\n.\r\n" },
	{ "a\r\n.b\r\n", NULL,			NULL,	"a\r\n..b\r\n.\r\n" },
	{ "a\rb\n",	NULL,			NULL,	"a\rb\r\n.\r\n" },
	{ "a\r",	NULL,			NULL,	"a\r\n.\r\n" },
};

static void
assert_encodes(const char *stored, bool stuff, bool lenient, const char *wire)
{
	struct buf b = BUF_INIT;
	struct dot_out d;

	dot_out_init(&d, stuff, lenient);
	dot_out(&d, stored, strlen(stored), &b);
	dot_out_end(&d, &b);
	assert_int_equal(d.bad, wire == NULL);
	if (wire != NULL)
		assert_string_equal(buf_str(&b), wire);
	buf_release(&b);
}

static void
stored_forms_have_these_wire_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		assert_encodes(forms[i].stored, true, false, forms[i].strict);
		assert_encodes(forms[i].stored, false, false, forms[i].plain);
		assert_encodes(forms[i].stored, true, true, forms[i].lenient);
	}
}

static void
a_nul_goes_out_as_0x80_when_lenient(void **state)
{
	struct buf b = BUF_INIT;
	struct dot_out d;

	(void)state;
	dot_out_init(&d, true, true);
	dot_out(&d, "a\0\n\0", 4, &b);
	dot_out_end(&d, &b);
	assert_string_equal(b.data, "a\x80\r\n\x80\r\n.\r\n");
	buf_release(&b);
}

static void
the_decoder_strips_one_dot_and_stops_behind_the_mark(void **state)
{
	static const char wire[] = "a\r\n..\r\n.b\r\n\r\n.\r\nQUIT\r\n";
	struct buf out = BUF_INIT;
	struct dot_in d;

	(void)state;
	dot_in_init(&d);
	assert_int_equal(dot_in(&d, wire, strlen(wire), &out),
	    strlen(wire) - strlen("QUIT\r\n"));
	assert_string_equal(out.data, "a\n.\nb\n\n");
	assert_int_equal(dot_in(&d, "x", 1, &out), 0);
	buf_release(&out);
}

/* Longer than the slices both work in, with line ends everywhere around their borders. */
static void
large_messages_survive_the_round_trip(void **state)
{
	struct buf text = BUF_INIT, wire = BUF_INIT, back = BUF_INIT;
	struct dot_out out;
	struct dot_in in;

	(void)state;
	for (unsigned i = 0; i < 4000; i++)
		buf_addf(&text, "%s%*d\n", i % 7 == 0 ? "." : "", i % 97, 1);
	dot_out_init(&out, true, false);
	dot_out(&out, text.data, text.len, &wire);
	dot_out_end(&out, &wire);
	dot_in_init(&in);
	assert_int_equal(dot_in(&in, wire.data, wire.len, &back), wire.len);
	assert_true(in.done && !in.bad_eol && !in.nul);
	assert_int_equal(back.len, text.len);
	assert_memory_equal(back.data, text.data, text.len);
	buf_release(&text);
	buf_release(&wire);
	buf_release(&back);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_split_decodes_the_same_and_as_the_oracle_says),
		cmocka_unit_test(what_is_encoded_ends_once_and_decodes_to_itself),
		cmocka_unit_test(the_lenient_encoder_ends_once_whatever_is_stored),
		cmocka_unit_test(no_fake_end_ends_the_message_and_each_spoils_it),
		cmocka_unit_test(stored_forms_have_these_wire_forms),
		cmocka_unit_test(a_nul_goes_out_as_0x80_when_lenient),
		cmocka_unit_test(the_decoder_strips_one_dot_and_stops_behind_the_mark),
		cmocka_unit_test(large_messages_survive_the_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
