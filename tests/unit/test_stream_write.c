/*
 * test_stream_write.c - what is written arrives whole, or breaks the stream in
 * time; and descriptors travel with their frames.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/tcp.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "stream_pair.h"

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
	assert_int_equal(stream_goodbye(&s, SOON), 0);
	assert_int_equal(read(fd[0], &c, 1), 1);
	assert_int_equal(read(fd[0], &c, 1), 0);
	errno = EXDEV;
	stream_release(&s);
	stream_release(&s);
	assert_int_equal(errno, EXDEV);
	assert_int_equal(close(fd[0]), 0);
}

static unsigned
segments_received(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len),
	    0);
	return info.tcpi_segs_in;
}

/* The last line and the end; with TLS it would be three. */
static void
goodbye_is_one_packet(void **state)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stream s;
	unsigned before;
	char text[8];
	int fd;

	(void)state;
	assert_int_equal(bind(l, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&sin, &len), 0);
	assert_int_equal(connect(peer, (struct sockaddr *)&sin, len), 0);
	fd = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	stream_init(&s, fd, fd);
	before = segments_received(peer);
	stream_puts(&s, "221\r\n");
	assert_int_equal(stream_goodbye(&s, SOON), 0);
	assert_int_equal(recv(peer, text, sizeof(text), MSG_WAITALL), 5);
	assert_int_equal(segments_received(peer), before + 1);
	stream_release(&s);
	(void)close(peer);
	(void)close(l);
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

static int reader;		/* whose descriptors take_some() takes */

/* Closes what has arrived; a signal's handler. */
static void
take_some(int sig)
{
	char b[8];
	struct iovec iov = { b, sizeof(b) };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
	    .msg_control = &control };
	int fd;

	(void)sig;
	m.msg_controllen = sizeof(control);
	while (recvmsg(reader, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) > 0) {
		if (m.msg_controllen == CMSG_SPACE(sizeof(fd))) {
			memcpy(&fd, CMSG_DATA(&control.align), sizeof(fd));
			(void)close(fd);
		}
		m.msg_controllen = sizeof(control);
	}
}

/* In a child that is not root: sends n descriptors, of which 16 may be under way. */
static int
send_many(int n)
{
	static const struct itimerval soon = { { 0, 10000 }, { 0, 10000 } };
	struct rlimit few = { 16, 16 };
	struct stream a, b;

	unix_pair(&a, &b);
	reader = b.rfd;
	if ((geteuid() == 0 && setuid(61234) == -1) ||
	    setrlimit(RLIMIT_NOFILE, &few) == -1 ||
	    signal(SIGALRM, take_some) == SIG_ERR ||
	    setitimer(ITIMER_REAL, &soon, NULL) == -1)
		return 2;
	for (int i = 0; i < n; i++)
		if (stream_send_fd(&a, STDIN_FILENO, "x\n", 2, SOON) == -1)
			return 1;
	return 0;
}

/* Linux counts what all processes of a user have under way (unix(7), ETOOMANYREFS). */
static void
too_many_descriptors_under_way_are_waited_for(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(send_many(100));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(too_many_descriptors_under_way_are_waited_for),
		cmocka_unit_test(a_peer_that_does_not_read_times_out_and_breaks_the_stream),
		cmocka_unit_test(a_peer_that_is_gone_breaks_the_stream_without_a_signal),
		cmocka_unit_test(last_words_are_read_though_our_writing_fails),
		cmocka_unit_test(a_lot_arrives_whole_through_a_socket),
		cmocka_unit_test(a_lot_arrives_whole_through_a_blocking_pipe),
		cmocka_unit_test(a_full_blocking_pipe_times_out),
		cmocka_unit_test(goodbye_ends_a_pipe_and_release_keeps_errno),
		cmocka_unit_test(goodbye_is_one_packet),
		cmocka_unit_test(a_descriptor_travels_with_its_frame),
		cmocka_unit_test(unasked_descriptors_are_closed),
	};

	alarm(60);		/* a wait without end is a failure, too */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
