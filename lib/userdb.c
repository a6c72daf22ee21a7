/*
 * userdb.c - the text file CONFDIR/users: who lives here, and the hashes.
 *
 * Read by authd (facteur-auth) and, to be written anew, by `facteur passwd`.
 * A line that cannot be understood hides only its own user.
 *
 * Way 1, 5 and 8 of 8.  From: CONFDIR/users.  To: auth/authd.c.
 */
#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "userdb.h"

#define LINE_LIMIT	4096	/* bytes of one line */
#define HOME_LIMIT	1024	/* bytes of a home directory's path */
#define FIELDS		6	/* that mean something; more are skipped */

struct view {
	const char *p;
	size_t	 len;
};

static bool
view_is(struct view v, const char *s)
{
	return v.len == strlen(s) && strncasecmp(v.p, s, v.len) == 0;
}

/* "" gives (id_t)-1: not given. */
static bool
parse_id(struct view v, id_t *out)
{
	char text[12];
	const char *error = NULL;

	*out = (id_t)-1;
	if (v.len == 0)
		return true;
	if (v.len >= sizeof(text))
		return false;
	memcpy(text, v.p, v.len);
	text[v.len] = '\0';
	if (strspn(text, "0123456789") != v.len)
		return false;	/* strtonum takes signs and blanks */
	*out = (id_t)strtonum(text, 0, (long long)UINT32_MAX - 1, &error);
	return error == NULL;
}

/* Only ASCII: the file is compared as the login is typed. */
static void
lower(char *s)
{
	for (; *s != '\0'; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s += 'a' - 'A';
}

/*
 * "{CRYPT}$y$..." without its scheme, or "*" where nobody can log in: no hash,
 * a locked one, a scheme that crypt(3) does not know, a clear password.
 */
static char *
parse_hash(struct view v, const char **complaint)
{
	static const char *const clear[] = { "PLAIN", "CLEAR", "CLEARTEXT",
	    "PLAIN-MD5", "LDAP-MD5", NULL };
	const char *end;
	char *hash;
	int sort;

	if (v.len > 0 && v.p[0] == '{' &&
	    (end = memchr(v.p, '}', v.len)) != NULL) {
		struct view scheme = { v.p + 1, (size_t)(end - v.p) - 1 };

		v.len -= scheme.len + 2;
		v.p = end + 1;
		for (size_t i = 0; clear[i] != NULL; i++)
			if (view_is(scheme, clear[i])) {
				*complaint = "this password scheme is not "
				    "supported, no login; see facteur passwd";
				return xstrdup("*");
			}
	}
	if (v.len == 0 || v.p[0] == '*' || v.p[0] == '!')
		return xstrdup("*");
	hash = xstrndup(v.p, v.len);
	sort = crypt_checksalt(hash);
	/* A bare word looks like traditional DES, which has 13 characters. */
	if (sort == CRYPT_SALT_INVALID || sort == CRYPT_SALT_METHOD_DISABLED ||
	    (hash[0] != '$' && hash[0] != '_' && v.len != 13)) {
		*complaint = "not a hash of crypt(3), no login; "
		    "see facteur passwd";
		free(hash);
		return xstrdup("*");
	}
	return hash;
}

static const char *
parse_address(struct view v, struct user *out)
{
	struct buf b = BUF_INIT;

	if (address_parse(v.p, v.len, ADDR_ALLOW_UTF8, &b) != ADDR_OK) {
		buf_release(&b);
		return "not an address";
	}
	out->address = buf_detach(&b);
	lower(out->address);
	return NULL;
}

static size_t
split(const char *line, size_t len, struct view field[FIELDS])
{
	const char *end = line + len, *colon;
	size_t n = 0;

	for (;;) {
		colon = memchr(line, ':', (size_t)(end - line));
		field[n].p = line;
		field[n++].len = (size_t)((colon != NULL ? colon : end) - line);
		if (colon == NULL || n == FIELDS)
			return n;
		line = colon + 1;
	}
}

/* NULL, or what makes the line useless; *complaint: what makes it doubtful. */
static const char *
parse_fields(const char *line, size_t len, struct user *out,
    const char **complaint)
{
	struct view f[FIELDS] = { { NULL, 0 } };
	const char *why;
	size_t n = split(line, len, f);
	id_t uid, gid;

	if (n < 2)
		return "no ':' behind the address";
	if ((why = parse_address(f[0], out)) != NULL)
		return why;
	if (!parse_id(f[2], &uid))
		return "not a uid";
	if (!parse_id(f[3], &gid))
		return "not a gid";
	if (f[5].len > 0 && (f[5].p[0] != '/' || f[5].len > HOME_LIMIT))
		return "the home is not an absolute path";
	out->uid = uid;
	out->gid = gid;
	out->home = f[5].len > 0 ? xstrndup(f[5].p, f[5].len) : xstrdup("");
	out->hash = parse_hash(f[1], complaint);
	return NULL;
}

static bool
has_control(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
			return true;
	return false;
}

/* As userdb_parse_line(), with the reason for a -1 or for a doubt. */
static int
parse_line(const char *line, size_t len, struct user *out, const char **what)
{
	const char *why;

	memset(out, 0, sizeof(*out));
	out->uid = (uid_t)-1;
	out->gid = (gid_t)-1;
	*what = NULL;
	while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == ' ' ||
	    line[len - 1] == '\t'))
		len--;
	while (len > 0 && (*line == ' ' || *line == '\t'))
		line++, len--;
	if (len == 0 || *line == '#')
		return 0;
	if (len > LINE_LIMIT)
		why = "the line is too long";
	else if (has_control(line, len))
		why = "a control character";
	else
		why = parse_fields(line, len, out, what);
	if (why == NULL)
		return 1;
	*what = why;
	user_release(out);
	return -1;
}

int
userdb_parse_line(const char *line, size_t len, struct user *out)
{
	const char *what;

	return parse_line(line, len, out, &what);
}

void
user_release(struct user *u)
{
	int saved = errno;

	free(u->address);
	free(u->hash);
	free(u->home);
	u->address = u->hash = u->home = NULL;
	errno = saved;
}

void
userdb_release(struct userdb *db)
{
	for (size_t i = 0; i < db->n; i++)
		user_release(&db->v[i]);
	free(db->v);
	db->v = NULL;
	db->n = 0;
}

/* The whole file. 0, or -1 with errno (EFBIG: over BUF_MAX). */
static int
slurp(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), saved;
	ssize_t n = 0;
	char *p;

	if (fd == -1)
		return -1;
	while ((p = buf_room(out, 16384)) != NULL &&
	    (n = read(fd, p, 16384)) > 0)
		out->len += (size_t)n;
	saved = p == NULL ? EFBIG : errno;
	(void)close(fd);
	errno = saved;
	if (p == NULL || n == -1)
		return -1;
	out->data[out->len] = '\0';
	return 0;
}

static int
by_address(const void *a, const void *b)
{
	return strcmp(((const struct user *)a)->address,
	    ((const struct user *)b)->address);
}

/* Keeps the first of each address; the sort is stable by the line number. */
struct row {
	struct user user;
	unsigned line;
};

static int
by_address_and_line(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int c = by_address(&x->user, &y->user);

	return c != 0 ? c : (x->line > y->line) - (x->line < y->line);
}

static void
collect(struct row *rows, size_t n, struct userdb *out, struct buf *complaints)
{
	qsort(rows, n, sizeof(*rows), by_address_and_line);
	out->v = xcalloc(n + 1, sizeof(*out->v));
	out->n = 0;
	for (size_t i = 0; i < n; i++) {
		if (out->n > 0 &&
		    by_address(&out->v[out->n - 1], &rows[i].user) == 0) {
			buf_addf(complaints, "users:%u: %s is there twice, "
			    "the first one counts\n", rows[i].line,
			    rows[i].user.address);
			user_release(&rows[i].user);
			continue;
		}
		out->v[out->n++] = rows[i].user;
	}
}

static void
parse_text(const struct buf *text, struct userdb *out, struct buf *complaints)
{
	const char *p = buf_str(text), *end = p + text->len, *lf, *what;
	struct row *rows = NULL;
	size_t n = 0, room = 0;
	int sort;

	for (unsigned line = 1; p < end; line++, p = lf + 1) {
		if ((lf = memchr(p, '\n', (size_t)(end - p))) == NULL)
			lf = end;
		if (n == room) {
			room = room == 0 ? 64 : room * 2;
			rows = xreallocarray(rows, room, sizeof(*rows));
		}
		rows[n].line = line;
		sort = parse_line(p, (size_t)(lf - p), &rows[n].user, &what);
		if (what != NULL)
			buf_addf(complaints, "users:%u: %s\n", line, what);
		if (sort == 1)
			n++;
	}
	collect(rows, n, out, complaints);
	free(rows);
}

int
userdb_read(const char *path, struct userdb *out, struct buf *complaints)
{
	struct buf text = BUF_INIT;
	int r = slurp(path, &text);

	out->v = NULL;
	out->n = 0;
	if (r == 0)
		parse_text(&text, out, complaints);
	else if (errno == ENOENT)
		r = 0;
	if (text.data != NULL)
		explicit_bzero(text.data, text.cap);
	buf_release(&text);
	return r;
}

const struct user *
userdb_find(const struct userdb *db, const char *address)
{
	struct user key = { .address = xstrdup(address) };
	const struct user *found = NULL;

	lower(key.address);
	if (db->n > 0)
		found = bsearch(&key, db->v, db->n, sizeof(*db->v),
		    by_address);
	free(key.address);
	return found;
}

/*
 * One component of a path.  What could leave the directory is written %XX,
 * and so is '%': two users never share a home.
 */
static void
add_part(struct buf *out, const char *s, size_t len)
{
	if (len == 0)
		buf_addc(out, '%');
	for (size_t i = 0; i < len; i++)
		if (s[i] == '/' || s[i] == '%' || (i == 0 && s[i] == '.'))
			buf_addf(out, "%%%02X", (unsigned char)s[i]);
		else
			buf_addc(out, s[i]);
}

void
user_home(const struct user *u, const char *mail, struct buf *out)
{
	const char *domain = address_domain(u->address);
	struct buf local = BUF_INIT;

	if (u->home != NULL && u->home[0] != '\0') {
		buf_adds(out, u->home);
		return;
	}
	if (domain == NULL)
		domain = "";
	address_unquote_local(u->address, &local);
	buf_addf(out, "%s/", mail);
	add_part(out, domain, strlen(domain));
	buf_addc(out, '/');
	add_part(out, buf_str(&local), local.len);
	buf_release(&local);
}
