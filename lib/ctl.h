/*
 * ctl.h - the frames our programs speak with each other (INTERNALS 2.1):
 * "verb key=value key=value\n", values percent-encoded.  One codec, both ends.
 */
#ifndef LIB_CTL_H
#define LIB_CTL_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "stream.h"

#define CTL_MAX		32768	/* bytes of a frame, without its LF */
#define CTL_PAIRS	48

/* Writing. A NULL value leaves the pair out.  The value may hold any byte but NUL. */
void	ctl_begin(struct buf *, const char *verb);
void	ctl_add(struct buf *, const char *key, const char *value);
void	ctl_addn(struct buf *, const char *key, int64_t);
void	ctl_end(struct buf *);

/* Reading: views into the caller's line, which is decoded in place. */
struct ctl {
	char	*verb;
	struct { char *key, *value; } pair[CTL_PAIRS];
	unsigned n;
};

/* line[len] must be NUL. 0, or -1 for a malformed frame (the connection is to be closed). */
int	ctl_parse(char *line, size_t len, struct ctl *out) __attribute__((warn_unused_result));
bool	ctl_is(const struct ctl *, const char *verb);
/* The value, or NULL. */
const char *ctl_get(const struct ctl *, const char *key);
/* The value, or "". */
const char *ctl_str(const struct ctl *, const char *key);
/* A decimal number in [min, max], else `otherwise` (absent or malformed). */
int64_t	ctl_num(const struct ctl *, const char *key, int64_t min, int64_t max, int64_t otherwise);
bool	ctl_yes(const struct ctl *, const char *key);

/*
 * Blocking ends: reads one frame into line (the ctl points into it).
 * 1 a frame, 0 the peer has ended, -1 with errno (EBADMSG malformed, ETIMEDOUT).
 */
int	ctl_read(struct stream *, struct buf *line, struct ctl *out, int64_t deadline) __attribute__((warn_unused_result));
/* Collects the frame in b on the stream (not flushed). */
void	ctl_send(struct stream *, const struct buf *b);
/* Connects to a Unix stream socket; blocking, close-on-exec. fd or -1 with errno. */
int	ctl_connect(const char *path) __attribute__((warn_unused_result));
/* The same without waiting for room in its backlog (EAGAIN); the descriptor does not block either. */
int	ctl_connect_now(const char *path) __attribute__((warn_unused_result));
/* Uid of the peer of a connected Unix socket; -1 with errno. */
int64_t	ctl_peer_uid(int fd);
#endif
