/*
 * dns_parse.c - reads one DNS answer (RFC 1035) as a stranger's bytes.
 *
 * Runs in whoever asks: remote, later guard.  Names and lengths are checked
 * by libresolv's ns_* helpers and again here; one malformed record of the
 * type we asked for makes the whole answer bad, which is a temporary failure.
 * No I/O.  Way 6 of 8.  From: lib/dns.c.  To: remote/mx.c.
 */
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>

#include "dns.h"

#define HEADER		12	/* bytes of the fixed header */
#define CNAMES		16	/* links of a chain that are followed */

/* Bytes 2 and 3 of the header. */
#define H2_QR		0x80
#define H2_OPCODE	0x78
#define H2_AA		0x04
#define H2_TC		0x02
#define H3_RA		0x80
#define H3_AD		0x20
#define H3_RCODE	0x0f

int
dns_question(const char *name, enum dns_type type,
    unsigned char out[DNS_QUESTION_MAX])
{
	size_t n = 0;

	while (*name != '\0') {
		size_t label = strcspn(name, ".");

		/* 255 bytes hold the root label too, RFC 1035 section 2.3.4 */
		if (label == 0 || label > 63 || n + 1 + label + 1 > 255)
			return -1;
		out[n++] = (unsigned char)label;
		memcpy(out + n, name, label);
		n += label;
		name += label;
		if (*name == '.')
			name++;
	}
	out[n++] = 0;
	out[n++] = (unsigned char)((unsigned)type >> 8);
	out[n++] = (unsigned char)((unsigned)type & 0xff);
	out[n++] = 0;
	out[n++] = ns_c_in;
	return (int)n;
}

static int
ascii_lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

bool
dns_is_answer(const unsigned char *packet, size_t len,
    const unsigned char *question, size_t qlen)
{
	if (len < HEADER + qlen)
		return false;
	if ((packet[2] & (H2_QR | H2_OPCODE)) != H2_QR)
		return false;
	if (packet[4] != 0 || packet[5] != 1)	/* one question */
		return false;
	/* Length bytes are below 'A', so folding case cannot confuse them. */
	for (size_t i = 0; i < qlen; i++)
		if (ascii_lower(packet[HEADER + i]) != ascii_lower(question[i]))
			return false;
	return true;
}

/* A name that must fill exactly `len` bytes of rdata; made lower case. */
static bool
rdata_name(const ns_msg *msg, const unsigned char *p, size_t len,
    char out[256])
{
	char wide[NS_MAXDNAME];
	int used = dn_expand(ns_msg_base(*msg), ns_msg_end(*msg), p, wide,
	    sizeof(wide));

	if (used < 0 || (size_t)used != len || strlen(wide) > 255)
		return false;
	for (size_t i = 0; (out[i] = (char)ascii_lower(wide[i])) != '\0'; i++)
		;
	return true;
}

static bool
add_addr(const ns_rr *rr, struct dns_answer *out)
{
	struct netaddr *a = &out->addr[out->n];
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };

	memset(a, 0, sizeof(*a));
	if (ns_rr_type(*rr) == ns_t_a) {
		if (ns_rr_rdlen(*rr) != sizeof(sin.sin_addr))
			return false;
		memcpy(&sin.sin_addr, ns_rr_rdata(*rr), sizeof(sin.sin_addr));
		memcpy(&a->ss, &sin, sizeof(sin));
		a->len = sizeof(sin);
	} else {
		if (ns_rr_rdlen(*rr) != sizeof(sin6.sin6_addr))
			return false;
		memcpy(&sin6.sin6_addr, ns_rr_rdata(*rr),
		    sizeof(sin6.sin6_addr));
		memcpy(&a->ss, &sin6, sizeof(sin6));
		a->len = sizeof(sin6);
	}
	out->n++;
	return true;
}

static bool
add_mx(const ns_msg *msg, const ns_rr *rr, struct dns_answer *out)
{
	const unsigned char *p = ns_rr_rdata(*rr);
	struct dns_mx *mx = &out->mx[out->n];

	if (ns_rr_rdlen(*rr) < 3)
		return false;
	mx->pref = (uint16_t)(p[0] << 8 | p[1]);
	if (!rdata_name(msg, p + 2, (size_t)ns_rr_rdlen(*rr) - 2, mx->host))
		return false;
	out->n++;
	return true;
}

/* Joins the character-strings of a record (RFC 1035 section 3.3.14). */
static bool
add_txt(const ns_rr *rr, struct dns_answer *out)
{
	const unsigned char *p = ns_rr_rdata(*rr);
	const unsigned char *end = p + ns_rr_rdlen(*rr);
	size_t room = sizeof(out->txt[0].text) - 1, n = 0;
	char text[sizeof(out->txt[0].text)];

	if (p == end)
		return false;
	while (p < end) {
		size_t len = *p++;

		if (len > (size_t)(end - p))
			return false;
		if (n + len <= room)
			memcpy(text + n, p, len);
		n += len;
		p += len;
	}
	if (n > room)
		return true;	/* too long for us: as if it were not there */
	text[n] = '\0';
	memcpy(out->txt[out->n].text, text, n + 1);
	out->txt[out->n].len = (uint16_t)n;
	out->n++;
	return true;
}

static unsigned
room_for(enum dns_type type)
{
	if (type == DNS_TXT)
		return sizeof(((struct dns_answer *)0)->txt) /
		    sizeof(((struct dns_answer *)0)->txt[0]);
	return type == DNS_PTR ? 1 : DNS_RECORDS;
}

static bool
add_record(const ns_msg *msg, const ns_rr *rr, enum dns_type type,
    struct dns_answer *out)
{
	if (out->n >= room_for(type))
		return true;
	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		return add_addr(rr, out);
	case DNS_MX:
		return add_mx(msg, rr, out);
	case DNS_TXT:
		return add_txt(rr, out);
	case DNS_PTR:
		if (!rdata_name(msg, ns_rr_rdata(*rr), ns_rr_rdlen(*rr),
		    out->name))
			return false;
		out->n++;
		return true;
	}
	return false;
}

static void
lower_ttl(struct dns_answer *out, uint32_t ttl)
{
	if (ttl < out->ttl)
		out->ttl = ttl;
}

/*
 * Follows the aliases of the answer from `name` on; `name` becomes the last
 * target.  -1: malformed, or a chain longer than anyone needs (a loop).
 */
static int
follow_cnames(ns_msg *msg, char name[NS_MAXDNAME], struct dns_answer *out)
{
	int records = ns_msg_count(*msg, ns_s_an);

	for (int hop = 0; hop <= CNAMES; hop++) {
		bool moved = false;

		for (int i = 0; i < records && !moved; i++) {
			char target[256];
			ns_rr rr;

			if (ns_parserr(msg, ns_s_an, i, &rr) == -1)
				return -1;
			if (ns_rr_type(rr) != ns_t_cname ||
			    ns_rr_class(rr) != ns_c_in ||
			    strcasecmp(ns_rr_name(rr), name) != 0)
				continue;
			if (!rdata_name(msg, ns_rr_rdata(rr), ns_rr_rdlen(rr),
			    target))
				return -1;
			(void)strlcpy(name, target, NS_MAXDNAME);
			lower_ttl(out, ns_rr_ttl(rr));
			moved = true;
		}
		if (!moved)
			return 0;
	}
	return -1;
}

/* Collects the records of `name` and `type`. -1: malformed. */
static int
collect(ns_msg *msg, const char *name, enum dns_type type,
    struct dns_answer *out)
{
	int records = ns_msg_count(*msg, ns_s_an);

	for (int i = 0; i < records; i++) {
		ns_rr rr;

		if (ns_parserr(msg, ns_s_an, i, &rr) == -1)
			return -1;
		if ((int)ns_rr_type(rr) != (int)type ||
		    ns_rr_class(rr) != ns_c_in ||
		    strcasecmp(ns_rr_name(rr), name) != 0)
			continue;
		if (!add_record(msg, &rr, type, out))
			return -1;
		lower_ttl(out, ns_rr_ttl(rr));
	}
	return 0;
}

/*
 * An empty answer that only points at other servers comes from a server that
 * does not recurse for us.  It must not be taken for "no such record", which
 * would bounce mail.
 */
static bool
is_referral(ns_msg *msg, const unsigned char *packet)
{
	bool ns = false;

	if ((packet[2] & H2_AA) != 0 || (packet[3] & H3_RA) != 0)
		return false;
	for (int i = 0; i < ns_msg_count(*msg, ns_s_ns); i++) {
		ns_rr rr;

		if (ns_parserr(msg, ns_s_ns, i, &rr) == -1)
			return true;
		if (ns_rr_type(rr) == ns_t_soa)
			return false;
		if (ns_rr_type(rr) == ns_t_ns)
			ns = true;
	}
	return ns;
}

/* By preference; equal ones in random order (RFC 5321 section 5.1). */
static void
sort_mx(struct dns_mx *mx, unsigned n)
{
	struct dns_mx tmp;

	for (unsigned i = n; i > 1; i--) {
		unsigned j = arc4random_uniform(i);

		tmp = mx[i - 1];
		mx[i - 1] = mx[j];
		mx[j] = tmp;
	}
	for (unsigned i = 1; i < n; i++) {
		unsigned j;

		tmp = mx[i];
		for (j = i; j > 0 && mx[j - 1].pref > tmp.pref; j--)
			mx[j] = mx[j - 1];
		mx[j] = tmp;
	}
}

static enum dns_result
parse_records(const unsigned char *packet, size_t len, enum dns_type type,
    struct dns_answer *out)
{
	char name[NS_MAXDNAME];
	ns_msg msg;

	if (ns_initparse(packet, (int)len, &msg) == -1)
		return DNS_BAD;
	if (dn_expand(packet, packet + len, packet + HEADER, name,
	    sizeof(name)) < 0)
		return DNS_BAD;
	if (follow_cnames(&msg, name, out) == -1 ||
	    collect(&msg, name, type, out) == -1)
		return DNS_BAD;
	if (out->n == 0)
		return is_referral(&msg, packet) ? DNS_SERVFAIL : DNS_NODATA;
	if (type == DNS_MX)
		sort_mx(out->mx, out->n);
	return DNS_OK;
}

static enum dns_result
parse(const unsigned char *packet, size_t len, const char *name,
    enum dns_type type, struct dns_answer *out, bool *tc_out)
{
	unsigned char question[DNS_QUESTION_MAX];
	int qlen = dns_question(name, type, question);

	if (qlen == -1 || len > NS_MAXMSG ||
	    !dns_is_answer(packet, len, question, (size_t)qlen))
		return DNS_BAD;
	out->ad = (packet[3] & H3_AD) != 0;
	switch (packet[3] & H3_RCODE) {
	case ns_r_noerror:
		break;
	case ns_r_nxdomain:
		return DNS_NXDOMAIN;
	default:
		return DNS_SERVFAIL;
	}
	if ((packet[2] & H2_TC) != 0) {
		*tc_out = true;		/* what is there may be cut anywhere */
		return DNS_BAD;
	}
	return parse_records(packet, len, type, out);
}

enum dns_result
dns_parse(const unsigned char *packet, size_t len, const char *name,
    enum dns_type type, struct dns_answer *out, bool *tc_out)
{
	out->n = 0;
	out->ttl = UINT32_MAX;
	out->ad = false;
	*tc_out = false;
	out->result = parse(packet, len, name, type, out, tc_out);
	if (out->result != DNS_OK) {
		out->n = 0;
		out->ttl = 0;
	}
	return out->result;
}

const char *
dns_result_text(enum dns_result result)
{
	switch (result) {
	case DNS_OK:
		return "found";
	case DNS_NXDOMAIN:
		return "no such name";
	case DNS_NODATA:
		return "no such record";
	case DNS_SERVFAIL:
		return "the name server could not answer";
	case DNS_TIMEOUT:
		return "no answer from the name server";
	case DNS_BAD:
		return "malformed answer from the name server";
	}
	return "unknown";
}
