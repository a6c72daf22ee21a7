/*
 * top - `facteur top`: the queue, live, on a terminal.
 *
 * Runs as the caller, and asks the queue manager once a second.  A program of
 * its own in this folder, for it shares qadmin's questions, and no other
 * program shall load a library for screens.  ncurses draws; the frame itself is
 * plain text (queue/top_frame.c), which --once prints.
 */
#include <curses.h>
#include <err.h>
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#include <wchar.h>

#include "deadline.h"
#include "log.h"
#include "options.h"
#include "privdrop.h"
#include "top.h"

#define SECONDS_MAX	3600

struct top {
	const struct config *cfg;
	struct stream control;
	bool	connected;
	struct top_view view;
	int	seconds;	/* between two frames */
	bool	done;
};

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: facteur [-C confdir] top [--once] "
	    "[-d seconds]\n");
	exit(EX_USAGE);
}

/* ---- facts ---- */

/* The queue manager may be restarted while we look: then we try again. */
static void
refresh_facts(struct top *t)
{
	struct top_facts fresh;

	memset(&fresh, 0, sizeof(fresh));
	if (!t->connected)
		t->connected = control_open(t->cfg, &t->control) == 0;
	if (t->connected && top_ask(&t->control, &fresh) == 0) {
		top_facts_release(&t->view.before);
		t->view.before = t->view.now;
		t->view.now = fresh;
		t->view.trouble = NULL;
		return;
	}
	t->view.trouble = strerror(errno);
	if (t->connected)
		stream_release(&t->control);
	t->connected = false;
}

static int
once(struct top *t)
{
	struct buf text = BUF_INIT;
	char *line, *next;

	control_or_die(t->cfg, &t->control);
	if (top_ask(&t->control, &t->view.now) == -1)
		err(EX_TEMPFAIL, "the queue manager tells nothing");
	stream_release(&t->control);
	top_frame(&t->view, &text);
	for (line = text.data; (next = strchr(line, '\n')) != NULL;
	    line = next + 1) {
		*next = '\0';
		puts(line + 1);
	}
	buf_release(&text);
	return print_finish(EX_OK);
}

/* ---- the screen ---- */

/* One line, as far as it fits; what this locale cannot show is '?'. */
static void
draw_line(int row, const char *s)
{
	size_t left = strlen(s), n;
	mbstate_t state;
	wchar_t c;
	int width, col = 0;

	memset(&state, 0, sizeof(state));
	for (; left > 0; s += n, left -= n) {
		n = mbrtowc(&c, s, left, &state);
		if (n == 0 || n > left || (width = wcwidth(c)) < 0) {
			memset(&state, 0, sizeof(state));
			n = 1;
			c = L'?';
			width = 1;
		}
		/* Never into the last column of the last row: it would scroll. */
		if ((col += width) >= COLS)
			return;
		if (col == width)
			(void)move(row, 0);
		(void)addnwstr(&c, 1);
	}
}

static void
draw(struct top *t)
{
	struct buf text = BUF_INIT;
	char *line, *next;
	int row = 0;

	t->view.rows = (unsigned)LINES;
	top_frame(&t->view, &text);
	(void)erase();
	for (line = text.data; row < LINES &&
	    (next = strchr(line, '\n')) != NULL; line = next + 1, row++) {
		*next = '\0';
		if (*line == TOP_HEADING)
			(void)attron(A_BOLD);
		draw_line(row, line + 1);
		(void)attroff(A_BOLD);
	}
	(void)refresh();
	buf_release(&text);
}

static void
press(struct top *t, int key)
{
	switch (key) {
	case 'q':
	case 'Q':
	case 3:			/* ^C where it is no signal */
		t->done = true;
		break;
	case 'w':
		t->view.sort = TOP_WAITING;
		break;
	case 'r':
		t->view.sort = TOP_RUNNING;
		break;
	case 'p':
		t->view.sort = TOP_REST;
		break;
	case 'n':
		t->view.sort = TOP_NAME;
		break;
	case '+':
		t->seconds += t->seconds < SECONDS_MAX;
		break;
	case '-':
		t->seconds -= t->seconds > 1;
		break;
	case 12:		/* ^L */
		(void)clearok(curscr, TRUE);
		break;
	default:		/* KEY_RESIZE too: drawing is all there is to do */
		break;
	}
}

/* Keys until the deadline.  A signal (a new size) ends the wait, too. */
static void
keys(struct top *t, int64_t deadline)
{
	struct pollfd fd = { STDIN_FILENO, POLLIN, 0 };
	int key, n = poll(&fd, 1, deadline_poll(deadline));

	if (n > 0 && (fd.revents & ~POLLIN) != 0)
		t->done = true;		/* the terminal has gone */
	while (!t->done && (key = getch()) != ERR)
		press(t, key);
}

static int
live(struct top *t)
{
	int64_t next = 0;
	SCREEN *screen;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		errx(EX_USAGE, "this is no terminal: --once prints one frame");
	/* Who may not ask, or too early, hears it before the screen is cleared. */
	control_or_die(t->cfg, &t->control);
	t->connected = true;
	if ((screen = newterm(NULL, stdout, stdin)) == NULL)
		errx(EX_USAGE, "unknown terminal: --once prints one frame");
	(void)cbreak();
	(void)noecho();
	(void)nodelay(stdscr, TRUE);
	(void)keypad(stdscr, TRUE);
	(void)curs_set(0);
	for (t->view.keys = true; !t->done; keys(t, next)) {
		if (now_ms() >= next) {
			refresh_facts(t);
			next = now_ms() + (int64_t)t->seconds * 1000;
		}
		draw(t);
	}
	(void)endwin();
	delscreen(screen);
	return EX_OK;
}

static int
seconds_arg(const char *s)
{
	const char *why;
	long long n = strtonum(s, 1, SECONDS_MAX, &why);

	if (why != NULL)
		errx(EX_USAGE, "seconds: %s is %s", s, why);
	return (int)n;
}

int
main(int argc, char *argv[])
{
	static const struct option words[] = {
		{ "once", no_argument, NULL, 'o' }, { NULL, 0, NULL, 0 }
	};
	struct top t = { .seconds = 1 };
	const char *confdir = NULL;
	struct config *cfg;
	bool one = false;
	int ch, status;

	setprogname("facteur");
	process_init();
	log_init("facteur");
	(void)setlocale(LC_CTYPE, "");
	while ((ch = options_next(argc, argv, "C:d:", words)) != -1)
		switch (ch) {
		case 'C':
			confdir = optarg;
			break;
		case 'd':
			t.seconds = seconds_arg(optarg);
			break;
		case 'o':
			one = true;
			break;
		default:
			usage();
		}
	if (optind != argc)
		usage();
	cfg = config_or_die(confdir);
	t.cfg = cfg;
	t.view.hostname = cfg->hostname;
	status = one ? once(&t) : live(&t);
	if (t.connected)
		stream_release(&t.control);
	top_facts_release(&t.view.now);
	top_facts_release(&t.view.before);
	config_free(cfg);
	return status;
}
