/*
 * renew.c - a fresh program in place of one whose session has crashed: new
 * layout of memory, new canaries, while the old one lets its sessions end.
 *
 * A program behind its walls cannot execute itself any more; it asks by a byte
 * in a pipe.  The new one gets the same listeners; then SIGHUP tells the old
 * one to accept nothing more.  At most once a minute for each program.
 * Runs as the supervisor.  Way 0 of 8.  From: lib/serve_accept.c.  To: service.c.
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "admin.h"
#include "deadline.h"
#include "log.h"

#define PAUSE	(60 * 1000)	/* ms between two renewals of a program */

int64_t
renew_due(const struct service *s)
{
	if (!s->renew_asked || s->pid == 0 || s->nold == RENEW_OLD)
		return DEADLINE_NEVER;
	return s->renewed == 0 ? 0 : s->renewed + PAUSE;
}

void
renew_look(struct service *s)
{
	char byte[16];

	if (s->renew > 0 && read(s->renew, byte, sizeof(byte)) > 0)
		s->renew_asked = true;
}

void
renew_forget(struct service *s)
{
	if (s->renew > 0)
		(void)close(s->renew);
	s->renew = 0;
	s->renew_asked = false;
}

void
renew_start(struct service *s, const struct launchpad *l)
{
	struct service before = *s;

	s->renew = 0;
	s->renewed = now_ms();
	if (service_start(s, l) == -1) {
		log_errno(NULL, "renew-failed program=%s", s->name);
		*s = before;
		s->renewed = now_ms();
		return;
	}
	log_event(NULL, "renewed program=%s pid=%d old=%d text=\"a session "
	    "was killed by a signal\"", s->name, (int)s->pid,
	    (int)before.pid);
	renew_forget(&before);
	s->renew_asked = false;
	s->old[s->nold++] = before.pid;
	(void)kill(before.pid, SIGHUP);
}

bool
renew_ended(struct service *s, pid_t pid)
{
	for (unsigned i = 0; i < s->nold; i++)
		if (s->old[i] == pid) {
			s->old[i] = s->old[--s->nold];
			return true;
		}
	return false;
}
