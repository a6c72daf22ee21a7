/*
 * test_netaddr.c - what is an address, who is the same client, and that we
 * can listen where a crash left a socket file, but not where somebody does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "netaddr.h"

#define N(a)	(sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *spec, *text;	/* text NULL: malformed */
	int port;
} specs[] = {
	{ "1.2.3.4:25",		"1.2.3.4",	25 },
	{ "127.0.0.1:0",	"127.0.0.1",	0 },
	{ "[::1]:65535",	"::1",		65535 },
	{ "[2001:DB8:0::7]:25",	"2001:db8::7",	25 },
	{ "[::ffff:1.2.3.4]:25", "1.2.3.4",	25 },
	{ ":25",		"::",		25 },
	{ "unix:/run/x",	"unix",		0 },
	{ "",			NULL,		0 },
	{ "25",			NULL,		0 },
	{ "1.2.3.4",		NULL,		0 },
	{ "1.2.3.4:",		NULL,		0 },
	{ "1.2.3.4:65536",	NULL,		0 },
	{ "1.2.3.4:+25",	NULL,		0 },
	{ "1.2.3.4: 25",	NULL,		0 },
	{ "1.2.3.4:25x",	NULL,		0 },
	{ "1.2.3:25",		NULL,		0 },
	{ "1.2.3.256:25",	NULL,		0 },
	{ "::1:25",		NULL,		0 },
	{ "[1.2.3.4]:25",	NULL,		0 },
	{ "[::1]25",		NULL,		0 },
	{ "[::1:25",		NULL,		0 },
	{ "[]:25",		NULL,		0 },
	{ "]:25",		NULL,		0 },
	{ "[::1%lo]:25",	NULL,		0 },
	{ "localhost:25",	NULL,		0 },
	{ "unix:",		NULL,		0 },
	{ "[0000000000000000000000000000000000000000000000000::1]:2", NULL, 0 },
};

static void
listen_specs_are_parsed(void **state)
{
	struct netaddr a;
	struct buf b = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < N(specs); i++) {
		if (netaddr_parse(specs[i].spec, &a) == -1) {
			if (specs[i].text != NULL)
				fail_msg("%s is refused", specs[i].spec);
			continue;
		}
		if (specs[i].text == NULL)
			fail_msg("%s is taken", specs[i].spec);
		buf_reset(&b);
		netaddr_text(&a, &b);
		assert_string_equal(b.data, specs[i].text);
		assert_int_equal(netaddr_port(&a), specs[i].port);
	}
	buf_release(&b);
}

static void
a_unix_path_that_does_not_fit_is_refused(void **state)
{
	struct netaddr a;
	char spec[5 + 120];

	(void)state;
	memset(spec, 'x', sizeof(spec));
	memcpy(spec, "unix:", 5);
	spec[5 + 108] = '\0';
	assert_int_equal(netaddr_parse(spec, &a), -1);
	spec[5 + 107] = '\0';
	assert_int_equal(netaddr_parse(spec, &a), 0);
}

static struct netaddr
host(const char *s)
{
	struct netaddr a;

	assert_int_equal(netaddr_host(s, 25, &a), 0);
	return a;
}

static const struct {
	const char *address;
	bool loopback;
} loopbacks[] = {
	{ "127.0.0.1", true }, { "127.255.0.9", true }, { "::1", true },
	{ "::ffff:127.0.0.1", true }, { "128.0.0.1", false },
	{ "::2", false }, { "::", false }, { "0.0.0.0", false },
	{ "::ffff:10.0.0.1", false },
};

static void
loopback_is_known_in_every_form(void **state)
{
	struct netaddr a;

	(void)state;
	for (size_t i = 0; i < N(loopbacks); i++) {
		a = host(loopbacks[i].address);
		assert_int_equal(netaddr_is_loopback(&a),
		    loopbacks[i].loopback);
	}
	assert_int_equal(netaddr_parse("unix:/x", &a), 0);
	assert_true(netaddr_is_loopback(&a));
	memset(&a, 0, sizeof(a));
	assert_false(netaddr_is_loopback(&a));
}

static bool
same_client(const char *a, const char *b)
{
	struct netaddr one = host(a), other = host(b);
	unsigned char x[NETADDR_CLIENT], y[NETADDR_CLIENT];

	netaddr_client(&one, x);
	netaddr_client(&other, y);
	return memcmp(x, y, sizeof(x)) == 0;
}

static void
clients_are_counted_by_address_or_by_64(void **state)
{
	(void)state;
	assert_true(same_client("192.0.2.1", "192.0.2.1"));
	assert_true(same_client("192.0.2.1", "::ffff:192.0.2.1"));
	assert_false(same_client("192.0.2.1", "192.0.2.2"));
	assert_true(same_client("2001:db8:0:1::1", "2001:db8:0:1:ffff::"));
	assert_false(same_client("2001:db8:0:1::1", "2001:db8:0:2::1"));
	assert_false(same_client("192.0.2.1", "2001:db8:0:1::1"));
	/* The same first bytes, but of another kind. */
	assert_false(same_client("32.1.13.184", "2001:db8::1"));
}

static const struct {
	const char *network, *address;
	bool in;
} networks[] = {
	{ "192.0.2.0/24",	"192.0.2.255",		true },
	{ "192.0.2.0/24",	"192.0.3.0",		false },
	{ "192.0.2.0/24",	"::ffff:192.0.2.9",	true },
	{ "192.0.2.128/25",	"192.0.2.127",		false },
	{ "192.0.2.128/25",	"192.0.2.128",		true },
	{ "127.0.0.1",		"127.0.0.1",		true },
	{ "127.0.0.1",		"127.0.0.2",		false },
	{ "0.0.0.0/0",		"203.0.113.9",		true },
	{ "0.0.0.0/0",		"2001:db8::1",		false },
	{ "::/0",		"2001:db8::1",		true },
	{ "::/0",		"192.0.2.1",		false },
	{ "2001:db8::/32",	"2001:db8:ffff::1",	true },
	{ "2001:db8::/33",	"2001:db8:ffff::1",	false },
	{ "::1",		"::1",			true },
	{ "::ffff:192.0.2.0/120", "192.0.2.7",		true },
};

static const char *const malformed[] = {
	"", "/", "/24", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1",
	"192.0.2.0/24/24", "192.0.2/24", "2001:db8::/129", "::1/x", "example",
	"192.0.2.0/ 8", "192.0.2.0 /8", "::ffff:192.0.2.0/24",
};

static void
networks_hold_their_addresses_and_no_others(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(networks); i++) {
		char *v[] = { xstrdup("nonsense/8"),
		    xstrdup(networks[i].network), NULL };
		struct strlist list = { v, 2 };
		struct netaddr a = host(networks[i].address);

		assert_true(netaddr_is_network(v[1]));
		if (netaddr_in(&a, &list) != networks[i].in)
			fail_msg("%s in %s", networks[i].address, v[1]);
		free(v[0]);
		free(v[1]);
	}
}

static void
malformed_networks_hold_nothing(void **state)
{
	struct netaddr four = host("192.0.2.1"), six = host("::1");

	(void)state;
	for (size_t i = 0; i < N(malformed); i++) {
		char *v[] = { xstrdup(malformed[i]), NULL };
		struct strlist list = { v, 1 };

		if (netaddr_is_network(v[0]))
			fail_msg("%s is taken", v[0]);
		assert_false(netaddr_in(&four, &list));
		assert_false(netaddr_in(&six, &list));
		free(v[0]);
	}
}

/* Connects to where the listener fd is bound. 0 or -1. */
static int
connect_to(int listener)
{
	struct netaddr a = { .len = sizeof(a.ss) };
	int fd, ok;

	assert_int_equal(getsockname(listener, (struct sockaddr *)&a.ss,
	    &a.len), 0);
	fd = socket(a.ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd != -1);
	ok = connect(fd, (struct sockaddr *)&a.ss, a.len);
	assert_int_equal(close(fd), 0);
	return ok;
}

static void
we_listen_on_tcp(void **state)
{
	int fd = netaddr_listen("127.0.0.1:0", 0);

	(void)state;
	assert_true(fd != -1);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(connect_to(fd), 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(netaddr_listen("nonsense", 0), -1);
	assert_int_equal(errno, EINVAL);
}

static void
any_address_takes_both_families(void **state)
{
	struct netaddr a = { .len = sizeof(a.ss) }, v4;
	int fd = netaddr_listen(":0", 0), c;

	(void)state;
	assert_true(fd != -1);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a.ss, &a.len), 0);
	assert_int_equal(netaddr_host("127.0.0.1", netaddr_port(&a), &v4), 0);
	c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(c, (struct sockaddr *)&v4.ss, v4.len), 0);
	assert_int_equal(close(c), 0);
	assert_int_equal(close(fd), 0);
}

static void
a_stale_socket_is_replaced_and_a_live_one_is_not(void **state)
{
	char dir[] = "/tmp/io-XXXXXX", spec[64];
	const char *path = spec + strlen("unix:");
	struct stat st;
	int fd, again, file;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(spec, sizeof(spec), "unix:%s/s", dir);
	assert_true((fd = netaddr_listen(spec, 0600)) != -1);
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(netaddr_listen(spec, 0600), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(connect_to(fd), 0);
	assert_int_equal(close(fd), 0);		/* the file stays: stale */
	assert_true((again = netaddr_listen(spec, 0666)) != -1);
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	assert_int_equal(connect_to(again), 0);
	assert_int_equal(close(again), 0);
	assert_int_equal(unlink(path), 0);

	file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(close(file), 0);
	assert_int_equal(netaddr_listen(spec, 0600), -1);
	assert_int_equal(lstat(path, &st), 0);	/* somebody's file survives */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listen_specs_are_parsed),
		cmocka_unit_test(a_unix_path_that_does_not_fit_is_refused),
		cmocka_unit_test(loopback_is_known_in_every_form),
		cmocka_unit_test(clients_are_counted_by_address_or_by_64),
		cmocka_unit_test(networks_hold_their_addresses_and_no_others),
		cmocka_unit_test(malformed_networks_hold_nothing),
		cmocka_unit_test(we_listen_on_tcp),
		cmocka_unit_test(any_address_takes_both_families),
		cmocka_unit_test(a_stale_socket_is_replaced_and_a_live_one_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
