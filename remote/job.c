/*
 * job.c - one job from the queue, and the answer to it (INTERNALS 2.5).
 *
 * Runs as facteur-remote.  Way 6 of 8.  From: queue/agent.c.
 * To: remote/deliver.c, and back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "ctl.h"
#include "deadline.h"
#include "header.h"
#include "remote.h"

#define JOB_SECONDS	60	/* from `job` to `end` */
#define HEAD_MAX	(1u << 20)
#define HEADER_LOOK	65536	/* bytes searched for UTF-8 headers */

void
job_init(struct job *job)
{
	memset(job, 0, sizeof(*job));
	job->fd = -1;
	job->head.max = HEAD_MAX;
	job->messages = MESSAGES_MAX;
}

void
job_release(struct job *job)
{
	int saved = errno;

	for (unsigned i = 0; i < job->nrcpts; i++) {
		free(job->rcpts[i].to);
		free(job->rcpts[i].notify);
		free(job->rcpts[i].orcpt);
	}
	free(job->rcpts);
	free(job->id);
	free(job->sender);
	free(job->dest);
	free(job->relay);
	free(job->ret);
	free(job->envid);
	free(job->site);
	buf_release(&job->head);
	if (job->fd != -1)
		(void)close(job->fd);
	job_init(job);
	errno = saved;
}

struct rcpt *
job_add(struct job *job, const char *to)
{
	struct rcpt *r;

	/* Room for 8, 16, 32, ...: grows when a power of two is full. */
	if (job->nrcpts == 0 || (job->nrcpts >= 8 &&
	    (job->nrcpts & (job->nrcpts - 1)) == 0))
		job->rcpts = xreallocarray(job->rcpts,
		    job->nrcpts == 0 ? 8 : (size_t)job->nrcpts * 2,
		    sizeof(*job->rcpts));
	r = &job->rcpts[job->nrcpts++];
	memset(r, 0, sizeof(*r));
	r->n = job->nrcpts;
	r->to = xstrdup(to);
	return r;
}

/* ---- reading ----------------------------------------------------------- */

static char *
copy(const struct ctl *c, const char *key)
{
	const char *value = ctl_get(c, key);

	return value == NULL ? NULL : xstrdup(value);
}

/* The `job` frame itself, with the descriptor that came along. */
static int
take_job(struct stream *s, const struct ctl *c, struct job *job)
{
	job->fd = stream_take_fd(s);
	job->id = xstrdup(ctl_str(c, "id"));
	job->size = ctl_num(c, "size", 0, INT64_MAX, -1);
	job->sender = xstrdup(ctl_str(c, "sender"));
	job->dest = xstrdup(ctl_str(c, "dest"));
	job->relay = copy(c, "relay");
	job->ret = copy(c, "ret");
	job->envid = copy(c, "envid");
	job->site = copy(c, "site");
	job->body8 = strcmp(ctl_str(c, "body"), "8bit") == 0;
	job->utf8 = ctl_yes(c, "utf8");
	job->messages = (unsigned)ctl_num(c, "messages", 1, UINT32_MAX,
	    MESSAGES_MAX);
	if (job->fd == -1 || job->size < 0 || ctl_get(c, "sender") == NULL ||
	    *job->id == '\0' || (*job->dest == '\0' && job->relay == NULL))
		return -1;
	return 0;
}

static int
take_head(const struct ctl *c, struct job *job)
{
	const char *text = ctl_str(c, "text");
	size_t len = strlen(text);

	buf_add(&job->head, text, len);
	if (len > 0 && text[len - 1] != '\n')
		buf_addc(&job->head, '\n');
	return buf_ok(&job->head) ? 0 : -1;
}

static int
take_rcpt(const struct ctl *c, struct job *job)
{
	const char *to = ctl_str(c, "to");
	unsigned n = (unsigned)ctl_num(c, "n", 1, UINT32_MAX, 0);
	struct rcpt *r;

	if (*to == '\0' || n == 0 || job->nrcpts >= RCPTS_MAX)
		return -1;
	r = job_add(job, to);
	r->n = n;
	r->notify = copy(c, "notify");
	r->orcpt = copy(c, "orcpt");
	return 0;
}

/* What follows `job`, up to `end`. */
static int
read_rest(struct stream *s, struct job *job, struct buf *line)
{
	int64_t deadline = deadline_in(JOB_SECONDS);
	struct ctl c;

	for (;;) {
		int bad = -1;

		if (ctl_read(s, line, &c, deadline) != 1)
			return -1;
		if (ctl_is(&c, "end"))
			return job->nrcpts > 0 ? 0 : -1;
		if (ctl_is(&c, "head"))
			bad = take_head(&c, job);
		else if (ctl_is(&c, "rcpt"))
			bad = take_rcpt(&c, job);
		if (bad == -1)
			return -1;
	}
}

int
job_read(struct stream *s, struct job *job, int64_t idle)
{
	struct buf line = BUF_INIT;
	struct ctl c;
	int got = ctl_read(s, &line, &c, idle);

	if (got == 1 && (!ctl_is(&c, "job") || take_job(s, &c, job) == -1 ||
	    read_rest(s, job, &line) == -1)) {
		errno = EBADMSG;
		got = -1;
	}
	buf_release(&line);
	return got;
}

/* ---- answering --------------------------------------------------------- */

static const char *
or_null(const char *s)
{
	return *s == '\0' ? NULL : s;
}

static void
add_outcome(struct buf *b, const struct rcpt *r)
{
	static const char *const words[] = { "defer", "done", "defer", "fail" };
	const struct outcome *o = &r->outcome;

	ctl_begin(b, "rcpt");
	ctl_addn(b, "n", r->n);
	ctl_add(b, "status", words[o->status]);
	ctl_add(b, "enh", o->enh);
	ctl_add(b, "host", or_null(o->host));
	ctl_add(b, "ip", or_null(o->ip));
	ctl_add(b, "tls", or_null(o->tls));
	if (o->code != 0)
		ctl_addn(b, "code", o->code);
	ctl_add(b, "dsn", o->dsn ? "yes" : NULL);
	ctl_add(b, "phase", or_null(o->phase));
	ctl_add(b, "text", o->text);
	ctl_end(b);
}

void
job_answer(struct stream *s, const struct job *job, bool keep,
    const char *fault, const char *site)
{
	struct buf b = BUF_INIT;

	for (unsigned i = 0; i < job->nrcpts && !job->moved; i++)
		add_outcome(&b, &job->rcpts[i]);
	ctl_begin(&b, "end");
	ctl_add(&b, "keep", keep || job->moved ? "yes" : "no");
	ctl_add(&b, "moved", job->moved ? "yes" : NULL);
	ctl_add(&b, "fault", fault);
	ctl_add(&b, "site", or_null(site));
	ctl_end(&b);
	ctl_send(s, &b);
	buf_release(&b);
}

/* ---- questions --------------------------------------------------------- */

void
job_settle(struct job *job, const struct outcome *o)
{
	for (unsigned i = 0; i < job->nrcpts; i++)
		if (job->rcpts[i].outcome.status == PENDING)
			job->rcpts[i].outcome = *o;
}

bool
job_is_pending(const struct job *job)
{
	for (unsigned i = 0; i < job->nrcpts; i++)
		if (job->rcpts[i].outcome.status == PENDING)
			return true;
	return false;
}

/*
 * The queue's addresses were checked when they came in.  Here is the last
 * place before the wire, and a line break there would be a command.
 */
bool
is_safe_address(const char *s)
{
	bool quoted = false;

	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x20 || c == 0x7f)
			return false;
		if (c == '"')
			quoted = !quoted;
		else if (quoted && c == '\\' && s[1] >= 0x20 && s[1] < 0x7f)
			s++;
		else if (!quoted && (c == ' ' || c == '<' || c == '>' ||
		    c == '\\'))
			return false;
	}
	return !quoted;
}

static bool
is_ascii(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] >= 0x80)
			return false;
	return true;
}

static bool
has_utf8_header(const struct job *job)
{
	char *text = xmalloc(HEADER_LOOK);
	ssize_t n = pread(job->fd, text,
	    job->size < HEADER_LOOK ? (size_t)job->size : HEADER_LOOK, 0);
	/* What cannot be read shows its error when it is sent. */
	bool has = n > 0 && !is_ascii(text, header_end(text, (size_t)n));

	free(text);
	return has;
}

bool
job_needs_utf8(const struct job *job)
{
	if (!is_ascii(job->sender, strlen(job->sender)))
		return true;
	for (unsigned i = 0; i < job->nrcpts; i++)
		if (job->rcpts[i].outcome.status == PENDING &&
		    !is_ascii(job->rcpts[i].to, strlen(job->rcpts[i].to)))
			return true;
	if (!job->utf8)
		return false;
	/* Many clients say SMTPUTF8 for messages that have no need of it. */
	return !is_ascii(buf_str(&job->head), job->head.len) ||
	    has_utf8_header(job);
}
