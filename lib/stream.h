/*
 * stream.h - a conversation: buffered reading and writing on one or two
 * descriptors, in the clear or through TLS (stream_tls.h), each wait with a
 * deadline.
 *
 * Only the reader reads and polls, only the writer writes.  Writes are
 * collected and go out when the reader is about to block, when the buffer is
 * full, or on stream_flush(): that gives PIPELINING for free.
 * The same stream serves SMTP, POP3 (CRLF lines) and our own frames (LF lines).
 */
#ifndef LIB_STREAM_H
#define LIB_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "buf.h"

#define STREAM_IN	16384	/* bytes read at most at once */
#define STREAM_FDS	8	/* descriptors that may wait to be taken */

struct stream_layer;		/* stream_io.h */

struct stream {
	int	 rfd;		/* owned; may equal wfd; -1 when closed */
	int	 wfd;		/* owned */
	/* private: stream_tls.c's; NULL in the clear */
	const struct stream_layer *layer;
	struct ssl_st *ssl;	/* owned */
	char	*in;		/* owned; in_size bytes, allocated at first read */
	size_t	 in_size;	/* STREAM_IN; less where only small answers come, if set before that */
	size_t	 in_pos;	/* next byte to hand out */
	size_t	 in_len;	/* bytes in `in` */
	struct buf out;		/* written but not sent */
	bool	 eof;		/* the peer has ended its side */
	bool	 broken;	/* a write failed or timed out: nothing more is sent */
	bool	 unix_fds;	/* collect SCM_RIGHTS descriptors while reading */
	int	 fds[STREAM_FDS];
	unsigned nfds;
	int64_t	 write_deadline;	/* for the flush of a full buffer; 0: 5 minutes from then */
	int	 error;		/* private: the errno that broke it */
	bool	 rplain, wplain; /* private: rfd, wfd turned out to be no socket */
};

enum line {
	LINE_OK,
	LINE_EOF,		/* the peer ended; bytes of a partial line are dropped */
	LINE_TIMEOUT,
	LINE_TOOLONG,		/* discarded up to its end (bounded: at most 64 * max bytes, else LINE_ERROR) */
	LINE_BADEOL,		/* a CR or LF that is not part of CRLF stood in it; consumed to the next LF, and `line` is what stood before that */
	LINE_NUL,		/* a NUL byte stood in it */
	LINE_ERROR		/* errno says what */
};

enum eol { EOL_CRLF, EOL_LF };	/* EOL_LF: our own frames; CR is then an ordinary byte */

/* Takes both descriptors over (they may be equal).  They may be blocking or not. */
void	 stream_init(struct stream *, int rfd, int wfd);
/* Like stream_init for a Unix socket, collecting descriptors for stream_take_fd(). */
void	 stream_init_unix(struct stream *, int fd);
/* Flushes nothing; closes, frees; TLS gets no close_notify wait.  Keeps errno. */
void	 stream_release(struct stream *);

/*
 * Reads one line into `line` (reset first), without its line end; at most
 * `max` bytes without it.  `deadline` is for the whole line.  Flushes what was
 * written if it would have to wait.  `line` is empty unless LINE_OK or
 * LINE_BADEOL.
 */
enum line stream_line(struct stream *, struct buf *line, size_t max,
	    enum eol, int64_t deadline);

/*
 * Gives the bytes that are there, at least one, waiting for them if needed.
 * *p_out points into the stream and is good until the next call on it; the
 * bytes stay until stream_consume().  Returns their number, 0 at the end,
 * -1 with errno (ETIMEDOUT after the deadline).
 */
ssize_t	 stream_peek(struct stream *, const char **p_out, int64_t deadline)
	    __attribute__((warn_unused_result));
void	 stream_consume(struct stream *, size_t n);
/* Has the peer already sent more than was read (pipelined, or pushed before STARTTLS)? No system call: looks at the buffer only, TLS's too. */
bool	 stream_pending(const struct stream *);

/* Collect; sent later.  A stream that is broken swallows them. */
void	 stream_write(struct stream *, const void *, size_t);
void	 stream_puts(struct stream *, const char *);
void	 stream_printf(struct stream *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));
/* Sends everything.  0, or -1 with errno (ETIMEDOUT); the stream is broken then. */
int	 stream_flush(struct stream *, int64_t deadline)
	    __attribute__((warn_unused_result));
/* Flushes, then sends `bytes` with the descriptor fd attached to their first byte (Unix socket, in the clear). fd stays the caller's. */
int	 stream_send_fd(struct stream *, int fd, const void *, size_t, int64_t deadline)
	    __attribute__((warn_unused_result));
/* The oldest descriptor received and not yet taken; the caller owns it. -1: none. */
int	 stream_take_fd(struct stream *);

/*
 * Sends everything, and close_notify if TLS, then shuts the writing side down;
 * at most until the deadline.  0, or -1: not all that was written went out.
 */
int	 stream_goodbye(struct stream *, int64_t deadline);

/*
 * After that: a close() with unread input becomes a reset, and a reset makes
 * the peer throw our last words away.  So the rest is read first, within
 * bounds: `seconds`, and 256 kB.
 */
void	 stream_linger(struct stream *, int seconds);

/*
 * The relay of pop3d's front: moves bytes both ways between the client a and
 * the session b until b has ended and its rest is delivered, or nobody spoke
 * for idle_s seconds, or a has not taken the rest rest_s seconds after b has
 * ended (-1 with ETIMEDOUT), or a takes no more (-1 with errno).
 * When a ends first, b is told so and its answers are still delivered.
 * 0 at a clean end.
 */
int	 stream_splice(struct stream *a, struct stream *b, int idle_s,
	    int rest_s)
	    __attribute__((warn_unused_result));
#endif
