/*
 * sites_conf.c - reads CONFDIR/sites and answers from it.
 *
 * Way 5 of 8.  From: queue/sites.c, queue/agent.c.
 * Rows are looked at in order, the file's before our own; the first whose
 * pattern matches a host of the site counts for limits, all of them for pauses.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "sites_conf.h"

#define FILE_MAX	(1024 * 1024)
#define WORDS		16

struct pause {
	char	*pattern;	/* owned; found in a reply, in any case */
	int64_t	 ms;
	struct pause *next;
};

struct row {
	char	*match;		/* owned; "*.google.com", "mx.example.org", "*" */
	unsigned connections, messages, rate;	/* 0: not said */
	struct pause *pauses;	/* owned */
	struct row *next;
};

/* What large receivers are known to allow (2026); an administrator's file comes first. */
static const char providers[] =
    "*.google.com connections=5 messages=50\n"
    "*.googlemail.com connections=5 messages=50\n"
    "*.yahoodns.net messages=20 pause=2h:[TSS04]\n"
    "*.olc.protection.outlook.com connections=5 messages=50\n"
    "*.mail.protection.outlook.com connections=5 messages=50\n"
    "*.mx.microsoft connections=5 messages=50\n"
    "*.icloud.com connections=10\n"
    "*.web.de connections=4 messages=20\n"
    "*.gmx.net connections=4 messages=20\n"
    "* pause=30m:\"rate limited due to IP reputation\"\n";

static struct {
	struct row *file, *builtin;	/* owned */
	struct stat seen;
} C;

static void
rows_free(struct row *r)
{
	for (struct row *next; r != NULL; r = next) {
		next = r->next;
		for (struct pause *p = r->pauses, *n; p != NULL; p = n) {
			n = p->next;
			free(p->pattern);
			free(p);
		}
		free(r->match);
		free(r);
	}
}

/* "2h", "90s", "30m", "1d": ms, or -1. */
static int64_t
parse_span(const char *s, size_t len)
{
	int64_t n = 0;
	size_t i = 0;

	for (; i < len && s[i] >= '0' && s[i] <= '9' && n < 1000000; i++)
		n = n * 10 + (s[i] - '0');
	if (i == 0 || i + 1 != len)
		return -1;
	switch (s[i]) {
	case 's':
		return n * 1000;
	case 'm':
		return n * 60 * 1000;
	case 'h':
		return n * 3600 * 1000;
	case 'd':
		return n * 86400 * 1000;
	}
	return -1;
}

static bool
parse_number(const char *s, size_t len, unsigned *out)
{
	unsigned n = 0;

	if (len == 0 || len > 6)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		n = n * 10 + (unsigned)(s[i] - '0');
	}
	*out = n;
	return n > 0;
}

/* "2h:[TSS04]" or "2h:\"too many\"" */
static bool
parse_pause(struct row *r, const char *s, size_t len)
{
	const char *colon = memchr(s, ':', len);
	struct pause *p;
	int64_t ms;

	if (colon == NULL || (ms = parse_span(s, (size_t)(colon - s))) <= 0)
		return false;
	len -= (size_t)(colon + 1 - s);
	s = colon + 1;
	if (len >= 2 && s[0] == '"' && s[len - 1] == '"') {
		s++;
		len -= 2;
	}
	if (len == 0)
		return false;
	p = xcalloc(1, sizeof(*p));
	p->pattern = xstrndup(s, len);
	p->ms = ms;
	p->next = r->pauses;
	r->pauses = p;
	return true;
}

static bool
is(const char *s, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(s, word, len) == 0;
}

static const char *
parse_setting(struct row *r, const char *s, size_t len)
{
	const char *eq = memchr(s, '=', len), *value;
	size_t key, vlen;

	if (eq == NULL)
		return "a setting is key=value";
	key = (size_t)(eq - s);
	value = eq + 1;
	vlen = len - key - 1;
	if (is(s, key, "connections"))
		return parse_number(value, vlen, &r->connections) ? NULL :
		    "connections wants a number";
	if (is(s, key, "messages"))
		return parse_number(value, vlen, &r->messages) ? NULL :
		    "messages wants a number";
	if (is(s, key, "rate")) {
		if (vlen > 2 && value[vlen - 2] == '/' && value[vlen - 1] == 'm')
			vlen -= 2;
		return parse_number(value, vlen, &r->rate) ? NULL :
		    "rate wants messages a minute, like 60 or 60/m";
	}
	if (is(s, key, "pause"))
		return parse_pause(r, value, vlen) ? NULL :
		    "pause wants TIME:TEXT, like 2h:\"too many\"";
	return "unknown setting; there are connections, messages, rate, pause";
}

/* The next word; blanks inside "..." belong to it. */
static bool
next_word(const char **p, const char *end, const char **word, size_t *len)
{
	bool quoted = false;

	while (*p < end && (**p == ' ' || **p == '\t'))
		(*p)++;
	*word = *p;
	while (*p < end && (quoted || (**p != ' ' && **p != '\t'))) {
		if (**p == '"')
			quoted = !quoted;
		(*p)++;
	}
	*len = (size_t)(*p - *word);
	return *len > 0;
}

static const char *
parse_row(const char *s, size_t len, struct row **out)
{
	const char *end = s + len, *word, *wrong = NULL;
	struct row *r;
	size_t n;

	*out = NULL;
	if (!next_word(&s, end, &word, &n) || *word == '#')
		return NULL;
	r = xcalloc(1, sizeof(*r));
	r->match = xstrndup(word, n);
	while (wrong == NULL && next_word(&s, end, &word, &n) && *word != '#')
		wrong = parse_setting(r, word, n);
	if (wrong != NULL)
		rows_free(r);
	else
		*out = r;
	return wrong;
}

static struct row *
parse_rows(const char *text, size_t len, struct buf *complaints)
{
	struct row *first = NULL, **last = &first, *r;
	const char *wrong;

	for (unsigned line = 1; len > 0; line++) {
		const char *lf = memchr(text, '\n', len);
		size_t n = lf == NULL ? len : (size_t)(lf - text);

		wrong = parse_row(text, n, &r);
		if (wrong != NULL && complaints != NULL)
			buf_addf(complaints, "sites:%u: %s\n", line, wrong);
		if (r != NULL) {
			*last = r;
			last = &r->next;
		}
		n += lf != NULL;
		text += n;
		len -= n;
	}
	return first;
}

int
sites_conf_read(const char *path, struct buf *complaints)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct buf text = BUF_CAPPED(FILE_MAX);
	ssize_t n;
	char *room;

	rows_free(C.file);
	C.file = NULL;
	memset(&C.seen, 0, sizeof(C.seen));
	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	(void)fstat(fd, &C.seen);
	while ((room = buf_room(&text, 4096)) != NULL &&
	    (n = read(fd, room, 4096)) > 0)
		text.len += (size_t)n;
	close(fd);
	if (!buf_ok(&text)) {
		buf_adds(complaints, "sites: larger than a megabyte\n");
		buf_release(&text);
		return 0;
	}
	C.file = parse_rows(text.data, text.len, complaints);
	buf_release(&text);
	return 0;
}

bool
sites_conf_refresh(const char *path)
{
	struct buf complaints = BUF_INIT;
	struct stat st;

	if (stat(path, &st) == -1)
		memset(&st, 0, sizeof(st));
	if (st.st_mtim.tv_sec == C.seen.st_mtim.tv_sec &&
	    st.st_mtim.tv_nsec == C.seen.st_mtim.tv_nsec &&
	    st.st_size == C.seen.st_size && st.st_ino == C.seen.st_ino)
		return false;
	if (sites_conf_read(path, &complaints) == -1)
		log_errno(NULL, "sites-unreadable path=%s", quoted(path));
	for (const char *p = buf_str(&complaints), *lf;
	    (lf = strchr(p, '\n')) != NULL; p = lf + 1) {
		char *line = xstrndup(p, (size_t)(lf - p));

		log_event(NULL, "sites-line text=%s", quoted(line));
		free(line);
	}
	buf_release(&complaints);
	return true;
}

/* ---- answers ---- */

/* "*" is any, "*.google.com" any host below it, else the host itself. */
static bool
host_matches(const char *match, const char *host, size_t len)
{
	size_t m = strlen(match);

	if (strcmp(match, "*") == 0)
		return true;
	if (match[0] != '*')
		return m == len && strncasecmp(match, host, len) == 0;
	return len >= m - 1 &&
	    strncasecmp(match + 1, host + len - (m - 1), m - 1) == 0;
}

/* A relay host's key is HOST:PORT; its port is nothing to match against. */
static size_t
without_port(const char *host, size_t len)
{
	const char *colon = memrchr(host, ':', len);

	return colon == NULL ? len : (size_t)(colon - host);
}

/* A site's key is its hosts with commas between, cut with '+' when they are many. */
static bool
row_matches(const struct row *r, const char *key)
{
	for (size_t n; *key != '\0'; key += n + (key[n] != '\0')) {
		n = strcspn(key, ",+");
		if (host_matches(r->match, key, without_port(key, n)))
			return true;
		if (key[n] == '+')
			break;
	}
	return false;
}

static const struct row *
next_match(const struct row *r, const char *key, bool *in_file)
{
	for (;;) {
		for (; r != NULL; r = r->next)
			if (row_matches(r, key))
				return r;
		if (!*in_file)
			return NULL;
		*in_file = false;
		if (C.builtin == NULL)
			C.builtin = parse_rows(providers, strlen(providers),
			    NULL);
		r = C.builtin;
	}
}

void
sites_conf_limits(const char *key, struct site_limits *limits)
{
	bool in_file = true;
	const struct row *r = next_match(C.file, key, &in_file);

	if (r == NULL)
		return;
	if (r->connections != 0)
		limits->connections = r->connections;
	if (r->messages != 0)
		limits->messages = r->messages;
	limits->rate = r->rate;
}

int64_t
sites_conf_pause(const char *key, const char *text)
{
	bool in_file = true;
	int64_t longest = 0;

	for (const struct row *r = next_match(C.file, key, &in_file); r != NULL;
	    r = next_match(r->next, key, &in_file))
		for (const struct pause *p = r->pauses; p != NULL; p = p->next)
			if (p->ms > longest && strcasestr(text, p->pattern) != NULL)
				longest = p->ms;
	return longest;
}

void
sites_conf_release(void)
{
	rows_free(C.file);
	rows_free(C.builtin);
	memset(&C, 0, sizeof(C));
}
