/*
 * powercutfs.c - a disk with a memory: a FUSE file system of two files, the
 * images below loop devices.  Every write and every flush of them is kept in
 * a log, in the order in which they were done.
 *
 * usage: powercutfs WORK MOUNTPOINT
 * WORK/disk0 and WORK/disk1 are the images, WORK/log and WORK/position the
 * record (powercut.h).  One thread: a request is in the log before the kernel
 * hears that it is done.  Says "ready" when the kernel has mounted it.
 * Way 0 of 8: below every file of ours.
 */
#define FUSE_USE_VERSION 31

#include <sys/mman.h>
#include <sys/stat.h>

#include <stdlib.h>
#include <string.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdio.h>
#include <unistd.h>

#include "powercut.h"

static int work, image[DISKS], logfd;
static position *pos;

/* Which image "/disk0" is; -1: none. */
static int
disk_of(const char *path)
{
	if (strncmp(path, "/disk", 5) != 0 || path[6] != '\0' ||
	    path[5] < '0' || path[5] >= '0' + DISKS)
		return -1;
	return path[5] - '0';
}

static int
write_all(int fd, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n <= 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* A record that cannot be kept would make every verdict a lie: the end. */
static void
keep(enum record_kind kind, int disk, off_t at, const void *p, size_t len)
{
	struct record r = {
		.kind = kind, .disk = (uint32_t)disk,
		.at = (uint64_t)at, .len = len,
	};

	if (write_all(logfd, &r, sizeof(r)) == -1 ||
	    write_all(logfd, p, len) == -1)
		err(1, "log");
	(*pos)++;
}

static void *
fs_init(struct fuse_conn_info *conn, struct fuse_config *cfg)
{
	(void)conn;
	cfg->direct_io = 1;	/* nothing stays in a cache above us */
	if (write_all(STDOUT_FILENO, "ready\n", 6) == -1)
		err(1, "stdout");
	return NULL;
}

static int
fs_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	int disk = disk_of(path);

	(void)fi;
	memset(st, 0, sizeof(*st));
	if (strcmp(path, "/") == 0) {
		st->st_mode = S_IFDIR | 0700;
		st->st_nlink = 2;
		return 0;
	}
	if (disk == -1 || fstat(image[disk], st) == -1)
		return -ENOENT;
	st->st_mode = S_IFREG | 0600;
	return 0;
}

static int
fs_open(const char *path, struct fuse_file_info *fi)
{
	int disk = disk_of(path);

	if (disk == -1)
		return -ENOENT;
	fi->direct_io = 1;
	fi->fh = (uint64_t)disk;
	return 0;
}

static int
fs_read(const char *path, char *p, size_t len, off_t at,
    struct fuse_file_info *fi)
{
	ssize_t n = pread(image[fi->fh], p, len, at);

	(void)path;
	return n == -1 ? -errno : (int)n;
}

static int
fs_write(const char *path, const char *p, size_t len, off_t at,
    struct fuse_file_info *fi)
{
	(void)path;
	if (pwrite(image[fi->fh], p, len, at) != (ssize_t)len)
		return -EIO;
	keep(RECORD_WRITE, (int)fi->fh, at, p, len);
	return (int)len;
}

static int
fs_fsync(const char *path, int datasync, struct fuse_file_info *fi)
{
	(void)path;
	(void)datasync;
	keep(RECORD_FLUSH, (int)fi->fh, 0, "", 0);
	return 0;
}

static const struct fuse_operations operations = {
	.init = fs_init,
	.getattr = fs_getattr,
	.open = fs_open,
	.read = fs_read,
	.write = fs_write,
	.fsync = fs_fsync,
};

static void
open_work(const char *path)
{
	char name[] = "disk0";
	int fd;

	work = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (work == -1)
		err(1, "%s", path);
	for (int i = 0; i < DISKS; i++) {
		name[4] = (char)('0' + i);
		image[i] = openat(work, name, O_RDWR | O_CLOEXEC);
		if (image[i] == -1 && (i == 0 || errno != ENOENT))
			err(1, "%s/%s", path, name);
	}
	logfd = openat(work, "log",
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	fd = openat(work, "position", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (logfd == -1 || fd == -1 || ftruncate(fd, sizeof(*pos)) == -1)
		err(1, "%s", path);
	pos = mmap(NULL, sizeof(*pos), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
	    0);
	if (pos == MAP_FAILED)
		err(1, "mmap");
	*pos = 0;
	(void)close(fd);
}

int
main(int argc, char *argv[])
{
	char fg[] = "-f", single[] = "-s";
	char *args[] = { argv[0], fg, single, NULL, NULL };

	if (argc != 3) {
		fprintf(stderr, "usage: %s work mountpoint\n", argv[0]);
		return 64;
	}
	open_work(argv[1]);
	args[3] = argv[2];
	return fuse_main(4, args, &operations, NULL);
}
