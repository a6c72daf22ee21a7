/*
 * log.c - one line on stderr for each event, and the one quoting of peer text.
 *
 * Runs at every privilege.  Mail matters more than its diary: when nobody
 * reads stderr a line is dropped and counted, never waited for.  No control
 * byte gets through, so a line in the log is always one of ours.
 * Way: everywhere.  From: every program.  To: stderr, `facteur why`.
 */
#include <sys/stat.h>
#include <sys/uio.h>

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "date.h"
#include "log.h"

#define LINE_BYTES	4096	/* PIPE_BUF: a pipe takes that much whole */
#define LINE_ROOM	320	/* of most lines */
#define QUOTE_BYTES	500
#define QUOTE_RING	4

static const char *program = "facteur";
static unsigned long dropped;
static bool is_stream;		/* stderr is a pipe or a socket */
static bool is_file;		/* it is a file: never a reason to wait */

void
log_init(const char *name)
{
	struct stat st;
	bool known = fstat(STDERR_FILENO, &st) == 0;

	program = name;
	is_stream = known && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
	is_file = known && S_ISREG(st.st_mode);
}

/*
 * 0 when it went out.  A short write counts as sent: its rest is lost.  All
 * programs write into one pipe, and O_NONBLOCK would be everyone's: so the
 * write itself is told not to wait.  (Of a file only plain writes tell the
 * truth.)  Where that cannot be told, poll has to do, though another may take
 * the last room behind it.
 */
static int
emit(const char *line, size_t len)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
	struct iovec v = { .iov_base = (char *)(uintptr_t)line,
	    .iov_len = len };

	if (is_stream) {
		if (pwritev2(STDERR_FILENO, &v, 1, -1, RWF_NOWAIT) != -1)
			return 0;
		/* Anything else: a kernel or a sandbox without that. */
		if (errno == EAGAIN || errno == EPIPE)
			return -1;
	}
	if (!is_file && (poll(&p, 1, 0) != 1 || (p.revents & POLLOUT) == 0))
		return -1;
	return write(STDERR_FILENO, line, len) == -1 ? -1 : 0;
}

/* " t=2026-11-23T03:19:00.123Z by=smtpd[4711]" */
static void
add_origin(struct buf *line)
{
	buf_adds(line, " t=");
	date_iso(line, date_now_usec(), 3);
	buf_addf(line, " by=%s[%ld]", program, (long)getpid());
}

/* Makes exactly one line of it: no control bytes, an end, no half character. */
static void
finish(struct buf *line)
{
	size_t len;

	for (size_t i = 0; i < line->len; i++)
		if ((unsigned char)line->data[i] < 0x20 ||
		    line->data[i] == 0x7f)
			line->data[i] = '?';
	if (line->len > LINE_BYTES - 1) {
		len = LINE_BYTES - 1 - 3;
		while (len > 0 &&
		    ((unsigned char)line->data[len] & 0xc0) == 0x80)
			len--;
		buf_cut(line, len);
		buf_adds(line, "...");
	}
	buf_addc(line, '\n');
}

/* The counter's line goes first: the gap then stands where it happened. */
static void
send_line(const struct buf *line)
{
	struct buf note = BUF_INIT;

	if (dropped > 0) {
		buf_adds(&note, "- log-dropped");
		add_origin(&note);
		buf_addf(&note, " n=%lu\n", dropped);
		if (emit(note.data, note.len) == 0)
			dropped = 0;
		buf_release(&note);
	}
	if (dropped > 0 || emit(line->data, line->len) == -1)
		dropped++;
}

static void log_line(const char *, int, const char *, va_list)
    __attribute__((format(printf, 3, 0)));

static void
log_line(const char *id, int error, const char *fmt, va_list ap)
{
	struct buf text = BUF_INIT, line = BUF_INIT;
	size_t word;

	/* Most fit: they are formatted once. */
	(void)buf_room(&text, LINE_ROOM);
	(void)buf_room(&line, LINE_ROOM);
	buf_vaddf(&text, fmt, ap);
	word = (size_t)(strchrnul(buf_str(&text), ' ') - buf_str(&text));
	buf_adds(&line, id == NULL || *id == '\0' ? "-" : id);
	buf_addc(&line, ' ');
	buf_add(&line, buf_str(&text), word);
	add_origin(&line);
	buf_adds(&line, buf_str(&text) + word);
	if (error != 0) {
		buf_adds(&line, " error=");
		log_quote(&line, strerror(error));
	}
	finish(&line);
	send_line(&line);
	buf_release(&text);
	buf_release(&line);
}

void
log_event(const char *id, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	log_line(id, 0, fmt, ap);
	va_end(ap);
	errno = saved;
}

void
log_errno(const char *id, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	log_line(id, saved, fmt, ap);
	va_end(ap);
	errno = saved;
}

/*
 * The length of the well-formed UTF-8 sequence at s (RFC 3629 section 4), or
 * 0.  Reads no byte behind one that does not fit, so the NUL stops it.
 */
static size_t
utf8_len(const unsigned char *s, uint32_t *code_out)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 :
	    (s[0] & 0xf0) == 0xe0 ? 3 : (s[0] & 0xf8) == 0xf0 ? 4 : 0;
	uint32_t code = n < 2 ? s[0] : s[0] & (0x7fu >> n);

	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (n == 0 || code < least[n] || code > 0x10ffff ||
	    (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*code_out = code;
	return n;
}

/* Would it move a terminal's cursor, end a line, or turn the text around? */
static bool
is_unsafe(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f) ||
	    (code >= 0x2028 && code <= 0x202e) ||
	    (code >= 0x2066 && code <= 0x2069);
}

/* Writes the character at *s as it may stand in a log; moves *s behind it. */
static size_t
quote_one(const unsigned char **s, char out[17])
{
	uint32_t code = 0;
	size_t n = utf8_len(*s, &code), len = 0;
	size_t used = n == 0 ? 1 : n;

	if (n == 0 || is_unsafe(code)) {
		for (size_t i = 0; i < used; i++)
			len += (size_t)snprintf(out + len, 5, "\\x%02X",
			    (unsigned)(*s)[i]);
	} else {
		if (code == '"' || code == '\\')
			out[len++] = '\\';
		memcpy(out + len, *s, n);
		len += n;
	}
	*s += used;
	return len;
}

/* How many characters at s, of at most max, stand in a log as they are? */
static size_t
plain_run(const unsigned char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n] >= 0x20 && s[n] < 0x7f && s[n] != '"' &&
	    s[n] != '\\')
		n++;
	return n;
}

void
log_quote(struct buf *b, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t len, left = QUOTE_BYTES - 3;
	char one[17];

	buf_addc(b, '"');
	for (;;) {
		len = plain_run(s, left);
		buf_add(b, s, len);
		s += len;
		left -= len;
		if (*s == '\0')
			break;
		len = quote_one(&s, one);
		if (len > left) {
			buf_adds(b, "...");
			break;
		}
		buf_add(b, one, len);
		left -= len;
	}
	buf_addc(b, '"');
}

void
log_safe(struct buf *b, const char *line)
{
	const unsigned char *s = (const unsigned char *)line;

	while (*s != '\0') {
		uint32_t code = 0;
		size_t n = utf8_len(s, &code);

		if (n > 0 && !is_unsafe(code))
			buf_add(b, s, n);
		else
			for (size_t i = 0; i < (n == 0 ? 1 : n); i++)
				buf_addf(b, "\\x%02X", s[i]);
		s += n == 0 ? 1 : n;
	}
}

const char *
quoted(const char *text)
{
	static struct buf ring[QUOTE_RING];
	static unsigned turn;
	struct buf *b = &ring[turn++ % QUOTE_RING];

	buf_reset(b);
	log_quote(b, text == NULL ? "" : text);
	return buf_str(b);
}
