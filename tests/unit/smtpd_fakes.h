/*
 * smtpd_fakes.h - for the tests of smtpd: the others it talks to (resolve,
 * inject, authd), each a thread with a socket, and a client to talk to it.
 *
 * yahoo.co.uk is ours; billy lives there.  jean-bob@emc.fr has the password
 * "secret".  Everything else is elsewhere.
 */
#ifndef SMTPD_FAKES_H
#define SMTPD_FAKES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../smtpd/smtpd.h"
#include "ctl.h"
#include "deadline.h"
#include "netaddr.h"

#define N(a)	(sizeof(a) / sizeof((a)[0]))

enum mood {			/* of inject */
	WILLING,
	FULL_AT_GO,		/* err instead of ready */
	FULL_AT_END,		/* err instead of ok */
	GONE_IN_DATA,		/* hangs up at the first data frame */
	FULL_IN_DATA,		/* err at the first data frame, then hangs up */
	SILLY			/* ok without an ID */
};

static struct {
	char	 dir[64];
	struct config cfg;
	char	*domains[2], *networks[2];
	const char *names[2];
	pthread_mutex_t lock;
	pthread_cond_t idle;
	enum mood mood;
	unsigned busy;		/* conversations with inject */
	unsigned messages;	/* committed */
	struct buf frames;	/* the last message's, but data */
	struct buf content;
	unsigned asked;		/* resolve */
	unsigned hang_up;	/* resolve: before that many answers */
} fake;

/* ---- the others ---- */

static int
fake_listen(const char *name)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd != -1);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/%s", fake.dir, name);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fd, 5), 0);
	return fd;
}

static const char *
fake_route(const char *addr)
{
	static const struct { const char *addr, *answer; } table[] = {
		{ "billy@yahoo.co.uk",
		    "kind=mailbox local=yes address=billy@yahoo.co.uk" },
		{ "billy+spam@yahoo.co.uk",
		    "kind=mailbox local=yes ext=spam "
		    "address=billy@yahoo.co.uk" },
		{ "postmaster@yahoo.co.uk",
		    "kind=mailbox local=yes address=billy@yahoo.co.uk" },
		{ "team@yahoo.co.uk", "kind=alias local=yes count=2\n"
		    "to address=billy@yahoo.co.uk\nto address=x@y.z" },
		{ "bill@yahoo.co.uk", "kind=alias local=yes count=1\n"
		    "to address=billy@yahoo.co.uk" },
		{ "nobody@yahoo.co.uk", "kind=refuse local=yes code=550 "
		    "enh=5.1.1 text=no%20such%20user" },
		{ "soon@yahoo.co.uk", "kind=later local=yes code=451 "
		    "enh=4.3.0 text=not%20now" },
		{ "silly@yahoo.co.uk", "kind=refuse local=yes code=250 "
		    "enh=2.0.0%0D%0A250 text=a%0D%0Ab" },
		{ "odd@yahoo.co.uk", "kind=odd" },
		{ "jean-bob@emc.fr",
		    "kind=mailbox local=yes address=jean-bob@emc.fr" },
		{ "jean-bob+x@emc.fr",
		    "kind=mailbox local=yes address=jean-bob@emc.fr ext=x" },
		{ "jb@emc.fr",
		    "kind=alias local=yes count=1\n"
		    "to address=jean-bob@emc.fr" },
	};

	for (size_t i = 0; i < N(table); i++)
		if (strcasecmp(table[i].addr, addr) == 0)
			return table[i].answer;
	return "kind=remote domain=elsewhere.example";
}

static void *
fake_resolve(void *arg)
{
	int listener = *(int *)arg;

	for (;;) {
		struct stream st;
		struct buf line = BUF_INIT;
		struct ctl c;
		int fd = accept(listener, NULL, NULL);

		if (fd == -1)
			return NULL;
		stream_init(&st, fd, fd);
		while (ctl_read(&st, &line, &c, DEADLINE_NEVER) == 1) {
			fake.asked++;
			if (fake.hang_up > 0) {
				fake.hang_up--;
				break;
			}
			stream_printf(&st, "route %s\n",
			    fake_route(ctl_str(&c, "address")));
		}
		stream_release(&st);
		buf_release(&line);
	}
}

static void *
fake_authd(void *arg)
{
	int listener = *(int *)arg;

	for (;;) {
		struct stream st;
		struct buf line = BUF_INIT;
		struct ctl c;
		int fd = accept(listener, NULL, NULL);

		if (fd == -1)
			return NULL;
		stream_init(&st, fd, fd);
		if (ctl_read(&st, &line, &c, DEADLINE_NEVER) == 1) {
			const char *answer = "fail text=wrong\n";

			if (strcmp(ctl_str(&c, "user"), "later") == 0)
				answer = "later text=asleep\n";
			else if (strcasecmp(ctl_str(&c, "user"),
			    "jean-bob@emc.fr") == 0 &&
			    strcmp(ctl_str(&c, "pass"), "secret") == 0)
				answer = "ok user=jean-bob@emc.fr\n";
			stream_puts(&st, answer);
			(void)!stream_flush(&st, deadline_in(10));
		}
		stream_release(&st);
		buf_release(&line);
	}
}

/* Swallows len bytes of content. */
static void
fake_content(struct stream *st, int64_t len)
{
	const char *p;
	ssize_t n;

	while (len > 0 && (n = stream_peek(st, &p, deadline_in(20))) > 0) {
		n = n > len ? (ssize_t)len : n;
		buf_add(&fake.content, p, (size_t)n);
		stream_consume(st, (size_t)n);
		len -= n;
	}
}

static void
fake_message(struct stream *st)
{
	static const char full[] =
	    "err code=452 enh=4.3.1 text=the%20disk%20is%20full\n";
	struct buf line = BUF_INIT;
	struct ctl c;

	buf_reset(&fake.frames);
	buf_reset(&fake.content);
	while (stream_line(st, &line, CTL_MAX, EOL_LF, deadline_in(20)) ==
	    LINE_OK) {
		if (strncmp(line.data, "data ", 5) != 0)
			buf_addf(&fake.frames, "%s\n", line.data);
		assert_int_equal(ctl_parse(line.data, line.len, &c), 0);
		if (ctl_is(&c, "go")) {
			stream_puts(st, fake.mood == FULL_AT_GO ? full :
			    "ready\n");
		} else if (ctl_is(&c, "data")) {
			if (fake.mood == FULL_IN_DATA) {
				stream_puts(st, full);
				(void)!stream_flush(st, deadline_in(10));
			}
			if (fake.mood == FULL_IN_DATA ||
			    fake.mood == GONE_IN_DATA)
				break;
			fake_content(st, ctl_num(&c, "len", 0, INT32_MAX, 0));
		} else if (ctl_is(&c, "end")) {
			if (fake.mood == WILLING)
				fake.messages++;
			stream_puts(st, fake.mood == FULL_AT_END ? full :
			    fake.mood == SILLY ? "ok\n" :
			    "ok id=0kq3x8f2m1bc size=99\n");
		}
	}
	buf_release(&line);
}

static void *
fake_inject(void *arg)
{
	int listener = *(int *)arg;

	for (;;) {
		struct stream st;
		int fd = accept(listener, NULL, NULL);

		if (fd == -1)
			return NULL;
		pthread_mutex_lock(&fake.lock);
		fake.busy++;
		pthread_mutex_unlock(&fake.lock);
		stream_init(&st, fd, fd);
		fake_message(&st);
		stream_release(&st);
		pthread_mutex_lock(&fake.lock);
		fake.busy--;
		pthread_cond_signal(&fake.idle);
		pthread_mutex_unlock(&fake.lock);
	}
}

/* ---- before and after ---- */

static struct {
	const char *name;
	void	*(*run)(void *);
	int	 fd;
	pthread_t thread;
} fakes[] = {
	{ "net/resolve", fake_resolve, -1, 0 },
	{ "net/inject", fake_inject, -1, 0 },
	{ "net/authd", fake_authd, -1, 0 },
	{ "inject", fake_inject, -1, 0 },
};

static int
fakes_start(void **state)
{
	char path[128];

	(void)state;
	signal(SIGPIPE, SIG_IGN);	/* as process_init() does */
	strlcpy(fake.dir, "/tmp/test-smtpd-XXXXXX", sizeof(fake.dir));
	assert_non_null(mkdtemp(fake.dir));
	snprintf(path, sizeof(path), "%s/net", fake.dir);
	assert_int_equal(mkdir(path, 0700), 0);
	pthread_mutex_init(&fake.lock, NULL);
	pthread_cond_init(&fake.idle, NULL);
	fake.domains[0] = xstrdup("yahoo.co.uk");
	fake.names[0] = fake.domains[0];
	fake.networks[0] = xstrdup("198.51.100.0/24");
	fake.cfg = (struct config){
		.hostname = xstrdup("mx.test"), .run = fake.dir,
		.domains = { fake.domains, 1 }, .ours = fake.names,
		.trusted = { fake.networks, 1 },
		.tls_cert = xstrdup(""), .tls_key = xstrdup(""),
		.message_size = 1000000, .recipients_max = 5,
	};
	for (size_t i = 0; i < N(fakes); i++) {
		fakes[i].fd = fake_listen(fakes[i].name);
		assert_int_equal(pthread_create(&fakes[i].thread, NULL,
		    fakes[i].run, &fakes[i].fd), 0);
	}
	return 0;
}

static int
fakes_stop(void **state)
{
	char path[128];

	(void)state;
	for (size_t i = 0; i < N(fakes); i++) {
		shutdown(fakes[i].fd, SHUT_RDWR);
		pthread_join(fakes[i].thread, NULL);
		close(fakes[i].fd);
		snprintf(path, sizeof(path), "%s/%s", fake.dir, fakes[i].name);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/net", fake.dir);
	rmdir(path);
	rmdir(fake.dir);
	buf_release(&fake.frames);
	buf_release(&fake.content);
	free(fake.domains[0]);
	free(fake.networks[0]);
	free(fake.cfg.hostname);
	free(fake.cfg.tls_cert);
	free(fake.cfg.tls_key);
	return 0;
}

/* inject has ended its conversation: its record may be looked at. */
static void
fake_settle(void)
{
	pthread_mutex_lock(&fake.lock);
	while (fake.busy > 0)
		pthread_cond_wait(&fake.idle, &fake.lock);
	pthread_mutex_unlock(&fake.lock);
}

/* ---- the client ---- */

struct client {
	struct stream st;
	struct buf line;	/* last line of the last reply */
	struct buf all;		/* the whole last reply */
	struct smtpd smtpd;
	struct serve_conn conn;
	int	 far;		/* the session's end */
	pthread_t thread;
};

static void *
client_session(void *arg)
{
	struct client *c = arg;

	(void)smtp_session(c->far, &c->conn, &c->smtpd);
	return NULL;
}

/* A session about to begin; `early` is said at once. ip NULL: Unix socket. */
static void
client_connect(struct client *c, const char *role, const char *ip,
    const char *early)
{
	int pair[2];

	*c = (struct client){ .smtpd = { .cfg = &fake.cfg } };
	c->smtpd.role = role_find("smtp");
	c->conn.name = role;
	c->conn.is_socket = true;
	c->conn.peer.ss.ss_family = AF_UNIX;
	c->conn.peer.len = sizeof(sa_family_t);
	if (ip != NULL)
		assert_int_equal(netaddr_host(ip, 1234, &c->conn.peer), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    pair), 0);
	stream_init(&c->st, pair[0], pair[0]);
	c->far = pair[1];
	stream_puts(&c->st, early);
	assert_int_equal(stream_flush(&c->st, deadline_in(10)), 0);
}

static void
client_run(struct client *c)
{
	(void)tls_able(&c->smtpd);
	assert_int_equal(pthread_create(&c->thread, NULL, client_session, c),
	    0);
}

/* The code of the next reply; 0: the session has hung up. */
static int
reply_code(struct client *c)
{
	buf_reset(&c->all);
	do {
		enum line got = stream_line(&c->st, &c->line, 2000, EOL_CRLF,
		    deadline_in(30));

		if (got == LINE_EOF || (got == LINE_ERROR && errno ==
		    ECONNRESET))
			return 0;
		if (got != LINE_OK)
			fail_msg("no reply but %d, errno %d", (int)got, errno);
		assert_true(c->line.len >= 4 && c->line.len <= 510);
		buf_addf(&c->all, "%s\n", c->line.data);
	} while (c->line.data[3] == '-');
	return (c->line.data[0] - '0') * 100 + (c->line.data[1] - '0') * 10 +
	    c->line.data[2] - '0';
}

static void
client_start(struct client *c, const char *role, const char *ip)
{
	client_connect(c, role, ip, "");
	client_run(c);
	assert_int_equal(reply_code(c), 220);
}

static void
say(struct client *c, const char *text)
{
	stream_puts(&c->st, text);
	(void)!stream_flush(&c->st, deadline_in(30));
}

/* Says one command, without CRLF, and gives the code of its reply. */
static int
ask(struct client *c, const char *command)
{
	stream_printf(&c->st, "%s\r\n", command);
	(void)!stream_flush(&c->st, deadline_in(30));
	return reply_code(c);
}

/* Ends our side, reads the rest, waits for the session to end. */
static void
client_end(struct client *c)
{
	const char *p;
	ssize_t n;

	if (!c->st.broken)
		stream_goodbye(&c->st, deadline_in(10));
	while ((n = stream_peek(&c->st, &p, deadline_in(30))) > 0)
		stream_consume(&c->st, (size_t)n);
	assert_int_equal(pthread_join(c->thread, NULL), 0);
	stream_release(&c->st);
	buf_release(&c->line);
	buf_release(&c->all);
	fake_settle();
}

/* EHLO or LHLO, MAIL, RCPT: ready for DATA. */
static inline void
client_prepare(struct client *c, const char *role, const char *ip)
{
	client_start(c, role, ip);
	assert_int_equal(ask(c, strcmp(role, "lmtp") == 0 ? "LHLO mua.test" :
	    "EHLO mua.test"), 250);
	assert_int_equal(ask(c, "MAIL FROM:<jb@x.y>"), 250);
	assert_int_equal(ask(c, "RCPT TO:<billy@yahoo.co.uk>"), 250);
}
#endif
