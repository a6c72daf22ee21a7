/*
 * The queue manager's pure parts: when a message is tried again, which one is
 * next, and what a bounce says.
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
#include <sys/mman.h>
#include <unistd.h>

#include "../../queue/dsn.h"
#include "../../queue/queue.h"
#include "header.h"

static void
retries_wait_5_10_20_40_80_160_minutes_then_4_hours(void **state)
{
	static const int minutes[] = { 5, 10, 20, 40, 80, 160, 240, 240, 240 };

	(void)state;
	for (unsigned i = 0; i < 9; i++)
		assert_int_equal(retry_delay_ms(i + 1, 0.5), minutes[i] * 60000);
	assert_int_equal(retry_delay_ms(100000, 0.5), 240 * 60000);
}

static void
attempts_by_hand_do_not_make_the_next_one_late(void **state)
{
	struct env_rcpt r = { .attempts = 0 };
	double chance;

	(void)state;
	/* Left alone it waits as the table says, whatever chance did. */
	for (int low = 0; low < 2; low++)
		for (r.attempts = 1, r.tried = 0; r.attempts < 10; r.attempts++) {
			chance = low ? 0.0 : 0.5;
			assert_int_equal(retry_after_ms(&r, chance),
			    retry_delay_ms(r.attempts, chance));
			r.tried += 1000 * retry_after_ms(&r, chance);
		}
	/* Tried ten times within a minute, it comes again in 5 or 6. */
	r.tried = 60 * 1000000;
	assert_in_range(retry_after_ms(&r, 0.5), 5 * 60000, 7 * 60000);
}

static void
retries_are_spread_by_a_fifth_both_ways(void **state)
{
	(void)state;
	assert_int_equal(retry_delay_ms(1, 0.0), 4 * 60000);
	assert_true(retry_delay_ms(1, 0.999) > 359000);
	assert_true(retry_delay_ms(1, 0.999) < 6 * 60000);
}

/* IDs for tests: 16 characters of the right alphabet are not needed by the index. */
static void
test_id(char id[ID_LEN + 1], unsigned i)
{
	snprintf(id, ID_LEN + 1, "%016u", i);
}

static void
messages_come_out_in_the_order_they_are_due(void **state)
{
	char id[ID_LEN + 1];
	int64_t last = -1;
	struct msg *m;
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		test_id(id, i);
		m = msg_add(id, 10, (i * 7919) % 5003);
		assert_ptr_equal(msg_add(id, 10, 0), m);
	}
	for (unsigned i = 0; i < 5000; i += 3) {
		test_id(id, i);
		msg_due(msg_find(id), (i * 104729) % 4999);
	}
	for (unsigned i = 0; i < 5000; i += 5) {
		test_id(id, i);
		msg_forget(msg_find(id));
		assert_null(msg_find(id));
	}
	assert_null(msg_pop_due(-1));
	while ((m = msg_pop_due(INT64_MAX)) != NULL) {
		assert_true(m->due >= last);
		last = m->due;
		msg_forget(m);
		n++;
	}
	assert_int_equal(n, 4000);
	assert_int_equal(msg_next_due(), INT64_MAX);
}

static const char original[] =
    "Received: from mua\nFrom: jean-bob@emc.fr\nSubject: hello\n\nthe body\n";

static int
original_fd(void)
{
	int fd = memfd_create("original", MFD_CLOEXEC);

	assert_int_equal(write(fd, original, strlen(original)),
	    strlen(original));
	return fd;
}

static void
compose(struct envelope *env, struct buf *out)
{
	char hostname[] = "mail.emc.fr";
	struct config cfg = { .hostname = hostname };
	int fd = original_fd();

	struct dsn d = { .kind = DSN_FAILED, .cfg = &cfg, .env = env,
	    .id = "0000000000000001", .sender = env->sender,
	    .to = env->sender, .fd = fd, .size = (int64_t)strlen(original),
	    .now = 1790000000000000 };

	assert_int_equal(dsn_compose(&d, out), 0);
	close(fd);
}

static void
failed(struct envelope *env, const char *addr, const char *host,
    const char *text)
{
	struct env_rcpt *r = envelope_add(env, addr);

	r->state = RCPT_FAILED;
	r->text = strdup(text);
	r->host = host == NULL ? NULL : strdup(host);
}

static void
bounce_tells_people_and_programs_who_failed_and_why(void **state)
{
	struct envelope env;
	struct buf out = BUF_INIT;
	const char *s;

	(void)state;
	envelope_init(&env);
	env.sender = strdup("jean-bob@emc.fr");
	failed(&env, "billi@yahoo.co.uk", "mx.yahoo.co.uk[192.0.2.1]",
	    "550 5.1.1 no such user");
	failed(&env, "jane@yahoo.co.uk", "mx.yahoo.co.uk[192.0.2.1]",
	    "5.3.4 the message is larger than the host takes");
	envelope_add(&env, "billy@yahoo.co.uk")->state = RCPT_DONE;
	compose(&env, &out);
	s = buf_str(&out);
	assert_non_null(strstr(s, "To: <jean-bob@emc.fr>\n"));
	assert_non_null(strstr(s, "report-type=delivery-status"));
	assert_non_null(strstr(s, "Auto-Submitted: auto-replied\n"));
	assert_non_null(strstr(s, "\nReporting-MTA: dns; mail.emc.fr\n"));
	assert_non_null(strstr(s,
	    "\nFinal-Recipient: rfc822; billi@yahoo.co.uk\n"
	    "Action: failed\nStatus: 5.1.1\n"
	    "Remote-MTA: dns; mx.yahoo.co.uk\n"
	    "Diagnostic-Code: smtp; 550 5.1.1 no such user\n"));
	assert_non_null(strstr(s, "[192.0.2.1] said: 550 5.1.1 no such"));
	assert_non_null(strstr(s, "no such mailbox"));
	/* What we found out ourselves the host has not said. */
	assert_non_null(strstr(s, "[192.0.2.1]: 5.3.4 the message is"));
	assert_non_null(strstr(s, "Remote-MTA: dns; mx.yahoo.co.uk\n"
	    "Diagnostic-Code: x-facteur; 5.3.4 the message is"));
	assert_non_null(strstr(s, "the body\n"));
	/* Nothing about the recipient that got it. */
	assert_null(strstr(s, "billy@"));
	buf_release(&out);
	envelope_release(&env);
}

static void
bounce_returns_headers_only_when_asked(void **state)
{
	struct envelope env;
	struct buf out = BUF_INIT;

	(void)state;
	envelope_init(&env);
	env.sender = strdup("jean-bob@emc.fr");
	env.ret = strdup("hdrs");
	failed(&env, "x@y.example", NULL, "4.4.7 given up");
	compose(&env, &out);
	assert_non_null(strstr(buf_str(&out), "text/rfc822-headers"));
	assert_non_null(strstr(buf_str(&out), "Subject: hello"));
	assert_null(strstr(buf_str(&out), "the body"));
	assert_non_null(strstr(buf_str(&out), "\nStatus: 5.4.7\n"));
	buf_release(&out);
	envelope_release(&env);
}

static void
bounce_leaves_out_who_did_not_want_to_be_told_about(void **state)
{
	struct envelope env;
	struct buf out = BUF_INIT;

	(void)state;
	envelope_init(&env);
	env.sender = strdup("jean-bob@emc.fr");
	failed(&env, "loud@y.example", NULL, "5.1.1 no");
	failed(&env, "quiet@y.example", NULL, "5.1.1 no");
	env.rcpts[1].notify = NOTIFY_NEVER;
	compose(&env, &out);
	assert_non_null(strstr(buf_str(&out), "loud@y.example"));
	assert_null(strstr(buf_str(&out), "quiet@y.example"));
	buf_release(&out);
	envelope_release(&env);
}

static void
bounce_about_a_list_member_is_for_the_owner_of_the_list(void **state)
{
	struct envelope env;
	struct buf out = BUF_INIT;

	(void)state;
	envelope_init(&env);
	env.sender = strdup("jean-bob@emc.fr");
	failed(&env, "member@y.example", NULL, "5.1.1 no");
	env.rcpts[0].from = strdup("owner-list@emc.fr");
	failed(&env, "direct@y.example", NULL, "5.1.1 no");
	assert_string_equal(dsn_sender(&env, &env.rcpts[0]), "owner-list@emc.fr");
	assert_false(dsn_reports(&env, DSN_FAILED, "jean-bob@emc.fr",
	    &env.rcpts[0]));
	compose(&env, &out);
	assert_non_null(strstr(buf_str(&out), "direct@y.example"));
	assert_null(strstr(buf_str(&out), "member@y.example"));
	buf_release(&out);
	envelope_release(&env);
}

static void
remote_text_cannot_break_out_of_its_field(void **state)
{
	struct envelope env;
	struct buf out = BUF_INIT;

	(void)state;
	envelope_init(&env);
	env.sender = strdup("jean-bob@emc.fr");
	failed(&env, "x@y.example", NULL, "550 no\nAction: delivered\r\n\n--");
	compose(&env, &out);
	assert_null(strstr(buf_str(&out), "\nAction: delivered"));
	buf_release(&out);
	envelope_release(&env);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(retries_wait_5_10_20_40_80_160_minutes_then_4_hours),
		cmocka_unit_test(attempts_by_hand_do_not_make_the_next_one_late),
		cmocka_unit_test(retries_are_spread_by_a_fifth_both_ways),
		cmocka_unit_test(messages_come_out_in_the_order_they_are_due),
		cmocka_unit_test(bounce_tells_people_and_programs_who_failed_and_why),
		cmocka_unit_test(bounce_returns_headers_only_when_asked),
		cmocka_unit_test(bounce_leaves_out_who_did_not_want_to_be_told_about),
		cmocka_unit_test(bounce_about_a_list_member_is_for_the_owner_of_the_list),
		cmocka_unit_test(remote_text_cannot_break_out_of_its_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
