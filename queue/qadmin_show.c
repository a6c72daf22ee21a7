/*
 * qadmin_show.c - `facteur show`: one message with its whole story.
 *
 * Runs as the caller.  Everything that came from outside goes through quoted().
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "log.h"
#include "qadmin.h"

static void
print_rcpt(const struct env_rcpt *r)
{
	printf("        ");
	print_address(r->addr);
	printf("  %s", state_text(r));
	if (r->route != NULL)
		printf(", to go to %s", quoted(r->route));
	if (r->state == RCPT_PENDING && r->next != 0) {
		fputs(", due ", stdout);
		print_time(r->next);
	}
	putchar('\n');
	if (r->text != NULL && r->state != RCPT_DONE)
		printf("            %s%s%s\n", r->host != NULL ? r->host : "",
		    r->host == NULL ? "" : env_rcpt_is_reply(r) ? " said " :
		    ": ", quoted(r->text));
}

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
		    quoted(argv[0]));
	n = entries_each(cfg, argv[0], show_one, NULL);
	if (n == -1)
		spool_die(cfg);
	if (n == 0)
		errx(EX_DATAERR, "%s: no such message in the queue: delivered, "
		    "removed, or never here (the log tells)", argv[0]);
	return print_finish(EX_OK);
}
