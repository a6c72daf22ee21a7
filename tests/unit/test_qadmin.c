/*
 * The administrator's eyes: which messages a filter means, what is said about
 * a known cause, and how the story of a message is told again.
 * link: queue
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "../../queue/qadmin.h"

#define HOUR	(INT64_C(3600) * 1000000)
#define NOW	(100 * HOUR)

static struct entry e;

static int
one_message(void **state)
{
	struct env_rcpt *r;

	(void)state;
	memset(&e, 0, sizeof(e));
	e.dir = "queue";
	e.readable = true;
	strlcpy(e.id, "25x2xq0000000001", sizeof(e.id));
	envelope_init(&e.env);
	e.env.sender = xstrdup("jean-bob@emc.fr");
	e.env.arrived = NOW - 3 * HOUR;
	e.env.ready = true;
	r = envelope_add(&e.env, "billy@yahoo.co.uk");
	r->text = xstrdup("451 4.7.1 [TSS04] try again later");
	r->host = xstrdup("mx1.yahoodns.net[192.0.2.1]");
	envelope_add(&e.env, "marie@gmx.de")->state = RCPT_DONE;
	return 0;
}

static int
release(void **state)
{
	(void)state;
	envelope_release(&e.env);
	return 0;
}

static void
a_filter_finds_what_it_names_and_nothing_else(void **state)
{
	static const struct { struct filter f; bool found; } cases[] = {
		{ { .all = true }, true },
		{ { .sender = "JEAN-*@emc.fr" }, true },
		{ { .sender = "jean" }, false },
		{ { .sender = "" }, false },
		{ { .recipient = "billy@*" }, true },
		{ { .recipient = "marie@*" }, false },	/* done with */
		{ { .site = "yahoo.*" }, true },
		{ { .site = "mx?.yahoodns.net*" }, true },
		{ { .site = "gmx.de" }, false },
		{ { .reason = "TRY again" }, true },
		{ { .reason = "[TSS04]" }, true },
		{ { .reason = "4.7.1*later" }, true },
		{ { .reason = "mailbox full" }, false },
		{ { .recipient = "marie@*", .reason = "try" }, false },
		{ { .held = true }, false },
		{ { .older = 2 * HOUR }, true },
		{ { .older = 4 * HOUR }, false },
		{ { .younger = 4 * HOUR }, true },
		{ { .younger = 3 * HOUR }, false },
		{ { .id = "*0001" }, true },
		{ { .id = "0001" }, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (filter_matches(&cases[i].f, &e, NOW) != cases[i].found)
			fail_msg("case %zu", i);
}

static void
what_cannot_be_read_fits_no_filter_about_its_content(void **state)
{
	struct filter f = { .sender = "*" };

	(void)state;
	e.readable = false;
	assert_false(filter_matches(&f, &e, NOW));
	f = (struct filter){ .older = 1 };
	assert_false(filter_matches(&f, &e, NOW));
	f = (struct filter){ .id = "25x*" };
	assert_true(filter_matches(&f, &e, NOW));
}

static void
an_age_is_a_number_and_a_unit(void **state)
{
	struct filter f = { .older = 0 };

	(void)state;
	assert_true(filter_age(&f, ">2h"));
	assert_true(f.older == 2 * HOUR);
	assert_true(filter_age(&f, "<1d"));
	assert_true(f.younger == 24 * HOUR);
	assert_false(filter_age(&f, ">3h"));	/* only one could count */
	f = (struct filter){ .older = 0 };
	assert_false(filter_age(&f, "<0s"));	/* not: no filter at all */
	assert_false(filter_age(&f, ""));
	assert_false(filter_age(&f, "2"));
	assert_false(filter_age(&f, "2hours"));
	assert_false(filter_age(&f, "-2h"));
	assert_false(filter_age(&f, "99999999999999999999h"));
}

static void
a_known_cause_is_told_and_an_unknown_one_is_not_guessed(void **state)
{
	static const struct { const char *text; bool host; const char *word; }
	cases[] = {
		{ "550 5.7.26 unauthenticated mail", true, "SPF" },
		{ "550 5.7.25 no PTR", true, "PTR" },
		{ "421 4.7.28 unusual rate", true, "rate" },
		{ "552 5.2.2 mailbox full", true, "full" },
		{ "550 5.1.1 no such user", true, "spelling" },
		{ "554 5.7.1 relay access denied", true, "MX" },
		{ "550 5.7.1 listed at zen.spamhaus.org", true, "list" },
		{ "4.4.1 cannot connect to h[192.0.2.1] port 25: "
		    "Connection refused", false, "port 25" },
		{ "4.4.1 cannot connect to h[192.0.2.1] port 25: "
		    "Connection timed out", false, "port 25" },
		{ "4.4.3 MX of d: SERVFAIL", false, "resolver" },
		{ "5.4.6 mail loops back to myself", false, "domains" },
		{ "5.1.1 unknown user", false, "facteur passwd" },
		/* what another host says is nothing about our own mailboxes */
		{ "554 5.9.9 something new", true, NULL },
		{ "554 15.7.26.1 no code of ours", true, NULL },
		{ "4.9.9 something new", false, NULL },
		{ NULL, false, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *advice = cause_advice(cases[i].text, cases[i].host);

		if (cases[i].word == NULL)
			assert_null(advice);
		else if (advice == NULL ||
		    strstr(advice, cases[i].word) == NULL)
			fail_msg("%s: %s", cases[i].text, advice);
	}
}

static void
note_event(const struct env_event *v, void *arg)
{
	struct buf *b = arg;

	buf_addf(b, "%s %u %s %s %s;", v->kind, v->n,
	    v->host != NULL ? v->host : "", v->tls != NULL ? v->tls : "",
	    v->text != NULL ? v->text : "");
}

static void
the_story_is_told_line_by_line(void **state)
{
	static const char text[] = "ready 00000000\n"
	    "defer 1 2026-11-23T03:19:00Z next=2026-11-23T03:24:00Z "
	    "mx[192.0.2.1] tls=TLSv1.3 \"451 \\\"later\\\"\"\n"
	    "route 0 2026-11-23T03:20:00Z [::1]:25\n"
	    "fail 1 2026-11-23T03:25:00Z - new=key \"5.1.1 no\"\n"
	    "fail x\n"
	    "told 1 2026-11-23T03:25:01Z 25x2xq0000000002\n"
	    "done 1 2026-11-23T03:26:00Z - \"torn";
	struct buf b = BUF_INIT;

	(void)state;
	envelope_events(text, sizeof(text) - 1, note_event, &b);
	assert_string_equal(buf_str(&b),
	    "defer 1 mx[192.0.2.1] TLSv1.3 451 \"later\";"
	    "route 0 [::1]:25  ;fail 1 -  5.1.1 no;"
	    "told 1   25x2xq0000000002;");
	buf_release(&b);
}

static void
a_route_stands_until_it_is_taken_back(void **state)
{
	struct buf line = BUF_INIT;

	(void)state;
	envelope_route(&line, 1, NOW, "relay.example:2525");
	envelope_more(&e.env, buf_str(&line), line.len);
	assert_string_equal(e.env.rcpts[0].route, "relay.example:2525");
	assert_null(e.env.rcpts[1].route);
	buf_reset(&line);
	envelope_route(&line, 0, NOW, NULL);
	envelope_more(&e.env, buf_str(&line), line.len);
	assert_null(e.env.rcpts[0].route);
	buf_release(&line);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, one_message, release)
		T(a_filter_finds_what_it_names_and_nothing_else),
		T(what_cannot_be_read_fits_no_filter_about_its_content),
		T(an_age_is_a_number_and_a_unit),
		T(a_known_cause_is_told_and_an_unknown_one_is_not_guessed),
		T(the_story_is_told_line_by_line),
		T(a_route_stands_until_it_is_taken_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
