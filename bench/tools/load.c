/*
 * load - sends mail to 127.0.0.1 as many strangers at once, and tells how fast
 * it was taken.  One process, one epoll.
 *
 * usage: load -p port [-s sessions] [-n messages] [-l bytes] [-k per_conn]
 *             [-u users] [-m rcpts] [-r rate] [-PTi]
 * A message that is not taken is sent again after 100 ms ("retries").  With a
 * rate, messages fall due at random moments (a Poisson stream, the same each
 * time), and latency counts from then on, whether a session was free or not.
 * Prints one JSON line; times in ms, start and end on CLOCK_MONOTONIC.
 */

#include <err.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

#define RETRY_S		0.1	/* after a failure */
#define STUCK_S		30	/* without progress: give up */
#define BANNER_S	3	/* a full backlog may have forgotten us */

struct options opt = { .sessions = 1, .messages = 100, .size = 4096,
    .per_conn = 1, .users = 1, .rcpts = 1 };
struct session *sessions;

static int taken, sent, retries;
static int *again, nagain;		/* messages that failed */
static double next_due, progress, end;
static double *dot_ms, *all_ms;
static char trouble[128];

double
now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void
load_sent(struct session *s)
{
	end = progress = now();
	dot_ms[sent] = (end - s->dot) * 1e3;
	all_ms[sent] = (end - s->due) * 1e3;
	sent++;
	s->msg = -1;
}

void
load_failed(struct session *s, const char *why)
{
	retries++;
	(void)snprintf(trouble, sizeof(trouble), "step %d: %s", (int)s->step,
	    why);
	for (char *p = trouble; *p != '\0'; p++)
		if (*p == '"' || *p == '\\' || (unsigned char)*p < 0x20)
			*p = '.';
	if (s->msg != -1)
		again[nagain++] = s->msg;
	s->msg = -1;
	s->again = now() + RETRY_S;
}

/* The next moment of a Poisson stream. */
static void
next_gap(void)
{
	static unsigned long long seed = 1;

	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	next_due -= log(((double)(seed >> 11) + 0.5) / 9007199254740992.0) /
	    opt.rate;
}

bool
load_next(struct session *s)
{
	double t = now();

	if (nagain > 0) {
		s->msg = again[--nagain];
		s->due = t;
	} else if (taken < opt.messages && (opt.rate == 0 || next_due <= t)) {
		s->msg = taken++;
		s->due = opt.rate == 0 ? t : next_due;
		if (opt.rate != 0)
			next_gap();
	} else
		return false;
	return true;
}

/* Gives what is due to sessions that have nothing to do. */
static void
hand_out(void)
{
	double t = now();

	for (int i = 0; i < opt.sessions; i++) {
		struct session *s = &sessions[i];

		if (s->step == BANNER && t - progress > BANNER_S &&
		    t - s->due > BANNER_S)
			smtp_lost(s, "no banner");
		if (s->step == READY && load_next(s))
			smtp_send(s);
		else if (s->step == FREE && t >= s->again && load_next(s))
			smtp_start(s);
	}
}

static double
patience(void)
{
	double wait = RETRY_S, due = next_due - now();

	if (opt.rate == 0 || taken == opt.messages || due > wait)
		return wait;
	return due < 0 ? 0.0005 : due;	/* due already: no session is free */
}

static void
run(void)
{
	struct session *news[128];

	progress = now();
	while (sent < opt.messages && now() - progress < STUCK_S) {
		int n;

		if (opt.rate != 0 || nagain > 0 || retries > 0 || sent == 0 ||
		    now() - progress > BANNER_S)
			hand_out();
		n = io_wait(patience(), news, 128);
		for (int i = 0; i < n; i++)
			if (news[i]->step != FREE)
				smtp_news(news[i]);
	}
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double
quantile(double *v, double p)
{
	qsort(v, (size_t)sent, sizeof(*v), ascending);
	return sent == 0 ? 0 : v[(int)(p * (sent - 1))];
}

static void
tell(double start)
{
	(void)printf("{\"sent\":%d,\"retries\":%d,\"start\":%.6f,"
	    "\"end\":%.6f,\"dot_p50\":%.3f,\"dot_p99\":%.3f,"
	    "\"msg_p50\":%.3f,\"msg_p99\":%.3f,\"trouble\":\"%s\"}\n",
	    sent, retries, start, end, quantile(dot_ms, .5),
	    quantile(dot_ms, .99), quantile(all_ms, .5),
	    quantile(all_ms, .99), trouble);
}

/* Idle sessions: says how many there are, and keeps them until stdin ends. */
static void
idle(void)
{
	struct session *news[128];
	int ready = 0;
	char c;

	for (int i = 0; i < opt.sessions; i++) {
		struct session *s = &sessions[i];
		double since = now();

		smtp_start(s);
		/* one by one: 500 at once would be another measurement */
		while (s->step != READY && s->step != FREE &&
		    now() - since < STUCK_S) {
			int n = io_wait(1, news, 128);

			for (int k = 0; k < n; k++)
				if (news[k]->step != FREE)
					smtp_news(news[k]);
		}
		ready += s->step == READY;
	}
	(void)printf("{\"idle\":%d,\"trouble\":\"%s\"}\n", ready, trouble);
	(void)fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
}

static int
number(const char *s, int max)
{
	const char *bad = NULL;
	int n = (int)strtonum(s, 0, max, &bad);

	if (bad != NULL)
		errx(64, "%s: %s", s, bad);
	return n;
}

static void
options(int argc, char *argv[])
{
	int ch;

	while ((ch = getopt(argc, argv, "p:s:n:l:k:u:m:r:PTi")) != -1)
		switch (ch) {
		case 'p': opt.port = number(optarg, 65535); break;
		case 's': opt.sessions = number(optarg, 10000); break;
		case 'n': opt.messages = number(optarg, 10000000); break;
		case 'l': opt.size = number(optarg, 100000000); break;
		case 'k': opt.per_conn = number(optarg, 10000000); break;
		case 'u': opt.users = number(optarg, 100000); break;
		case 'm': opt.rcpts = number(optarg, 100000); break;
		case 'r': opt.rate = number(optarg, 1000000); break;
		case 'P': opt.pipelining = true; break;
		case 'T': opt.tls = true; break;
		case 'i': opt.idle = true; break;
		default: exit(64);
		}
	if (opt.port == 0 || opt.sessions == 0 || opt.users == 0 ||
	    opt.rcpts == 0)
		errx(64, "usage: load -p port [options]");
}

int
main(int argc, char *argv[])
{
	size_t n;
	double start;

	options(argc, argv);
	(void)signal(SIGPIPE, SIG_IGN);
	n = (size_t)opt.messages + 1;
	sessions = calloc((size_t)opt.sessions, sizeof(*sessions));
	again = calloc(n + (size_t)opt.sessions, sizeof(*again));
	dot_ms = calloc(n, sizeof(*dot_ms));
	all_ms = calloc(n, sizeof(*all_ms));
	if (sessions == NULL || again == NULL || dot_ms == NULL ||
	    all_ms == NULL)
		err(1, "calloc");
	for (int i = 0; i < opt.sessions; i++) {
		sessions[i].nr = i;
		sessions[i].fd = sessions[i].msg = -1;
	}
	io_init();
	if (opt.idle) {
		idle();
		return 0;
	}
	start = end = next_due = now();
	run();
	tell(start);
	return sent == opt.messages ? 0 : 1;
}
