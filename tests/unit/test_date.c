/*
 * test_date.c - dates: each day of the calendar, and the way back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "date.h"

#define DAY	86400

static void
every_day_has_the_date_the_library_gives_it(void **state)
{
	struct buf b = BUF_INIT;
	char wanted[64];
	struct tm tm;

	(void)state;
	/* A second later each day, so that each second of the day is met. */
	for (time_t t = 0; t <= 253402300799; t += DAY + 1) {
		assert_non_null(gmtime_r(&t, &tm));
		assert_true(strftime(wanted, sizeof(wanted),
		    "%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
		buf_reset(&b);
		date_iso(&b, (int64_t)t * 1000000, 0);
		if (strcmp(b.data, wanted) != 0)
			fail_msg("%lld is %s, not %s", (long long)t, wanted,
			    b.data);
	}
	buf_release(&b);
}

static void
what_is_written_can_be_read(void **state)
{
	static const int64_t some[] = { 0, 1, 951782400000001,
	    4107542399999999, 253402300799999999 };
	struct buf b = BUF_INIT;
	int64_t back;

	(void)state;
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		buf_reset(&b);
		date_iso(&b, some[i], 6);
		assert_int_equal(date_iso_parse(b.data, b.len, &back), 0);
		assert_true(back == some[i]);
	}
	buf_release(&b);
}

static void
what_no_four_digits_can_hold_is_1970(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	date_iso(&b, -1, 0);
	assert_string_equal(b.data, "1970-01-01T00:00:00Z");
	buf_reset(&b);
	date_iso(&b, INT64_MAX, 0);
	assert_string_equal(b.data, "1970-01-01T00:00:00Z");
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_day_has_the_date_the_library_gives_it),
		cmocka_unit_test(what_is_written_can_be_read),
		cmocka_unit_test(what_no_four_digits_can_hold_is_1970),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
