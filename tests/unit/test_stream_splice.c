/*
 * test_stream_splice.c - the relay between a client and its session.
 *
 * wrap: poll
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "stream_pair.h"

/* Time passes faster where a test says so. */
static int hurry = 1;

int __real_poll(struct pollfd *, nfds_t, int);
int __wrap_poll(struct pollfd *, nfds_t, int);

int
__wrap_poll(struct pollfd *fds, nfds_t n, int ms)
{
	return __real_poll(fds, n, ms < 0 ? ms : ms / hurry);
}

/* Runs the relay between two pairs in a child; gives us the outer ends. */
static pid_t
relay(struct stream *client, struct stream *session, int idle_s, int rest_s)
{
	struct stream a, b;
	pid_t child;
	int r;

	pair(client, &a);
	pair(session, &b);
	if ((child = fork()) == 0) {
		end_pair(client, session);
		stream_puts(&a, "+OK hello\r\n");
		r = stream_splice(&a, &b, idle_s, rest_s);
		_exit(r == 0 ? 0 : errno);
	}
	end_pair(&a, &b);
	return child;
}

static void
assert_ends_with(pid_t child, int error)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), error);
}

static void
assert_hears(struct stream *s, const char *text)
{
	struct buf line = BUF_INIT;

	assert_int_equal(stream_line(s, &line, 100, EOL_CRLF, SOON), LINE_OK);
	assert_string_equal(line.data, text);
	buf_release(&line);
}

static void
the_relay_moves_both_ways_and_ends_with_the_session(void **state)
{
	struct stream client, session;
	const char *p;
	pid_t child;

	(void)state;
	child = relay(&client, &session, 10, 60);
	assert_hears(&client, "+OK hello");
	say(&client, "STAT\r\n", 6);
	assert_hears(&session, "STAT");
	say(&session, "+OK 1 2\r\n", 9);
	assert_hears(&client, "+OK 1 2");
	say(&session, "+OK bye\r\n", 9);
	stream_release(&session);
	assert_hears(&client, "+OK bye");
	assert_int_equal(stream_peek(&client, &p, SOON), 0);
	assert_ends_with(child, 0);
	stream_release(&client);
}

static void
a_client_that_half_closes_gets_its_answer(void **state)
{
	struct stream client, session;
	const char *p;
	pid_t child;

	(void)state;
	child = relay(&client, &session, 10, 60);
	stream_puts(&client, "QUIT\r\n");
	assert_int_equal(stream_goodbye(&client, SOON), 0);
	assert_hears(&session, "QUIT");
	assert_int_equal(stream_peek(&session, &p, SOON), 0);
	say(&session, "+OK bye\r\n", 9);
	stream_release(&session);
	assert_hears(&client, "+OK hello");
	assert_hears(&client, "+OK bye");
	assert_ends_with(child, 0);
	stream_release(&client);
}

static void
a_silent_relay_times_out(void **state)
{
	struct stream client, session;

	(void)state;
	assert_ends_with(relay(&client, &session, 0, 60), ETIMEDOUT);
	end_pair(&client, &session);
}

/*
 * A megabyte of commands goes up while the session, which answers each with
 * more bytes than it had, may be waiting for its answers to go down.
 */
static void
the_relay_does_not_lock_up_when_both_talk(void **state)
{
	enum { ROUNDS = 60000 };
	struct stream client, session;
	struct buf line = BUF_INIT;
	pid_t child, writer, echo;

	(void)state;
	child = relay(&client, &session, 10, 60);
	if ((writer = fork()) == 0) {
		for (int i = 0; i < ROUNDS; i++)
			stream_puts(&client, "A COMMAND, LONGISH\r\n");
		_exit(stream_flush(&client, SOON) == 0 ? 0 : 1);
	}
	if ((echo = fork()) == 0) {
		for (int i = 0; i < ROUNDS; i++) {
			if (stream_line(&session, &line, 100, EOL_CRLF,
			    SOON) != LINE_OK)
				_exit(1);
			stream_printf(&session, "%d %s\r\n", i, line.data);
			if (i % 1000 == 0 &&
			    stream_flush(&session, SOON) == -1)
				_exit(1);
		}
		_exit(stream_flush(&session, SOON) == 0 ? 0 : 1);
	}
	stream_release(&session);
	assert_hears(&client, "+OK hello");
	for (int i = 0; i < ROUNDS; i++) {
		assert_int_equal(stream_line(&client, &line, 100, EOL_CRLF,
		    SOON), LINE_OK);
		assert_int_equal(strtol(line.data, NULL, 10), i);
	}
	assert_ends_with(writer, 0);
	assert_ends_with(echo, 0);
	assert_ends_with(child, 0);
	buf_release(&line);
	stream_release(&client);
}

/*
 * Whoever reads nothing keeps his relay only as long as his session has
 * patience with him, and little more: it is sessions that are counted.
 */
static void
a_client_that_does_not_read_is_left_soon_after_its_session(void **state)
{
	static char much[1000000];
	struct stream client, session;
	pid_t child;

	(void)state;
	hurry = 1000;
	child = relay(&client, &session, 100000, 60);
	hurry = 1;
	memset(much, 'x', sizeof(much));
	session.write_deadline = deadline_in(1);
	stream_write(&session, much, sizeof(much));
	assert_true(session.broken);	/* nobody takes it */
	stream_release(&session);
	assert_ends_with(child, ETIMEDOUT);
	stream_release(&client);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_relay_moves_both_ways_and_ends_with_the_session),
		cmocka_unit_test(
		    a_client_that_does_not_read_is_left_soon_after_its_session),
		cmocka_unit_test(a_client_that_half_closes_gets_its_answer),
		cmocka_unit_test(a_silent_relay_times_out),
		cmocka_unit_test(the_relay_does_not_lock_up_when_both_talk),
	};

	alarm(60);		/* a wait without end is a failure, too */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
