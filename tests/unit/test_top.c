/*
 * A frame of `facteur top`: rates between two moments, sites in the order that
 * is wanted, nothing that harms a terminal.
 * link: queue
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../queue/top.h"

static struct top_view v;
static struct buf frame = BUF_INIT;

static int
empty(void **state)
{
	(void)state;
	memset(&v, 0, sizeof(v));
	v.hostname = "mx.emc.fr";
	v.now.at = 20000;
	return 0;
}

static int
release(void **state)
{
	(void)state;
	top_facts_release(&v.now);
	top_facts_release(&v.before);
	buf_release(&frame);
	return 0;
}

static const char *
draw(void)
{
	buf_reset(&frame);
	top_frame(&v, &frame);
	return buf_str(&frame);
}

static struct site_view *
add_site(const char *key, int64_t waiting, int64_t running)
{
	struct sites_view *s = &v.now.sites;

	s->v = xreallocarray(s->v, s->n + 1, sizeof(*s->v));
	memset(&s->v[s->n], 0, sizeof(*s->v));
	s->v[s->n].key = xstrdup(key);
	s->v[s->n].kind = xstrdup("remote");
	s->v[s->n].waiting = waiting;
	s->v[s->n].running = running;
	return &s->v[s->n++];
}

static void
a_figure_is_found_by_its_whole_name(void **state)
{
	struct buf text = BUF_INIT;

	(void)state;
	assert_true(top_figure(&text, "a") < 0.1);
	buf_adds(&text, "# HELP a\nab 7\na 2\na{x=\"1\"} 3.5\nlast 9");
	assert_int_equal(top_figure(&text, "a"), 2);
	assert_int_equal(2 * top_figure(&text, "a{x=\"1\"}"), 7);
	assert_int_equal(top_figure(&text, "last"), 9);
	assert_int_equal(top_figure(&text, "lost"), 0);
	buf_release(&text);
}

static void
rates_are_those_between_two_moments(void **state)
{
	(void)state;
	v.before.at = 10000;
	buf_adds(&v.before.stats, "facteur_accepted_messages_total 100\n"
	    "facteur_accept_latency_seconds_sum 1\n"
	    "facteur_accept_latency_seconds_count 100\n"
	    "facteur_outcomes_total{kind=\"local\",outcome=\"done\"} 5\n");
	buf_adds(&v.now.stats, "facteur_accepted_messages_total 125\n"
	    "facteur_accept_latency_seconds_sum 1.5\n"
	    "facteur_accept_latency_seconds_count 110\n"
	    "facteur_outcomes_total{kind=\"local\",outcome=\"done\"} 15\n"
	    "facteur_outcomes_total{kind=\"remote\",outcome=\"done\"} 20\n"
	    "facteur_queue_messages{state=\"parked\"} 3\n");
	assert_non_null(strstr(draw(), " A second: in 2.5, out 3.0, "));
	assert_non_null(strstr(draw(), " accept 50.0 ms, to a mailbox -,"));
	assert_non_null(strstr(draw(), "In queue: 3: active 0, parked 3,"));
}

static void
a_restart_in_between_gives_no_negative_rate(void **state)
{
	(void)state;
	v.before.at = 10000;
	buf_adds(&v.before.stats, "facteur_accepted_messages_total 100\n");
	buf_adds(&v.now.stats, "facteur_accepted_messages_total 20\n");
	assert_non_null(strstr(draw(), " A second: in 2.0, "));
}

static void
sites_stand_in_the_order_that_is_wanted(void **state)
{
	(void)state;
	add_site("b.example", 5, 9);
	add_site("a.example", 1, 2);
	add_site("c.example", 500, 0)->rest_ms = 240000;
	assert_true(strstr(draw(), "c.example") < strstr(draw(), "b.example"));
	assert_non_null(strstr(draw(), "rests 4 minutes"));
	v.sort = TOP_NAME;
	assert_true(strstr(draw(), "a.example") < strstr(draw(), "b.example"));
	assert_true(strstr(draw(), "b.example") < strstr(draw(), "c.example"));
	v.sort = TOP_RUNNING;
	assert_true(strstr(draw(), "b.example") < strstr(draw(), "a.example"));
	v.sort = TOP_REST;
	assert_true(strstr(draw(), "c.example") < strstr(draw(), "a.example"));
}

static unsigned
lines(void)
{
	unsigned n = 0;

	for (const char *p = draw(); *p != '\0'; p++)
		n += *p == '\n';
	return n;
}

static void
a_frame_fits_the_screen(void **state)
{
	char name[20];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "s%d.example", i);
		add_site(name, i, 0);
	}
	v.now.reasons = xcalloc(1, sizeof(*v.now.reasons));
	v.now.reasons[0].text = xstrdup("451 4.7.1 later");
	v.now.nreasons = 1;
	assert_true(lines() > 1000);
	v.keys = true;
	for (v.rows = 12; v.rows < 100; v.rows++)
		assert_int_equal(lines(), v.rows);
	assert_non_null(strstr(draw(), "      0 451 4.7.1 later\n"));
	for (v.rows = 1; v.rows < 12; v.rows++)
		assert_true(lines() < 13);
}

/* Bidi controls, bytes that are no UTF-8, escape sequences, line ends. */
#define EVIL	"\x1b[2J\x07\x9b\xff\r\n\xe2\x80\xae" "451 x\x7f"

static void
nothing_of_others_harms_the_terminal(void **state)
{
	struct site_view *s;

	(void)state;
	s = add_site(EVIL EVIL EVIL EVIL, 5, 1);
	s->error = xstrdup(EVIL);
	v.hostname = EVIL;
	v.trouble = EVIL;
	v.now.reasons = xcalloc(1, sizeof(*v.now.reasons));
	v.now.reasons[0].text = xstrdup(EVIL);
	v.now.nreasons = 1;
	for (const char *p = draw(); *p != '\0'; p++)
		assert_true(*p == '\n' || (*p >= 0x20 && *p < 0x7f));
	assert_non_null(strstr(draw(), "\\x1B[2J"));
	assert_int_equal(lines(), 11);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, empty, release)
	const struct CMUnitTest tests[] = {
		T(a_figure_is_found_by_its_whole_name),
		T(rates_are_those_between_two_moments),
		T(a_restart_in_between_gives_no_negative_rate),
		T(sites_stand_in_the_order_that_is_wanted),
		T(a_frame_fits_the_screen),
		T(nothing_of_others_harms_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
