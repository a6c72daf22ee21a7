/* qadmin.h - the verbs of qadmin; argv[0] is the first argument behind the verb. Each returns an exit status. */
#ifndef QUEUE_QADMIN_H
#define QUEUE_QADMIN_H

#include "config.h"
#include "ctl.h"
#include "envelope.h"
#include "id.h"
#include "spool.h"
#include "stream.h"

/* A queue file, as the verbs look at it. */
struct entry {
	const char *dir;	/* "queue" or "hold"; static */
	char	name[64];	/* ID.SIZE */
	char	id[ID_LEN + 1];
	int64_t	size;
	int	fd;		/* owned; read-only */
	struct envelope env;	/* owned */
	bool	readable;	/* the envelope could be replayed; else env.damage */
};

/*
 * Calls fn for each queue file in queue/ and hold/ (id NULL: all, in order of
 * arrival), until it returns non-zero.  The entry is released afterwards.
 * Returns how many files there were, or -1 with errno.
 */
int	entries_each(const struct config *, const char *id,
	    int (*fn)(struct entry *, void *), void *);
/* The spool could not be read (errno): says so, and exits. */
_Noreturn void spool_die(const struct config *);
/* Is there a file of this ID in bad/ (a directory's descriptor)? */
bool	entries_in_bad(int dir, const char *id);
bool	entry_is_held(const struct entry *);
/* Does anything still happen for this recipient: an attempt, or a report about it to the sender? */
bool	rcpt_is_open(const struct env_rcpt *);

/* ---- qadmin_ask.c: questions to the queue manager ---- */

/* Connects to its control socket. 0, or -1 with errno: it does not run, or will not talk to us. */
int	control_open(const struct config *, struct stream *);
/* The same, or says why not and exits. */
void	control_or_die(const struct config *, struct stream *);
/*
 * Sends the frame in b and reads one answer (into line).  Exits when there is
 * none.  True: it is not an `err`.
 */
bool	control_ask(struct stream *, struct buf *b, struct buf *line,
	    struct ctl *answer);
/* The next frame of an answer of several; false at `ok` or `err` (in answer). */
bool	control_next(struct stream *, struct buf *line, struct ctl *answer);

struct ids { char (*v)[ID_LEN + 1]; size_t n; };	/* v: owned; sorted */
/* The messages that are being worked on; ids is empty before. */
void	active_ask(struct stream *, struct ids *);
bool	ids_have(const struct ids *, const char *id);

/* A destination, as the queue manager sees it. Strings are owned. */
struct site_view {
	char	*key, *kind, *error;	/* error: NULL if none */
	int64_t	running, window, waiting, rate, rest_ms, pause_ms, failing_ms;
	bool	probing;
};
struct sites_view {
	struct site_view *v;	/* owned */
	size_t	n;
	struct domain_view { char *name, *key; } *domains;	/* owned; sorted by name */
	size_t	ndomains;
};
/* name NULL: all sites, and which domains they serve; else the one site of that key or domain. */
void	sites_ask(struct stream *, const char *name, struct sites_view *);
void	sites_view_release(struct sites_view *);
/* The same without domains, for who asks again and again. 0, or -1 with errno. */
int	sites_read(struct stream *, struct sites_view *, int64_t deadline)
	    __attribute__((warn_unused_result));
/*
 * Asks for the figures as text; reason, if not NULL, is called for each of the
 * commonest reasons lately (a frame with count and text). 0, or -1 with errno.
 */
int	stats_read(struct stream *, struct buf *text,
	    void (*reason)(const struct ctl *, void *), void *, int64_t deadline)
	    __attribute__((warn_unused_result));
/* The key of the site behind a domain, or NULL. */
const char *sites_view_domain(const struct sites_view *, const char *domain);

/* ---- qadmin_filter.c: which messages are meant ---- */

#define LAST_WORDS_MAX	400	/* bytes of the text of `bounce`: the sender's report has lines of 998 */

struct filter {			/* strings are borrowed from argv; NULL: any */
	const char *id, *site, *sender, *recipient, *reason;
	int64_t	older, younger;	/* usec of age; 0: any */
	bool	held, all;
	const char *relay_host;	/* borrowed; "" if none */
	struct sites_view sites;	/* owned; for `site` */
};
struct selection {
	struct filter filter;
	bool	json, dry_run, yes;
	const char *text;	/* of bounce: borrowed from argv, or NULL */
	char	**ids;		/* the rest of argv */
	int	nids;
};

/* Takes the options of a verb apart; says what is wrong and exits. `act`: the options of hands are allowed too. */
void	selection_parse(struct selection *, const struct config *, bool act,
	    int argc, char *argv[]);
void	selection_release(struct selection *);
/* Was anything asked for that a message may not fulfil? */
bool	filter_is_set(const struct filter *);
bool	filter_matches(const struct filter *, const struct entry *,
	    int64_t now_usec);
/* HOST:PORT, [V6]:PORT, or "-": back to the usual way. */
bool	is_route(const char *);
/* "2h", ">2h", "<30m" into usec. False: malformed, 0, or that side is set already. */
bool	filter_age(struct filter *, const char *text);

/* ---- qadmin_print.c: how things are said; whatever came from outside, escaped ---- */

void	print_time(int64_t usec);
void	print_address(const char *);
/* Escaped, without quotes around it. */
void	print_bare(const char *);
/* What a person calls the state of a recipient; for programs, in one word. */
const char *state_text(const struct env_rcpt *);
const char *state_word(const struct env_rcpt *);
void	json_string(const char *);
/* ,"key":"value"; nothing for NULL; a time: nothing for 0. */
void	json_pair(const char *key, const char *value);
void	json_time(const char *key, int64_t usec);
/* Output that could not be written is a failure, as for any Unix tool. */
int	print_finish(int status);

/* ---- qadmin_causes.c ---- */

/* What to do about a reply or an error of ours: a sentence or two, or NULL. by_host: another host said it. */
const char *cause_advice(const char *text, bool by_host);

int	qadmin_ls(const struct config *, int argc, char *argv[]);
int	qadmin_show(const struct config *, int argc, char *argv[]);
int	qadmin_why(const struct config *, int argc, char *argv[]);
int	qadmin_sites(const struct config *, int argc, char *argv[]);
int	qadmin_stats(const struct config *, int argc, char *argv[]);
int	qadmin_mailq(const struct config *, int argc, char *argv[]);
int	qadmin_retry(const struct config *, int argc, char *argv[]);
int	qadmin_hold(const struct config *, int argc, char *argv[]);
int	qadmin_release(const struct config *, int argc, char *argv[]);
int	qadmin_rm(const struct config *, int argc, char *argv[]);
int	qadmin_bounce(const struct config *, int argc, char *argv[]);
int	qadmin_reroute(const struct config *, int argc, char *argv[]);
#endif
