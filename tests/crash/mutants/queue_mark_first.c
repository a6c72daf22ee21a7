/*
 * queue_mark_first - the mistake: all recipients are marked `done` when the
 * message is handed to an agent, not when the agent has said so.
 *
 * program: queue/queue.c
 * wrap: open
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int	__real_open(const char *, int, ...);
int	__wrap_open(const char *, int, ...);

static void
mark_all(int fd)
{
	static char text[65536];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	unsigned rcpt = 0;

	text[n > 0 ? n : 0] = '\0';
	for (char *p = text; (p = strstr(p, "\nrcpt ")) != NULL; p++) {
		char line[80];
		int len = snprintf(line, sizeof(line), "done %u "
		    "2026-11-23T03:19:00.000000Z - \"250 surely\"\n", ++rcpt);

		(void)!write(fd, line, (size_t)len);
	}
}

/* The one file that is opened so is the message for an agent. */
int
__wrap_open(const char *path, int flags, ...)
{
	if (strncmp(path, "/proc/self/fd/", 14) == 0)
		mark_all((int)strtol(path + 14, NULL, 10));
	return __real_open(path, flags, 0600);
}
