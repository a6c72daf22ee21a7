/*
 * deliver.c - one message to one mailbox: what is put in front of it, what is
 * taken away, and whether it has been here before.
 *
 * Privilege: the mailbox owner; the message is a stranger's.
 * Way 6 of 8.  From: worker.c, local.c.  To: maildir_deliver.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "header.h"
#include "local.h"

#define START_BLOCK	(64 * 1024)
/* inject takes a quarter of that as a header */
#define START_MAX	(1024 * 1024)

void
message_release(struct message *m)
{
	if (m->fd != -1)
		(void)close(m->fd);
	free(m->sender);
	buf_release(&m->heads);
	buf_release(&m->start);
	*m = (struct message)MESSAGE_INIT;
}

/*
 * Where the header block ends, if the bytes read so far tell; else 0.  Only
 * whole lines are looked at: half a field's name would look like no field.
 */
static size_t
find_header_end(const struct buf *start, bool all)
{
	size_t len = start->len, end;

	while (!all && len > 0 && start->data[len - 1] != '\n')
		len--;
	end = header_end(buf_str(start), len);
	return all || end < len ? end : 0;
}

static int
short_file(struct verdict *v)
{
	return verdict_set(v, DEFERRED, "4.3.0",
	    "the message file is shorter than its size");
}

int
message_load(struct message *m, struct verdict *v)
{
	struct buf *b = &m->start;
	bool all = false;
	char *room;
	ssize_t n;
	size_t want;

	buf_reset(b);
	m->header_len = 0;
	while (!all && m->header_len == 0) {
		want = START_BLOCK;
		if ((int64_t)want > m->size - (int64_t)b->len)
			want = (size_t)(m->size - (int64_t)b->len);
		if (want > 0) {
			room = buf_room(b, want);
			n = pread(m->fd, room, want, (off_t)b->len);
			if (n == -1 && errno == EINTR)
				continue;
			if (n == -1)
				return verdict_errno(v, "the message");
			if (n == 0)
				return short_file(v);
			b->len += (size_t)n;
			b->data[b->len] = '\0';
		}
		all = (int64_t)b->len == m->size || b->len >= START_MAX;
		m->header_len = find_header_end(b, all);
	}
	return 0;
}

/*
 * A Delivered-To of this recipient: the message came from here already (RFC
 * 9228).
 */
static bool
was_here(const struct message *m, const char *to)
{
	struct buf value = BUF_INIT;
	struct header h;
	size_t pos = 0;
	bool found = false;

	while (!found &&
	    header_next(buf_str(&m->start), m->header_len, &pos, &h)) {
		if (!header_is(&h, "Delivered-To"))
			continue;
		buf_reset(&value);
		header_unfold(&h, &value);
		found = strcasecmp(buf_str(&value), to) == 0;
	}
	buf_release(&value);
	return found;
}

static int
write_front(struct maildir_file *f, const struct message *m, const char *to)
{
	struct buf b = BUF_INIT;
	int rc;

	buf_addf(&b, "Return-Path: <%s>\nDelivered-To: %s\n", m->sender, to);
	buf_add(&b, buf_str(&m->heads), m->heads.len);
	rc = maildir_write(f, buf_str(&b), b.len);
	buf_release(&b);
	return rc;
}

/* The header block without the Return-Path of others (RFC 5321 section 4.4). */
static int
write_header(struct maildir_file *f, const struct message *m)
{
	const char *text = buf_str(&m->start);
	struct header h;
	size_t pos = 0, written = 0;

	while (header_next(text, m->header_len, &pos, &h)) {
		size_t at = (size_t)(h.start - text);

		if (!header_is(&h, "Return-Path"))
			continue;
		if (maildir_write(f, text + written, at - written) == -1)
			return -1;
		written = at + h.len;
	}
	/* From here to the end of what was read in one go. */
	return maildir_write(f, text + written, m->start.len - written);
}

static int
write_message(struct maildir_file *f, const struct message *m,
    const char *to, struct verdict *v)
{
	int64_t at = (int64_t)m->start.len;
	ssize_t n;

	if (write_front(f, m, to) == -1 || write_header(f, m) == -1)
		return verdict_errno(v, "cannot write the message");
	for (; at < m->size; at += n) {
		n = maildir_copy(f, m->fd, at, m->size - at);
		if (n == -1)
			return verdict_errno(v, "cannot copy the message");
		if (n == 0)
			return short_file(v);
	}
	return 0;
}

/* Would break out of the header field it is written into. */
static bool
has_control(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7F)
			return true;
	return false;
}

/* A repeat whose first delivery is there. */
static int
found_before(const struct maildir_file *f, const struct delivery *d,
    struct verdict *v)
{
	verdict_set(v, DELIVERED, "2.0.0", "was delivered before as %s/%s",
	    d->maildir, f->name.data);
	return 0;
}

static int
into_maildir(struct message *m, const struct delivery *d,
    const struct config *cfg, struct maildir_file *f, struct verdict *v)
{
	int at = d->at, rc, found = 0;

	if (d->home != NULL && (at = home_open(cfg->mail, d->home, v)) == -1)
		return -1;
	rc = maildir_begin(f, at, d->maildir, v);
	if (rc == 0 && m->repeat)
		found = maildir_find(f, at, d->maildir, m->id, d->n);
	if (found == -1)
		rc = verdict_errno(v, "cannot look for an earlier delivery");
	if (d->home != NULL)
		(void)close(at);
	if (rc == -1)
		return -1;
	if (found == 1)
		return found_before(f, d, v);
	f->ordered = m->ordered && m->dev == f->dev;
	f->alone = m->alone;
	if (write_message(f, m, d->to, v) == -1)
		return -1;
	if (maildir_commit(f, m->id, d->n, cfg->hostname) == -1)
		return verdict_errno(v, "cannot make the message durable");
	verdict_set(v, DELIVERED, "2.0.0", "delivered as %s/new/%s",
	    d->maildir, f->name.data);
	return 0;
}

void
deliver(struct message *m, const struct delivery *d, const struct config *cfg,
    struct verdict *v)
{
	struct maildir_file f = MAILDIR_FILE_INIT;

	if (has_control(d->to) || has_control(m->sender)) {
		verdict_set(v, FAILED, "5.1.3",
		    "an address holds control characters");
		return;
	}
	if (was_here(m, d->to)) {
		verdict_set(v, FAILED, "5.4.6",
		    "this message was delivered here before (mail loop)");
		return;
	}
	(void)into_maildir(m, d, cfg, &f, v);
	maildir_end(&f);
}
