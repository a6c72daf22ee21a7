/*
 * Who is told what became of a message, and what a report says.  What a
 * failure says is also in test_queue.c.
 * link: queue
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../queue/dsn.h"

#define HOUR	((int64_t)3600 * 1000000)
#define NOON	1790000000000000

static char hostname[] = "mx.emc.fr", network[] = "192.0.2.0/24";
static char *networks[] = { network, NULL };
static const struct config cfg = { .hostname = hostname,
    .trusted = { networks, 1 }, .queue_lifetime = 5 * 86400,
    .delay_notice = 4 * 3600 };

static void
envelope_new(struct envelope *env, const char *sender)
{
	envelope_init(env);
	env->sender = xstrdup(sender);
	env->arrived = NOON;
}

static struct env_rcpt *
add(struct envelope *env, const char *addr, enum rcpt_state state,
    unsigned notify)
{
	struct env_rcpt *r = envelope_add(env, addr);

	r->state = state;
	r->notify = notify;
	return r;
}

/* The address a report goes to; "-": to nobody. */
static void
assert_goes_to(const struct envelope *env, enum dsn_kind kind,
    const char *sender, const char *wanted)
{
	struct buf to = BUF_INIT;

	if (!dsn_address(&cfg, env, kind, sender, &to))
		buf_adds(&to, "-");
	assert_string_equal(buf_str(&to), wanted);
	buf_release(&to);
}

/* The report as text, as this sender, or owner of a list, gets it. */
static void
compose_for(const struct envelope *env, const char *sender,
    enum dsn_kind kind, const char *text, int64_t size, struct buf *out)
{
	int fd = memfd_create("original", MFD_CLOEXEC);
	struct dsn d = { .kind = kind, .cfg = &cfg, .env = env,
	    .id = "0000000000000001", .sender = sender, .to = sender, .fd = fd, .size = size, .now = NOON + HOUR };

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(ftruncate(fd, size), 0);
	buf_reset(out);
	assert_int_equal(dsn_compose(&d, out), 0);
	close(fd);
}

static void
compose(const struct envelope *env, enum dsn_kind kind, const char *text,
    int64_t size, struct buf *out)
{
	compose_for(env, env->sender, kind, text, size, out);
}

static void
a_failed_report_goes_to_postmaster_once(void **state)
{
	struct envelope env;

	(void)state;
	envelope_new(&env, "");
	add(&env, "gone@y.example", RCPT_FAILED, NOTIFY_NEVER);
	assert_goes_to(&env, DSN_FAILED, "", "postmaster@mx.emc.fr");
	assert_goes_to(&env, DSN_DELAYED, "", "-");
	envelope_release(&env);
	envelope_new(&env, "");
	add(&env, "Postmaster@mx.emc.fr", RCPT_DONE, NOTIFY_NEVER);
	add(&env, "admin@y.example", RCPT_FAILED, NOTIFY_NEVER)->parent = 1;
	assert_goes_to(&env, DSN_FAILED, "", "-");
	envelope_release(&env);
}

static void
notify_says_who_hears_of_what(void **state)
{
	static const struct { unsigned notify; bool fail, late, good; } t[] = {
		{ 0, true, true, false },
		{ NOTIFY_NEVER, false, false, false },
		{ NOTIFY_FAILURE, true, false, false },
		{ NOTIFY_DELAY, false, true, false },
		{ NOTIFY_SUCCESS, false, false, true },
		{ NOTIFY_SUCCESS | NOTIFY_FAILURE, true, false, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct envelope env;
		struct env_rcpt *r;

		envelope_new(&env, "a@b.example");
		r = add(&env, "x@y.example", RCPT_FAILED, t[i].notify);
		assert_goes_to(&env, DSN_FAILED, env.sender,
		    t[i].fail ? "a@b.example" : "-");
		r->state = RCPT_PENDING;
		assert_goes_to(&env, DSN_DELAYED, env.sender,
		    t[i].late ? "a@b.example" : "-");
		r->state = RCPT_DONE;
		r->report = REPORT_DELIVERED;
		assert_goes_to(&env, DSN_SUCCESS, env.sender,
		    t[i].good ? "a@b.example" : "-");
		envelope_release(&env);
	}
}

static void
strangers_may_not_hear_of_success(void **state)
{
	struct envelope env;

	(void)state;
	envelope_new(&env, "a@b.example");
	assert_true(dsn_may_hear_success(&cfg, &env));	/* of this host */
	env.ip = xstrdup("198.51.100.7");
	assert_false(dsn_may_hear_success(&cfg, &env));
	env.auth = xstrdup("a@b.example");
	assert_true(dsn_may_hear_success(&cfg, &env));
	envelope_release(&env);
	envelope_new(&env, "a@b.example");
	env.ip = xstrdup("192.0.2.7");
	assert_true(dsn_may_hear_success(&cfg, &env));
	envelope_release(&env);
}

static void
several_targets_inherit_no_wish_for_success(void **state)
{
	(void)state;
	assert_int_equal(dsn_inherited(NOTIFY_SUCCESS, true), NOTIFY_SUCCESS);
	assert_int_equal(dsn_inherited(NOTIFY_SUCCESS, false), NOTIFY_NEVER);
	assert_int_equal(dsn_inherited(NOTIFY_SUCCESS | NOTIFY_DELAY, false),
	    NOTIFY_DELAY);
	assert_int_equal(dsn_inherited(0, false), 0);
	assert_int_equal(dsn_inherited(NOTIFY_NEVER, false), NOTIFY_NEVER);
}

static void
the_delay_notice_is_due_once_and_after_four_hours(void **state)
{
	struct envelope env;
	struct env_rcpt *r;

	(void)state;
	envelope_new(&env, "a@b.example");
	add(&env, "x@y.example", RCPT_PENDING, NOTIFY_FAILURE);
	assert_int_equal(dsn_delay_left(&cfg, &env, NOON), INT64_MAX);
	r = add(&env, "z@y.example", RCPT_PENDING, 0);
	assert_int_equal(dsn_delay_left(&cfg, &env, NOON + HOUR), 3 * HOUR);
	r->last = NOON + 3 * HOUR;
	r->tried = 3 * HOUR;
	assert_int_equal(dsn_delay_left(&cfg, &env, NOON + 4 * HOUR), 0);
	r->delay_told = true;
	assert_int_equal(dsn_delay_left(&cfg, &env, NOON + 5 * HOUR),
	    INT64_MAX);
	envelope_release(&env);
	envelope_new(&env, "");
	add(&env, "x@y.example", RCPT_PENDING, 0);
	assert_int_equal(dsn_delay_left(&cfg, &env, NOON), INT64_MAX);
	envelope_release(&env);
}

static void
the_status_has_the_class_of_the_report(void **state)
{
	static const struct {
		enum dsn_kind kind;
		const char *text, *status;
	} t[] = {
		{ DSN_FAILED, "550 5.1.1 no", "5.1.1" },
		{ DSN_FAILED, "4.4.7 given up; it said: 451 4.7.1", "5.4.7" },
		{ DSN_FAILED, "550 no words", "5.0.0" },
		{ DSN_FAILED, "550 2.0.0 mixed up", "5.0.0" },
		{ DSN_FAILED, "550 5.1234.1 x", "5.0.0" },
		{ DSN_DELAYED, "451 4.7.1 later", "4.7.1" },
		{ DSN_DELAYED, "timeout", "4.4.1" },
		{ DSN_SUCCESS, "250 2.1.5 ok", "2.1.5" },
		{ DSN_SUCCESS, "250 ok", "2.0.0" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		char text[64];
		struct env_rcpt r = { .text = text };
		struct dsn d = { .kind = t[i].kind };
		struct buf out = BUF_INIT;

		strlcpy(text, t[i].text, sizeof(text));
		dsn_status(&d, &r, &out);
		assert_string_equal(buf_str(&out), t[i].status);
		buf_release(&out);
	}
}

static const char hello[] = "Message-ID: <1@a.example>\nSubject: hello\n\nbody\n";

static void
only_headers_of_what_is_large_or_late_go_back(void **state)
{
	struct envelope env;
	struct buf out = BUF_INIT;

	(void)state;
	envelope_new(&env, "a@b.example");
	add(&env, "x@y.example", RCPT_FAILED, 0);
	compose(&env, DSN_FAILED, hello, DSN_FULL_MAX, &out);
	assert_non_null(strstr(buf_str(&out), "message/rfc822"));
	assert_non_null(strstr(buf_str(&out), "\nIn-Reply-To: <1@a.example>\n"));
	compose(&env, DSN_FAILED, hello, DSN_FULL_MAX + 1, &out);
	assert_non_null(strstr(buf_str(&out), "text/rfc822-headers"));
	assert_null(strstr(buf_str(&out), "body\n"));
	env.rcpts[0].state = RCPT_PENDING;
	compose(&env, DSN_DELAYED, hello, 60, &out);
	assert_non_null(strstr(buf_str(&out), "text/rfc822-headers"));
	assert_non_null(strstr(buf_str(&out), "\nAction: delayed\n"));
	assert_non_null(strstr(buf_str(&out), "\nWill-Retry-Until: "));
	buf_release(&out);
	envelope_release(&env);
}

static void
utf8_takes_other_forms_only_where_it_is_needed(void **state)
{
	struct envelope env;
	struct env_rcpt *r;
	struct buf out = BUF_INIT;

	(void)state;
	envelope_new(&env, "a@b.example");
	env.utf8 = true;
	r = add(&env, "x@y.example", RCPT_FAILED, 0);
	r->host = xstrdup("mx.y[192.0.2.1]");
	r->text = xstrdup("550 5.1.1 d\xc3\xa9sol\xc3\xa9");
	compose(&env, DSN_FAILED, hello, sizeof(hello) - 1, &out);
	assert_non_null(strstr(buf_str(&out), "message/delivery-status\n"));
	assert_non_null(strstr(buf_str(&out), "smtp; 550 5.1.1 d??sol??\n"));
	assert_non_null(strstr(buf_str(&out), "said: 550 5.1.1 d\xc3\xa9sol"));
	add(&env, "\xc3\xa9@y.example", RCPT_FAILED, 0);
	compose(&env, DSN_FAILED, "Subject: \xc3\xa9\n\nx\n", 16, &out);
	assert_non_null(strstr(buf_str(&out),
	    "message/global-delivery-status\n"
	    "Content-Transfer-Encoding: 8bit\n"));
	assert_non_null(strstr(buf_str(&out),
	    "Final-Recipient: utf-8; \xc3\xa9@y.example\n"));
	assert_non_null(strstr(buf_str(&out), "message/global\n"));
	buf_release(&out);
	envelope_release(&env);
}

static void
a_reply_cannot_turn_the_text_of_a_report_around(void **state)
{
	struct envelope env;
	struct env_rcpt *r;
	struct buf out = BUF_INIT;

	(void)state;
	envelope_new(&env, "a@b.example");
	r = add(&env, "x@y.example", RCPT_FAILED, 0);
	r->text = xstrdup("550 no\xe2\x80\xae" "1\xe2\x81\xa6" "2\xe2\x80\xa8"
	    "3\xc2\x9b" "4 \xc3\xa9t\xc3\xa9 \xe2\x82\xac \xe2\x80");
	compose(&env, DSN_FAILED, hello, sizeof(hello) - 1, &out);
	assert_non_null(strstr(buf_str(&out),
	    " 550 no?1?2?3?4 \xc3\xa9t\xc3\xa9 \xe2\x82\xac"));
	buf_release(&out);
	envelope_release(&env);
}

static void
who_reads_a_report_is_told_what_he_can_do(void **state)
{
	struct envelope env;
	struct env_rcpt *r;
	struct buf out = BUF_INIT;

	(void)state;
	envelope_new(&env, "a@b.example");
	add(&env, "list@b.example", RCPT_DONE, 0);
	r = add(&env, "x@y.example", RCPT_FAILED, 0);
	r->parent = 1;
	r->text = xstrdup("550 5.1.1 no such user");
	compose(&env, DSN_FAILED, hello, sizeof(hello) - 1, &out);
	assert_non_null(strstr(buf_str(&out), "\nYour message of "));
	assert_non_null(strstr(buf_str(&out), " Not you, but who looks"));
	assert_null(strstr(buf_str(&out), "typing"));
	env.rcpts[1].from = xstrdup("owner-list@b.example");
	compose_for(&env, "owner-list@b.example", DSN_FAILED, hello,
	    sizeof(hello) - 1, &out);
	assert_non_null(strstr(buf_str(&out),
	    "\nA message to a list of yours, of "));
	assert_non_null(strstr(buf_str(&out), " take that address off"));
	assert_non_null(strstr(buf_str(&out), "\nThe message is attached."));
	buf_release(&out);
	envelope_release(&env);
}

static struct env_rcpt *
behind(struct envelope *env, unsigned parent, const char *addr,
    const char *host, const char *text)
{
	struct env_rcpt *r = add(env, addr, RCPT_FAILED, 0);

	r->parent = parent;
	r->host = host == NULL ? NULL : xstrdup(host);
	r->text = xstrdup(text);
	return r;
}

static unsigned
count(const struct buf *text, const char *word)
{
	unsigned n = 0;

	for (const char *p = buf_str(text); (p = strcasestr(p, word)) != NULL;
	    p += strlen(word))
		n++;
	return n;
}

static void
who_wrote_to_an_alias_does_not_learn_where_it_leads(void **state)
{
	static const char *const says[] = {
		"550 5.1.1 <Secret@Far.example>: no such user",
		"550 5.1.1 secret@far.example unknown at mx1.far.example[192.0.2.9]",
		"550 5.1.1 b-secret=far.example@far.example is not here",
		"550 5.1.1 see http://help.far.example/?u=secret%40far.example",
		"550 5.1.1 secret@inner, rcpt=secret@x are gone (192.0.2.9)",
		"5.4.4 far.example has no mail server",
		"4.4.7 given up; it said: 451 4.7.1 secret@far.example hub.other.example",
	};
	struct envelope env;
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(says) / sizeof(says[0]); i++) {
		envelope_new(&env, "a@b.example");
		env.auth = xstrdup("a@b.example");
		add(&env, "boss@emc.fr", RCPT_DONE, 0)->orcpt =
		    xstrdup("rfc822;b@c.example");
		add(&env, "deputy@emc.fr", RCPT_DONE, 0)->parent = 1;
		behind(&env, 2, "secret@far.example", i < 5 ?
		    "mx1.far.example[192.0.2.9]" : i == 6 ?
		    "hub.other.example[192.0.2.9]" : NULL, says[i]);
		compose(&env, DSN_FAILED, hello, sizeof(hello) - 1, &out);
		assert_int_equal(count(&out, "secret"), 0);
		assert_int_equal(count(&out, "far.example"), 0);
		assert_int_equal(count(&out, "hub.other"), 0);
		assert_int_equal(count(&out, "deputy"), 0);
		assert_int_equal(count(&out, "192.0.2.9"), 0);
		assert_int_equal(count(&out, "Remote-MTA"), 0);
		assert_int_equal(count(&out, "some of"), 0);
		assert_int_equal(count(&out, "\nOriginal-Recipient: "
		    "rfc822;b@c.example\n"
		    "Final-Recipient: rfc822; boss@emc.fr\n"), 1);
		assert_int_equal(count(&out, "\n<boss@emc.fr>\n"), 1);
		env.rcpts[2].state = RCPT_PENDING;
		compose(&env, DSN_DELAYED, hello, sizeof(hello) - 1, &out);
		assert_int_equal(count(&out, "secret"), 0);
		assert_int_equal(count(&out, "far.example"), 0);
		assert_int_equal(count(&out, "Action: delayed"), 1);
		envelope_release(&env);
	}
	buf_release(&out);
}

static void
all_that_fails_behind_an_alias_is_one_entry(void **state)
{
	struct envelope env;
	struct buf out = BUF_INIT;

	(void)state;
	envelope_new(&env, "a@b.example");
	add(&env, "team@emc.fr", RCPT_DONE, 0);
	add(&env, "x@far.example", RCPT_FAILED, 0)->text =
	    xstrdup("550 5.1.1 <x@far.example> unknown");
	behind(&env, 1, "one@far.example", "mx[192.0.2.9]", "550 no");
	behind(&env, 1, "two@far.example", "mx[192.0.2.9]",
	    "552 5.2.2 <two@far.example> is full");
	behind(&env, 1, "three@far.example", NULL,
	    "4.4.7 not delivered in 5 days");
	add(&env, "four@far.example", RCPT_DONE, 0)->parent = 1;
	compose(&env, DSN_FAILED, hello, sizeof(hello) - 1, &out);
	assert_int_equal(count(&out, "Final-Recipient"), 2);
	assert_int_equal(count(&out, "\n<team@emc.fr>\n"
	    "    (some of the addresses behind it)\n"
	    "    another mail server said: "
	    "552 5.2.2 <team@emc.fr> is full\n"), 1);
	assert_int_equal(count(&out, "\nFinal-Recipient: rfc822; team@emc.fr\n"
	    "Action: failed\nStatus: 5.2.2\n"
	    "Diagnostic-Code: smtp; 552 5.2.2 <team@emc.fr> is full\n"), 1);
	/* What he wrote himself he may read. */
	assert_int_equal(count(&out, "<x@far.example> unknown"), 2);
	assert_int_equal(count(&out, "one@") + count(&out, "two@") +
	    count(&out, "three@") + count(&out, "four@"), 0);
	buf_release(&out);
	envelope_release(&env);
}

static void
an_owner_knows_his_members_but_not_who_is_behind_them(void **state)
{
	static const char owner[] = "owner-list@emc.fr";
	struct envelope env;
	struct buf out = BUF_INIT;

	(void)state;
	/* Even if it is he who wrote to the list. */
	for (unsigned i = 0; i < 2; i++) {
		envelope_new(&env, i == 0 ? "a@b.example" : owner);
		add(&env, "list@emc.fr", RCPT_DONE, 0);
		add(&env, "boss@emc.fr", RCPT_DONE, 0)->parent = 1;
		behind(&env, 2, "secret@far.example", "mx[192.0.2.9]",
		    "550 5.1.1 secret@far.example");
		behind(&env, 1, "member@far.example", "mx[192.0.2.9]",
		    "550 5.1.1 member@far.example");
		for (unsigned n = 1; n < 4; n++)
			env.rcpts[n].from = xstrdup(owner);
		compose_for(&env, owner, DSN_FAILED, hello, sizeof(hello) - 1,
		    &out);
		assert_int_equal(count(&out, "secret"), 0);
		assert_int_equal(count(&out, "\n<boss@emc.fr>\n"
		    "    (behind <list@emc.fr>)\n"), 1);
		assert_int_equal(count(&out,
		    "Final-Recipient: rfc822; member@far.example"), 1);
		assert_int_equal(count(&out, "Remote-MTA: dns; mx\n"), 1);
		envelope_release(&env);
	}
	buf_release(&out);
}

static void
postmaster_may_know_where_a_lost_report_went(void **state)
{
	struct envelope env;
	struct buf out = BUF_INIT;

	(void)state;
	envelope_new(&env, "");
	add(&env, "boss@emc.fr", RCPT_DONE, 0);
	behind(&env, 1, "secret@far.example", "mx[192.0.2.9]", "550 5.1.1 no");
	compose(&env, DSN_FAILED, hello, sizeof(hello) - 1, &out);
	assert_int_equal(count(&out,
	    "Final-Recipient: rfc822; secret@far.example"), 1);
	buf_release(&out);
	envelope_release(&env);
}

static void
a_hostile_message_id_is_not_repeated(void **state)
{
	static const char *const bad[] = {
		"Message-ID: <a b@c>\n\n", "Message-ID: a@b\n\n",
		"Message-ID: <a@b>\n <c@d>\n\n", "Message-ID: <\x80@b>\n\n",
	};
	struct envelope env;
	struct buf out = BUF_INIT;

	(void)state;
	envelope_new(&env, "a@b.example");
	add(&env, "x@y.example", RCPT_FAILED, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		compose(&env, DSN_FAILED, bad[i], (int64_t)strlen(bad[i]),
		    &out);
		assert_null(strstr(buf_str(&out), "In-Reply-To"));
	}
	buf_release(&out);
	envelope_release(&env);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_report_goes_to_postmaster_once),
		cmocka_unit_test(notify_says_who_hears_of_what),
		cmocka_unit_test(strangers_may_not_hear_of_success),
		cmocka_unit_test(several_targets_inherit_no_wish_for_success),
		cmocka_unit_test(the_delay_notice_is_due_once_and_after_four_hours),
		cmocka_unit_test(the_status_has_the_class_of_the_report),
		cmocka_unit_test(only_headers_of_what_is_large_or_late_go_back),
		cmocka_unit_test(utf8_takes_other_forms_only_where_it_is_needed),
		cmocka_unit_test(a_reply_cannot_turn_the_text_of_a_report_around),
		cmocka_unit_test(who_reads_a_report_is_told_what_he_can_do),
		cmocka_unit_test(who_wrote_to_an_alias_does_not_learn_where_it_leads),
		cmocka_unit_test(all_that_fails_behind_an_alias_is_one_entry),
		cmocka_unit_test(an_owner_knows_his_members_but_not_who_is_behind_them),
		cmocka_unit_test(postmaster_may_know_where_a_lost_report_went),
		cmocka_unit_test(a_hostile_message_id_is_not_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
