/*
 * date.c - dates as mail (RFC 5322) and our own files (ISO 8601, UTC) write
 * them.  Names are English whatever the locale: strftime is not asked.
 *
 * A library: runs in every program, at its privilege.
 */
#include <stdlib.h>
#include <string.h>

#include "date.h"

#define USEC	1000000
#define LAST	253402300799	/* s: the end of the year 9999 */

/* Each second is asked for many times: its texts are kept. */
struct second {
	time_t	when;
	struct buf text;	/* owned; empty: none yet */
};

static void
rfc5322_text(time_t when, struct buf *out)
{
	static const char days[7][4] = {
		"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"
	};
	static const char months[12][4] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun",
		"Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
	};
	struct tm tm;
	long offset;

	if (localtime_r(&when, &tm) == NULL) {
		when = 0;		/* a year that no int can hold */
		(void)gmtime_r(&when, &tm);
	}
	offset = tm.tm_gmtoff / 60;
	buf_addf(out, "%s, %02d %s %d %02d:%02d:%02d %c%02ld%02ld",
	    days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
	    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec,
	    offset < 0 ? '-' : '+', labs(offset) / 60, labs(offset) % 60);
}

/*
 * UTC, in the Gregorian calendar.  gmtime_r() would do, but it costs a
 * process that writes one line of the log two page faults (INTERNALS 8).  Years
 * begin in March here, so a 29 February is the last day of its year; 400 of
 * them have 146,097 days, and 1970 begins 719,468 days behind the first of
 * March of year 0.
 */
static void
iso_text(time_t when, struct buf *out)
{
	int64_t t = when < 0 || when > LAST ? 0 : when;
	int64_t day = t / 86400 + 719468, era = day / 146097, year, month;

	day %= 146097;
	year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	day -= 365 * year + year / 4 - year / 100;
	month = (5 * day + 2) / 153;
	day -= (153 * month + 2) / 5 - 1;
	month += month < 10 ? 3 : -9;
	year += era * 400 + (month <= 2);
	buf_addf(out, "%04d-%02d-%02dT%02d:%02d:%02d", (int)year, (int)month,
	    (int)day, (int)(t / 3600 % 24), (int)(t / 60 % 60), (int)(t % 60));
}

static void
add_second(struct buf *out, struct second *s, time_t when,
    void (*text)(time_t, struct buf *))
{
	if (s->text.len == 0 || s->when != when) {
		s->when = when;
		buf_reset(&s->text);
		text(when, &s->text);
	}
	buf_add(out, s->text.data, s->text.len);
}

void
date_rfc5322(struct buf *out, time_t when)
{
	static struct second last;

	add_second(out, &last, when, rfc5322_text);
}

void
date_iso(struct buf *out, int64_t usec, int digits)
{
	static struct second last;
	int64_t fraction = usec % USEC;
	time_t when = usec / USEC;
	char tail[8] = ".000000";

	if (fraction < 0) {
		fraction += USEC;
		when--;
	}
	for (int i = 6; i > 0; i--, fraction /= 10)
		tail[i] = (char)('0' + fraction % 10);
	add_second(out, &last, when, iso_text);
	buf_add(out, tail, digits == 3 ? 4 : digits > 0 ? 7 : 0);
	buf_addc(out, 'Z');
}

/* Exactly n digits, their value in [min, max]; else -1. */
static int
number(const char *s, int n, int min, int max)
{
	int value = 0;

	for (int i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		value = value * 10 + s[i] - '0';
	}
	return value >= min && value <= max ? value : -1;
}

/* ".123" as microseconds; "" is 0; -1: malformed. */
static int
fraction_parse(const char *s, size_t len)
{
	int usec = 0, scale = USEC;

	if (len == 0)
		return 0;
	if (s[0] != '.' || len < 2 || len > 7)
		return -1;
	for (size_t i = 1; i < len; i++) {
		int digit = number(s + i, 1, 0, 9);

		if (digit == -1)
			return -1;
		scale /= 10;
		usec += digit * scale;
	}
	return usec;
}

int
date_iso_parse(const char *s, size_t len, int64_t *usec_out)
{
	static const char shape[] = "....-..-..T..:..:..";
	const size_t fixed = sizeof(shape) - 1;
	struct tm tm = { 0 };
	int fraction, year, month, mday;
	time_t when;

	if (len < fixed + 1 || s[len - 1] != 'Z')
		return -1;
	for (size_t i = 0; i < fixed; i++)
		if (shape[i] != '.' && s[i] != shape[i])
			return -1;
	year = number(s, 4, 1970, 9999);
	month = number(s + 5, 2, 1, 12);
	mday = number(s + 8, 2, 1, 31);
	tm.tm_hour = number(s + 11, 2, 0, 23);
	tm.tm_min = number(s + 14, 2, 0, 59);
	tm.tm_sec = number(s + 17, 2, 0, 59);
	fraction = fraction_parse(s + fixed, len - fixed - 1);
	if (year == -1 || month == -1 || mday == -1 || tm.tm_hour == -1 ||
	    tm.tm_min == -1 || tm.tm_sec == -1 || fraction == -1)
		return -1;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	tm.tm_mday = mday;
	when = timegm(&tm);
	if (tm.tm_mday != mday)		/* 30 February became March */
		return -1;
	*usec_out = (int64_t)when * USEC + fraction;
	return 0;
}

int64_t
date_now_usec(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * USEC + ts.tv_nsec / 1000;
}

void
date_span(struct buf *out, int64_t seconds)
{
	static const struct { int64_t length; const char *name; } units[] = {
		{ 86400, "day" }, { 3600, "hour" }, { 60, "minute" },
		{ 1, "second" }
	};
	size_t i = 0;
	int64_t n;

	if (seconds < 0)
		seconds = 0;
	while (i < 3 && seconds < units[i].length)
		i++;
	n = (seconds + units[i].length / 2) / units[i].length;
	buf_addf(out, "%lld %s%s", (long long)n, units[i].name,
	    n == 1 ? "" : "s");
}
