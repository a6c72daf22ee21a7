/*
 * config.h - CONFDIR/facteur.conf: "key = value", one a line, # comments.
 * An empty or missing file is a working host.  Borrowed strings live as long as the config.
 */
#ifndef LIB_CONFIG_H
#define LIB_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

struct strlist {
	char	**v;		/* owned; NULL-terminated */
	size_t	 n;
};

struct config {
	/* Keys, in the order of the table in config.c; each is explained in facteur.conf(5). */
	char	*hostname;
	struct strlist domains;
	char	*spool, *run, *mail;	/* absolute paths */
	struct strlist listen_smtp, listen_submission, listen_submissions,
		 listen_lmtp, listen_pop3, listen_pop3s;
	char	*resolver;		/* "ADDR:PORT" or "" */
	int64_t	 remote_port;
	char	*relay_host;		/* "HOST:PORT" or "" */
	char	*tls_cert, *tls_key;	/* absolute paths or "" */
	int64_t	 message_size;		/* bytes */
	struct strlist trusted;
	bool	 system_users;
	char	*recipient_delimiter;	/* "+" ; "" for none */
	int64_t	 connections;		/* of all SMTP or POP3 sessions, each 200 */
	int64_t	 connections_per_address; /* 20; also for each IPv6 /64 */
	int64_t	 recipients_max;	/* for one message: 1000 */
	int64_t	 queue_lifetime;	/* seconds: 5d */
	int64_t	 bounce_lifetime;	/* seconds: 1d */
	int64_t	 delay_notice;		/* seconds: 4h; 0: none */
	int64_t	 history_days;		/* 14; 0: no history */
	char	*stats_file;		/* absolute path or "" */
	int64_t	 remote_concurrency;	/* deliveries at once to other hosts: 100 */
	int64_t	 local_concurrency;	/* 20 */
	int64_t	 site_concurrency;	/* to one destination: 20 */
	int64_t	 inject_workers;	/* 20 */
	bool	 require_sandbox;	/* no: a kernel that lacks a layer costs a log line */

	/* Not keys. */
	char	*confdir;		/* absolute */
	bool	 as_root;		/* started by root: defaults and walls are those of a real host */
	struct buf origins;		/* private to config.c: where each value comes from */
	const char **ours;		/* private: owned; `domains`, sorted; strings borrowed from it */
};

/*
 * Reads confdir/facteur.conf.  as_root chooses the defaults (DESIGN section 7).
 * NULL on an error; `why` then says "file:line: what is wrong", with the
 * nearest key for an unknown one.  A missing file is not an error, a missing
 * confdir is.
 */
struct config *config_load(const char *confdir, bool as_root, struct buf *why);
void	config_free(struct config *);
/* Calls fn for each key: name, its value as text, and where it comes from ("default", "facteur.conf:12"). */
void	config_each(const struct config *,
	    void (*fn)(void *, const char *key, const char *value, const char *origin), void *);
/*
 * Is this the mail system of the whole host, with its walls and the defaults
 * of root?  Yes for /etc/facteur and, once the facteur-* users exist, for any other confdir
 * that belongs to root; never under FACTEUR_SINGLE_UID.  The same for every caller, whoever it is.
 */
bool	config_is_host(const char *confdir);
/* confdir, else $FACTEUR_CONF, else /etc/facteur: which directory config_or_die reads. Borrowed. */
const char *config_dir(const char *confdir);
/* The first line of every main: -C DIR or $FACTEUR_CONF or /etc/facteur.  Prints to stderr and exits EX_CONFIG (78) on an error. */
struct config *config_or_die(const char *confdir);
/* The path of one of our sockets: "inject", "net/resolve", ... below cfg->run.  Static ring of 4. */
const char *config_socket(const struct config *, const char *name);
/* From now on run/net is our root directory: config_socket() gives "/inject" for "net/inject". */
void	config_in_jail(void);
/* The path of another of our programs: found from where this one lies (/proc/self/exe): "queue" -> .../libexec/facteur/queue. Static ring of 4. */
const char *program_path(const char *name);
/* What stands behind a name without a domain: the hostname if it is one of `domains`, else the first of them. Borrowed. */
const char *config_home_domain(const struct config *);
/* Is domain (any case, no trailing dot) one of ours? */
bool	config_is_ours(const struct config *, const char *domain, size_t len);
/* The name of a passwd(5) entry that exists once the walls are up (facteur setup --users). */
#define CONFIG_WALL_USER	"facteur-queue"
/* Bytes of `run` that still leave room for the longest socket name below it. */
#define CONFIG_RUN_MAX		(107 - sizeof("/net/resolve") + 1)
#endif
