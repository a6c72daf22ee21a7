/*
 * test_auth_pool.c - the processes that compute hashes: right, wrong, killed.
 * link: auth
 */
#include <sys/types.h>
#include <sys/wait.h>

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../auth/auth.h"
#include "../../auth/hash.h"

/* Cheap on purpose: these tests are about processes. */
#define HASH	"$1$salt$qJH7.N4xYta3aEG/dfqo/0"	/* of "password" */

struct probe {
	struct pool_job job;	/* first */
	struct loop *loop;
	enum pool_result result;
	unsigned *left;		/* probes without an answer */
};

static struct loop *loop;
static struct pool *pool;

static int
setup(void **state)
{
	(void)state;
	loop = loop_new();
	pool = pool_new(loop);
	return pool != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	pool_free(pool);
	loop_free(loop);
	return 0;
}

static void
answered(struct pool_job *job, enum pool_result result)
{
	struct probe *p = (struct probe *)job;

	p->result = result;
	if (--*p->left == 0)
		loop_stop(p->loop);
}

static void
ask(struct probe *p, unsigned *left, const char *password)
{
	memset(p, 0, sizeof(*p));
	p->job.done = answered;
	p->loop = loop;
	p->left = left;
	++*left;
	assert_int_equal(pool_check(pool, &p->job, HASH, password), 0);
}

static void
many_questions_get_their_own_answers(void **state)
{
	struct probe p[50];
	unsigned left = 0;

	(void)state;
	for (size_t i = 0; i < 50; i++)
		ask(&p[i], &left, i % 3 == 0 ? "password" : "Password");
	loop_run(loop);
	assert_int_equal(left, 0);
	for (size_t i = 0; i < 50; i++)
		assert_int_equal(p[i].result,
		    i % 3 == 0 ? POOL_RIGHT : POOL_WRONG);
}

static void
a_full_queue_refuses(void **state)
{
	static struct probe p[POOL_QUEUE + POOL_WORKERS];
	unsigned left = 0, room = sizeof(p) / sizeof(p[0]);
	struct pool_job extra = { .done = answered };

	(void)state;
	for (unsigned i = 0; i < room; i++)
		ask(&p[i], &left, "password");
	assert_int_equal(pool_check(pool, &extra, HASH, "password"), -1);
	/* one that waits may be taken back, then there is room again */
	assert_true(pool_cancel(pool, &p[room - 1].job));
	left--;
	assert_false(pool_cancel(pool, &p[0].job));
	ask(&p[room - 1], &left, "password");
	loop_run(loop);
	assert_int_equal(left, 0);
	assert_int_equal(p[room - 1].result, POOL_RIGHT);
}

/* All children are dead when this returns, but nobody has asked for them. */
static bool
kill_workers(void)
{
	char path[64];
	siginfo_t info;
	FILE *f;
	int pid, n = 0;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children",
	    (int)getpid());
	if ((f = fopen(path, "re")) == NULL)
		return false;
	for (; fscanf(f, "%d", &pid) == 1; n++) {
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitid(P_PID, (id_t)pid, &info,
		    WEXITED | WNOWAIT), 0);
	}
	(void)fclose(f);
	assert_int_equal(n, POOL_WORKERS);
	return true;
}

static void
a_question_to_dead_workers_waits_for_new_ones(void **state)
{
	struct probe p;
	unsigned left = 0;

	(void)state;
	if (!kill_workers())
		skip();
	ask(&p, &left, "password");
	assert_int_equal(left, 1);	/* never answered inside the call */
	loop_run(loop);
	assert_int_equal(p.result, POOL_RIGHT);
}

static void
a_worker_that_dies_over_it_means_failed(void **state)
{
	struct probe p[POOL_WORKERS];
	unsigned left = 0;

	(void)state;
	for (size_t i = 0; i < POOL_WORKERS; i++) {
		memset(&p[i], 0, sizeof(p[i]));
		p[i].job.done = answered;
		p[i].loop = loop;
		p[i].left = &left;
		left++;
		/* far too slow for this test */
		assert_int_equal(pool_check(pool, &p[i].job,
		    "$6$rounds=100000000$salt$", "password"), 0);
	}
	if (!kill_workers())
		skip();
	loop_run(loop);
	for (size_t i = 0; i < POOL_WORKERS; i++)
		assert_int_equal(p[i].result, POOL_FAILED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    many_questions_get_their_own_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_queue_refuses, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    a_question_to_dead_workers_waits_for_new_ones, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    a_worker_that_dies_over_it_means_failed, setup, teardown),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
