/*
 * fuzz_reply.c - what a server says, as lines ended by LF, through the reply
 * parser, its text, and the EHLO keywords.
 * link: remote
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "../../remote/remote.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_text(const struct reply *r)
{
	char text[600];
	struct caps caps;

	reply_text(r, text, sizeof(text));
	assert(strlen(text) < sizeof(text));
	for (const char *p = text; *p != '\0'; p++)
		assert((unsigned char)*p >= 0x20 && *p != 0x7f);
	caps_parse(r, &caps);
	assert(caps.size_max >= 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data, *end = p + size, *lf;
	enum reply_state state = REPLY_MORE;
	struct reply r;

	reply_init(&r);
	while (p < end && state == REPLY_MORE) {
		lf = memchr(p, '\n', (size_t)(end - p));
		if (lf == NULL)
			lf = end;
		/* the reader lets neither NUL nor CR through */
		if (memchr(p, '\0', (size_t)(lf - p)) != NULL ||
		    memchr(p, '\r', (size_t)(lf - p)) != NULL)
			break;
		state = reply_line(&r, p, (size_t)(lf - p));
		p = lf == end ? end : lf + 1;
	}
	if (state == REPLY_DONE) {
		assert(r.code >= 200 && r.code <= 599);
		check_text(&r);
	}
	reply_release(&r);
	return 0;
}
