/*
 * keyd_desk.c - keyd's clients: who may ask what, how often (INTERNALS 2.9).
 *
 * Runs as facteur-keys, one event loop.  A client has one question at a time,
 * and a process that asks for more signatures than its sessions can need has
 * to wait for them: the answer is late, and nobody else's is.
 * Way 1 and 8 of 8.  From: lib/keyask.c.  To: auth/keyd_keys.c.
 */
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "keyd.h"
#include "log.h"
#include "sasl.h"
#include "seams.h"
#include "serve.h"

#define CLIENTS_MAX	900	/* within 1024 descriptors */
#define EACH_MAX	8	/* connections of one process */
#define DOORS		8
#define IDLE		120	/* s: longer than any handshake may take */
#define BUCKETS		4096
#define LINES		10	/* of the log about bad clients, each second */

struct client {
	struct peer peer;	/* first */
	struct keyd_desk *desk;	/* borrowed */
	struct timer timer;	/* the answer is due, or it is idle */
	struct request request;
	const char *no;		/* static: why it will be refused, or NULL */
	bool	 waiting;	/* for the answer to the request */
	int64_t	 uid;
	pid_t	 pid;		/* 0: of another container */
	LIST_ENTRY(client) link;
};

struct door {
	struct watch watch;	/* first */
	struct keyd_desk *desk;	/* borrowed */
};

/* A process and when its budget will be full again (monotonic ms). */
struct bucket {
	pid_t	 pid;
	int64_t	 full_at;
};

struct keyd_desk {
	struct loop *loop;	/* borrowed */
	struct keys *keys;	/* borrowed */
	struct door door[DOORS];
	unsigned ndoors, nclients;
	LIST_HEAD(, client) clients;
	struct bucket bucket[BUCKETS];
	int64_t	 second;	/* the one in which `lines` were written */
	unsigned lines, unsaid;
};

/* Who was taken over may fill our budget, but not the disk. */
static bool
may_log(struct keyd_desk *d)
{
	int64_t second = now_ms() / 1000;

	if (second != d->second) {
		if (d->unsaid > 0)
			log_event(NULL, "suppressed lines=%u", d->unsaid);
		d->second = second;
		d->lines = d->unsaid = 0;
	}
	if (++d->lines <= LINES)
		return true;
	d->unsaid++;
	return false;
}

/*
 * Takes one signature from the process's budget; returns when it may have it.
 * Two processes a multiple of BUCKETS apart take turns in one place, each with
 * a full budget: that costs us a little, and neither of them anything.
 */
static int64_t
budget_take(struct keyd_desk *d, pid_t pid, int64_t now)
{
	struct bucket *b = &d->bucket[(unsigned)pid % BUCKETS];
	int64_t at;

	if (b->pid != pid || b->full_at < now)
		*b = (struct bucket){ pid, now };
	at = b->full_at - (KEYD_BURST - 1) * KEYD_INTERVAL;
	b->full_at += KEYD_INTERVAL;
	return at > now ? at : now;
}

static void
send_frame(struct client *c, const char *verb, const char *key,
    const char *value)
{
	struct buf b = BUF_INIT;

	ctl_begin(&b, verb);
	ctl_add(&b, key, value);
	ctl_end(&b);
	peer_send(&c->peer, &b, -1);
	buf_release(&b);
}

static void
wait_idle(struct client *c)
{
	loop_timer_set(c->desk->loop, &c->timer, deadline_in(IDLE));
}

/* ---- chain --------------------------------------------------------------- */

static void
do_chain(struct client *c, const struct ctl *frame)
{
	struct keys *k = c->desk->keys;
	struct buf b = BUF_INIT, b64 = BUF_INIT;

	keys_fresh(k);
	if (k->der.len == 0) {
		send_frame(c, "later", "text", "no certificate");
	} else if (strcmp(ctl_str(frame, "have"), k->mark) == 0) {
		send_frame(c, "same", "mark", k->mark);
	} else {
		base64_encode(k->der.data, k->der.len, &b64);
		ctl_begin(&b, "chain");
		ctl_add(&b, "mark", k->mark);
		ctl_add(&b, "der", buf_str(&b64));
		ctl_end(&b);
		peer_send(&c->peer, &b, -1);
		buf_release(&b64);
		buf_release(&b);
	}
}

/* ---- sign ---------------------------------------------------------------- */

static void
refuse(struct client *c)
{
	if (may_log(c->desk))
		log_event(NULL, "refused uid=%lld pid=%d shape=%s text=%s",
		    (long long)c->uid, (int)c->pid,
		    shape_name(c->request.shape), quoted(c->no));
	send_frame(c, "refused", "text", c->no);
}

static void
answer(struct client *c)
{
	struct buf sig = BUF_INIT, b64 = BUF_INIT;

	if (c->no == NULL && !keys_sign(c->desk->keys, &c->request, &sig))
		c->no = "no such key";
	if (c->no == NULL) {
		base64_encode(sig.data, sig.len, &b64);
		send_frame(c, "signature", "data", buf_str(&b64));
		buf_release(&b64);
	} else {
		refuse(c);
	}
	buf_release(&sig);
	request_release(&c->request);
	c->waiting = false;
	wait_idle(c);
}

static void
on_timer(struct timer *t)
{
	struct client *c = (struct client *)(void *)
	    ((char *)t - offsetof(struct client, timer));

	if (c->waiting)
		answer(c);
	else
		peer_close(&c->peer, "idle");
}

/* The handshakes of a client are not those of a server (RFC 8446 4.4.3). */
static bool
may_have(const struct client *c, enum shape shape)
{
	return seam_allows("keyd", shape == SHAPE_CLIENT13 ? "sign-client" :
	    "sign", c->uid);
}

static void
do_sign(struct client *c, const struct ctl *frame)
{
	enum judged judged = request_read(frame, &c->request);
	int64_t now = now_ms(), at;

	if (judged == REQUEST_MALFORMED) {
		request_release(&c->request);
		peer_close(&c->peer, "a malformed request");
		return;
	}
	c->no = judged == REQUEST_REFUSED ? "no text of a TLS handshake" :
	    may_have(c, c->request.shape) ? NULL : "not for this uid";
	c->waiting = true;
	/* A refusal costs as much: whoever tries all forms shall take long. */
	at = budget_take(c->desk, c->pid, now);
	if (at > now)
		loop_timer_set(c->desk->loop, &c->timer, at);
	else
		answer(c);
}

/* ---- connections --------------------------------------------------------- */

static void
client_frame(struct peer *peer, struct ctl *frame)
{
	struct client *c = (struct client *)(void *)peer;

	if (c->waiting)
		peer_close(peer, "asks before the answer");
	else if (ctl_is(frame, "chain") &&
	    seam_allows("keyd", "chain", c->uid))
		do_chain(c, frame);
	else if (ctl_is(frame, "sign"))
		do_sign(c, frame);
	else
		peer_close(peer, "unknown verb");
}

static void
client_closed(struct peer *peer, const char *why)
{
	struct client *c = (struct client *)(void *)peer;

	if (strcmp(why, "it has ended") != 0 && !serve_stopping() &&
	    may_log(c->desk))
		log_event(NULL, "closed uid=%lld pid=%d text=%s",
		    (long long)c->uid, (int)c->pid, quoted(why));
	loop_timer_clear(c->desk->loop, &c->timer);
	request_release(&c->request);
	LIST_REMOVE(c, link);
	c->desk->nclients--;
	free(c);
}

static bool
has_room(const struct keyd_desk *d, pid_t pid)
{
	const struct client *c;
	unsigned same = 0;

	LIST_FOREACH(c, &d->clients, link)
		same += c->pid == pid;
	return d->nclients < CLIENTS_MAX && same < EACH_MAX;
}

static void
client_new(struct keyd_desk *d, int fd)
{
	struct ucred who = { .pid = 0 };
	socklen_t len = sizeof(who);
	struct client *c;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == -1 ||
	    !seam_may_connect("keyd", who.uid) || !has_room(d, who.pid)) {
		if (may_log(d))
			log_event(NULL, "refused uid=%lld pid=%d clients=%u",
			    (long long)who.uid, (int)who.pid, d->nclients);
		(void)close(fd);
		return;
	}
	c = xcalloc(1, sizeof(*c));
	c->desk = d;
	c->uid = who.uid;
	c->pid = who.pid;
	c->timer.fire = on_timer;
	if (peer_init(&c->peer, d->loop, fd, client_frame,
	    client_closed) == -1) {
		log_errno(NULL, "refused uid=%lld", (long long)c->uid);
		free(c);
		return;
	}
	LIST_INSERT_HEAD(&d->clients, c, link);
	d->nclients++;
	wait_idle(c);
}

static void
door_ready(struct watch *w, uint32_t events)
{
	struct door *door = (struct door *)(void *)w;
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd != -1)
		client_new(door->desk, fd);
	else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		log_errno(NULL, "accept");
}

int
keyd_desk_listen(struct keyd_desk *d, int fd)
{
	struct door *door;

	if (d->ndoors == DOORS) {
		errno = EMFILE;
		return -1;
	}
	door = &d->door[d->ndoors++];
	door->desk = d;
	door->watch.fd = fd;
	door->watch.ready = door_ready;
	return loop_add(d->loop, &door->watch, EPOLLIN);
}

struct keyd_desk *
keyd_desk_new(struct loop *loop, struct keys *keys)
{
	struct keyd_desk *d = xcalloc(1, sizeof(*d));

	d->loop = loop;
	d->keys = keys;
	return d;
}

void
keyd_desk_free(struct keyd_desk *d)
{
	struct client *c;

	for (unsigned i = 0; i < d->ndoors; i++)
		loop_del(d->loop, &d->door[i].watch);
	LIST_FOREACH(c, &d->clients, link)
		peer_close(&c->peer, "keyd ends");
	assert(serve_stopping());
	loop_run(d->loop);	/* so this only lets them go */
	free(d);
}
