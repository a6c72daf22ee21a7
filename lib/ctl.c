/*
 * ctl.c - the frames our programs speak with each other: one codec for both
 * ends of every seam (INTERNALS 2.1), and the few calls around it.
 *
 * Runs at every privilege; what it parses may come from a less privileged
 * process and is treated like a stranger's bytes.
 * Way 2, 3, 5 and 7 of 8.  From: whoever asks.  To: whoever answers.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"

/* May this byte stand in a value as it is? */
static bool
is_plain(unsigned char c)
{
	return c > 0x20 && c != 0x7F && c != '%' && c != '"' && c != '<' &&
	    c != '>';
}

void
ctl_begin(struct buf *b, const char *verb)
{
	buf_adds(b, verb);
}

void
ctl_add(struct buf *b, const char *key, const char *value)
{
	static const char hex[] = "0123456789ABCDEF";
	const char *p = value;

	if (value == NULL)
		return;
	buf_addc(b, ' ');
	buf_adds(b, key);
	buf_addc(b, '=');
	while (*p != '\0') {
		size_t run = 0;

		while (p[run] != '\0' && is_plain((unsigned char)p[run]))
			run++;
		buf_add(b, p, run);
		p += run;
		if (*p != '\0') {
			unsigned char c = (unsigned char)*p++;
			char code[3] = { '%', hex[c >> 4], hex[c & 15] };

			buf_add(b, code, sizeof(code));
		}
	}
}

void
ctl_addn(struct buf *b, const char *key, int64_t n)
{
	buf_addf(b, " %s=%" PRId64, key, n);
}

void
ctl_end(struct buf *b)
{
	buf_addc(b, '\n');
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/*
 * Length of the verb or key at s: a lower-case letter, then letters, digits
 * and hyphens.  0: there is none.
 */
static size_t
word_len(const char *s)
{
	size_t n = 0;

	if (*s < 'a' || *s > 'z')
		return 0;
	while ((s[n] >= 'a' && s[n] <= 'z') || (s[n] >= '0' && s[n] <= '9') ||
	    s[n] == '-')
		n++;
	return n;
}

/*
 * Decodes the value at s in place.  Returns the first byte behind its encoded
 * form (a blank, or end), or NULL if it is malformed.
 */
static char *
value_decode(char *s, const char *end)
{
	char *to = s;

	while (s < end && *s != ' ') {
		if (*s == '%') {
			int hi, lo;

			if (end - s < 3 || (hi = hex_digit(s[1])) == -1 ||
			    (lo = hex_digit(s[2])) == -1 || (hi | lo) == 0)
				return NULL;
			*to++ = (char)(hi << 4 | lo);
			s += 3;
		} else if (is_plain((unsigned char)*s)) {
			*to++ = *s++;
		} else {
			return NULL;
		}
	}
	/* A shorter value ends here; what ends at s, the caller ends. */
	if (to < s)
		*to = '\0';
	return s;
}

int
ctl_parse(char *line, size_t len, struct ctl *out)
{
	char *s = line, *end = line + len;
	size_t n = word_len(line);

	out->n = 0;
	out->verb = line;
	if (n == 0 || len > CTL_MAX)
		return -1;
	for (s += n; s < end;) {
		char *key = s + 1;

		if (*s != ' ' || out->n == CTL_PAIRS)
			return -1;
		*s = '\0';
		n = word_len(key);
		if (n == 0 || key[n] != '=')
			return -1;
		key[n] = '\0';
		/* Two answers to one question: no reader shall choose. */
		if (ctl_get(out, key) != NULL)
			return -1;
		s = value_decode(key + n + 1, end);
		if (s == NULL)
			return -1;
		out->pair[out->n].key = key;
		out->pair[out->n++].value = key + n + 1;
	}
	return 0;
}

bool
ctl_is(const struct ctl *c, const char *verb)
{
	return strcmp(c->verb, verb) == 0;
}

const char *
ctl_get(const struct ctl *c, const char *key)
{
	for (unsigned i = 0; i < c->n; i++)
		if (strcmp(c->pair[i].key, key) == 0)
			return c->pair[i].value;
	return NULL;
}

const char *
ctl_str(const struct ctl *c, const char *key)
{
	const char *value = ctl_get(c, key);

	return value != NULL ? value : "";
}

int64_t
ctl_num(const struct ctl *c, const char *key, int64_t min, int64_t max,
    int64_t otherwise)
{
	const char *p = ctl_str(c, key);
	bool negative = *p == '-';
	int64_t n = 0;

	/* strtonum would also take blanks and a plus sign. */
	p += negative;
	if (*p == '\0')
		return otherwise;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_sub_overflow(n, *p - '0', &n))
			return otherwise;
	if (*p != '\0' || (!negative && n == INT64_MIN))
		return otherwise;
	n = negative ? n : -n;
	return n >= min && n <= max ? n : otherwise;
}

bool
ctl_yes(const struct ctl *c, const char *key)
{
	return strcmp(ctl_str(c, key), "yes") == 0;
}

int
ctl_read(struct stream *s, struct buf *line, struct ctl *out, int64_t deadline)
{
	switch (stream_line(s, line, CTL_MAX, EOL_LF, deadline)) {
	case LINE_OK:
		if (line->len > 0 && buf_ok(line) &&
		    ctl_parse(line->data, line->len, out) == 0)
			return 1;
		break;
	case LINE_EOF:
		return 0;
	case LINE_TIMEOUT:
		errno = ETIMEDOUT;
		return -1;
	case LINE_ERROR:
		return -1;
	case LINE_TOOLONG:
	case LINE_BADEOL:
	case LINE_NUL:
		break;
	}
	errno = EBADMSG;
	return -1;
}

void
ctl_send(struct stream *s, const struct buf *b)
{
	/* Half a frame would be understood as another: say nothing. */
	if (!buf_ok(b))
		s->broken = true;
	else
		stream_write(s, b->data, b->len);
}

static int
connect_to(const char *path, int flags)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, saved;

	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (fd == -1)
		return -1;
	/* A Unix socket that was interrupted has not begun to connect. */
	while (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1) {
		if (errno == EINTR)
			continue;
		saved = errno;
		(void)close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

int
ctl_connect(const char *path)
{
	return connect_to(path, 0);
}

int
ctl_connect_now(const char *path)
{
	return connect_to(path, SOCK_NONBLOCK);
}

int64_t
ctl_peer_uid(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		return -1;
	if (cred.uid == (uid_t)-1) {
		errno = ENOTCONN;	/* no Unix socket: nobody vouches */
		return -1;
	}
	return (int64_t)cred.uid;
}
