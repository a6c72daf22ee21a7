/*
 * agent.c - the conversation with the queue: job after job for one
 * destination, over one SMTP connection while that is good (INTERNALS 2.5).
 *
 * Runs as facteur-remote, forked without exec from the warm parent.
 * Way 6 of 8.  From: queue/agent.c.  To: remote/deliver.c.
 */
#include <errno.h>
#include <string.h>

#include "deadline.h"
#include "log.h"
#include "remote.h"

#define FRAME_SECONDS	60
#define IDLE_SECONDS	10	/* no peer is kept waiting longer */

/*
 * Waits for the next job.  The peer's connection is given up after a while;
 * when the conversation ends is the queue's business.
 */
static bool
wait_for_job(struct stream *queue, struct client *c)
{
	const char *p;
	ssize_t n = -1;

	if (c->open) {
		n = stream_peek(queue, &p, deadline_in(IDLE_SECONDS));
		if (n == -1 && errno == ETIMEDOUT)
			client_quit(c);
		else
			return n > 0;
	}
	return stream_peek(queue, &p, DEADLINE_NEVER) > 0;
}

/* One job.  False: the conversation is over. */
static bool
one_job(struct stream *queue, struct client *c)
{
	struct job job;
	bool keep, good = false;
	int got;

	job_init(&job);
	got = job_read(queue, &job, deadline_in(FRAME_SECONDS));
	if (got == -1)
		log_errno(job.id, "bad-job");
	if (got != 1)
		goto out;
	deliver(c->r, c, &job);
	keep = client_is_ready(c, &job);
	if (!keep)
		client_quit(c);
	job_answer(queue, &job, keep, c->fault, c->site);
	good = stream_flush(queue, deadline_in(FRAME_SECONDS)) == 0;
out:
	job_release(&job);
	return good;
}

int
agent_session(int fd, const struct remote *r)
{
	struct stream queue;
	struct client client;

	stream_init_unix(&queue, fd);
	client_init(&client, r);
	while (wait_for_job(&queue, &client) && one_job(&queue, &client))
		;
	client_quit(&client);
	client_release(&client);
	stream_release(&queue);
	return 0;
}
