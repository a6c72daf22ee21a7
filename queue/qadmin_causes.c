/*
 * qadmin_causes.c - what to do about it: replies and errors that every
 * postmaster meets sooner or later.  The first row that fits is told; what
 * fits none is not commented upon.
 *
 * Runs as the caller.  To: queue/qadmin_why.c.
 */
#include <string.h>

#include "qadmin.h"

#define HOST	1u		/* another host said it */
#define OURS	2u		/* we found it out ourselves */

static const struct cause {
	unsigned who;
	const char *code;	/* an enhanced code in the text, or NULL */
	const char *words;	/* somewhere in it, in any case; '|' between alternatives; or NULL */
	const char *advice;
} causes[] = {
	/* ---- what we found out ourselves ---- */
	{ OURS, NULL, "Connection refused", "The host is there, but nobody "
	    "listens at that port. If the same happens with all hosts, a "
	    "firewall or the provider of this host may reject connections to "
	    "port 25: ask it to open the port, or set relay_host." },
	{ OURS, NULL, "cannot connect|no host could be reached", "No connection "
	    "came about. If the same happens with all hosts, this host has no "
	    "way out, or its provider blocks port 25: try another host by "
	    "hand (nc -v gmail-smtp-in.l.google.com 25), ask the provider to "
	    "open the port, or set relay_host." },
	{ OURS, "5.4.6", NULL, "The mail would come back to this host. Add "
	    "the domain to `domains` in facteur.conf if it is ours, mend its "
	    "MX records if it is not, or the alias that leads in a circle." },
	{ OURS, NULL, "relay host is this host", "relay_host in facteur.conf "
	    "names this host: name another one, or remove the line." },
	{ OURS, "5.1.10", NULL, "The owner of the domain has published that "
	    "it takes no mail (RFC 7505): the address must be wrong." },
	{ OURS, "5.1.2", NULL, "Look at the domain for a spelling mistake." },
	{ OURS, "4.4.3", NULL, "DNS gave no usable answer. If it is this "
	    "domain alone, its name servers or its DNSSEC signatures are "
	    "broken, and only its owner can mend them; if it is every domain, "
	    "look at our resolver (`resolver` in facteur.conf, else "
	    "/etc/resolv.conf)." },
	{ OURS, "5.4.4", "neither MX nor address", "The domain is there, but "
	    "has published no way for mail: look at it for a spelling "
	    "mistake; if there is none, only its owner can help." },
	{ OURS, "4.4.2", NULL, "The conversation broke off, at the host or on "
	    "the way to it. That passes as a rule; if it goes on with that "
	    "host alone, its owner has to look, if with many, look at our "
	    "network and its firewalls." },
	{ OURS, "4.4.4|5.4.4", NULL, "The domain's MX records lead to no "
	    "address. Its owner has to mend that." },
	{ OURS, "4.2.2", NULL, "The owner's disk quota is used up: raise it, "
	    "or have mail removed." },
	{ OURS, "4.3.1", NULL, "The disk of the mailboxes is full: make "
	    "room." },
	{ OURS, "5.1.1", NULL, "No mailbox or alias of ours has that name: "
	    "make one with `facteur passwd`, or an entry in aliases(5)." },
	{ OURS, NULL, "TLS|certificate", "The encryption of the connection "
	    "failed. If that host alone is concerned, its owner has to look; "
	    "the text above says what went wrong." },
	{ OURS, "4.3.5", NULL, "Something is wrong in the configuration here: "
	    "`facteur check-install` may tell more." },
	{ OURS, "4.4.7", NULL, "It was tried for as long as queue_lifetime "
	    "(bounce_lifetime for reports) allows." },

	/* ---- what the other host said ---- */
	{ HOST, "5.7.26|4.7.26|5.7.27|4.7.27", NULL, "The host wants mail "
	    "that is authenticated: publish SPF and DKIM records for the "
	    "sender's domain, and let this host sign and be named there." },
	{ HOST, NULL, "SPF|DKIM|DMARC|unauthenticated", "The host looked at "
	    "SPF, DKIM or DMARC of the sender's domain: see to it that this "
	    "host's address stands in the SPF record, and that mail is "
	    "signed." },
	{ HOST, "5.7.25|4.7.25", NULL, "The host wants this host's "
	    "address to have a name: set its reverse DNS (PTR) at the "
	    "provider, to a name that leads back to the same address." },
	{ HOST, NULL, "reverse DNS|PTR record|rDNS|reverse hostname|"
	    "cannot find your hostname", "The host wants this host's address "
	    "to have a name: set its reverse DNS (PTR) at the provider, to a "
	    "name that leads back to the same address." },
	{ HOST, NULL, "spamhaus|blacklist|blocklist|block list|barracuda|"
	    "DNSBL|listed in|poor reputation", "This host's address stands "
	    "on a list of senders of spam: find out why (a mailbox whose "
	    "password is known to others, a web form), end it, then ask that "
	    "list to remove the address." },
	{ HOST, NULL, "greylist|graylist|grey-list|try again later|"
	    "come back later", "The host wants to see us come back (greylisting), "
	    "or is busy. Nothing has to be done; we do." },
	{ HOST, NULL, "rate limit|rate-limit|ratelimit|sending rate|too many|too fast|throttl|unusual volume|"
	    "temporarily deferred", "The host finds that we "
	    "send too much or too fast. We slow down by ourselves; a limit "
	    "for it may be set in sites(5)." },
	{ HOST, "4.7.0|4.7.1|4.7.28|4.7.650|4.7.651", NULL, "A policy of that "
	    "host puts us off, often for the rate or the reputation of our "
	    "address. We go on trying, and slower." },
	{ HOST, NULL, "relay access denied|relaying denied|to relay|"
	    "relay not permitted|relaying not|5.7.64", "The host does not regard the domain as "
	    "its own. The domain's MX records, or our relay_host, lead to the "
	    "wrong host, or it wants us to authenticate." },
	{ HOST, "5.2.2|4.2.2", NULL, "The mailbox is full. Only its owner can "
	    "help; reach him another way." },
	{ HOST, NULL, "mailbox full|mailbox is full|over quota|overquota|"
	    "quota exceeded|exceeded storage", "The mailbox is full. Only its "
	    "owner can help; reach him another way." },
	{ HOST, "5.1.1|5.1.10|5.1.0", NULL, "That host knows no such address: "
	    "look at it for a spelling mistake." },
	{ HOST, NULL, "user unknown|no such user|unknown user|does not exist|"
	    "mailbox unavailable|no mailbox|invalid recipient|"
	    "recipient rejected", "That host knows no such address, or does "
	    "not want mail for it: look at it for a spelling mistake." },
	{ HOST, "5.2.1", NULL, "The mailbox is disabled." },
	{ HOST, "5.3.4|5.2.3|4.3.4", NULL, "The message is too large for that "
	    "host: send it in parts, or a link." },
	{ HOST, "5.4.6|4.4.6", NULL, "That host sees the mail going in a "
	    "circle: look at forwarding there." },
	{ HOST, "4.3.1|4.3.2|4.3.0", NULL, "The host is in trouble itself. We "
	    "go on trying." },
	{ HOST, NULL, "STARTTLS|5.7.10", "The host wants TLS, which was not "
	    "used." },
	{ HOST, "5.5.1|5.5.2|5.5.4", NULL, "The host did not like the way it "
	    "was spoken to. That may be a mistake in this program: the log "
	    "around the attempt is worth a report." },
	{ HOST, NULL, "spam|virus|malware|prohibited content", "The host does not like "
	    "the content. Whoever runs it can say why." },
	{ HOST, "5.7.1|5.7.0", NULL, "A policy of that host forbids it. Its "
	    "reply is all that is known; its postmaster knows more." },
};

/* Is one of the alternatives in the text? A code has to end where it ends. */
static bool
mentions(const char *text, const char *words, bool code)
{
	for (;;) {
		size_t len = strcspn(words, "|");
		char word[64];
		const char *p = text;

		strlcpy(word, words, len + 1 < sizeof(word) ? len + 1 :
		    sizeof(word));
		while ((p = strcasestr(p, word)) != NULL) {
			char after = p[len], before = p == text ? ' ' : p[-1];

			if (!code || (strchr("0123456789.", before) == NULL &&
			    (after == '\0' || strchr("0123456789.", after) ==
			    NULL)))
				return true;
			p++;
		}
		if (words[len] == '\0')
			return false;
		words += len + 1;
	}
}

const char *
cause_advice(const char *text, bool by_host)
{
	if (text == NULL)
		return NULL;
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		const struct cause *c = &causes[i];

		if ((c->who & (by_host ? HOST : OURS)) != 0 &&
		    (c->code == NULL || mentions(text, c->code, true)) &&
		    (c->words == NULL || mentions(text, c->words, false)))
			return c->advice;
	}
	return NULL;
}
