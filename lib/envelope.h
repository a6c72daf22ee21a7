/*
 * envelope.h - the story behind a message in its queue file: the codec of the
 * text lines after the first SIZE bytes (INTERNALS, section 3).
 *
 * One encoder, which refuses control bytes; the reader validates again.
 * State is the replay of the lines.
 */
#ifndef LIB_ENVELOPE_H
#define LIB_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

enum rcpt_state {
	RCPT_PENDING,		/* to be tried (again) at `next` */
	RCPT_DONE,		/* delivered, or expanded into other recipients */
	RCPT_FAILED,		/* will never be delivered; the sender must be told */
	RCPT_TOLD		/* the DSN about it is committed */
};

/* What the sender is owed about a recipient that is DONE (RFC 3464 section 2.3.3). */
enum rcpt_report {
	REPORT_NONE,
	REPORT_DELIVERED,	/* it lies in its mailbox, or with its list */
	REPORT_RELAYED,		/* taken by a host that sends no such reports */
	REPORT_EXPANDED		/* gone on to the several addresses behind it */
};

#define NOTIFY_NEVER	1u
#define NOTIFY_SUCCESS	2u
#define NOTIFY_FAILURE	4u
#define NOTIFY_DELAY	8u

struct env_rcpt {
	unsigned n;		/* its number in the file, from 1 */
	char	*addr;		/* owned; canonical */
	unsigned notify;	/* NOTIFY_*; 0: not said */
	char	*orcpt;		/* owned; "rfc822;x@y" decoded, or NULL */
	char	*from;		/* owned; a sender of its own (owner-, SRS), or NULL */
	bool	 exact;		/* not to be expanded by aliases again */
	unsigned parent;	/* the recipient it was expanded from, 0: none */
	/* What the replay found. */
	enum rcpt_state state;
	enum rcpt_report report; /* of a DONE one: owed, and not yet told */
	bool	 delay_told;	/* the delay notice was sent when it was here */
	unsigned attempts;	/* defer lines */
	int64_t	 last, next;	/* usec since 1970: last attempt, next attempt; 0: none yet */
	int64_t	 tried;		/* usec spent trying, see envelope_tried() */
	char	*host;		/* owned; of the last attempt, "mx1.d[192.0.2.1]", or NULL */
	char	*text;		/* owned; its reply, control bytes as \xNN, or NULL */
	char	*route;		/* owned; HOST:PORT an administrator wants it to go to, or NULL */
};

struct env_head {
	unsigned n;		/* 0: for all (*), else for this recipient */
	char	*text;		/* owned; one field, no LF */
};

struct envelope {
	int64_t	 arrived;	/* usec since 1970 */
	char	*ip, *helo, *with, *auth, *tls;	/* owned; NULL when not known */
	int64_t	 uid;		/* of a local submitter, -1: none */
	bool	 tried;		/* a delivery was begun before the commit, and what became of it is not known */
	char	*sender;	/* owned; "" for the null sender */
	char	*ret, *envid;	/* owned; "full"/"hdrs"; NULL when not said */
	bool	 body8, utf8;
	bool	 delay_told;	/* a delay notice was sent */
	struct env_rcpt *rcpts;	/* owned; [nrcpts], rcpts[i].n == i + 1 */
	unsigned nrcpts;
	struct env_head *heads;	/* owned */
	unsigned nheads;
	bool	 ready;		/* the commit mark was there */
	uint32_t crc;		/* the checksum it carries: crc32 of message and lines above it */
	size_t	 ready_at;	/* bytes of text above the ready line */
	size_t	 used;		/* bytes of text that were valid; what follows is to be cut off */
	char	*damage;	/* owned; the first thing wrong, for the log, or NULL */
};

#define ENVELOPE_VERSION	1
#define ENVELOPE_MAX		(64u * 1024 * 1024)

void	envelope_init(struct envelope *);
void	envelope_release(struct envelope *);
/* Adds a recipient with these facts; returns it (n, addr set, the rest neutral). */
struct env_rcpt *envelope_add(struct envelope *, const char *addr);
struct env_head *envelope_add_head(struct envelope *, unsigned n, const char *text);
/*
 * Everything up to, not including, the ready line, appended to out.
 * -1 with EINVAL if any value holds a control byte.
 */
int	envelope_encode(const struct envelope *, struct buf *out) __attribute__((warn_unused_result));
/* "ready XXXXXXXX\n"; crc is crc32() (zlib) over the message and all lines above. */
void	envelope_ready(struct buf *out, uint32_t crc);

/*
 * The lines an outcome appends; they can always be written.  text is quoted
 * here; host (NULL: "-") and tls (NULL: left out) get '?' for control bytes.
 */
void	envelope_defer(struct buf *out, unsigned n, int64_t at, int64_t next, const char *host, const char *tls, const char *text);
void	envelope_done(struct buf *out, unsigned n, int64_t at, const char *host, const char *tls, const char *text);
/* The same, with the report that is owed about it until a `told` line says it is committed. */
void	envelope_done_owing(struct buf *out, unsigned n, int64_t at, const char *host, const char *tls, enum rcpt_report, const char *text);
void	envelope_fail(struct buf *out, unsigned n, int64_t at, const char *host, const char *tls, const char *text);
void	envelope_told(struct buf *out, unsigned n, int64_t at, const char *dsn_id);
/* "delayed TIME ID": the delay notice is committed. */
void	envelope_delayed(struct buf *out, int64_t at, const char *dsn_id);
/* "retry N TIME": an administrator wants recipient n (0: all) tried at once. */
void	envelope_retry(struct buf *out, unsigned n, int64_t at);
/* "route N TIME HOST:PORT": an administrator sends recipient n (0: all) another way; NULL: as usual again. */
void	envelope_route(struct buf *out, unsigned n, int64_t at, const char *host);
/* A recipient that an expansion adds. -1 with EINVAL for a control byte in it. */
int	envelope_rcpt_line(struct buf *out, const struct env_rcpt *) __attribute__((warn_unused_result));

/*
 * Replays text (what stands behind the message) into an empty envelope (fresh
 * from envelope_init).  Stops at the first line without LF, with a control byte or malformed.  0 when the file is one of ours
 * with a ready line (later damage only cuts the tail: see used); -1 when it is
 * not (damage says why: "no ready line", "version 2", ...).  Unknown keywords are skipped.
 */
int	envelope_parse(struct envelope *, const char *text, size_t len) __attribute__((warn_unused_result));
/*
 * Replays further outcome lines of ours that are not in the file (the disk was
 * full), behind those of envelope_parse().  What is malformed is left out.
 */
void	envelope_more(struct envelope *, const char *text, size_t len);
/* What stands behind the ready line, line by line; strings are good during the call. */
struct env_event {
	const char *kind;	/* "defer", "done", "fail", "told", "delayed", "retry", "route" */
	unsigned n;		/* the recipient; 0: all */
	int64_t	 at, next;	/* usec since 1970; next: of a defer */
	char	*host, *tls, *text;	/* of an attempt, or NULL; told, delayed: text is the report's ID; route: host */
};
/* Calls fn for each, oldest first; what is malformed or of another version is left out. */
void	envelope_events(const char *text, size_t len,
	    void (*fn)(const struct env_event *, void *), void *);
/*
 * Counts the time since the last attempt (or the arrival) as spent trying: what
 * passed, but never less than 0 nor more than 8 hours, twice the longest
 * wait between attempts.  So a clock that jumps or a host that was off for a month makes nothing
 * expire.  The replay of a defer line does the same.
 */
void	envelope_tried(const struct envelope *, struct env_rcpt *, int64_t now);
/* "failure,delay" for NOTIFY_* flags ("" for 0), appended; and back (0 if malformed). */
void	notify_text(struct buf *, unsigned notify);
unsigned notify_parse(const char *);
/* Recipients that are PENDING; FAILED (not told). */
unsigned envelope_pending(const struct envelope *);
unsigned envelope_failed(const struct envelope *);
/* Recipients about whose success a report is owed. */
unsigned envelope_owed(const struct envelope *);
/* "delivered", "relayed", "expanded"; NULL for REPORT_NONE. */
const char *rcpt_report_text(enum rcpt_report);
/* Is the last outcome's text the other host's reply ("550 5.1.1 ..."), not our own words about it? */
bool	env_rcpt_is_reply(const struct env_rcpt *);
/* The earliest next of the pending ones; INT64_MAX when none is pending; 0 when one was never tried. */
int64_t	envelope_next(const struct envelope *);
#endif
