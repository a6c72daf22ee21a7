/*
 * who.c - whose mailbox is an address?  The client side of authd's `who`.
 *
 * Privilege: resolve is facteur-lookup, launch is root here, local the owner;
 * who_file() reads `users` and is for an administrator at a terminal only.
 * Way 2, 5 and 6 of 8.  From: resolve_expand.c, launch.c.  To: auth/authd.c.
 */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "ctl.h"
#include "deadline.h"
#include "userdb.h"
#include "who.h"

#define ANSWER_S	10	/* seconds authd has for an answer */
#define REST_MS		5000	/* ms without questions after it gave none */

void
mailbox_release(struct mailbox *m)
{
	free(m->address);
	free(m->home);
	*m = (struct mailbox)MAILBOX_INIT;
}

bool
is_home(const char *path)
{
	const char *p = path;

	if (*p != '/')
		return false;
	while ((p = strstr(p, "/..")) != NULL) {
		p += 3;
		if (*p == '\0' || *p == '/')
			return false;
	}
	return true;
}

void
who_init(struct who *w, const struct config *cfg)
{
	*w = (struct who){ .cfg = cfg, .line = BUF_CAPPED(CTL_MAX) };
}

static void
who_close(struct who *w)
{
	if (w->open)
		stream_release(&w->stream);
	w->open = false;
}

void
who_release(struct who *w)
{
	who_close(w);
	buf_release(&w->line);
}

static int
who_open(struct who *w)
{
	int fd = ctl_connect(config_socket(w->cfg, "net/authd"));

	if (fd == -1)
		return -1;
	stream_init(&w->stream, fd, fd);
	w->open = true;
	return 0;
}

/*
 * One question down an open connection. 0 and the answer in *c, or -1 with
 * errno.
 */
static int
who_talk(struct who *w, const char *address, struct ctl *c)
{
	struct buf b = BUF_INIT;
	int got;

	ctl_begin(&b, "who");
	ctl_add(&b, "address", address);
	ctl_end(&b);
	ctl_send(&w->stream, &b);
	buf_release(&b);
	got = ctl_read(&w->stream, &w->line, c, deadline_in(ANSWER_S));
	if (got == 0)
		errno = ECONNRESET;
	return got == 1 ? 0 : -1;
}

/*
 * The connection may have died of old age since the last question: then a new
 * one is tried, once.  A connection that was never an answer's is not retried.
 */
static int
who_exchange(struct who *w, const char *address, struct ctl *c)
{
	bool was_open = w->open;

	if (!w->open && who_open(w) == -1)
		return -1;
	if (who_talk(w, address, c) == 0)
		return 0;
	who_close(w);
	if (!was_open || errno == ETIMEDOUT || who_open(w) == -1)
		return -1;
	if (who_talk(w, address, c) == 0)
		return 0;
	who_close(w);
	return -1;
}

static enum who_result
who_answer(struct who *w, const struct ctl *c, struct mailbox *out,
    struct buf *why)
{
	int64_t uid = ctl_num(c, "uid", 0, (int64_t)UINT32_MAX - 1, -1);
	int64_t gid = ctl_num(c, "gid", 0, (int64_t)UINT32_MAX - 1, -1);

	if (ctl_is(c, "none"))
		return WHO_NONE;
	if (ctl_is(c, "later")) {
		buf_adds(why, ctl_str(c, "text"));
		return WHO_LATER;
	}
	if (!ctl_is(c, "user") || uid == -1 || gid == -1 ||
	    *ctl_str(c, "address") == '\0' || !is_home(ctl_str(c, "home"))) {
		who_close(w);
		buf_adds(why, "authd gave an answer that makes no sense");
		return WHO_LATER;
	}
	out->address = xstrdup(ctl_str(c, "address"));
	out->home = xstrdup(ctl_str(c, "home"));
	out->uid = (uid_t)uid;
	out->gid = (gid_t)gid;
	return WHO_USER;
}

enum who_result
who_ask(void *who, const char *address, struct mailbox *out, struct buf *why)
{
	struct who *w = who;
	struct ctl c;

	mailbox_release(out);
	/* A silent authd must not cost every question its full time. */
	if (w->rest_until == 0 || now_ms() >= w->rest_until) {
		w->rest_until = 0;
		if (who_exchange(w, address, &c) == 0)
			return who_answer(w, &c, out, why);
		if (errno == ETIMEDOUT)
			w->rest_until = now_ms() + REST_MS;
	}
	buf_adds(why, "the user directory does not answer");
	return WHO_LATER;
}

/* The owner authd would name: DESIGN section 7, `users`. */
static void
default_owner(const struct config *cfg, const struct user *u,
    struct mailbox *out)
{
	const struct passwd *pw;

	out->uid = u->uid;
	out->gid = u->gid;
	if (!cfg->as_root) {
		out->uid = geteuid();
		out->gid = getegid();
	} else if (u->uid == (uid_t)-1 &&
	    (pw = getpwnam("facteur-mail")) != NULL) {
		out->uid = pw->pw_uid;
		out->gid = pw->pw_gid;
	}
}

static bool
is_our_postmaster(const struct config *cfg, const char *address)
{
	const char *domain = address_domain(address);

	return domain != NULL && strncasecmp(address, "postmaster@", 11) == 0 &&
	    config_is_ours(cfg, domain, strlen(domain));
}

enum who_result
who_file(const struct config *cfg, const char *address, struct mailbox *out,
    struct buf *why)
{
	struct userdb db = { NULL, 0 };
	struct user nobody = { .address = NULL, .uid = (uid_t)-1,
	    .gid = (gid_t)-1 };
	struct buf path = BUF_INIT, home = BUF_INIT, complaints = BUF_INIT;
	const struct user *u;
	enum who_result result = WHO_NONE;

	mailbox_release(out);
	buf_addf(&path, "%s/users", cfg->confdir);
	if (userdb_read(buf_str(&path), &db, &complaints) == -1) {
		buf_addf(why, "%s: %s", buf_str(&path), strerror(errno));
		result = WHO_LATER;
		goto out;
	}
	u = userdb_find(&db, address);
	if (u == NULL && is_our_postmaster(cfg, address)) {
		nobody.address = xstrdup(address);
		nobody.hash = xstrdup("*");
		nobody.home = xstrdup("");
		u = &nobody;
	}
	if (u != NULL) {
		user_home(u, cfg->mail, &home);
		default_owner(cfg, u, out);
		out->address = xstrdup(u->address);
		out->home = buf_detach(&home);
		result = WHO_USER;
	}
out:
	if (nobody.address != NULL)
		user_release(&nobody);
	userdb_release(&db);
	buf_release(&path);
	buf_release(&home);
	buf_release(&complaints);
	return result;
}

enum who_result
who_ask_or_file(void *who, const char *address, struct mailbox *out,
    struct buf *why)
{
	struct who *w = who;
	enum who_result result = who_ask(w, address, out, why);

	if (result != WHO_LATER)
		return result;
	buf_reset(why);
	return who_file(w->cfg, address, out, why);
}
