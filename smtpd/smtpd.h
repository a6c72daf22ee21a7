/*
 * smtpd.h - one SMTP or LMTP session, from the banner to the goodbye.
 *
 *   session.c  the loop: read a line, run it, budgets, the end
 *   verbs.c    the verb table, the small verbs, EHLO
 *   args.c     the arguments of MAIL and RCPT
 *   txn.c      MAIL and RCPT: may this sender, may this recipient?
 *   route.c    asking resolve, which lib/known saves for a mailbox just named
 *   data.c     DATA: from the wire to inject
 *   handoff.c  the conversation with inject
 *   auth.c     AUTH
 *   starttls.c STARTTLS: the hand-over to tlsd
 *
 * Two programs hold it: smtpd in the clear, and tlsd (tlsd.c, tlsd_session.c)
 * with TLS.  Nothing here but these two may need OpenSSL.
 */
#ifndef SMTPD_SMTPD_H
#define SMTPD_SMTPD_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "buf.h"
#include "config.h"
#include "envelope.h"
#include "known.h"
#include "serve.h"
#include "stream.h"

#define COMMAND_MAX	2048	/* bytes of a command line without CRLF */
#define COMMAND_WAIT	300	/* s, RFC 5321 section 4.5.3.2.7 */
#define HELO_MAX	255
#define ANSWER_SIZE	1024	/* bytes read at once from our other programs */

/* ---- roles ---- */
#define R_AUTH		0x01u	/* offers AUTH and wants it before MAIL */
#define R_TLS		0x02u	/* TLS from the first byte */
#define R_STARTTLS	0x04u
#define R_LMTP		0x08u	/* LHLO; own domains; answers by recipient */
#define R_LOCAL		0x10u	/* `sendmail -bs`: for whoever runs it */
#define R_FIX		0x20u	/* submission: inject adds Date, Message-ID */
#define R_STRANGER	0x40u	/* must wait for the banner */

struct role {
	const char *name;	/* of the listener, and for -r */
	unsigned flags;
	const char *inject;	/* the socket messages go to */
};

/* NULL: no such role. */
const struct role *role_find(const char *name);

/* ---- what the parent prepares ---- */
struct smtpd {
	const struct config *cfg;	/* borrowed */
	const struct role *role;	/* borrowed; without a listener's */
	bool	 tls_able;		/* tlsd has a certificate */
	struct known known;		/* mailboxes resolve has just named */
};

/* ---- one transaction ---- */
struct mail {			/* MAIL FROM */
	char	*sender;	/* owned; canonical, "" for <> */
	int64_t	 size;		/* bytes announced by SIZE=, -1: not said */
	bool	 body8, utf8;
	const char *ret;	/* static: "full", "hdrs", or NULL */
	char	*envid;		/* owned; decoded, or NULL */
};

struct rcpt {			/* RCPT TO */
	char	*addr;		/* owned; canonical; bare when just parsed */
	unsigned notify;	/* NOTIFY_*; 0: not said */
	char	*orcpt;		/* owned; decoded "type;address", or NULL */
	bool	 mailbox;	/* resolve knows it as one of ours */
};

struct txn {
	struct mail mail;
	struct rcpt *rcpts;	/* owned; [nrcpts]: the accepted ones */
	size_t	 nrcpts, cap;
};

#define MAIL_INIT	{ NULL, -1, false, false, NULL, NULL }
#define RCPT_INIT	{ NULL, 0, NULL, false }

/* ---- one session ---- */
enum phase { FRESH, GREETED, MAIL, RCPT };	/* what was accepted last */
enum greeting { NO_GREETING, HELO, EHLO, LHLO };

struct session {
	struct smtpd *smtpd;		/* borrowed */
	const struct config *cfg;	/* borrowed */
	const struct role *role;	/* borrowed */
	const struct serve_conn *conn;	/* borrowed */
	struct stream st;		/* the client; broken once tlsd has it */
	char	*tls;			/* owned; "TLSv1.3"; NULL in the clear */
	struct buf line;		/* the command being run */
	struct buf ip;			/* of the client; or "unix" */
	bool	 trusted;		/* its address may relay */
	bool	 near;			/* on this host: AUTH without TLS */

	enum phase phase;
	enum greeting greeting;
	struct buf helo;		/* what it calls itself, blunted */
	char	*user;			/* owned; who logged in, or NULL */
	struct txn txn;

	bool	 pending;		/* more had arrived with this command */
	bool	 closing;		/* the last reply has been written */
	bool	 linger;		/* it may still talk: see farewell() */
	bool	 slow;			/* make it wait for this reply */
	unsigned errors, junk, auth_failures;
	unsigned accepted, refused;	/* recipients */

	struct stream resolve;		/* kept from the first RCPT on */
	bool	 has_resolve;
	struct stream tlsd;		/* until it has done with the client */
	bool	 has_tlsd;
};

/* The conversation; fits struct serve. arg is a struct smtpd. */
int	smtp_session(int fd, const struct serve_conn *, void *arg);
/*
 * The same for tlsd, on a stream that has just shaken hands; takes it over.
 * version: "TLSv1.3".  The conn's name must be that of a role.
 */
void	smtp_session_tls(struct stream *, const char *version,
	    const struct serve_conn *, struct smtpd *);
/* Is this listener's traffic worth reserved slots? */
bool	is_submission(const char *listener);
/* AUTH is possible here and now. */
bool	session_may_auth(const struct session *);

/*
 * Writes one reply line.  enh: "5.1.1", or NULL for none.  Text may come from
 * our other programs: control bytes and 8-bit become '?', length is bounded.
 * 500-504 and 555 count as errors of the client.
 */
void	reply(struct session *, int code, const char *enh, const char *fmt, ...)
	    __attribute__((format(printf, 4, 5)));
/* A reply, after which the session ends. */
void	reply_close(struct session *, int code, const char *enh,
	    const char *text);
/*
 * stream_line() with the session's deadline.  Anything but LINE_OK has been
 * answered when this returns.
 */
enum line session_line(struct session *, size_t max);

/* ---- verbs.c ---- */
/* Runs one command line of len bytes, without its CRLF; changes it. */
void	verb_dispatch(struct session *, char *line, size_t len);

/* ---- args.c ---- */
struct refusal {
	int	code;
	const char *enh, *text;
};

/*
 * Reads "FROM:<path> PARAM..." and "TO:<path> PARAM...".  NULL, or what to
 * answer; out is then neutral.  `bare`: the address may lack a domain (for
 * RCPT it always may: postmaster).  `utf8`: what MAIL has said.
 */
const struct refusal *mail_parse(const char *s, size_t len, bool bare,
	    struct mail *out);
const struct refusal *rcpt_parse(const char *s, size_t len, bool utf8,
	    struct rcpt *out);
void	mail_release(struct mail *);
void	rcpt_release(struct rcpt *);

/* ---- txn.c ---- */
void	do_mail(struct session *, const char *arg);
void	do_rcpt(struct session *, const char *arg);
/* Forgets the transaction; MAIL and RCPT fall back to GREETED. */
void	txn_reset(struct session *);

/* ---- route.c ---- */
enum route_kind {
	ROUTE_MAILBOX,
	ROUTE_ALIAS,
	ROUTE_REMOTE,
	ROUTE_RELAY,
	ROUTE_REFUSE,
	ROUTE_LATER
};

struct route {
	enum route_kind kind;
	bool	 local;		/* its domain is one of ours */
	struct buf address;	/* MAILBOX: its own; ALIAS: its only target */
	int	 code;		/* REFUSE, LATER */
	struct buf enh, text;
};

void	route_init(struct route *);
void	route_release(struct route *);
/* Asks resolve; whatever goes wrong is a ROUTE_LATER that says so. */
void	route_ask(struct session *, const char *address, struct route *out);
void	route_hang_up(struct session *);

/* ---- data.c, handoff.c ---- */
void	do_data(struct session *, const char *arg);

/* An answer one of our programs gives about a message. */
struct verdict {
	int	code;		/* 250, 4yz or 5yz; 0: fine so far */
	struct buf enh, text;
};

struct ctl;
/* From a frame's code=, enh= and text=; a code without sense is a 451. */
void	verdict_read(struct verdict *, const struct ctl *);
void	verdict_set(struct verdict *, int code, const char *enh,
	    const char *text);
void	verdict_release(struct verdict *);

struct handoff {
	const struct session *session;	/* borrowed */
	struct stream st;
	bool	 open;		/* connected, the envelope is on its way */
	bool	 ready;		/* inject has taken it */
	bool	 gone;		/* inject could not be reached */
	char	 id[32];	/* of the accepted message */
	int64_t	 size;		/* bytes it has in the spool */
};

/*
 * Before content is asked for.  A large message is announced to inject, so
 * that it is refused before it is sent; otherwise nothing happens yet.  0, or
 * -1 with the verdict.
 */
int	handoff_open(struct handoff *, const struct session *, struct verdict *)
	    __attribute__((warn_unused_result));
/* Content (LF line ends). 0, or -1: inject is gone; handoff_end() says why. */
int	handoff_data(struct handoff *, const char *, size_t)
	    __attribute__((warn_unused_result));
/* Ends the message and waits for the verdict: 250 and id, or not. */
void	handoff_end(struct handoff *, struct verdict *);
/* "ESMTPSA" and its kin; "SMTP" after HELO. Appends. */
void	with_text(const struct session *, struct buf *out);
/* Before handoff_end(): nothing happened. */
void	handoff_release(struct handoff *);

/* ---- auth.c, starttls.c ---- */
void	do_auth(struct session *, const char *arg);
void	do_starttls(struct session *, const char *arg);
/* Can it be offered?  Asks tlsd until that has said yes once. */
bool	tls_able(struct smtpd *);
/*
 * Hands the client to tlsd, where the session goes on; here it is closed.  So
 * it is where that could not be done, and then there is a line in the log.
 */
void	tls_begin(struct session *);
/* After session_release(): stays as long as tlsd has a client of ours. */
void	tls_outlive(struct session *);
#endif
