/*
 * From address to route, with a table of mailboxes instead of authd.
 * link: local
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../local/resolve.h"

/* Mailboxes there are; each lives in /home/ADDRESS. */
static const char *const people[] = {
	"billy@yahoo.co.uk", "jane@yahoo.co.uk", "jean-bob@emc.fr",
	"root@yahoo.co.uk", "both@yahoo.co.uk", "both+x@yahoo.co.uk",
	"postmaster@yahoo.co.uk", "postmaster@emc.fr",
};
static bool authd_is_away;

static enum who_result
fake_who(void *arg, const char *address, struct mailbox *out, struct buf *why)
{
	struct buf home = BUF_INIT;

	(void)arg;
	mailbox_release(out);
	if (authd_is_away) {
		buf_adds(why, "away");
		return WHO_LATER;
	}
	for (size_t i = 0; i < sizeof(people) / sizeof(people[0]); i++)
		if (strcasecmp(people[i], address) == 0) {
			buf_addf(&home, "/home/%s", people[i]);
			*out = (struct mailbox){ xstrdup(people[i]),
			    buf_detach(&home), 1000, 1001, 0 };
			return WHO_USER;
		}
	return WHO_NONE;
}

struct world {
	char	dir[64];
	struct config *cfg;
	struct resolver r;
	struct route route;
	struct buf shown;
};

static void
put(const struct world *w, const char *name, const char *text)
{
	struct buf path = BUF_INIT;
	FILE *f;

	buf_addf(&path, "%s/%s", w->dir, name);
	f = fopen(buf_str(&path), "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	buf_release(&path);
}

static void
configure(struct world *w, const char *conf, const char *aliases)
{
	struct buf why = BUF_INIT;

	put(w, "facteur.conf", conf);
	put(w, "aliases", aliases);
	w->cfg = config_load(w->dir, false, &why);
	assert_string_equal(buf_str(&why), "");
	assert_non_null(w->cfg);
	resolver_init(&w->r, w->cfg, fake_who, NULL);
}

#define CONF	"hostname = mx.yahoo.co.uk\ndomains = yahoo.co.uk emc.fr\n"

static int
setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	*state = w;
	w->route = (struct route)ROUTE_INIT;
	authd_is_away = false;
	strlcpy(w->dir, "/tmp/test_resolve.XXXXXX", sizeof(w->dir));
	return mkdtemp(w->dir) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;
	struct buf path = BUF_INIT;
	int rc;

	resolver_release(&w->r);
	config_free(w->cfg);
	route_reset(&w->route);
	buf_release(&w->shown);
	buf_addf(&path, "%s/aliases", w->dir);
	(void)unlink(buf_str(&path));
	buf_reset(&path);
	buf_addf(&path, "%s/facteur.conf", w->dir);
	(void)unlink(buf_str(&path));
	buf_release(&path);
	rc = rmdir(w->dir);
	free(w);
	return rc;
}

/* The frames of the answer: what smtpd and queue see. */
static const char *
resolve(struct world *w, const char *address, bool exact)
{
	buf_reset(&w->shown);
	resolve_address(&w->r, address, exact, &w->route);
	route_write(&w->route, &w->shown);
	return buf_str(&w->shown);
}

#define BILLY	"address=billy@yahoo.co.uk"
#define IDS	" uid=1000 gid=1001 "
#define REFUSED	"route kind=refuse local=yes code=550 enh=5.1.1 " \
		"text=no%20such%20mailbox%20here\n"
#define ALIAS(n) "route kind=alias local=yes count=" #n "\n"
#define TO(a)	"to address=" a "\n"
#define EXACT(a) "to address=" a " exact=yes\n"

static void
each_kind_of_address_has_its_route(void **state)
{
	static const struct { const char *address, *answer; } table[] = {
		{ "billy@yahoo.co.uk", "route kind=mailbox local=yes " BILLY
		    IDS "home=/home/billy@yahoo.co.uk\n" },
		{ "BILLY@Yahoo.CO.uk.", "route kind=mailbox local=yes " BILLY
		    IDS "home=/home/billy@yahoo.co.uk\n" },
		{ "billy+Lists+x@yahoo.co.uk", "route kind=mailbox local=yes "
		    BILLY " ext=Lists+x" IDS "home=/home/billy@yahoo.co.uk\n" },
		{ "both+x@yahoo.co.uk", "route kind=mailbox local=yes "
		    "address=both+x@yahoo.co.uk" IDS
		    "home=/home/both+x@yahoo.co.uk\n" },
		{ "+billy@yahoo.co.uk", REFUSED },
		{ "nobody@yahoo.co.uk", REFUSED },
		{ "billy@emc.fr", REFUSED },
		{ "x@Elsewhere.example", "route kind=remote "
		    "domain=elsewhere.example\n" },
		{ "x@[192.0.2.1]", "route kind=remote domain=[192.0.2.1]\n" },
		{ "not an address", "route kind=refuse code=553 enh=5.1.3 "
		    "text=this%20is%20not%20a%20mail%20address\n" },
		{ "", "route kind=refuse code=553 enh=5.1.3 "
		    "text=this%20is%20not%20a%20mail%20address\n" },
		{ "a\nb@yahoo.co.uk", "route kind=refuse code=553 enh=5.1.3 "
		    "text=this%20is%20not%20a%20mail%20address\n" },
	};
	struct world *w = *state;

	configure(w, CONF, "");
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_string_equal(resolve(w, table[i].address, false),
		    table[i].answer);
}

static void
with_a_relay_everything_foreign_goes_there(void **state)
{
	struct world *w = *state;

	configure(w, CONF "relay_host = smart.example:587\n", "");
	assert_string_equal(resolve(w, "x@y.example", false), "route "
	    "kind=relay host=smart.example:587 domain=y.example\n");
	assert_int_equal(w->route.local, false);
	assert_string_equal(resolve(w, "nobody@emc.fr", false), REFUSED);
}

static void
aliases_expand_completely(void **state)
{
	static const char text[] =
	    "info: billy\n"				/* 1 */
	    "info@emc.fr: jean-bob\n"
	    "info+x: jane\n"
	    "staff: billy, jane, info, far@away.example, jane\n"
	    "self: x@away.example, Self\n"		/* 5 */
	    "root: \\root, billy\n"
	    "billy: Billy, copy@away.example\n"
	    "dead: nobody\n"
	    "half: nobody, jane\n"
	    "nested: staff, half, staff\n"		/* 10 */
	    "full: jean-bob@emc.fr, y@AWAY.example\n";
	static const struct { const char *address, *answer; } table[] = {
		{ "info@emc.fr", ALIAS(1) EXACT("jean-bob@emc.fr") },
		{ "info+x@emc.fr", ALIAS(1) EXACT("jane@yahoo.co.uk") },
		{ "info+y@yahoo.co.uk", ALIAS(2) EXACT("Billy@yahoo.co.uk")
		    TO("copy@away.example") },
		{ "staff@yahoo.co.uk", ALIAS(4) EXACT("Billy@yahoo.co.uk")
		    TO("copy@away.example") EXACT("jane@yahoo.co.uk")
		    TO("far@away.example") },
		{ "self@yahoo.co.uk", ALIAS(2) TO("x@away.example")
		    EXACT("Self@yahoo.co.uk") },
		{ "root@yahoo.co.uk", ALIAS(3) EXACT("root@yahoo.co.uk")
		    EXACT("Billy@yahoo.co.uk") TO("copy@away.example") },
		{ "billy+x@yahoo.co.uk", ALIAS(2) EXACT("Billy@yahoo.co.uk")
		    TO("copy@away.example") },
		{ "half@yahoo.co.uk", ALIAS(2) EXACT("nobody@yahoo.co.uk")
		    EXACT("jane@yahoo.co.uk") },
		{ "nested@yahoo.co.uk", ALIAS(5) EXACT("Billy@yahoo.co.uk")
		    TO("copy@away.example") EXACT("jane@yahoo.co.uk")
		    TO("far@away.example") EXACT("nobody@yahoo.co.uk") },
		{ "full@emc.fr", ALIAS(2) EXACT("jean-bob@emc.fr")
		    TO("y@away.example") },
		{ "dead@yahoo.co.uk", "route kind=refuse local=yes code=550 "
		    "enh=5.1.1 text=aliases:8:%20none%20of%20the%20addresses"
		    "%20exists\n" },
	};
	struct world *w = *state;

	configure(w, CONF, text);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_string_equal(resolve(w, table[i].address, false),
		    table[i].answer);
	/* The mailbox itself, when the alias has been followed already. */
	(void)resolve(w, "billy@yahoo.co.uk", true);
	assert_int_equal(w->route.kind, ROUTE_MAILBOX);
}

static void
loops_and_monsters_are_refused(void **state)
{
	struct buf text = BUF_INIT;
	struct world *w = *state;

	buf_adds(&text, "a: b\nb: c, billy\nc: a\n");
	for (int i = 0; i < 30; i++)
		buf_addf(&text, "deep%d: deep%d\n", i, i + 1);
	buf_adds(&text, "deep30: billy\nmany: x@y.example");
	for (int i = 0; i < 1000; i++)
		buf_addf(&text, ",\n\tx%d@y.example", i);
	/* 2^30 ways through it, but only 30 names. */
	for (int i = 0; i < 15; i++)
		buf_addf(&text, "\nwide%d: wide%d, wide%d", i, i + 1, i + 1);
	buf_adds(&text, "\nwide15: billy\n");
	configure(w, CONF, text.data);
	assert_non_null(strstr(resolve(w, "a@emc.fr", false),
	    "kind=refuse local=yes code=550 enh=5.4.6"));
	assert_non_null(strstr(resolve(w, "deep0@emc.fr", false),
	    "kind=refuse local=yes code=550 enh=5.4.6"));
	assert_string_equal(resolve(w, "deep15@yahoo.co.uk", false),
	    ALIAS(1) EXACT("billy@yahoo.co.uk"));
	assert_non_null(strstr(resolve(w, "many@emc.fr", false),
	    "kind=later local=yes code=451 enh=4.3.5"));
	assert_string_equal(resolve(w, "wide0@yahoo.co.uk", false),
	    ALIAS(1) EXACT("billy@yahoo.co.uk"));
	buf_release(&text);
}

static void
a_fault_in_the_table_makes_mail_wait(void **state)
{
	static const char *const faulty[] = { "prog", "file", "inc", "bad",
	    "empty", "outer" };
	struct buf address = BUF_INIT;
	struct world *w = *state;

	configure(w, CONF, "prog: |x\nfile: /x\ninc: :include:/x\n"
	    "bad: billy, a b\nempty:\nouter: billy, prog\n");
	for (size_t i = 0; i < sizeof(faulty) / sizeof(faulty[0]); i++) {
		buf_reset(&address);
		buf_addf(&address, "%s@yahoo.co.uk", faulty[i]);
		assert_non_null(strstr(resolve(w, buf_str(&address), false),
		    "route kind=later local=yes code=451 enh=4.3.5"));
	}
	assert_non_null(strstr(resolve(w, "outer@emc.fr", false),
	    "aliases:1:%20a%20program"));
	buf_release(&address);
}

static void
without_authd_only_our_own_mail_waits(void **state)
{
	static const char later[] = "route kind=later local=yes code=451 "
	    "enh=4.3.0 text=away\n";
	struct world *w = *state;

	configure(w, CONF, "list: billy, x@away.example\n");
	authd_is_away = true;
	assert_string_equal(resolve(w, "billy@yahoo.co.uk", false), later);
	assert_string_equal(resolve(w, "nobody@yahoo.co.uk", false), later);
	assert_string_equal(resolve(w, "list@yahoo.co.uk", false), later);
	assert_non_null(strstr(resolve(w, "x@y.example", false),
	    "kind=remote"));
}

static void
postmaster_resolves_everywhere_and_a_bare_name_at_home(void **state)
{
	struct world *w = *state;

	configure(w, CONF, "");
	assert_non_null(strstr(resolve(w, "Postmaster", false),
	    "kind=mailbox local=yes address=postmaster@yahoo.co.uk"));
	assert_non_null(strstr(resolve(w, "postmaster@mx.yahoo.co.uk", false),
	    "kind=mailbox local=yes address=postmaster@yahoo.co.uk"));
	assert_non_null(strstr(resolve(w, "postmaster@emc.fr", false),
	    "kind=mailbox local=yes address=postmaster@emc.fr"));
	/* cron writes to root, who is at home in the first domain */
	put(w, "aliases", "root: billy\n");
	assert_string_equal(resolve(w, "root", false),
	    ALIAS(1) EXACT("billy@yahoo.co.uk"));
	put(w, "aliases", "postmaster: billy\n");
	/* billy is not in emc.fr: then the one of the first domain is meant. */
	assert_string_equal(resolve(w, "postmaster@emc.fr", false),
	    ALIAS(1) EXACT("billy@yahoo.co.uk"));
}

static void
an_owner_becomes_the_sender(void **state)
{
	struct world *w = *state;

	configure(w, CONF, "list: billy\nowner-list: jane\n"
	    "one@emc.fr: jean-bob\nowner-one@emc.fr: jane\nplain: billy\n");
	assert_string_equal(resolve(w, "list+x@yahoo.co.uk", false),
	    "route kind=alias local=yes count=1 "
	    "sender=owner-list@yahoo.co.uk\n" EXACT("billy@yahoo.co.uk"));
	assert_string_equal(resolve(w, "one@emc.fr", false),
	    "route kind=alias local=yes count=1 "
	    "sender=owner-one@emc.fr\n" EXACT("jean-bob@emc.fr"));
	assert_string_equal(resolve(w, "plain@yahoo.co.uk", false),
	    ALIAS(1) EXACT("billy@yahoo.co.uk"));
	assert_string_equal(resolve(w, "owner-list@yahoo.co.uk", false),
	    ALIAS(1) EXACT("jane@yahoo.co.uk"));
}

static void
a_changed_table_is_read_again(void **state)
{
	struct buf path = BUF_INIT;
	struct world *w = *state;

	configure(w, CONF, "a: billy\n");
	assert_string_equal(resolve(w, "a@yahoo.co.uk", false),
	    ALIAS(1) EXACT("billy@yahoo.co.uk"));
	/* As long as before, and within the same tick of the clock. */
	put(w, "aliases", "a: jane,\n");
	assert_string_equal(resolve(w, "a@yahoo.co.uk", false),
	    ALIAS(1) EXACT("jane@yahoo.co.uk"));
	buf_addf(&path, "%s/aliases", w->dir);
	assert_int_equal(unlink(path.data), 0);
	assert_string_equal(resolve(w, "a@yahoo.co.uk", false), REFUSED);
	/* It is there but cannot be read: who knows what is an alias? */
	assert_int_equal(symlink(path.data, path.data), 0);
	assert_non_null(strstr(resolve(w, "a@yahoo.co.uk", false),
	    "kind=later local=yes code=451 enh=4.3.5"));
	(void)resolve(w, "billy@yahoo.co.uk", true);
	assert_int_equal(w->route.kind, ROUTE_MAILBOX);
	buf_release(&path);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(each_kind_of_address_has_its_route),
		T(with_a_relay_everything_foreign_goes_there),
		T(aliases_expand_completely),
		T(loops_and_monsters_are_refused),
		T(a_fault_in_the_table_makes_mail_wait),
		T(without_authd_only_our_own_mail_waits),
		T(postmaster_resolves_everywhere_and_a_bare_name_at_home),
		T(an_owner_becomes_the_sender),
		T(a_changed_table_is_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
