/*
 * maildir.c - names of messages in a Maildir, and how long a message is on the
 * wire.  The name says both sizes, so that POP3 need not open the file.
 *
 * A library: runs in local and in the POP3 session, as the mailbox owner.
 * Way 6 of 8.  From: local/deliver.  To: pop3d/drop.
 */
#include <stdlib.h>
#include <string.h>

#include "id.h"
#include "maildir.h"

#define UNIQUE_MAX	70	/* RFC 1939 section 7: the longest UIDL */
#define USEC		1000000

void
maildir_name(struct buf *out, const char *id, unsigned n, const char *host,
    int64_t size, int64_t wire)
{
	size_t start = out->len;
	int64_t usec = id_usec(id);

	buf_addf(out, "%lld.Q%sR%u.", (long long)(usec < 0 ? 0 : usec / USEC),
	    id, n);
	for (; *host != '\0' && out->len - start < UNIQUE_MAX; host++) {
		unsigned char c = (unsigned char)*host;

		buf_addc(out, c <= ' ' || c >= 0x7F ||
		    strchr("/:,", c) != NULL ? '-' : *host);
	}
	buf_addf(out, ",S=%lld,W=%lld", (long long)size, (long long)wire);
}

/* Digits at s as a number; -1 when there are none, or too many. */
static int64_t
digits(const char *s)
{
	int64_t n = 0;

	if (*s < '0' || *s > '9')
		return -1;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (n > (INT64_MAX - 9) / 10)
			return -1;
		n = n * 10 + *s - '0';
	}
	return n;
}

/* The second part of the unique name: "M123456P99", or our own "QidRn". */
static int64_t
microseconds(const char *part, size_t len)
{
	int64_t usec;
	char id[ID_LEN + 1];

	if (len > ID_LEN + 2 && part[0] == 'Q' && part[ID_LEN + 1] == 'R' &&
	    is_id(part + 1, ID_LEN)) {
		memcpy(id, part + 1, ID_LEN);
		id[ID_LEN] = '\0';
		return id_usec(id) % USEC;
	}
	for (size_t i = 0; i < len; i++)
		if (part[i] == 'M') {
			usec = digits(part + i + 1);
			return usec >= 0 && usec < USEC ? usec : 0;
		}
	return 0;
}

bool
maildir_parse(const char *name, struct maildir_entry *out)
{
	const char *dot, *p;

	*out = (struct maildir_entry){ .size = -1, .wire = -1 };
	if (name[0] == '\0' || name[0] == '.')
		return false;
	out->unique_len = strcspn(name, ",:");
	if ((out->sec = digits(name)) < 0)
		out->sec = 0;
	dot = memchr(name, '.', out->unique_len);
	if (dot != NULL)
		out->usec = microseconds(dot + 1, strcspn(dot + 1, ".,:"));
	/* ",S=1,W=2" up to the flags, which begin with a colon. */
	for (p = name + out->unique_len; *p == ','; p += strcspn(p, ",:")) {
		p++;
		if (p[0] == 'S' && p[1] == '=')
			out->size = digits(p + 2);
		else if (p[0] == 'W' && p[1] == '=')
			out->wire = digits(p + 2);
	}
	return true;
}

void
wire_count_init(struct wire_count *w)
{
	*w = (struct wire_count){ .bol = true };
}

/* An LF costs two bytes, unless a stored CR already went before it. */
void
wire_count(struct wire_count *w, const char *p, size_t len)
{
	const char *s = p, *end = p + len, *lf;
	int64_t more = 0;

	if (len == 0)
		return;
	for (; (lf = memchr(s, '\n', (size_t)(end - s))) != NULL; s = lf + 1)
		more += lf == p ? !w->cr : lf[-1] != '\r';
	w->bytes += (int64_t)len + more;
	w->cr = p[len - 1] == '\r';
	w->bol = p[len - 1] == '\n';
}

int64_t
wire_count_end(struct wire_count *w)
{
	if (!w->bol)
		w->bytes += w->cr ? 1 : 2;
	w->bol = true;
	w->cr = false;
	return w->bytes;
}
