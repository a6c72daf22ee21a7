/* Tests of lib/beneath: no way leads out of the directory (attack list F 104, 106). */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "beneath.h"

static char top[] = "/tmp/facteur-beneath-XXXXXX";
static int dir = -1;

static const struct {
	const char *path;
	int	flags, error;	/* 0: it opens */
} ways[] = {
	{ "file", O_RDONLY, 0 },
	{ "sub", O_RDONLY | O_DIRECTORY, 0 },
	{ "sub/file", O_RDONLY, 0 },
	{ "sub//file", O_RDONLY, 0 },
	{ ".", O_RDONLY | O_DIRECTORY, 0 },
	{ "link", O_RDONLY, ELOOP },
	{ "linkdir", O_RDONLY | O_DIRECTORY, ELOOP },
	{ "linkdir/file", O_RDONLY, ELOOP },
	{ "dangling", O_WRONLY | O_CREAT, ELOOP },
	{ "dangling", O_WRONLY | O_CREAT | O_EXCL, EEXIST },
	{ "..", O_RDONLY | O_DIRECTORY, EXDEV },
	{ "sub/../../x", O_RDONLY, EXDEV },
	{ "/etc/passwd", O_RDONLY, EXDEV },
	{ "none", O_RDONLY, ENOENT },
	{ "file", O_RDONLY | O_DIRECTORY, ENOTDIR },
};

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(top) == NULL ||
	    (dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1 ||
	    mkdirat(dir, "sub", 0700) == -1 ||
	    symlinkat("file", dir, "link") == -1 ||
	    symlinkat("sub", dir, "linkdir") == -1 ||
	    symlinkat("nowhere", dir, "dangling") == -1)
		return -1;
	(void)close(openat(dir, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	(void)close(openat(dir, "sub/file", O_WRONLY | O_CREAT | O_CLOEXEC,
	    0600));
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	(void)unlinkat(dir, "sub/file", 0);
	(void)unlinkat(dir, "file", 0);
	(void)unlinkat(dir, "link", 0);
	(void)unlinkat(dir, "linkdir", 0);
	(void)unlinkat(dir, "dangling", 0);
	(void)unlinkat(dir, "sub", AT_REMOVEDIR);
	(void)close(dir);
	return rmdir(top);
}

static void
try_all(int (*way)(int, const char *, int, mode_t))
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		int fd = way(dir, ways[i].path, ways[i].flags, 0600);
		int error = fd == -1 ? errno : 0;

		if (fd != -1)
			(void)close(fd);
		if (error != ways[i].error)
			fail_msg("%s: errno %d, not %d", ways[i].path, error,
			    ways[i].error);
	}
	assert_int_equal(faccessat(dir, "nowhere", F_OK, 0), -1);
}

static void
nothing_leads_out_by_openat2(void **state)
{
	(void)state;
	try_all(beneath_open);
}

static void
nothing_leads_out_step_by_step(void **state)
{
	(void)state;
	try_all(beneath_walk);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_leads_out_by_openat2),
		cmocka_unit_test(nothing_leads_out_step_by_step),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
