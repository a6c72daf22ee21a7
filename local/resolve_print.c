/*
 * resolve_print.c - writes a route down: as the frames of INTERNALS 2.3, and as
 * a line for people (`facteur resolve billy@d`).
 *
 * Privilege: facteur-lookup, or the administrator's.
 * Way 2 and 5 of 8.  From: resolve_serve.c, resolve.c.  To: who asked.
 */
#include <stdio.h>
#include <sysexits.h>

#include "ctl.h"
#include "log.h"
#include "resolve.h"

void
route_write(const struct route *t, struct buf *b)
{
	static const char *const kinds[] = {
		[ROUTE_MAILBOX] = "mailbox", [ROUTE_REMOTE] = "remote",
		[ROUTE_RELAY] = "relay", [ROUTE_ALIAS] = "alias",
		[ROUTE_REFUSE] = "refuse", [ROUTE_LATER] = "later",
	};

	ctl_begin(b, "route");
	ctl_add(b, "kind", kinds[t->kind]);
	ctl_add(b, "local", t->local ? "yes" : NULL);
	if (t->kind == ROUTE_MAILBOX) {
		ctl_add(b, "address", t->box.address);
		ctl_add(b, "ext", t->ext);
		ctl_addn(b, "uid", t->box.uid);
		ctl_addn(b, "gid", t->box.gid);
		ctl_add(b, "home", t->box.home);
	} else if (t->kind == ROUTE_ALIAS) {
		ctl_addn(b, "count", (int64_t)t->nto);
		ctl_add(b, "sender", t->sender);
	} else if (t->kind == ROUTE_REFUSE || t->kind == ROUTE_LATER) {
		ctl_addn(b, "code", t->code);
		ctl_add(b, "enh", t->enh);
		ctl_add(b, "text", buf_str(&t->text));
	} else {
		ctl_add(b, "host", t->host);
		ctl_add(b, "domain", t->domain);
	}
	ctl_end(b);
	for (size_t i = 0; t->kind == ROUTE_ALIAS && i < t->nto; i++) {
		ctl_begin(b, "to");
		ctl_add(b, "address", t->to[i].address);
		ctl_add(b, "exact", t->to[i].exact ? "yes" : NULL);
		ctl_end(b);
	}
}

static void
print_box(const struct route *t, bool verbose)
{
	printf("mailbox of %s in %s/Maildir", t->box.address, t->box.home);
	if (t->ext != NULL)
		printf(", extension %s", quoted(t->ext));
	if (verbose)
		printf(" (uid %lu, gid %lu)", (unsigned long)t->box.uid,
		    (unsigned long)t->box.gid);
	printf("\n");
}

static void
print_alias(const char *address, const struct route *t, bool verbose)
{
	for (size_t i = 0; i < t->nto; i++)
		printf("%s: alias, goes to %s%s\n", address, t->to[i].address,
		    verbose && t->to[i].exact ? " (the mailbox itself)" : "");
	if (t->sender != NULL)
		printf("%s: errors go to %s\n", address, t->sender);
}

int
route_print(const char *address, const struct route *t, bool verbose)
{
	if (t->kind == ROUTE_ALIAS) {
		print_alias(address, t, verbose);
		return EX_OK;
	}
	/* What was no address may hold anything. */
	printf("%s: ", t->kind == ROUTE_REFUSE && !t->local ?
	    quoted(address) : address);
	switch (t->kind) {
	case ROUTE_MAILBOX:
		print_box(t, verbose);
		return EX_OK;
	case ROUTE_REMOTE:
		printf("remote, by the MX of %s\n", t->domain);
		return EX_OK;
	case ROUTE_RELAY:
		printf("remote, by the relay %s\n", t->host);
		return EX_OK;
	case ROUTE_REFUSE:
		printf("refused: %d %s %s\n", t->code, t->enh,
		    buf_str(&t->text));
		return EX_NOUSER;
	default:
		printf("not now: %d %s %s\n", t->code, t->enh,
		    buf_str(&t->text));
		return EX_TEMPFAIL;
	}
}
