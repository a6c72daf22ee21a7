/*
 * fuzz_smtpd_args.c - the arguments of MAIL and RCPT are any bytes at all.
 * link: smtpd
 *
 * What is accepted must be what later stages rely on: no control byte, valid
 * UTF-8, and nothing 8-bit without SMTPUTF8.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "../../smtpd/smtpd.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_text(const char *s, bool utf8)
{
	if (s == NULL)
		return;
	assert(is_utf8(s, strlen(s)));
	for (; *s != '\0'; s++) {
		assert((unsigned char)*s >= 0x20 && *s != 0x7f);
		assert(utf8 || (unsigned char)*s < 0x80);
	}
}

static void
try_mail(const char *s, size_t len)
{
	struct mail m;

	if (mail_parse(s, len, false, &m) == NULL) {
		assert(m.sender != NULL && m.size >= -1);
		assert(*m.sender == '\0' || address_domain(m.sender) != NULL);
		check_text(m.sender, m.utf8);
		check_text(m.envid, false);
	} else
		assert(m.sender == NULL && m.envid == NULL);
	mail_release(&m);
}

static void
try_rcpt(const char *s, size_t len, bool utf8)
{
	struct rcpt r;

	if (rcpt_parse(s, len, utf8, &r) == NULL) {
		assert(r.addr != NULL && *r.addr != '\0');
		assert(!(r.notify & NOTIFY_NEVER) || r.notify == NOTIFY_NEVER);
		check_text(r.addr, utf8);
		check_text(r.orcpt, utf8);
	} else
		assert(r.addr == NULL && r.orcpt == NULL);
	rcpt_release(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* a copy of exactly this size, so that ASan sees one byte too many */
	char *s = xmalloc(size == 0 ? 1 : size);

	memcpy(s, data, size);
	try_mail(s, size);
	try_rcpt(s, size, false);
	try_rcpt(s, size, true);
	free(s);
	return 0;
}
