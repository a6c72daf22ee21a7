/* sendmail.h - what the files of sendmail share. */
#ifndef QUEUE_SENDMAIL_H
#define QUEUE_SENDMAIL_H

#include <stdbool.h>

#include "config.h"
#include "inject.h"

enum sendmail_mode {
	MODE_SUBMIT,		/* -bm, and when nothing is said */
	MODE_SMTP,		/* -bs */
	MODE_LIST,		/* -bp, mailq */
	MODE_RETRY,		/* -q */
	MODE_NOTHING		/* -bi, newaliases: nothing to be done here */
};

struct sendmail_options {	/* strings are borrowed from argv */
	enum sendmail_mode mode;
	const char *confdir;
	const char *sender;	/* -f, -r; NULL: the caller */
	const char *name;	/* -F; NULL: from the password file */
	const char *notify, *ret, *envid;	/* -N -R -V */
	const char *retry_filter, *retry_text;	/* -qR and its like: an option of `facteur retry`; NULL: all */
	bool	from_header;	/* -t */
	bool	ignore_dots;	/* -i, -oi */
	bool	body8;		/* -B8BITMIME */
	char	**rcpts;	/* the rest of argv */
};

/* Fills the options, or says what is wrong and exits with EX_USAGE. */
void	sendmail_options(struct sendmail_options *, int argc, char **argv);
/* Everything up to inject's answer. The sysexits code. */
int	sendmail_submit(const struct config *, const struct sendmail_options *);
/*
 * Takes the header block off the input's front: recipients (with -t), Bcc
 * removed (with -t), From added where it is missing; that becomes s->head.
 * The sysexits code, said on stderr.
 */
int	sendmail_header(struct inject_submission *,
	    const struct sendmail_options *);
/* "Full Name <address>" as a field body (RFC 5322, RFC 2047), appended. */
void	sendmail_mailbox(struct buf *, const char *name, const char *address);
#endif
