/*
 * test_buf.c - the byte string: always ended, never past its cap, and empty
 * for good once it would have been.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include <cmocka.h>

#include "buf.h"

static void
appends_add_up_and_end_in_nul(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	assert_string_equal(buf_str(&b), "");
	buf_adds(&b, "one");
	buf_addc(&b, ' ');
	buf_addf(&b, "%s-%d", "two", 3);
	buf_add(&b, "\0x", 2);
	assert_int_equal(b.len, 11);
	assert_memory_equal(b.data, "one two-3\0x", 12);
	buf_release(&b);
}

static void
long_formats_are_not_cut(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	for (int width = 1; width < 300; width++) {
		buf_reset(&b);
		buf_adds(&b, "x");
		buf_addf(&b, "%*d", width, 7);
		assert_int_equal(b.len, width + 1);
		assert_int_equal(strlen(b.data), b.len);
		assert_int_equal(b.data[width], '7');
		if (width % 50 == 0)
			buf_release(&b);
	}
	buf_release(&b);
}

/* What buf_addf() and snprintf() make of the same. */
#define SAME(...) \
	do { \
		struct buf got = BUF_INIT; \
		char wanted[200]; \
		buf_addf(&got, __VA_ARGS__); \
		(void)snprintf(wanted, sizeof(wanted), __VA_ARGS__); \
		assert_string_equal(buf_str(&got), wanted); \
		assert_int_equal(got.len, strlen(wanted)); \
		buf_release(&got); \
	} while (0)

static void
formats_mean_what_they_mean_to_printf(void **state)
{
	const char *none = *state;	/* no constant */

	SAME("nothing");
	SAME("%s", "");
	SAME("%s%s|%c%%", "a", "bc", 'd');
	SAME("<%s>", none);
	SAME("%d %d %d %u", 0, INT_MIN, INT_MAX, UINT_MAX);
	SAME("%ld %ld %lu", LONG_MIN, LONG_MAX, ULONG_MAX);
	SAME("%lld %lld %llu", LLONG_MIN, LLONG_MAX, ULLONG_MAX);
	SAME("%zu %zu", (size_t)0, SIZE_MAX);
	for (int n = -12345; n <= 12345; n += 9) {
		SAME("%02d %04d %09d", n, n, n);
		SAME("%03u|%02ld|%05llu", (unsigned)n, (long)n,
		    (unsigned long long)n);
	}
	SAME("%s and %x, %5d, %-5d|%+d, %.2s", "plain", 255, 1, 2, 3, "cut");
	SAME("%s %08x %010d %hhd %.3f %zd %%", "then", 1, 2, (signed char)3,
	    0.5, (ssize_t)-1);
}

static void
the_cap_is_exact_and_overflow_is_sticky(void **state)
{
	struct buf b = BUF_CAPPED(5);

	(void)state;
	buf_adds(&b, "12345");
	assert_true(buf_ok(&b));
	assert_int_equal(b.len, 5);
	buf_addc(&b, '6');
	assert_false(buf_ok(&b));
	assert_string_equal(buf_str(&b), "");
	buf_adds(&b, "a");
	buf_addf(&b, "%d", 1);
	assert_null(buf_room(&b, 1));
	assert_int_equal(b.len, 0);
	assert_false(buf_ok(&b));
	buf_reset(&b);
	assert_true(buf_ok(&b));
	buf_adds(&b, "again");
	assert_string_equal(buf_str(&b), "again");
	buf_release(&b);
}

static void
a_format_that_is_too_long_overflows(void **state)
{
	struct buf b = BUF_CAPPED(100);

	(void)state;
	buf_addf(&b, "%100d", 1);
	assert_true(buf_ok(&b));
	buf_addf(&b, "%d", 1);
	assert_false(buf_ok(&b));
	buf_release(&b);
}

static void
a_huge_length_overflows_instead_of_wrapping(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_adds(&b, "x");
	assert_null(buf_room(&b, SIZE_MAX));
	assert_false(buf_ok(&b));
	buf_release(&b);
}

static void
room_shift_and_cut_keep_the_end(void **state)
{
	struct buf b = BUF_INIT;
	char *p = buf_room(&b, 6);

	(void)state;
	memcpy(p, "abcdef", 6);
	b.len += 6;
	assert_string_equal(b.data, "abcdef");
	buf_shift(&b, 2);
	assert_string_equal(b.data, "cdef");
	buf_cut(&b, 2);
	assert_string_equal(b.data, "cd");
	buf_shift(&b, 2);
	assert_string_equal(b.data, "");
	buf_release(&b);
}

static void
detach_hands_over_and_never_gives_null(void **state)
{
	struct buf b = BUF_INIT;
	char *s = buf_detach(&b);

	(void)state;
	assert_string_equal(s, "");
	free(s);
	buf_adds(&b, "mine");
	s = buf_detach(&b);
	assert_string_equal(s, "mine");
	assert_int_equal(b.len, 0);
	assert_string_equal(buf_str(&b), "");
	free(s);
}

static void
release_keeps_errno_and_may_be_repeated(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_adds(&b, "x");
	errno = EXDEV;
	buf_release(&b);
	buf_release(&b);
	assert_int_equal(errno, EXDEV);
	assert_null(b.data);
}

static void
xstrndup_stops_at_the_nul(void **state)
{
	char *s = xstrndup("abc", 10), *t = xstrndup("abc", 2);

	(void)state;
	assert_string_equal(s, "abc");
	assert_string_equal(t, "ab");
	free(s);
	free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_add_up_and_end_in_nul),
		cmocka_unit_test(long_formats_are_not_cut),
		cmocka_unit_test(formats_mean_what_they_mean_to_printf),
		cmocka_unit_test(the_cap_is_exact_and_overflow_is_sticky),
		cmocka_unit_test(a_format_that_is_too_long_overflows),
		cmocka_unit_test(a_huge_length_overflows_instead_of_wrapping),
		cmocka_unit_test(room_shift_and_cut_keep_the_end),
		cmocka_unit_test(detach_hands_over_and_never_gives_null),
		cmocka_unit_test(release_keeps_errno_and_may_be_repeated),
		cmocka_unit_test(xstrndup_stops_at_the_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
