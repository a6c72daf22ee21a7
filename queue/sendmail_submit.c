/*
 * sendmail_submit.c - one message from a script or a mail program, handed to
 * inject.  Exit 0 means that it is on disk.
 *
 * Runs in sendmail, as the caller; nothing here is trusted by anybody.
 * Way 2 of 8.  From: fd 0.  To: queue/inject_client.c.
 */
#include <err.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "header.h"
#include "sendmail.h"

/* For header_addresses(): -f "Jean-Bob <jean-bob@emc.fr>" is often seen. */
struct only {
	struct inject_submission *s;
	int	result;
};

static void
only(void *arg, const char *addr, size_t len)
{
	struct only *o = arg;

	buf_reset(&o->s->sender);
	o->result = inject_qualify(o->s->cfg, addr, len, &o->s->sender);
}

static int
set_sender(struct inject_submission *s, const char *arg)
{
	struct only o = { s, -1 };

	if (arg == NULL) {
		inject_login(s->cfg, &s->sender);
		return EX_OK;
	}
	if (*arg == '\0' || strcmp(arg, "<>") == 0)
		return EX_OK;
	if (header_addresses(arg, strlen(arg), 1, only, &o) == -1 ||
	    o.result == -1) {
		warnx("-f: \"%s\" is not an address", arg);
		return EX_USAGE;
	}
	for (size_t i = 0; i < s->sender.len; i++)
		s->utf8 |= (unsigned char)s->sender.data[i] >= 0x80;
	return EX_OK;
}

/* Each argument may be a list of its own, as some callers have it. */
struct args {
	struct inject_submission *s;
	bool	bad;
};

static void
one_rcpt(void *arg, const char *addr, size_t len)
{
	struct args *a = arg;

	a->bad |= inject_submission_rcpt(a->s, addr, len) == -1;
}

static int
set_rcpts(struct inject_submission *s, char **rcpts)
{
	struct args a = { s, false };

	for (; *rcpts != NULL; rcpts++)
		if (header_addresses(*rcpts, strlen(*rcpts),
		    (size_t)s->cfg->recipients_max, one_rcpt, &a) == -1 ||
		    a.bad) {
			warnx("\"%s\" is not an address", *rcpts);
			return EX_USAGE;
		}
	return EX_OK;
}

static int
finish(struct inject_submission *s)
{
	struct inject_result result = { 0 };
	int status;

	if (s->rcpts.n == 0) {
		warnx("no recipients: name them, or use -t with To:, Cc: "
		    "or Bcc: in the message");
		return EX_USAGE;
	}
	if (s->rcpts.n > (size_t)s->cfg->recipients_max) {
		warnx("more than %lld recipients (recipients_max in "
		    "facteur.conf)", (long long)s->cfg->recipients_max);
		return EX_DATAERR;
	}
	inject_submit_client(s, &result);
	status = inject_exit(&result);
	if (status != EX_OK)
		warnx("%d %s %s%s", result.code, buf_str(&result.enh),
		    buf_str(&result.text), status == EX_TEMPFAIL ?
		    "; nothing was sent, try again later" : "");
	inject_result_release(&result);
	return status;
}

int
sendmail_submit(const struct config *cfg, const struct sendmail_options *o)
{
	struct inject_submission s = {
		.cfg = cfg, .fix = true, .body8 = o->body8,
		.ret = o->ret, .envid = o->envid, .notify = o->notify,
	};
	int status = set_sender(&s, o->sender);

	if (status == EX_OK)
		status = set_rcpts(&s, o->rcpts);
	if (status == EX_OK && s.rcpts.n == 0 && !o->from_header)
		status = finish(&s);
	if (status == EX_OK)
		status = inject_input_exit(inject_input_read(&s.input,
		    STDIN_FILENO, !o->ignore_dots, cfg->message_size));
	if (status == EX_OK)
		status = sendmail_header(&s, o);
	if (status == EX_OK)
		status = finish(&s);
	inject_submission_release(&s);
	return status;
}
