/* Tests of lib/envelope: what is written is read back, damage is told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "date.h"
#include "envelope.h"

#define NOON	1795435200000000	/* 2026-11-23T12:00:00Z */
#define HOUR	((int64_t)3600 * 1000000)

/* Two recipients; every value that can be said is said. */
static void
fill(struct envelope *e)
{
	struct env_rcpt *r;

	envelope_init(e);
	e->arrived = NOON;
	e->ip = xstrdup("192.0.2.7");
	e->helo = xstrdup("mua.emc.fr");
	e->with = xstrdup("ESMTPSA");
	e->auth = xstrdup("jean-bob@emc.fr");
	e->tls = xstrdup("TLSv1.3");
	e->uid = 1000;
	e->sender = xstrdup("\"jean bob\"@emc.fr");
	e->ret = xstrdup("hdrs");
	e->envid = xstrdup("100% <QQ>");
	e->body8 = e->utf8 = true;
	r = envelope_add(e, "billy@yahoo.co.uk");
	r->notify = NOTIFY_FAILURE | NOTIFY_DELAY;
	r->orcpt = xstrdup("rfc822;b@c d");
	r = envelope_add(e, "andr\xc3\xa9@\xc3\xa9.fr");
	r->from = xstrdup("");
	r->exact = true;
	r->parent = 1;
	envelope_add_head(e, 0, "X-All: 100% < > \"x\"");
	envelope_add_head(e, 2, "X-Two: y");
}

static const char filled[] =
    "facteur 1\n"
    "arrived 2026-11-23T12:00:00.000000Z ip=192.0.2.7 helo=mua.emc.fr "
    "with=ESMTPSA auth=jean-bob@emc.fr tls=TLSv1.3 uid=1000\n"
    "sender <%22jean%20bob%22@emc.fr> ret=hdrs envid=100%25%20%3CQQ%3E "
    "body=8bit utf8=yes\n"
    "rcpt 1 <billy@yahoo.co.uk> notify=failure,delay "
    "orcpt=rfc822;b@c%20d\n"
    "rcpt 2 <andr\xc3\xa9@\xc3\xa9.fr> from=<> exact=yes parent=1\n"
    "head * X-All: 100% < > \"x\"\n"
    "head 2 X-Two: y\n";

static void
the_encoder_writes_the_grammar(void **state)
{
	struct envelope e;
	struct buf out = BUF_INIT;

	(void)state;
	fill(&e);
	assert_int_equal(envelope_encode(&e, &out), 0);
	assert_string_equal(out.data, filled);
	buf_release(&out);
	envelope_release(&e);
}

static void
what_is_written_is_read_back(void **state)
{
	struct envelope e, back;
	struct buf out = BUF_INIT, again = BUF_INIT;

	(void)state;
	fill(&e);
	assert_int_equal(envelope_encode(&e, &out), 0);
	envelope_ready(&out, 0xdeadbeef);
	envelope_init(&back);
	assert_int_equal(envelope_parse(&back, out.data, out.len), 0);
	assert_null(back.damage);
	assert_int_equal(back.used, out.len);
	assert_int_equal(back.crc, 0xdeadbeef);
	assert_int_equal(back.ready_at, strlen(filled));
	assert_string_equal(back.envid, "100% <QQ>");
	assert_string_equal(back.rcpts[1].from, "");
	assert_int_equal(envelope_encode(&back, &again), 0);
	assert_string_equal(again.data, filled);
	buf_release(&out);
	buf_release(&again);
	envelope_release(&e);
	envelope_release(&back);
}

/* Attack list A 14, F 117: nothing that is stored can begin a line. */
static void
no_value_may_hold_a_control_byte(void **state)
{
	struct envelope e;
	struct buf out = BUF_INIT;
	char **values[] = { &e.ip, &e.helo, &e.with, &e.auth, &e.tls,
	    &e.sender, &e.envid };
	static const char *const bad[] = { "a\nready 0", "\t", "\x7f", "\r" };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		for (size_t k = 0; k < sizeof(bad) / sizeof(*bad); k++) {
			fill(&e);
			free(*values[i]);
			*values[i] = xstrdup(bad[k]);
			errno = 0;
			assert_int_equal(envelope_encode(&e, &out), -1);
			assert_int_equal(errno, EINVAL);
			assert_int_equal(out.len, 0);
			envelope_release(&e);
		}
	fill(&e);
	envelope_add(&e, "a\nb@c");
	assert_int_equal(envelope_encode(&e, &out), -1);
	envelope_release(&e);
	fill(&e);
	envelope_add_head(&e, 0, "X: a\nready 0");
	assert_int_equal(envelope_encode(&e, &out), -1);
	envelope_release(&e);
	buf_release(&out);
}

#define TOP	"facteur 1\narrived 2026-11-23T12:00:00Z\nsender <a@b>\n"
#define READY	"ready 00000000\n"
#define T	"2026-11-23T13:00:00.000000Z"

static const struct { const char *text, *damage; } bad_files[] = {
	{ "", "no envelope" },
	{ "facteur", "no envelope" },
	{ "facteur x\n", "no envelope" },
	{ "#!/bin/sh\n", "no envelope" },
	{ "facteur 2\n", "version 2" },
	{ "facteur 1\n", "no ready line" },
	{ TOP, "no ready line" },
	{ TOP "ready 00000000", "line 4: no line end" },
	{ TOP "ready 0000000\n", "line 4: malformed" },
	{ TOP "ready 0000000x\n", "line 4: malformed" },
	{ TOP "\n" READY, "line 4: malformed" },
	{ TOP "x\ty\n" READY, "line 4: control byte" },
	{ TOP "arrived 2026-11-23T12:00:00Z\n" READY, "line 4: malformed" },
	{ TOP "sender <>\n" READY, "line 4: malformed" },
	{ TOP "rcpt 2 <a@b>\n" READY, "line 4: malformed" },
	{ TOP "rcpt 1 a@b\n" READY, "line 4: malformed" },
	{ TOP "rcpt 1  <a@b>\n" READY, "line 4: malformed" },
	{ TOP "rcpt 1 <a%0Ab>\n" READY, "line 4: malformed" },
	{ TOP "rcpt 1 <a%00b>\n" READY, "line 4: malformed" },
	{ TOP "rcpt 1 <a%G0b>\n" READY, "line 4: malformed" },
	{ TOP "rcpt 1 <a%2>\n" READY, "line 4: malformed" },
	{ TOP "rcpt 1 <a@b> parent=1\n" READY, "line 4: malformed" },
	{ TOP "rcpt 01 <a@b>\n" READY, "line 4: malformed" },
	{ TOP "rcpt 1 <a@b> word\n" READY, "line 4: malformed" },
	{ TOP "head 1 X: y\n" READY, "line 4: malformed" },
	{ TOP "done 1 " T " - \"\"\n" READY, "line 4: out of place" },
	{ "facteur 1\nsender <>\n" READY, "line 3: malformed" },
	{ "facteur 1\narrived " T "\n" READY, "line 3: malformed" },
};

static void
a_file_without_its_commit_mark_is_bad(void **state)
{
	struct envelope e;

	(void)state;
	for (size_t i = 0; i < sizeof(bad_files) / sizeof(*bad_files); i++) {
		envelope_init(&e);
		assert_int_equal(envelope_parse(&e, bad_files[i].text,
		    strlen(bad_files[i].text)), -1);
		assert_string_equal(e.damage, bad_files[i].damage);
		assert_false(e.ready);
		envelope_release(&e);
	}
}

#define ONE	TOP "rcpt 1 <x@y>\n" READY

/* Damage below the mark: the lines above it hold, the rest is cut. */
static void
a_torn_tail_is_cut_off(void **state)
{
	static const char *const tails[] = { "done 1 " T " - \"o", "done",
	    "done 1 " T " - \"ok\"", "done 2 " T " - \"\"\n",
	    "done 0 " T " - \"\"\n", "done 1 " T " -\n", "done 1 " T " \"\"\n",
	    "done 1 " T " - x\"\n", "done 1 yesterday - \"\"\n",
	    "defer 1 " T " - \"\"\n", "defer 1 " T " next=x - \"\"\n",
	    "sender <c@d>\n", "arrived " T "\n", READY, "rcpt 3 <c@d>\n",
	    "rcpt 2 <c@d> parent=9\n", "told 7 " T " id\n", "retry x " T "\n",
	    "done 1 " T " - \"a\x01\"\n", "done 1 " T " %0A \"\"\n" };
	struct envelope e;
	char text[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(tails) / sizeof(*tails); i++) {
		strlcpy(text, ONE, sizeof(text));
		strlcat(text, tails[i], sizeof(text));
		strlcat(text, "\nfail 1 " T " - \"\"\n", sizeof(text));
		envelope_init(&e);
		assert_int_equal(envelope_parse(&e, text,
		    strlen(ONE) + strlen(tails[i])), 0);
		assert_int_equal(e.used, strlen(ONE));
		assert_non_null(e.damage);
		assert_int_equal(e.nrcpts, 1);
		assert_int_equal(envelope_pending(&e), 1);
		envelope_release(&e);
	}
}

static void
replay(struct envelope *e, const struct buf *tail)
{
	struct buf text = BUF_INIT;

	envelope_init(e);
	buf_adds(&text, TOP "rcpt 1 <x@y>\nrcpt 2 <z@y>\n" READY);
	buf_add(&text, buf_str(tail), tail->len);
	assert_int_equal(envelope_parse(e, text.data, text.len), 0);
	assert_null(e->damage);
	assert_int_equal(e->used, text.len);
	buf_release(&text);
}

static void
outcomes_add_up_to_a_state(void **state)
{
	struct envelope e;
	struct buf tail = BUF_INIT;

	(void)state;
	replay(&e, &tail);
	assert_int_equal(envelope_pending(&e), 2);
	assert_int_equal(envelope_next(&e), 0);
	envelope_release(&e);
	envelope_defer(&tail, 1, NOON + HOUR, NOON + 2 * HOUR,
	    "mx1.y[192.0.2.1]", "TLSv1.3", "451 4.7.1 \"later\" \\ \r\n");
	envelope_defer(&tail, 2, NOON + HOUR, NOON + 3 * HOUR, NULL, NULL,
	    NULL);
	replay(&e, &tail);
	assert_int_equal(e.rcpts[0].attempts, 1);
	assert_int_equal(e.rcpts[0].last, NOON + HOUR);
	assert_int_equal(e.rcpts[0].tried, HOUR);
	assert_int_equal(envelope_next(&e), NOON + 2 * HOUR);
	assert_string_equal(e.rcpts[0].host, "mx1.y[192.0.2.1]");
	assert_string_equal(e.rcpts[0].text,
	    "451 4.7.1 \"later\" \\ \\x0D\\x0A");
	assert_null(e.rcpts[1].host);
	envelope_release(&e);
	envelope_done(&tail, 1, NOON + 2 * HOUR, "h", NULL, "250 ok");
	envelope_fail(&tail, 2, NOON + 2 * HOUR, "h", NULL, "550 no");
	replay(&e, &tail);
	assert_int_equal(envelope_pending(&e), 0);
	assert_int_equal(envelope_failed(&e), 1);
	assert_int_equal(envelope_next(&e), INT64_MAX);
	envelope_release(&e);
	envelope_told(&tail, 2, NOON + 3 * HOUR, "25x2t8n3chy05l4w");
	envelope_delayed(&tail, NOON + 3 * HOUR, "25x2t8n3chy05l4w");
	replay(&e, &tail);
	assert_int_equal(e.rcpts[1].state, RCPT_TOLD);
	assert_true(e.delay_told);
	envelope_release(&e);
	buf_release(&tail);
}

static void
a_recipient_only_moves_forward(void **state)
{
	struct envelope e;
	struct buf tail = BUF_INIT;

	(void)state;
	envelope_told(&tail, 1, NOON, "early");
	envelope_done(&tail, 1, NOON, "h", NULL, "250 ok");
	envelope_defer(&tail, 1, NOON, NOON + HOUR, "h", NULL, "451");
	envelope_fail(&tail, 1, NOON, "h", NULL, "550");
	envelope_retry(&tail, 0, NOON);
	envelope_fail(&tail, 2, NOON, "h", NULL, "550");
	envelope_done(&tail, 2, NOON, "h", NULL, "250");
	replay(&e, &tail);
	assert_int_equal(e.rcpts[0].state, RCPT_DONE);
	assert_string_equal(e.rcpts[0].text, "250 ok");
	assert_int_equal(e.rcpts[1].state, RCPT_FAILED);
	envelope_release(&e);
	buf_release(&tail);
}

static void
a_success_is_owed_until_it_is_told(void **state)
{
	struct envelope e;
	struct buf tail = BUF_INIT;

	(void)state;
	envelope_done_owing(&tail, 1, NOON, "h", "TLSv1.3", REPORT_RELAYED,
	    "250 ok");
	envelope_delayed(&tail, NOON, "25x2t8n3chy05l4w");
	replay(&e, &tail);
	assert_int_equal(e.rcpts[0].state, RCPT_DONE);
	assert_int_equal(e.rcpts[0].report, REPORT_RELAYED);
	assert_int_equal(envelope_owed(&e), 1);
	assert_true(e.rcpts[1].delay_told);
	envelope_release(&e);
	envelope_told(&tail, 1, NOON + HOUR, "25x2t8n3chy05l4w");
	replay(&e, &tail);
	assert_int_equal(e.rcpts[0].state, RCPT_DONE);
	assert_int_equal(envelope_owed(&e), 0);
	envelope_release(&e);
	buf_release(&tail);
}

static void
a_retry_is_due_at_once(void **state)
{
	struct envelope e;
	struct buf tail = BUF_INIT;

	(void)state;
	envelope_defer(&tail, 1, NOON, NOON + 9 * HOUR, NULL, NULL, "x");
	envelope_defer(&tail, 2, NOON, NOON + 8 * HOUR, NULL, NULL, "x");
	envelope_retry(&tail, 1, NOON + HOUR);
	replay(&e, &tail);
	assert_int_equal(e.rcpts[0].next, NOON + HOUR);
	assert_int_equal(e.rcpts[1].next, NOON + 8 * HOUR);
	envelope_release(&e);
	envelope_retry(&tail, 0, NOON + 2 * HOUR);
	replay(&e, &tail);
	assert_int_equal(e.rcpts[1].next, NOON + 2 * HOUR);
	envelope_release(&e);
	buf_release(&tail);
}

static void
an_expansion_adds_recipients_behind_the_mark(void **state)
{
	struct env_rcpt child = { .n = 3, .addr = (char *)(uintptr_t)"q@r",
	    .exact = true, .parent = 1 };
	struct envelope e;
	struct buf tail = BUF_INIT;

	(void)state;
	assert_int_equal(envelope_rcpt_line(&tail, &child), 0);
	envelope_done(&tail, 1, NOON, NULL, NULL, "expanded");
	buf_adds(&tail, "head 3 X-Key: v\nfuture words\n");
	replay(&e, &tail);
	assert_int_equal(e.nrcpts, 3);
	assert_int_equal(e.rcpts[2].parent, 1);
	assert_true(e.rcpts[2].exact);
	assert_int_equal(e.heads[0].n, 3);
	assert_int_equal(envelope_pending(&e), 2);
	assert_int_equal(envelope_next(&e), 0);
	envelope_release(&e);
	buf_release(&tail);
}

/* An outcome must be writable whatever a peer calls itself. */
static void
a_hostile_host_name_stays_on_its_line(void **state)
{
	struct envelope e;
	struct buf tail = BUF_INIT;

	(void)state;
	envelope_defer(&tail, 1, NOON, NOON, "mx\nready <x>\"", "a b\n",
	    "x\"\ndone 1");
	envelope_told(&tail, 1, NOON, "a\nb");
	replay(&e, &tail);
	assert_string_equal(e.rcpts[0].host, "mx?ready <x>\"");
	assert_string_equal(e.rcpts[0].text, "x\"\\x0Adone 1");
	assert_int_equal(envelope_pending(&e), 2);
	envelope_release(&e);
	buf_release(&tail);
}

static void
time_spent_trying_is_no_calendar(void **state)
{
	struct envelope e;
	struct env_rcpt *r;

	(void)state;
	fill(&e);
	r = &e.rcpts[0];
	envelope_tried(&e, r, NOON + HOUR);
	assert_int_equal(r->tried, HOUR);
	r->last = NOON + HOUR;
	envelope_tried(&e, r, NOON - 24 * HOUR);	/* clock set back */
	assert_int_equal(r->tried, HOUR);
	envelope_tried(&e, r, NOON + 720 * HOUR);	/* a month off */
	assert_int_equal(r->tried, 9 * HOUR);
	envelope_release(&e);
}

static void
notify_words_come_back_as_flags(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	for (unsigned n = NOTIFY_SUCCESS; n < 16; n += 2) {
		buf_reset(&out);
		notify_text(&out, n);
		assert_int_equal(notify_parse(out.data), n);
	}
	assert_int_equal(notify_parse("NEVER"), NOTIFY_NEVER);
	assert_int_equal(notify_parse("never,delay"), 0);
	assert_int_equal(notify_parse("delay,delay"), 0);
	assert_int_equal(notify_parse("delay,"), 0);
	assert_int_equal(notify_parse("sometimes"), 0);
	assert_int_equal(notify_parse(""), 0);
	buf_release(&out);
}

static void
unknown_keys_and_words_are_skipped(void **state)
{
	static const char text[] = "facteur 1\n"
	    "arrived 2026-11-23T12:00:00Z ip=::1 moon=full\n"
	    "weather sunny \"x\"\n"
	    "sender <a@b> priority=9\nrcpt 1 <x@y> colour=red\n" READY
	    "done 1 " T " h colour=red \"ok\"\n";
	struct envelope e;

	(void)state;
	envelope_init(&e);
	assert_int_equal(envelope_parse(&e, text, strlen(text)), 0);
	assert_null(e.damage);
	assert_string_equal(e.ip, "::1");
	assert_int_equal(e.rcpts[0].state, RCPT_DONE);
	envelope_release(&e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_encoder_writes_the_grammar),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(no_value_may_hold_a_control_byte),
		cmocka_unit_test(a_file_without_its_commit_mark_is_bad),
		cmocka_unit_test(a_torn_tail_is_cut_off),
		cmocka_unit_test(outcomes_add_up_to_a_state),
		cmocka_unit_test(a_recipient_only_moves_forward),
		cmocka_unit_test(a_success_is_owed_until_it_is_told),
		cmocka_unit_test(a_retry_is_due_at_once),
		cmocka_unit_test(an_expansion_adds_recipients_behind_the_mark),
		cmocka_unit_test(a_hostile_host_name_stays_on_its_line),
		cmocka_unit_test(time_spent_trying_is_no_calendar),
		cmocka_unit_test(notify_words_come_back_as_flags),
		cmocka_unit_test(unknown_keys_and_words_are_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
