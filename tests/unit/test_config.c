/* Tests of lib/config and lib/nearest: facteur.conf and where things lie. */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config_keys.h"
#include "nearest.h"

/* The configuration of a text; `error` gets what is wrong, until next time. */
static char error[4096];

static struct config *
load(const char *text, bool as_root)
{
	struct buf t = BUF_INIT, why = BUF_INIT;
	struct config *cfg;

	buf_adds(&t, text);
	cfg = config_from_text("/c", as_root, &t, &why);
	(void)strlcpy(error, buf_str(&why), sizeof(error));
	buf_release(&t);
	buf_release(&why);
	return cfg;
}

static void
an_empty_file_is_a_working_host(void **state)
{
	struct config *cfg = load("", true);

	(void)state;
	assert_non_null(cfg);
	assert_non_null(strchr(cfg->hostname, '.'));
	assert_int_equal(cfg->domains.n, 1);
	assert_string_equal(cfg->domains.v[0], cfg->hostname);
	assert_string_equal(cfg->spool, "/var/spool/facteur");
	assert_string_equal(cfg->run, "/run/facteur");
	assert_string_equal(cfg->mail, "/var/mail/facteur");
	assert_string_equal(cfg->listen_smtp.v[0], ":25");
	assert_string_equal(cfg->listen_submission.v[0], ":587");
	assert_string_equal(cfg->listen_submissions.v[0], ":465");
	assert_int_equal(cfg->listen_lmtp.n, 0);
	assert_null(cfg->listen_lmtp.v[0]);
	assert_string_equal(cfg->listen_pop3.v[0], ":110");
	assert_string_equal(cfg->listen_pop3s.v[0], ":995");
	assert_string_equal(cfg->resolver, "");
	assert_string_equal(cfg->tls_cert, "");
	assert_string_equal(cfg->tls_key, "");
	assert_string_equal(cfg->stats_file, "");
	assert_int_equal(cfg->remote_port, 25);
	assert_int_equal(cfg->message_size, 50 * 1024 * 1024);
	assert_int_equal(cfg->queue_lifetime, 5 * 86400);
	assert_int_equal(cfg->bounce_lifetime, 86400);
	assert_int_equal(cfg->connections_per_address, 20);
	assert_string_equal(cfg->recipient_delimiter, "+");
	assert_false(cfg->system_users);
	config_free(cfg);
}

static void
an_ordinary_user_gets_private_places(void **state)
{
	struct config *cfg = load("", false);
	struct buf tmp = BUF_INIT;

	(void)state;
	assert_non_null(cfg);
	assert_string_equal(cfg->spool, "/c/spool");
	assert_string_equal(cfg->mail, "/c/mail");
	assert_int_equal(cfg->listen_smtp.n, 0);
	assert_int_equal(cfg->listen_pop3s.n, 0);
	buf_addf(&tmp, "/tmp/facteur-%u/", (unsigned)geteuid());
	if (strncmp(cfg->run, "/run/user/", 10) != 0) {
		assert_int_equal(strncmp(cfg->run, tmp.data, tmp.len), 0);
		assert_int_equal(strlen(cfg->run), tmp.len + 8);
	}
	buf_release(&tmp);
	config_free(cfg);
}

static void
every_kind_of_value_is_read(void **state)
{
	struct config *cfg = load(
	    "# a comment\n"
	    "  hostname=Mail.EMC.fr   # another\r\n"
	    "\n"
	    "domains =\temc.fr Yahoo.CO.uk\n"
	    "listen_smtp = 127.0.0.1:2525 [::1]:2525 :2526 unix:s\n"
	    "listen_pop3 = none\n"
	    "listen_lmtp =\n"
	    "spool = /x/y//\n"
	    "tls_cert = cert#1.pem\n"
	    "resolver = 127.0.0.1:5353\n"
	    "relay_host = smart.example:587\n"
	    "message_size = 10k\n"
	    "queue_lifetime = 4h\n"
	    "bounce_lifetime = 90\n"
	    "trusted = 192.0.2.0/24 2001:db8::/32\n"
	    "system_users = yes\n"
	    "recipient_delimiter = none\n"
	    "inject_workers = 3", true);

	(void)state;
	if (cfg == NULL)
		fail_msg("%s", error);
	assert_string_equal(cfg->hostname, "mail.emc.fr");
	assert_int_equal(cfg->domains.n, 2);
	assert_string_equal(cfg->domains.v[1], "yahoo.co.uk");
	assert_int_equal(cfg->listen_smtp.n, 4);
	assert_string_equal(cfg->listen_smtp.v[1], "[::1]:2525");
	assert_string_equal(cfg->listen_smtp.v[3], "unix:/c/s");
	assert_int_equal(cfg->listen_pop3.n, 0);
	assert_int_equal(cfg->listen_lmtp.n, 0);
	assert_string_equal(cfg->spool, "/x/y");
	assert_string_equal(cfg->tls_cert, "/c/cert#1.pem");
	assert_string_equal(cfg->tls_key, cfg->tls_cert);
	assert_string_equal(cfg->resolver, "127.0.0.1:5353");
	assert_string_equal(cfg->relay_host, "smart.example:587");
	assert_int_equal(cfg->message_size, 10240);
	assert_int_equal(cfg->queue_lifetime, 4 * 3600);
	assert_int_equal(cfg->bounce_lifetime, 90);
	assert_int_equal(cfg->trusted.n, 2);
	assert_true(cfg->system_users);
	assert_string_equal(cfg->recipient_delimiter, "");
	assert_int_equal(cfg->inject_workers, 3);
	config_free(cfg);
}

static void
errors_name_file_line_and_remedy(void **state)
{
	static const struct { const char *text, *why; } t[] = {
		{ "\nlisten_smpt = :25", "/c/facteur.conf:2: unknown key "
		    "\"listen_smpt\"; the nearest one is \"listen_smtp\"" },
		{ "domain = x.org", "nearest one is \"domains\"" },
		{ "spool = /a\n# x\nspool = /b", ":3: spool stands already on "
		    "line 1" },
		{ "hostname", ":1: not \"key = value\"" },
		{ "= x", "not \"key = value\"" },
		{ "hostname mail = x", "not \"key = value\"" },
		{ "hostname = a b", "hostname: \"a b\" is not a host name" },
		{ "hostname =", "is not a host name" },
		{ "domains = ok.org b@d", "domains: \"b@d\" is not a domain" },
		{ "domains = a none", NULL },
		{ "spool =", "spool: needs a path" },
		{ "listen_smtp = 25", "listen_smtp: \"25\" is not ADDR:PORT" },
		{ "listen_smtp = :25 none", "\"none\" is not ADDR:PORT" },
		{ "listen_smtp = unix:", "is not ADDR:PORT" },
		{ "listen_smtp = 1.2.3.4:70000", "is not ADDR:PORT" },
		{ "resolver = :53", "is not the ADDR:PORT of a DNS server" },
		{ "resolver = dns.example:53", "is not the ADDR:PORT" },
		{ "relay_host = a:b", "is not HOST:PORT" },
		{ "relay_host = :25", "is not HOST:PORT" },
		{ "relay_host = a:0", "is not HOST:PORT" },
		{ "relay_host = a: 25", "is not HOST:PORT" },
		{ "remote_port = 0", "is not between 1 and 65535" },
		{ "remote_port = 99999999999999999999", "is not between" },
		{ "remote_port = -1", "is not a number" },
		{ "remote_port = 25k", "is not a number" },
		{ "message_size = 50X", "is not a size like 50M" },
		{ "message_size = 9999999999999G", "is not between" },
		{ "message_size = 50MM", "is not a size" },
		{ "queue_lifetime = d", "is not a time like 5d" },
		{ "queue_lifetime = 5y", "is not a time" },
		{ "system_users = true", "is neither yes nor no" },
		{ "trusted = 192.0.2.0/33", "is not a network" },
		{ "recipient_delimiter = +-", "is not one character" },
		{ "recipient_delimiter = @", "is not one character" },
		{ "tls_key = k.pem", "tls_key is set, but tls_cert is not" },
		{ "hostname = a\x01", "a control character" },
	};
	char run[200] = "run = /";
	struct config *cfg;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		cfg = load(t[i].text, false);
		if (t[i].why != NULL && (cfg != NULL ||
		    strstr(error, t[i].why) == NULL))
			fail_msg("%s -> %s", t[i].text, error);
		config_free(cfg);
	}
	memset(run + 7, 'r', CONFIG_RUN_MAX - 1);
	cfg = load(run, false);
	assert_non_null(cfg);
	assert_int_equal(strlen(config_socket(cfg, "net/resolve")), 107);
	config_free(cfg);
	run[strlen(run)] = 'r';
	assert_null(load(run, false));
	assert_non_null(strstr(error, "Unix sockets"));
}

static void
a_nul_byte_is_an_error(void **state)
{
	struct buf text = BUF_INIT, why = BUF_INIT;

	(void)state;
	buf_add(&text, "spool = /a\0b\n", 13);
	assert_null(config_from_text("/c", false, &text, &why));
	assert_string_equal(why.data, "/c/facteur.conf:1: a NUL byte");
	buf_release(&text);
	buf_release(&why);
}

static void
shorthands_are_completed(void **state)
{
	static const struct { const char *text, *resolver, *relay; } t[] = {
		{ "resolver = 192.0.2.1\nrelay_host = a.example",
		    "192.0.2.1:53", "a.example:25" },
		{ "resolver = ::1\nrelay_host = [::1]", "[::1]:53",
		    "[::1]:25" },
		{ "resolver = [::1]:5\nrelay_host = 192.0.2.1", "[::1]:5",
		    "192.0.2.1:25" },
		{ "resolver = none\nrelay_host = unix:/s", "", "unix:/s" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct config *cfg = load(t[i].text, false);

		if (cfg == NULL)
			fail_msg("%s -> %s", t[i].text, error);
		assert_string_equal(cfg->resolver, t[i].resolver);
		assert_string_equal(cfg->relay_host, t[i].relay);
		config_free(cfg);
	}
}

static void
our_domains_are_known_in_any_case(void **state)
{
	struct config *cfg = load("domains = zoo.example b.org a.org", false);
	struct config *none = load("domains = none", false);

	(void)state;
	assert_true(config_is_ours(cfg, "A.ORG", 5));
	assert_true(config_is_ours(cfg, "b.orgx", 5));
	assert_true(config_is_ours(cfg, "Zoo.Example", 11));
	assert_false(config_is_ours(cfg, "b.org", 4));
	assert_false(config_is_ours(cfg, "x.b.org", 7));
	assert_false(config_is_ours(cfg, "", 0));
	assert_false(config_is_ours(none, "b.org", 5));
	assert_string_equal(cfg->domains.v[0], "zoo.example");
	assert_string_equal(config_home_domain(cfg), "zoo.example");
	assert_string_equal(config_home_domain(none), none->hostname);
	config_free(cfg);
	config_free(none);
}

struct seen { unsigned n, from_file; char size[16], life[16]; };

static void
see(void *arg, const char *key, const char *value, const char *origin)
{
	struct seen *s = arg;

	s->n++;
	if (strcmp(origin, "default") != 0)
		s->from_file++;
	if (strcmp(key, "message_size") == 0) {
		assert_string_equal(origin, "facteur.conf:2");
		(void)strlcpy(s->size, value, sizeof(s->size));
	}
	if (strcmp(key, "queue_lifetime") == 0)
		(void)strlcpy(s->life, value, sizeof(s->life));
}

static void
each_key_tells_where_it_comes_from(void **state)
{
	struct config *cfg = load("spool = s\nmessage_size = 2048k\n", true);
	struct seen s = { 0 };

	(void)state;
	config_each(cfg, see, &s);
	assert_int_equal(s.n, config_nkeys);
	assert_true(s.n < 60);
	assert_int_equal(s.from_file, 2);
	assert_string_equal(s.size, "2M");
	assert_string_equal(s.life, "5d");
	config_free(cfg);
}

static void
shown_values_can_be_read_again(void **state)
{
	struct config *cfg = load("tls_cert = c\ntrusted = ::1\n", true);
	struct buf text = BUF_INIT;
	struct config *again;

	(void)state;
	for (size_t i = 0; i < config_nkeys; i++) {
		buf_addf(&text, "%s = ", config_keys[i].name);
		config_keys[i].show(cfg, &config_keys[i], &text);
		buf_addc(&text, '\n');
	}
	again = load(text.data, false);
	if (again == NULL)
		fail_msg("%s", error);
	assert_string_equal(again->spool, cfg->spool);
	assert_int_equal(again->message_size, cfg->message_size);
	buf_release(&text);
	config_free(cfg);
	config_free(again);
}

static void
a_missing_file_is_fine_a_missing_directory_is_not(void **state)
{
	char dir[] = "/tmp/facteur-test-XXXXXX", path[64];
	struct buf why = BUF_INIT;
	struct config *cfg;

	(void)state;
	assert_non_null(mkdtemp(dir));
	cfg = config_load(dir, false, &why);
	assert_non_null(cfg);
	assert_string_equal(cfg->confdir, dir);
	config_free(cfg);
	(void)snprintf(path, sizeof(path), "%s/facteur.conf", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_null(config_load(dir, false, &why));
	assert_non_null(strstr(why.data, path));
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(dir), 0);
	buf_reset(&why);
	assert_null(config_load(dir, false, &why));
	assert_non_null(strstr(why.data, strerror(ENOENT)));
	buf_release(&why);
}

static void
programs_find_each_other(void **state)
{
	const char *bin = program_path("sendmail");
	const char *inner = program_path("queue");
	size_t root = strlen(bin) - strlen("/bin/sendmail");

	(void)state;
	assert_string_equal(bin + root, "/bin/sendmail");
	assert_int_equal(strncmp(bin, inner, root), 0);
	assert_string_equal(inner + root, "/libexec/facteur/queue");
}

static void
single_uid_is_never_the_host(void **state)
{
	(void)state;
	assert_int_equal(setenv("FACTEUR_SINGLE_UID", "1", 1), 0);
	assert_false(config_is_host("/etc/facteur"));
	assert_false(config_is_host("/"));
	assert_int_equal(unsetenv("FACTEUR_SINGLE_UID"), 0);
	assert_false(config_is_host("/nonexistent"));
	assert_int_equal(setenv("FACTEUR_CONF", "/x", 1), 0);
	assert_string_equal(config_dir(NULL), "/x");
	assert_string_equal(config_dir("/y"), "/y");
	assert_int_equal(unsetenv("FACTEUR_CONF"), 0);
	assert_string_equal(config_dir(NULL), "/etc/facteur");
}

static void
edits_are_counted(void **state)
{
	static const struct { const char *a, *b; unsigned d; } t[] = {
		{ "", "", 0 }, { "a", "", 1 }, { "", "abc", 3 },
		{ "smtp", "smtp", 0 }, { "smpt", "smtp", 1 },
		{ "retyr", "retry", 1 }, { "show", "how", 1 },
		{ "kitten", "sitting", 3 }, { "ab", "ba", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(edit_distance(t[i].a, t[i].b), t[i].d);
		assert_int_equal(edit_distance(t[i].b, t[i].a), t[i].d);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_is_a_working_host),
		cmocka_unit_test(an_ordinary_user_gets_private_places),
		cmocka_unit_test(every_kind_of_value_is_read),
		cmocka_unit_test(errors_name_file_line_and_remedy),
		cmocka_unit_test(a_nul_byte_is_an_error),
		cmocka_unit_test(shorthands_are_completed),
		cmocka_unit_test(our_domains_are_known_in_any_case),
		cmocka_unit_test(each_key_tells_where_it_comes_from),
		cmocka_unit_test(shown_values_can_be_read_again),
		cmocka_unit_test(a_missing_file_is_fine_a_missing_directory_is_not),
		cmocka_unit_test(programs_find_each_other),
		cmocka_unit_test(single_uid_is_never_the_host),
		cmocka_unit_test(edits_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
