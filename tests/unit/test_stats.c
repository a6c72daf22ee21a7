/*
 * The queue manager's figures: counted, told as Prometheus reads them, put
 * into a file; the oldest message, the reasons; inject's notices.
 * link: queue
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../queue/dsn.h"
#include "../../queue/queue.h"

#define MINUTE	INT64_C(60000000)
#define ID	"25x2xq0000000000"
#define HOUR_MS	INT64_C(3600000)

static struct config cfg;
static char hostname[] = "mx.emc.fr";
static struct buf text = BUF_INIT;

static int
fresh(void **state)
{
	struct stats empty = { .accept.upto = stats.accept.upto };

	(void)state;
	for (int v = 0; v < VIAS; v++) {
		empty.waited[v].upto = stats.waited[v].upto;
		empty.took[v].upto = stats.took[v].upto;
	}
	stats = empty;
	cfg.hostname = hostname;
	Q.cfg = &cfg;
	Q.started = 1;
	return 0;
}

static int
forget_text(void **state)
{
	(void)state;
	buf_release(&text);
	return 0;
}

/* Is this a whole line of what is told now? */
static bool
tells(const char *line)
{
	struct buf needle = BUF_INIT;
	bool found;

	buf_reset(&text);
	stats_text(&text);
	buf_addf(&needle, "\n%s\n", line);
	found = strstr(buf_str(&text), buf_str(&needle)) != NULL;
	buf_release(&needle);
	return found;
}

/* ---- counting ---- */

static void
outcomes_are_told_by_kind(void **state)
{
	(void)state;
	stats_outcome(VIA_LOCAL, FATE_DONE, 100, 5000);
	stats_outcome(VIA_LOCAL, FATE_DONE, 100, 5000);
	stats_outcome(VIA_REMOTE, FATE_DEFER, 100, 5000);
	stats_outcome(VIA_NONE, FATE_FAIL, 100, 5000);
	stats_attempt(VIA_REMOTE);
	stats_report(DSN_DELAYED);
	assert_true(tells("facteur_outcomes_total"
	    "{kind=\"local\",outcome=\"done\"} 2"));
	assert_true(tells("facteur_outcomes_total"
	    "{kind=\"remote\",outcome=\"defer\"} 1"));
	assert_true(tells("facteur_outcomes_total"
	    "{kind=\"none\",outcome=\"fail\"} 1"));
	assert_true(tells("facteur_delivered_bytes_total{kind=\"local\"} 200"));
	assert_true(tells("facteur_attempts_total{kind=\"remote\"} 1"));
	assert_true(tells("facteur_reports_total{kind=\"delayed\"} 1"));
	assert_true(tells("facteur_info{hostname=\"mx.emc.fr\"} 1"));
}

static void
a_message_counts_once_and_only_if_it_came_while_we_were_here(void **state)
{
	struct msg old = { .id = ID, .size = 100 }, new = old;

	(void)state;
	Q.started = id_usec(ID) + 1;
	stats_message(&old);
	Q.started = id_usec(ID);
	stats_message(&old);
	assert_int_equal(stats.messages, 0);
	stats_message(&new);
	stats_message(&new);
	assert_true(tells("facteur_accepted_messages_total 1"));
	assert_true(tells("facteur_accepted_bytes_total 100"));
}

static void
buckets_are_cumulative_and_a_bound_belongs_to_its_own(void **state)
{
	(void)state;
	stats_accept(500);
	stats_accept(501);
	stats_accept(-7);		/* a clock that was set back */
	stats_accept(3600 * INT64_C(1000000));
#define ACCEPT "facteur_accept_latency_seconds"
	assert_true(tells(ACCEPT "_bucket{le=\"0.0005\"} 2"));
	assert_true(tells(ACCEPT "_bucket{le=\"0.001\"} 3"));
	assert_true(tells(ACCEPT "_bucket{le=\"10\"} 3"));
	assert_true(tells(ACCEPT "_bucket{le=\"+Inf\"} 4"));
	assert_true(tells(ACCEPT "_sum 3600.001001"));
	assert_true(tells(ACCEPT "_count 4"));
}

static void
histograms_of_kinds_stand_apart(void **state)
{
	(void)state;
	stats_reply(VIA_LOCAL, 3000, 0);
	stats_reply(VIA_REMOTE, 2000000, 250);
	stats_outcome(VIA_REMOTE, FATE_DONE, 1, 86400 * INT64_C(1000000));
	assert_true(tells("facteur_delivery_latency_seconds_bucket"
	    "{kind=\"local\",le=\"0.005\"} 1"));
	assert_true(tells("facteur_delivery_latency_seconds_bucket"
	    "{kind=\"remote\",le=\"1\"} 0"));
	assert_true(tells("facteur_delivery_latency_seconds_sum"
	    "{kind=\"remote\"} 2.000000"));
	assert_true(tells("facteur_queue_time_seconds_bucket"
	    "{kind=\"remote\",le=\"14400\"} 0"));
	assert_true(tells("facteur_queue_time_seconds_bucket"
	    "{kind=\"remote\",le=\"86400\"} 1"));
}

static void
replies_are_three_digits_from_2_to_5_or_none(void **state)
{
	static const int none[] = { 0, 1, 99, 199, 600, 65535, -1 };

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		stats_reply(VIA_REMOTE, 1, none[i]);
	stats_reply(VIA_REMOTE, 1, 200);
	stats_reply(VIA_REMOTE, 1, 451);
	stats_reply(VIA_REMOTE, 1, 599);
	stats_reply(VIA_LOCAL, 1, 250);
	assert_true(tells("facteur_replies_total{code=\"none\"} 7"));
	assert_true(tells("facteur_replies_total{code=\"200\"} 1"));
	assert_true(tells("facteur_replies_total{code=\"451\"} 1"));
	assert_true(tells("facteur_replies_total{code=\"599\"} 1"));
	assert_null(strstr(buf_str(&text), "code=\"250\""));
}

static void
hostile_labels_are_escaped(void **state)
{
	static const struct { const char *in, *out; } cases[] = {
		{ "", "\"\"" },
		{ "a\"} 1\nevil 2", "\"a\\\"} 1\\nevil 2\"" },
		{ "\\", "\"\\\\\"" },
		{ "\x1b[31m\r\x7f\t", "\"?[31m???\"" },
		{ "b\xc3\xa9", "\"b\xc3\xa9\"" },
		{ "b\xc3", "\"b?\"" },
	};
	struct buf b = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(&b);
		stats_label(&b, cases[i].in);
		assert_string_equal(buf_str(&b), cases[i].out);
	}
	buf_release(&b);
}

/* Each series has its HELP and TYPE above it, once, and no line is odd. */
static void
all_of_it_has_the_form_that_prometheus_reads(void **state)
{
	const char *line, *next;
	char name[100] = "", seen[8000] = " ";
	size_t len;

	(void)state;
	assert_true(tells("facteur_sites 0"));
	for (line = buf_str(&text); *line != '\0'; line = next + 1) {
		next = strchr(line, '\n');
		assert_non_null(next);
		if (strncmp(line, "# HELP ", 7) == 0) {
			len = strcspn(line + 7, " \n");
			assert_true(len < sizeof(name) - 2);
			snprintf(name, sizeof(name), " %.*s ", (int)len,
			    line + 7);
			assert_null(strstr(seen, name));
			strlcat(seen, name, sizeof(seen));
			snprintf(name, sizeof(name), "%.*s", (int)len,
			    line + 7);
			assert_memory_equal(next + 1, "# TYPE ", 7);
			assert_memory_equal(next + 8, name, len);
		} else if (*line != '#') {
			assert_memory_equal(line, name, strlen(name));
		}
	}
}

/* ---- the oldest message ---- */

static void
the_oldest_message_is_known_without_a_walk(void **state)
{
	int64_t day = INT64_C(1795400000) * 1000000;

	(void)state;
	assert_int_equal(ages_oldest(), 0);
	for (int i = 0; i < 10000; i++)
		ages_add(day + i * MINUTE);
	assert_int_equal(ages_oldest(), day);
	ages_add(day - 7);
	assert_int_equal(ages_oldest(), day - 7);
	ages_remove(day - 7);
	/* Another of that minute or its neighbour; at most a minute early. */
	assert_in_range(ages_oldest(), day - MINUTE, day);
	for (int i = 0; i < 9999; i++)
		ages_remove(day + i * MINUTE);
	assert_int_equal(ages_oldest(), day + 9999 * MINUTE);
	ages_remove(day + 9999 * MINUTE);
	assert_int_equal(ages_oldest(), 0);
	ages_add(-1);			/* an ID from nowhere */
	ages_remove(-1);
	ages_remove(day);		/* was never there */
	assert_int_equal(ages_oldest(), 0);
}

/* ---- reasons ---- */

struct reasons { unsigned n; uint64_t all, most; char first[REASON_MAX]; };

static void
collect(const char *reason, uint64_t n, void *arg)
{
	struct reasons *r = arg;

	r->n++;
	r->all += n;
	if (n > r->most) {
		r->most = n;
		strlcpy(r->first, reason, sizeof(r->first));
	}
}

static struct reasons
reasons_at(int64_t now)
{
	struct reasons r = { 0 };

	reasons_each(now, collect, &r);
	return r;
}

static void
reasons_that_differ_in_a_queue_id_are_one(void **state)
{
	struct reasons r;

	(void)state;
	reasons_add("451 4.7.1 Greylisted, see A1B2C3 at mx1.emc.fr", 1);
	reasons_add("451 4.7.1 Greylisted, see D4E5F6 at mx2.emc.fr", 1);
	r = reasons_at(2);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.most, 2);
	assert_string_equal(r.first, "451 4.7.1 Greylisted, see * at *");
	assert_int_equal(reasons_at(HOUR_MS + 2).most, 2);
	reasons_add("451 4.7.1 Greylisted, see G7 at mx3", HOUR_MS + 2);
	assert_int_equal(reasons_at(HOUR_MS + 2).most, 3);
	assert_int_equal(reasons_at(2 * HOUR_MS + 3).most, 1);
	assert_int_equal(reasons_at(9 * HOUR_MS).n, 0);
}

static void
ten_thousand_reasons_do_not_hide_the_commonest(void **state)
{
	char reason[4 * REASON_MAX];
	int64_t now = 20 * HOUR_MS;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		snprintf(reason, sizeof(reason), "x%d", i);
		reasons_add(reason, now);
		if (i % 10 == 0)
			reasons_add("the common one", now);
	}
	memset(reason, 'z', sizeof(reason));
	reason[sizeof(reason) - 1] = '\0';
	reasons_add(reason, now);
	assert_in_range(reasons_at(now).n, 1, 64);
	assert_string_equal(reasons_at(now).first, "the common one");
	assert_in_range(reasons_at(now).most, 900, 1000);
}

/* ---- notices ---- */

static void
a_notice_is_a_name_and_perhaps_a_time(void **state)
{
	static const struct { const char *in; bool good; int64_t usec; }
	    cases[] = {
		{ ID ".100", true, -1 },
		{ ID ".100 us=0", true, 0 },
		{ ID ".100 us=1234", true, 1234 },
		{ ID ".100 us=9999999999", true, 9999999999 },
		{ ID ".100 us=99999999999", false, 0 },
		{ ID ".100 us=", false, 0 },
		{ ID ".100 us=-1", false, 0 },
		{ ID ".100 us=1 ", false, 0 },
		{ ID ".100 us=1 us=2", false, 0 },
		{ ID ".100 ", false, 0 },
		{ ID ".100  us=1", false, 0 },
		{ ID ".100 ms=1", false, 0 },
		{ ID ".100\n", false, 0 },
		{ ID, false, 0 },
		{ ID " us=1", false, 0 },
		{ "../" ID ".1 us=1", false, 0 },
		{ " us=1", false, 0 },
		{ "", false, 0 },
	};
	char buffer[100], id[ID_LEN + 1];
	int64_t size, usec;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		strlcpy(buffer, cases[i].in, sizeof(buffer));
		assert_int_equal(notice_parse(buffer, id, &size, &usec),
		    cases[i].good);
		if (!cases[i].good)
			continue;
		assert_string_equal(id, ID);
		assert_int_equal(size, 100);
		assert_int_equal(usec, cases[i].usec);
	}
}

/* ---- the file ---- */

static void
the_file_is_replaced_as_a_whole(void **state)
{
	char dir[] = "/tmp/test_stats.XXXXXX", file[64], temp[64], link_to[64];
	struct stat one, two;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/facteur.prom", dir);
	snprintf(temp, sizeof(temp), "%s/.facteur.prom.tmp", dir);
	snprintf(link_to, sizeof(link_to), "%s/victim", dir);
	/* Left by one that was killed; or laid there by somebody: not followed. */
	assert_int_equal(symlink(link_to, temp), 0);
	assert_int_equal(symlink(link_to, file), 0);
	assert_int_equal(stats_file_write(file), 0);
	assert_int_equal(access(link_to, F_OK), -1);
	assert_int_equal(lstat(file, &one), 0);
	assert_true(S_ISREG(one.st_mode));
	assert_int_equal(one.st_mode & 07777, 0644);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	assert_int_equal(stats_file_write(file), 0);
	assert_int_equal(lstat(file, &two), 0);
	assert_true(one.st_ino != two.st_ino);
	assert_int_equal(access(temp, F_OK), -1);
	/* Who has the old one open reads it to its end. */
	assert_int_equal(fstat(fd, &two), 0);
	assert_int_equal(two.st_size, one.st_size);
	close(fd);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void
a_file_that_cannot_be_written_is_an_error_and_leaves_nothing(void **state)
{
	char dir[] = "/tmp/test_stats.XXXXXX", file[64];

	(void)state;
	assert_int_equal(stats_file_write("/nowhere/at/all.prom"), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(stats_file_write("/dev/null/x.prom"), -1);
	assert_int_equal(errno, ENOTDIR);
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/facteur.prom", dir);
	assert_int_equal(mkdir(file, 0700), 0);
	assert_int_equal(stats_file_write(file), -1);
	assert_int_equal(rmdir(file), 0);
	assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fresh, forget_text)
	const struct CMUnitTest tests[] = {
		T(outcomes_are_told_by_kind),
		T(a_message_counts_once_and_only_if_it_came_while_we_were_here),
		T(buckets_are_cumulative_and_a_bound_belongs_to_its_own),
		T(histograms_of_kinds_stand_apart),
		T(replies_are_three_digits_from_2_to_5_or_none),
		T(hostile_labels_are_escaped),
		T(all_of_it_has_the_form_that_prometheus_reads),
		T(the_oldest_message_is_known_without_a_walk),
		T(reasons_that_differ_in_a_queue_id_are_one),
		T(ten_thousand_reasons_do_not_hide_the_commonest),
		T(a_notice_is_a_name_and_perhaps_a_time),
		T(the_file_is_replaced_as_a_whole),
		T(a_file_that_cannot_be_written_is_an_error_and_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
