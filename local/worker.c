/*
 * worker.c - takes jobs from the queue, many on one connection, and delivers
 * each to its recipients (INTERNALS 2.6).
 *
 * Privilege: the mailbox owner; a worker serves every mailbox of its uid.
 * Way 6 of 8.  From: queue/agent.c by way of launch.c.  To: deliver.c.
 */
#include <sys/stat.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "ctl.h"
#include "deadline.h"
#include "local.h"
#include "log.h"

#define FRAME_S		300	/* seconds for the next frame of a job */
#define HEADS_MAX	(1024 * 1024)
#define RCPTS_MAX	10000	/* of one job */

struct job_rcpt {
	unsigned n;
	char	*to, *home;	/* owned */
};

struct job {
	struct message message;
	struct job_rcpt *rcpts;	/* owned */
	size_t	 nrcpts;
};

static void
job_release(struct job *j)
{
	message_release(&j->message);
	for (size_t i = 0; i < j->nrcpts; i++) {
		free(j->rcpts[i].to);
		free(j->rcpts[i].home);
	}
	free(j->rcpts);
	*j = (struct job){ .message = MESSAGE_INIT };
}

/* The first frame, and the descriptor that came with it. */
static int
job_begin(struct job *j, const struct ctl *c, struct stream *s)
{
	const char *id = ctl_str(c, "id");
	struct message *m = &j->message;
	struct stat st;

	m->fd = stream_take_fd(s);
	m->size = ctl_num(c, "size", 0, INT64_MAX / 2, -1);
	m->sender = xstrdup(ctl_str(c, "sender"));
	m->repeat = ctl_yes(c, "repeat");
	m->heads.max = HEADS_MAX;
	/* The ID becomes part of a file name. */
	if (!ctl_is(c, "job") || !is_id(id, strlen(id)) || m->size == -1 ||
	    m->fd == -1 || fstat(m->fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		errno = EBADMSG;
		return -1;
	}
	memcpy(m->id, id, sizeof(m->id));
	m->dev = (dev_t)ctl_num(c, "ordered", 1, INT64_MAX, 0);
	m->ordered = m->dev != 0;
	m->alone = ctl_yes(c, "alone");
	return 0;
}

static void
job_head(struct job *j, const char *text)
{
	size_t len = strlen(text);

	buf_add(&j->message.heads, text, len);
	if (len > 0 && text[len - 1] != '\n')
		buf_addc(&j->message.heads, '\n');
}

static int
job_rcpt(struct job *j, const struct ctl *c)
{
	unsigned n = (unsigned)ctl_num(c, "n", 1, INT32_MAX, 0);
	struct job_rcpt *r;

	if (n == 0 || *ctl_str(c, "to") == '\0' || j->nrcpts == RCPTS_MAX) {
		errno = EBADMSG;
		return -1;
	}
	if ((j->nrcpts & (j->nrcpts - 1)) == 0)
		j->rcpts = xreallocarray(j->rcpts,
		    j->nrcpts == 0 ? 1 : j->nrcpts * 2, sizeof(*r));
	r = &j->rcpts[j->nrcpts++];
	r->n = n;
	r->to = xstrdup(ctl_str(c, "to"));
	r->home = xstrdup(ctl_str(c, "home"));
	return 0;
}

/* The next job is seldom there already: waits, instead of asking in vain. */
static void
await_job(const struct stream *s)
{
	struct pollfd p = { .fd = s->rfd, .events = POLLIN };

	if (!stream_pending(s))
		(void)poll(&p, 1, -1);
}

/* Reads one job. 1, 0 when the queue has no more, -1 with errno. */
static int
job_read(struct job *j, struct stream *s)
{
	struct buf line = BUF_INIT;
	struct ctl c;
	int got, rc = -1;

	await_job(s);
	got = ctl_read(s, &line, &c, DEADLINE_NEVER);
	if (got != 1) {
		rc = got;
		goto out;
	}
	if (job_begin(j, &c, s) == -1)
		goto out;
	while ((got = ctl_read(s, &line, &c, deadline_in(FRAME_S))) == 1) {
		if (ctl_is(&c, "end")) {
			rc = 1;
			break;
		}
		if (ctl_is(&c, "head"))
			job_head(j, ctl_str(&c, "text"));
		else if (!ctl_is(&c, "rcpt")) {
			errno = EBADMSG;
			break;
		} else if (job_rcpt(j, &c) == -1)
			break;
	}
	if (got == 0)
		errno = ECONNRESET;
out:
	buf_release(&line);
	return rc;
}

static void
answer(struct stream *s, unsigned n, const struct verdict *v)
{
	static const char *const status[] = {
		[DELIVERED] = "done", [DEFERRED] = "defer", [FAILED] = "fail",
	};
	struct buf b = BUF_INIT;

	ctl_begin(&b, "rcpt");
	ctl_addn(&b, "n", n);
	ctl_add(&b, "status", status[v->outcome]);
	ctl_add(&b, "enh", v->enh);
	ctl_add(&b, "text", buf_str(&v->text));
	ctl_end(&b);
	ctl_send(s, &b);
	buf_release(&b);
}

/* What is wrong with all of it is told to each recipient. */
static int
job_load(struct job *j, struct verdict *v)
{
	if (!buf_ok(&j->message.heads))
		return verdict_set(v, DEFERRED, "4.3.0",
		    "too many header fields to put in front");
	return message_load(&j->message, v);
}

/* Who was denied something is not kept: the next one may be let in. */
static int
job_run(struct job *j, struct stream *s, const struct config *cfg,
    const struct verdict *refusal)
{
	struct verdict load = VERDICT_INIT, each = VERDICT_INIT;
	struct buf b = BUF_INIT;
	bool denied = false;

	if (refusal == NULL && job_load(j, &load) == -1)
		refusal = &load;
	for (size_t i = 0; i < j->nrcpts; i++) {
		struct job_rcpt *r = &j->rcpts[i];
		struct delivery d = { r->n, r->to, r->home, -1, "Maildir" };

		if (refusal == NULL)
			deliver(&j->message, &d, cfg, &each);
		answer(s, r->n, refusal != NULL ? refusal : &each);
		denied = denied || refusal != NULL || each.outcome == DEFERRED;
	}
	ctl_begin(&b, "end");
	ctl_add(&b, "keep", denied ? "no" : NULL);
	ctl_end(&b);
	ctl_send(s, &b);
	buf_release(&b);
	buf_release(&load.text);
	buf_release(&each.text);
	return stream_flush(s, deadline_in(FRAME_S));
}

int
local_worker(struct stream *s, const struct config *cfg,
    const struct verdict *refusal)
{
	struct job job = { .message = MESSAGE_INIT };
	int got, rc = EX_OK;

	while ((got = job_read(&job, s)) == 1) {
		if (job_run(&job, s, cfg, refusal) == -1) {
			log_errno(job.message.id, "answer-lost");
			rc = EX_IOERR;
			break;
		}
		job_release(&job);
	}
	if (got == -1) {
		log_errno(NULL, "job-broken");
		rc = EX_PROTOCOL;
	}
	job_release(&job);
	stream_release(s);
	return rc;
}
