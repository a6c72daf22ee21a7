/*
 * inject_trace.c - the fields we put in front of a message: Received (RFC 5321
 * section 4.4), and Date and Message-ID where a submission has none.
 *
 * Runs in inject, as facteur-queue.  What strangers said (HELO, PTR) is a
 * word of harmless characters here, or question marks.
 * Way 3 of 8.  From: queue/inject_content.c.  To: the message.
 */
#include <string.h>

#include "date.h"
#include "header.h"
#include "inject.h"

#define CLEAN_MAX	255	/* bytes of one word from outside */
#define USUAL_ROOM	400	/* bytes of most Received fields: formatted once */

char *
inject_clean(const char *s)
{
	struct buf out = BUF_INIT;

	if (s == NULL)
		return NULL;
	for (; *s != '\0' && out.len < CLEAN_MAX; s++)
		buf_addc(&out, *s <= ' ' || *s >= 0x7F ||
		    strchr("()<>;\"\\", *s) != NULL ? '?' : *s);
	return buf_detach(&out);
}

/* "HELO (NAME [IP])", or whose process it was. */
static void
add_from(const struct inject_txn *t, struct buf *out)
{
	const struct envelope *e = &t->env;

	if (e->ip == NULL) {
		buf_addf(out, "(local uid %lld)", (long long)e->uid);
		return;
	}
	buf_addf(out, "from %s (", e->helo == NULL || *e->helo == '\0' ?
	    "unknown" : e->helo);
	if (t->name != NULL && *t->name != '\0')
		buf_addf(out, "%s ", t->name);
	if (strcmp(e->ip, "unix") == 0)
		buf_adds(out, "local socket)");
	else
		buf_addf(out, "[%s%s])", strchr(e->ip, ':') == NULL ? "" :
		    "IPv6:", e->ip);
}

void
inject_received(const struct inject_txn *t, struct buf *out)
{
	const struct envelope *e = &t->env;

	(void)buf_room(out, USUAL_ROOM);
	buf_adds(out, "Received: ");
	add_from(t, out);
	buf_addf(out, "\n\tby %s", t->in->cfg->hostname);
	if (e->with != NULL)
		buf_addf(out, " with %s", e->with);
	if (e->tls != NULL)
		buf_addf(out, " (%s)", e->tls);
	buf_addf(out, "\n\tid %s", t->file.id);
	/* Two recipients must not learn of each other (Bcc). */
	if (e->nrcpts == 1)
		buf_addf(out, " for <%s>", e->rcpts[0].addr);
	buf_adds(out, ";\n\t");
	date_rfc5322(out, (time_t)(e->arrived / 1000000));
	buf_addc(out, '\n');
}

void
inject_missing(const struct inject_txn *t, const char *head, size_t len,
    struct buf *out)
{
	if (header_count(head, len, "Date") == 0) {
		buf_adds(out, "Date: ");
		date_rfc5322(out, (time_t)(t->env.arrived / 1000000));
		buf_addc(out, '\n');
	}
	if (header_count(head, len, "Message-ID") == 0)
		buf_addf(out, "Message-ID: <%s@%s>\n", t->file.id,
		    t->in->cfg->hostname);
}
