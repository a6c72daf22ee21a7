/*
 * qadmin_print.c - how the administrator's tools write times, addresses and
 * JSON (RFC 8259).  Everything that came from outside is escaped here.
 *
 * Runs as the caller.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "address.h"
#include "date.h"
#include "log.h"
#include "qadmin.h"

void
print_time(int64_t usec)
{
	struct buf b = BUF_INIT;

	date_iso(&b, usec, 0);
	fputs(buf_str(&b), stdout);
	buf_release(&b);
}

const char *
state_word(const struct env_rcpt *r)
{
	switch (r->state) {
	case RCPT_PENDING:
		return r->attempts > 0 ? "deferred" : "waiting";
	case RCPT_DONE:
		return "done";
	case RCPT_FAILED:
		return "failed";
	case RCPT_TOLD:
		return "bounced";
	}
	return "unknown";
}

const char *
state_text(const struct env_rcpt *r)
{
	if (r->state == RCPT_FAILED)
		return "failed; the report to the sender is to be handed in";
	if (r->state != RCPT_DONE)
		return state_word(r);
	switch (r->report) {
	case REPORT_DELIVERED:
		return "delivered; the report to the sender is to be handed in";
	case REPORT_RELAYED:
		return "handed on; the report to the sender is to be handed in";
	case REPORT_EXPANDED:
		return "sent on to the addresses behind it; the report to the "
		    "sender is to be handed in";
	case REPORT_NONE:
		break;
	}
	return state_word(r);
}

/* Addresses may hold quotes and UTF-8, but no control bytes: see the codec. Still, through quoted() without its quotes. */
void
print_address(const char *addr)
{
	const char *q = quoted(addr);

	printf("<%.*s>", (int)strlen(q) - 2, q + 1);
}

void
print_bare(const char *text)
{
	const char *q = quoted(text);

	printf("%.*s", (int)strlen(q) - 2, q + 1);
}

/* Text that is no UTF-8: byte by byte as \u00XX. */
void
json_string(const char *s)
{
	bool utf8 = is_utf8(s, strlen(s));

	putchar('"');
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8))
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

void
json_pair(const char *key, const char *value)
{
	if (value == NULL)
		return;
	printf(",\"%s\":", key);
	json_string(value);
}

void
json_time(const char *key, int64_t usec)
{
	struct buf b = BUF_INIT;

	if (usec == 0)
		return;
	date_iso(&b, usec, 0);
	json_pair(key, buf_str(&b));
	buf_release(&b);
}

int
print_finish(int status)
{
	if (fflush(stdout) == EOF || ferror(stdout)) {
		if (errno == EPIPE)	/* `| head` has seen enough */
			exit(EX_IOERR);
		err(EX_IOERR, "stdout");
	}
	return status;
}
