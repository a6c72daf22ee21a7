/* Tests of lib/header: fields, where they end, and who is named in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "header.h"

static const struct {
	const char *text;
	unsigned fields;
	size_t	end;		/* of the block */
} blocks[] = {
	{ "", 0, 0 },
	{ "\n", 0, 1 },
	{ "\nbody", 0, 1 },
	{ "A: b\n\nbody", 1, 6 },
	{ "A: b\n c\n\td\nE:\n\nbody", 2, 15 },
	{ "A: b", 1, 4 },
	{ "A: b\n", 1, 5 },
	{ "A: b\nbody: no wait\n", 2, 19 },
	{ "A: b\nthis is body\n", 1, 5 },
	{ "A : b\nC\t: d\n\n", 2, 13 },
	/* attack list B 38: a body without a header */
	{ " starts with space\n", 0, 0 },
	{ "\tstarts with tab\n", 0, 0 },
	{ "From jb Mon Nov 23\nA: b\n", 0, 0 },
	{ ": no name\n", 0, 0 },
	{ "no colon\n", 0, 0 },
	{ "no-colon", 0, 0 },
	{ "n\xc3\xa9: x\n", 0, 0 },
};

static void
the_block_ends_where_no_field_begins(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(blocks) / sizeof(*blocks); i++) {
		const char *text = blocks[i].text;
		size_t pos = 0, len = strlen(text);
		struct header h;
		unsigned n = 0;

		while (header_next(text, len, &pos, &h))
			n++;
		if (n != blocks[i].fields ||
		    header_end(text, len) != blocks[i].end)
			fail_msg("%u fields in \"%s\"", n, text);
	}
}

static void
a_field_is_seen_whole(void **state)
{
	static const char text[] = "Subject \t: \n one\n\ttwo \nX: y\n\n";
	struct buf out = BUF_INIT;
	struct header h;
	size_t pos = 0;

	(void)state;
	assert_true(header_next(text, strlen(text), &pos, &h));
	assert_true(header_is(&h, "subject"));
	assert_false(header_is(&h, "subjec"));
	assert_false(header_is(&h, "subjects"));
	assert_ptr_equal(h.start, text);
	assert_int_equal(h.len, 23);
	header_unfold(&h, &out);
	assert_string_equal(out.data, "one\ttwo");
	assert_int_equal(header_count(text, strlen(text), "x"), 1);
	buf_release(&out);
}

static void
a_part_of_a_line_may_not_tell_yet(void **state)
{
	char *name = malloc(2000);

	(void)state;
	assert_int_equal(header_begins("", 0), -1);
	assert_int_equal(header_begins("Sub", 3), -1);
	assert_int_equal(header_begins("Sub ", 4), -1);
	assert_int_equal(header_begins("Sub:", 4), 1);
	assert_int_equal(header_begins("Sub ject:", 9), 0);
	assert_int_equal(header_begins("Sub\n", 4), 0);
	assert_int_equal(header_begins("\n", 1), 0);
	/* Base64 in one line of a megabyte is no name. */
	memset(name, 'x', 2000);
	assert_int_equal(header_begins(name, 998), -1);
	assert_int_equal(header_begins(name, 2000), 0);
	memset(name + 1, ' ', 1999);
	assert_int_equal(header_begins(name, 2000), 0);
	free(name);
}

static void
join(void *out, const char *addr, size_t len)
{
	buf_add(out, addr, len);
	buf_addc(out, '|');
}

static const struct { const char *value, *want; } lists[] = {
	{ "", "" },
	{ " , ,\n ", "" },
	{ "a@b", "a@b|" },
	{ "root", "root|" },
	{ "a@b, c@d,\n e@f", "a@b|c@d|e@f|" },
	{ "Billy <b@y>", "b@y|" },
	{ "Billy Bob <b@y>, x@z", "b@y|x@z|" },
	{ "\"Bob, Billy\" <b@y>", "b@y|" },
	{ "\"Bob \\\" <x@y>\" <b@y>", "b@y|" },
	{ "b@y (Billy, Bob (the) \\) <x@y>)", "b@y|" },
	{ "(one) b (two) @ (three) y (four)", "b@y|" },
	{ "\"a b\"@c", "\"a b\"@c|" },
	{ "\"a,b\"@c, \"d\\\"e\"@f", "\"a,b\"@c|\"d\\\"e\"@f|" },
	{ "a@[IPv6:::1], b@[192.0.2.1]", "a@[IPv6:::1]|b@[192.0.2.1]|" },
	{ "<@r1,@r2:a@b>", "@r1,@r2:a@b|" },
	{ "< a@b >", "a@b|" },
	{ "team: a@b, Carl <c@d>;", "a@b|c@d|" },
	{ "team one:a@b;, x@y", "a@b|x@y|" },
	{ "team: a@b; c@d", "a@b|c@d|" },
	{ "undisclosed-recipients:;", "" },
	{ "undisclosed recipients: ;, a@b", "a@b|" },
	{ "team: a@b", "a@b|" },
	{ "andr\xc3\xa9@\xc3\xa9.fr", "andr\xc3\xa9@\xc3\xa9.fr|" },
	{ "J. R. Doe <j@d>", "j@d|" },
	{ "=?UTF-8?Q?=C3=A9?= <e@f>", "e@f|" },
};

static const char *const bad_lists[] = {
	"two words", "a@b c@d", "<a@b", "a@b>>", "(never closed", "\"never",
	"<a@b> <c@d>", "<a@b> x", "<>", "a@[1.2.3.4", ";", "a:b:c;", ":a@b;",
	"a@b)", "a\\@b", "<a<b>>",
};

static void
every_address_of_a_list_is_found(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		buf_reset(&out);
		if (header_addresses(lists[i].value, strlen(lists[i].value),
		    10, join, &out) != 0)
			fail_msg("refused: %s", lists[i].value);
		assert_string_equal(buf_str(&out), lists[i].want);
	}
	for (size_t i = 0; i < sizeof(bad_lists) / sizeof(*bad_lists); i++)
		if (header_addresses(bad_lists[i], strlen(bad_lists[i]), 10,
		    join, &out) != -1)
			fail_msg("accepted: %s", bad_lists[i]);
	buf_release(&out);
}

/* Attack list G 119, B 36: bounded, and in linear time. */
static void
a_huge_list_is_bounded(void **state)
{
	struct buf list = BUF_INIT, out = BUF_INIT;

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_adds(&list, "a@b,");
	assert_int_equal(header_addresses(list.data, list.len, 1000, join,
	    &out), -1);
	assert_int_equal(out.len, 4000);
	buf_reset(&list);
	for (int i = 0; i < 1000000; i++)
		buf_addc(&list, '(');
	assert_int_equal(header_addresses(list.data, list.len, 10, join,
	    &out), -1);
	buf_reset(&list);
	for (int i = 0; i < 100000; i++)
		buf_addc(&list, 'a');
	assert_int_equal(header_addresses(list.data, list.len, 10, join,
	    &out), -1);
	buf_release(&list);
	buf_release(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_block_ends_where_no_field_begins),
		cmocka_unit_test(a_field_is_seen_whole),
		cmocka_unit_test(a_part_of_a_line_may_not_tell_yet),
		cmocka_unit_test(every_address_of_a_list_is_found),
		cmocka_unit_test(a_huge_list_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
