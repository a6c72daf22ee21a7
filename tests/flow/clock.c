/*
 * clock.c - another time of day for Facteur's programs, and for nobody else:
 * 93-clock.t compiles it and has the loader put it in front of libc.
 *
 * PAGE names a file of two numbers: seconds to add, and, if it is not 0, the
 * second at which the clock stands still.  It is mapped, so that a change
 * reaches programs that run, as when an administrator sets the clock.  The
 * monotonic clock goes on, as it does then.
 */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *page;

__attribute__((constructor)) static void
begin(void)
{
	char exe[4096] = "";
	void *p;
	int fd;

	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) == -1 ||
	    (strstr(exe, "/libexec/facteur/") == NULL &&
	    strstr(exe, "/bin/facteur") == NULL) ||
	    (fd = open(PAGE, O_RDONLY | O_CLOEXEC)) == -1)
		return;
	p = mmap(NULL, 16, PROT_READ, MAP_SHARED, fd, 0);
	if (p != MAP_FAILED)
		page = p;
	(void)close(fd);
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int rc = (int)syscall(SYS_clock_gettime, id, ts);

	if (page == NULL || rc == -1 ||
	    (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE))
		return rc;
	ts->tv_sec += page[0];
	if (page[1] != 0)
		*ts = (struct timespec){ .tv_sec = page[1] };
	return rc;
}

time_t
time(time_t *out)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (out != NULL)
		*out = ts.tv_sec;
	return ts.tv_sec;
}

int
gettimeofday(struct timeval *tv, void *zone)
{
	struct timespec ts;

	(void)zone;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}
