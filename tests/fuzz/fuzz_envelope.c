/*
 * Whatever envelope_parse accepts can be written and read again with the same
 * result, and the part it calls valid stands for itself.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "envelope.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
same_facts(const struct envelope *a)
{
	struct envelope b;
	struct buf one = BUF_INIT, two = BUF_INIT;

	envelope_init(&b);
	assert(envelope_encode(a, &one) == 0);
	envelope_ready(&one, a->crc);
	assert(envelope_parse(&b, one.data, one.len) == 0);
	assert(b.damage == NULL && b.used == one.len && b.crc == a->crc);
	assert(envelope_encode(&b, &two) == 0);
	assert(memcmp(one.data, two.data, two.len) == 0);
	assert(two.len == b.ready_at);
	buf_release(&one);
	buf_release(&two);
	envelope_release(&b);
}

static void
same_state(const struct envelope *a, const char *text)
{
	struct envelope b;

	envelope_init(&b);
	assert(envelope_parse(&b, text, a->used) == 0);
	assert(b.damage == NULL && b.used == a->used);
	assert(b.nrcpts == a->nrcpts && b.nheads == a->nheads);
	assert(envelope_pending(&b) == envelope_pending(a));
	assert(envelope_failed(&b) == envelope_failed(a));
	assert(envelope_next(&b) == envelope_next(a));
	envelope_release(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of the exact size, so that reading behind it is noticed. */
	char *text = malloc(size + 1);
	struct envelope e;

	assert(text != NULL);
	memcpy(text, data, size);
	envelope_init(&e);
	if (envelope_parse(&e, text, size) == 0) {
		assert(e.ready && e.used <= size && e.ready_at < e.used);
		assert(e.used == size || e.damage != NULL);
		same_state(&e, text);
		same_facts(&e);
	} else
		assert(!e.ready && e.damage != NULL);
	envelope_release(&e);
	free(text);
	return 0;
}
