/* date.h - dates as mail and our files write them. No clock is read here. */
#ifndef LIB_DATE_H
#define LIB_DATE_H

#include <stdint.h>
#include <time.h>

#include "buf.h"

/* "Mon, 23 Nov 2026 05:07:53 +0000" in local time with its offset (RFC 5322 section 3.3), English names whatever the locale. Appends. (The last second's text is kept: a process does not change its zone.) */
void	date_rfc5322(struct buf *, time_t);
/* "2026-11-23T03:19:00.123456Z" from microseconds since 1970 (digits 6), or "2026-11-23T03:19:00Z" (digits 0), or 3. Appends. */
void	date_iso(struct buf *, int64_t usec, int digits);
/* Reads what date_iso writes, with any number of fraction digits up to 6. 0 and *usec_out, or -1. */
int	date_iso_parse(const char *s, size_t len, int64_t *usec_out) __attribute__((warn_unused_result));
/* Microseconds since 1970, now (CLOCK_REALTIME). */
int64_t	date_now_usec(void);
/* "3 minutes", "2 hours", "5 days": one number, for people. Appends. */
void	date_span(struct buf *, int64_t seconds);
#endif
