/* stream_io.h - what stream.c, stream_tls.c and stream_splice.c share, and nobody else. */
#ifndef LIB_STREAM_IO_H
#define LIB_STREAM_IO_H

#include <errno.h>

#include "stream.h"

/*
 * One attempt, without waiting.  Bytes moved (0 from a read: the end), or -1
 * with errno; EAGAIN then means: first wait for *want, POLLIN on rfd or
 * POLLOUT on wfd.
 */
ssize_t	stream_try_read(struct stream *, void *, size_t, short *want_out);
ssize_t	stream_try_write(struct stream *, const void *, size_t,
	    short *want_out);

/*
 * What stands between a stream and its descriptors.  Set when TLS begins, so
 * that only programs that begin it are linked with OpenSSL.
 */
struct stream_layer {
	ssize_t	(*try_read)(struct stream *, void *, size_t, short *want_out);
	ssize_t	(*try_write)(struct stream *, const void *, size_t,
		    short *want_out);
	bool	(*pending)(const struct stream *);	/* read, but not handed out */
	void	(*goodbye)(struct stream *, int64_t deadline);
	void	(*rest)(void);				/* nothing comes for a while */
	void	(*release)(struct stream *);	/* frees what it has */
};

/* One attempt to fill the empty input buffer; the same results. */
ssize_t	stream_try_fill(struct stream *, short *want_out);
/* Waits on one descriptor. 0 when ready, -1 with errno (ETIMEDOUT). */
int	stream_wait_fd(int fd, short events, int64_t deadline);
/* The same for what an attempt wanted. */
int	stream_wait(const struct stream *, short want, int64_t deadline);
/* Marks it broken for the reason `error`, which becomes errno; returns -1. */
int	stream_break(struct stream *, int error);
/* Writes all of it, or breaks the stream. */
int	stream_write_all(struct stream *, const char *, size_t,
	    int64_t deadline);

static inline bool
would_block(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK;
}
#endif
