/*
 * userdb.h - CONFDIR/users: "address:hash[:uid:gid:gecos:home]", one a line, # comments.
 * Read by authd (alone), written by `facteur passwd`.
 */
#ifndef LIB_USERDB_H
#define LIB_USERDB_H

#include <stdbool.h>
#include <sys/types.h>

#include "buf.h"

struct user {
	char	*address;	/* owned; canonical, lower case */
	char	*hash;		/* owned; crypt(3), {SCHEME} removed; "" or "*": no login */
	uid_t	 uid;		/* (uid_t)-1: not given */
	gid_t	 gid;
	char	*home;		/* owned; "" : MAIL/DOMAIN/USER */
};

struct userdb { struct user *v; size_t n; };	/* sorted by address */

/* Reads the file. 0 (also when there is none), -1 with errno. A bad line is skipped; `complaints` gets "users:12: what", one a line. */
int	userdb_read(const char *path, struct userdb *, struct buf *complaints) __attribute__((warn_unused_result));
void	userdb_release(struct userdb *);
/* address in any case. NULL: none. */
const struct user *userdb_find(const struct userdb *, const char *address);
/* Parses one line without its LF. 1 a user, 0 blank or comment, -1 malformed. */
int	userdb_parse_line(const char *line, size_t len, struct user *out) __attribute__((warn_unused_result));
void	user_release(struct user *);
/* The home of a user: its own, or MAIL/DOMAIN/USER; '/' and leading dots in the parts are made harmless. Appends. */
void	user_home(const struct user *, const char *mail, struct buf *);
#endif
