/*
 * qadmin_why.c - `facteur why`: where a message is, what happened to it, what
 * happens next, and what can be done about it.
 *
 * Runs as the caller.  From: the spool, its history, queue/control_look.c.
 * What is not known is not said.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "date.h"
#include "history.h"
#include "log.h"
#include "qadmin_why.h"

/* ---- what happened ---- */

struct telling {
	const struct why *why;
	const struct env_rcpt *r;	/* the recipient spoken of */
	const char *sender;
	bool	over;		/* delivered, or failed: what is for all is not for it any more */
};

void
why_reply(const char *host, const char *tls, const char *text)
{
	bool named = host != NULL && strcmp(host, "-") != 0;
	bool reply = named && strspn(text, "0123456789") == 3;

	if (named) {
		putchar(' ');
		print_bare(host);
	}
	if (tls != NULL) {
		printf(named ? ", " : " ");
		print_bare(tls);
	} else if (reply && *text == '2')
		printf(", without TLS,");
	printf("%s%s\n", reply ? " said " : named || tls != NULL ? ": " : " ",
	    quoted(text));
}

bool
why_is_expansion(const char *host, const char *text)
{
	return (host == NULL || strcmp(host, "-") == 0) &&
	    strcmp(text, "2.0.0 expanded") == 0;
}

/* Is what stands there about all recipients about this one? */
static bool
is_about(const struct telling *t, const struct env_event *v)
{
	if (strcmp(v->kind, "delayed") == 0)
		return !t->over && *t->sender != '\0' &&
		    strcmp(v->text, "-") != 0 && (t->r->notify == 0 ||
		    (t->r->notify & NOTIFY_DELAY) != 0);
	return v->n == t->r->n || (v->n == 0 && !t->over);
}

static void
tell_event(const struct env_event *v, void *arg)
{
	static const struct { const char *kind, *words; } kinds[] = {
		{ "defer", "put off:" }, { "done", "delivered:" },
		{ "fail", "failed for good:" }
	};
	struct telling *t = arg;

	if (!is_about(t, v))
		return;
	t->over |= strcmp(v->kind, "done") == 0 || strcmp(v->kind, "fail") == 0;
	printf("    ");
	print_time(v->at);
	if (strcmp(v->kind, "done") == 0 && why_is_expansion(v->host, v->text)) {
		printf("  sent on to the addresses behind it\n");
		return;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(v->kind, kinds[i].kind) == 0) {
			printf("  %s", kinds[i].words);
			why_reply(v->host, v->tls, v->text);
			return;
		}
	if (strcmp(v->kind, "told") == 0)
		printf(strcmp(v->text, "-") == 0 ?
		    "  nobody was told of the failure: there is no sender, or "
		    "he asked not to be told\n" :
		    "  the sender was told, by the message %s\n",
		    quoted(v->text));
	else if (strcmp(v->kind, "delayed") == 0)
		printf("  the sender was told that it takes longer\n");
	else if (strcmp(v->kind, "retry") == 0)
		printf("  an administrator wanted it tried at once\n");
	else
		printf("  an administrator sent it %s%s\n",
		    strcmp(v->host, "-") == 0 ? "its usual way again" : "to ",
		    strcmp(v->host, "-") == 0 ? "" : quoted(v->host));
}

static void
tell_events(const struct why *w, const struct entry *e,
    const struct env_rcpt *r)
{
	struct telling t = { w, r, e->env.sender, false };
	size_t len = e->env.used;
	char *text = xmalloc(len + 1);
	ssize_t got = pread(e->fd, text, len, (off_t)e->size);

	if (got > 0)
		envelope_events(text, (size_t)got, tell_event, &t);
	free(text);
}

/* ---- one message ---- */

static void
tell_advice(const struct env_rcpt *r)
{
	const char *advice = cause_advice(r->text, env_rcpt_is_reply(r));

	if (advice != NULL && r->state != RCPT_DONE)
		printf("    What to do: %s\n", advice);
}

static void
tell_rcpt(struct why *w, const struct entry *e, const struct env_rcpt *r)
{
	printf("To ");
	print_address(r->addr);
	if (r->parent != 0 && r->parent <= e->env.nrcpts) {
		printf(", which ");
		print_address(e->env.rcpts[r->parent - 1].addr);
		printf(" leads to");
	}
	printf(": %s\n", r->state == RCPT_PENDING ? r->attempts > 0 ?
	    "not delivered yet" : "no attempt has ended yet" :
	    r->state == RCPT_TOLD ? "failed, and reported" :
	    rcpt_is_open(r) ? state_text(r) : "done with");
	tell_events(w, e, r);
	if (rcpt_is_open(r))
		why_next(w, e, r);
	tell_advice(r);
}

static void
tell_place(const struct why *w, const struct entry *e)
{
	if (entry_is_held(e))
		printf("It is held: nothing happens until `facteur release "
		    "%s`.\n", e->id);
	else if (!w->connected)
		printf("It is in the queue. The queue manager cannot be asked "
		    "(%s), so what follows is what stands in its file.\n",
		    w->no_control);
	else if (w->state != NULL && strcmp(w->state, "active") == 0)
		printf("It is in the queue, and being worked on.\n");
	else
		printf("It is in the queue.\n");
}

static bool
is_asked_for(const struct why *w, const char *address)
{
	return w->address == NULL || strcasecmp(w->address, address) == 0;
}

/* Of an address that leads to others, those too. */
static bool
is_meant(const struct why *w, const struct envelope *env,
    const struct env_rcpt *r)
{
	/* A parent has a smaller number, whatever the file says. */
	while (!is_asked_for(w, r->addr)) {
		if (r->parent == 0 || r->parent >= r->n)
			return false;
		r = &env->rcpts[r->parent - 1];
	}
	return true;
}

static void
tell_entry(struct why *w, const struct entry *e)
{
	bool sender = e->readable && is_asked_for(w, e->env.sender);

	why_look(w, e->id);
	if (w->shown++ > 0)
		putchar('\n');
	printf("%s, %lld bytes", e->id, (long long)e->size);
	if (!e->readable) {
		printf(": its file in %s/ is damaged (%s). If it is not being "
		    "copied at this moment, the queue manager moves it to bad/ "
		    "within two hours.\n", e->dir, quoted(e->env.damage));
		return;
	}
	printf(", from ");
	print_address(e->env.sender);
	printf(", arrived ");
	print_when(e->env.arrived, w->now);
	printf(".\n");
	tell_place(w, e);
	for (unsigned i = 0; i < e->env.nrcpts; i++)
		if (sender || is_meant(w, &e->env, &e->env.rcpts[i]))
			tell_rcpt(w, e, &e->env.rcpts[i]);
}

static bool
is_about_address(const struct why *w, const struct entry *e)
{
	bool is = e->readable && is_asked_for(w, e->env.sender);

	for (unsigned i = 0; !is && e->readable && i < e->env.nrcpts; i++)
		is = is_meant(w, &e->env, &e->env.rcpts[i]);
	return is;
}

/* Keeps the latest few, in their order: what is told of them all is longer than a person reads. */
static void
keep_entry(struct why *w, struct entry *e)
{
	size_t at = w->nkept;

	if (w->nkept == WHY_LATEST) {
		w->older++;
		if (strcmp(e->id, w->kept[0].id) < 0)
			return;
		envelope_release(&w->kept[0].env);
		close(w->kept[0].fd);
		memmove(w->kept, w->kept + 1, --at * sizeof(*w->kept));
		w->nkept--;
	}
	while (at > 0 && strcmp(w->kept[at - 1].id, e->id) > 0)
		at--;
	memmove(w->kept + at + 1, w->kept + at,
	    (w->nkept++ - at) * sizeof(*w->kept));
	/* The walk has nothing left to close. */
	w->kept[at] = *e;
	e->fd = -1;
	envelope_init(&e->env);
}

static int
why_entry(struct entry *e, void *arg)
{
	struct why *w = arg;

	if (w->address != NULL && !is_about_address(w, e))
		return 0;
	if (w->address != NULL && !w->all)
		keep_entry(w, e);
	else
		tell_entry(w, e);
	return 0;
}

static void
tell_kept(struct why *w)
{
	for (size_t i = 0; i < w->nkept; i++) {
		tell_entry(w, &w->kept[i]);
		envelope_release(&w->kept[i].env);
		close(w->kept[i].fd);
	}
	why_older(w, "message", "in the queue");
	w->nkept = 0;
}

/* ---- what was asked ---- */

static int
is_bad(const struct config *cfg, const char *id)
{
	struct spool spool = SPOOL_INIT;
	int found = 0;

	if (spool_open(&spool, cfg->spool, false) == -1)
		return 0;
	found = entries_in_bad(spool.bad, id);
	spool_close(&spool);
	return found;
}

static int
visit_all(struct why *w, const char *id)
{
	int n = entries_each(w->cfg, id, why_entry, w);

	if (n == -1)
		spool_die(w->cfg);
	return n;
}

static int
why_id(struct why *w, const char *id)
{
	(void)visit_all(w, id);
	if (w->shown == 0 && is_bad(w->cfg, id)) {
		w->shown++;
		printf("%s lies in bad/: its file is not what we write. The "
		    "log says why (`damaged`); once mended, mv it back to "
		    "queue/.\n", id);
	}
	if (w->shown == 0)
		why_past(w, id);
	if (w->shown > 0)
		return EX_OK;
	printf("%s is not in the queue, and the history knows nothing of it: "
	    "it was never here, its history has been removed, or there is "
	    "none. The log may tell more.\n", id);
	return EX_DATAERR;
}

static int
why_address(struct why *w, const char *address)
{
	w->address = address;
	(void)visit_all(w, NULL);
	tell_kept(w);
	why_past(w, NULL);
	if (w->shown > 0)
		return EX_OK;
	printf("No message from or to %s is in queue/ or hold/, and ",
	    quoted(address));
	if (w->cfg->history_days == 0)
		printf("no history is kept.\n");
	else
		printf("the history (history_days = %lld) knows of none.\n",
		    (long long)w->cfg->history_days);
	return EX_DATAERR;
}

static int
why_host(struct why *w, const char *name)
{
	if (!w->connected) {
		warnx("the queue manager, which knows the sites, cannot be "
		    "asked: %s", w->no_control);
		return EX_TEMPFAIL;
	}
	if (!why_site(w, name)) {
		printf("Nothing is known of %s: nothing is on its way there, "
		    "and nothing went wrong there lately.\n", quoted(name));
		return EX_DATAERR;
	}
	printf("    `facteur ls --site '");
	print_bare(name);
	printf("'` lists the messages.\n");
	return EX_OK;
}

int
qadmin_why(const struct config *cfg, int argc, char *argv[])
{
	struct why w = { .cfg = cfg, .now = date_now_usec() };
	int status;

	if (argc > 0 && strcmp(argv[0], "--all") == 0) {
		w.all = true;
		argc--;
		argv++;
	}
	if (argc != 1 || argv[0][0] == '-')
		errx(EX_USAGE, "usage: facteur why ID | [--all] ADDRESS | "
		    "SITE");
	w.connected = control_open(cfg, &w.control) == 0;
	if (!w.connected)
		w.no_control = xstrdup(strerror(errno));
	if (is_id(argv[0], strlen(argv[0])))
		status = why_id(&w, argv[0]);
	else if (strchr(argv[0], '@') != NULL)
		status = why_address(&w, argv[0]);
	else
		status = why_host(&w, argv[0]);
	if (w.connected)
		stream_release(&w.control);
	why_forget(&w);
	free(w.no_control);
	return print_finish(status);
}
