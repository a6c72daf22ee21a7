/*
 * control.c - what an administrator asks of the running queue (INTERNALS 2.8).
 * Each connection is one conversation of frames.
 *
 * Runs in the queue manager.  From: queue/qadmin_ask.c.  To: queue/control_act.c,
 * queue/control_look.c.
 */
#include <stdlib.h>

#include "control.h"
#include "log.h"
#include "seams.h"

struct admin {
	struct peer peer;	/* first */
	int64_t	uid;
};

static const struct verb {
	const char *name;
	void	  (*run)(struct peer *, struct ctl *);
} verbs[] = {
	{ "status",  control_status },
	{ "look",    control_look },
	{ "sites",   control_sites },
	{ "stats",   control_stats },
	{ "retry",   control_retry },
	{ "recall",  control_recall },
	{ "bounce",  control_bounce },
	{ "reroute", control_reroute },
};

void
control_answer(struct peer *p, const char *key, int64_t n)
{
	struct buf b = BUF_INIT;

	ctl_begin(&b, "ok");
	ctl_addn(&b, key, n);
	ctl_end(&b);
	peer_send(p, &b, -1);
	buf_release(&b);
}

void
control_refuse(struct peer *p, const char *text)
{
	struct buf b = BUF_INIT;

	ctl_begin(&b, "err");
	ctl_add(&b, "text", text);
	ctl_end(&b);
	peer_send(p, &b, -1);
	buf_release(&b);
}

static void
control_frame(struct peer *p, struct ctl *c)
{
	const struct admin *a = (const struct admin *)p;

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (ctl_is(c, verbs[i].name)) {
			if (seam_allows("control", verbs[i].name, a->uid))
				verbs[i].run(p, c);
			else
				peer_close(p, "verb not allowed");
			return;
		}
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
	struct admin *a;
	int64_t uid;
	int fd = seam_accept(w->fd, "control", &uid);

	(void)events;
	if (fd == -1)
		return;
	a = xcalloc(1, sizeof(*a));
	a->uid = uid;
	if (peer_init(&a->peer, Q.loop, fd, control_frame, control_closed)
	    == -1) {
		log_errno(NULL, "control");
		free(a);
	}
}
