/*
 * launch - becomes the owner of a mailbox, and is then `local` or the POP3
 * session for that owner.
 *
 * Privilege: root until become(); nothing before it looks at a message, and
 * uid and home come from authd, never from the request.  Root is nobody's
 * mailbox.  In single-uid mode there is nothing to become.
 * Way 6 and 8 of 8.  From: queue/agent.c, auth/authd.c.
 * To: worker.c, pop3d/session.c.
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "../pop3d/session.h"
#include "ctl.h"
#include "deadline.h"
#include "local.h"
#include "log.h"
#include "privdrop.h"
#include "sandbox.h"
#include "seams.h"
#include "serve.h"
#include "wake.h"
#include "who.h"

#define REQUEST_S	30	/* seconds for the request, and our answer */

static struct {
	const struct config *cfg;
} L;

/* Nobody's mailbox is root's, or that of a program of ours. */
static bool
is_owner(const struct mailbox *box)
{
	return !L.cfg->as_root || (box->uid != 0 && box->gid != 0 &&
	    !seam_is_program(box->uid));
}

/* 0 and the mailbox, or -1 and the verdict. */
static int
find_owner(const char *address, struct mailbox *box, struct verdict *v)
{
	struct buf why = BUF_INIT;
	struct who w;
	int rc = 0;

	who_init(&w, L.cfg);
	switch (who_ask(&w, address, box, &why)) {
	case WHO_USER:
		if (!is_owner(box))
			rc = verdict_set(v, DEFERRED, "4.3.5",
			    "a mailbox of root, or of a program of ours, "
			    "is not served");
		break;
	case WHO_NONE:
		rc = verdict_set(v, DEFERRED, "4.2.1",
		    "the mailbox does not exist any more");
		break;
	case WHO_LATER:
		rc = verdict_set(v, DEFERRED, "4.3.0", "%s", buf_str(&why));
		break;
	}
	who_release(&w);
	buf_release(&why);
	return rc;
}

/* Gives root up for good.  With the uid the wish to end with launch is lost. */
static int
become(uid_t uid, gid_t gid, struct verdict *v)
{
	pid_t parent = getppid();

	if (!L.cfg->as_root || (privdrop(uid, gid, NULL) == 0 &&
	    wake_with_parent(parent) == 0))
		return 0;
	return verdict_errno(v, "cannot become the owner");
}

/* A refusal is not told as root either: as whoever asked. */
static int
become_client(int64_t uid)
{
	struct verdict v = VERDICT_INIT;
	const struct passwd *pw;

	if (!L.cfg->as_root)
		return 0;
	if ((pw = getpwuid((uid_t)uid)) == NULL)
		return -1;
	return become(pw->pw_uid, pw->pw_gid, &v);
}

static int
run_local(struct stream *s, const struct mailbox *box,
    const struct verdict *refusal)
{
	log_init("local");
	if (refusal != NULL)
		log_event(NULL, "local-refused text=%s",
		    quoted(buf_str(&refusal->text)));
	else if (chdir("/") == -1)
		log_errno(NULL, "chdir home=%s", quoted(box->home));
	sandbox_enter(SANDBOX_LOCAL, L.cfg, refusal == NULL ? box->home : NULL);
	return local_worker(s, L.cfg, refusal);
}

/* Answers authd; ends the conversation with it. */
static void
pop3_answer(struct stream *s, const struct verdict *refusal)
{
	struct buf b = BUF_INIT;

	ctl_begin(&b, refusal == NULL ? "ok" : "err");
	if (refusal != NULL) {
		ctl_add(&b, "text", buf_str(&refusal->text));
		log_event(NULL, "pop3-refused text=%s",
		    quoted(buf_str(&refusal->text)));
	}
	ctl_end(&b);
	ctl_send(s, &b);
	if (stream_flush(s, deadline_in(REQUEST_S)) == -1)
		log_errno(NULL, "answer-lost");
	stream_release(s);
	buf_release(&b);
}

static int
enter_home(const struct mailbox *box, struct verdict *v)
{
	int fd = home_open(L.cfg->mail, box->home, v), rc;

	if (fd == -1)
		return -1;
	rc = fchdir(fd) == -1 ? verdict_errno(v, box->home) : 0;
	(void)close(fd);
	return rc;
}

static int
run_pop3(struct stream *s, const struct mailbox *box, struct verdict *v,
    const struct verdict *refusal)
{
	int fd = stream_take_fd(s);

	log_init("pop3d");
	if (refusal == NULL && fd == -1) {
		verdict_set(v, DEFERRED, "4.3.0", "no session came along");
		refusal = v;
	}
	if (refusal == NULL && enter_home(box, v) == -1)
		refusal = v;
	sandbox_enter(SANDBOX_POP3_MAILBOX, L.cfg,
	    refusal == NULL ? "." : NULL);
	pop3_answer(s, refusal);
	if (refusal == NULL)
		return pop3_session(fd, fd, "Maildir", box->address);
	if (fd != -1)
		(void)close(fd);
	return EX_TEMPFAIL;
}

static int
session(int fd, const struct serve_conn *conn, void *arg)
{
	struct buf line = BUF_INIT;
	struct mailbox box = MAILBOX_INIT;
	struct verdict v = VERDICT_INIT, *refusal = NULL;
	int64_t uid = ctl_peer_uid(fd);
	struct stream s;
	struct ctl c;
	bool local;

	(void)conn;
	(void)arg;
	stream_init_unix(&s, fd);
	if (ctl_read(&s, &line, &c, deadline_in(REQUEST_S)) != 1 ||
	    ctl_get(&c, "address") == NULL ||
	    !seam_allows("launch", c.verb, uid)) {
		log_event(NULL, "request-refused uid=%lld", (long long)uid);
		stream_release(&s);
		return EX_PROTOCOL;
	}
	local = ctl_is(&c, "local");
	if (find_owner(ctl_str(&c, "address"), &box, &v) == -1 ||
	    become(box.uid, box.gid, &v) == -1) {
		refusal = &v;
		if (become_client(uid) == -1) {
			stream_release(&s);
			return EX_NOPERM;
		}
	}
	buf_release(&line);
	return local ? run_local(&s, &box, refusal) :
	    run_pop3(&s, &box, &v, refusal);
}

static int
confine(void *arg)
{
	(void)arg;
	/* Else each child would do it, in as many calls as there are. */
	if (L.cfg->as_root && privdrop_bounding() == -1)
		return -1;
	sandbox_enter(SANDBOX_LAUNCH, L.cfg, NULL);
	return 0;
}

int
main(int argc, char *argv[])
{
	struct serve serve = { .session = session,
	    .allowed = seam_may_connect, .confine = confine };
	const char *confdir = NULL;
	int ch;

	process_init();
	log_init("launch");
	while ((ch = getopt(argc, argv, "C:")) != -1) {
		if (ch != 'C') {
			fprintf(stderr, "usage: launch [-C confdir]\n");
			return EX_USAGE;
		}
		confdir = optarg;
	}
	L.cfg = config_or_die(confdir);
	seams_init(L.cfg);
	serve.max = (unsigned)(L.cfg->connections +
	    L.cfg->local_concurrency) + LOCAL_KEPT;
	return serve_run(&serve);
}
