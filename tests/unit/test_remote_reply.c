/*
 * test_remote_reply.c - what counts as an SMTP reply, and what EHLO promises.
 * link: remote
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../remote/remote.h"

/* Feeds lines separated by '|'. */
static enum reply_state
feed(struct reply *r, const char *lines)
{
	enum reply_state state = REPLY_MORE;

	reply_reset(r);
	while (state == REPLY_MORE) {
		size_t len = strcspn(lines, "|");

		state = reply_line(r, lines, len);
		lines += len;
		if (*lines == '\0')
			break;
		lines++;
	}
	return state;
}

static const struct {
	const char *lines;
	enum reply_state state;
	int	 code;
	const char *enh, *text;
} replies[] = {
	{ "250 ok", REPLY_DONE, 250, "", "250 ok" },
	{ "250", REPLY_DONE, 250, "", "250" },
	{ "250 ", REPLY_DONE, 250, "", "250" },
	{ "250 2.1.5 fine", REPLY_DONE, 250, "2.1.5", "250 2.1.5 fine" },
	{ "550 5.1.1", REPLY_DONE, 550, "5.1.1", "550 5.1.1" },
	{ "550-5.1.1 no|550 5.1.1 such user", REPLY_DONE, 550, "5.1.1",
	    "550 5.1.1 no such user" },
	{ "550-5.7.1 see|550 4.7.1 there", REPLY_DONE, 550, "5.7.1",
	    "550 5.7.1 see 4.7.1 there" },
	{ "571 5.7.1 policy", REPLY_DONE, 571, "5.7.1", "571 5.7.1 policy" },
	{ "550 4.1.1 class", REPLY_DONE, 550, "", "550 4.1.1 class" },
	{ "550 5.1.1x", REPLY_DONE, 550, "", "550 5.1.1x" },
	{ "550 5.1.1000 x", REPLY_DONE, 550, "", "550 5.1.1000 x" },
	{ "550 5.1", REPLY_DONE, 550, "", "550 5.1" },
	{ "550 5..1 x", REPLY_DONE, 550, "", "550 5..1 x" },
	{ "250-a|250-b|250 c", REPLY_DONE, 250, "", "250 a b c" },
	{ "250-", REPLY_MORE, 250, "", "250" },
	{ "450 a\tb\033[2Jc", REPLY_DONE, 450, "", "450 a b?[2Jc" },
	{ "450 caf\303\251", REPLY_DONE, 450, "", "450 caf\303\251" },
	{ "450 caf\351", REPLY_DONE, 450, "", "450 caf?" },
	{ "550 done 1 2026\"\\n", REPLY_DONE, 550, "",
	    "550 done 1 2026\"\\n" },
	{ "", REPLY_BAD, 0, "", "" },
	{ "5", REPLY_BAD, 0, "", "" },
	{ "55", REPLY_BAD, 0, "", "" },
	{ "99 ", REPLY_BAD, 0, "", "" },
	{ "2x0 ok", REPLY_BAD, 0, "", "" },
	{ "250ok", REPLY_BAD, 0, "", "" },
	{ "2500 ok", REPLY_BAD, 0, "", "" },
	{ "150 ok", REPLY_BAD, 0, "", "" },
	{ "650 ok", REPLY_BAD, 0, "", "" },
	{ " 250 ok", REPLY_BAD, 0, "", "" },
	{ "hello", REPLY_BAD, 0, "", "" },
	{ "250-a|550 b", REPLY_BAD, 250, "", "" },
	{ "250-a|b", REPLY_BAD, 250, "", "" },
	{ "250-a|", REPLY_BAD, 250, "", "" },
};

static void
replies_are_well_formed_or_bad(void **state)
{
	struct reply r;
	char text[600];

	(void)state;
	reply_init(&r);
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		enum reply_state got;

		if (*replies[i].lines == '\0') {
			reply_reset(&r);
			got = reply_line(&r, "", 0);
		} else if (strcmp(replies[i].lines, "250-a|") == 0) {
			reply_reset(&r);
			assert_int_equal(reply_line(&r, "250-a", 5),
			    REPLY_MORE);
			got = reply_line(&r, "", 0);
		} else {
			got = feed(&r, replies[i].lines);
		}
		if (got != replies[i].state)
			fail_msg("\"%s\": state %d", replies[i].lines, got);
		assert_int_equal(r.code, replies[i].code);
		if (got == REPLY_BAD)
			continue;
		assert_string_equal(r.enh, replies[i].enh);
		reply_text(&r, text, sizeof(text));
		assert_string_equal(text, replies[i].text);
	}
	reply_release(&r);
}

static void
an_endless_reply_is_bad(void **state)
{
	struct reply r;
	char line[REPLY_LINE + 2];
	unsigned n = 0;

	(void)state;
	reply_init(&r);
	while (reply_line(&r, "250-x", 5) == REPLY_MORE && n < 1000)
		n++;
	assert_int_equal(n, REPLY_LINES);
	memset(line, 'x', sizeof(line));
	memcpy(line, "250 ", 4);
	reply_reset(&r);
	assert_int_equal(reply_line(&r, line, REPLY_LINE), REPLY_DONE);
	reply_reset(&r);
	assert_int_equal(reply_line(&r, line, REPLY_LINE + 1), REPLY_BAD);
	reply_release(&r);
}

static void
text_is_cut_between_characters(void **state)
{
	struct reply r;
	char text[10];

	(void)state;
	reply_init(&r);
	assert_int_equal(feed(&r, "250 abcd\303\251f"), REPLY_DONE);
	reply_text(&r, text, sizeof(text));
	assert_string_equal(text, "250 abcd");
	reply_release(&r);
}

static void
ehlo_keywords_are_read(void **state)
{
	struct reply r;
	struct caps c;

	(void)state;
	reply_init(&r);
	assert_int_equal(feed(&r, "250-PIPELINING greets you|"
	    "250-size 1000|250-8bitmime|250-SMTPUTF8|250-AUTH=LOGIN|"
	    "250-DSN|250 STARTTLS"), REPLY_DONE);
	caps_parse(&r, &c);
	assert_false(c.pipelining);	/* only the greeting said so */
	assert_true(c.size && c.eightbit && c.utf8 && c.dsn && c.starttls);
	assert_int_equal(c.size_max, 1000);
	reply_release(&r);
}

static void
a_lying_size_means_no_limit(void **state)
{
	static const char *const sizes[] = { "250-x|250 SIZE",
	    "250-x|250 SIZE 0", "250-x|250 SIZE -5", "250-x|250 SIZE 5k",
	    "250-x|250 SIZE 99999999999999999999" };
	struct reply r;
	struct caps c;

	(void)state;
	reply_init(&r);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(feed(&r, sizes[i]), REPLY_DONE);
		caps_parse(&r, &c);
		assert_true(c.size);
		assert_int_equal(c.size_max, 0);
	}
	reply_release(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_well_formed_or_bad),
		cmocka_unit_test(an_endless_reply_is_bad),
		cmocka_unit_test(text_is_cut_between_characters),
		cmocka_unit_test(ehlo_keywords_are_read),
		cmocka_unit_test(a_lying_size_means_no_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
