/*
 * self.c - is that address our own SMTP listener?  Then mail sent there would
 * come straight back (RFC 5321 section 5.1).
 *
 * Runs as facteur-remote.  A loopback address alone proves nothing: tests and
 * content filters live there.  Way 6 of 8.  From: remote/mx.c.
 */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>

#include "remote.h"

/* Any address as the 16 bytes of an IPv6 one; false for anything else. */
static bool
as_bytes(const struct sockaddr *sa, struct in6_addr *out)
{
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;

	memset(out, 0, sizeof(*out));
	if (sa->sa_family == AF_INET) {
		memcpy(&sin, sa, sizeof(sin));
		out->s6_addr[10] = out->s6_addr[11] = 0xff;
		memcpy(out->s6_addr + 12, &sin.sin_addr, 4);
		return true;
	}
	if (sa->sa_family != AF_INET6)
		return false;
	memcpy(&sin6, sa, sizeof(sin6));
	*out = sin6.sin6_addr;
	return true;
}

static bool
is_any(const struct in6_addr *a)
{
	return IN6_IS_ADDR_UNSPECIFIED(a) ||
	    (IN6_IS_ADDR_V4MAPPED(a) && memcmp(a->s6_addr + 12,
	    "\0\0\0\0", 4) == 0);
}

static bool
is_loopback(const struct in6_addr *a)
{
	return IN6_IS_ADDR_LOOPBACK(a) ||
	    (IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr[12] == 127);
}

/* Has one of our interfaces this address? */
static bool
is_local(const struct in6_addr *a)
{
	struct ifaddrs *list, *i;
	struct in6_addr have;
	bool found = is_any(a) || is_loopback(a);

	if (found || getifaddrs(&list) == -1)
		return found;
	for (i = list; i != NULL && !found; i = i->ifa_next)
		found = i->ifa_addr != NULL &&
		    as_bytes(i->ifa_addr, &have) &&
		    memcmp(&have, a, sizeof(have)) == 0;
	freeifaddrs(list);
	return found;
}

bool
is_ourselves(const struct config *cfg, const struct netaddr *addr)
{
	struct in6_addr a, l;

	if (!as_bytes((const struct sockaddr *)&addr->ss, &a))
		return false;
	for (size_t i = 0; i < cfg->listen_smtp.n; i++) {
		struct netaddr listener;
		const struct sockaddr *sa =
		    (const struct sockaddr *)&listener.ss;

		if (netaddr_parse(cfg->listen_smtp.v[i], &listener) == -1 ||
		    !as_bytes(sa, &l) ||
		    netaddr_port(&listener) != netaddr_port(addr))
			continue;
		if (memcmp(&a, &l, sizeof(a)) == 0 ||
		    (is_any(&l) && is_local(&a)) ||
		    (is_any(&a) && is_loopback(&l)))
			return true;
	}
	return false;
}
