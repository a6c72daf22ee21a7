/*
 * test_log.c - a log line is one line, with its ID first and the stranger's
 * text quoted; and nobody waits for the log.
 * wrap: poll
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"

#define TIME_AND_NAME \
	"t=[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z by=unit\\[[0-9]+\\]"

/* Another program takes the last room of the pipe behind our question. */
static bool poll_lies;
int __real_poll(struct pollfd *, nfds_t, int);
int __wrap_poll(struct pollfd *, nfds_t, int);

int
__wrap_poll(struct pollfd *p, nfds_t n, int ms)
{
	if (!poll_lies)
		return __real_poll(p, n, ms);
	p->revents = POLLOUT;
	return 1;
}

static int ours, saved_stderr;	/* read end of the pipe; the real stderr */

static int
catch_stderr(void **state)
{
	int fd[2];

	(void)state;
	if (pipe2(fd, O_CLOEXEC) == -1 ||
	    fcntl(fd[0], F_SETFL, O_NONBLOCK) == -1)
		return -1;
	ours = fd[0];
	saved_stderr = dup(STDERR_FILENO);
	(void)dup2(fd[1], STDERR_FILENO);
	log_init("unit");
	return close(fd[1]);
}

static int
restore_stderr(void **state)
{
	(void)state;
	(void)dup2(saved_stderr, STDERR_FILENO);
	(void)close(saved_stderr);
	return close(ours);
}

/* What was logged since the last time; a string. */
static const char *
caught(void)
{
	static char text[70000];
	ssize_t n = read(ours, text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static void
assert_matches(const char *text, const char *pattern)
{
	regex_t re;

	assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	if (regexec(&re, text, 0, NULL, 0) != 0)
		fail_msg("\"%s\" does not match %s", text, pattern);
	regfree(&re);
}

static void
time_and_program_stand_behind_the_event(void **state)
{
	(void)state;
	log_event("0kq3", "done rcpt=%d", 1);
	assert_matches(caught(), "^0kq3 done " TIME_AND_NAME " rcpt=1\n$");
	log_event(NULL, "start");
	assert_matches(caught(), "^- start " TIME_AND_NAME "\n$");
}

static void
the_error_is_quoted_and_errno_kept(void **state)
{
	(void)state;
	errno = ENOENT;
	log_errno("A", "open-failed file=x");
	assert_int_equal(errno, ENOENT);
	assert_matches(caught(), "^A open-failed " TIME_AND_NAME
	    " file=x error=\"No such file or directory\"\n$");
}

static void
control_bytes_cannot_start_a_second_line(void **state)
{
	(void)state;
	log_event("A\nB", "event x=%s", "1\r\n- forged\x1b[2J\x7f");
	assert_matches(caught(),
	    "^A\\?B event [^\n]* x=1\\?\\?- forged\\?\\[2J\\?\n$");
}

static void
a_long_line_is_cut_to_what_a_pipe_takes_whole(void **state)
{
	char text[6000];
	const char *line;

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 3);
	log_event("A", "event x=%s", text);
	line = caught();
	assert_in_range(strlen(line), 4090, 4096);
	assert_string_equal(line + strlen(line) - 6, "\xc3\xa9...\n");
}

static void
lines_are_dropped_and_counted_when_nobody_reads(void **state)
{
	char text[3000];
	const char *line, *last;
	unsigned n = 0, sent = 0;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (unsigned i = 0; i < 100; i++)	/* a pipe holds 64 KiB */
		log_event("A", "event x=%s", text);
	for (line = caught(); (last = strchr(line, '\n')) != NULL;
	    line = last + 1)
		sent++;
	assert_in_range(sent, 10, 90);
	log_event("B", "after");
	line = caught();
	assert_matches(line, "^- log-dropped " TIME_AND_NAME
	    " n=[0-9]+\nB after " TIME_AND_NAME "\n$");
	assert_int_equal(sscanf(strstr(line, " n="), " n=%u", &n), 1);
	assert_int_equal(n, 100 - sent);
	log_event("C", "later");
	assert_matches(caught(), "^C later [^\n]*\n$");
}

static void
nobody_waits_even_if_another_was_faster(void **state)
{
	char text[3000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	poll_lies = true;
	(void)alarm(20);	/* what waits here waits for ever */
	for (unsigned i = 0; i < 100; i++)
		log_event("A", "event x=%s", text);
	(void)alarm(0);
	poll_lies = false;
	(void)caught();
	log_event("B", "after");
	assert_matches(caught(), "^- log-dropped [^\n]*\nB after [^\n]*\n$");
}

/* Attack list D 65: the disk of the log is full. */
static void
a_full_disk_loses_lines_and_nothing_else(void **state)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	int pipe_end = dup(STDERR_FILENO);

	(void)state;
	assert_true(full != -1 && dup2(full, STDERR_FILENO) != -1);
	log_init("unit");
	errno = EBUSY;
	log_event("A", "event");
	log_event("A", "event");
	assert_int_equal(errno, EBUSY);
	assert_int_not_equal(dup2(pipe_end, STDERR_FILENO), -1);
	log_init("unit");
	log_event("B", "after");
	assert_matches(caught(), "^- log-dropped [^\n]* n=2\nB after [^\n]*\n$");
	(void)close(full);
	(void)close(pipe_end);
}

static const struct {
	const char *text, *quoted;
} quotes[] = {
	{ "",			"\"\"" },
	{ "a b",		"\"a b\"" },
	{ "say \"hi\\\"",	"\"say \\\"hi\\\\\\\"\"" },
	{ "a\r\nb\x7f",		"\"a\\x0D\\x0Ab\\x7F\"" },
	{ "h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\xae",
	    "\"h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\xae\"" },
	{ "\xc2\x9b[2J",	"\"\\xC2\\x9B[2J\"" },	/* C1 control */
	{ "\xe2\x80\xaexe",	"\"\\xE2\\x80\\xAExe\"" }, /* U+202E */
	{ "\xe2\x81\xa6",	"\"\\xE2\\x81\\xA6\"" },	/* U+2066 */
	{ "\xe2\x80\xa8",	"\"\\xE2\\x80\\xA8\"" },	/* U+2028 */
	{ "\xe2\x81\xaa",	"\"\xe2\x81\xaa\"" },	/* U+206A: harmless */
	{ "\xc0\xaf",		"\"\\xC0\\xAF\"" },	/* overlong */
	{ "\xe0\x9f\xbf",	"\"\\xE0\\x9F\\xBF\"" },
	{ "\xf0\x8f\xbf\xbf",	"\"\\xF0\\x8F\\xBF\\xBF\"" },
	{ "\xed\xa0\x80",	"\"\\xED\\xA0\\x80\"" },	/* surrogate */
	{ "\xf4\x90\x80\x80",	"\"\\xF4\\x90\\x80\\x80\"" },
	{ "\xe2\x82",		"\"\\xE2\\x82\"" },	/* cut short */
	{ "\xff" "a\xfe",	"\"\\xFFa\\xFE\"" },
};

static void
peer_text_is_quoted(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(quotes) / sizeof(quotes[0]); i++)
		assert_string_equal(quoted(quotes[i].text), quotes[i].quoted);
}

static void
quoted_text_is_at_most_500_bytes(void **state)
{
	char text[1200];
	size_t len;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(strlen(quoted(text)), 502);
	memset(text, '\x80', sizeof(text) - 1);
	len = strlen(quoted(text));
	assert_in_range(len, 490, 502);
	assert_string_equal(quoted(text) + len - 8, "\\x80...\"");
}

static void
a_safe_line_moves_no_terminal(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	log_safe(&b, "rcpt <\xc3\xa9\xe2\x80\xae\xc2\x9b@d> \"\\x1B\"\t\xff");
	assert_string_equal(buf_str(&b), "rcpt <\xc3\xa9\\xE2\\x80\\xAE"
	    "\\xC2\\x9B@d> \"\\x1B\"\\x09\\xFF");
	buf_release(&b);
}

static void
four_quoted_texts_live_at_once(void **state)
{
	const char *a = quoted("a"), *b = quoted("b"), *c = quoted("c"),
	    *d = quoted("d");

	(void)state;
	assert_string_equal(a, "\"a\"");
	assert_string_equal(b, "\"b\"");
	assert_string_equal(c, "\"c\"");
	assert_string_equal(d, "\"d\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define CATCHING(f) \
	cmocka_unit_test_setup_teardown(f, catch_stderr, restore_stderr)
		CATCHING(time_and_program_stand_behind_the_event),
		CATCHING(the_error_is_quoted_and_errno_kept),
		CATCHING(control_bytes_cannot_start_a_second_line),
		CATCHING(a_long_line_is_cut_to_what_a_pipe_takes_whole),
		CATCHING(lines_are_dropped_and_counted_when_nobody_reads),
		CATCHING(nobody_waits_even_if_another_was_faster),
		CATCHING(a_full_disk_loses_lines_and_nothing_else),
		cmocka_unit_test(peer_text_is_quoted),
		cmocka_unit_test(quoted_text_is_at_most_500_bytes),
		cmocka_unit_test(a_safe_line_moves_no_terminal),
		cmocka_unit_test(four_quoted_texts_live_at_once),
	};

	log_init("unit");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
