/* Tests of lib/address: what is an address, and what it is called then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "address.h"

#define L64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define L63 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define D253 L63 "." L63 "." L63 "." \
    "ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static const struct {
	const char *in;
	unsigned flags;
	enum addr_result want;
	const char *out;
} addresses[] = {
	{ "jean-bob@emc.fr", 0, ADDR_OK, "jean-bob@emc.fr" },
	{ "Billy@Yahoo.CO.UK.", 0, ADDR_OK, "Billy@yahoo.co.uk" },
	{ "a.b+c/d=e!f%g@x", 0, ADDR_OK, "a.b+c/d=e!f%g@x" },
	{ "-oQ/tmp@d", 0, ADDR_OK, "-oQ/tmp@d" },
	{ "`id`@x", 0, ADDR_OK, "`id`@x" },
	{ "x_y@a_b.c", 0, ADDR_OK, "x_y@a_b.c" },
	/* quotes only where they are needed */
	{ "\"plain\"@d", 0, ADDR_OK, "plain@d" },
	{ "\"pl\\ain\"@d", 0, ADDR_OK, "plain@d" },
	{ "\"a b\"@d", 0, ADDR_OK, "\"a b\"@d" },
	{ "\"a@b\"@d", 0, ADDR_OK, "\"a@b\"@d" },
	{ "\"a\\\"\\\\b\"@d", 0, ADDR_OK, "\"a\\\"\\\\b\"@d" },
	{ "\".a\"@d", 0, ADDR_OK, "\".a\"@d" },
	/* literals */
	{ "a@[192.0.2.1]", 0, ADDR_OK, "a@[192.0.2.1]" },
	{ "a@[ipv6:2001:DB8::1]", 0, ADDR_OK, "a@[IPv6:2001:db8::1]" },
	{ "a@[192.0.2.256]", 0, ADDR_SYNTAX, NULL },
	{ "a@[IPv6:fe80::1%lo]", 0, ADDR_SYNTAX, NULL },
	{ "a@[2001:db8::1]", 0, ADDR_SYNTAX, NULL },
	{ "a@[192.0.2.1", 0, ADDR_SYNTAX, NULL },
	{ "a@[]", 0, ADDR_SYNTAX, NULL },
	/* attack list A 1, 2, 5, 7 */
	{ ";id;@x", 0, ADDR_SYNTAX, NULL },
	{ "$(id)@x", 0, ADDR_SYNTAX, NULL },
	{ "|id@x", 0, ADDR_OK, "|id@x" },
	{ "", 0, ADDR_SYNTAX, NULL },
	{ "foo@", 0, ADDR_SYNTAX, NULL },
	{ "@x", 0, ADDR_SYNTAX, NULL },
	{ "@", 0, ADDR_SYNTAX, NULL },
	{ "\"\"@d", 0, ADDR_SYNTAX, NULL },
	{ "\"\"", ADDR_ALLOW_BARE, ADDR_SYNTAX, NULL },
	{ "\"a", 0, ADDR_SYNTAX, NULL },
	{ "\"a\\", 0, ADDR_SYNTAX, NULL },
	{ "\"a\"b@d", 0, ADDR_SYNTAX, NULL },
	{ "a b@d", 0, ADDR_SYNTAX, NULL },
	{ "a@b c", 0, ADDR_SYNTAX, NULL },
	{ "a@b@c", 0, ADDR_SYNTAX, NULL },
	{ "a\tb@d", 0, ADDR_SYNTAX, NULL },
	{ "a\x7f@d", 0, ADDR_SYNTAX, NULL },
	{ "\"a\nb\"@d", 0, ADDR_SYNTAX, NULL },
	{ "a(comment)@d", 0, ADDR_SYNTAX, NULL },
	{ "a@d (comment)", 0, ADDR_SYNTAX, NULL },
	{ ".a@d", 0, ADDR_SYNTAX, NULL },
	{ "a.@d", 0, ADDR_SYNTAX, NULL },
	{ "a..b@d", 0, ADDR_SYNTAX, NULL },
	{ "a@.d", 0, ADDR_SYNTAX, NULL },
	{ "a@d..e", 0, ADDR_SYNTAX, NULL },
	{ "a@d.e..", 0, ADDR_SYNTAX, NULL },
	{ "a@-d.e", 0, ADDR_SYNTAX, NULL },
	{ "a@d-.e", 0, ADDR_SYNTAX, NULL },
	{ "a@d:25", 0, ADDR_SYNTAX, NULL },
	{ "a@d/e", 0, ADDR_SYNTAX, NULL },
	/* attack list A 6: the exact limits */
	{ L64 "@d", 0, ADDR_OK, L64 "@d" },
	{ L64 "a@d", 0, ADDR_TOO_LONG, NULL },
	{ "\"" L64 "\"@d", 0, ADDR_OK, L64 "@d" },
	{ "\"" L63 " \"@d", 0, ADDR_TOO_LONG, NULL },
	{ "\"" L64 L64 L64 "\"@d", 0, ADDR_TOO_LONG, NULL },
	{ L64 L64 L64 "@d", 0, ADDR_TOO_LONG, NULL },
	{ "a@" L63 ".c", 0, ADDR_OK, "a@" L63 ".c" },
	{ "a@" L63 "b.c", 0, ADDR_SYNTAX, NULL },
	{ "a@" D253, 0, ADDR_OK, "a@" D253 },
	{ "a@c" D253, 0, ADDR_TOO_LONG, NULL },
	/* bare */
	{ "postmaster", 0, ADDR_NO_DOMAIN, NULL },
	{ "Postmaster", ADDR_ALLOW_BARE, ADDR_OK, "Postmaster" },
	/* attack list A 10 */
	{ "andr\xc3\xa9@d", 0, ADDR_UTF8, NULL },
	{ "andr\xc3\xa9@d", ADDR_ALLOW_UTF8, ADDR_OK, "andr\xc3\xa9@d" },
	{ "a@\xc3\xa9.fr", ADDR_ALLOW_UTF8, ADDR_OK, "a@\xc3\xa9.fr" },
	{ "andr\xe9@d", ADDR_ALLOW_UTF8, ADDR_SYNTAX, NULL },
	{ "a\xc0\xaf@d", ADDR_ALLOW_UTF8, ADDR_SYNTAX, NULL },
	{ "a\xed\xa0\x80@d", ADDR_ALLOW_UTF8, ADDR_SYNTAX, NULL },
	{ "a\xe2\x82", ADDR_ALLOW_UTF8 | ADDR_ALLOW_BARE, ADDR_SYNTAX, NULL },
	{ "a\xc2\x85@d", ADDR_ALLOW_UTF8, ADDR_SYNTAX, NULL },
};

static void
an_address_is_canonical_or_refused(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		buf_reset(&out);
		buf_adds(&out, "before ");
		if (address_parse(addresses[i].in, strlen(addresses[i].in),
		    addresses[i].flags, &out) != addresses[i].want)
			fail_msg("wrong result for %s", addresses[i].in);
		if (addresses[i].out == NULL)
			assert_string_equal(out.data, "before ");
		else
			assert_string_equal(out.data + 7, addresses[i].out);
	}
	buf_release(&out);
}

/* What comes out goes in again, and means the same. */
static void
a_canonical_address_is_a_fixed_point(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		const char *in = addresses[i].out;

		if (in == NULL)
			continue;
		buf_reset(&out);
		assert_int_equal(address_parse(in, strlen(in),
		    addresses[i].flags, &out), ADDR_OK);
		assert_string_equal(out.data, in);
	}
	buf_release(&out);
}

static void
a_nul_byte_ends_no_address(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(address_parse("a@d\0x", 5, 0, &out), ADDR_SYNTAX);
	assert_int_equal(address_parse("a\0b@d", 5, 0, &out), ADDR_SYNTAX);
	assert_int_equal(address_parse("\"a\0b\"@d", 7, 0, &out), ADDR_SYNTAX);
	assert_int_equal(address_parse("a@[1.2.3.4\0]", 12, 0, &out),
	    ADDR_SYNTAX);
	buf_release(&out);
}

static const struct {
	const char *in;
	enum addr_result want;
	const char *out;
	size_t	used;
} paths[] = {
	{ "<>", ADDR_OK, "", 2 },
	{ "<> SIZE=1", ADDR_OK, "", 2 },
	{ "<a@d> SIZE=1", ADDR_OK, "a@d", 5 },
	{ "<\"a>b\"@d>x", ADDR_OK, "\"a>b\"@d", 9 },
	{ "<\"a\\\">b\"@d>x", ADDR_OK, "\"a\\\">b\"@d", 11 },
	/* attack list A 8: the route is forgotten */
	{ "<@a,@b:c@d>", ADDR_OK, "c@d", 11 },
	{ "<@[IPv6:::1]:c@d>", ADDR_OK, "c@d", 17 },
	{ "<@x:>", ADDR_SYNTAX, NULL, 0 },
	{ "<@>", ADDR_SYNTAX, NULL, 0 },
	{ "<@a,:c@d>", ADDR_SYNTAX, NULL, 0 },
	{ "<@a c@d>", ADDR_SYNTAX, NULL, 0 },
	{ "<@a\xff:c@d>", ADDR_SYNTAX, NULL, 0 },
	{ "<\"\\\">", ADDR_SYNTAX, NULL, 0 },
	{ "<\"a\\", ADDR_SYNTAX, NULL, 0 },
	{ "<a@d", ADDR_SYNTAX, NULL, 0 },
	{ "<", ADDR_SYNTAX, NULL, 0 },
	{ "", ADDR_SYNTAX, NULL, 0 },
	{ "a@d", ADDR_SYNTAX, NULL, 0 },
	{ " <a@d>", ADDR_SYNTAX, NULL, 0 },
	{ "<a@d>", ADDR_OK, "a@d", 5 },
	{ "<postmaster>", ADDR_NO_DOMAIN, NULL, 0 },
};

static void
a_path_ends_at_its_bracket(void **state)
{
	struct buf out = BUF_INIT;
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		buf_reset(&out);
		used = 0;
		if (address_path(paths[i].in, strlen(paths[i].in), 0, &out,
		    &used) != paths[i].want)
			fail_msg("wrong result for %s", paths[i].in);
		if (paths[i].out == NULL)
			continue;
		assert_string_equal(buf_str(&out), paths[i].out);
		assert_int_equal(used, paths[i].used);
	}
	buf_release(&out);
}

static void
the_domain_is_behind_the_local_part(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	assert_string_equal(address_domain("a@d"), "d");
	assert_string_equal(address_domain("\"a@b\"@d"), "d");
	assert_string_equal(address_domain("\"a\\\"@b\"@d"), "d");
	assert_null(address_domain("postmaster"));
	assert_null(address_domain("\"a@b\""));
	assert_int_equal(address_local_len("\"a@b\"@d"), 5);
	address_unquote_local("\"a\\\"@b\"@d", &out);
	assert_string_equal(out.data, "a\"@b");
	buf_reset(&out);
	address_unquote_local("a.b@d", &out);
	assert_string_equal(out.data, "a.b");
	/* Not canonical, but never read too far. */
	buf_reset(&out);
	address_unquote_local("\"", &out);
	address_unquote_local("\"a\\", &out);
	assert_null(address_domain("\"a\\"));
	buf_release(&out);
}

static void
xtext_comes_back_as_it_was(void **state)
{
	static const char *const bad[] = { "+", "+0", "+G0", "+0A", "+0D",
	    "+00", "+7F", "a=b", "a b", "+3d", "a\x80", "+1", "a\x01" };
	struct buf out = BUF_INIT, back = BUF_INIT;

	(void)state;
	xtext_encode("rfc822;a+b=c d@\xc3\xa9", &out);
	assert_string_equal(out.data, "rfc822;a+2Bb+3Dc+20d@+C3+A9");
	assert_int_equal(xtext_decode(out.data, out.len, &back), 0);
	assert_string_equal(back.data, "rfc822;a+b=c d@\xc3\xa9");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (xtext_decode(bad[i], strlen(bad[i]), &back) != -1)
			fail_msg("accepted: %s", bad[i]);
	assert_string_equal(back.data, "rfc822;a+b=c d@\xc3\xa9");
	buf_release(&out);
	buf_release(&back);
}

static void
a_host_name_is_made_of_labels(void **state)
{
	(void)state;
	assert_true(is_hostname("mx1.emc.fr", 10));
	assert_true(is_hostname("localhost", 9));
	assert_true(is_hostname(D253, 253));
	assert_false(is_hostname("c" D253, 254));
	assert_false(is_hostname("", 0));
	assert_false(is_hostname("a.", 2));
	assert_false(is_hostname("a b", 3));
	assert_false(is_hostname("\xc3\xa9.fr", 5));
	assert_false(is_hostname("[1.2.3.4]", 9));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_canonical_or_refused),
		cmocka_unit_test(a_canonical_address_is_a_fixed_point),
		cmocka_unit_test(a_nul_byte_ends_no_address),
		cmocka_unit_test(a_path_ends_at_its_bracket),
		cmocka_unit_test(the_domain_is_behind_the_local_part),
		cmocka_unit_test(xtext_comes_back_as_it_was),
		cmocka_unit_test(a_host_name_is_made_of_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
