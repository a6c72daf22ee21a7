/*
 * inject.h - what the files of inject share; sendmail uses the client's half.
 *
 * A transaction (struct inject_txn) is one message on its way into the spool,
 * whoever brings it: the socket (inject_session.c) or this process' own fd 0
 * (inject_filter.c, inject_qmail.c).  A submission (struct inject_submission)
 * is a message that somebody on this host holds in his hands.
 */
#ifndef QUEUE_INJECT_H
#define QUEUE_INJECT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "buf.h"
#include "config.h"
#include "envelope.h"
#include "pressure.h"
#include "serve.h"
#include "spool.h"
#include "stream.h"

#define INJECT_HEADER_MAX	(256u * 1024)	/* bytes of a header block */
#define INJECT_SLICE		(16u * 1024)	/* looked at in one step */
#define INJECT_RECEIVED_MAX	100		/* more of them: a loop */
#define INJECT_VALUE_MAX	500		/* bytes of envid and orcpt */
#define INJECT_WAIT		300		/* seconds for each read */

/* ---- verdicts: each is one reply (inject_verdict.c) ---- */
enum inject_verdict {
	INJECT_OK,
	INJECT_SENDER,
	INJECT_RCPT,
	INJECT_NO_RCPT,
	INJECT_RCPTS,
	INJECT_ENVELOPE,
	INJECT_ROOM,
	INJECT_BUSY,
	INJECT_DISK,
	INJECT_HEADER,
	INJECT_SIZE,
	INJECT_LOOP,
	INJECT_CR,
	INJECT_NUL
};

struct inject_answer { int code; const char *enh, *text; };

const struct inject_answer *inject_answer(enum inject_verdict);
/* What an errno of the spool means: no room, or out of order. */
enum inject_verdict inject_disk_verdict(int error);

/* ---- one process (inject_txn.c) ---- */
struct inject {
	const struct config *cfg;	/* borrowed */
	struct spool spool;
	int	notice;			/* owned; datagram socket */
	struct pressure pressure;
	/* A worker's conversation with the queue manager (inject_direct.c). */
	struct stream direct;		/* owned while `talking` */
	bool	talking;
	int64_t	away_until;		/* monotonic ms: it did not answer */
	int64_t	away_ms;		/* how long that was the last time; 0: it has answered since */
};

/* Opens the spool. 0, or -1 with errno. */
int	inject_open(struct inject *, const struct config *)
	    __attribute__((warn_unused_result));
void	inject_close(struct inject *);

/* ---- one transaction (inject_txn.c) ---- */
struct inject_txn {
	struct inject *in;	/* borrowed */
	struct envelope env;
	struct spool_file file;
	unsigned mailboxes;	/* recipients that somebody has found to be ours */
	char	*name;		/* owned; the client's PTR, for Received */
	bool	 fix;		/* add Date and Message-ID */
	bool	 urgent;	/* is never made to wait: what the queue manager reports */
	int	 client;	/* borrowed; whose socket, -1: none */
	enum inject_verdict verdict;	/* the first thing wrong */
	/* Content (inject_content.c). */
	struct buf head;	/* the header block while it comes in */
	size_t	 line;		/* where its last, unfinished line begins */
	size_t	 seen;		/* how far its end was looked for */
	bool	 in_body;
	int64_t	 content;	/* bytes of content so far, ours not counted */
	char	 last;		/* its last byte */
};

void	inject_txn_init(struct inject_txn *, struct inject *);
/* Back to neutral from any state; what was not committed is taken away. */
void	inject_txn_reset(struct inject_txn *);
/* Each of these keeps the first verdict and does nothing after it. */
void	inject_txn_sender(struct inject_txn *, const char *address);
/* The recipient, or NULL when there is a verdict. */
struct env_rcpt *inject_txn_rcpt(struct inject_txn *, const char *address);
/*
 * The envelope is complete: room, file. `need`: bytes announced, 0 unknown.
 * Waits, at most a second, when more mail comes than is taken up (pressure.h).
 */
void	inject_txn_go(struct inject_txn *, int64_t need);
/* Makes it durable, tells the queue. INJECT_OK: the message is ours now. */
enum inject_verdict inject_txn_commit(struct inject_txn *);

/* ---- a delivery before the commit (inject_direct.c) ---- */
/* May it be tried, as far as the envelope and the `need` bytes announced tell? */
bool	inject_may_be_direct(const struct inject_txn *, int64_t need);
/*
 * Hands the whole message to the queue manager and waits.  True: it lies in all
 * its mailboxes, durably; nothing else is to be done.  False: it is to be
 * committed; what is known of its outcome is in t->file and t->env by then.
 */
bool	inject_direct(struct inject_txn *);
/* Nothing is tried for a while. */
void	inject_direct_pause(struct inject *);
void	inject_direct_close(struct inject *);

/* ---- content (inject_content.c) ---- */
void	inject_content(struct inject_txn *, const char *, size_t);
void	inject_content_end(struct inject_txn *);

/* ---- trace (inject_trace.c) ---- */
/* Our Received field, appended. */
void	inject_received(const struct inject_txn *, struct buf *);
/* "Date:" and "Message-ID:" where the header block has none, appended. */
void	inject_missing(const struct inject_txn *, const char *head, size_t len,
	    struct buf *);
/*
 * A word from outside as it may stand in Received: others become '?', at most
 * 255 bytes; owned by the caller. NULL stays NULL.
 */
char	*inject_clean(const char *);

/* ---- the server (inject_session.c) ---- */
int	inject_session(int fd, const struct serve_conn *, void *inject);

/* ---- a message from fd 0 (inject_input.c) ---- */
struct inject_input {
	struct buf memory;	/* its first bytes */
	FILE	*rest;		/* owned; the others, in a nameless file */
	int64_t	 size;		/* bytes of both */
};

enum inject_input_result {
	INPUT_OK,
	INPUT_CR,		/* a CR that no LF follows */
	INPUT_NUL,
	INPUT_SIZE,		/* more than max bytes */
	INPUT_ERROR		/* errno */
};

/* Reads to the end, or with `dot` to a line of one dot; CRLF becomes LF. */
enum inject_input_result inject_input_read(struct inject_input *, int fd,
	    bool dot, int64_t max);
/* Hands everything to fn, in pieces. 0, or -1 (errno) as fn or the file. */
int	inject_input_each(struct inject_input *,
	    int (*fn)(void *, const char *, size_t), void *)
	    __attribute__((warn_unused_result));
void	inject_input_release(struct inject_input *);
/* Says on stderr what is wrong (inject_filter.c); the sysexits code for it. */
int	inject_input_exit(enum inject_input_result);

/* ---- a submission (inject_submit.c, inject_client.c) ---- */
struct inject_submission {
	const struct config *cfg;	/* borrowed */
	uid_t	uid;		/* whose it is, before privileges go */
	struct buf sender;	/* canonical */
	struct strlist rcpts;	/* owned; canonical, no duplicates */
	bool	fix, body8, utf8;
	const char *ret, *envid, *notify;	/* borrowed, or NULL */
	struct buf head;	/* goes before the input's content */
	struct inject_input input;
};

struct inject_result {
	int	code;		/* 250, or the refusal's */
	struct buf enh, text;
	struct buf id;
};

void	inject_submission_release(struct inject_submission *);
/*
 * A mailbox as given on a command line; a bare one is at cfg->hostname.
 * Appended. 0, or -1.
 */
int	inject_qualify(const struct config *, const char *, size_t,
	    struct buf *out);
/* "login@hostname" of the caller. */
void	inject_login(const struct config *, struct buf *out);
/*
 * Adds a recipient unless it is there.  One more than recipients_max is kept,
 * so that it shows; the others are dropped.  -1: not an address.
 */
int	inject_submission_rcpt(struct inject_submission *, const char *,
	    size_t);
/* Commits here (this process may write the spool). */
void	inject_submit_here(struct inject *, struct inject_submission *,
	    struct inject_result *);
/* Hands it to the inject server through its public socket. */
void	inject_submit_client(struct inject_submission *,
	    struct inject_result *);
/* Whichever of both this process may do. */
void	inject_submit(struct inject_submission *, struct inject_result *);
void	inject_result_release(struct inject_result *);
/* The sysexits code for it. */
int	inject_exit(const struct inject_result *);

/* ---- the two ways by hand ---- */
int	inject_filter(const struct config *, const char *sender, char **rcpts,
	    bool verbose);
int	inject_qmail(const struct config *);
#endif
