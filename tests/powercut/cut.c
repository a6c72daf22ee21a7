/*
 * cut.c - builds the disks as a power cut would have left them.
 *
 * usage: cut -l WORK [-a ACKS] [-n COUNT] [-s SEED]   proposes cut points
 *        cut -c POS -v VARIANT [-s SEED] WORK         makes WORK/cut0, cut1
 *        cut -i WORK                                  counts what is recorded
 * At a cut after POS records, all that a disk had written before its last
 * flush is on it.  What came after that flush stood in the disk's cache; the
 * variant says what became of it.
 * Way 0 of 8: below every file of ours.
 */
#include <sys/stat.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "powercut.h"

#define SECTOR	512u
#define BLOCK	4096u
#define FIRST	4u		/* answers that are always cut points */

enum variant {
	DROPPED,	/* nothing of it */
	KEPT,		/* all of it */
	SUBSET,		/* each write, or not, by chance */
	LATER,		/* the later half without the earlier one */
	BLOCKS,		/* each 4 KiB block, or not, by chance */
	SECTORS,	/* each sector, or not, by chance */
	TORN,		/* in order up to one write, whose blocks are torn */
	VARIANTS
};

static const char *const variants[VARIANTS] = {
	"dropped", "kept", "subset", "later", "blocks", "sectors", "torn",
};

struct entry {
	struct record r;
	off_t	data;		/* where its bytes are in the log */
};

static struct entry *entries;
static uint64_t nentries, state;
static int work, logfd;

/* A generator of our own: a seed means the same everywhere (splitmix64). */
static uint64_t
chance(uint64_t limit)
{
	uint64_t z = state += 0x9E3779B97F4A7C15u;

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return (z ^ (z >> 31)) % limit;
}

static void
read_log(const char *path)
{
	off_t at = 0;
	struct record r;

	if ((work = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1 ||
	    (logfd = openat(work, "log", O_RDONLY | O_CLOEXEC)) == -1)
		err(1, "%s/log", path);
	while (pread(logfd, &r, sizeof(r), at) == (ssize_t)sizeof(r)) {
		if ((nentries & (nentries - 1)) == 0 &&
		    (entries = reallocarray(entries,
		    nentries == 0 ? 1 : nentries * 2,
		    sizeof(*entries))) == NULL)
			err(1, NULL);
		at += (off_t)sizeof(r);
		entries[nentries++] = (struct entry){ r, at };
		at += (off_t)r.len;
	}
}

static void
put(int fd, const struct entry *e, uint64_t from, uint64_t len)
{
	static char block[1 << 20];

	while (len > 0) {
		size_t n = len < sizeof(block) ? (size_t)len : sizeof(block);

		if (pread(logfd, block, n, e->data + (off_t)from) !=
		    (ssize_t)n ||
		    pwrite(fd, block, n, (off_t)(e->r.at + from)) !=
		    (ssize_t)n)
			err(1, "image");
		from += n;
		len -= n;
	}
}

static void
put_part(int fd, const struct entry *e, uint64_t from, uint64_t len)
{
	put(fd, e, from, len < e->r.len - from ? len : e->r.len - from);
}

/* One write that stood in the cache; i of n. */
static void
put_volatile(int fd, const struct entry *e, enum variant v, uint64_t i,
    uint64_t n, uint64_t tear)
{
	uint64_t at, piece;

	switch (v) {
	case SUBSET:
		if (chance(2) == 0)
			return;
		break;
	case LATER:
		if (i < n / 2)
			return;
		break;
	case BLOCKS:
	case SECTORS:
		piece = v == BLOCKS ? BLOCK : SECTOR;
		for (at = 0; at < e->r.len; at += piece)
			if (chance(2) == 0)
				put_part(fd, e, at, piece);
		return;
	case TORN:
		if (i > tear)
			return;
		if (i < tear)
			break;
		for (at = 0; at < e->r.len; at += BLOCK)
			put_part(fd, e, at, chance(BLOCK / SECTOR) * SECTOR);
		return;
	default:
		break;
	}
	put(fd, e, 0, e->r.len);
}

static bool
is_write(const struct entry *e, uint32_t disk)
{
	return e->r.kind == RECORD_WRITE && e->r.disk == disk;
}

/* The first record of `disk` that is not safe at a cut after pos of them. */
static uint64_t
flushed(uint32_t disk, uint64_t pos)
{
	while (pos > 0 && (entries[pos - 1].r.kind != RECORD_FLUSH ||
	    entries[pos - 1].r.disk != disk))
		pos--;
	return pos;
}

static uint64_t
count_volatile(uint32_t disk, uint64_t pos)
{
	uint64_t n = 0;

	for (uint64_t i = flushed(disk, pos); i < pos; i++)
		n += is_write(&entries[i], disk);
	return n;
}

/* A sparse copy: what is not written stays a hole. */
static int
copy_base(const char *from, const char *to)
{
	int in = openat(work, from, O_RDONLY | O_CLOEXEC), out;
	static char block[1 << 16];
	struct stat st;
	off_t at = 0, end;
	ssize_t n;

	if (in == -1 && errno == ENOENT)
		return -1;
	out = openat(work, to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (in == -1 || out == -1 || fstat(in, &st) == -1 ||
	    ftruncate(out, st.st_size) == -1)
		err(1, "%s", to);
	while ((at = lseek(in, at, SEEK_DATA)) != -1 &&
	    (end = lseek(in, at, SEEK_HOLE)) != -1)
		for (; at < end; at += n) {
			size_t want = end - at < (off_t)sizeof(block) ?
			    (size_t)(end - at) : sizeof(block);

			n = pread(in, block, want, at);
			if (n <= 0 || pwrite(out, block, (size_t)n, at) != n)
				err(1, "%s", to);
		}
	(void)close(in);
	return out;
}

static void
cut_disk(uint32_t disk, uint64_t pos, enum variant v)
{
	char from[] = "base0", to[] = "cut0";
	uint64_t safe = flushed(disk, pos), n = count_volatile(disk, pos);
	uint64_t tear = n > 0 ? chance(n) : 0, k = 0;
	int fd;

	from[4] = to[3] = (char)('0' + disk);
	if ((fd = copy_base(from, to)) == -1)
		return;		/* this disk is not there */
	for (uint64_t i = 0; i < pos; i++) {
		if (!is_write(&entries[i], disk))
			continue;
		if (i < safe)
			put(fd, &entries[i], 0, entries[i].r.len);
		else if (v != DROPPED)
			put_volatile(fd, &entries[i], v, k++, n, tear);
	}
	(void)close(fd);
}

static void
print_point(uint64_t pos)
{
	uint64_t n = 0;

	for (uint32_t d = 0; d < DISKS; d++)
		n += count_volatile(d, pos);
	printf("%" PRIu64 " %" PRIu64 "\n", pos, n);
}

/* Positions at which a client had just heard "yes": the hardest promise. */
static uint64_t *
read_acks(const char *path, uint64_t *n_out)
{
	FILE *f = path == NULL ? NULL : fopen(path, "re");
	uint64_t *acks = NULL, n = 0, pos;

	*n_out = 0;
	if (f == NULL)
		return NULL;
	while (fscanf(f, "%*u %" SCNu64 " %*[^\n]", &pos) == 1) {
		if ((acks = reallocarray(acks, n + 1, sizeof(*acks))) == NULL)
			err(1, NULL);
		acks[n++] = pos;
	}
	(void)fclose(f);
	*n_out = n;
	return acks;
}

/* A point just before some flush: then most stands in the cache. */
static uint64_t
before_flush(uint64_t pos)
{
	while (pos < nentries && entries[pos].r.kind != RECORD_FLUSH)
		pos++;
	return pos;
}

/*
 * The first answers, when even the directories were new; then in turn: at an
 * answer, before a flush, at an answer, anywhere.
 */
static void
propose(const char *ackfile, uint64_t count)
{
	uint64_t nacks, *acks = read_acks(ackfile, &nacks), pos;

	if (nentries == 0)
		errx(1, "nothing was recorded");
	for (uint64_t i = 0; i < count; i++) {
		if (i < FIRST && i < nacks)
			pos = acks[i];
		else if (i % 2 == 0 && nacks > 0)
			pos = acks[chance(nacks)];
		else if (i % 4 == 1)
			pos = before_flush(chance(nentries));
		else
			pos = chance(nentries) + 1;
		print_point(pos);
	}
	free(acks);
}

static void
print_counts(void)
{
	uint64_t flushes = 0, bytes = 0;

	for (uint64_t i = 0; i < nentries; i++) {
		flushes += entries[i].r.kind == RECORD_FLUSH;
		bytes += entries[i].r.len;
	}
	printf("%" PRIu64 " writes, %" PRIu64 " flushes, %" PRIu64 " KiB\n",
	    nentries - flushes, flushes, bytes / 1024);
}

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: cut -i work | -l work [-a acks] [-n count] "
	    "[-s seed] |\n       -c position -v variant [-s seed] work\n");
	exit(64);
}

static void
make(uint64_t pos, const char *variant, const char *path)
{
	int v = 0;

	while (v < VARIANTS && strcmp(variants[v], variant) != 0)
		v++;
	read_log(path);
	if (v == VARIANTS || pos > nentries)
		usage();
	for (uint32_t d = 0; d < DISKS; d++)
		cut_disk(d, pos, (enum variant)v);
}

int
main(int argc, char *argv[])
{
	const char *acks = NULL, *variant = NULL, *list = NULL, *info = NULL;
	uint64_t pos = 0, count = 100;
	int ch;

	while ((ch = getopt(argc, argv, "a:c:i:l:n:s:v:")) != -1)
		switch (ch) {
		case 'a': acks = optarg; break;
		case 'c': pos = strtoull(optarg, NULL, 10); break;
		case 'i': info = optarg; break;
		case 'l': list = optarg; break;
		case 'n': count = strtoull(optarg, NULL, 10); break;
		case 's': state = strtoull(optarg, NULL, 10); break;
		case 'v': variant = optarg; break;
		default: usage();
		}
	if (info != NULL) {
		read_log(info);
		print_counts();
	} else if (list != NULL) {
		read_log(list);
		propose(acks, count);
	} else if (variant != NULL && argc - optind == 1)
		make(pos, variant, argv[optind]);
	else
		usage();
	free(entries);
	return 0;
}
