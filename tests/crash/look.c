/*
 * look.c - what is left: in the spool, in Maildirs, and with the other host.
 * Everything is compared byte for byte; only the fields that are put in front
 * of a message on its way may differ.
 *
 * A test tool.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crash.h"
#include "spool.h"

void
message_make(struct buf *out, const char *token, size_t size)
{
	buf_reset(out);
	buf_addf(out, "From: Jean-Bob <" SENDER ">\nTo: Billy <" LOCAL ">\n"
	    "Subject: %s\nDate: Mon, 23 Nov 2026 03:19:00 +0000\n"
	    "Message-ID: <%s.%d@emc.fr>\n\n.a dot first\n", token, token,
	    S.run);
	for (unsigned i = 0; out->len < size; i++)
		buf_addf(out, "%s line %u: a squirrel, in Lyon\n", token, i);
	buf_addf(out, "the end of %s\n", token);
}

static void
broken(struct found *f, const char *name, const char *why)
{
	if (f->broken++ == 0)
		(void)snprintf(f->why, sizeof(f->why), "%s: %s", name, why);
}

/* -1: it went while we looked. */
static int
read_file(int dir, const char *name, struct buf *out)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char block[16384];
	ssize_t n = -1;

	buf_reset(out);
	while (fd != -1 && (n = read(fd, block, sizeof(block))) > 0)
		buf_add(out, block, (size_t)n);
	if (fd != -1)
		(void)close(fd);
	return n == 0 ? 0 : -1;
}

/* Is it about this message? 1 yes, 0 another's, -1 one cannot tell. */
static int
is_about(const char *p, size_t len, const char *token)
{
	struct buf want = BUF_INIT;
	int about = -1;

	buf_addf(&want, "Subject: %s\n", token);
	if (memmem(p, len, want.data, want.len) != NULL)
		about = 1;
	else if (memmem(p, len, "Subject: ", 9) != NULL)
		about = 0;
	buf_release(&want);
	return about;
}

/* The message stands there, behind header fields and nothing else. */
static bool
is_whole(const char *p, size_t len, const struct buf *msg)
{
	size_t front = len - msg->len;

	return len >= msg->len &&
	    memcmp(p + front, msg->data, msg->len) == 0 &&
	    memmem(p, front, "\n\n", 2) == NULL &&
	    (front == 0 || p[front - 1] == '\n');
}

struct found
look_maildir(const char *path, const char *token, const struct buf *msg)
{
	struct buf file = BUF_INIT;
	struct found f = { 0 };
	DIR *dir = opendir(path);
	struct dirent *d;

	while (dir != NULL && (d = readdir(dir)) != NULL) {
		if (d->d_name[0] == '.' ||
		    read_file(dirfd(dir), d->d_name, &file) == -1)
			continue;
		switch (is_about(buf_str(&file), file.len, token)) {
		case 1:
			if (is_whole(file.data, file.len, msg))
				f.whole++;
			else
				broken(&f, d->d_name, "is not what was sent");
			break;
		case -1:
			broken(&f, d->d_name, "is no message");
			break;
		}
	}
	if (dir != NULL)
		(void)closedir(dir);
	buf_release(&file);
	return f;
}

struct found
look_sink(const char *token, const struct buf *msg)
{
	return look_maildir(site_path("sink"), token, msg);
}

/* A report is whole when its last MIME boundary is there. */
static bool
is_whole_report(const struct buf *file)
{
	const char *p = buf_str(file), *last;

	if (file->len < 4 || strcmp(p + file->len - 3, "--\n") != 0)
		return false;
	last = memrchr(p, '\n', file->len - 1);
	return last != NULL && last[1] == '-' && last[2] == '-';
}

struct found
look_reports(const char *token)
{
	struct buf file = BUF_INIT;
	struct found f = { 0 };
	DIR *dir = opendir(site_path("mail/emc.fr/jean-bob/Maildir/new"));
	struct dirent *d;

	while (dir != NULL && (d = readdir(dir)) != NULL) {
		if (d->d_name[0] == '.' ||
		    read_file(dirfd(dir), d->d_name, &file) == -1)
			continue;
		if (!is_whole_report(&file))
			broken(&f, d->d_name, "is half a report");
		else if (is_about(file.data, file.len, token) == 1)
			f.whole++;
	}
	if (dir != NULL)
		(void)closedir(dir);
	buf_release(&file);
	return f;
}

/* One file of queue/, all of it: name, envelope, checksum, content. */
static void
look_queued(struct found *f, int dir, const char *name, const char *token,
    const struct buf *msg)
{
	struct envelope env;
	struct buf file = BUF_INIT;
	int64_t size;
	int fd, about;

	if (!spool_name_parse(name, NULL, &size)) {
		f->unfinished++;
		return;
	}
	envelope_init(&env);
	if ((fd = spool_open_file(dir, name)) == -1)
		broken(f, name, strerror(errno));
	else if (spool_read_envelope(fd, size, &env) == -1)
		broken(f, name, env.damage != NULL ? env.damage :
		    "cannot be read");
	else if (spool_verify(fd, size, &env) != 1)
		broken(f, name, "has a wrong checksum");
	else if (read_file(dir, name, &file) == 0) {
		about = is_about(file.data, (size_t)size, token);
		if (about == 1 && is_whole(file.data, (size_t)size, msg))
			f->whole++;
		else if (about != 0)
			broken(f, name, "is not what was sent");
	}
	if (fd != -1)
		(void)close(fd);
	envelope_release(&env);
	buf_release(&file);
}

struct found
look_spool(const char *token, const struct buf *msg)
{
	struct found f = { 0 };
	DIR *dir = opendir(site_path("spool/queue"));
	struct dirent *d;

	while (dir != NULL && (d = readdir(dir)) != NULL)
		if (d->d_name[0] != '.')
			look_queued(&f, dirfd(dir), d->d_name, token, msg);
	if (dir != NULL)
		(void)closedir(dir);
	return f;
}

unsigned
look_count(const char *name)
{
	DIR *dir = opendir(site_path(name));
	struct dirent *d;
	unsigned n = 0;

	while (dir != NULL && (d = readdir(dir)) != NULL)
		n += d->d_name[0] != '.';
	if (dir != NULL)
		(void)closedir(dir);
	return n;
}
