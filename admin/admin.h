/* admin.h - shared by the files of `facteur`. */
#ifndef ADMIN_H
#define ADMIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "config.h"
#include "seams.h"
#include "serve.h"

#define FACTEUR_VERSION	"0.1"

/* verbs.c: does what `facteur VERB ...` says; returns the exit code. */
int	verb_dispatch(int argc, char *argv[]);
void	verb_usage(void);

/* show_config.c */
int	show_config(int argc, char *argv[]);

/* sandbox.c: `facteur sandbox`. */
int	show_sandbox(int argc, char *argv[]);

/* ---- run --------------------------------------------------------------- */

enum walls {
	WALLS_NONE,	/* an ordinary user's system */
	WALLS_SINGLE,	/* root, but all under one uid */
	WALLS_UP	/* a host with its users */
};

/* The listening descriptors of one program. */
struct sockets {
	int	 fd[SERVE_LISTENERS];	/* owned */
	const char *name[SERVE_LISTENERS];	/* static */
	unsigned n;
};

/* Which end of the table of known mailboxes (lib/known) a program gets. */
enum known_end { KNOWN_NOT, KNOWN_READER, KNOWN_WRITER, KNOWN_ENDS };

#define RENEW_OLD	4	/* programs that let their last sessions end */

struct service {
	const char *name;
	enum seam_user user;	/* as whom it runs where there are walls */
	bool	 jailed;	/* it shuts itself inside run/net */
	enum known_end known;
	unsigned stop_order;	/* stopped in rising order, equals together */
	bool	 only_with_sockets;	/* without, there is nothing to do */
	struct sockets sockets;
	pid_t	 pid;		/* 0: not running */
	int64_t	 started;	/* monotonic ms */
	int64_t	 start_at;	/* when to start it; DEADLINE_NEVER: not */
	unsigned failures;	/* ends in a row, each within a minute */
	int	 renew;		/* owned: a byte comes when it wants a successor; 0: none */
	bool	 renew_asked;
	int64_t	 renewed;	/* monotonic ms; 0: never */
	pid_t	 old[RENEW_OLD];	/* its predecessors */
	unsigned nold;
};

/* run.c: the supervisor. */
int	run(int argc, char *argv[]);

/* walls.c: under which uids will it run?  Ends the process when it must not. */
enum walls walls_check(const struct config *);

/* check.c: what is wrong with this host? */
struct finding {
	bool	 fatal;		/* nothing is started */
	const char *what, *mend;	/* a sentence; the command that mends it */
};
/* Looks at owners and modes of all that is ours and is there; tells each finding. */
void	check_files(const struct config *, void (*tell)(void *, const struct finding *), void *);
/* Refuses to start, with all the reasons. */
void	check_or_die(const struct config *);

/* check_install.c: `facteur check-install`; setup.c: `facteur setup`. */
int	check_install(int argc, char *argv[]);
int	setup(int argc, char *argv[]);

/* A directory of ours. */
struct place {
	size_t	dir;		/* of spool, run or mail: offset in struct config */
	const char *below;	/* "/queue", or "" */
	enum seam_user owner;
	mode_t	mode;
};
extern const struct place places[];
extern const unsigned nplaces;
/* Appends its path. */
void	place_path(const struct config *, const struct place *, struct buf *);

/*
 * dirs.c, all of which ends the process with a sentence if it fails.
 * Makes and checks spool, run and mail.
 */
void	dirs_make(const struct config *);
/* Locks the run directory for as long as we live; EX_TEMPFAIL: another did. */
void	dirs_lock(const struct config *);
/*
 * Waits until no program of a former supervisor is left.  Returns the
 * descriptor that every program of ours inherits as the sign of its life.
 */
int	dirs_wait_for_others(const struct config *);

/* sockets.c: opens every listener of every service.  0, or an exit code. */
int	sockets_open(const struct config *, struct service *, unsigned n);
void	sockets_close(struct service *, unsigned n);

/* service.c */
struct launchpad {
	const struct config *cfg;	/* borrowed */
	int	 life;		/* of dirs_wait_for_others() */
	int	 known[KNOWN_ENDS];	/* owned; 0: none */
	char	**environment;	/* owned */
};

void	service_environment(struct launchpad *);
/* Starts it. 0, or -1 with errno: the program could not be executed. */
int	service_start(struct service *, const struct launchpad *)
	    __attribute__((warn_unused_result));
/* Takes note of its end and decides when it starts again. */
void	service_ended(struct service *, int status);

/* renew.c: a successor for a program whose session has crashed. */
/* When it is to be started; DEADLINE_NEVER. */
int64_t	renew_due(const struct service *);
/* Has it been asked for? */
void	renew_look(struct service *);
void	renew_start(struct service *, const struct launchpad *);
/* The program has ended: nobody asks any more. */
void	renew_forget(struct service *);
/* Was it a predecessor? It is then forgotten. */
bool	renew_ended(struct service *, pid_t);
/* ms to wait before a new start after that many ends in a row. */
int64_t	service_backoff(unsigned failures);
#endif
