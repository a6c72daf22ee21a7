/*
 * fake_dns.h - a name server with a small zone and bad manners, in a child
 * process on a loopback port, UDP and TCP, for the tests of lib/dns and remote.
 */
#ifndef FAKE_DNS_H
#define FAKE_DNS_H

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <poll.h>
#include <resolv.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define RCODE	0	/* as a type: the name answers with rcode `pref` */
#define DROP	16	/* as an rcode: it does not answer at all */
#define CNAME	5

struct fake_rr {
	const char *name;	/* NULL ends the zone */
	int	 type, pref;
	const char *data;	/* an address, a name, or a text */
};

/* May change the finished packet; returns its length, 0: say nothing. */
typedef size_t fake_mangle(unsigned char *packet, size_t len, unsigned count,
    bool tcp);

struct fake_dns { pid_t pid; int port; };

static size_t
fake_rdata(const struct fake_rr *rr, unsigned char *out)
{
	if (rr->type == ns_t_a)
		return inet_pton(AF_INET, rr->data, out) == 1 ? 4 : 0;
	if (rr->type == ns_t_aaaa)
		return inet_pton(AF_INET6, rr->data, out) == 1 ? 16 : 0;
	if (rr->type == ns_t_txt) {
		out[0] = (unsigned char)strlen(rr->data);
		memcpy(out + 1, rr->data, out[0]);
		return (size_t)out[0] + 1;
	}
	if (rr->type == ns_t_mx) {
		out[0] = (unsigned char)(rr->pref >> 8);
		out[1] = (unsigned char)(rr->pref & 0xff);
		return 2 + (size_t)ns_name_compress(rr->data, out + 2, 256,
		    NULL, NULL);
	}
	return (size_t)ns_name_compress(rr->data, out, 256, NULL, NULL);
}

/* Appends the records of a name to the packet; follows one's CNAME. */
static size_t
fake_answers(const struct fake_rr *zone, const char *name, int type,
    unsigned char *p, size_t len, bool *exists)
{
	for (const struct fake_rr *rr = zone; rr->name != NULL; rr++) {
		unsigned char *at = p + len;
		size_t n;

		if (strcasecmp(rr->name, name) != 0)
			continue;
		*exists = true;
		if (rr->type != type && rr->type != CNAME)
			continue;
		n = (size_t)ns_name_compress(name, at, 256, NULL, NULL);
		at[n + 1] = (unsigned char)rr->type;
		at[n + 3] = ns_c_in;
		at[n + 7] = 60;		/* seconds to live */
		at[n] = at[n + 2] = at[n + 4] = at[n + 5] = at[n + 6] = 0;
		n += 10 + fake_rdata(rr, at + n + 10);
		at += (size_t)ns_name_compress(name, at, 256, NULL, NULL);
		at[8] = 0;
		at[9] = (unsigned char)(p + len + n - at - 10);
		len += n;
		p[7]++;
		if (rr->type == CNAME && type != CNAME)
			return fake_answers(zone, rr->data, type, p, len,
			    exists);
	}
	return len;
}

static size_t
fake_reply(const struct fake_rr *zone, const unsigned char *q, size_t qlen,
    unsigned char *p)
{
	char name[NS_MAXDNAME];
	bool exists = false;
	size_t len;
	int n = dn_expand(q, q + qlen, q + 12, name, sizeof(name)), type;

	if (n < 0 || qlen < 12 + (size_t)n + 4)
		return 0;
	type = q[12 + n] << 8 | q[13 + n];
	len = 12 + (size_t)n + 4;
	memcpy(p, q, len);
	p[2] = 0x81;
	p[3] = 0x80;
	memset(p + 6, 0, 6);
	for (const struct fake_rr *rr = zone; rr->name != NULL; rr++)
		if (rr->type == RCODE && strcasecmp(rr->name, name) == 0) {
			p[3] = (unsigned char)(0x80 | (rr->pref & 0xf));
			return rr->pref == DROP ? 0 : len;
		}
	len = fake_answers(zone, name, type, p, len, &exists);
	if (!exists)
		p[3] = 0x80 | ns_r_nxdomain;
	return len;
}

static void
fake_tcp(int fd, const struct fake_rr *zone, fake_mangle *mangle,
    unsigned count)
{
	unsigned char q[1024], p[65536];
	ssize_t n = recv(fd, q, sizeof(q), 0);
	size_t len = n > 2 ? fake_reply(zone, q + 2, (size_t)n - 2, p + 2) : 0;

	if (mangle != NULL)
		len = mangle(p + 2, len, count, true);
	p[0] = (unsigned char)(len >> 8);
	p[1] = (unsigned char)(len & 0xff);
	if (len > 0)
		(void)!send(fd, p, len + 2, MSG_NOSIGNAL);
	else	/* a server that accepted and fell asleep */
		(void)!recv(fd, q, sizeof(q), 0);
	(void)close(fd);
}

static _Noreturn void
fake_dns_child(int udp, int tcp, const struct fake_rr *zone,
    fake_mangle *mangle)
{
	unsigned char q[1024], p[65536];
	unsigned count = 0;

	for (;;) {
		struct pollfd fds[2] = { { udp, POLLIN, 0 },
		    { tcp, POLLIN, 0 } };
		struct sockaddr_storage from;
		socklen_t flen = sizeof(from);
		size_t len;
		ssize_t n;

		if (poll(fds, 2, -1) == -1)
			_exit(1);
		if (fds[1].revents != 0)
			fake_tcp(accept(tcp, NULL, NULL), zone, mangle,
			    count++);
		if (fds[0].revents == 0)
			continue;
		n = recvfrom(udp, q, sizeof(q), 0, (struct sockaddr *)&from,
		    &flen);
		len = n > 0 ? fake_reply(zone, q, (size_t)n, p) : 0;
		if (mangle != NULL)
			len = mangle(p, len, count, false);
		count++;
		if (len > 0)
			(void)!sendto(udp, p, len, 0,
			    (struct sockaddr *)&from, flen);
	}
}

static int
fake_bind(int family, int type, int *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	    .sin_port = htons((uint16_t)*port) };
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6,
	    .sin6_addr = IN6ADDR_LOOPBACK_INIT,
	    .sin6_port = htons((uint16_t)*port) };
	struct sockaddr_storage ss;
	socklen_t len = family == AF_INET ? sizeof(sin) : sizeof(sin6);
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	memset(&ss, 0, sizeof(ss));
	if (family == AF_INET)
		memcpy(&ss, &sin, sizeof(sin));
	else
		memcpy(&ss, &sin6, sizeof(sin6));
	if (fd == -1 || bind(fd, (struct sockaddr *)&ss, len) == -1 ||
	    (type == SOCK_STREAM && listen(fd, 8) == -1)) {
		if (fd != -1)
			(void)close(fd);
		return -1;
	}
	(void)getsockname(fd, (struct sockaddr *)&ss, &len);
	if (family == AF_INET)
		memcpy(&sin, &ss, sizeof(sin));
	else
		memcpy(&sin6, &ss, sizeof(sin6));
	*port = ntohs(family == AF_INET ? sin.sin_port : sin6.sin6_port);
	return fd;
}

static struct fake_dns
fake_dns_start(const struct fake_rr *zone, fake_mangle *mangle)
{
	struct fake_dns d = { -1, 0 };
	int udp = -1, tcp = -1;

	/* The same port must be free for both. */
	for (int i = 0; i < 20 && tcp == -1; i++) {
		d.port = 0;
		if (udp != -1)
			(void)close(udp);
		udp = fake_bind(AF_INET, SOCK_DGRAM, &d.port);
		tcp = fake_bind(AF_INET, SOCK_STREAM, &d.port);
	}
	if (tcp == -1)
		abort();
	if ((d.pid = fork()) == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		fake_dns_child(udp, tcp, zone, mangle);
	}
	(void)close(udp);
	(void)close(tcp);
	return d;
}

static void
fake_dns_stop(const struct fake_dns *d)
{
	(void)kill(d->pid, SIGKILL);
	(void)waitpid(d->pid, NULL, 0);
}
#endif
