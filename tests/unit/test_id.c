/* Tests of lib/id and lib/date: names by time, and time itself. */
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "date.h"
#include "id.h"

static void
ids_rise_and_tell_their_time(void **state)
{
	char last[ID_LEN + 1] = "", id[ID_LEN + 1];
	int64_t before = date_now_usec();

	(void)state;
	for (int i = 0; i < 10000; i++) {
		id_new(id);
		assert_true(is_id(id, strlen(id)));
		assert_true(strcmp(last, id) < 0);
		memcpy(last, id, sizeof(last));
	}
	assert_true(id_usec(id) >= before);
	assert_true(id_usec(id) <= date_now_usec() + 10000);
}

static void
two_processes_never_agree(void **state)
{
	char mine[ID_LEN + 1], its[ID_LEN + 1];
	int fd[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fd), 0);
	id_new(mine);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		id_new(its);
		_exit(write(fd[1], its, ID_LEN) == ID_LEN ? 0 : 1);
	}
	assert_int_equal(read(fd[0], its, ID_LEN), ID_LEN);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* Not only the time differs. */
	assert_memory_not_equal(mine + 11, its + 11, 5);
	close(fd[0]);
	close(fd[1]);
}

static void
what_is_no_id_is_told(void **state)
{
	(void)state;
	assert_true(is_id("25x2t8n3chy05l4w", 16));
	assert_false(is_id("25x2t8n3chy05l4", 15));
	assert_false(is_id("25x2t8n3chy05l4W", 16));
	assert_false(is_id("25x2t8n3chy05l4a", 16));
	assert_false(is_id("../../etc/passwd", 16));
	assert_false(is_id("25x2t8n3chy05l4\0", 16));
	assert_int_equal(id_usec(""), -1);
	assert_int_equal(id_usec("25x2t8n3chy05l4w."), -1);
	assert_int_equal(id_usec("0000000000000000"), 0);
}

static void
mail_dates_are_local_time_in_english(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	setenv("TZ", "UTC0", 1);
	tzset();
	date_rfc5322(&out, 1795410473);
	assert_string_equal(out.data, "Mon, 23 Nov 2026 05:07:53 +0000");
	buf_reset(&out);
	/* Another second: the zone of a process does not change within one. */
	setenv("TZ", "XXX3:30", 1);
	tzset();
	date_rfc5322(&out, 1795410474);
	assert_string_equal(out.data, "Mon, 23 Nov 2026 01:37:54 -0330");
	buf_reset(&out);
	date_rfc5322(&out, 1795410474);
	assert_string_equal(out.data, "Mon, 23 Nov 2026 01:37:54 -0330");
	buf_reset(&out);
	setenv("TZ", "XXX-5:45", 1);
	tzset();
	date_rfc5322(&out, 0);
	assert_string_equal(out.data, "Thu, 01 Jan 1970 05:45:00 +0545");
	buf_release(&out);
	setenv("TZ", "UTC0", 1);
	tzset();
}

static void
our_dates_come_back_as_they_were(void **state)
{
	static const int64_t times[] = { 0, 1, 999999, 1000000,
	    1795410473123456, 951782400000000, 253402300799999999 };
	struct buf out = BUF_INIT;
	int64_t back;

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		buf_reset(&out);
		date_iso(&out, times[i], 6);
		assert_int_equal(date_iso_parse(out.data, out.len, &back), 0);
		assert_int_equal(back, times[i]);
	}
	buf_reset(&out);
	date_iso(&out, 1795410473123456, 6);
	assert_string_equal(out.data, "2026-11-23T05:07:53.123456Z");
	buf_reset(&out);
	date_iso(&out, 1795410473123456, 3);
	assert_string_equal(out.data, "2026-11-23T05:07:53.123Z");
	buf_reset(&out);
	date_iso(&out, 1795410473123456, 0);
	assert_string_equal(out.data, "2026-11-23T05:07:53Z");
	assert_int_equal(date_iso_parse("2026-11-23T05:07:53.5Z", 22, &back),
	    0);
	assert_int_equal(back, 1795410473500000);
	buf_release(&out);
}

static void
a_date_that_is_none_is_refused(void **state)
{
	static const char *const bad[] = { "", "Z", "2026-11-23",
	    "2026-11-23T05:07:53", "2026-11-23 05:07:53Z",
	    "2026-13-23T05:07:53Z", "2026-02-30T05:07:53Z",
	    "2026-11-23T24:07:53Z", "2026-11-23T05:60:53Z",
	    "2026-11-23T05:07:53.Z", "2026-11-23T05:07:53.1234567Z",
	    "2026-11-23T05:07:53.12x4Z", "2026-11-23T05:07:53ZZ",
	    "+026-11-23T05:07:53Z", "0000-00-00T00:00:00Z" };
	int64_t usec;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (date_iso_parse(bad[i], strlen(bad[i]), &usec) != -1)
			fail_msg("accepted: %s", bad[i]);
}

static void
a_span_is_one_number(void **state)
{
	static const struct { int64_t s; const char *want; } spans[] = {
		{ 0, "0 seconds" }, { 1, "1 second" }, { 59, "59 seconds" },
		{ 180, "3 minutes" }, { 7200, "2 hours" },
		{ 432000, "5 days" }, { 3600, "1 hour" }, { -5, "0 seconds" },
	};
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(spans) / sizeof(*spans); i++) {
		buf_reset(&out);
		date_span(&out, spans[i].s);
		assert_string_equal(out.data, spans[i].want);
	}
	buf_release(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_rise_and_tell_their_time),
		cmocka_unit_test(two_processes_never_agree),
		cmocka_unit_test(what_is_no_id_is_told),
		cmocka_unit_test(mail_dates_are_local_time_in_english),
		cmocka_unit_test(our_dates_come_back_as_they_were),
		cmocka_unit_test(a_date_that_is_none_is_refused),
		cmocka_unit_test(a_span_is_one_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
