/*
 * queue.h - the queue manager's rooms: who owns what in memory.
 *
 * A message is a `struct msg` for as long as its file is in queue/: 80 bytes,
 * whatever its envelope.  While it is worked on it is also a `struct active`:
 * file open, envelope read, recipients resolved into tasks.  A task is what
 * one agent does in one go: recipients of one message at one destination.  A
 * `struct dest` lines tasks up and holds the agents (connections to `remote`
 * or `launch`).  Nothing here blocks but short reads and appends of queue files.
 *
 *   scan.c     names in the directory            -> msg.c
 *   msg.c      the index and the heap of due times
 *   open.c     a file is opened, read, checked   -> bad/, or
 *   active.c   decide what is to do              -> lookup.c, sched.c
 *   lookup.c   the conversation with resolve
 *   sched.c    destinations, windows, who is next -> agent.c
 *   agent.c    the conversation with an agent
 *   outcome.c  what is written behind the message, and what follows from it
 *   dsn.c      what a bounce says;  report.c  the conversation with inject
 *   control.c  the administrator's verbs
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "config.h"
#include "envelope.h"
#include "id.h"
#include "peer.h"
#include "spool.h"

#define ACTIVE_MAX	1000	/* messages worked on at once: one descriptor each */
#define TASK_RCPTS	50	/* recipients of one task at most */
#define DSN_FULL_MAX	50000	/* messages up to this size are returned whole */
#define AGENT_IDLE_MS	5000	/* an agent without work is kept this long */

struct msg {
	char	id[ID_LEN + 1];
	bool	forced;			/* an administrator said: now */
	bool	on_trial;		/* found damaged once; looked at again */
	bool	repeat;			/* it may have been delivered before a crash */
	bool	checked;		/* its content, against the commit mark */
	unsigned char locked;		/* times in a row it was found locked */
	int64_t	size;			/* of the message, bytes */
	int64_t	due;			/* monotonic ms; 0: a first attempt, at once */
	unsigned slot;			/* in the heap, from 1; 0: not in it */
	struct msg *next_hash;
	struct active *active;		/* NULL while it waits */
};

enum rcpt_step {
	STEP_IDLE,		/* nothing to do for it in this round */
	STEP_LOOKUP,		/* resolve is asked */
	STEP_TASK,		/* in a task, waiting or running */
	STEP_SETTLED		/* this round's outcome is known */
};

/* What resolve said about a recipient of an active message. */
struct rcpt_work {
	enum rcpt_step step;
	char	*address, *ext, *home;	/* owned; mailbox routes only */
};

struct active {
	struct msg *msg;
	int	fd;			/* owned */
	struct envelope env;		/* owned */
	struct rcpt_work *work;		/* owned; [env.nrcpts] */
	unsigned open;			/* recipients in LOOKUP or TASK, and a report under way */
	struct buf lines;		/* owned; outcomes not yet appended */
	bool	report;			/* a DSN is on its way to inject */
	bool	report_failed;		/* inject would not take it: later */
};

struct task {
	struct active *active;
	struct dest *dest;
	struct task *next;
	unsigned n;
	unsigned rcpt[TASK_RCPTS];	/* recipient numbers, from 1 */
};

enum dest_kind { DEST_LOCAL, DEST_REMOTE };

struct dest {
	enum dest_kind kind;
	char	*key;			/* owned; "yahoo.co.uk", "[relay]:25", "uid 1000" */
	char	*relay;			/* owned; HOST:PORT or NULL */
	struct task *head, *tail;	/* waiting, owned */
	unsigned running;		/* agents with a task */
	unsigned agents;		/* running and idle */
	struct agent *idle;		/* list of idle agents */
	bool	listed;			/* in the round of destinations with work */
	struct dest *next_round, *next_hash;
};

struct queue {
	const struct config *cfg;
	struct loop *loop;
	struct spool spool;
	struct watch notice, inotify, control, signals;
	struct timer tick;		/* the earliest due message */
	struct timer rescan, drain;
	bool	draining;		/* SIGTERM came: finish what runs, start nothing */
	int64_t	boot;			/* usec since 1970 at which this host started */

	struct msg **heap;		/* owned; [heap_cap], from 1 */
	unsigned heap_n, heap_cap;
	struct msg **index;		/* owned; hash table */
	unsigned index_n, index_cap;
	unsigned nactive;

	struct dest **dests;		/* owned; hash table */
	unsigned dest_n, dest_cap;
	struct dest *round_head, *round_tail;
	unsigned running[2];		/* agents with a task, by dest_kind */
};

extern struct queue Q;			/* the one queue manager of this process */

/* msg.c */
struct msg *msg_find(const char *id);
/* Adds a waiting message due at `due`, or returns the one that is there. */
struct msg *msg_add(const char *id, int64_t size, int64_t due);
/* Puts a waiting message at a (new) place in the heap. */
void	msg_due(struct msg *, int64_t due);
/* Takes the message that is due first out of the heap; NULL when none is due at `now`. */
struct msg *msg_pop_due(int64_t now);
/* The earliest due time, INT64_MAX when nothing waits. */
int64_t	msg_next_due(void);
void	msg_forget(struct msg *);
void	msg_each(void (*)(struct msg *, void *), void *);

/* scan.c */
/* Watches the directory, then reads it once. -1 with errno. */
int	scan_start(void);
/* Reads the directory again: finds what is new, forgets what has gone. */
void	scan_all(void);

/* open.c */
/*
 * Opens m's file and reads its envelope.  The descriptor, or -1: it has been
 * decided what becomes of m, which may be gone (then the envelope is not set).
 */
int	message_open(struct msg *, struct envelope *);

/* active.c */
/* Starts as many due messages as there is room for, and sets the tick. */
void	active_run(void);
/* A recipient has left LOOKUP or TASK, or the report has ended: goes on when it was the last one. */
void	active_release(struct active *);

/* lookup.c */
void	lookup_start(struct active *, unsigned n);

/* sched.c */
struct dest *dest_get(enum dest_kind, const char *key, const char *relay);
/* Puts recipient n of the message into a waiting task for that destination. */
void	sched_add(struct active *, unsigned n, struct dest *);
/* Hands tasks to agents while windows and slots allow. */
void	sched_run(void);
/* An agent's task has ended; the agent is idle (keep) or gone. */
void	sched_ended(struct dest *);
/* The longest waiting task of a destination, or NULL. */
struct task *sched_next_task(struct dest *);
/* Forgets a destination that has neither tasks nor agents. */
void	dest_drop(struct dest *);
/* Milliseconds until the next attempt after `attempts` failed ones; chance in [0,1) spreads it by 20 % both ways. DESIGN 6.6. */
int64_t	retry_delay_ms(unsigned attempts, double chance);

/* agent.c */
/* Starts a new agent on the destination with this task; -1 when it cannot be reached now. */
int	agent_start(struct dest *, struct task *);
/* Gives an idle agent the task. */
void	agent_give(struct agent *, struct task *);

/* outcome.c */
struct outcome {
	const char *host;	/* "mx[192.0.2.1]" or NULL */
	const char *tls;	/* "TLSv1.3" or NULL */
	const char *enhanced;	/* "4.7.1" or NULL */
	const char *text;	/* never NULL */
};
void	outcome_done(struct active *, unsigned n, const struct outcome *);
void	outcome_defer(struct active *, unsigned n, const struct outcome *);
void	outcome_fail(struct active *, unsigned n, const struct outcome *);
/* Appends what was collected to the queue file. -1 with errno: logged, the lines are kept, and the message goes on. */
int	outcome_flush(struct active *);

/* dsn.c */
/* Who hears about recipient r: the owner of the list it came from, else the sender. */
const char *dsn_sender(const struct envelope *, const struct env_rcpt *);
/* Is r one of those that a report to `sender` speaks of? FAILED, its own to hear of, and wanted. */
bool	dsn_reports(const struct envelope *, const char *sender, const struct env_rcpt *);
/*
 * Writes the failure report for `sender` to out: a whole message with LF line
 * ends, about nobody but those dsn_reports() names. -1 with errno.
 */
int	dsn_compose(const struct config *, const struct envelope *,
	    const char *sender, const char *id, int fd, int64_t size,
	    int64_t now_usec, struct buf *out) __attribute__((warn_unused_result));

/* report.c */
/*
 * Sends a report about FAILED recipients to the first of their senders, or settles that none is
 * due.  Takes a share in active->open until done; called again while any are left.
 */
void	report_start(struct active *);

/* control.c */
void	control_ready(struct watch *, uint32_t);
#endif
