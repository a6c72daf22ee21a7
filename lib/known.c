/*
 * known.c - the table of known mailboxes: made by the supervisor, written by
 * resolve (facteur-lookup) alone, read by smtpd (facteur-net), whose mapping
 * nothing can make writable.
 *
 * An address is not in it, but a tag: SipHash-2-4 with the table's key, without
 * which a stranger cannot look for two addresses with one tag.  An address has
 * one place; the last one that was told stays there.
 * Way 1 of 8.  From: local/resolve_serve.c.  To: smtpd/txn.c.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "known.h"
#include "memory.h"

#define PLACES	4096
#define SEALS	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* Whoever changes this changes its size, or the variable's name. */
struct known_table {
	uint64_t key[2];
	/*
	 * There is no lock: check is tag ^ until, so two halves of different
	 * writes belong to no tag.
	 */
	struct place {
		_Atomic uint64_t check, until;
	} place[PLACES];
};

/* ---- the tag ----------------------------------------------------------- */

static inline uint64_t
rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static void
sip_rounds(uint64_t v[4], int n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static void
sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_rounds(v, 2);
	v[0] ^= word;
}

/* SipHash-2-4 (Aumasson and Bernstein, 2012). */
static uint64_t
tag_of(const uint64_t key[2], const char *s)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575,
	    key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
	    key[1] ^ 0x7465646279746573 };
	size_t len = strlen(s);
	uint64_t word, last = (uint64_t)len << 56;

	for (; len >= sizeof(word); s += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, s, sizeof(word));
		sip_word(v, le64toh(word));
	}
	for (size_t i = 0; i < len; i++)
		last |= (uint64_t)(unsigned char)s[i] << 8 * i;
	sip_word(v, last);
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- the memory -------------------------------------------------------- */

int
known_make(int *writer_out, int *reader_out)
{
	uint64_t key[2];
	char path[32];
	int saved;

	*reader_out = -1;
	*writer_out = memory_new("known");
	if (*writer_out == -1)
		return -1;
	arc4random_buf(key, sizeof(key));
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", *writer_out);
	/* All of it is there from now on: no later write can lack memory. */
	if (fallocate(*writer_out, 0, 0, sizeof(struct known_table)) == 0 &&
	    pwrite(*writer_out, key, sizeof(key), 0) == sizeof(key) &&
	    fcntl(*writer_out, F_ADD_SEALS, SEALS) == 0 &&
	    fchmod(*writer_out, 0600) == 0)
		*reader_out = open(path, O_RDONLY | O_CLOEXEC);
	if (*reader_out != -1)
		return 0;
	saved = errno;
	(void)close(*writer_out);
	*writer_out = -1;
	errno = saved;
	return -1;
}

/*
 * Who could shrink it could end us by a signal; who hands us the right to write
 * has mixed something up.
 */
static bool
is_table(int fd, bool writer)
{
	int flags = fcntl(fd, F_GETFL), seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	return flags != -1 && seals != -1 && (seals & SEALS) == SEALS &&
	    (flags & O_ACCMODE) == (writer ? O_RDWR : O_RDONLY) &&
	    fstat(fd, &st) == 0 && st.st_size == sizeof(struct known_table);
}

void
known_map(struct known *k, int fd, bool writer)
{
	void *p;

	*k = (struct known){ .table = NULL };
	if (!is_table(fd, writer))
		return;
	p = mmap(NULL, sizeof(*k->table), PROT_READ | (writer ? PROT_WRITE : 0),
	    MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return;
	(void)close(fd);
	k->table = p;
	memcpy(k->key, k->table->key, sizeof(k->key));
}

/* ---- asking and telling ------------------------------------------------ */

bool
known_has(const struct known *k, const char *address, int64_t now)
{
	const struct place *p;
	uint64_t tag, check, until;

	if (k->table == NULL)
		return false;
	tag = tag_of(k->key, address);
	p = &k->table->place[tag % PLACES];
	check = atomic_load_explicit(&p->check, memory_order_relaxed);
	until = atomic_load_explicit(&p->until, memory_order_relaxed);
	return (check ^ until) == tag && now < (int64_t)until;
}

void
known_tell(const struct known *k, const char *address, int64_t until)
{
	struct place *p;
	uint64_t tag;

	if (k->table == NULL)
		return;
	tag = tag_of(k->key, address);
	p = &k->table->place[tag % PLACES];
	atomic_store_explicit(&p->check, tag ^ (uint64_t)until,
	    memory_order_relaxed);
	atomic_store_explicit(&p->until, (uint64_t)until, memory_order_relaxed);
}
