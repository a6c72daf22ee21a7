/*
 * top_frame.c - one frame of `facteur top`, as plain text: what came and went,
 * what is in the queue, the sites, why deliveries were put off.
 *
 * Runs as the caller.  From: queue/top_facts.c.  To: queue/top.c.
 * Whatever came from outside passes log_safe(): the terminal is not theirs.
 */
#include <stdlib.h>
#include <string.h>

#include "date.h"
#include "log.h"
#include "top.h"

#define REASONS		5	/* lines of them */
#define SITE_WIDTH	28
#define STATE_WIDTH	20
#define ABOVE_SITES	7	/* lines */

/* ---- pieces ---- */

static void
line_begin(struct buf *b, char kind)
{
	buf_addc(b, kind);
}

/* As many characters as fit, filled up to that many. */
static void
column(struct buf *b, const char *text, unsigned width)
{
	struct buf safe = BUF_INIT;
	const char *p;
	unsigned n = 0;

	log_safe(&safe, text);
	for (p = buf_str(&safe); *p != '\0'; p++) {
		if (((unsigned char)*p & 0xc0) != 0x80 && n++ == width)
			break;
		buf_addc(b, *p);
	}
	for (; n < width; n++)
		buf_addc(b, ' ');
	buf_release(&safe);
}

static double
get(const struct top_facts *f, const char *name)
{
	return f->at == 0 ? 0 : top_figure(&f->stats, name);
}

/* How much it has grown since the frame before, or since the start. */
static double
grown(const struct top_view *v, const char *name)
{
	double now = get(&v->now, name), then = get(&v->before, name);

	return now >= then ? now - then : now;	/* it began anew */
}

/* Seconds of that. */
static double
span(const struct top_view *v)
{
	double s = v->before.at != 0 ?
	    (double)(v->now.at - v->before.at) / 1000.0 :
	    (double)date_now_usec() / 1e6 -
	    get(&v->now, "facteur_start_time_seconds");

	return s < 0.001 ? 0.001 : s;
}

#define OUTCOME(kind, outcome)	"facteur_outcomes_total{kind=\"" kind \
				    "\",outcome=\"" outcome "\"}"

static double
delivered(const struct top_view *v)
{
	return grown(v, OUTCOME("local", "done")) +
	    grown(v, OUTCOME("remote", "done"));
}

static double
deferred(const struct top_view *v)
{
	return grown(v, OUTCOME("none", "defer")) +
	    grown(v, OUTCOME("local", "defer")) +
	    grown(v, OUTCOME("remote", "defer"));
}

static double
failed(const struct top_view *v)
{
	return grown(v, OUTCOME("none", "fail")) +
	    grown(v, OUTCOME("local", "fail")) +
	    grown(v, OUTCOME("remote", "fail"));
}

/* The mean of a histogram, as "2.1 ms". */
static void
mean(struct buf *b, const struct top_view *v, const char *before,
    const char *name, const char *labels)
{
	struct buf sum = BUF_INIT, count = BUF_INIT;
	double n, s;

	buf_addf(&sum, "%s_sum%s", name, labels);
	buf_addf(&count, "%s_count%s", name, labels);
	n = grown(v, buf_str(&count));
	s = grown(v, buf_str(&sum));
	if (n < 0.5)
		buf_addf(b, "%s-", before);
	else if (s / n < 1)
		buf_addf(b, "%s%.1f ms", before, s / n * 1000);
	else
		buf_addf(b, "%s%.1f s", before, s / n);
	buf_release(&sum);
	buf_release(&count);
}

/* ---- above ---- */

static void
add_title(struct buf *b, const struct top_view *v)
{
	double up = (double)date_now_usec() / 1e6 -
	    get(&v->now, "facteur_start_time_seconds");

	line_begin(b, TOP_HEADING);
	buf_adds(b, "facteur top - ");
	log_safe(b, v->hostname);
	if (v->now.at != 0) {
		buf_adds(b, " - up ");
		date_span(b, (int64_t)up);
	}
	if (v->trouble != NULL) {
		buf_adds(b, " - NO ANSWER: ");
		log_safe(b, v->trouble);
	}
	buf_addc(b, '\n');
}

static void
add_rates(struct buf *b, const struct top_view *v)
{
	double s = span(v);

	line_begin(b, TOP_PLAIN);
	buf_addf(b, "A second%s: in %.1f, out %.1f, deferred %.1f, "
	    "failed %.1f\n", v->before.at == 0 ? " since the start" : "",
	    grown(v, "facteur_accepted_messages_total") / s, delivered(v) / s,
	    deferred(v) / s, failed(v) / s);
	line_begin(b, TOP_PLAIN);
	mean(b, v, "Takes:    accept ", "facteur_accept_latency_seconds", "");
	mean(b, v, ", to a mailbox ", "facteur_delivery_latency_seconds",
	    "{kind=\"local\"}");
	mean(b, v, ", to another host ", "facteur_delivery_latency_seconds",
	    "{kind=\"remote\"}");
	buf_addc(b, '\n');
}

static void
add_queue(struct buf *b, const struct top_view *v)
{
	const struct top_facts *f = &v->now;
	double active = get(f, "facteur_queue_messages{state=\"active\"}");
	double parked = get(f, "facteur_queue_messages{state=\"parked\"}");
	double waiting = get(f, "facteur_queue_messages{state=\"waiting\"}");
	double resting = get(f, "facteur_sites_resting");

	line_begin(b, TOP_PLAIN);
	buf_addf(b, "In queue: %.0f: active %.0f, parked %.0f, waiting %.0f",
	    active + parked + waiting, active, parked, waiting);
	if (active + parked + waiting > 0) {
		buf_adds(b, "; the oldest ");
		date_span(b, (int64_t)
		    get(f, "facteur_oldest_message_age_seconds"));
	}
	buf_addc(b, '\n');
	line_begin(b, TOP_PLAIN);
	buf_addf(b, "Agents:   local %.0f, remote %.0f; sites %.0f, "
	    "resting %.0f\n", get(f, "facteur_agents_running{kind=\"local\"}"),
	    get(f, "facteur_agents_running{kind=\"remote\"}"),
	    get(f, "facteur_sites"), resting);
	line_begin(b, TOP_PLAIN);
	buf_addc(b, '\n');
}

/* ---- sites ---- */

static int
by_name(const void *a, const void *b)
{
	const struct site_view *x = a, *y = b;

	return strcasecmp(x->key, y->key);
}

/* The larger number first, then the name. */
static int
larger(int64_t x, int64_t y, const void *a, const void *b)
{
	return x != y ? (x > y ? -1 : 1) : by_name(a, b);
}

static int
by_waiting(const void *a, const void *b)
{
	const struct site_view *x = a, *y = b;

	return larger(x->waiting + x->running, y->waiting + y->running, a, b);
}

static int
by_running(const void *a, const void *b)
{
	const struct site_view *x = a, *y = b;

	return larger(x->running, y->running, a, b);
}

static int
by_rest(const void *a, const void *b)
{
	const struct site_view *x = a, *y = b;

	return larger(x->rest_ms > x->pause_ms ? x->rest_ms : x->pause_ms,
	    y->rest_ms > y->pause_ms ? y->rest_ms : y->pause_ms, a, b);
}

static const struct {
	int	  (*compare)(const void *, const void *);
	const char *words;
} sorts[] = {
	[TOP_WAITING] = { by_waiting, "waiting" },
	[TOP_RUNNING] = { by_running, "running" },
	[TOP_REST] = { by_rest, "rest" },
	[TOP_NAME] = { by_name, "name" },
};

static void
add_state(struct buf *b, const struct site_view *s)
{
	struct buf state = BUF_INIT;

	if (s->rest_ms > 0) {
		buf_adds(&state, "rests ");
		date_span(&state, s->rest_ms / 1000);
	} else if (s->probing) {
		buf_adds(&state, "is being tried");
	} else if (s->pause_ms > 0) {
		buf_adds(&state, "pauses ");
		date_span(&state, s->pause_ms / 1000);
	} else if (s->failing_ms > 0) {
		buf_adds(&state, "fails ");
		date_span(&state, s->failing_ms / 1000);
	}
	column(b, buf_str(&state), STATE_WIDTH);
	buf_release(&state);
}

static void
add_site(struct buf *b, const struct site_view *s)
{
	struct buf name = BUF_INIT;

	line_begin(b, TOP_PLAIN);
	buf_addf(&name, "%s%s", strcmp(s->kind, "local") == 0 ?
	    "mailboxes of " : "", s->key);
	column(b, buf_str(&name), SITE_WIDTH);
	buf_release(&name);
	buf_addf(b, " %4lld %6lld %7lld ", (long long)s->running,
	    (long long)s->window, (long long)s->waiting);
	if (s->rate > 0)
		buf_addf(b, "%5lld  ", (long long)s->rate);
	else
		buf_adds(b, "    -  ");
	add_state(b, s);
	if (s->error != NULL) {
		buf_addc(b, ' ');
		log_safe(b, s->error);
	}
	buf_addc(b, '\n');
}

/* As many as there are rows. */
static void
add_sites(struct buf *b, const struct top_view *v, size_t most)
{
	const struct sites_view *sites = &v->now.sites;

	if (sites->n > 0)
		qsort(sites->v, sites->n, sizeof(*sites->v),
		    sorts[v->sort].compare);
	line_begin(b, TOP_HEADING);
	column(b, "SITE", SITE_WIDTH);
	buf_adds(b, "  RUN WINDOW WAITING  RATE  ");
	column(b, "STATE", STATE_WIDTH);
	buf_addf(b, " LAST ERROR (by %s)\n", sorts[v->sort].words);
	for (size_t i = 0; i < sites->n && i < most; i++)
		add_site(b, &sites->v[i]);
}

/* ---- below ---- */

static void
add_reasons(struct buf *b, const struct top_facts *f, size_t most)
{
	if (most == 0)
		return;
	line_begin(b, TOP_PLAIN);
	buf_addc(b, '\n');
	line_begin(b, TOP_HEADING);
	buf_adds(b, "  COUNT WHY DELIVERIES WERE PUT OFF LATELY\n");
	for (size_t i = 0; i < most; i++) {
		line_begin(b, TOP_PLAIN);
		buf_addf(b, "%7lld ", (long long)f->reasons[i].n);
		log_safe(b, f->reasons[i].text);
		buf_addc(b, '\n');
	}
}

void
top_frame(struct top_view *v, struct buf *out)
{
	size_t reasons = v->now.nreasons < REASONS ? v->now.nreasons : REASONS;
	size_t below = (reasons > 0 ? reasons + 2 : 0) + (v->keys ? 1 : 0);
	size_t most = v->rows == 0 ? v->now.sites.n :
	    v->rows > ABOVE_SITES + below ? v->rows - ABOVE_SITES - below : 0;

	add_title(out, v);
	add_rates(out, v);
	add_queue(out, v);
	add_sites(out, v, most);
	add_reasons(out, &v->now, reasons);
	if (v->keys)
		buf_adds(out, "=q quit   by: w waiting  r running  p rest  "
		    "n name   +/- interval\n");
}
