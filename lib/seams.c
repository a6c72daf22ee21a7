/*
 * seams.c - who may connect where and say what: one table for every server.
 *
 * Read at every privilege; nothing here talks to anyone.
 * Way: each arrow of INTERNALS section 1.
 */
#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctl.h"
#include "log.h"
#include "privdrop.h"
#include "seams.h"

static const char *const names[SEAM_USERS] = {
	[SEAM_ROOT] = "root",
	[SEAM_NET] = "facteur-net",
	[SEAM_QUEUE] = "facteur-queue",
	[SEAM_LOOKUP] = "facteur-lookup",
	[SEAM_REMOTE] = "facteur-remote",
	[SEAM_AUTH] = "facteur-auth",
	[SEAM_KEYS] = "facteur-keys",
	[SEAM_MAIL] = "facteur-mail",
};

#define ROOT	(1u << SEAM_ROOT)
#define NET	(1u << SEAM_NET)
#define QUEUE	(1u << SEAM_QUEUE)
#define LOOKUP	(1u << SEAM_LOOKUP)
#define REMOTE	(1u << SEAM_REMOTE)
#define AUTH	(1u << SEAM_AUTH)
#define ANYONE	(~0u)

/*
 * To connect takes the right to write: a socket has its one client as owner,
 * or two as owner and group, and nobody else gets as far as the table below.
 */
const struct seam seams[] = {
	{ "net-inject", "net/inject", "inject", SEAM_NET, SEAM_NET, 0600,
	    false },
	{ "inject", "inject", "inject", SEAM_ROOT, SEAM_ROOT, 0666, false },
	{ "resolve", "net/resolve", "resolve", SEAM_QUEUE, SEAM_NET, 0660,
	    false },
	{ "authd", "net/authd", "authd", SEAM_LOOKUP, SEAM_NET, 0660, false },
	{ "keyd", "net/keyd", "keyd", SEAM_REMOTE, SEAM_NET, 0660, false },
	{ "tlsd", "net/tlsd", "tlsd", SEAM_NET, SEAM_NET, 0600, false },
	{ "launch", "launch", "launch", SEAM_QUEUE, SEAM_AUTH, 0660, false },
	{ "remote", "remote", "remote", SEAM_QUEUE, SEAM_QUEUE, 0600, false },
	{ "control", "control", "queue", SEAM_QUEUE, SEAM_QUEUE, 0600, false },
	{ "notice", "notice", "queue", SEAM_QUEUE, SEAM_QUEUE, 0600, true },
	{ "direct", "direct", "queue", SEAM_QUEUE, SEAM_QUEUE, 0600, false },
};
const unsigned nseams = sizeof(seams) / sizeof(seams[0]);

/* "trace" is no frame of its own: it is the right to be believed. */
static const struct right {
	const char *listener, *verb;
	unsigned who;
} rights[] = {
	{ "net-inject", "message", NET | ROOT },
	{ "net-inject", "trace",   NET | ROOT },
	{ "inject",	"message", ANYONE },
	{ "inject",	"trace",   QUEUE | ROOT },
	{ "resolve",	"resolve", NET | QUEUE | ROOT },
	{ "authd",	"auth",	   NET },
	{ "authd",	"login",   NET },
	{ "authd",	"who",	   LOOKUP | ROOT },
	{ "keyd",	"chain",   NET | REMOTE | ROOT },
	{ "keyd",	"sign",	   NET | ROOT },
	{ "keyd",	"sign-client", REMOTE | ROOT },
	{ "tlsd",	"able",	   NET | ROOT },
	{ "tlsd",	"tls",	   NET | ROOT },
	{ "launch",	"local",   QUEUE },
	{ "launch",	"pop3",	   AUTH },
	{ "remote",	"job",	   QUEUE },
	{ "control",	"retry",   QUEUE | ROOT },
	{ "control",	"status",  QUEUE | ROOT },
	{ "control",	"look",	   QUEUE | ROOT },
	{ "control",	"sites",   QUEUE | ROOT },
	{ "control",	"stats",   QUEUE | ROOT },
	{ "control",	"recall",  QUEUE | ROOT },
	{ "control",	"bounce",  QUEUE | ROOT },
	{ "control",	"reroute", QUEUE | ROOT },
	{ "direct",	"deliver", QUEUE },
};

static struct {
	bool	known, walls;
	bool	there[SEAM_USERS];
	uid_t	uid[SEAM_USERS];
	gid_t	gid[SEAM_USERS];
} S;

void
seams_init(const struct config *cfg)
{
	S.known = true;
	S.walls = cfg->as_root;
	for (unsigned i = 0; i < SEAM_USERS; i++) {
		const struct passwd *pw =
		    S.walls && i != SEAM_ROOT ? getpwnam(names[i]) : NULL;

		S.there[i] = !S.walls || i == SEAM_ROOT || pw != NULL;
		S.uid[i] = pw != NULL ? pw->pw_uid : S.walls ? 0 : geteuid();
		S.gid[i] = pw != NULL ? pw->pw_gid : S.walls ? 0 : getegid();
	}
}

const char *
seam_name(enum seam_user u)
{
	return names[u];
}

bool
seam_ids(enum seam_user u, uid_t *uid, gid_t *gid)
{
	*uid = S.uid[u];
	*gid = S.gid[u];
	return S.known && S.there[u];
}

bool
seam_is_program(uid_t uid)
{
	if (!S.walls)
		return false;
	for (unsigned i = SEAM_NET; i < SEAM_USERS; i++)
		if (i != SEAM_MAIL && S.there[i] && S.uid[i] == uid)
			return true;
	return false;
}

/* The set of our users that this uid is: none, or one. */
static unsigned
set_of(uid_t uid)
{
	if (uid == 0)
		return ROOT;
	for (unsigned i = SEAM_NET; i < SEAM_USERS; i++)
		if (S.there[i] && S.uid[i] == uid)
			return 1u << i;
	return 0;
}

bool
seam_allows(const char *listener, const char *verb, int64_t uid)
{
	unsigned who = 0;

	if (uid < 0 || uid > UINT32_MAX)
		return false;
	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++)
		if (strcmp(rights[i].listener, listener) == 0 &&
		    (verb == NULL || strcmp(rights[i].verb, verb) == 0))
			who |= rights[i].who;
	if (who == 0)
		return false;		/* no such verb here */
	if (who == ANYONE)
		return true;
	/* One uid is all of them, and root may do what that uid may. */
	if (!S.walls)
		return uid == 0 || (uid_t)uid == geteuid();
	return (set_of((uid_t)uid) & who) != 0;
}

bool
seam_may_connect(const char *listener, int64_t uid)
{
	return seam_allows(listener, NULL, uid);
}

int
seam_accept(int fd, const char *listener, int64_t *uid_out)
{
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (conn == -1)
		return -1;
	*uid_out = ctl_peer_uid(conn);
	if (seam_may_connect(listener, *uid_out))
		return conn;
	log_event(NULL, "%s-refused uid=%lld", listener, (long long)*uid_out);
	(void)close(conn);
	return -1;
}

int
seam_become(const struct config *cfg, enum seam_user who, bool jail)
{
	const char *dir = jail ? config_socket(cfg, "net") : NULL;
	uid_t uid;
	gid_t gid;
	int r = 0;

	if (!cfg->as_root)
		return 0;
	if (!seam_ids(who, &uid, &gid) || uid == 0) {
		errno = ENOENT;
		return -1;
	}
	if (geteuid() == 0)
		r = privdrop(uid, gid, dir);
	else if (geteuid() != uid)
		return 0;		/* by hand, as somebody else */
	else if (jail && privdrop_may_jail())
		r = privdrop_jail(dir);
	else
		return jail ? 1 : 0;
	if (r == 0 && jail)
		config_in_jail();
	return r;
}

int
seam_become_front(const struct config *cfg)
{
	int r = seam_become(cfg, SEAM_NET, true);

	if (r == 1)
		log_event(NULL, "no-jail text=\"not root and without "
		    "CAP_SYS_CHROOT\"");
	else if (r == -1)
		log_errno(NULL, "start-failed user=%s", seam_name(SEAM_NET));
	return r == -1 ? -1 : 0;
}
