/*
 * test_smtpd_session.c - verbs, order, roles, relaying and patience.
 * link: smtpd
 * wrap: poll
 *
 * Whole sessions over a socket pair; numbers in comments are those of the
 * attack checklist.
 */
#include <poll.h>

#include "smtpd_fakes.h"

int __real_poll(struct pollfd *, nfds_t, int);
int __wrap_poll(struct pollfd *, nfds_t, int);

static unsigned tarpits;	/* seconds a client was made to wait */

/* A wait for no event is the tarpit's: it is counted, not waited for. */
int
__wrap_poll(struct pollfd *p, nfds_t n, int ms)
{
	if (n == 1 && p->events == 0) {
		assert_int_equal(ms, 1000);
		tarpits++;
		return 0;
	}
	return __real_poll(p, n, ms);
}

/* ---- state x verb (attack 16) ---- */

/* Brings a fresh session into the phase. */
static void
drive(struct client *c, char phase)
{
	client_start(c, "smtp", "192.0.2.7");
	if (phase != 'F')
		assert_int_equal(ask(c, "EHLO mua.test"), 250);
	if (phase == 'M' || phase == 'R')
		assert_int_equal(ask(c, "MAIL FROM:<jb@x.y>"), 250);
	if (phase == 'R')
		assert_int_equal(ask(c, "RCPT TO:<billy@yahoo.co.uk>"), 250);
}

/* The phase it is in, found out from outside; changes it. */
static char
probe(struct client *c)
{
	switch (ask(c, "DATA")) {
	case 0:
		return '-';
	case 354:
		assert_int_equal(ask(c, "."), 250);
		return 'R';
	}
	if (ask(c, "RCPT TO:<billy@yahoo.co.uk>") == 250)
		return 'M';
	return ask(c, "MAIL FROM:<jb@x.y>") == 250 ? 'G' : 'F';
}

static void
every_verb_in_every_phase_does_what_the_table_says(void **state)
{
	static const struct {
		const char *command;
		int	 code[4];	/* FRESH, GREETED, MAIL, RCPT */
		const char *after;	/* the phase then; '-': it hung up */
	} table[] = {
		{ "EHLO x.y", { 250, 250, 250, 250 }, "GGGG" },
		{ "HELO x.y", { 250, 250, 250, 250 }, "GGGG" },
		{ "ehlo x.y", { 250, 250, 250, 250 }, "GGGG" },
		{ "EHLO", { 501, 501, 501, 501 }, "FGMR" },
		{ "EHLO \xc3\xa9", { 501, 501, 501, 501 }, "FGMR" },
		{ "LHLO x.y", { 500, 500, 500, 500 }, "FGMR" },
		{ "MAIL FROM:<a@b.c>", { 503, 250, 503, 503 }, "FMMR" },
		{ "MAIL FROM:<>", { 503, 250, 503, 503 }, "FMMR" },
		{ "MAIL FROM:<a@", { 503, 501, 503, 503 }, "FGMR" },
		{ "MAIL FROM:<\xc3\xa9@b.c>", { 503, 553, 503, 503 }, "FGMR" },
		{ "MAIL FROM:<a@b.c> SIZE=1000001", { 503, 552, 503, 503 },
		    "FGMR" },
		{ "MAIL FROM:<a@b.c> SIZE=99999999999999999999",
		    { 503, 552, 503, 503 }, "FGMR" },
		{ "MAIL", { 503, 501, 503, 503 }, "FGMR" },
		{ "RCPT TO:<billy@yahoo.co.uk>", { 503, 503, 250, 250 },
		    "FGRR" },
		{ "RCPT TO:<nobody@yahoo.co.uk>", { 503, 503, 550, 550 },
		    "FGMR" },
		{ "RCPT TO:<x@elsewhere.example>", { 503, 503, 550, 550 },
		    "FGMR" },
		{ "RCPT TO:<soon@yahoo.co.uk>", { 503, 503, 451, 451 },
		    "FGMR" },
		{ "RCPT TO:<>", { 503, 503, 501, 501 }, "FGMR" },
		{ "RCPT", { 503, 503, 501, 501 }, "FGMR" },
		{ "DATA x", { 503, 503, 503, 501 }, "FGMR" },
		{ "RSET", { 250, 250, 250, 250 }, "FGGG" },
		{ "RSET x", { 501, 501, 501, 501 }, "FGMR" },
		{ "NOOP", { 250, 250, 250, 250 }, "FGMR" },
		{ "NOOP  and more \t", { 250, 250, 250, 250 }, "FGMR" },
		{ "VRFY billy", { 252, 252, 252, 252 }, "FGMR" },
		{ "VRFY", { 501, 501, 501, 501 }, "FGMR" },
		{ "EXPN team", { 502, 502, 502, 502 }, "FGMR" },
		{ "HELP", { 214, 214, 214, 214 }, "FGMR" },
		{ "HELP MAIL", { 214, 214, 214, 214 }, "FGMR" },
		{ "STARTTLS", { 503, 502, 503, 503 }, "FGMR" },
		{ "STARTTLS x", { 503, 501, 503, 503 }, "FGMR" },
		{ "AUTH PLAIN", { 502, 502, 502, 502 }, "FGMR" },
		{ "BDAT 5 LAST", { 500, 500, 500, 500 }, "FGMR" },
		{ "XCLIENT ADDR=127.0.0.1", { 500, 500, 500, 500 }, "FGMR" },
		{ "PROXY TCP4 1.2.3.4 1.2.3.4 1 2", { 500, 500, 500, 500 },
		    "FGMR" },
		{ "", { 500, 500, 500, 500 }, "FGMR" },
		{ " ", { 500, 500, 500, 500 }, "FGMR" },
		{ " NOOP", { 500, 500, 500, 500 }, "FGMR" },
		{ "MAILFROM:<a@b.c>", { 500, 500, 500, 500 }, "FGMR" },
		{ "NOOP \x1b[2J", { 500, 500, 500, 500 }, "FGMR" },
		{ "NO\x7fOP", { 500, 500, 500, 500 }, "FGMR" },
		{ "QUIT", { 221, 221, 221, 221 }, "----" },
		{ "QUIT x", { 501, 501, 501, 501 }, "FGMR" },
		{ "GET / HTTP/1.1", { 421, 421, 421, 421 }, "----" },
		{ "POST /x HTTP/1.1", { 421, 421, 421, 421 }, "----" },
		{ "CONNECT a.b:25 HTTP/1.1", { 421, 421, 421, 421 }, "----" },
		{ "Host: a.b", { 421, 421, 421, 421 }, "----" },
	};
	static const char phases[] = "FGMR";

	(void)state;
	for (size_t i = 0; i < N(table); i++)
		for (size_t p = 0; p < 4; p++) {
			struct client c;
			int code;
			char after;

			drive(&c, phases[p]);
			code = ask(&c, table[i].command);
			after = probe(&c);
			if (code != table[i].code[p] ||
			    after != table[i].after[p])
				fail_msg("\"%s\" in %c: %d, then %c",
				    table[i].command, phases[p], code, after);
			client_end(&c);
		}
}

/* ---- greetings ---- */

static void
ehlo_tells_what_we_can(void **state)
{
	struct client c;

	(void)state;
	client_start(&c, "smtp", "192.0.2.7");
	assert_non_null(strstr(c.line.data, "mx.test ESMTP"));
	assert_int_equal(ask(&c, "EHLO mua.test"), 250);
	assert_string_equal(buf_str(&c.all), "250-mx.test\n"
	    "250-PIPELINING\n250-SIZE 1000000\n250-8BITMIME\n250-SMTPUTF8\n"
	    "250-DSN\n250 ENHANCEDSTATUSCODES\n");
	assert_int_equal(ask(&c, "HELO mua.test"), 250);
	assert_string_equal(buf_str(&c.line), "250 mx.test");
	client_end(&c);
}

static void
help_prints_the_verbs_of_the_role(void **state)
{
	struct client c;

	(void)state;
	client_start(&c, "smtp", "192.0.2.7");
	assert_int_equal(ask(&c, "HELP"), 214);
	assert_null(strstr(buf_str(&c.line), "AUTH"));
	assert_non_null(strstr(c.line.data, " EHLO"));
	assert_null(strstr(c.line.data, "LHLO"));
	assert_null(strstr(c.line.data, "GET"));
	client_end(&c);
}

/* Attacks 11 and 12. */
static void
a_strange_helo_is_blunted_and_a_monstrous_one_refused(void **state)
{
	struct client c;
	char line[70000];

	(void)state;
	client_start(&c, "smtp", "192.0.2.7");
	memset(line, 'x', sizeof(line));
	memcpy(line, "EHLO ", 5);
	line[512] = '\0';
	assert_int_equal(ask(&c, line), 501);
	line[512] = 'x';
	line[sizeof(line) - 1] = '\0';
	assert_int_equal(ask(&c, line), 500);
	assert_int_equal(ask(&c, "EHLO (%s%n \"<x>\\"), 250);
	assert_int_equal(ask(&c, "MAIL FROM:<jb@x.y>"), 250);
	assert_int_equal(ask(&c, "RCPT TO:<billy@yahoo.co.uk>"), 250);
	assert_int_equal(ask(&c, "DATA"), 354);
	assert_int_equal(ask(&c, "."), 250);
	client_end(&c);
	assert_non_null(strstr(buf_str(&fake.frames),
	    " helo=??s?n???x??"));
}

/* Attack 11: ten megabytes without a line end. */
static void
an_endless_line_ends_the_session(void **state)
{
	struct client c;
	static char junk[100001];
	int code;

	(void)state;
	client_start(&c, "smtp", "192.0.2.7");
	memset(junk, 'x', sizeof(junk) - 1);
	for (int i = 0; i < 100; i++)
		say(&c, junk);
	code = reply_code(&c);
	assert_true(code == 500 || code == 0);	/* 0: it was reset */
	client_end(&c);
}

/* Attack 22, on port 25 only. */
static void
who_talks_before_the_banner_is_sent_away(void **state)
{
	struct client c;

	(void)state;
	client_connect(&c, "smtp", "192.0.2.7", "EHLO x\r\n");
	client_run(&c);
	assert_int_equal(reply_code(&c), 554);
	assert_int_equal(reply_code(&c), 0);
	client_end(&c);
	client_connect(&c, "lmtp", NULL, "NOOP\r\n");
	client_run(&c);
	assert_int_equal(reply_code(&c), 220);
	assert_int_equal(reply_code(&c), 250);
	client_end(&c);
}

/* ---- pipelining ---- */

static void
pipelined_commands_are_answered_in_order(void **state)
{
	struct client c;

	(void)state;
	client_start(&c, "smtp", "192.0.2.7");
	assert_int_equal(ask(&c, "EHLO x"), 250);
	say(&c, "MAIL FROM:<a@b.c>\r\nRCPT TO:<nobody@yahoo.co.uk>\r\n"
	    "RCPT TO:<billy@yahoo.co.uk>\r\nNOOP\r\nDATA\r\n");
	assert_int_equal(reply_code(&c), 250);
	assert_int_equal(reply_code(&c), 550);
	assert_int_equal(reply_code(&c), 250);
	assert_int_equal(reply_code(&c), 250);
	assert_int_equal(reply_code(&c), 354);
	say(&c, "x\r\n.\r\nNOOP\r\nQUIT\r\n");
	assert_int_equal(reply_code(&c), 250);
	assert_int_equal(reply_code(&c), 250);
	assert_int_equal(reply_code(&c), 221);
	client_end(&c);
}

static void
what_must_be_last_of_a_group_ends_the_session_otherwise(void **state)
{
	static const char *const groups[] = {
		"EHLO x\r\nNOOP\r\n", "HELO x\r\nNOOP\r\n",
		"DATA\r\nNOOP\r\n",
	};

	(void)state;
	for (size_t i = 0; i < N(groups); i++) {
		struct client c;

		client_prepare(&c, "smtp", "192.0.2.7");
		say(&c, groups[i]);
		assert_int_equal(reply_code(&c), 503);
		assert_int_equal(reply_code(&c), 0);
		client_end(&c);
	}
}

static void
a_client_that_has_ended_its_side_gets_its_answers(void **state)
{
	struct client c;

	(void)state;
	client_start(&c, "smtp", "192.0.2.7");
	say(&c, "NOOP\r\nVRFY x\r\n");
	stream_goodbye(&c.st, deadline_in(5));
	assert_int_equal(reply_code(&c), 250);
	assert_int_equal(reply_code(&c), 252);
	assert_int_equal(reply_code(&c), 0);
	client_end(&c);
}

/* Attack 5, and bare line ends in commands. */
static void
a_line_is_not_cut_at_a_nul_or_a_bare_line_end(void **state)
{
	struct client c;

	(void)state;
	client_start(&c, "smtp", "192.0.2.7");
	assert_int_equal(ask(&c, "EHLO x"), 250);
	assert_int_equal(ask(&c, "MAIL FROM:<a@b.c>"), 250);
	stream_write(&c.st, "RCPT TO:<billy@yahoo.co.uk>\0x\r\n", 31);
	assert_int_equal(ask(&c, "NOOP"), 500);
	assert_int_equal(reply_code(&c), 250);
	say(&c, "RCPT TO:<billy@yahoo.co.uk>\n");
	assert_int_equal(reply_code(&c), 500);
	say(&c, "RCPT TO:<billy@yahoo.co.uk>\rNOOP\r\n");
	assert_int_equal(reply_code(&c), 500);
	assert_int_equal(ask(&c, "DATA"), 503);
	client_end(&c);
}

/* ---- relaying (attack 27) ---- */

static int
rcpt_from(const char *role, const char *ip, const char *addr)
{
	struct client c;
	char command[200];
	int code;

	client_start(&c, role, ip);
	assert_int_equal(ask(&c, strcmp(role, "lmtp") == 0 ? "LHLO x" :
	    "EHLO x"), 250);
	assert_int_equal(ask(&c, "MAIL FROM:<jb@x.y>"), 250);
	snprintf(command, sizeof(command), "RCPT TO:<%s>", addr);
	code = ask(&c, command);
	client_end(&c);
	return code;
}

static void
only_the_trusted_relay(void **state)
{
	static const struct {
		const char *role, *ip, *addr;
		int	code;
	} table[] = {
		{ "smtp", "192.0.2.7", "x@elsewhere.example", 550 },
		{ "smtp", "127.0.0.1", "x@elsewhere.example", 550 },
		{ "smtp", "::1", "x@elsewhere.example", 550 },
		{ "smtp", "198.51.100.9", "x@elsewhere.example", 250 },
		{ "smtp", "198.51.100.9", "nobody@yahoo.co.uk", 550 },
		{ "smtp", "192.0.2.7", "billy@yahoo.co.uk", 250 },
		{ "smtp", "192.0.2.7", "billy@YAHOO.CO.UK.", 250 },
		{ "smtp", "192.0.2.7", "team@yahoo.co.uk", 250 },
		{ "smtp", "192.0.2.7", "postmaster", 250 },
		{ "smtp", "192.0.2.7", "PostMaster", 250 },
		{ "smtp", "192.0.2.7", "billy", 553 },
		{ "smtp", "192.0.2.7", "@yahoo.co.uk:x@elsewhere.example",
		    550 },
		{ "smtp", "192.0.2.7", "\"x@elsewhere.example\"@yahoo.co.uk",
		    550 },
		{ "smtp", "192.0.2.7", "x%elsewhere.example@yahoo.co.uk",
		    550 },
		{ "smtp", "192.0.2.7", "x@elsewhere.example.", 550 },
		{ "smtp", "192.0.2.7", "odd@yahoo.co.uk", 451 },
		{ "lmtp", NULL, "billy@yahoo.co.uk", 250 },
		{ "lmtp", NULL, "x@elsewhere.example", 550 },
		{ "lmtp", "198.51.100.9", "x@elsewhere.example", 550 },
		{ "local", NULL, "x@elsewhere.example", 250 },
		{ "local", NULL, "root", 250 },
	};

	(void)state;
	for (size_t i = 0; i < N(table); i++) {
		int code = rcpt_from(table[i].role, table[i].ip,
		    table[i].addr);

		if (code != table[i].code)
			fail_msg("%s from %s to %s: %d", table[i].role,
			    table[i].ip, table[i].addr, code);
	}
}

/* What resolve says goes out as one clean line, with a code that refuses. */
static void
a_reply_of_resolve_cannot_break_ours(void **state)
{
	struct client c;

	(void)state;
	client_start(&c, "smtp", "192.0.2.7");
	assert_int_equal(ask(&c, "EHLO x"), 250);
	assert_int_equal(ask(&c, "MAIL FROM:<>"), 250);
	assert_int_equal(ask(&c, "RCPT TO:<silly@yahoo.co.uk>"), 451);
	assert_string_equal(buf_str(&c.line), "451 4.3.0 a??b");
	assert_int_equal(ask(&c, "NOOP"), 250);
	client_end(&c);
}

static void
resolve_may_restart_once_between_two_questions(void **state)
{
	struct client c;

	(void)state;
	client_prepare(&c, "smtp", "192.0.2.7");
	fake.hang_up = 1;
	assert_int_equal(ask(&c, "RCPT TO:<billy@yahoo.co.uk>"), 250);
	fake.hang_up = 2;
	assert_int_equal(ask(&c, "RCPT TO:<billy@yahoo.co.uk>"), 451);
	assert_int_equal(fake.hang_up, 0);
	assert_int_equal(ask(&c, "RCPT TO:<billy@yahoo.co.uk>"), 250);
	client_end(&c);
}

static void
a_mailbox_that_is_known_is_not_asked_for(void **state)
{
	static const char *const others[] = { "RCPT TO:<jean-bob@emc.fr>",
	    "RCPT TO:<billy+spam@yahoo.co.uk>", "RCPT TO:<team@yahoo.co.uk>" };
	struct known resolve;
	struct client c;
	int writer, reader;
	unsigned asked;

	(void)state;
	assert_int_equal(known_make(&writer, &reader), 0);
	known_map(&resolve, writer, true);
	client_prepare(&c, "lmtp", "192.0.2.7");
	known_map(&c.smtpd.known, reader, false);
	asked = fake.asked;
	known_tell(&resolve, "billy@yahoo.co.uk", now_ms() + 60000);
	assert_int_equal(ask(&c, "RCPT TO:<billy@yahoo.co.uk>"), 250);
	assert_int_equal(ask(&c, "RCPT TO:<billy@Yahoo.CO.UK>"), 250);
	assert_int_equal(fake.asked, asked);
	/* Each other, and he when his time is over, is a question. */
	assert_int_equal(ask(&c, others[0]), 250);
	assert_int_equal(fake.asked, asked + 1);
	known_tell(&resolve, "billy@yahoo.co.uk", now_ms());
	assert_int_equal(ask(&c, "RCPT TO:<billy@yahoo.co.uk>"), 250);
	assert_int_equal(fake.asked, asked + 2);
	client_end(&c);
	client_prepare(&c, "smtp", "192.0.2.7");
	c.smtpd.known = resolve;
	known_tell(&resolve, "billy@yahoo.co.uk", now_ms() + 60000);
	asked = fake.asked;
	assert_int_equal(ask(&c, others[1]), 250);
	assert_int_equal(ask(&c, others[2]), 250);
	assert_int_equal(ask(&c, "RCPT TO:<nobody@yahoo.co.uk>"), 550);
	assert_int_equal(fake.asked, asked + 3);
	client_end(&c);
}

static void
there_are_so_many_recipients_and_no_more(void **state)
{
	struct client c;

	(void)state;
	client_prepare(&c, "smtp", "192.0.2.7");	/* the first of 5 */
	for (int i = 0; i < 4; i++)
		assert_int_equal(ask(&c, "RCPT TO:<billy@yahoo.co.uk>"), 250);
	assert_int_equal(ask(&c, "RCPT TO:<billy@yahoo.co.uk>"), 452);
	assert_int_equal(ask(&c, "DATA"), 354);
	assert_int_equal(ask(&c, "."), 250);
	client_end(&c);
}

/* ---- patience ---- */

static void
mistakes_get_slow_and_then_the_door(void **state)
{
	struct client c;

	(void)state;
	client_start(&c, "smtp", "192.0.2.7");
	tarpits = 0;
	for (int i = 1; i <= 10; i++)
		assert_int_equal(ask(&c, "XYZZY"), 500);
	assert_int_equal(tarpits, 0);
	for (int i = 11; i <= 20; i++)
		assert_int_equal(ask(&c, "XYZZY"), 500);
	assert_int_equal(tarpits, 10);
	assert_int_equal(reply_code(&c), 421);
	assert_int_equal(reply_code(&c), 0);
	client_end(&c);
}

static void
a_good_command_is_not_slowed_by_earlier_mistakes(void **state)
{
	struct client c;

	(void)state;
	client_start(&c, "smtp", "192.0.2.7");
	for (int i = 1; i <= 12; i++)
		assert_int_equal(ask(&c, "XYZZY"), 500);
	tarpits = 0;
	assert_int_equal(ask(&c, "NOOP"), 250);
	assert_int_equal(tarpits, 0);
	client_end(&c);
}

/* Attack 24: nothing wrong with a NOOP, but with a thousand of them. */
static void
chatter_is_an_error_in_the_end(void **state)
{
	struct client c;
	int n;

	(void)state;
	client_start(&c, "smtp", "192.0.2.7");
	for (n = 1; ask(&c, "NOOP") == 250; n++)
		assert_true(n < 1000);
	assert_true(n > 100);
	client_end(&c);
}

/* Attack 25. */
static void
guessing_recipients_gets_slow_and_then_the_door(void **state)
{
	struct client c;
	int n, code;

	(void)state;
	client_prepare(&c, "smtp", "192.0.2.7");
	tarpits = 0;
	for (n = 1; n <= 60; n++) {
		code = ask(&c, "RCPT TO:<nobody@yahoo.co.uk>");
		if (code != 550)
			break;
		if (n == 10)
			assert_int_equal(tarpits, 0);
	}
	assert_int_equal(code, 421);
	assert_int_equal(n, 50);
	assert_int_equal(tarpits, 40);
	assert_int_equal(reply_code(&c), 0);
	client_end(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    every_verb_in_every_phase_does_what_the_table_says),
		cmocka_unit_test(ehlo_tells_what_we_can),
		cmocka_unit_test(help_prints_the_verbs_of_the_role),
		cmocka_unit_test(
		    a_strange_helo_is_blunted_and_a_monstrous_one_refused),
		cmocka_unit_test(an_endless_line_ends_the_session),
		cmocka_unit_test(who_talks_before_the_banner_is_sent_away),
		cmocka_unit_test(pipelined_commands_are_answered_in_order),
		cmocka_unit_test(
		    what_must_be_last_of_a_group_ends_the_session_otherwise),
		cmocka_unit_test(
		    a_client_that_has_ended_its_side_gets_its_answers),
		cmocka_unit_test(
		    a_line_is_not_cut_at_a_nul_or_a_bare_line_end),
		cmocka_unit_test(only_the_trusted_relay),
		cmocka_unit_test(a_reply_of_resolve_cannot_break_ours),
		cmocka_unit_test(
		    resolve_may_restart_once_between_two_questions),
		cmocka_unit_test(a_mailbox_that_is_known_is_not_asked_for),
		cmocka_unit_test(there_are_so_many_recipients_and_no_more),
		cmocka_unit_test(mistakes_get_slow_and_then_the_door),
		cmocka_unit_test(
		    a_good_command_is_not_slowed_by_earlier_mistakes),
		cmocka_unit_test(chatter_is_an_error_in_the_end),
		cmocka_unit_test(
		    guessing_recipients_gets_slow_and_then_the_door),
	};

	return cmocka_run_group_tests(tests, fakes_start, fakes_stop);
}
