/*
 * command.c - POP3 command lines: reading, splitting, numbers.
 *
 * Way 8 of 8.  From: the client.  To: front.c (as facteur-net) and session.c
 * (as the mailbox owner).  Nothing here knows a verb.
 */
#include <stdint.h>
#include <string.h>

#include "pop3d.h"

/* RFC 2449 section 6, RFC 3206; EXPIRE NEVER: we delete nothing by ourselves */
const char pop3_capa_common[] =
    "TOP\r\n"
    "UIDL\r\n"
    "RESP-CODES\r\n"
    "AUTH-RESP-CODE\r\n"
    "PIPELINING\r\n"
    "EXPIRE NEVER\r\n";

enum line
pop3_line(struct stream *io, struct buf *line, size_t max, int64_t deadline)
{
	enum line got = stream_line(io, line, max + 1, EOL_LF, deadline);

	if (got != LINE_OK)
		return got;
	if (line->len > 0 && line->data[line->len - 1] == '\r')
		buf_cut(line, line->len - 1);
	if (line->len > max)
		return LINE_TOOLONG;
	if (memchr(buf_str(line), '\r', line->len) != NULL)
		return LINE_BADEOL;
	if (memchr(buf_str(line), '\0', line->len) != NULL)
		return LINE_NUL;
	return LINE_OK;
}

const char *
pop3_line_error(enum line got)
{
	switch (got) {
	case LINE_TOOLONG:
		return "line too long";
	case LINE_BADEOL:
		return "a line ends in CR LF and holds no other CR";
	case LINE_NUL:
		return "a line holds no NUL";
	default:
		return NULL;
	}
}

char *
pop3_split(char *line)
{
	char *arg = line + strcspn(line, " ");

	if (*arg == ' ')
		*arg++ = '\0';
	return arg;
}

/* At least one digit, and nothing but digits. Where they end, or NULL. */
static const char *
number(const char *p, uint32_t *out)
{
	uint64_t n = 0;

	if (*p < '0' || *p > '9')
		return NULL;
	for (; *p >= '0' && *p <= '9'; p++) {
		n = n * 10 + (unsigned)(*p - '0');
		if (n > UINT32_MAX)
			return NULL;
	}
	*out = (uint32_t)n;
	return p;
}

int
pop3_numbers(const char *arg, uint32_t out[2])
{
	int n = 0;

	for (arg += strspn(arg, " "); *arg != '\0'; n++) {
		if (n == 2 || (arg = number(arg, &out[n])) == NULL)
			return -1;
		if (*arg != ' ' && *arg != '\0')
			return -1;
		arg += strspn(arg, " ");
	}
	return n;
}

void
pop3_wipe(struct stream *io, struct buf *line)
{
	if (line->data != NULL)
		explicit_bzero(line->data, line->cap);
	buf_reset(line);
	if (io->in != NULL)
		explicit_bzero(io->in, io->in_pos);
}
