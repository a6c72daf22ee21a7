/*
 * load.c - suite 2, second half: a site under load, whose processes are killed
 * at random, again and again, and in the end all at once.  What was
 * acknowledged is compared with what arrived.
 *
 * A test tool.
 */
#include <sys/wait.h>

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crash.h"
#include "deadline.h"

#define CLIENTS	4
#define SETTLE_S 90

static const char *const one[] = { LOCAL, NULL };
static const char *const two[] = { LOCAL, FAR, NULL };
static const char *const three[] = { LOCAL, FAR, REFUSED, NULL };

static const char *const programs[] = { "smtpd", "inject", "queue", "launch",
    "remote", "resolve", "authd" };
#define NPROGRAMS	(sizeof(programs) / sizeof(programs[0]))
static unsigned kills, by_program[NPROGRAMS];

/* Into the mailbox while its sender waits, or through the queue. */
static bool
is_direct(unsigned i)
{
	return i % 3 == 1;
}

static bool
wants_report(unsigned i)
{
	return i % 5 == 0 && !is_direct(i);
}

static void
token_of(char out[32], unsigned round, unsigned client, unsigned i)
{
	(void)snprintf(out, 32, "L%u-%u-%u", round, client, i);
}

/* ---- the clients: each writes down what was said ------------------------ */

static _Noreturn void
client(unsigned round, unsigned c, unsigned n, int out)
{
	struct buf msg = BUF_INIT;
	char token[32];

	for (unsigned i = 0; i < n; i++) {
		enum answer a;
		char line[64];
		int len;

		token_of(token, round, c, i);
		message_make(&msg, token, 500 + 7919 * i % 40000);
		a = smtp_send(&msg, is_direct(i) ? one :
		    wants_report(i) ? three : two);
		len = snprintf(line, sizeof(line), "%u %u %d\n", c, i, (int)a);
		if (write(out, line, (size_t)len) != len)
			_exit(1);
	}
	_exit(0);
}

/* ---- the killer ---------------------------------------------------------- */

/*
 * Which of the programs of our site is it?  They all name its directory.  -1:
 * none.  The command line can be read of a process that may not be dumped,
 * too.
 */
static int
program_number(pid_t pid)
{
	char path[64], text[1024];
	const char *name;
	ssize_t n = -1;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	text[n > 0 ? n : 0] = '\0';
	if (n <= 0 ||
	    memmem(text, (size_t)n, S.conf, strlen(S.conf) + 1) == NULL)
		return -1;
	name = strrchr(text, '/') != NULL ? strrchr(text, '/') + 1 : text;
	for (size_t i = 0; i < NPROGRAMS; i++)
		if (strcmp(name, programs[i]) == 0)
			return (int)i;
	return -1;
}

/* First a program, then one of its processes: all programs get their share. */
static void
kill_one(void)
{
	pid_t found[256];
	int number[256], want;
	unsigned n = 0, same = 0, at;
	struct dirent *d;
	DIR *dir = opendir("/proc");

	while (dir != NULL && (d = readdir(dir)) != NULL && n < 256) {
		pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);

		if (pid <= 0 || (number[n] = program_number(pid)) == -1)
			continue;
		found[n++] = pid;
	}
	if (dir != NULL)
		(void)closedir(dir);
	want = (int)(random() % (long)NPROGRAMS);
	for (unsigned i = 0; i < n; i++)
		same += number[i] == want;
	if (same == 0)
		return;
	at = (unsigned)random() % same;
	for (unsigned i = 0; i < n; i++)
		if (number[i] == want && at-- == 0) {
			if (kill(found[i], SIGKILL) == 0) {
				kills++;
				by_program[want]++;
			}
			return;
		}
}

/* ---- judging --------------------------------------------------------- */

static void
judge_one(const char *token, const struct buf *msg, enum answer a, unsigned i)
{
	struct found l, f, r;

	l = look_maildir(site_path("mail/emc.fr/billy/Maildir/new"), token,
	    msg);
	f = look_sink(token, msg);
	r = look_reports(token);
	if (l.broken + f.broken + r.broken > 0)
		bad("%s: not whole: %s%s%s", token, l.why, f.why, r.why);
	if (a == ACKED && (l.whole == 0 ||
	    (!is_direct(i) && f.whole == 0) ||
	    (wants_report(i) && r.whole == 0)))
		bad("%s was accepted; mailbox %u, other host %u, report %u",
		    token, l.whole, f.whole, r.whole);
	/* 451 is what smtpd says, too, when inject has died. */
	if (a == NEVER)
		bad("%s was refused for ever", token);
	if (l.whole > 1)
		bad("%s is in the mailbox %u times", token, l.whole);
	if (f.whole > 1)
		T.copies += f.whole - 1;
	if (r.whole > 1)
		T.copies += r.whole - 1;
}

static void
judge_round(unsigned round, int answers)
{
	struct buf msg = BUF_INIT;
	char token[32];
	unsigned c, i;
	int a;
	FILE *f;

	if (lseek(answers, 0, SEEK_SET) == -1 ||
	    (f = fdopen(answers, "r")) == NULL)
		err(1, "answers");
	while (fscanf(f, "%u %u %d", &c, &i, &a) == 3) {
		T.runs++;
		T.acked += a == ACKED;
		T.lost += a == LOST;
		T.refused += a == NOT_NOW || a == NEVER;
		token_of(token, round, c, i);
		message_make(&msg, token, 500 + 7919 * i % 40000);
		judge_one(token, &msg, (enum answer)a, i);
	}
	(void)fclose(f);
	buf_release(&msg);
}

/* ---- a round ------------------------------------------------------------- */

static void
settle(void)
{
	int64_t deadline = now_ms() + SETTLE_S * 1000;

	while (look_count("spool/queue") > 0 && now_ms() < deadline)
		if (!site_changed(200))
			site_push();
	if (look_count("spool/queue") > 0)
		bad("the queue is not empty after %d s", SETTLE_S);
	if (look_count("spool/bad") > 0)
		bad("a message was moved to bad/");
}

static void
run_round(unsigned round, unsigned n, unsigned deaths)
{
	int answers = open(S.dir, O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC,
	    0600);
	pid_t clients[CLIENTS];

	site_clear();
	if (answers == -1 || !site_start(false)) {
		bad("the site does not start");
		return;
	}
	(void)fflush(stdout);
	for (unsigned c = 0; c < CLIENTS; c++)
		if ((clients[c] = fork()) == 0)
			client(round, c, n, answers);
	/* Their pace is that of the mail: one death for some changes. */
	for (unsigned k = 0; k < deaths; k++) {
		for (long i = random() % 12; i >= 0; i--)
			(void)site_changed(50);
		kill_one();
	}
	for (unsigned c = 0; c < CLIENTS; c++)
		(void)waitpid(clients[c], NULL, 0);
	/* And now all of it, the supervisor first, with mail in the queue. */
	site_kill();
	if (!site_start(false))
		bad("the site does not start again");
	settle();
	if (!site_stop())
		bad("the site does not end on SIGTERM");
	judge_round(round, answers);
}

void
suite_load(void)
{
	unsigned rounds = O.brief ? 1 : 8, n = O.brief ? 25 : 40;
	char what[300];
	int len;

	srandom((unsigned)O.seed);
	tally_begin();
	for (unsigned r = 0; r < rounds; r++)
		run_round(r, n, 12);
	len = snprintf(what, sizeof(what), "killed at random under load, "
	    "seed %lu, %u kills", O.seed, kills);
	for (size_t i = 0; i < NPROGRAMS && len > 0 &&
	    (size_t)len < sizeof(what); i++)
		len += snprintf(what + len, sizeof(what) - (size_t)len,
		    ", %s %u", programs[i], by_program[i]);
	tally_end(what);
}
