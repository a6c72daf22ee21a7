/*
 * inject_input.c - takes a whole message from a pipe or a terminal before
 * anybody else is troubled: a job that prints one line an hour into sendmail
 * must not occupy a worker of inject meanwhile.
 *
 * Runs in inject and sendmail, as the caller.  Large messages rest in a
 * temporary file without a name.
 * Way 3 of 8.  From: fd 0.  To: queue/inject_submit.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inject.h"

#define MEMORY_MAX	(1024u * 1024)	/* bytes kept without a file */
#define BLOCK		65536

/* What is still to be told apart in the bytes that come in. */
struct reader {
	struct inject_input *in;
	bool	dot;		/* a line of one dot ends the message */
	bool	bol;		/* at the beginning of a line */
	bool	one_dot;	/* the line so far is "." and is held back */
	bool	cr;		/* a CR is held back until its LF comes */
	bool	over;		/* the line of one dot was seen */
};

static int
keep(struct inject_input *in, const char *p, size_t len)
{
	in->size += (int64_t)len;
	if (in->rest == NULL && in->memory.len + len <= MEMORY_MAX) {
		buf_add(&in->memory, p, len);
		return 0;
	}
	if (in->rest == NULL && (in->rest = tmpfile()) == NULL)
		return -1;
	return fwrite(p, 1, len, in->rest) == len ? 0 : -1;
}

/* One byte that is out of the ordinary, or stands behind one. */
static enum inject_input_result
slow_byte(struct reader *r, char c)
{
	static const char held[] = ".";

	if (c == '\0')
		return INPUT_NUL;
	if (r->cr && c != '\n')
		return INPUT_CR;
	r->cr = c == '\r';
	if (r->cr)
		return INPUT_OK;
	if (r->one_dot) {
		r->one_dot = false;
		if (c == '\n') {
			r->over = true;
			return INPUT_OK;
		}
		if (keep(r->in, held, 1) == -1)
			return INPUT_ERROR;
	}
	if (r->dot && r->bol && c == '.') {
		r->one_dot = true;
		r->bol = false;
		return INPUT_OK;
	}
	r->bol = c == '\n';
	return keep(r->in, &c, 1) == -1 ? INPUT_ERROR : INPUT_OK;
}

/* How many bytes at p need no thought: up to the next CR, NUL, or dot line. */
static size_t
plain(const struct reader *r, const char *p, size_t len)
{
	const char *found;

	if (r->cr || r->one_dot || (r->dot && r->bol && *p == '.'))
		return 0;
	if ((found = memchr(p, '\r', len)) != NULL)
		len = (size_t)(found - p);
	if ((found = memchr(p, '\0', len)) != NULL)
		len = (size_t)(found - p);
	if (r->dot && (found = memmem(p, len, "\n.", 2)) != NULL)
		len = (size_t)(found - p) + 1;
	return len;
}

static enum inject_input_result
take(struct reader *r, const char *p, size_t len)
{
	enum inject_input_result result = INPUT_OK;

	while (len > 0 && !r->over && result == INPUT_OK) {
		size_t n = plain(r, p, len);

		if (n == 0) {
			result = slow_byte(r, *p);
			n = 1;
		} else {
			if (keep(r->in, p, n) == -1)
				result = INPUT_ERROR;
			r->bol = p[n - 1] == '\n';
		}
		p += n;
		len -= n;
	}
	return result;
}

enum inject_input_result
inject_input_read(struct inject_input *in, int fd, bool dot, int64_t max)
{
	struct reader r = { .in = in, .dot = dot, .bol = true };
	enum inject_input_result result = INPUT_OK;
	char *block = xmalloc(BLOCK);

	while (result == INPUT_OK && !r.over) {
		ssize_t n = read(fd, block, BLOCK);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == 0)
			break;
		result = n == -1 ? INPUT_ERROR : take(&r, block, (size_t)n);
		if (result == INPUT_OK && in->size > max)
			result = INPUT_SIZE;
	}
	free(block);
	/* "." without a line end closes the message just as well. */
	if (result == INPUT_OK && r.cr)
		result = INPUT_CR;
	if (result == INPUT_OK && in->rest != NULL &&
	    (fflush(in->rest) == EOF || fseeko(in->rest, 0, SEEK_SET) == -1))
		result = INPUT_ERROR;
	return result;
}

int
inject_input_each(struct inject_input *in,
    int (*fn)(void *, const char *, size_t), void *arg)
{
	char *block;
	size_t n;
	int result = 0;

	if (in->memory.len > 0 &&
	    fn(arg, in->memory.data, in->memory.len) == -1)
		return -1;
	if (in->rest == NULL)
		return 0;
	block = xmalloc(BLOCK);
	while (result == 0 && (n = fread(block, 1, BLOCK, in->rest)) > 0)
		result = fn(arg, block, n);
	if (result == 0 && ferror(in->rest))
		result = -1;
	free(block);
	return result;
}

void
inject_input_release(struct inject_input *in)
{
	if (in->rest != NULL)
		(void)fclose(in->rest);
	buf_release(&in->memory);
	*in = (struct inject_input){ 0 };
}
