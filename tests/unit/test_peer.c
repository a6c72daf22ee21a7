/* Tests of lib/peer: the event loop, and frames on it. */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "deadline.h"
#include "log.h"
#include "peer.h"
#include "serve.h"

static struct loop *loop;

/* ---- timers ------------------------------------------------------------ */

static unsigned fired[64], nfired;
static struct timer timers[64];

static void
note_fire(struct timer *t)
{
	fired[nfired++] = (unsigned)(t - timers);
	if (t->slot != 0)
		fail();
	if (t == &timers[63])
		loop_stop(loop);
}

static void
timers_fire_in_order_and_can_be_moved(void **state)
{
	int64_t now = now_ms();

	(void)state;
	loop = loop_new();
	nfired = 0;
	/* 37 and 64 share no divisor: all numbers in a scattered order. */
	for (unsigned i = 0; i < 64; i++) {
		unsigned k = i * 37 % 64;

		timers[k] = (struct timer){ .fire = note_fire };
		loop_timer_set(loop, &timers[k], now + 100 - k);
	}
	for (unsigned k = 0; k < 64; k++)
		loop_timer_set(loop, &timers[k], now - 100 + k);
	loop_timer_clear(loop, &timers[5]);
	loop_timer_clear(loop, &timers[5]);
	loop_timer_clear(loop, &timers[0]);
	loop_timer_set(loop, &timers[1], now + 1);
	loop_timer_set(loop, &timers[63], now + 2);
	loop_run(loop);
	assert_int_equal(nfired, 62);
	for (unsigned i = 0; i < 60; i++)
		assert_int_equal(fired[i], i + 2 < 5 ? i + 2 : i + 3);
	assert_int_equal(fired[60], 1);
	assert_int_equal(fired[61], 63);
	loop_free(loop);
}

static void
fire_again(struct timer *t)
{
	nfired++;
	if (nfired < 3)
		loop_timer_set(loop, t, t->at);
	else
		loop_stop(loop);
}

static void
a_timer_may_set_itself_again(void **state)
{
	struct timer t = { .fire = fire_again };

	(void)state;
	loop = loop_new();
	nfired = 0;
	loop_timer_set(loop, &t, now_ms());
	loop_run(loop);
	assert_int_equal(nfired, 3);
	loop_free(loop);
}

/* ---- watches ----------------------------------------------------------- */

static struct watch *pair[2];
static unsigned woken;

static void
kill_both(struct watch *w, uint32_t events)
{
	(void)w;
	(void)events;
	woken++;
	for (int i = 0; i < 2; i++) {
		loop_del(loop, pair[i]);
		(void)close(pair[i]->fd);
		free(pair[i]);
	}
	loop_stop(loop);
}

static void
a_watch_freed_by_another_is_not_called(void **state)
{
	int a[2], b[2];

	(void)state;
	loop = loop_new();
	woken = 0;
	assert_int_equal(pipe(a), 0);
	assert_int_equal(pipe(b), 0);
	for (int i = 0; i < 2; i++) {
		pair[i] = xcalloc(1, sizeof(struct watch));
		pair[i]->fd = i == 0 ? a[0] : b[0];
		pair[i]->ready = kill_both;
		assert_int_equal(loop_add(loop, pair[i], EPOLLIN), 0);
	}
	assert_int_equal(write(a[1], "x", 1), 1);
	assert_int_equal(write(b[1], "x", 1), 1);
	loop_run(loop);
	assert_int_equal(woken, 1);
	(void)close(a[1]);
	(void)close(b[1]);
	loop_free(loop);
}

static void
sigterm_ends_the_loop(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	pid = fork();
	assert_true(pid != -1);
	if (pid == 0) {
		(void)alarm(10);
		loop = loop_new();
		if (serve_stopping())
			_exit(1);
		/* Even one that comes before the sleep. */
		(void)raise(SIGTERM);
		loop_run(loop);
		_exit(serve_stopping() ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---- peers ------------------------------------------------------------- */

struct talk {
	struct peer peer;	/* first */
	char	 heard[4096];
	char	 why[96];
	unsigned frames, ends;
	int	 fd;
	bool	 freed;
};

static void
on_frame(struct peer *p, struct ctl *c)
{
	struct talk *t = (struct talk *)(void *)p;

	t->frames++;
	(void)strlcat(t->heard, c->verb, sizeof(t->heard));
	(void)strlcat(t->heard, " ", sizeof(t->heard));
	if (ctl_is(c, "fd"))
		t->fd = peer_take_fd(p);
	if (ctl_is(c, "quit"))
		peer_close(p, "said quit");
	if (ctl_is(c, "stop"))
		loop_stop(loop);
}

static void
on_closed(struct peer *p, const char *why)
{
	struct talk *t = (struct talk *)(void *)p;

	t->ends++;
	(void)strlcpy(t->why, why, sizeof(t->why));
	loop_stop(loop);
	if (t->freed)
		free(t);
}

/* A peer on the loop; the other end, blocking, is given back. */
static int
begin(struct talk *t)
{
	int sv[2];

	memset(t, 0, sizeof(*t));
	t->fd = -1;
	loop = loop_new();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    sv), 0);
	assert_int_equal(peer_init(&t->peer, loop, sv[0], on_frame,
	    on_closed), 0);
	return sv[1];
}

static void
end(int fd)
{
	(void)close(fd);
	loop_free(loop);
}

static void
say(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void
frames_come_one_by_one_however_they_are_cut(void **state)
{
	struct talk t;
	int fd = begin(&t);

	(void)state;
	say(fd, "one a=1\ntwo\nthr");
	say(fd, "ee\nstop\n");
	loop_run(loop);
	assert_string_equal(t.heard, "one two three stop ");
	say(fd, "half");
	(void)shutdown(fd, SHUT_WR);
	loop_run(loop);
	assert_int_equal(t.frames, 4);
	assert_int_equal(t.ends, 1);
	assert_string_equal(t.why, "it has ended");
	end(fd);
}

static void
a_malformed_frame_ends_the_peer_once(void **state)
{
	static const char *const bad[] = { "\n", "Bad\n", "x =\n", "x\ta\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct talk t;
		int fd = begin(&t);

		say(fd, "one\n");
		say(fd, bad[i]);
		say(fd, "never\n");
		loop_run(loop);
		assert_string_equal(t.heard, "one ");
		assert_int_equal(t.ends, 1);
		assert_string_equal(t.why, "a malformed frame");
		end(fd);
	}
}

static void
an_endless_frame_ends_the_peer(void **state)
{
	static char text[CTL_MAX + 1];
	struct talk t;
	int fd = begin(&t);

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_int_equal(write(fd, text, sizeof(text)), sizeof(text));
	loop_run(loop);
	assert_string_equal(t.why, "a frame that is too long");
	end(fd);
}

static void
closing_inside_a_frame_sends_the_answer_and_frees(void **state)
{
	struct talk *t = xcalloc(1, sizeof(*t));
	struct buf b = BUF_INIT;
	char got[64] = "";
	int fd = begin(t);

	(void)state;
	t->freed = true;
	ctl_begin(&b, "ok");
	ctl_end(&b);
	peer_send(&t->peer, &b, -1);
	say(fd, "quit\nnever\n");
	loop_run(loop);
	assert_int_equal(read(fd, got, sizeof(got)), 3);
	assert_string_equal(got, "ok\n");
	assert_int_equal(read(fd, got, sizeof(got)), 0);
	buf_release(&b);
	end(fd);
}

static void
descriptors_travel_both_ways(void **state)
{
	struct talk a;
	struct buf b = BUF_INIT;
	struct stream s;
	struct buf line = BUF_INIT;
	struct ctl c;
	int p[2], fd = begin(&a), took;

	(void)state;
	assert_int_equal(pipe(p), 0);
	ctl_begin(&b, "job");
	ctl_end(&b);
	peer_send(&a.peer, &b, -1);
	peer_send(&a.peer, &b, p[0]);
	peer_send(&a.peer, &b, -1);
	stream_init_unix(&s, fd);
	stream_puts(&s, "one\n");
	assert_int_equal(stream_send_fd(&s, p[1], "fd\nstop\n", 8,
	    deadline_in(5)), 0);
	(void)close(p[1]);
	loop_run(loop);
	assert_string_equal(a.heard, "one fd stop ");
	assert_true(a.fd != -1);
	assert_int_equal(fcntl(a.fd, F_GETFD), FD_CLOEXEC);

	/* It is there with the second frame at the latest. */
	assert_int_equal(ctl_read(&s, &line, &c, deadline_in(5)), 1);
	assert_int_equal(ctl_read(&s, &line, &c, deadline_in(5)), 1);
	took = stream_take_fd(&s);
	assert_true(took != -1);
	assert_int_equal(ctl_read(&s, &line, &c, deadline_in(5)), 1);
	assert_int_equal(write(a.fd, "!", 1), 1);
	assert_int_equal(read(took, line.data, 1), 1);
	/* Ours were closed: with the writer gone, the pipe is at its end. */
	(void)close(a.fd);
	assert_int_equal(read(took, line.data, 1), 0);
	(void)close(took);
	stream_release(&s);
	loop_run(loop);
	assert_int_equal(a.ends, 1);
	loop_free(loop);
	buf_release(&b);
	buf_release(&line);
}

static void
too_many_descriptors_end_the_peer(void **state)
{
	struct talk t;
	struct stream s;
	int fd = begin(&t);

	(void)state;
	stream_init_unix(&s, fd);
	for (int i = 0; i <= STREAM_FDS; i++)
		assert_int_equal(stream_send_fd(&s, STDIN_FILENO, "x\n", 2,
		    deadline_in(5)), 0);
	loop_run(loop);
	assert_int_equal(t.ends, 1);
	assert_string_equal(t.why, "too many descriptors");
	stream_release(&s);
	loop_free(loop);
}

static void
more_than_the_socket_takes_arrives_in_order(void **state)
{
	enum { N = 3000 };
	struct talk t;
	struct buf b = BUF_INIT, line = BUF_INIT;
	struct stream s;
	struct ctl c;
	char fill[301];
	int fd = begin(&t), status;
	pid_t pid;

	(void)state;
	memset(fill, 'f', sizeof(fill) - 1);
	fill[sizeof(fill) - 1] = '\0';
	for (int i = 0; i < N; i++) {
		buf_reset(&b);
		ctl_begin(&b, "x");
		ctl_addn(&b, "n", i);
		ctl_add(&b, "fill", fill);
		ctl_end(&b);
		peer_send(&t.peer, &b, i % 1000 == 999 ? dup(0) : -1);
	}
	pid = fork();
	assert_true(pid != -1);
	if (pid == 0) {
		(void)close(t.peer.watch.fd);
		stream_init_unix(&s, fd);
		for (int i = 0; i < N; i++) {
			if (ctl_read(&s, &line, &c, deadline_in(10)) != 1 ||
			    ctl_num(&c, "n", 0, N, -1) != i)
				_exit(1);
			if (i % 1000 == 999 && stream_take_fd(&s) == -1)
				_exit(2);
		}
		_exit(write(fd, "stop\n", 5) == 5 ? 0 : 3);
	}
	loop_run(loop);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(t.ends, 0);
	assert_int_equal(t.peer.out.len, 0);
	peer_close(&t.peer, "enough");
	loop_run(loop);
	assert_string_equal(t.why, "enough");
	buf_release(&b);
	buf_release(&line);
	end(fd);
}

static void
a_peer_that_does_not_read_is_closed_at_the_cap(void **state)
{
	struct talk t;
	struct buf b = BUF_INIT;
	char *big = xcalloc(1, PEER_OUT_MAX);
	int fd = begin(&t);

	(void)state;
	/* A payload may be larger than frames may pile up. */
	peer_write(&t.peer, big, PEER_OUT_MAX);
	peer_write(&t.peer, big, PEER_OUT_MAX);
	assert_false(t.peer.closing);
	peer_close(&t.peer, "x");
	loop_run(loop);
	end(fd);

	fd = begin(&t);
	ctl_begin(&b, "x");
	ctl_end(&b);
	while (b.len < 32768)
		buf_adds(&b, "xxxxxxx\n");
	for (size_t n = 0; n <= PEER_OUT_MAX / 32768; n++)
		peer_send(&t.peer, &b, -1);
	assert_true(t.peer.closing);
	loop_run(loop);
	assert_int_equal(t.ends, 1);
	assert_string_equal(t.why, "it does not read what we send");
	buf_release(&b);
	free(big);
	end(fd);
}

static void
what_is_sent_to_a_dead_peer_is_dropped(void **state)
{
	struct talk t;
	struct buf b = BUF_INIT;
	int fd = begin(&t), p[2];
	char c;

	(void)state;
	assert_int_equal(pipe(p), 0);
	ctl_begin(&b, "x");
	ctl_end(&b);
	peer_close(&t.peer, "dead");
	peer_close(&t.peer, "twice");
	peer_send(&t.peer, &b, p[1]);
	/* The descriptor was ours to give, and is closed. */
	assert_int_equal(read(p[0], &c, 1), 0);
	loop_run(loop);
	assert_int_equal(t.ends, 1);
	assert_string_equal(t.why, "dead");
	(void)close(p[0]);
	buf_release(&b);
	end(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_fire_in_order_and_can_be_moved),
		cmocka_unit_test(a_timer_may_set_itself_again),
		cmocka_unit_test(a_watch_freed_by_another_is_not_called),
		cmocka_unit_test(sigterm_ends_the_loop),
		cmocka_unit_test(frames_come_one_by_one_however_they_are_cut),
		cmocka_unit_test(a_malformed_frame_ends_the_peer_once),
		cmocka_unit_test(an_endless_frame_ends_the_peer),
		cmocka_unit_test(closing_inside_a_frame_sends_the_answer_and_frees),
		cmocka_unit_test(descriptors_travel_both_ways),
		cmocka_unit_test(too_many_descriptors_end_the_peer),
		cmocka_unit_test(more_than_the_socket_takes_arrives_in_order),
		cmocka_unit_test(a_peer_that_does_not_read_is_closed_at_the_cap),
		cmocka_unit_test(what_is_sent_to_a_dead_peer_is_dropped),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	log_init("test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
