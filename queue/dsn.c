/*
 * dsn.c - who is told what became of a message: RFC 3461 sections 4.1, 5.2.
 *
 * Nobody hears of recipients that are another's to hear of, nobody hears of
 * a success who has no business here, and no report is ever sent about a
 * report, but to postmaster, and not about that one again.
 *
 * Way 7 of 8.  From: queue/active.c, queue/report.c.  To: queue/dsn_text.c.
 */
#include <string.h>

#include "dsn.h"
#include "netaddr.h"

const char *
dsn_sender(const struct envelope *env, const struct env_rcpt *r)
{
	return r->from != NULL ? r->from : env->sender;
}

bool
dsn_concerns(const struct envelope *env, enum dsn_kind kind,
    const char *sender, const struct env_rcpt *r)
{
	if (strcmp(dsn_sender(env, r), sender) != 0)
		return false;
	switch (kind) {
	case DSN_FAILED:
		return r->state == RCPT_FAILED;
	case DSN_SUCCESS:
		return r->report != REPORT_NONE;
	case DSN_DELAYED:
		return r->state == RCPT_PENDING && !r->delay_told;
	}
	return false;
}

/* Nothing said means failure and delay (RFC 3461 section 4.1). */
static bool
is_wanted(const struct envelope *env, enum dsn_kind kind,
    const struct env_rcpt *r)
{
	static const unsigned wants[] = {
		[DSN_FAILED] = NOTIFY_FAILURE,
		[DSN_SUCCESS] = NOTIFY_SUCCESS,
		[DSN_DELAYED] = NOTIFY_DELAY,
	};

	/* What a report says there is for senders, not for postmaster. */
	if (*dsn_sender(env, r) == '\0')
		return kind == DSN_FAILED;
	if (r->notify == 0)
		return kind != DSN_SUCCESS;
	return (r->notify & wants[kind]) != 0;
}

bool
dsn_reports(const struct envelope *env, enum dsn_kind kind,
    const char *sender, const struct env_rcpt *r)
{
	return dsn_concerns(env, kind, sender, r) && is_wanted(env, kind, r);
}

/* The recipient that r was expanded from, first of all; r itself if none. */
static const struct env_rcpt *
origin(const struct envelope *env, const struct env_rcpt *r)
{
	/* A parent stands before its children, so this ends. */
	while (r->parent != 0 && r->parent < r->n)
		r = &env->rcpts[r->parent - 1];
	return r;
}

bool
dsn_address(const struct config *cfg, const struct envelope *env,
    enum dsn_kind kind, const char *sender, struct buf *out)
{
	struct buf postmaster = BUF_INIT;
	bool any = false;

	buf_addf(&postmaster, "postmaster@%s", cfg->hostname);
	for (unsigned i = 0; i < env->nrcpts; i++) {
		const struct env_rcpt *r = &env->rcpts[i];

		if (dsn_reports(env, kind, sender, r) && (*sender != '\0' ||
		    strcasecmp(origin(env, r)->addr,
		    buf_str(&postmaster)) != 0))
			any = true;
	}
	if (any)
		buf_adds(out, *sender != '\0' ? sender : buf_str(&postmaster));
	buf_release(&postmaster);
	return any;
}

bool
dsn_may_hear_success(const struct config *cfg, const struct envelope *env)
{
	struct netaddr client;

	if (env->auth != NULL || env->ip == NULL)
		return true;
	return netaddr_host(env->ip, 0, &client) == 0 &&
	    netaddr_in(&client, &cfg->trusted);
}

int64_t
dsn_delay_left(const struct config *cfg, const struct envelope *env,
    int64_t now)
{
	int64_t first = INT64_MAX;

	if (cfg->delay_notice == 0)
		return first;
	for (unsigned i = 0; i < env->nrcpts; i++) {
		struct env_rcpt r = env->rcpts[i];
		int64_t left;

		if (!dsn_reports(env, DSN_DELAYED, dsn_sender(env, &r), &r))
			continue;
		envelope_tried(env, &r, now);
		left = cfg->delay_notice * 1000000 - r.tried;
		if (left < first)
			first = left;
	}
	return first;
}

unsigned
dsn_inherited(unsigned notify, bool only)
{
	if (only || (notify & NOTIFY_SUCCESS) == 0)
		return notify;
	/* Who wanted to hear of success alone must not hear of failure now. */
	notify &= ~NOTIFY_SUCCESS;
	return notify != 0 ? notify : NOTIFY_NEVER;
}
