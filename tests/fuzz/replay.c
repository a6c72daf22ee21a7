/*
 * replay.c - a main() for a fuzz target: feeds it every file named, and every
 * file of the directories named, and says how many.  Without libFuzzer, so
 * that `make check` replays the corpora with any compiler and sanitizer.
 */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static unsigned long replayed;

/* The copy has exactly the file's size: sanitizers see a read behind it. */
static void
replay_file(int fd, const char *path, size_t size)
{
	uint8_t *data = malloc(size == 0 ? 1 : size);
	size_t have = 0;
	ssize_t n;

	if (data == NULL)
		err(EX_OSERR, "%s", path);
	while (have < size && (n = read(fd, data + have, size - have)) != 0) {
		if (n == -1)
			err(EX_NOINPUT, "%s", path);
		have += (size_t)n;
	}
	(void)LLVMFuzzerTestOneInput(data, have);
	free(data);
	replayed++;
}

static void replay(int dir, const char *path);

/* Names that begin with a dot are not inputs. */
static void
replay_directory(int fd, const char *path)
{
	DIR *dir = fdopendir(dup(fd));
	struct dirent *e;

	if (dir == NULL)
		err(EX_NOINPUT, "%s", path);
	while ((e = readdir(dir)) != NULL)
		if (e->d_name[0] != '.')
			replay(fd, e->d_name);
	(void)closedir(dir);
}

static void
replay(int dir, const char *path)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1)
		err(EX_NOINPUT, "%s", path);
	if (S_ISDIR(st.st_mode))
		replay_directory(fd, path);
	else
		replay_file(fd, path, (size_t)st.st_size);
	(void)close(fd);
}

int
main(int argc, char *argv[])
{
	if (argc < 2) {
		fprintf(stderr, "usage: %s file-or-directory ...\n", argv[0]);
		return EX_USAGE;
	}
	for (int i = 1; i < argc; i++)
		replay(AT_FDCWD, argv[i]);
	printf("%s: %lu inputs\n", getprogname(), replayed);
	return replayed == 0 ? EX_NOINPUT : 0;
}
