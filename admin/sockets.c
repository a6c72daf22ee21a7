/*
 * sockets.c - every listener of the system, opened before any program is
 * started and kept while programs come and go: a client may connect at any
 * time (INTERNALS 2).
 *
 * Runs as root or as the one uid.
 * Way 0 of 8.  From: run.c.  To: the programs, as LISTEN_FDS.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <assert.h>
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin.h"
#include "log.h"
#include "netaddr.h"

#define TRIES		25	/* 20 ms apart, while an address is in use */
/* LMTP takes mail for our own mailboxes only, which anybody may send. */
#define MODE_LMTP	0666

/* Who listens to strangers, on what facteur.conf says. */
static const struct outer {
	const char *service, *name;
	size_t	list;		/* offset in struct config */
	bool	needs_tls;
} outer[] = {
#define LIST(x)	offsetof(struct config, x)
	{ "smtpd", "smtp",	  LIST(listen_smtp),	    false },
	{ "smtpd", "submission",  LIST(listen_submission),  false },
	{ "smtpd", "submissions", LIST(listen_submissions), true },
	{ "smtpd", "lmtp",	  LIST(listen_lmtp),	    false },
	{ "pop3d", "pop3",	  LIST(listen_pop3),	    false },
	{ "pop3d", "pop3s",	  LIST(listen_pop3s),	    true },
};

static struct sockets *
sockets_of(struct service *v, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(v[i].name, name) == 0)
			return &v[i].sockets;
	assert(!"a socket without its service");
	return NULL;
}

/* 0, or -1 when there is no room for one more. */
static int
keep(struct sockets *s, int fd, const char *name)
{
	if (s->n == SERVE_LISTENERS) {
		(void)close(fd);
		errno = E2BIG;
		return -1;
	}
	s->fd[s->n] = fd;
	s->name[s->n++] = name;
	return 0;
}

/* A bound datagram socket; one left behind is replaced. */
static int
bind_datagram(const char *path, mode_t mode)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, saved;

	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if ((unlink(path) == -1 && errno != ENOENT) ||
	    bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    chmod(path, mode) == -1) {
		saved = errno;
		(void)close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/*
 * Opens `spec`.  A program of a former supervisor that is just ending gives up
 * its sign of life an instant before its sockets (the kernel closes the last
 * descriptor first), so an address in use is asked for again, not for long.
 */
static int
listen_on(const char *spec, mode_t mode, bool datagram)
{
	int fd = -1;

	for (int i = 0; i < TRIES && !serve_stopping(); i++) {
		fd = datagram ? bind_datagram(spec + strlen("unix:"), mode) :
		    netaddr_listen(spec, (int)mode);
		if (fd != -1 || errno != EADDRINUSE)
			break;
		(void)poll(NULL, 0, 20);
		errno = EADDRINUSE;
	}
	return fd;
}

/* Where there are walls, a socket belongs to those who may connect. */
static int
give_to_clients(const struct config *cfg, const struct seam *x,
    const char *path)
{
	uid_t uid, unused_uid;
	gid_t gid, unused_gid;

	if (!cfg->as_root)
		return 0;
	if (!seam_ids(x->owner, &uid, &unused_gid) ||
	    !seam_ids(x->group, &unused_uid, &gid)) {
		errno = ENOENT;
		return -1;
	}
	return lchown(path, uid, gid);
}

static int
open_inner(const struct config *cfg, const struct seam *x, struct sockets *s)
{
	const char *path = config_socket(cfg, x->path);
	struct buf spec = BUF_INIT;
	mode_t mode = x->mode;
	int fd;

	if (!cfg->as_root && (mode & 06) == 0)
		mode &= ~(mode_t)070;
	buf_addf(&spec, "unix:%s", path);
	fd = listen_on(spec.data, mode, x->datagram);
	buf_release(&spec);
	if (fd == -1 || keep(s, fd, x->listener) == -1 ||
	    give_to_clients(cfg, x, path) == -1) {
		warn("cannot listen on %s", path);
		return EX_OSERR;
	}
	return 0;
}

static int
open_outer(const struct config *cfg, const struct outer *x, struct sockets *s)
{
	const struct strlist *l = (const void *)((const char *)cfg + x->list);

	if (x->needs_tls && *cfg->tls_cert == '\0' && l->n > 0) {
		log_event(NULL, "closed listener=listen_%s text=\"it needs "
		    "tls_cert, which is not set\"", x->name);
		return 0;
	}
	for (size_t i = 0; i < l->n; i++) {
		int fd = listen_on(l->v[i], MODE_LMTP, false);

		if (fd != -1 && keep(s, fd, x->name) == 0)
			continue;
		warn("cannot listen on %s (listen_%s)", l->v[i], x->name);
		return errno == EADDRNOTAVAIL || errno == EACCES ?
		    EX_CONFIG : EX_OSERR;
	}
	return 0;
}

int
sockets_open(const struct config *cfg, struct service *v, unsigned n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(outer) / sizeof(outer[0]); i++)
		r = open_outer(cfg, &outer[i],
		    sockets_of(v, n, outer[i].service));
	for (unsigned i = 0; r == 0 && i < nseams; i++)
		r = open_inner(cfg, &seams[i],
		    sockets_of(v, n, seams[i].service));
	return r;
}

void
sockets_close(struct service *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct sockets *s = &v[i].sockets;

		while (s->n > 0)
			(void)close(s->fd[--s->n]);
	}
}
