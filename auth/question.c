/*
 * question.c - one password on its way (INTERNALS 2.4: `auth`, `login`).
 *
 * Runs as facteur-auth.  The way: a worker computes the hash (pool.c); a
 * failure's answer is held back (penalty.c); for `login` the session's
 * descriptor goes on to the launcher, and `ok` waits for its word.
 *
 * Way 1 and 8 of 8.  From: auth/desk.c.  To: local/launch.c.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth.h"
#include "deadline.h"
#include "hash.h"
#include "log.h"

#define LAUNCH_SECONDS	30	/* the launcher must have answered */

struct launch {
	struct peer peer;	/* first */
	struct question *question;	/* borrowed; NULL: no longer asked */
};

static void
question_free(struct question *q)
{
	if (q->client != NULL)
		q->client->question = NULL;
	if (q->launch != NULL)
		q->launch->question = NULL;
	loop_timer_clear(q->desk->loop, &q->timer);
	if (q->fd != -1)
		(void)close(q->fd);
	explicit_bzero(q->pass, strlen(q->pass));
	free(q->pass);
	free(q->user);
	free(q->ip);
	free(q->service);
	free(q);
}

/* Says it and is done with it. */
static void
conclude(struct question *q, const char *verb, const char *key,
    const char *value)
{
	struct client *c = q->client;
	char *text = xstrdup(value);	/* may be the question's own */

	question_free(q);
	if (c != NULL)
		desk_answer(c, verb, key, text);
	free(text);
}

static void
launch_frame(struct peer *peer, struct ctl *frame)
{
	struct launch *l = (struct launch *)peer;
	struct question *q = l->question;

	if (q != NULL && ctl_is(frame, "ok"))
		conclude(q, "ok", "user", q->user);
	else if (q != NULL) {
		log_event(NULL, "launch-failed user=%s text=%s",
		    quoted(q->user), quoted(ctl_str(frame, "text")));
		conclude(q, "later", "text", ctl_str(frame, "text"));
	}
	peer_close(peer, "done");
}

static void
launch_closed(struct peer *peer, const char *why)
{
	struct launch *l = (struct launch *)peer;
	struct question *q = l->question;

	if (q != NULL) {
		log_event(NULL, "launch-failed user=%s text=%s",
		    quoted(q->user), quoted(why));
		q->launch = NULL;
		conclude(q, "later", "text", "the mailbox cannot be opened "
		    "now");
	}
	free(l);
}

static void
launch_late(struct timer *t)
{
	struct question *q = (struct question *)((char *)t -
	    offsetof(struct question, timer));

	peer_close(&q->launch->peer, "no answer");
}

/* The right password: the session goes to the launcher. */
static void
launch_start(struct question *q)
{
	struct launch *l = xcalloc(1, sizeof(*l));
	struct buf b = BUF_INIT;
	int fd = q->fd;

	if (peer_connect(&l->peer, q->desk->loop,
	    config_socket(q->desk->cfg, "launch"), launch_frame,
	    launch_closed) == -1) {
		log_errno(NULL, "launch-away user=%s", quoted(q->user));
		free(l);
		conclude(q, "later", "text", "the mailbox cannot be opened "
		    "now");
		return;
	}
	l->question = q;
	q->launch = l;
	q->timer.fire = launch_late;
	loop_timer_set(q->desk->loop, &q->timer, deadline_in(LAUNCH_SECONDS));
	ctl_begin(&b, "pop3");
	ctl_add(&b, "address", q->user);
	ctl_end(&b);
	q->fd = -1;		/* the peer's from here on */
	peer_send(&l->peer, &b, fd);
	buf_release(&b);
}

static void
say_fail(struct timer *t)
{
	struct question *q = (struct question *)((char *)t -
	    offsetof(struct question, timer));

	conclude(q, "fail", "text", "wrong user or password");
}

static void
refuse(struct question *q)
{
	int64_t now = now_ms(), delay;

	delay = penalty_fail(q->desk->penalties, q->ip, q->user, q->pass, now);
	log_event(NULL, "auth-failed service=%s ip=%s delay=%lld user=%s",
	    quoted(q->service), quoted(q->ip), (long long)(delay / 1000),
	    quoted(q->user));
	if (q->client == NULL) {
		question_free(q);
		return;
	}
	q->timer.fire = say_fail;
	loop_timer_set(q->desk->loop, &q->timer, now + delay);
}

static void
checked(struct pool_job *job, enum pool_result result)
{
	struct question *q = (struct question *)job;

	q->checking = false;
	if (result == POOL_FAILED)
		conclude(q, "later", "text", "the password cannot be checked "
		    "now");
	else if (result == POOL_WRONG || !q->real)
		refuse(q);
	else {
		penalty_clear(q->desk->penalties, q->ip, q->user);
		log_event(NULL, "auth-ok service=%s ip=%s user=%s",
		    quoted(q->service), quoted(q->ip), quoted(q->user));
		if (q->login && q->client != NULL)
			launch_start(q);
		else
			conclude(q, "ok", "user", q->user);
	}
}

/* The password is not to stay in the connection's buffer. */
static void
wipe(const struct ctl *frame)
{
	for (unsigned i = 0; i < frame->n; i++)
		if (strcmp(frame->pair[i].key, "pass") == 0)
			explicit_bzero(frame->pair[i].value,
			    strlen(frame->pair[i].value));
}

/* Copies what it needs: the frame dies with the call. */
static struct question *
question_new(struct client *c, const struct ctl *frame, const struct user *u)
{
	struct question *q = xcalloc(1, sizeof(*q));

	q->desk = c->desk;
	q->client = c;
	q->user = xstrdup(u != NULL ? u->address : ctl_str(frame, "user"));
	q->pass = xstrdup(ctl_str(frame, "pass"));
	q->ip = xstrdup(ctl_str(frame, "ip"));
	q->service = xstrdup(ctl_str(frame, "service"));
	q->login = ctl_is(frame, "login");
	q->fd = q->login ? peer_take_fd(&c->peer) : -1;
	q->job.done = checked;
	c->question = q;
	wipe(frame);
	return q;
}

/* A user of the host: the child that is root knows the password. */
static bool
ask_system(struct question *q, const char *login, const char **task)
{
	struct desk *d = q->desk;
	struct system_user s;
	bool found = d->system != NULL &&
	    system_find(d->cfg, login, &s) == FOUND;

	if (d->system == NULL)
		return false;
	if (found) {
		free(q->user);
		q->user = xstrdup(buf_str(&s.owner.address));
		(void)strlcpy(q->system_name, s.name, sizeof(q->system_name));
		*task = q->system_name;
		q->pool = d->system;
		q->real = true;
	}
	owner_release(&s.owner);
	return found;
}

void
question_ask(struct client *c, const struct ctl *frame)
{
	struct users *users = &c->desk->users;
	const struct user *u;
	struct question *q;
	const char *hash, *pass;

	if (!users_fresh(users)) {
		desk_answer(c, "later", "text", "the users cannot be read now");
		return;
	}
	u = users_find(users, ctl_str(frame, "user"));
	q = question_new(c, frame, u);
	q->pool = c->desk->pool;
	hash = users_hash(users, u, &q->real);
	if (u == NULL)
		(void)ask_system(q, ctl_str(frame, "user"), &hash);
	pass = q->pass;
	if (strlen(pass) > PASSWORD_MAX) {	/* crypt(3) takes no more */
		pass = "";
		q->real = false;
	}
	if (q->login && q->fd == -1)
		conclude(q, "later", "text", "no descriptor came with it");
	else if (pool_check(q->pool, &q->job, hash, pass) == -1)
		conclude(q, "later", "text", "too many logins at once");
	else
		q->checking = true;
}

void
question_abandon(struct question *q)
{
	struct launch *l = q->launch;

	q->client = NULL;
	q->launch = NULL;
	if (l != NULL) {
		l->question = NULL;
		peer_close(&l->peer, "client gone");
	}
	/* A worker that has it finishes: the failure counts all the same. */
	if (!q->checking || pool_cancel(q->pool, &q->job))
		question_free(q);
}
