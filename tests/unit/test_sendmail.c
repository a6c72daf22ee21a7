/*
 * Tests of what sendmail and inject do with what they are given by hand.
 *
 * link: queue
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../queue/sendmail.h"

static struct config cfg;

static int
set_up(void **state)
{
	static char host[] = "emc.fr";

	(void)state;
	cfg.hostname = host;
	cfg.recipients_max = 5;
	setprogname("sendmail");
	return 0;
}

/* ---- input ---- */

static int
gather(void *out, const char *p, size_t len)
{
	buf_add(out, p, len);
	return 0;
}

/* Reads `in` through a pipe, in pieces of `cut` bytes. */
static enum inject_input_result
feed(const char *in, size_t len, size_t cut, bool dot, struct buf *out)
{
	struct inject_input input = { 0 };
	enum inject_input_result result;
	int fd[2], status;
	pid_t pid;

	buf_reset(out);
	assert_int_equal(pipe(fd), 0);
	if ((pid = fork()) == 0) {
		close(fd[0]);
		for (size_t n = 0; n < len; n += cut)
			if (write(fd[1], in + n, len - n < cut ? len - n :
			    cut) == -1)
				_exit(1);
		_exit(0);
	}
	close(fd[1]);
	result = inject_input_read(&input, fd[0], dot, 3000000);
	if (result == INPUT_OK) {
		assert_int_equal(inject_input_each(&input, gather, out), 0);
		assert_int_equal(input.size, out->len);
	}
	close(fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	inject_input_release(&input);
	return result;
}

static const struct {
	const char *in;
	bool	dot;
	enum inject_input_result want;
	const char *out;
} inputs[] = {
	{ "", false, INPUT_OK, "" },
	{ "a\nb\n", false, INPUT_OK, "a\nb\n" },
	{ "a\r\nb\r\n", false, INPUT_OK, "a\nb\n" },
	{ "a\nb\r\nc", false, INPUT_OK, "a\nb\nc" },
	{ "a\rb\n", false, INPUT_CR, NULL },
	{ "a\r\r\nb\n", false, INPUT_CR, NULL },
	{ "a\n\r", false, INPUT_CR, NULL },
	{ "a\n.\nb\n", false, INPUT_OK, "a\n.\nb\n" },
	{ "a\n.\nb\n", true, INPUT_OK, "a\n" },
	{ "a\r\n.\r\nb\n", true, INPUT_OK, "a\n" },
	{ ".\nb\n", true, INPUT_OK, "" },
	{ "a\n.", true, INPUT_OK, "a\n" },
	{ "a\n..\n.b\nc.\n.\n", true, INPUT_OK, "a\n..\n.b\nc.\n" },
	{ "a\n.\rb\n", true, INPUT_CR, NULL },
};

/* Attack list G 121. */
static void
line_ends_and_dots_are_understood(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(inputs) / sizeof(*inputs); i++)
		for (size_t cut = 1; cut < 4; cut++) {
			if (feed(inputs[i].in, strlen(inputs[i].in), cut,
			    inputs[i].dot, &out) != inputs[i].want)
				fail_msg("wrong result for %s", inputs[i].in);
			if (inputs[i].out != NULL)
				assert_string_equal(buf_str(&out),
				    inputs[i].out);
		}
	assert_int_equal(feed("a\0b", 3, 1, false, &out), INPUT_NUL);
	buf_release(&out);
}

static void
a_large_input_rests_in_a_file(void **state)
{
	size_t len = 2500000;
	char *text = malloc(len + 600000);
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < len + 600000; i++)
		text[i] = i % 61 == 60 ? '\n' : (char)('a' + i % 7);
	assert_int_equal(feed(text, len, 100000, true, &out), INPUT_OK);
	assert_int_equal(out.len, len);
	assert_memory_equal(out.data, text, len);
	assert_int_equal(feed(text, len + 600000, 100000, true, &out),
	    INPUT_SIZE);
	free(text);
	buf_release(&out);
}

/* ---- addresses ---- */

static void
bare_addresses_are_ours(void **state)
{
	static const struct { const char *in, *out; } t[] = {
		{ "root", "root@emc.fr" }, { "a@B.c", "a@b.c" },
		{ "<a@b>", "a@b" }, { "@r:a@b", "a@b" }, { "", "" },
		{ "<>", "" }, { "\"a@b\"", "\"a@b\"@emc.fr" },
		{ "a b", NULL }, { "a@b>", NULL }, { "a\n@b", NULL },
	};
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		int result;

		buf_reset(&out);
		result = inject_qualify(&cfg, t[i].in, strlen(t[i].in), &out);
		assert_int_equal(result, t[i].out == NULL ? -1 : 0);
		if (t[i].out != NULL)
			assert_string_equal(buf_str(&out), t[i].out);
	}
	buf_release(&out);
}

/* ---- headers ---- */

/* What sendmail makes of a message; the recipients joined by blanks. */
static int
header(const char *in, bool t, const char *name, struct buf *out,
    struct buf *rcpts)
{
	struct sendmail_options o = { .from_header = t, .name = name };
	struct inject_submission s = { .cfg = &cfg };
	int status;

	buf_adds(&s.sender, "jb@emc.fr");
	buf_adds(&s.input.memory, in);
	s.input.size = (int64_t)strlen(in);
	status = sendmail_header(&s, &o);
	buf_reset(out);
	buf_reset(rcpts);
	if (status == EX_OK) {
		buf_add(out, buf_str(&s.head), s.head.len);
		assert_int_equal(inject_input_each(&s.input, gather, out), 0);
		for (size_t i = 0; i < s.rcpts.n; i++)
			buf_addf(rcpts, "%s%s", i == 0 ? "" : " ",
			    s.rcpts.v[i]);
	}
	inject_submission_release(&s);
	return status;
}

static const struct {
	const char *in;
	bool	t;
	int	status;
	const char *out, *rcpts;
} headers[] = {
	{ "To: a@b\nBcc: c@d\n\nx\n", false, EX_OK,
	    "From: J B <jb@emc.fr>\nTo: a@b\nBcc: c@d\n\nx\n", "" },
	{ "From: q@r\nTo: A <a@b>, root\nCc: a@b\nBcc: c@d,\n e@f\n\nx\n",
	    true, EX_OK,
	    "From: q@r\nTo: A <a@b>, root\nCc: a@b\n\nx\n",
	    "a@b root@emc.fr c@d e@f" },
	{ "from : q@r\nbcc : c@d\n\n", true, EX_OK, "from : q@r\n\n", "c@d" },
	{ "From: q\nTo: a@b\nResent-To: c@d\nResent-Bcc: e@f\n\n", true,
	    EX_OK, "From: q\nTo: a@b\nResent-To: c@d\n\n", "c@d e@f" },
	{ "From q@r Mon Nov 23\nFrom: q\nTo: a@b\n\nx", true, EX_OK,
	    "From: q\nTo: a@b\n\nx", "a@b" },
	{ "From: q\nno header\n", false, EX_OK, "From: q\n\nno header\n", "" },
	{ "From: q\nTo: two words\n\n", true, EX_DATAERR, NULL, NULL },
	{ "From: q\nTo: a@@b\n\n", true, EX_DATAERR, NULL, NULL },
	{ "From: q\nTo: undisclosed-recipients:;\n\n", true, EX_OK,
	    "From: q\nTo: undisclosed-recipients:;\n\n", "" },
	{ "", false, EX_OK, "From: J B <jb@emc.fr>\n\n", "" },
};

static void
the_header_is_completed_and_bcc_goes(void **state)
{
	struct buf out = BUF_INIT, rcpts = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		if (header(headers[i].in, headers[i].t, "J B", &out,
		    &rcpts) != headers[i].status)
			fail_msg("wrong status for %s", headers[i].in);
		if (headers[i].out == NULL)
			continue;
		assert_string_equal(buf_str(&out), headers[i].out);
		assert_string_equal(buf_str(&rcpts), headers[i].rcpts);
	}
	buf_release(&out);
	buf_release(&rcpts);
}

static void
a_huge_header_is_refused(void **state)
{
	struct buf in = BUF_INIT, out = BUF_INIT, rcpts = BUF_INIT;

	(void)state;
	while (in.len < 300000)
		buf_adds(&in, "X: y\n");
	assert_int_equal(header(in.data, true, "", &out, &rcpts),
	    EX_DATAERR);
	/* Attack list G 119: 10^5 Bcc; one more than allowed is kept. */
	buf_reset(&in);
	buf_adds(&in, "Bcc: a@b");
	for (int i = 0; i < 25000; i++)
		buf_addf(&in, ",\n %d@b", i);
	assert_int_equal(header(in.data, true, "", &out, &rcpts), EX_OK);
	assert_string_equal(rcpts.data, "a@b 0@b 1@b 2@b 3@b 4@b");
	buf_release(&in);
	buf_release(&out);
	buf_release(&rcpts);
}

static void
a_name_is_written_as_mail_has_it(void **state)
{
	static const struct { const char *name, *want; } t[] = {
		{ "", "a@b" },
		{ "Jean-Bob", "Jean-Bob <a@b>" },
		{ "J. B., \"x\" \\", "\"J. B., \\\"x\\\" \\\\\" <a@b>" },
		{ "x <y@z>", "\"x <y@z>\" <a@b>" },
		{ "Andr\xc3\xa9 B", "=?UTF-8?Q?Andr=C3=A9=20B?= <a@b>" },
		{ "Andr\xe9", "a@b" },
	};
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		buf_reset(&out);
		sendmail_mailbox(&out, t[i].name, "a@b");
		assert_string_equal(out.data, t[i].want);
	}
	/* RFC 2047 section 2: no line of it is longer than 76. */
	buf_reset(&out);
	sendmail_mailbox(&out, "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
	    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", "a");
	assert_string_equal(out.data,
	    "=?UTF-8?Q?=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9?=\n "
	    "=?UTF-8?Q?=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9=C3=A9?= <a>");
	buf_release(&out);
}

/* ---- options ---- */

static struct sendmail_options
options(const char *line)
{
	static char copy[256];
	static char *argv[32];
	struct sendmail_options o;
	int argc = 0;

	strlcpy(copy, line, sizeof(copy));
	argv[argc++] = copy;
	for (char *p = copy; (p = strchr(p, ' ')) != NULL; ) {
		*p++ = '\0';
		argv[argc++] = p;
	}
	argv[argc] = NULL;
	optind = 0;
	sendmail_options(&o, argc, argv);
	return o;
}

static void
options_of_forty_years_are_taken(void **state)
{
	struct sendmail_options o;

	(void)state;
	o = options("sendmail -oi -oem -odb -t -v -n -Ac -G -U -h 3 "
	    "-O DeliveryMode=b -d0.1 -L tag -X /dev/null -e m -m x@y -f z");
	assert_true(o.ignore_dots && o.from_header);
	assert_null(o.sender);		/* options end at the recipient */
	assert_string_equal(o.rcpts[0], "x@y");
	assert_string_equal(o.rcpts[1], "-f");
	o = options("sendmail -i -fa@b -FName -N never -Rhdrs -Vx -B8BITMIME "
	    "-bm -- -x@y");
	assert_string_equal(o.sender, "a@b");
	assert_string_equal(o.name, "Name");
	assert_string_equal(o.ret, "hdrs");
	assert_string_equal(o.notify, "never");
	assert_true(o.body8);
	assert_string_equal(o.rcpts[0], "-x@y");
	o = options("sendmail -r a@b -O IgnoreDots x");
	assert_string_equal(o.sender, "a@b");
	assert_true(o.ignore_dots);
	assert_int_equal(options("sendmail -bs").mode, MODE_SMTP);
	assert_int_equal(options("sendmail -bp").mode, MODE_LIST);
	assert_int_equal(options("sendmail -q").mode, MODE_RETRY);
	assert_int_equal(options("sendmail -q30m").mode, MODE_RETRY);
	assert_int_equal(options("sendmail -bi").mode, MODE_NOTHING);
	setprogname("mailq");
	assert_int_equal(options("mailq -C /x").mode, MODE_LIST);
	setprogname("newaliases");
	assert_int_equal(options("newaliases").mode, MODE_NOTHING);
	setprogname("sendmail");
}

/* Attack list G 118, 119. */
static void
bad_options_are_usage_errors(void **state)
{
	static const char *const bad[] = { "sendmail -bd", "sendmail -bt",
	    "sendmail -be", "sendmail -f a\nb", "sendmail -F x\nBcc:",
	    "sendmail -N x", "sendmail -R x", "sendmail -V a\x7f",
	    "sendmail -B 9BIT", "sendmail -Z", "sendmail -f" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			close(STDERR_FILENO);
			options(bad[i]);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != EX_USAGE)
			fail_msg("%s: status %d", bad[i], status);
	}
}

static void
replies_become_exit_codes(void **state)
{
	static const struct { int code; const char *enh; int want; } t[] = {
		{ 250, "2.0.0", EX_OK }, { 451, "4.3.0", EX_TEMPFAIL },
		{ 452, "4.5.3", EX_TEMPFAIL }, { 553, "5.1.3", EX_NOUSER },
		{ 552, "5.3.4", EX_DATAERR }, { 554, "5.6.0", EX_DATAERR },
		{ 554, "5.4.6", EX_UNAVAILABLE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct inject_result r = { .code = t[i].code };

		buf_adds(&r.enh, t[i].enh);
		assert_int_equal(inject_exit(&r), t[i].want);
		inject_result_release(&r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_ends_and_dots_are_understood),
		cmocka_unit_test(a_large_input_rests_in_a_file),
		cmocka_unit_test(bare_addresses_are_ours),
		cmocka_unit_test(the_header_is_completed_and_bcc_goes),
		cmocka_unit_test(a_huge_header_is_refused),
		cmocka_unit_test(a_name_is_written_as_mail_has_it),
		cmocka_unit_test(options_of_forty_years_are_taken),
		cmocka_unit_test(bad_options_are_usage_errors),
		cmocka_unit_test(replies_become_exit_codes),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
