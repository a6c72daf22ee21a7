/*
 * The queue's side of INTERNALS 2.6 against a worker: what it answers.
 * link: local
 */
#include <sys/socket.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../local/local.h"
#include "ctl.h"
#include "deadline.h"

#define ID	"0g2r9s4vzzz00001"
#define TEXT	"Subject: hello\n\nbody\n"

struct world {
	char	dir[64];
	struct config *cfg;
	int	message;	/* a queue file */
	struct stream queue;	/* our end */
	struct stream worker;	/* its end; owned by the worker */
	struct buf home, answers;
};

static int
setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct buf path = BUF_INIT, why = BUF_INIT;
	int pair[2];

	*state = w;
	strlcpy(w->dir, "/tmp/test_worker.XXXXXX", sizeof(w->dir));
	if (mkdtemp(w->dir) == NULL)
		return -1;
	w->cfg = config_load(w->dir, false, &why);
	assert_non_null(w->cfg);
	assert_int_equal(mkdir(w->cfg->mail, 0700), 0);
	buf_addf(&w->home, "%s/d/billy", w->cfg->mail);
	buf_addf(&path, "%s/message", w->dir);
	w->message = open(path.data, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(w->message != -1);
	assert_int_equal(write(w->message, TEXT "facteur 1\n",
	    strlen(TEXT "facteur 1\n")), strlen(TEXT "facteur 1\n"));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    pair), 0);
	stream_init_unix(&w->queue, pair[0]);
	stream_init_unix(&w->worker, pair[1]);
	buf_release(&path);
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int
teardown(void **state)
{
	struct world *w = *state;

	stream_release(&w->queue);
	close(w->message);
	config_free(w->cfg);
	buf_release(&w->home);
	buf_release(&w->answers);
	assert_int_equal(nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS),
	    0);
	free(w);
	return 0;
}

/* One job: the descriptor goes with its first frame. */
static void
send_job(struct world *w, const char *id, int64_t size, const char *rest)
{
	struct buf b = BUF_INIT;

	ctl_begin(&b, "job");
	ctl_add(&b, "id", id);
	ctl_addn(&b, "size", size);
	ctl_add(&b, "sender", "jean-bob@emc.fr");
	ctl_end(&b);
	assert_int_equal(stream_send_fd(&w->queue, w->message, b.data, b.len,
	    deadline_in(5)), 0);
	stream_puts(&w->queue, rest);
	assert_int_equal(stream_flush(&w->queue, deadline_in(5)), 0);
	buf_release(&b);
}

/*
 * Everything was sent: lets the worker run to its end, returns its status and
 * reads what it said.
 */
static int
run(struct world *w, const struct verdict *refusal)
{
	const char *p;
	ssize_t n;
	int rc;

	assert_int_equal(shutdown(w->queue.wfd, SHUT_WR), 0);
	rc = local_worker(&w->worker, w->cfg, refusal);
	while ((n = stream_peek(&w->queue, &p, deadline_in(5))) > 0) {
		buf_add(&w->answers, p, (size_t)n);
		stream_consume(&w->queue, (size_t)n);
	}
	return rc;
}

static void
rcpt(const struct world *w, struct buf *b, unsigned n, const char *to,
    const char *home)
{
	ctl_begin(b, "rcpt");
	ctl_addn(b, "n", n);
	ctl_add(b, "to", to);
	ctl_add(b, "address", "billy@d");
	ctl_add(b, "home", home != NULL ? home : w->home.data);
	ctl_end(b);
}

static int
new_files(const struct world *w)
{
	struct buf path = BUF_INIT;
	struct dirent *e;
	DIR *d;
	int n = 0;

	buf_addf(&path, "%s/Maildir/new", w->home.data);
	d = opendir(path.data);
	buf_release(&path);
	if (d == NULL)
		return 0;
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void
many_jobs_go_down_one_connection(void **state)
{
	struct world *w = *state;
	struct buf b = BUF_INIT;

	ctl_begin(&b, "head");
	ctl_add(&b, "text", "X-Front: 1");
	ctl_end(&b);
	rcpt(w, &b, 1, "billy@d", NULL);
	rcpt(w, &b, 3, "billy+x@d", NULL);
	rcpt(w, &b, 4, "other@d", "/nonexistent/home");
	ctl_begin(&b, "end");
	ctl_end(&b);
	send_job(w, ID, (int64_t)strlen(TEXT), b.data);
	/* The same again (its answer was lost), and another message. */
	send_job(w, ID, (int64_t)strlen(TEXT), b.data);
	send_job(w, "0g2r9s4vzzz00002", (int64_t)strlen(TEXT), b.data);
	assert_int_equal(run(w, NULL), EX_OK);
	for (int i = 0; i < 3; i++) {
		const char *want[] = { "rcpt n=1 status=done enh=2.0.0 ",
		    "rcpt n=3 status=done enh=2.0.0 ",
		    "rcpt n=4 status=defer enh=4.3.5 ", "end keep=no\n" };

		for (size_t j = 0; j < 4; j++) {
			char *lf = strchr(w->answers.data, '\n');

			assert_non_null(lf);
			assert_memory_equal(w->answers.data, want[j],
			    strlen(want[j]));
			buf_shift(&w->answers,
			    (size_t)(lf - w->answers.data) + 1);
		}
	}
	assert_int_equal(w->answers.len, 0);
	assert_int_equal(new_files(w), 4);
	buf_release(&b);
}

static void
a_short_message_defers_every_recipient(void **state)
{
	struct world *w = *state;
	struct buf b = BUF_INIT;

	rcpt(w, &b, 1, "billy@d", NULL);
	rcpt(w, &b, 2, "bob@d", NULL);
	buf_adds(&b, "end\n");
	send_job(w, ID, 100000, b.data);
	assert_int_equal(run(w, NULL), EX_OK);
	assert_non_null(strstr(w->answers.data, "rcpt n=1 status=defer"));
	assert_non_null(strstr(w->answers.data, "rcpt n=2 status=defer"));
	assert_int_equal(new_files(w), 0);
	buf_release(&b);
}

static void
a_refusal_is_told_to_everyone(void **state)
{
	struct verdict refusal = { DEFERRED, "4.3.5", BUF_INIT };
	struct world *w = *state;
	struct buf b = BUF_INIT;

	buf_adds(&refusal.text, "why");
	rcpt(w, &b, 1, "billy@d", NULL);
	rcpt(w, &b, 2, "bob@d", NULL);
	buf_adds(&b, "end\n");
	send_job(w, ID, (int64_t)strlen(TEXT), b.data);
	assert_int_equal(run(w, &refusal), EX_OK);
	assert_string_equal(w->answers.data,
	    "rcpt n=1 status=defer enh=4.3.5 text=why\n"
	    "rcpt n=2 status=defer enh=4.3.5 text=why\nend keep=no\n");
	assert_int_equal(new_files(w), 0);
	buf_release(&b);
	buf_release(&refusal.text);
}

/*
 * Nothing is delivered, nothing is answered; the queue defers what it asked
 * for.
 */
static void
what_is_malformed_ends_the_connection(void **state)
{
	static const struct { const char *id, *rest; } table[] = {
		{ "../../../etc/pas", "end\n" },
		{ "short", "end\n" },
		{ "", "end\n" },
		{ ID, "rcpt n=0 to=billy@d home=/x\nend\n" },
		{ ID, "rcpt n=1 to= home=/x\nend\n" },
		{ ID, "data len=1\nend\n" },
		{ ID, "JOB\nend\n" },
		{ ID, "rcpt n=1 to=billy@d home=/x\n" },	/* no end */
		{ NULL, "job id=" ID " size=1 sender=\nend\n" }, /* no fd */
		{ NULL, "end\n" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].id != NULL)
			send_job(w, table[i].id, (int64_t)strlen(TEXT),
			    table[i].rest);
		else {
			stream_puts(&w->queue, table[i].rest);
			assert_int_equal(stream_flush(&w->queue,
			    deadline_in(5)), 0);
		}
		assert_int_equal(run(w, NULL), EX_PROTOCOL);
		assert_int_equal(w->answers.len, 0);
		assert_int_equal(new_files(w), 0);
		assert_int_equal(teardown(state), 0);
		assert_int_equal(setup(state), 0);
		w = *state;
	}
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(many_jobs_go_down_one_connection),
		T(a_short_message_defers_every_recipient),
		T(a_refusal_is_told_to_everyone),
		T(what_is_malformed_ends_the_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
