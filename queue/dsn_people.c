/*
 * dsn_people.c - the first part of a report, in plain words: what happened,
 * to whom, and what can be done.
 *
 * Way 7 of 8.  From: queue/dsn_text.c.  To: queue/dsn_text.c.
 */
#include <string.h>

#include "date.h"
#include "dsn.h"

#define WIDTH	72		/* columns of a line, where words allow it */

/* What can be done about a failure, for the causes people meet most. */
static const char *
advice(const char *status)
{
	static const struct { const char *code, *say; } known[] = {
		{ "5.1.1", "There is no such mailbox. Please check the "
		    "address for a typing mistake." },
		{ "5.1.2", "There is no such domain. Please check what "
		    "stands behind the @." },
		{ "5.1.3", "This is not an address that mail can go to." },
		{ "5.1.10", "That domain takes no mail at all." },
		{ "5.2.1", "That mailbox has been closed." },
		{ "5.2.2", "The mailbox is full. The recipient must make "
		    "room first." },
		{ "5.2.3", "The message is too large for that mailbox." },
		{ "5.3.4", "The message is too large for that server. "
		    "Please send less at once." },
		{ "5.4.4", "That domain has no mail server. Please check "
		    "what stands behind the @." },
		{ "5.4.6", "The message went round in a circle; its route "
		    "needs the care of an administrator." },
		{ "5.4.7", "The other side could not be reached, or did not "
		    "take the message, for the whole time we tried. Please "
		    "send it again later, or try another way." },
		{ "5.6.7", "That server cannot handle addresses or headers "
		    "with letters outside of ASCII." },
		{ "5.7.1", "The other side refuses it as a matter of its "
		    "rules. Please ask the recipient by other means." },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(status, known[i].code) == 0)
			return known[i].say;
	return NULL;
}

/* A paragraph, four columns in. */
static void
paragraph(struct buf *out, const char *text)
{
	struct buf clean = BUF_INIT;
	size_t column = 0;

	dsn_put_text(&clean, text, true);
	for (const char *p = buf_str(&clean); *p != '\0'; ) {
		size_t blanks = strspn(p, " "), len;

		len = strcspn(p += blanks, " ");
		if (len == 0)
			break;
		if (column == 0 || column + 1 + len > WIDTH) {
			buf_adds(out, column == 0 ? "    " : "\n    ");
			column = 4;
		} else {
			buf_addc(out, ' ');
			column++;
		}
		buf_add(out, p, len);
		column += len;
		p += len;
	}
	buf_addc(out, '\n');
	buf_release(&clean);
}

/* Is it the owner of a list who reads this, not who wrote the message? */
static bool
is_owner(const struct dsn *d)
{
	return strcmp(d->sender, d->env->sender) != 0;
}

/* Of an address behind another one the reader may never have heard. */
static const char *
advice_behind(const struct dsn *d, const char *status)
{
	if (strncmp(status, "5.1.", 4) != 0 && strcmp(status, "5.4.4") != 0)
		return advice(status);
	return is_owner(d) ? "Please take that address off the list, or mend "
	    "it." : "Not you, but who looks after the address above can mend "
	    "that.";
}

static void
put_failure(const struct dsn *d, const struct dsn_entry *e, struct buf *out)
{
	const struct env_rcpt *r = &e->r;
	struct buf text = BUF_INIT, status = BUF_INIT;
	const char *say;
	bool behind = e->hidden || (r->parent != 0 && strcasecmp(r->addr,
	    d->env->rcpts[r->parent - 1].addr) != 0);

	if (r->host != NULL)
		buf_addf(&text, "%s%s: ", r->host,
		    env_rcpt_is_reply(r) ? " said" : "");
	buf_adds(&text, r->text != NULL ? r->text :
	    "no host there has answered yet");
	paragraph(out, buf_str(&text));
	dsn_status(d, r, &status);
	if (d->kind == DSN_FAILED &&
	    (say = behind ? advice_behind(d, buf_str(&status)) :
	    advice(buf_str(&status))) != NULL)
		paragraph(out, say);
	buf_release(&text);
	buf_release(&status);
}

static void
put_success(const struct env_rcpt *r, struct buf *out)
{
	struct buf text = BUF_INIT;

	switch (r->report) {
	case REPORT_DELIVERED:
		buf_adds(&text, "was delivered.");
		break;
	case REPORT_RELAYED:
		buf_addf(&text, "was handed on to %s, which sends no reports "
		    "of this kind. You will hear of it again only if it "
		    "cannot be delivered there.",
		    r->host != NULL ? r->host : "the next mail server");
		break;
	case REPORT_EXPANDED:
		buf_adds(&text, "was sent on to the addresses that stand "
		    "behind this one.");
		break;
	case REPORT_NONE:
		break;
	}
	paragraph(out, buf_str(&text));
	buf_release(&text);
}

static void
put_recipient(const struct dsn *d, const struct dsn_entry *e, struct buf *out)
{
	const struct env_rcpt *r = &e->r;
	const struct env_rcpt *parent = r->parent == 0 ? NULL :
	    &d->env->rcpts[r->parent - 1];

	buf_addf(out, "\n<%s>\n", r->addr);
	if (parent != NULL && strcasecmp(parent->addr, r->addr) != 0)
		buf_addf(out, "    (behind <%s>)\n", parent->addr);
	if (e->hidden && e->several)
		buf_adds(out, "    (some of the addresses behind it)\n");
	if (d->kind == DSN_SUCCESS)
		put_success(r, out);
	else
		put_failure(d, e, out);
}

static void
put_opening(const struct dsn *d, struct buf *out)
{
	buf_addf(out, "This is the mail system of %s.\n\n%s of ",
	    d->cfg->hostname, *d->sender == '\0' ?
	    "A report about a message that cannot be delivered," :
	    is_owner(d) ? "A message to a list of yours," : "Your message");
	date_rfc5322(out, (time_t)(d->env->arrived / 1000000));
	buf_addf(out, " (%s)\n", d->id);
	switch (d->kind) {
	case DSN_FAILED:
		buf_adds(out, "could not be delivered to:\n");
		break;
	case DSN_SUCCESS:
		buf_adds(out, "has gone its way, as you wanted to know:\n");
		break;
	case DSN_DELAYED:
		buf_adds(out, "has not been delivered yet to:\n");
		break;
	}
}

static void
put_closing(const struct dsn *d, struct buf *out)
{
	const char *what = dsn_headers_only(d) ?
	    is_owner(d) ? "Its header" : "The header of your message" :
	    is_owner(d) ? "The message" : "What you sent";

	if (*d->sender == '\0') {
		buf_adds(out, "\nIts sender has no address to tell, so it "
		    "comes to you, the postmaster,\nonce. The report, with "
		    "the message it speaks of, is attached.\n");
		return;
	}
	switch (d->kind) {
	case DSN_FAILED:
		buf_addf(out, "\nNothing more will be done for these "
		    "recipients.\n%s is attached.\n", what);
		break;
	case DSN_SUCCESS:
		buf_addf(out, "\n%s is attached.\n", what);
		break;
	case DSN_DELAYED:
		buf_adds(out, "\nYou need not do anything, nor send it "
		    "again: it will be tried for ");
		date_span(out, d->cfg->queue_lifetime);
		buf_adds(out, "\nin all. If it fails for good, you will be "
		    "told.\n");
		break;
	}
}

void
dsn_people(const struct dsn *d, struct buf *out)
{
	put_opening(d, out);
	dsn_each(d, put_recipient, out);
	put_closing(d, out);
}
