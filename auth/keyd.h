/*
 * keyd.h - what the files of keyd share.
 *
 * keyd.c starts; keyd_desk.c talks with clients; keyd_request.c reads what
 * they want and judges it; keyd_keys.c has the keys and signs.
 */
#ifndef AUTH_KEYD_H
#define AUTH_KEYD_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "buf.h"
#include "config.h"
#include "ctl.h"
#include "keyask.h"
#include "keyprov.h"
#include "peer.h"

/* ---- keyd_request.c: what may be signed ---- */

enum shape {			/* what a text is, as far as its form tells */
	SHAPE_NONE,		/* nothing that we ever sign */
	SHAPE_SERVER13,		/* TLS 1.3 CertificateVerify of a server */
	SHAPE_CLIENT13,		/* the same of a client */
	SHAPE_SERVER12		/* TLS 1.2 ServerKeyExchange, named curve */
};

enum shape shape_of(const void *tbs, size_t len);
/* For the log: "server13", ... */
const char *shape_name(enum shape);

struct sign_alg {
	const char *name;	/* as keyprov.h has it */
	const char *type;	/* of the key, for EVP_PKEY_is_a() */
	const char *hash;	/* NULL: the algorithm has its own */
	bool	 pss;
	bool	 tls13;		/* RFC 8446 section 4.2.3 allows it there */
};

struct request {
	char	 id[KEYPROV_ID + 1];
	const struct sign_alg *alg;	/* static */
	enum shape shape;
	struct buf tbs;		/* owned */
};

enum judged {
	REQUEST_OK,
	REQUEST_REFUSED,	/* well-formed, but nothing that we sign */
	REQUEST_MALFORMED	/* no client of ours says that */
};

/* Reads a `sign` frame; *out is filled in every case. */
enum judged request_read(const struct ctl *, struct request *out);
void	request_release(struct request *);

/* ---- keyd_keys.c: the keys ---- */

#define KEYS_RETIRE	(60 * 1000)	/* ms a replaced key still signs */

struct held {
	EVP_PKEY *key;		/* owned; NULL: none */
	char	 id[KEYPROV_ID + 1];
};

/*
 * The last two keys: a renewal replaces two files, one after the other, and
 * handshakes that began with the old certificate must end with its key.
 */
struct keys {
	const char *cert_path, *key_path;	/* borrowed; "": none */
	struct held v[2];
	unsigned current;	/* the one that belongs to the chain */
	struct buf der;		/* owned: the chain; empty: none */
	char	 mark[KEYASK_MARK + 1];
	struct stat cert_seen, key_seen;	/* as they were last looked at */
	bool	 blind;		/* we have said that they cannot be read */
	int64_t	 retire_at;	/* when the other key goes; 0: not set */
};

/*
 * Reads both files for the first time. 0, or -1: `why` says what is wrong, in
 * one line; keys_fresh() goes on trying.
 */
int	keys_open(struct keys *, const struct config *, struct buf *why)
	    __attribute__((warn_unused_result));
void	keys_close(struct keys *);
/* Reads again what has changed, and logs what comes of it. */
void	keys_fresh(struct keys *);
/* Could we read the files again, as who we are now?  Logs if not. */
void	keys_check_access(struct keys *);
/* The signature in sig. false: no such key, or not for this algorithm. */
bool	keys_sign(const struct keys *, const struct request *,
	    struct buf *sig) __attribute__((warn_unused_result));

/* ---- keyd_desk.c: the conversations ---- */

/* For each process: so many signatures at once, and then one in so many ms. */
#define KEYD_BURST	20
#define KEYD_INTERVAL	100

struct keyd_desk;

/* Borrows the keys. */
struct keyd_desk *keyd_desk_new(struct loop *, struct keys *);
/* After SIGTERM. */
void	keyd_desk_free(struct keyd_desk *);
/* Takes clients of this listening socket. -1 with errno. */
int	keyd_desk_listen(struct keyd_desk *, int fd)
	    __attribute__((warn_unused_result));
#endif
