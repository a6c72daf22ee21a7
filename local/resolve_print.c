/*
 * resolve_print.c - a route as a line for people: `facteur resolve billy@d`.
 *
 * Privilege: the administrator's.
 * Way 2 of 8.  From: resolve.c.  To: the terminal.
 */
#include <stdio.h>
#include <sysexits.h>

#include "log.h"
#include "resolve.h"

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
	printf("%s: ", t->kind == ROUTE_REFUSE ? quoted(address) : address);
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
