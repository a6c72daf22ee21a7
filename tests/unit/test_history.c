/*
 * The history of what has left the queue: written line by line, read back.
 * link: queue
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../queue/history.h"
#include "../../queue/queue.h"
#include "date.h"

static char root[] = "/tmp/history.XXXXXX", dir[64], path[96];
static struct config cfg;
static struct msg msg = { .id = "25x2xq0000000000" };
static struct active active = { .msg = &msg };

/* Today's file, and how many there are. */
static unsigned
days(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	unsigned n = 0;

	if (d == NULL)
		return 0;
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] == '2';
	closedir(d);
	return n;
}

static int
setup(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	if (mkdtemp(root) == NULL)
		return -1;
	snprintf(dir, sizeof(dir), "%s/history", root);
	date_iso(&b, date_now_usec(), 0);
	snprintf(path, sizeof(path), "%s/%.10s", dir, buf_str(&b));
	buf_release(&b);
	cfg.spool = root;
	cfg.history_days = 3;
	Q.cfg = &cfg;
	Q.loop = loop_new();
	Q.spool.root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	active.env.sender = xstrdup("");
	active.env.arrived = 1795400000000000;
	return Q.spool.root == -1 ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	(void)unlink(path);
	(void)rmdir(dir);
	(void)rmdir(root);
	free(active.env.sender);
	loop_free(Q.loop);
	return 0;
}

struct seen { unsigned n; struct history_line last; char text[600], to[99]; };

static int
see(const struct history_line *h, void *arg)
{
	struct seen *s = arg;

	s->n++;
	s->last = *h;
	strlcpy(s->text, h->text, sizeof(s->text));
	strlcpy(s->to, h->to, sizeof(s->to));
	return 0;
}

static struct seen
read_all(const char *word)
{
	struct seen s = { 0 };

	assert_int_equal(history_each(&cfg, word, see, &s), 0);
	return s;
}

static struct env_rcpt
rcpt(const char *addr, const char *text)
{
	struct env_rcpt r = { .n = 1, .attempts = 2 };

	r.addr = xstrdup(addr);
	r.text = xstrdup(text);
	return r;
}

static void
add(const char *addr, const char *text)
{
	struct env_rcpt r = rcpt(addr, text);

	history_add(HISTORY_DONE, &active, &r, "TLSv1.3", NULL);
	free(r.addr);
	free(r.text);
}

static void
append(const char *text)
{
	FILE *f = fopen(path, "a");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
no_history_is_an_empty_one(void **state)
{
	(void)state;
	add("early@d", "before history_start nothing is written");
	assert_int_equal(read_all(NULL).n, 0);
}

static void
an_outcome_is_read_as_it_was_written(void **state)
{
	struct seen s;

	(void)state;
	history_start();
	add("a \"b\"<%>@d", "250 2.0.0 \"ok\" \\ \033[31m");
	s = read_all(NULL);
	assert_int_equal(s.n, 1);
	assert_string_equal(s.to, "a \"b\"<%>@d");
	assert_string_equal(s.text, "250 2.0.0 \"ok\" \\ \\x1B[31m");
	assert_string_equal(s.last.id, msg.id);
	assert_int_equal(s.last.what, HISTORY_DONE);
	assert_int_equal(s.last.attempts, 3);
	assert_int_equal(s.last.arrived, active.env.arrived);
	assert_true(s.last.time <= date_now_usec());
	assert_null(s.last.host);
}

static void
a_word_sieves_the_lines(void **state)
{
	(void)state;
	add("billy@yahoo.co.uk", "250 ok");
	history_gone("25x2xq0000000001", NULL);
	assert_int_equal(read_all(NULL).n, 3);
	assert_int_equal(read_all("billy@").n, 1);
	assert_int_equal(read_all("25x2xq0000000001").last.what, HISTORY_GONE);
	assert_int_equal(read_all("nobody").n, 0);
}

/* A power cut has left half a line. */
static void
a_torn_line_spoils_no_other(void **state)
{
	(void)state;
	append("2026-11-23T00:00:00Z 25x2xq00000");
	assert_int_equal(read_all(NULL).n, 3);
	Q.cfg = &cfg;
	history_forget();
	history_start();
	add("next@d", "250 ok");
	assert_int_equal(read_all(NULL).n, 4);
	assert_int_equal(read_all("next@d").n, 1);
}

static void
junk_is_skipped(void **state)
{
	(void)state;
	append("\n \nx\n2026-11-23T00:00:00Z 25x2xq0000000000 eaten \"\"\n"
	    "2026-11-23T00:00:00Z 25x2xq0000000000 done to=%0A \"\"\n"
	    "2026-11-23T00:00:00Z 25x2xq0000000000 done to=x\n");
	assert_int_equal(read_all(NULL).n, 4);
	append("2026-11-23T00:00:00Z 25x2xq0000000000 done new=key \"\"\n");
	assert_int_equal(read_all(NULL).n, 5);
}

static void
make_day(int64_t ago)
{
	struct buf b = BUF_INIT;
	char name[128];

	date_iso(&b, date_now_usec() - ago * 86400000000, 0);
	snprintf(name, sizeof(name), "%s/%.10s", dir, buf_str(&b));
	fclose(fopen(name, "w"));
	buf_release(&b);
}

static void
as_many_days_are_kept_as_the_key_says(void **state)
{
	(void)state;
	for (int64_t ago = 1; ago <= 5; ago++)
		make_day(ago);
	assert_int_equal(days(), 6);
	history_forget();
	history_start();
	assert_int_equal(days(), 6);
	history_expire(date_now_usec());
	assert_int_equal(days(), 4);
	history_expire(date_now_usec());
	assert_int_equal(days(), 3);
	history_expire(date_now_usec());
	assert_int_equal(days(), 3);
	cfg.history_days = 0;
	history_forget();
	history_start();
	assert_int_equal(days(), 0);
	add("late@d", "none is kept");
	assert_int_equal(days(), 0);
}

/* A battery that is empty, and ten years have passed. */
static void
a_clock_that_jumps_ahead_costs_a_day_at_most(void **state)
{
	int64_t future = date_now_usec() + 3650 * INT64_C(86400000000);

	(void)state;
	cfg.history_days = 3;
	history_start();
	add("today@d", "ok");
	make_day(1);
	make_day(2);
	make_day(-3650);		/* what is written meanwhile */
	assert_int_equal(days(), 4);
	history_expire(future);
	assert_int_equal(days(), 3);
	assert_int_equal(read_all("today@").n, 1);
	/* It is right again. */
	history_expire(date_now_usec());
	assert_int_equal(days(), 3);
	cfg.history_days = 0;
	history_forget();
	history_start();
}

static void
who_was_meant_is_known_of_what_has_been_taken_away(void **state)
{
	struct env_rcpt *r;
	struct envelope env;
	struct seen s;

	(void)state;
	cfg.history_days = 3;
	history_forget();
	history_start();
	envelope_init(&env);
	env.sender = xstrdup("jean-bob@emc.fr");
	(void)envelope_add(&env, "billy@yahoo.co.uk");
	r = envelope_add(&env, "done@yahoo.co.uk");
	r->state = RCPT_DONE;
	history_gone("25x2xq0000000002", &env);
	s = read_all("25x2xq0000000002");
	assert_int_equal(s.n, 1);
	assert_string_equal(s.to, "billy@yahoo.co.uk");
	assert_int_equal(s.last.what, HISTORY_GONE);
	envelope_release(&env);
}

static void
hands_leave_a_line_where_no_queue_manager_runs(void **state)
{
	struct spool spool = { .root = Q.spool.root, .hold = -1 };
	struct seen s = { .n = 0 };
	struct stat st;

	(void)state;
	(void)unlink(path);
	(void)mkdir(dir, 0700);
	if (geteuid() == 0)
		assert_int_equal(chown(dir, 12345, 12346), 0);
	history_by_hand(&cfg, &spool, "25x2xq0000000000.17");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, geteuid() == 0 ? 12345 : geteuid());
	assert_int_equal(st.st_mode & 0777, 0600);
	history_by_hand(&cfg, &spool, "25x2xq0000000001.17");
	history_by_hand(&cfg, &spool, "no message");
	assert_int_equal(history_each(&cfg, NULL, see, &s), 0);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.last.what, HISTORY_GONE);
	/* What is not the directory's owner's is no history of his. */
	if (geteuid() == 0) {
		off_t size;

		assert_int_equal(stat(path, &st), 0);
		size = st.st_size;
		assert_int_equal(chown(path, 0, 0), 0);
		history_by_hand(&cfg, &spool, "25x2xq0000000002.17");
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_size, size);
	}
	(void)unlink(path);
	(void)rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_history_is_an_empty_one),
		cmocka_unit_test(an_outcome_is_read_as_it_was_written),
		cmocka_unit_test(a_word_sieves_the_lines),
		cmocka_unit_test(a_torn_line_spoils_no_other),
		cmocka_unit_test(junk_is_skipped),
		cmocka_unit_test(as_many_days_are_kept_as_the_key_says),
		cmocka_unit_test(a_clock_that_jumps_ahead_costs_a_day_at_most),
		cmocka_unit_test(
		    who_was_meant_is_known_of_what_has_been_taken_away),
		cmocka_unit_test(hands_leave_a_line_where_no_queue_manager_runs),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
