/*
 * fuzz_dns.c - one DNS packet as an answer to each type of question.  The
 * first byte chooses the type, the rest is the packet; the question is taken
 * from the packet, so that the fuzzer gets past it.
 */
#include <assert.h>
#include <resolv.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dns.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct dns_answer answer;

static void
check(enum dns_result result, enum dns_type type)
{
	assert((result == DNS_OK) == (answer.n > 0));
	assert(answer.n <= DNS_RECORDS);
	for (unsigned i = 0; type == DNS_MX && i < answer.n; i++) {
		assert(strlen(answer.mx[i].host) < sizeof(answer.mx[i].host));
		assert(i == 0 || answer.mx[i - 1].pref <= answer.mx[i].pref);
	}
	for (unsigned i = 0; type == DNS_TXT && i < answer.n; i++)
		assert(answer.txt[i].len < sizeof(answer.txt[i].text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = { DNS_A, DNS_PTR, DNS_MX,
	    DNS_TXT, DNS_AAAA };
	char name[1025];
	enum dns_type type;
	bool tc;

	if (size < 1 || size > 65536)
		return 0;
	type = types[data[0] % (sizeof(types) / sizeof(types[0]))];
	data++;
	size--;
	if (size < 12 || dn_expand(data, data + size, data + 12, name,
	    sizeof(name)) < 0)
		(void)strlcpy(name, "x.t", sizeof(name));
	check(dns_parse(data, size, name, type, &answer, &tc), type);
	return 0;
}
