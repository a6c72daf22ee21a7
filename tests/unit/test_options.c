/*
 * Options are written out, or they are none.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "options.h"

static const struct option words[] = {
	{ "all",    no_argument,       NULL, 'a' },
	{ "allow",  no_argument,       NULL, 'A' },
	{ "sender", required_argument, NULL, 's' },
	{ "yes",    no_argument,       NULL, 'y' },
	{ NULL, 0, NULL, 0 }
};

/* The options these words are, a letter each, '?' the last. */
static void
assert_read_as(const char *const given[], const char *wanted)
{
	char *argv[8] = { (char *)(uintptr_t)"rm" }, got[8] = "";
	int argc = 1, ch;

	for (; given[argc - 1] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)given[argc - 1];
	optind = 0;
	for (size_t n = 0; (ch = options_next(argc, argv, "n", words)) != -1;
	    n++) {
		got[n] = (char)ch;
		if (ch == '?')
			break;
	}
	assert_string_equal(got, wanted);
}
#define READ_AS(wanted, ...)						\
	assert_read_as((const char *const[]){ __VA_ARGS__, NULL }, wanted)

static void
whole_words_are_options(void **state)
{
	(void)state;
	READ_AS("ay", "--all", "--yes");
	READ_AS("A", "--allow");
	READ_AS("sn", "--sender", "x", "-n");
	READ_AS("s", "--sender=x");
	READ_AS("ay", "id", "--all", "id", "--yes");
	READ_AS("n", "-n", "--", "--al");
}

static void
half_a_word_is_none(void **state)
{
	(void)state;
	READ_AS("?", "--y");
	READ_AS("?", "--al");
	READ_AS("?", "--sen=x");
	READ_AS("?", "--sen", "x");
	READ_AS("n?", "-n", "id", "--ye");
	READ_AS("?", "--nothing");
	READ_AS("?", "--sende=sender");
}

static void
an_argument_may_look_like_half_an_option(void **state)
{
	(void)state;
	READ_AS("sy", "--sender", "--al", "--yes");
	READ_AS("sy", "--sender", "--sender", "--yes");
	READ_AS("sy", "--sender=--ye", "--yes");
	READ_AS("s", "--sender=");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_words_are_options),
		cmocka_unit_test(half_a_word_is_none),
		cmocka_unit_test(an_argument_may_look_like_half_an_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
