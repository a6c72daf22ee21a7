/*
 * handshake.c - what a TLS handshake costs: with keyd, or with a key in the
 * server itself.  The figures are in INTERNALS 2.9.
 *
 * usage: handshake [-2] [-n times] -C confdir
 * Prints the median and the 10th percentile (what a busy machine disturbs
 * least) in microseconds, from the moment when a session wants TLS until it
 * has it.  Each server is a fresh child, as in life; its fork is not counted.
 * With keyd if one listens in confdir's run.
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "deadline.h"
#include "privdrop.h"
#include "stream_tls.h"
#include "tls.h"

/* The session: reports how long it took. */
static _Noreturn void
serve(struct tls_identity *t, int fd, int report)
{
	struct buf why = BUF_INIT;
	struct stream s;
	int64_t us = now_us();
	SSL_CTX *ctx = tls_identity_current(t, &why);

	stream_init(&s, fd, fd);
	if (ctx == NULL || stream_tls_accept(&s, ctx, deadline_in(10)) == -1)
		errx(EX_UNAVAILABLE, "%s", why.len > 0 ? why.data :
		    tls_error());
	tls_identity_rest(t);
	us = now_us() - us;
	if (write(report, &us, sizeof(us)) != sizeof(us))
		_exit(1);
	_exit(0);
}

static int64_t
handshake(struct tls_identity *t, SSL_CTX *client)
{
	int fd[2], report[2], status;
	struct stream s;
	int64_t us;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == -1 ||
	    pipe2(report, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		err(EX_OSERR, "start");
	if (pid == 0)
		serve(t, fd[1], report[1]);
	(void)close(fd[1]);
	(void)close(report[1]);
	stream_init(&s, fd[0], fd[0]);
	if (stream_tls_connect(&s, client, NULL, deadline_in(10)) == -1 ||
	    read(report[0], &us, sizeof(us)) != sizeof(us))
		errx(EX_UNAVAILABLE, "no handshake: %s", tls_error());
	stream_release(&s);
	(void)close(report[0]);
	if (waitpid(pid, &status, 0) == -1 || status != 0)
		errx(EX_SOFTWARE, "the server has failed");
	return us;
}

static int
compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

int
main(int argc, char *argv[])
{
	const char *confdir = NULL, *bad = NULL;
	struct buf why = BUF_INIT;
	struct tls_identity t;
	SSL_CTX *client = tls_client(&why);
	bool old = false;
	int64_t *us;
	int n = 400, ch;

	process_init();
	while ((ch = getopt(argc, argv, "2C:n:")) != -1)
		switch (ch) {
		case '2':
			old = true;
			break;
		case 'C':
			confdir = optarg;
			break;
		case 'n':
			n = (int)strtonum(optarg, 1, 100000, &bad);
			break;
		default:
			bad = "option";
		}
	if (bad != NULL || confdir == NULL || argc != optind)
		errx(EX_USAGE, "usage: handshake [-2] [-n times] -C confdir");
	tls_identity_init(&t, config_or_die(confdir));
	if (tls_identity_current(&t, &why) == NULL || client == NULL)
		errx(EX_CONFIG, "%s", buf_str(&why));
	tls_identity_rest(&t);
	if (old)
		SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
	us = xcalloc((size_t)n, sizeof(*us));
	for (int i = 0; i < n; i++)
		us[i] = handshake(&t, client);
	qsort(us, (size_t)n, sizeof(*us), compare);
	printf("%s %s median %lld us, 10 %% below %lld us, of %d\n",
	    t.mark[0] != '\0' ? "keyd" : "file", old ? "TLSv1.2" : "TLSv1.3",
	    (long long)us[n / 2], (long long)us[n / 10], n);
	free(us);
	return 0;
}
