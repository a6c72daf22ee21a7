/*
 * caps.c - what an EHLO reply promises (RFC 5321 section 4.1.1.1).
 *
 * Runs as facteur-remote, on a stranger's words.  What we do not know or
 * cannot read counts as not said.  Way 6 of 8.  From: remote/client.c.
 * To: remote/client_send.c, remote/client_command.c.
 */
#include <stdlib.h>
#include <string.h>

#include "remote.h"

/* RFC 1870: SIZE alone, SIZE 0: no limit known. */
static void
cap_size(struct caps *c, const char *arg)
{
	const char *error;

	c->size = true;
	c->size_max = strtonum(arg, 0, INT64_MAX, &error);
	if (error != NULL)
		c->size_max = 0;
}

static void
cap_line(struct caps *c, char *line)
{
	char *arg = line, *word = strsep(&arg, " =");

	if (arg != NULL)
		arg[strcspn(arg, " ")] = '\0';
	if (strcasecmp(word, "PIPELINING") == 0)
		c->pipelining = true;		/* RFC 2920 */
	else if (strcasecmp(word, "STARTTLS") == 0)
		c->starttls = true;		/* RFC 3207 */
	else if (strcasecmp(word, "8BITMIME") == 0)
		c->eightbit = true;		/* RFC 6152 */
	else if (strcasecmp(word, "SMTPUTF8") == 0)
		c->utf8 = true;			/* RFC 6531 */
	else if (strcasecmp(word, "DSN") == 0)
		c->dsn = true;			/* RFC 3461 */
	else if (strcasecmp(word, "SIZE") == 0)
		cap_size(c, arg != NULL ? arg : "");
}

void
caps_parse(const struct reply *r, struct caps *out)
{
	char *copy = xstrdup(buf_str(&r->text)), *rest = copy, *line;

	memset(out, 0, sizeof(*out));
	/* The first line greets; it promises nothing. */
	(void)strsep(&rest, "\n");
	while ((line = strsep(&rest, "\n")) != NULL)
		cap_line(out, line);
	free(copy);
}
