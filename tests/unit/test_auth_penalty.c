/*
 * test_auth_penalty.c - how long a wrong password has to wait.
 * link: auth
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../auth/auth.h"

#define MINUTE	(60 * 1000)

static int64_t
guess(struct penalties *p, const char *ip, const char *user, int n)
{
	char pass[16];

	(void)snprintf(pass, sizeof(pass), "guess%d", n);
	return penalty_fail(p, ip, user, pass, 1000);
}

static void
guessing_gets_slower_up_to_a_limit(void **state)
{
	static const int64_t want[] = { 1000, 2000, 4000, 8000, 15000, 15000 };
	struct penalties *p = penalties_new();

	(void)state;
	for (int i = 0; i < 6; i++)
		assert_int_equal(guess(p, "192.0.2.1", "a@b.c", i), want[i]);
	assert_int_equal(guess(p, "192.0.2.2", "a@b.c", 0), 1000);
	penalties_free(p);
}

static void
the_same_old_password_again_does_not_count(void **state)
{
	struct penalties *p = penalties_new();

	(void)state;
	for (int i = 0; i < 20; i++)
		assert_int_equal(guess(p, "192.0.2.1", "a@b.c", 7), 1000);
	assert_int_equal(guess(p, "192.0.2.1", "a@b.c", 8), 2000);
	assert_int_equal(guess(p, "192.0.2.1", "z@b.c", 8), 4000);
	penalties_free(p);
}

static void
ten_quiet_minutes_forget(void **state)
{
	struct penalties *p = penalties_new();

	(void)state;
	assert_int_equal(penalty_fail(p, "192.0.2.1", "a", "1", 0), 1000);
	assert_int_equal(penalty_fail(p, "192.0.2.1", "a", "2", 9 * MINUTE),
	    2000);
	assert_int_equal(penalty_fail(p, "192.0.2.1", "a", "3", 18 * MINUTE),
	    4000);
	assert_int_equal(penalty_fail(p, "192.0.2.1", "a", "4", 29 * MINUTE),
	    1000);
	penalties_free(p);
}

static void
a_success_forgets_only_its_own_users_failures(void **state)
{
	struct penalties *p = penalties_new();

	(void)state;
	assert_int_equal(guess(p, "192.0.2.1", "victim", 1), 1000);
	penalty_clear(p, "192.0.2.1", "attacker");
	assert_int_equal(guess(p, "192.0.2.1", "victim", 2), 2000);
	penalty_clear(p, "192.0.2.9", "victim");
	assert_int_equal(guess(p, "192.0.2.1", "victim", 3), 4000);
	penalty_clear(p, "192.0.2.1", "victim");
	assert_int_equal(guess(p, "192.0.2.1", "victim", 4), 1000);
	penalties_free(p);
}

static void
an_ipv6_client_is_its_network(void **state)
{
	struct penalties *p = penalties_new();

	(void)state;
	assert_int_equal(guess(p, "2001:db8:1:2::1", "a", 1), 1000);
	assert_int_equal(guess(p, "2001:db8:1:2:ffff::9", "b", 2), 2000);
	assert_int_equal(guess(p, "2001:db8:1:3::1", "a", 3), 1000);
	penalties_free(p);
}

static void
on_loopback_each_user_is_on_its_own(void **state)
{
	struct penalties *p = penalties_new();

	(void)state;
	assert_int_equal(guess(p, "127.0.0.1", "a", 1), 1000);
	assert_int_equal(guess(p, "127.0.0.1", "a", 2), 2000);
	assert_int_equal(guess(p, "127.0.0.1", "b", 1), 1000);
	assert_int_equal(guess(p, "", "b", 1), 1000);
	penalties_free(p);
}

static void
a_flood_of_addresses_finds_room(void **state)
{
	struct penalties *p = penalties_new();
	char ip[32];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		(void)snprintf(ip, sizeof(ip), "10.%d.%d.1", i / 200, i % 200);
		assert_int_equal(penalty_fail(p, ip, "a", "p", i), 1000);
	}
	/* the last one is still known */
	assert_int_equal(penalty_fail(p, ip, "a", "q", 20000), 2000);
	penalties_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guessing_gets_slower_up_to_a_limit),
		cmocka_unit_test(the_same_old_password_again_does_not_count),
		cmocka_unit_test(ten_quiet_minutes_forget),
		cmocka_unit_test(a_success_forgets_only_its_own_users_failures),
		cmocka_unit_test(an_ipv6_client_is_its_network),
		cmocka_unit_test(on_loopback_each_user_is_on_its_own),
		cmocka_unit_test(a_flood_of_addresses_finds_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
