/*
 * test_remote_client.c - deliver() against scripted servers: what is sent, and
 * what each reply, or its absence, makes of each recipient.
 * link: remote
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/mman.h>

#include "../../remote/remote.h"
#include "deadline.h"
#include "fake_smtp.h"
#include "stream_tls.h"
#include "tls.h"

#define GREET	{ '>', "220 hi\r\n" }, { '=', "EHLO emc.test" }
#define PLAIN	GREET, { '>', "250 hi\r\n" }
#define PIPE	GREET, { '>', "250-hi\r\n250 PIPELINING\r\n" }
#define MAIL	{ '=', "MAIL FROM:<jean-bob@emc.test>" }
#define RCPT(x)	{ '=', "RCPT TO:<" x "@yahoo.test>" }
#define OK	{ '>', "250 2.0.0 ok\r\n" }
#define DATA	{ '=', "DATA" }
#define GO	{ '>', "354 go\r\n" }
#define BODY	{ 'D', "Subject: x\n\nhi\n" }
#define END	{ 0, NULL }
#define SCRIPT	(const struct step[])

static char hostname[] = "emc.test", nothing[] = "";
static struct config cfg;
static struct remote remote_state;
static struct client client;
static struct job job;
static struct fake_smtp server;
static char relay[64];

static void
message(const char *text)
{
	size_t len = strlen(text);

	job.fd = memfd_create("message", MFD_CLOEXEC);
	assert_int_equal(write(job.fd, text, len), len);
	job.size = (int64_t)len;
}

/* A job for the local parts in `to`, separated by blanks. */
static void
make_job(const char *to)
{
	char *copy = xstrdup(to), *rest = copy, *word, addr[400];

	job_init(&job);
	job.id = xstrdup("-");
	job.sender = xstrdup("jean-bob@emc.test");
	job.dest = xstrdup("yahoo.test");
	job.relay = xstrdup(relay);
	message("Subject: x\n\nhi\n");
	while ((word = strsep(&rest, " ")) != NULL) {
		snprintf(addr, sizeof(addr), "%s@yahoo.test", word);
		job_add(&job, addr);
	}
	free(copy);
}

static void
begin(const struct step *script, const char *to)
{
	server = fake_smtp_at("127.0.0.1", 0, script);
	snprintf(relay, sizeof(relay), "127.0.0.1:%d", server.port);
	make_job(to);
}

static void
end(void)
{
	client_quit(&client);
	assert_true(fake_smtp_ended_well(&server));
	job_release(&job);
}

/* The whole of it: deliver, then compare each recipient's outcome. */
static void
run(const struct step *script, const char *to)
{
	begin(script, to);
	deliver(&remote_state, &client, &job);
}

static void
expect(unsigned i, enum status status, const char *enh, const char *phase)
{
	const struct outcome *o = &job.rcpts[i].outcome;

	if (o->status != status || strcmp(o->enh, enh) != 0 ||
	    strcmp(o->phase, phase) != 0)
		fail_msg("rcpt %u: status %d %s in %s: %s", i, o->status,
		    o->enh, o->phase, o->text);
}

static int
setup(void **state)
{
	struct buf why = BUF_INIT;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);		/* as process_init() does */
	cfg.hostname = hostname;
	cfg.relay_host = nothing;
	cfg.remote_port = 25;
	remote_state.cfg = &cfg;
	remote_state.wait = rfc_timeouts;
	remote_state.tls = tls_client(&why);
	client_init(&client, &remote_state);
	return remote_state.tls == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	client_release(&client);
	SSL_CTX_free(remote_state.tls);
	return 0;
}

/* ---- how it goes well --------------------------------------------------- */

static void
a_message_goes_through_step_by_step(void **state)
{
	(void)state;
	run(SCRIPT{ PLAIN, MAIL, OK, RCPT("billy"), OK, DATA, GO, BODY,
	    { '>', "250 2.6.0 queued as 7FA\r\n" }, { 'E', NULL }, END },
	    "billy");
	expect(0, DONE, "2.6.0", "final");
	assert_string_equal(job.rcpts[0].outcome.text,
	    "250 2.6.0 queued as 7FA");
	assert_string_equal(job.rcpts[0].outcome.ip, "127.0.0.1");
	assert_string_equal(job.rcpts[0].outcome.tls, "");
	assert_int_equal(job.rcpts[0].outcome.code, 250);
	assert_true(client_is_ready(&client, &job));
	end();
}

static void
a_pipelining_peer_gets_all_commands_at_once(void **state)
{
	(void)state;
	/* It answers only when it has seen everything up to DATA. */
	run(SCRIPT{ PIPE, MAIL, RCPT("a"), RCPT("b"), RCPT("c"), DATA,
	    { '>', "250 ok\r\n250 ok\r\n550 5.1.1 no\r\n450 busy\r\n"
	    "354 go\r\n" }, BODY, OK, { 'E', NULL }, END }, "a b c");
	expect(0, DONE, "2.0.0", "final");
	expect(1, FAIL, "5.1.1", "rcpt");
	expect(2, DEFER, "4.1.0", "rcpt");
	end();
}

static void
dots_are_doubled_and_the_last_line_is_ended(void **state)
{
	(void)state;
	begin(SCRIPT{ PLAIN, MAIL, OK, RCPT("billy"), OK, DATA, GO,
	    { 'D', "X: head\n..\n..a\nb." "\n" }, OK, END }, "billy");
	(void)close(job.fd);
	message(".\n.a\nb.");
	buf_adds(&job.head, "X: head\n");
	deliver(&remote_state, &client, &job);
	expect(0, DONE, "2.0.0", "final");
	end();
}

static void
an_empty_message_is_a_message(void **state)
{
	(void)state;
	begin(SCRIPT{ PLAIN, MAIL, OK, RCPT("billy"), OK, DATA, GO,
	    { 'D', "" }, OK, END }, "billy");
	(void)close(job.fd);
	message("");
	deliver(&remote_state, &client, &job);
	expect(0, DONE, "2.0.0", "final");
	end();
}

static void
a_peer_without_ehlo_gets_helo(void **state)
{
	(void)state;
	run(SCRIPT{ GREET, { '>', "502 what\r\n" }, { '=', "HELO emc.test" },
	    OK, MAIL, OK, RCPT("billy"), OK, DATA, GO, BODY, OK, END },
	    "billy");
	expect(0, DONE, "2.0.0", "final");
	end();
}

static void
parameters_are_sent_where_they_were_offered(void **state)
{
	(void)state;
	begin(SCRIPT{ GREET, { '>', "250-hi\r\n250-SIZE 5000\r\n250-8BITMIME"
	    "\r\n250-SMTPUTF8\r\n250 DSN\r\n" },
	    { '=', "MAIL FROM:<jean-bob@emc.test> SIZE=15 BODY=8BITMIME "
	    "RET=HDRS ENVID=a+2Bb" }, OK,
	    { '=', "RCPT TO:<billy@yahoo.test> NOTIFY=FAILURE,DELAY "
	    "ORCPT=rfc822;b+2Bx@y" }, OK, DATA, GO, BODY, OK, END }, "billy");
	job.body8 = true;
	job.utf8 = true;	/* said, but not needed */
	job.ret = xstrdup("hdrs");
	job.envid = xstrdup("a+b");
	job.rcpts[0].notify = xstrdup("failure,delay");
	job.rcpts[0].orcpt = xstrdup("rfc822;b+x@y");
	deliver(&remote_state, &client, &job);
	expect(0, DONE, "2.0.0", "final");
	end();
}

static void
an_original_recipient_in_utf8_is_sent_in_ascii(void **state)
{
	(void)state;
	begin(SCRIPT{ GREET, { '>', "250-hi\r\n250 DSN\r\n" },
	    MAIL, OK, { '=', "RCPT TO:<billy@yahoo.test> "
	    "ORCPT=utf-8;\\x{E9}\\x{1F600}\\x{2B}@y" }, OK, DATA, GO, BODY,
	    OK, END }, "billy");
	job.rcpts[0].orcpt =
	    xstrdup("utf-8;\xc3\xa9\xf0\x9f\x98\x80+@y");
	deliver(&remote_state, &client, &job);
	expect(0, DONE, "2.0.0", "final");
	end();
}

static void
the_connection_takes_further_messages(void **state)
{
	(void)state;
	run(SCRIPT{ PIPE, MAIL, RCPT("a"), DATA,
	    { '>', "250 ok\r\n250 ok\r\n354 go\r\n" }, BODY, OK,
	    MAIL, RCPT("b"), DATA,
	    { '>', "250 ok\r\n550 5.1.1 no\r\n503 5.5.1 no rcpt\r\n" },
	    { '=', "RSET" }, MAIL, RCPT("c"), DATA,
	    { '>', "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n" }, BODY, OK,
	    { 'E', NULL }, END }, "a");
	expect(0, DONE, "2.0.0", "final");
	job_release(&job);
	make_job("b");
	deliver(&remote_state, &client, &job);
	expect(0, FAIL, "5.1.1", "rcpt");
	job_release(&job);
	make_job("c");
	deliver(&remote_state, &client, &job);
	expect(0, DONE, "2.0.0", "final");
	end();
}

static void
a_kept_connection_that_ended_is_replaced(void **state)
{
	(void)state;
	run(SCRIPT{ PLAIN, MAIL, OK, RCPT("a"), OK, DATA, GO, BODY, OK,
	    { 'A', NULL },
	    PLAIN, MAIL, OK, RCPT("b"), OK, DATA, GO, BODY, OK,
	    MAIL, { '>', "421 4.7.0 enough on this connection\r\n" },
	    { 'A', NULL },
	    PLAIN, MAIL, OK, RCPT("c"), OK, DATA, GO, BODY, OK, END }, "a");
	expect(0, DONE, "2.0.0", "final");
	for (const char *to = "b"; *to <= 'c'; to = *to == 'b' ? "c" : "d") {
		job_release(&job);
		make_job(to);
		deliver(&remote_state, &client, &job);
		expect(0, DONE, "2.0.0", "final");
	}
	end();
}

static void
recipients_beyond_the_limit_go_in_a_second_transaction(void **state)
{
	(void)state;
	run(SCRIPT{ PIPE, MAIL, RCPT("a"), RCPT("b"), DATA,
	    { '>', "250 ok\r\n250 ok\r\n452 4.5.3 too many\r\n354 go\r\n" },
	    BODY, OK, MAIL, RCPT("b"), DATA,
	    { '>', "250 ok\r\n250 ok\r\n354 go\r\n" }, BODY, OK, END },
	    "a b");
	expect(0, DONE, "2.0.0", "final");
	expect(1, DONE, "2.0.0", "final");
	end();
}

static void
a_large_message_arrives_whole(void **state)
{
	static char big[300 * 1000 + 1], want[300 * 1000 + 20];
	size_t n = 0;

	(void)state;
	while (n < sizeof(big) - 1)
		n += (size_t)snprintf(big + n, sizeof(big) - n, "%07zu\n", n);
	snprintf(want, sizeof(want), "%s", big);
	begin(SCRIPT{ PLAIN, MAIL, OK, RCPT("billy"), OK, DATA, GO,
	    { 'D', want }, OK, END }, "billy");
	(void)close(job.fd);
	message(big);
	deliver(&remote_state, &client, &job);
	expect(0, DONE, "2.0.0", "final");
	end();
}

/* ---- TLS ---------------------------------------------------------------- */

#define TLS_OFFER GREET, { '>', "250-hi\r\n250 STARTTLS\r\n" }, \
	{ '=', "STARTTLS" }

static void
starttls_is_used_when_offered(void **state)
{
	(void)state;
	run(SCRIPT{ TLS_OFFER, { '>', "220 go\r\n" }, { 'T', NULL },
	    { '=', "EHLO emc.test" }, { '>', "250-hi\r\n250 STARTTLS\r\n" },
	    MAIL, OK, RCPT("billy"), OK, DATA, GO, BODY, OK, { 'E', NULL },
	    END }, "billy");
	expect(0, DONE, "2.0.0", "final");
	assert_string_equal(job.rcpts[0].outcome.tls, "TLSv1.3");
	/* Session tickets are no reason to give the connection up. */
	assert_true(client_is_ready(&client, &job));
	end();
}

static void
a_failed_handshake_is_followed_by_clear_text(void **state)
{
	(void)state;
	run(SCRIPT{ TLS_OFFER, { '>', "220 go\r\n" }, { 'A', NULL },
	    GREET, { '>', "250-hi\r\n250 STARTTLS\r\n" },
	    MAIL, OK, RCPT("billy"), OK, DATA, GO, BODY, OK, END }, "billy");
	expect(0, DONE, "2.0.0", "final");
	assert_string_equal(job.rcpts[0].outcome.tls, "");
	end();
}

static void
a_refused_starttls_leaves_the_connection_good(void **state)
{
	(void)state;
	run(SCRIPT{ TLS_OFFER, { '>', "454 4.7.0 not now\r\n" },
	    MAIL, OK, RCPT("billy"), OK, DATA, GO, BODY, OK, END }, "billy");
	expect(0, DONE, "2.0.0", "final");
	end();
}

static void
replies_injected_before_tls_are_not_believed(void **state)
{
	(void)state;
	run(SCRIPT{ TLS_OFFER, { '>', "220 go\r\n250 injected\r\n" },
	    { 'A', NULL }, PLAIN,
	    MAIL, OK, RCPT("billy"), OK, DATA, GO, BODY, OK, END }, "billy");
	expect(0, DONE, "2.0.0", "final");
	end();
}

/* ---- how it goes wrong -------------------------------------------------- */

static const struct {
	const char *what;
	struct step script[16];
	enum status status;
	const char *enh, *phase, *fault;
} endings[] = {
	{ "a 5yz greeting", { { '>', "554 5.7.1 go away\r\n" },
	    { 'E', NULL } }, DEFER, "4.3.2", "greeting", "greeting" },
	{ "a 521 greeting", { { '>', "521 no mail\r\n" }, { 'E', NULL } },
	    DEFER, "4.3.2", "greeting", "greeting" },
	{ "a 421 greeting", { { '>', "421 4.3.2 busy\r\n" }, { 'E', NULL } },
	    DEFER, "4.3.2", "greeting", "greeting" },
	{ "a garbage greeting", { { '>', "SSH-2.0-x\r\n" }, { 'E', NULL } },
	    DEFER, "4.5.0", "greeting", "greeting" },
	{ "no greeting", { { 'E', NULL } },
	    DEFER, "4.4.2", "greeting", "greeting" },
	{ "EHLO and HELO refused", { GREET, { '>', "550 no\r\n" },
	    { '<', "HELO" }, { '>', "550 5.7.1 no\r\n" }, { 'E', NULL } },
	    DEFER, "4.3.2", "ehlo", "greeting" },
	{ "a 451 to EHLO", { GREET, { '>', "451 no\r\n" }, { 'E', NULL } },
	    DEFER, "4.3.2", "ehlo", "greeting" },
	{ "an endless EHLO", { GREET, { '#', "250-more\r\n" } },
	    DEFER, "4.5.0", "ehlo", "greeting" },
	{ "MAIL refused", { PLAIN, MAIL, { '>', "553 no\r\n" },
	    { 'E', NULL } }, FAIL, "5.1.0", "mail", NULL },
	{ "MAIL deferred", { PLAIN, MAIL, { '>', "451 4.7.1 wait\r\n" },
	    { 'E', NULL } }, DEFER, "4.7.1", "mail", NULL },
	{ "MAIL too large", { PLAIN, MAIL, { '>', "552 big\r\n" },
	    { 'E', NULL } }, FAIL, "5.3.4", "mail", NULL },
	{ "421 to MAIL", { PLAIN, MAIL, { '>', "421 4.7.0 later\r\n" },
	    { 'E', NULL } }, DEFER, "4.7.0", "mail", NULL },
	{ "a lone digit, then the end", { PLAIN, MAIL, { '>', "5" },
	    { 'A', NULL } }, DEFER, "4.4.2", "mail", "io" },
	{ "a code without CRLF, then the end", { PLAIN, MAIL,
	    { '>', "550 5.1.1 no" }, { 'A', NULL } },
	    DEFER, "4.4.2", "mail", "io" },
	{ "a bare LF", { PLAIN, MAIL, { '>', "550 no\n" }, { 'E', NULL } },
	    DEFER, "4.5.0", "mail", "protocol" },
	{ "a code that is none", { PLAIN, MAIL, { '>', "5x0 no\r\n" },
	    { 'E', NULL } }, DEFER, "4.5.0", "mail", "protocol" },
	{ "a code that changes", { PLAIN, MAIL,
	    { '>', "550-no\r\n250 yes\r\n" }, { 'E', NULL } },
	    DEFER, "4.5.0", "mail", "protocol" },
	{ "a 354 to MAIL", { PLAIN, MAIL, GO, { 'E', NULL } },
	    DEFER, "4.5.0", "mail", "protocol" },
	{ "552 to RCPT, an old word for 452", { PLAIN, MAIL, OK,
	    RCPT("billy"), { '>', "552 too many\r\n" }, { 'E', NULL } },
	    DEFER, "4.5.3", "rcpt", NULL },
	{ "552 5.2.2 to RCPT", { PLAIN, MAIL, OK, RCPT("billy"),
	    { '>', "552 5.2.2 full\r\n" }, { 'E', NULL } },
	    FAIL, "5.2.2", "rcpt", NULL },
	{ "556 to RCPT", { PLAIN, MAIL, OK, RCPT("billy"),
	    { '>', "556 5.1.10 null MX\r\n" }, { 'E', NULL } },
	    FAIL, "5.1.10", "rcpt", NULL },
	{ "421 to RCPT", { PLAIN, MAIL, OK, RCPT("billy"),
	    { '>', "421 bye\r\n" }, { 'E', NULL } },
	    DEFER, "4.3.2", "rcpt", NULL },
	{ "DATA refused", { PLAIN, MAIL, OK, RCPT("billy"), OK, DATA,
	    { '>', "554 5.7.1 no\r\n" }, { 'E', NULL } },
	    FAIL, "5.7.1", "data", NULL },
	{ "DATA deferred", { PLAIN, MAIL, OK, RCPT("billy"), OK, DATA,
	    { '>', "451 no\r\n" }, { 'E', NULL } },
	    DEFER, "4.0.0", "data", NULL },
	{ "250 to DATA", { PLAIN, MAIL, OK, RCPT("billy"), OK, DATA, OK,
	    { 'E', NULL } }, DEFER, "4.5.0", "data", "protocol" },
	{ "the answer before the message", { PLAIN, MAIL, OK, RCPT("billy"),
	    OK, DATA, { '>', "354 go\r\n250 thanks\r\n" }, { 'E', NULL } },
	    DEFER, "4.5.0", "data", "protocol" },
	{ "the message refused", { PLAIN, MAIL, OK, RCPT("billy"), OK, DATA,
	    GO, BODY, { '>', "554 5.6.0 spam\r\n" }, { 'E', NULL } },
	    FAIL, "5.6.0", "final", NULL },
	{ "the message deferred", { PLAIN, MAIL, OK, RCPT("billy"), OK, DATA,
	    GO, BODY, { '>', "452 full\r\n" }, { 'E', NULL } },
	    DEFER, "4.0.0", "final", NULL },
	{ "421 to the message", { PLAIN, MAIL, OK, RCPT("billy"), OK, DATA,
	    GO, BODY, { '>', "421 4.3.0 no\r\n" }, { 'E', NULL } },
	    DEFER, "4.3.0", "final", NULL },
	{ "the end instead of the last reply", { PLAIN, MAIL, OK,
	    RCPT("billy"), OK, DATA, GO, BODY }, DEFER, "4.4.2", "final",
	    "io" },
	{ "garbage instead of the last reply", { PLAIN, MAIL, OK,
	    RCPT("billy"), OK, DATA, GO, BODY, { '>', "thanks\r\n" },
	    { 'E', NULL } }, DEFER, "4.5.0", "final", "protocol" },
	{ "all refused, but DATA taken", { PIPE, MAIL, RCPT("billy"), DATA,
	    { '>', "250 ok\r\n550 5.1.1 no\r\n354 go\r\n" },
	    { '=', "." }, { '>', "554 5.5.1 no rcpt\r\n" }, { 'E', NULL } },
	    FAIL, "5.1.1", "rcpt", NULL },
	{ "MAIL refused with all behind it", { PIPE, MAIL, RCPT("billy"),
	    DATA, { '>', "550 5.7.1 no\r\n503 mail\r\n503 mail\r\n" },
	    { 'E', NULL } }, FAIL, "5.7.1", "mail", NULL },
	{ "a size limit", { GREET, { '>', "250-hi\r\n250 SIZE 14\r\n" },
	    { 'E', NULL } }, FAIL, "5.3.4", "mail", NULL },
};

static void
each_ending_has_its_outcome(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		const struct outcome *o;
		bool ended;

		/* One second where the server never speaks. */
		remote_state.wait.greeting =
		    endings[i].script[0].what == 'E' ? 1 : 300;
		begin(endings[i].script, "billy");
		deliver(&remote_state, &client, &job);
		o = &job.rcpts[0].outcome;
		if (o->status != endings[i].status ||
		    strcmp(o->enh, endings[i].enh) != 0 ||
		    strcmp(o->phase, endings[i].phase) != 0)
			fail_msg("%s: status %d %s in %s: %s",
			    endings[i].what, o->status, o->enh, o->phase,
			    o->text);
		if ((client.fault == NULL) != (endings[i].fault == NULL) ||
		    (client.fault != NULL && strcmp(client.fault,
		    endings[i].fault) != 0))
			fail_msg("%s: fault %s", endings[i].what,
			    client.fault != NULL ? client.fault : "none");
		client_quit(&client);
		if (endings[i].script[0].what == 0)
			continue;
		/* A script that waits for another connection is over too. */
		for (size_t k = 0; k < 16; k++)
			if (endings[i].script[k].what == 'A')
				(void)kill(server.pid, SIGKILL);
		ended = fake_smtp_ended_well(&server);
		if (!ended && client.fault == NULL)
			fail_msg("%s: the server is not content",
			    endings[i].what);
		job_release(&job);
	}
	remote_state.wait = rfc_timeouts;
}

static void
silence_after_the_end_mark_defers(void **state)
{
	(void)state;
	remote_state.wait.final = 1;
	run(SCRIPT{ PLAIN, MAIL, OK, RCPT("billy"), OK, DATA, GO, BODY,
	    { 'E', NULL }, END }, "billy");
	expect(0, DEFER, "4.4.2", "final");
	remote_state.wait = rfc_timeouts;
	end();
}

static void
a_slow_drip_meets_one_deadline(void **state)
{
	int64_t start = now_ms();

	(void)state;
	remote_state.wait.mail = 1;
	run(SCRIPT{ PLAIN, MAIL, { '>', "2" }, { '>', "5" }, { 'E', NULL },
	    END }, "billy");
	expect(0, DEFER, "4.4.2", "mail");
	assert_true(now_ms() - start < 5000);
	remote_state.wait = rfc_timeouts;
	end();
}

static void
a_loss_in_the_middle_attributes_nothing_wrongly(void **state)
{
	(void)state;
	/* a is refused for good, b was accepted but got no message. */
	run(SCRIPT{ PIPE, MAIL, RCPT("a"), RCPT("b"), RCPT("c"), DATA,
	    { '>', "250 ok\r\n550 5.1.1 no\r\n250 ok\r\n" }, END }, "a b c");
	expect(0, FAIL, "5.1.1", "rcpt");
	assert_int_equal(job.rcpts[1].outcome.status, DEFER);
	assert_int_equal(job.rcpts[2].outcome.status, DEFER);
	end();
}

static void
unsafe_addresses_never_reach_the_wire(void **state)
{
	static const char *const bad[] = { "a\r\nRCPT TO:<b>", "a b", "a>b",
	    "a<b", "a\nb", "a\177b", "\"a", "a\\" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(is_safe_address(bad[i]));
	assert_true(is_safe_address(""));
	assert_true(is_safe_address("\"a b>\\\"c\"@d.e"));
	assert_true(is_safe_address("a+b@[IPv6:::1]"));
	begin(SCRIPT{ PLAIN, MAIL, OK, RCPT("billy"), OK, DATA, GO, BODY, OK,
	    END }, "billy");
	job_add(&job, "x\r\nRSET@yahoo.test");
	deliver(&remote_state, &client, &job);
	expect(0, DONE, "2.0.0", "final");
	expect(1, FAIL, "5.1.3", "rcpt");
	end();
	job_init(&job);
	job.id = xstrdup("-");
	job.sender = xstrdup("a> SIZE=1\r\nRSET@x");
	job.dest = xstrdup("yahoo.test");
	job_add(&job, "billy@yahoo.test");
	deliver(&remote_state, &client, &job);
	expect(0, FAIL, "5.1.7", "mail");
	job_release(&job);
}

static void
smtputf8_is_needed_or_it_fails(void **state)
{
	(void)state;
	begin(SCRIPT{ PLAIN, { 'E', NULL }, END }, "billy");
	free(job.rcpts[0].to);
	job.rcpts[0].to = xstrdup("bj\303\266rn@yahoo.test");
	deliver(&remote_state, &client, &job);
	expect(0, FAIL, "5.6.7", "mail");
	end();
	begin(SCRIPT{ GREET, { '>', "250-hi\r\n250 SMTPUTF8\r\n" },
	    { '=', "MAIL FROM:<jean-bob@emc.test> SMTPUTF8" }, OK,
	    { '=', "RCPT TO:<bj\303\266rn@yahoo.test>" }, OK, DATA, GO, BODY,
	    OK, END }, "billy");
	free(job.rcpts[0].to);
	job.rcpts[0].to = xstrdup("bj\303\266rn@yahoo.test");
	deliver(&remote_state, &client, &job);
	expect(0, DONE, "2.0.0", "final");
	end();
}

static void
a_bare_cr_in_the_message_is_never_sent(void **state)
{
	(void)state;
	begin(SCRIPT{ PLAIN, MAIL, OK, RCPT("billy"), OK, DATA, GO,
	    { 'E', NULL }, END }, "billy");
	(void)close(job.fd);
	message("a\r\n.\r\nMAIL FROM:<evil>\n");
	deliver(&remote_state, &client, &job);
	expect(0, FAIL, "5.6.0", "data");
	client_drop(&client);
	fake_smtp_stop(&server);
	job_release(&job);
}

static void
a_message_that_is_shorter_than_said_is_not_sent(void **state)
{
	(void)state;
	begin(SCRIPT{ PLAIN, MAIL, OK, RCPT("billy"), OK, DATA, GO,
	    { 'E', NULL }, END }, "billy");
	job.size += 10;
	deliver(&remote_state, &client, &job);
	expect(0, DEFER, "4.3.0", "data");
	client_drop(&client);
	fake_smtp_stop(&server);
	job_release(&job);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_goes_through_step_by_step),
		cmocka_unit_test(a_pipelining_peer_gets_all_commands_at_once),
		cmocka_unit_test(dots_are_doubled_and_the_last_line_is_ended),
		cmocka_unit_test(an_empty_message_is_a_message),
		cmocka_unit_test(a_peer_without_ehlo_gets_helo),
		cmocka_unit_test(parameters_are_sent_where_they_were_offered),
		cmocka_unit_test(an_original_recipient_in_utf8_is_sent_in_ascii),
		cmocka_unit_test(the_connection_takes_further_messages),
		cmocka_unit_test(a_kept_connection_that_ended_is_replaced),
		cmocka_unit_test(
		    recipients_beyond_the_limit_go_in_a_second_transaction),
		cmocka_unit_test(a_large_message_arrives_whole),
		cmocka_unit_test(starttls_is_used_when_offered),
		cmocka_unit_test(a_failed_handshake_is_followed_by_clear_text),
		cmocka_unit_test(a_refused_starttls_leaves_the_connection_good),
		cmocka_unit_test(replies_injected_before_tls_are_not_believed),
		cmocka_unit_test(each_ending_has_its_outcome),
		cmocka_unit_test(silence_after_the_end_mark_defers),
		cmocka_unit_test(a_slow_drip_meets_one_deadline),
		cmocka_unit_test(
		    a_loss_in_the_middle_attributes_nothing_wrongly),
		cmocka_unit_test(unsafe_addresses_never_reach_the_wire),
		cmocka_unit_test(smtputf8_is_needed_or_it_fails),
		cmocka_unit_test(a_bare_cr_in_the_message_is_never_sent),
		cmocka_unit_test(
		    a_message_that_is_shorter_than_said_is_not_sent),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
