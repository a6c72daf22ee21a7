/*
 * control_act.c - what an administrator wants done to a message: try it now,
 * stop, give it up, send it another way.
 *
 * Runs in the queue manager.  From: queue/control.c.  To: queue/active.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "control.h"
#include "date.h"
#include "deadline.h"
#include "log.h"
#include "qadmin.h"

static const char not_here[] = "no such message in the queue";

/* ---- retry ---- */

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

void
control_retry(struct peer *p, struct ctl *c)
{
	const char *id = ctl_get(c, "id");
	struct msg *m;
	int64_t count = 0;

	if (ctl_yes(c, "all")) {
		msg_each(retry_one, &count);
	} else if (id == NULL || (m = msg_find(id)) == NULL) {
		control_refuse(p, not_here);
		return;
	} else if (m->active != NULL) {
		control_refuse(p, "it is being worked on right now");
		return;
	} else {
		retry_one(m, &count);
	}
	control_answer(p, "count", count);
	active_run();
}

/* ---- hold and rm: the file has left queue/ ---- */

void
control_recall(struct peer *p, struct ctl *c)
{
	struct msg *m = msg_find(ctl_str(c, "id"));
	const char *name = ctl_str(c, "name");
	int64_t running = 0;

	if (m != NULL && m->active == NULL &&
	    faccessat(Q.spool.queue, name, F_OK, AT_SYMLINK_NOFOLLOW) == -1 &&
	    faccessat(Q.spool.hold, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		message_gone(m, NULL);
	else if (m != NULL && m->active != NULL && active_is_gone(m->active)) {
		for (unsigned n = 1; n <= m->active->env.nrcpts; n++)
			running += m->active->work[n - 1].step == STEP_TASK &&
			    !sched_is_waiting(m->active, n);
		active_recall(m->active);
	}
	control_answer(p, "running", running);
}

/* ---- bounce ---- */

/* The message of that file name, wherever it lies; moved back from hold/. NULL: there is none. */
static struct msg *
fetch(const char *name)
{
	char id[ID_LEN + 1];
	struct msg *m;
	int64_t size;
	bool known;

	if (!spool_name_parse(name, id, &size))
		return NULL;
	known = (m = msg_find(id)) != NULL;
	if (known && m->size != size)
		return NULL;
	if (known && faccessat(Q.spool.queue, name, F_OK, 0) == 0)
		return m;
	if (renameat2(Q.spool.hold, name, Q.spool.queue, name,
	    RENAME_NOREPLACE) == -1)
		return NULL;
	m = msg_add(id, size, now_ms());
	msg_begun(m);
	m->repeat = true;
	return m;
}

void
control_bounce(struct peer *p, struct ctl *c)
{
	const char *text = ctl_get(c, "text");
	struct msg *m;

	if (text != NULL && strlen(text) > LAST_WORDS_MAX) {
		control_refuse(p, "the text is too long");
		return;
	}
	if ((m = fetch(ctl_str(c, "name"))) == NULL) {
		control_refuse(p, not_here);
		return;
	}
	log_event(m->id, "bounce-ordered text=%s",
	    quoted(text != NULL ? text : ""));
	free(m->last_words);
	m->last_words = text == NULL ? NULL : xstrdup(text);
	m->forced = m->bounce = true;
	if (m->active != NULL)
		active_recall(m->active);
	else
		msg_due(m, now_ms());
	control_answer(p, "count", 1);
	active_run();
}

/* ---- reroute ---- */

/* An open one hears of it at once; a closed one reads it when it is opened. */
static bool
write_route(const char *id, const char *name, const struct buf *line)
{
	struct msg *m = msg_find(id);
	struct envelope env;
	int fd;

	if (m == NULL)
		return message_append(Q.spool.hold, name, line);
	if (m->active != NULL) {
		buf_add(&m->active->lines, line->data, line->len);
		active_recall(m->active);
		return true;
	}
	/* message_open() cuts a torn tail off, so that our line begins a line. */
	if ((fd = message_open(m, &env)) == -1) {
		errno = ENOENT;
		return false;
	}
	envelope_release(&env);
	close(fd);
	return message_append(Q.spool.queue, name, line);
}

void
control_reroute(struct peer *p, struct ctl *c)
{
	const char *host = ctl_str(c, "host"), *name = ctl_str(c, "name");
	char id[ID_LEN + 1];
	struct buf line = BUF_INIT;
	struct msg *m;

	if (!is_route(host)) {
		control_refuse(p, "not HOST:PORT");
		return;
	}
	if (!spool_name_parse(name, id, NULL)) {
		control_refuse(p, not_here);
		return;
	}
	envelope_route(&line, 0, date_now_usec(),
	    strcmp(host, "-") == 0 ? NULL : host);
	if (!write_route(id, name, &line)) {
		control_refuse(p, errno == ENOENT ? not_here :
		    strerror(errno));
		goto out;
	}
	log_event(id, "rerouted to=%s", quoted(host));
	if ((m = msg_find(id)) != NULL) {
		m->forced = true;
		if (m->active == NULL)
			msg_due(m, now_ms());
	}
	control_answer(p, "count", 1);
	active_run();
out:
	buf_release(&line);
}
