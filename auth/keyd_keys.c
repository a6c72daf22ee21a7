/*
 * keyd_keys.c - the private keys: read, kept, renewed, and used.
 *
 * Runs as facteur-keys; the first reading is done before root is given up, so
 * a file that only root can read serves until it is replaced.
 * Way 1 and 8 of 8.  From: auth/keyd_desk.c.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "keyd.h"
#include "log.h"
#include "seams.h"
#include "tls.h"

/* ---- files --------------------------------------------------------------- */

static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	    a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	    a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	    a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* A regular file, to be read. NULL with errno. */
static BIO *
file_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd == -1)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return BIO_new_fd(fd, BIO_CLOSE);
	(void)close(fd);
	errno = EINVAL;
	return NULL;
}

/* Never asks a terminal for a pass phrase. */
static int
no_passphrase(char *to, int size, int writing, void *arg)
{
	(void)to;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static EVP_PKEY *
key_read(const char *path, struct buf *why)
{
	BIO *in = file_open(path);
	EVP_PKEY *key;

	if (in == NULL) {
		buf_addf(why, "tls_key %s: %s", path, strerror(errno));
		return NULL;
	}
	ERR_clear_error();
	key = PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL);
	BIO_free(in);
	if (key != NULL && (EVP_PKEY_is_a(key, "RSA") ||
	    EVP_PKEY_is_a(key, "EC") || EVP_PKEY_is_a(key, "ED25519")))
		return key;
	if (key != NULL)
		buf_addf(why, "tls_key %s: not of the kind RSA, EC or "
		    "Ed25519", path);
	else
		buf_addf(why, "tls_key %s: no private key in PEM form "
		    "without a pass phrase: %s", path, tls_error());
	EVP_PKEY_free(key);
	return NULL;
}

/* Adds the certificate in DER; id gets its key's if it is the first. */
static bool
chain_add(struct buf *der, X509 *x, char id[KEYPROV_ID + 1])
{
	unsigned char *raw = NULL;
	int len = i2d_X509(x, &raw);
	bool ok = len > 0;

	if (ok && der->len == 0)
		ok = keyprov_id(X509_get0_pubkey(x), id) == 0;
	if (ok)
		buf_add(der, raw, (size_t)len);
	OPENSSL_free(raw);
	return ok && buf_ok(der);
}

/* The certificates of a file, the host's own first. false, with why. */
static bool
chain_read(const char *path, struct buf *der, char id[KEYPROV_ID + 1],
    struct buf *why)
{
	BIO *in = file_open(path);
	bool ok = true;
	X509 *x;

	if (in == NULL) {
		buf_addf(why, "tls_cert %s: %s", path, strerror(errno));
		return false;
	}
	ERR_clear_error();
	while (ok && (x = PEM_read_bio_X509(in, NULL, no_passphrase,
	    NULL)) != NULL) {
		ok = chain_add(der, x, id);
		X509_free(x);
	}
	/* Behind the last one there is "no start line", and no other error. */
	if (ok && der->len > 0 &&
	    ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		ok = false;
	BIO_free(in);
	if (!ok || der->len == 0)
		buf_addf(why, "tls_cert %s: %s", path, buf_ok(der) ?
		    "no certificate in PEM form" : "too long a chain");
	ERR_clear_error();
	return ok && der->len > 0;
}

/* ---- two keys and a chain ------------------------------------------------ */

static void
held_release(struct held *h)
{
	EVP_PKEY_free(h->key);
	h->key = NULL;
	h->id[0] = '\0';
}

static const struct held *
held_find(const struct keys *k, const char *id)
{
	for (unsigned i = 0; i < 2; i++)
		if (k->v[i].key != NULL && strcmp(k->v[i].id, id) == 0)
			return &k->v[i];
	return NULL;
}

/* Takes a key into the place that the chain does not need. */
static void
key_keep(struct keys *k, EVP_PKEY *key, const char *id)
{
	unsigned i = k->der.len > 0 ? !k->current : k->current;

	if (held_find(k, id) != NULL) {
		EVP_PKEY_free(key);	/* written anew, but the same */
		return;
	}
	held_release(&k->v[i]);
	k->v[i].key = key;
	(void)strlcpy(k->v[i].id, id, sizeof(k->v[i].id));
	k->retire_at = 0;
}

/* Takes the chain over if we have its key. */
static bool
chain_keep(struct keys *k, struct buf *der, const char *id)
{
	const struct held *h = held_find(k, id);
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (h == NULL || EVP_Digest(der->data, der->len, md, &n, EVP_sha256(),
	    NULL) != 1)
		return false;
	k->mark[0] = '\0';
	for (unsigned i = 0; i < n; i++)
		(void)snprintf(k->mark + 2 * i, 3, "%02x", md[i]);
	if (k->current != (unsigned)(h - k->v)) {
		k->current = (unsigned)(h - k->v);
		k->retire_at = now_ms() + KEYS_RETIRE;
	}
	buf_release(&k->der);
	k->der = *der;
	*der = (struct buf)BUF_INIT;
	return true;
}

/* Reads both. 0; -1 with why: what is there cannot be used. */
static int
pair_read(struct keys *k, struct buf *why)
{
	struct buf der = BUF_CAPPED(KEYASK_CHAIN);
	char key_id[KEYPROV_ID + 1], id[KEYPROV_ID + 1] = "";
	EVP_PKEY *key = key_read(k->key_path, why);
	int r = -1;

	if (key != NULL && keyprov_id(key, key_id) == 0)
		key_keep(k, key, key_id);
	else
		EVP_PKEY_free(key);
	if (key != NULL && chain_read(k->cert_path, &der, id, why)) {
		if (chain_keep(k, &der, id))
			r = 0;
		else
			buf_addf(why, "tls_key %s: does not belong to the "
			    "certificate %s", k->key_path, k->cert_path);
	}
	buf_release(&der);
	return r;
}

/*
 * Has either file changed since it was last looked at?  What it was then is
 * remembered before it is read, so that a change meanwhile is seen next time.
 */
static bool
has_changed(struct keys *k)
{
	struct stat cert, key;

	if (stat(k->cert_path, &cert) == -1 || stat(k->key_path, &key) == -1) {
		if (!k->blind)
			log_errno(NULL, "key-gone cert=%s key=%s",
			    k->cert_path, k->key_path);
		k->blind = true;
		return false;
	}
	k->blind = false;
	if (is_same(&cert, &k->cert_seen) && is_same(&key, &k->key_seen))
		return false;
	k->cert_seen = cert;
	k->key_seen = key;
	if ((key.st_mode & S_IROTH) != 0)
		log_event(NULL, "world-readable file=%s", k->key_path);
	return true;
}

/* How an administrator lets us read what only root can. */
static void
say_unreadable(const struct keys *k)
{
	log_event(NULL, "key-unreadable file=%s text=\"%s cannot read it%s: "
	    "chgrp %s %s && chmod 0640 %s\"", k->key_path,
	    seam_name(SEAM_KEYS), k->der.len > 0 ?
	    ", so a renewed key will not be noticed" : "",
	    seam_name(SEAM_KEYS), k->key_path, k->key_path);
}

int
keys_open(struct keys *k, const struct config *cfg, struct buf *why)
{
	memset(k, 0, sizeof(*k));
	k->cert_path = cfg->tls_cert;
	k->key_path = cfg->tls_key;
	if (*k->cert_path == '\0')
		return 0;
	(void)has_changed(k);
	return pair_read(k, why);
}

void
keys_close(struct keys *k)
{
	held_release(&k->v[0]);
	held_release(&k->v[1]);
	buf_release(&k->der);
}

void
keys_check_access(struct keys *k)
{
	if (*k->cert_path != '\0' && access(k->key_path, R_OK) == -1 &&
	    errno == EACCES)
		say_unreadable(k);
}

void
keys_fresh(struct keys *k)
{
	struct buf why = BUF_INIT;

	if (*k->cert_path == '\0')
		return;
	if (k->retire_at != 0 && now_ms() >= k->retire_at) {
		held_release(&k->v[!k->current]);
		k->retire_at = 0;
	}
	if (!has_changed(k))
		return;
	if (pair_read(k, &why) == 0)
		log_event(NULL, "key-read cert=%s key=%.16s", k->cert_path,
		    k->v[k->current].id);
	else
		log_event(NULL, "key-error old=%s text=%s",
		    k->der.len > 0 ? "serves-on" : "none",
		    quoted(buf_str(&why)));
	buf_release(&why);
	keys_check_access(k);
}

/* ---- signing ------------------------------------------------------------- */

/* What TLS wants of RSA: PKCS #1 v1.5; PSS with a salt as long as the hash. */
static bool
set_padding(EVP_PKEY_CTX *p, const struct sign_alg *a)
{
	if (strcmp(a->type, "RSA") != 0)
		return true;
	if (!a->pss)
		return EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PADDING) == 1;
	return EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST) == 1;
}

bool
keys_sign(const struct keys *k, const struct request *r, struct buf *sig)
{
	const struct held *h = held_find(k, r->id);
	EVP_MD_CTX *ctx;
	EVP_PKEY_CTX *p = NULL;
	char *room;
	size_t len;
	bool ok;

	if (h == NULL || !EVP_PKEY_is_a(h->key, r->alg->type))
		return false;
	len = (size_t)EVP_PKEY_get_size(h->key);
	room = buf_room(sig, len);
	ctx = EVP_MD_CTX_new();
	ok = room != NULL && ctx != NULL &&
	    EVP_DigestSignInit_ex(ctx, &p, r->alg->hash, NULL, NULL, h->key,
	    NULL) == 1 && set_padding(p, r->alg) &&
	    EVP_DigestSign(ctx, (unsigned char *)room, &len,
	    (const unsigned char *)r->tbs.data, r->tbs.len) == 1;
	if (ok)
		sig->len += len;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}
