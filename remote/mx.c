/*
 * mx.c - which hosts take mail for a domain, and at which addresses (RFC 5321
 * section 5.1, RFC 7505).
 *
 * Runs as facteur-remote.  Permanent are only answers that mean it: no such
 * domain, no record of any kind, a null MX, a loop.  Everything a name server
 * could say better later is deferred.
 * Way 6 of 8.  From: remote/deliver.c.  To: remote/connect.c.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "address.h"
#include "deadline.h"
#include "remote.h"

/* ---- the first half: hosts --------------------------------------------- */

static void
one_host(struct route *route, const char *host)
{
	route->n = 1;
	(void)strlcpy(route->host[0].host, host, sizeof(route->host[0].host));
}

static bool
one_target(struct route *route, const char *host, const struct netaddr *addr)
{
	one_host(route, host);
	route->literal = true;
	route->target[0].addr = *addr;
	(void)strlcpy(route->target[0].host, host,
	    sizeof(route->target[0].host));
	return true;
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]" */
static bool
find_literal(struct route *route, const char *dest, struct outcome *why)
{
	char ip[64];
	struct netaddr addr;
	size_t len = strlen(dest);

	dest++;
	len -= 2;
	if (strncasecmp(dest, "IPv6:", 5) == 0) {
		dest += 5;
		len -= 5;
	}
	if (len < sizeof(ip)) {
		memcpy(ip, dest, len);
		ip[len] = '\0';
		if (netaddr_host(ip, route->port, &addr) == 0)
			return one_target(route, ip, &addr);
	}
	outcome_set(why, FAIL, "5.1.2", "dns", "not an address literal");
	return false;
}

/* "HOST:PORT", "ADDR:PORT", "[ADDR]:PORT", or "unix:PATH" for LMTP. */
static bool
find_relay(struct route *route, const char *relay, struct outcome *why)
{
	char host[256];
	struct netaddr addr;
	const char *colon = strrchr(relay, ':'), *error = NULL;
	size_t len;

	route->relay = true;
	route->lmtp = strncmp(relay, "unix:", 5) == 0;
	if (*relay != ':' && netaddr_parse(relay, &addr) == 0) {
		struct buf text = BUF_INIT;

		netaddr_text(&addr, &text);
		(void)one_target(route, route->lmtp ? relay + 5 :
		    buf_str(&text), &addr);
		buf_release(&text);
		return true;
	}
	len = colon == NULL ? 0 : (size_t)(colon - relay);
	if (!route->lmtp && len > 0 && len < sizeof(host)) {
		if (*relay == '[' && relay[len - 1] == ']') {
			relay++;
			len -= 2;
		}
		memcpy(host, relay, len);
		host[len] = '\0';
		route->port = (int)strtonum(colon + 1, 1, 65535, &error);
		if (error == NULL && is_hostname(host, len)) {
			one_host(route, host);
			return true;
		}
	}
	outcome_set(why, DEFER, "4.3.5", "dns",
	    "relay host %s is not HOST:PORT", relay);
	return false;
}

static int
by_host(const void *a, const void *b)
{
	return strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

void
route_name_site(struct route *route)
{
	const char *host[HOSTS_MAX];
	struct buf b = BUF_INIT;
	size_t cut = 0;

	for (unsigned i = 0; i < route->n; i++)
		host[i] = route->host[i].host;
	qsort(host, route->n, sizeof(host[0]), by_host);
	for (unsigned i = 0; i < route->n; i++) {
		for (const char *p = host[i]; *p != '\0'; p++)
			buf_addc(&b, *p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
		if (b.len < SITE_MAX - sizeof("+01234567"))
			cut = b.len;
		if (i + 1 < route->n)
			buf_addc(&b, ',');
	}
	if (b.len < SITE_MAX)
		(void)strlcpy(route->site, buf_str(&b), sizeof(route->site));
	else
		(void)snprintf(route->site, sizeof(route->site), "%.*s+%08lx",
		    (int)cut, b.data, crc32(0, (const Bytef *)b.data,
		    (uInt)b.len));
	buf_release(&b);
}

static bool
is_null_mx(const struct dns_answer *a)
{
	return a->n == 1 && a->mx[0].host[0] == '\0';
}

static bool
from_answer(struct route *route, const struct dns_answer *a, const char *dest,
    struct outcome *why)
{
	if (is_null_mx(a)) {
		outcome_set(why, FAIL, "5.1.10", "dns",
		    "%s does not accept mail (null MX)", dest);
		why->code = 556;
		return false;
	}
	for (unsigned i = 0; i < a->n && route->n < HOSTS_MAX; i++)
		if (is_hostname(a->mx[i].host, strlen(a->mx[i].host)))
			route->host[route->n++] = a->mx[i];
	if (route->n > 0)
		return true;
	outcome_set(why, DEFER, "4.4.4", "dns",
	    "no MX record of %s names a host", dest);
	return false;
}

static bool
find_mx(const struct remote *r, struct route *route, const char *dest,
    struct outcome *why)
{
	struct dns_answer *a = xmalloc(sizeof(*a));
	enum dns_result result = dns_query(&r->dns, dest, DNS_MX,
	    deadline_in(r->wait.dns), a);
	bool found = false;

	switch (result) {
	case DNS_OK:
		found = from_answer(route, a, dest, why);
		break;
	case DNS_NODATA:
		route->implicit = true;
		one_host(route, dest);
		found = true;
		break;
	case DNS_NXDOMAIN:
		outcome_set(why, FAIL, "5.1.2", "dns",
		    "the domain %s does not exist", dest);
		break;
	default:
		outcome_set(why, DEFER, "4.4.3", "dns",
		    "MX of %s: %s", dest, dns_result_text(result));
	}
	free(a);
	if (found)
		route_name_site(route);
	return found;
}

bool
route_find(const struct remote *r, const struct job *job, struct route *route,
    struct outcome *why)
{
	const char *dest = job->dest;
	size_t len = strlen(dest);

	memset(route, 0, sizeof(*route));
	route->port = (int)r->cfg->remote_port;
	if (job->relay != NULL)
		return find_relay(route, job->relay, why);
	if (len > 2 && dest[0] == '[' && dest[len - 1] == ']')
		return find_literal(route, dest, why);
	if (!is_hostname(dest, len)) {
		/* UTF-8 too: A-labels (IDNA) are not made here */
		outcome_set(why, FAIL, "5.1.2", "dns",
		    "the domain %s cannot be looked up in DNS", dest);
		return false;
	}
	return find_mx(r, route, dest, why);
}

/* ---- the second half: addresses ---------------------------------------- */

struct found {			/* addresses of one host */
	struct netaddr v6[ADDRS_MAX], v4[ADDRS_MAX];
	unsigned n6, n4;
	enum dns_result temporary;	/* DNS_OK: no query failed */
};

static void
set_port(struct netaddr *addr, int port)
{
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;

	if (addr->ss.ss_family == AF_INET) {
		memcpy(&sin, &addr->ss, sizeof(sin));
		sin.sin_port = htons((uint16_t)port);
		memcpy(&addr->ss, &sin, sizeof(sin));
	} else {
		memcpy(&sin6, &addr->ss, sizeof(sin6));
		sin6.sin6_port = htons((uint16_t)port);
		memcpy(&addr->ss, &sin6, sizeof(sin6));
	}
}

static void
ask(const struct remote *r, const char *host, enum dns_type type,
    struct found *f)
{
	struct netaddr *list = type == DNS_A ? f->v4 : f->v6;
	unsigned *n = type == DNS_A ? &f->n4 : &f->n6;
	struct dns_answer *a = xmalloc(sizeof(*a));
	enum dns_result result = dns_query(&r->dns, host, type,
	    deadline_in(r->wait.dns), a);

	if (result == DNS_OK)
		for (unsigned i = 0; i < a->n && *n < ADDRS_MAX; i++)
			list[(*n)++] = a->addr[i];
	else if (result != DNS_NODATA && result != DNS_NXDOMAIN)
		f->temporary = result;
	free(a);
}

static void
look_up(const struct remote *r, const char *host, struct found *f)
{
	memset(f, 0, sizeof(*f));
	/* An MX that "names" an address breaks RFC 1035, but is clear. */
	if (netaddr_host(host, 0, &f->v4[0]) == 0) {
		f->n4 = 1;
		return;
	}
	ask(r, host, DNS_AAAA, f);
	ask(r, host, DNS_A, f);
}

static void
add_target(struct route *route, const char *host, const struct netaddr *addr)
{
	struct target *t = &route->target[route->ntargets];

	if (route->used >= ADDRS_MAX)
		return;
	t->addr = *addr;
	t->tried = false;
	(void)strlcpy(t->host, host, sizeof(t->host));
	route->ntargets++;
	route->used++;
}

/* IPv6 and IPv4 in turns (RFC 8305 section 4).  True: one is ourselves. */
static bool
add_found(const struct remote *r, struct route *route, const char *host,
    struct found *f)
{
	bool self = false;

	for (unsigned i = 0; i < f->n6 || i < f->n4; i++) {
		struct netaddr *pair[2] = { i < f->n6 ? &f->v6[i] : NULL,
		    i < f->n4 ? &f->v4[i] : NULL };

		for (unsigned k = 0; k < 2; k++) {
			if (pair[k] == NULL)
				continue;
			set_port(pair[k], route->port);
			self = self || is_ourselves(r->cfg, pair[k]);
			add_target(route, host, pair[k]);
		}
	}
	return self;
}

static void
no_address(const struct route *route, const char *host, const struct found *f,
    struct outcome *why)
{
	if (f->temporary != DNS_OK)
		outcome_set(why, DEFER, "4.4.3", "dns", "address of %s: %s",
		    host, dns_result_text(f->temporary));
	else if (route->implicit)
		outcome_set(why, FAIL, "5.4.4", "dns",
		    "%s has neither MX nor address", host);
	else
		outcome_set(why, DEFER, "4.4.4", "dns",
		    "the host %s has no address", host);
}

/*
 * We are one of this group: it and everything behind it would bring the
 * message back.  With nothing better in front, there is nowhere to go.
 */
static void
loops_back(struct route *route, bool first, struct outcome *why)
{
	if (route->relay)
		outcome_set(why, DEFER, "4.3.5", "dns",
		    "the relay host is this host itself");
	else if (first)
		outcome_set(why, FAIL, "5.4.6", "dns",
		    "mail loops back to myself");
	route->next = route->n;
	route->ntargets = 0;
}

static bool
literal_group(const struct remote *r, struct route *route, struct outcome *why)
{
	route->next = route->n;
	route->ntargets = route->used = 1;
	if (is_ourselves(r->cfg, &route->target[0].addr))
		loops_back(route, true, why);
	return route->ntargets > 0;
}

bool
route_group(const struct remote *r, struct route *route, struct outcome *why)
{
	struct found f;
	bool first = route->next == 0, self = false;

	route->ntargets = 0;
	if (route->literal)
		return first && literal_group(r, route, why);
	while (route->ntargets == 0 && route->next < route->n &&
	    route->used < ADDRS_MAX) {
		unsigned pref = route->host[route->next].pref;

		first = route->next == 0;
		while (route->next < route->n &&
		    route->host[route->next].pref == pref) {
			const char *host = route->host[route->next++].host;

			look_up(r, host, &f);
			if (f.n4 + f.n6 == 0)
				no_address(route, host, &f, why);
			else if (add_found(r, route, host, &f))
				self = true;
		}
		if (self)
			loops_back(route, first, why);
	}
	return route->ntargets > 0;
}
