/* Any text is a configuration or an error with file and line; nothing else. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "config_keys.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
count(void *n, const char *key, const char *value, const char *origin)
{
	assert(*key != '\0' && value != NULL && *origin != '\0');
	++*(size_t *)n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text = BUF_INIT, why = BUF_INIT;
	struct config *cfg;
	size_t n = 0;

	buf_add(&text, data, size);
	cfg = config_from_text("/c", (size & 1) != 0, &text, &why);
	assert((cfg == NULL) == (why.len != 0));
	if (cfg != NULL) {
		config_each(cfg, count, &n);
		assert(n == config_nkeys && *cfg->hostname != '\0');
		for (size_t i = 0; i < cfg->domains.n; i++)
			assert(config_is_ours(cfg, cfg->domains.v[i],
			    strlen(cfg->domains.v[i])));
	} else {
		assert(strncmp(why.data, "/c/facteur.conf:", 16) == 0);
	}
	config_free(cfg);
	buf_release(&text);
	buf_release(&why);
	return 0;
}
