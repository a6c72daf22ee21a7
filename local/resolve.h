/*
 * resolve.h - what the files of resolve share: aliases, and the way from an
 * address to its route.
 */
#ifndef LOCAL_RESOLVE_H
#define LOCAL_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "buf.h"
#include "config.h"
#include "who.h"

/* ---- aliases.c: aliases(5) ---- */
enum alias_kind {
	ALIAS_ADDRESS,		/* canonical; without domain: one of ours */
	ALIAS_EXACT,		/* the same, written \name: the mailbox */
	ALIAS_PROGRAM,		/* |program: not supported, like the next two */
	ALIAS_FILE,		/* /file */
	ALIAS_INCLUDE,		/* :include:/file */
	ALIAS_BAD		/* no address at all, or an empty list */
};

struct alias_target {
	enum alias_kind kind;
	char	*text;		/* owned */
};

struct alias {
	char	*name;		/* owned; lower case; may have @domain */
	unsigned line;		/* where it stands, from 1 */
	struct alias_target *targets;	/* owned; at least one */
	size_t	 ntargets;
};

struct aliases { struct alias *v; size_t n; };	/* sorted by name */

#define ALIASES_INIT	{ NULL, 0 }

/*
 * Parses the text of an aliases file.  What cannot be understood is kept as
 * ALIAS_BAD where it has a name, so that its mail waits; each such line, and
 * each second definition (the first counts), adds "aliases:12: what\n" to
 * complaints.
 */
void	aliases_parse(const char *text, size_t len, struct aliases *out,
	    struct buf *complaints);
void	aliases_release(struct aliases *);
/* By name in lower case. NULL: none. */
const struct alias *aliases_find(const struct aliases *, const char *name);
const char *alias_kind_text(enum alias_kind);

/* ---- resolve_expand.c, resolve_alias.c: from an address to its route ---- */
enum route_kind {
	ROUTE_MAILBOX,		/* box, ext */
	ROUTE_REMOTE,		/* domain */
	ROUTE_RELAY,		/* domain, host */
	ROUTE_ALIAS,		/* to, sender */
	ROUTE_REFUSE,		/* code, enh, text: never */
	ROUTE_LATER		/* code, enh, text: not now */
};

struct route_to {
	char	*address;	/* owned; canonical */
	bool	 exact;
};

struct route {
	enum route_kind kind;
	bool	 local;		/* the domain is ours */
	struct mailbox box;
	char	*ext;		/* owned; NULL: none */
	char	*domain;	/* owned */
	const char *host;	/* borrowed from the config */
	struct route_to *to;	/* owned */
	size_t	 nto;
	char	*sender;	/* owned; owner-NAME of the list, or NULL */
	int	 code;
	const char *enh;	/* static */
	struct buf text;
};

#define ROUTE_INIT	{ .box = MAILBOX_INIT }

#define EXPAND_DEPTH	20	/* aliases within aliases */
#define EXPAND_TARGETS	1000	/* addresses one alias may become */

struct resolver {
	const struct config *cfg;	/* borrowed */
	/* Whose is this mailbox? who_ask() behind it, or a test's table. */
	enum who_result (*who)(void *, const char *address,
	    struct mailbox *out, struct buf *why);
	void	*who_arg;	/* borrowed */
	struct aliases aliases;
	struct stat stamp;	/* of the file then; st_ino 0: none */
	bool	 loaded;	/* aliases and stamp are true */
	bool	 racy;		/* so young that a change may not show */
};

void	resolver_init(struct resolver *, const struct config *,
	    enum who_result (*)(void *, const char *, struct mailbox *,
	    struct buf *), void *);
void	resolver_release(struct resolver *);
/*
 * Reads CONFDIR/aliases if it has changed. 0, or -1 with errno: it cannot be
 * read, nobody knows what is an alias.
 */
int	resolver_refresh(struct resolver *) __attribute__((warn_unused_result));

void	route_reset(struct route *);
void	route_fail(struct route *, enum route_kind, int code, const char *enh,
	    const char *text);
/* The route of an address as it came from the wire. `out` is reset first. */
void	resolve_address(struct resolver *, const char *address, bool exact,
	    struct route *out);

/* One address of ours, taken apart for the tables. */
struct place {
	struct buf key;		/* scratch */
	char	*address;	/* owned; canonical */
	char	*local;		/* owned; lower case */
	char	*base;		/* owned; local without extension, or NULL */
	char	*ext;		/* owned; what base lacks, or NULL */
	const char *domain;	/* points into address */
};

/* address: canonical, with a domain. */
void	place_init(struct place *, const struct config *, const char *address);
void	place_release(struct place *);
/*
 * The alias for it: name@domain before name, with the extension before
 * without. NULL: none.
 */
const struct alias *place_alias(struct place *, const struct resolver *);
/*
 * Its mailbox, with the extension before without. *ext_out says whether the
 * extension was left over.
 */
enum who_result place_mailbox(struct place *, const struct resolver *,
	    struct mailbox *, bool *ext_out, struct buf *why);
/*
 * resolve_alias.c: expands `alias`, found for p, into out (ROUTE_ALIAS, or
 * REFUSE, or LATER).
 */
void	resolve_alias(struct resolver *, struct place *p,
	    const struct alias *alias, struct route *out);

/* ---- resolve_serve.c: the protocol (INTERNALS 2.3), and people ---- */
/* Answers clients of the listeners until SIGTERM. Exit status. */
int	resolve_serve(const struct config *);
/* One client on a connected socket. Exit status. */
int	resolve_session(const struct config *, int fd);
/* resolve_print.c: appends the frames of an answer. */
void	route_write(const struct route *, struct buf *);
/*
 * By hand: one line, or one for each target. Returns the exit status for this
 * route.
 */
int	route_print(const char *address, const struct route *, bool verbose);
#endif
