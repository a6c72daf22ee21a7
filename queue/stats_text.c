/*
 * stats_text.c - the figures as Prometheus reads them, text format 0.0.4.
 *
 * Runs in the queue manager.  From: queue/stats.c.  To: queue/control_look.c,
 * queue/stats_file.c.  Walks the sites, never the messages.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "address.h"
#include "date.h"
#include "deadline.h"
#include "dsn.h"
#include "queue.h"
#include "stats.h"

static const char *const vias[VIAS] = { "none", "local", "remote" };
static const char *const fates[FATES] = { "done", "defer", "fail" };
static const char *const reports[STATS_REPORTS] = {
	[DSN_FAILED] = "failed", [DSN_SUCCESS] = "success",
	[DSN_DELAYED] = "delayed"
};

void
stats_label(struct buf *b, const char *s)
{
	bool utf8 = is_utf8(s, strlen(s));

	buf_addc(b, '"');
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '\n')
			buf_adds(b, "\\n");
		else if (c == '"' || c == '\\')
			buf_addf(b, "\\%c", c);
		else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8))
			buf_addc(b, '?');
		else
			buf_addc(b, (char)c);
	}
	buf_addc(b, '"');
}

static void
begin(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_addf(b, "# HELP facteur_%s %s\n# TYPE facteur_%s %s\n", name, help,
	    name, type);
}

static void sample(struct buf *, const char *name, uint64_t n, ...)
    __attribute__((sentinel));

/* One figure, with pairs of a label and its value up to NULL. */
static void
sample(struct buf *b, const char *name, uint64_t n, ...)
{
	const char *key, *before = "{";
	va_list ap;

	buf_addf(b, "facteur_%s", name);
	va_start(ap, n);
	for (; (key = va_arg(ap, const char *)) != NULL; before = ",") {
		buf_addf(b, "%s%s=", before, key);
		stats_label(b, va_arg(ap, const char *));
	}
	va_end(ap);
	buf_addf(b, "%s %" PRIu64 "\n", *before == ',' ? "}" : "", n);
}

static void
alone(struct buf *b, const char *name, const char *type, const char *help,
    uint64_t n)
{
	begin(b, name, type, help);
	sample(b, name, n, NULL);
}

/* ---- histograms ---- */

/* kind NULL: without that label. */
static void
histogram(struct buf *b, const char *name, const char *kind,
    const struct histogram *h)
{
	struct buf labels = BUF_INIT;
	uint64_t n = 0;

	if (kind != NULL) {
		buf_adds(&labels, "kind=");
		stats_label(&labels, kind);
	}
	for (unsigned i = 0;; i++) {
		n += h->n[i];
		buf_addf(b, "facteur_%s_bucket{%s%s", name, buf_str(&labels),
		    kind != NULL ? "," : "");
		if (h->upto[i] == 0)
			break;
		buf_addf(b, "le=\"%g\"} %" PRIu64 "\n",
		    (double)h->upto[i] / 1e6, n);
	}
	buf_addf(b, "le=\"+Inf\"} %" PRIu64 "\n", n);
	for (int i = 0; i < 2; i++) {
		buf_addf(b, "facteur_%s_%s", name, i == 0 ? "sum" : "count");
		if (kind != NULL)
			buf_addf(b, "{%s}", buf_str(&labels));
		if (i == 0)
			buf_addf(b, " %.6f\n", (double)h->sum / 1e6);
		else
			buf_addf(b, " %" PRIu64 "\n", n);
	}
	buf_release(&labels);
}

static void
histograms(struct buf *b)
{
	begin(b, "accept_latency_seconds", "histogram",
	    "From a client's last byte to our ok, in inject; a sample under "
	    "load.");
	histogram(b, "accept_latency_seconds", NULL, &stats.accept);
	begin(b, "queue_time_seconds", "histogram",
	    "From arrival to delivery, for each recipient delivered.");
	for (int v = VIA_LOCAL; v < VIAS; v++)
		histogram(b, "queue_time_seconds", vias[v], &stats.waited[v]);
	begin(b, "delivery_latency_seconds", "histogram",
	    "From a job handed to an agent to its answer, for each recipient.");
	for (int v = VIA_LOCAL; v < VIAS; v++)
		histogram(b, "delivery_latency_seconds", vias[v],
		    &stats.took[v]);
}

/* ---- counters ---- */

static void
by_via(struct buf *b, const char *name, const char *help, const uint64_t *n)
{
	begin(b, name, "counter", help);
	for (int v = VIA_LOCAL; v < VIAS; v++)
		sample(b, name, n[v], "kind", vias[v], NULL);
}

static void
counters(struct buf *b)
{
	alone(b, "accepted_messages_total", "counter",
	    "Messages that came into the queue, our reports too.",
	    stats.messages);
	alone(b, "accepted_bytes_total", "counter", "Their bytes.",
	    stats.bytes);
	alone(b, "accepted_recipients_total", "counter",
	    "Their recipients, before aliases are expanded.",
	    stats.recipients);
	by_via(b, "attempts_total", "Jobs handed to delivery agents.",
	    stats.attempts);
	begin(b, "outcomes_total", "counter", "What became of recipients; "
	    "kind none: without an agent (expanded, refused, given up).");
	for (int v = 0; v < VIAS; v++)
		for (int f = 0; f < FATES; f++)
			sample(b, "outcomes_total", stats.outcomes[v][f],
			    "kind", vias[v], "outcome", fates[f], NULL);
	by_via(b, "delivered_bytes_total",
	    "Message bytes, once for each recipient delivered.",
	    stats.delivered);
	begin(b, "reports_total", "counter", "Reports to senders committed.");
	for (int k = 0; k < STATS_REPORTS; k++)
		sample(b, "reports_total", stats.reports[k], "kind",
		    reports[k], NULL);
}

static void
replies(struct buf *b)
{
	char code[4] = "200";

	begin(b, "replies_total", "counter",
	    "Replies of other hosts, for each recipient; none: no reply came.");
	for (unsigned i = 0; i < STATS_CODES; i++) {
		code[0] = (char)('2' + i / 100);
		code[1] = (char)('0' + i / 10 % 10);
		code[2] = (char)('0' + i % 10);
		if (stats.codes[i] > 0)
			sample(b, "replies_total", stats.codes[i], "code",
			    code, NULL);
	}
	sample(b, "replies_total", stats.no_code, "code", "none", NULL);
}

/* ---- gauges ---- */

struct sites_sum { int64_t now; uint64_t parked, resting; };

static void
add_site(struct site *s, void *arg)
{
	struct sites_sum *sum = arg;

	sum->parked += s->nparked + s->ncoming;
	sum->resting += s->flow.rest_until > sum->now;
}

static void
gauges(struct buf *b)
{
	struct sites_sum sum = { .now = now_ms() };
	int64_t oldest = ages_oldest(), now = date_now_usec();
	uint64_t rest;

	site_each(add_site, &sum);
	rest = Q.index_n - Q.nactive;
	if (sum.parked > rest)
		sum.parked = rest;
	begin(b, "queue_messages", "gauge", "Messages in the queue; parked: "
	    "they wait for a site, waiting: for their time.");
	sample(b, "queue_messages", Q.nactive, "state", "active", NULL);
	sample(b, "queue_messages", sum.parked, "state", "parked", NULL);
	sample(b, "queue_messages", rest - sum.parked, "state", "waiting",
	    NULL);
	alone(b, "oldest_message_age_seconds", "gauge",
	    "Age of the oldest message in the queue; 0: it is empty.",
	    oldest > 0 && oldest < now ? (uint64_t)(now - oldest) / 1000000 :
	    0);
	alone(b, "sites", "gauge", "Destinations that are known.", Q.site_n);
	alone(b, "sites_resting", "gauge",
	    "Destinations that rest after failed connections.", sum.resting);
	begin(b, "agents_running", "gauge", "Delivery agents with a job.");
	sample(b, "agents_running", Q.running[SITE_LOCAL], "kind", "local",
	    NULL);
	sample(b, "agents_running", Q.running[SITE_REMOTE], "kind", "remote",
	    NULL);
}

void
stats_text(struct buf *b)
{
	begin(b, "info", "gauge", "Which host this is.");
	sample(b, "info", 1, "hostname", Q.cfg->hostname, NULL);
	begin(b, "start_time_seconds", "gauge",
	    "When the queue manager started, since 1970.");
	buf_addf(b, "facteur_start_time_seconds %.3f\n",
	    (double)Q.started / 1e6);
	gauges(b);
	counters(b);
	replies(b);
	histograms(b);
}
