/*
 * users.c - the table of users in authd's memory, and whose an address is.
 *
 * Runs as facteur-auth, the only reader of CONFDIR/users.  The file is looked
 * at for each request and read again when it changed: nothing to reload.
 *
 * Way 1, 5 and 8 of 8.  From: CONFDIR/users.  To: auth/desk.c.
 */
#include <crypt.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "auth.h"
#include "log.h"

#define MAIL_OWNER	"facteur-mail"	/* of mailboxes without a uid */

void
users_init(struct users *u, const struct config *cfg)
{
	struct buf path = BUF_INIT;

	memset(u, 0, sizeof(*u));
	u->cfg = cfg;
	buf_addf(&path, "%s/users", cfg->confdir);
	u->path = buf_detach(&path);
}

void
users_release(struct users *u)
{
	userdb_release(&u->db);
	free(u->path);
	free(u->dummy);
	u->path = u->dummy = NULL;
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
	    a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	    a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	    a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/*
 * A setting whose verification costs what the first user's costs, so that an
 * unknown user cannot be told from a wrong password by the clock.
 */
static char *
make_dummy(const struct userdb *db)
{
	char made[CRYPT_GENSALT_OUTPUT_SIZE];

	for (size_t i = 0; i < db->n; i++)
		if (db->v[i].hash[0] != '*')
			return xstrdup(db->v[i].hash);
	if (crypt_gensalt_rn("$y$", 0, NULL, 0, made, sizeof(made)) == NULL)
		return xstrdup("$6$facteurfacteur");
	return xstrdup(made);
}

static void
log_complaints(const struct buf *complaints)
{
	const char *p = buf_str(complaints);
	struct buf line = BUF_INIT;
	size_t n;

	for (; *p != '\0'; p += n + (p[n] == '\n')) {
		n = strcspn(p, "\n");
		buf_reset(&line);
		buf_add(&line, p, n);
		log_event(NULL, "users-line text=%s", quoted(buf_str(&line)));
	}
	buf_release(&line);
}

static void
read_again(struct users *u)
{
	struct buf complaints = BUF_CAPPED(65536);
	struct userdb db;

	if (userdb_read(u->path, &db, &complaints) == -1) {
		if (u->readable || u->seen.st_ino == 0)
			log_errno(NULL, "users-unreadable path=%s",
			    quoted(u->path));
		u->readable = false;
		buf_release(&complaints);
		return;
	}
	userdb_release(&u->db);
	u->db = db;
	u->readable = true;
	free(u->dummy);
	u->dummy = make_dummy(&u->db);
	if (!buf_ok(&complaints))
		log_event(NULL, "users-line text=%s",
		    quoted("more bad lines than can be told"));
	log_complaints(&complaints);
	if (!u->absent && (u->seen.st_mode & S_IROTH))
		log_event(NULL, "users-world-readable path=%s text=%s",
		    quoted(u->path), quoted("everybody can read the hashes: "
		    "chmod 600"));
	log_event(NULL, "users-read n=%zu", u->db.n);
	buf_release(&complaints);
}

bool
users_fresh(struct users *u)
{
	struct stat st;
	bool absent = false;

	if (stat(u->path, &st) == -1) {
		memset(&st, 0, sizeof(st));
		absent = errno == ENOENT;
	}
	/* Unreadable is tried anew each time: a chmod may have helped. */
	if (u->readable && absent == u->absent && same_file(&st, &u->seen))
		return true;
	/*
	 * Some editors take the file away for a moment; "no such user" would
	 * bounce mail that one moment later is welcome.
	 */
	if (absent && u->seen.st_ino != 0) {
		if (u->readable)
			log_event(NULL, "users-gone path=%s", quoted(u->path));
		u->readable = false;
		return false;
	}
	u->absent = absent;
	u->seen = st;
	read_again(u);
	return u->readable;
}

/* The canonical form, so that "billy"@d. finds billy@d. */
static bool
canonical(const char *address, struct buf *out)
{
	return address_parse(address, strlen(address), ADDR_ALLOW_UTF8,
	    out) == ADDR_OK;
}

const struct user *
users_find(const struct users *u, const char *address)
{
	const struct user *found = NULL;
	struct buf b = BUF_INIT;

	if (canonical(address, &b))
		found = userdb_find(&u->db, buf_str(&b));
	buf_release(&b);
	return found;
}

const char *
users_hash(const struct users *u, const struct user *user, bool *real_out)
{
	*real_out = user != NULL && user->hash[0] != '*' &&
	    user->hash[0] != '\0';
	return *real_out ? user->hash : u->dummy;
}

/* The uid a mailbox belongs to: ours, its own, or facteur-mail. */
static bool
owner_ids(const struct users *u, const struct user *user, struct owner *out)
{
	const struct passwd *pw;

	if (!u->cfg->as_root) {
		out->uid = geteuid();
		out->gid = getegid();
		return true;
	}
	out->uid = user != NULL ? user->uid : (uid_t)-1;
	out->gid = user != NULL ? user->gid : (gid_t)-1;
	if (out->uid != (uid_t)-1 && out->gid != (gid_t)-1)
		return true;
	pw = out->uid == (uid_t)-1 ? getpwnam(MAIL_OWNER) :
	    getpwuid(out->uid);
	if (pw == NULL) {
		log_event(NULL, "owner-missing user=%s text=%s", MAIL_OWNER,
		    quoted("facteur setup --users creates it"));
		return false;
	}
	out->uid = pw->pw_uid;
	if (out->gid == (gid_t)-1)
		out->gid = pw->pw_gid;
	return true;
}

/* Mail for postmaster is never refused (RFC 5321 section 4.5.1). */
static bool
is_our_postmaster(const struct config *cfg, const char *address)
{
	const char *domain = address_domain(address);

	return address_local_len(address) == strlen("postmaster") &&
	    strncasecmp(address, "postmaster", strlen("postmaster")) == 0 &&
	    domain != NULL && config_is_ours(cfg, domain, strlen(domain));
}

/* A user of the host, with system_users = yes. */
static enum found
system_owner(const struct users *u, const char *address, struct owner *out)
{
	struct system_user s;
	enum found found = system_find(u->cfg, address, &s);

	if (found == FOUND)
		*out = s.owner;
	else
		owner_release(&s.owner);
	return found;
}

enum found
users_who(const struct users *u, const char *address, struct owner *out)
{
	struct user nobody = { .address = NULL };
	const struct user *user;
	struct buf name = BUF_INIT;
	enum found found = FOUND_NONE;

	memset(out, 0, sizeof(*out));
	if (!canonical(address, &name))
		goto out;
	user = userdb_find(&u->db, buf_str(&name));
	if (user == NULL && (found = system_owner(u, buf_str(&name),
	    out)) != FOUND_NONE)
		goto out;
	if (user == NULL && !is_our_postmaster(u->cfg, buf_str(&name)))
		goto out;
	found = FOUND_LATER;
	if (!owner_ids(u, user, out))
		goto out;
	if (user == NULL) {
		struct buf pm = BUF_INIT;

		buf_addf(&pm, "postmaster@%s", address_domain(buf_str(&name)));
		nobody.address = buf_detach(&pm);
		user = &nobody;
	}
	buf_adds(&out->address, user->address);
	user_home(user, u->cfg->mail, &out->home);
	found = FOUND;
out:
	free(nobody.address);
	buf_release(&name);
	return found;
}

void
owner_release(struct owner *o)
{
	buf_release(&o->address);
	buf_release(&o->home);
}
