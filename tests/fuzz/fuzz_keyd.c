/*
 * What keyd would sign has the form of a handshake, whatever was asked.
 * link: auth
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../../auth/keyd.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf line = BUF_INIT;
	struct request r;
	struct ctl c;

	buf_add(&line, data, size);
	if (line.data != NULL && ctl_parse(line.data, line.len, &c) == 0) {
		if (request_read(&c, &r) == REQUEST_OK) {
			assert(r.alg != NULL && strlen(r.id) == KEYPROV_ID);
			assert(r.tbs.len > 64 && r.tbs.len <= KEYASK_TBS);
			assert(shape_of(r.tbs.data, r.tbs.len) == r.shape);
			assert(r.shape == SHAPE_SERVER12 || r.alg->tls13);
		}
		request_release(&r);
	}
	buf_release(&line);
	return 0;
}
