/*
 * route.c - asks resolve whose address this is (INTERNALS 2.3).
 *
 * The connection is opened at the first question and kept for the session;
 * if resolve has restarted meanwhile, one new connection is tried.
 * Way 1 of 8.  From: txn.c.  To: local/resolve.c and back.
 */
#include <errno.h>
#include <string.h>

#include "ctl.h"
#include "deadline.h"
#include "log.h"
#include "smtpd.h"

#define RESOLVE_WAIT	60	/* s; it may have to ask authd */

static const char *const kind_names[] = {
	[ROUTE_MAILBOX] = "mailbox",
	[ROUTE_ALIAS] = "alias",
	[ROUTE_REMOTE] = "remote",
	[ROUTE_RELAY] = "relay",
	[ROUTE_REFUSE] = "refuse",
	[ROUTE_LATER] = "later",
};
#define NKINDS	(sizeof(kind_names) / sizeof(kind_names[0]))

void
route_init(struct route *r)
{
	*r = (struct route){ .kind = ROUTE_LATER };
}

void
route_release(struct route *r)
{
	buf_release(&r->address);
	buf_release(&r->enh);
	buf_release(&r->text);
	route_init(r);
}

static void
route_later(struct route *r, const char *text)
{
	r->kind = ROUTE_LATER;
	r->local = false;
	r->code = 451;
	buf_reset(&r->enh);
	buf_adds(&r->enh, "4.3.0");
	buf_reset(&r->text);
	buf_adds(&r->text, text);
}

void
route_hang_up(struct session *s)
{
	if (s->has_resolve)
		stream_release(&s->resolve);
	s->has_resolve = false;
}

static int
route_connect(struct session *s)
{
	int fd = ctl_connect(config_socket(s->cfg, "net/resolve"));

	if (fd == -1)
		return -1;
	stream_init(&s->resolve, fd, fd);
	s->resolve.in_size = ANSWER_SIZE;
	s->has_resolve = true;
	return 0;
}

/* The targets of an alias, one frame each; one that stands alone is kept. */
static int
read_targets(struct session *s, struct route *r, int64_t count,
    struct buf *line, int64_t deadline)
{
	struct ctl ctl;

	for (int64_t i = 0; i < count; i++) {
		if (ctl_read(&s->resolve, line, &ctl, deadline) != 1 ||
		    !ctl_is(&ctl, "to"))
			return -1;
		if (count == 1)
			buf_adds(&r->address, ctl_str(&ctl, "address"));
	}
	return 0;
}

static int
read_route(struct session *s, struct route *r, int64_t deadline)
{
	struct buf line = BUF_INIT;
	struct verdict v = { 0 };
	struct ctl ctl;
	unsigned kind;
	int rc = -1;

	if (ctl_read(&s->resolve, &line, &ctl, deadline) != 1 ||
	    !ctl_is(&ctl, "route"))
		goto out;
	for (kind = 0; kind < NKINDS; kind++)
		if (strcmp(kind_names[kind], ctl_str(&ctl, "kind")) == 0)
			break;
	if (kind == NKINDS)
		goto out;
	r->kind = kind;
	r->local = ctl_yes(&ctl, "local");
	if (r->kind == ROUTE_MAILBOX)
		buf_adds(&r->address, ctl_str(&ctl, "address"));
	if (r->kind == ROUTE_REFUSE || r->kind == ROUTE_LATER) {
		verdict_read(&v, &ctl);
		r->code = v.code;
		buf_adds(&r->enh, buf_str(&v.enh));
		buf_adds(&r->text, buf_str(&v.text));
		verdict_release(&v);
	}
	rc = r->kind != ROUTE_ALIAS ? 0 : read_targets(s, r,
	    ctl_num(&ctl, "count", 0, INT32_MAX, 0), &line, deadline);
out:
	buf_release(&line);
	return rc;
}

/* One question on the connection there is. */
static int
ask(struct session *s, const char *address, struct route *r)
{
	struct buf frame = BUF_INIT;
	int64_t deadline = deadline_in(RESOLVE_WAIT);

	ctl_begin(&frame, "resolve");
	ctl_add(&frame, "address", address);
	ctl_end(&frame);
	s->resolve.write_deadline = deadline;
	ctl_send(&s->resolve, &frame);
	buf_release(&frame);
	errno = ECONNRESET;		/* unless the stream knows better */
	return read_route(s, r, deadline);
}

void
route_ask(struct session *s, const char *address, struct route *r)
{
	bool fresh = !s->has_resolve;

	route_release(r);
	if (!fresh) {
		if (ask(s, address, r) == 0)
			return;
		route_hang_up(s);	/* it has restarted, perhaps */
		route_release(r);
	}
	if (route_connect(s) == 0) {
		if (ask(s, address, r) == 0)
			return;
		route_hang_up(s);
	}
	log_errno(NULL, "resolve-error ip=%s", buf_str(&s->ip));
	route_later(r, "cannot look that address up now");
}
