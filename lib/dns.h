/*
 * dns.h - a small resolver client (RFC 1035, RFC 7766) that tells its
 * failures apart.
 *
 * Asks one recursive server (its address and port are given) over UDP, over
 * TCP when the answer is truncated.  Every length in an answer is checked.
 */
#ifndef LIB_DNS_H
#define LIB_DNS_H

#include <stdbool.h>
#include <stdint.h>

#include "netaddr.h"

enum dns_result {
	DNS_OK,			/* at least one record */
	DNS_NXDOMAIN,		/* the name does not exist */
	DNS_NODATA,		/* it exists, without this type */
	DNS_SERVFAIL,		/* SERVFAIL, REFUSED, or any other rcode */
	DNS_TIMEOUT,		/* nobody answered in time */
	DNS_BAD			/* malformed; temporary like the two above */
};

enum dns_type {
	DNS_A = 1,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28
};

#define DNS_RECORDS	100	/* used of one answer; the rest is ignored */

struct dns_mx {
	uint16_t pref;
	char	 host[256];	/* "" is the null MX (RFC 7505) */
};

struct dns {
	struct netaddr servers[3];
	int	nservers;
	bool	trust_ad;	/* AD counts: loopback server, or "trust-ad" */
};

struct dns_answer {
	enum dns_result result;
	bool	ad;		/* the resolver validated it (DNSSEC) */
	uint32_t ttl;		/* the smallest, seconds */
	unsigned n;
	union {
		struct dns_mx mx[DNS_RECORDS];
		struct netaddr addr[DNS_RECORDS];	/* port 0 */
		struct {	/* strings of a record joined; NUL behind */
			uint16_t len;
			char	text[1024];	/* longer ones are dropped */
		} txt[16];
		char	name[256];	/* PTR, the first one */
	};
};

/*
 * server: "ADDR:PORT", or "" for /etc/resolv.conf (read now).
 * 0, or -1: malformed, or there is none.
 */
int	dns_init(struct dns *, const char *server)
	    __attribute__((warn_unused_result));
/*
 * Asks and waits, at most until the deadline (3 tries in it).  CNAMEs within
 * the answer are followed.  MX come sorted by preference, equal ones
 * shuffled; names are in lower case, without the last dot.  The result is
 * out->result too.
 */
enum dns_result dns_query(const struct dns *, const char *name, enum dns_type,
	    int64_t deadline, struct dns_answer *out);
/*
 * Parses one packet: for dns_query and the fuzzer.  `name`, `type`: the
 * question it must answer.  *tc_out: truncated.
 */
enum dns_result dns_parse(const unsigned char *packet, size_t len,
	    const char *name, enum dns_type, struct dns_answer *out,
	    bool *tc_out);
const char *dns_result_text(enum dns_result);

/* What dns.c and dns_parse.c share. */
#define DNS_QUESTION_MAX	(255 + 4)	/* bytes of one on the wire */
/*
 * Writes name, type and class IN in wire form; its length, or -1: no such
 * name can exist in DNS.
 */
int	dns_question(const char *name, enum dns_type,
	    unsigned char out[DNS_QUESTION_MAX])
	    __attribute__((warn_unused_result));
/*
 * Is the packet a response to exactly this one question?  The ID is the
 * caller's to compare.
 */
bool	dns_is_answer(const unsigned char *packet, size_t len,
	    const unsigned char *question, size_t qlen);
#endif
