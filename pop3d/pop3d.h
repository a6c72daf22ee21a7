/*
 * pop3d.h - what the files of pop3d share: the reader of command lines, the
 * front (AUTHORIZATION) and the session (TRANSACTION).
 */
#ifndef POP3D_POP3D_H
#define POP3D_POP3D_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "config.h"
#include "serve.h"
#include "stream_tls.h"
#include "tls.h"

#include "drop.h"

#define POP3_LINE	512	/* octets of a command; RFC 2449 asks for 255 */
#define POP3_LOGIN	60	/* seconds from the connection to the login */
#define POP3_IDLE	600	/* seconds of silence, RFC 1939 section 3 */

/* ---- command lines (command.c) */

/*
 * Reads a command line into `line`, its line end removed.  A bare LF will do:
 * scripts and telnet send it, every server takes it, and a command has no
 * content that could be smuggled.  A CR elsewhere is LINE_BADEOL.
 */
enum line pop3_line(struct stream *, struct buf *line, size_t max,
	    int64_t deadline);
/* The -ERR text for a line that cannot be used; NULL: it is all over. */
const char *pop3_line_error(enum line);
/*
 * Cuts "VERB argument" behind the verb; returns the argument ("" for none), all
 * of it: a password may begin with a blank.
 */
char	*pop3_split(char *line);
/*
 * Reads up to two decimal numbers, blanks around them; nothing else may stand
 * there.  Returns how many, or -1: something else, or above UINT32_MAX.
 */
int	pop3_numbers(const char *arg, uint32_t out[2]);
/* Forgets a line that held a password, and what is left of it in the reader. */
void	pop3_wipe(struct stream *, struct buf *line);
/* What CAPA says in either state (RFC 2449). */
extern const char pop3_capa_common[];

/* ---- the front */

struct front {			/* one for the program */
	const struct config *cfg;	/* borrowed */
	struct tls_identity tls;	/* owned */
	bool	 implicit;	/* -s: TLS at once, on any listener */
};

struct login {			/* one for each connection */
	struct front *front;	/* borrowed */
	struct stream *io;	/* borrowed; the client */
	const char *ip;		/* borrowed; the client's */
	bool	 local;		/* loopback: no TLS needed */
	int64_t	 deadline;	/* for all of the login */
	struct buf line, user;	/* owned */
	unsigned tries;		/* failed logins */
	unsigned bad;		/* commands that made no sense */
	bool	 over;		/* say no more, read no more */
};

/* The conversation of lib/serve with one client; arg is a struct front. */
int	front_session(int fd, const struct serve_conn *, void *arg);
/* The AUTHORIZATION state and, after a login, the relay. */
void	front_talk(struct login *);
/* Replies "-ERR text"; one too many ends the conversation. */
void	front_bad(struct login *, const char *text);
/* May the client send a password now? */
bool	front_may_login(const struct login *);
/* USER, PASS, AUTH (front_auth.c). */
void	front_user(struct login *, char *arg);
void	front_pass(struct login *, char *arg);
void	front_auth(struct login *, char *arg);

/* ---- the session */

struct session {
	struct stream io;	/* owned */
	struct drop drop;	/* owned */
	struct buf line, wire;	/* owned */
	const char *user;	/* borrowed; for the log */
	unsigned bad;		/* commands that made no sense */
	unsigned retrieved, deleted;
	bool	 quit;		/* what was deleted is gone for good */
	int	 status;	/* of sysexits(3) */
	const char *end;	/* NULL while it goes on; then how it ended */
};

/* Answers commands until QUIT, which alone deletes, or the end. */
void	session_talk(struct session *);
/* RETR (lines: -1) and TOP: the one reply to a command, with message i. */
void	session_send(struct session *, size_t i, int64_t lines);

/* How much of a message TOP shows. */
struct top {
	int64_t	 lines;		/* of the body, still to be shown */
	size_t	 col;		/* bytes of the line we are in */
	bool	 cr;		/* the first of them is a CR */
	bool	 body, done;
};
/*
 * Returns how many of these stored bytes are shown; done: and nothing after
 * them.  Any split of the input gives the same.
 */
size_t	top_cut(struct top *, const char *, size_t);
#endif
