/*
 * test_pop3_session.c - the POP3 session on real Maildirs.
 * link: pop3d
 * wrap: unlinkat
 *
 * Each test speaks to pop3_session() over a socket pair.  "catalogue N" is the
 * list of bugs found in other POP3 servers, which these tests keep out of ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "buf.h"
#include "../../pop3d/pop3d.h"
#include "../../pop3d/session.h"

/* ---- a mailbox and a session on it */

struct box {
	char	 dir[64];
	int	 fd;		/* the client's end */
	int	 status;	/* of the session, when it has ended */
	pthread_t thread;
	int	 session_fd;
};

static int unlink_error;	/* errno for unlinkat(); 0: none */

int __real_unlinkat(int, const char *, int);
int __wrap_unlinkat(int, const char *, int);

int
__wrap_unlinkat(int dir, const char *name, int flags)
{
	if (unlink_error != 0) {
		errno = unlink_error;
		return -1;
	}
	return __real_unlinkat(dir, name, flags);
}

static int
box_new(void **state)
{
	struct box *b = xcalloc(1, sizeof(*b));

	strlcpy(b->dir, "/tmp/facteur-pop3.XXXXXX", sizeof(b->dir));
	assert_non_null(mkdtemp(b->dir));
	strlcat(b->dir, "/Maildir", sizeof(b->dir));
	unlink_error = 0;
	*state = b;
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int
box_free(void **state)
{
	struct box *b = *state;

	*strrchr(b->dir, '/') = '\0';
	nftw(b->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(b);
	return 0;
}

static void
box_make(const struct box *b)
{
	static const char *const sub[] = { "", "/new", "/cur", "/tmp" };
	char path[128];

	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s%s", b->dir, sub[i]);
		if (mkdir(path, 0700) == -1)
			assert_int_equal(errno, EEXIST);
	}
}

static char *
path_of(const struct box *b, const char *name)
{
	static char path[2][512];
	static unsigned turn;

	turn ^= 1;
	snprintf(path[turn], sizeof(path[0]), "%s/%s", b->dir, name);
	return path[turn];
}

static bool
exists(const struct box *b, const char *name)
{
	return access(path_of(b, name), F_OK) == 0;
}

static void
put_bytes(const struct box *b, const char *name, const void *p, size_t len)
{
	int fd;

	box_make(b);
	fd = open(path_of(b, name), O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, p, len), len);
	close(fd);
}

static void
put(const struct box *b, const char *name, const char *text)
{
	put_bytes(b, name, text, strlen(text));
}

static void *
session_thread(void *arg)
{
	struct box *b = arg;

	b->status = pop3_session(b->session_fd, b->session_fd, b->dir,
	    "billy@yahoo.co.uk");
	return NULL;
}

static void
start(struct box *b)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    pair), 0);
	b->fd = pair[0];
	b->session_fd = pair[1];
	assert_int_equal(pthread_create(&b->thread, NULL, session_thread, b),
	    0);
}

static void
finish(struct box *b)
{
	assert_int_equal(pthread_join(b->thread, NULL), 0);
	close(b->fd);
}

/* A session that was refused may have ended before we speak. */
static void
say(struct box *b, const char *text)
{
	if (send(b->fd, text, strlen(text), MSG_NOSIGNAL) == -1)
		assert_int_equal(errno, EPIPE);
}

/* One line of an answer. */
static const char *
hear(struct box *b)
{
	static char line[1024];
	size_t n = 0;

	while (n < sizeof(line) - 1 && read(b->fd, line + n, 1) == 1)
		if (line[n++] == '\n')
			break;
	line[n] = '\0';
	return line;
}

static void
ask(struct box *b, const char *command, const char *answer)
{
	say(b, command);
	assert_string_equal(hear(b), answer);
}

/* A whole session: all commands at once, then the end. The caller releases. */
static struct buf
talk(struct box *b, const char *commands)
{
	struct buf all = BUF_INIT;
	char block[4096];
	ssize_t n;

	start(b);
	say(b, commands);
	shutdown(b->fd, SHUT_WR);
	while ((n = read(b->fd, block, sizeof(block))) > 0)
		buf_add(&all, block, (size_t)n);
	finish(b);
	return all;
}

static void
transcript(struct box *b, const char *commands, const char *expected)
{
	struct buf got = talk(b, commands);

	assert_string_equal(buf_str(&got), expected);
	buf_release(&got);
}

/* What RETR 1 sends between +OK and its end mark, still dot-stuffed. */
static struct buf
retr(struct box *b)
{
	struct buf got = talk(b, "RETR 1\r\n"), body = BUF_INIT;
	const char *p = memmem(got.data, got.len, "\r\n", 2);

	assert_non_null(p);
	p = memmem(p + 2, got.len - (size_t)(p + 2 - got.data), "\r\n", 2);
	assert_non_null(p);
	p += 2;
	assert_true(got.data + got.len - p >= 3);
	assert_memory_equal(got.data + got.len - 3, ".\r\n", 3);
	buf_add(&body, p, (size_t)(got.data + got.len - 3 - p));
	buf_release(&got);
	return body;
}

/* Three messages that most tests begin with. */
static void
three(const struct box *b)
{
	put(b, "new/1001.a,W=8", "A: 1\n\na");
	put(b, "cur/1002.b:2,S", "B: 2\n\nb\n");
	put(b, "new/1003.c,S=8", "C: 3\n\nc\n");
}

/* ---- opening */

static void
a_missing_maildir_is_made(void **state)
{
	struct box *b = *state;
	struct stat st;

	transcript(b, "STAT\r\nQUIT\r\n",
	    "+OK 0 messages\r\n+OK 0 0\r\n+OK bye\r\n");
	assert_int_equal(b->status, EX_OK);
	assert_true(exists(b, "tmp") && exists(b, "new") && exists(b, "cur"));
	assert_int_equal(stat(path_of(b, "new"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(path_of(b, ".pop3.lock"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void
a_maildir_that_cannot_be_is_for_later(void **state)
{
	struct box *b = *state;
	struct buf got;
	int fd = open(b->dir, O_WRONLY | O_CREAT, 0600);

	assert_int_not_equal(fd, -1);
	close(fd);
	got = talk(b, "STAT\r\n");
	assert_memory_equal(buf_str(&got), "-ERR [SYS/TEMP] ", 16);
	/* one line, and nothing of the file system in it */
	assert_ptr_equal(strchr(got.data, '\n'), got.data + got.len - 1);
	assert_null(strstr(got.data, "/tmp"));
	assert_int_equal(b->status, EX_TEMPFAIL);
	buf_release(&got);
}

static void
a_second_session_is_told_in_use(void **state)
{
	struct box *b = *state, other = *b;

	start(b);
	assert_string_equal(hear(b), "+OK 0 messages\r\n");
	transcript(&other, "", "-ERR [IN-USE] another session has this "
	    "mailbox open\r\n");
	assert_int_equal(other.status, EX_TEMPFAIL);
	ask(b, "QUIT\r\n", "+OK bye\r\n");
	/* as soon as QUIT is answered the mailbox is free */
	transcript(&other, "", "+OK 0 messages\r\n");
	finish(b);
}

/* Else a client that comes back at once would meet itself. */
static void
the_lock_is_gone_before_quit_is_answered(void **state)
{
	struct box *b = *state, other = *b;
	struct buf body = BUF_INIT, got;
	const int small = 1;
	bool again = true;

	for (int i = 0; i < 3000; i++)
		buf_adds(&body, "0123456789\n");
	put_bytes(b, "new/1.x", body.data, body.len);
	buf_release(&body);
	start(b);
	assert_int_equal(setsockopt(b->session_fd, SOL_SOCKET, SO_SNDBUF,
	    &small, sizeof(small)), 0);
	/* we do not read, so that the answers cannot get out */
	say(b, "RETR 1\r\nQUIT\r\n");
	for (int i = 0; i < 1000 && again; i++) {
		usleep(5000);
		got = talk(&other, "");
		again = strcmp(buf_str(&got), "+OK 1 messages\r\n") != 0;
		buf_release(&got);
	}
	assert_false(again);
	while (strcmp(hear(b), "+OK bye\r\n") != 0)
		;
	finish(b);
}

static void
a_link_in_the_place_of_the_lock_is_not_followed(void **state)
{
	struct box *b = *state;
	struct buf got;

	box_make(b);
	assert_int_equal(symlink("elsewhere", path_of(b, ".pop3.lock")), 0);
	got = talk(b, "");
	assert_memory_equal(buf_str(&got), "-ERR [SYS/TEMP] ", 16);
	assert_false(exists(b, "elsewhere"));
	buf_release(&got);
}

static void
messages_come_in_the_order_of_their_arrival(void **state)
{
	struct box *b = *state;

	put(b, "cur/1000000000.M5P1.h,W=1:2,", "");
	put(b, "new/999999999.x,W=2", "");
	put(b, "new/1000000000.M30P1.h,W=3", "");
	put(b, "cur/1000000000.M4P9.h,W=4:2,S", "");
	put(b, "new/1000000001.a,W=5", "");
	transcript(b, "LIST\r\n", "+OK 5 messages\r\n"
	    "+OK 5 messages (15 octets)\r\n"
	    "1 2\r\n2 4\r\n3 1\r\n4 3\r\n5 5\r\n.\r\n");
}

static void
only_regular_files_are_messages(void **state)
{
	struct box *b = *state;

	put(b, "new/5.real", "x\n");
	put(b, "new/.hidden", "x\n");
	assert_int_equal(mkdir(path_of(b, "new/1.dir"), 0700), 0);
	assert_int_equal(mkfifo(path_of(b, "new/2.fifo"), 0600), 0);
	assert_int_equal(symlink("/etc/passwd", path_of(b, "cur/3.link")), 0);
	transcript(b, "UIDL\r\n",
	    "+OK 1 messages\r\n+OK\r\n1 5.real\r\n.\r\n");
}

/* ---- sizes */

static void
a_size_in_the_name_is_believed_without_reading(void **state)
{
	struct box *b = *state;

	put(b, "new/1.a,S=700,W=777", "short\n");
	put(b, "new/2.b,S=700,W=699", "impossible\n");
	put(b, "new/3.c,S=700,W=999999", "impossible\n");
	put(b, "new/4.d,S=700", "S alone does not tell\n");
	transcript(b, "LIST\r\n", "+OK 4 messages\r\n"
	    "+OK 4 messages (824 octets)\r\n"
	    "1 777\r\n2 12\r\n3 12\r\n4 23\r\n.\r\n");
}

/* catalogue 5, 6: sums of 32 bits */
static void
sums_do_not_overflow(void **state)
{
	struct box *b = *state;

	put(b, "new/1.a,W=4000000000", "");
	put(b, "new/2.b,W=4000000000", "");
	transcript(b, "STAT\r\n", "+OK 2 messages\r\n+OK 2 8000000000\r\n");
}

/* catalogue 4, 5, 6: sizes of the file, or up to a NUL, or without CRs */
static void
a_size_is_exactly_what_retr_sends(void **state)
{
	static const struct { const char *bytes; size_t len; } content[] = {
#define C(s)	{ s, sizeof(s) - 1 }
		C(""), C("\n"), C("."), C(".\n"), C("..\n.\n"), C("a"),
		C("a\n"),
		C("a\nb"), C("a\r\nb\r\n"), C("a\r\nb"), C("a\r"), C("\r"),
		C("\r\r\n"), C("a\rb\n"), C("\r.\n"), C("a\n.\r"), C("H: 1\n"),
		C("a\0b\n\0"), C("\0"), C("\n\n\n"), C("\r\n\r\n"),
		C("x\n.\r\n.y\n"), C("\377\376\n"), C("a\r\r\nb\n\r"),
#undef C
	};
	struct box *b = *state;

	box_make(b);
	for (size_t i = 0; i < sizeof(content) / sizeof(content[0]); i++) {
		struct buf body, list;
		char expected[64];
		size_t octets = 0;

		put_bytes(b, "new/1.x", content[i].bytes, content[i].len);
		body = retr(b);
		for (size_t at = 0; at < body.len; at++) {
			bool bol = at == 0 || (at >= 2 &&
			    memcmp(body.data + at - 2, "\r\n", 2) == 0);

			/* the doubled dot does not count */
			octets += !(bol && body.data[at] == '.');
		}
		if (body.len > 0)
			assert_memory_equal(body.data + body.len - 2, "\r\n",
			    2);
		list = talk(b, "LIST 1\r\n");
		snprintf(expected, sizeof(expected),
		    "+OK 1 messages\r\n+OK 1 %zu\r\n", octets);
		assert_string_equal(buf_str(&list), expected);
		buf_release(&list);
		buf_release(&body);
		assert_int_equal(unlink(path_of(b, "new/1.x")), 0);
	}
}

/* catalogue 4: a file that cannot be read is no message of 0 octets */
static void
what_cannot_be_read_is_hidden_not_empty(void **state)
{
	struct box *b = *state;

	three(b);
	start(b);
	assert_string_equal(hear(b), "+OK 3 messages\r\n");
	assert_int_equal(unlink(path_of(b, "cur/1002.b:2,S")), 0);
	assert_int_equal(symlink("/etc/passwd",
	    path_of(b, "cur/1002.b:2,S")), 0);
	ask(b, "STAT\r\n", "+OK 2 19\r\n");
	ask(b, "LIST 2\r\n", "-ERR no such message\r\n");
	ask(b, "RETR 2\r\n", "-ERR no such message\r\n");
	ask(b, "UIDL 2\r\n", "-ERR no such message\r\n");
	ask(b, "LIST 3\r\n", "+OK 3 11\r\n");
	ask(b, "QUIT\r\n", "+OK bye\r\n");
	finish(b);
}

/* ---- content */

/* catalogue 1 */
static void
a_dot_as_the_very_first_octet_is_doubled(void **state)
{
	struct box *b = *state;

	put(b, "new/1.x", ".\nb\n");
	transcript(b, "RETR 1\r\nTOP 1 9\r\nNOOP\r\n",
	    "+OK 1 messages\r\n"
	    "+OK\r\n..\r\nb\r\n.\r\n"
	    "+OK\r\n..\r\nb\r\n.\r\n"
	    "+OK\r\n");
}

/* catalogue 4: qmail appends a blank line */
static void
nothing_is_appended(void **state)
{
	struct box *b = *state;

	put(b, "new/1.x", "A: b\n\nc\n");
	transcript(b, "STAT\r\nRETR 1\r\n", "+OK 1 messages\r\n"
	    "+OK 1 11\r\n+OK 11 octets\r\nA: b\r\n\r\nc\r\n.\r\n");
}

/* catalogue 6: what follows a NUL was lost; 9: a CR at the end hung */
static void
nuls_and_strange_ends_do_not_break_retr(void **state)
{
	struct box *b = *state;

	put_bytes(b, "new/1.x", "a\0b\n", 4);
	put(b, "new/2.x", "a\r");
	put(b, "new/3.x", "a\n");
	put(b, "new/4.x", "a");
	transcript(b, "RETR 1\r\nRETR 3\r\nRETR 4\r\n", "+OK 4 messages\r\n"
	    "+OK\r\na\200b\r\n.\r\n"
	    "+OK\r\na\r\n.\r\n"
	    "+OK\r\na\r\n.\r\n");
	/* a lone CR at the end becomes a line end, in one way or the other */
	transcript(b, "DELE 1\r\nDELE 3\r\nDELE 4\r\nQUIT\r\n",
	    "+OK 4 messages\r\n+OK message 1 deleted\r\n"
	    "+OK message 3 deleted\r\n+OK message 4 deleted\r\n+OK bye\r\n");
	struct buf body = retr(b);
	assert_true(body.len >= 3);
	assert_memory_equal(body.data + body.len - 2, "\r\n", 2);
	buf_release(&body);
}

static void
a_large_message_arrives_whole(void **state)
{
	struct box *b = *state;
	struct buf msg = BUF_INIT, body;
	char expected[64];
	size_t at = 0;

	for (unsigned i = 0; i < 200000; i++)
		buf_addf(&msg, ".%u\n", i);
	put_bytes(b, "new/1.x", msg.data, msg.len);
	body = retr(b);
	for (unsigned i = 0; i < 200000; i++) {
		int n = snprintf(expected, sizeof(expected), "..%u\r\n", i);

		assert_true(at + (size_t)n <= body.len);
		assert_memory_equal(body.data + at, expected, (size_t)n);
		at += (size_t)n;
	}
	assert_int_equal(at, body.len);
	buf_release(&msg);
	buf_release(&body);
}

/* catalogue 5: header lines counted as body lines; TOP n 0 sent all */
static void
top_shows_the_header_and_so_many_lines(void **state)
{
	struct box *b = *state;

	put(b, "new/1.x", "A: 1\nB: 2\n\n.one\ntwo\nthree");
	transcript(b, "TOP 1 0\r\nTOP 1 1\r\nTOP 1 3\r\nTOP 1 4294967295\r\n",
	    "+OK 1 messages\r\n"
	    "+OK\r\nA: 1\r\nB: 2\r\n\r\n.\r\n"
	    "+OK\r\nA: 1\r\nB: 2\r\n\r\n..one\r\n.\r\n"
	    "+OK\r\nA: 1\r\nB: 2\r\n\r\n..one\r\ntwo\r\nthree\r\n.\r\n"
	    "+OK\r\nA: 1\r\nB: 2\r\n\r\n..one\r\ntwo\r\nthree\r\n.\r\n");
}

/* catalogue 7 */
static void
top_finds_the_end_of_the_header_in_a_crlf_file(void **state)
{
	struct box *b = *state;

	put(b, "new/1.x", "A: 1\r\n\r\none\r\ntwo\r\n");
	transcript(b, "TOP 1 1\r\n", "+OK 1 messages\r\n"
	    "+OK\r\nA: 1\r\n\r\none\r\n.\r\n");
}

static void
top_of_a_message_without_a_body_is_all_of_it(void **state)
{
	struct box *b = *state;

	put(b, "new/1.x", "A: 1\nB: 2\n");
	put(b, "new/2.x", "\nbody\nonly\n");
	put(b, "new/3.x", "");
	transcript(b, "TOP 1 0\r\nTOP 2 1\r\nTOP 3 5\r\n",
	    "+OK 3 messages\r\n+OK\r\nA: 1\r\nB: 2\r\n.\r\n"
	    "+OK\r\n\r\nbody\r\n.\r\n+OK\r\n.\r\n");
}

static void
top_does_not_care_how_the_file_is_read(void **state)
{
	static const char *const texts[] = {
		"A: 1\nB\n\none\n\ntwo\n", "A\r\n\r\none\r\n\r\ntwo",
		"\n\n\n\n", "\r\r\n\none\ntwo\n", "\r\n\r\r\none\ntwo\n", "\r",
	};

	(void)state;
	for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++) {
		const char *p = texts[t];
		size_t len = strlen(p);

		for (int64_t lines = 0; lines < 4; lines++) {
			struct top whole = { .lines = lines };
			size_t expected = top_cut(&whole, p, len);

			for (size_t cut = 0; cut <= len; cut++) {
				struct top two = { .lines = lines };
				size_t n = top_cut(&two, p, cut);

				if (n == cut)
					n += top_cut(&two, p + cut,
					    len - cut);
				assert_int_equal(n, expected);
			}
		}
	}
}

/* ---- numbers */

/* catalogue 2, 5, 8: renumbered lists, deleted ones shown, UIDL n without n */
static void
deleted_messages_are_hidden_and_numbers_stay(void **state)
{
	struct box *b = *state;

	three(b);
	transcript(b, "DELE 2\r\nLIST\r\nUIDL\r\nSTAT\r\nLIST 3\r\nUIDL 3\r\n"
	    "LIST 2\r\nUIDL 2\r\nRETR 2\r\nTOP 2 0\r\nDELE 2\r\n"
	    "RSET\r\nLIST 2\r\n",
	    "+OK 3 messages\r\n"
	    "+OK message 2 deleted\r\n"
	    "+OK 2 messages (19 octets)\r\n1 8\r\n3 11\r\n.\r\n"
	    "+OK\r\n1 1001.a\r\n3 1003.c\r\n.\r\n"
	    "+OK 2 19\r\n"
	    "+OK 3 11\r\n"
	    "+OK 3 1003.c\r\n"
	    "-ERR no such message\r\n-ERR no such message\r\n"
	    "-ERR no such message\r\n-ERR no such message\r\n"
	    "-ERR no such message\r\n"
	    "+OK\r\n+OK 2 11\r\n");
}

/* catalogue 5: DELE 0 deleted message 1. 6: TOP without arguments crashed. */
static void
only_a_strict_number_is_a_number(void **state)
{
	static const char *const commands[] = {
		"DELE 0", "DELE -1", "DELE +1", "DELE 4", "DELE 4294967297",
		"DELE 18446744073709551617", "DELE 1x", "DELE 1 2", "DELE",
		"DELE 1,2", "DELE \t1", "RETR", "RETR 0x1", "RETR 99999999999",
		"TOP", "TOP 1", "TOP 1 -1", "TOP 1 99999999999", "TOP 1 1 1",
		"TOP 0 1", "LIST 1 1", "UIDL a", "STAT 1",
	};
	struct box *b = *state;

	three(b);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		start(b);
		(void)hear(b);
		say(b, commands[i]);
		say(b, "\r\n");
		assert_memory_equal(hear(b), "-ERR ", 5);
		ask(b, "STAT\r\n", "+OK 3 30\r\n");
		ask(b, "QUIT\r\n", "+OK bye\r\n");
		finish(b);
	}
	assert_true(exists(b, "new/1001.a,W=8"));
}

static void
numbers_are_read_strictly(void **state)
{
	static const struct {
		const char *arg;
		int	 n;
		uint32_t a, b;
	} table[] = {
		{ "", 0, 0, 0 }, { "  ", 0, 0, 0 }, { "1", 1, 1, 0 },
		{ " 12  ", 1, 12, 0 }, { "1 2", 2, 1, 2 }, { "007", 1, 7, 0 },
		{ "4294967295", 1, UINT32_MAX, 0 }, { "4294967296", -1, 0, 0 },
		{ "1 2 3", -1, 0, 0 }, { "1-", -1, 0, 0 }, { "-1", -1, 0, 0 },
		{ "+1", -1, 0, 0 }, { "1\t2", -1, 0, 0 }, { "a", -1, 0, 0 },
		{ "1 b", -1, 0, 0 }, { "99999999999999999999", -1, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint32_t num[2] = { 0, 0 };

		assert_int_equal(pop3_numbers(table[i].arg, num), table[i].n);
		if (table[i].n > 0)
			assert_int_equal(num[0], table[i].a);
		if (table[i].n > 1)
			assert_int_equal(num[1], table[i].b);
	}
}

/* ---- unique ids */

/* catalogue 10: never issued again, never another one for the same message */
static void
a_unique_id_survives_flags_and_sessions(void **state)
{
	static const char *const expected =
	    "+OK 1 messages\r\n+OK\r\n1 1001.M5P7.host\r\n.\r\n";
	struct box *b = *state;

	put(b, "new/1001.M5P7.host,S=2,W=3", "x\n");
	transcript(b, "UIDL\r\n", expected);
	assert_int_equal(rename(path_of(b, "new/1001.M5P7.host,S=2,W=3"),
	    path_of(b, "cur/1001.M5P7.host,S=2,W=3:2,RS")), 0);
	transcript(b, "UIDL\r\n", expected);
	assert_int_equal(rename(path_of(b, "cur/1001.M5P7.host,S=2,W=3:2,RS"),
	    path_of(b, "cur/1001.M5P7.host:2,")), 0);
	transcript(b, "UIDL\r\n", expected);
}

/* catalogue 11 */
static void
two_messages_never_share_a_unique_id(void **state)
{
	struct box *b = *state;
	char one[UIDL_MAX + 1], two[UIDL_MAX + 1], three_[UIDL_MAX + 1];
	struct buf got;

	put(b, "new/7.same,W=1", "1");
	put(b, "cur/7.same,W=2:2,S", "22");
	put(b, "cur/7.same,W=2:2,RS", "333");
	got = talk(b, "UIDL\r\n");
	assert_int_equal(sscanf(buf_str(&got), "+OK 3 messages\r\n+OK\r\n"
	    "1 %70s\r\n2 %70s\r\n3 %70s\r\n.\r\n", one, two, three_), 3);
	assert_string_equal(one, "7.same");
	assert_int_equal(strlen(two), 32);
	assert_string_not_equal(two, one);
	assert_string_not_equal(two, three_);
	buf_release(&got);
}

static void
one_file_seen_under_two_names_is_one_message(void **state)
{
	struct box *b = *state;

	put(b, "new/7.same", "x\n");
	assert_int_equal(link(path_of(b, "new/7.same"),
	    path_of(b, "cur/7.same:2,S")), 0);
	transcript(b, "UIDL\r\n",
	    "+OK 1 messages\r\n+OK\r\n1 7.same\r\n.\r\n");
}

static void
strange_names_get_a_printable_unique_id(void **state)
{
	struct box *b = *state;
	char name[200] = "new/", a[80], c[80], d[80];
	struct buf got, again;

	memset(name + 4, 'x', 71);
	put(b, name, "x\n");
	put(b, "new/a b\nRETR 1", "x\n");
	put(b, "cur/:2,S", "x\n");
	got = talk(b, "UIDL\r\n");
	assert_int_equal(sscanf(buf_str(&got), "+OK 3 messages\r\n+OK\r\n"
	    "1 %70s\r\n2 %70s\r\n3 %70s\r\n.\r\n", a, c, d), 3);
	assert_int_equal(strspn(a, "abcdefghijklmnopqrstuvwxyz234567"), 32);
	assert_int_equal(strspn(c, "abcdefghijklmnopqrstuvwxyz234567"), 32);
	assert_int_equal(strspn(d, "abcdefghijklmnopqrstuvwxyz234567"), 32);
	assert_int_equal(strlen(a) + strlen(c) + strlen(d), 96);
	again = talk(b, "UIDL\r\n");
	assert_string_equal(buf_str(&got), buf_str(&again));
	buf_release(&got);
	buf_release(&again);
}

/* the expected value is Python's: hashlib, base64 */
static void
a_long_name_is_known_by_its_sha256(void **state)
{
	struct box *b = *state;
	char name[200] = "new/";

	memset(name + 4, 'x', 71);
	put(b, name, "x\n");
	transcript(b, "UIDL 1\r\n", "+OK 1 messages\r\n"
	    "+OK 1 q6q6jqojfn5xu7cgim6xqdpgzqm7t3zu\r\n");
}

/* ---- other programs at work meanwhile */

static void
a_message_that_was_moved_is_found(void **state)
{
	struct box *b = *state;

	three(b);
	start(b);
	assert_string_equal(hear(b), "+OK 3 messages\r\n");
	assert_int_equal(rename(path_of(b, "new/1001.a,W=8"),
	    path_of(b, "cur/1001.a,W=8:2,RS")), 0);
	assert_int_equal(rename(path_of(b, "cur/1002.b:2,S"),
	    path_of(b, "cur/1002.b:2,FS")), 0);
	ask(b, "RETR 1\r\n", "+OK 8 octets\r\n");
	assert_string_equal(hear(b), "A: 1\r\n");
	assert_string_equal(hear(b), "\r\n");
	assert_string_equal(hear(b), "a\r\n");
	assert_string_equal(hear(b), ".\r\n");
	ask(b, "DELE 1\r\n", "+OK message 1 deleted\r\n");
	ask(b, "DELE 2\r\n", "+OK message 2 deleted\r\n");
	assert_int_equal(rename(path_of(b, "cur/1001.a,W=8:2,RS"),
	    path_of(b, "cur/1001.a,W=8:2,S")), 0);
	ask(b, "QUIT\r\n", "+OK bye\r\n");
	finish(b);
	assert_false(exists(b, "cur/1001.a,W=8:2,S"));
	assert_false(exists(b, "cur/1002.b:2,FS"));
	assert_true(exists(b, "new/1003.c,S=8"));
}

static void
a_message_that_was_removed_is_gone(void **state)
{
	struct box *b = *state;

	three(b);
	start(b);
	assert_string_equal(hear(b), "+OK 3 messages\r\n");
	ask(b, "DELE 1\r\n", "+OK message 1 deleted\r\n");
	assert_int_equal(unlink(path_of(b, "new/1001.a,W=8")), 0);
	assert_int_equal(unlink(path_of(b, "new/1003.c,S=8")), 0);
	ask(b, "RETR 3\r\n", "-ERR no such message\r\n");
	ask(b, "RETR 3\r\n", "-ERR no such message\r\n");
	/* what is not there any more has been deleted, as was asked for */
	ask(b, "QUIT\r\n", "+OK bye\r\n");
	finish(b);
	assert_true(exists(b, "cur/1002.b:2,S"));
}

/* catalogue 4: invisible within the second of its arrival */
static void
a_message_of_this_very_moment_is_there(void **state)
{
	struct box *b = *state;

	put(b, "new/1.x", "x\n");
	transcript(b, "STAT\r\n", "+OK 1 messages\r\n+OK 1 3\r\n");
}

static void
a_message_that_comes_during_the_session_waits_for_the_next(void **state)
{
	struct box *b = *state;

	three(b);
	start(b);
	assert_string_equal(hear(b), "+OK 3 messages\r\n");
	put(b, "new/0.early,W=1", "");
	assert_int_equal(unlink(path_of(b, "new/1003.c,S=8")), 0);
	ask(b, "RETR 3\r\n", "-ERR no such message\r\n");
	ask(b, "STAT\r\n", "+OK 2 19\r\n");
	ask(b, "UIDL 1\r\n", "+OK 1 1001.a\r\n");
	ask(b, "QUIT\r\n", "+OK bye\r\n");
	finish(b);
}

/* ---- the end */

static void
quit_deletes_and_nothing_else_does(void **state)
{
	struct box *b = *state;

	three(b);
	transcript(b, "DELE 1\r\n",
	    "+OK 3 messages\r\n+OK message 1 deleted\r\n");
	assert_true(exists(b, "new/1001.a,W=8"));
	transcript(b, "DELE 1\r\nDELE 2\r\nRSET\r\nDELE 3\r\nQUIT\r\nSTAT\r\n",
	    "+OK 3 messages\r\n+OK message 1 deleted\r\n"
	    "+OK message 2 deleted\r\n+OK\r\n+OK message 3 deleted\r\n"
	    "+OK bye\r\n");
	assert_int_equal(b->status, EX_OK);
	assert_true(exists(b, "new/1001.a,W=8"));
	assert_true(exists(b, "cur/1002.b:2,S"));
	assert_false(exists(b, "new/1003.c,S=8"));
}

/* catalogue 3: +OK said before. catalogue 4: -ERR and then +OK. */
static void
quit_says_so_once_when_a_message_stays(void **state)
{
	struct box *b = *state;

	three(b);
	unlink_error = EROFS;
	transcript(b, "DELE 1\r\nDELE 3\r\nQUIT\r\n",
	    "+OK 3 messages\r\n"
	    "+OK message 1 deleted\r\n+OK message 3 deleted\r\n"
	    "-ERR [SYS/TEMP] 2 messages could not be deleted\r\n");
	assert_int_equal(b->status, EX_TEMPFAIL);
	assert_true(exists(b, "new/1001.a,W=8"));
}

/* ---- the conversation */

static void
capa_tells_what_there_is_after_the_login(void **state)
{
	transcript(*state, "CAPA\r\n", "+OK 0 messages\r\n+OK\r\n"
	    "TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"
	    "PIPELINING\r\nEXPIRE NEVER\r\nIMPLEMENTATION Facteur\r\n.\r\n");
}

static void
each_command_gets_one_reply(void **state)
{
	struct box *b = *state;
	char longest[POP3_LINE + 8];
	struct buf in = BUF_INIT;

	memset(longest, 'x', sizeof(longest));
	buf_adds(&in, "noop\r\nNoOp\n\r\nUSER x\r\nFOO\r\nSTLS\r\nNO\rOP\r\n");
	buf_add(&in, "NO\0OP\r\n", 7);
	buf_add(&in, longest, sizeof(longest));
	buf_adds(&in, "\r\nSTAT \r\n");
	start(b);
	assert_int_equal(write(b->fd, in.data, in.len), in.len);
	buf_release(&in);
	shutdown(b->fd, SHUT_WR);
	assert_string_equal(hear(b), "+OK 0 messages\r\n");
	assert_string_equal(hear(b), "+OK\r\n");
	assert_string_equal(hear(b), "+OK\r\n");
	for (int i = 0; i < 7; i++)
		assert_memory_equal(hear(b), "-ERR ", 5);
	assert_string_equal(hear(b), "+OK 0 0\r\n");
	assert_string_equal(hear(b), "");
	finish(b);
}

static void
nonsense_without_end_is_ended(void **state)
{
	struct box *b = *state;
	struct buf in = BUF_INIT, got;
	size_t lines = 0;

	for (int i = 0; i < 100; i++)
		buf_adds(&in, "GET / HTTP/1.1\r\n");
	got = talk(b, in.data);
	for (size_t i = 0; i < got.len; i++)
		lines += got.data[i] == '\n';
	assert_int_equal(lines, 1 + 20);
	buf_release(&in);
	buf_release(&got);
}

static void
a_hundred_commands_may_be_sent_ahead(void **state)
{
	struct box *b = *state;
	struct buf in = BUF_INIT, want = BUF_INIT;

	put(b, "new/1.x,W=7", "A: 1\n.");
	buf_adds(&want, "+OK 1 messages\r\n");
	for (int i = 0; i < 150; i++) {
		buf_adds(&in, "RETR 1\r\nLIST 1\r\n");
		buf_adds(&want, "+OK 7 octets\r\nA: 1\r\n..\r\n.\r\n"
		    "+OK 1 7\r\n");
	}
	transcript(b, in.data, want.data);
	buf_release(&in);
	buf_release(&want);
}

#define T(f)	cmocka_unit_test_setup_teardown(f, box_new, box_free)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_missing_maildir_is_made),
		T(a_maildir_that_cannot_be_is_for_later),
		T(a_second_session_is_told_in_use),
		T(the_lock_is_gone_before_quit_is_answered),
		T(a_link_in_the_place_of_the_lock_is_not_followed),
		T(messages_come_in_the_order_of_their_arrival),
		T(only_regular_files_are_messages),
		T(a_size_in_the_name_is_believed_without_reading),
		T(sums_do_not_overflow),
		T(a_size_is_exactly_what_retr_sends),
		T(what_cannot_be_read_is_hidden_not_empty),
		T(a_dot_as_the_very_first_octet_is_doubled),
		T(nothing_is_appended),
		T(nuls_and_strange_ends_do_not_break_retr),
		T(a_large_message_arrives_whole),
		T(top_shows_the_header_and_so_many_lines),
		T(top_finds_the_end_of_the_header_in_a_crlf_file),
		T(top_of_a_message_without_a_body_is_all_of_it),
		T(top_does_not_care_how_the_file_is_read),
		T(deleted_messages_are_hidden_and_numbers_stay),
		T(only_a_strict_number_is_a_number),
		T(numbers_are_read_strictly),
		T(a_unique_id_survives_flags_and_sessions),
		T(two_messages_never_share_a_unique_id),
		T(one_file_seen_under_two_names_is_one_message),
		T(strange_names_get_a_printable_unique_id),
		T(a_long_name_is_known_by_its_sha256),
		T(a_message_that_was_moved_is_found),
		T(a_message_that_was_removed_is_gone),
		T(a_message_of_this_very_moment_is_there),
		T(a_message_that_comes_during_the_session_waits_for_the_next),
		T(quit_deletes_and_nothing_else_does),
		T(quit_says_so_once_when_a_message_stays),
		T(capa_tells_what_there_is_after_the_login),
		T(each_command_gets_one_reply),
		T(nonsense_without_end_is_ended),
		T(a_hundred_commands_may_be_sent_ahead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
