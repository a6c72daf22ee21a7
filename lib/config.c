/*
 * config.c - CONFDIR/facteur.conf: "key = value", one a line, # comments; an
 * empty or missing file is a working host.  The keys are in config_keys.c.
 *
 * Runs at every privilege, before the first byte of mail.
 * Way 0 of 8: what all programs read first.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "ascii.h"
#include "config_keys.h"
#include "nearest.h"

#define FILE_NAME	"facteur.conf"
#define FILE_MAX	((size_t)1024 * 1024)

/* The lines on which the keys stood, 0 for a default. */
static unsigned *
lines_of(const struct config *cfg)
{
	return (unsigned *)(void *)cfg->origins.data;
}

static const char *
key_name(const void *keys, size_t i)
{
	return ((const struct key *)keys)[i].name;
}

/* Our own kind of blank: a CR before the LF counts, a NUL does not. */
static size_t
skip_blanks(const char *s)
{
	return strspn(s, " \t\r");
}

static void
cut_blanks(char *s)
{
	size_t n = strlen(s);

	while (n > 0 && strchr(" \t\r", s[n - 1]) != NULL)
		s[--n] = '\0';
}

/* A # at the beginning or behind a blank begins a comment. */
static void
cut_comment(char *s)
{
	for (size_t i = 0; s[i] != '\0'; i++)
		if (s[i] == '#' && (i == 0 || s[i - 1] == ' ' ||
		    s[i - 1] == '\t')) {
			s[i] = '\0';
			return;
		}
}

static bool
has_control(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 && *s != '\t')
			return true;
	return false;
}

static int
set_key(struct config *cfg, const char *name, const char *value,
    unsigned number, struct buf *why)
{
	for (size_t i = 0; i < config_nkeys; i++) {
		const struct key *k = &config_keys[i];
		unsigned *line = &lines_of(cfg)[i];

		if (strcmp(k->name, name) != 0)
			continue;
		if (*line != 0) {
			buf_addf(why, "%s stands already on line %u", name,
			    *line);
			return -1;
		}
		*line = number;
		buf_addf(why, "%s: ", name);
		return k->set(cfg, k, value, why);
	}
	buf_addf(why, "unknown key \"%s\"; the nearest one is \"%s\"", name,
	    nearest(name, key_name, config_keys, config_nkeys));
	return -1;
}

/* One line without its LF; why gets only what is wrong. */
static int
parse_line(struct config *cfg, char *line, unsigned number, struct buf *why)
{
	char *name, *value;
	size_t n;

	cut_comment(line);
	cut_blanks(line);
	name = line + skip_blanks(line);
	if (*name == '\0')
		return 0;
	if (has_control(name)) {
		buf_adds(why, "a control character");
		return -1;
	}
	n = strcspn(name, " \t=");
	value = name + n + skip_blanks(name + n);
	if (n == 0 || *value != '=') {
		buf_adds(why, "not \"key = value\"");
		return -1;
	}
	value++;
	value += skip_blanks(value);
	name[n] = '\0';
	return set_key(cfg, name, value, number, why);
}

static int
parse_text(struct config *cfg, struct buf *text, struct buf *why)
{
	struct buf what = BUF_INIT;
	char *line = text->data, *end;
	unsigned number = 0;
	int r = 0;

	if (text->len == 0)
		return 0;	/* then there may be no data to point behind */
	end = line + text->len;
	while (r == 0 && line < end) {
		char *lf = memchr(line, '\n', (size_t)(end - line));

		if (lf == NULL)
			lf = end;
		*lf = '\0';
		number++;
		buf_reset(&what);
		if (strlen(line) != (size_t)(lf - line)) {
			buf_adds(&what, "a NUL byte");
			r = -1;
		} else {
			r = parse_line(cfg, line, number, &what);
		}
		line = lf + 1;
	}
	if (r == -1)
		buf_addf(why, "%s/" FILE_NAME ":%u: %s", cfg->confdir, number,
		    buf_str(&what));
	buf_release(&what);
	return r;
}

/* The whole file; a missing one is empty. */
static int
read_file(const char *confdir, struct buf *text, struct buf *why)
{
	struct buf path = BUF_INIT;
	struct stat st;
	ssize_t n = -1;
	int fd;

	buf_addf(&path, "%s/" FILE_NAME, confdir);
	fd = open(path.data, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1 && errno == ENOENT) {
		n = 0;
		goto out;
	}
	if (fd == -1 || fstat(fd, &st) == -1)
		goto out;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		goto out;
	}
	do {
		char *p = buf_room(text, 4096);

		if (p == NULL) {
			errno = EFBIG;
			n = -1;
			break;
		}
		n = read(fd, p, 4096);
		if (n > 0)
			text->len += (size_t)n;
	} while (n > 0);
out:
	if (n == -1)
		buf_addf(why, "%s: %s", path.data, strerror(errno));
	if (fd != -1)
		(void)close(fd);
	buf_release(&path);
	return n == 0 ? 0 : -1;
}

static int
fill_defaults(struct config *cfg, struct buf *why)
{
	struct buf text = BUF_INIT, what = BUF_INIT;
	int r = 0;

	for (size_t i = 0; r == 0 && i < config_nkeys; i++) {
		const struct key *k = &config_keys[i];

		if (lines_of(cfg)[i] != 0)
			continue;
		buf_reset(&text);
		config_default(cfg, k, &text);
		r = k->set(cfg, k, buf_str(&text), &what);
		if (r == -1)
			buf_addf(why, "%s/" FILE_NAME ": %s is not set, and "
			    "its default cannot be: %s", cfg->confdir, k->name,
			    buf_str(&what));
	}
	buf_release(&text);
	buf_release(&what);
	return r;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What no single line can tell, and the index of our domains. */
static int
finish(struct config *cfg, struct buf *why)
{
	size_t n = cfg->domains.n;

	if (*cfg->tls_key != '\0' && *cfg->tls_cert == '\0') {
		buf_addf(why, "%s/" FILE_NAME ": tls_key is set, but tls_cert "
		    "is not", cfg->confdir);
		return -1;
	}
	cfg->ours = xcalloc(n + 1, sizeof(*cfg->ours));
	for (size_t i = 0; i < n; i++)
		cfg->ours[i] = cfg->domains.v[i];
	qsort(cfg->ours, n, sizeof(*cfg->ours), compare_names);
	return 0;
}

struct config *
config_from_text(const char *confdir, bool as_root, struct buf *text,
    struct buf *why)
{
	struct config *cfg = xcalloc(1, sizeof(*cfg));
	size_t size = config_nkeys * sizeof(unsigned);

	cfg->as_root = as_root;
	cfg->confdir = xstrdup(confdir);
	memset(buf_room(&cfg->origins, size), 0, size);
	cfg->origins.len = size;
	if (parse_text(cfg, text, why) == -1 ||
	    fill_defaults(cfg, why) == -1 || finish(cfg, why) == -1) {
		config_free(cfg);
		return NULL;
	}
	return cfg;
}

struct config *
config_load(const char *confdir, bool as_root, struct buf *why)
{
	struct buf text = BUF_CAPPED(FILE_MAX);
	struct config *cfg = NULL;
	char *real = realpath(confdir, NULL);

	if (real == NULL)
		buf_addf(why, "%s: %s", confdir, strerror(errno));
	else if (read_file(real, &text, why) == 0)
		cfg = config_from_text(real, as_root, &text, why);
	buf_release(&text);
	free(real);
	return cfg;
}

void
config_free(struct config *cfg)
{
	if (cfg == NULL)
		return;
	config_release(cfg);
	free(cfg->ours);
	free(cfg->confdir);
	buf_release(&cfg->origins);
	free(cfg);
}

void
config_each(const struct config *cfg,
    void (*fn)(void *, const char *, const char *, const char *), void *arg)
{
	struct buf value = BUF_INIT, origin = BUF_INIT;

	for (size_t i = 0; i < config_nkeys; i++) {
		const struct key *k = &config_keys[i];
		unsigned line = lines_of(cfg)[i];

		buf_reset(&value);
		buf_reset(&origin);
		k->show(cfg, k, &value);
		if (line == 0)
			buf_adds(&origin, "default");
		else
			buf_addf(&origin, FILE_NAME ":%u", line);
		fn(arg, k->name, buf_str(&value), buf_str(&origin));
	}
	buf_release(&value);
	buf_release(&origin);
}

struct config *
config_or_die(const char *confdir)
{
	struct buf why = BUF_INIT;
	struct config *cfg;

	confdir = config_dir(confdir);
	cfg = config_load(confdir, config_is_host(confdir), &why);
	if (cfg == NULL) {
		(void)fprintf(stderr, "%s: %s\n", getprogname(), buf_str(&why));
		exit(EX_CONFIG);
	}
	return cfg;
}

bool
config_is_ours(const struct config *cfg, const char *domain, size_t len)
{
	char name[256];
	const char *key = name;

	if (len >= sizeof(name))
		return false;
	for (size_t i = 0; i < len; i++)
		name[i] = ascii_lower(domain[i]);
	name[len] = '\0';
	return bsearch(&key, cfg->ours, cfg->domains.n, sizeof(*cfg->ours),
	    compare_names) != NULL;
}

const char *
config_home_domain(const struct config *cfg)
{
	const char *host = cfg->hostname;

	if (cfg->domains.n == 0 || config_is_ours(cfg, host, strlen(host)))
		return host;
	return cfg->domains.v[0];
}
