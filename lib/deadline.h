/* deadline.h - points in time for everything that may block. */
#ifndef LIB_DEADLINE_H
#define LIB_DEADLINE_H

#include <stdint.h>
#include <time.h>

/* A deadline is an absolute CLOCK_MONOTONIC time in milliseconds. */
#define DEADLINE_NEVER	INT64_MAX

/* Milliseconds on CLOCK_MONOTONIC, now. */
static inline int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The same clock in microseconds, for measuring. */
static inline int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* The deadline `seconds` from now. */
static inline int64_t
deadline_in(int seconds)
{
	return now_ms() + (int64_t)seconds * 1000;
}

/* What poll(2) wants: ms left until `deadline`, 0 when it has passed, -1 for never. */
static inline int
deadline_poll(int64_t deadline)
{
	int64_t left;

	if (deadline == DEADLINE_NEVER)
		return -1;
	left = deadline - now_ms();
	if (left <= 0)
		return 0;
	return left > INT32_MAX ? INT32_MAX : (int)left;
}
#endif
