/*
 * test_smtpd_args.c - the arguments of MAIL and RCPT, good and bad.
 * link: smtpd
 *
 * Numbers in comments are those of the attack checklist.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "../../smtpd/smtpd.h"

#define N(a)	(sizeof(a) / sizeof((a)[0]))
#define TEN	"xxxxxxxxxx"
#define X64	TEN TEN TEN TEN TEN TEN "xxxx"

/* The code, 0 for a good one; the view has no NUL behind it (ASan watches). */
static int
mail_code(const char *arg, struct mail *m)
{
	size_t len = strlen(arg);
	char *copy = xmalloc(len + 1);
	const struct refusal *why;

	copy = xreallocarray(copy, 1, len == 0 ? 1 : len);
	memcpy(copy, arg, len);
	why = mail_parse(copy, len, false, m);
	free(copy);
	return why == NULL ? 0 : why->code;
}

static int
rcpt_code(const char *arg, bool utf8, struct rcpt *r)
{
	const struct refusal *why = rcpt_parse(arg, strlen(arg), utf8, r);

	return why == NULL ? 0 : why->code;
}

struct row {
	const char *arg;
	int	code;
	const char *addr;	/* when it is good */
};

static const struct row mails[] = {
	{ "FROM:<>", 0, "" },
	{ "FROM:<jb@emc.fr>", 0, "jb@emc.fr" },
	{ "from:<jb@EMC.fr>", 0, "jb@emc.fr" },
	{ "FROM: <jb@emc.fr>", 0, "jb@emc.fr" },		/* 26 */
	{ "FROM:<jb@emc.fr>  SIZE=1", 0, "jb@emc.fr" },
	{ "FROM:<jb@emc.fr>\tSIZE=1", 0, "jb@emc.fr" },
	{ "FROM:<@a.b,@c.d:jb@emc.fr>", 0, "jb@emc.fr" },	/* 8 */
	{ "FROM:<$(id)@x>", 501, NULL },			/* 1 */
	{ "FROM:<`id`@x.y>", 0, "`id`@x.y" },
	{ "FROM:<;id;>", 501, NULL },
	{ "FROM:<|id>", 553, NULL },
	{ "FROM:<foo@>", 501, NULL },				/* 2 */
	{ "FROM:<@>", 501, NULL },
	{ "FROM:<@x:>", 501, NULL },
	{ "FROM:<\"\">", 501, NULL },
	{ "FROM:<\"\"@d.e>", 501, NULL },
	{ "FROM:<" X64 "@d.e>", 0, X64 "@d.e" },		/* 6 */
	{ "FROM:<" X64 "x@d.e>", 501, NULL },
	{ "FROM:<\"\\\">", 501, NULL },				/* 7 */
	{ "FROM:<\"a\\", 501, NULL },
	{ "FROM:<a@[IPv6:::1]>", 0, "a@[IPv6:::1]" },		/* 9 */
	{ "FROM:<a@[IPv6:fe80::1%lo]>", 501, NULL },
	{ "FROM:<\xc3\xa9@d.e>", 553, NULL },			/* 10 */
	{ "FROM:<\xc3\xa9@d.e> SMTPUTF8", 0, "\xc3\xa9@d.e" },
	{ "FROM:<\xc0\xaf@d.e> SMTPUTF8", 501, NULL },
	{ "FROM:<\xc3@d.e> SMTPUTF8", 501, NULL },
	{ "FROM:<jb>", 553, NULL },
	{ "FROM:jb@emc.fr", 501, NULL },
	{ "FROM:", 501, NULL },
	{ "FROM", 501, NULL },
	{ "", 501, NULL },
	{ "TO:<jb@emc.fr>", 501, NULL },
	{ "FROM:<jb@emc.fr>SIZE=1", 501, NULL },
	{ "FROM:<jb@emc.fr> x@y.z", 555, NULL },
	{ "FROM:<a@b.c> SIZE=", 501, NULL },			/* 13 */
	{ "FROM:<a@b.c> SIZE", 501, NULL },
	{ "FROM:<a@b.c> SIZE=-1", 501, NULL },
	{ "FROM:<a@b.c> SIZE=+1", 501, NULL },
	{ "FROM:<a@b.c> SIZE=1x", 501, NULL },
	{ "FROM:<a@b.c> SIZE=1=2", 501, NULL },
	{ "FROM:<a@b.c> SIZE=999999999999999999999", 501, NULL },
	{ "FROM:<a@b.c> ENVID=", 501, NULL },			/* 14 */
	{ "FROM:<a@b.c> ENVID=a+0Ab", 501, NULL },
	{ "FROM:<a@b.c> ENVID=a+0Db", 501, NULL },
	{ "FROM:<a@b.c> ENVID=a+00b", 501, NULL },
	{ "FROM:<a@b.c> ENVID=+", 501, NULL },
	{ "FROM:<a@b.c> ENVID=+G0", 501, NULL },
	{ "FROM:<a@b.c> ENVID=+FF", 501, NULL },
	{ "FROM:<a@b.c> ENVID=" X64 TEN TEN TEN TEN, 501, NULL },
	{ "FROM:<a@b.c> AUTH=+0A", 501, NULL },
	{ "FROM:<a@b.c> AUTH=", 501, NULL },
	{ "FROM:<a@b.c> AUTH=<>", 0, "a@b.c" },
	{ "FROM:<a@b.c> AUTH=a+2Bb@b.c", 0, "a@b.c" },
	{ "FROM:<a@b.c> SIZE=1 SIZE=1", 501, NULL },		/* 15 */
	{ "FROM:<a@b.c> RET=FULL RET=HDRS", 501, NULL },
	{ "FROM:<a@b.c> RET=HALF", 501, NULL },
	{ "FROM:<a@b.c> RET", 501, NULL },
	{ "FROM:<a@b.c> BODY=", 501, NULL },
	{ "FROM:<a@b.c> BODY=BINARYMIME", 501, NULL },
	{ "FROM:<a@b.c> SMTPUTF8=yes", 501, NULL },
	{ "FROM:<a@b.c> XYZZY", 555, NULL },
	{ "FROM:<a@b.c> XYZZY=1", 555, NULL },
	{ "FROM:<a@b.c> =1", 555, NULL },
	{ "FROM:<a@b.c> NOTIFY=NEVER", 555, NULL },
};

static const struct row rcpts[] = {
	{ "TO:<billy@yahoo.co.uk>", 0, "billy@yahoo.co.uk" },
	{ "to:<Billy@YAHOO.co.uk.>", 0, "Billy@yahoo.co.uk" },
	{ "TO:<postmaster>", 0, "postmaster" },
	{ "TO:<-oQ/tmp@d.e>", 0, "-oQ/tmp@d.e" },		/* 3 */
	{ "TO:<../../x@d.e>", 501, NULL },			/* 4 */
	{ "TO:<a/../b@d.e>", 501, NULL },
	{ "TO:<@a.b,@c.d:x@d.e>", 0, "x@d.e" },			/* 8 */
	{ "TO:<a%b.c@d.e>", 0, "a%b.c@d.e" },
	{ "TO:<\"a@b\"@d.e>", 0, "\"a@b\"@d.e" },		/* 27 */
	{ "TO:<\xc3\xa9@d.e>", 553, NULL },			/* 10 */
	{ "TO:<>", 501, NULL },
	{ "TO:<a b@d.e>", 501, NULL },
	{ "TO:<a@d.e", 501, NULL },
	{ "TO:<a@d.e> NOTIFY=", 501, NULL },
	{ "TO:<a@d.e> NOTIFY", 501, NULL },
	{ "TO:<a@d.e> NOTIFY=NEVER,DELAY", 501, NULL },
	{ "TO:<a@d.e> NOTIFY=DELAY,", 501, NULL },
	{ "TO:<a@d.e> NOTIFY=,DELAY", 501, NULL },
	{ "TO:<a@d.e> NOTIFY=DELAY NOTIFY=DELAY", 501, NULL },
	{ "TO:<a@d.e> ORCPT=rfc822", 501, NULL },
	{ "TO:<a@d.e> ORCPT=rfc822;", 501, NULL },
	{ "TO:<a@d.e> ORCPT=;a@d.e", 501, NULL },
	{ "TO:<a@d.e> ORCPT=rf;c822;a+0Ad", 501, NULL },
	{ "TO:<a@d.e> ORCPT=rfc822;a+0A@d.e", 501, NULL },	/* 14 */
	{ "TO:<a@d.e> ORCPT=rfc822;\xc3\xa9@d.e", 501, NULL },
	{ "TO:<a@d.e> SIZE=1", 555, NULL },			/* 15 */
	{ "TO:<a@d.e>NOTIFY=NEVER", 501, NULL },
};

static void
mail_reads_what_the_table_says(void **state)
{
	struct mail m;

	(void)state;
	for (size_t i = 0; i < N(mails); i++) {
		int code = mail_code(mails[i].arg, &m);

		if (code != mails[i].code)
			fail_msg("\"%s\" gives %d", mails[i].arg, code);
		if (code == 0)
			assert_string_equal(m.sender, mails[i].addr);
		else
			assert_null(m.sender);
		mail_release(&m);
	}
}

static void
rcpt_reads_what_the_table_says(void **state)
{
	struct rcpt r;

	(void)state;
	for (size_t i = 0; i < N(rcpts); i++) {
		int code = rcpt_code(rcpts[i].arg, false, &r);

		if (code != rcpts[i].code)
			fail_msg("\"%s\" gives %d", rcpts[i].arg, code);
		if (code == 0)
			assert_string_equal(r.addr, rcpts[i].addr);
		else
			assert_null(r.addr);
		rcpt_release(&r);
	}
}

static void
all_parameters_of_mail_are_kept(void **state)
{
	struct mail m;

	(void)state;
	assert_int_equal(mail_code("FROM:<a@b.c> SIZE=00042 body=8bitmime "
	    "SMTPUTF8 RET=hdrs ENVID=QQ+20314 AUTH=<>", &m), 0);
	assert_int_equal(m.size, 42);
	assert_true(m.body8);
	assert_true(m.utf8);
	assert_string_equal(m.ret, "hdrs");
	assert_string_equal(m.envid, "QQ 314");
	mail_release(&m);

	assert_int_equal(mail_code("FROM:<a@b.c> BODY=7BIT", &m), 0);
	assert_int_equal(m.size, -1);
	assert_false(m.body8);
	assert_false(m.utf8);
	assert_null(m.ret);
	assert_null(m.envid);
	mail_release(&m);
}

/* 13: twenty nines are a number, and a very big one. */
static void
a_size_beyond_all_numbers_stays_big(void **state)
{
	static const char *const big[] = {
		"FROM:<> SIZE=99999999999999999999",
		"FROM:<> SIZE=18446744073709551616",
		"FROM:<> SIZE=18446744073709551617",
		"FROM:<> SIZE=9223372036854775808",
		"FROM:<> SIZE=9223372036854775807",
	};
	struct mail m;

	(void)state;
	for (size_t i = 0; i < N(big); i++) {
		assert_int_equal(mail_code(big[i], &m), 0);
		assert_true(m.size > (int64_t)1 << 50);
		mail_release(&m);
	}
}

static void
all_parameters_of_rcpt_are_kept(void **state)
{
	struct rcpt r;

	(void)state;
	assert_int_equal(rcpt_code("TO:<a@b.c> NOTIFY=success,FAILURE,Delay "
	    "ORCPT=rfc822;a+2Bb@b.c", false, &r), 0);
	assert_int_equal(r.notify, NOTIFY_SUCCESS | NOTIFY_FAILURE |
	    NOTIFY_DELAY);
	assert_string_equal(r.orcpt, "rfc822;a+b@b.c");
	rcpt_release(&r);
	assert_int_equal(rcpt_code("TO:<a@b.c> NOTIFY=NEVER", false, &r), 0);
	assert_int_equal(r.notify, NOTIFY_NEVER);
	assert_null(r.orcpt);
	rcpt_release(&r);
	assert_int_equal(rcpt_code("TO:<\xc3\xa9@b.c>", true, &r), 0);
	assert_string_equal(r.addr, "\xc3\xa9@b.c");
	rcpt_release(&r);
}

/* RFC 6533 section 3: as it stands, or \\x{HEX}. */
static void
an_original_recipient_in_utf8_is_decoded(void **state)
{
	static const char *const bad[] = {
		"\\x{}@y", "\\x{110000}@y", "\\x{D800}@y", "\\x{0A}@y",
		"\\x{e9", "\\q", "a+2B@y", "\\x{-1}", "\\x{000000041}",
	};
	struct rcpt r;

	(void)state;
	assert_int_equal(rcpt_code("TO:<a@b.c> ORCPT=utf-8;"
	    "\\x{E9}\\x{20AC}\\x{1F600}\\x{2B}@y", false, &r), 0);
	assert_string_equal(r.orcpt,
	    "utf-8;\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80+@y");
	rcpt_release(&r);
	assert_int_equal(rcpt_code("TO:<a@b.c> ORCPT=utf-8;\xc3\xa9@y", true,
	    &r), 0);
	rcpt_release(&r);
	assert_int_equal(rcpt_code("TO:<a@b.c> ORCPT=utf-8;\xc3\xa9@y", false,
	    &r), 501);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char line[64];

		snprintf(line, sizeof(line), "TO:<a@b.c> ORCPT=utf-8;%s",
		    bad[i]);
		assert_int_equal(rcpt_code(line, true, &r), 501);
	}
}

static void
a_bare_sender_is_for_those_who_may(void **state)
{
	struct mail m;

	(void)state;
	assert_null(mail_parse("FROM:<root>", 11, true, &m));
	assert_string_equal(m.sender, "root");
	mail_release(&m);
	assert_non_null(mail_parse("FROM:<root>", 11, false, &m));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail_reads_what_the_table_says),
		cmocka_unit_test(rcpt_reads_what_the_table_says),
		cmocka_unit_test(all_parameters_of_mail_are_kept),
		cmocka_unit_test(a_size_beyond_all_numbers_stays_big),
		cmocka_unit_test(all_parameters_of_rcpt_are_kept),
		cmocka_unit_test(an_original_recipient_in_utf8_is_decoded),
		cmocka_unit_test(a_bare_sender_is_for_those_who_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
