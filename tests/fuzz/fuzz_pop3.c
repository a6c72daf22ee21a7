/*
 * fuzz_pop3.c - whatever a client says, to the front and to a session on a
 * Maildir of three messages: each line of it gets at most one reply.
 * link: pop3d
 */
#include <assert.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deadline.h"
#include "../../pop3d/pop3d.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static char dir[] = "/tmp/facteur-fuzz.XXXXXX";
static const char *const names[] = {
	"new/1.a,S=3,W=5", "cur/2.b:2,S", "new/3\n.c", "new", "cur", "tmp",
	".pop3.lock", "",
};

static void
path_of(char out[128], const char *name)
{
	snprintf(out, 128, "%s/%s", dir, name);
}

static void
clean(void)
{
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		path_of(path, names[i]);
		(void)!remove(path);
	}
}

/* The messages are made anew, as QUIT may have deleted them. */
static void
fill(void)
{
	static const char *const text[] = { ".\n\n", "A: 1\n\n.b\n\r", "c\rd" };
	static bool once;
	char path[128];
	int fd;

	if (!once) {
		assert(mkdtemp(dir) != NULL);
		atexit(clean);
		for (size_t i = 3; i < 6; i++) {
			path_of(path, names[i]);
			assert(mkdir(path, 0700) == 0);
		}
		once = true;
	}
	for (size_t i = 0; i < 3; i++) {
		path_of(path, names[i]);
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		assert(fd != -1);
		assert(write(fd, text[i], strlen(text[i])) ==
		    (ssize_t)strlen(text[i]));
		close(fd);
	}
}

/* A stream that reads data, and whose output goes to a file. */
static void
stream_on(struct stream *io, const uint8_t *data, size_t size)
{
	int in = memfd_create("in", MFD_CLOEXEC);
	int out = memfd_create("out", MFD_CLOEXEC);

	assert(in != -1 && out != -1);
	assert(write(in, data, size) == (ssize_t)size);
	assert(lseek(in, 0, SEEK_SET) == 0);
	stream_init(io, in, out);
}

/* Lines that begin a reply; content lines begin with neither here. */
static size_t
replies(struct stream *io)
{
	struct buf all = BUF_INIT;
	char block[4096];
	size_t n = 0;
	ssize_t got;

	assert(stream_flush(io, deadline_in(5)) == 0);
	assert(lseek(io->wfd, 0, SEEK_SET) == 0);
	while ((got = read(io->wfd, block, sizeof(block))) > 0)
		buf_add(&all, block, (size_t)got);
	for (size_t i = 0; i < all.len; i++) {
		bool bol = i == 0 || all.data[i - 1] == '\n';

		n += bol && (all.data[i] == '+' || all.data[i] == '-');
		if (all.data[i] == '\n')
			assert(i > 0 && all.data[i - 1] == '\r');
	}
	buf_release(&all);
	return n;
}

static size_t
count_lines(const uint8_t *data, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++)
		n += data[i] == '\n';
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t lines = count_lines(data, size);
	char none[] = "";
	const struct config cfg = { .tls_cert = none, .tls_key = none };
	struct front front = { .cfg = &cfg, .tls.cfg = &cfg };
	struct session s = { .user = "" };
	struct stream io;
	struct login l = { .front = &front, .io = &io, .ip = "192.0.2.1",
	    .deadline = deadline_in(5) };

	stream_on(&io, data, size);
	front_talk(&l);
	assert(replies(&io) <= lines + 1);	/* and the greeting */
	stream_release(&io);
	buf_release(&l.line);
	buf_release(&l.user);

	fill();
	stream_on(&s.io, data, size);
	assert(drop_open(&s.drop, dir) == 0);
	session_talk(&s);
	assert(replies(&s.io) <= lines);
	drop_close(&s.drop);
	stream_release(&s.io);
	buf_release(&s.line);
	buf_release(&s.wire);
	return 0;
}
