/*
 * args.c - what stands behind MAIL and RCPT: a path and its parameters.
 *
 * Pure parsing of a stranger's bytes, in the session's process; reads views,
 * writes nothing but its result, knows no session.  Fuzzed on its own.
 * Way 1 of 8.  From: verbs.c.  To: txn.c.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "ascii.h"
#include "smtpd.h"

#define ENVID_MAX	100	/* RFC 3461 section 4.4, encoded */
#define ORCPT_MAX	500	/* RFC 3461 section 4.2, encoded */
#define SIZE_DIGITS	20	/* RFC 1870 section 3 */

static const struct refusal syntax_error = {
	501, "5.5.4", "cannot read that argument" };
static const struct refusal bad_value = {
	501, "5.5.4", "cannot read that parameter's value" };
static const struct refusal duplicate = {
	501, "5.5.4", "parameter given twice" };
static const struct refusal unknown = {
	555, "5.5.4", "parameter not known here" };

/* A piece of the line. */
struct view {
	const char *s;
	size_t	 len;
	bool	 utf8;		/* SMTPUTF8: values may be more than ASCII */
};

static bool
view_is(struct view v, const char *word)
{
	return v.len == strlen(word) && ascii_same(v.s, word, v.len);
}

static void
skip_blanks(struct view *v)
{
	while (v->len > 0 && ascii_is_blank(*v->s)) {
		v->s++;
		v->len--;
	}
}

/* Cuts everything up to the first `stop` off v; the stop itself is dropped. */
static struct view
cut(struct view *v, char stop)
{
	const char *end = v->len == 0 ? NULL : memchr(v->s, stop, v->len);
	struct view head = *v;
	size_t used;

	head.len = end == NULL ? v->len : (size_t)(end - v->s);
	used = head.len + (end != NULL);
	v->s += used;
	v->len -= used;
	return head;
}

/* ---- values ---- */

/* xtext (RFC 3461 section 4) of printable text; NULL: malformed or empty. */
static char *
xtext_value(struct view v, size_t max)
{
	struct buf out = BUF_INIT;
	bool ok = v.len > 0 && v.len <= max &&
	    xtext_decode(v.s, v.len, &out) == 0 && out.len > 0 &&
	    is_utf8(out.data, out.len);

	for (size_t i = 0; ok && i < out.len; i++)
		if ((unsigned char)out.data[i] < 0x20 || out.data[i] == 0x7f ||
		    (!v.utf8 && (unsigned char)out.data[i] > 0x7f))
			ok = false;
	if (ok)
		return buf_detach(&out);
	buf_release(&out);
	return NULL;
}

static bool
set_size(void *to, struct view v)
{
	struct mail *m = to;
	int64_t n = 0;

	if (v.len == 0 || v.len > SIZE_DIGITS)
		return false;
	for (size_t i = 0; i < v.len; i++) {
		if (v.s[i] < '0' || v.s[i] > '9')
			return false;
		/* too big to count is simply too big */
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, v.s[i] - '0', &n))
			n = INT64_MAX / 10;
	}
	m->size = n;
	return true;
}

static bool
set_body(void *to, struct view v)
{
	struct mail *m = to;

	m->body8 = view_is(v, "8BITMIME");
	return m->body8 || view_is(v, "7BIT");
}

static bool
set_utf8(void *to, struct view v)
{
	struct mail *m = to;

	(void)v;
	m->utf8 = true;
	return true;
}

static bool
set_ret(void *to, struct view v)
{
	struct mail *m = to;

	if (view_is(v, "FULL"))
		m->ret = "full";
	else if (view_is(v, "HDRS"))
		m->ret = "hdrs";
	return m->ret != NULL;
}

static bool
set_envid(void *to, struct view v)
{
	struct mail *m = to;

	m->envid = xtext_value(v, ENVID_MAX);
	return m->envid != NULL;
}

/* RFC 4954 section 5: who has written it, as the client says.  Not believed. */
static bool
set_auth(void *to, struct view v)
{
	char *value;

	(void)to;
	if (view_is(v, "<>"))
		return true;
	value = xtext_value(v, COMMAND_MAX);
	free(value);
	return value != NULL;
}

static bool
set_notify(void *to, struct view v)
{
	struct rcpt *r = to;

	if (view_is(v, "NEVER")) {
		r->notify = NOTIFY_NEVER;
		return true;
	}
	do {
		struct view word = cut(&v, ',');

		if (view_is(word, "SUCCESS"))
			r->notify |= NOTIFY_SUCCESS;
		else if (view_is(word, "FAILURE"))
			r->notify |= NOTIFY_FAILURE;
		else if (view_is(word, "DELAY"))
			r->notify |= NOTIFY_DELAY;
		else
			return false;
	} while (v.len > 0);
	return v.s[-1] != ',';		/* nothing may be missing at the end */
}

/*
 * RFC 6533 section 3: in an address of type utf-8 each character may stand as
 * \x{HEX}.  Appends the character; bytes used, 0: not of that form.
 */
static size_t
embedded(const char *s, struct buf *out)
{
	char *end;
	unsigned long c;

	if (strncmp(s, "\\x{", 3) != 0 || !isxdigit((unsigned char)s[3]))
		return 0;
	c = strtoul(s + 3, &end, 16);
	if (*end != '}' || end - s > 9 || c < 0x20 || c == 0x7f ||
	    c > 0x10ffff)
		return 0;
	if (c < 0x80)
		buf_addc(out, (char)c);
	else if (c < 0x800)
		buf_addf(out, "%c%c", (int)(0xc0 | c >> 6),
		    (int)(0x80 | (c & 0x3f)));
	else if (c < 0x10000)
		buf_addf(out, "%c%c%c", (int)(0xe0 | c >> 12),
		    (int)(0x80 | (c >> 6 & 0x3f)), (int)(0x80 | (c & 0x3f)));
	else
		buf_addf(out, "%c%c%c%c", (int)(0xf0 | c >> 18),
		    (int)(0x80 | (c >> 12 & 0x3f)),
		    (int)(0x80 | (c >> 6 & 0x3f)), (int)(0x80 | (c & 0x3f)));
	return (size_t)(end - s) + 1;
}

/* utf-8-addr-xtext or utf-8-addr-unitext; NULL: malformed. */
static char *
utf8_value(struct view v)
{
	char *text = xstrndup(v.s, v.len);
	struct buf out = BUF_INIT;
	bool ok = v.len > 0;

	for (const char *p = text; ok && *p != '\0'; ) {
		unsigned char c = (unsigned char)*p;
		size_t used = c == '\\' ? embedded(p, &out) : 1;

		if (c <= ' ' || c == 0x7f || c == '+' || c == '=' ||
		    used == 0 || (c > 0x7f && !v.utf8))
			ok = false;
		else if (c != '\\')
			buf_addc(&out, *p);
		p += used;
	}
	free(text);
	if (ok && is_utf8(buf_str(&out), out.len))
		return buf_detach(&out);
	buf_release(&out);
	return NULL;
}

/* "rfc822;xtext": a type, which is an atom, and an address. */
static bool
set_orcpt(void *to, struct view v)
{
	struct rcpt *r = to;
	struct view type = cut(&v, ';');
	struct buf out = BUF_INIT;
	char *addr;

	if (type.len == 0 || type.len > 32 || type.len + v.len >= ORCPT_MAX)
		return false;
	for (size_t i = 0; i < type.len; i++)
		if (!ascii_is_alnum(type.s[i]) && type.s[i] != '-')
			return false;
	addr = view_is(type, "utf-8") ? utf8_value(v) :
	    xtext_value(v, ORCPT_MAX);
	if (addr == NULL)
		return false;
	buf_add(&out, type.s, type.len);
	buf_addc(&out, ';');
	buf_adds(&out, addr);
	free(addr);
	r->orcpt = buf_detach(&out);
	return true;
}

/* ---- parameters ---- */

struct param {
	const char *name;
	bool	(*set)(void *to, struct view value);
	bool	 flag;			/* it takes no value */
};

static const struct param mail_params[] = {
	{ "SIZE",	set_size, false },	/* RFC 1870 */
	{ "BODY",	set_body, false },	/* RFC 6152 */
	{ "SMTPUTF8",	set_utf8, true },	/* RFC 6531 */
	{ "RET",	set_ret, false },	/* RFC 3461 section 4.3 */
	{ "ENVID",	set_envid, false },	/* RFC 3461 section 4.4 */
	{ "AUTH",	set_auth, false },	/* RFC 4954 section 5 */
	{ NULL, NULL, false }
};
static const struct param rcpt_params[] = {
	{ "NOTIFY",	set_notify, false },	/* RFC 3461 section 4.1 */
	{ "ORCPT",	set_orcpt, false },	/* RFC 3461 section 4.2 */
	{ NULL, NULL, false }
};

/* One "NAME" or "NAME=value"; `seen` has a bit for each row used so far. */
static const struct refusal *
param_read(const struct param *table, struct view word, unsigned *seen,
    void *to)
{
	struct view value = word;
	struct view name = cut(&value, '=');

	bool flag = name.len == word.len;	/* there was no '=' */

	if (!flag && (value.len == 0 ||
	    memchr(value.s, '=', value.len) != NULL))
		return &bad_value;
	for (unsigned i = 0; table[i].name != NULL; i++) {
		if (!view_is(name, table[i].name))
			continue;
		if (*seen & 1u << i)
			return &duplicate;
		*seen |= 1u << i;
		if (table[i].flag != flag || !table[i].set(to, value))
			return &bad_value;
		return NULL;
	}
	return &unknown;
}

static const struct refusal *
params_read(const struct param *table, struct view v, void *to)
{
	const struct refusal *why;
	unsigned seen = 0;

	if (v.len > 0 && !ascii_is_blank(*v.s))
		return &syntax_error;		/* <a@b>SIZE=1 */
	for (;;) {
		const char *start;

		skip_blanks(&v);
		if (v.len == 0)
			return NULL;
		for (start = v.s; v.len > 0 && !ascii_is_blank(*v.s); v.len--)
			v.s++;
		struct view word = { start, (size_t)(v.s - start), v.utf8 };
		if ((why = param_read(table, word, &seen, to)) != NULL)
			return why;
	}
}

/* ---- paths ---- */

static const struct refusal *
address_refusal(enum addr_result result, bool is_sender)
{
	static const struct refusal sender[] = {
		[ADDR_SYNTAX] = { 501, "5.1.7", "cannot read that address" },
		[ADDR_TOO_LONG] = { 501, "5.1.7", "that address is too long" },
		[ADDR_UTF8] = { 553, "5.6.7", "not ASCII, and no SMTPUTF8" },
		[ADDR_NO_DOMAIN] = { 553, "5.1.7", "address without a domain" },
	}, recipient[] = {
		[ADDR_SYNTAX] = { 501, "5.1.3", "cannot read that address" },
		[ADDR_TOO_LONG] = { 501, "5.1.3", "that address is too long" },
		[ADDR_UTF8] = { 553, "5.6.7", "not ASCII, and no SMTPUTF8" },
		[ADDR_NO_DOMAIN] = { 553, "5.1.3", "address without a domain" },
	};

	return is_sender ? &sender[result] : &recipient[result];
}

/*
 * "FROM:" or "TO:", then a path.  UTF-8 is let through here: whether it is
 * allowed may stand in a parameter behind it.
 */
static const struct refusal *
path_read(const char *word, struct view *v, unsigned flags, struct buf *out)
{
	size_t len = strlen(word), used = 0;
	enum addr_result result;

	if (v->len < len || !ascii_same(v->s, word, len))
		return &syntax_error;
	v->s += len;
	v->len -= len;
	skip_blanks(v);		/* "MAIL FROM: <x>" is wrong but common */
	if (v->len == 0)
		return &syntax_error;
	result = address_path(v->s, v->len, flags | ADDR_ALLOW_UTF8, out,
	    &used);
	if (result != ADDR_OK)
		return address_refusal(result, *word == 'F');
	v->s += used;
	v->len -= used;
	return buf_ok(out) ? NULL : &syntax_error;
}

static bool
is_ascii(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s > 0x7f)
			return false;
	return true;
}

const struct refusal *
mail_parse(const char *s, size_t len, bool bare, struct mail *out)
{
	struct view v = { s, len, false };
	struct buf path = BUF_INIT;
	const struct refusal *why;

	*out = (struct mail)MAIL_INIT;
	why = path_read("FROM:", &v, bare ? ADDR_ALLOW_BARE : 0, &path);
	if (why == NULL)
		why = params_read(mail_params, v, out);
	if (why == NULL && !out->utf8 && !is_ascii(buf_str(&path)))
		why = address_refusal(ADDR_UTF8, true);
	out->sender = buf_detach(&path);
	if (why != NULL)
		mail_release(out);
	return why;
}

const struct refusal *
rcpt_parse(const char *s, size_t len, bool utf8, struct rcpt *out)
{
	struct view v = { s, len, utf8 };
	struct buf path = BUF_INIT;
	const struct refusal *why;

	*out = (struct rcpt)RCPT_INIT;
	why = path_read("TO:", &v, ADDR_ALLOW_BARE, &path);
	if (why == NULL)
		why = params_read(rcpt_params, v, out);
	if (why == NULL && path.len == 0)
		why = address_refusal(ADDR_SYNTAX, false);
	if (why == NULL && !utf8 && !is_ascii(buf_str(&path)))
		why = address_refusal(ADDR_UTF8, false);
	out->addr = buf_detach(&path);
	if (why != NULL)
		rcpt_release(out);
	return why;
}

void
mail_release(struct mail *m)
{
	free(m->sender);
	free(m->envid);
	*m = (struct mail)MAIL_INIT;
}

void
rcpt_release(struct rcpt *r)
{
	free(r->addr);
	free(r->orcpt);
	*r = (struct rcpt)RCPT_INIT;
}
