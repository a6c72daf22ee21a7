/*
 * notice.c - inject's notices: a datagram for each message that is committed,
 * so that it is tried at once (INTERNALS 2).
 *
 * Runs in the queue manager.  Way 4 of 8.  From: queue/inject_txn.c.  To:
 * queue/active.c.  Best effort: the kernel holds ten, inotify sees the others.
 */
#include <sys/socket.h>

#include <string.h>

#include "queue.h"

#define USEC_WORD	" us="
#define NOTICE_MAX	(SPOOL_NAME_MAX + sizeof(USEC_WORD) - 1 + USEC_DIGITS)
#define USEC_DIGITS	10

bool
notice_parse(char *text, char id[ID_LEN + 1], int64_t *size, int64_t *usec)
{
	char *word = strchr(text, ' ');
	const char *n;

	*usec = -1;
	if (word == NULL)
		return spool_name_parse(text, id, size);
	if (strncmp(word, USEC_WORD, strlen(USEC_WORD)) != 0)
		return false;
	n = word + strlen(USEC_WORD);
	if (*n == '\0' || strlen(n) > USEC_DIGITS ||
	    n[strspn(n, "0123456789")] != '\0')
		return false;
	for (*usec = 0; *n != '\0'; n++)
		*usec = *usec * 10 + (*n - '0');
	*word = '\0';
	return spool_name_parse(text, id, size);
}

void
notice_ready(struct watch *w, uint32_t events)
{
	char text[NOTICE_MAX + 2], id[ID_LEN + 1];
	int64_t size, usec;
	struct msg *m;
	ssize_t len;

	(void)events;
	while ((len = recv(w->fd, text, sizeof(text) - 1, MSG_DONTWAIT)) >= 0) {
		text[len] = '\0';
		if (strlen(text) != (size_t)len ||
		    !notice_parse(text, id, &size, &usec))
			continue;
		m = msg_add(id, size, 0);
		stats_message(m);
		if (usec >= 0)
			stats_accept(usec);
		if (m->active == NULL && m->due != 0)
			msg_due(m, 0);
	}
	active_run();
}
