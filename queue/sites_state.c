/*
 * sites_state.c - what the sites have taught us, kept in SPOOL/sites so that a
 * restart does not forget who rests: text, one frame of lib/ctl a line.
 *
 * Way 5 of 8.  From and to: queue/sites.c.  Only what speeds things up: the
 * file may be deleted at any time, and what is wrong in it is skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "date.h"
#include "deadline.h"
#include "log.h"
#include "queue.h"

#define NAME		"sites"
#define TMP		"sites.tmp"
#define SAVE_MS		1000	/* changes are collected for this long */
#define FILE_MAX	(16 * 1024 * 1024)

static struct timer later;

/* Monotonic ms as a point in calendar time, and back. */
static void
add_time(struct buf *b, const char *key, int64_t at, int64_t now)
{
	struct buf iso = BUF_INIT;

	if (at <= now)
		return;
	date_iso(&iso, date_now_usec() + (at - now) * 1000, 0);
	ctl_add(b, key, buf_str(&iso));
	buf_release(&iso);
}

static int64_t
get_time(const struct ctl *c, const char *key, int64_t now)
{
	const char *s = ctl_str(c, key);
	int64_t usec, ms;

	if (date_iso_parse(s, strlen(s), &usec) == -1)
		return 0;
	ms = (usec - date_now_usec()) / 1000;
	/* No rest is longer than this, whatever the clock was set to. */
	if (ms > SITE_REST_MAX_MS)
		ms = SITE_REST_MAX_MS;
	return ms <= 0 ? 0 : now + ms;
}

struct writing {
	struct buf text;
	int64_t	now;
};

static void
add_site(struct site *s, void *arg)
{
	struct writing *w = arg;
	const struct site_flow *f = &s->flow;

	if (s->kind == SITE_LOCAL || !site_has_learned(f))
		return;
	ctl_begin(&w->text, "site");
	ctl_add(&w->text, "key", s->key);
	ctl_add(&w->text, "relay", s->relay);
	if (f->failing_since != 0)
		ctl_addn(&w->text, "failing", site_failing_ms(f, w->now) / 1000);
	if (f->failures > 0)
		ctl_addn(&w->text, "failures", f->failures);
	if (f->rests > 0)
		ctl_addn(&w->text, "rests", f->rests);
	add_time(&w->text, "rests-until", f->rest_until, w->now);
	add_time(&w->text, "pause-until", f->pause_until, w->now);
	if (f->rate > 0)
		ctl_addn(&w->text, "rate", (int64_t)(f->rate + 0.5));
	if (f->ceiling > 0)
		ctl_addn(&w->text, "ceiling", (int64_t)f->ceiling);
	ctl_add(&w->text, "error", s->error);
	ctl_end(&w->text);
}

static void
add_domain(const char *domain, struct site *s, void *arg)
{
	struct writing *w = arg;

	if (!site_has_learned(&s->flow))
		return;
	ctl_begin(&w->text, "domain");
	ctl_add(&w->text, "name", domain);
	ctl_add(&w->text, "site", s->key);
	ctl_end(&w->text);
}

static int
write_file(const struct buf *text)
{
	int fd = openat(Q.spool.root, TMP,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	ssize_t n;

	if (fd == -1)
		return -1;
	n = write(fd, buf_str(text), text->len);
	if (close(fd) == -1 || n != (ssize_t)text->len) {
		(void)unlinkat(Q.spool.root, TMP, 0);
		return -1;
	}
	return renameat(Q.spool.root, TMP, Q.spool.root, NAME);
}

static void
save(struct timer *t)
{
	struct writing w = { BUF_INIT, now_ms() };

	(void)t;
	site_each(add_site, &w);
	domain_each(add_domain, &w);
	/* A full disk is no reason to fuss: what is lost is a few attempts. */
	if (buf_ok(&w.text) && write_file(&w.text) == -1)
		log_errno(NULL, "sites-not-saved");
	buf_release(&w.text);
}

void
sites_state_changed(void)
{
	later.fire = save;
	if (Q.loop != NULL && later.slot == 0)
		loop_timer_set(Q.loop, &later, now_ms() + SAVE_MS);
}

void
sites_state_save(void)
{
	if (later.slot != 0)
		save(&later);
}

static void
load_site(const struct ctl *c, int64_t now)
{
	const char *key = ctl_str(c, "key");
	struct site_flow *f;
	struct site *s;
	int64_t rate;

	if (*key == '\0')
		return;
	s = site_get(SITE_REMOTE, key, ctl_get(c, "relay"));
	f = &s->flow;
	if (ctl_get(c, "failing") != NULL)
		f->failing_since = now - 1 -
		    1000 * ctl_num(c, "failing", 0, 365 * 86400, 0);
	f->failures = (unsigned)ctl_num(c, "failures", 0, 1000000, 0);
	f->rests = (unsigned)ctl_num(c, "rests", 0, 1000, 0);
	f->rest_until = get_time(c, "rests-until", now);
	if (f->rests > 0 && f->rest_until == 0)
		f->rest_until = now;	/* over: a probe is next */
	f->pause_until = get_time(c, "pause-until", now);
	rate = ctl_num(c, "rate", 1, 1000000, 0);
	if (rate > 0 && (f->limits.rate == 0 || rate < f->limits.rate))
		f->rate = (double)rate;
	f->ceiling = (double)ctl_num(c, "ceiling", 1, 10000, 0);
	f->ceiling_until = now + SITE_REST_MS;
	if (ctl_get(c, "error") != NULL) {
		free(s->error);
		s->error = xstrdup(ctl_get(c, "error"));
	}
	site_drop(s);
}

static void
load_line(char *line, size_t len, int64_t now)
{
	struct ctl c;

	if (ctl_parse(line, len, &c) == -1)
		return;
	if (ctl_is(&c, "site"))
		load_site(&c, now);
	else if (ctl_is(&c, "domain") && *ctl_str(&c, "name") != '\0' &&
	    *ctl_str(&c, "site") != '\0')
		(void)site_learn(ctl_str(&c, "name"), ctl_str(&c, "site"));
}

void
sites_state_load(int64_t now)
{
	int fd = openat(Q.spool.root, NAME,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct buf text = BUF_CAPPED(FILE_MAX);
	char *room, *line, *lf;
	ssize_t n;

	if (fd == -1)
		return;
	while ((room = buf_room(&text, 16384)) != NULL &&
	    (n = read(fd, room, 16384)) > 0) {
		text.len += (size_t)n;
		buf_cut(&text, text.len);
	}
	close(fd);
	if (buf_ok(&text) && text.len > 0)
		for (line = text.data; (lf = strchr(line, '\n')) != NULL;
		    line = lf + 1) {
			*lf = '\0';
			load_line(line, (size_t)(lf - line), now);
		}
	buf_release(&text);
}
