/*
 * test_dns.c - lib/dns against a scripted name server, and dns_parse against
 * packets no server should send.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "deadline.h"
#include "dns.h"
#include "fake_dns.h"

#define WAIT	deadline_in(3)

static const struct fake_rr zone[] = {
	{ "yahoo.test", ns_t_mx, 20, "mx2.yahoo.test" },
	{ "yahoo.test", ns_t_mx, 10, "MX1.yahoo.test" },
	{ "mx1.yahoo.test", ns_t_a, 0, "192.0.2.1" },
	{ "mx1.yahoo.test", ns_t_a, 0, "192.0.2.2" },
	{ "mx1.yahoo.test", ns_t_aaaa, 0, "2001:db8::1" },
	{ "null.test", ns_t_mx, 0, "." },
	{ "alias.test", CNAME, 0, "mx1.yahoo.test" },
	{ "loop1.test", CNAME, 0, "loop2.test" },
	{ "loop2.test", CNAME, 0, "nowhere.else" },
	{ "text.test", ns_t_txt, 0, "v=spf1 -all" },
	{ "1.2.0.192.in-addr.arpa", ns_t_ptr, 0, "Host.test" },
	{ "broken.test", RCODE, ns_r_servfail, NULL },
	{ "refused.test", RCODE, ns_r_refused, NULL },
	{ "silent.test", RCODE, DROP, NULL },
	{ NULL, 0, 0, NULL }
};

static struct fake_dns server;
static struct dns resolver;
static struct dns_answer answer;

static void
begin(fake_mangle *mangle)
{
	char spec[64];

	server = fake_dns_start(zone, mangle);
	snprintf(spec, sizeof(spec), "127.0.0.1:%d", server.port);
	assert_int_equal(dns_init(&resolver, spec), 0);
}

static enum dns_result
query(const char *name, enum dns_type type)
{
	enum dns_result r = dns_query(&resolver, name, type, WAIT, &answer);

	assert_int_equal(r, answer.result);
	return r;
}

static void
end(void)
{
	fake_dns_stop(&server);
}

static void
records_of_each_type_are_read(void **state)
{
	struct buf ip = BUF_INIT;

	(void)state;
	begin(NULL);
	assert_int_equal(query("yahoo.test", DNS_MX), DNS_OK);
	assert_int_equal(answer.n, 2);
	assert_int_equal(answer.mx[0].pref, 10);
	assert_string_equal(answer.mx[0].host, "mx1.yahoo.test");
	assert_string_equal(answer.mx[1].host, "mx2.yahoo.test");
	assert_int_equal(answer.ttl, 60);
	assert_int_equal(query("mx1.yahoo.test", DNS_A), DNS_OK);
	assert_int_equal(answer.n, 2);
	netaddr_text(&answer.addr[1], &ip);
	assert_string_equal(buf_str(&ip), "192.0.2.2");
	buf_reset(&ip);
	assert_int_equal(query("MX1.Yahoo.Test", DNS_AAAA), DNS_OK);
	netaddr_text(&answer.addr[0], &ip);
	assert_string_equal(buf_str(&ip), "2001:db8::1");
	assert_int_equal(query("text.test", DNS_TXT), DNS_OK);
	assert_string_equal(answer.txt[0].text, "v=spf1 -all");
	assert_int_equal(answer.txt[0].len, 11);
	assert_int_equal(query("1.2.0.192.in-addr.arpa", DNS_PTR), DNS_OK);
	assert_string_equal(answer.name, "host.test");
	assert_int_equal(query("null.test", DNS_MX), DNS_OK);
	assert_string_equal(answer.mx[0].host, "");
	buf_release(&ip);
	end();
}

static void
failures_are_told_apart(void **state)
{
	(void)state;
	begin(NULL);
	assert_int_equal(query("nobody.test", DNS_MX), DNS_NXDOMAIN);
	assert_int_equal(query("mx1.yahoo.test", DNS_MX), DNS_NODATA);
	assert_int_equal(query("broken.test", DNS_MX), DNS_SERVFAIL);
	assert_int_equal(query("refused.test", DNS_MX), DNS_SERVFAIL);
	assert_int_equal(query("a..b", DNS_MX), DNS_NXDOMAIN);
	assert_int_equal(dns_query(&resolver, "silent.test", DNS_MX,
	    now_ms() + 300, &answer), DNS_TIMEOUT);
	end();
	/* Nobody listens any more: told by ICMP, so no waiting. */
	assert_int_equal(query("yahoo.test", DNS_MX), DNS_TIMEOUT);
}

static void
aliases_within_the_answer_are_followed(void **state)
{
	(void)state;
	begin(NULL);
	assert_int_equal(query("alias.test", DNS_A), DNS_OK);
	assert_int_equal(answer.n, 2);
	assert_int_equal(query("loop1.test", DNS_A), DNS_NODATA);
	end();
}

/* The first answer is lost. */
static size_t
lose_first(unsigned char *p, size_t len, unsigned count, bool tcp)
{
	(void)p;
	(void)tcp;
	return count == 0 ? 0 : len;
}

static void
a_lost_packet_is_asked_for_again(void **state)
{
	(void)state;
	begin(lose_first);
	assert_int_equal(query("yahoo.test", DNS_MX), DNS_OK);
	end();
}

static size_t
truncate_udp(unsigned char *p, size_t len, unsigned count, bool tcp)
{
	(void)count;
	if (tcp)
		return len;
	p[2] |= 0x02;
	return 20 < len ? 20 + 4 : len;	/* cut in the middle of the question */
}

static size_t
truncate_cleanly(unsigned char *p, size_t len, unsigned count, bool tcp)
{
	(void)count;
	if (!tcp)
		p[2] |= 0x02;
	return len;
}

static size_t
tcp_stalls(unsigned char *p, size_t len, unsigned count, bool tcp)
{
	(void)count;
	p[2] |= 0x02;
	return tcp ? 0 : len;
}

static void
a_truncated_answer_is_fetched_by_tcp(void **state)
{
	(void)state;
	begin(truncate_cleanly);
	assert_int_equal(query("yahoo.test", DNS_MX), DNS_OK);
	assert_int_equal(answer.n, 2);
	end();
	/* Cut inside the question it is no answer to ours. */
	begin(truncate_udp);
	assert_int_equal(dns_query(&resolver, "yahoo.test", DNS_MX,
	    now_ms() + 300, &answer), DNS_TIMEOUT);
	end();
	begin(tcp_stalls);
	assert_int_equal(dns_query(&resolver, "yahoo.test", DNS_MX,
	    now_ms() + 600, &answer), DNS_TIMEOUT);
	end();
}

static size_t
wrong_id(unsigned char *p, size_t len, unsigned count, bool tcp)
{
	(void)count;
	(void)tcp;
	p[0] ^= 0x55;
	return len;
}

static size_t
other_question(unsigned char *p, size_t len, unsigned count, bool tcp)
{
	(void)count;
	(void)tcp;
	p[13] = 'x';
	return len;
}

static void
answers_that_do_not_fit_are_ignored(void **state)
{
	(void)state;
	begin(wrong_id);
	assert_int_equal(dns_query(&resolver, "yahoo.test", DNS_MX,
	    now_ms() + 300, &answer), DNS_TIMEOUT);
	end();
	begin(other_question);
	assert_int_equal(dns_query(&resolver, "yahoo.test", DNS_MX,
	    now_ms() + 300, &answer), DNS_TIMEOUT);
	end();
}

static size_t
formerr_first(unsigned char *p, size_t len, unsigned count, bool tcp)
{
	(void)tcp;
	if (count > 0)
		return len;
	p[3] = 0x80 | ns_r_formerr;
	p[5] = p[7] = 0;
	return 12;		/* the header alone, as old servers do */
}

static void
a_server_that_dislikes_edns_is_asked_without(void **state)
{
	(void)state;
	begin(formerr_first);
	assert_int_equal(query("yahoo.test", DNS_MX), DNS_OK);
	end();
}

/* An empty answer that sends us elsewhere: no recursion, one NS record. */
static size_t
refer(unsigned char *p, size_t len, unsigned count, bool tcp)
{
	static const unsigned char ns[] = { 0xc0, 12, 0, ns_t_ns, 0, ns_c_in,
	    0, 0, 0, 60, 0, 2, 0xc0, 12 };

	(void)count;
	(void)tcp;
	p[2] = 0x80;
	p[3] = 0;
	p[9] = 1;
	memcpy(p + len, ns, sizeof(ns));
	return len + sizeof(ns);
}

static void
a_referral_is_not_taken_for_an_empty_answer(void **state)
{
	(void)state;
	begin(refer);
	assert_int_equal(query("mx1.yahoo.test", DNS_MX), DNS_SERVFAIL);
	end();
}

static size_t
set_ad(unsigned char *p, size_t len, unsigned count, bool tcp)
{
	(void)count;
	(void)tcp;
	p[3] |= 0x20;
	return len;
}

static void
the_ad_bit_counts_only_from_a_trusted_server(void **state)
{
	(void)state;
	begin(set_ad);
	assert_true(resolver.trust_ad);		/* loopback */
	assert_int_equal(query("yahoo.test", DNS_MX), DNS_OK);
	assert_true(answer.ad);
	resolver.trust_ad = false;
	assert_int_equal(query("yahoo.test", DNS_MX), DNS_OK);
	assert_false(answer.ad);
	end();
}

static void
the_next_server_is_asked_when_one_fails(void **state)
{
	struct fake_dns dead;

	(void)state;
	begin(NULL);
	dead = fake_dns_start(zone, NULL);
	fake_dns_stop(&dead);
	resolver.servers[1] = resolver.servers[0];
	assert_int_equal(netaddr_host("127.0.0.1", dead.port,
	    &resolver.servers[0]), 0);
	resolver.nservers = 2;
	assert_int_equal(query("yahoo.test", DNS_MX), DNS_OK);
	end();
}

static void
a_server_must_be_an_address(void **state)
{
	struct dns d;

	(void)state;
	assert_int_equal(dns_init(&d, "ns.example.org:53"), -1);
	assert_int_equal(dns_init(&d, "unix:/tmp/x"), -1);
	assert_int_equal(dns_init(&d, "[::1]:5353"), 0);
	assert_int_equal(netaddr_port(&d.servers[0]), 5353);
	assert_true(d.trust_ad);
	assert_int_equal(dns_init(&d, "192.0.2.53:53"), 0);
	assert_false(d.trust_ad);
}

/* ---- packets ------------------------------------------------------------ */

/* "x.t" in wire form, and a pointer to it. */
#define XT	"\001x\001t\000"
#define HEAD(an) "\x12\x34\x81\x80\0\001\0" an "\0\0\0\0"
#define Q(type)	XT "\0" type "\0\001"
#define RR(type, len)	"\xc0\014\0" type "\0\001\0\0\0\074\0" len
#define PACKET(s)	s, sizeof(s) - 1

static const struct {
	const char *what;
	enum dns_type type;
	const char *packet;
	size_t	 len;
	enum dns_result result;
} packets[] = {
	{ "a good A", DNS_A, PACKET(HEAD("\001") Q("\001")
	    RR("\001", "\004") "\300\0\002\001"), DNS_OK },
	{ "an A of three bytes", DNS_A, PACKET(HEAD("\001") Q("\001")
	    RR("\001", "\003") "\300\0\002"), DNS_BAD },
	{ "an A of five bytes", DNS_A, PACKET(HEAD("\001") Q("\001")
	    RR("\001", "\005") "\300\0\002\001\0"), DNS_BAD },
	{ "an AAAA of four bytes", DNS_AAAA, PACKET(HEAD("\001") Q("\034")
	    RR("\034", "\004") "\300\0\002\001"), DNS_BAD },
	{ "rdlength beyond the end", DNS_A, PACKET(HEAD("\001") Q("\001")
	    RR("\001", "\004") "\300\0"), DNS_BAD },
	{ "an MX of two bytes", DNS_MX, PACKET(HEAD("\001") Q("\017")
	    RR("\017", "\002") "\0\012"), DNS_BAD },
	{ "an MX with bytes behind its name", DNS_MX, PACKET(HEAD("\001")
	    Q("\017") RR("\017", "\005") "\0\012\300\014\0"), DNS_BAD },
	{ "an MX whose name leaves the rdata", DNS_MX, PACKET(HEAD("\001")
	    Q("\017") RR("\017", "\003") "\0\012\005"), DNS_BAD },
	{ "an MX that points at itself", DNS_MX, PACKET(HEAD("\001")
	    Q("\017") RR("\017", "\004") "\0\012\300\043"), DNS_BAD },
	{ "a good MX", DNS_MX, PACKET(HEAD("\001") Q("\017")
	    RR("\017", "\004") "\0\012\300\014"), DNS_OK },
	{ "a TXT without strings", DNS_TXT, PACKET(HEAD("\001") Q("\020")
	    RR("\020", "\0")), DNS_BAD },
	{ "a TXT string beyond its rdata", DNS_TXT, PACKET(HEAD("\001")
	    Q("\020") RR("\020", "\003") "\003ab"), DNS_BAD },
	{ "an empty TXT string", DNS_TXT, PACKET(HEAD("\001") Q("\020")
	    RR("\020", "\001") "\0"), DNS_OK },
	{ "65535 answers in few bytes", DNS_A,
	    PACKET("\x12\x34\x81\x80\0\001\xff\xff\0\0\0\0" Q("\001")
	    RR("\001", "\004") "\300\0\002\001"), DNS_BAD },
	{ "two questions", DNS_A, PACKET("\x12\x34\x81\x80\0\002\0\0\0\0\0\0"
	    Q("\001") Q("\001")), DNS_BAD },
	{ "no question", DNS_A, PACKET("\x12\x34\x81\x80\0\0\0\0\0\0\0\0"),
	    DNS_BAD },
	{ "a query", DNS_A, PACKET("\x12\x34\001\0\0\001\0\0\0\0\0\0"
	    Q("\001")), DNS_BAD },
	{ "another class", DNS_A, PACKET(HEAD("\001") Q("\001")
	    "\xc0\014\0\001\0\003\0\0\0\074\0\004\300\0\002\001"),
	    DNS_NODATA },
	{ "another owner", DNS_A, PACKET(HEAD("\001") Q("\001")
	    "\001y\0\0\001\0\001\0\0\0\074\0\004\300\0\002\001"),
	    DNS_NODATA },
	{ "a label of 64", DNS_A, PACKET(HEAD("\001") Q("\001")
	    "\100y\0\0\001\0\001\0\0\0\074\0\004\300\0\002\001"), DNS_BAD },
	{ "a CNAME loop", DNS_A, PACKET(HEAD("\001") Q("\001")
	    RR("\005", "\002") "\300\014"), DNS_BAD },
	{ "half a header", DNS_A, PACKET("\x12\x34\x81\x80\0\001"), DNS_BAD },
	{ "NXDOMAIN", DNS_A, PACKET("\x12\x34\x81\x83\0\001\0\0\0\0\0\0"
	    Q("\001")), DNS_NXDOMAIN },
};

static void
malformed_packets_are_bad_and_nothing_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		/* exactly as long as the packet, so ASan sees a step too far */
		unsigned char *copy = malloc(packets[i].len);
		enum dns_result r;
		bool tc;

		assert_non_null(copy);
		memcpy(copy, packets[i].packet, packets[i].len);
		r = dns_parse(copy, packets[i].len, "x.t", packets[i].type,
		    &answer, &tc);
		if (r != packets[i].result)
			fail_msg("%s: %s", packets[i].what,
			    dns_result_text(r));
		assert_false(tc);
		assert_true(r == DNS_OK ? answer.n > 0 : answer.n == 0);
		free(copy);
	}
}

static void
names_that_cannot_exist_are_not_asked_for(void **state)
{
	unsigned char out[DNS_QUESTION_MAX];
	char name[300];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[63] = '.';
	name[127] = '.';
	name[191] = '.';
	name[253] = '\0';
	assert_int_equal(dns_question(name, DNS_A, out), 255 + 4);
	name[253] = 'a';
	name[254] = '\0';
	assert_int_equal(dns_question(name, DNS_A, out), -1);
	memset(name, 'a', sizeof(name));
	name[64] = '\0';
	assert_int_equal(dns_question(name, DNS_A, out), -1);
	assert_int_equal(dns_question("", DNS_A, out), 5);
	assert_int_equal(dns_question("a.", DNS_A, out), 7);
	assert_int_equal(dns_question(".a", DNS_A, out), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_of_each_type_are_read),
		cmocka_unit_test(failures_are_told_apart),
		cmocka_unit_test(aliases_within_the_answer_are_followed),
		cmocka_unit_test(a_lost_packet_is_asked_for_again),
		cmocka_unit_test(a_truncated_answer_is_fetched_by_tcp),
		cmocka_unit_test(answers_that_do_not_fit_are_ignored),
		cmocka_unit_test(a_server_that_dislikes_edns_is_asked_without),
		cmocka_unit_test(a_referral_is_not_taken_for_an_empty_answer),
		cmocka_unit_test(the_ad_bit_counts_only_from_a_trusted_server),
		cmocka_unit_test(the_next_server_is_asked_when_one_fails),
		cmocka_unit_test(a_server_must_be_an_address),
		cmocka_unit_test(malformed_packets_are_bad_and_nothing_else),
		cmocka_unit_test(names_that_cannot_exist_are_not_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
