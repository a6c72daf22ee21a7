/* Tests of lib/ctl: the codec of the seams. */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl.h"
#include "deadline.h"

/* Parses a copy, kept until the next call. */
static int
parse(const char *text, struct ctl *c)
{
	static char line[2 * CTL_MAX];

	assert_true(strlcpy(line, text, sizeof(line)) < sizeof(line));
	return ctl_parse(line, strlen(line), c);
}

static void
a_frame_is_taken_apart(void **state)
{
	struct ctl c;

	(void)state;
	assert_int_equal(parse("rcpt n=1 to=billy@d text=no%20such%0Auser x=",
	    &c), 0);
	assert_true(ctl_is(&c, "rcpt"));
	assert_false(ctl_is(&c, "rcp"));
	assert_int_equal(c.n, 4);
	assert_string_equal(ctl_get(&c, "to"), "billy@d");
	assert_string_equal(ctl_get(&c, "text"), "no such\nuser");
	assert_string_equal(ctl_get(&c, "x"), "");
	assert_null(ctl_get(&c, "absent"));
	assert_string_equal(ctl_str(&c, "absent"), "");
	assert_int_equal(parse("go", &c), 0);
	assert_int_equal(c.n, 0);
}

static void
malformed_frames_are_refused(void **state)
{
	static const char *const bad[] = {
		"", " ", "Go", "1go", "-go", "go ", " go", "go  a=1", "go a",
		"go a=1 ", "go =1", "go A=1", "go 1a=1", "go a b=1", "go a=%",
		"go a=%4", "go a=%4 b=1", "go a=%00", "go a=%zz", "go a=\x01",
		"go a=\x7f", "go a=\"", "go a=<x", "go a=x>", "go\ta=1",
		"go a=1\tb=2", "go a=1\r", "go_on", "g\303\251", "go a=1 a=2",
		"go a=1 b=2 a=1",
	};
	struct ctl c;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse(bad[i], &c) != -1)
			fail_msg("accepted: '%s'", bad[i]);
}

static void
too_many_pairs_or_bytes_are_refused(void **state)
{
	struct buf b = BUF_INIT;
	struct ctl c;
	char key[8] = "k00", *big;

	(void)state;
	ctl_begin(&b, "x");
	for (unsigned i = 0; i < CTL_PAIRS; i++) {
		key[1] = (char)('a' + i / 10);
		key[2] = (char)('0' + i % 10);
		ctl_add(&b, key, "v");
	}
	assert_int_equal(parse(buf_str(&b), &c), 0);
	ctl_add(&b, "last", "v");
	assert_int_equal(parse(buf_str(&b), &c), -1);

	buf_reset(&b);
	big = xmalloc(CTL_MAX + 2);
	memset(big, 'a', CTL_MAX + 1);
	big[CTL_MAX] = '\0';
	assert_int_equal(ctl_parse(big, CTL_MAX, &c), 0);
	big[CTL_MAX] = 'a';
	big[CTL_MAX + 1] = '\0';
	assert_int_equal(ctl_parse(big, CTL_MAX + 1, &c), -1);
	free(big);
	buf_release(&b);
}

static void
every_byte_but_nul_survives(void **state)
{
	struct buf b = BUF_INIT;
	char all[256];
	struct ctl c;

	(void)state;
	for (int i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	all[255] = '\0';
	ctl_begin(&b, "x");
	ctl_add(&b, "a", all);
	ctl_add(&b, "none", NULL);
	ctl_add(&b, "empty", "");
	ctl_addn(&b, "n", INT64_MIN);
	ctl_end(&b);
	assert_int_equal(b.data[b.len - 1], '\n');
	assert_null(memchr(b.data, '\n', b.len - 1));
	buf_cut(&b, b.len - 1);
	assert_int_equal(ctl_parse(b.data, b.len, &c), 0);
	assert_string_equal(ctl_get(&c, "a"), all);
	assert_null(ctl_get(&c, "none"));
	assert_string_equal(ctl_get(&c, "empty"), "");
	assert_string_equal(ctl_get(&c, "n"), "-9223372036854775808");
	buf_release(&b);
}

static void
numbers_are_decimal_and_in_range(void **state)
{
	static const struct { const char *frame; int64_t want; } t[] = {
		{ "x n=7", 7 }, { "x n=-7", -7 }, { "x n=0", 0 },
		{ "x n=10", 10 }, { "x n=11", 99 }, { "x n=-11", 99 },
		{ "x n=", 99 }, { "x n=-", 99 }, { "x n=+7", 99 },
		{ "x n=%207", 99 }, { "x n=7x", 99 }, { "x n=0x7", 99 },
		{ "x n=99999999999999999999", 99 }, { "x m=1", 99 },
	};
	struct ctl c;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(parse(t[i].frame, &c), 0);
		assert_int_equal(ctl_num(&c, "n", -10, 10, 99), t[i].want);
	}
	assert_int_equal(parse("x a=yes b=no c=yess", &c), 0);
	assert_true(ctl_yes(&c, "a"));
	assert_false(ctl_yes(&c, "b"));
	assert_false(ctl_yes(&c, "c"));
	assert_false(ctl_yes(&c, "d"));
}

static void
frames_travel_over_a_stream(void **state)
{
	struct buf b = BUF_INIT, line = BUF_INIT, lost = BUF_CAPPED(4);
	struct stream a, z;
	struct ctl c;
	int sv[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	stream_init_unix(&a, sv[0]);
	stream_init_unix(&z, sv[1]);
	ctl_begin(&b, "hello");
	ctl_add(&b, "to", "a b");
	ctl_end(&b);
	ctl_send(&a, &b);
	assert_int_equal(stream_flush(&a, deadline_in(5)), 0);
	assert_int_equal(ctl_read(&z, &line, &c, deadline_in(5)), 1);
	assert_string_equal(ctl_get(&c, "to"), "a b");
	assert_int_equal(ctl_read(&z, &line, &c, now_ms()), -1);
	assert_int_equal(errno, ETIMEDOUT);

	stream_puts(&a, "Bad frame\nnext\n\n");
	assert_int_equal(stream_flush(&a, deadline_in(5)), 0);
	assert_int_equal(ctl_read(&z, &line, &c, deadline_in(5)), -1);
	assert_int_equal(errno, EBADMSG);
	assert_int_equal(ctl_read(&z, &line, &c, deadline_in(5)), 1);
	assert_int_equal(ctl_read(&z, &line, &c, deadline_in(5)), -1);
	assert_int_equal(errno, EBADMSG);

	/* An overflowed frame must not go out in part. */
	ctl_begin(&lost, "overflow");
	ctl_send(&a, &lost);
	assert_int_equal(stream_flush(&a, deadline_in(5)), -1);
	stream_release(&a);
	assert_int_equal(ctl_read(&z, &line, &c, deadline_in(5)), 0);
	stream_release(&z);
	buf_release(&b);
	buf_release(&line);
	buf_release(&lost);
}

static void
the_peer_is_known_by_its_uid(void **state)
{
	int sv[2], tcp;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	assert_int_equal(ctl_peer_uid(sv[0]), getuid());
	(void)close(sv[0]);
	(void)close(sv[1]);
	tcp = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(tcp != -1);
	assert_int_equal(ctl_peer_uid(tcp), -1);
	(void)close(tcp);
}

static void
connecting_says_what_is_wrong(void **state)
{
	char path[200];

	(void)state;
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[108] = '\0';
	assert_int_equal(ctl_connect(path), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	path[107] = '\0';
	assert_int_equal(ctl_connect(path), -1);
	assert_int_equal(errno, ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_is_taken_apart),
		cmocka_unit_test(malformed_frames_are_refused),
		cmocka_unit_test(too_many_pairs_or_bytes_are_refused),
		cmocka_unit_test(every_byte_but_nul_survives),
		cmocka_unit_test(numbers_are_decimal_and_in_range),
		cmocka_unit_test(frames_travel_over_a_stream),
		cmocka_unit_test(the_peer_is_known_by_its_uid),
		cmocka_unit_test(connecting_says_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
