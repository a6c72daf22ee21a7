/*
 * Back-pressure: what the queue manager tells, and what follows for the next
 * message.
 *
 * link: queue
 * wrap: poll
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "deadline.h"
#include "../../queue/inject.h"

int	__real_poll(struct pollfd *, nfds_t, int);
int	__wrap_poll(struct pollfd *, nfds_t, int);

static int waited;		/* ms; -1: nobody has */
static bool really;		/* wait, indeed */

int
__wrap_poll(struct pollfd *fds, nfds_t n, int ms)
{
	waited = ms;
	return really ? __real_poll(fds, n, ms) : 0;
}

/* ---- arithmetic ---- */

static void
nothing_is_delayed_below_the_threshold_and_a_second_is_the_most(void **state)
{
	int last = 0;

	(void)state;
	assert_int_equal(pressure_delay_ms(0), 0);
	assert_int_equal(pressure_delay_ms(PRESSURE_FROM), 0);
	assert_int_equal(pressure_delay_ms(PRESSURE_FULL), 1000);
	assert_int_equal(pressure_delay_ms(UINT32_MAX), 1000);
	for (unsigned n = 0; n < 2 * PRESSURE_FULL; n++) {
		assert_true(pressure_delay_ms(n) >= last);
		assert_true(pressure_delay_ms(n) <= last + 1);
		last = pressure_delay_ms(n);
	}
}

/* So many clients, each answered after `service` ms and the delay, and a queue that takes `rate` a second: where it settles. */
static unsigned
settles_at(unsigned clients, int service, double rate)
{
	double waiting = 0;

	for (int ms = 0; ms < 600000; ms++) {
		double in = clients / (service +
		    (double)pressure_delay_ms((unsigned)waiting));

		waiting += in - rate / 1000;
		if (waiting < 0)
			waiting = 0;
	}
	return (unsigned)waiting;
}

static void
the_backlog_settles_near_the_threshold(void **state)
{
	static const struct { unsigned clients; double rate; } t[] = {
		{ 10, 300 }, { 10, 30 }, { 50, 1000 }, { 50, 100 },
		{ 200, 1000 }, { 500, 1000 }, { 1000, 2000 }
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		unsigned n = settles_at(t[i].clients, 2, t[i].rate);

		print_message("# %4u clients against %4.0f/s: %u wait\n",
		    t[i].clients, t[i].rate, n);
		assert_true(n >= PRESSURE_FROM);
		assert_true(n <= 3100);
	}
}

/* ---- the file ---- */

static void
the_file_is_two_lines_for_people(void **state)
{
	char text[PRESSURE_LEN + 1];

	(void)state;
	pressure_text(text, 1234, 456789);
	assert_string_equal(text, "waiting 00001234\nclock   00456789\n");
	assert_int_equal(strlen(text), PRESSURE_LEN);
	pressure_text(text, UINT32_MAX, 0);
	assert_string_equal(text, "waiting 99999999\nclock   00000000\n");
}

static void
what_is_old_or_malformed_says_nothing(void **state)
{
	static const char *const bad[] = {
		"waiting 0000123\nclock   004567890\n",
		"waiting 0000-123\nclock   00456789\n",
		"waiting 00001234 clock   00456789\n",
		"Waiting 00001234\nclock   00456789\n",
		"waiting 00001234\nclock   00456789 ",
		"waiting         \nclock           \n",
		"waiting 00001234\nwaiting 00456789\n",
	};
	char text[PRESSURE_LEN + 1];

	(void)state;
	pressure_text(text, 1234, 456789);
	assert_int_equal(pressure_parse(text, 456789), 1234);
	assert_int_equal(pressure_parse(text, 456799), 1234);
	assert_int_equal(pressure_parse(text, 456800), 0);
	/* From a boot before this one. */
	assert_int_equal(pressure_parse(text, 456788), 0);
	assert_int_equal(pressure_parse(text, 12), 0);
	/* Eight digits hold three years. */
	pressure_text(text, 1234, 99999998);
	assert_int_equal(pressure_parse(text, 100000003), 1234);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(pressure_parse(bad[i], 456789), 0);
}

/* ---- a host ---- */

static char dir[64];
static struct config *cfg;
static struct inject in;

static int
make_host(void **state)
{
	struct buf why = BUF_INIT, conf = BUF_INIT;
	FILE *f;

	(void)state;
	waited = -1;
	really = false;
	strlcpy(dir, "/tmp/test_pressure.XXXXXX", sizeof(dir));
	if (mkdtemp(dir) == NULL)
		return -1;
	buf_addf(&conf, "%s/facteur.conf", dir);
	if ((f = fopen(buf_str(&conf), "we")) == NULL)
		return -1;
	fprintf(f, "hostname = emc.fr\nrun = %s\nspool = %s/spool\n", dir, dir);
	fclose(f);
	if ((cfg = config_load(dir, false, &why)) == NULL)
		fail_msg("%s", buf_str(&why));
	buf_release(&why);
	buf_release(&conf);
	return inject_open(&in, cfg);
}

static int
remove_host(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	inject_close(&in);
	config_free(cfg);
	if ((pid = fork()) == 0) {
		execl("/bin/rm", "rm", "-rf", dir, (char *)NULL);
		_exit(1);
	}
	return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

static void
tell(unsigned waiting, int64_t seconds_ago)
{
	char text[PRESSURE_LEN + 1];
	int fd = openat(in.spool.root, PRESSURE_FILE,
	    O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	pressure_text(text, waiting, now_ms() / 1000 - seconds_ago);
	assert_int_equal(write(fd, text, PRESSURE_LEN), PRESSURE_LEN);
	close(fd);
	in.pressure.read = 0;	/* a fifth of a second has passed */
}

/* What becomes of the next message. */
static enum inject_verdict
submit(bool urgent, int client)
{
	enum inject_verdict verdict;
	struct inject_txn t;

	inject_txn_init(&t, &in);
	t.urgent = urgent;
	t.client = client;
	inject_txn_sender(&t, "a@b");
	assert_non_null(inject_txn_rcpt(&t, "c@d"));
	inject_txn_go(&t, 0);
	verdict = t.verdict;
	assert_int_equal(t.file.fd != -1, verdict == INJECT_OK);
	inject_txn_reset(&t);
	return verdict;
}

static void
a_message_is_delayed_by_what_waits(void **state)
{
	(void)state;
	tell(PRESSURE_FROM, 0);
	assert_int_equal(submit(false, -1), INJECT_OK);
	assert_int_equal(waited, -1);
	tell(3000, 0);
	assert_int_equal(submit(false, -1), INJECT_OK);
	assert_int_equal(waited, 500);
	tell(PRESSURE_REFUSE - 1, 0);
	assert_int_equal(submit(false, -1), INJECT_OK);
	assert_int_equal(waited, 1000);
}

static void
a_report_of_the_queue_manager_waits_for_nothing(void **state)
{
	(void)state;
	tell(PRESSURE_REFUSE, 0);
	assert_int_equal(submit(true, -1), INJECT_OK);
	assert_int_equal(waited, -1);
}

static void
from_the_limit_on_it_is_452(void **state)
{
	(void)state;
	tell(PRESSURE_REFUSE, 0);
	assert_int_equal(submit(false, -1), INJECT_BUSY);
	assert_int_equal(waited, -1);
	assert_int_equal(inject_answer(INJECT_BUSY)->code, 452);
	assert_string_equal(inject_answer(INJECT_BUSY)->enh, "4.3.1");
}

static void
a_queue_manager_that_is_away_delays_nobody(void **state)
{
	(void)state;
	tell(PRESSURE_REFUSE, PRESSURE_OLD_S + 2);
	assert_int_equal(submit(false, -1), INJECT_OK);
	assert_int_equal(waited, -1);
	assert_int_equal(unlinkat(in.spool.root, PRESSURE_FILE, 0), 0);
	in.pressure.read = in.pressure.opened = 0;
	assert_int_equal(submit(false, -1), INJECT_OK);
	assert_int_equal(waited, -1);
}

/* Five times a second, and not for each message. */
static void
the_file_is_read_now_and_then(void **state)
{
	struct pressure *p = &in.pressure;
	int64_t now = now_ms();

	(void)state;
	tell(2000, 0);
	assert_int_equal(pressure_waiting(p, in.spool.root, now), 2000);
	tell(3000, 0);
	p->read = now;
	assert_int_equal(pressure_waiting(p, in.spool.root, now + 199), 2000);
	assert_int_equal(pressure_waiting(p, in.spool.root, now + 200), 3000);
	/* Replaced by hand: found within ten seconds. */
	assert_int_equal(unlinkat(in.spool.root, PRESSURE_FILE, 0), 0);
	tell(4000, -9);
	assert_int_equal(pressure_waiting(p, in.spool.root, now + 9900), 3000);
	assert_int_equal(pressure_waiting(p, in.spool.root, now + 10100), 4000);
}

/* A worker that is told to end has its socket shut; a client that goes shuts it. */
static void
the_wait_ends_with_the_client(void **state)
{
	int64_t begun = now_ms();
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    fd), 0);
	tell(PRESSURE_FULL, 0);
	really = true;
	shutdown(fd[0], SHUT_RD);
	assert_int_equal(submit(false, fd[0]), INJECT_OK);
	assert_int_equal(waited, 1000);
	assert_true(now_ms() - begun < 900);
	close(fd[0]);
	close(fd[1]);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    nothing_is_delayed_below_the_threshold_and_a_second_is_the_most),
		cmocka_unit_test(the_backlog_settles_near_the_threshold),
		cmocka_unit_test(the_file_is_two_lines_for_people),
		cmocka_unit_test(what_is_old_or_malformed_says_nothing),
#define ON_A_HOST(f) \
		cmocka_unit_test_setup_teardown(f, make_host, remove_host)
		ON_A_HOST(a_message_is_delayed_by_what_waits),
		ON_A_HOST(a_report_of_the_queue_manager_waits_for_nothing),
		ON_A_HOST(from_the_limit_on_it_is_452),
		ON_A_HOST(a_queue_manager_that_is_away_delays_nobody),
		ON_A_HOST(the_file_is_read_now_and_then),
		ON_A_HOST(the_wait_ends_with_the_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
