/*
 * The table of known mailboxes: what it tells, to whom, and what is no table.
 */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

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

#include "known.h"

#define BILLY	"billy@yahoo.co.uk"
#define NOW	1000000
#define SIZE	(16 + 4096 * 16)	/* of a table */
#define WORDS	(SIZE / sizeof(uint64_t))
#define SEALS	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* Both ends, and the bare memory. */
struct world {
	struct known writer, reader;
	uint64_t *word;
};

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int writer, reader;

	*state = w;
	assert_int_equal(known_make(&writer, &reader), 0);
	w->word = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, writer,
	    0);
	assert_true(w->word != MAP_FAILED);
	known_map(&w->writer, writer, true);
	known_map(&w->reader, reader, false);
	assert_non_null(w->writer.table);
	assert_non_null(w->reader.table);
	return 0;
}

static void
forget(struct known *k)
{
	if (k->table != NULL)
		assert_int_equal(munmap(k->table, SIZE), 0);
	k->table = NULL;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	assert_int_equal(munmap(w->word, SIZE), 0);
	forget(&w->writer);
	forget(&w->reader);
	free(w);
	return 0;
}

static void
an_address_is_known_until_its_time(void **state)
{
	struct world *w = *state;

	assert_false(known_has(&w->reader, BILLY, 0));
	known_tell(&w->writer, BILLY, NOW);
	assert_true(known_has(&w->reader, BILLY, NOW - 1));
	assert_false(known_has(&w->reader, BILLY, NOW));
	/* The last word counts, be it the earlier end. */
	known_tell(&w->writer, BILLY, NOW + 2);
	assert_true(known_has(&w->reader, BILLY, NOW + 1));
	known_tell(&w->writer, BILLY, NOW + 1);
	assert_false(known_has(&w->reader, BILLY, NOW + 1));
}

static void
nobody_else_is_known(void **state)
{
	static const char *const others[] = { "", "billy", "jane@yahoo.co.uk",
	    "Billy@yahoo.co.uk", "billy+x@yahoo.co.uk", "billy@yahoo.co.u",
	    "billy@yahoo.co.ukk" };
	struct world *w = *state;
	char address[32];

	known_tell(&w->writer, BILLY, NOW);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(known_has(&w->reader, others[i], 0));
	/* Not in a table where every place is taken either. */
	for (int i = 0; i < 100000; i++) {
		(void)snprintf(address, sizeof(address), "u%d@emc.fr", i);
		known_tell(&w->writer, address, NOW);
	}
	for (int i = 0; i < 100000; i++) {
		(void)snprintf(address, sizeof(address), "x%d@emc.fr", i);
		assert_false(known_has(&w->reader, address, 0));
	}
}

/* The place of BILLY, once it has been told of: its two words. */
static uint64_t *
place_of_billy(struct world *w)
{
	known_tell(&w->writer, BILLY, NOW);
	for (size_t i = 2; i < WORDS; i += 2)
		if (w->word[i + 1] != 0)
			return &w->word[i];
	fail_msg("he has no place");
	return NULL;
}

static void
half_an_entry_is_nobodys(void **state)
{
	struct world *w = *state;
	uint64_t *place = place_of_billy(w), billy[2], other[2];
	char address[32];

	memcpy(billy, place, sizeof(billy));
	for (int i = 0; memcmp(billy, place, sizeof(billy)) == 0; i++) {
		(void)snprintf(address, sizeof(address), "u%d@emc.fr", i);
		known_tell(&w->writer, address, NOW + 7);
	}
	memcpy(other, place, sizeof(other));
	assert_true(known_has(&w->reader, address, 0));
	assert_false(known_has(&w->reader, BILLY, 0));

	/* As a reader may see it while the writer is at work. */
	place[0] = billy[0];
	assert_false(known_has(&w->reader, BILLY, 0));
	assert_false(known_has(&w->reader, address, 0));
	place[0] = other[0];
	place[1] = billy[1];
	assert_false(known_has(&w->reader, BILLY, 0));
	assert_false(known_has(&w->reader, address, 0));
	place[0] = 0;
	assert_false(known_has(&w->reader, BILLY, 0));
	place[0] = billy[0];
	assert_true(known_has(&w->reader, BILLY, 0));
	place[1] = 0;
	assert_false(known_has(&w->reader, BILLY, 0));
}

static void
it_holds_tags_and_no_address(void **state)
{
	struct world *w = *state;
	uint64_t *place;

	/* By `openssl mac ... SipHash` with the key 00 01 ... 0f. */
	w->word[0] = 0x0706050403020100;
	w->word[1] = 0x0f0e0d0c0b0a0908;
	memcpy(w->writer.key, w->word, sizeof(w->writer.key));
	place = place_of_billy(w);
	assert_int_equal(place[0] ^ place[1], 0xafa0c3d6b4763599);
	assert_int_equal(place[1], NOW);
	assert_null(memmem(w->word, SIZE, "billy", 5));
	assert_null(memmem(w->word, SIZE, "yahoo", 5));
}

static void
each_table_has_a_key_of_its_own(void **state)
{
	struct world *w = *state;
	int writer, reader;
	struct known k;

	assert_int_equal(known_make(&writer, &reader), 0);
	known_map(&k, reader, false);
	assert_memory_not_equal(k.key, w->reader.key, sizeof(k.key));
	assert_memory_equal(w->writer.key, w->reader.key, sizeof(k.key));
	forget(&k);
	assert_int_equal(close(writer), 0);
}

static void
a_child_sees_what_is_told_later(void **state)
{
	struct world *w = *state;
	int pair[2], status;
	pid_t pid;
	char c;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	pid = fork();
	assert_true(pid != -1);
	if (pid == 0)
		_exit(known_has(&w->reader, BILLY, 0) ||
		    write(pair[1], "?", 1) != 1 || read(pair[1], &c, 1) != 1 ||
		    !known_has(&w->reader, BILLY, 0));
	(void)close(pair[1]);
	assert_int_equal(read(pair[0], &c, 1), 1);
	known_tell(&w->writer, BILLY, NOW);
	assert_int_equal(write(pair[0], "!", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	(void)close(pair[0]);
}

static void
a_reader_can_never_write(void **state)
{
	struct world *w = *state;
	int writer, reader;

	errno = 0;
	assert_int_equal(mprotect(w->reader.table, SIZE,
	    PROT_READ | PROT_WRITE), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(known_make(&writer, &reader), 0);
	assert_int_equal(pwrite(reader, "x", 1, 0), -1);
	assert_true(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
	    reader, 0) == MAP_FAILED);
	assert_int_equal(errno, EACCES);
	(void)close(writer);
	(void)close(reader);
}

static void
nobody_can_change_its_size(void **state)
{
	int fd[2];

	(void)state;
	assert_int_equal(known_make(&fd[0], &fd[1]), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ftruncate(fd[i], 0), -1);
		assert_int_equal(ftruncate(fd[i], 2 * SIZE), -1);
		assert_int_equal(fcntl(fd[i], F_ADD_SEALS, F_SEAL_WRITE), -1);
		assert_int_equal(fcntl(fd[i], F_GETFD), FD_CLOEXEC);
	}
	(void)close(fd[0]);
	(void)close(fd[1]);
}

static int
memory(off_t size, int seals)
{
	int fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd != -1);
	assert_int_equal(ftruncate(fd, size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

/* It is not taken, and stays open. */
static void
is_refused(int fd, bool writer)
{
	struct known k = { .table = (void *)&k };

	known_map(&k, fd, writer);
	assert_null(k.table);
	known_tell(&k, BILLY, NOW);
	assert_false(known_has(&k, BILLY, 0));
	if (fd != -1)
		assert_int_equal(close(fd), 0);
}

static void
what_is_no_table_is_left_alone(void **state)
{
	int pair[2], writer, reader;

	(void)state;
	is_refused(-1, false);
	is_refused(-1, true);
	is_refused(memory(SIZE - 1, SEALS), true);
	is_refused(memory(SIZE + 1, SEALS), true);
	is_refused(memory(0, SEALS), true);
	is_refused(memory(SIZE, F_SEAL_GROW), true);	/* it could shrink */
	is_refused(memory(SIZE, 0), true);
	is_refused(memory(SIZE, SEALS | F_SEAL_WRITE), true);
	is_refused(open("/dev/zero", O_RDWR | O_CLOEXEC), true);
	is_refused(open("/dev/zero", O_RDONLY | O_CLOEXEC), false);
	is_refused(open("/", O_RDONLY | O_CLOEXEC), false);
	is_refused(open("/", O_PATH | O_CLOEXEC), false);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	is_refused(pair[0], true);
	is_refused(pair[1], false);
	/* A table, but the other end of it. */
	assert_int_equal(known_make(&writer, &reader), 0);
	is_refused(writer, false);
	is_refused(reader, true);
}

static void
a_table_that_is_taken_is_closed(void **state)
{
	int writer, reader;
	struct known k;

	(void)state;
	assert_int_equal(known_make(&writer, &reader), 0);
	known_map(&k, reader, false);
	assert_non_null(k.table);
	assert_int_equal(close(reader), -1);
	forget(&k);
	(void)close(writer);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_address_is_known_until_its_time),
		T(nobody_else_is_known),
		T(half_an_entry_is_nobodys),
		T(it_holds_tags_and_no_address),
		T(each_table_has_a_key_of_its_own),
		T(a_child_sees_what_is_told_later),
		T(a_reader_can_never_write),
		cmocka_unit_test(nobody_can_change_its_size),
		cmocka_unit_test(what_is_no_table_is_left_alone),
		cmocka_unit_test(a_table_that_is_taken_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
