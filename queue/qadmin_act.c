/*
 * qadmin_act.c - `facteur hold`, `release`, `rm`, `retry`, `bounce`, `reroute`:
 * to messages named by ID, or to all that a filter of `facteur ls` finds.
 *
 * Runs as the caller.  hold, release and rm are mv and rm, and work without a
 * queue manager; the others ask it (queue/control_act.c).
 */
#include <sys/file.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "address.h"
#include "date.h"
#include "history.h"
#include "log.h"
#include "qadmin.h"

struct target {
	char	name[64];	/* ID.SIZE */
	char	id[ID_LEN + 1];
	bool	held;
};

struct hands;
struct action {
	const char *verb;
	bool	queued, held;	/* is it for messages there? */
	bool	asks;		/* needs the queue manager */
	/* What it does to one. False: it did not, which has been said. */
	bool	(*run)(struct hands *, const struct target *);
	const char *what;	/* "%d message(s) ..." afterwards */
	const char *host;	/* reroute: HOST:PORT; set by its verb */
};

struct hands {
	const struct config *cfg;
	const struct action *action;
	struct selection s;
	struct spool spool;
	struct stream control;
	bool	connected, alone;	/* alone: no queue manager runs */
	int64_t	now;
	struct target *v;	/* owned */
	size_t	n, cap;
	unsigned recipients;	/* of theirs that are not done with */
	unsigned elsewhere;	/* named, but not where the action applies */
	unsigned arriving;	/* inject has not answered yet */
	int	status;		/* of what could not be done */
};

/* ---- collecting ---- */

static bool
is_arriving(const struct entry *e)
{
	return flock(e->fd, LOCK_SH | LOCK_NB) == -1 && errno == EWOULDBLOCK;
}

static int
collect(struct entry *e, void *arg)
{
	struct hands *h = arg;
	bool held = entry_is_held(e);
	struct target *t;

	if (h->s.nids == 0 && !filter_matches(&h->s.filter, e, h->now))
		return 0;
	if (held ? !h->action->held : !h->action->queued) {
		h->elsewhere++;
		return 0;
	}
	if (is_arriving(e)) {
		h->arriving++;
		return 0;
	}
	if (h->n == h->cap) {
		h->cap = h->cap == 0 ? 64 : h->cap * 2;
		h->v = xreallocarray(h->v, h->cap, sizeof(*h->v));
	}
	t = &h->v[h->n++];
	strlcpy(t->name, e->name, sizeof(t->name));
	strlcpy(t->id, e->id, sizeof(t->id));
	t->held = held;
	for (unsigned i = 0; e->readable && i < e->env.nrcpts; i++)
		h->recipients += rcpt_is_open(&e->env.rcpts[i]);
	return 0;
}

static int
each(struct hands *h, const char *id)
{
	int n = entries_each(h->cfg, id, collect, h);

	if (n == -1)
		spool_die(h->cfg);
	return n;
}

/* The messages that argv names. EX_OK, or EX_DATAERR when one is not there. */
static int
collect_ids(struct hands *h)
{
	int status = EX_OK;

	for (int i = 0; i < h->s.nids; i++) {
		const char *id = h->s.ids[i];
		unsigned elsewhere = h->elsewhere, arriving = h->arriving;

		if (!is_id(id, strlen(id)) || each(h, id) == 0)
			warnx("%s: no such message in the queue", quoted(id));
		else if (h->elsewhere > elsewhere)
			warnx("%s: %s", id, h->action->queued ?
			    "it is held: `facteur release` it first" :
			    "it is not held");
		else if (h->arriving > arriving)
			warnx("%s: it is still being received", id);
		else
			continue;
		status = EX_DATAERR;
	}
	return status;
}

static void
usage(const struct action *a)
{
	errx(EX_USAGE, "usage: facteur %s [-n] ID ...%s | [-n] [--yes] "
	    "FILTER ...%s; see facteur-ls(8)", a->verb,
	    a->host != NULL ? " HOST:PORT" : "",
	    a->host != NULL ? " HOST:PORT" : "");
}

/* Finds them and says how many there are. */
static int
select_targets(struct hands *h)
{
	bool filter = filter_is_set(&h->s.filter) || h->s.filter.all;
	int status = EX_OK;

	if (filter == (h->s.nids > 0))
		usage(h->action);
	if (h->s.nids > 0)
		status = collect_ids(h);
	else
		(void)each(h, NULL);
	printf("%zu message%s%s, %u recipient%s not done with.\n", h->n,
	    h->n == 1 ? "" : "s", filter ? " found" : "", h->recipients,
	    h->recipients == 1 ? "" : "s");
	if (h->s.dry_run) {
		for (size_t i = 0; i < h->n; i++)
			puts(h->v[i].id);
		puts("Nothing has been done (-n).");
		h->n = 0;
	} else if (filter && h->n > 0 && isatty(STDIN_FILENO) && !h->s.yes)
		errx(EX_USAGE, "nothing has been done: add --yes if these are "
		    "meant, or -n to see which they are");
	(void)fflush(stdout);
	return status;
}

/* ---- acting ---- */

/*
 * It has gone, or is being delivered: what was found by a filter is in motion,
 * and that is no failure; what was named by ID was meant.
 */
static void
missed(struct hands *h)
{
	if (h->s.nids > 0)
		h->status = EX_DATAERR;
}

/*
 * Asks about one message. The answer's number behind `key`, or -1 when it is
 * an `err` (printed).
 */
static int64_t
ask(struct hands *h, const char *verb, const struct target *t,
    const char *key)
{
	struct buf b = BUF_INIT, line = BUF_INIT;
	struct ctl c;
	int64_t n = -1;

	ctl_begin(&b, verb);
	ctl_add(&b, "id", t->id);
	ctl_add(&b, "name", t->name);
	ctl_add(&b, "host", h->action->host);
	ctl_add(&b, "text", h->s.text);
	ctl_end(&b);
	if (control_ask(&h->control, &b, &line, &c)) {
		n = ctl_num(&c, key, 0, INT64_MAX, 0);
	} else {
		/* Of many, those that are being tried are nothing to report. */
		if (h->s.nids > 0 || strcmp(verb, "retry") != 0)
			warnx("%s: %s", t->id, ctl_str(&c, "text"));
		missed(h);
	}
	buf_release(&b);
	buf_release(&line);
	return n;
}

/*
 * The file is not in queue/ any more: what waits stops; what runs is told.
 * Who would write that down is the queue manager; if there is none, we do.
 */
static void
recall(struct hands *h, const struct target *t)
{
	int64_t running = h->connected ? ask(h, "recall", t, "running") : 0;

	if (h->alone)
		history_by_hand(h->cfg, &h->spool, t->name);
	if (running > 0)
		warnx("%s: %lld recipient%s being served at this moment; that "
		    "cannot be called back", t->id, (long long)running,
		    running == 1 ? " is" : "s are");
}

/* Delivered, moved or removed by somebody else meanwhile, or an error. */
static bool
failed(struct hands *h, const struct target *t)
{
	if (errno == ENOENT) {
		missed(h);
		warnx("%s: it has left meanwhile", t->id);
		return false;
	}
	h->status = errno == EACCES || errno == EPERM ? EX_NOPERM :
	    EX_DATAERR;
	if (errno == EEXIST)
		warnx("%s: it lies in queue/ and in hold/: remove one of the "
		    "two", t->id);
	else
		warn("%s", t->id);
	return false;
}

/* Nothing that lies there is replaced. */
static int
move(int from, int to, const char *name)
{
	if (renameat2(from, name, to, name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (faccessat(to, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return renameat(from, name, to, name);
}

static bool
do_hold(struct hands *h, const struct target *t)
{
	if (move(h->spool.queue, h->spool.hold, t->name) == -1)
		return failed(h, t);
	recall(h, t);
	return true;
}

static bool
do_release(struct hands *h, const struct target *t)
{
	return move(h->spool.hold, h->spool.queue, t->name) == 0 || failed(h, t);
}

static bool
do_rm(struct hands *h, const struct target *t)
{
	int dir = h->spool.hold;

	/* Through hold/, where the queue manager reads whom it was for. */
	if (!t->held && move(h->spool.queue, dir, t->name) == -1) {
		if (errno != EEXIST)
			return failed(h, t);
		dir = h->spool.queue;
	}
	if (!t->held && dir == h->spool.hold)
		recall(h, t);
	if (unlinkat(dir, t->name, 0) == -1)
		return failed(h, t);
	if (dir == h->spool.queue)
		recall(h, t);
	return true;
}

static bool
do_ask(struct hands *h, const struct target *t)
{
	return ask(h, h->action->verb, t, "count") != -1;
}

static void
connect_control(struct hands *h)
{
	if (h->action->asks)
		control_or_die(h->cfg, &h->control);
	else if (control_open(h->cfg, &h->control) == -1)
		h->alone = errno == ENOENT || errno == ECONNREFUSED;
	h->connected = h->control.rfd != -1;
}

static void
act_on_all(struct hands *h)
{
	size_t done = 0;

	if (spool_open(&h->spool, h->cfg->spool, false) == -1)
		spool_die(h->cfg);
	connect_control(h);
	for (size_t i = 0; i < h->n; i++)
		done += h->action->run(h, &h->v[i]);
	/* What was held or removed stays so if the power goes now. */
	if (!h->action->asks && (fsync(h->spool.hold) == -1 ||
	    fsync(h->spool.queue) == -1))
		warn("%s", h->cfg->spool);
	if (h->connected)
		stream_release(&h->control);
	spool_close(&h->spool);
	printf("%zu message%s %s.\n", done, done == 1 ? "" : "s",
	    h->action->what);
}

/* What the senders shall read stands in a report and in one line of a file. */
static void
check_text(const struct hands *h)
{
	const char *text = h->s.text;

	if (text == NULL)
		return;
	if (strcmp(h->action->verb, "bounce") != 0)
		usage(h->action);
	if (strlen(text) > LAST_WORDS_MAX)
		errx(EX_USAGE, "--text: at most %d bytes", LAST_WORDS_MAX);
	if (!is_utf8(text, strlen(text)))
		errx(EX_USAGE, "--text: not UTF-8");
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			errx(EX_USAGE, "--text: one line, please");
}

static int
act(const struct config *cfg, const struct action *a, int argc, char *argv[])
{
	struct hands h = { .cfg = cfg, .action = a, .spool = SPOOL_INIT,
	    .control.rfd = -1 };
	struct action mine = *a;
	int status;

	selection_parse(&h.s, cfg, true, argc, argv);
	check_text(&h);
	if (a->host != NULL) {
		if (h.s.nids == 0)
			usage(a);
		mine.host = h.s.ids[--h.s.nids];
		if (!is_route(mine.host))
			errx(EX_USAGE, "%s: not HOST:PORT, nor -",
			    quoted(mine.host));
		h.action = &mine;
	}
	h.now = date_now_usec();
	status = select_targets(&h);
	if (h.n > 0)
		act_on_all(&h);
	if (h.status != EX_OK)
		status = h.status;
	free(h.v);
	selection_release(&h.s);
	return print_finish(status);
}

#define VERB(v, queued, held, asks, run, what, host)			\
int									\
qadmin_##v(const struct config *cfg, int argc, char *argv[])		\
{									\
	static const struct action a =					\
	    { #v, queued, held, asks, run, what, host };		\
									\
	return act(cfg, &a, argc, argv);				\
}
VERB(hold, true, false, false, do_hold, "held", NULL)
VERB(release, false, true, false, do_release, "released", NULL)
VERB(rm, true, true, false, do_rm, "removed; nobody is told", NULL)
VERB(bounce, true, true, true, do_ask, "given up; the senders are told, "
    "unless they asked not to be", NULL)
VERB(reroute, true, true, true, do_ask, "sent another way", "")
VERB(retry, true, false, true, do_ask, "will be tried now", NULL)
