/*
 * txn.c - MAIL and RCPT: may this sender send, may this recipient be reached?
 *
 * Here it is decided that we are no open relay.  Who an address belongs to,
 * resolve says; who the client is, its login or its network says.
 * Way 1 of 8.  From: verbs.c.  To: route.c, then data.c.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "address.h"
#include "deadline.h"
#include "log.h"
#include "smtpd.h"

/* So many refused recipients, and most of them: someone is guessing. */
#define REFUSED_SLOW	10
#define REFUSED_MAX	50

void
txn_reset(struct session *s)
{
	struct txn *t = &s->txn;

	mail_release(&t->mail);
	for (size_t i = 0; i < t->nrcpts; i++)
		rcpt_release(&t->rcpts[i]);
	free(t->rcpts);
	*t = (struct txn){ .mail = MAIL_INIT };
	if (s->phase > GREETED)
		s->phase = GREETED;
}

static void
log_refused(struct session *s, const char *to, int code, const char *text)
{
	log_event(NULL, "refused ip=%s helo=%s from=<%s>%s%s%s code=%d text=%s",
	    buf_str(&s->ip), buf_str(&s->helo),
	    s->txn.mail.sender == NULL ? "" : s->txn.mail.sender,
	    to == NULL ? "" : " to=<", to == NULL ? "" : to,
	    to == NULL ? "" : ">", code, quoted(text));
}

static void
qualify(char **addr, const char *domain)
{
	struct buf full = BUF_INIT;

	buf_addf(&full, "%s@%s", *addr, domain);
	free(*addr);
	*addr = buf_detach(&full);
}

/* ---- MAIL ---- */

/*
 * Who logged in sends as himself: his own address, one that resolve puts into
 * his mailbox (name+ext), an alias whose only target he is, or the null sender.
 */
static bool
is_own_sender(struct session *s, const char *sender, struct route *r)
{
	if (*sender == '\0' || strcasecmp(sender, s->user) == 0)
		return true;
	route_ask(s, sender, r);
	return (r->kind == ROUTE_MAILBOX || r->kind == ROUTE_ALIAS) &&
	    strcasecmp(buf_str(&r->address), s->user) == 0;
}

/* NULL, or why this sender cannot be. */
static const struct refusal *
sender_refusal(struct session *s, const struct mail *m)
{
	static const struct refusal too_big = {
		552, "5.3.4", "that message is too big" };
	static const struct refusal not_yours = {
		553, "5.7.1", "that address is not yours" };
	static const struct refusal later = {
		451, "4.3.0", "cannot look that sender up now" };
	const struct refusal *why = NULL;
	struct route r;

	if (m->size > s->cfg->message_size)
		return &too_big;
	if (s->user == NULL)
		return NULL;
	route_init(&r);
	if (!is_own_sender(s, m->sender, &r))
		why = r.kind == ROUTE_LATER ? &later : &not_yours;
	route_release(&r);
	return why;
}

void
do_mail(struct session *s, const char *arg)
{
	const bool local = s->role->flags & R_LOCAL;
	const struct refusal *why;
	struct mail *m = &s->txn.mail;

	why = mail_parse(arg, strlen(arg), local, m);
	if (why == NULL && local && *m->sender != '\0' &&
	    address_domain(m->sender) == NULL)
		qualify(&m->sender, config_home_domain(s->cfg));
	if (why == NULL)
		why = sender_refusal(s, m);
	if (why != NULL) {
		log_refused(s, NULL, why->code, why->text);
		reply(s, why->code, why->enh, "%s", why->text);
		txn_reset(s);
		return;
	}
	s->phase = MAIL;
	reply(s, 250, "2.1.0", "sender ok");
}

/* ---- RCPT ---- */

/* Whoever tries names until one fits gets slow answers, then none. */
static void
count_refused(struct session *s)
{
	s->refused++;
	if (s->role->flags & (R_LMTP | R_LOCAL) || s->accepted >= s->refused)
		return;
	if (s->refused > REFUSED_SLOW)
		s->slow = true;
	if (s->refused >= REFUSED_MAX)
		reply_close(s, 421, "4.7.0", "too many unknown recipients");
}

static void
refuse(struct session *s, const char *to, int code, const char *enh,
    const char *text)
{
	log_refused(s, to, code, text);
	if (code >= 500)
		count_refused(s);
	if (!s->closing)
		reply(s, code, enh, "%s", text);
}

/*
 * Asks resolve, unless it has just called this address a mailbox, and decides;
 * false: the refusal was written.
 */
static bool
is_welcome(struct session *s, struct rcpt *rcpt)
{
	const char *addr = rcpt->addr;
	const bool lmtp = s->role->flags & R_LMTP;
	struct route r;
	bool welcome = false;

	if (s->role->flags & R_LOCAL)
		return true;		/* queue will find the way */
	rcpt->mailbox = known_has(&s->smtpd->known, addr, now_ms());
	if (rcpt->mailbox)
		return true;
	route_init(&r);
	route_ask(s, addr, &r);
	rcpt->mailbox = r.kind == ROUTE_MAILBOX;
	if (r.kind == ROUTE_REFUSE || r.kind == ROUTE_LATER)
		refuse(s, addr, r.code, buf_str(&r.enh), buf_str(&r.text));
	else if (r.local && (r.kind == ROUTE_MAILBOX || r.kind == ROUTE_ALIAS))
		welcome = true;
	else if (!lmtp && (s->user != NULL || s->trusted))
		welcome = true;
	else
		refuse(s, addr, 550, "5.7.1", "relay access denied");
	route_release(&r);
	return welcome;
}

/* "postmaster" needs no domain (RFC 5321, 4.5.1); for `local` nobody does. */
static bool
complete(struct session *s, struct rcpt *r)
{
	if (address_domain(r->addr) != NULL)
		return true;
	if (!(s->role->flags & R_LOCAL) &&
	    strcasecmp(r->addr, "postmaster") != 0)
		return false;
	qualify(&r->addr, config_home_domain(s->cfg));
	return true;
}

static void
keep(struct txn *t, struct rcpt *r)
{
	if (t->nrcpts == t->cap) {
		t->cap = t->cap == 0 ? 4 : t->cap * 2;
		t->rcpts = xreallocarray(t->rcpts, t->cap, sizeof(*t->rcpts));
	}
	t->rcpts[t->nrcpts++] = *r;
	*r = (struct rcpt)RCPT_INIT;
}

void
do_rcpt(struct session *s, const char *arg)
{
	struct txn *t = &s->txn;
	const struct refusal *why;
	struct rcpt r;

	why = rcpt_parse(arg, strlen(arg), t->mail.utf8, &r);
	if (why != NULL)
		refuse(s, NULL, why->code, why->enh, why->text);
	else if (t->nrcpts >= (size_t)s->cfg->recipients_max)
		reply(s, 452, "4.5.3", "too many recipients");
	else if (!complete(s, &r))
		refuse(s, r.addr, 553, "5.1.3", "address without a domain");
	else if (is_welcome(s, &r)) {
		keep(t, &r);
		s->accepted++;
		s->phase = RCPT;
		reply(s, 250, "2.1.5", "recipient ok");
	}
	rcpt_release(&r);
}
