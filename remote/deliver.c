/*
 * deliver.c - one job, all of it: over the open connection if there is one,
 * else host after host, address after address, until every recipient has an
 * outcome.
 *
 * Runs as facteur-remote.  Way 6 of 8.  From: remote/agent.c,
 * remote/filter.c.  To: remote/mx.c, connect.c, client.c, client_send.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "remote.h"

#define SESSIONS_MAX	5	/* conversations for one attempt */

struct attempt {
	const struct remote *r;
	struct client *c;
	struct job *job;
	struct route route;
	struct outcome why;	/* the last failure, for whoever is left */
	unsigned sessions;
	bool	 no_utf8;	/* a host cannot take SMTPUTF8 */
	bool	 temporary;	/* another host might, another time */
	bool	 enough;	/* a peer asked us to go away */
};

void
outcome_set(struct outcome *o, enum status status, const char *enh,
    const char *phase, const char *fmt, ...)
{
	va_list ap;

	memset(o, 0, sizeof(*o));
	o->status = status;
	(void)strlcpy(o->enh, enh, sizeof(o->enh));
	(void)strlcpy(o->phase, phase, sizeof(o->phase));
	va_start(ap, fmt);
	(void)vsnprintf(o->text, sizeof(o->text), fmt, ap);
	va_end(ap);
}

static void
refuse_unsafe(struct job *job)
{
	struct outcome o;

	if (!is_safe_address(job->sender)) {
		outcome_set(&o, FAIL, "5.1.7", "mail",
		    "the sender's address cannot be written in SMTP");
		job_settle(job, &o);
	}
	outcome_set(&o, FAIL, "5.1.3", "rcpt",
	    "the address cannot be written in SMTP");
	for (unsigned i = 0; i < job->nrcpts; i++)
		if (job->rcpts[i].outcome.status == PENDING &&
		    !is_safe_address(job->rcpts[i].to))
			job->rcpts[i].outcome = o;
}

/* A host without SMTPUTF8: neither it nor its other addresses will do. */
static void
refuse_utf8(struct attempt *a, const char *host)
{
	a->no_utf8 = true;
	for (unsigned i = 0; i < a->route.ntargets; i++)
		if (strcmp(a->route.target[i].host, host) == 0)
			a->route.target[i].tried = true;
	client_quit(a->c);
}

/* Opens the conversation; once more in the clear where TLS failed. */
static bool
converse(struct attempt *a, int fd, const struct target *t)
{
	struct target again = *t;
	struct buf ip = BUF_INIT;
	enum client_result result;
	unsigned which;

	netaddr_text(&t->addr, &ip);
	a->sessions++;
	a->c->lmtp = a->route.lmtp;
	result = client_open(a->c, fd, t->host, buf_str(&ip), true,
	    a->job->id, &a->why);
	if (result == CLIENT_TLS) {
		again.tried = false;
		a->c->fault = "connect";
		fd = connect_race(&again, 1, a->r->wait.connect, &which,
		    &a->why);
		if (fd != -1)
			result = client_open(a->c, fd, t->host, buf_str(&ip),
			    false, a->job->id, &a->why);
	}
	buf_release(&ip);
	if (a->c->said_421)
		a->enough = true;
	if (result == CLIENT_OPEN)
		a->c->fault = NULL;
	return result == CLIENT_OPEN;
}

static void
try_target(struct attempt *a, int fd, const struct target *t)
{
	if (!converse(a, fd, t)) {
		a->temporary = true;
		return;
	}
	if (!a->c->caps.utf8 && job_needs_utf8(a->job)) {
		refuse_utf8(a, t->host);
		return;
	}
	client_send(a->c, a->job, &a->why);
	if (!job_is_pending(a->job))
		return;
	a->temporary = true;
	/* A 421 behind MAIL is about us, not about that host. */
	if (a->c->said_421)
		a->sessions = SESSIONS_MAX;
}

static bool
has_untried(const struct route *route)
{
	for (unsigned i = 0; i < route->ntargets; i++)
		if (!route->target[i].tried)
			return true;
	return false;
}

/* All addresses of one group of hosts. */
static void
try_group(struct attempt *a)
{
	unsigned which = 0;

	while (a->sessions < SESSIONS_MAX && job_is_pending(a->job) &&
	    has_untried(&a->route)) {
		int fd;

		a->c->fault = "connect";
		fd = connect_race(a->route.target, a->route.ntargets,
		    a->r->wait.connect, &which, &a->why);
		if (fd != -1)
			try_target(a, fd, &a->route.target[which]);
		else
			a->temporary = true;
	}
}

/*
 * The queue knew the domain only.  Where its hosts are those of a site, that
 * site's connections and limits are for it: the queue decides anew.  Not when
 * somebody has an outcome already: "moved" means that nothing was done.
 */
static bool
is_elsewhere(const struct attempt *a)
{
	const struct job *job = a->job;

	for (unsigned i = 0; i < job->nrcpts; i++)
		if (job->rcpts[i].outcome.status != PENDING)
			return false;
	return job->relay == NULL && job->site != NULL &&
	    a->route.site[0] != '\0' &&
	    strcasecmp(job->site, job->dest) == 0 &&
	    strcmp(job->site, a->route.site) != 0;
}

static void
walk_hosts(struct attempt *a)
{
	a->c->fault = "dns";
	if (!route_find(a->r, a->job, &a->route, &a->why))
		return;
	(void)strlcpy(a->c->site, a->route.site, sizeof(a->c->site));
	if (is_elsewhere(a)) {
		a->c->fault = NULL;
		a->job->moved = true;
		return;
	}
	while (job_is_pending(a->job) && !a->enough &&
	    a->sessions < SESSIONS_MAX &&
	    route_group(a->r, &a->route, &a->why))
		try_group(a);
}

/* Whoever has no outcome yet gets the last failure. */
static void
settle_rest(struct attempt *a)
{
	if (!job_is_pending(a->job))
		return;
	if (a->no_utf8 && !a->temporary)
		outcome_set(&a->why, FAIL, "5.6.7", "mail",
		    "no host of the destination takes SMTPUTF8, which the "
		    "message needs");
	job_settle(a->job, &a->why);
	if (a->why.status == FAIL)
		a->c->fault = NULL;
}

static void
remember_dest(struct client *c, const struct job *job)
{
	free(c->dest);
	c->dest = xstrdup(job->relay != NULL ? job->relay : job->dest);
	c->site[0] = '\0';
}

void
deliver(const struct remote *r, struct client *c, struct job *job)
{
	struct attempt a = { .r = r, .c = c, .job = job };

	outcome_set(&a.why, DEFER, "4.4.1", "connect",
	    "no host could be reached");
	c->fault = NULL;
	refuse_unsafe(job);
	if (!job_is_pending(job))
		return;
	if (client_is_ready(c, job) &&
	    (c->caps.utf8 || !job_needs_utf8(job)))
		client_send(c, job, &a.why);
	/*
	 * A kept connection that ends, 421 or not, has only been used up:
	 * who has no answer yet gets a fresh one.
	 */
	if (job_is_pending(job)) {
		client_quit(c);
		remember_dest(c, job);
		walk_hosts(&a);
	}
	if (!job->moved)
		settle_rest(&a);
}
