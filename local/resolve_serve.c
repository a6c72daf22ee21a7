/*
 * resolve_serve.c - answers `resolve` on any number of connections.
 *
 * Privilege: facteur-lookup.  An smtpd keeps its connection for the whole of a
 * session, and a stranger decides how long that is: so this is one event loop,
 * not a pool of workers that idle clients could hold.
 * Way 2 and 5 of 8.  From: smtpd, queue/lookup.c.  To: resolve_expand.c.
 */
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "deadline.h"
#include "known.h"
#include "log.h"
#include "peer.h"
#include "resolve.h"
#include "seams.h"
#include "serve.h"
#include "who_cache.h"

#define LISTENERS	8
/* bytes waiting for one client: pipelined questions about long lists */
#define ANSWERS_MAX	(16u * 1024 * 1024)
#define PAUSE_MS	1000	/* without new clients, out of descriptors */

struct server {
	struct loop *loop;
	struct resolver resolver;
	struct who_cache who;
	struct known known;
	struct listener {
		struct watch watch;	/* first */
		struct server *server;
	} listeners[LISTENERS];
	int	nlisteners;
	struct timer resume;
	/* owned; who is left at the end goes with the process */
	LIST_HEAD(, client) clients;
	bool	single;			/* one client, then the end */
};

struct client {
	struct peer peer;		/* first */
	struct server *server;
	LIST_ENTRY(client) entry;
};

static void
client_frame(struct peer *p, struct ctl *c)
{
	struct server *s = ((struct client *)p)->server;
	const char *address = ctl_get(c, "address");
	const bool exact = ctl_yes(c, "exact");
	struct route route = ROUTE_INIT;
	struct buf b = BUF_INIT;

	if (!ctl_is(c, "resolve") || address == NULL) {
		peer_close(p, "unknown request");
		return;
	}
	resolve_address(&s->resolver, address, exact, &route);
	/* The front never says exact; an alias may have the same name. */
	if (route.kind == ROUTE_MAILBOX && !exact)
		known_tell(&s->known, address, route.box.until);
	route_write(&route, &b);
	peer_send(p, &b, -1);
	route_reset(&route);
	buf_release(&b);
}

static void
listeners_enable(struct server *s, bool on)
{
	for (int i = 0; i < s->nlisteners; i++)
		if (loop_mod(s->loop, &s->listeners[i].watch,
		    on ? EPOLLIN : 0) == -1)
			log_errno(NULL, "listener-lost");
	if (on)
		loop_timer_clear(s->loop, &s->resume);
	else
		loop_timer_set(s->loop, &s->resume, now_ms() + PAUSE_MS);
}

static void
resume(struct timer *t)
{
	struct server *s = (struct server *)
	    ((char *)t - offsetof(struct server, resume));

	listeners_enable(s, true);
}

static void
client_closed(struct peer *p, const char *why)
{
	struct client *c = (struct client *)p;

	(void)why;
	if (c->server->single)
		loop_stop(c->server->loop);
	else if (c->server->resume.slot != 0)
		listeners_enable(c->server, true);
	LIST_REMOVE(c, entry);
	free(c);
}

static int
client_start(struct server *s, int fd)
{
	struct client *c = xcalloc(1, sizeof(*c));

	c->server = s;
	if (peer_init(&c->peer, s->loop, fd, client_frame,
	    client_closed) == 0) {
		c->peer.out.max = ANSWERS_MAX;
		LIST_INSERT_HEAD(&s->clients, c, entry);
		return 0;
	}
	log_errno(NULL, "client-lost");
	free(c);
	return -1;
}

static bool
is_allowed(int fd)
{
	int64_t uid = ctl_peer_uid(fd);

	return seam_allows("resolve", "resolve", uid);
}

/* One at a time: what is left wakes the loop again, after those already in. */
static void
listener_ready(struct watch *w, uint32_t events)
{
	struct server *s = ((struct listener *)w)->server;
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd != -1) {
		if (is_allowed(fd))
			(void)client_start(s, fd);
		else {
			log_event(NULL, "client-refused uid=%lld",
			    (long long)ctl_peer_uid(fd));
			(void)close(fd);
		}
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
	    errno == ENOMEM) {
		log_errno(NULL, "accept-paused");
		listeners_enable(s, false);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		log_errno(NULL, "accept-failed");
}

static void
server_init(struct server *s, const struct config *cfg)
{
	*s = (struct server){ .resume = { .fire = resume } };
	s->loop = loop_new();
	who_cache_init(&s->who, cfg);
	resolver_init(&s->resolver, cfg, who_cache_ask, &s->who);
	/* Complaints are for the start, not for the first mail. */
	if (resolver_refresh(&s->resolver) == -1)
		log_errno(NULL, "aliases-unreadable");
}

static void
server_release(struct server *s)
{
	resolver_release(&s->resolver);
	who_cache_release(&s->who);
	loop_free(s->loop);
}

/* Each client holds a descriptor: have as many as we may. */
static void
raise_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return;
	rl.rlim_cur = rl.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
		log_errno(NULL, "descriptor-limit");
}

int
resolve_serve(const struct config *cfg)
{
	static struct server s;
	const char *name[LISTENERS];
	int fd[LISTENERS], n;

	if ((n = serve_listeners(fd, name, LISTENERS)) <= 0) {
		log_errno(NULL, "no-listeners");
		return EX_OSERR;
	}
	raise_limit();
	server_init(&s, cfg);
	known_map(&s.known, serve_inherited(KNOWN_VARIABLE), true);
	for (int i = 0; i < n; i++) {
		s.listeners[i].watch.fd = fd[i];
		s.listeners[i].watch.ready = listener_ready;
		s.listeners[i].server = &s;
		if (loop_add(s.loop, &s.listeners[i].watch, EPOLLIN) == -1) {
			log_errno(NULL, "listener-lost");
			server_release(&s);
			return EX_OSERR;
		}
		s.nlisteners++;
	}
	loop_run(s.loop);
	server_release(&s);
	return EX_OK;
}

int
resolve_session(const struct config *cfg, int fd)
{
	static struct server s;

	server_init(&s, cfg);
	s.single = true;
	if (client_start(&s, fd) == 0)
		loop_run(s.loop);
	server_release(&s);
	return EX_OK;
}
