/*
 * site.c - the window, the pace and the breaker of one destination.
 *
 * Way 5 of 8.  From: queue/sched.c.  Pure arithmetic on the time it is given.
 */
#include <assert.h>
#include <string.h>
#include <strings.h>

#include "site.h"

#define WINDOW_FIRST	2.0
#define MINUTE		60000
#define ROUND_MIN_MS	1000	/* no refusal counts twice within this */
#define RATE_HOLD_MS	30000	/* nor does the pace fall twice within this */
#define BURST		2.0	/* tokens that may have gathered */
#define CROWDED_MS	5000	/* a site that is full is left alone a moment */
#define SLOWER_MS	15000	/* a site that we sent too much, a little longer */
#define CEILING_MS	(10 * MINUTE)
#define PROBE_MS	30000	/* those who wait look again after this */

void
site_flow_init(struct site_flow *f, const struct site_limits *limits)
{
	memset(f, 0, sizeof(*f));
	f->limits = *limits;
	f->window = limits->connections < WINDOW_FIRST ?
	    limits->connections : WINDOW_FIRST;
	f->fast = true;
	f->rate = limits->rate;
	f->tokens = 1;
	f->shrunk_at = f->rate_at = -MINUTE;	/* long ago */
}

/* ---- the pace ---- */

static double
tokens_now(const struct site_flow *f, int64_t now)
{
	double t = f->tokens + (double)(now - f->tokens_at) * f->rate / MINUTE;

	return t > BURST ? BURST : t;
}

static void
tokens_settle(struct site_flow *f, int64_t now)
{
	f->tokens = tokens_now(f, now);
	f->tokens_at = now;
}

static void
minute_turn(struct site_flow *f, int64_t now)
{
	if (now - f->minute_at < MINUTE)
		return;
	f->minute_before = now - f->minute_at < 2 * MINUTE ? f->minute_n : 0;
	f->minute_n = 0;
	f->minute_at = now;
}

/* What it took in the last minute, or what the pace would have been. */
static double
recent_rate(const struct site_flow *f, int64_t now)
{
	double part = 1.0 - (double)(now - f->minute_at) / MINUTE;
	double n = f->minute_n + (part > 0 ? part : 0) * f->minute_before;

	return n < 1 ? 1 : n;
}

/* Refused for speed: a tenth less than what it took before it refused. */
static void
rate_down(struct site_flow *f, int64_t now)
{
	double recent = recent_rate(f, now);

	if (now - f->rate_at < RATE_HOLD_MS)
		return;
	tokens_settle(f, now);
	f->rate = 0.9 * (f->rate > 0 && f->rate < recent ? f->rate : recent);
	if (f->rate < 1)
		f->rate = 1;
	f->tokens = 0;
	f->rate_at = now;
	site_pause(f, now + SLOWER_MS);
}

/* A minute without refusal: a little more, until the pace limits nothing. */
static void
rate_up(struct site_flow *f, int64_t now)
{
	if (f->rate == 0 || now - f->rate_at < MINUTE)
		return;
	tokens_settle(f, now);
	f->rate *= 1.05;
	f->rate_at = now;
	if (f->limits.rate > 0 && f->rate > f->limits.rate)
		f->rate = f->limits.rate;
	else if (f->limits.rate == 0 && f->rate > 6000)
		f->rate = 0;
}

/* ---- the window ---- */

static void
window_up(struct site_flow *f, int64_t now)
{
	double most = f->limits.connections;

	if (f->ceiling > 0 && now < f->ceiling_until && f->ceiling < most)
		most = f->ceiling;
	f->window += f->fast ? 1 : 1 / f->window;
	if (f->window > most)
		f->window = most;
}

static bool
window_down(struct site_flow *f, int64_t started, int64_t now)
{
	/* It was under way before the window was last halved: known already. */
	if (started < f->shrunk_at || now - f->shrunk_at < ROUND_MIN_MS)
		return false;
	f->fast = false;
	f->window = f->window / 2 < 1 ? 1 : f->window / 2;
	f->shrunk_at = now;
	return true;
}

/* Full at N connections: stay just below, and feel the way up slowly. */
static void
crowded(struct site_flow *f, int64_t started, int64_t now)
{
	double full = f->running;	/* those that are still in */

	if (!window_down(f, started, now))
		return;
	if (f->window < full)
		f->window = full;
	f->ceiling = f->window;
	f->ceiling_until = now + CEILING_MS;
	site_pause(f, now + CROWDED_MS);
}

/* ---- the breaker ---- */

static bool
breaker_failure(struct site_flow *f, int64_t now)
{
	int64_t rest = SITE_REST_MS;

	if (f->failing_since == 0)
		f->failing_since = now;
	f->failures++;
	if (!f->probing && f->failures < SITE_FAILURES)
		return false;
	if (f->rest_until > now)
		return false;	/* one that was under way when it opened */
	f->probing = false;
	if (f->cut_until > now) {
		/* Asked before its time it says nothing new. */
		f->rest_until = f->cut_until;
		f->cut_until = 0;
		return true;
	}
	for (unsigned i = 0; i < f->rests && rest < SITE_REST_MAX_MS; i++)
		rest *= 2;
	if (rest > SITE_REST_MAX_MS)
		rest = SITE_REST_MAX_MS;
	f->rests++;
	f->rest_until = now + rest;
	return true;
}

static void
breaker_success(struct site_flow *f)
{
	if (f->rest_until != 0) {
		/* Back from the dead: carefully. */
		f->window = WINDOW_FIRST < f->limits.connections ?
		    WINDOW_FIRST : f->limits.connections;
		f->fast = true;
	}
	f->failures = f->rests = 0;
	f->rest_until = f->failing_since = f->cut_until = 0;
	f->probing = false;
}

void
site_pause(struct site_flow *f, int64_t until)
{
	if (until > f->pause_until)
		f->pause_until = until;
}

int64_t
site_when(const struct site_flow *f, int64_t now)
{
	int64_t when = now;
	double t;

	if (f->rest_until > now)
		return f->rest_until;
	if (f->rest_until != 0 && f->running > 0)
		return SITE_NEVER;	/* the probe is under way */
	if (f->running >= (unsigned)f->window)
		return SITE_NEVER;
	if (f->pause_until > now)
		when = f->pause_until;
	if (f->rate > 0 && (t = tokens_now(f, now)) < 1) {
		int64_t ms = (int64_t)((1 - t) * MINUTE / f->rate) + 1;

		if (now + ms > when)
			when = now + ms;
	}
	return when;
}

void
site_start(struct site_flow *f, int64_t now)
{
	f->running++;
	if (f->rest_until != 0)
		f->probing = true;
	if (f->rate > 0) {
		tokens_settle(f, now);
		f->tokens -= 1;
	}
}

bool
site_end(struct site_flow *f, enum site_result result, int64_t started,
    int64_t now)
{
	assert(f->running > 0);
	f->running--;
	f->round_trip = now - started;
	minute_turn(f, now);
	if (result == SITE_DOWN)
		return breaker_failure(f, now);
	breaker_success(f);
	switch (result) {
	case SITE_OK:
		f->minute_n++;
		window_up(f, now);
		rate_up(f, now);
		break;
	case SITE_SLOWER:
		if (window_down(f, started, now) || f->window <= 1)
			rate_down(f, now);
		break;
	case SITE_CROWDED:
		crowded(f, started, now);
		break;
	case SITE_DOWN:
		break;
	}
	return false;
}

int64_t
site_closed_until(const struct site_flow *f, int64_t now)
{
	if (f->rest_until > now)
		return f->rest_until;
	if (f->rest_until != 0 && f->running > 0)
		return now + PROBE_MS;
	return 0;
}

int64_t
site_failing_ms(const struct site_flow *f, int64_t now)
{
	return f->failing_since == 0 ? 0 : now - f->failing_since;
}

bool
site_probe_now(struct site_flow *f, int64_t now)
{
	f->pause_until = 0;
	if (f->rest_until <= now)
		return true;
	if (f->cut_at != 0 && now - f->cut_at < SITE_PROBE_MS)
		return false;
	f->cut_until = f->rest_until;
	f->rest_until = f->cut_at = now;
	return true;
}

bool
site_has_learned(const struct site_flow *f)
{
	return f->failing_since != 0 || f->ceiling > 0 || !f->fast ||
	    f->rate != f->limits.rate;
}

/* ---- replies ---- */

static bool
says_one_of(const char *text, const char *const *phrases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcasestr(text, phrases[i]) != NULL)
			return true;
	return false;
}

static bool
says_slower(const char *text)
{
	static const char *const phrases[] = {
		"rate limit", "ratelimit", "throttl", "too many", "too fast",
		"temporarily deferred", "try again later due to",
		"unusual rate", "unsolicited mail", "server busy", "[TSS04]",
		"connection limit", "concurrent", "slow down",
	};

	return says_one_of(text, phrases, sizeof(phrases) / sizeof(*phrases));
}

/* It wants this sender and recipient to come back, and has nothing against the rest. */
static bool
says_greylisted(const char *text)
{
	static const char *const phrases[] = {
		"greylist", "graylist", "grey-list", "gray-list", "grey list",
	};

	return says_one_of(text, phrases, sizeof(phrases) / sizeof(*phrases));
}

enum site_result
site_classify(int code, const char *enhanced, const char *phase,
    const char *text)
{
	bool early = strcmp(phase, "greeting") == 0 ||
	    strcmp(phase, "ehlo") == 0 || strcmp(phase, "tls") == 0;

	if (code == 421)
		return early ? SITE_CROWDED : SITE_SLOWER;
	if (code < 400 || code > 499)
		return SITE_OK;
	if ((code == 450 || code == 451) &&
	    strncmp(enhanced, "4.7.", 4) == 0 && !says_greylisted(text))
		return SITE_SLOWER;
	return says_slower(text) ? early ? SITE_CROWDED : SITE_SLOWER : SITE_OK;
}
