/*
 * Whatever address.c accepts is canonical: it parses again, to itself, and
 * holds nothing that could hurt.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "address.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check(const struct buf *a, unsigned flags)
{
	struct buf again = BUF_INIT, local = BUF_INIT;
	const char *domain;

	assert(a->len <= ADDR_MAX + 2 && strlen(a->data) == a->len);
	for (size_t i = 0; i < a->len; i++)
		assert((unsigned char)a->data[i] >= ' ' &&
		    a->data[i] != 0x7F);
	assert(address_parse(a->data, a->len, flags, &again) == ADDR_OK);
	assert(strcmp(again.data, a->data) == 0);
	domain = address_domain(a->data);
	assert(domain == NULL || domain[-1] == '@');
	assert(domain != NULL || (flags & ADDR_ALLOW_BARE));
	address_unquote_local(a->data, &local);
	assert(local.len > 0 && local.len <= ADDR_LOCAL_MAX);
	buf_release(&again);
	buf_release(&local);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data;
	struct buf out = BUF_INIT, back = BUF_INIT;
	size_t used = 0;

	for (unsigned flags = 0; flags < 4; flags++) {
		buf_reset(&out);
		if (address_parse(s, size, flags, &out) == ADDR_OK)
			check(&out, flags);
		buf_reset(&out);
		if (address_path(s, size, flags, &out, &used) == ADDR_OK) {
			assert(used >= 2 && used <= size &&
			    s[used - 1] == '>');
			if (out.len > 0)
				check(&out, flags);
		}
	}
	buf_reset(&out);
	if (xtext_decode(s, size, &out) == 0) {
		buf_reset(&back);
		xtext_encode(buf_str(&out), &back);
		buf_reset(&out);
		assert(xtext_decode(buf_str(&back), back.len, &out) == 0);
	}
	if (is_hostname(s, size))
		assert(is_utf8(s, size) && size <= 253);
	buf_release(&out);
	buf_release(&back);
	return 0;
}
