/* Whatever ctl_parse accepts comes out of the encoder as an equal frame. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ctl.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf line = BUF_INIT, again = BUF_INIT;
	struct ctl a, b;

	buf_add(&line, data, size);
	if (line.data != NULL && ctl_parse(line.data, line.len, &a) == 0) {
		ctl_begin(&again, a.verb);
		for (unsigned i = 0; i < a.n; i++)
			ctl_add(&again, a.pair[i].key, a.pair[i].value);
		/* Decoding shortens, so the canonical form may be longer. */
		if (again.len <= CTL_MAX) {
			assert(ctl_parse(again.data, again.len, &b) == 0);
			assert(strcmp(a.verb, b.verb) == 0 && a.n == b.n);
			for (unsigned i = 0; i < a.n; i++)
				assert(strcmp(a.pair[i].value,
				    ctl_get(&b, a.pair[i].key)) == 0);
		}
	}
	buf_release(&line);
	buf_release(&again);
	return 0;
}
