/*
 * verify.c - is everything that was acknowledged before the cut still there?
 *
 * usage: verify [-r] -a ACKS -c POS SPOOL MAILDIR-OF-BILLY MAILDIR-OF-JEAN-BOB
 * Prints one line for each thing wrong.  Exit status: 0 all is well, 1 not,
 * 2 (with -r) Facteur is still at work on it.
 * Each recipient of each message acknowledged up to POS must have it, whole:
 * in his Maildir, or in the spool, where he is still to be served.  With -r
 * Facteur has run since: now local mail must be in the Maildirs.
 * Never may a Maildir show a message that is not whole, or one twice.
 * Way 4 and 6 of 8, read by a stranger.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <zlib.h>

#include "maildir.h"
#include "powercut.h"
#include "spool.h"

#define MESSAGES	100000u

/* What was found of a message; each array by its number. */
static unsigned char queued[MESSAGES];	/* TO_*: waits in the spool for them */
static unsigned char delivered[2][MESSAGES];	/* how often in a Maildir */
static unsigned wrong, waiting;
static bool has_run;

static void __attribute__((format(printf, 1, 2)))
complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	wrong++;
}

/* ---- one message ---- */

/* Its number, if its body is what its X-Check field says; else -1. */
static int
number_of(const char *text, size_t len)
{
	const char *body = memmem(text, len, "\n\n", 2), *field;
	char head[4096];
	unsigned n, crc;
	size_t size;

	if (body == NULL || (size_t)(body - text) >= sizeof(head))
		return -1;
	memcpy(head, text, (size_t)(body - text));
	head[body - text] = '\0';
	body += 2;
	if ((field = strstr(head, "\n" CHECK_FIELD)) == NULL ||
	    sscanf(field + 1, CHECK_FIELD "%u %zu %x", &n, &size, &crc) != 3)
		return -1;
	len -= (size_t)(body - text);
	if (n >= MESSAGES || len != size ||
	    (unsigned)crc32_z(0, (const void *)body, len) != crc)
		return -1;
	return (int)n;
}

/* Reads `size` bytes of an open file; -1: it is not whole. */
static int
check_bytes(int fd, size_t size)
{
	char *text = xmalloc(size + 1);
	size_t got = 0;
	ssize_t n;
	int number = -1;

	while (got < size &&
	    (n = pread(fd, text + got, size - got, (off_t)got)) > 0)
		got += (size_t)n;
	text[got] = '\0';
	if (got == size)
		number = number_of(text, got);
	free(text);
	return number;
}

/* ---- the spool ---- */

static unsigned
who(const char *addr)
{
	if (strcmp(addr, ADDR_BILLY) == 0)
		return TO_BILLY;
	if (strcmp(addr, ADDR_JEAN) == 0)
		return TO_JEAN;
	return strcmp(addr, ADDR_REMOTE) == 0 ? TO_REMOTE : 0;
}

/*
 * A file that is not ready was never acknowledged, and is no message yet;
 * if somebody was told otherwise, he will be missed below.
 */
static void
look_at_queue_file(int fd, const char *name)
{
	struct envelope env;
	int64_t size = 0;
	int n;

	(void)spool_name_parse(name, NULL, &size);
	envelope_init(&env);
	if (spool_read_envelope(fd, size, &env) == 0 &&
	    spool_verify(fd, size, &env) == 1) {
		n = check_bytes(fd, (size_t)size);
		if (n == -1)
			complain("spool: %s: right checksum, wrong message",
			    name);
		for (unsigned i = 0; n != -1 && i < env.nrcpts; i++)
			if (env.rcpts[i].state == RCPT_PENDING) {
				queued[n] |= who(env.rcpts[i].addr);
				waiting += who(env.rcpts[i].addr) != TO_REMOTE;
			}
	}
	envelope_release(&env);
}

static DIR *
open_list(const char *path, const char *sub)
{
	char full[4096];

	(void)snprintf(full, sizeof(full), "%s/%s", path, sub);
	return opendir(full);
}

static void
look_at_queue(const char *path)
{
	DIR *dir = open_list(path, "queue");
	struct dirent *d;
	int fd;

	while (dir != NULL && (d = readdir(dir)) != NULL) {
		if (!spool_name_parse(d->d_name, NULL, NULL))
			continue;
		fd = spool_open_file(dirfd(dir), d->d_name);
		if (fd == -1 && errno == EWOULDBLOCK)
			waiting++;
		if (fd == -1)
			continue;
		look_at_queue_file(fd, d->d_name);
		(void)close(fd);
	}
	if (dir != NULL)
		(void)closedir(dir);
}

/* ---- Maildirs ---- */

static void
look_at_mail(int who_bit, int dirfd_, const char *name)
{
	struct maildir_entry e;
	struct stat st;
	int fd, n = -1;

	if (!maildir_parse(name, &e))
		return;
	fd = openat(dirfd_, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1 && errno == ENOENT)
		return;
	if (fd != -1 && fstat(fd, &st) == 0 && st.st_size == e.size)
		n = check_bytes(fd, (size_t)st.st_size);
	if (fd != -1)
		(void)close(fd);
	if (n == -1)
		complain("short: %s is not whole", name);
	else if (++delivered[who_bit][n] == 2)
		complain("twice: message %d as %s", n, name);
}

static void
look_at_maildir(int bit, const char *path)
{
	static const char *const subs[] = { "new", "cur" };

	for (int i = 0; i < 2; i++) {
		DIR *dir = open_list(path, subs[i]);
		struct dirent *d;

		while (dir != NULL && (d = readdir(dir)) != NULL)
			look_at_mail(bit, dirfd(dir), d->d_name);
		if (dir != NULL)
			(void)closedir(dir);
	}
}

/* ---- the promise ---- */

static void
check_ack(unsigned n, uint64_t at, unsigned to)
{
	unsigned missing = to & ~(unsigned)(
	    (delivered[0][n] > 0 ? TO_BILLY : 0) |
	    (delivered[1][n] > 0 ? TO_JEAN : 0));

	if (has_run)
		missing &= ~(unsigned)(queued[n] & TO_REMOTE);
	else
		missing &= ~(unsigned)queued[n];
	if (missing != 0)
		complain("lost: message %u, acknowledged at %" PRIu64
		    ", for recipients %u", n, at, missing);
}

static unsigned
check_acks(const char *path, uint64_t pos)
{
	FILE *f = fopen(path, "re");
	unsigned n, to, count = 0;
	uint64_t at;

	if (f == NULL)
		err(64, "%s", path);
	while (fscanf(f, "%u %" SCNu64 " %u %*[^\n]", &n, &at, &to) == 3)
		if (at <= pos && n < MESSAGES) {
			check_ack(n, at, to);
			count++;
		}
	(void)fclose(f);
	return count;
}

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: verify [-r] -a acks -c position "
	    "spool maildir maildir\n");
	exit(64);
}

int
main(int argc, char *argv[])
{
	const char *acks = NULL;
	uint64_t pos = UINT64_MAX;
	unsigned count;
	int ch;

	while ((ch = getopt(argc, argv, "a:c:r")) != -1)
		switch (ch) {
		case 'a': acks = optarg; break;
		case 'c': pos = strtoull(optarg, NULL, 10); break;
		case 'r': has_run = true; break;
		default: usage();
		}
	if (acks == NULL || argc - optind != 3)
		usage();
	/* The spool first: what leaves it meanwhile is then in a Maildir. */
	look_at_queue(argv[optind]);
	look_at_maildir(0, argv[optind + 1]);
	look_at_maildir(1, argv[optind + 2]);
	if (has_run && waiting > 0)
		return 2;
	count = check_acks(acks, pos);
	if (wrong == 0)
		printf("%u acknowledged, all there\n", count);
	return wrong > 0;
}
