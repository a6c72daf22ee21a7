/*
 * mutant.c - a library that breaks Facteur's promise, to prove that the
 * power-cut suite sees it; loaded by LD_PRELOAD.  POWERCUT_MUTANT says how:
 *
 *   PROGRAM-no-file-flush   fsync of a file does nothing
 *   PROGRAM-no-dir-flush    fsync of a directory does nothing
 *   PROGRAM-no-flush        neither does
 *   PROGRAM-no-write-out    sync_file_range does nothing
 *   PROGRAM-name-first      the name and its flush, then the content's flush
 *   PROGRAM-two-flushes     no mutant: the way of a file system that is not
 *                           known (INTERNALS 3.6), which no-dir-flush needs too
 * PROGRAM is inject (the spool) or launch (which is local: the Maildir).
 */
#include <sys/stat.h>
#include <sys/vfs.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int	fsync(int);
int	sync_file_range(int, off64_t, off64_t, unsigned);

static int held = -1;	/* the file whose flush was put off */

static bool
is_on(const char *what)
{
	const char *mutant = getenv("POWERCUT_MUTANT");
	size_t len = strlen(program_invocation_short_name);

	return mutant != NULL &&
	    strncmp(mutant, program_invocation_short_name, len) == 0 &&
	    mutant[len] == '-' && strcmp(mutant + len + 1, what) == 0;
}

static int
real_fsync(int fd)
{
	static int (*real)(int);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "fsync");
	return real(fd);
}

/* Puts the flush of a file off until its directory's was done. */
static int
name_first(int fd, bool directory)
{
	int result = 0;

	if (!directory) {
		held = dup(fd);
		return held == -1 ? -1 : 0;
	}
	result = real_fsync(fd);
	if (held != -1 && result == 0)
		result = real_fsync(held);
	if (held != -1)
		(void)close(held);
	held = -1;
	return result;
}

int
fsync(int fd)
{
	struct stat st;
	bool directory = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);

	if (is_on("no-flush") ||
	    is_on(directory ? "no-dir-flush" : "no-file-flush"))
		return 0;
	if (is_on("name-first"))
		return name_first(fd, directory);
	return real_fsync(fd);
}

int
sync_file_range(int fd, off64_t at, off64_t len, unsigned flags)
{
	static int (*real)(int, off64_t, off64_t, unsigned);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "sync_file_range");
	return is_on("no-write-out") ? 0 : real(fd, at, len, flags);
}

int
fstatfs(int fd, struct statfs *out)
{
	static int (*real)(int, struct statfs *);
	int result;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "fstatfs");
	result = real(fd, out);
	if (is_on("two-flushes") || is_on("no-dir-flush"))
		out->f_type = 0;
	return result;
}
