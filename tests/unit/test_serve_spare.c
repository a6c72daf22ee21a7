/*
 * test_serve_spare.c - children that wait for their clients: who is served
 * without the acceptor, and what becomes of those that die or are not needed.
 *
 * wrap: accept4 pthread_mutex_unlock
 */
#include "serve_host.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "deadline.h"

/* What the children tell, or are told. */
static struct {
	atomic_int come, born;	/* at their walls, and behind them */
	atomic_int pid[64];
	atomic_int deaths;	/* so many die while they sit down, */
	atomic_int sudden;	/* or before they have accepted */
} *told;

static void
die_if(atomic_int *so_many)
{
	if (atomic_load(so_many) > 0) {
		atomic_fetch_sub(so_many, 1);
		(void)kill(getpid(), SIGKILL);
	}
}

int __real_accept4(int, struct sockaddr *, socklen_t *, int);
int __wrap_accept4(int, struct sockaddr *, socklen_t *, int);

int
__wrap_accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	die_if(&told->sudden);
	return __real_accept4(fd, sa, len, flags);
}

int __real_pthread_mutex_unlock(pthread_mutex_t *);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *);

int
__wrap_pthread_mutex_unlock(pthread_mutex_t *m)
{
	die_if(&told->deaths);
	return __real_pthread_mutex_unlock(m);
}

static int
be_born(void *arg)
{
	(void)arg;
	atomic_store(&told->pid[atomic_fetch_add(&told->come, 1) % 64],
	    (int)getpid());
	atomic_fetch_add(&told->born, 1);
	return 0;
}

static void
wait_for_births(int n)
{
	for (int tries = 0; atomic_load(&told->born) < n; tries++) {
		(void)poll(NULL, 0, 10);
		assert_true(tries < 1000);
	}
}

/* Greets, echoes what it reads until the end. */
static int
echo(int fd, const struct serve_conn *c, void *arg)
{
	char b[64];
	ssize_t n;

	(void)arg;
	if (dprintf(fd, "%s\n", c->name) < 0)
		return 1;
	while ((n = read(fd, b, sizeof(b))) > 0)
		if (write(fd, b, (size_t)n) != n)
			return 1;
	return 0;
}

static bool
is_submission(const char *name)
{
	return strcmp(name, "submission") == 0;
}

static const struct serve waiting = { .session = echo, .max = 8, .spares = 3,
    .confine_session = be_born, .busy = BUSY };

static void
greeted(int fd, const char *name)
{
	char want[32];

	(void)snprintf(want, sizeof(want), "%s\n", name);
	assert_string_equal(hear(fd, 5000), want);
}

/* What a fresh process costs is paid before: nobody waits for the acceptor. */
static void
children_wait_for_their_clients(void **state)
{
	struct server s = start(&waiting, 0, 0);
	int fd[4];

	(void)state;
	wait_for_births(3);
	assert_int_equal(kill(s.pid, SIGSTOP), 0);
	for (int i = 0; i < 3; i++) {
		fd[i] = dial(s.port[i % 2]);
		greeted(fd[i], i % 2 == 0 ? "smtp" : "submission");
	}
	fd[3] = dial(s.port[0]);
	assert_string_equal(hear(fd[3], 100), "(silence)");
	assert_int_equal(kill(s.pid, SIGCONT), 0);
	greeted(fd[3], "smtp");
	wait_for_births(6);
	hang_up(fd, 4);
	assert_int_equal(stop(&s), 0);
}

static void
none_is_made_before_where_none_is_wanted(void **state)
{
	struct serve conf = waiting;
	struct server s;
	int fd[2];

	(void)state;
	conf.spares = 0;
	s = start(&conf, 0, 0);
	for (int i = 0; i < 2; i++) {
		fd[i] = dial(s.port[i]);
		greeted(fd[i], i == 0 ? "smtp" : "submission");
		assert_int_equal(atomic_load(&told->born), i + 1);
	}
	hang_up(fd, 2);
	assert_int_equal(stop(&s), 0);
}

/* The last seat is never made for a stranger, nor one more than there are. */
static void
those_that_wait_count(void **state)
{
	struct serve conf = waiting;
	struct server s;
	int fd[4];

	(void)state;
	conf.max = 3;
	conf.reserved = 1;
	conf.is_reserved = is_submission;
	s = start(&conf, 0, 0);
	wait_for_births(2);
	for (int i = 0; i < 2; i++) {
		fd[i] = dial(s.port[0]);
		greeted(fd[i], "smtp");
	}
	wait_for_births(3);
	fd[2] = dial(s.port[0]);
	assert_string_equal(hear(fd[2], 100), "(silence)");
	fd[3] = dial(s.port[1]);
	greeted(fd[3], "submission");
	assert_int_equal(atomic_load(&told->born), 3);
	hang_up(fd, 2);
	greeted(fd[2], "smtp");
	hang_up(fd + 2, 2);
	assert_int_equal(stop(&s), 0);
}

static void
one_that_dies_as_it_sits_down_keeps_nobody_out(void **state)
{
	struct serve conf = waiting;
	struct server s;
	int fd;

	(void)state;
	conf.max_per_client = 2;
	s = start(&conf, 0, 0);
	wait_for_births(3);
	atomic_store(&told->deaths, 2);
	for (int i = 0; i < 2; i++) {
		fd = dial(s.port[0]);
		assert_string_equal(hear(fd, 5000), "(end)");
		(void)close(fd);
	}
	/* The dead held the lock, and their seats count for nobody. */
	for (int tries = 0;; tries++) {
		fd = dial(s.port[0]);
		if (strcmp(hear(fd, 5000), "smtp\n") == 0)
			break;
		(void)close(fd);
		assert_true(tries < 1000);
	}
	(void)close(fd);
	assert_int_equal(stop(&s), 0);
}

/* The acceptor naps, and may not have heard that the last session has ended. */
static void
who_comes_back_at_once_has_not_too_many(void **state)
{
	struct serve conf = waiting;
	struct server s;
	int fd, refused = 0;

	(void)state;
	conf.max_per_client = 1;
	s = start(&conf, 0, 0);
	wait_for_births(3);
	for (int i = 0; i < 40; i++) {
		fd = dial(s.port[0]);
		refused += strcmp(hear(fd, 5000), "smtp\n") != 0;
		(void)shutdown(fd, SHUT_WR);
		assert_string_equal(hear(fd, 5000), "(end)");
		(void)close(fd);
	}
	/* Somebody else may have had the processor for longer. */
	assert_in_range(refused, 0, 5);
	assert_int_equal(stop(&s), 0);
}

/* The kernel tells one child of a client.  There is no other client to come. */
static void
one_that_dies_before_it_accepts_leaves_nobody_waiting(void **state)
{
	struct server s = start(&waiting, 0, 0);
	int fd;

	(void)state;
	for (int i = 0; i < 2; i++) {
		wait_for_births(3 + i);
		atomic_store(&told->sudden, 1);
		fd = dial(s.port[i]);
		greeted(fd, i == 0 ? "smtp" : "submission");
		(void)close(fd);
	}
	assert_int_equal(stop(&s), 0);
}

/* Whatever kills them would kill the next ones too: that must not spin. */
static void
those_that_die_while_they_wait_are_replaced_after_a_rest(void **state)
{
	struct server s = start(&waiting, 0, 0);
	int64_t before = now_ms();
	int fd;

	(void)state;
	wait_for_births(3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(kill(atomic_load(&told->pid[i]), SIGKILL), 0);
	fd = dial(s.port[0]);
	greeted(fd, "smtp");
	assert_true(now_ms() - before >= 900);
	wait_for_births(6);
	(void)close(fd);
	assert_int_equal(stop(&s), 0);
}

static bool
is_gone(pid_t pid)
{
	return kill(pid, 0) == -1;
}

/* SIGHUP: a successor has the listeners. */
static void
who_drains_ends_those_that_wait_and_lets_the_others_talk(void **state)
{
	struct server s;
	int renew[2], fd, stranger, status, left = 4;

	(void)state;
	assert_int_equal(pipe(renew), 0);
	s = start_with(&waiting, 0, 0, renew[1]);
	wait_for_births(3);
	fd = dial(s.port[0]);
	greeted(fd, "smtp");
	/* Two are left: more than few. */
	assert_int_equal(kill(s.pid, SIGHUP), 0);
	for (int tries = 0; left > 1; tries++) {
		left = 0;
		for (int i = 0; i < 3; i++)
			left += !is_gone(atomic_load(&told->pid[i]));
		(void)poll(NULL, 0, 10);
		assert_true(tries < 500);
	}
	stranger = dial(s.port[0]);
	assert_string_equal(hear(stranger, 200), "(silence)");
	assert_int_equal(write(fd, "still\n", 6), 6);
	assert_string_equal(hear(fd, 5000), "still\n");
	(void)close(fd);
	assert_int_equal(waitpid(s.pid, &status, 0), s.pid);
	assert_int_equal(status, 0);
	(void)close(stranger);
	hang_up(renew, 2);
	forget(&s);
}

static int
nothing_is_told(void **state)
{
	(void)state;
	memset((void *)told, 0, sizeof(*told));
	return 0;
}

#define T(f)	cmocka_unit_test_setup(f, nothing_is_told)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(children_wait_for_their_clients),
		T(none_is_made_before_where_none_is_wanted),
		T(those_that_wait_count),
		T(one_that_dies_as_it_sits_down_keeps_nobody_out),
		T(who_comes_back_at_once_has_not_too_many),
		T(one_that_dies_before_it_accepts_leaves_nobody_waiting),
		T(those_that_die_while_they_wait_are_replaced_after_a_rest),
		T(who_drains_ends_those_that_wait_and_lets_the_others_talk),
	};

	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (told == MAP_FAILED)
		return 1;
	(void)signal(SIGPIPE, SIG_IGN);
	log_init("test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
