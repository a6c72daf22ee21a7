/*
 * auth.c - AUTH PLAIN and LOGIN (RFC 4954, RFC 4616).
 *
 * Only takes the client's lines apart; authd knows the passwords, and it makes
 * a wrong one slow.  The password is wiped from our buffers when it was asked.
 * Way 1 of 8.  From: verbs.c.  To: auth/authd.c.
 */
#include <string.h>
#include <strings.h>

#include "deadline.h"
#include "log.h"
#include "sasl.h"
#include "smtpd.h"

#define AUTH_WAIT	120	/* s; authd may make a guesser wait */
#define FAILURES_MAX	3

/* What the client has sent us, decoded. */
struct login {
	struct buf raw, user, pass;
};

static void
wipe(struct buf *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->cap);
	buf_release(b);
}

static bool
decode(struct session *s, const char *b64, struct buf *out)
{
	buf_reset(out);
	if (strcmp(b64, "=") == 0)	/* RFC 4954 section 4: an empty one */
		return true;
	if (base64_decode(b64, strlen(b64), out) == 0 && buf_ok(out))
		return true;
	reply(s, 501, "5.5.2", "that is no base64");
	return false;
}

/* Asks for one more line and decodes it; false: it was answered for. */
static bool
prompt(struct session *s, const char *challenge, struct buf *out)
{
	bool ok;

	stream_printf(&s->st, "334 %s\r\n", challenge);
	if (session_line(s, SASL_MAX) != LINE_OK)
		return false;
	if (strcmp(buf_str(&s->line), "*") == 0) {
		reply(s, 501, "5.7.0", "as you wish");
		return false;
	}
	ok = decode(s, buf_str(&s->line), out);
	wipe(&s->line);
	return ok;
}

/* `initial` NULL: it comes on a line of its own. */
static bool
read_plain(struct session *s, const char *initial, struct login *l)
{
	if (initial == NULL ? !prompt(s, "", &l->raw) :
	    !decode(s, initial, &l->raw))
		return false;
	if (sasl_plain(buf_str(&l->raw), l->raw.len, &l->user, &l->pass) == 0)
		return true;
	reply(s, 501, "5.5.2", "that is not what PLAIN looks like");
	return false;
}

static bool
read_login(struct session *s, const char *initial, struct login *l)
{
	struct buf *user = &l->user, *pass = &l->pass;

	/* "Username:" and "Password:" */
	if (initial == NULL ? !prompt(s, "VXNlcm5hbWU6", user) :
	    !decode(s, initial, user))
		return false;
	if (!prompt(s, "UGFzc3dvcmQ6", pass))
		return false;
	/* one rule for both: what PLAIN may not hold, LOGIN may not either */
	buf_reset(&l->raw);
	buf_addc(&l->raw, '\0');
	buf_add(&l->raw, buf_str(user), user->len);
	buf_addc(&l->raw, '\0');
	buf_add(&l->raw, buf_str(pass), pass->len);
	if (sasl_plain(l->raw.data, l->raw.len, user, pass) == 0)
		return true;
	reply(s, 501, "5.5.2", "cannot read that user and password");
	return false;
}

static const struct mechanism {
	const char *name;
	bool	(*read)(struct session *, const char *initial, struct login *);
} mechanisms[] = {
	{ "PLAIN", read_plain },
	{ "LOGIN", read_login },
};

static void
conclude(struct session *s, enum auth_result result, const char *who)
{
	switch (result) {
	case AUTH_OK:
		s->user = xstrdup(who);
		reply(s, 235, "2.7.0", "welcome");
		break;
	case AUTH_FAIL:
		s->auth_failures++;	/* authd has logged it */
		reply(s, 535, "5.7.8", "wrong user or password");
		break;
	case AUTH_LATER:
		log_event(NULL, "auth-later service=smtp ip=%s text=%s",
		    buf_str(&s->ip), quoted(who));
		reply(s, 454, "4.7.0", "cannot check passwords now");
		break;
	}
}

static void
authenticate(struct session *s, const struct mechanism *m, const char *initial)
{
	struct login l = { BUF_INIT, BUF_INIT, BUF_INIT };
	struct buf who = BUF_INIT;
	enum auth_result result;

	if (m->read(s, initial, &l)) {
		result = auth_ask(s->cfg, "auth", "smtp", buf_str(&l.user),
		    buf_str(&l.pass), buf_str(&s->ip), -1, &who,
		    deadline_in(AUTH_WAIT));
		conclude(s, result, buf_str(&who));
	}
	wipe(&l.raw);
	wipe(&l.user);
	wipe(&l.pass);
	wipe(&s->line);
	buf_release(&who);
}

void
do_auth(struct session *s, const char *arg)
{
	size_t len = strcspn(arg, " \t");
	const char *initial = arg + len + strspn(arg + len, " \t");

	if (s->user != NULL)
		reply(s, 503, "5.5.1", "you are logged in");
	else if (!session_may_auth(s))
		reply(s, 538, "5.7.11", "STARTTLS first");
	else if (s->auth_failures >= FAILURES_MAX)
		reply_close(s, 421, "4.7.0", "too many failed logins");
	else {
		for (size_t i = 0; i < 2; i++)
			if (strlen(mechanisms[i].name) == len &&
			    strncasecmp(arg, mechanisms[i].name, len) == 0) {
				authenticate(s, &mechanisms[i],
				    *initial == '\0' ? NULL : initial);
				return;
			}
		reply(s, 504, "5.5.4", "only PLAIN and LOGIN");
	}
}
