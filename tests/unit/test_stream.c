/*
 * test_stream.c - conversations in the clear, on sockets and pipes: what is a
 * line, what it costs, and that every wait has an end.
 * wrap: recv send poll
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "stream_pair.h"

#define N(a)	(sizeof(a) / sizeof((a)[0]))

/* ---- the system calls, counted ---- */

ssize_t	__real_recv(int, void *, size_t, int);
ssize_t	__wrap_recv(int, void *, size_t, int);
ssize_t	__real_send(int, const void *, size_t, int);
ssize_t	__wrap_send(int, const void *, size_t, int);
int	__real_poll(struct pollfd *, nfds_t, int);
int	__wrap_poll(struct pollfd *, nfds_t, int);

static unsigned recvs, sends, polls, interrupt;

ssize_t
__wrap_recv(int fd, void *p, size_t n, int flags)
{
	recvs++;
	return __real_recv(fd, p, n, flags);
}

ssize_t
__wrap_send(int fd, const void *p, size_t n, int flags)
{
	sends++;
	return __real_send(fd, p, n, flags);
}

int
__wrap_poll(struct pollfd *p, nfds_t n, int ms)
{
	polls++;
	if (interrupt > 0) {
		interrupt--;
		errno = EINTR;
		return -1;
	}
	return __real_poll(p, n, ms);
}

/* ---- lines ---- */

static const struct {
	const char *in;
	size_t	 len;
	size_t	 max;
	enum eol eol;
	enum line want;
	const char *line;
} lines[] = {
#define IN(s) s, sizeof(s) - 1
	{ IN("NOOP\r\n"),	100, EOL_CRLF, LINE_OK,	     "NOOP" },
	{ IN("\r\n"),		100, EOL_CRLF, LINE_OK,	     "" },
	{ IN("12345\r\n"),	5,   EOL_CRLF, LINE_OK,	     "12345" },
	{ IN("123456\r\n"),	5,   EOL_CRLF, LINE_TOOLONG, "" },
	{ IN("12345\r\r\n"),	5,   EOL_CRLF, LINE_TOOLONG, "" },
	{ IN("\r\n"),		0,   EOL_CRLF, LINE_OK,	     "" },
	{ IN("a\n"),		100, EOL_CRLF, LINE_BADEOL,  "a" },
	{ IN("\n"),		100, EOL_CRLF, LINE_BADEOL,  "" },
	{ IN("a\rb\r\n"),	100, EOL_CRLF, LINE_BADEOL,  "a\rb" },
	{ IN("a\r\r\n"),	100, EOL_CRLF, LINE_BADEOL,  "a\r" },
	{ IN("a\rb\n"),		100, EOL_CRLF, LINE_BADEOL,  "a\rb" },
	{ IN("a\0b\r\n"),	100, EOL_CRLF, LINE_NUL,     "" },
	{ IN("a\0b\n"),		100, EOL_CRLF, LINE_NUL,     "" },
	{ IN("a b\n"),		100, EOL_LF,   LINE_OK,	     "a b" },
	{ IN("a\r\n"),		100, EOL_LF,   LINE_OK,	     "a\r" },
	{ IN("12345\n"),	5,   EOL_LF,   LINE_OK,	     "12345" },
	{ IN("123456\n"),	5,   EOL_LF,   LINE_TOOLONG, "" },
	{ IN("a\0\n"),		100, EOL_LF,   LINE_NUL,     "" },
};

/* After the line of the table one more, to see that nothing was eaten. */
static void
check_line(size_t i, struct stream *from, struct stream *to, size_t step)
{
	const char *next = lines[i].eol == EOL_CRLF ? "+\r\n" : "+\n";
	struct buf line = BUF_CAPPED(lines[i].max + 1);
	pid_t child = fork();

	if (child == 0) {
		for (size_t at = 0; at < lines[i].len; at += step) {
			say(to, lines[i].in + at, at + step > lines[i].len ?
			    lines[i].len - at : step);
			if (step == 1)
				usleep(200);
		}
		say(to, next, strlen(next));
		_exit(0);
	}
	assert_int_equal(stream_line(from, &line, lines[i].max, lines[i].eol,
	    SOON), lines[i].want);
	assert_string_equal(buf_str(&line), lines[i].line);
	assert_int_equal(line.len, strlen(lines[i].line));
	assert_int_equal(stream_line(from, &line, 1, lines[i].eol, SOON),
	    LINE_OK);
	assert_string_equal(buf_str(&line), "+");
	assert_int_equal(waitpid(child, NULL, 0), child);
	buf_release(&line);
}

static void
lines_end_where_they_should_however_they_come(void **state)
{
	struct stream a, b;

	(void)state;
	for (size_t i = 0; i < N(lines); i++)
		for (size_t step = 1; step <= 100; step += 99) {
			pair(&a, &b);
			check_line(i, &a, &b, step);
			end_pair(&a, &b);
		}
}

static void
lines_come_through_pipes_too(void **state)
{
	struct stream a, b;
	int fd[2];

	(void)state;
	for (size_t i = 0; i < N(lines); i++) {
		assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
		stream_init(&a, fd[0], -1);
		stream_init(&b, -1, fd[1]);
		check_line(i, &a, &b, 1);
		end_pair(&a, &b);
	}
}

static void
a_partial_line_at_the_end_is_dropped(void **state)
{
	struct buf line = BUF_INIT;
	struct stream a, b;

	(void)state;
	pair(&a, &b);
	say(&b, "QUIT", 4);
	assert_int_equal(stream_goodbye(&b, SOON), 0);
	assert_int_equal(stream_line(&a, &line, 100, EOL_CRLF, SOON),
	    LINE_EOF);
	assert_string_equal(buf_str(&line), "");
	assert_int_equal(stream_line(&a, &line, 100, EOL_CRLF, SOON),
	    LINE_EOF);
	stream_puts(&a, "221 the one who half-closes gets an answer\r\n");
	assert_int_equal(stream_flush(&a, SOON), 0);
	assert_int_equal(stream_line(&b, &line, 100, EOL_CRLF, SOON),
	    LINE_OK);
	buf_release(&line);
	end_pair(&a, &b);
}

static void
a_line_without_end_is_given_up(void **state)
{
	char flood[70 * 100];
	struct buf line = BUF_INIT;
	struct stream a, b;

	(void)state;
	memset(flood, 'x', sizeof(flood));
	pair(&a, &b);
	say(&b, flood, sizeof(flood));
	assert_int_equal(stream_line(&a, &line, 100, EOL_CRLF, SOON),
	    LINE_ERROR);
	assert_int_equal(errno, EMSGSIZE);
	assert_string_equal(buf_str(&line), "");
	buf_release(&line);
	end_pair(&a, &b);
}

static void
a_silent_peer_times_out(void **state)
{
	struct buf line = BUF_INIT;
	struct stream a, b;
	int64_t start = now_ms();

	(void)state;
	pair(&a, &b);
	say(&b, "HALF", 4);
	assert_int_equal(stream_line(&a, &line, 100, EOL_CRLF, start + 60),
	    LINE_TIMEOUT);
	assert_in_range(now_ms() - start, 60, 5000);
	assert_string_equal(buf_str(&line), "");
	buf_release(&line);
	end_pair(&a, &b);
}

static void
an_interrupted_wait_goes_on(void **state)
{
	struct buf line = BUF_INIT;
	struct stream a, b;

	(void)state;
	pair(&a, &b);
	polls = 0;
	interrupt = 3;
	assert_int_equal(stream_line(&a, &line, 100, EOL_CRLF,
	    now_ms() + 30), LINE_TIMEOUT);
	assert_int_equal(interrupt, 0);
	assert_int_equal(polls, 4);
	buf_release(&line);
	end_pair(&a, &b);
}

/* ---- what costs what ---- */

static void
pipelined_lines_cost_one_read_and_no_wait(void **state)
{
	static const char three[] = "RSET\r\nNOOP\r\nQUIT\r\n";
	struct buf line = BUF_INIT;
	struct stream a, b;

	(void)state;
	pair(&a, &b);
	recvs = sends = polls = 0;
	say(&b, three, strlen(three));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(stream_line(&a, &line, 100, EOL_CRLF, SOON),
		    LINE_OK);
		assert_int_equal(stream_pending(&a), i < 2);
		stream_puts(&a, "250 ok\r\n");
	}
	assert_int_equal(recvs, 1);
	assert_int_equal(polls, 0);
	assert_int_equal(sends, 1);		/* b's own */
	assert_int_equal(stream_flush(&a, SOON), 0);
	assert_int_equal(sends, 2);
	buf_release(&line);
	end_pair(&a, &b);
}

static void
what_was_written_goes_out_before_the_reader_waits(void **state)
{
	struct buf line = BUF_INIT;
	struct stream a, b;

	(void)state;
	pair(&a, &b);
	recvs = sends = polls = 0;
	stream_puts(&a, "220 hello\r\n");
	stream_printf(&a, "%d %s\r\n", 250, "more");
	assert_int_equal(sends, 0);
	assert_int_equal(stream_line(&a, &line, 100, EOL_CRLF,
	    now_ms() + 30), LINE_TIMEOUT);
	assert_int_equal(sends, 1);
	assert_int_equal(polls, 1);
	assert_int_equal(recvs, 0);	/* what would be there? */
	assert_int_equal(stream_line(&b, &line, 100, EOL_CRLF, SOON), LINE_OK);
	assert_string_equal(line.data, "220 hello");
	assert_int_equal(stream_line(&b, &line, 100, EOL_CRLF, SOON), LINE_OK);
	assert_string_equal(line.data, "250 more");
	buf_release(&line);
	end_pair(&a, &b);
}

static void
peek_shows_and_consume_takes(void **state)
{
	struct stream a, b;
	const char *p;

	(void)state;
	pair(&a, &b);
	assert_null(a.in);
	say(&b, "hello", 5);
	assert_int_equal(stream_peek(&a, &p, SOON), 5);
	stream_consume(&a, 2);
	assert_int_equal(stream_peek(&a, &p, SOON), 3);
	assert_memory_equal(p, "llo", 3);
	stream_consume(&a, 3);
	assert_false(stream_pending(&a));
	assert_int_equal(stream_peek(&a, &p, now_ms() + 20), -1);
	assert_int_equal(errno, ETIMEDOUT);
	stream_release(&b);
	assert_int_equal(stream_peek(&a, &p, SOON), 0);
	stream_release(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_where_they_should_however_they_come),
		cmocka_unit_test(lines_come_through_pipes_too),
		cmocka_unit_test(a_partial_line_at_the_end_is_dropped),
		cmocka_unit_test(a_line_without_end_is_given_up),
		cmocka_unit_test(a_silent_peer_times_out),
		cmocka_unit_test(an_interrupted_wait_goes_on),
		cmocka_unit_test(pipelined_lines_cost_one_read_and_no_wait),
		cmocka_unit_test(what_was_written_goes_out_before_the_reader_waits),
		cmocka_unit_test(peek_shows_and_consume_takes),
	};

	alarm(60);		/* a wait without end is a failure, too */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
