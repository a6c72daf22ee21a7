/*
 * Any text is a table: sorted, without doubles, each name with a target.
 * link: local
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../../local/resolve.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf complaints = BUF_INIT;
	struct aliases t;

	aliases_parse((const char *)data, size, &t, &complaints);
	for (size_t i = 0; i < t.n; i++) {
		const struct alias *a = &t.v[i];

		assert(*a->name != '\0' && a->ntargets > 0);
		assert(i == 0 || strcmp(t.v[i - 1].name, a->name) < 0);
		assert(aliases_find(&t, a->name) == a);
		for (size_t j = 0; j < a->ntargets; j++)
			assert(a->targets[j].kind > ALIAS_EXACT ||
			    *a->targets[j].text != '\0');
	}
	aliases_release(&t);
	buf_release(&complaints);
	return 0;
}
