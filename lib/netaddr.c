/*
 * netaddr.c - addresses of hosts and networks, and where we listen.
 *
 * Listening sockets are opened with root's privilege, everything else runs at
 * every one.  IPv4-mapped IPv6 addresses, which a dual-stack socket shows us,
 * are taken for the IPv4 addresses they are, in every question.
 * Way: everywhere.  From: configuration, accept.  To: serve.c, smtpd, remote.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "netaddr.h"

#define UNIX_PREFIX	"unix:"

/* The bytes of an address: 4 or 16, or 0 for a Unix socket. */
struct raw {
	unsigned char b[16];
	unsigned n;
};

static struct raw
raw_of(const struct netaddr *a)
{
	struct raw r = { .n = 0 };
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (a->ss.ss_family == AF_INET) {
		memcpy(&in, &a->ss, sizeof(in));
		memcpy(r.b, &in.sin_addr, r.n = 4);
	} else if (a->ss.ss_family == AF_INET6) {
		memcpy(&in6, &a->ss, sizeof(in6));
		if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
			memcpy(r.b, in6.sin6_addr.s6_addr + 12, r.n = 4);
		else
			memcpy(r.b, &in6.sin6_addr, r.n = 16);
	}
	return r;
}

int
netaddr_host(const char *s, int port, struct netaddr *out)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	if (port < 0 || port > 65535)
		return -1;
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, s, &in.sin_addr) == 1) {
		in.sin_port = htons((uint16_t)port);
		memcpy(&out->ss, &in, out->len = sizeof(in));
		return 0;
	}
	if (inet_pton(AF_INET6, s, &in6.sin6_addr) == 1) {
		in6.sin6_port = htons((uint16_t)port);
		memcpy(&out->ss, &in6, out->len = sizeof(in6));
		return 0;
	}
	return -1;
}

static int
parse_unix(const char *path, struct netaddr *out)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (*path == '\0' ||
	    strlcpy(un.sun_path, path, sizeof(un.sun_path)) >=
	    sizeof(un.sun_path))
		return -1;
	memset(out, 0, sizeof(*out));
	memcpy(&out->ss, &un, out->len = sizeof(un));
	return 0;
}

/* Digits only: strtonum alone would take " +25". -1: no port. */
static int
parse_port(const char *s)
{
	const char *error;
	int port;

	if (*s == '\0' || s[strspn(s, "0123456789")] != '\0')
		return -1;
	port = (int)strtonum(s, 0, 65535, &error);
	return error == NULL ? port : -1;
}

/* Copies what lies before `end` into host; false when it is too long. */
static bool
copy_host(char *host, size_t size, const char *s, const char *end)
{
	if ((size_t)(end - s) >= size)
		return false;
	memcpy(host, s, (size_t)(end - s));
	host[end - s] = '\0';
	return true;
}

int
netaddr_parse(const char *s, struct netaddr *out)
{
	char host[INET6_ADDRSTRLEN];
	const char *colon;
	int port;

	if (strncmp(s, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
		return parse_unix(s + strlen(UNIX_PREFIX), out);
	if ((colon = strrchr(s, ':')) == NULL ||
	    (port = parse_port(colon + 1)) == -1)
		return -1;
	if (colon == s)
		return netaddr_host("::", port, out);
	if (*s == '[') {
		if (colon[-1] != ']' || colon - s < 3 ||
		    !copy_host(host, sizeof(host), s + 1, colon - 1) ||
		    strchr(host, ':') == NULL)
			return -1;
	} else if (!copy_host(host, sizeof(host), s, colon) ||
	    strchr(host, ':') != NULL)
		return -1;
	return netaddr_host(host, port, out);
}

void
netaddr_text(const struct netaddr *a, struct buf *b)
{
	char text[INET6_ADDRSTRLEN];
	struct raw r = raw_of(a);

	if (r.n == 0)
		buf_adds(b, "unix");
	else if (r.n == 4)
		buf_addf(b, "%u.%u.%u.%u", r.b[0], r.b[1], r.b[2], r.b[3]);
	else if (inet_ntop(AF_INET6, r.b, text, sizeof(text)) != NULL)
		buf_adds(b, text);
}

int
netaddr_port(const struct netaddr *a)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (a->ss.ss_family == AF_INET) {
		memcpy(&in, &a->ss, sizeof(in));
		return ntohs(in.sin_port);
	}
	if (a->ss.ss_family == AF_INET6) {
		memcpy(&in6, &a->ss, sizeof(in6));
		return ntohs(in6.sin6_port);
	}
	return 0;
}

/* Do the first `bits` bits of a and b agree? */
static bool
same_prefix(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	unsigned mask = 0xff00u >> bits % 8 & 0xff;

	return memcmp(a, b, bits / 8) == 0 &&
	    (mask == 0 || ((a[bits / 8] ^ b[bits / 8]) & mask) == 0);
}

bool
netaddr_is_loopback(const struct netaddr *a)
{
	struct raw r = raw_of(a);

	if (r.n == 0)
		return a->ss.ss_family == AF_UNIX;
	if (r.n == 4)
		return r.b[0] == 127;
	return memcmp(r.b, &in6addr_loopback, r.n) == 0;
}

void
netaddr_client(const struct netaddr *a, unsigned char out[NETADDR_CLIENT])
{
	struct raw r = raw_of(a);

	memset(out, 0, NETADDR_CLIENT);
	memcpy(out + 1, r.b, r.n == 4 ? 4 : r.n / 2);
	out[0] = (unsigned char)r.n;
}

/* "192.0.2.0/24" or "192.0.2.7", into the address and its number of bits. */
static bool
parse_network(const char *s, struct raw *out, unsigned *bits_out)
{
	const char *slash = strchr(s, '/');
	const char *end = slash == NULL ? s + strlen(s) : slash;
	char host[INET6_ADDRSTRLEN];
	struct netaddr a;
	int bits;

	if (!copy_host(host, sizeof(host), s, end) ||
	    netaddr_host(host, 0, &a) == -1)
		return false;
	*out = raw_of(&a);
	bits = slash == NULL ? (int)out->n * 8 : parse_port(slash + 1);
	/* ::ffff:192.0.2.0/120 has become 192.0.2.0/24 */
	if (slash != NULL && out->n == 4 && a.ss.ss_family == AF_INET6)
		bits = bits > 128 ? -1 : bits - 96;
	if (bits < 0 || bits > (int)out->n * 8)
		return false;
	*bits_out = (unsigned)bits;
	return true;
}

bool
netaddr_in(const struct netaddr *a, const struct strlist *networks)
{
	struct raw r = raw_of(a), net;
	unsigned bits;

	for (size_t i = 0; r.n != 0 && i < networks->n; i++)
		if (parse_network(networks->v[i], &net, &bits) &&
		    net.n == r.n && same_prefix(r.b, net.b, bits))
			return true;
	return false;
}

bool
netaddr_is_network(const char *s)
{
	struct raw net;
	unsigned bits;

	return parse_network(s, &net, &bits);
}

/* ---- listening ---- */

static int
close_failed(int fd)
{
	int saved = errno;

	(void)close(fd);
	errno = saved;
	return -1;
}

/* A socket file nobody listens on is what a crash left; anything else stays. */
static int
remove_stale(const struct netaddr *a)
{
	struct sockaddr_un un;
	struct stat st;
	int fd, ok;

	memcpy(&un, &a->ss, sizeof(un));
	if (lstat(un.sun_path, &st) == -1)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	ok = connect(fd, (const struct sockaddr *)&a->ss, a->len);
	if (ok == -1 && errno == ECONNREFUSED)
		return close(fd) == -1 ? -1 : unlink(un.sun_path);
	if (ok == 0 || errno == EAGAIN)
		errno = EADDRINUSE;
	return close_failed(fd);
}

/*
 * The mode is set by the umask, not afterwards: a socket that is to be 0600
 * must not be open to anyone for a moment.
 */
static int
bind_unix(int fd, const struct netaddr *a, int mode)
{
	mode_t saved;
	int ok;

	if (remove_stale(a) == -1)
		return -1;
	saved = umask((mode_t)(~mode & 0777));
	ok = bind(fd, (const struct sockaddr *)&a->ss, a->len);
	(void)umask(saved);
	return ok;
}

static int
bind_inet(int fd, const struct netaddr *a)
{
	int on = 1, off = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1)
		return -1;
	if (a->ss.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6,
	    IPV6_V6ONLY, &off, sizeof(off)) == -1)
		return -1;
	return bind(fd, (const struct sockaddr *)&a->ss, a->len);
}

static int
listen_on(const struct netaddr *a, int unix_mode)
{
	int fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int ok;

	if (fd == -1)
		return -1;
	ok = a->ss.ss_family == AF_UNIX ? bind_unix(fd, a, unix_mode) :
	    bind_inet(fd, a);
	if (ok == -1 || listen(fd, SOMAXCONN) == -1)
		return close_failed(fd);
	return fd;
}

int
netaddr_listen(const char *spec, int unix_mode)
{
	struct netaddr a, v4;
	int fd;

	if (netaddr_parse(spec, &a) == -1) {
		errno = EINVAL;
		return -1;
	}
	fd = listen_on(&a, unix_mode);
	/* ":25" on a host whose kernel knows no IPv6 */
	if (fd == -1 && *spec == ':' && errno == EAFNOSUPPORT &&
	    netaddr_host("0.0.0.0", netaddr_port(&a), &v4) == 0)
		fd = listen_on(&v4, unix_mode);
	return fd;
}
