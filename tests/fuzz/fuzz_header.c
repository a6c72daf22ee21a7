/*
 * Fields lie one behind the other, the block ends where header_end says, and
 * no address is longer than its list.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "header.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
one_address(void *left, const char *addr, size_t len)
{
	size_t *n = left;

	assert(len > 0 && memchr(addr, '\n', len) == NULL);
	assert(*n > 0);
	--*n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct header h;
	struct buf out = BUF_INIT;
	size_t pos = 0, before = 0, left = 50, end = header_end(text, size);

	while (header_next(text, size, &pos, &h)) {
		assert(h.start == text + before && h.len == pos - before);
		assert(pos <= size && pos > before);
		assert(h.name_len > 0 && h.name == h.start);
		assert(h.value + h.value_len <= text + pos);
		assert(header_begins(h.start, h.len) == 1);
		buf_reset(&out);
		header_unfold(&h, &out);
		assert(out.len == 0 || memchr(out.data, '\n', out.len) == NULL);
		before = pos;
	}
	assert(end == pos || (end == pos + 1 && text[pos] == '\n'));
	(void)!header_addresses(text, size, left, one_address, &left);
	buf_release(&out);
	return 0;
}
