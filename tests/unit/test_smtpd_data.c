/*
 * test_smtpd_data.c - from DATA to inject's verdict.
 * link: smtpd
 *
 * Numbers in comments are those of the attack checklist.
 */
#include "smtpd_fakes.h"

static unsigned
messages_since(unsigned before)
{
	return fake.messages - before;
}

/* Sends content (with its end mark) in a fresh session; gives the code. */
static int
send_content(const char *content, size_t len)
{
	struct client c;
	int code;

	client_prepare(&c, "smtp", "192.0.2.7");
	assert_int_equal(ask(&c, "DATA"), 354);
	stream_write(&c.st, content, len);
	(void)!stream_flush(&c.st, deadline_in(30));
	code = reply_code(&c);
	client_end(&c);
	return code;
}

/* ---- what arrives ---- */

static void
content_arrives_with_lf_and_without_doubled_dots(void **state)
{
	static const struct { const char *wire, *stored; } table[] = {
		{ ".\r\n", "" },
		{ "\r\n.\r\n", "\n" },
		{ "a\r\n.\r\n", "a\n" },
		{ "..\r\n.\r\n", ".\n" },
		{ "...a\r\n..b\r\nc..\r\n.\r\n", "..a\n.b\nc..\n" },
		{ "Subject: \xe9\r\n\r\n\xc3\xa9\r\n.\r\n",
		    "Subject: \xe9\n\n\xc3\xa9\n" },
	};

	(void)state;
	for (size_t i = 0; i < N(table); i++) {
		unsigned before = fake.messages;

		assert_int_equal(send_content(table[i].wire,
		    strlen(table[i].wire)), 250);
		assert_string_equal(buf_str(&fake.content), table[i].stored);
		assert_int_equal(messages_since(before), 1);
	}
}

static void
the_envelope_reaches_inject_whole(void **state)
{
	struct client c;

	(void)state;
	client_start(&c, "smtp", "192.0.2.7");
	assert_int_equal(ask(&c, "EHLO mua.test"), 250);
	assert_int_equal(ask(&c, "MAIL FROM:<jb@x.y> SIZE=10 BODY=8BITMIME "
	    "SMTPUTF8 RET=HDRS ENVID=Q+2B1"), 250);
	assert_int_equal(ask(&c, "RCPT TO:<billy@yahoo.co.uk> NOTIFY=NEVER"),
	    250);
	assert_int_equal(ask(&c, "RCPT TO:<nobody@yahoo.co.uk>"), 550);
	assert_int_equal(ask(&c, "RCPT TO:<Team@yahoo.co.uk> "
	    "NOTIFY=DELAY,FAILURE ORCPT=rfc822;t+2B@yahoo.co.uk"), 250);
	assert_int_equal(ask(&c, "DATA"), 354);
	assert_int_equal(ask(&c, "."), 250);
	assert_string_equal(buf_str(&c.line), "250 2.0.0 ok 0kq3x8f2m1bc");
	client_end(&c);
	assert_string_equal(buf_str(&fake.frames),
	    "message sender=jb@x.y ret=hdrs envid=Q+1 body=8bit utf8=yes "
	    "ip=192.0.2.7 helo=mua.test with=UTF8SMTP\n"
	    "rcpt to=billy@yahoo.co.uk notify=never mailbox=yes\n"
	    "rcpt to=Team@yahoo.co.uk notify=failure,delay "
	    "orcpt=rfc822;t+@yahoo.co.uk\n"
	    "go size=10\nend\n");
}

static void
local_submissions_carry_no_trace(void **state)
{
	struct client c;

	(void)state;
	client_start(&c, "local", NULL);
	assert_int_equal(ask(&c, "HELO x"), 250);
	assert_int_equal(ask(&c, "MAIL FROM:<root>"), 250);
	assert_int_equal(ask(&c, "RCPT TO:<x@elsewhere.example>"), 250);
	assert_int_equal(ask(&c, "DATA"), 354);
	assert_int_equal(ask(&c, "."), 250);
	client_end(&c);
	assert_string_equal(buf_str(&fake.frames),
	    "message sender=root@yahoo.co.uk fix=yes\n"
	    "rcpt to=x@elsewhere.example\ngo\nend\n");
}

static void
lmtp_answers_for_each_recipient(void **state)
{
	struct client c;

	(void)state;
	client_prepare(&c, "lmtp", NULL);
	assert_int_equal(ask(&c, "RCPT TO:<nobody@yahoo.co.uk>"), 550);
	assert_int_equal(ask(&c, "RCPT TO:<team@yahoo.co.uk>"), 250);
	assert_int_equal(ask(&c, "DATA"), 354);
	say(&c, "x\r\n.\r\nNOOP\r\n");
	assert_int_equal(reply_code(&c), 250);
	assert_non_null(strstr(c.line.data, "<billy@yahoo.co.uk>"));
	assert_int_equal(reply_code(&c), 250);
	assert_non_null(strstr(c.line.data, "<team@yahoo.co.uk>"));
	assert_int_equal(reply_code(&c), 250);
	assert_null(strchr(c.line.data, '<'));
	fake.mood = FULL_AT_END;
	assert_int_equal(ask(&c, "MAIL FROM:<>"), 250);
	assert_int_equal(ask(&c, "RCPT TO:<billy@yahoo.co.uk>"), 250);
	assert_int_equal(ask(&c, "RCPT TO:<team@yahoo.co.uk>"), 250);
	assert_int_equal(ask(&c, "DATA"), 354);
	assert_int_equal(ask(&c, "."), 452);
	assert_int_equal(reply_code(&c), 452);
	fake.mood = WILLING;
	client_end(&c);
	assert_non_null(strstr(buf_str(&fake.frames),
	    " ip=unix helo=mua.test with=LMTP\n"));
}

static void
a_big_message_arrives_byte_for_byte(void **state)
{
	struct buf wire = BUF_INIT, stored = BUF_INIT;

	(void)state;
	for (int i = 0; i < 8000; i++) {
		buf_addf(&stored, "%s%d and some more of it, to fill a line "
		    "up and a frame, too\n", i % 7 == 0 ? "." : "", i);
		buf_addf(&wire, "%s%d and some more of it, to fill a line "
		    "up and a frame, too\r\n", i % 7 == 0 ? ".." : "", i);
	}
	buf_adds(&wire, ".\r\n");
	assert_int_equal(send_content(wire.data, wire.len), 250);
	assert_int_equal(fake.content.len, stored.len);
	assert_memory_equal(fake.content.data, stored.data, stored.len);
	buf_release(&wire);
	buf_release(&stored);
}

/* Attack 31: one byte at a time. */
static void
the_split_of_the_wire_changes_nothing(void **state)
{
	static const char wire[] = "a\r\n..\r\n.b\r\n.\r\n";
	struct client c;

	(void)state;
	client_prepare(&c, "smtp", "192.0.2.7");
	assert_int_equal(ask(&c, "DATA"), 354);
	for (size_t i = 0; i < sizeof(wire) - 1; i++) {
		stream_write(&c.st, wire + i, 1);
		assert_int_equal(stream_flush(&c.st, deadline_in(10)), 0);
	}
	assert_int_equal(reply_code(&c), 250);
	client_end(&c);
	assert_string_equal(buf_str(&fake.content), "a\n.\nb\n");
}

/* ---- smuggling ---- */

/* Attack 30: the ten endings, each with a second message behind it. */
static void
no_strange_ending_makes_two_messages(void **state)
{
#define E(s)	s, sizeof(s) - 1
	static const struct { const char *end; size_t len; } endings[] = {
		{ E("\n.\n") }, { E("\r.\r") }, { E("\r.\n") },
		{ E("\n.\r") }, { E("\n.\r\n") }, { E("\r\n.\n") },
		{ E("\r.\r\n") }, { E("\r\n.\r") }, { E("\r\n\0.\r\n") },
		{ E("\r\n.\0\r\n") },
	};

	(void)state;
	for (size_t i = 0; i < N(endings); i++) {
		struct buf wire = BUF_INIT;
		unsigned before = fake.messages;
		struct client c;

		buf_reset(&fake.frames);
		buf_adds(&wire, "Subject: one\r\n\r\nx");
		buf_add(&wire, endings[i].end, endings[i].len);
		buf_adds(&wire, "MAIL FROM:<boss@yahoo.co.uk>\r\n"
		    "RCPT TO:<billy@yahoo.co.uk>\r\nDATA\r\ny\r\n.\r\n");
		client_prepare(&c, "smtp", "192.0.2.7");
		assert_int_equal(ask(&c, "DATA"), 354);
		stream_write(&c.st, wire.data, wire.len);
		(void)!stream_flush(&c.st, deadline_in(10));
		assert_int_equal(reply_code(&c), 554);
		assert_int_equal(reply_code(&c), 0);
		client_end(&c);
		assert_int_equal(messages_since(before), 0);
		assert_null(strstr(buf_str(&fake.frames), "end\n"));
		buf_release(&wire);
	}
}

/* ---- limits ---- */

/* Attack 43: read to its end, refused, and the session goes on. */
static void
a_message_over_the_limit_is_refused_at_its_end(void **state)
{
	struct client c;
	static char line[1001];
	unsigned before = fake.messages;

	(void)state;
	memset(line, 'x', sizeof(line) - 3);
	memcpy(line + sizeof(line) - 3, "\r\n", 3);
	client_prepare(&c, "smtp", "192.0.2.7");
	assert_int_equal(ask(&c, "DATA"), 354);
	for (int i = 0; i < 1100; i++)
		stream_puts(&c.st, line);
	assert_int_equal(ask(&c, "."), 552);
	assert_int_equal(ask(&c, "RCPT TO:<billy@yahoo.co.uk>"), 503);
	assert_int_equal(ask(&c, "MAIL FROM:<a@b.c>"), 250);
	client_end(&c);
	assert_int_equal(messages_since(before), 0);
}

static void
an_endless_message_ends_the_session(void **state)
{
	struct client c;
	static char chunk[100001];
	int code;

	(void)state;
	memset(chunk, 'x', sizeof(chunk) - 1);
	client_prepare(&c, "smtp", "192.0.2.7");
	assert_int_equal(ask(&c, "DATA"), 354);
	for (int i = 0; i < 30; i++)
		say(&c, chunk);
	code = reply_code(&c);
	assert_true(code == 421 || code == 0);	/* 0: it was reset */
	client_end(&c);
}

/* A message of exactly the limit passes, with the most wire it can take. */
static void
the_limit_counts_stored_bytes(void **state)
{
	struct buf wire = BUF_INIT;

	(void)state;
	for (int i = 0; i < 500000; i++)
		buf_adds(&wire, "..\r\n");	/* two bytes stored */
	buf_adds(&wire, ".\r\n");
	assert_int_equal(send_content(wire.data, wire.len), 250);
	assert_int_equal(fake.content.len, 1000000);
	buf_cut(&wire, wire.len - 3);
	buf_adds(&wire, "\r\n.\r\n");
	assert_int_equal(send_content(wire.data, wire.len), 552);
	buf_release(&wire);
}

/* Attack 44: gone at every point of a transaction. */
static void
who_hangs_up_in_the_middle_has_sent_nothing(void **state)
{
	static const char wire[] = "DATA\r\nx\r\ny\r\n.\r";
	unsigned before = fake.messages;

	(void)state;
	for (size_t len = 1; len < sizeof(wire); len++) {
		struct client c;

		client_prepare(&c, "smtp", "192.0.2.7");
		if (len >= 6)
			assert_int_equal(ask(&c, "DATA"), 354);
		stream_write(&c.st, wire + (len >= 6 ? 6 : 0),
		    len - (len >= 6 ? 6 : 0));
		client_end(&c);
	}
	assert_int_equal(messages_since(before), 0);
}

/* ---- inject's moods ---- */

static void
what_inject_says_is_what_the_client_hears(void **state)
{
	static const struct {
		enum mood mood;
		int	 end;		/* code */
		const char *text;
	} table[] = {
		{ FULL_AT_GO, 452, "452 4.3.1 the disk is full" },
		{ FULL_AT_END, 452, "452 4.3.1 the disk is full" },
		{ FULL_IN_DATA, 452, "452 4.3.1 the disk is full" },
		{ GONE_IN_DATA, 451, NULL },
		{ SILLY, 451, NULL },
	};

	(void)state;
	for (size_t i = 0; i < N(table); i++) {
		struct client c;

		client_prepare(&c, "smtp", "192.0.2.7");
		fake.mood = table[i].mood;
		assert_int_equal(ask(&c, "DATA"), 354);
		assert_int_equal(ask(&c, "x\r\n."), table[i].end);
		if (table[i].text != NULL)
			assert_string_equal(buf_str(&c.line), table[i].text);
		/* Attack 17: the transaction is gone, the session is not. */
		assert_int_equal(ask(&c, "DATA"), 503);
		assert_int_equal(ask(&c, "RCPT TO:<billy@yahoo.co.uk>"), 503);
		fake.mood = WILLING;
		assert_int_equal(ask(&c, "MAIL FROM:<a@b.c>"), 250);
		assert_int_equal(ask(&c, "RCPT TO:<billy@yahoo.co.uk>"), 250);
		assert_int_equal(ask(&c, "DATA"), 354);
		assert_int_equal(ask(&c, "."), 250);
		client_end(&c);
	}
}

/* inject gives up in the middle of a big message; the rest is still read. */
static void
a_full_disk_in_the_middle_is_told_at_the_end(void **state)
{
	struct client c;
	static char line[1001];

	(void)state;
	memset(line, 'x', sizeof(line) - 3);
	memcpy(line + sizeof(line) - 3, "\r\n", 3);
	client_prepare(&c, "smtp", "192.0.2.7");
	fake.mood = FULL_IN_DATA;
	assert_int_equal(ask(&c, "DATA"), 354);
	for (int i = 0; i < 900; i++)
		stream_puts(&c.st, line);
	assert_int_equal(ask(&c, "."), 452);
	fake.mood = WILLING;
	assert_int_equal(ask(&c, "NOOP"), 250);
	client_end(&c);
}

static void
without_inject_it_is_later(void **state)
{
	struct client c;
	char *run = fake.cfg.run;

	(void)state;
	client_prepare(&c, "smtp", "192.0.2.7");
	fake.cfg.run = fake.cfg.hostname;	/* no such place */
	assert_int_equal(ask(&c, "DATA"), 354);
	assert_int_equal(ask(&c, "x\r\n."), 451);
	fake.cfg.run = run;
	assert_int_equal(ask(&c, "MAIL FROM:<a@b.c>"), 250);
	client_end(&c);
}

/* Who announces a large message is told before he has sent it. */
static void
a_large_message_is_asked_for_when_inject_is_ready(void **state)
{
	static const struct {
		const char *mail;
		enum mood mood;
		bool	 reachable;
		int	 data;	/* code */
	} table[] = {
		{ "MAIL FROM:<a@b.c> SIZE=2000000", WILLING, true, 354 },
		{ "MAIL FROM:<a@b.c> SIZE=2000000", FULL_AT_GO, true, 452 },
		{ "MAIL FROM:<a@b.c> SIZE=2000000", WILLING, false, 451 },
		{ "MAIL FROM:<a@b.c> SIZE=2000", FULL_AT_GO, true, 354 },
	};
	const int64_t limit = fake.cfg.message_size;
	char *run = fake.cfg.run;

	(void)state;
	fake.cfg.message_size = 3000000;
	for (size_t i = 0; i < N(table); i++) {
		struct client c;

		client_prepare(&c, "smtp", "192.0.2.7");
		assert_int_equal(ask(&c, "RSET"), 250);
		assert_int_equal(ask(&c, table[i].mail), 250);
		assert_int_equal(ask(&c, "RCPT TO:<billy@yahoo.co.uk>"), 250);
		fake.mood = table[i].mood;
		if (!table[i].reachable)
			fake.cfg.run = fake.cfg.hostname;
		assert_int_equal(ask(&c, "DATA"), table[i].data);
		fake.cfg.run = run;
		client_end(&c);
		fake.mood = WILLING;
	}
	fake.cfg.message_size = limit;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    content_arrives_with_lf_and_without_doubled_dots),
		cmocka_unit_test(the_envelope_reaches_inject_whole),
		cmocka_unit_test(local_submissions_carry_no_trace),
		cmocka_unit_test(lmtp_answers_for_each_recipient),
		cmocka_unit_test(a_big_message_arrives_byte_for_byte),
		cmocka_unit_test(the_split_of_the_wire_changes_nothing),
		cmocka_unit_test(no_strange_ending_makes_two_messages),
		cmocka_unit_test(
		    a_message_over_the_limit_is_refused_at_its_end),
		cmocka_unit_test(an_endless_message_ends_the_session),
		cmocka_unit_test(the_limit_counts_stored_bytes),
		cmocka_unit_test(who_hangs_up_in_the_middle_has_sent_nothing),
		cmocka_unit_test(what_inject_says_is_what_the_client_hears),
		cmocka_unit_test(a_full_disk_in_the_middle_is_told_at_the_end),
		cmocka_unit_test(without_inject_it_is_later),
		cmocka_unit_test(
		    a_large_message_is_asked_for_when_inject_is_ready),
	};

	return cmocka_run_group_tests(tests, fakes_start, fakes_stop);
}
