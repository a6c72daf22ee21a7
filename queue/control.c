/*
 * control.c - what an administrator asks of the running queue: `facteur retry`,
 * `facteur status`.  Each connection is one conversation of frames.
 *
 * Runs in the queue manager.  From: queue/qadmin.c.
 */
#include <sys/epoll.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "deadline.h"
#include "log.h"
#include "queue.h"
#include "seams.h"

static void
retry_one(struct msg *m, void *arg)
{
	int64_t *count = arg;

	if (m->active != NULL)
		return;
	m->forced = true;
	msg_due(m, now_ms());
	(*count)++;
}

static void
answer_count(struct peer *p, int64_t count)
{
	struct buf b = BUF_INIT;

	ctl_begin(&b, "ok");
	ctl_addn(&b, "count", count);
	ctl_end(&b);
	peer_send(p, &b, -1);
	buf_release(&b);
}

static void
answer_err(struct peer *p, const char *text)
{
	struct buf b = BUF_INIT;

	ctl_begin(&b, "err");
	ctl_add(&b, "text", text);
	ctl_end(&b);
	peer_send(p, &b, -1);
	buf_release(&b);
}

static void
do_retry(struct peer *p, struct ctl *c)
{
	const char *id = ctl_get(c, "id");
	struct msg *m;
	int64_t count = 0;

	if (ctl_yes(c, "all")) {
		msg_each(retry_one, &count);
	} else if (id == NULL || (m = msg_find(id)) == NULL) {
		answer_err(p, "no such message in the queue");
		return;
	} else if (m->active != NULL) {
		answer_err(p, "it is being worked on right now");
		return;
	} else {
		retry_one(m, &count);
	}
	answer_count(p, count);
	active_run();
}

static void
do_status(struct peer *p)
{
	struct buf b = BUF_INIT;

	ctl_begin(&b, "ok");
	ctl_addn(&b, "messages", Q.index_n);
	ctl_addn(&b, "active", Q.nactive);
	ctl_end(&b);
	peer_send(p, &b, -1);
	buf_release(&b);
}

static void
tell_site(struct site *s, void *arg)
{
	const struct site_flow *f = &s->flow;
	int64_t now = now_ms(), closed = site_closed_until(f, now);
	struct buf b = BUF_INIT;

	ctl_begin(&b, "site");
	ctl_add(&b, "key", s->key);
	ctl_add(&b, "kind", s->kind == SITE_LOCAL ? "local" : "remote");
	ctl_addn(&b, "running", f->running);
	ctl_addn(&b, "window", (int64_t)f->window);
	ctl_addn(&b, "waiting", s->waiting + s->nparked + s->ncoming);
	if (f->rate > 0)
		ctl_addn(&b, "rate", (int64_t)(f->rate + 0.5));
	if (closed > now)
		ctl_addn(&b, "rest-ms", closed - now);
	if (f->pause_until > now)
		ctl_addn(&b, "pause-ms", f->pause_until - now);
	if (f->failing_since != 0)
		ctl_addn(&b, "failing-ms", site_failing_ms(f, now));
	ctl_add(&b, "error", s->error);
	ctl_end(&b);
	peer_send(arg, &b, -1);
	buf_release(&b);
}

static void
tell_domain(const char *domain, struct site *s, void *arg)
{
	struct buf b = BUF_INIT;

	ctl_begin(&b, "domain");
	ctl_add(&b, "name", domain);
	ctl_add(&b, "site", s->key);
	ctl_end(&b);
	peer_send(arg, &b, -1);
	buf_release(&b);
}

/* Every site that has something to tell, then which site each domain belongs to. */
static void
do_sites(struct peer *p, struct ctl *c)
{
	struct buf b = BUF_INIT;

	site_each(tell_site, p);
	if (ctl_yes(c, "domains"))
		domain_each(tell_domain, p);
	ctl_begin(&b, "ok");
	ctl_end(&b);
	peer_send(p, &b, -1);
	buf_release(&b);
}

static void
control_frame(struct peer *p, struct ctl *c)
{
	if (ctl_is(c, "retry"))
		do_retry(p, c);
	else if (ctl_is(c, "status"))
		do_status(p);
	else if (ctl_is(c, "sites"))
		do_sites(p, c);
	else
		peer_close(p, "unknown verb");
}

static void
control_closed(struct peer *p, const char *why)
{
	(void)why;
	free(p);
}

void
control_ready(struct watch *w, uint32_t events)
{
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct peer *p;
	int64_t uid;

	(void)events;
	if (fd == -1)
		return;
	uid = ctl_peer_uid(fd);
	if (!seam_allows("control", NULL, uid)) {
		log_event(NULL, "control-refused uid=%lld", (long long)uid);
		close(fd);
		return;
	}
	p = xcalloc(1, sizeof(*p));
	if (peer_init(p, Q.loop, fd, control_frame, control_closed) == -1) {
		log_errno(NULL, "control");
		free(p);
	}
}
