/*
 * fuzz_eol.c - the decoder must not care how its input is split, and what the
 * encoder writes must decode to what it was given.  The first byte of the
 * input says where to split, the rest is the message.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "eol.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
split_does_not_matter(const char *p, size_t n, size_t at)
{
	struct buf whole = BUF_INIT, parts = BUF_INIT;
	struct dot_in a, b;
	size_t used_a, used_b;

	dot_in_init(&a);
	used_a = dot_in(&a, p, n, &whole);
	dot_in_init(&b);
	used_b = dot_in(&b, p, at, &parts);
	if (!b.done)
		used_b += dot_in(&b, p + at, n - at, &parts);
	assert(used_a == used_b && (a.done || used_a == n));
	assert(a.state == b.state && a.done == b.done);
	assert(a.bad_eol == b.bad_eol && a.nul == b.nul);
	assert(whole.len == parts.len &&
	    memcmp(buf_str(&whole), buf_str(&parts), whole.len) == 0);
	buf_release(&whole);
	buf_release(&parts);
}

static void
what_goes_out_comes_in(const char *p, size_t n, size_t at)
{
	struct buf wire = BUF_INIT, back = BUF_INIT;
	struct dot_out out;
	struct dot_in in;

	dot_out_init(&out, true, false);
	dot_out(&out, p, at, &wire);
	dot_out(&out, p + at, n - at, &wire);
	dot_out_end(&out, &wire);
	assert(out.bad == (memchr(p, '\r', n) != NULL ||
	    memchr(p, '\0', n) != NULL));
	if (!out.bad) {
		dot_in_init(&in);
		assert(dot_in(&in, wire.data, wire.len, &back) == wire.len);
		assert(in.done && !in.bad_eol && !in.nul);
		assert(back.len == n + (n > 0 && p[n - 1] != '\n'));
		assert(memcmp(buf_str(&back), p, n) == 0);
	}
	buf_release(&wire);
	buf_release(&back);
}

/* The end mark stands at the end and nowhere else, whatever is stored. */
static void
lenient_ends_once(const char *p, size_t n)
{
	struct buf wire = BUF_INIT;
	struct dot_out out;

	buf_adds(&wire, "\r\n");	/* what went before, for an empty one */
	dot_out_init(&out, true, true);
	dot_out(&out, p, n, &wire);
	dot_out_end(&out, &wire);
	assert(!out.bad);
	assert(memmem(wire.data, wire.len, "\r\n.\r\n", 5) ==
	    wire.data + wire.len - 5);
	assert(memchr(wire.data, '\0', wire.len) == NULL);
	buf_release(&wire);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data + 1;
	size_t n, at;

	if (size == 0)
		return 0;
	n = size - 1;
	at = n == 0 ? 0 : data[0] % (n + 1);
	split_does_not_matter(p, n, at);
	what_goes_out_comes_in(p, n, at);
	lenient_ends_once(p, n);
	return 0;
}
