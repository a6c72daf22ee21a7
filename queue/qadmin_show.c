/*
 * qadmin_show.c - `facteur ls` and `facteur show`: the queue, and one message
 * with its whole story, for people; --json for programs, one object a line.
 *
 * Runs as the caller.  Everything that came from outside goes through quoted().
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "address.h"
#include "date.h"
#include "log.h"
#include "qadmin.h"

static void
print_time(int64_t usec)
{
	struct buf b = BUF_INIT;

	date_iso(&b, usec, 0);
	fputs(buf_str(&b), stdout);
	buf_release(&b);
}

/* What a person calls the state of a recipient. */
static const char *
state_word(const struct env_rcpt *r)
{
	switch (r->state) {
	case RCPT_PENDING:
		return r->attempts > 0 ? "deferred" : "waiting";
	case RCPT_DONE:
		return "done";
	case RCPT_FAILED:
		return "failed";
	case RCPT_TOLD:
		return "bounced";
	}
	return "unknown";
}

/* Addresses may hold quotes and UTF-8, but no control bytes: see the codec. Still, through quoted() without its quotes. */
static void
print_address(const char *addr)
{
	const char *q = quoted(addr);

	printf("<%.*s>", (int)strlen(q) - 2, q + 1);
}

static void
print_rcpt(const struct env_rcpt *r)
{
	printf("        ");
	print_address(r->addr);
	printf("  %s", state_word(r));
	if (r->state == RCPT_PENDING && r->next != 0) {
		fputs(", next attempt ", stdout);
		print_time(r->next);
	}
	putchar('\n');
	if (r->text != NULL && r->state != RCPT_DONE)
		printf("            %s%s%s\n", r->host != NULL ? r->host : "",
		    r->host == NULL ? "" : env_rcpt_is_reply(r) ? " said " :
		    ": ", quoted(r->text));
}

static int
ls_text(struct entry *e, void *arg)
{
	(void)arg;
	printf("%s %9lld ", e->id, (long long)e->size);
	if (!e->readable) {
		printf("damaged: %s\n", quoted(e->env.damage));
		return 0;
	}
	print_time(e->env.arrived);
	putchar(' ');
	print_address(e->env.sender);
	puts(strcmp(e->dir, "hold") == 0 ? "  (held)" : "");
	for (unsigned i = 0; i < e->env.nrcpts; i++)
		if (e->env.rcpts[i].state == RCPT_PENDING ||
		    e->env.rcpts[i].state == RCPT_FAILED)
			print_rcpt(&e->env.rcpts[i]);
	return 0;
}

/* ---- JSON (RFC 8259): text that is no UTF-8 byte by byte as \u00XX ---- */

static void
json_string(const char *s)
{
	bool utf8 = is_utf8(s, strlen(s));

	putchar('"');
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8))
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void
json_pair(const char *key, const char *value)
{
	if (value == NULL)
		return;
	printf(",\"%s\":", key);
	json_string(value);
}

static void
json_time(const char *key, int64_t usec)
{
	struct buf b = BUF_INIT;

	if (usec == 0)
		return;
	date_iso(&b, usec, 0);
	json_pair(key, buf_str(&b));
	buf_release(&b);
}

static int
ls_json(struct entry *e, void *arg)
{
	(void)arg;
	printf("{\"id\":\"%s\",\"size\":%lld,\"dir\":\"%s\"", e->id,
	    (long long)e->size, e->dir);
	if (!e->readable) {
		json_pair("damage", e->env.damage);
		puts("}");
		return 0;
	}
	json_time("arrived", e->env.arrived);
	json_pair("sender", e->env.sender);
	json_pair("auth", e->env.auth);
	json_pair("ip", e->env.ip);
	printf(",\"recipients\":[");
	for (unsigned i = 0; i < e->env.nrcpts; i++) {
		const struct env_rcpt *r = &e->env.rcpts[i];

		printf("%s{\"n\":%u", i == 0 ? "" : ",", r->n);
		json_pair("address", r->addr);
		json_pair("state", state_word(r));
		printf(",\"attempts\":%u", r->attempts);
		json_time("last", r->last);
		json_time("next", r->next);
		json_pair("host", r->host);
		json_pair("text", r->text);
		putchar('}');
	}
	puts("]}");
	return 0;
}

/* Output that could not be written is a failure, as for any Unix tool. */
static int
finish(int status)
{
	if (fflush(stdout) == EOF || ferror(stdout))
		err(EX_IOERR, "stdout");
	return status;
}

int
qadmin_ls(const struct config *cfg, int argc, char *argv[])
{
	bool json = argc == 1 && strcmp(argv[0], "--json") == 0;
	int n;

	if (argc > 1 || (argc == 1 && !json))
		errx(EX_USAGE, "usage: facteur ls [--json]");
	n = entries_each(cfg, NULL, json ? ls_json : ls_text, NULL);
	if (n == -1)
		err(errno == EACCES ? EX_NOPERM : EX_OSERR, "%s", cfg->spool);
	if (!json)
		printf(n == 0 ? "The queue is empty.\n" : "%d message%s.\n", n,
		    n == 1 ? "" : "s");
	return finish(EX_OK);
}

/* ---- show ---- */

/* One line of it; strlen() stops at a NUL, which only damage can bring. */
static void
show_line(struct buf *line)
{
	struct buf safe = BUF_INIT;

	log_safe(&safe, buf_str(line));
	puts(buf_str(&safe));
	buf_release(&safe);
	buf_reset(line);
}

/*
 * Addresses in it may be UTF-8 and hold what turns text around; a damaged file
 * may hold anything.
 */
static void
show_story(const struct entry *e)
{
	struct buf line = BUF_INIT;
	char chunk[8192];
	off_t at = e->size;
	ssize_t n;

	while ((n = pread(e->fd, chunk, sizeof(chunk), at)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			if (chunk[i] == '\n')
				show_line(&line);
			else
				buf_addc(&line, chunk[i]);
		at += n;
	}
	if (line.len > 0)
		show_line(&line);
	buf_release(&line);
}

static int
show_one(struct entry *e, void *arg)
{
	(void)arg;
	printf("%s, %lld bytes, in %s/%s\n", e->id, (long long)e->size, e->dir,
	    e->name);
	if (e->readable) {
		printf("from ");
		print_address(e->env.sender);
		fputs(", arrived ", stdout);
		print_time(e->env.arrived);
		puts("\nto");
		for (unsigned i = 0; i < e->env.nrcpts; i++)
			print_rcpt(&e->env.rcpts[i]);
	} else {
		printf("damaged: %s\n", quoted(e->env.damage));
	}
	puts("\nIts story, as it stands behind the message in the file:");
	show_story(e);
	return 0;
}

int
qadmin_show(const struct config *cfg, int argc, char *argv[])
{
	int n;

	if (argc != 1)
		errx(EX_USAGE, "usage: facteur show ID");
	if (!is_id(argv[0], strlen(argv[0])))
		errx(EX_USAGE, "%s: not a queue ID; `facteur ls` shows them",
		    argv[0]);
	n = entries_each(cfg, argv[0], show_one, NULL);
	if (n == -1)
		err(errno == EACCES ? EX_NOPERM : EX_OSERR, "%s", cfg->spool);
	if (n == 0)
		errx(EX_DATAERR, "%s: no such message in the queue: delivered, "
		    "removed, or never here (the log tells)", argv[0]);
	return finish(EX_OK);
}
