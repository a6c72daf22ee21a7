/*
 * Tests of lib/seams: who may say what, for every uid and every verb.
 *
 * wrap: getpwnam
 */
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "seams.h"

#define FIRST	((uid_t)70000)	/* our users, in the order of enum seam_user */
#define STRANGER ((uid_t)71000)

struct passwd	*__wrap_getpwnam(const char *);

static const char *missing = "";

struct passwd *
__wrap_getpwnam(const char *name)
{
	static struct passwd pw;

	for (unsigned i = SEAM_NET; i < SEAM_USERS; i++)
		if (strcmp(seam_name(i), name) == 0 &&
		    strcmp(name, missing) != 0) {
			pw.pw_uid = FIRST + i;
			pw.pw_gid = FIRST + 100 + i;
			return &pw;
		}
	return NULL;
}

/* INTERNALS section 2, written down a second time, on purpose. */
static const struct {
	const char *listener, *verb, *who;	/* letters of `letter` */
} want[] = {
	{ "net-inject", "message", "rn" },
	{ "net-inject", "trace", "rn" },
	{ "inject", "message", "rnqlmakvs" },
	{ "inject", "trace", "rq" },
	{ "resolve", "resolve", "rnq" },
	{ "authd", "auth", "n" },
	{ "authd", "login", "n" },
	{ "authd", "who", "rl" },
	{ "launch", "local", "q" },
	{ "launch", "pop3", "a" },
	{ "remote", "job", "q" },
	{ "control", "retry", "rq" },
	{ "control", "status", "rq" },
	{ "control", "stats", "rq" },
	{ "direct", "deliver", "q" },
};
#define NWANT	(sizeof(want) / sizeof(want[0]))

/* root net queue lookup reMote auth keys virtual stranger */
static const char letter[] = "rnqlmakvs";

static uid_t
uid_of(unsigned i)
{
	return i == 0 ? 0 : i == SEAM_USERS ? STRANGER : FIRST + i;
}

static void
walls_up(bool up)
{
	struct config cfg = { .as_root = up };

	seams_init(&cfg);
}

static bool
wanted(const char *listener, const char *verb, char who)
{
	for (size_t i = 0; i < NWANT; i++)
		if (strcmp(want[i].listener, listener) == 0 &&
		    (verb == NULL || strcmp(want[i].verb, verb) == 0) &&
		    strchr(want[i].who, who) != NULL)
			return true;
	return false;
}

/* Every uid on every socket with every verb of any socket. */
static void
every_uid_may_say_its_own_verbs_and_no_others(void **state)
{
	(void)state;
	walls_up(true);
	for (unsigned u = 0; u <= SEAM_USERS; u++)
		for (size_t l = 0; l < NWANT; l++)
			for (size_t v = 0; v < NWANT; v++) {
				const char *on = want[l].listener;
				const char *verb = want[v].verb;

				if (seam_allows(on, verb, uid_of(u)) !=
				    wanted(on, verb, letter[u]))
					fail_msg("%c: %s on %s", letter[u],
					    verb, on);
			}
}

static void
a_uid_without_any_verb_may_not_connect(void **state)
{
	(void)state;
	walls_up(true);
	for (unsigned u = 0; u <= SEAM_USERS; u++)
		for (size_t l = 0; l < NWANT; l++)
			assert_int_equal(
			    seam_may_connect(want[l].listener, uid_of(u)),
			    wanted(want[l].listener, NULL, letter[u]));
}

static void
what_is_not_in_the_table_is_not_allowed(void **state)
{
	(void)state;
	for (int up = 0; up < 2; up++) {
		walls_up(up);
		assert_false(seam_allows("authd", "whoami", 0));
		assert_false(seam_allows("elsewhere", "message", 0));
		assert_false(seam_allows("", NULL, 0));
		assert_false(seam_allows("notice", NULL, 0));
		assert_false(seam_allows("inject", "message", -1));
		assert_false(seam_allows("inject", "message",
		    (int64_t)UINT32_MAX + 1));
	}
}

static void
without_walls_the_one_uid_and_root_may_do_all(void **state)
{
	(void)state;
	walls_up(false);
	for (size_t i = 0; i < NWANT; i++) {
		const char *l = want[i].listener, *v = want[i].verb;

		assert_true(seam_allows(l, v, 0));
		assert_true(seam_allows(l, v, geteuid()));
		assert_int_equal(seam_allows(l, v, STRANGER),
		    wanted(l, v, 's'));
	}
	assert_false(seam_is_program(geteuid()));
}

static void
a_user_who_is_missing_is_nobody(void **state)
{
	uid_t uid;
	gid_t gid;

	(void)state;
	missing = "facteur-queue";
	walls_up(true);
	missing = "";
	assert_false(seam_ids(SEAM_QUEUE, &uid, &gid));
	/* Least of all is he root. */
	assert_false(seam_allows("launch", "local", 0));
	assert_false(seam_allows("launch", "local", FIRST + SEAM_QUEUE));
	assert_true(seam_ids(SEAM_NET, &uid, &gid));
	assert_int_equal(uid, FIRST + SEAM_NET);
	assert_int_equal(gid, FIRST + 100 + SEAM_NET);
}

static void
programs_own_no_mailbox_but_facteur_mail_does(void **state)
{
	(void)state;
	walls_up(true);
	for (unsigned i = SEAM_NET; i < SEAM_USERS; i++)
		assert_int_equal(seam_is_program(FIRST + i), i != SEAM_MAIL);
	assert_false(seam_is_program(STRANGER));
}

/* Whoever has a verb can reach the socket, and nobody else of ours can. */
static void
owner_group_and_mode_let_in_whom_the_table_lets_in(void **state)
{
	(void)state;
	walls_up(true);
	for (unsigned i = 0; i < nseams; i++) {
		const struct seam *s = &seams[i];

		if (s->datagram)
			continue;
		for (unsigned u = 1; u < SEAM_USERS; u++) {
			bool in = (s->mode & 02) != 0 || s->owner == u ||
			    (s->group == u && (s->mode & 020) != 0);

			if (in != seam_may_connect(s->listener, uid_of(u)))
				fail_msg("%s: %s", s->path, seam_name(u));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_uid_may_say_its_own_verbs_and_no_others),
		cmocka_unit_test(a_uid_without_any_verb_may_not_connect),
		cmocka_unit_test(what_is_not_in_the_table_is_not_allowed),
		cmocka_unit_test(without_walls_the_one_uid_and_root_may_do_all),
		cmocka_unit_test(a_user_who_is_missing_is_nobody),
		cmocka_unit_test(programs_own_no_mailbox_but_facteur_mail_does),
		cmocka_unit_test(
		    owner_group_and_mode_let_in_whom_the_table_lets_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
