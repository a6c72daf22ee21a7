/*
 * spool_flush.c - is one flush enough here?  Where a file system's journal or
 * log keeps the order of changes, the flush of a file brings its new name
 * along; tests/powercut is the proof, for those that are named here.
 *
 * A library: runs in inject and queue, as facteur-queue.
 * Way 3 and 5 of 8.  From: queue/inject, queue/queue.  To: lib/spool, local.
 */
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "spool.h"

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC	0x58465342
#endif

/* The kernel's name of the device below ("sda1", "dm-0"); 0, or -1. */
static int
device_name(int dir, char *out, size_t size)
{
	char link[64], target[256], *slash;
	struct stat st;
	ssize_t n;

	if (fstat(dir, &st) == -1)
		return -1;
	(void)snprintf(link, sizeof(link), "/sys/dev/block/%u:%u",
	    major(st.st_dev), minor(st.st_dev));
	n = readlink(link, target, sizeof(target) - 1);
	if (n <= 0)
		return -1;
	target[n] = '\0';
	slash = strrchr(target, '/');
	return slash != NULL && strlcpy(out, slash + 1, size) < size ? 0 : -1;
}

/* A journal that is at work is "DEVICE-INODE" there. */
static bool
has_journal(const char *device)
{
	size_t len = strlen(device);
	DIR *list = opendir("/proc/fs/jbd2");
	struct dirent *d;
	bool found = false;

	while (list != NULL && !found && (d = readdir(list)) != NULL)
		found = strncmp(d->d_name, device, len) == 0 &&
		    d->d_name[len] == '-';
	if (list != NULL)
		(void)closedir(list);
	return found;
}

/*
 * Is ext4's fast_commit on, under which tests/powercut saw names lost?  No
 * option tells on every kernel, but its counters stand still when it is off,
 * and otherwise move with a flush: so we do one.  True if in doubt.
 */
static bool
has_fast_commit(int dir, const char *device)
{
	char path[192];
	long commits, others;
	FILE *info;
	int fd = openat(dir, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	bool flushed, off = false;

	if (fd == -1)
		return true;
	flushed = write(fd, "x", 1) == 1 && fsync(fd) == 0;
	(void)close(fd);
	(void)snprintf(path, sizeof(path), "/proc/fs/ext4/%s/fc_info", device);
	if (!flushed || (info = fopen(path, "re")) == NULL)
		return true;
	if (fscanf(info, "fc stats: %ld commits %ld ineligible", &commits,
	    &others) == 2)
		off = commits == 0 && others == 0;
	(void)fclose(info);
	return !off;
}

static bool
is_btrfs(int dir)
{
	struct statfs fs;

	return fstatfs(dir, &fs) == 0 &&
	    (unsigned long)fs.f_type == BTRFS_SUPER_MAGIC;
}

/*
 * btrfs does not: its log takes what is flushed, out of the order in which it
 * was changed.  Whatever we do not know, or cannot find out, does not either.
 */
bool
spool_keeps_order(const struct spool *spool)
{
	int dir = spool->queue;
	char device[128];
	struct statfs fs;

	if (fstatfs(dir, &fs) == -1)
		return false;
	switch ((unsigned long)fs.f_type) {
	case XFS_SUPER_MAGIC:
		return true;
	case EXT4_SUPER_MAGIC:	/* ext2 and ext3 share it */
		return device_name(dir, device, sizeof(device)) == 0 &&
		    has_journal(device) && !has_fast_commit(dir, device);
	default:
		return false;
	}
}

void
spool_try_one_flush(struct spool *spool)
{
	spool->one_flush = !spool->named &&
	    (is_btrfs(spool->queue) || spool_keeps_order(spool));
}
