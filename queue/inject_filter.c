/*
 * inject_filter.c - `inject -f SENDER RCPT... <msg`, for scripts and hands.
 *
 * Runs in inject, as the caller.
 * Way 3 of 8.  From: fd 0.  To: queue/inject_submit.c.
 */
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "inject.h"

int
inject_input_exit(enum inject_input_result result)
{
	switch (result) {
	case INPUT_CR:
		warnx("bare CR in the message: lines end in LF or CRLF");
		return EX_DATAERR;
	case INPUT_NUL:
		warnx("NUL byte in the message");
		return EX_DATAERR;
	case INPUT_SIZE:
		warnx("message too large (message_size in facteur.conf)");
		return EX_DATAERR;
	case INPUT_ERROR:
		warn("cannot take the message in");
		return EX_TEMPFAIL;
	case INPUT_OK:
		break;
	}
	return EX_OK;
}

static int
addresses(struct inject_submission *s, const char *sender, char **rcpts)
{
	if (sender == NULL)
		inject_login(s->cfg, &s->sender);
	else if (inject_qualify(s->cfg, sender, strlen(sender),
	    &s->sender) == -1) {
		warnx("-f: not an address");
		return EX_USAGE;
	}
	for (; *rcpts != NULL; rcpts++)
		if (inject_submission_rcpt(s, *rcpts, strlen(*rcpts)) == -1) {
			warnx("recipient %zu: not an address",
			    s->rcpts.n + 1);
			return EX_USAGE;
		}
	return EX_OK;
}

int
inject_filter(const struct config *cfg, const char *sender, char **rcpts,
    bool verbose)
{
	struct inject_submission s = { .cfg = cfg };
	struct inject_result result = { 0 };
	int status = addresses(&s, sender, rcpts);

	if (status == EX_OK)
		status = inject_input_exit(inject_input_read(&s.input,
		    STDIN_FILENO, false, cfg->message_size));
	if (status == EX_OK) {
		inject_submit(&s, &result);
		status = inject_exit(&result);
		if (status != EX_OK)
			warnx("%d %s %s", result.code,
			    buf_str(&result.enh), buf_str(&result.text));
		else if (verbose)
			printf("%s\n", buf_str(&result.id));
	}
	inject_result_release(&result);
	inject_submission_release(&s);
	return status;
}
