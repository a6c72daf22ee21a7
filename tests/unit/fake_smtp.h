/*
 * fake_smtp.h - a mail server that follows a script to the letter, in a child
 * process on a loopback port, for the tests of remote.  Whatever the client
 * does otherwise ends the child with a status of its own.
 */
#ifndef FAKE_SMTP_H
#define FAKE_SMTP_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct step {
	char	 what;		/* 0 ends the script */
	const char *text;
};

/*
 * '<' a line that begins with text; '=' a line that is text; '>' sends text;
 * '#' sends text (printf "%s" free) again and again until the client is gone;
 * 'D' the message up to its end mark, equal to text if that is given;
 * 'T' a TLS handshake; 'E' the client must end the connection, without a word
 * or after QUIT; 'A' closes and accepts the next; 'X' closes with a reset.
 */
struct fake_smtp { pid_t pid; int port; };

struct fake_peer { int fd; SSL *ssl; unsigned step; };

static _Noreturn void
fake_fail(const struct fake_peer *p, const char *what, const char *got)
{
	fprintf(stderr, "fake server, step %u: %s, got \"%s\"\n", p->step,
	    what, got);
	_exit(1);
}

static int
fake_byte(struct fake_peer *p)
{
	char c;
	int n = p->ssl != NULL ? SSL_read(p->ssl, &c, 1) :
	    (int)read(p->fd, &c, 1);

	return n == 1 ? (unsigned char)c : -1;
}

/* A line without its CRLF; false at the end. */
static bool
fake_line(struct fake_peer *p, char *line, size_t size)
{
	size_t n = 0;
	int c;

	while ((c = fake_byte(p)) != -1 && c != '\n')
		if (n < size - 1)
			line[n++] = (char)c;
	line[n] = '\0';
	if (c == -1)
		return false;
	if (n == 0 || line[n - 1] != '\r')
		fake_fail(p, "a line without CR", line);
	line[n - 1] = '\0';
	return true;
}

static bool
fake_send(struct fake_peer *p, const char *s)
{
	size_t len = strlen(s);

	if (p->ssl != NULL)
		return SSL_write(p->ssl, s, (int)len) == (int)len;
	return send(p->fd, s, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static void
fake_message(struct fake_peer *p, const char *want)
{
	char *text = malloc(1 << 20), line[4096];
	size_t n = 0;

	if (text == NULL)
		_exit(2);
	for (;;) {
		if (!fake_line(p, line, sizeof(line)))
			fake_fail(p, "the message has no end", "");
		if (strcmp(line, ".") == 0)
			break;
		if (n < 1000000)
			n += (size_t)snprintf(text + n, (1 << 20) - n,
			    "%s\n", line);
	}
	text[n] = '\0';
	if (want != NULL && strcmp(text, want) != 0)
		fake_fail(p, want, text);
	free(text);
}

/* A server context with a key made on the spot. */
static SSL_CTX *
fake_tls(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();

	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_sign(x, key, EVP_sha256());
	if (SSL_CTX_use_certificate(ctx, x) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, key) != 1)
		_exit(2);
	return ctx;
}

static void
fake_handshake(struct fake_peer *p)
{
	p->ssl = SSL_new(fake_tls());
	SSL_set_fd(p->ssl, p->fd);
	if (SSL_accept(p->ssl) != 1)
		fake_fail(p, "no TLS handshake", "");
}

static void
fake_step(struct fake_peer *p, const struct step *s, int listener)
{
	struct linger hard = { 1, 0 };
	char line[4096] = "";

	switch (s->what) {
	case '<':
		if (!fake_line(p, line, sizeof(line)) ||
		    strncmp(line, s->text, strlen(s->text)) != 0)
			fake_fail(p, s->text, line);
		break;
	case '=':
		if (!fake_line(p, line, sizeof(line)) ||
		    strcmp(line, s->text) != 0)
			fake_fail(p, s->text, line);
		break;
	case '>':
		if (!fake_send(p, s->text))
			fake_fail(p, "cannot send", s->text);
		break;
	case '#':
		while (fake_send(p, s->text))
			;
		break;
	case 'D':
		fake_message(p, s->text);
		break;
	case 'T':
		fake_handshake(p);
		break;
	case 'E':
		while (fake_line(p, line, sizeof(line)))
			if (strcmp(line, "QUIT") != 0)
				fake_fail(p, "the end", line);
		break;
	case 'X':
		(void)setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &hard,
		    sizeof(hard));
		__attribute__((fallthrough));
	case 'A':
		(void)close(p->fd);
		p->ssl = NULL;
		p->fd = accept(listener, NULL, NULL);
		break;
	default:
		_exit(3);
	}
}

static _Noreturn void
fake_smtp_child(int listener, const struct step *script)
{
	struct fake_peer p = { accept(listener, NULL, NULL), NULL, 0 };

	for (; script[p.step].what != '\0'; p.step++)
		fake_step(&p, &script[p.step], listener);
	_exit(0);
}

static struct fake_smtp
fake_smtp_at(const char *ip, int port, const struct step *script)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port) };
	socklen_t len = sizeof(sin);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct fake_smtp s;

	if (inet_pton(AF_INET, ip, &sin.sin_addr) != 1 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == -1 ||
	    bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(fd, 8) == -1 ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) == -1)
		abort();
	s.port = ntohs(sin.sin_port);
	(void)fflush(NULL);
	if ((s.pid = fork()) == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)signal(SIGPIPE, SIG_IGN);
		(void)alarm(30);
		fake_smtp_child(fd, script);
	}
	(void)close(fd);
	return s;
}

/* Did it see its whole script? Waits for its end. */
static bool
fake_smtp_ended_well(const struct fake_smtp *s)
{
	int status;

	return waitpid(s->pid, &status, 0) == s->pid && WIFEXITED(status) &&
	    WEXITSTATUS(status) == 0;
}

static void __attribute__((unused))
fake_smtp_stop(const struct fake_smtp *s)
{
	(void)kill(s->pid, SIGKILL);
	(void)waitpid(s->pid, NULL, 0);
}
#endif
