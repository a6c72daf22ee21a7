/*
 * history_read.c - reads SPOOL/history for those who look: one line at a time,
 * oldest first, while the queue manager may be appending.
 *
 * Runs as the caller.  From: queue/history.c.  To: queue/qadmin_why.c.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "date.h"
#include "envelope_line.h"
#include "history.h"
#include "history_file.h"

struct reading {
	const char *word;
	int	  (*fn)(const struct history_line *, void *);
	void	 *arg;
};

bool
is_history_day(const char *name)
{
	static const char shape[] = "dddd-dd-dd";

	if (strlen(name) != HISTORY_DAY)
		return false;
	for (size_t i = 0; i < HISTORY_DAY; i++)
		if (shape[i] == 'd' ? name[i] < '0' || name[i] > '9' :
		    name[i] != shape[i])
			return false;
	return true;
}

static bool
set_what(struct history_line *h, const char *s, size_t len)
{
	for (unsigned i = 0; i < 4; i++)
		if (strlen(history_words[i]) == len &&
		    memcmp(history_words[i], s, len) == 0) {
			h->what = (enum history_what)i;
			return true;
		}
	return false;
}

/* Unknown keys are skipped: a newer version may say more. */
static bool
set_pair(struct history_line *h, const struct env_pair *p)
{
	static const struct {
		const char *key;
		size_t at;
	} texts[] = {
		{ "to", offsetof(struct history_line, to) },
		{ "from", offsetof(struct history_line, from) },
		{ "host", offsetof(struct history_line, host) },
		{ "tls", offsetof(struct history_line, tls) },
		{ "dsn", offsetof(struct history_line, dsn) },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (pair_is(p, texts[i].key))
			return text_set((char **)(void *)((char *)h +
			    texts[i].at), p->value, p->len);
	if (pair_is(p, "arrived"))
		return date_iso_parse(p->value, p->len, &h->arrived) == 0;
	if (pair_is(p, "attempts"))
		return text_number(p->value, p->len, UINT32_MAX, &h->attempts);
	return true;
}

static bool
parse(struct history_line *h, const char *line, size_t len)
{
	struct env_line c = { line, line + len };
	struct env_pair p;
	const char *s;
	size_t n;

	if (!line_time(&c, &h->time) || !line_word(&c, &s, &n) || !is_id(s, n))
		return false;
	memcpy(h->id, s, ID_LEN);
	h->id[ID_LEN] = '\0';
	if (!line_word(&c, &s, &n) || !set_what(h, s, n))
		return false;
	while (c.p < c.end && *c.p != '"')
		if (line_pair(&c, &p) != 1 || !set_pair(h, &p))
			return false;
	return text_set_quoted(&h->text, c.p, (size_t)(c.end - c.p));
}

static int
give(const struct reading *r, const char *line, size_t len)
{
	struct history_line h = { .time = 0 };
	int result = 0;

	h.to = xstrdup("");
	h.from = xstrdup("");
	if (parse(&h, line, len))
		result = r->fn(&h, r->arg);
	free(h.to);
	free(h.from);
	free(h.host);
	free(h.tls);
	free(h.dsn);
	free(h.text);
	return result;
}

/* One day.  A last line without its LF is just being written, or torn: left out. */
static int
read_day(int dir, const char *name, const struct reading *r)
{
	int fd = openat(dir, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), result = 0;
	FILE *f = fd == -1 ? NULL : fdopen(fd, "r");
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	if (f == NULL) {
		if (fd != -1)
			close(fd);
		return errno == ENOENT ? 0 : -1;	/* just removed: too old */
	}
	while (result == 0 && (len = getline(&line, &cap, f)) > 0)
		if (line[len - 1] == '\n' && (r->word == NULL ||
		    memmem(line, (size_t)len, r->word, strlen(r->word)) != NULL))
			result = give(r, line, (size_t)len - 1);
	free(line);
	(void)fclose(f);
	return result;
}

static int
is_day(const struct dirent *d)
{
	return is_history_day(d->d_name);
}

int
history_each(const struct config *cfg, const char *word,
    int (*fn)(const struct history_line *, void *), void *arg)
{
	struct reading r = { word, fn, arg };
	struct buf path = BUF_INIT;
	struct dirent **days;
	int dir, n, result = 0;

	buf_addf(&path, "%s/" HISTORY_DIR, cfg->spool);
	dir = open(buf_str(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	buf_release(&path);
	if (dir == -1)
		return errno == ENOENT ? 0 : -1;
	n = scandirat(dir, ".", &days, is_day, alphasort);
	for (int i = 0; i < n; i++) {
		if (result == 0)
			result = read_day(dir, days[i]->d_name, &r);
		free(days[i]);
	}
	if (n >= 0)
		free(days);
	close(dir);
	return n == -1 ? -1 : result;
}
