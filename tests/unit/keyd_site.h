/* keyd_site.h - for tests: a keyd in a process of its own, and certificates. */
#ifndef UNIT_KEYD_SITE_H
#define UNIT_KEYD_SITE_H

#include <sys/stat.h>
#include <sys/wait.h>

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../auth/keyd.h"
#include "deadline.h"
#include "netaddr.h"
#include "seams.h"
#include "tls.h"

static struct {
	char	dir[64], cert[80], key[80];
	struct config *cfg;
	pid_t	pid;
} site;

static EVP_PKEY *
new_key(const char *type)
{
	EVP_PKEY *key;

	if (strcmp(type, "RSA") == 0)
		key = EVP_RSA_gen(2048);
	else if (strcmp(type, "ED25519") == 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else
		key = EVP_EC_gen(type);
	assert_non_null(key);
	return key;
}

static void
write_key(EVP_PKEY *key)
{
	FILE *f = fopen(site.key, "we");

	assert_non_null(f);
	assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL,
	    NULL), 1);
	assert_int_equal(fclose(f), 0);
}

static void
write_cert(EVP_PKEY *key)
{
	bool ed = EVP_PKEY_is_a(key, "ED25519");
	X509 *x = X509_new();
	FILE *f = fopen(site.cert, "we");

	assert_non_null(x);
	assert_non_null(f);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	assert_int_equal(X509_set_pubkey(x, key), 1);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN",
	    MBSTRING_ASC, (const unsigned char *)"mx.emc.fr", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	assert_true(X509_sign(x, key, ed ? NULL : EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509(f, x), 1);
	assert_int_equal(fclose(f), 0);
	X509_free(x);
}

static _Noreturn void
be_keyd(int listener)
{
	struct buf why = BUF_INIT;
	struct loop *loop = loop_new();
	struct keyd_desk *desk;
	struct keys keys;

	/* The log would mix with what the tests say. */
	if (freopen("/dev/null", "we", stderr) == NULL)
		_exit(1);
	if (keys_open(&keys, site.cfg, &why) == -1)
		buf_release(&why);
	desk = keyd_desk_new(loop, &keys);
	if (keyd_desk_listen(desk, listener) == -1)
		_exit(2);
	loop_run(loop);
	keyd_desk_free(desk);
	loop_free(loop);
	keys_close(&keys);
	exit(0);		/* and leaks are looked for */
}

/* Starts keyd on the files as they are. */
static void
keyd_start(void)
{
	struct buf spec = BUF_INIT;
	int fd;

	buf_addf(&spec, "unix:%s", config_socket(site.cfg, "net/keyd"));
	fd = netaddr_listen(buf_str(&spec), 0600);
	assert_int_not_equal(fd, -1);
	buf_release(&spec);
	site.pid = fork();
	assert_int_not_equal(site.pid, -1);
	if (site.pid == 0)
		be_keyd(fd);
	assert_int_equal(close(fd), 0);
}

static void
keyd_stop(void)
{
	int status;

	assert_int_equal(kill(site.pid, SIGTERM), 0);
	assert_int_equal(waitpid(site.pid, &status, 0), site.pid);
	assert_int_equal(status, 0);
	assert_int_equal(unlink(config_socket(site.cfg, "net/keyd")), 0);
	site.pid = 0;
}

static void
site_mkdir(const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s%s", site.dir, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static int
site_setup(void **state)
{
	struct buf why = BUF_INIT;
	char path[96];
	FILE *f;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)strlcpy(site.dir, "/tmp/test_keyd.XXXXXX", sizeof(site.dir));
	assert_non_null(mkdtemp(site.dir));
	(void)snprintf(site.cert, sizeof(site.cert), "%s/cert", site.dir);
	(void)snprintf(site.key, sizeof(site.key), "%s/key", site.dir);
	site_mkdir("/run");
	site_mkdir("/run/net");
	(void)snprintf(path, sizeof(path), "%s/facteur.conf", site.dir);
	assert_non_null(f = fopen(path, "we"));
	fprintf(f, "run = %s/run\ntls_cert = cert\ntls_key = key\n",
	    site.dir);
	assert_int_equal(fclose(f), 0);
	site.cfg = config_load(site.dir, false, &why);
	if (site.cfg == NULL)
		fail_msg("%s", buf_str(&why));
	seams_init(site.cfg);
	buf_release(&why);
	return 0;
}

static int
site_teardown(void **state)
{
	static const char *const files[] = { "/cert", "/key", "/facteur.conf",
	    "/run/net/keyd" };
	static const char *const dirs[] = { "/run/net", "/run", "" };
	char path[128];

	(void)state;
	if (site.pid > 0)
		keyd_stop();
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", site.dir, files[i]);
		(void)unlink(path);
	}
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", site.dir, dirs[i]);
		assert_int_equal(rmdir(path), 0);
	}
	config_free(site.cfg);
	return 0;
}
#endif
