/*
 * dnsd - a small authoritative DNS server for the tests and the demo.
 *
 * Serves one zone file over UDP and TCP and can misbehave on request: answer
 * SERVFAIL or REFUSED, cut an answer short, or say nothing at all.  Prints
 * "ready PORT" when it answers; ends on SIGTERM, or with its parent (not -k).
 */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <resolv.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORDS		4096
#define ANSWER_MAX	65535
#define UDP_MAX		1232
#define TTL		60
#define CHAIN		8	/* CNAMEs followed */

/* How a name behaves; the types are those of DNS. */
enum { B_SERVFAIL = 70000, B_REFUSED, B_TIMEOUT, B_TRUNCATE, B_NODATA };

static const struct word { const char *name; int type; } words[] = {
	{ "A", ns_t_a }, { "AAAA", ns_t_aaaa }, { "MX", ns_t_mx },
	{ "CNAME", ns_t_cname }, { "TXT", ns_t_txt }, { "PTR", ns_t_ptr },
	{ "servfail", B_SERVFAIL }, { "refused", B_REFUSED },
	{ "timeout", B_TIMEOUT }, { "truncate", B_TRUNCATE },
	{ "nodata", B_NODATA },
};

static struct record { char *name; int type; char *value; } zone[RECORDS];
static size_t nrecords;
static bool verbose;

/* ---- the zone file ---- */

static int
word_type(const char *s)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(s, words[i].name) == 0)
			return words[i].type;
	return -1;
}

static const char *
type_word(int type)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].type == type)
			return words[i].name;
	return "?";
}

static char *
copy(const char *s)
{
	char *p = strdup(s);

	if (p == NULL)
		err(1, NULL);
	return p;
}

/* Cuts the next word off; the rest begins at its first non-blank. */
static char *
next_word(char **rest)
{
	char *w = *rest + strspn(*rest, " \t");
	size_t n = strcspn(w, " \t");

	*rest = w + n;
	if (**rest != '\0')
		*(*rest)++ = '\0';
	*rest += strspn(*rest, " \t");
	return w;
}

static void
zone_line(const char *file, unsigned line, char *text)
{
	char *rest = text, *name = next_word(&rest), *type;
	size_t n = strlen(name);

	if (*name == '\0' || *name == '#')
		return;
	if (name[n - 1] == '.')
		name[n - 1] = '\0';
	type = next_word(&rest);
	if (nrecords == RECORDS)
		errx(1, "%s:%u: too many records", file, line);
	zone[nrecords].name = copy(name);
	if ((zone[nrecords].type = word_type(type)) == -1)
		errx(1, "%s:%u: %s: unknown type", file, line, type);
	if (zone[nrecords].type < B_SERVFAIL && *rest == '\0')
		errx(1, "%s:%u: no value", file, line);
	zone[nrecords++].value = copy(rest);
}

static void
zone_read(const char *file)
{
	FILE *f = fopen(file, "re");
	char *line = NULL;
	size_t room = 0;

	if (f == NULL)
		err(1, "%s", file);
	for (unsigned n = 1; getline(&line, &room, f) != -1; n++) {
		line[strcspn(line, "\r\n")] = '\0';
		zone_line(file, n, line);
	}
	free(line);
	(void)fclose(f);
}

static bool
name_has(const char *name, int type)
{
	for (size_t i = 0; i < nrecords; i++)
		if (zone[i].type == type &&
		    strcasecmp(zone[i].name, name) == 0)
			return true;
	return false;
}

static bool
name_exists(const char *name)
{
	for (size_t i = 0; i < nrecords; i++)
		if (strcasecmp(zone[i].name, name) == 0)
			return true;
	return false;
}

/* ---- an answer ---- */

struct answer {
	unsigned char *p;	/* the packet */
	size_t	 len;
	unsigned count;
	bool	 full;		/* something found no room */
};

static void
put16(unsigned char *p, unsigned v)
{
	p[0] = (unsigned char)(v >> 8);
	p[1] = (unsigned char)v;
}

/* A domain name at p; its length, or -1. */
static int
put_name(unsigned char *p, size_t room, const char *name)
{
	if (strcmp(name, ".") == 0 && room > 0) {
		*p = 0;
		return 1;
	}
	return dn_comp(name, p, (int)room, NULL, NULL);
}

/* TXT: a string is cut into pieces of 255. */
static int
put_text(unsigned char *p, size_t room, const char *s)
{
	size_t len = strlen(s), n, out = 0;

	if (len >= 2 && s[0] == '"' && s[len - 1] == '"')
		s++, len -= 2;
	do {
		n = len < 255 ? len : 255;
		if (out + n + 1 > room)
			return -1;
		p[out++] = (unsigned char)n;
		memcpy(p + out, s, n);
		out += n, s += n, len -= n;
	} while (len > 0);
	return (int)out;
}

static int
put_value(unsigned char *p, size_t room, const struct record *r)
{
	char *host;
	long pref;
	int n;

	switch (r->type) {
	case ns_t_a:
		return room >= 4 && inet_pton(AF_INET, r->value, p) == 1 ?
		    4 : -1;
	case ns_t_aaaa:
		return room >= 16 && inet_pton(AF_INET6, r->value, p) == 1 ?
		    16 : -1;
	case ns_t_mx:
		pref = strtol(r->value, &host, 10);
		host += strspn(host, " \t");
		if (room < 3 || (n = put_name(p + 2, room - 2, host)) == -1)
			return -1;
		put16(p, (unsigned)pref);
		return n + 2;
	case ns_t_txt:
		return put_text(p, room, r->value);
	default:
		return put_name(p, room, r->value);
	}
}

static void
add_record(struct answer *a, const struct record *r)
{
	unsigned char *p = a->p + a->len;
	size_t room = ANSWER_MAX - a->len;
	int n = put_name(p, room, r->name), v;

	if (n == -1 || room - (size_t)n < 10) {
		a->full = true;
		return;
	}
	v = put_value(p + n + 10, room - (size_t)n - 10, r);
	if (v == -1) {
		warnx("%s: cannot put %s", r->name, r->value);
		a->full = true;
		return;
	}
	put16(p + n, (unsigned)r->type);
	put16(p + n + 2, ns_c_in);
	put16(p + n + 4, 0);
	put16(p + n + 6, TTL);
	put16(p + n + 8, (unsigned)v);
	a->len += (size_t)n + 10 + (size_t)v;
	a->count++;
}

/* All records of the type; along CNAMEs within the zone. False: no name. */
static bool
add_records(struct answer *a, const char *name, int type)
{
	const char *next;

	for (int hop = 0; hop < CHAIN; hop++) {
		if (!name_exists(name))
			return hop > 0;
		next = NULL;
		for (size_t i = 0; i < nrecords; i++) {
			if (strcasecmp(zone[i].name, name) != 0)
				continue;
			if (zone[i].type == type || zone[i].type == ns_t_cname)
				add_record(a, &zone[i]);
			if (zone[i].type == ns_t_cname && type != ns_t_cname)
				next = zone[i].value;
		}
		if (next == NULL)
			break;
		name = next;
	}
	return true;
}

static int
name_rcode(const char *name)
{
	if (name_has(name, B_SERVFAIL))
		return ns_r_servfail;
	if (name_has(name, B_REFUSED))
		return ns_r_refused;
	return ns_r_noerror;
}

/*
 * Turns the query in p (room for ANSWER_MAX) into its answer; returns its
 * length, 0 for silence.
 */
static size_t
respond(unsigned char *p, size_t len, bool udp)
{
	struct answer a = { .p = p };
	char name[NS_MAXDNAME];
	int n, rcode, type;
	bool cut;

	if (len < NS_HFIXEDSZ || (p[2] & 0x80) || p[4] != 0 || p[5] != 1)
		return 0;
	n = dn_expand(p, p + len, p + NS_HFIXEDSZ, name, sizeof(name));
	if (n == -1 || NS_HFIXEDSZ + (size_t)n + 4 > len)
		return 0;
	type = p[NS_HFIXEDSZ + n] << 8 | p[NS_HFIXEDSZ + n + 1];
	a.len = NS_HFIXEDSZ + (size_t)n + 4;
	rcode = name_rcode(name);
	if (rcode == ns_r_noerror && !add_records(&a, name, type))
		rcode = ns_r_nxdomain;
	cut = udp && (a.len > UDP_MAX || a.full || name_has(name, B_TRUNCATE));
	if (verbose)
		fprintf(stderr, "dns %s %s %s: %s, %u records%s\n",
		    udp ? "udp" : "tcp", type_word(type), name,
		    name_has(name, B_TIMEOUT) ? "silence" :
		    rcode == ns_r_noerror ? "ok" :
		    rcode == ns_r_nxdomain ? "no such name" : "refused",
		    a.count, cut ? ", cut short" : "");
	if (name_has(name, B_TIMEOUT))
		return 0;
	if (cut) {
		a.len = NS_HFIXEDSZ + (size_t)n + 4;
		a.count = 0;
	}
	p[2] = (unsigned char)(0x84 | (p[2] & 0x79) | (cut ? 0x02 : 0));
	p[3] = (unsigned char)(0x80 | rcode);	/* recursion available */
	put16(p + 6, a.count);
	put16(p + 8, 0);
	put16(p + 10, 0);
	return a.len;
}

/* ---- the network ---- */

static unsigned char packet[2 + ANSWER_MAX];

static void
serve_udp(int fd)
{
	struct sockaddr_storage from;
	socklen_t fromlen = sizeof(from);
	ssize_t n = recvfrom(fd, packet, ANSWER_MAX, MSG_DONTWAIT,
	    (struct sockaddr *)&from, &fromlen);
	size_t len;

	if (n <= 0 || (len = respond(packet, (size_t)n, true)) == 0)
		return;
	if (sendto(fd, packet, len, 0, (struct sockaddr *)&from,
	    fromlen) == -1)
		warn("sendto");
}

static bool
read_all(int fd, unsigned char *p, size_t len)
{
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n)
		if ((n = recv(fd, p, len, 0)) <= 0)
			return false;
	return true;
}

static void
serve_tcp(int listener)
{
	const struct timeval patience = { 2, 0 };
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	size_t len;

	if (fd == -1)
		return;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
	    sizeof(patience)) == -1)
		warn("SO_RCVTIMEO");
	while (read_all(fd, packet, 2)) {
		len = (size_t)(packet[0] << 8 | packet[1]);
		if (len > ANSWER_MAX || !read_all(fd, packet + 2, len))
			break;
		if ((len = respond(packet + 2, len, false)) == 0)
			break;
		put16(packet, (unsigned)len);
		if (send(fd, packet, len + 2, MSG_NOSIGNAL) == -1)
			break;
	}
	(void)close(fd);
}

static int
open_socket(int type, const char *addr, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), on = 1;

	a.sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, addr, &a.sin_addr) != 1)
		errx(1, "%s: not an address", addr);
	if (fd == -1)
		err(1, "socket");
	if (type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR,
	    &on, sizeof(on)) == -1)
		err(1, "SO_REUSEADDR");
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == -1 ||
	    (type == SOCK_STREAM && listen(fd, 64) == -1)) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static int
bound_port(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	if (getsockname(fd, (struct sockaddr *)&a, &len) == -1)
		err(1, "getsockname");
	return ntohs(a.sin_port);
}

/* Both on the same port; port 0: tries until one is free for both. */
static int
open_both(const char *addr, int port, int *udp_out, int *tcp_out)
{
	for (int i = 0; i < 100; i++) {
		if ((*udp_out = open_socket(SOCK_DGRAM, addr, port)) == -1)
			err(1, "%s port %d", addr, port);
		*tcp_out = open_socket(SOCK_STREAM, addr,
		    bound_port(*udp_out));
		if (*tcp_out != -1)
			return bound_port(*udp_out);
		(void)close(*udp_out);
		if (port != 0)
			break;
	}
	errx(1, "%s port %d: not free", addr, port);
}

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: dnsd [-kv] [-a addr] [-p port] zonefile\n");
	exit(64);
}

int
main(int argc, char *argv[])
{
	const char *addr = "127.0.0.1";
	struct pollfd pfd[2];
	bool keep = false;
	int ch, port = 0;

	while ((ch = getopt(argc, argv, "a:kp:v")) != -1)
		switch (ch) {
		case 'a':
			addr = optarg;
			break;
		case 'k':
			keep = true;
			break;
		case 'p':
			port = (int)strtol(optarg, NULL, 10);
			break;
		case 'v':
			verbose = true;
			break;
		default:
			usage();
		}
	if (argc - optind != 1)
		usage();
	if (!keep && prctl(PR_SET_PDEATHSIG, SIGTERM) == -1)
		err(1, "prctl");
	zone_read(argv[optind]);
	port = open_both(addr, port, &pfd[0].fd, &pfd[1].fd);
	pfd[0].events = pfd[1].events = POLLIN;
	printf("ready %d\n", port);
	if (fflush(stdout) == EOF)
		err(1, "stdout");
	for (;;) {
		if (poll(pfd, 2, -1) == -1 && errno != EINTR)
			err(1, "poll");
		if (pfd[0].revents != 0)
			serve_udp(pfd[0].fd);
		if (pfd[1].revents != 0)
			serve_tcp(pfd[1].fd);
	}
}
