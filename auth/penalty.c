/*
 * penalty.c - the memory for failed logins: guessing gets slow.
 *
 * Runs as facteur-auth, inside authd.  Failures count for a client's address
 * (an IPv6 /64), on loopback for address and user.  The answer to a failure
 * is held back 1, 2, 4, 8, then 15 seconds; 10 quiet minutes forget it.
 * A table of fixed size: a flood of addresses can only push out the oldest.
 *
 * Way 1 and 8 of 8.  From: auth/desk.c.  To: the delay of its `fail`.
 */
#include <netinet/in.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "netaddr.h"

#define SETS		1024
#define WAYS		4		/* places a client may have in its set */
#define FORGET		(10 * 60 * 1000)	/* ms */

struct entry {
	uint64_t client;	/* hash; 0: free */
	uint64_t user;		/* hash of the user who failed last */
	uint64_t attempt;	/* hash of the last user and password */
	int64_t	 last;		/* ms */
	unsigned failures;
};

struct penalties {
	unsigned char secret[16];	/* nobody outside can aim at a set */
	struct entry table[SETS][WAYS];
};

static const int64_t delays[] = { 1000, 2000, 4000, 8000, 15000 };
#define NDELAYS	(sizeof(delays) / sizeof(delays[0]))

struct penalties *
penalties_new(void)
{
	struct penalties *p = xcalloc(1, sizeof(*p));

	arc4random_buf(p->secret, sizeof(p->secret));
	return p;
}

void
penalties_free(struct penalties *p)
{
	if (p != NULL)
		explicit_bzero(p, sizeof(*p));
	free(p);
}

/* Never 0.  Strings are hashed with their NUL, so ("a","bc") != ("ab","c"). */
static uint64_t
hash(const struct penalties *p, const char *a, const char *b)
{
	struct buf text = BUF_INIT;
	unsigned char md[EVP_MAX_MD_SIZE];
	uint64_t h = 0;

	buf_add(&text, p->secret, sizeof(p->secret));
	buf_add(&text, a, strlen(a) + 1);
	buf_add(&text, b, strlen(b) + 1);
	if (EVP_Digest(text.data, text.len, md, NULL, EVP_sha256(), NULL) == 1)
		memcpy(&h, md, sizeof(h));
	explicit_bzero(text.data, text.len);
	buf_release(&text);
	return h != 0 ? h : 1;
}

/* The network a client counts as: its address, for IPv6 its /64. */
static uint64_t
client_hash(const struct penalties *p, const char *ip, const char *user)
{
	struct netaddr a;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a.ss;
	struct buf text = BUF_INIT;
	uint64_t h;

	if (netaddr_host(ip, 0, &a) == -1 || netaddr_is_loopback(&a))
		return hash(p, ip, user);
	if (a.ss.ss_family == AF_INET6)
		memset(&in6->sin6_addr.s6_addr[8], 0, 8);
	netaddr_text(&a, &text);
	h = hash(p, buf_str(&text), "");
	buf_release(&text);
	return h;
}

static struct entry *
find(struct penalties *p, uint64_t client)
{
	struct entry *set = p->table[client % SETS];

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].client == client)
			return &set[i];
	return NULL;
}

static struct entry *
make(struct penalties *p, uint64_t client)
{
	struct entry *set = p->table[client % SETS], *oldest = &set[0];

	for (size_t i = 1; i < WAYS && oldest->client != 0; i++)
		if (set[i].client == 0 || set[i].last < oldest->last)
			oldest = &set[i];
	memset(oldest, 0, sizeof(*oldest));
	oldest->client = client;
	return oldest;
}

int64_t
penalty_fail(struct penalties *p, const char *ip, const char *user,
    const char *password, int64_t now)
{
	uint64_t client = client_hash(p, ip, user);
	uint64_t attempt = hash(p, user, password);
	struct entry *e = find(p, client);
	size_t step;

	if (e == NULL)
		e = make(p, client);
	else if (now - e->last > FORGET)
		e->failures = 0;
	/* A mail program with an old password asks again and again. */
	if (e->failures == 0 || e->attempt != attempt)
		e->failures++;
	e->attempt = attempt;
	e->user = hash(p, user, "");
	e->last = now;
	step = e->failures < NDELAYS ? e->failures : NDELAYS;
	return delays[step - 1];
}

void
penalty_clear(struct penalties *p, const char *ip, const char *user)
{
	struct entry *e = find(p, client_hash(p, ip, user));

	/*
	 * Only the user who failed: else one's own account would buy free
	 * guesses at all the others.
	 */
	if (e != NULL && e->user == hash(p, user, ""))
		memset(e, 0, sizeof(*e));
}
