/*
 * buf.c - the one growable byte string, and allocation that never fails.
 *
 * Runs at every privilege; trusts nobody.  An append that would pass the cap
 * empties the string and marks it: twenty appends need one question, and who
 * forgets to ask sends nothing instead of half a thing.
 * Way: everywhere.  From: every program.  To: every program.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "buf.h"

#define BUF_FIRST	64	/* bytes of the first allocation */

static char empty[] = "";

/* _exit: a forked child must not run its parent's atexit handlers. */
static _Noreturn void
out_of_memory(void)
{
	static const char msg[] = "- out-of-memory\n";
	ssize_t ignored = write(STDERR_FILENO, msg, sizeof(msg) - 1);

	(void)ignored;
	_exit(EX_TEMPFAIL);
}

static void
overflow(struct buf *b)
{
	b->overflow = true;
	b->len = 0;
	if (b->data != NULL)
		b->data[0] = '\0';
}

static size_t
most(const struct buf *b)
{
	return b->max == 0 ? BUF_MAX : b->max;
}

/*
 * Doubled, or made a little larger than a piece that needs more: a process
 * pays for each page it touches, and malloc() touches the one behind.
 */
static void
grow(struct buf *b, size_t need)
{
	size_t cap = b->cap == 0 ? BUF_FIRST : 2 * b->cap;

	if (cap < need)
		cap = need + need / 8;
	if (cap > most(b) + 1)
		cap = most(b) + 1;
	b->data = xreallocarray(b->data, cap, 1);
	b->cap = cap;
}

/*
 * The sum len + n + 1 cannot wrap: both are checked against the cap first.
 * The byte behind the room is set, so that who fills all of it has a string.
 */
char *
buf_room(struct buf *b, size_t n)
{
	size_t max = most(b);

	if (b->overflow || b->len > max || n > max - b->len) {
		overflow(b);
		return NULL;
	}
	if (b->len + n + 1 > b->cap)
		grow(b, b->len + n + 1);
	b->data[b->len] = '\0';
	b->data[b->len + n] = '\0';
	return b->data + b->len;
}

void
buf_add(struct buf *b, const void *p, size_t n)
{
	char *to = buf_room(b, n);

	if (to == NULL || n == 0)
		return;
	memcpy(to, p, n);
	b->len += n;
}

void
buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_addc(struct buf *b, char c)
{
	if (!b->overflow && b->len + 1 < b->cap && b->len < most(b)) {
		b->data[b->len++] = c;
		b->data[b->len] = '\0';
	} else
		buf_add(b, &c, 1);
}

void
buf_shift(struct buf *b, size_t n)
{
	assert(n <= b->len);
	if (n == 0)
		return;
	b->len -= n;
	memmove(b->data, b->data + n, b->len);
	b->data[b->len] = '\0';
}

void
buf_cut(struct buf *b, size_t len)
{
	assert(len <= b->len);
	b->len = len;
	if (b->data != NULL)
		b->data[len] = '\0';
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->overflow = false;
	if (b->data != NULL)
		b->data[0] = '\0';
}

void
buf_release(struct buf *b)
{
	int saved = errno;

	free(b->data);
	b->data = NULL;
	b->len = b->cap = 0;
	b->overflow = false;
	errno = saved;
}

char *
buf_detach(struct buf *b)
{
	char *s = b->data == NULL ? xstrdup("") : b->data;

	b->data = NULL;
	b->len = b->cap = 0;
	return s;
}

const char *
buf_str(const struct buf *b)
{
	return b->data == NULL ? empty : b->data;
}

void *
xmalloc(size_t n)
{
	void *p = malloc(n == 0 ? 1 : n);

	if (p == NULL)
		out_of_memory();
	return p;
}

void *
xcalloc(size_t n, size_t size)
{
	void *p = calloc(n == 0 ? 1 : n, size == 0 ? 1 : size);

	if (p == NULL)
		out_of_memory();
	return p;
}

void *
xreallocarray(void *old, size_t n, size_t size)
{
	void *p = reallocarray(old, n == 0 ? 1 : n, size == 0 ? 1 : size);

	if (p == NULL)
		out_of_memory();
	return p;
}

char *
xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

char *
xstrndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = xmalloc(len + 1);

	memcpy(p, s, len);
	p[len] = '\0';
	return p;
}
