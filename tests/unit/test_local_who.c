/*
 * Asking authd whose mailbox it is: one of a few lines answers, dies, lies.
 * link: local
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../local/who_cache.h"
#include "ctl.h"
#include "deadline.h"

struct world {
	char	dir[64];
	struct config *cfg;
	pid_t	authd;		/* 0: none */
	struct who who;
	struct mailbox box;
	struct buf why;
};

static void
put(const struct world *w, const char *name, const char *text)
{
	struct buf path = BUF_INIT;
	FILE *f;

	buf_addf(&path, "%s/%s", w->dir, name);
	f = fopen(path.data, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	buf_release(&path);
}

static int
setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct buf conf = BUF_INIT, why = BUF_INIT;

	*state = w;
	umask(077);
	w->box = (struct mailbox)MAILBOX_INIT;
	strlcpy(w->dir, "/tmp/test_who.XXXXXX", sizeof(w->dir));
	if (mkdtemp(w->dir) == NULL)
		return -1;
	buf_addf(&conf, "domains = d.example\nrun = %s/run\n", w->dir);
	put(w, "facteur.conf", conf.data);
	w->cfg = config_load(w->dir, false, &why);
	assert_non_null(w->cfg);
	assert_int_equal(mkdir(w->cfg->run, 0700), 0);
	buf_reset(&conf);
	buf_addf(&conf, "%s/net", w->cfg->run);
	assert_int_equal(mkdir(conf.data, 0700), 0);
	buf_release(&conf);
	who_init(&w->who, w->cfg);
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

	if (w->authd != 0) {
		(void)kill(w->authd, SIGKILL);
		(void)waitpid(w->authd, NULL, 0);
	}
	who_release(&w->who);
	mailbox_release(&w->box);
	buf_release(&w->why);
	config_free(w->cfg);
	assert_int_equal(nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS),
	    0);
	free(w);
	return 0;
}

/*
 * Answers each connection's questions with the lines of `script` in turn; "-"
 * hangs up.
 */
static void
serve(int listener, const char *const *script)
{
	struct buf line = BUF_INIT;
	struct stream s;
	struct ctl c;

	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd == -1)
			_exit(1);
		stream_init(&s, fd, fd);
		while (ctl_read(&s, &line, &c, deadline_in(20)) == 1) {
			if (*script == NULL || !ctl_is(&c, "who"))
				_exit(1);
			if (strcmp(*script++, "-") == 0)
				break;
			stream_puts(&s, script[-1]);
		}
		stream_release(&s);
	}
}

static void
authd(struct world *w, const char *const *script)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strlcpy(sun.sun_path, config_socket(w->cfg, "net/authd"),
	    sizeof(sun.sun_path));
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fd, 5), 0);
	w->authd = fork();
	assert_true(w->authd != -1);
	if (w->authd == 0)
		serve(fd, script);
	close(fd);
}

static enum who_result
ask(struct world *w)
{
	buf_reset(&w->why);
	return who_ask(&w->who, "billy@d.example", &w->box, &w->why);
}

#define BILLY	"user address=billy@d.example uid=7 gid=8 home=/h/billy\n"

static void
answers_are_understood(void **state)
{
	static const char *const script[] = { BILLY, "none\n",
	    "later text=not%20now\n", BILLY, NULL };
	struct world *w = *state;

	authd(w, script);
	assert_int_equal(ask(w), WHO_USER);
	assert_string_equal(w->box.address, "billy@d.example");
	assert_string_equal(w->box.home, "/h/billy");
	assert_int_equal(w->box.uid, 7);
	assert_int_equal(w->box.gid, 8);
	assert_int_equal(ask(w), WHO_NONE);
	assert_null(w->box.address);
	assert_int_equal(ask(w), WHO_LATER);
	assert_string_equal(w->why.data, "not now");
	assert_int_equal(ask(w), WHO_USER);
}

static void
an_answer_without_sense_is_no_user(void **state)
{
	static const char *const script[] = {
		"user address=b@d uid=7 gid=8 home=relative\n",
		"user address=b@d uid=7 gid=8 home=/a/../etc\n",
		"user address=b@d uid=7 gid=8\n",
		"user address=b@d uid=-1 gid=8 home=/h\n",
		"user address=b@d uid=4294967295 gid=8 home=/h\n",
		"user address=b@d gid=8 home=/h\n",
		"user uid=7 gid=8 home=/h\n",
		"ok user=b@d uid=7 gid=8 home=/h address=b@d\n",
		NULL
	};
	struct world *w = *state;

	authd(w, script);
	for (size_t i = 0; script[i] != NULL; i++) {
		assert_int_equal(ask(w), WHO_LATER);
		assert_null(w->box.home);
		assert_true(w->why.len > 0);
	}
}

static void
a_connection_that_was_closed_is_made_again(void **state)
{
	static const char *const script[] = { BILLY, "-", BILLY, "-", "-",
	    "GARBAGE\n", BILLY, NULL };
	struct world *w = *state;

	assert_int_equal(ask(w), WHO_LATER);	/* there is no authd yet */
	authd(w, script);
	assert_int_equal(ask(w), WHO_USER);
	assert_int_equal(ask(w), WHO_USER);	/* closed, and asked again */
	assert_int_equal(ask(w), WHO_LATER);	/* closed twice */
	assert_int_equal(ask(w), WHO_LATER);	/* malformed, on a new one */
	assert_int_equal(ask(w), WHO_USER);
}

static void
the_file_answers_like_authd(void **state)
{
	struct world *w = *state;
	struct buf home = BUF_INIT;

	assert_int_equal(who_file(w->cfg, "billy@d.example", &w->box, &w->why),
	    WHO_NONE);
	put(w, "users", "billy@d.example:*\njane@d.example:*:7:8::/h/jane\n");
	assert_int_equal(who_file(w->cfg, "Billy@d.example", &w->box, &w->why),
	    WHO_USER);
	buf_addf(&home, "%s/d.example/billy", w->cfg->mail);
	assert_string_equal(w->box.home, home.data);
	assert_int_equal(w->box.uid, geteuid());
	/* In single-uid mode uids do not count, homes do. */
	assert_int_equal(who_file(w->cfg, "jane@d.example", &w->box, &w->why),
	    WHO_USER);
	assert_string_equal(w->box.home, "/h/jane");
	assert_int_equal(w->box.uid, geteuid());
	assert_int_equal(who_file(w->cfg, "postmaster@d.example", &w->box,
	    &w->why), WHO_USER);
	assert_int_equal(who_file(w->cfg, "postmaster@e.example", &w->box,
	    &w->why), WHO_NONE);
	buf_release(&home);
}

/* As if the moment had passed for which answers are remembered. */
static void
let_time_pass(struct who_cache *c)
{
	for (size_t i = 0; i < WHO_SLOTS; i++)
		c->slot[i].box.until = 0;
}

static enum who_result
ask_cache(struct world *w, struct who_cache *c, const char *address)
{
	buf_reset(&w->why);
	return who_cache_ask(c, address, &w->box, &w->why);
}

static void
a_mailbox_is_remembered_for_a_moment(void **state)
{
	static const char *const script[] = { "none\n", BILLY,
	    "user address=jane@d.example uid=9 gid=9 home=/h/jane\n",
	    "later text=x\n", "none\n", NULL };
	struct world *w = *state;
	struct who_cache *c = xcalloc(1, sizeof(*c));

	who_cache_init(c, w->cfg);
	authd(w, script);
	/* A new user is there at once; who was there stays, for now. */
	assert_int_equal(ask_cache(w, c, "billy@d.example"), WHO_NONE);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ask_cache(w, c, "billy@d.example"), WHO_USER);
		assert_string_equal(w->box.home, "/h/billy");
		assert_int_equal(w->box.uid, 7);
	}
	assert_int_equal(ask_cache(w, c, "jane@d.example"), WHO_USER);
	assert_string_equal(w->box.home, "/h/jane");
	let_time_pass(c);
	assert_int_equal(ask_cache(w, c, "billy@d.example"), WHO_LATER);
	assert_null(w->box.home);
	assert_int_equal(ask_cache(w, c, "billy@d.example"), WHO_NONE);
	who_cache_release(c);
	free(c);
}

static void
what_is_repeated_has_the_end_of_the_first_answer(void **state)
{
	static const char *const script[] = { BILLY, BILLY, NULL };
	struct world *w = *state;
	struct who_cache *c = xcalloc(1, sizeof(*c));
	const int64_t begin = now_ms();
	int64_t until;

	who_cache_init(c, w->cfg);
	authd(w, script);
	assert_int_equal(ask_cache(w, c, "billy@d.example"), WHO_USER);
	until = w->box.until;
	assert_in_range(until, begin + WHO_KEEP_MS, now_ms() + WHO_KEEP_MS);
	(void)poll(NULL, 0, 5);
	assert_int_equal(ask_cache(w, c, "billy@d.example"), WHO_USER);
	assert_int_equal(w->box.until, until);
	let_time_pass(c);
	assert_int_equal(ask_cache(w, c, "billy@d.example"), WHO_USER);
	assert_true(w->box.until > until);
	/* Who asks authd himself gets no promise. */
	mailbox_release(&w->box);
	assert_int_equal(w->box.until, 0);
	who_cache_release(c);
	free(c);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(answers_are_understood),
		T(an_answer_without_sense_is_no_user),
		T(a_connection_that_was_closed_is_made_again),
		T(the_file_answers_like_authd),
		T(a_mailbox_is_remembered_for_a_moment),
		T(what_is_repeated_has_the_end_of_the_first_answer),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
