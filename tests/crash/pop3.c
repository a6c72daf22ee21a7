/*
 * pop3.c - one POP3 session that reads a message and deletes two; and whether
 * its answers were the truth.
 *
 * A test tool.
 */
#include <sys/stat.h>

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crash.h"

#define NOBODY	65534		/* pop3d refuses to be root */

#define POP3_ASKS	"STAT\r\nRETR 2\r\nDELE 1\r\nDELE 3\r\n"

static const char with_quit[] = POP3_ASKS "QUIT\r\n";
static const char without_quit[] = POP3_ASKS;

static void
put(const char *name, const struct buf *msg, uid_t uid)
{
	int fd = open(site_path(name), O_WRONLY | O_CREAT | O_TRUNC |
	    O_CLOEXEC, 0600);

	if (fd == -1 || fchown(fd, uid, uid) == -1 ||
	    write(fd, msg->data, msg->len) != (ssize_t)msg->len)
		err(1, "%s", name);
	(void)close(fd);
}

void
maildir_owner(uid_t uid)
{
	static const char *const dirs[] = { "Maildir", "Maildir/new",
	    "Maildir/cur", "Maildir/tmp" };

	for (size_t i = 0; geteuid() == 0 && i < 4; i++)
		if (chown(site_path(dirs[i]), uid, uid) == -1)
			err(1, "chown");
}

/* Three messages, and their owner. */
static void
fill_maildir(struct buf msg[3], uid_t uid)
{
	static const char *const names[] = { "Maildir/new/100.a.emc",
	    "Maildir/new/200.b.emc", "Maildir/cur/300.c.emc:2,S" };
	static const char *const tokens[] = { "P1", "P2", "P3" };

	maildir_owner(uid);
	for (size_t i = 0; i < 3; i++) {
		message_make(&msg[i], tokens[i], message_size());
		put(names[i], &msg[i], uid);
	}
}

static bool
is_there(const char *name)
{
	struct stat st;

	return lstat(site_path(name), &st) == 0;
}

/* How often "+OK" begins a line; whether the last such line is the last. */
static unsigned
oks(const struct buf *said, bool *last_out)
{
	const char *p = buf_str(said);
	unsigned n = 0;

	*last_out = false;
	while (*p != '\0') {
		*last_out = strncmp(p, "+OK", 3) == 0;
		n += *last_out;
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
	return n;
}

/* The text that RETR 2 gave must be the message, whole, or no answer. */
static void
judge_retr(const struct buf *said, const struct buf *msg)
{
	const char *dot = memmem(buf_str(said), said->len, "\r\n.\r\n", 5);
	const char *p = buf_str(said);
	struct buf got = BUF_INIT;

	if (dot == NULL)
		return;
	for (int i = 0; i < 3 && (p = strchr(p, '\n')) != NULL; i++)
		p++;		/* greeting, STAT, RETR */
	for (; p != NULL && p < dot + 2; p++)
		if (*p != '\r' && !(*p == '.' && p[-1] == '\n'))
			buf_addc(&got, *p);
	if (got.len != msg->len || memcmp(got.data, msg->data, got.len) != 0)
		bad("RETR gave %zu bytes that are not the message", got.len);
	buf_release(&got);
}

static void
judge_pop3(const struct buf *said, const struct buf *msg, bool quit)
{
	struct found f = look_maildir(site_path("Maildir/new"), "P2", msg);
	unsigned there = is_there("Maildir/new/100.a.emc") +
	    is_there("Maildir/cur/300.c.emc:2,S");
	bool last, all;
	unsigned n = oks(said, &last);

	all = last && n == (quit ? 6 : 5);	/* greeting, STAT, RETR, ... */
	if (f.whole != 1 || f.broken != 0)
		bad("the message that was not deleted is gone or changed");
	if (!quit && there != 2)
		bad("without QUIT, %u messages are gone", 2 - there);
	if (all)
		T.acked++;
	else if (said->len > 0 && !last)
		T.refused++;
	else
		T.lost++;
	if (quit && all && there != 0)
		bad("QUIT said +OK, and %u deleted messages are there", there);
	if (!trace_fired(&S.trace) && !all)
		bad("nothing was wrong, and the session did not end well");
	judge_retr(said, msg);
}

static bool
run_pop3_with(const struct rule *r, const char *input, bool quit)
{
	char *program = xstrdup(site_program("pop3d"));
	char *maildir = xstrdup(site_path("Maildir"));
	char *argv[] = { program, maildir, NULL };
	struct start s = { .argv = argv };
	struct buf msg[3] = { BUF_INIT, BUF_INIT, BUF_INIT }, said = BUF_INIT;
	uid_t uid = geteuid() == 0 ? NOBODY : geteuid();
	char block[16384];
	ssize_t n;

	site_clear();
	fill_maildir(msg, uid);
	s.uid = geteuid() == 0 ? NOBODY : 0;
	s.in = file_of(input, strlen(input));
	s.out = file_of("", 0);
	(void)run_traced(&s, r);
	for (off_t at = 0; (n = pread(s.out, block, sizeof(block), at)) > 0;
	    at += n)
		buf_add(&said, block, (size_t)n);
	judge_pop3(&said, &msg[1], quit);
	(void)close(s.in);
	(void)close(s.out);
	for (int i = 0; i < 3; i++)
		buf_release(&msg[i]);
	buf_release(&said);
	free(program);
	free(maildir);
	return run_finish();
}

bool
run_pop3(const struct rule *r)
{
	return run_pop3_with(r, with_quit, true);
}

bool
run_pop3_no_quit(const struct rule *r)
{
	return run_pop3_with(r, without_quit, false);
}
