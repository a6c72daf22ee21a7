/*
 * queue.h - the queue manager's rooms: who owns what in memory.
 *
 * A message is a `struct msg` for as long as its file is in queue/: 80 bytes,
 * whatever its envelope.  While it is worked on it is also a `struct active`:
 * file open, envelope read, recipients resolved into tasks.  A task is what
 * one agent does in one go: recipients of one message at one destination.  A
 * `struct site` lines tasks up and holds the agents (connections to `remote`
 * or `launch`).  Nothing here blocks but short reads and appends of queue files.
 *
 *   scan.c     names in the directory            -> msg.c
 *   msg.c      the index and the heap of due times
 *   open.c     a file is opened, read, checked   -> bad/, or
 *   active.c   decide what is to do              -> lookup.c, sched.c
 *   lookup.c   the conversation with resolve
 *   sites.c    the destinations, by name and by domain
 *   site.c     how much a destination is given: window, pace, rest
 *   tasks.c    what waits at a destination
 *   sched.c    whose turn it is                   -> agent.c
 *   parked.c   messages that wait for a site
 *   pressure_tell.c  how many wait for us    -> inject
 *   agent.c    the conversation with an agent; agent_job.c  its jobs
 *   outcome.c  what is written behind the message, and what follows from it
 *   dsn.c      who is told what; dsn_text.c  in which words
 *   report.c   the conversation with inject
 *   stats.c    the figures; stats_text.c, stats_file.c  told
 *   direct.c   messages that are delivered before they lie in queue/
 *   control.c  the administrator's verbs: control_look.c, control_act.c
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include <sys/queue.h>
#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "config.h"
#include "envelope.h"
#include "id.h"
#include "peer.h"
#include "site.h"
#include "spool.h"
#include "stats.h"

#define ACTIVE_MAX	4000	/* messages worked on at once: one descriptor each, so fewer where those are short */
#define TASK_RCPTS	50	/* recipients of one task at most */
#define AGENT_IDLE_MS	5000	/* an agent without work is kept this long */
#define LOCAL_IDLE_MS	60000	/* the last one of an owner */

struct msg {
	char	id[ID_LEN + 1];
	bool	forced;			/* an administrator said: now */
	bool	bounce;			/* an administrator said: give it up */
	bool	called;			/* its site has asked: out of that list, on its way */
	bool	on_trial;		/* found damaged once; looked at again */
	bool	repeat;			/* it may have been delivered before a crash */
	bool	awaited;		/* delivered directly, in part at least, and inject may put its file here yet */
	bool	checked;		/* its content, against the commit mark */
	bool	delay_told;		/* no delay notice is (or will be) due */
	bool	counted, rcpts_counted;	/* in the figures (stats.h) */
	bool	fresh;			/* new, and its first attempt has not begun: counted in Q.fresh */
	unsigned char locked;		/* times in a row it was found locked, or not yet there */
	unsigned char seen;		/* the scan that met its name last */
	int64_t	size;			/* of the message, bytes */
	int64_t	due;			/* monotonic ms; 0: a first attempt, at once */
	unsigned slot;			/* in the heap, from 1; 0: not in it */
	struct msg *next_hash;
	struct active *active;		/* NULL while it waits */
	char	*last_words;		/* owned; with `bounce`: what its sender shall read, or NULL */
	/* Waits for a site that rests or has enough to do: not opened before the site asks. */
	struct site *site;		/* holds a reference; NULL: it does not */
	struct msg *next_parked, *prev_parked;
};

enum rcpt_step {
	STEP_IDLE,		/* nothing to do for it in this round */
	STEP_LOOKUP,		/* resolve is asked */
	STEP_TASK,		/* in a task, waiting or running */
	STEP_PARKED,		/* its site rests; no attempt was made */
	STEP_SETTLED		/* this round's outcome is known */
};

/* What resolve said about a recipient of an active message. */
struct rcpt_work {
	enum rcpt_step step;
	char	*address, *ext, *home;	/* owned; mailbox routes only */
	struct site *site;		/* STEP_PARKED: holds a reference; STEP_TASK: borrowed */
};

struct active {
	struct msg *msg;
	int	fd;			/* owned */
	bool	direct;			/* fd is memory: there is no file in queue/ (yet) */
	struct direct *waiter;		/* borrowed; of a direct one: who waits for the outcome, NULL: he has gone */
	struct envelope env;		/* owned */
	struct rcpt_work *work;		/* owned; [env.nrcpts] */
	unsigned open;			/* recipients in LOOKUP or TASK, and a report under way */
	struct buf lines;		/* owned; outcomes not yet appended */
	bool	recalled;		/* its file has gone, or it is to be looked at anew: nothing more is started */
	bool	report_failed;		/* inject would not take the report: later */
	bool	forced;			/* an administrator said: now */
	struct site *caller;		/* borrowed; the site that asked for this message and still expects it */
};

/* New mail and what is tried again are served apart: neither starves the other. */
enum turn { TURN_FIRST, TURN_AGAIN };

struct task {
	struct active *active;
	struct site *site;
	struct task *next;
	enum turn turn;
	uint64_t order;			/* of its arrival here */
	int64_t	started;		/* monotonic ms */
	enum site_result result;	/* what its answers said about the site so far */
	enum { QUIET_NO, QUIET_YOUNG, QUIET_SILENT } quiet;	/* running, at a site of which nothing was heard: slots.c */
	TAILQ_ENTRY(task) by_start;	/* of the young */
	unsigned n;
	unsigned rcpt[TASK_RCPTS];	/* recipient numbers, from 1 */
};

struct tasks {
	struct task *head, *tail;	/* owned */
};

enum site_kind { SITE_LOCAL, SITE_REMOTE };

/*
 * A destination: the owner of mailboxes, a relay host, or the set of MX hosts
 * that `remote` has found behind a domain; until it has, the domain.
 */
struct site {
	enum site_kind kind;
	char	*key;			/* owned; "yahoo.co.uk", "[relay]:25", "uid 1000" */
	char	*relay;			/* owned; HOST:PORT or NULL */
	struct site_flow flow;
	struct tasks wait[2][2];	/* by turn; [1]: what follows the first task of a large message */
	unsigned waiting;		/* tasks in them */
	unsigned small;			/* of these: in the lists [0] */
	unsigned credit;		/* tasks of large messages served since a small one */
	enum turn last;			/* whose turn it was */
	unsigned agents;		/* running and idle */
	struct agent *idle;		/* list of idle agents */
	char	*error;			/* owned; what the last failed connection said, or NULL */
	struct msg *parked, *last_parked; /* messages that wait for it, oldest first */
	unsigned nparked, ncoming;	/* in that list; asked for, not yet here */
	double	 spread;		/* after an outage: messages a second that may come; 0: as it can take them */
	int64_t	 spread_at;
	unsigned refs;			/* messages of it, domains mapped to it */
	int64_t	 direct_after;		/* monotonic ms: before that nothing goes to it directly */
	bool	listed, sleeping;	/* in the round; in the list of those that wait for a time */
	struct site *next_round, *next_sleep, *next_hash;
};

struct queue {
	const struct config *cfg;
	struct loop *loop;
	struct spool spool;
	bool	ordered;		/* the spool's file system keeps the order of changes, */
	dev_t	device;			/* which is that of this device */
	struct watch notice, direct, inotify, control, signals;
	struct timer tick;		/* the earliest due message */
	struct timer wake;		/* the earliest site that waits for a time */
	struct timer rescan, drain;
	bool	draining;		/* SIGTERM came: finish what runs, start nothing */
	int64_t	started;		/* usec since 1970: older messages are checked */

	unsigned char scan;		/* counts the scans of queue/ */
	struct msg **heap;		/* owned; [heap_cap], from 1 */
	unsigned heap_n, heap_cap;
	struct msg **index;		/* owned; hash table */
	unsigned index_n, index_cap;
	unsigned nactive, active_max;
	unsigned fresh;			/* messages that have come and wait for us: pressure.h */

	struct site **sites;		/* owned; hash table */
	unsigned site_n, site_cap;
	struct site *round_head, *round_tail, *sleepers;
	int64_t	sleep_until;		/* the earliest time a sleeper waits for */
	unsigned in_round;
	unsigned running[2];		/* agents with a task, by site_kind */
	TAILQ_HEAD(, task) young;	/* running, perhaps silent: slots.c */
	unsigned silent;		/* of running: they hardly count */
	unsigned running_again;		/* of the remote ones: those with TURN_AGAIN */
	unsigned local_kept;		/* idle local agents there may be */
	uint64_t order;			/* of the last task */
};

extern struct queue Q;			/* the one queue manager of this process */

/* msg.c */
struct msg *msg_find(const char *id);
/* Adds a waiting message due at `due`, a fresh one, or returns the one that is there. */
struct msg *msg_add(const char *id, int64_t size, int64_t due);
/* Puts a waiting message at a (new) place in the heap. */
void	msg_due(struct msg *, int64_t due);
/* Takes the message that is due first out of the heap; NULL when none is due at `now`. */
struct msg *msg_pop_due(int64_t now);
/* Takes this one out of the heap. */
void	msg_taken(struct msg *);
/* The earliest due time, INT64_MAX when nothing waits. */
int64_t	msg_next_due(void);
/* It is fresh no more: tried, or it waits for somebody else, or it did not come as mail comes. */
void	msg_begun(struct msg *);
void	msg_forget(struct msg *);
void	msg_each(void (*)(struct msg *, void *), void *);

/* scan.c */
/* Watches the directory, and has it read from the loop. -1 with errno. */
int	scan_start(void);
/* Reads the directory again: finds what is new, forgets what has gone. */
void	scan_all(void);

/* notice.c */
/* Takes what inject says: these files are there now. */
void	notice_ready(struct watch *, uint32_t);
/* "ID.SIZE", or "ID.SIZE us=N": N microseconds that the commit took, else -1. False: neither. */
bool	notice_parse(char *text, char id[ID_LEN + 1], int64_t *size, int64_t *usec);

/* open.c */
/*
 * Opens m's file and reads its envelope.  The descriptor, or -1: it has been
 * decided what becomes of m, which may be gone (then the envelope is not set).
 */
int	message_open(struct msg *, struct envelope *);
/* Is this new descriptor one that agents and reports will need? */
bool	message_is_last(int fd);
/* Are there descriptors for one message more?  Else when one has left. */
bool	message_room(void);
/* Lines behind the message that lies in this directory, in one write. False: errno. */
bool	message_append(int dir, const char *name, const struct buf *lines);
/*
 * Its file is not in queue/ any more: an administrator's hand.  It is forgotten;
 * the history learns whom it was for from env, or, without, from hold/.
 */
void	message_gone(struct msg *, const struct envelope *env);

/* active.c */
/* Starts as many due messages as there is room for, and sets the tick. */
void	active_run(void);
/* Begins with m, which is in no heap: fd (taken over) and env (the same) are its own. */
void	active_begin(struct msg *, int fd, const struct envelope *env, struct site *caller, struct direct *waiter);
/* Frees it; the message is without it from now on. */
void	active_free(struct active *);
/* A recipient has left LOOKUP or TASK, or the report has ended: goes on when it was the last one. */
void	active_release(struct active *);
/*
 * Stops what has not been started for it; when the rest has ended, it is looked
 * at anew at once.  May free it.
 */
void	active_recall(struct active *);
/* Does its file lie in queue/ no more? */
bool	active_is_gone(const struct active *);

/* lookup.c */
void	lookup_start(struct active *, unsigned n);

/* sched.c, tasks.c, parked.c */
/* Puts recipient n of the message into a waiting task for that site, or parks it there. */
void	sched_add(struct active *, unsigned n, struct site *, int64_t now);
/* Hands tasks to agents while windows and slots allow. Returns when it wants to be called again, SITE_NEVER: after the next sched_ended(). */
int64_t	sched_pass(int64_t now);
/* sched_pass() on the real clock, with the timer set. */
void	sched_run(void);
/* A running task has ended with this result; t is still the caller's. */
void	sched_ended(struct site *, struct task *, enum site_result, int64_t now);
/* What waits at `from` for a domain that belongs to `to`, as has just been learned, goes there. */
void	sched_move(struct site *from, struct site *to, int64_t now);
/* A running task turns out to belong to that site; nothing of it was done. Ends t. */
void	sched_not_begun(struct task *t, struct site *to, int64_t now);
/* Takes the message's tasks that wait out of all lists. The caller holds a share in active->open. */
void	sched_withdraw(struct active *);
/* Is recipient n of it, in STEP_TASK, in a task that waits? Else it runs. */
bool	sched_is_waiting(const struct active *, unsigned n);
/* A message whose site is closed or has enough waits in the site's list. */
void	sched_park_msg(struct msg *, struct site *, int64_t now);
/* Takes it out of there, whatever it was waiting for. */
void	sched_unpark_msg(struct msg *);
/*
 * A message has come to the top of the heap.  False: it goes on waiting for its
 * site, unless it `must` leave.  *caller_out: the site that asked for it, to be
 * kept as active.caller, or handed to sched_missed().
 */
bool	sched_leaves(struct msg *, bool must, int64_t now, struct site **caller_out);
/* The message that the site asked for will not come to it. NULL: nothing. */
void	sched_missed(struct site *caller);
/* Milliseconds until the next attempt after `attempts` failed ones; chance in [0,1) spreads it by 20 % both ways. DESIGN 6.6. */
int64_t	retry_delay_ms(unsigned attempts, double chance);
/* The same for a recipient; not longer than what it has spent trying would make it, so attempts by hand do not count. */
int64_t	retry_after_ms(const struct env_rcpt *, double chance);

/* sites.c */
struct site *site_get(enum site_kind, const char *key, const char *relay);
/* The site behind a domain: what `remote` reported, else the domain itself. */
struct site *site_of_domain(const char *domain);
/* remote says that the domain is served by this set of hosts. The site it is from now on. */
struct site *site_learn(const char *domain, const char *key);
struct site *site_ref(struct site *);
void	site_unref(struct site *);
/* Forgets a site that nobody refers to and that has nothing to remember. */
void	site_drop(struct site *);
void	site_each(void (*)(struct site *, void *), void *);
void	domain_each(void (*)(const char *domain, struct site *, void *), void *);
/* Reads CONFDIR/sites again if it has changed; looks once a second at most. */
void	sites_refresh(int64_t now);

/* sites_state.c */
/* What SPOOL/sites remembers of the last run. */
void	sites_state_load(int64_t now);
/* A site's rest or pace has changed: written within a second. */
void	sites_state_changed(void);
/* Writes now what is still to be written. */
void	sites_state_save(void);


/* agent.c */
/* Starts a new agent on the site with this task; -1 when it cannot be reached now. */
int	agent_start(struct site *, struct task *);
/* Gives an idle agent the task. */
void	agent_give(struct agent *, struct task *);

/* agent_job.c */
/* The task as the frames of a job for an agent of that site. */
void	agent_job(struct buf *, const struct site *, const struct task *);

/* outcome.c */
struct outcome {
	const char *host;	/* "mx[192.0.2.1]" or NULL */
	const char *tls;	/* "TLSv1.3" or NULL */
	const char *enhanced;	/* "4.7.1" or NULL */
	const char *text;	/* never NULL */
	bool	slower;		/* a rate-limit reply: again in a minute, not in five */
	enum rcpt_report report; /* what a sender who wants to know is told of a success */
	enum via via;		/* whose work it was, for the figures */
};
void	outcome_done(struct active *, unsigned n, const struct outcome *);
void	outcome_defer(struct active *, unsigned n, const struct outcome *);
void	outcome_fail(struct active *, unsigned n, const struct outcome *);
/*
 * Recipient n waits for a site that does not answer.  True: it has waited for
 * too long, and has failed now; the site's probes count for all that wait (DESIGN 6.6).
 */
bool	outcome_waited(struct active *, unsigned n, const struct site *, int64_t now);
/* Appends what was collected to the queue file. -1 with errno: logged, the lines are kept, and the message goes on. */
int	outcome_flush(struct active *);

/* report.c */
/* Has something happened that a sender must be told of now? */
bool	report_is_due(const struct active *);
/*
 * Tells the first of them, or settles that none is to be told.  Takes a share in
 * active->open until done; called again while report_is_due().
 */
void	report_start(struct active *);

/* direct.c */
/* Takes a worker of inject in. */
void	direct_ready(struct watch *, uint32_t);
/*
 * Everybody in a message without a file has been served, or will not be.  True:
 * who waits was told, and it is freed.  False: there is a file by now; it is
 * to be looked at anew.
 */
bool	direct_end(struct active *);

/* control.c */
void	control_ready(struct watch *, uint32_t);
#endif
