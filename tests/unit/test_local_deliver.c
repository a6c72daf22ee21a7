/*
 * Delivery into Maildirs, on a disk that may fail at any call.
 * link: local
 * wrap: openat mkdirat fsync sync_file_range linkat write pread close
 */
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
#include <unistd.h>

#include <cmocka.h>

#include "../../local/local.h"

/* ---- the disk: fails at its fail_at-th call with fail_errno ---- */
static int fail_at, fail_errno, calls;
static const char *failed;
static int fsyncs, written_out, write_out_error;
static bool no_tmpfile;

static bool
fails(const char *call)
{
	if (fail_at == 0 || ++calls != fail_at)
		return false;
	failed = call;
	errno = fail_errno;
	return true;
}

int	__real_openat(int, const char *, int, ...);
int	__wrap_openat(int, const char *, int, mode_t);
int	__real_mkdirat(int, const char *, mode_t);
int	__wrap_mkdirat(int, const char *, mode_t);
int	__real_fsync(int);
int	__wrap_fsync(int);
int	__real_sync_file_range(int, off64_t, off64_t, unsigned);
int	__wrap_sync_file_range(int, off64_t, off64_t, unsigned);
int	__real_linkat(int, const char *, int, const char *, int);
int	__wrap_linkat(int, const char *, int, const char *, int);
ssize_t	__real_write(int, const void *, size_t);
ssize_t	__wrap_write(int, const void *, size_t);
ssize_t	__real_pread(int, void *, size_t, off_t);
ssize_t	__wrap_pread(int, void *, size_t, off_t);
int	__real_close(int);
int	__wrap_close(int);

int
__wrap_openat(int at, const char *path, int flags, mode_t mode)
{
	if (no_tmpfile && (flags & O_TMPFILE) == O_TMPFILE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return fails("openat") ? -1 : __real_openat(at, path, flags, mode);
}

int
__wrap_mkdirat(int at, const char *path, mode_t mode)
{
	return fails("mkdirat") ? -1 : __real_mkdirat(at, path, mode);
}

int
__wrap_fsync(int fd)
{
	fsyncs++;
	return fails("fsync") ? -1 : __real_fsync(fd);
}

int
__wrap_sync_file_range(int fd, off64_t at, off64_t len, unsigned flags)
{
	written_out++;
	errno = write_out_error;
	return write_out_error != 0 ? -1 :
	    __real_sync_file_range(fd, at, len, flags);
}

int
__wrap_linkat(int a, const char *from, int b, const char *to, int flags)
{
	return fails("linkat") ? -1 : __real_linkat(a, from, b, to, flags);
}

/* A disk that is nearly full takes half. */
ssize_t
__wrap_write(int fd, const void *p, size_t n)
{
	if (fd == STDERR_FILENO)
		return __real_write(fd, p, n);
	if (fails("write"))
		return -1;
	return __real_write(fd, p, n > 1 ? n / 2 : n);
}

ssize_t
__wrap_pread(int fd, void *p, size_t n, off_t at)
{
	return fails("pread") ? -1 : __real_pread(fd, p, n, at);
}

int
__wrap_close(int fd)
{
	int rc = __real_close(fd);

	return fails("close") ? -1 : rc;
}

/* ---- a host with one user ---- */
struct world {
	char	dir[64];
	struct config *cfg;
	struct buf home;
	struct message m;
	struct verdict v;
	struct buf text, name;
};

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* With all that is in it; links are removed, not followed. */
static void
remove_tree(const char *path)
{
	if (access(path, F_OK) == 0)
		assert_int_equal(nftw(path, remove_one, 16,
		    FTW_DEPTH | FTW_PHYS), 0);
}

static int
setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct buf path = BUF_INIT, why = BUF_INIT;
	FILE *f;

	*state = w;
	fail_at = 0;
	no_tmpfile = false;
	umask(077);
	w->m = (struct message)MESSAGE_INIT;
	strlcpy(w->dir, "/tmp/test_deliver.XXXXXX", sizeof(w->dir));
	if (mkdtemp(w->dir) == NULL)
		return -1;
	buf_addf(&path, "%s/facteur.conf", w->dir);
	f = fopen(path.data, "w");
	assert_non_null(f);
	assert_true(fputs("hostname = mx.yahoo.co.uk\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	w->cfg = config_load(w->dir, false, &why);
	assert_non_null(w->cfg);
	assert_int_equal(mkdir(w->cfg->mail, 0700), 0);
	buf_addf(&w->home, "%s/yahoo.co.uk/billy", w->cfg->mail);
	buf_release(&path);
	buf_release(&why);
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	fail_at = 0;
	message_release(&w->m);
	buf_release(&w->v.text);
	buf_release(&w->text);
	buf_release(&w->name);
	buf_release(&w->home);
	config_free(w->cfg);
	remove_tree(w->dir);
	free(w);
	return 0;
}

/* A message of len bytes in a queue file, with its envelope behind it. */
static void
queue_file(struct world *w, const char *text, size_t len)
{
	struct buf path = BUF_INIT;
	FILE *f;

	message_release(&w->m);
	buf_addf(&path, "%s/message", w->dir);
	f = fopen(path.data, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_true(fputs("facteur 1\nsecret envelope\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	w->m.fd = open(path.data, O_RDONLY | O_CLOEXEC);
	assert_true(w->m.fd != -1);
	w->m.size = (int64_t)len;
	w->m.sender = xstrdup("jean-bob@emc.fr");
	strlcpy(w->m.id, "0g2r9s4vzzz00001", sizeof(w->m.id));
	buf_release(&path);
}

static enum outcome
deliver_n(struct world *w, unsigned n)
{
	struct delivery d = { n, "billy@yahoo.co.uk", w->home.data, -1,
	    "Maildir" };

	w->v.outcome = DEFERRED;
	if (message_load(&w->m, &w->v) == 0)
		deliver(&w->m, &d, w->cfg, &w->v);
	return w->v.outcome;
}

static enum outcome
deliver_text(struct world *w, const char *text, size_t len)
{
	queue_file(w, text, len);
	return deliver_n(w, 1);
}

/*
 * How many files a directory of the Maildir has; the name of the last. 0 too
 * when it does not exist.
 */
static int
files(struct world *w, const char *sub)
{
	struct buf path = BUF_INIT;
	struct dirent *e;
	DIR *d;
	int n = 0;

	buf_addf(&path, "%s/Maildir/%s", w->home.data, sub);
	d = opendir(path.data);
	buf_release(&path);
	if (d == NULL)
		return 0;
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.') {
			n++;
			buf_reset(&w->name);
			buf_adds(&w->name, e->d_name);
		}
	closedir(d);
	return n;
}

static int
open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* The one message in new/. */
static const char *
delivered(struct world *w)
{
	struct buf path = BUF_INIT;
	size_t n;
	FILE *f;

	assert_int_equal(files(w, "new"), 1);
	buf_addf(&path, "%s/Maildir/new/%s", w->home.data, w->name.data);
	f = fopen(path.data, "r");
	assert_non_null(f);
	buf_reset(&w->text);
	do {
		char *room = buf_room(&w->text, 65536);

		n = fread(room, 1, 65536, f);
		w->text.len += n;
		room[n] = '\0';
	} while (n > 0);
	assert_int_equal(fclose(f), 0);
	buf_release(&path);
	return w->text.data;
}

#define FRONT	"Return-Path: <jean-bob@emc.fr>\n" \
		"Delivered-To: billy@yahoo.co.uk\n"
#define HEAD	"Received: by x\nSubject: hello\n\n"

static void
the_message_arrives_byte_for_byte(void **state)
{
	static const struct { const char *in, *out; } table[] = {
		{ HEAD "body\n", FRONT HEAD "body\n" },
		{ "", FRONT },
		{ "no header at all\nx\n", FRONT "no header at all\nx\n" },
		{ HEAD ".\n..\n\200\377 8 bit\r\n", FRONT HEAD
		    ".\n..\n\200\377 8 bit\r\n" },
		{ HEAD "no final newline", FRONT HEAD "no final newline" },
		/* RFC 5321 section 4.4: only our own Return-Path remains. */
		{ "Return-Path: <a@b>\n" HEAD "x\n", FRONT HEAD "x\n" },
		{ "A: 1\nreturn-path:\n <a@b>\nB: 2\nReturn-Path : <>\n\nx\n",
		    FRONT "A: 1\nB: 2\n\nx\n" },
		{ HEAD "Return-Path: <a@b>\n", FRONT HEAD
		    "Return-Path: <a@b>\n" },
		{ "Delivered-To: jane@yahoo.co.uk\n" HEAD, FRONT
		    "Delivered-To: jane@yahoo.co.uk\n" HEAD },
		{ HEAD "Delivered-To: billy@yahoo.co.uk\n", FRONT HEAD
		    "Delivered-To: billy@yahoo.co.uk\n" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(deliver_text(w, table[i].in,
		    strlen(table[i].in)), DELIVERED);
		assert_string_equal(delivered(w), table[i].out);
		remove_tree(w->home.data);
	}
}

static void
a_large_message_arrives_whole(void **state)
{
	struct buf b = BUF_INIT;
	struct world *w = *state;
	size_t header;

	for (int i = 0; i < 5000; i++)
		buf_addf(&b, "X-Trace-%d: something rather long\n", i);
	buf_adds(&b, "Return-Path: <late@in.the.header>\n");
	header = b.len;
	buf_adds(&b, "\n");
	for (int i = 0; i < 300000; i++)
		buf_addc(&b, i % 77 == 0 ? '\n' : (char)(i % 256));
	assert_int_equal(deliver_text(w, b.data, b.len), DELIVERED);
	(void)delivered(w);
	/* The late Return-Path is gone, everything else is there. */
	assert_int_equal(w->text.len, strlen(FRONT) + b.len -
	    strlen("Return-Path: <late@in.the.header>\n"));
	assert_memory_equal(w->text.data + w->text.len - (b.len - header),
	    b.data + header, b.len - header);
	buf_release(&b);
}

static void
the_name_tells_both_sizes(void **state)
{
	struct maildir_entry e;
	struct world *w = *state;
	struct wire_count wire;

	assert_int_equal(deliver_text(w, HEAD "a\nb\r\nc", 6 + strlen(HEAD)),
	    DELIVERED);
	(void)delivered(w);
	assert_true(maildir_parse(w->name.data, &e));
	assert_int_equal(e.size, w->text.len);
	wire_count_init(&wire);
	wire_count(&wire, w->text.data, w->text.len);
	assert_int_equal(e.wire, wire_count_end(&wire));
	assert_non_null(strstr(w->name.data, ".Q0g2r9s4vzzz00001R1.mx."));
	assert_non_null(strstr(w->v.text.data, w->name.data));
}

static void
heads_stand_in_front(void **state)
{
	struct world *w = *state;

	queue_file(w, HEAD, strlen(HEAD));
	buf_adds(&w->m.heads, "DKIM-Signature: v=1\n");
	assert_int_equal(deliver_n(w, 1), DELIVERED);
	assert_string_equal(delivered(w), FRONT "DKIM-Signature: v=1\n" HEAD);
}

static void
the_same_delivery_twice_is_one_message(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 2; i++) {
		no_tmpfile = i == 1;
		assert_int_equal(deliver_text(w, HEAD, strlen(HEAD)),
		    DELIVERED);
		assert_int_equal(files(w, "new"), 1);
		assert_int_equal(files(w, "tmp"), 0);
	}
	/* Another recipient of it in the same mailbox is another message. */
	assert_int_equal(deliver_n(w, 2), DELIVERED);
	assert_int_equal(files(w, "new"), 2);
}

/* As a mail program does it when its user has read the message. */
static void
read_it(struct world *w)
{
	struct buf from = BUF_INIT, to = BUF_INIT;

	assert_int_equal(files(w, "new"), 1);
	buf_addf(&from, "%s/Maildir/new/%s", w->home.data, w->name.data);
	buf_addf(&to, "%s/Maildir/cur/%s:2,FS", w->home.data, w->name.data);
	assert_int_equal(rename(from.data, to.data), 0);
	buf_release(&from);
	buf_release(&to);
}

static void
a_repeat_finds_the_first_in_new_and_read_in_cur(void **state)
{
	struct world *w = *state;

	assert_int_equal(deliver_text(w, HEAD, strlen(HEAD)), DELIVERED);
	/* Even if it would get another name now, because a field was added. */
	queue_file(w, HEAD, strlen(HEAD));
	w->m.repeat = true;
	buf_adds(&w->m.heads, "X-New: 1\n");
	assert_int_equal(deliver_n(w, 1), DELIVERED);
	assert_non_null(strstr(w->v.text.data, "before as Maildir/new/"));
	assert_int_equal(files(w, "new"), 1);

	read_it(w);
	fsyncs = 0;
	assert_int_equal(deliver_n(w, 1), DELIVERED);
	assert_non_null(strstr(w->v.text.data, "before as Maildir/cur/"));
	assert_int_equal(files(w, "new"), 0);
	assert_int_equal(files(w, "cur"), 1);
	assert_int_equal(fsyncs, 1);	/* the name may not be on disk yet */

	/* Recipient 11 is not recipient 1; another ID is another message. */
	assert_int_equal(deliver_n(w, 11), DELIVERED);
	w->m.id[ID_LEN - 1] = '2';
	assert_int_equal(deliver_n(w, 1), DELIVERED);
	assert_int_equal(files(w, "new"), 2);
}

static void
a_repeat_that_cannot_look_waits(void **state)
{
	struct world *w = *state;
	bool looked = false;

	assert_int_equal(deliver_text(w, HEAD, strlen(HEAD)), DELIVERED);
	read_it(w);
	w->m.repeat = true;
	for (int i = 1; !looked; i++) {
		fail_errno = EMFILE;
		calls = 0;
		fail_at = i;
		looked = deliver_n(w, 1) == DELIVERED;
		looked = looked && calls < i;
		fail_at = 0;
		assert_int_equal(files(w, "new"), 0);
	}
	assert_int_equal(files(w, "cur"), 1);
}

static void
a_loop_ends_here(void **state)
{
	static const char *const loops[] = {
		"Delivered-To: billy@yahoo.co.uk\n\nx\n",
		"A: b\ndelivered-to:  Billy@Yahoo.co.uk \n\nx\n",
		"Delivered-To: jane@x\nDelivered-To:\n\tbilly@yahoo.co.uk\n",
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(loops) / sizeof(loops[0]); i++) {
		assert_int_equal(deliver_text(w, loops[i], strlen(loops[i])),
		    FAILED);
		assert_string_equal(w->v.enh, "5.4.6");
		assert_int_equal(files(w, "new"), 0);
	}
}

static void
an_address_cannot_break_the_header(void **state)
{
	struct delivery d = { 1, "billy@yahoo.co.uk\nX-Evil: 1", NULL, -1,
	    "Maildir" };
	struct world *w = *state;

	queue_file(w, HEAD, strlen(HEAD));
	d.home = w->home.data;
	assert_int_equal(message_load(&w->m, &w->v), 0);
	deliver(&w->m, &d, w->cfg, &w->v);
	assert_int_equal(w->v.outcome, FAILED);
	d.to = "billy@yahoo.co.uk";
	free(w->m.sender);
	w->m.sender = xstrdup("a>\nX-Evil: <b");
	deliver(&w->m, &d, w->cfg, &w->v);
	assert_int_equal(w->v.outcome, FAILED);
	assert_int_equal(files(w, "new"), 0);
}

static void
a_short_file_is_deferred(void **state)
{
	struct world *w = *state;

	queue_file(w, HEAD, strlen(HEAD));
	w->m.size += 1000;
	assert_int_equal(deliver_n(w, 1), DEFERRED);
	/* Short only behind what the start took in. */
	queue_file(w, HEAD, strlen(HEAD));
	assert_int_equal(message_load(&w->m, &w->v), 0);
	w->m.size += 100000;
	deliver(&w->m, &(struct delivery){ 1, "billy@yahoo.co.uk",
	    w->home.data, -1, "Maildir" }, w->cfg, &w->v);
	assert_int_equal(w->v.outcome, DEFERRED);
	assert_int_equal(files(w, "new"), 0);
	assert_int_equal(files(w, "tmp"), 0);
}

static void
deliver_failing_at(struct world *w, int n, int fds)
{
	fail_at = n;
	calls = 0;
	(void)deliver_n(w, 1);
	fail_at = 0;
	assert_int_equal(open_fds(), fds);
	assert_int_equal(files(w, "tmp"), 0);
	if (w->v.outcome == DELIVERED) {
		/* What was not heard can only be the end of a directory. */
		assert_true(calls < n || strcmp(failed, "close") == 0);
		assert_string_equal(delivered(w), FRONT HEAD "body\n");
	} else {
		assert_int_equal(w->v.outcome, DEFERRED);
		assert_int_equal(files(w, "new"), 0);
	}
}

/*
 * Every call fails once: with a file without a name and with one in tmp/, in
 * a Maildir that is there and in one that has to be made.
 */
static void
when_the_disk_fails_nothing_is_left(void **state)
{
	static const char text[] = HEAD "body\n";
	struct world *w = *state;
	struct buf new = BUF_INIT;
	int fds, n;

	buf_addf(&new, "%s/Maildir/new", w->home.data);
	queue_file(w, text, strlen(text));
	fds = open_fds();
	fail_errno = ENOSPC;
	for (unsigned kind = 0; kind < 4; kind++) {
		no_tmpfile = (kind & 1) != 0;
		for (n = 1, calls = 0; calls >= n - 1; n++) {
			remove_tree(w->home.data);
			if (kind & 2) {
				assert_int_equal(deliver_n(w, 1), DELIVERED);
				remove_tree(new.data);
				assert_int_equal(mkdir(new.data, 0700), 0);
			}
			deliver_failing_at(w, n, fds);
		}
		assert_int_equal(w->v.outcome, DELIVERED);
		assert_in_range(n, kind == 2 ? 8 : 15, 100);
	}
	buf_release(&new);
}

/*
 * Two flushes for a message; one more for each directory made on the way to
 * it.
 */
static void
nothing_is_flushed_in_vain_or_forgotten(void **state)
{
	struct world *w = *state;

	fsyncs = 0;
	assert_int_equal(deliver_text(w, HEAD, strlen(HEAD)), DELIVERED);
	assert_int_equal(fsyncs, 2 + 2 + 1 + 3);
	fsyncs = 0;
	assert_int_equal(deliver_n(w, 2), DELIVERED);
	assert_int_equal(fsyncs, 2);
}

/*
 * Where spool and Maildir share a file system that keeps the order of its
 * changes, the bytes need only be written out before the name, and the name
 * needs a flush only if no queue file stands behind it.
 */
static void
flushes_go_where_the_file_system_keeps_order(void **state)
{
	static const struct { bool ordered, same, alone; unsigned n; } t[] = {
		{ false, true, false, 2 }, { true, true, false, 0 },
		{ false, false, false, 2 }, { true, false, false, 2 },
		{ false, true, true, 2 }, { true, true, true, 1 },
		{ true, false, true, 2 },
	};
	struct world *w = *state;
	struct stat st;

	assert_int_equal(deliver_text(w, HEAD, strlen(HEAD)), DELIVERED);
	assert_int_equal(fstat(w->m.fd, &st), 0);
	for (unsigned i = 0; i < 7; i++) {
		w->m.ordered = t[i].ordered;
		w->m.alone = t[i].alone;
		w->m.dev = st.st_dev + !t[i].same;
		fsyncs = written_out = 0;
		assert_int_equal(deliver_n(w, i + 2), DELIVERED);
		assert_int_equal(fsyncs, t[i].n);
		assert_int_equal(written_out, t[i].ordered && t[i].same);
	}
	/* A name that was there may not be on disk yet. */
	w->m.ordered = w->m.alone = true;
	w->m.dev = st.st_dev;
	fsyncs = 0;
	assert_int_equal(deliver_n(w, 8), DELIVERED);
	assert_int_equal(fsyncs, 1);
	assert_int_equal(files(w, "new"), 8);
}

static void
what_cannot_be_written_out_gets_no_name(void **state)
{
	struct world *w = *state;
	struct stat st;

	assert_int_equal(deliver_text(w, HEAD, strlen(HEAD)), DELIVERED);
	assert_int_equal(fstat(w->m.fd, &st), 0);
	w->m.ordered = true;
	w->m.dev = st.st_dev;
	write_out_error = EIO;
	assert_int_equal(deliver_n(w, 2), DEFERRED);
	write_out_error = 0;
	assert_int_equal(files(w, "new"), 1);
}

static void
what_is_wrong_has_its_code(void **state)
{
	static const struct { int error; const char *enh; } table[] = {
		{ ENOSPC, "4.3.1" }, { EDQUOT, "4.2.2" }, { EIO, "4.3.0" },
		{ EROFS, "4.3.5" }, { EACCES, "4.3.5" }, { ESTALE, "4.3.0" },
	};
	struct world *w = *state;

	queue_file(w, HEAD, strlen(HEAD));
	assert_int_equal(message_load(&w->m, &w->v), 0);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		fail_errno = table[i].error;
		fail_at = 2;
		calls = 0;
		assert_int_equal(deliver_n(w, 1), DEFERRED);
		assert_string_equal(w->v.enh, table[i].enh);
		assert_non_null(strstr(w->v.text.data,
		    strerror(table[i].error)));
	}
}

/*
 * What a link stands for stays empty.  In place of tmp/ or cur/ it keeps no
 * mail from new/, once the worker has seen the Maildir whole, unless the file
 * has to begin in tmp/.
 */
static void
links_are_not_followed(void **state)
{
	static const char *const subs[] = { "", "/tmp", "/new", "/cur" };
	struct buf path = BUF_INIT, other = BUF_INIT;
	struct world *w = *state;

	buf_addf(&other, "%s/other", w->dir);
	for (size_t i = 0; i < 8; i++) {
		no_tmpfile = i >= 4;
		assert_int_equal(mkdir(other.data, 0700), 0);
		assert_int_equal(deliver_text(w, HEAD, strlen(HEAD)),
		    DELIVERED);
		buf_reset(&path);
		buf_addf(&path, "%s/Maildir%s", w->home.data, subs[i % 4]);
		remove_tree(path.data);
		assert_int_equal(symlink(other.data, path.data), 0);
		assert_int_equal(deliver_n(w, 7), i % 2 == 1 && !no_tmpfile ?
		    DELIVERED : DEFERRED);
		assert_int_equal(rmdir(other.data), 0);	/* still empty */
		remove_tree(w->home.data);
	}
	buf_release(&path);
	buf_release(&other);
}

/* A worker looks at all of a Maildir when it comes to it. */
static void
what_is_missing_around_new_is_made_by_who_comes_next(void **state)
{
	struct world *w = *state;
	struct buf cur = BUF_INIT, billy = BUF_INIT;

	assert_int_equal(deliver_text(w, HEAD, strlen(HEAD)), DELIVERED);
	buf_addf(&cur, "%s/Maildir/cur", w->home.data);
	assert_int_equal(rmdir(cur.data), 0);
	/* Nothing that a repeat could find has been moved there. */
	w->m.repeat = true;
	assert_int_equal(deliver_n(w, 2), DELIVERED);
	w->m.repeat = false;
	assert_int_equal(access(cur.data, F_OK), -1);
	/* He leaves for another mailbox, and comes back. */
	buf_addf(&billy, "%s", w->home.data);
	buf_adds(&w->home, "-s-neighbour");
	assert_int_equal(deliver_n(w, 1), DELIVERED);
	buf_reset(&w->home);
	buf_adds(&w->home, billy.data);
	assert_int_equal(deliver_n(w, 3), DELIVERED);
	assert_int_equal(access(cur.data, F_OK), 0);
	buf_release(&cur);
	buf_release(&billy);
}

/* Root's test alone: who else could give a directory away? */
static void
what_belongs_to_another_is_refused(void **state)
{
	static const char *const subs[] = { "", "/tmp", "/new", "/cur" };
	struct buf path = BUF_INIT, side = BUF_INIT, home = BUF_INIT;
	struct world *w = *state;

	if (geteuid() != 0) {
		print_message("skipped: only root can chown\n");
		skip();
	}
	buf_addf(&home, "%s", w->home.data);
	buf_addf(&side, "%s-s-neighbour", w->home.data);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(deliver_text(w, HEAD, strlen(HEAD)),
		    DELIVERED);
		buf_reset(&path);
		buf_addf(&path, "%s/Maildir%s", w->home.data, subs[i]);
		assert_int_equal(chown(path.data, 65534, (gid_t)-1), 0);
		/* As one who comes to it anew; new/ is looked at each time. */
		buf_reset(&w->home);
		buf_adds(&w->home, side.data);
		if (i != 2)
			assert_int_equal(deliver_n(w, 1), DELIVERED);
		buf_reset(&w->home);
		buf_adds(&w->home, home.data);
		assert_int_equal(deliver_n(w, 2), DEFERRED);
		remove_tree(w->home.data);
	}
	buf_release(&path);
	buf_release(&side);
	buf_release(&home);
}

static void
only_homes_below_mail_are_made(void **state)
{
	struct world *w = *state;
	struct buf real = BUF_INIT;

	assert_int_equal(deliver_text(w, HEAD, strlen(HEAD)), DELIVERED);
	buf_addf(&real, "%s", w->home.data);
	buf_reset(&w->home);
	buf_addf(&w->home, "%s/elsewhere", w->dir);
	assert_int_equal(deliver_n(w, 1), DEFERRED);
	assert_int_equal(access(w->home.data, F_OK), -1);
	buf_reset(&w->home);
	buf_addf(&w->home, "%s/../elsewhere", w->cfg->mail);
	assert_int_equal(deliver_n(w, 1), DEFERRED);
	buf_reset(&w->home);
	buf_adds(&w->home, "relative");
	assert_int_equal(deliver_n(w, 1), DEFERRED);
	/* A home its owner holds, and one that is everyone's. */
	buf_reset(&w->home);
	buf_adds(&w->home, real.data);
	assert_int_equal(chmod(real.data, 01700), 0);
	assert_int_equal(deliver_n(w, 2), DEFERRED);
	assert_int_equal(chmod(real.data, 0702), 0);
	assert_int_equal(deliver_n(w, 2), DEFERRED);
	assert_int_equal(chmod(real.data, 0700), 0);
	assert_int_equal(deliver_n(w, 2), DELIVERED);
	buf_release(&real);
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_message_arrives_byte_for_byte),
		T(a_large_message_arrives_whole),
		T(the_name_tells_both_sizes),
		T(heads_stand_in_front),
		T(the_same_delivery_twice_is_one_message),
		T(a_repeat_finds_the_first_in_new_and_read_in_cur),
		T(a_repeat_that_cannot_look_waits),
		T(a_loop_ends_here),
		T(an_address_cannot_break_the_header),
		T(a_short_file_is_deferred),
		T(when_the_disk_fails_nothing_is_left),
		T(nothing_is_flushed_in_vain_or_forgotten),
		T(flushes_go_where_the_file_system_keeps_order),
		T(what_cannot_be_written_out_gets_no_name),
		T(what_is_wrong_has_its_code),
		T(links_are_not_followed),
		T(what_is_missing_around_new_is_made_by_who_comes_next),
		T(what_belongs_to_another_is_refused),
		T(only_homes_below_mail_are_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
