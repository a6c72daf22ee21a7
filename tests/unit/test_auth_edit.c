/*
 * test_auth_edit.c - `facteur passwd` changes one line and nothing else.
 * link: auth
 * wrap: fsync renameat write
 */
#include <sys/stat.h>

#include <dirent.h>
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

#include "../../auth/edit.h"
#include "../../auth/hash.h"

#define HASH	"$y$j9T$new"

int	__real_fsync(int);
int	__wrap_fsync(int);
int	__real_renameat(int, const char *, int, const char *);
int	__wrap_renameat(int, const char *, int, const char *);
ssize_t	__real_write(int, const void *, size_t);
ssize_t	__wrap_write(int, const void *, size_t);

static int calls_left = -1;	/* the call that fails; -1: none */

static bool
fails(void)
{
	if (calls_left == -1 || calls_left-- > 0)
		return false;
	calls_left = -1;
	errno = ENOSPC;
	return true;
}

int
__wrap_fsync(int fd)
{
	return fails() ? -1 : __real_fsync(fd);
}

int
__wrap_renameat(int a, const char *b, int c, const char *d)
{
	return fails() ? -1 : __real_renameat(a, b, c, d);
}

ssize_t
__wrap_write(int fd, const void *p, size_t n)
{
	return fd > 2 && fails() ? -1 : __real_write(fd, p, n);
}

static const struct {
	const char *before, *hash;
	int	 found;
	const char *after;
} table[] = {
	{ "", HASH, 0, "a@b.c:" HASH "\n" },
	{ "x@b.c:*", HASH, 0, "x@b.c:*\na@b.c:" HASH "\n" },
	{ "# a\n\nA@b.c:*\nx@b.c:*\n", HASH, 1,
	    "# a\n\nA@b.c:" HASH "\nx@b.c:*\n" },
	/* a line that is not understood stays; the new one is added */
	{ "a@b.c:*:one:2::/h\n", HASH, 0,
	    "a@b.c:*:one:2::/h\na@b.c:" HASH "\n" },
	{ "a@b.c:*:1:2:Me:/h:/bin/sh\n", HASH, 1,
	    "a@b.c:" HASH ":1:2:Me:/h:/bin/sh\n" },
	{ "a@b.c:*\r\nx@b.c:*\r\n", HASH, 1,
	    "a@b.c:" HASH "\r\nx@b.c:*\r\n" },
	{ "a@b.c:*\nA@B.C:*\n", HASH, 1, "a@b.c:" HASH "\n" },
	{ "#1\na@b.c:*\n#2", NULL, 1, "#1\n#2\n" },
	{ "x@b.c:*\nbad line\n", NULL, 0, "x@b.c:*\nbad line\n" },
};

static void
only_the_users_own_line_changes(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		buf_reset(&out);
		assert_int_equal(users_rewrite(table[i].before,
		    strlen(table[i].before), "a@b.c", table[i].hash, &out),
		    table[i].found);
		assert_string_equal(buf_str(&out), table[i].after);
	}
	buf_release(&out);
}

static void
a_new_hash_verifies_its_password_only(void **state)
{
	struct buf a = BUF_INIT, b = BUF_INIT;

	(void)state;
	assert_int_equal(password_hash("s\xc3\xa9same", &a), 0);
	assert_int_equal(password_hash("s\xc3\xa9same", &b), 0);
	assert_int_equal(strncmp(buf_str(&a), "$y$", 3), 0);
	assert_string_not_equal(buf_str(&a), buf_str(&b));
	assert_true(password_is(buf_str(&a), "s\xc3\xa9same"));
	assert_false(password_is(buf_str(&a), "sesame"));
	assert_false(password_is(buf_str(&a), ""));
	assert_false(password_is("*0", ""));
	assert_false(password_is("*", "*"));
	assert_false(password_is("", ""));
	buf_release(&a);
	buf_release(&b);
}

/* ---- the file ---- */

struct place {
	char	dir[64], path[80];
	struct config cfg;
};

static int
setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/test_edit.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	(void)snprintf(p->path, sizeof(p->path), "%s/users", p->dir);
	*state = p;
	return 0;
}

static unsigned
entries(const char *dir)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	unsigned n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 &&
		    strcmp(e->d_name, "..") != 0)
			n++;
	(void)closedir(d);
	return n;
}

static int
teardown(void **state)
{
	struct place *p = *state;

	(void)unlink(p->path);
	assert_int_equal(rmdir(p->dir), 0);
	free(p);
	return 0;
}

static void
assert_content(const char *path, const char *want)
{
	char text[512];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_int_not_equal(fd, -1);
	n = read(fd, text, sizeof(text) - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	assert_int_equal(close(fd), 0);
	assert_string_equal(text, want);
}

static void
the_file_is_private_and_alone(void **state)
{
	struct place *p = *state;
	struct stat st;

	assert_int_equal(users_edit(&p->cfg, p->path, "a@b.c", "H1"), 0);
	assert_int_equal(users_edit(&p->cfg, p->path, "d@b.c", "*"), 0);
	assert_content(p->path, "a@b.c:H1\nd@b.c:*\n");
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(users_edit(&p->cfg, p->path, "d@b.c", NULL), 1);
	assert_int_equal(users_edit(&p->cfg, p->path, "d@b.c", NULL), 0);
	assert_content(p->path, "a@b.c:H1\n");
	assert_int_equal(entries(p->dir), 1);
}

static void
a_failing_disk_leaves_the_old_file(void **state)
{
	struct place *p = *state;
	int n, r;

	assert_int_equal(users_edit(&p->cfg, p->path, "a@b.c", "*"), 0);
	for (n = 0; n < 10; n++) {
		calls_left = n;
		r = users_edit(&p->cfg, p->path, "a@b.c", HASH);
		if (calls_left != -1)
			break;
		assert_int_equal(r, -1);
		assert_int_equal(errno, ENOSPC);
		/* the last call is the directory's fsync: both are whole */
		if (n < 3)
			assert_content(p->path, "a@b.c:*\n");
		assert_int_equal(entries(p->dir), 1);
	}
	calls_left = -1;
	assert_int_equal(n, 4);		/* write fsync renameat fsync */
	assert_int_equal(r, 1);
	assert_content(p->path, "a@b.c:" HASH "\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_users_own_line_changes),
		cmocka_unit_test(a_new_hash_verifies_its_password_only),
		cmocka_unit_test_setup_teardown(the_file_is_private_and_alone,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_failing_disk_leaves_the_old_file, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
