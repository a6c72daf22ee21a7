/*
 * What a reply says about a site: go on, slower, or fewer connections.
 * link: queue
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../queue/site.h"

static const struct {
	int	code;
	const char *enhanced, *phase, *text;
	enum site_result want;
} replies[] = {
	{ 250, "2.1.5", "rcpt", "250 2.1.5 ok", SITE_OK },
	{ 550, "5.7.1", "rcpt", "550 5.7.1 too many of you", SITE_OK },
	{ 450, "4.3.0", "rcpt", "450 4.3.0 database is away", SITE_OK },
	{ 452, "4.2.2", "rcpt", "452 4.2.2 mailbox full", SITE_OK },
	{ 421, "", "greeting", "421 too many connections", SITE_CROWDED },
	{ 421, "4.7.0", "rcpt", "421 4.7.0 [TSS04] not now", SITE_SLOWER },
	{ 451, "4.7.1", "data", "451 4.7.1 policy", SITE_SLOWER },
	{ 450, "4.2.1", "rcpt", "450 4.2.1 receiving at a rate that is "
	    "throttled", SITE_SLOWER },
	{ 452, "", "ehlo", "452 connection limit", SITE_CROWDED },
	/* Greylisting is about one sender and recipient, not about speed. */
	{ 451, "4.7.1", "rcpt", "451 4.7.1 Greylisted, please try again",
	    SITE_OK },
	{ 450, "4.7.25", "rcpt", "450 4.7.25 x: Graylisting in effect",
	    SITE_OK },
	{ 451, "4.7.1", "rcpt", "451 4.7.1 greylisted: too many of you",
	    SITE_SLOWER },
};

static void
a_reply_is_taken_as_what_it_says_about_the_site(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(*replies); i++)
		if (site_classify(replies[i].code, replies[i].enhanced,
		    replies[i].phase, replies[i].text) != replies[i].want)
			fail_msg("%s", replies[i].text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reply_is_taken_as_what_it_says_about_the_site),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
