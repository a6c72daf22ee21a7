/*
 * filter.c - `remote` by hand: remote [-f SENDER] RCPT... <message
 *
 * Runs as its caller.  The message comes from fd 0, with LF or CRLF line
 * ends; one line for each recipient goes to stdout.
 * Way 6 of 8.  From: a shell.  To: remote/deliver.c.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

#include "address.h"
#include "remote.h"

/* The canonical form of what was typed; ends the program if it is none. */
static char *
canonical(const char *s)
{
	struct buf b = BUF_INIT;

	if (address_parse(s, strlen(s), ADDR_ALLOW_UTF8, &b) != ADDR_OK)
		errx(EX_USAGE, "%s: not a mail address", s);
	return buf_detach(&b);
}

static void
write_all(int fd, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			err(EX_TEMPFAIL, "cannot keep the message");
		p += n;
		len -= (size_t)n;
	}
}

/* Copies fd 0 to a file without a name, CRLF as LF.  What pread wants. */
static void
take_message(struct job *job)
{
	struct buf line = BUF_INIT;
	size_t size = 0;
	char *text = NULL;
	ssize_t n;

	job->fd = memfd_create("message", MFD_CLOEXEC);
	if (job->fd == -1)
		err(EX_OSERR, "memfd_create");
	while ((n = getline(&text, &size, stdin)) > 0) {
		if (n >= 2 && text[n - 2] == '\r' && text[n - 1] == '\n')
			text[--n - 1] = '\n';
		for (ssize_t i = 0; i < n && !job->body8; i++)
			job->body8 = (unsigned char)text[i] >= 0x80;
		buf_add(&line, text, (size_t)n);
		job->size += n;
		if (line.len >= 65536) {
			write_all(job->fd, line.data, line.len);
			buf_reset(&line);
		}
	}
	if (ferror(stdin))
		err(EX_NOINPUT, "cannot read the message");
	write_all(job->fd, buf_str(&line), line.len);
	buf_release(&line);
	free(text);
}

static void
address_job(const struct remote *r, struct job *job, const char *sender,
    char *const rcpt[], unsigned n)
{
	const char *relay = r->cfg->relay_host;

	job->id = xstrdup("-");
	job->sender = *sender == '\0' ? xstrdup("") : canonical(sender);
	for (unsigned i = 0; i < n; i++) {
		char *to = canonical(rcpt[i]);
		const char *domain = address_domain(to);

		if (domain == NULL)
			errx(EX_USAGE, "%s: a domain is missing", rcpt[i]);
		if (job->dest == NULL)
			job->dest = xstrdup(domain);
		else if (strcmp(job->dest, domain) != 0)
			errx(EX_USAGE, "%s: not at %s; one destination at a "
			    "time", rcpt[i], job->dest);
		job_add(job, to);
		free(to);
	}
	if (*relay != '\0')
		job->relay = xstrdup(relay);
}

static int
print_outcomes(const struct job *job)
{
	static const char *const words[] = { "defer", "done", "defer", "fail" };
	int status = EX_OK;

	for (unsigned i = 0; i < job->nrcpts; i++) {
		const struct rcpt *r = &job->rcpts[i];
		const struct outcome *o = &r->outcome;

		printf("%s <%s> %s", words[o->status], r->to, o->enh);
		if (o->host[0] != '\0')
			printf(" %s[%s]", o->host, o->ip);
		if (o->tls[0] != '\0')
			printf(" tls=%s", o->tls);
		printf(" %s\n", o->text);
		if (o->status == FAIL && status == EX_OK)
			status = EX_UNAVAILABLE;
		else if (o->status != DONE && o->status != FAIL)
			status = EX_TEMPFAIL;
	}
	return fflush(stdout) == 0 ? status : EX_IOERR;
}

int
filter(const struct remote *r, const char *sender, char *const rcpt[],
    unsigned n)
{
	struct client client;
	struct job job;
	int status;

	job_init(&job);
	address_job(r, &job, sender, rcpt, n);
	take_message(&job);
	client_init(&client, r);
	deliver(r, &client, &job);
	client_quit(&client);
	status = print_outcomes(&job);
	client_release(&client);
	job_release(&job);
	return status;
}
