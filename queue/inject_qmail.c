/*
 * inject_qmail.c - the contract of qmail-queue(8), which many programs know:
 * the message on fd 0, then on fd 1 "Fsender\0Trcpt\0Trcpt\0\0"; exit codes 11
 * to 40 are permanent.  An envelope without its last NUL means that whoever
 * wrote it has died: nothing is queued.
 *
 * Runs in inject, as the caller.
 * Way 3 of 8.  From: fd 0 and fd 1.  To: queue/inject_submit.c.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "inject.h"

#define ADDRESS_MAX	1002	/* bytes; qmail's limit */
#define ENVELOPE_BYTES	(16u << 20)

enum qmail_exit {
	QMAIL_OK	= 0,
	QMAIL_TOO_LONG	= 11,
	QMAIL_REFUSED	= 31,
	QMAIL_WRITE	= 53,
	QMAIL_READ	= 54,
	QMAIL_ENVELOPE	= 91
};

/* Reads fd 1 to its end. */
static int
read_envelope(struct buf *out)
{
	char block[4096];
	ssize_t n;

	while ((n = read(STDOUT_FILENO, block, sizeof(block))) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		buf_add(out, block, (size_t)n);
	}
	return buf_ok(out) ? 0 : -1;
}

/* "#@[]" is how qmail writes the sender of a double bounce. */
static int
set_sender(struct inject_submission *s, const char *addr)
{
	if (strcmp(addr, "#@[]") == 0)
		return 0;
	return inject_qualify(s->cfg, addr, strlen(addr), &s->sender);
}

/* Takes the fields apart; each ends in NUL, an empty one is the last. */
static enum qmail_exit
parse_envelope(struct inject_submission *s, const char *p, size_t len)
{
	const char *end = p + len;
	char want = 'F';

	while (p < end) {
		size_t n = strnlen(p, (size_t)(end - p));

		if (p + n == end)
			return QMAIL_READ;
		if (n == 0 && want == 'T')
			return QMAIL_OK;
		if (*p != want)
			return QMAIL_ENVELOPE;
		if (n - 1 > ADDRESS_MAX)
			return QMAIL_TOO_LONG;
		if (want == 'F' ? set_sender(s, p + 1) == -1 :
		    inject_submission_rcpt(s, p + 1, n - 1) == -1)
			return QMAIL_REFUSED;
		want = 'T';
		p += n + 1;
	}
	return QMAIL_READ;
}

static enum qmail_exit
submit(struct inject_submission *s)
{
	struct inject_result result = { 0 };
	enum qmail_exit status = QMAIL_OK;

	inject_submit(s, &result);
	if (result.code >= 500)
		status = QMAIL_REFUSED;
	else if (result.code != 250)
		status = QMAIL_WRITE;
	inject_result_release(&result);
	return status;
}

static enum qmail_exit
read_message(struct inject_submission *s)
{
	switch (inject_input_read(&s->input, STDIN_FILENO, false,
	    s->cfg->message_size)) {
	case INPUT_OK:
		return QMAIL_OK;
	case INPUT_ERROR:
		return QMAIL_READ;
	case INPUT_CR:
	case INPUT_NUL:
	case INPUT_SIZE:
		break;
	}
	return QMAIL_REFUSED;
}

int
inject_qmail(const struct config *cfg)
{
	struct inject_submission s = { .cfg = cfg };
	struct buf envelope = BUF_CAPPED(ENVELOPE_BYTES);
	enum qmail_exit status = read_message(&s);

	if (status == QMAIL_OK && read_envelope(&envelope) == -1)
		status = QMAIL_READ;
	if (status == QMAIL_OK)
		status = parse_envelope(&s, buf_str(&envelope), envelope.len);
	if (status == QMAIL_OK)
		status = submit(&s);
	buf_release(&envelope);
	inject_submission_release(&s);
	return status;
}
