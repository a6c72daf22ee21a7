/*
 * dsn.h - reports on what became of a message (RFC 3461, RFC 3464): who is
 * told what (dsn.c), of whom (dsn_alias.c), the text (dsn_text.c: the parts;
 * dsn_people.c, dsn_fields.c: the first two of them), and its way to inject
 * (report.c).
 */
#ifndef QUEUE_DSN_H
#define QUEUE_DSN_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "config.h"
#include "envelope.h"

#define DSN_FULL_MAX	50000	/* messages up to this size are returned whole */

enum dsn_kind {
	DSN_FAILED,		/* about RCPT_FAILED: nothing more is done */
	DSN_SUCCESS,		/* about what is owed: delivered, relayed, expanded */
	DSN_DELAYED		/* about RCPT_PENDING: it takes longer */
};

struct dsn {
	enum dsn_kind kind;
	const struct config *cfg;	/* all borrowed */
	const struct envelope *env;
	const char *id;
	const char *sender;	/* whose recipients it is about */
	const char *to;		/* where it goes: the sender, or postmaster */
	int	 fd;		/* the message */
	int64_t	 size;
	int64_t	 now;		/* usec since 1970 */
};

/* ---- dsn.c ---- */
/* Who hears about recipient r: the owner of the list it came from, else the sender. */
const char *dsn_sender(const struct envelope *, const struct env_rcpt *);
/* Is r one that a report of this kind to `sender` would be about, wanted or not? */
bool	dsn_concerns(const struct envelope *, enum dsn_kind, const char *sender, const struct env_rcpt *);
/* And does the report speak of it: did nobody say that it should not? */
bool	dsn_reports(const struct envelope *, enum dsn_kind, const char *sender, const struct env_rcpt *);
/*
 * Where a report of this kind for `sender` goes, appended: to him; what
 * happened to a report itself to postmaster.  False: to nobody, because none
 * of it is wanted, or because it was for postmaster already.
 */
bool	dsn_address(const struct config *, const struct envelope *, enum dsn_kind, const char *sender, struct buf *out);
/* May the client of this message ask to hear of success? It logged in, is of this host, or of a `trusted` network. */
bool	dsn_may_hear_success(const struct config *, const struct envelope *);
/* Microseconds until the first delay notice is due, <= 0: now; INT64_MAX: none will be. */
int64_t	dsn_delay_left(const struct config *, const struct envelope *, int64_t now);
/* NOTIFY of what an alias leads to (RFC 3461 section 5.2.7): for its only target, else for each of several. */
unsigned dsn_inherited(unsigned notify, bool only);

/* ---- dsn_alias.c ---- */
/* One address that a report speaks of. */
struct dsn_entry {
	struct env_rcpt r;	/* strings are borrowed; good during the call */
	bool	hidden;		/* r is the story of an address behind r.addr, whose name, and that of its host, stand nowhere in it */
	bool	several;	/* more than one is behind it */
	bool	utf8;		/* dsn_is_global() */
};
/*
 * Calls fn for each, once for all that are behind the same address: for the
 * one whose failure tells most.
 */
void	dsn_each(const struct dsn *, void (*fn)(const struct dsn *, const struct dsn_entry *, struct buf *), struct buf *out);
/*
 * The address that the reader of this report knows r by: the alias he wrote
 * to, or, if a list has led there, the member that is its owner's.  r itself
 * where nothing stands before it, and for postmaster.
 */
const struct env_rcpt *dsn_written(const struct dsn *, const struct env_rcpt *);

/* ---- dsn_text.c ---- */
/*
 * Writes the report to out: a whole message with LF line ends, about nobody
 * but those dsn_reports() names. -1 with errno.
 */
int	dsn_compose(const struct dsn *, struct buf *out) __attribute__((warn_unused_result));
/* Text from elsewhere on one line: no control byte; '?' for what is not ASCII unless utf8. */
void	dsn_put_text(struct buf *, const char *, bool utf8);
bool	dsn_is_ascii(const char *, size_t len);
/* Does the message go back without its body? */
bool	dsn_headers_only(const struct dsn *);
/* RFC 6533: does the machine's part need its form for UTF-8? */
bool	dsn_is_global(const struct dsn *);

/* ---- dsn_people.c, dsn_fields.c ---- */
void	dsn_people(const struct dsn *, struct buf *out);
void	dsn_fields(const struct dsn *, struct buf *out);
/* The status of a recipient in this report, "5.1.1": its class is the report's. */
void	dsn_status(const struct dsn *, const struct env_rcpt *, struct buf *out);
/* What was heard last, without our own words before it; true: it is the other host's reply. */
bool	dsn_last_reply(const struct env_rcpt *, const char **text_out);
#endif
