/*
 * aliases(5) as we read it.
 * link: local
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../local/resolve.h"

/* A table as text: "name(line)=kind target|kind target;" in order. */
static void
show(const struct aliases *t, struct buf *out)
{
	static const char kinds[] = "AEPFIB";

	for (size_t i = 0; i < t->n; i++) {
		buf_addf(out, "%s(%u)=", t->v[i].name, t->v[i].line);
		for (size_t j = 0; j < t->v[i].ntargets; j++)
			buf_addf(out, "%s%c %s", j == 0 ? "" : "|",
			    kinds[t->v[i].targets[j].kind],
			    t->v[i].targets[j].text);
		buf_addc(out, ';');
	}
}

static const struct {
	const char *text, *table, *complaints;
} grammar[] = {
	{ "", "", "" },
	{ "\n  \n# x\n   # y\n", "", "" },
	{ "a: b", "a(1)=A b;", "" },
	{ "a:b,c\n", "a(1)=A b|A c;", "" },
	{ "a : b , c ,\n", "a(1)=A b|A c;", "" },
	{ "Root: Billy@Yahoo.CO.UK\n", "root(1)=A Billy@yahoo.co.uk;", "" },
	{ "all@D.example: x\n", "all@d.example(1)=A x;", "" },
	{ "a: b,\n\tc\n", "a(1)=A b|A c;", "" },
	{ "a: b,\r\n\tc\r\n", "a(1)=A b|A c;", "" },
	{ "a: b,\n# no\n\n  c\nd: e\n", "a(1)=A b|A c;d(5)=A e;", "" },
	{ "a: b # c, d\n\t, e\n", "a(1)=A b|A e;", "" },
	{ "a: b#c\n", "a(1)=A b#c;", "" },
	{ "a: \\a, x\n", "a(1)=E a|A x;", "" },
	{ "a: <x@y.z>, \\<q>\n", "a(1)=A x@y.z|E q;", "" },
	{ "\"first last\": \"a,b\"@c.d\n",
	    "\"first last\"(1)=A \"a,b\"@c.d;", "" },
	{ "\"plain\": x\n", "plain(1)=A x;", "" },
	{ "b: x\na: y\n", "a(2)=A y;b(1)=A x;", "" },
	{ "j\303\251r\303\264me: x\n", "j\303\251r\303\264me(1)=A x;", "" },
	/* What we do not do waits, and says so. */
	{ "a: |prog x\n", "a(1)=P |prog x;",
	    "aliases:1: a program, which is not supported\n" },
	{ "a: \"|prog x, y\", b\n", "a(1)=P \"|prog x, y\"|A b;",
	    "aliases:1: a program, which is not supported\n" },
	{ "\na: /f\n", "a(2)=F /f;",
	    "aliases:2: a file, which is not supported\n" },
	{ "a: :include:/f\n", "a(1)=I :include:/f;",
	    "aliases:1: an :include:, which is not supported\n" },
	{ "a:\n", "a(1)=B ;", "aliases:1: no address\n" },
	{ "a: # b\n", "a(1)=B ;", "aliases:1: no address\n" },
	{ "a: b c\n", "a(1)=B b c;", "aliases:1: no address\n" },
	{ "a: b\n  c\n", "a(1)=B b\n  c;", "aliases:1: no address\n" },
	{ "a: \"b, c\n", "a(1)=B \"b, c;", "aliases:1: no address\n" },
	{ "a: b\001\n", "a(1)=B b\001;", "aliases:1: no address\n" },
	{ "a: Bob <bob@x.y>\n", "a(1)=B Bob <bob@x.y>;",
	    "aliases:1: no address\n" },
	/* Lines without a name are only told. */
	{ "  a: b\n", "", "aliases:1: continues no line\n" },
	{ "a b\nc: d\n", "c(2)=A d;", "aliases:1: \"name:\" is missing\n" },
	{ "a b: c\n", "", "aliases:1: this is no name for an alias\n" },
	{ ": c\n", "", "aliases:1: this is no name for an alias\n" },
	{ "@d.e: c\n", "", "aliases:1: this is no name for an alias\n" },
	/* The first one counts. */
	{ "a: b\nA: c\n", "a(1)=A b;",
	    "aliases:2: line 1 has this name already\n" },
};

static void
the_grammar_holds(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(grammar) / sizeof(grammar[0]); i++) {
		struct buf table = BUF_INIT, complaints = BUF_INIT;
		struct aliases t;

		aliases_parse(grammar[i].text, strlen(grammar[i].text), &t,
		    &complaints);
		show(&t, &table);
		assert_string_equal(buf_str(&table), grammar[i].table);
		assert_string_equal(buf_str(&complaints),
		    grammar[i].complaints);
		aliases_release(&t);
		buf_release(&table);
		buf_release(&complaints);
	}
}

static void
a_nul_byte_makes_a_target_bad(void **state)
{
	static const char text[] = "a: b\0c\nd: e\n";
	struct buf complaints = BUF_INIT;
	struct aliases t;

	(void)state;
	aliases_parse(text, sizeof(text) - 1, &t, &complaints);
	assert_int_equal(t.n, 2);
	assert_int_equal(aliases_find(&t, "a")->targets[0].kind, ALIAS_BAD);
	assert_int_equal(aliases_find(&t, "d")->targets[0].kind, ALIAS_ADDRESS);
	aliases_release(&t);
	buf_release(&complaints);
}

static void
ten_thousand_names_are_found(void **state)
{
	struct buf text = BUF_INIT, complaints = BUF_INIT, name = BUF_INIT;
	struct aliases t;

	(void)state;
	for (int i = 9999; i >= 0; i--)
		buf_addf(&text, "user%d: u%d@x.y\n", i, i);
	aliases_parse(text.data, text.len, &t, &complaints);
	assert_int_equal(t.n, 10000);
	assert_int_equal(complaints.len, 0);
	for (int i = 0; i < 10000; i += 37) {
		buf_reset(&name);
		buf_addf(&name, "user%d", i);
		assert_non_null(aliases_find(&t, name.data));
	}
	assert_null(aliases_find(&t, "user10000"));
	aliases_release(&t);
	buf_release(&text);
	buf_release(&name);
	buf_release(&complaints);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_grammar_holds),
		cmocka_unit_test(a_nul_byte_makes_a_target_bad),
		cmocka_unit_test(ten_thousand_names_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
