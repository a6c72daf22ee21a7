/*
 * filters.c - one run of one program that takes a message in or gives it to
 * its reader, alone; and whether its answer was the truth.
 *
 * A test tool.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "crash.h"

#define WAIT_S	30

/* A file without a name, with these bytes, to be read from its start. */
int
file_of(const void *bytes, size_t len)
{
	int fd = open(S.dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd == -1 || write(fd, bytes, len) != (ssize_t)len ||
	    lseek(fd, 0, SEEK_SET) == -1)
		err(1, "temporary file");
	return fd;
}

static int
log_file(void)
{
	return open(site_path("log"), O_WRONLY | O_CREAT | O_APPEND |
	    O_CLOEXEC, 0600);
}

int
run_traced(struct start *s, const struct rule *r)
{
	int status;

	s->err = log_file();
	trace_start(&S.trace, s, r);
	status = trace_wait(&S.trace, WAIT_S);
	(void)close(s->err);
	if (status == -1)
		bad("it does not end");
	return status;
}

enum answer
exit_answer(int status, bool qmail)
{
	int code;

	if (!WIFEXITED(status))
		return LOST;
	if ((code = WEXITSTATUS(status)) == 0)
		return ACKED;
	if (qmail)
		return code >= 11 && code <= 40 ? NEVER : NOT_NOW;
	return code == EX_USAGE || code == EX_DATAERR || code == EX_NOUSER ||
	    code == EX_UNAVAILABLE || code == EX_NOHOST ? NEVER : NOT_NOW;
}

void
count_answer(enum answer a)
{
	if (a == ACKED)
		T.acked++;
	else if (a == LOST)
		T.lost++;
	else
		T.refused++;
}

/* What was said, and what is there. */
static void
judge(enum answer a, const struct found *f, const struct rule *r)
{
	count_answer(a);
	if (f->broken > 0)
		bad("visible, and not whole: %s", f->why);
	if (a == ACKED && f->whole != 1)
		bad("accepted, but %u copies are there", f->whole);
	if ((a == NOT_NOW || a == NEVER) && f->whole > 0)
		bad("refused, but it is there");
	if (a == LOST && f->whole > 1)
		bad("%u copies", f->whole);
	if (a == NEVER)
		bad("refused for ever, because of a fault that will pass");
	if (r->tamper != T_KILL && f->unfinished > 0)
		bad("%u unfinished files are left", f->unfinished);
	if (!trace_fired(&S.trace) && a != ACKED)
		bad("nothing was wrong, and it was not accepted");
}

bool
run_finish(void)
{
	bool fired = trace_fired(&S.trace);

	site_kill();
	return fired;
}

/* ---- inject in its ways ------------------------------------------------ */

static bool
run_injector(const struct rule *r, char *const argv[], const char *envelope,
    size_t envelope_len)
{
	struct start s = { .argv = argv, .out = -1 };
	struct buf msg = BUF_INIT;
	struct found f;
	int status;

	site_clear();
	message_make(&msg, "A", message_size());
	s.in = file_of(msg.data, msg.len);
	if (envelope != NULL)
		s.out = file_of(envelope, envelope_len);
	status = run_traced(&s, r);
	f = look_spool("A", &msg);
	judge(exit_answer(status, envelope != NULL), &f, r);
	(void)close(s.in);
	if (s.out != -1)
		(void)close(s.out);
	buf_release(&msg);
	return run_finish();
}

static bool
run_inject_f(const struct rule *r)
{
	char from[] = SENDER, to[] = LOCAL, c[] = "-C", f[] = "-f";
	char *program = xstrdup(site_program("inject"));
	char *argv[] = { program, c, S.conf, f, from, to, NULL };
	bool fired = run_injector(r, argv, NULL, 0);

	free(program);
	return fired;
}

static bool
run_inject_q(const struct rule *r)
{
	static const char envelope[] = "F" SENDER "\0T" LOCAL "\0";
	char c[] = "-C", q[] = "-q";
	char *program = xstrdup(site_program("inject"));
	char *argv[] = { program, q, c, S.conf, NULL };
	bool fired = run_injector(r, argv, envelope, sizeof(envelope));

	free(program);
	return fired;
}

/* The server, with one connection on fd 0. */
static bool
run_inject_session(const struct rule *r)
{
	char c[] = "-C";
	char *program = xstrdup(site_program("inject"));
	char *argv[] = { program, c, S.conf, NULL };
	struct start s = { .argv = argv, .out = -1 };
	struct buf msg = BUF_INIT;
	struct found f;
	enum answer a;
	int pair[2];

	site_clear();
	message_make(&msg, "A", message_size());
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		err(1, "socketpair");
	s.in = pair[0];
	s.err = log_file();
	trace_start(&S.trace, &s, r);
	(void)close(pair[0]);
	a = inject_send(pair[1], &msg, LOCAL);
	if (trace_wait(&S.trace, WAIT_S) == -1)
		bad("it does not end");
	(void)close(s.err);
	f = look_spool("A", &msg);
	/* Killed, or unable to write: it can have no answer. */
	if (a == LOST && f.whole == 0 && r->tamper != T_KILL)
		a = NOT_NOW;
	judge(a, &f, r);
	buf_release(&msg);
	free(program);
	return run_finish();
}

/* ---- local ------------------------------------------------------------ */

static bool
run_local(const struct rule *r)
{
	char from[] = SENDER, to[] = LOCAL, c[] = "-C", f[] = "-f", d[] = "-d";
	char *program = xstrdup(site_program("local"));
	char *maildir = xstrdup(site_path("Maildir"));
	char *argv[] = { program, c, S.conf, d, maildir, f, from, to, NULL };
	struct start s = { .argv = argv, .out = -1 };
	struct buf msg = BUF_INIT;
	struct found found;
	int status;

	maildir_owner(geteuid());
	site_clear();
	message_make(&msg, "A", message_size());
	s.in = file_of(msg.data, msg.len);
	status = run_traced(&s, r);
	found = look_maildir(site_path("Maildir/new"), "A", &msg);
	found.unfinished = look_count("Maildir/tmp");
	judge(exit_answer(status, false), &found, r);
	(void)close(s.in);
	buf_release(&msg);
	free(program);
	free(maildir);
	return run_finish();
}

#define WRITES	(C_OPEN | C_WRITE | C_SYNC | C_LINK | C_RENAME | C_UNLINK | \
		 C_CLOSE | C_TRUNC | C_STAT | C_READ)

const struct way filter_ways[] = {
	{ "inject -f", "inject", run_inject_f, WRITES },
	{ "qmail-queue", "inject", run_inject_q, WRITES },
	{ "inject's socket", "inject", run_inject_session, WRITES },
	{ "local", "local", run_local, WRITES },
	{ "POP3 session", "pop3d", run_pop3, WRITES },
	{ "POP3 without QUIT", "pop3d", run_pop3_no_quit, WRITES },
};
const unsigned n_filter_ways = sizeof(filter_ways) / sizeof(filter_ways[0]);
