/*
 * site.c - the system under test: one site of one user's own, in a directory
 * of its own, on loopback.
 *
 * A test tool.  Root runs it as one uid too (FACTEUR_SINGLE_UID).
 */
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crash.h"
#include "ctl.h"
#include "deadline.h"

struct site S = { .sink_fd = -1, .watch = -1 };

static const char *const mail_dirs[] = {
	"spool/queue", "spool/hold", "spool/bad", "sink", "Maildir/new",
	"Maildir/cur", "Maildir/tmp",
	"mail/emc.fr/billy/Maildir/new", "mail/emc.fr/billy/Maildir/cur",
	"mail/emc.fr/billy/Maildir/tmp",
	"mail/emc.fr/marie/Maildir/new", "mail/emc.fr/marie/Maildir/cur",
	"mail/emc.fr/marie/Maildir/tmp",
	"mail/emc.fr/jean-bob/Maildir/new",
	"mail/emc.fr/jean-bob/Maildir/cur",
	"mail/emc.fr/jean-bob/Maildir/tmp",
};
#define NDIRS	(sizeof(mail_dirs) / sizeof(mail_dirs[0]))

static const char *
keep(const char *a, const char *b, const char *c)
{
	static struct buf ring[4];
	static unsigned next;
	struct buf *out = &ring[next++ % 4];

	buf_reset(out);
	buf_addf(out, "%s%s%s", a, b, c);
	return buf_str(out);
}

const char *
site_path(const char *name)
{
	return keep(S.dir, "/", name);
}

const char *
site_program(const char *name)
{
	bool bin = strcmp(name, "facteur") == 0 || strcmp(name, "sendmail") == 0;

	return keep(S.build, bin ? "/bin/" : "/libexec/facteur/", name);
}

/* ---- making and removing ----------------------------------------------- */

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static pid_t made_by;

static void
remove_site(void)
{
	if (getpid() != made_by)
		return;
	site_kill();
	if (getenv("KEEP") != NULL)
		note("kept: %s", S.dir);
	else
		(void)nftw(S.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A port of our own: bound, listening only if asked for. */
static int
bind_port(int *port_out, bool listening)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd == -1 || bind(fd, (struct sockaddr *)&a, sizeof(a)) == -1 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) == -1 ||
	    (listening && listen(fd, SOMAXCONN) == -1))
		err(1, "a port on 127.0.0.1");
	*port_out = ntohs(a.sin_port);
	return fd;
}

static void
make_dirs(const char *path)
{
	char *copy = xstrdup(path);

	for (char *p = copy + 1; *p != '\0'; p++)
		if (*p == '/') {
			*p = '\0';
			(void)mkdir(copy, 0700);
			*p = '/';
		}
	if (mkdir(copy, 0700) == -1 && errno != EEXIST)
		err(1, "%s", copy);
	free(copy);
}

static void
write_config(int sink_port)
{
	FILE *f;

	(void)snprintf(S.conf, sizeof(S.conf), "%s/conf", S.dir);
	if (mkdir(S.conf, 0700) == -1 ||
	    (f = fopen(site_path("conf/facteur.conf"), "we")) == NULL)
		err(1, "%s", S.conf);
	(void)fprintf(f, "hostname = mx.emc.fr\ndomains = emc.fr\n"
	    "spool = %s/spool\nrun = %s/run\nmail = %s/mail\n"
	    "listen_smtp = 127.0.0.1:%d\nrelay_host = 127.0.0.1:%d\n"
	    "resolver = 127.0.0.1:9\ntrusted = 127.0.0.0/8\n"
	    "inject_workers = 2\n",
	    S.dir, S.dir, S.dir, S.port, sink_port);
	if (fclose(f) == EOF)
		err(1, "facteur.conf");
}

static void
add_user(const char *address)
{
	const char *program = site_program("facteur");
	int in[2], status = -1;
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		err(1, "fork");
	if (pid == 0) {
		(void)dup2(in[0], 0);
		(void)execl(program, program, "-C", S.conf, "passwd", address,
		    (char *)NULL);
		_exit(126);
	}
	if (write(in[1], "ecureuil\n", 9) != 9 || close(in[1]) == -1 ||
	    close(in[0]) == -1 || waitpid(pid, &status, 0) != pid ||
	    status != 0)
		errx(1, "facteur passwd %s: status %d", address, status);
}

void
site_make(void)
{
	const char *base = getenv("TMPDIR");
	int sink_port, fd;

	(void)snprintf(S.dir, sizeof(S.dir), "%s/crash.XXXXXX",
	    base != NULL ? base : "/tmp");
	if (mkdtemp(S.dir) == NULL || chmod(S.dir, 0711) == -1)
		err(1, "%s", S.dir);
	made_by = getpid();
	S.run = (int)made_by;
	(void)atexit(remove_site);
	/* The dead programs' children come to us, to be waited for. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	(void)setenv("FACTEUR_SINGLE_UID", "1", 1);
	S.sink_fd = bind_port(&sink_port, true);
	fd = bind_port(&S.port, false);
	(void)close(fd);
	write_config(sink_port);
	S.watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	for (size_t i = 0; i < NDIRS; i++) {
		make_dirs(site_path(mail_dirs[i]));
		(void)inotify_add_watch(S.watch, site_path(mail_dirs[i]),
		    IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE);
	}
	(void)chmod(site_path("Maildir"), 0755);
	add_user(SENDER);
	add_user(LOCAL);
	add_user(LOCAL_TOO);
}

static int
remove_file(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)f;
	return type == FTW_D || type == FTW_DP ? 0 : unlink(path);
}

void
site_clear(void)
{
	for (size_t i = 0; i < NDIRS; i++)
		(void)nftw(site_path(mail_dirs[i]), remove_file, 16, FTW_PHYS);
	while (site_changed(0))
		continue;
}

bool
site_changed(int ms)
{
	struct pollfd p = { S.watch, POLLIN, 0 };
	char events[4096];

	if (poll(&p, 1, ms) <= 0)
		return false;
	return read(S.watch, events, sizeof(events)) > 0;
}

/* ---- starting and killing ---------------------------------------------- */

void
sink_start(void)
{
	pid_t parent = getpid();

	(void)fflush(stdout);
	if ((S.sink = fork()) == -1)
		err(1, "fork");
	if (S.sink == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		sink_run(S.sink_fd, site_path("sink"));
	}
}

static pid_t
start_plain(const struct start *s)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent || dup2(s->out, 1) == -1 ||
		    dup2(s->err, 2) == -1)
			_exit(126);
		(void)execv(s->argv[0], s->argv);
		_exit(126);
	}
	return pid;
}

/*
 * Asks the queue manager; true: it has answered.  It has hung up as well when
 * this returns, so that no call of its own for us is counted as one for a
 * message.
 */
static bool
ask(const char *verb, const char *key, const char *value)
{
	struct buf line = BUF_INIT, b = BUF_INIT;
	struct stream s;
	struct ctl c;
	int64_t deadline = deadline_in(20);
	int fd = ctl_connect(site_path("run/control"));
	const char *more;
	bool ok;

	if (fd == -1)
		return false;
	stream_init(&s, fd, fd);
	ctl_begin(&b, verb);
	if (key != NULL)
		ctl_add(&b, key, value);
	ctl_end(&b);
	ctl_send(&s, &b);
	ok = ctl_read(&s, &line, &c, deadline) == 1;
	(void)shutdown(fd, SHUT_WR);
	for (ssize_t n; (n = stream_peek(&s, &more, deadline)) > 0;)
		stream_consume(&s, (size_t)n);
	stream_release(&s);
	buf_release(&line);
	buf_release(&b);
	return ok;
}

bool
site_start(bool traced)
{
	char *argv[] = { xstrdup(site_program("facteur")), xstrdup("run"),
	    xstrdup("-C"), S.conf, NULL };
	struct start s = { .argv = argv, .in = -1 };
	char said[16] = "";
	struct pollfd p;
	int out[2];

	sink_start();
	if (pipe2(out, O_CLOEXEC) == -1 || (s.err = open(site_path("log"),
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) == -1)
		err(1, "log");
	s.out = out[1];
	if (traced)
		trace_start(&S.trace, &s, NULL);
	else
		S.plain = start_plain(&s);
	(void)close(out[1]);
	p = (struct pollfd){ out[0], POLLIN, 0 };
	if (poll(&p, 1, 30000) == 1 &&
	    read(out[0], said, sizeof(said) - 1) <= 0)
		said[0] = '\0';
	(void)close(out[0]);
	(void)close(s.err);
	for (int i = 0; i < 3; i++)
		free(argv[i]);
	/* The queue manager answers: then the others, started earlier, do. */
	return strcmp(said, "ready\n") == 0 && ask("status", NULL, NULL);
}

static void
reap_all(void)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, 0)) > 0 ||
	    (pid == -1 && errno == EINTR))
		continue;
}

void
site_kill(void)
{
	if (S.sink != 0)
		(void)kill(S.sink, SIGKILL);
	S.sink = 0;
	if (S.plain != 0)
		(void)kill(S.plain, SIGKILL);
	if (S.trace.tracer != 0)
		trace_end(&S.trace);
	/*
	 * What the tracer had is being killed by the kernel; without their
	 * supervisor the programs end by themselves.  They all come to us
	 * (PR_SET_CHILD_SUBREAPER).
	 */
	reap_all();
	S.plain = 0;
}

bool
site_stop(void)
{
	int status = -1;

	if (S.plain != 0 && kill(S.plain, SIGTERM) == 0 &&
	    waitpid(S.plain, &status, 0) == S.plain)
		S.plain = 0;
	site_kill();
	return status == 0;
}

void
site_push(void)
{
	(void)ask("retry", "all", "yes");
}
