/*
 * test_stream.c - conversations in the clear, on sockets and pipes: what is a
 * line, what is sent when, and that every wait has an end.
 * wrap: recv send poll
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "deadline.h"
#include "stream.h"

#define N(a)	(sizeof(a) / sizeof((a)[0]))
#define SOON	deadline_in(10)		/* never reached when all is well */

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

/* ---- fixtures ---- */

static void
pair(struct stream *a, struct stream *b)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    fd), 0);
	stream_init(a, fd[0], fd[0]);
	stream_init(b, fd[1], fd[1]);
	recvs = sends = polls = 0;
}

static void
say(struct stream *s, const char *p, size_t n)
{
	stream_write(s, p, n);
	assert_int_equal(stream_flush(s, SOON), 0);
}

static void
end_pair(struct stream *a, struct stream *b)
{
	stream_release(a);
	stream_release(b);
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
	stream_goodbye(&b, SOON);
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
	stream_puts(&a, "220 hello\r\n");
	stream_printf(&a, "%d %s\r\n", 250, "more");
	assert_int_equal(sends, 0);
	assert_int_equal(stream_line(&a, &line, 100, EOL_CRLF,
	    now_ms() + 30), LINE_TIMEOUT);
	assert_int_equal(sends, 1);
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

/* ---- writing ---- */

static void
a_peer_that_does_not_read_times_out_and_breaks_the_stream(void **state)
{
	char block[65536];
	struct stream a, b;

	(void)state;
	memset(block, 'x', sizeof(block));
	pair(&a, &b);
	a.write_deadline = now_ms() + 100;
	for (int i = 0; i < 100 && !a.broken; i++)
		stream_write(&a, block, sizeof(block));
	assert_true(a.broken);
	assert_int_equal(a.out.len, 0);
	stream_puts(&a, "swallowed");
	stream_printf(&a, "%d", 1);
	assert_int_equal(a.out.len, 0);
	assert_int_equal(stream_flush(&a, SOON), -1);
	assert_int_equal(errno, ETIMEDOUT);
	end_pair(&a, &b);
}

static void
a_peer_that_is_gone_breaks_the_stream_without_a_signal(void **state)
{
	struct stream a, b;

	(void)state;
	pair(&a, &b);
	stream_release(&b);
	stream_puts(&a, "anyone?\r\n");
	assert_int_equal(stream_flush(&a, SOON), -1);
	assert_int_equal(errno, EPIPE);
	stream_release(&a);
}

static void
last_words_are_read_though_our_writing_fails(void **state)
{
	struct buf line = BUF_INIT;
	struct stream a, b;

	(void)state;
	pair(&a, &b);
	say(&b, "421 bye\r\n", 9);
	stream_release(&b);
	stream_puts(&a, "MAIL FROM:<>\r\n");
	assert_int_equal(stream_flush(&a, SOON), -1);
	assert_int_equal(stream_line(&a, &line, 100, EOL_CRLF, SOON), LINE_OK);
	assert_string_equal(line.data, "421 bye");
	buf_release(&line);
	stream_release(&a);
}

/* Reads `total` bytes from fd in the child's stead, slowly at first. */
static pid_t
slow_reader(int fd, size_t total)
{
	char block[3000];
	pid_t child = fork();
	ssize_t n;

	if (child != 0)
		return child;
	usleep(20000);
	while (total > 0 && (n = read(fd, block, sizeof(block))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			if (block[i] != (char)(total-- % 251))
				_exit(2);
	}
	_exit(total == 0 ? 0 : 1);
}

/* More than any buffer holds, in pieces that fit nothing. */
static void
write_a_lot(struct stream *s, int peer)
{
	enum { TOTAL = 1000003 };
	char *all = xmalloc(TOTAL);
	pid_t child;
	int status;

	for (size_t i = 0; i < TOTAL; i++)
		all[i] = (char)((TOTAL - i) % 251);
	child = slow_reader(peer, TOTAL);
	for (size_t at = 0, n = 1; at < TOTAL; at += n, n = n * 3 % 70001) {
		if (n > TOTAL - at)
			n = TOTAL - at;
		stream_write(s, all + at, n);
		assert_in_range(s->out.cap, 0, 65536);
	}
	assert_int_equal(stream_flush(s, SOON), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	free(all);
}

static void
a_lot_arrives_whole_through_a_socket(void **state)
{
	struct stream a, b;

	(void)state;
	pair(&a, &b);
	write_a_lot(&a, b.rfd);
	end_pair(&a, &b);
}

static void
a_lot_arrives_whole_through_a_blocking_pipe(void **state)
{
	struct stream s;
	int fd[2];

	(void)state;
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	stream_init(&s, -1, fd[1]);
	write_a_lot(&s, fd[0]);
	stream_release(&s);
	assert_int_equal(close(fd[0]), 0);
}

static void
a_full_blocking_pipe_times_out(void **state)
{
	char block[65536];
	struct stream s;
	int fd[2];

	(void)state;
	memset(block, 'x', sizeof(block));
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	assert_int_equal(write(fd[1], block, 10000), 10000);
	stream_init(&s, -1, fd[1]);	/* there is room, but not for all */
	s.write_deadline = now_ms() + 50;
	stream_write(&s, block, sizeof(block));
	stream_write(&s, block, sizeof(block));
	assert_int_equal(stream_flush(&s, now_ms() + 50), -1);
	assert_int_equal(errno, ETIMEDOUT);
	stream_release(&s);
	assert_int_equal(close(fd[0]), 0);
}

static void
goodbye_ends_a_pipe_and_release_keeps_errno(void **state)
{
	struct stream s;
	char c;
	int fd[2];

	(void)state;
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	stream_init(&s, -1, fd[1]);
	stream_puts(&s, "x");
	stream_goodbye(&s, SOON);
	assert_int_equal(read(fd[0], &c, 1), 1);
	assert_int_equal(read(fd[0], &c, 1), 0);
	errno = EXDEV;
	stream_release(&s);
	stream_release(&s);
	assert_int_equal(errno, EXDEV);
	assert_int_equal(close(fd[0]), 0);
}

/* ---- descriptors ---- */

static void
unix_pair(struct stream *a, struct stream *b)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    fd), 0);
	stream_init_unix(a, fd[0]);
	stream_init_unix(b, fd[1]);
}

static void
a_descriptor_travels_with_its_frame(void **state)
{
	struct buf line = BUF_INIT;
	struct stream a, b;
	int fd[2], got;
	char c;

	(void)state;
	unix_pair(&a, &b);
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	stream_puts(&a, "before\n");
	assert_int_equal(stream_send_fd(&a, fd[1], "with\n", 5, SOON), 0);
	assert_int_equal(close(fd[1]), 0);
	assert_int_equal(stream_line(&b, &line, 100, EOL_LF, SOON), LINE_OK);
	assert_string_equal(line.data, "before");
	assert_int_equal(stream_line(&b, &line, 100, EOL_LF, SOON), LINE_OK);
	assert_string_equal(line.data, "with");
	assert_true((got = stream_take_fd(&b)) != -1);
	assert_int_equal(stream_take_fd(&b), -1);
	assert_true(fcntl(got, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(got, "!", 1), 1);
	assert_int_equal(read(fd[0], &c, 1), 1);
	assert_int_equal(close(got), 0);
	assert_int_equal(read(fd[0], &c, 1), 0);
	assert_int_equal(close(fd[0]), 0);
	buf_release(&line);
	end_pair(&a, &b);
}

/* How many descriptors has this process open? */
static int
open_files(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

static void
unasked_descriptors_are_closed(void **state)
{
	struct buf line = BUF_INIT;
	struct stream a, b;
	int before;

	(void)state;
	unix_pair(&a, &b);
	before = open_files();
	for (int i = 0; i < STREAM_FDS + 3; i++)
		assert_int_equal(stream_send_fd(&a, a.rfd, "x\n", 2, SOON), 0);
	for (int i = 0; i < STREAM_FDS + 3; i++)
		assert_int_equal(stream_line(&b, &line, 9, EOL_LF, SOON),
		    LINE_OK);
	assert_int_equal(open_files(), before + STREAM_FDS);
	end_pair(&a, &b);
	assert_int_equal(open_files(), before - 2);
	buf_release(&line);
}

/* ---- the relay ---- */

/* Runs the relay between two pairs in a child; gives us the outer ends. */
static pid_t
relay(struct stream *client, struct stream *session, int idle_s)
{
	struct stream a, b;
	pid_t child;
	int r;

	pair(client, &a);
	pair(session, &b);
	if ((child = fork()) == 0) {
		end_pair(client, session);
		stream_puts(&a, "+OK hello\r\n");
		r = stream_splice(&a, &b, idle_s);
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
	child = relay(&client, &session, 10);
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
	child = relay(&client, &session, 10);
	stream_puts(&client, "QUIT\r\n");
	stream_goodbye(&client, SOON);
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
	assert_ends_with(relay(&client, &session, 0), ETIMEDOUT);
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
	child = relay(&client, &session, 10);
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
		cmocka_unit_test(a_peer_that_does_not_read_times_out_and_breaks_the_stream),
		cmocka_unit_test(a_peer_that_is_gone_breaks_the_stream_without_a_signal),
		cmocka_unit_test(last_words_are_read_though_our_writing_fails),
		cmocka_unit_test(a_lot_arrives_whole_through_a_socket),
		cmocka_unit_test(a_lot_arrives_whole_through_a_blocking_pipe),
		cmocka_unit_test(a_full_blocking_pipe_times_out),
		cmocka_unit_test(goodbye_ends_a_pipe_and_release_keeps_errno),
		cmocka_unit_test(a_descriptor_travels_with_its_frame),
		cmocka_unit_test(unasked_descriptors_are_closed),
		cmocka_unit_test(the_relay_moves_both_ways_and_ends_with_the_session),
		cmocka_unit_test(a_client_that_half_closes_gets_its_answer),
		cmocka_unit_test(a_silent_relay_times_out),
		cmocka_unit_test(the_relay_does_not_lock_up_when_both_talk),
	};

	alarm(60);		/* a wait without end is a failure, too */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
