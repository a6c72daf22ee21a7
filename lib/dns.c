/*
 * dns.c - asks a recursive name server: UDP, then TCP when it must be.
 *
 * Runs in whoever asks.  Against forged answers: a connected socket with a
 * port of the kernel's choice, a random ID, and the question compared; what
 * does not fit is ignored and the wait goes on.  libc's resolver is not used:
 * it cannot be given a port, and tells SERVFAIL and silence apart badly.
 * Way 6 of 8.  From: remote/mx.c.  To: lib/dns_parse.c.
 */
#include <arpa/nameser.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "deadline.h"
#include "dns.h"

#define TRIES		3
#define EDNS_SIZE	1232	/* a UDP answer that no path cuts in pieces */
#define QUERY_MAX	(12 + DNS_QUESTION_MAX + 11)
#define UDP_MAX		4096

/* Longest wait for each try, ms: the first is lost more often than slow. */
static const int patience[TRIES] = { 3000, 5000, 10000 };

struct query {
	unsigned char bytes[2 + QUERY_MAX];	/* TCP's length in front */
	size_t	len;		/* without those two */
	size_t	qlen;		/* of the question in it */
};

/* ---- who is asked ------------------------------------------------------ */

static void
add_server(struct dns *d, const char *addr)
{
	const int max = (int)(sizeof(d->servers) / sizeof(d->servers[0]));

	if (d->nservers < max &&
	    netaddr_host(addr, NS_DEFAULTPORT, &d->servers[d->nservers]) == 0)
		d->nservers++;
}

/* resolv.conf(5): nameserver lines, and the trust-ad option. */
static void
resolv_line(struct dns *d, char *line)
{
	char *rest = line, *word = strsep(&rest, " \t\n");
	bool options = strcmp(word, "options") == 0;
	bool server = strcmp(word, "nameserver") == 0;

	while ((options || server) && (word = strsep(&rest, " \t\n")) != NULL) {
		if (*word == '\0')
			continue;
		if (server) {
			add_server(d, word);
			return;
		}
		if (strcmp(word, "trust-ad") == 0)
			d->trust_ad = true;
	}
}

static int
read_resolv_conf(struct dns *d)
{
	char line[512];
	FILE *f = fopen("/etc/resolv.conf", "re");

	if (f == NULL)
		return -1;
	while (fgets(line, sizeof(line), f) != NULL)
		resolv_line(d, line);
	(void)fclose(f);
	return 0;
}

int
dns_init(struct dns *d, const char *server)
{
	bool local = true;

	memset(d, 0, sizeof(*d));
	if (*server == '\0') {
		if (read_resolv_conf(d) == -1)
			return -1;
	} else {
		if (netaddr_parse(server, &d->servers[0]) == -1 ||
		    d->servers[0].ss.ss_family == AF_UNIX)
			return -1;
		d->nservers = 1;
	}
	/* The way to a server on this host cannot be forged from outside. */
	for (int i = 0; i < d->nservers; i++)
		local = local && netaddr_is_loopback(&d->servers[i]);
	if (local)
		d->trust_ad = true;
	return d->nservers > 0 ? 0 : -1;
}

/* ---- the question ------------------------------------------------------ */

/* -1: the name cannot be asked for. */
static int
build(struct query *q, const char *name, enum dns_type type, bool edns,
    bool ad)
{
	static const unsigned char opt[11] = { 0, 0, ns_t_opt,
	    EDNS_SIZE >> 8, EDNS_SIZE & 0xff };
	unsigned char *p = q->bytes + 2;
	int qlen;

	memset(q, 0, sizeof(*q));
	arc4random_buf(p, 2);
	p[2] = 0x01;			/* recursion desired */
	p[3] = ad ? 0x20 : 0;		/* RFC 6840 section 5.7 */
	p[5] = 1;			/* one question */
	if ((qlen = dns_question(name, type, p + 12)) == -1)
		return -1;
	q->qlen = (size_t)qlen;
	q->len = 12 + q->qlen;
	if (edns) {
		memcpy(p + q->len, opt, sizeof(opt));
		p[11] = 1;
		q->len += sizeof(opt);
	}
	q->bytes[0] = (unsigned char)(q->len >> 8);
	q->bytes[1] = (unsigned char)(q->len & 0xff);
	return 0;
}

static bool
fits(const struct query *q, const unsigned char *packet, size_t len)
{
	return len >= 12 && memcmp(packet, q->bytes + 2, 2) == 0 &&
	    dns_is_answer(packet, len, q->bytes + 2 + 12, q->qlen);
}

/* A server of before EDNS may answer FORMERR without repeating the question. */
static bool
is_formerr(const struct query *q, const unsigned char *packet, size_t len)
{
	return len >= 12 && memcmp(packet, q->bytes + 2, 2) == 0 &&
	    (packet[2] & 0x80) != 0 && ((packet[3] & 0x0f) == ns_r_formerr ||
	    (packet[3] & 0x0f) == ns_r_notimpl);
}

/* ---- transport --------------------------------------------------------- */

static int
wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n;

	do {
		n = poll(&p, 1, deadline_poll(deadline));
	} while (n == -1 && errno == EINTR);
	if (n == 0)
		errno = ETIMEDOUT;
	return n == 1 ? 0 : -1;
}

/* A connected socket, or -1. TCP may still be connecting. */
static int
dial(const struct netaddr *server, int type)
{
	int fd = socket(server->ss.ss_family,
	    type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd == -1)
		return -1;
	if (connect(fd, (const struct sockaddr *)&server->ss, server->len) ==
	    -1 && errno != EINPROGRESS) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* One datagram out, the first fitting one in: its length, or -1. */
static ssize_t
ask_udp(const struct netaddr *server, const struct query *q,
    unsigned char *in, size_t size, int64_t deadline)
{
	ssize_t n = -1;
	int fd = dial(server, SOCK_DGRAM);

	if (fd == -1)
		return -1;
	if (send(fd, q->bytes + 2, q->len, 0) != (ssize_t)q->len)
		goto out;
	for (;;) {
		if (wait_for(fd, POLLIN, deadline) == -1)
			break;
		n = recv(fd, in, size, 0);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			continue;
		/* -1 here is an ICMP message: nobody listens there */
		if (n == -1 || fits(q, in, (size_t)n) ||
		    is_formerr(q, in, (size_t)n))
			goto out;
	}
	n = -1;
out:
	(void)close(fd);
	return n;
}

static int
read_all(int fd, unsigned char *p, size_t len, int64_t deadline)
{
	while (len > 0) {
		ssize_t n = recv(fd, p, len, 0);

		if (n == 0)
			return -1;
		if (n == -1 && errno != EAGAIN && errno != EINTR)
			return -1;
		if (n == -1 && wait_for(fd, POLLIN, deadline) == -1)
			return -1;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* RFC 7766: two bytes of length, then the packet. Its length, or -1. */
static ssize_t
ask_tcp(const struct netaddr *server, const struct query *q,
    unsigned char *in, size_t size, int64_t deadline)
{
	unsigned char prefix[2];
	size_t len;
	ssize_t result = -1;
	int fd = dial(server, SOCK_STREAM);

	if (fd == -1)
		return -1;
	/* A fresh socket takes so few bytes at once or not at all. */
	if (wait_for(fd, POLLOUT, deadline) == -1 ||
	    send(fd, q->bytes, q->len + 2, MSG_NOSIGNAL) !=
	    (ssize_t)q->len + 2)
		goto out;
	if (read_all(fd, prefix, sizeof(prefix), deadline) == -1)
		goto out;
	len = (size_t)prefix[0] << 8 | prefix[1];
	if (len > size || read_all(fd, in, len, deadline) == -1)
		goto out;
	if (fits(q, in, len))
		result = (ssize_t)len;
out:
	(void)close(fd);
	return result;
}

/* ---- the conversation -------------------------------------------------- */

struct asking {
	const struct dns *d;
	const char *name;
	enum dns_type type;
	bool	 edns;
	int64_t	 deadline;	/* of the whole query */
};

/* The answer by TCP, after one that was cut off. */
static enum dns_result
again_by_tcp(const struct asking *a, const struct netaddr *server,
    const struct query *q, int64_t deadline, struct dns_answer *out)
{
	unsigned char *in = xmalloc(NS_MAXMSG);
	ssize_t n = ask_tcp(server, q, in, NS_MAXMSG, deadline);
	enum dns_result result = DNS_TIMEOUT;
	bool tc;

	if (n >= 0)
		result = dns_parse(in, (size_t)n, a->name, a->type, out, &tc);
	free(in);
	return result;
}

static enum dns_result
try_server(struct asking *a, const struct netaddr *server, int64_t deadline,
    struct dns_answer *out)
{
	unsigned char in[UDP_MAX];
	struct query q;
	enum dns_result result;
	ssize_t n;
	bool tc;

	if (build(&q, a->name, a->type, a->edns, a->d->trust_ad) == -1)
		return DNS_NXDOMAIN;	/* such a name cannot exist */
	n = ask_udp(server, &q, in, sizeof(in), deadline);
	if (n >= 0 && a->edns && is_formerr(&q, in, (size_t)n)) {
		a->edns = false;
		return try_server(a, server, deadline, out);
	}
	if (n < 0)
		return DNS_TIMEOUT;
	result = dns_parse(in, (size_t)n, a->name, a->type, out, &tc);
	if (tc)
		result = again_by_tcp(a, server, &q, deadline, out);
	return result;
}

/* Each try may use its share of the time that is left, up to its patience. */
static int64_t
try_deadline(const struct asking *a, int try)
{
	int64_t now = now_ms(), share;

	if (a->deadline == DEADLINE_NEVER)
		return now + patience[try];
	share = (a->deadline - now) / (TRIES - try);
	return now + (share < patience[try] ? share : patience[try]);
}

enum dns_result
dns_query(const struct dns *d, const char *name, enum dns_type type,
    int64_t deadline, struct dns_answer *out)
{
	struct asking a = { d, name, type, true, deadline };
	enum dns_result worst = DNS_TIMEOUT, result;

	for (int i = 0; i < TRIES && d->nservers > 0; i++) {
		out->n = 0;
		out->ttl = 0;
		out->ad = false;
		result = try_server(&a, &d->servers[i % d->nservers],
		    try_deadline(&a, i), out);
		if (result == DNS_OK || result == DNS_NODATA ||
		    result == DNS_NXDOMAIN) {
			out->ad = out->ad && d->trust_ad;
			return out->result = result;
		}
		if (result != DNS_TIMEOUT)
			worst = result;
		/* A server that said no says it again; another may know. */
		if (result != DNS_TIMEOUT && d->nservers == 1)
			break;
	}
	out->n = 0;
	out->ad = false;
	return out->result = worst;
}
