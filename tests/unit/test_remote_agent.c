/*
 * test_remote_agent.c - the conversation with the queue (INTERNALS 2.5).
 * link: remote
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/mman.h>

#include "../../remote/remote.h"
#include "ctl.h"
#include "deadline.h"
#include "fake_dns.h"
#include "fake_smtp.h"

static char hostname[] = "emc.test";
static struct config cfg = { .hostname = hostname, .remote_port = 25 };
static struct remote r = { .cfg = &cfg };
static struct stream queue;	/* our end */
static pid_t agent;

static void
begin(void)
{
	int pair[2];

	(void)signal(SIGPIPE, SIG_IGN);
	r.wait = rfc_timeouts;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    pair), 0);
	(void)fflush(NULL);
	if ((agent = fork()) == 0) {
		(void)close(pair[0]);
		_exit(agent_session(pair[1], &r));
	}
	(void)close(pair[1]);
	stream_init_unix(&queue, pair[0]);
}

/* Hangs up; the agent must end by itself. */
static void
end(void)
{
	int status;

	stream_release(&queue);
	assert_int_equal(waitpid(agent, &status, 0), agent);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
send_job(const char *frames)
{
	int fd = memfd_create("message", MFD_CLOEXEC);

	assert_int_equal(write(fd, "hi\nenvelope 1\n", 14), 14);
	assert_int_equal(stream_send_fd(&queue, fd, frames, strlen(frames),
	    deadline_in(5)), 0);
	(void)close(fd);
}

static void
answer(struct ctl *c)
{
	static struct buf line;

	assert_int_equal(ctl_read(&queue, &line, c, deadline_in(10)), 1);
}

static const struct step session[] = { { '>', "220 hi\r\n" }, { '<', "EHLO" },
	{ '>', "250-hi\r\n250 PIPELINING\r\n" },
	{ '=', "MAIL FROM:<jean-bob@emc.test>" },
	{ '=', "RCPT TO:<a@yahoo.test>" }, { '=', "RCPT TO:<b@yahoo.test>" },
	{ '=', "DATA" },
	{ '>', "250 ok\r\n250 ok\r\n550 5.1.1 who\r\n354\r\n" },
	{ 'D', "X-One: 1\nX-Two: 2\nhi\n" }, { '>', "250 2.0.0 first\r\n" },
	{ '=', "MAIL FROM:<>" }, { '=', "RCPT TO:<c@yahoo.test>" },
	{ '=', "DATA" }, { '>', "250 ok\r\n250 ok\r\n354\r\n" },
	{ 'D', "hi\n" }, { '>', "250 second\r\n" }, { 'E', NULL },
	{ 0, NULL } };

static void
jobs_follow_each_other_on_one_connection(void **state)
{
	struct fake_smtp s = fake_smtp_at("127.0.0.1", 0, session);
	char frames[1024];
	struct ctl c;

	(void)state;
	begin();
	snprintf(frames, sizeof(frames), "job id=one size=3 "
	    "sender=jean-bob@emc.test dest=yahoo.test relay=127.0.0.1:%d\n"
	    "head text=X-One:%%201\nhead text=X-Two:%%202%%0A\n"
	    "rcpt n=7 to=a@yahoo.test\nrcpt n=3 to=b@yahoo.test\nend\n",
	    s.port);
	send_job(frames);
	answer(&c);
	assert_true(ctl_is(&c, "rcpt"));
	assert_int_equal(ctl_num(&c, "n", 1, 99, 0), 7);
	assert_string_equal(ctl_str(&c, "status"), "done");
	assert_string_equal(ctl_str(&c, "text"), "250 2.0.0 first");
	assert_string_equal(ctl_str(&c, "ip"), "127.0.0.1");
	assert_string_equal(ctl_str(&c, "phase"), "final");
	assert_string_equal(ctl_str(&c, "code"), "250");
	answer(&c);
	assert_int_equal(ctl_num(&c, "n", 1, 99, 0), 3);
	assert_string_equal(ctl_str(&c, "status"), "fail");
	assert_string_equal(ctl_str(&c, "enh"), "5.1.1");
	answer(&c);
	assert_true(ctl_is(&c, "end"));
	assert_true(ctl_yes(&c, "keep"));
	assert_null(ctl_get(&c, "fault"));
	snprintf(frames, sizeof(frames), "job id=two size=3 sender= "
	    "dest=yahoo.test relay=127.0.0.1:%d\n"
	    "rcpt n=1 to=c@yahoo.test\nend\n", s.port);
	send_job(frames);
	answer(&c);
	assert_string_equal(ctl_str(&c, "status"), "done");
	answer(&c);
	assert_true(ctl_is(&c, "end"));
	end();
	assert_true(fake_smtp_ended_well(&s));	/* it saw QUIT */
}

static void
a_connection_takes_no_more_messages_than_the_job_allows(void **state)
{
	static const struct step one[] = { { '>', "220 hi\r\n" },
		{ '<', "EHLO" }, { '>', "250 hi\r\n" },
		{ '<', "MAIL" }, { '>', "250 ok\r\n" },
		{ '<', "RCPT" }, { '>', "250 ok\r\n" },
		{ '<', "DATA" }, { '>', "354 go\r\n" }, { 'D', "hi\n" },
		{ '>', "250 ok\r\n" }, { 'E', NULL }, { 0, NULL } };
	struct fake_smtp s = fake_smtp_at("127.0.0.1", 0, one);
	char frames[256];
	struct ctl c;

	(void)state;
	begin();
	snprintf(frames, sizeof(frames), "job id=one size=3 sender=a@b "
	    "dest=yahoo.test relay=127.0.0.1:%d messages=1\n"
	    "rcpt n=1 to=a@yahoo.test\nend\n", s.port);
	send_job(frames);
	answer(&c);
	assert_string_equal(ctl_str(&c, "status"), "done");
	answer(&c);
	assert_false(ctl_yes(&c, "keep"));
	end();
	assert_true(fake_smtp_ended_well(&s));	/* it saw QUIT */
}

/* The queue knew the domain only, and may have connections to its hosts. */
static void
a_job_for_a_domain_goes_back_when_its_hosts_are_known(void **state)
{
	static const struct fake_rr zone[] = {
		{ "yahoo.test", ns_t_mx, 10, "mx.provider.test" },
		{ "mx.provider.test", ns_t_a, 0, "127.0.0.1" },
		{ NULL, 0, 0, NULL } };
	struct fake_dns dns = fake_dns_start(zone, NULL);
	char spec[64];
	struct ctl c;

	(void)state;
	snprintf(spec, sizeof(spec), "127.0.0.1:%d", dns.port);
	assert_int_equal(dns_init(&r.dns, spec), 0);
	cfg.remote_port = 1;
	begin();
	send_job("job id=one size=3 sender=a@b dest=Yahoo.test "
	    "site=yahoo.test\nrcpt n=1 to=a@yahoo.test\nend\n");
	answer(&c);
	assert_true(ctl_is(&c, "end"));		/* no word about a recipient */
	assert_true(ctl_yes(&c, "moved"));
	assert_true(ctl_yes(&c, "keep"));
	assert_null(ctl_get(&c, "fault"));
	assert_string_equal(ctl_str(&c, "site"), "mx.provider.test");
	/* Counted to its site, it is tried: nobody listens there. */
	send_job("job id=one size=3 sender=a@b dest=Yahoo.test "
	    "site=mx.provider.test\nrcpt n=1 to=a@yahoo.test\nend\n");
	answer(&c);
	assert_true(ctl_is(&c, "rcpt"));
	answer(&c);
	assert_null(ctl_get(&c, "moved"));
	end();
	fake_dns_stop(&dns);
}

static void
a_failed_connection_is_reported_as_a_fault(void **state)
{
	struct ctl c;

	(void)state;
	begin();
	send_job("job id=one size=3 sender=a@b dest=yahoo.test "
	    "relay=127.0.0.1:1\nrcpt n=1 to=a@yahoo.test\nend\n");
	answer(&c);
	assert_string_equal(ctl_str(&c, "status"), "defer");
	assert_string_equal(ctl_str(&c, "enh"), "4.4.1");
	answer(&c);
	assert_true(ctl_is(&c, "end"));
	assert_false(ctl_yes(&c, "keep"));
	assert_string_equal(ctl_str(&c, "fault"), "connect");
	end();
}

static void
malformed_jobs_end_the_conversation_only(void **state)
{
	static const char *const bad[] = {
		"nonsense\n",
		"job id=one size=3 sender=a@b dest=d\nend\n",
		"job id=one size=-3 sender=a@b dest=d\nrcpt n=1 to=a@d\nend\n",
		"job id=one size=3 dest=d\nrcpt n=1 to=a@d\nend\n",
		"job size=3 sender=a@b dest=d\nrcpt n=1 to=a@d\nend\n",
		"job id=one size=3 sender=a@b\nrcpt n=1 to=a@d\nend\n",
		"job id=one size=3 sender=a@b dest=d\nrcpt n=0 to=a@d\nend\n",
		"job id=one size=3 sender=a@b dest=d\nrcpt n=1 to=\nend\n",
		"job id=one size=3 sender=a@b dest=d\nwhat\n",
		"job id=%zz\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf line = BUF_INIT;
		struct ctl c;

		begin();
		send_job(bad[i]);
		assert_int_equal(ctl_read(&queue, &line, &c, deadline_in(10)),
		    0);
		end();
		buf_release(&line);
	}
}

static void
a_job_without_a_descriptor_is_refused(void **state)
{
	struct buf line = BUF_INIT;
	struct ctl c;

	(void)state;
	begin();
	stream_puts(&queue, "job id=one size=3 sender=a@b dest=d\n"
	    "rcpt n=1 to=a@d\nend\n");
	assert_int_equal(stream_flush(&queue, deadline_in(5)), 0);
	assert_int_equal(ctl_read(&queue, &line, &c, deadline_in(10)), 0);
	end();
	buf_release(&line);
}

/* RFC 2033: one reply for each recipient that was accepted. */
static void
lmtp_answers_for_each_recipient(void **state)
{
	static const struct step lmtp[] = { { '>', "220 hi\r\n" },
		{ '=', "LHLO emc.test" }, { '>', "250 PIPELINING\r\n" },
		{ '<', "MAIL" }, { '>', "250 ok\r\n" },
		{ '<', "RCPT TO:<a@" }, { '>', "250 ok\r\n" },
		{ '<', "RCPT TO:<b@" }, { '>', "550 5.1.1 no\r\n" },
		{ '<', "RCPT TO:<c@" }, { '>', "250 ok\r\n" },
		{ '<', "DATA" }, { '>', "354 go\r\n" }, { 'D', "hi\n" },
		{ '>', "250 2.1.5 a\r\n452 4.2.2 full\r\n" }, { 'E', NULL },
		{ 0, NULL } };
	struct fake_smtp s = fake_smtp_at("127.0.0.1", 0, lmtp);
	struct client c;
	struct job job;
	char relay[64];
	struct outcome why;
	unsigned which;
	struct target t = { .host = "box" };

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	snprintf(relay, sizeof(relay), "127.0.0.1:%d", s.port);
	assert_int_equal(netaddr_parse(relay, &t.addr), 0);
	client_init(&c, &r);
	c.lmtp = true;
	job_init(&job);
	job.sender = xstrdup("x@y");
	job_add(&job, "a@d");
	job_add(&job, "b@d");
	job_add(&job, "c@d");
	job.fd = memfd_create("message", MFD_CLOEXEC);
	assert_int_equal(write(job.fd, "hi\n", 3), 3);
	job.size = 3;
	assert_int_equal(client_open(&c, connect_race(&t, 1, 5, &which, &why),
	    "box", "127.0.0.1", false, "-", &why), CLIENT_OPEN);
	client_send(&c, &job, &why);
	assert_int_equal(job.rcpts[0].outcome.status, DONE);
	assert_int_equal(job.rcpts[1].outcome.status, FAIL);
	assert_int_equal(job.rcpts[2].outcome.status, DEFER);
	assert_string_equal(job.rcpts[2].outcome.enh, "4.2.2");
	client_quit(&c);
	client_release(&c);
	job_release(&job);
	assert_true(fake_smtp_ended_well(&s));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_follow_each_other_on_one_connection),
		cmocka_unit_test(
		    a_connection_takes_no_more_messages_than_the_job_allows),
		cmocka_unit_test(
		    a_job_for_a_domain_goes_back_when_its_hosts_are_known),
		cmocka_unit_test(a_failed_connection_is_reported_as_a_fault),
		cmocka_unit_test(malformed_jobs_end_the_conversation_only),
		cmocka_unit_test(a_job_without_a_descriptor_is_refused),
		cmocka_unit_test(lmtp_answers_for_each_recipient),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
