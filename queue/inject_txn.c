/*
 * inject_txn.c - one message on its way into the spool, from its sender's
 * address to the commit.  The first thing wrong becomes the verdict; what
 * comes after it is not looked at.
 *
 * Runs in inject, as facteur-queue.
 * Way 3 of 8.  From: queue/inject_session.c.  To: lib/spool, queue/queue.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "address.h"
#include "date.h"
#include "deadline.h"
#include "inject.h"
#include "log.h"

int
inject_open(struct inject *in, const struct config *cfg)
{
	in->cfg = cfg;
	in->notice = -1;
	in->pressure = (struct pressure)PRESSURE_INIT;
	in->talking = false;
	in->away_until = in->away_ms = 0;
	if (spool_open(&in->spool, cfg->spool, true) == -1)
		return -1;
	in->notice = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (in->notice == -1) {
		inject_close(in);
		return -1;
	}
	return 0;
}

void
inject_close(struct inject *in)
{
	int saved = errno;

	spool_close(&in->spool);
	if (in->notice != -1)
		(void)close(in->notice);
	in->notice = -1;
	pressure_close(&in->pressure);
	inject_direct_close(in);
	errno = saved;
}

void
inject_txn_init(struct inject_txn *t, struct inject *in)
{
	memset(t, 0, sizeof(*t));
	t->in = in;
	t->client = -1;
	t->file = (struct spool_file)SPOOL_FILE_INIT;
	t->head.max = INJECT_HEADER_MAX + INJECT_SLICE;
	envelope_init(&t->env);
}

void
inject_txn_reset(struct inject_txn *t)
{
	struct inject *in = t->in;

	spool_file_close(&t->file);
	envelope_release(&t->env);
	buf_release(&t->head);
	free(t->name);
	inject_txn_init(t, in);
}

/*
 * The canonical address, owned by the caller, or NULL.  UTF-8 in it marks the
 * message: only SMTPUTF8 hosts can have it.
 */
static char *
canonical(struct inject_txn *t, const char *address)
{
	struct buf out = BUF_INIT;

	if (address_parse(address, strlen(address), ADDR_ALLOW_UTF8,
	    &out) != ADDR_OK) {
		buf_release(&out);
		return NULL;
	}
	for (size_t i = 0; i < out.len; i++)
		t->env.utf8 |= (unsigned char)out.data[i] >= 0x80;
	return buf_detach(&out);
}

void
inject_txn_sender(struct inject_txn *t, const char *address)
{
	if (t->verdict != INJECT_OK)
		return;
	t->env.sender = *address == '\0' ? xstrdup("") : canonical(t, address);
	if (t->env.sender == NULL)
		t->verdict = INJECT_SENDER;
}

struct env_rcpt *
inject_txn_rcpt(struct inject_txn *t, const char *address)
{
	struct env_rcpt *rcpt;
	char *owned;

	if (t->verdict != INJECT_OK)
		return NULL;
	if (t->env.nrcpts >= t->in->cfg->recipients_max) {
		t->verdict = INJECT_RCPTS;
		return NULL;
	}
	if ((owned = canonical(t, address)) == NULL) {
		t->verdict = INJECT_RCPT;
		return NULL;
	}
	rcpt = envelope_add(&t->env, owned);
	free(owned);
	return rcpt;
}

/*
 * More mail comes than is taken up: this one waits, or is refused.  Nothing is
 * held meanwhile, and a client that goes, or our own end (a worker's socket is
 * shut down then), ends the wait.
 */
static void
wait_for_queue(struct inject_txn *t)
{
	struct pollfd client = { t->client, POLLRDHUP, 0 };
	unsigned waiting;
	int ms;

	if (t->urgent)
		return;
	waiting = pressure_waiting(&t->in->pressure, t->in->spool.root,
	    now_ms());
	if (waiting >= PRESSURE_REFUSE)
		t->verdict = INJECT_BUSY;
	else if ((ms = pressure_delay_ms(waiting)) > 0)
		(void)poll(&client, 1, ms);
}

void
inject_txn_go(struct inject_txn *t, int64_t need)
{
	if (t->verdict != INJECT_OK)
		return;
	if (t->env.nrcpts == 0)
		t->verdict = INJECT_NO_RCPT;
	else if (need > t->in->cfg->message_size)
		t->verdict = INJECT_SIZE;
	else if (!spool_has_room(&t->in->spool, need))
		t->verdict = INJECT_ROOM;
	else
		wait_for_queue(t);
	if (t->verdict != INJECT_OK)
		return;
	/*
	 * Of several one may be delivered, and the rest must be committed: so
	 * the file is made before.
	 */
	if (inject_may_be_direct(t, need) && t->env.nrcpts == 1)
		spool_begin(&t->file, &t->in->spool);
	else if (spool_create(&t->file, &t->in->spool) == -1) {
		t->verdict = inject_disk_verdict(errno);
		log_errno(NULL, "spool-failed what=create");
	}
	t->env.arrived = id_usec(t->file.id);
}

/* Best effort: without it the queue finds the file at its next rescan. */
static void
notify_queue(const struct inject *in, const struct spool_file *f, int64_t usec)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char name[SPOOL_NAME_MAX + 1], text[SPOOL_NAME_MAX + 32];

	spool_name(name, f->id, f->size);
	(void)snprintf(text, sizeof(text), "%s us=%lld", name, (long long)usec);
	if (strlcpy(un.sun_path, config_socket(in->cfg, "notice"),
	    sizeof(un.sun_path)) < sizeof(un.sun_path))
		(void)sendto(in->notice, text, strlen(text),
		    MSG_DONTWAIT | MSG_NOSIGNAL,
		    (const struct sockaddr *)&un, sizeof(un));
}

/* The queue must not find the file locked, so the notice goes last. */
enum inject_verdict
inject_txn_commit(struct inject_txn *t)
{
	int64_t began = now_us();

	inject_content_end(t);
	if (t->verdict != INJECT_OK)
		return t->verdict;
	if (inject_direct(t))
		return INJECT_OK;
	if (spool_commit(&t->file, &t->env) == -1) {
		t->verdict = inject_disk_verdict(errno);
		log_errno(t->file.id, "spool-failed what=commit");
		/* Who has it already gets it again with each retry. */
		inject_direct_pause(t->in);
		return t->verdict;
	}
	spool_file_close(&t->file);
	notify_queue(t->in, &t->file, now_us() - began);
	log_event(t->file.id, "queued from=<%s> rcpts=%u size=%lld",
	    t->env.sender, t->env.nrcpts, (long long)t->file.size);
	return INJECT_OK;
}
