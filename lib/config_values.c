/*
 * config_values.c - how each kind of value in facteur.conf is read and
 * checked: hosts, paths, listeners, networks, sizes, times.
 *
 * Runs at every privilege, before the first byte of mail; its input is the
 * administrator's, whose mistakes are answered with a sentence.
 * Way 0 of 8: what all programs read first.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "config_keys.h"
#include "netaddr.h"

#define DAY	((int64_t)86400)
#define MEGA	((int64_t)1024 * 1024)

/* ---- members ----------------------------------------------------------- */

static char **
text_at(struct config *cfg, const struct key *k)
{
	return (char **)(void *)((char *)cfg + k->offset);
}

static struct strlist *
list_at(struct config *cfg, const struct key *k)
{
	return (struct strlist *)(void *)((char *)cfg + k->offset);
}

static int
text_set(struct config *cfg, const struct key *k, const char *value)
{
	free(*text_at(cfg, k));
	*text_at(cfg, k) = xstrdup(value);
	return 0;
}

void
strlist_add(struct strlist *l, const char *s)
{
	l->v = xreallocarray(l->v, l->n + 2, sizeof(*l->v));
	l->v[l->n++] = xstrdup(s);
	l->v[l->n] = NULL;
}

void
strlist_release(struct strlist *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	l->v = NULL;
	l->n = 0;
}

static bool
is_none(const char *value)
{
	return *value == '\0' || strcmp(value, "none") == 0;
}

/*
 * Splits at blanks and hands each word to `item`, which appends its canonical
 * form to `out`, or returns -1 when it is not one; what: the thing expected.
 */
static int
list_set(struct config *cfg, const struct key *k, const char *value,
    int (*item)(struct config *, const char *, struct buf *),
    const char *what, struct buf *why)
{
	struct strlist *l = list_at(cfg, k);
	struct buf word = BUF_INIT, out = BUF_INIT;
	int r = 0;

	strlist_release(l);
	strlist_add(l, "");	/* v is never NULL, an empty list included */
	free(l->v[0]);
	l->v[0] = NULL;
	l->n = 0;
	if (is_none(value))
		return 0;
	while (*value != '\0' && r == 0) {
		size_t n = strcspn(value, " \t");

		buf_reset(&word);
		buf_reset(&out);
		buf_add(&word, value, n);
		r = item(cfg, word.data, &out);
		if (r == -1)
			buf_addf(why, "\"%s\" is not %s", word.data, what);
		else
			strlist_add(l, buf_str(&out));
		value += n;
		value += strspn(value, " \t");
	}
	buf_release(&word);
	buf_release(&out);
	return r;
}

static void
add_lower(struct buf *out, const char *s)
{
	for (; *s != '\0'; s++)
		buf_addc(out, (char)tolower((unsigned char)*s));
}

/* A path as written, or below confdir when it is not absolute. */
static void
add_path(struct config *cfg, const char *path, struct buf *out)
{
	if (*path != '/')
		buf_addf(out, "%s/", cfg->confdir);
	buf_adds(out, path);
	while (out->len > 1 && out->data[out->len - 1] == '/')
		buf_cut(out, out->len - 1);
}

/* ---- readers ----------------------------------------------------------- */

int
key_set_host(struct config *cfg, const struct key *k, const char *value,
    struct buf *why)
{
	struct buf b = BUF_INIT;

	if (!is_hostname(value, strlen(value))) {
		buf_addf(why, "\"%s\" is not a host name", value);
		return -1;
	}
	add_lower(&b, value);
	(void)text_set(cfg, k, b.data);
	buf_release(&b);
	return 0;
}

static int
item_domain(struct config *cfg, const char *word, struct buf *out)
{
	(void)cfg;
	add_lower(out, word);
	return is_hostname(word, strlen(word)) ? 0 : -1;
}

int
key_set_domains(struct config *cfg, const struct key *k, const char *value,
    struct buf *why)
{
	return list_set(cfg, k, value, item_domain, "a domain", why);
}

static int
item_listen(struct config *cfg, const char *word, struct buf *out)
{
	struct netaddr a;

	if (strncmp(word, "unix:", 5) == 0) {
		if (word[5] == '\0')
			return -1;
		buf_adds(out, "unix:");
		if (word[5] != '/')
			buf_addf(out, "%s/", cfg->confdir);
		buf_adds(out, word + 5);
	} else {
		buf_adds(out, word);
	}
	return netaddr_parse(buf_str(out), &a);
}

int
key_set_listen(struct config *cfg, const struct key *k, const char *value,
    struct buf *why)
{
	return list_set(cfg, k, value, item_listen, "ADDR:PORT, [V6]:PORT, "
	    ":PORT, unix:PATH (at most 107 bytes) or none", why);
}

static int
item_network(struct config *cfg, const char *word, struct buf *out)
{
	(void)cfg;
	buf_adds(out, word);
	return netaddr_is_network(word) ? 0 : -1;
}

int
key_set_networks(struct config *cfg, const struct key *k, const char *value,
    struct buf *why)
{
	return list_set(cfg, k, value, item_network,
	    "a network like 192.0.2.0/24 or 2001:db8::/32", why);
}

int
key_set_path(struct config *cfg, const struct key *k, const char *value,
    struct buf *why)
{
	struct buf b = BUF_INIT;
	size_t max = (size_t)k->max;
	int r = 0;

	/* Files may be absent, directories not. */
	if (is_none(value) && (k->root == NULL || *k->root == '\0'))
		return text_set(cfg, k, "");
	if (*value == '\0') {
		buf_adds(why, "needs a path");
		return -1;
	}
	add_path(cfg, value, &b);
	if (max != 0 && b.len > max) {
		buf_addf(why, "\"%s\" has %zu bytes: the names of Unix sockets "
		    "below it would be longer than the 107 that the system "
		    "allows; %zu bytes are the most", b.data, b.len, max);
		r = -1;
	} else {
		(void)text_set(cfg, k, b.data);
	}
	buf_release(&b);
	return r;
}

int
key_set_resolver(struct config *cfg, const struct key *k, const char *value,
    struct buf *why)
{
	struct netaddr a;
	struct buf b = BUF_INIT;
	int r = -1;

	if (is_none(value))
		return text_set(cfg, k, "");
	if (netaddr_host(value, 53, &a) == 0)
		buf_addf(&b, strchr(value, ':') ? "[%s]:53" : "%s:53", value);
	else if (*value != ':' && strncmp(value, "unix:", 5) != 0 &&
	    netaddr_parse(value, &a) == 0)
		buf_adds(&b, value);
	if (b.len != 0)
		r = text_set(cfg, k, b.data);
	else
		buf_addf(why, "\"%s\" is not the ADDR:PORT of a DNS server",
		    value);
	buf_release(&b);
	return r;
}

/* HOST:PORT, where HOST is a name, an IPv4 address or [V6]. */
static bool
is_host_port(const char *s)
{
	const char *colon = strrchr(s, ':'), *bad;
	struct netaddr a;

	if (colon == NULL || colon == s)
		return false;
	(void)strtonum(colon + 1, 1, 65535, &bad);
	if (bad != NULL || colon[1] < '0' || colon[1] > '9')
		return false;
	if (*s == '[')
		return netaddr_parse(s, &a) == 0;
	return is_hostname(s, (size_t)(colon - s));
}

int
key_set_relay(struct config *cfg, const struct key *k, const char *value,
    struct buf *why)
{
	struct buf b = BUF_INIT;
	int r = -1;

	if (is_none(value))
		return text_set(cfg, k, "");
	buf_adds(&b, value);
	if (strncmp(value, "unix:", 5) == 0) {
		buf_reset(&b);
		r = item_listen(cfg, value, &b);
	} else {
		/* Without a port, the one of mail between servers. */
		if (is_hostname(value, strlen(value)) ||
		    value[strlen(value) - 1] == ']')
			buf_adds(&b, ":25");
		r = is_host_port(b.data) ? 0 : -1;
	}
	if (r == 0)
		r = text_set(cfg, k, b.data);
	else
		buf_addf(why, "\"%s\" is not HOST:PORT", value);
	buf_release(&b);
	return r;
}

int
key_set_delimiter(struct config *cfg, const struct key *k, const char *value,
    struct buf *why)
{
	if (is_none(value))
		return text_set(cfg, k, "");
	if (strlen(value) != 1 || strchr("+-_=.%!#$&*/?^~", *value) == NULL) {
		buf_addf(why, "\"%s\" is not one character such as + or -",
		    value);
		return -1;
	}
	return text_set(cfg, k, value);
}

/* A decimal number, perhaps with the letter of a unit behind it. */
static int
number_set(struct config *cfg, const struct key *k, const char *value,
    const struct unit *units, const char *like, struct buf *why)
{
	int64_t *to = (int64_t *)(void *)((char *)cfg + k->offset);
	int64_t factor = 1, n = 0;
	const char *p = value;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, *p - '0', &n))
			goto range;
	if (p == value)
		goto malformed;
	if (*p != '\0') {
		for (; units->letter != '\0' && units->letter != *p; units++)
			;
		if (units->letter == '\0' || p[1] != '\0')
			goto malformed;
		factor = units->factor;
	}
	if (__builtin_mul_overflow(n, factor, &n) || n < k->min || n > k->max)
		goto range;
	*to = n;
	return 0;
malformed:
	buf_addf(why, "\"%s\" is not %s", value, like);
	return -1;
range:
	buf_addf(why, "\"%s\" is not between %" PRId64 " and %" PRId64, value,
	    k->min, k->max);
	return -1;
}

static const struct unit no_units[] = { { '\0', 0 } };
const struct unit key_sizes[] = {
	{ 'G', 1024 * MEGA }, { 'M', MEGA }, { 'm', MEGA }, { 'k', 1024 },
	{ 'K', 1024 }, { '\0', 0 }
};
const struct unit key_spans[] = {
	{ 'd', DAY }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 },
	{ 'w', 7 * DAY }, { '\0', 0 }
};

int
key_set_number(struct config *cfg, const struct key *k, const char *value,
    struct buf *why)
{
	return number_set(cfg, k, value, no_units, "a number", why);
}

int
key_set_size(struct config *cfg, const struct key *k, const char *value,
    struct buf *why)
{
	return number_set(cfg, k, value, key_sizes, "a size like 50M or 10k",
	    why);
}

int
key_set_span(struct config *cfg, const struct key *k, const char *value,
    struct buf *why)
{
	return number_set(cfg, k, value, key_spans,
	    "a time like 5d, 4h, 30m or 10s", why);
}

int
key_set_bool(struct config *cfg, const struct key *k, const char *value,
    struct buf *why)
{
	bool *to = (bool *)((char *)cfg + k->offset);

	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0) {
		buf_addf(why, "\"%s\" is neither yes nor no", value);
		return -1;
	}
	*to = *value == 'y';
	return 0;
}
