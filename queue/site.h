/*
 * site.h - how much one destination may be given, and when: its window, its
 * pace, its rest (DESIGN 6.3, 6.4).  Pure: every function takes the time, so the
 * tests and `queue --plan` run it on a virtual clock.
 *
 * All times are milliseconds on the monotonic clock.
 */
#ifndef QUEUE_SITE_H
#define QUEUE_SITE_H

#include <stdbool.h>
#include <stdint.h>

/* What the administrator, or the table of providers, allows (sites(5)). */
struct site_limits {
	unsigned connections;	/* the window's cap */
	unsigned messages;	/* for each connection */
	unsigned rate;		/* messages a minute; 0: no limit */
};

enum site_result {
	SITE_OK,		/* it took a message, or refused one for reasons of its own */
	SITE_SLOWER,		/* a rate-limit reply: 421, 450/451 4.7.x, a provider's phrase */
	SITE_CROWDED,		/* the same before the first MAIL: too many connections */
	SITE_DOWN		/* no connection, no greeting, no TLS, or it broke */
};

struct site_flow {
	struct site_limits limits;
	unsigned running;	/* agents with a task */

	/* The window: 2, +1 for each success until the first refusal, then +1 for each window of them. */
	double	 window;
	bool	 fast;		/* no refusal yet */
	double	 ceiling;	/* at this many it said "too many"; 0: never */
	int64_t	 ceiling_until;	/* then the window may feel for more again */
	int64_t	 shrunk_at;	/* halved at most once a round trip */
	int64_t	 round_trip;	/* of the last task */

	/* The pace: a token bucket, once the site has shown that it has one, or by limits.rate. */
	double	 rate;		/* messages a minute; 0: none */
	double	 tokens;
	int64_t	 tokens_at;
	int64_t	 rate_at;	/* last changed */
	int64_t	 minute_at;	/* successes are counted by minutes */
	unsigned minute_n, minute_before;

	/* The breaker. */
	unsigned failures;	/* connections in a row that failed */
	unsigned rests;		/* in a row; the next one is twice as long */
	int64_t	 rest_until;	/* 0: open */
	int64_t	 cut_until;	/* the rest that an administrator broke off; 0: none */
	int64_t	 cut_at;
	bool	 probing;	/* the rest is over: one task finds out */
	int64_t	 failing_since;	/* 0: it is not */
	int64_t	 pause_until;	/* a provider's pause, or a moment after a refusal */
};

#define SITE_FAILURES	5		/* until the first rest */
#define SITE_REST_MS	(5 * 60 * 1000)
#define SITE_REST_MAX_MS (60 * 60 * 1000)
#define SITE_PROBE_MS	1000	/* `retry` of many messages: one probe, not one for each */
#define SITE_NEVER	INT64_MAX

void	site_flow_init(struct site_flow *, const struct site_limits *);
/* When may the next task start? <= now: at once; SITE_NEVER: when a running one ends. */
int64_t	site_when(const struct site_flow *, int64_t now);
/* A task starts: takes its slot and its token. Only when site_when() allows. */
void	site_start(struct site_flow *, int64_t now);
/* A task that started at `started` has ended. True: the breaker has opened just now, the site rests. */
bool	site_end(struct site_flow *, enum site_result, int64_t started, int64_t now);
/* Until when messages for it need not even be opened: it rests, or a probe is under way. 0: they may come. */
int64_t	site_closed_until(const struct site_flow *, int64_t now);
/* Milliseconds it has been failing without a break. */
int64_t	site_failing_ms(const struct site_flow *, int64_t now);
/*
 * An administrator wants to know now: the rest is over, the next task is the
 * probe; if it fails, the rest goes on.  False: that has just been done.
 */
bool	site_probe_now(struct site_flow *, int64_t now);
/* Does it hold anything that would be missed: a failure, a refusal, a pace? */
bool	site_has_learned(const struct site_flow *);
/* The provider asks for a pause, or a rule of the sites file does. */
void	site_pause(struct site_flow *, int64_t until);

/* Is this reply about how fast or how much we send? code 0: none. phase as remote reports it. */
enum site_result site_classify(int code, const char *enhanced, const char *phase, const char *text);
#endif
