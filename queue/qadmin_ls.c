/*
 * qadmin_ls.c - `facteur ls`: what is in the queue, for people; with --json
 * for programs, one object a line; and `mailq`, for forty years of scripts.
 *
 * Runs as the caller.  Everything that came from outside goes through
 * qadmin_print.c.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "date.h"
#include "log.h"
#include "qadmin.h"

struct listing {
	const struct filter *filter;
	void	(*print)(const struct entry *, const struct listing *);
	struct ids active;	/* mailq: owned */
	int64_t	now, bytes;
	int	count;
};

static int
list_one(struct entry *e, void *arg)
{
	struct listing *l = arg;

	if (l->filter != NULL && !filter_matches(l->filter, e, l->now))
		return 0;
	if (l->count++ == 0 && l->filter == NULL)
		puts("----Queue ID----- --Size-- ---Arrival Time---- "
		    "--Sender/Recipient------");
	l->bytes += e->size;
	l->print(e, l);
	return ferror(stdout);	/* nobody reads on: see print_finish() */
}

/* How many there are; does not return when they cannot be read. */
static int
list(const struct config *cfg, struct listing *l)
{
	l->now = date_now_usec();
	if (entries_each(cfg, NULL, list_one, l) == -1)
		spool_die(cfg);
	return l->count;
}

/* ---- for people ---- */

static void
print_rcpt(const struct env_rcpt *r, bool held)
{
	printf("        ");
	print_address(r->addr);
	printf("  %s", state_text(r));
	if (r->route != NULL)
		printf(", to go to %s", quoted(r->route));
	if (r->state == RCPT_PENDING && r->next != 0 && !held) {
		fputs(", due ", stdout);
		print_time(r->next);
	}
	putchar('\n');
	if (r->text != NULL && r->state != RCPT_DONE)
		printf("            %s%s%s\n", r->host != NULL ? r->host : "",
		    r->host == NULL ? "" : env_rcpt_is_reply(r) ? " said " :
		    ": ", quoted(r->text));
}

static void
ls_text(const struct entry *e, const struct listing *l)
{
	(void)l;
	printf("%s %9lld ", e->id, (long long)e->size);
	if (!e->readable) {
		printf("damaged: %s\n", quoted(e->env.damage));
		return;
	}
	print_time(e->env.arrived);
	putchar(' ');
	print_address(e->env.sender);
	puts(entry_is_held(e) ? "  (held)" : "");
	for (unsigned i = 0; i < e->env.nrcpts; i++)
		if (rcpt_is_open(&e->env.rcpts[i]))
			print_rcpt(&e->env.rcpts[i], entry_is_held(e));
}

/* ---- for programs ---- */

static void
json_rcpt(const struct env_rcpt *r)
{
	printf("{\"n\":%u", r->n);
	json_pair("address", r->addr);
	json_pair("state", state_word(r));
	printf(",\"attempts\":%u", r->attempts);
	json_time("last", r->last);
	json_time("next", r->state == RCPT_PENDING ? r->next : 0);
	json_pair("host", r->host);
	json_pair("text", r->text);
	json_pair("owed", rcpt_report_text(r->report));
	json_pair("route", r->route);
	putchar('}');
}

static void
ls_json(const struct entry *e, const struct listing *l)
{
	(void)l;
	printf("{\"id\":\"%s\",\"size\":%lld,\"dir\":\"%s\"", e->id,
	    (long long)e->size, e->dir);
	if (!e->readable) {
		json_pair("damage", e->env.damage);
		puts("}");
		return;
	}
	json_time("arrived", e->env.arrived);
	json_pair("sender", e->env.sender);
	json_pair("auth", e->env.auth);
	json_pair("ip", e->env.ip);
	printf(",\"recipients\":[");
	for (unsigned i = 0; i < e->env.nrcpts; i++) {
		if (i > 0)
			putchar(',');
		json_rcpt(&e->env.rcpts[i]);
	}
	puts("]}");
}

int
qadmin_ls(const struct config *cfg, int argc, char *argv[])
{
	struct selection s;
	struct listing l = { .count = 0 };
	int n;

	selection_parse(&s, cfg, false, argc, argv);
	if (s.nids > 0)
		errx(EX_USAGE, "ls takes no ID; see `facteur show ID`");
	l.filter = &s.filter;
	l.print = s.json ? ls_json : ls_text;
	n = list(cfg, &l);
	if (!s.json && n == 0)
		puts(filter_is_set(&s.filter) ? "No message matches." :
		    "The queue is empty.");
	else if (!s.json)
		printf("%d message%s.\n", n, n == 1 ? "" : "s");
	selection_release(&s);
	return print_finish(EX_OK);
}

/* ---- mailq, in the form of Postfix with long queue IDs ---- */

/* An address or text as it may stand on a terminal. */
static const char *
safe(const char *text)
{
	static struct buf b;

	buf_reset(&b);
	log_safe(&b, text);
	return buf_str(&b);
}

static void
mailq_reason(const char *text)
{
	const char *s = safe(text);
	int pad = 76 - (int)strlen(s);

	printf("%*s(%s)\n", pad < 0 ? 0 : pad, "", s);
}

static void
mailq_entry(const struct entry *e, const struct listing *l)
{
	time_t arrived = (time_t)((e->readable ? e->env.arrived :
	    id_usec(e->id)) / 1000000);
	char when[32] = "";
	struct tm tm;

	if (localtime_r(&arrived, &tm) != NULL)
		(void)strftime(when, sizeof(when), "%a %b %e %H:%M:%S", &tm);
	printf("%s%c %8lld %19.19s %s\n", e->id, entry_is_held(e) ? '!' :
	    ids_have(&l->active, e->id) ? '*' : ' ',
	    (long long)e->size, when, !e->readable ? "(damaged)" :
	    e->env.sender[0] == '\0' ? "MAILER-DAEMON" : safe(e->env.sender));
	for (unsigned i = 0; e->readable && i < e->env.nrcpts; i++) {
		const struct env_rcpt *r = &e->env.rcpts[i];

		if (!rcpt_is_open(r))
			continue;
		if (r->state == RCPT_DONE)
			mailq_reason(state_text(r));
		else if (r->text != NULL)
			mailq_reason(r->text);
		printf("%-17s %8s %-19s %s\n", "", "", "", safe(r->addr));
	}
	putchar('\n');
}

int
qadmin_mailq(const struct config *cfg, int argc, char *argv[])
{
	struct listing l = { .print = mailq_entry };
	struct stream s;
	int n;

	(void)argv;
	if (argc > 0)
		errx(EX_USAGE, "mailq takes no arguments");
	/* Without a queue manager, or the right to ask it, nothing is at work for all we know. */
	if (control_open(cfg, &s) == 0) {
		active_ask(&s, &l.active);
		stream_release(&s);
	}
	n = list(cfg, &l);
	free(l.active.v);
	if (n == 0)
		puts("Mail queue is empty");
	else
		printf("-- %lld Kbytes in %d Request%s.\n",
		    (long long)(l.bytes / 1024), n, n == 1 ? "" : "s");
	return print_finish(EX_OK);
}
