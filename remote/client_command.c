/*
 * client_command.c - what we send: the MAIL and RCPT lines, and the message.
 *
 * Runs as facteur-remote.  Every value was checked or is encoded here: no
 * byte of an address or a message can become a command of its own.
 * Way 6 of 8.  From: remote/client_send.c.  To: the peer.
 */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "deadline.h"
#include "eol.h"
#include "remote.h"

#define BLOCK		65536	/* bytes of the message read at once */
#define SLOWEST		1024	/* bytes a second; less is stuck */

static void
put_xtext(struct client *c, const char *key, const char *value)
{
	struct buf b = BUF_INIT;

	xtext_encode(value, &b);
	stream_printf(&c->io, " %s=%s", key, buf_str(&b));
	buf_release(&b);
}

/* The code point at *s, which is moved behind it; the text is well-formed. */
static unsigned long
next_point(const char **s)
{
	const unsigned char *p = (const unsigned char *)*s;
	unsigned long c = *p++;
	int more = c < 0xc0 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;

	c &= more == 0 ? 0xff : 0x3fu >> more;
	for (; more > 0 && *p != '\0'; more--)
		c = c << 6 | (*p++ & 0x3f);
	*s = (const char *)p;
	return c;
}

/*
 * "rfc822;x@y", or "utf-8;x@y" in the form of RFC 6533 section 3 that every
 * host may be sent: \x{HEX} for what is not plain.
 */
static void
put_orcpt(struct client *c, const char *orcpt)
{
	if (strncasecmp(orcpt, "utf-8;", 6) != 0) {
		put_xtext(c, "ORCPT", orcpt);
		return;
	}
	stream_puts(&c->io, " ORCPT=utf-8;");
	for (const char *p = orcpt + 6; *p != '\0'; ) {
		unsigned long point = next_point(&p);

		if (point > ' ' && point < 0x7f && point != '+' &&
		    point != '=' && point != '\\')
			stream_printf(&c->io, "%c", (int)point);
		else
			stream_printf(&c->io, "\\x{%02lX}", point);
	}
}

/* A word of letters and commas, in capitals. */
static void
put_word(struct client *c, const char *key, const char *value)
{
	char word[64];
	size_t i;

	for (i = 0; value[i] != '\0' && i < sizeof(word) - 1; i++) {
		unsigned char ch = (unsigned char)value[i];

		if (ch != ',' && (ch >= 0x80 || !isalpha(ch)))
			return;
		word[i] = (char)toupper(ch);
	}
	word[i] = '\0';
	if (i > 0 && value[i] == '\0')
		stream_printf(&c->io, " %s=%s", key, word);
}

void
put_mail(struct client *c, const struct job *job)
{
	assert(is_safe_address(job->sender));
	stream_printf(&c->io, "MAIL FROM:<%s>", job->sender);
	if (c->caps.size)
		stream_printf(&c->io, " SIZE=%lld",
		    (long long)job->size + (long long)job->head.len);
	if (c->caps.eightbit && job->body8)
		stream_puts(&c->io, " BODY=8BITMIME");
	if (c->caps.utf8 && job_needs_utf8(job))
		stream_puts(&c->io, " SMTPUTF8");
	if (c->caps.dsn && job->ret != NULL)
		put_word(c, "RET", job->ret);
	if (c->caps.dsn && job->envid != NULL)
		put_xtext(c, "ENVID", job->envid);
	stream_puts(&c->io, "\r\n");
}

void
put_rcpt(struct client *c, const struct rcpt *rcpt)
{
	assert(is_safe_address(rcpt->to));
	stream_printf(&c->io, "RCPT TO:<%s>", rcpt->to);
	if (c->caps.dsn && rcpt->notify != NULL)
		put_word(c, "NOTIFY", rcpt->notify);
	if (c->caps.dsn && rcpt->orcpt != NULL)
		put_orcpt(c, rcpt->orcpt);
	stream_puts(&c->io, "\r\n");
}

/* ---- the message ------------------------------------------------------- */

struct body_state {
	struct dot_out dots;
	struct buf wire;
	int64_t	 deadline;	/* of the whole message */
};

static void
put_part(struct client *c, struct body_state *b, const char *p, size_t len)
{
	int64_t block = deadline_in(c->r->wait.block);

	buf_reset(&b->wire);
	dot_out(&b->dots, p, len, &b->wire);
	c->io.write_deadline = block < b->deadline ? block : b->deadline;
	stream_write(&c->io, buf_str(&b->wire), b->wire.len);
}

static enum body
put_file(struct client *c, struct body_state *b, const struct job *job)
{
	char *block = xmalloc(BLOCK);
	int64_t at = 0;
	enum body result = BODY_SENT;

	while (at < job->size && result == BODY_SENT) {
		size_t want = job->size - at < BLOCK ?
		    (size_t)(job->size - at) : BLOCK;
		ssize_t n = pread(job->fd, block, want, at);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			result = BODY_UNREADABLE;
			break;
		}
		put_part(c, b, block, (size_t)n);
		at += n;
		if (b->dots.bad)
			result = BODY_BAD;
		else if (c->io.broken)
			result = BODY_BROKEN;
	}
	free(block);
	return result;
}

/* The end mark goes out only behind a whole message. */
enum body
client_body(struct client *c, const struct job *job)
{
	struct body_state b = { .wire = BUF_INIT };
	enum body result;

	b.deadline = deadline_in(600) + (job->size / SLOWEST) * 1000;
	dot_out_init(&b.dots, true, false);
	put_part(c, &b, buf_str(&job->head), job->head.len);
	result = b.dots.bad ? BODY_BAD : put_file(c, &b, job);
	if (result == BODY_SENT) {
		buf_reset(&b.wire);
		dot_out_end(&b.dots, &b.wire);
		stream_write(&c->io, buf_str(&b.wire), b.wire.len);
		if (stream_flush(&c->io, deadline_in(c->r->wait.block)) == -1)
			result = BODY_BROKEN;
	}
	buf_release(&b.wire);
	return result;
}
