/*
 * arrivals - waits until messages have come into Maildirs, by inotify.
 *
 * usage: arrivals COUNT DIR/new...
 * Says "ready", and ends with one JSON line when COUNT names have come, or at
 * SIGTERM; "last" is the time of the last of them on CLOCK_MONOTONIC.
 */
#include <sys/inotify.h>

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stop;

static void
on_term(int sig)
{
	(void)sig;
	stop = 1;
}

static double
now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Names in one read; -1: interrupted. */
static int
read_some(int fd)
{
	static char buf[65536]
	    __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t r = read(fd, buf, sizeof(buf));
	int n = 0;

	if (r == -1 && errno == EINTR)
		return -1;
	if (r == -1)
		err(1, "read");
	for (char *p = buf; p < buf + r; ) {
		struct inotify_event *e = (void *)p;

		if (e->mask & IN_Q_OVERFLOW)
			errx(1, "events were lost: raise "
			    "fs.inotify.max_queued_events");
		n++;
		p += sizeof(*e) + e->len;
	}
	return n;
}

int
main(int argc, char *argv[])
{
	struct sigaction sa = { .sa_handler = on_term };
	int fd = inotify_init1(IN_CLOEXEC), wanted, got = 0;
	double last = 0;

	if (argc < 3)
		errx(64, "usage: arrivals count dir...");
	wanted = (int)strtonum(argv[1], 1, 1 << 30, NULL);
	if (fd == -1)
		err(1, "inotify");
	for (int i = 2; i < argc; i++)
		if (inotify_add_watch(fd, argv[i],
		    IN_CREATE | IN_MOVED_TO) == -1)
			err(1, "%s", argv[i]);
	(void)sigaction(SIGTERM, &sa, NULL);
	(void)puts("ready");
	(void)fflush(stdout);
	while (got < wanted && !stop) {
		int n = read_some(fd);

		if (n > 0) {
			got += n;
			last = now();
		}
	}
	(void)printf("{\"got\":%d,\"last\":%.6f}\n", got, last);
	return 0;
}
