/*
 * load.h - shared by load*.c: the load generator of `make bench`.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <openssl/ssl.h>

#include <stdbool.h>
#include <stddef.h>

/* What a session waits for; FREE: not connected, READY: nothing to do. */
enum step {
	FREE, BANNER, EHLO, STARTTLS, HANDSHAKE, READY,
	MAIL, RCPT, DATA, DOT, QUIT
};

struct options {
	int	port;
	int	sessions;
	int	messages;
	int	size;		/* bytes of a message, header and CRLF included */
	int	per_conn;	/* messages of one connection; 0: no limit */
	int	users;		/* recipients are user0 .. user(N-1)@bench.test */
	int	rcpts;		/* recipients of one message */
	double	rate;		/* messages offered a second; 0: as many as go */
	bool	tls;
	bool	pipelining;
	bool	idle;		/* open the sessions, greet, and wait for EOF */
};

struct session {
	int	nr;
	int	fd;
	SSL    *ssl;		/* owned; NULL without TLS */
	enum step step;
	bool	secured;	/* this connection went through STARTTLS */
	int	msg;		/* message in hand, -1: none */
	int	done;		/* messages of this connection */
	int	asked;		/* RCPTs written, and */
	int	answered;	/* answered, of the message in hand */
	double	due;		/* when the message was due, or taken up */
	double	dot;		/* when its final dot was written */
	double	again;		/* FREE: not before then */
	char	in[8192];
	size_t	inlen;
	char   *out;		/* owned; not yet written */
	size_t	outlen, outoff, outcap;
};

extern struct options opt;
extern struct session *sessions;

double	now(void);		/* seconds, CLOCK_MONOTONIC */

/* load_io.c: bytes.  -1: the connection is lost. */
void	io_init(void);
int	io_connect(struct session *);
int	io_starttls(struct session *);
int	io_handshake(struct session *);	/* 1: complete, 0: not yet */
void	io_put(struct session *, const char *, size_t);
void	io_putf(struct session *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));
int	io_flush(struct session *);
int	io_fill(struct session *);	/* 0: no more bytes for now */
void	io_close(struct session *);
/* Waits at most so many seconds; the sessions of which there is news. */
int	io_wait(double seconds, struct session **news, int max);

/* load_smtp.c: one session's conversation. */
void	smtp_start(struct session *);	/* connect and send msg, if there is one */
void	smtp_send(struct session *);	/* READY: send msg */
void	smtp_news(struct session *);
void	smtp_lost(struct session *, const char *why);

/* load.c: what is to be sent, and what came of it. */
void	load_sent(struct session *);
void	load_failed(struct session *, const char *why);
bool	load_next(struct session *);	/* takes up a message if one is due */

#endif
