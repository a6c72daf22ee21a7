/* stream_pair.h - two streams that speak with each other, for tests. */
#ifndef UNIT_STREAM_PAIR_H
#define UNIT_STREAM_PAIR_H

#include <sys/socket.h>

#include "deadline.h"
#include "stream.h"

#define SOON	deadline_in(10)		/* never reached when all is well */

static inline void
pair(struct stream *a, struct stream *b)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    fd), 0);
	stream_init(a, fd[0], fd[0]);
	stream_init(b, fd[1], fd[1]);
}

static inline void
say(struct stream *s, const char *p, size_t n)
{
	stream_write(s, p, n);
	assert_int_equal(stream_flush(s, SOON), 0);
}

static inline void
end_pair(struct stream *a, struct stream *b)
{
	stream_release(a);
	stream_release(b);
}
#endif
