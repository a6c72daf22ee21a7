/*
 * auth.h - what the files of authd share.
 *
 * authd.c starts; desk.c talks with clients, question.c follows a password;
 * users.c keeps the table; pool.c has the processes that compute hashes;
 * penalty.c remembers failures.
 */
#ifndef AUTH_H
#define AUTH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "buf.h"
#include "config.h"
#include "peer.h"
#include "userdb.h"

/* ---- users.c: CONFDIR/users, read again when it changed ---- */

struct users {
	const struct config *cfg;	/* borrowed */
	char	*path;		/* owned */
	struct userdb db;
	struct stat seen;	/* of the file we read; st_ino 0: none */
	bool	 absent;	/* there was no file */
	bool	 readable;	/* the last reading went well */
	char	*dummy;		/* owned; verified for unknown users */
};

void	users_init(struct users *, const struct config *);
void	users_release(struct users *);
/* Reads the file if it changed. False: it cannot be read now (`later`). */
bool	users_fresh(struct users *);
/* The user with this address in any spelling, or NULL. */
const struct user *users_find(const struct users *, const char *address);
/*
 * The hash to verify for a user (NULL: unknown).  *real_out is false where it
 * is only for the time it takes.
 */
const char *users_hash(const struct users *, const struct user *,
	    bool *real_out);

struct owner {			/* what `who` answers */
	struct buf address, home;
	uid_t	 uid;
	gid_t	 gid;
};

enum found { FOUND, FOUND_NONE, FOUND_LATER };

/* Whose is the address?  FOUND_LATER: no uid for it on this host now. */
enum found users_who(const struct users *, const char *address,
	    struct owner *out);
void	owner_release(struct owner *);

/* ---- system.c: users of the host, with system_users = yes ---- */

struct system_user {
	char	 name[64];	/* in passwd(5) */
	struct owner owner;
};

/*
 * login: "jean@ours", or "jean" alone.  FOUND_LATER: his home is not there now.
 * Give `owner` back with owner_release() in any case.
 */
enum found system_find(const struct config *, const char *login,
	    struct system_user *out);

/* ---- pool.c: crypt(3) in processes of its own ---- */

#define POOL_WORKERS	3
#define POOL_QUEUE	200

struct pool;

enum pool_result {
	POOL_RIGHT,
	POOL_WRONG,
	POOL_FAILED		/* the worker died or took too long */
};

struct pool_job {		/* embed it */
	struct pool_job *next;	/* private */
	char	*task;		/* private, owned: hash NUL password, wiped */
	size_t	 len;
	void	(*done)(struct pool_job *, enum pool_result);
};

/* Forks the workers. NULL with errno. */
struct pool *pool_new(struct loop *);
/*
 * A pool of one worker that somebody else has forked and that cannot be
 * replaced (verify.c): its end is ours.  fd is owned.  NULL with errno.
 */
struct pool *pool_adopt(struct loop *, int fd, pid_t pid);
void	pool_free(struct pool *);
/*
 * Does the password have this hash?  `done` is called later, once.  -1: the
 * queue is full, and done is not called.
 */
int	pool_check(struct pool *, struct pool_job *, const char *hash,
	    const char *password) __attribute__((warn_unused_result));
/* Takes a job back that has not started. False: a worker has it. */
bool	pool_cancel(struct pool *, struct pool_job *);

/* ---- penalty.c: who failed, how often ---- */

struct penalties;

struct penalties *penalties_new(void);
void	penalties_free(struct penalties *);
/*
 * A failure at `now` (monotonic ms): returns for how many ms its answer is to
 * be held back.  The same user and password once more does not count.
 */
int64_t	penalty_fail(struct penalties *, const char *ip, const char *user,
	    const char *password, int64_t now);
/* A success: forgets the failures of this user from there. */
void	penalty_clear(struct penalties *, const char *ip, const char *user);

/* ---- desk.c: the conversations; question.c: passwords on their way ---- */

#define LISTENERS_MAX	8

struct desk;
struct launch;
struct question;

struct client {
	struct peer peer;	/* first */
	struct desk *desk;	/* borrowed */
	struct question *question;	/* about a password; NULL: none */
	int64_t	 uid;		/* of the process at the other end */
	LIST_ENTRY(client) link;
};

/*
 * A password on its way.  Released with its client, but not while a worker
 * has it: then `client` is NULL, and the failure still counts.
 */
struct question {
	struct pool_job job;
	struct timer timer;
	struct desk *desk;	/* borrowed */
	struct client *client;	/* borrowed */
	char	*user;		/* owned; the address, or what was typed */
	char	*pass;		/* owned; wiped */
	char	*ip, *service;	/* owned */
	struct pool *pool;	/* borrowed; who checks it */
	char	 system_name[64];	/* of a user of the host */
	bool	 real;		/* the hash was the user's own */
	bool	 login;
	bool	 checking;	/* the pool has it */
	int	 fd;		/* owned; of the session to be, or -1 */
	struct launch *launch;	/* owned; the launcher's connection or NULL */
};

struct door {
	struct watch watch;	/* first */
	struct desk *desk;	/* borrowed */
};

struct desk {
	const struct config *cfg;	/* borrowed */
	struct loop *loop;	/* borrowed */
	struct pool *pool;	/* owned */
	struct pool *system;	/* owned; passwords of the host's users, or NULL */
	struct users users;
	struct penalties *penalties;	/* owned */
	struct door door[LISTENERS_MAX];
	LIST_HEAD(, client) clients;
	unsigned ndoors, nclients, max;
};

/* Owns the pool from here on. */
struct desk *desk_new(const struct config *, struct loop *, struct pool *);
/* After SIGTERM. */
void	desk_free(struct desk *);
/* Takes clients of this listening socket. -1 with errno. */
int	desk_listen(struct desk *, int fd) __attribute__((warn_unused_result));
/* Sends a frame with one value. */
void	desk_answer(struct client *, const char *verb, const char *key,
	    const char *value);

/* `auth` or `login`: takes what it needs from the frame; answers later. */
void	question_ask(struct client *, const struct ctl *frame);
/* Its client has gone. */
void	question_abandon(struct question *);
#endif
