/*
 * remote.h - what the files of `remote` share: a job from the queue, the
 * outcome of each recipient, the way to a host, the conversation with it.
 */
#ifndef REMOTE_H
#define REMOTE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "config.h"
#include "dns.h"
#include "netaddr.h"
#include "stream_tls.h"

/* ---- outcomes ---------------------------------------------------------- */

enum status { PENDING, DONE, DEFER, FAIL };

struct outcome {		/* a plain value: copied freely, owns nothing */
	enum status status;
	int	 code;		/* of the reply; 0: there was none */
	char	 enh[12];	/* "5.1.1" */
	char	 phase[12];	/* "rcpt" */
	char	 host[256];	/* "": none was reached */
	char	 ip[64];
	char	 tls[16];	/* "TLSv1.3"; "" in the clear */
	bool	 dsn;		/* that host reports on itself (RFC 3461) */
	char	 text[600];	/* the reply with its code, or our words */
};

/* ---- replies (reply.c; RFC 5321 section 4.2) --------------------------- */

#define REPLY_LINE	2048	/* bytes of a line, without CRLF */
#define REPLY_LINES	100

struct reply {
	int	 code;		/* 200-599; 0 before the first line */
	char	 enh[12];	/* of the first line, same class; or "" */
	unsigned lines;
	struct buf text;	/* printable lines, without codes, LF ends */
};

enum reply_state { REPLY_MORE, REPLY_DONE, REPLY_BAD };

void	reply_init(struct reply *);
void	reply_reset(struct reply *);
void	reply_release(struct reply *);
/* Takes one line without its CRLF.  REPLY_BAD: not SMTP, or too much of it. */
enum reply_state reply_line(struct reply *, const char *line, size_t len);
/* "550 5.1.1 no such user, ask postmaster": all lines in one, cut to size. */
void	reply_text(const struct reply *, char *out, size_t size);
static inline bool
reply_is(const struct reply *r, int class)
{
	return r->code / 100 == class;
}

/* What EHLO announced (caps.c). */
struct caps {
	bool	 pipelining, starttls, size, eightbit, utf8, dsn;
	int64_t	 size_max;	/* 0: no limit said */
};
void	caps_parse(const struct reply *, struct caps *out);

/* ---- jobs (job.c) ------------------------------------------------------ */

#define RCPTS_MAX	10000	/* of one job */

struct rcpt {
	unsigned n;		/* the queue's number for it */
	char	*to;		/* owned */
	char	*notify, *orcpt;	/* owned; NULL when not said */
	bool	 accepted;	/* in the transaction under way */
	struct outcome outcome;
};

struct job {
	char	*id, *sender, *dest;	/* owned */
	char	*relay, *ret, *envid;	/* owned; NULL when not said */
	char	*site;		/* owned; the site the queue counts it to, or NULL */
	bool	 body8, utf8;
	bool	 moved;		/* not begun: it belongs to another site */
	unsigned messages;	/* on one connection at most */
	int	 fd;		/* owned; the message is its bytes [0, size) */
	int64_t	 size;
	struct buf head;	/* header lines to put in front, LF ends */
	struct rcpt *rcpts;	/* owned */
	unsigned nrcpts;
};

void	job_init(struct job *);
void	job_release(struct job *);
struct rcpt *job_add(struct job *, const char *to);
/*
 * Reads one job (INTERNALS 2.5), waiting for its first frame until `idle`.
 * 1 a job, 0 the queue has ended, -1 with errno (ETIMEDOUT: none came;
 * anything else: close the connection).
 */
int	job_read(struct stream *, struct job *, int64_t idle)
	    __attribute__((warn_unused_result));
/* Writes the answers and `end`; fault may be NULL, site "". */
void	job_answer(struct stream *, const struct job *, bool keep,
	    const char *fault, const char *site);
/* Sets what is still pending to this outcome. */
void	job_settle(struct job *, const struct outcome *);
bool	job_is_pending(const struct job *);
/* May it stand between angle brackets on the wire? ("" may) */
bool	is_safe_address(const char *);
/* Does the message need SMTPUTF8 (RFC 6531) beyond what the job says? */
bool	job_needs_utf8(const struct job *);

/* ---- the program's warm state ------------------------------------------ */

struct timeouts {		/* seconds, RFC 5321 section 4.5.3.2 */
	int	 dns, connect, greeting, ehlo, tls, mail, rcpt, data, block,
		 final, rset;
};
extern const struct timeouts rfc_timeouts;

struct remote {
	const struct config *cfg;	/* borrowed */
	SSL_CTX	*tls;		/* owned by main; NULL: never try TLS */
	struct dns dns;
	struct timeouts wait;
};

/* ---- the way there (mx.c, self.c, connect.c) --------------------------- */

#define HOSTS_MAX	20
#define ADDRS_MAX	10	/* tried for one attempt */

struct target {
	struct netaddr addr;	/* with its port */
	char	 host[256];	/* the MX it belongs to */
	bool	 tried;
};

/*
 * The name of a site (DESIGN 6.2): its MX hosts in alphabetical order with commas
 * between; too many are cut, with '+' and a checksum of all of them behind.
 */
#define SITE_MAX	224

struct route {
	char	 site[SITE_MAX];	/* "": a literal or a relay */
	struct dns_mx host[HOSTS_MAX];	/* best first */
	unsigned n, next;	/* next: the first host of the next group */
	int	 port;
	bool	 implicit;	/* the domain itself: there is no MX record */
	bool	 relay;		/* chosen by the administrator, not by DNS */
	bool	 lmtp;
	bool	 literal;	/* target[0] is all there is */
	struct target target[ADDRS_MAX];	/* of the current group */
	unsigned ntargets;
	unsigned used;		/* addresses handed out so far */
};

/* Finds the hosts for a job.  False: `why` is the outcome for everybody. */
bool	route_find(const struct remote *, const struct job *, struct route *,
	    struct outcome *why);
/*
 * Looks the next group of equal preference up: fills target[], in the order
 * to try.  False: there is none (any more); *why then has the reason, if this
 * group had one.
 */
bool	route_group(const struct remote *, struct route *, struct outcome *why);
/* The site's name from the route's hosts, written to route->site. */
void	route_name_site(struct route *);
/* Would a connection to this address end at our own SMTP listener? */
bool	is_ourselves(const struct config *, const struct netaddr *);
/*
 * Connects to the first of the untried targets that answers (RFC 8305).
 * Returns the descriptor (not blocking, TCP_NODELAY) and *which_out, or -1: all
 * failed; `why` says how.  Targets that were overtaken stay untried.
 */
int	connect_race(struct target *, unsigned n, int seconds,
	    unsigned *which_out, struct outcome *why);

/* ---- the conversation (client.c, client_*.c) --------------------------- */

#define BATCH		100	/* recipients at once, RFC 5321 4.5.3.1.8 */
#define MESSAGES_MAX	100	/* on one connection, when nobody said */
#define SESSION_SECONDS	300

struct client {
	const struct remote *r;	/* borrowed */
	struct stream io;
	bool	 open;		/* the stream lives and can take a MAIL */
	bool	 lmtp;
	bool	 dirty;		/* a transaction was begun: RSET */
	char	*dest;		/* owned: the job's relay or dest */
	char	 site[SITE_MAX];	/* the hosts behind it; "": unknown */
	char	 host[256], ip[64];
	struct caps caps;
	struct reply reply;	/* the last one */
	struct buf line;
	unsigned messages;	/* transactions so far */
	int64_t	 since;		/* deadline.h's clock: connected */
	const char *fault;	/* last failure: "connect", ...; or NULL */
	bool	 said_421;	/* the peer wants nobody to try elsewhere */
};

void	client_init(struct client *, const struct remote *);
void	client_release(struct client *);
/*
 * Takes a connected descriptor over: greeting, EHLO, STARTTLS if `tls`.
 * CLIENT_TLS: TLS failed, the same address may be tried in the clear.
 */
enum client_result { CLIENT_OPEN, CLIENT_TLS, CLIENT_FAILED };
enum client_result client_open(struct client *, int fd, const char *host,
	    const char *ip, bool tls, const char *id, struct outcome *why);
/* Hangs up without a word. */
void	client_drop(struct client *);
/* Says QUIT, does not wait. */
void	client_quit(struct client *);
/* Can it take a job for this destination?  Notices a peer that has gone. */
bool	client_is_ready(struct client *, const struct job *);
/*
 * Sends the message to the pending recipients.  Where the connection was lost
 * before an answer counts, they stay pending and `why` says what happened.
 */
void	client_send(struct client *, struct job *, struct outcome *why);

/* For the files of the client only. */
/*
 * Reads one reply.  False: the connection is of no use any more and closed;
 * `why` (DEFER) says it.
 */
bool	client_reply(struct client *, int seconds, const char *phase,
	    struct outcome *why);
/* The outcome that a reply means: status as given, code and text from it. */
void	client_outcome(const struct client *, enum status, const char *phase,
	    const char *detail, struct outcome *);
/* DEFER without a reply, with our words. */
void	client_broken(struct client *, const char *fault, const char *phase,
	    const char *text, struct outcome *);
/* 5yz is permanent, everything else is not. */
enum status reply_status(const struct reply *);
/* MAIL and RCPT command lines. */
void	put_mail(struct client *, const struct job *);
void	put_rcpt(struct client *, const struct rcpt *);
enum body { BODY_SENT, BODY_BROKEN, BODY_UNREADABLE, BODY_BAD };
enum body client_body(struct client *, const struct job *);

/* ---- all of it (deliver.c), and how it is called ----------------------- */

void	outcome_set(struct outcome *, enum status, const char *enh,
	    const char *phase, const char *fmt, ...)
	    __attribute__((format(printf, 5, 6)));
/*
 * Settles every recipient, or none: job->moved, and client->site says where to.
 * The client may stay open for more.
 */
void	deliver(const struct remote *, struct client *, struct job *);
/* The conversation with the queue on fd, which it takes over. */
int	agent_session(int fd, const struct remote *);
/* remote [-f SENDER] RCPT... <msg; the exit status. */
int	filter(const struct remote *, const char *sender, char *const rcpt[],
	    unsigned n);
#endif
