/*
 * keyask.c - the client's side of keyd: one connection for one handshake.
 *
 * Runs as facteur-net, in the middle of OpenSSL: it waits for keyd, but never
 * longer than WAIT.
 * Way 1 and 8 of 8.  From: lib/tls_identity.c, lib/keyprov.c.  To: auth/keyd.
 */
#include <errno.h>
#include <string.h>

#include "ctl.h"
#include "deadline.h"
#include "keyask.h"
#include "sasl.h"

#define WAIT	10		/* s for an answer */

void
keyask_hang_up(struct keyask *k)
{
	if (k->open)
		stream_release(&k->st);
	k->open = false;
}

static int
connect_once(struct keyask *k)
{
	int fd;

	if (k->open)
		return 0;
	fd = ctl_connect(config_socket(k->cfg, "net/keyd"));
	if (fd == -1)
		return -1;
	stream_init(&k->st, fd, fd);
	k->open = true;
	return 0;
}

/* Sends the frame in q; line gets the answer. 0, or -1 with errno. */
static int
ask(struct keyask *k, struct buf *q, struct buf *line, struct ctl *answer)
{
	int64_t deadline = deadline_in(WAIT);
	int r = -1, saved;

	if (connect_once(k) == 0) {
		ctl_send(&k->st, q);
		if (stream_flush(&k->st, deadline) == 0)
			r = ctl_read(&k->st, line, answer, deadline);
	}
	buf_release(q);
	if (r == 1)
		return 0;
	saved = r == 0 ? ECONNRESET : errno;
	keyask_hang_up(k);
	errno = saved;
	return -1;
}

static int
take_chain(const struct ctl *c, char mark[KEYASK_MARK + 1], struct buf *der)
{
	const char *m = ctl_str(c, "mark"), *b = ctl_str(c, "der");

	if (ctl_is(c, "same"))
		return 0;
	if (ctl_is(c, "later")) {
		errno = EAGAIN;
		return -1;
	}
	if (!ctl_is(c, "chain") || strlen(m) != KEYASK_MARK ||
	    base64_decode(b, strlen(b), der) == -1) {
		errno = EBADMSG;
		return -1;
	}
	memcpy(mark, m, KEYASK_MARK + 1);
	return 1;
}

int
keyask_chain(struct keyask *k, const char *have, char mark[KEYASK_MARK + 1],
    struct buf *der)
{
	struct buf q = BUF_INIT, line = BUF_INIT;
	struct ctl answer;
	int r = -1;

	ctl_begin(&q, "chain");
	if (*have != '\0')
		ctl_add(&q, "have", have);
	ctl_end(&q);
	if (ask(k, &q, &line, &answer) == 0)
		r = take_chain(&answer, mark, der);
	buf_release(&line);
	return r;
}

static ssize_t
take_signature(const struct ctl *c, unsigned char *sig, size_t room)
{
	const char *b = ctl_str(c, "data");
	struct buf raw = BUF_INIT;
	ssize_t n = -1;

	if (!ctl_is(c, "signature")) {
		errno = EPERM;
		return -1;
	}
	if (base64_decode(b, strlen(b), &raw) == 0 && raw.len > 0 &&
	    raw.len <= room) {
		memcpy(sig, raw.data, raw.len);
		n = (ssize_t)raw.len;
	} else {
		errno = EBADMSG;
	}
	buf_release(&raw);
	return n;
}

ssize_t
keyask_sign(void *arg, const char *id, const char *alg, const void *tbs,
    size_t len, unsigned char *sig, size_t room)
{
	struct buf q = BUF_INIT, line = BUF_INIT, b64 = BUF_INIT;
	struct ctl answer;
	ssize_t n = -1;

	base64_encode(tbs, len, &b64);
	ctl_begin(&q, "sign");
	ctl_add(&q, "key", id);
	ctl_add(&q, "alg", alg);
	ctl_add(&q, "tbs", buf_str(&b64));
	ctl_end(&q);
	buf_release(&b64);
	if (ask(arg, &q, &line, &answer) == 0)
		n = take_signature(&answer, sig, room);
	buf_release(&line);
	return n;
}
