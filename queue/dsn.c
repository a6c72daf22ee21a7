/*
 * dsn.c - what a bounce says (RFC 3464 in the multipart/report of RFC 6522):
 * first for people, then for programs, then what was sent.
 *
 * Way 7 of 8.  From: queue/report.c.  To: inject (3), as an ordinary message.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "date.h"
#include "header.h"
#include "queue.h"

/* The d.d.d in the first words of a reply, else `otherwise`. Appends. */
static void
status_code(struct buf *out, const char *text, const char *otherwise)
{
	size_t code = strspn(text, "0123456789"), a, b, c;

	if (code == 3 && (text[3] == ' ' || text[3] == '-'))
		text += 4;
	a = strspn(text, "245");
	if (a == 1 && text[1] == '.' &&
	    (b = strspn(text + 2, "0123456789")) >= 1 && b <= 3 &&
	    text[2 + b] == '.' &&
	    (c = strspn(text + 3 + b, "0123456789")) >= 1 && c <= 3)
		/* A 4.x.x that has become final is reported as the 5 it is now. */
		buf_addf(out, "5%.*s", (int)(a + 1 + b + 1 + c) - 1, text + 1);
	else
		buf_adds(out, otherwise);
}

/* Text for a header or a report field: printable, folded nowhere, so cut short enough. */
static void
field_text(struct buf *out, const char *text)
{
	for (size_t i = 0; text[i] != '\0' && i < 800; i++) {
		unsigned char c = (unsigned char)text[i];

		buf_addc(out, c < 0x20 || c == 0x7f ? ' ' : (char)c);
	}
}

const char *
dsn_sender(const struct envelope *env, const struct env_rcpt *r)
{
	return r->from != NULL ? r->from : env->sender;
}

bool
dsn_reports(const struct envelope *env, const char *sender,
    const struct env_rcpt *r)
{
	return r->state == RCPT_FAILED &&
	    (r->notify == 0 || (r->notify & NOTIFY_FAILURE) != 0) &&
	    strcmp(dsn_sender(env, r), sender) == 0;
}

/* What can be done about it, for the causes that people meet most. */
static const char *
advice(const char *status)
{
	static const struct { const char *code, *say; } known[] = {
		{ "5.1.1", "There is no such mailbox. Please check the address for a typing mistake." },
		{ "5.1.2", "There is no such domain. Please check what stands behind the @." },
		{ "5.1.10", "That domain takes no mail at all." },
		{ "5.2.2", "The mailbox is full. The recipient must make room first." },
		{ "5.3.4", "The message is too large for that server." },
		{ "5.4.4", "That domain has no mail server." },
		{ "5.4.6", "The message went round in a circle; its route needs the care of an administrator." },
		{ "5.4.7", "The other side could not be reached, or did not take the message, for the whole time we tried." },
		{ "5.7.1", "The other side refuses it as a matter of its rules." },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(status, known[i].code) == 0)
			return known[i].say;
	return NULL;
}

static void
human_part(struct buf *out, const struct config *cfg,
    const struct envelope *env, const char *sender, const char *id)
{
	struct buf status = BUF_INIT;

	buf_addf(out, "This is the mail system of %s.\n\n"
	    "Your message of ", cfg->hostname);
	date_rfc5322(out, (time_t)(env->arrived / 1000000));
	buf_addf(out, " (%s)\ncould not be delivered to:\n", id);
	for (unsigned i = 0; i < env->nrcpts; i++) {
		const struct env_rcpt *r = &env->rcpts[i];
		const char *text = r->text != NULL ? r->text : "";
		const char *say;

		if (!dsn_reports(env, sender, r))
			continue;
		buf_addf(out, "\n<%s>\n    ", r->addr);
		if (r->host != NULL)
			buf_addf(out, "%s%s: ", r->host,
			    env_rcpt_is_reply(r) ? " said" : "");
		field_text(out, text);
		buf_addc(out, '\n');
		buf_reset(&status);
		status_code(&status, text, "5.0.0");
		if ((say = advice(buf_str(&status))) != NULL)
			buf_addf(out, "    %s\n", say);
	}
	buf_adds(out, "\nNothing more will be done for these recipients. "
	    "What you sent is attached.\n");
	buf_release(&status);
}

static void
machine_part(struct buf *out, const struct config *cfg,
    const struct envelope *env, const char *sender, int64_t now)
{
	buf_addf(out, "Reporting-MTA: dns; %s\n", cfg->hostname);
	if (env->envid != NULL) {
		buf_adds(out, "Original-Envelope-Id: ");
		field_text(out, env->envid);
		buf_addc(out, '\n');
	}
	buf_adds(out, "Arrival-Date: ");
	date_rfc5322(out, (time_t)(env->arrived / 1000000));
	buf_addc(out, '\n');
	for (unsigned i = 0; i < env->nrcpts; i++) {
		const struct env_rcpt *r = &env->rcpts[i];
		const char *text = r->text != NULL ? r->text : "";
		size_t host = r->host != NULL ? strcspn(r->host, "[") : 0;

		if (!dsn_reports(env, sender, r))
			continue;
		buf_addc(out, '\n');
		if (r->orcpt != NULL) {
			buf_adds(out, "Original-Recipient: ");
			field_text(out, r->orcpt);
			buf_addc(out, '\n');
		}
		buf_addf(out, "Final-Recipient: %s; %s\nAction: failed\nStatus: ",
		    env->utf8 ? "utf-8" : "rfc822", r->addr);
		status_code(out, text, "5.0.0");
		if (host > 0)
			buf_addf(out, "\nRemote-MTA: dns; %.*s", (int)host,
			    r->host);
		buf_addf(out, "\nDiagnostic-Code: %s; ",
		    env_rcpt_is_reply(r) ? "smtp" : "x-facteur");
		field_text(out, text);
		buf_adds(out, "\nLast-Attempt-Date: ");
		date_rfc5322(out, (time_t)(now / 1000000));
		buf_addc(out, '\n');
	}
}

/* The message (whole if small and wanted, else its headers) as the last part. */
static int
original_part(struct buf *out, const struct envelope *env, int fd,
    int64_t size, const char *boundary)
{
	bool headers = size > DSN_FULL_MAX ||
	    (env->ret != NULL && strcmp(env->ret, "hdrs") == 0);
	size_t want = size > DSN_FULL_MAX ? DSN_FULL_MAX : (size_t)size;
	char *text = xmalloc(want + 1);
	ssize_t n = pread(fd, text, want, 0);

	if (n != (ssize_t)want) {
		if (n >= 0)
			errno = EIO;
		free(text);
		return -1;
	}
	buf_addf(out, "\n--%s\nContent-Type: %s\n", boundary, headers ?
	    (env->utf8 ? "message/global-headers" : "text/rfc822-headers") :
	    (env->utf8 ? "message/global" : "message/rfc822"));
	buf_adds(out, "Content-Transfer-Encoding: 8bit\n\n");
	buf_add(out, text, headers ? header_end(text, want) : want);
	free(text);
	return 0;
}

int
dsn_compose(const struct config *cfg, const struct envelope *env,
    const char *sender, const char *id, int fd, int64_t size, int64_t now,
    struct buf *out)
{
	char boundary[ID_LEN + 16];

	/* An ID of ours does not occur in a message older than itself. */
	id_new(boundary);
	strlcat(boundary, "=_report", sizeof(boundary));

	buf_addf(out, "From: Mail System <MAILER-DAEMON@%s>\nTo: <%s>\n"
	    "Subject: Undelivered: your message could not be delivered\nDate: ",
	    cfg->hostname, sender);
	date_rfc5322(out, (time_t)(now / 1000000));
	buf_addf(out, "\nMessage-ID: <%.*s@%s>\nAuto-Submitted: auto-replied\n"
	    "MIME-Version: 1.0\nContent-Type: multipart/report;\n"
	    "\treport-type=%s; boundary=\"%s\"\n\n"
	    "--%s\nContent-Type: text/plain; charset=utf-8\n"
	    "Content-Transfer-Encoding: 8bit\n\n",
	    ID_LEN, boundary, cfg->hostname, env->utf8 ?
	    "global-delivery-status" : "delivery-status", boundary, boundary);
	human_part(out, cfg, env, sender, id);
	buf_addf(out, "\n--%s\nContent-Type: message/%s\n%s\n", boundary,
	    env->utf8 ? "global-delivery-status" : "delivery-status",
	    env->utf8 ? "Content-Transfer-Encoding: 8bit\n" : "");
	machine_part(out, cfg, env, sender, now);
	if (original_part(out, env, fd, size, boundary) == -1)
		return -1;
	buf_addf(out, "\n--%s--\n", boundary);
	if (!buf_ok(out)) {
		errno = EFBIG;
		return -1;
	}
	return 0;
}
