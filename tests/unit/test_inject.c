/*
 * Tests of inject's server: a conversation in frames goes in, a file in the
 * spool comes out, or a refusal and nothing.
 *
 * link: queue
 * wrap: ctl_peer_uid fsync
 */
#include <sys/stat.h>

#include <errno.h>

#include "ctl.h"
#include "deadline.h"
#include "seams.h"
#include "../../queue/queue.h"
#include "inject_host.h"

int64_t	__wrap_ctl_peer_uid(int);
int	__real_fsync(int);
int	__wrap_fsync(int);

static int64_t peer_uid;
static int disk_error;		/* errno of every fsync, 0: none */

int64_t
__wrap_ctl_peer_uid(int fd)
{
	(void)fd;
	return peer_uid;
}

int
__wrap_fsync(int fd)
{
	errno = disk_error;
	return disk_error == 0 ? __real_fsync(fd) : -1;
}

/* ---- a host of its own for each test ---- */

static int
make_host(void **state)
{
	(void)state;
	peer_uid = geteuid();
	disk_error = 0;
	host_open("message_size = 600k\nrecipients_max = 3\n", "notice",
	    SOCK_DGRAM | SOCK_NONBLOCK);
	return 0;
}

/* Says all of it to a session on that listener; everything it answers. */
static const char *
converse(const char *listener, const struct buf *frames)
{
	static struct buf answer;
	struct serve_conn conn = { .name = listener, .is_socket = true };
	char block[4096];
	int fd[2], status;
	ssize_t n;
	pid_t writer, session;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    fd), 0);
	if ((session = fork()) == 0) {
		close(fd[0]);
		_exit(inject_session(fd[1], &conn, &in));
	}
	close(fd[1]);
	if ((writer = fork()) == 0) {
		size_t at = 0;

		while (at < frames->len && (n = send(fd[0], frames->data + at,
		    frames->len - at, MSG_NOSIGNAL)) > 0)
			at += (size_t)n;
		shutdown(fd[0], SHUT_WR);
		_exit(0);
	}
	buf_reset(&answer);
	while ((n = read(fd[0], block, sizeof(block))) > 0)
		buf_add(&answer, block, (size_t)n);
	close(fd[0]);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_int_equal(waitpid(session, &status, 0), session);
	assert_true(WIFEXITED(status));
	return buf_str(&answer);
}

static void
add_data(struct buf *out, const char *p, size_t len)
{
	buf_addf(out, "data len=%zu\n", len);
	buf_add(out, p, len);
}

/* A whole transaction: `head` is the message frame, then one recipient. */
static const char *
send_message(const char *head, const char *content)
{
	struct buf frames = BUF_INIT;
	const char *answer;

	buf_adds(&frames, head);
	buf_adds(&frames, "rcpt to=billy@yahoo.co.uk\ngo\n");
	add_data(&frames, content, strlen(content));
	buf_adds(&frames, "end\n");
	answer = converse("inject", &frames);
	buf_release(&frames);
	return answer;
}

#define FROM	"message sender=jean-bob@emc.fr\n"

/* What stands behind our Received field, up to the envelope. */
static const char *
content_of(struct buf *file)
{
	char *end = strstr(file->data, "facteur 1\n");
	const char *start = strstr(file->data, " +0000\n");

	assert_non_null(start);
	assert_non_null(end);
	*end = '\0';
	return start + 7;
}

static const struct { const char *in, *out; } contents[] = {
	{ "Subject: x\n\nbody\n", "Subject: x\n\nbody\n" },
	{ "Subject: x\n\nno newline", "Subject: x\n\nno newline\n" },
	{ "Subject: x\n", "Subject: x\n" },
	{ "Subject: x", "Subject: x\n" },
	{ "", "" },
	{ "\n", "\n" },
	{ "\nbody\n", "\nbody\n" },
	{ ".\n..\n", "\n.\n..\n" },
	{ "no header here\nSubject: x\n", "\nno header here\nSubject: x\n" },
	{ " folds into our field\n", "\n folds into our field\n" },
	{ "Subject: x\nbody without a gap\n",
	    "Subject: x\n\nbody without a gap\n" },
	{ "Subject: x\n folded\n\tmore\n\nbody\n",
	    "Subject: x\n folded\n\tmore\n\nbody\n" },
	{ "word", "\nword\n" },
	{ "X: \xff\xfe\n\n\x80\n", "X: \xff\xfe\n\n\x80\n" },
};

static void
content_is_kept_byte_for_byte(void **state)
{
	struct buf file = BUF_INIT;

	(void)state;
	setenv("TZ", "UTC0", 1);
	for (size_t i = 0; i < sizeof(contents) / sizeof(*contents); i++) {
		const char *answer = send_message(FROM, contents[i].in);

		if (strncmp(answer, "ready\nok id=", 12) != 0)
			fail_msg("answer: %s", answer);
		assert_true(stored(&file));
		assert_string_equal(content_of(&file), contents[i].out);
	}
	buf_release(&file);
}

/* The same, in frames of one byte: the header block has no seams. */
static void
the_cut_of_the_data_does_not_matter(void **state)
{
	struct buf frames = BUF_INIT, file = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(contents) / sizeof(*contents); i++) {
		buf_reset(&frames);
		buf_adds(&frames, FROM "rcpt to=a@b\ngo\n");
		for (const char *p = contents[i].in; *p != '\0'; p++)
			add_data(&frames, p, 1);
		add_data(&frames, "", 0);
		buf_adds(&frames, "end\n");
		assert_memory_equal(converse("inject", &frames),
		    "ready\nok", 8);
		assert_true(stored(&file));
		assert_string_equal(content_of(&file), contents[i].out);
	}
	buf_release(&frames);
	buf_release(&file);
}

static void
the_queue_is_told_the_name_and_the_time_it_took(void **state)
{
	char text[100] = "", name[SPOOL_NAME_MAX + 1], id[ID_LEN + 1];
	int64_t size, usec;
	ssize_t n;

	(void)state;
	send_message(FROM, "x: y\n");
	n = recv(manager_fd, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	assert_true(notice_parse(text, id, &size, &usec));
	assert_in_range(usec, 1, 60 * INT64_C(1000000));
	spool_name(name, id, size);
	assert_int_equal(faccessat(in.spool.queue, name, F_OK, 0), 0);
}

#define TRACE	"message sender=jean-bob@emc.fr ip=2001:db8::7 " \
	    "helo=mua(x)%3Cy%3E;%0A name=c.emc.fr with=ESMTPSA tls=TLSv1.3 " \
	    "auth=jean-bob@emc.fr\n"

static void
received_says_where_it_came_from(void **state)
{
	static const char want[] = "Received: from mua?x??y??? "
	    "(c.emc.fr [IPv6:2001:db8::7])\n"
	    "\tby emc.fr with ESMTPSA (TLSv1.3)\n\tid ";
	struct buf file = BUF_INIT;

	(void)state;
	send_message(TRACE, "x: y\n");
	assert_true(stored(&file));
	assert_memory_equal(file.data, want, sizeof(want) - 1);
	assert_non_null(strstr(file.data, " for <billy@yahoo.co.uk>;\n\t"));
	assert_non_null(strstr(file.data, "Z ip=2001:db8::7 "
	    "helo=mua?x??y??? with=ESMTPSA auth=jean-bob@emc.fr "
	    "tls=TLSv1.3\nsender <jean-bob@emc.fr>\n"));
	buf_release(&file);
}

/* Attack list G 123: the kernel says who it is, the text does not. */
static void
an_untrusted_client_cannot_forge_trace(void **state)
{
	struct buf file = BUF_INIT;

	(void)state;
	peer_uid = 4321;
	send_message(TRACE, "x: y\n");
	assert_true(stored(&file));
	assert_memory_equal(file.data, "Received: (local uid 4321)\n", 27);
	assert_null(strstr(file.data, "mua"));
	assert_non_null(strstr(file.data, "Z uid=4321\nsender"));
	buf_release(&file);
}

static void
received_names_no_recipient_of_several(void **state)
{
	struct buf file = BUF_INIT, frames = BUF_INIT;

	(void)state;
	buf_adds(&frames, "message sender= ret=hdrs envid=a%20b body=8bit\n"
	    "rcpt to=a@B notify=failure,delay orcpt=rfc822;x exact=yes\n"
	    "rcpt to=secret@d notify=never\ngo\nend\n");
	assert_memory_equal(converse("inject", &frames), "ready\nok", 8);
	assert_true(stored(&file));
	assert_null(strstr(file.data, " for "));
	assert_non_null(strstr(file.data,
	    "sender <> ret=hdrs envid=a%20b body=8bit\n"
	    "rcpt 1 <a@b> notify=failure,delay orcpt=rfc822;x exact=yes\n"
	    "rcpt 2 <secret@d> notify=never\nready "));
	buf_release(&frames);
	buf_release(&file);
}

static void
missing_fields_are_added_when_asked(void **state)
{
	struct buf file = BUF_INIT;
	const char *content;

	(void)state;
	send_message("message sender=a@b fix=yes\n", "X: y\n\nz\n");
	assert_true(stored(&file));
	content = content_of(&file);
	assert_memory_equal(content, "Date: ", 6);
	assert_non_null(strstr(content, "\nMessage-ID: <"));
	assert_non_null(strstr(content, "@emc.fr>\nX: y\n\nz\n"));
	send_message("message sender=a@b fix=yes\n",
	    "message-id: <x>\nDate : now\n\nz\n");
	assert_true(stored(&file));
	assert_string_equal(content_of(&file),
	    "message-id: <x>\nDate : now\n\nz\n");
	buf_release(&file);
}

static void
eight_bit_content_is_noted(void **state)
{
	struct buf file = BUF_INIT;

	(void)state;
	send_message(FROM, "X: y\n\n\xc3\xa9\n");
	assert_true(stored(&file));
	assert_non_null(strstr(file.data, "> body=8bit\n"));
	send_message(FROM, "X: y\n\nabc\n");
	assert_true(stored(&file));
	assert_null(strstr(file.data, "8bit"));
	buf_release(&file);
}

/* The worker waits for nobody to hang up, and takes no second one. */
static void
a_connection_carries_one_message(void **state)
{
	struct buf frames = BUF_INIT, file = BUF_INIT;
	const char *answer;

	(void)state;
	buf_adds(&frames, FROM "rcpt to=a@b\ngo\ndata len=2\nx\nend\n" FROM
	    "rcpt to=c@d\ngo\ndata len=2\ny\nend\n");
	answer = converse("inject", &frames);
	assert_memory_equal(answer, "ready\nok", 8);
	assert_null(strstr(answer + 8, "ready"));
	assert_true(stored(&file));
	assert_non_null(strstr(file.data, "<a@b>\nready"));
	buf_release(&frames);
	buf_release(&file);
}

/* Refused with this code; the connection closes; nothing is left. */
static void
is_refused(const struct buf *frames, const char *want)
{
	struct buf file = BUF_INIT;
	const char *answer = converse("inject", frames);

	if (strstr(answer, want) == NULL)
		fail_msg("instead of %s: %s", want, answer);
	assert_false(stored(&file));
	buf_release(&file);
}

static const struct { const char *frames, *want; } refusals[] = {
	{ "message sender=a@b@c\nrcpt to=a@b\ngo\n", "err code=553 enh=5.1.7" },
	{ "message sender=root\nrcpt to=a@b\ngo\n", "err code=553 enh=5.1.7" },
	{ "message sender=a%0A@b\nrcpt to=a@b\ngo\n", "enh=5.1.7" },
	{ FROM "rcpt to=a%20b@c\ngo\n", "err code=553 enh=5.1.3" },
	{ FROM "rcpt to=\ngo\n", "err code=553 enh=5.1.3" },
	{ FROM "go\n", "err code=554 enh=5.5.1" },
	{ FROM "rcpt to=a@b\nrcpt to=a@c\nrcpt to=a@d\nrcpt to=a@e\ngo\n",
	    "err code=452 enh=4.5.3" },
	{ FROM "rcpt to=a@b notify=sometimes\ngo\n", "enh=5.5.4" },
	{ FROM "rcpt to=a@b\ngo size=99999999\n", "err code=552 enh=5.3.4" },
	{ FROM "rcpt to=a@b\ngo\ndata len=3\na\rbend\n",
	    "ready\nerr code=554 enh=5.6.0" },
	{ "message sender=a@b envid=a%0Ab\nrcpt to=a@b\ngo\nend\n",
	    "ready\nerr code=501 enh=5.5.4" },
};

static void
what_is_wrong_is_refused(void **state)
{
	struct buf frames = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		buf_reset(&frames);
		buf_adds(&frames, refusals[i].frames);
		is_refused(&frames, refusals[i].want);
	}
	buf_reset(&frames);
	buf_adds(&frames, FROM "rcpt to=a@b\ngo\n");
	add_data(&frames, "x: y\n\na\0b\n", 10);
	buf_adds(&frames, "end\n");
	is_refused(&frames, "ready\nerr code=554 enh=5.6.0");
	buf_release(&frames);
}

/* Attack list G 122: only that client is closed, without a word. */
static void
a_frame_out_of_place_closes_the_connection(void **state)
{
	static const char *const bad[] = { "garbage\n", "\n", "go\n", "end\n",
	    "rcpt to=a@b\n", "message\n", FROM FROM, FROM "data len=1\nx",
	    FROM "rcpt\n", FROM "rcpt to=a@b\ngo\nrcpt to=a@b\n",
	    FROM "rcpt to=a@b\ngo\ndata\n",
	    FROM "rcpt to=a@b\ngo\ndata len=-1\n",
	    FROM "rcpt to=a@b\ngo\ndata len=4294967296000\n",
	    FROM "rcpt to=a@b\ngo\ndata len=5\nabc",
	    FROM "rcpt to=a@b\ngo\n", FROM, "message sender=a@b x=%\n" };
	struct buf frames = BUF_INIT, file = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const char *answer;

		buf_reset(&frames);
		buf_adds(&frames, bad[i]);
		answer = converse("inject", &frames);
		if (*answer != '\0' && strcmp(answer, "ready\n") != 0)
			fail_msg("%s answered: %s", bad[i], answer);
		assert_false(stored(&file));
	}
	buf_release(&frames);
	buf_release(&file);
}

static void
repeat(struct buf *frames, const char *line, size_t bytes)
{
	struct buf data = BUF_INIT;

	buf_reset(frames);
	buf_adds(frames, FROM "rcpt to=a@b\ngo\n");
	while (data.len < bytes)
		buf_adds(&data, line);
	add_data(frames, data.data, data.len);
	buf_adds(frames, "end\n");
	buf_release(&data);
}

/* Attack list B 35 to 37, 43. */
static void
limits_hold(void **state)
{
	struct buf frames = BUF_INIT, file = BUF_INIT;

	(void)state;
	repeat(&frames, "X: y\n", 300000);
	is_refused(&frames, "err code=552 enh=5.6.0");
	repeat(&frames, "Received: x\n", 101 * 12);
	is_refused(&frames, "err code=554 enh=5.4.6");
	repeat(&frames, "a line of the body\n", 700000);
	is_refused(&frames, "err code=552 enh=5.3.4");
	repeat(&frames, "Received: x\n", 100 * 12);
	assert_memory_equal(converse("inject", &frames), "ready\nok", 8);
	assert_true(stored(&file));
	repeat(&frames, "x", 500000);		/* one line */
	assert_memory_equal(converse("inject", &frames), "ready\nok", 8);
	assert_true(stored(&file));
	buf_release(&frames);
	buf_release(&file);
}

static void
a_failing_disk_is_told_and_leaves_nothing(void **state)
{
	struct buf frames = BUF_INIT;

	(void)state;
	buf_adds(&frames, FROM "rcpt to=a@b\ngo\nend\n");
	disk_error = ENOSPC;
	is_refused(&frames, "ready\nerr code=452 enh=4.3.1");
	disk_error = EDQUOT;
	is_refused(&frames, "ready\nerr code=452 enh=4.3.1");
	disk_error = EIO;
	is_refused(&frames, "ready\nerr code=451 enh=4.3.0");
	buf_release(&frames);
}

/* How the answer to a message of this sender begins. */
static void
answers(const char *listener, const char *sender, const char *want)
{
	struct buf frames = BUF_INIT, file = BUF_INIT;
	const char *answer;

	buf_addf(&frames, "message sender=%s\nrcpt to=billy@yahoo.co.uk\ngo\n"
	    "data len=2\nx\nend\n", sender);
	answer = converse(listener, &frames);
	if (strncmp(answer, want, strlen(want)) != 0)
		fail_msg("%s on %s: %s", sender, listener, answer);
	assert_int_equal(stored(&file), strncmp(want, "ready", 5) == 0);
	buf_release(&frames);
	buf_release(&file);
}

/* What the queue manager reports makes room; a stranger's bounce does not. */
static void
where_too_much_waits_only_reports_of_our_own_are_taken(void **state)
{
	static const char busy[] = "err code=452 enh=4.3.1 ";
	char text[PRESSURE_LEN + 1];
	int fd = openat(in.spool.root, PRESSURE_FILE,
	    O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	pressure_text(text, PRESSURE_REFUSE, now_ms() / 1000);
	assert_int_equal(write(fd, text, PRESSURE_LEN), PRESSURE_LEN);
	close(fd);
	answers("inject", "", "ready\nok ");
	answers("inject", "a@b", busy);
	answers("net-inject", "", busy);
	answers("net-inject", "a@b", busy);
	peer_uid = 4321;
	answers("inject", "", busy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(content_is_kept_byte_for_byte),
		HOST_TEST(the_cut_of_the_data_does_not_matter),
		HOST_TEST(the_queue_is_told_the_name_and_the_time_it_took),
		HOST_TEST(received_says_where_it_came_from),
		HOST_TEST(an_untrusted_client_cannot_forge_trace),
		HOST_TEST(received_names_no_recipient_of_several),
		HOST_TEST(missing_fields_are_added_when_asked),
		HOST_TEST(eight_bit_content_is_noted),
		HOST_TEST(a_connection_carries_one_message),
		HOST_TEST(what_is_wrong_is_refused),
		HOST_TEST(where_too_much_waits_only_reports_of_our_own_are_taken),
		HOST_TEST(a_frame_out_of_place_closes_the_connection),
		HOST_TEST(limits_hold),
		HOST_TEST(a_failing_disk_is_told_and_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
