/*
 * load.c - clients that send mail and remember each "yes", with the moment.
 *
 * usage: load [-n MESSAGES] [-j CLIENTS] [-t RCPTS] [-z BYTES]
 *             [-s ADDR:PORT] -i SOCKET -p POSITION -a ACKS
 * Half of the clients speak SMTP to smtpd, half the frames of INTERNALS 2.2
 * to inject; without -s all do.  Sizes and recipients (TO_*) vary, or are as
 * -t and -z say.  Each acknowledged message becomes a line of ACKS, "N POSITION
 * RCPTS BYTES CRC": what the record (powercut.h) counted once "yes" was read.
 * Prints the seconds it took.
 * Way 1 of 8.  To: smtpd, queue/inject.
 */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <zlib.h>

#include "ctl.h"
#include "deadline.h"
#include "powercut.h"
#include "stream.h"

#define WAIT_S	60

static const position *pos;
static int acks;
static const char *smtp, *inject;
static unsigned fixed_to;	/* 0: they vary */
static size_t fixed_size;

/* Small ones, page sizes, and more than the spool collects before writing. */
static const size_t sizes[] = {
	40, 1500, 4096, 300, 9000, 2000, 70000, 800, 500, 3500, 150000,
};

struct mail {
	unsigned n, to;
	struct buf text;	/* owned; LF line ends */
	size_t	 body;
	uint32_t crc;
};

static unsigned
to_whom(unsigned n)
{
	if (fixed_to != 0)
		return fixed_to;
	if (n % 5 == 4)
		return TO_REMOTE;
	if (n % 7 == 3)
		return TO_ALL;
	return n % 2 == 0 ? TO_BILLY : TO_JEAN;
}

static void
compose(struct mail *m, unsigned n)
{
	struct buf body = BUF_INIT;
	size_t want = sizes[n % (sizeof(sizes) / sizeof(sizes[0]))];

	if (fixed_size != 0)
		want = fixed_size;
	for (unsigned line = 1; body.len < want; line++)
		buf_addf(&body, "message %u line %u %08x\n", n, line,
		    n * 2654435761u ^ line * 40503u);
	m->n = n;
	m->to = to_whom(n);
	m->body = body.len;
	m->crc = (uint32_t)crc32_z(0, (const void *)body.data, body.len);
	buf_reset(&m->text);
	buf_addf(&m->text, "From: load@cut.test\nSubject: %u\n"
	    CHECK_FIELD "%u %zu %08x\n\n", n, n, m->body, m->crc);
	buf_add(&m->text, body.data, body.len);
	buf_release(&body);
}

/* "Yes" was read; from now on the message may not be lost. */
static void
acknowledged(const struct mail *m)
{
	uint64_t at = *pos;
	char line[128];
	int len = snprintf(line, sizeof(line), "%u %" PRIu64 " %u %zu %08x\n",
	    m->n, at, m->to, m->body, m->crc);

	if (write(acks, line, (size_t)len) != len)
		err(1, "acks");
}

/* The addresses of a message, one after the other; NULL at the end. */
static const char *
recipient(unsigned to, unsigned *i)
{
	static const char *const all[] = {
		ADDR_BILLY, ADDR_JEAN, ADDR_REMOTE
	};

	for (; *i < 3; ++*i)
		if (to & 1u << *i)
			return all[(*i)++];
	return NULL;
}

/* ---- SMTP ---- */

static int
connect_smtp(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	const char *colon = strrchr(smtp, ':');
	char addr[32];
	int fd;

	if (colon == NULL || (size_t)(colon - smtp) >= sizeof(addr))
		errx(64, "%s: no address", smtp);
	memcpy(addr, smtp, (size_t)(colon - smtp));
	addr[colon - smtp] = '\0';
	sin.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1 || inet_pton(AF_INET, addr, &sin.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		err(1, "%s", smtp);
	return fd;
}

/* Reads a whole reply; it must begin with this digit. */
static void
expect(struct stream *s, char digit)
{
	struct buf line = BUF_INIT;

	do {
		if (stream_line(s, &line, 4096, EOL_CRLF,
		    deadline_in(WAIT_S)) != LINE_OK)
			errx(1, "smtpd has gone");
	} while (line.len > 3 && line.data[3] == '-');
	if (buf_str(&line)[0] != digit)
		errx(1, "smtpd: %s", buf_str(&line));
	buf_release(&line);
}

/* No line of ours begins with a dot. */
static void
send_crlf(struct stream *s, const struct buf *text)
{
	const char *p = text->data, *end = p + text->len, *lf;

	for (; p < end; p = lf + 1) {
		lf = memchr(p, '\n', (size_t)(end - p));
		stream_write(s, p, (size_t)(lf - p));
		stream_puts(s, "\r\n");
	}
	stream_puts(s, ".\r\n");
}

static void
send_smtp(struct stream *s, const struct mail *m)
{
	const char *to;
	unsigned i = 0;

	stream_puts(s, "MAIL FROM:<load@cut.test>\r\n");
	expect(s, '2');
	while ((to = recipient(m->to, &i)) != NULL) {
		stream_printf(s, "RCPT TO:<%s>\r\n", to);
		expect(s, '2');
	}
	stream_puts(s, "DATA\r\n");
	expect(s, '3');
	send_crlf(s, &m->text);
	expect(s, '2');
}

/* ---- inject ---- */

static void
add_frame(struct stream *s, const char *verb, const char *key,
    const char *value)
{
	struct buf b = BUF_INIT;

	ctl_begin(&b, verb);
	if (key != NULL)
		ctl_add(&b, key, value);
	ctl_end(&b);
	ctl_send(s, &b);
	buf_release(&b);
}

static void
expect_frame(struct stream *s, const char *verb)
{
	struct buf line = BUF_INIT;
	struct ctl c;

	if (ctl_read(s, &line, &c, deadline_in(WAIT_S)) != 1)
		errx(1, "inject has gone");
	if (!ctl_is(&c, verb))
		errx(1, "inject: %s %s", c.verb, ctl_str(&c, "text"));
	buf_release(&line);
}

/* A connection for each message (INTERNALS 2.2). */
static void
send_frames(const struct mail *m)
{
	struct stream s;
	char len[32];
	const char *to;
	unsigned i = 0;
	int fd = ctl_connect(inject);

	if (fd == -1)
		err(1, "%s", inject);
	stream_init(&s, fd, fd);
	add_frame(&s, "message", "sender", "load@cut.test");
	while ((to = recipient(m->to, &i)) != NULL)
		add_frame(&s, "rcpt", "to", to);
	add_frame(&s, "go", NULL, NULL);
	expect_frame(&s, "ready");
	(void)snprintf(len, sizeof(len), "%zu", m->text.len);
	add_frame(&s, "data", "len", len);
	stream_write(&s, m->text.data, m->text.len);
	add_frame(&s, "end", NULL, NULL);
	expect_frame(&s, "ok");
	stream_release(&s);
}

/* ---- clients ---- */

static void
client(unsigned first, unsigned step, unsigned count)
{
	bool by_smtp = smtp != NULL && first % 2 == 0;
	struct mail m = { .text = BUF_INIT };
	struct stream s;

	if (by_smtp) {
		int fd = connect_smtp();

		stream_init(&s, fd, fd);
		expect(&s, '2');
		stream_puts(&s, "EHLO load.cut.test\r\n");
		expect(&s, '2');
	}
	for (unsigned n = first; n < count; n += step) {
		compose(&m, n);
		if (by_smtp)
			send_smtp(&s, &m);
		else
			send_frames(&m);
		acknowledged(&m);
	}
	buf_release(&m.text);
	if (by_smtp)
		stream_release(&s);
}

static int
run(unsigned clients, unsigned count)
{
	int status, worst = 0;

	for (unsigned i = 0; i < clients; i++)
		switch (fork()) {
		case -1:
			err(1, "fork");
		case 0:
			client(i, clients, count);
			_exit(0);
		default:
			break;
		}
	while (wait(&status) != -1)
		if (status != 0)
			worst = 1;
	return worst;
}

static void
map_position(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1 || (pos = mmap(NULL, sizeof(*pos), PROT_READ, MAP_SHARED,
	    fd, 0)) == MAP_FAILED)
		err(1, "%s", path);
	(void)close(fd);
}

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: load [-n messages] [-j clients] [-t rcpts] "
	    "[-z bytes]\n\t[-s addr:port] -i socket -p position -a acks\n");
	exit(64);
}

int
main(int argc, char *argv[])
{
	const char *position_path = NULL, *ackpath = NULL;
	unsigned clients = 6, count = 100;
	int64_t start;
	int ch;

	while ((ch = getopt(argc, argv, "a:i:j:n:p:s:t:z:")) != -1)
		switch (ch) {
		case 'a': ackpath = optarg; break;
		case 'i': inject = optarg; break;
		case 'j': clients = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'n': count = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'p': position_path = optarg; break;
		case 's': smtp = optarg; break;
		case 't': fixed_to = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'z': fixed_size = strtoul(optarg, NULL, 10); break;
		default: usage();
		}
	if (position_path == NULL || ackpath == NULL || inject == NULL ||
	    clients == 0)
		usage();
	map_position(position_path);
	acks = open(ackpath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (acks == -1)
		err(1, "%s", ackpath);
	start = now_ms();
	ch = run(clients, count);
	printf("%.3f\n", (double)(now_ms() - start) / 1000);
	return ch;
}
