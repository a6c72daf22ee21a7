/*
 * test_userdb.c - lines of CONFDIR/users, the table, and homes.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "userdb.h"

#define YES	"$y$j9T$abcdefghijklmnop$QZ5pBuGLQ3TVrS8hFXfGq0YjZkh4yBkSTqNyjAkzRG9"
#define NOID	((id_t)-1)

static const struct {
	const char *line;
	int	 result;
	const char *address, *hash, *home;
	id_t	 uid, gid;
} lines[] = {
	{ "", 0, NULL, NULL, NULL, 0, 0 },
	{ "   ", 0, NULL, NULL, NULL, 0, 0 },
	{ "# a:b", 0, NULL, NULL, NULL, 0, 0 },
	{ "a@b.c:" YES, 1, "a@b.c", YES, "", NOID, NOID },
	{ "a@b.c:" YES "\r", 1, "a@b.c", YES, "", NOID, NOID },
	{ "Jean-Bob@EMC.fr:" YES, 1, "jean-bob@emc.fr", YES, "", NOID, NOID },
	{ "\"billy\"@d.e:" YES, 1, "billy@d.e", YES, "", NOID, NOID },
	{ "a@b.c:{CRYPT}" YES, 1, "a@b.c", YES, "", NOID, NOID },
	{ "a@b.c:{SHA512-CRYPT}$6$salt$x", 1, "a@b.c", "$6$salt$x", "",
	    NOID, NOID },
	{ "a@b.c:" YES ":1001:1002:Me:/home/a:/bin/sh", 1, "a@b.c", YES,
	    "/home/a", 1001, 1002 },
	{ "a@b.c:" YES "::::/m", 1, "a@b.c", YES, "/m", NOID, NOID },
	{ "a@b.c:abJnggxhB/yWI", 1, "a@b.c", "abJnggxhB/yWI", "", NOID, NOID },
	/* nobody logs in with these, but mail comes */
	{ "a@b.c:", 1, "a@b.c", "*", "", NOID, NOID },
	{ "a@b.c:*", 1, "a@b.c", "*", "", NOID, NOID },
	{ "a@b.c:!" YES, 1, "a@b.c", "*", "", NOID, NOID },
	{ "a@b.c:{PLAIN}$y$secret", 1, "a@b.c", "*", "", NOID, NOID },
	{ "a@b.c:{clear}secret", 1, "a@b.c", "*", "", NOID, NOID },
	{ "a@b.c:secret", 1, "a@b.c", "*", "", NOID, NOID },
	{ "a@b.c:$nosuch$x", 1, "a@b.c", "*", "", NOID, NOID },
	/* not understood */
	{ "a@b.c", -1, NULL, NULL, NULL, 0, 0 },
	{ ":x", -1, NULL, NULL, NULL, 0, 0 },
	{ "billy:" YES, -1, NULL, NULL, NULL, 0, 0 },
	{ "a@b.c:" YES ":x", -1, NULL, NULL, NULL, 0, 0 },
	{ "a@b.c:" YES ":-1", -1, NULL, NULL, NULL, 0, 0 },
	{ "a@b.c:" YES ":4294967295", -1, NULL, NULL, NULL, 0, 0 },
	{ "a@b.c:" YES ":1: 1", -1, NULL, NULL, NULL, 0, 0 },
	{ "a@b.c:" YES "::::home/a", -1, NULL, NULL, NULL, 0, 0 },
	{ "a@b.c:" YES "\x01", -1, NULL, NULL, NULL, 0, 0 },
};

static void
each_line_is_read_as_the_table_says(void **state)
{
	struct user u;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		int r = userdb_parse_line(lines[i].line,
		    strlen(lines[i].line), &u);

		if (r != lines[i].result)
			fail_msg("%s: %d", lines[i].line, r);
		if (r != 1) {
			assert_null(u.address);
			continue;
		}
		assert_string_equal(u.address, lines[i].address);
		assert_string_equal(u.hash, lines[i].hash);
		assert_string_equal(u.home, lines[i].home);
		assert_int_equal(u.uid, lines[i].uid);
		assert_int_equal(u.gid, lines[i].gid);
		user_release(&u);
	}
}

static void
a_nul_in_a_line_is_refused(void **state)
{
	static const char line[] = "a@b.c:*\0:0:0::/etc";
	struct user u;

	(void)state;
	assert_int_equal(userdb_parse_line(line, sizeof(line) - 1, &u), -1);
}

static char *
file_with(const char *text)
{
	static char path[] = "/tmp/test_userdb.XXXXXX";
	int fd;

	memcpy(path + strlen(path) - 6, "XXXXXX", 6);
	fd = mkostemp(path, O_CLOEXEC);
	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
	return path;
}

static void
the_table_finds_users_in_any_case(void **state)
{
	char *path = file_with("# users\nzoe@b.c:*\n\nBilly@B.c:*:7\nanna@b.c:*");
	struct buf complaints = BUF_INIT;
	struct userdb db;
	const struct user *u;

	(void)state;
	assert_int_equal(userdb_read(path, &db, &complaints), 0);
	assert_string_equal(buf_str(&complaints), "");
	assert_int_equal(db.n, 3);
	u = userdb_find(&db, "BILLY@b.C");
	assert_non_null(u);
	assert_int_equal(u->uid, 7);
	assert_non_null(userdb_find(&db, "anna@b.c"));
	assert_non_null(userdb_find(&db, "zoe@b.c"));
	assert_null(userdb_find(&db, "bill@b.c"));
	assert_null(userdb_find(&db, ""));
	userdb_release(&db);
	buf_release(&complaints);
	assert_int_equal(unlink(path), 0);
}

static void
a_bad_line_hides_only_its_own_user(void **state)
{
	char *path = file_with("a@b.c:*:1\nnonsense\na@b.c:*:2\n"
	    "p@b.c:{PLAIN}x\nz@b.c:*\n");
	struct buf complaints = BUF_INIT;
	struct userdb db;

	(void)state;
	assert_int_equal(userdb_read(path, &db, &complaints), 0);
	assert_int_equal(db.n, 3);
	assert_int_equal(userdb_find(&db, "a@b.c")->uid, 1);
	assert_non_null(strstr(buf_str(&complaints), "users:2: "));
	assert_non_null(strstr(buf_str(&complaints), "users:3: "));
	assert_non_null(strstr(buf_str(&complaints), "users:4: "));
	assert_null(strstr(buf_str(&complaints), "users:5: "));
	userdb_release(&db);
	buf_release(&complaints);
	assert_int_equal(unlink(path), 0);
}

static void
no_file_is_no_users_but_a_directory_is_an_error(void **state)
{
	struct buf complaints = BUF_INIT;
	struct userdb db;

	(void)state;
	assert_int_equal(userdb_read("/nonexistent/users", &db, &complaints),
	    0);
	assert_int_equal(db.n, 0);
	assert_null(userdb_find(&db, "a@b.c"));
	userdb_release(&db);
	assert_int_equal(userdb_read("/", &db, &complaints), -1);
	assert_int_equal(errno, EISDIR);
	userdb_release(&db);
	buf_release(&complaints);
}

static void
a_home_never_leaves_the_mail_directory(void **state)
{
	static const struct { const char *line, *home; } t[] = {
		{ "a@b.c:*", "/m/b.c/a" },
		{ "a@b.c:*::::/home/a", "/home/a" },
		{ "a.b@b.c:*", "/m/b.c/a.b" },
		{ "\"../x\"@b.c:*", "/m/b.c/%2E.%2Fx" },
		{ "\"a/b\"@b.c:*", "/m/b.c/a%2Fb" },
		{ "a%2Fb@b.c:*", "/m/b.c/a%252fb" },
		{ "\".\"@b.c:*", "/m/b.c/%2E" },
	};
	struct buf home = BUF_INIT;
	struct user u;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(userdb_parse_line(t[i].line,
		    strlen(t[i].line), &u), 1);
		buf_reset(&home);
		user_home(&u, "/m", &home);
		assert_string_equal(buf_str(&home), t[i].home);
		user_release(&u);
	}
	buf_release(&home);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line_is_read_as_the_table_says),
		cmocka_unit_test(a_nul_in_a_line_is_refused),
		cmocka_unit_test(the_table_finds_users_in_any_case),
		cmocka_unit_test(a_bad_line_hides_only_its_own_user),
		cmocka_unit_test(no_file_is_no_users_but_a_directory_is_an_error),
		cmocka_unit_test(a_home_never_leaves_the_mail_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
