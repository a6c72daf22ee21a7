/*
 * A message that inject hands to the queue manager before it is in the spool:
 * what he answers, or does not, decides what is committed.
 *
 * link: queue
 */
#include "ctl.h"
#include "deadline.h"
#include "../../queue/direct.h"
#include "inject_host.h"

static int
make_host(void **state)
{
	(void)state;
	host_open("", "direct", SOCK_STREAM);
	return listen(manager_fd, 5);
}

/*
 * A queue manager who gives these answers, one for each message, NULL at their
 * end; then he hangs up.  His exit status: how many were as they should be.
 */
static pid_t
manager(const char *const *answers)
{
	struct buf line = BUF_INIT;
	struct stream s;
	struct ctl c;
	pid_t pid = fork();
	int good = 0, fd;

	if (pid != 0)
		return pid;
	(void)alarm(30);	/* if it is never asked */
	fd = accept(manager_fd, NULL, NULL);
	stream_init_unix(&s, fd);
	for (; *answers != NULL &&
	    ctl_read(&s, &line, &c, deadline_in(20)) == 1; answers++) {
		int64_t size = ctl_num(&c, "size", 0, 100000, -1);
		struct envelope env;
		int message = stream_take_fd(&s);

		envelope_init(&env);
		good += ctl_is(&c, "deliver") && spool_is_in_memory(message) &&
		    spool_read_envelope(message, size, &env) == 0 &&
		    spool_verify(message, size, &env) == 1;
		envelope_release(&env);
		close(message);
		stream_puts(&s, *answers);
		(void)!stream_flush(&s, deadline_in(20));
	}
	_exit(good);
}

static int
ended(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Sends one to n recipients, `ours` of them known as mailboxes. */
static void
send_one(unsigned n, unsigned ours, size_t size)
{
	struct inject_txn t;
	struct buf to = BUF_INIT, body = BUF_INIT;

	inject_txn_init(&t, &in);
	inject_txn_sender(&t, "jean-bob@emc.fr");
	for (unsigned i = 0; i < n; i++) {
		buf_reset(&to);
		buf_addf(&to, "user%u@emc.fr", i);
		assert_non_null(inject_txn_rcpt(&t, buf_str(&to)));
	}
	t.mailboxes = ours;
	inject_txn_go(&t, 0);
	buf_adds(&body, "Subject: x\n\n");
	while (body.len < size)
		buf_adds(&body, "a line of some length\n");
	inject_content(&t, body.data, body.len);
	assert_int_equal(inject_txn_commit(&t), INJECT_OK);
	inject_txn_reset(&t);
	buf_release(&to);
	buf_release(&body);
}

/* The text of the only message in the queue, taken out; NULL: there is none. */
static const char *
queued(void)
{
	static struct buf text;

	return stored(&text) ? buf_str(&text) : NULL;
}

static void
what_is_delivered_is_not_queued(void **state)
{
	static const char *const answers[] = { "done\n", "done\n", "done\n",
	    NULL };
	pid_t pid = manager(answers);

	(void)state;
	send_one(1, 1, 100);
	assert_null(queued());
	send_one(DIRECT_RCPTS, DIRECT_RCPTS, 100);
	assert_null(queued());
	send_one(2, 2, 40000);
	assert_null(queued());
	assert_int_equal(ended(pid), 3);
}

static void
what_is_not_for_known_mailboxes_or_large_is_queued(void **state)
{
	static const char *const answers[] = { "done\n", "done\n", NULL };
	pid_t pid = manager(answers);

	(void)state;
	send_one(2, 1, 100);
	assert_non_null(queued());
	send_one(DIRECT_RCPTS + 1, DIRECT_RCPTS + 1, 100);
	assert_non_null(queued());
	send_one(1, 1, 100000);
	assert_non_null(queued());
	/* He was asked for none of them. */
	send_one(1, 1, 100);
	send_one(1, 1, 100);
	assert_null(queued());
	assert_int_equal(ended(pid), 2);
}

static void
what_is_known_of_a_kept_one_stands_behind_it(void **state)
{
	static const char done[] = "done 1 2026-11-23T03:19:00.123456Z - "
	    "\"delivered\"\n";
	static const char *const answers[] = {
		"keep len=0\n",
		"keep len=49\ndone 1 2026-11-23T03:19:00.123456Z - "
		    "\"delivered\"\n",
		"keep len=0 tried=yes\n", "done\n", NULL };
	pid_t pid = manager(answers);
	const char *text;

	(void)state;
	assert_int_equal(strlen(done), 49);
	send_one(1, 1, 100);
	text = queued();
	assert_non_null(text);
	assert_non_null(strstr(text, "ready "));
	assert_null(strstr(text, "done 1"));
	assert_null(strstr(text, "tried"));
	send_one(2, 2, 100);
	text = queued();
	assert_non_null(text);
	assert_string_equal(text + strlen(text) - 49, done);
	assert_null(strstr(text, "tried"));
	send_one(1, 1, 100);
	text = queued();
	assert_non_null(text);
	assert_non_null(strstr(text, " tried=yes\nsender "));
	send_one(1, 1, 100);
	assert_null(queued());
	assert_int_equal(ended(pid), 4);
}

/* What became of it is not known: it may have been delivered. */
static void
half_an_answer_is_none(void **state)
{
	static const char *const answers[][2] = {
		{ "", NULL }, { "nonsense\n", NULL }, { "don", NULL },
		{ "keep len=53\ndone 1", NULL }, { "keep len=x\n", NULL },
		{ "keep len=70000\ndone 1", NULL },
		{ "\n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		pid_t pid = manager(answers[i]);
		const char *text;

		send_one(2, 2, 100);
		text = queued();
		assert_non_null(text);
		assert_non_null(strstr(text, " tried=yes\nsender "));
		assert_null(strstr(text, "done 1"));
		assert_int_equal(ended(pid), 1);
	}
}

static void
without_a_queue_manager_it_is_queued(void **state)
{
	(void)state;
	unlink(config_socket(cfg, "direct"));
	send_one(1, 1, 100);
	assert_null(strstr(queued(), "tried"));
}

/* He stands still, and his backlog is full: that must hold nobody up. */
static void
nobody_waits_for_room_in_his_backlog(void **state)
{
	int fd[20], n = 0;

	(void)state;
	while ((fd[n] = ctl_connect_now(config_socket(cfg, "direct"))) != -1)
		assert_true(++n < 20);
	(void)alarm(30);
	send_one(1, 1, 100);
	(void)alarm(0);
	assert_null(strstr(queued(), "tried"));
	while (n > 0)
		close(fd[--n]);
}

/* Who has it would get it again with each try of the client. */
static void
after_a_failed_commit_nothing_is_tried_for_a_while(void **state)
{
	static const char *const answers[] = { "done\n", "done\n", NULL };
	pid_t pid = manager(answers);

	(void)state;
	send_one(1, 1, 100);
	assert_null(queued());
	inject_direct_pause(&in);
	send_one(1, 1, 100);
	assert_non_null(queued());
	assert_int_equal(ended(pid), 1);
	assert_in_range(in.away_until - now_ms(), DIRECT_AWAY_MS - 5000,
	    DIRECT_AWAY_MS);
	inject_direct_pause(&in);
	assert_in_range(in.away_until - now_ms(), 2 * DIRECT_AWAY_MS - 5000,
	    2 * DIRECT_AWAY_MS);
	for (int i = 0; i < 10; i++)
		inject_direct_pause(&in);
	assert_in_range(in.away_until - now_ms(), DIRECT_LEAVE_MS - 5000,
	    DIRECT_LEAVE_MS);
	/* He is back. */
	in.away_until = 0;
	pid = manager(answers + 1);
	send_one(1, 1, 100);
	assert_null(queued());
	assert_int_equal(in.away_ms, 0);
	assert_int_equal(ended(pid), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(what_is_delivered_is_not_queued),
		HOST_TEST(what_is_not_for_known_mailboxes_or_large_is_queued),
		HOST_TEST(what_is_known_of_a_kept_one_stands_behind_it),
		HOST_TEST(half_an_answer_is_none),
		HOST_TEST(without_a_queue_manager_it_is_queued),
		HOST_TEST(nobody_waits_for_room_in_his_backlog),
		HOST_TEST(after_a_failed_commit_nothing_is_tried_for_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
