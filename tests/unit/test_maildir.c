/* Tests of lib/maildir: names that tell sizes, and sizes that are true. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "eol.h"
#include "id.h"
#include "maildir.h"

static void
a_name_tells_time_id_and_sizes(void **state)
{
	struct buf name = BUF_INIT;
	struct maildir_entry e;
	char id[ID_LEN + 1];

	(void)state;
	id_new(id);
	maildir_name(&name, id, 3, "mx.emc.fr", 1000, 1020);
	assert_true(maildir_parse(name.data, &e));
	assert_int_equal(e.sec * 1000000 + e.usec, id_usec(id));
	assert_int_equal(e.size, 1000);
	assert_int_equal(e.wire, 1020);
	assert_non_null(strstr(name.data, "R3.mx.emc.fr,S=1000,W=1020"));
	assert_int_equal(e.unique_len, strcspn(name.data, ","));
	buf_release(&name);
}

/* RFC 1939 section 7: what stands before the comma is the UIDL. */
static void
the_unique_part_is_a_uidl(void **state)
{
	static const char host[] = "a/b:c,d e\n\xc3\xa9-very-long-host-name."
	    "of.an.organisation.with.many.departments.example.org";
	struct buf name = BUF_INIT;
	struct maildir_entry e;

	(void)state;
	maildir_name(&name, "25x2t8n3chy05l4w", 4294967295u, host,
	    999999999999999999, 0);
	assert_true(maildir_parse(name.data, &e));
	assert_int_equal(e.unique_len, 70);
	assert_int_equal(e.size, 999999999999999999);
	for (const char *p = name.data; *p != '\0'; p++)
		assert_true(*p > ' ' && *p < 0x7F && *p != '/' && *p != ':');
	buf_release(&name);
}

static const struct {
	const char *name;
	int64_t	sec, usec, size, wire;
	size_t	unique;
} names[] = {
	{ "1795435200.M123456P99.host,S=5,W=6:2,S", 1795435200, 123456, 5, 6,
	    26 },
	{ "1795435200.P99Q1M7.host:2,S=3", 1795435200, 7, -1, -1, 23 },
	{ "1795435200.host", 1795435200, 0, -1, -1, 15 },
	{ "x,W=7", 0, 0, -1, 7, 1 },
	{ "1.M1000000.h", 1, 0, -1, -1, 12 },
	{ "1.M99999999999999999999.h,S=99999999999999999999", 1, 0, -1, -1,
	    25 },
	{ "99999999999999999999.x,S=", 0, 0, -1, -1, 22 },
	{ "1.x,S=-5,W=", 1, 0, -1, -1, 3 },
	{ ":2,", 0, 0, -1, -1, 0 },
};

static void
names_of_others_are_understood(void **state)
{
	struct maildir_entry e;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		assert_true(maildir_parse(names[i].name, &e));
		if (e.sec != names[i].sec || e.usec != names[i].usec ||
		    e.size != names[i].size || e.wire != names[i].wire ||
		    e.unique_len != names[i].unique)
			fail_msg("misread: %s", names[i].name);
	}
	assert_false(maildir_parse("", &e));
	assert_false(maildir_parse(".pop3.lock", &e));
}

/*
 * For every string of up to 6 of these bytes, cut anywhere: what is counted
 * is what the encoder sends.
 */
static void
the_count_is_what_the_encoder_sends(void **state)
{
	static const char bytes[] = { 'a', '.', '\r', '\n', '\0' };
	struct buf out = BUF_INIT;
	char s[6];

	(void)state;
	for (size_t len = 0; len <= sizeof(s); len++) {
		unsigned all = 1;

		for (size_t i = 0; i < len; i++)
			all *= sizeof(bytes);
		for (unsigned n = 0; n < all; n++) {
			for (size_t i = 0, rest = n; i < len; i++) {
				s[i] = bytes[rest % sizeof(bytes)];
				rest /= sizeof(bytes);
			}
			for (size_t cut = 0; cut <= len; cut++) {
				struct wire_count w;
				struct dot_out d;

				wire_count_init(&w);
				wire_count(&w, s, cut);
				wire_count(&w, s + cut, len - cut);
				dot_out_init(&d, false, true);
				buf_reset(&out);
				dot_out(&d, s, cut, &out);
				dot_out(&d, s + cut, len - cut, &out);
				dot_out_end(&d, &out);
				assert_int_equal(wire_count_end(&w), out.len);
			}
		}
	}
	buf_release(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_tells_time_id_and_sizes),
		cmocka_unit_test(the_unique_part_is_a_uidl),
		cmocka_unit_test(names_of_others_are_understood),
		cmocka_unit_test(the_count_is_what_the_encoder_sends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
