/*
 * desk.c - authd's clients: which uid may ask what, and `who` (INTERNALS 2.4).
 *
 * Runs as facteur-auth.  On one connection there is one question about a
 * password at a time (question.c); `who` is answered at once.
 *
 * Way 1, 5 and 8 of 8.  From: smtpd, pop3d, resolve, launch.
 * To: auth/question.c.
 */
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth.h"
#include "log.h"
#include "seams.h"
#include "serve.h"

#define CLIENTS_MAX	1024
#define FDS_EACH	3	/* a client, its session, the launcher */

void
desk_answer(struct client *c, const char *verb, const char *key,
    const char *value)
{
	struct buf b = BUF_INIT;

	ctl_begin(&b, verb);
	ctl_add(&b, key, value);
	ctl_end(&b);
	peer_send(&c->peer, &b, -1);
	buf_release(&b);
}

/* ---- who ---- */

static void
ask_who(struct client *c, const struct ctl *frame)
{
	struct owner o = { .address = BUF_INIT };
	enum found found = FOUND_LATER;
	struct buf b = BUF_INIT;

	if (users_fresh(&c->desk->users))
		found = users_who(&c->desk->users, ctl_str(frame, "address"),
		    &o);
	switch (found) {
	case FOUND:
		ctl_begin(&b, "user");
		ctl_add(&b, "address", buf_str(&o.address));
		ctl_addn(&b, "uid", o.uid);
		ctl_addn(&b, "gid", o.gid);
		ctl_add(&b, "home", buf_str(&o.home));
		break;
	case FOUND_NONE:
		ctl_begin(&b, "none");
		break;
	case FOUND_LATER:
		ctl_begin(&b, "later");
		ctl_add(&b, "text", "the users cannot be read now");
		break;
	}
	ctl_end(&b);
	peer_send(&c->peer, &b, -1);
	buf_release(&b);
	owner_release(&o);
}

/* ---- connections ---- */

static const struct verb {
	const char *name;
	void	(*run)(struct client *, const struct ctl *);
} verbs[] = {
	{ "auth",	question_ask },
	{ "login",	question_ask },
	{ "who",	ask_who },
};

static void
client_frame(struct peer *peer, struct ctl *frame)
{
	struct client *c = (struct client *)peer;

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (!ctl_is(frame, verbs[i].name))
			continue;
		if (!seam_allows("authd", verbs[i].name, c->uid))
			peer_close(peer, "not for this uid");
		else if (c->question != NULL)
			peer_close(peer, "asks before the answer");
		else
			verbs[i].run(c, frame);
		return;
	}
	peer_close(peer, "unknown verb");
}

static void
client_closed(struct peer *peer, const char *why)
{
	struct client *c = (struct client *)peer;

	(void)why;
	LIST_REMOVE(c, link);
	c->desk->nclients--;
	if (c->question != NULL)
		question_abandon(c->question);
	free(c);
}

static void
client_new(struct desk *d, int fd)
{
	int64_t uid = ctl_peer_uid(fd);
	bool may = seam_allows("authd", NULL, uid);
	struct client *c;

	if (!may || d->nclients >= d->max) {
		log_event(NULL, "refused uid=%lld text=%s", (long long)uid,
		    quoted(!may ? "not one of us" : "too many clients"));
		(void)close(fd);
		return;
	}
	c = xcalloc(1, sizeof(*c));
	c->desk = d;
	c->uid = uid;
	if (peer_init(&c->peer, d->loop, fd, client_frame,
	    client_closed) == -1) {
		log_errno(NULL, "refused uid=%lld", (long long)uid);
		free(c);
		return;
	}
	LIST_INSERT_HEAD(&d->clients, c, link);
	d->nclients++;
}

static void
door_ready(struct watch *w, uint32_t events)
{
	struct door *door = (struct door *)w;
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd != -1)
		client_new(door->desk, fd);
	else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		log_errno(NULL, "accept");
}

int
desk_listen(struct desk *d, int fd)
{
	struct door *door;

	if (d->ndoors == LISTENERS_MAX) {
		errno = EMFILE;
		return -1;
	}
	door = &d->door[d->ndoors++];
	door->desk = d;
	door->watch.fd = fd;
	door->watch.ready = door_ready;
	return loop_add(d->loop, &door->watch, EPOLLIN);
}

/* How many clients there are descriptors for; takes all that we may have. */
static unsigned
clients_max(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		return CLIENTS_MAX / 8;
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) == -1 ||
	    r.rlim_cur / (FDS_EACH + 1) > CLIENTS_MAX)
		return CLIENTS_MAX;
	return (unsigned)(r.rlim_cur / (FDS_EACH + 1));
}

struct desk *
desk_new(const struct config *cfg, struct loop *loop, struct pool *pool)
{
	struct desk *d = xcalloc(1, sizeof(*d));

	d->cfg = cfg;
	d->loop = loop;
	d->pool = pool;
	d->max = clients_max();
	d->penalties = penalties_new();
	seams_init(cfg);
	users_init(&d->users, cfg);
	(void)users_fresh(&d->users);	/* complaints come at the start */
	return d;
}

void
desk_free(struct desk *d)
{
	struct client *c;

	if (d == NULL)
		return;
	for (unsigned i = 0; i < d->ndoors; i++)
		loop_del(d->loop, &d->door[i].watch);
	LIST_FOREACH(c, &d->clients, link)
		peer_close(&c->peer, "authd ends");
	assert(serve_stopping());
	loop_run(d->loop);	/* so this only lets them go */
	pool_free(d->system);
	pool_free(d->pool);	/* their last answers still need the rest */
	users_release(&d->users);
	penalties_free(d->penalties);
	free(d);
}
