/*
 * Tests of lib/spool: after a 0 it is all there, after a -1 nothing is.
 *
 * wrap: openat flock write fsync fcntl linkat renameat2
 */
#include <sys/file.h>
#include <sys/mman.h>
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

#include "spool.h"

/* ---- system calls that fail when told to ---- */

static bool counting;		/* only between spool_create and the commit */
static int calls;		/* made while counting */
static int fail_at;		/* the n-th of them fails, 0: none */
static int fail_errno;
static int fsyncs;		/* successful ones, and failed ones */
static bool short_writes;

static bool
fails(void)
{
	if (!counting || ++calls != fail_at)
		return false;
	errno = fail_errno;
	return true;
}

int __real_openat(int, const char *, int, ...);
int __wrap_openat(int, const char *, int, ...);
int __real_flock(int, int);
int __wrap_flock(int, int);
ssize_t __real_write(int, const void *, size_t);
ssize_t __wrap_write(int, const void *, size_t);
int __real_fsync(int);
int __wrap_fsync(int);
int __real_fcntl(int, int, ...);
int __wrap_fcntl(int, int, ...);
int __real_linkat(int, const char *, int, const char *, int);
int __wrap_linkat(int, const char *, int, const char *, int);
int __real_renameat2(int, const char *, int, const char *, unsigned);
int __wrap_renameat2(int, const char *, int, const char *, unsigned);

int
__wrap_openat(int dir, const char *name, int flags, ...)
{
	return fails() ? -1 : __real_openat(dir, name, flags, 0600);
}

int
__wrap_flock(int fd, int how)
{
	return fails() ? -1 : __real_flock(fd, how);
}

ssize_t
__wrap_write(int fd, const void *p, size_t len)
{
	if (fails())
		return -1;
	return __real_write(fd, p, short_writes && len > 7 ? 7 : len);
}

int
__wrap_fsync(int fd)
{
	fsyncs += counting;
	return fails() ? -1 : __real_fsync(fd);
}

int
__wrap_fcntl(int fd, int what, ...)
{
	va_list ap;
	int arg;

	va_start(ap, what);
	arg = what == F_GET_SEALS ? 0 : va_arg(ap, int);
	va_end(ap);
	return fails() ? -1 : __real_fcntl(fd, what, arg);
}

int
__wrap_linkat(int from, const char *a, int to, const char *b, int flags)
{
	return fails() ? -1 : __real_linkat(from, a, to, b, flags);
}

int
__wrap_renameat2(int from, const char *a, int to, const char *b, unsigned how)
{
	return fails() ? -1 : __real_renameat2(from, a, to, b, how);
}

/* ---- a spool of its own for each test ---- */

static char path[64];
static struct spool spool;

static int
make_spool(void **state)
{
	(void)state;
	calls = fail_at = fsyncs = 0;
	counting = short_writes = false;
	strlcpy(path, "/tmp/test_spool.XXXXXX", sizeof(path));
	if (mkdtemp(path) == NULL)
		return -1;
	return spool_open(&spool, path, true);
}

static int
visit(int dir, bool remove)
{
	DIR *d = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY));
	struct dirent *e;
	int n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.') {
			n++;
			if (remove && unlinkat(dir, e->d_name, 0) == -1)
				unlinkat(dir, e->d_name, AT_REMOVEDIR);
		}
	closedir(d);
	return n;
}

static int
remove_spool(void **state)
{
	(void)state;
	counting = false;
	visit(spool.queue, true);
	visit(spool.hold, true);
	visit(spool.bad, true);
	visit(spool.root, true);
	spool_close(&spool);
	return rmdir(path);
}

static void
fill(struct envelope *e)
{
	envelope_init(e);
	e->arrived = 1795435200000000;
	e->sender = xstrdup("jean-bob@emc.fr");
	envelope_add(e, "billy@yahoo.co.uk");
}

/* All of it; the n-th system call fails. 0, or -1 with errno. */
static int
deliver(const char *body, size_t len, char name[SPOOL_NAME_MAX + 1], int n)
{
	struct spool_file f;
	struct envelope e;
	int result;

	fill(&e);
	calls = fsyncs = 0;
	fail_at = n;
	counting = true;
	errno = 0;
	result = spool_create(&f, &spool);
	if (result == 0)
		result = spool_write(&f, "Subject: x\n\n", 12);
	if (result == 0)
		result = spool_write(&f, body, len);
	if (result == 0)
		result = spool_commit(&f, &e);
	counting = false;
	if (result == 0)
		spool_name(name, f.id, f.size);
	spool_file_close(&f);
	envelope_release(&e);
	return result;
}

static void
check_message(const char *name, const char *body, size_t len)
{
	struct envelope e;
	int64_t size;
	char *back = xmalloc(len);
	int fd = spool_open_file(spool.queue, name);

	assert_int_not_equal(fd, -1);
	assert_true(spool_name_parse(name, NULL, &size));
	assert_int_equal(size, 12 + len);
	assert_int_equal(pread(fd, back, len, 12), len);
	assert_memory_equal(back, body, len);
	envelope_init(&e);
	assert_int_equal(spool_read_envelope(fd, size, &e), 0);
	assert_string_equal(e.rcpts[0].addr, "billy@yahoo.co.uk");
	assert_int_equal(spool_verify(fd, size, &e), 1);
	envelope_release(&e);
	free(back);
	close(fd);
}

static void
a_committed_message_is_there(void **state)
{
	char name[SPOOL_NAME_MAX + 1];
	char *large = xmalloc(300000);

	(void)state;
	memset(large, 'x', 300000);
	assert_int_equal(deliver("body\n", 5, name, 0), 0);
	assert_int_equal(fsyncs, 2);
	check_message(name, "body\n", 5);
	assert_int_equal(deliver("", 0, name, 0), 0);
	check_message(name, "", 0);
	assert_int_equal(deliver(large, 300000, name, 0), 0);
	check_message(name, large, 300000);
	short_writes = true;
	assert_int_equal(deliver("body\n", 5, name, 0), 0);
	check_message(name, "body\n", 5);
	assert_int_equal(visit(spool.queue, false), 4);
	free(large);
}

static void
a_small_message_takes_one_write(void **state)
{
	char name[SPOOL_NAME_MAX + 1];

	(void)state;
	assert_int_equal(deliver("body\n", 5, name, 0), 0);
	/* openat flock write fsync fcntl linkat fsync */
	assert_int_equal(calls, 7);
}

/* tests/powercut proves that this is enough, where it is done. */
static void
one_flush_comes_behind_the_name(void **state)
{
	char name[SPOOL_NAME_MAX + 1];

	(void)state;
	spool.one_flush = true;
	assert_int_equal(deliver("body\n", 5, name, 0), 0);
	/* openat flock write linkat fsync fcntl */
	assert_int_equal(calls, 6);
	assert_int_equal(fsyncs, 1);
	check_message(name, "body\n", 5);
	fail_errno = EIO;
	assert_int_equal(deliver("body\n", 5, name, 4), -1);
	assert_int_equal(fsyncs, 0);
	assert_int_equal(visit(spool.queue, false), 1);
}

static void
an_unknown_file_system_gets_two_flushes(void **state)
{
	struct spool other = SPOOL_INIT;

	(void)state;
	other.one_flush = true;
	spool_try_one_flush(&other);		/* no directory at all */
	assert_false(other.one_flush);
	other.queue = open("/proc", O_RDONLY | O_DIRECTORY);
	assert_int_not_equal(other.queue, -1);
	spool_try_one_flush(&other);
	assert_false(other.one_flush);
	spool_close(&other);
}

/* Attack list D 65 to 67: whichever call fails, nothing is left. */
static void
fail_each(int error)
{
	char name[SPOOL_NAME_MAX + 1], body[70000];
	int n = 1, result;

	memset(body, 'x', sizeof(body));
	do {
		fail_errno = error;
		result = deliver(body, sizeof(body), name, n);
		if (result == -1) {
			assert_int_equal(errno, error);
			assert_int_equal(visit(spool.queue, false), 0);
			assert_true(fsyncs <= 2);
		}
	} while (result == -1 && ++n < 100);
	assert_int_equal(result, 0);
	assert_true(n > 7);		/* each of the steps was made to fail */
	assert_int_equal(visit(spool.queue, true), 1);
}

static void
nothing_is_left_when_any_step_fails(void **state)
{
	(void)state;
	fail_each(ENOSPC);
	fail_each(EIO);
	spool.one_flush = true;
	fail_each(ENOSPC);
	fail_each(EIO);
}

static void
nothing_is_left_without_o_tmpfile_either(void **state)
{
	char name[SPOOL_NAME_MAX + 1];

	(void)state;
	spool.named = true;
	fail_each(ENOSPC);
	fail_each(EDQUOT);
	assert_int_equal(deliver("body\n", 5, name, 0), 0);
	check_message(name, "body\n", 5);
}

static void
an_abandoned_message_leaves_nothing(void **state)
{
	struct spool_file f;

	(void)state;
	for (int i = 0; i < 2; i++) {
		spool.named = i == 1;
		assert_int_equal(spool_create(&f, &spool), 0);
		assert_int_equal(visit(spool.queue, false), i);
		assert_int_equal(spool_write(&f, "x", 1), 0);
		errno = EPIPE;
		spool_file_close(&f);
		assert_int_equal(errno, EPIPE);
		spool_file_close(&f);		/* from any state */
		assert_int_equal(visit(spool.queue, false), 0);
	}
}

/* Attack list D 74: an ID that is taken. */
static void
d74_no_message_is_written_over_another(void **state)
{
	char name[SPOOL_NAME_MAX + 1], back[8] = "";
	struct spool_file f;
	struct envelope e;
	int fd;

	(void)state;
	fill(&e);
	for (int i = 0; i < 2; i++) {
		spool.named = i == 1;
		assert_int_equal(spool_create(&f, &spool), 0);
		spool_name(name, f.id, 1);
		fd = openat(spool.queue, name, O_RDWR | O_CREAT | O_EXCL, 0600);
		assert_int_equal(write(fd, "first", 5), 5);
		assert_int_equal(spool_write(&f, "x", 1), 0);
		assert_int_equal(spool_commit(&f, &e), -1);
		assert_int_equal(errno, EEXIST);
		spool_file_close(&f);
		assert_int_equal(visit(spool.queue, false), 1);
		assert_int_equal(pread(fd, back, sizeof(back), 0), 5);
		assert_string_equal(back, "first");
		(void)close(fd);
		assert_int_equal(unlinkat(spool.queue, name, 0), 0);
	}
	envelope_release(&e);
}

static void
a_bad_envelope_is_not_committed(void **state)
{
	struct spool_file f;
	struct envelope e;

	(void)state;
	fill(&e);
	e.envid = xstrdup("a\nready 00000000");
	assert_int_equal(spool_create(&f, &spool), 0);
	assert_int_equal(spool_commit(&f, &e), -1);
	assert_int_equal(errno, EINVAL);
	spool_file_close(&f);
	assert_int_equal(visit(spool.queue, false), 0);
	envelope_release(&e);
}

static void
nobody_reads_it_before_the_answer(void **state)
{
	struct spool_file f;
	struct envelope e;
	char name[SPOOL_NAME_MAX + 1];
	int fd;

	(void)state;
	fill(&e);
	assert_int_equal(spool_create(&f, &spool), 0);
	assert_int_equal(spool_commit(&f, &e), 0);
	spool_name(name, f.id, f.size);
	assert_int_equal(spool_open_file(spool.queue, name), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	spool_file_close(&f);
	fd = spool_open_file(spool.queue, name);
	assert_int_not_equal(fd, -1);
	close(fd);
	envelope_release(&e);
}

/* A message of that many bytes, not on disk yet if it is small. */
static void
begin(struct spool_file *f, struct envelope *e, size_t size)
{
	char *body = xmalloc(size);

	memset(body, 'x', size);
	fill(e);
	spool_begin(f, &spool);
	assert_int_equal(spool_write(f, body, size), 0);
	free(body);
}

static void
a_message_in_memory_is_what_the_file_would_be(void **state)
{
	char name[SPOOL_NAME_MAX + 1], memory[1000], disk[1000];
	struct spool_file f;
	struct envelope e;
	ssize_t n;
	int fd;

	(void)state;
	begin(&f, &e, 100);
	fd = spool_in_memory(&f, &e);
	assert_int_not_equal(fd, -1);
	assert_true(spool_is_in_memory(fd));
	assert_int_equal(visit(spool.queue, false), 0);
	n = pread(fd, memory, sizeof(memory), 0);
	assert_in_range(n, 150, 900);
	assert_int_equal(pwrite(fd, "y", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 5), -1);
	assert_int_equal(ftruncate(fd, 5000), -1);
	close(fd);
	buf_adds(&f.outcomes, "retry 0 2026-11-23T03:19:00.000000Z\n");
	assert_int_equal(spool_commit(&f, &e), 0);
	spool_name(name, f.id, f.size);
	spool_file_close(&f);
	envelope_release(&e);
	fd = spool_open_file(spool.queue, name);
	assert_int_equal(pread(fd, disk, sizeof(disk), 0), n + 36);
	assert_memory_equal(disk, memory, (size_t)n);
	assert_memory_equal(disk + n, "retry 0 2026", 12);
	envelope_init(&e);
	assert_int_equal(spool_read_envelope(fd, 100, &e), 0);
	assert_int_equal(spool_verify(fd, 100, &e), 1);
	assert_int_equal(e.used, n + 36 - 100);
	envelope_release(&e);
	close(fd);
}

static void
what_is_on_disk_already_is_not_in_memory(void **state)
{
	struct spool_file f;
	struct envelope e;
	int fd;

	(void)state;
	begin(&f, &e, 100000);
	assert_int_equal(spool_in_memory(&f, &e), -1);
	assert_int_equal(spool_commit(&f, &e), 0);
	spool_file_close(&f);
	envelope_release(&e);
	assert_int_equal(visit(spool.queue, false), 1);
	/* One that can still be written to is none either. */
	fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_false(spool_is_in_memory(fd));
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK |
	    F_SEAL_SEAL), 0);
	assert_false(spool_is_in_memory(fd));
	close(fd);
	assert_false(spool_is_in_memory(spool.queue));
	assert_false(spool_is_in_memory(-1));
}

/* Attack list D 70. */
static void
foreign_objects_are_not_opened(void **state)
{
	static const char a[] = "25x2t8n3chy05l4w.5", b[] =
	    "25x2t8n3chy05l4x.5";

	(void)state;
	assert_int_equal(spool_open_file(spool.queue, a), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(symlinkat("/etc/passwd", spool.queue, a), 0);
	assert_int_equal(spool_open_file(spool.queue, a), -1);
	assert_int_equal(errno, EINVAL);
	unlinkat(spool.queue, a, 0);
	assert_int_equal(mkfifoat(spool.queue, a, 0600), 0);
	assert_int_equal(spool_open_file(spool.queue, a), -1);
	assert_int_equal(errno, EINVAL);
	unlinkat(spool.queue, a, 0);
	assert_int_equal(mkdirat(spool.queue, a, 0700), 0);
	assert_int_equal(spool_open_file(spool.queue, a), -1);
	assert_int_equal(errno, EINVAL);
	unlinkat(spool.queue, a, AT_REMOVEDIR);
	close(openat(spool.queue, a, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(linkat(spool.queue, a, spool.queue, b, 0), 0);
	assert_int_equal(spool_open_file(spool.queue, a), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(spool_open_file(spool.queue, "../x"), -1);
	assert_int_equal(errno, EINVAL);
	if (geteuid() == 0) {
		unlinkat(spool.queue, b, 0);
		assert_int_equal(fchownat(spool.queue, a, 12345, 12345, 0), 0);
		assert_int_equal(spool_open_file(spool.queue, a), -1);
		assert_int_equal(errno, EINVAL);
	}
}

/* Attack list D 69: cut or flipped, it is told. */
static void
damage_is_found(void **state)
{
	char name[SPOOL_NAME_MAX + 1];
	struct envelope e;
	int64_t size;
	int fd;

	(void)state;
	assert_int_equal(deliver("body\n", 5, name, 0), 0);
	assert_true(spool_name_parse(name, NULL, &size));
	fd = openat(spool.queue, name, O_RDWR);
	assert_int_equal(pwrite(fd, "B", 1, 12), 1);
	envelope_init(&e);
	assert_int_equal(spool_read_envelope(fd, size, &e), 0);
	assert_int_equal(spool_verify(fd, size, &e), 0);
	envelope_release(&e);
	assert_int_equal(ftruncate(fd, size + 20), 0);
	assert_int_equal(spool_read_envelope(fd, size, &e), -1);
	assert_non_null(e.damage);
	envelope_release(&e);
	assert_int_equal(ftruncate(fd, size - 1), 0);
	assert_int_equal(spool_read_envelope(fd, size, &e), -1);
	assert_string_equal(e.damage, "shorter than its name says");
	envelope_release(&e);
	close(fd);
}

static void
names_are_read_strictly(void **state)
{
	static const char *const bad[] = { "", ".", "..",
	    "tmp.25x2t8n3chy05l4w", "25x2t8n3chy05l4w",
	    "25x2t8n3chy05l4w.", "25x2t8n3chy05l4w.05",
	    "25x2t8n3chy05l4w.-5", "25x2t8n3chy05l4w.+5",
	    "25x2t8n3chy05l4w. 5", "25x2t8n3chy05l4w.5 ",
	    "25x2t8n3chy05l4w.5.6", "25x2t8n3chy05l4W.5",
	    "25x2t8n3chy05l4.w5", "25x2t8n3chy05l4w.99999999999999999999",
	    "25x2t8n3chy05l4w.5\n" };
	char id[ID_LEN + 1], name[SPOOL_NAME_MAX + 1];
	int64_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (spool_name_parse(bad[i], NULL, NULL))
			fail_msg("accepted: %s", bad[i]);
	assert_true(spool_name_parse("25x2t8n3chy05l4w.0", id, &size));
	assert_string_equal(id, "25x2t8n3chy05l4w");
	assert_int_equal(size, 0);
	spool_name(name, id, INT64_MAX);
	assert_true(spool_name_parse(name, id, &size));
	assert_true(size == INT64_MAX);
}

static void
a_full_disk_is_seen_beforehand(void **state)
{
	(void)state;
	assert_true(spool_has_room(&spool, 1));
	assert_false(spool_has_room(&spool, INT64_MAX / 4));
}

#define SPOOL_TEST(f) cmocka_unit_test_setup_teardown(f, make_spool, \
	    remove_spool)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SPOOL_TEST(a_committed_message_is_there),
		SPOOL_TEST(a_small_message_takes_one_write),
		SPOOL_TEST(one_flush_comes_behind_the_name),
		SPOOL_TEST(an_unknown_file_system_gets_two_flushes),
		SPOOL_TEST(nothing_is_left_when_any_step_fails),
		SPOOL_TEST(nothing_is_left_without_o_tmpfile_either),
		SPOOL_TEST(an_abandoned_message_leaves_nothing),
		SPOOL_TEST(d74_no_message_is_written_over_another),
		SPOOL_TEST(a_bad_envelope_is_not_committed),
		SPOOL_TEST(nobody_reads_it_before_the_answer),
		SPOOL_TEST(a_message_in_memory_is_what_the_file_would_be),
		SPOOL_TEST(what_is_on_disk_already_is_not_in_memory),
		SPOOL_TEST(foreign_objects_are_not_opened),
		SPOOL_TEST(damage_is_found),
		SPOOL_TEST(names_are_read_strictly),
		SPOOL_TEST(a_full_disk_is_seen_beforehand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
