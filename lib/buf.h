/*
 * buf.h - the one growable byte string.
 *
 * Always NUL-terminated (data[len] == '\0'), capped at `max` bytes, with a
 * sticky overflow flag: appends return void, and whoever consumes the buffer
 * asks buf_ok() once.  An overflowed buffer is empty, so that forgetting to
 * ask fails closed.  Out of memory ends the process with EX_TEMPFAIL.
 */
#ifndef LIB_BUF_H
#define LIB_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
	char	*data;		/* owned; never NULL after the first append */
	size_t	 len;		/* bytes in use, without the NUL */
	size_t	 cap;		/* bytes allocated */
	size_t	 max;		/* cap on len; 0 means BUF_MAX */
	bool	 overflow;	/* sticky until buf_reset() */
};

#define BUF_MAX		(64u * 1024 * 1024)
#define BUF_INIT	{ NULL, 0, 0, 0, false }
#define BUF_CAPPED(n)	{ NULL, 0, 0, (n), false }

void	 buf_add(struct buf *, const void *, size_t);
void	 buf_adds(struct buf *, const char *);
void	 buf_addc(struct buf *, char);
void	 buf_addf(struct buf *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));
void	 buf_vaddf(struct buf *, const char *, va_list)
	    __attribute__((format(printf, 2, 0)));
/*
 * Makes room for n more bytes and returns where they go; then add to len
 * what you wrote, and buf_cut(b, b->len) ends the string.  NULL on overflow.
 */
char	*buf_room(struct buf *, size_t n);
/* Removes n bytes from the front. */
void	 buf_shift(struct buf *, size_t n);
/* Cuts to len bytes. */
void	 buf_cut(struct buf *, size_t len);
/* Forgets the content and the overflow; keeps the memory. */
void	 buf_reset(struct buf *);
/* Frees; the buf may be used again. Keeps errno. */
void	 buf_release(struct buf *);
/* Hands the string over (never NULL); the caller frees. The buf is empty afterwards. */
char	*buf_detach(struct buf *);
/* The string; "" when nothing was ever added. */
const char *buf_str(const struct buf *);
static inline bool
buf_ok(const struct buf *b)
{
	return !b->overflow;
}

/* Allocation that dies (EX_TEMPFAIL) instead of returning NULL. */
void	*xmalloc(size_t);
void	*xcalloc(size_t, size_t);
void	*xreallocarray(void *, size_t, size_t);
char	*xstrdup(const char *);
char	*xstrndup(const char *, size_t);
#endif
