/*
 * What the queue manager makes of the names in queue/, and of outcomes that
 * the disk does not take.  D and a number: the attack list, section D.
 * link: queue
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sys/file.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../queue/foreign.h"
#include "../../queue/queue.h"
#include "../../queue/unsaved.h"
#include "log.h"

static char dir[64];
static int ours, saved_stderr;		/* read end of the log */

static void
empty(int at)
{
	DIR *d = fdopendir(openat(at, ".", O_RDONLY | O_CLOEXEC));
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		(void)unlinkat(at, e->d_name, 0);
	closedir(d);
}

static int
setup(void **state)
{
	int fd[2];

	(void)state;
	strlcpy(dir, "/tmp/test_queue_scan.XXXXXX", sizeof(dir));
	if (mkdtemp(dir) == NULL || spool_open(&Q.spool, dir, true) == -1 ||
	    pipe2(fd, O_CLOEXEC | O_NONBLOCK) == -1)
		return -1;
	ours = fd[0];
	saved_stderr = dup(STDERR_FILENO);
	(void)dup2(fd[1], STDERR_FILENO);
	return close(fd[1]);
}

static void
forget(struct msg *m, void *arg)
{
	(void)arg;
	msg_forget(m);
}

static int
teardown(void **state)
{
	char path[80];

	(void)state;
	(void)dup2(saved_stderr, STDERR_FILENO);
	(void)close(saved_stderr);
	(void)close(ours);
	msg_each(forget, NULL);
	empty(Q.spool.queue);
	spool_close(&Q.spool);
	for (int i = 0; i < 4; i++) {
		static const char *const sub[] = { "queue", "hold", "bad", "" };

		snprintf(path, sizeof(path), "%s/%s", dir, sub[i]);
		assert_int_equal(rmdir(path), 0);
	}
	return 0;
}

/* How many lines the log has about it since the last time. */
static int
lines(const char *word)
{
	char text[65536];
	ssize_t n = read(ours, text, sizeof(text) - 1);
	int found = 0;

	text[n < 0 ? 0 : n] = '\0';
	for (const char *p = text; (p = strstr(p, word)) != NULL; p++)
		found++;
	return found;
}

static void
touch(const char *name)
{
	int fd = openat(Q.spool.queue, name, O_WRONLY | O_CREAT | O_CLOEXEC,
	    0600);

	assert_int_not_equal(fd, -1);
	(void)close(fd);
}

static void
d70_foreign_objects_are_reported_once_not_at_each_rescan(void **state)
{
	(void)state;
	touch("README");
	touch("two\nlines");
	assert_int_equal(symlinkat("/etc/passwd", Q.spool.queue, "link"), 0);
	assert_int_equal(mkfifoat(Q.spool.queue, "tmp.fifo", 0600), 0);
	scan_all();
	assert_int_equal(lines("foreign-object"), 4);
	scan_all();
	scan_all();
	assert_int_equal(lines("foreign-object"), 0);
	/* Gone, and there again: that is news. */
	foreign_gone("README");
	scan_all();
	assert_int_equal(lines("foreign-object"), 1);
	foreign_gone("README");
	foreign_gone("two\nlines");
	foreign_gone("link");
	foreign_gone("tmp.fifo");
	assert_int_equal(Q.index_n, 0);
}

static void
d70_thousands_of_foreign_objects_do_not_fill_the_log_or_memory(void **state)
{
	char name[32];
	int n = 0;

	(void)state;
	for (int i = 0; i < 12000; i++) {
		snprintf(name, sizeof(name), "object%d", i);
		foreign_report(name, "test");
		if (i % 100 == 0)
			n += lines("foreign-object ");
	}
	n += lines("foreign-object ");
	assert_int_equal(n, 10000);
	for (int i = 0; i < 12000; i++) {
		snprintf(name, sizeof(name), "object%d", i);
		foreign_gone(name);
	}
}

/* `cp ID.1 ID.2`, or a clock that stands still. */
static void
d74_two_names_with_one_id_are_told_apart(void **state)
{
	struct msg *m;

	(void)state;
	touch("25x2t8n3chy05l4w.1");
	scan_all();
	touch("25x2t8n3chy05l4w.2");
	scan_all();
	scan_all();
	assert_int_equal(lines("another message has this ID"), 1);
	m = msg_find("25x2t8n3chy05l4w");
	assert_non_null(m);
	assert_int_equal(m->size, 1);
	msg_forget(m);
	assert_int_equal(unlinkat(Q.spool.queue, "25x2t8n3chy05l4w.1", 0), 0);
	scan_all();
	m = msg_find("25x2t8n3chy05l4w");
	assert_non_null(m);
	assert_int_equal(m->size, 2);
	foreign_gone("25x2t8n3chy05l4w.2");
}

/* D73: whatever the clock says, what is locked is being written. */
static void
an_unfinished_file_goes_when_it_is_old_and_nobody_writes_it(void **state)
{
	const struct timespec old[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	int fd;

	(void)state;
	touch("tmp.young");
	touch("tmp.old");
	touch("tmp.busy");
	assert_int_equal(utimensat(Q.spool.queue, "tmp.old", old, 0), 0);
	assert_int_equal(utimensat(Q.spool.queue, "tmp.busy", old, 0), 0);
	fd = openat(Q.spool.queue, "tmp.busy", O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	scan_all();
	assert_int_equal(lines("stale-removed"), 1);
	assert_int_equal(faccessat(Q.spool.queue, "tmp.old", F_OK, 0), -1);
	assert_int_equal(faccessat(Q.spool.queue, "tmp.busy", F_OK, 0), 0);
	assert_int_equal(faccessat(Q.spool.queue, "tmp.young", F_OK, 0), 0);
	(void)close(fd);
	scan_all();
	assert_int_equal(faccessat(Q.spool.queue, "tmp.busy", F_OK, 0), -1);
}

static void
make_active(struct active *a, struct msg *m, int fd)
{
	*a = (struct active){ .msg = m, .fd = fd };
	envelope_init(&a->env);
	a->env.sender = xstrdup("jean-bob@emc.fr");
	a->env.arrived = 1;
	envelope_add(&a->env, "marie@emc.fr");
	envelope_add(&a->env, "billy@yahoo.co.uk");
}

/* D65 */
static void
an_outcome_the_disk_does_not_take_is_kept(void **state)
{
	const struct outcome o = { .text = "250 ok" };
	int full = open("/dev/full", O_RDWR | O_CLOEXEC), fd[2];
	struct msg m = { .id = "25x2t8n3chy05l4w" };
	struct active a, b;
	char text[512] = "";

	(void)state;
	make_active(&a, &m, full);
	outcome_done(&a, 1, &o);
	assert_int_equal(outcome_flush(&a), -1);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(lines("outcome-not-recorded"), 1);
	unsaved_keep(m.id, &a.lines);
	assert_int_equal(a.lines.len, 0);
	envelope_release(&a.env);

	/* The next look at the file, which tells of two pending ones. */
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	make_active(&b, &m, fd[1]);
	assert_true(unsaved_take(m.id, &b.lines));
	assert_false(unsaved_take(m.id, &a.lines));
	b.env.ready = true;
	envelope_more(&b.env, buf_str(&b.lines), b.lines.len);
	assert_int_equal(b.env.rcpts[0].state, RCPT_DONE);
	assert_int_equal(b.env.rcpts[1].state, RCPT_PENDING);
	outcome_done(&b, 2, &o);
	assert_int_equal(outcome_flush(&b), 0);
	assert_true(read(fd[0], text, sizeof(text) - 1) > 0);
	assert_non_null(strstr(text, "done 1 "));
	assert_non_null(strstr(text, "\ndone 2 "));
	envelope_release(&b.env);
	buf_release(&a.lines);
	buf_release(&b.lines);
	(void)close(fd[0]);
	(void)close(fd[1]);
	(void)close(full);
}

/* D72: what it costs to know of very many messages. */
static void
d72_a_million_messages_take_little_memory(void **state)
{
	char id[ID_LEN + 1];
	struct msg *m;

	(void)state;
	assert_true(sizeof(struct msg) <= 128);
	for (unsigned i = 0; i < 1000000; i++) {
		snprintf(id, sizeof(id), "25x2t8n3c%07u", i);
		(void)msg_add(id, 1000, (int64_t)((i * 7919ULL) % 1000003));
	}
	assert_int_equal(Q.index_n, 1000000);
	/* New mail is due at once, and so the first of all. */
	m = msg_add("25x2t8n3cyyyyyyy", 1000, -1);
	assert_ptr_equal(msg_pop_due(0), m);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(d70_foreign_objects_are_reported_once_not_at_each_rescan),
		T(d70_thousands_of_foreign_objects_do_not_fill_the_log_or_memory),
		T(d74_two_names_with_one_id_are_told_apart),
		T(an_unfinished_file_goes_when_it_is_old_and_nobody_writes_it),
		T(an_outcome_the_disk_does_not_take_is_kept),
		T(d72_a_million_messages_take_little_memory),
	};

	log_init("queue");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
