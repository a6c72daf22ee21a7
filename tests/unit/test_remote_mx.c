/*
 * test_remote_mx.c - the way to a host: MX, addresses, loops, the race, and
 * which failures may be permanent.
 * link: remote
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/mman.h>

#include "../../remote/remote.h"
#include "deadline.h"
#include "fake_dns.h"
#include "fake_smtp.h"

#define A	ns_t_a
#define AAAA	ns_t_aaaa
#define MX	ns_t_mx

static const struct fake_rr zone[] = {
	{ "two.test", MX, 20, "b.test" },
	{ "two.test", MX, 10, "a.test" },
	{ "a.test", A, 0, "127.0.0.2" },
	{ "b.test", A, 0, "127.0.0.3" },
	{ "equal.test", MX, 10, "a.test" },
	{ "equal.test", MX, 10, "b.test" },
	{ "implicit.test", A, 0, "127.0.0.2" },
	{ "null.test", MX, 0, "." },
	{ "bare.test", ns_t_txt, 0, "nothing else" },
	{ "fail.test", RCODE, ns_r_servfail, NULL },
	{ "literal.test", MX, 10, "127.0.0.2" },
	{ "cname.test", MX, 10, "alias.test" },
	{ "alias.test", CNAME, 0, "a.test" },
	{ "gone.test", MX, 10, "nowhere.test" },
	{ "gone.test", MX, 20, "a.test" },
	{ "lost.test", MX, 10, "nowhere.test" },
	{ "shaky.test", MX, 10, "fail.test" },
	{ "both.test", MX, 10, "v46.test" },
	{ "v46.test", A, 0, "127.0.0.2" },
	{ "v46.test", A, 0, "127.0.0.3" },
	{ "v46.test", AAAA, 0, "2001:db8::1" },
	{ "v46.test", AAAA, 0, "2001:db8::2" },
	{ "self.test", MX, 10, "me.test" },
	{ "selfb.test", MX, 10, "a.test" },
	{ "selfb.test", MX, 20, "me.test" },
	{ "selfb.test", MX, 30, "b.test" },
	{ "me.test", A, 0, "127.0.0.9" },
	{ "many.test", MX, 10, "many.test" },
	{ "many.test", A, 0, "127.0.1.1" }, { "many.test", A, 0, "127.0.1.2" },
	{ "many.test", A, 0, "127.0.1.3" }, { "many.test", A, 0, "127.0.1.4" },
	{ "many.test", A, 0, "127.0.1.5" }, { "many.test", A, 0, "127.0.1.6" },
	{ "many.test", A, 0, "127.0.1.7" }, { "many.test", A, 0, "127.0.1.8" },
	{ "many.test", A, 0, "127.0.1.9" }, { "many.test", A, 0, "127.0.1.10" },
	{ "many.test", A, 0, "127.0.1.11" },
	{ "many.test", A, 0, "127.0.1.12" },
	{ NULL, 0, 0, NULL }
};

static char hostname[] = "emc.test", listen_self[] = "127.0.0.9:65025";
static char *listeners[] = { listen_self, NULL };
static struct config cfg;
static struct remote r;
static struct fake_dns dns;
static struct job job;
static struct route route;
static struct outcome why;

static int
setup(void **state)
{
	char spec[64];

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	dns = fake_dns_start(zone, NULL);
	snprintf(spec, sizeof(spec), "127.0.0.1:%d", dns.port);
	cfg.hostname = hostname;
	cfg.remote_port = 65025;
	cfg.listen_smtp.v = listeners;
	cfg.listen_smtp.n = 1;
	r.cfg = &cfg;
	r.wait = rfc_timeouts;
	return dns_init(&r.dns, spec);
}

static int
teardown(void **state)
{
	(void)state;
	fake_dns_stop(&dns);
	return 0;
}

static void
make_job(const char *dest, const char *relay)
{
	char to[300];

	job_init(&job);
	job.id = xstrdup("-");
	job.sender = xstrdup("jean-bob@emc.test");
	job.dest = xstrdup(dest);
	if (relay != NULL)
		job.relay = xstrdup(relay);
	snprintf(to, sizeof(to), "billy@%s", dest);
	job_add(&job, to);
	job.fd = memfd_create("message", MFD_CLOEXEC);
	assert_int_equal(write(job.fd, "hi\n", 3), 3);
	job.size = 3;
}

/* "a.test/127.0.0.2 b.test/127.0.0.3 | ...": the groups, as text. */
static const char *
walk(const char *dest, const char *relay)
{
	static struct buf b;

	buf_reset(&b);
	make_job(dest, relay);
	outcome_set(&why, DEFER, "4.4.1", "", "%s", "");
	if (route_find(&r, &job, &route, &why)) {
		while (route_group(&r, &route, &why)) {
			if (b.len > 0)
				buf_adds(&b, "| ");
			for (unsigned i = 0; i < route.ntargets; i++) {
				buf_addf(&b, "%s/", route.target[i].host);
				netaddr_text(&route.target[i].addr, &b);
				buf_addf(&b, ":%d ", netaddr_port(
				    &route.target[i].addr));
			}
		}
	}
	job_release(&job);
	return buf_str(&b);
}

static void
hosts_come_in_the_order_of_preference(void **state)
{
	const char *s;

	(void)state;
	assert_string_equal(walk("two.test", NULL),
	    "a.test/127.0.0.2:65025 | b.test/127.0.0.3:65025 ");
	s = walk("equal.test", NULL);
	if (s[0] == 'a')
		assert_string_equal(s,
		    "a.test/127.0.0.2:65025 b.test/127.0.0.3:65025 ");
	else
		assert_string_equal(s,
		    "b.test/127.0.0.3:65025 a.test/127.0.0.2:65025 ");
	assert_string_equal(walk("implicit.test", NULL),
	    "implicit.test/127.0.0.2:65025 ");
	assert_string_equal(walk("gone.test", NULL),
	    "a.test/127.0.0.2:65025 ");
}

static void
strange_mx_records_are_tolerated(void **state)
{
	(void)state;
	assert_string_equal(walk("literal.test", NULL),
	    "127.0.0.2/127.0.0.2:65025 ");
	assert_string_equal(walk("cname.test", NULL),
	    "alias.test/127.0.0.2:65025 ");
}

static void
both_families_take_turns(void **state)
{
	(void)state;
	assert_string_equal(walk("both.test", NULL),
	    "v46.test/2001:db8::1:65025 v46.test/127.0.0.2:65025 "
	    "v46.test/2001:db8::2:65025 v46.test/127.0.0.3:65025 ");
}

static void
the_number_of_addresses_is_capped(void **state)
{
	(void)state;
	make_job("many.test", NULL);
	assert_true(route_find(&r, &job, &route, &why));
	assert_true(route_group(&r, &route, &why));
	assert_int_equal(route.ntargets, ADDRS_MAX);
	assert_false(route_group(&r, &route, &why));
	job_release(&job);
}

static void
literals_and_relays_are_used_as_given(void **state)
{
	(void)state;
	assert_string_equal(walk("[192.0.2.7]", NULL),
	    "192.0.2.7/192.0.2.7:65025 ");
	assert_string_equal(walk("[IPv6:2001:db8::7]", NULL),
	    "2001:db8::7/2001:db8::7:65025 ");
	assert_string_equal(walk("two.test", "192.0.2.7:2525"),
	    "192.0.2.7/192.0.2.7:2525 ");
	assert_string_equal(walk("two.test", "[2001:db8::7]:2525"),
	    "2001:db8::7/2001:db8::7:2525 ");
	assert_string_equal(walk("two.test", "b.test:26"),
	    "b.test/127.0.0.3:26 ");
	assert_string_equal(walk("two.test", "[b.test]:26"),
	    "b.test/127.0.0.3:26 ");
}

static const struct {
	const char *dest, *relay;
	enum status status;
	const char *enh;
	int	 code;
} verdicts[] = {
	{ "null.test", NULL, FAIL, "5.1.10", 556 },
	{ "nobody.test", NULL, FAIL, "5.1.2", 0 },
	{ "bare.test", NULL, FAIL, "5.4.4", 0 },
	{ "self.test", NULL, FAIL, "5.4.6", 0 },
	{ "me.test", NULL, FAIL, "5.4.6", 0 },
	{ "[127.0.0.9]", NULL, FAIL, "5.4.6", 0 },
	{ "[127.0.0.300]", NULL, FAIL, "5.1.2", 0 },
	{ "caf\303\251.test", NULL, FAIL, "5.1.2", 0 },
	{ "fail.test", NULL, DEFER, "4.4.3", 0 },
	{ "lost.test", NULL, DEFER, "4.4.4", 0 },
	{ "shaky.test", NULL, DEFER, "4.4.3", 0 },
	/* A relay host is our administrator's business: never permanent. */
	{ "two.test", "nobody.test:25", DEFER, "4.4.4", 0 },
	{ "two.test", "fail.test:25", DEFER, "4.4.3", 0 },
	{ "two.test", "nonsense", DEFER, "4.3.5", 0 },
	{ "two.test", "a.test:0", DEFER, "4.3.5", 0 },
	{ "two.test", "127.0.0.9:65025", DEFER, "4.3.5", 0 },
	{ "two.test", "me.test:65025", DEFER, "4.3.5", 0 },
};

static void
only_clear_answers_are_permanent(void **state)
{
	struct client c;

	(void)state;
	client_init(&c, &r);
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		const struct outcome *o;

		make_job(verdicts[i].dest, verdicts[i].relay);
		deliver(&r, &c, &job);
		o = &job.rcpts[0].outcome;
		if (o->status != verdicts[i].status ||
		    strcmp(o->enh, verdicts[i].enh) != 0 ||
		    o->code != verdicts[i].code)
			fail_msg("%s: status %d %s %s", verdicts[i].dest,
			    o->status, o->enh, o->text);
		if (o->status == FAIL)
			assert_null(c.fault);
		else
			assert_string_equal(c.fault, "dns");
		assert_string_equal(o->phase, "dns");
		job_release(&job);
	}
	client_release(&c);
}

static void
hosts_as_bad_as_ourselves_are_left_out(void **state)
{
	(void)state;
	assert_string_equal(walk("selfb.test", NULL),
	    "a.test/127.0.0.2:65025 ");
	/* With a better host in front, it may come back: no loop verdict. */
	assert_int_equal(why.status, DEFER);
}

static void
ourselves_is_an_address_and_a_port(void **state)
{
	static const struct {
		const char *listen, *addr;
		bool	 self;
	} cases[] = {
		{ "127.0.0.9:25", "127.0.0.9:25", true },
		{ "127.0.0.9:25", "127.0.0.9:26", false },
		{ "127.0.0.9:25", "127.0.0.8:25", false },
		{ ":25", "127.0.0.8:25", true },
		{ ":25", "[::1]:25", true },
		{ ":25", "192.0.2.1:25", false },
		{ "0.0.0.0:25", "127.0.0.1:25", true },
		{ "127.0.0.1:25", "0.0.0.0:25", true },
		{ "127.0.0.1:25", "[::ffff:127.0.0.1]:25", true },
		{ "unix:/x", "127.0.0.1:25", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *entry = xstrdup(cases[i].listen);
		char *list[] = { entry, NULL };
		struct config c = { .listen_smtp = { list, 1 } };
		struct netaddr a;

		assert_int_equal(netaddr_parse(cases[i].addr, &a), 0);
		if (is_ourselves(&c, &a) != cases[i].self)
			fail_msg("%s at %s", cases[i].addr, cases[i].listen);
		free(entry);
	}
}

/* ---- the race ----------------------------------------------------------- */

static const struct step greet[] = { { '>', "220 hi\r\n" }, { 'E', NULL },
	{ 0, NULL } };

static void
add(struct target *t, const char *host, const char *addr)
{
	memset(t, 0, sizeof(*t));
	(void)strlcpy(t->host, host, sizeof(t->host));
	assert_int_equal(netaddr_parse(addr, &t->addr), 0);
}

static void
a_dead_address_costs_little(void **state)
{
	struct fake_smtp s = fake_smtp_at("127.0.0.2", 0, greet);
	struct target t[3];
	char spec[64];
	unsigned which = 9;
	int64_t start = now_ms();
	int fd;

	(void)state;
	/* Refused at once; then the live one; the third is never needed. */
	add(&t[0], "dead", "127.0.0.3:1");
	snprintf(spec, sizeof(spec), "127.0.0.2:%d", s.port);
	add(&t[1], "live", spec);
	add(&t[2], "spare", "127.0.0.3:1");
	fd = connect_race(t, 3, 10, &which, &why);
	assert_int_not_equal(fd, -1);
	assert_int_equal(which, 1);
	assert_true(now_ms() - start < 200);
	assert_true(t[0].tried && t[1].tried);
	assert_false(t[2].tried);
	(void)close(fd);
	assert_true(fake_smtp_ended_well(&s));
}

/* A listener whose backlog is full swallows the SYN: a host that is dead. */
static int
black_hole(char *spec, size_t size, int *filler)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	for (int i = 0; i < 2; i++) {
		filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK |
		    SOCK_CLOEXEC, 0);
		(void)connect(filler[i], (struct sockaddr *)&sin, len);
	}
	snprintf(spec, size, "127.0.0.1:%d", ntohs(sin.sin_port));
	return fd;
}

static void
a_silent_address_is_overtaken_after_a_quarter_second(void **state)
{
	struct fake_smtp s = fake_smtp_at("127.0.0.2", 0, greet);
	struct target t[2];
	char spec[64];
	int filler[2], hole = black_hole(spec, sizeof(spec), filler), fd;
	unsigned which = 9;
	int64_t start = now_ms(), took;

	(void)state;
	add(&t[0], "hole", spec);
	snprintf(spec, sizeof(spec), "127.0.0.2:%d", s.port);
	add(&t[1], "live", spec);
	fd = connect_race(t, 2, 10, &which, &why);
	took = now_ms() - start;
	assert_int_equal(which, 1);
	assert_true(took >= 240 && took < 2000);
	assert_false(t[0].tried);	/* it may still be good */
	(void)close(fd);
	assert_true(fake_smtp_ended_well(&s));
	/* Alone it runs into its own timeout. */
	start = now_ms();
	assert_int_equal(connect_race(t, 1, 1, &which, &why), -1);
	took = now_ms() - start;
	assert_true(took >= 1000 && took < 3000);
	assert_true(t[0].tried);
	assert_string_equal(why.enh, "4.4.1");
	(void)close(filler[0]);
	(void)close(filler[1]);
	(void)close(hole);
}

static void
no_answer_anywhere_defers(void **state)
{
	struct target t[2];
	unsigned which;

	(void)state;
	add(&t[0], "x", "127.0.0.3:1");
	add(&t[1], "y", "127.0.0.3:1");
	assert_int_equal(connect_race(t, 2, 10, &which, &why), -1);
	assert_int_equal(why.status, DEFER);
	assert_string_equal(why.phase, "connect");
	assert_string_equal(why.ip, "127.0.0.3");
	assert_non_null(strstr(why.text, "refused"));
}

/* ---- from host to host -------------------------------------------------- */

#define TAKE	{ '>', "220 hi\r\n" }, { '<', "EHLO" }, { '>', "250 hi\r\n" }, \
	{ '<', "MAIL" }, { '>', "250 ok\r\n" }, { '<', "RCPT" }, \
	{ '>', "250 ok\r\n" }, { '<', "DATA" }, { '>', "354 go\r\n" }, \
	{ 'D', "hi\n" }, { '>', "250 2.0.0 ok\r\n" }, { 'E', NULL }, { 0, NULL }

/* Two servers on one port: a.test is 127.0.0.2, b.test is 127.0.0.3. */
static struct fake_smtp a, b;

static void
two_hosts(const struct step *sa, const struct step *sb)
{
	struct client c;

	a = fake_smtp_at("127.0.0.2", 0, sa);
	b = fake_smtp_at("127.0.0.3", a.port, sb);
	cfg.remote_port = a.port;
	client_init(&c, &r);
	make_job("two.test", NULL);
	deliver(&r, &c, &job);
	client_quit(&c);
	client_release(&c);
	cfg.remote_port = 65025;
}

static const struct step take[] = { TAKE };

static void
the_next_host_is_tried_when_the_first_fails(void **state)
{
	static const struct step ways[][8] = {
		{ { '>', "554 not here\r\n" }, { 'E', NULL }, { 0, NULL } },
		{ { '>', "450 not now\r\n" }, { 'E', NULL }, { 0, NULL } },
		{ { '>', "hello\r\n" }, { 'E', NULL }, { 0, NULL } },
		{ { 'X', NULL }, { 0, NULL } },
		{ { '>', "220 hi\r\n" }, { '<', "EHLO" },
		    { '>', "250 hi\r\n" }, { '<', "MAIL" }, { 0, NULL } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		two_hosts(ways[i], take);
		if (job.rcpts[0].outcome.status != DONE)
			fail_msg("%zu: %s", i, job.rcpts[0].outcome.text);
		assert_string_equal(job.rcpts[0].outcome.host, "b.test");
		job_release(&job);
		fake_smtp_stop(&a);
		assert_true(fake_smtp_ended_well(&b));
	}
}

static void
a_421_keeps_us_from_the_worse_host(void **state)
{
	static const struct step ways[][8] = {
		{ { '>', "421 4.3.2 busy\r\n" }, { 'E', NULL }, { 0, NULL } },
		{ { '>', "220 hi\r\n" }, { '<', "EHLO" },
		    { '>', "421 busy\r\n" }, { 'E', NULL }, { 0, NULL } },
		{ { '>', "220 hi\r\n" }, { '<', "EHLO" },
		    { '>', "250 hi\r\n" }, { '<', "MAIL" },
		    { '>', "421 4.7.0 slow down\r\n" }, { 'E', NULL },
		    { 0, NULL } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		two_hosts(ways[i], take);
		assert_int_equal(job.rcpts[0].outcome.status, DEFER);
		assert_int_equal(job.rcpts[0].outcome.code, 421);
		job_release(&job);
		assert_true(fake_smtp_ended_well(&a));
		fake_smtp_stop(&b);
	}
}

static void
a_refusal_at_rcpt_is_not_carried_to_the_next_host(void **state)
{
	static const struct step refuse[] = { { '>', "220 hi\r\n" },
		{ '<', "EHLO" }, { '>', "250 hi\r\n" }, { '<', "MAIL" },
		{ '>', "250 ok\r\n" }, { '<', "RCPT" },
		{ '>', "550 5.1.1 no\r\n" }, { 'E', NULL }, { 0, NULL } };

	(void)state;
	two_hosts(refuse, take);
	assert_int_equal(job.rcpts[0].outcome.status, FAIL);
	assert_string_equal(job.rcpts[0].outcome.host, "a.test");
	job_release(&job);
	assert_true(fake_smtp_ended_well(&a));
	fake_smtp_stop(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_come_in_the_order_of_preference),
		cmocka_unit_test(strange_mx_records_are_tolerated),
		cmocka_unit_test(both_families_take_turns),
		cmocka_unit_test(the_number_of_addresses_is_capped),
		cmocka_unit_test(literals_and_relays_are_used_as_given),
		cmocka_unit_test(only_clear_answers_are_permanent),
		cmocka_unit_test(hosts_as_bad_as_ourselves_are_left_out),
		cmocka_unit_test(ourselves_is_an_address_and_a_port),
		cmocka_unit_test(a_dead_address_costs_little),
		cmocka_unit_test(
		    a_silent_address_is_overtaken_after_a_quarter_second),
		cmocka_unit_test(no_answer_anywhere_defers),
		cmocka_unit_test(the_next_host_is_tried_when_the_first_fails),
		cmocka_unit_test(a_421_keeps_us_from_the_worse_host),
		cmocka_unit_test(
		    a_refusal_at_rcpt_is_not_carried_to_the_next_host),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
