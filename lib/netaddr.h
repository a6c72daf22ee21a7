/* netaddr.h - addresses of hosts and networks, and where we listen. */
#ifndef LIB_NETADDR_H
#define LIB_NETADDR_H

#include <stdbool.h>
#include <sys/socket.h>

#include "buf.h"
#include "config.h"

/* Holds any of them; also Unix paths. */
struct netaddr { struct sockaddr_storage ss; socklen_t len; };

/* "1.2.3.4:25", "[::1]:25", ":25" (all addresses: gives the IPv6 any address for a dual-stack socket), "unix:PATH". -1: malformed. */
int	netaddr_parse(const char *s, struct netaddr *out) __attribute__((warn_unused_result));
/* An address without port ("1.2.3.4", "::1"); port in host order. -1: not an address. */
int	netaddr_host(const char *s, int port, struct netaddr *out) __attribute__((warn_unused_result));
/* "192.0.2.1" or "2001:db8::1", IPv4-mapped shown as IPv4, never a scope; "unix" for a Unix socket. Appends. */
void	netaddr_text(const struct netaddr *, struct buf *);
int	netaddr_port(const struct netaddr *);
/* 127.0.0.0/8, ::1, a Unix socket. */
bool	netaddr_is_loopback(const struct netaddr *);
/* What caps count by: an IPv4 address (mapped ones too), or the first 64 bits of an IPv6 one. Unix sockets are all the same client. */
#define NETADDR_CLIENT	16
void	netaddr_client(const struct netaddr *, unsigned char out[NETADDR_CLIENT]);
/* Is the address in one of "192.0.2.0/24", "2001:db8::/32", "127.0.0.1"? Malformed entries match nothing. */
bool	netaddr_in(const struct netaddr *, const struct strlist *networks);
/* Is "1.2.3.0/24" well-formed? For config checks. */
bool	netaddr_is_network(const char *);
/* A listening socket (SOMAXCONN, SO_REUSEADDR, close-on-exec, IPV6_V6ONLY off). fd or -1 with errno. For unix: a stale socket is replaced, mode as given. */
int	netaddr_listen(const char *spec, int unix_mode) __attribute__((warn_unused_result));
#endif
