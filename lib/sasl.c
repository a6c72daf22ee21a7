/*
 * sasl.c - what the fronts (smtpd, pop3d) share of authentication.
 *
 * Runs in the process that talks to the stranger.  It takes the client's
 * bytes apart and hands user and password to authd; it knows no secret itself.
 * Way 1 and 8 of 8.  From: smtpd/auth.c, pop3d.  To: auth/authd.c.
 */
#include <stdint.h>
#include <string.h>

#include "address.h"
#include "ctl.h"
#include "sasl.h"
#include "stream.h"

/* Longer than any login or password we could ever have stored. */
#define USER_MAX	1024
#define PASS_MAX	4096

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The six bits a character stands for; -1 for any other byte. */
static int
sixbits(char c)
{
	const char *p = c == '\0' ? NULL : strchr(alphabet, c);

	return p == NULL ? -1 : (int)(p - alphabet);
}

/*
 * Decodes one group of four, of which the last `pad` are '='.  Bits that the
 * padding leaves over must be zero: one value has one spelling.
 */
static int
decode_group(const char *s, unsigned pad, struct buf *out)
{
	uint32_t bits = 0;
	char bytes[3];

	for (unsigned i = 0; i < 4; i++) {
		int six = i < 4 - pad ? sixbits(s[i]) : 0;

		if (six == -1)
			return -1;
		bits = bits << 6 | (uint32_t)six;
	}
	if (bits & ((1u << 8 * pad) - 1))
		return -1;
	bytes[0] = (char)(bits >> 16 & 0xff);
	bytes[1] = (char)(bits >> 8 & 0xff);
	bytes[2] = (char)(bits & 0xff);
	buf_add(out, bytes, 3 - pad);
	return 0;
}

int
base64_decode(const char *s, size_t len, struct buf *out)
{
	size_t start = out->len;
	unsigned pad = 0;

	if (len % 4 != 0)
		return -1;
	while (pad < 2 && pad < len && s[len - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < len; i += 4)
		if (decode_group(s + i, i + 4 == len ? pad : 0, out) == -1) {
			buf_cut(out, start);
			return -1;
		}
	return 0;
}

void
base64_encode(const void *data, size_t len, struct buf *out)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t bits = (uint32_t)p[i] << 16;

		if (n > 1)
			bits |= (uint32_t)p[i + 1] << 8;
		if (n > 2)
			bits |= p[i + 2];
		for (size_t j = 0; j < 4; j++)
			buf_addc(out, j > n ? '=' :
			    alphabet[bits >> (18 - 6 * j) & 0x3f]);
	}
}

/* Well-formed text without control bytes? */
static bool
is_clean(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return false;
	return is_utf8(s, len);
}

int
sasl_plain(const char *s, size_t len, struct buf *user, struct buf *pass)
{
	const char *end = s + len;
	const char *authcid, *password;
	size_t authzid_len, authcid_len, password_len;

	buf_reset(user);
	buf_reset(pass);
	if (len == 0 || (authcid = memchr(s, '\0', len)) == NULL)
		return -1;
	authzid_len = (size_t)(authcid++ - s);
	password = memchr(authcid, '\0', (size_t)(end - authcid));
	if (password == NULL)
		return -1;
	authcid_len = (size_t)(password++ - authcid);
	password_len = (size_t)(end - password);
	if (authcid_len == 0 || password_len == 0 ||
	    memchr(password, '\0', password_len) != NULL)
		return -1;
	if (authzid_len != 0 && (authzid_len != authcid_len ||
	    memcmp(s, authcid, authcid_len) != 0))
		return -1;	/* we let nobody act for another */
	if (!is_clean(authcid, authcid_len) ||
	    !is_utf8(password, password_len))
		return -1;
	buf_add(user, authcid, authcid_len);
	buf_add(pass, password, password_len);
	return buf_ok(user) && buf_ok(pass) ? 0 : -1;
}

/* Sends the question; a password is left in no buffer of ours. */
static int
send_question(struct stream *st, const char *verb, const char *service,
    const char *user, const char *pass, const char *ip, int fd,
    int64_t deadline)
{
	struct buf frame = BUF_INIT;
	int rc;

	ctl_begin(&frame, verb);
	ctl_add(&frame, "user", user);
	ctl_add(&frame, "pass", pass);
	ctl_add(&frame, "ip", ip);
	ctl_add(&frame, "service", service);
	ctl_end(&frame);
	if (fd == -1) {
		ctl_send(st, &frame);
		rc = stream_flush(st, deadline);
	} else
		rc = stream_send_fd(st, fd, frame.data, frame.len, deadline);
	if (frame.data != NULL)
		explicit_bzero(frame.data, frame.cap);
	if (st->out.data != NULL)
		explicit_bzero(st->out.data, st->out.cap);
	buf_release(&frame);
	return rc;
}

static enum auth_result
read_answer(struct stream *st, struct buf *who, int64_t deadline)
{
	struct buf line = BUF_INIT;
	struct ctl ctl;
	enum auth_result result = AUTH_LATER;

	if (ctl_read(st, &line, &ctl, deadline) != 1)
		buf_adds(who, "authentication is not available now");
	else if (ctl_is(&ctl, "ok") && *ctl_str(&ctl, "user") != '\0') {
		buf_adds(who, ctl_str(&ctl, "user"));
		result = AUTH_OK;
	} else {
		buf_adds(who, ctl_str(&ctl, "text"));
		if (ctl_is(&ctl, "fail"))
			result = AUTH_FAIL;
	}
	buf_release(&line);
	return result;
}

enum auth_result
auth_ask(const struct config *cfg, const char *verb, const char *service,
    const char *user, const char *pass, const char *ip, int fd,
    struct buf *who, int64_t deadline)
{
	struct stream st;
	enum auth_result result;
	int sock;

	buf_reset(who);
	if (strlen(user) > USER_MAX || strlen(pass) > PASS_MAX) {
		buf_adds(who, "user or password too long");
		return AUTH_FAIL;
	}
	if ((sock = ctl_connect(config_socket(cfg, "net/authd"))) == -1) {
		buf_adds(who, "authentication is not available now");
		return AUTH_LATER;
	}
	stream_init(&st, sock, sock);
	/* A failed send shows as no answer; authd may have said why. */
	(void)send_question(&st, verb, service, user, pass, ip, fd, deadline);
	result = read_answer(&st, who, deadline);
	stream_release(&st);
	return result;
}
