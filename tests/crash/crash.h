/*
 * crash.h - the crash suites: a site to break, eyes to look at what is left,
 * and the ways of a message that are tried.
 *
 *   tracer.c tamper.c syscalls.c	meddle with system calls
 *   site.c client.c sink.c		the system under test and its neighbours
 *   look.c				what lies in the spool, in Maildirs, outside
 *   filters.c pop3.c walk.c		one run of one way, and what must be true
 *   fail.c kill.c load.c mutants.c	the suites
 */
#ifndef CRASH_CRASH_H
#define CRASH_CRASH_H

#include "buf.h"
#include "tracer.h"

/* ---- the site (site.c, client.c, sink.c) ---- */

struct site {
	const char *build;	/* where the programs under test are */
	char	 dir[200];	/* everything lies here */
	char	 conf[256];
	int	 run;		/* a number that stands in our messages */
	int	 port;		/* of its SMTP */
	int	 sink_fd;	/* listens for what it sends to others */
	pid_t	 sink;
	int	 watch;		/* inotify: something has changed */
	struct trace trace;
	pid_t	 plain;		/* the supervisor, when it is not traced */
};
extern struct site S;

#define SENDER	"jean-bob@emc.fr"	/* has a Maildir; bounces go there */
#define LOCAL	"billy@emc.fr"
#define LOCAL_TOO "marie@emc.fr"
#define FAR	"anna@far.example"	/* the sink takes it */
#define REFUSED	"nobody@far.example"	/* the sink says 550 */

/* Makes the directory, users, configuration. Removes it again at exit. */
void	 site_make(void);
/* Forgets all mail. */
void	 site_clear(void);
/* PATH below the site's directory; good until the fourth call from now. */
const char *site_path(const char *name);
/* The program's path in the build. */
const char *site_program(const char *name);
/* Starts `facteur run`, traced or not, and waits until it is at work. */
bool	 site_start(bool traced);
/* kill -9 of everything. */
void	 site_kill(void);
/* SIGTERM; true when it ends by itself. */
bool	 site_stop(void);
/* `facteur retry --all`. */
void	 site_push(void);
/* Waits until a message comes or goes anywhere, or `ms` have passed: false. */
bool	 site_changed(int ms);
void	 sink_start(void);
void	 sink_run(int listener, const char *dir) __attribute__((noreturn));

enum answer {
	ACKED,			/* 250, `ok`, exit 0 */
	NOT_NOW,		/* a temporary refusal */
	NEVER,			/* a permanent one */
	LOST			/* no answer */
};
/* One whole SMTP conversation with smtpd. */
enum answer smtp_send(const struct buf *msg, const char *const *rcpts);
/* One whole conversation with inject (INTERNALS 2.2) on this socket. */
enum answer inject_send(int fd, const struct buf *msg, const char *rcpt);

/* ---- looking (look.c) ---- */

/* A message with this word in its header, about `size` bytes. */
void	 message_make(struct buf *out, const char *token, size_t size);
/* What was found of one message, in one place. */
struct found {
	unsigned whole;		/* copies, byte for byte */
	unsigned broken;	/* what is not whole, or not ours */
	unsigned unfinished;	/* without a name that counts */
	char	 why[360];	/* the first broken one */
};
struct found look_spool(const char *token, const struct buf *msg);
struct found look_maildir(const char *dir, const char *token,
	    const struct buf *msg);
/* Reports about it in the sender's Maildir. */
struct found look_reports(const char *token);
struct found look_sink(const char *token, const struct buf *msg);
/* Files of any kind in the spool's directory `name`. */
unsigned look_count(const char *name);

/* ---- judging (judge.c) ---- */

struct tally {
	unsigned runs, acked, refused, lost;
	unsigned copies;	/* duplicates, where they are allowed */
	unsigned failures;
	char	 first[1000];	/* the first failure */
};
extern struct tally T;
extern struct options {
	bool	 brief;		/* a part of everything: for make check */
	bool	 verbose;
	int	 step;		/* of single programs: every how many-th call */
	unsigned long seed;
	const char *way;	/* only this one (NULL: all) */
	int	 nth;		/* only this call (0: all) */
} O;

/* Something is not as it must be. The text says what, in this run. */
void	 bad(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* What this run is, for bad(). NULL: nothing special. */
void	 run_is(const struct rule *);
void	 tally_begin(void);
void	 tally_begin_mutant(void);
/* One line of TAP about the tally; a mutant's must have failures. */
void	 tally_end(const char *what);
void	 tally_end_mutant(const char *what);
/* The last line. False when a test has failed. */
bool	 plan(void);
void	 note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- one run of one way (filters.c, pop3.c, walk.c) ---- */

/* Bytes of the message: where writes fail it takes several of them. */
size_t	 message_size(void);
/* A file without a name, with these bytes, to be read from its start. */
int	 file_of(const void *bytes, size_t len);
/* Runs it to its end; the board can still be read. Its wait status. */
int	 run_traced(struct start *, const struct rule *);
/* What the exit status says; `qmail`: in the words of qmail-queue. */
enum answer exit_answer(int status, bool qmail);
void	 count_answer(enum answer);
/* Has the rule struck?  Ends the tracing. */
bool	 run_finish(void);
/* Whose is the Maildir that no address has? */
void	 maildir_owner(uid_t);
bool	 run_pop3(const struct rule *);
bool	 run_pop3_no_quit(const struct rule *);

struct way {
	const char *name;
	const char *program;	/* the one that is meddled with */
	/* One run; everything is checked. True when the rule has struck. */
	bool	 (*run)(const struct rule *);
	unsigned classes;	/* that are worth trying */
};
extern const struct way filter_ways[], walk_ways[];
extern const unsigned n_filter_ways, n_walk_ways;

/*
 * Runs the way with the rule for the 1st, 2nd, ... call until there is no n-th
 * call, or (mutants) something was bad.  `step`: every how many-th.
 */
void	 sweep(const struct way *, const struct rule *, int step,
	    bool until_bad);

/* ---- the suites ---- */

void	 suite_fail(void);
void	 suite_kill(void);
void	 suite_load(void);
void	 suite_mutants(void);

#endif
