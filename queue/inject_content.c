/*
 * inject_content.c - checks the bytes of a message once more and writes them,
 * behind our own trace fields.  The header block is kept until it is whole,
 * because Received must stand first and Date may be missing; the body streams.
 *
 * Runs in inject, as facteur-queue.
 * Way 3 of 8.  From: queue/inject_session.c.  To: lib/spool.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "header.h"
#include "inject.h"
#include "log.h"

/* Is there a byte of more than seven bits?  Eight at a time. */
static bool
has_high(const char *p, size_t len)
{
	static const uint64_t bit = UINT64_C(0x8080808080808080);
	uint64_t all = 0, word;

	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		all |= word;
	}
	for (; len > 0; p++, len--)
		all |= (unsigned char)*p;
	return (all & bit) != 0;
}

/* Stored lines end in LF alone: any CR here is a bare one. */
static void
check_bytes(struct inject_txn *t, const char *p, size_t len)
{
	if (memchr(p, '\r', len) != NULL)
		t->verdict = INJECT_CR;
	else if (memchr(p, '\0', len) != NULL)
		t->verdict = INJECT_NUL;
	if (!t->env.body8)
		t->env.body8 = has_high(p, len);
}

static void
store(struct inject_txn *t, const char *p, size_t len)
{
	if (t->verdict != INJECT_OK || len == 0)
		return;
	if (spool_write(&t->file, p, len) == -1) {
		t->verdict = inject_disk_verdict(errno);
		log_errno(t->file.id, "spool-failed what=write");
	}
}

/*
 * The header block is the first `len` bytes of t->head.  `cut`: no empty line
 * ends it, so one is put in: the body must not become part of our fields.
 */
static void
store_header(struct inject_txn *t, size_t len, bool cut)
{
	const char *head = buf_str(&t->head);
	struct buf ours = BUF_INIT;

	t->in_body = true;
	if (header_count(head, len, "Received") > INJECT_RECEIVED_MAX)
		t->verdict = INJECT_LOOP;
	inject_received(t, &ours);
	if (t->fix)
		inject_missing(t, head, len, &ours);
	store(t, ours.data, ours.len);
	store(t, head, len);
	if (cut)
		store(t, "\n", 1);
	store(t, head + len, t->head.len - len);
	buf_release(&ours);
	buf_release(&t->head);
}

/*
 * Looks at the lines that came in since the last time.  True when the header
 * block is over: *len_out is then its length, *cut_out as above.
 */
static bool
header_over(struct inject_txn *t, size_t *len_out, bool *cut_out)
{
	const char *head = t->head.data, *lf;
	size_t len = t->head.len;

	for (; t->line < len; t->line = t->seen) {
		const char *line = head + t->line;
		bool folded = t->line > 0 && (*line == ' ' || *line == '\t');
		int begins = folded ? 1 :
		    header_begins(line, len - t->line);

		if (begins == 0) {
			*cut_out = *line != '\n';
			*len_out = t->line + !*cut_out;
			return true;
		}
		lf = memchr(head + t->seen, '\n', len - t->seen);
		t->seen = lf == NULL ? len : (size_t)(lf - head) + 1;
		if (begins == -1 || lf == NULL)
			break;
	}
	return false;
}

static void
header_bytes(struct inject_txn *t, const char *p, size_t len)
{
	size_t head_len;
	bool cut;

	while (len > 0 && !t->in_body) {
		size_t n = len < INJECT_SLICE ? len : INJECT_SLICE;

		buf_add(&t->head, p, n);
		p += n;
		len -= n;
		if (header_over(t, &head_len, &cut))
			store_header(t, head_len, cut);
		else if (t->head.len > INJECT_HEADER_MAX) {
			t->verdict = INJECT_HEADER;
			return;
		}
	}
	store(t, p, len);
}

static void
take(struct inject_txn *t, const char *p, size_t len)
{
	check_bytes(t, p, len);
	if (t->verdict != INJECT_OK)
		return;
	t->last = p[len - 1];
	if (t->in_body)
		store(t, p, len);
	else
		header_bytes(t, p, len);
}

void
inject_content(struct inject_txn *t, const char *p, size_t len)
{
	if (t->verdict != INJECT_OK || len == 0)
		return;
	t->content += (int64_t)len;
	if (t->content > t->in->cfg->message_size)
		t->verdict = INJECT_SIZE;
	else
		take(t, p, len);
}

/* DATA ends in a line end, so a message without one gains it. */
void
inject_content_end(struct inject_txn *t)
{
	if (t->verdict == INJECT_OK && t->content > 0 && t->last != '\n')
		take(t, "\n", 1);
	if (t->verdict == INJECT_OK && !t->in_body)
		store_header(t, t->head.len, false);
}
