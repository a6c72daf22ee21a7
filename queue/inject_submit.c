/*
 * inject_submit.c - a message that somebody on this host holds in his hands:
 * its addresses, and the choice of who commits it.  Who may write the spool
 * does so himself; everybody else asks the inject server.
 *
 * Runs in inject and sendmail, as the caller.
 * Way 3 of 8.  From: queue/inject_filter.c, queue/sendmail.  To: the spool, or
 * queue/inject_client.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "address.h"
#include "inject.h"
#include "privdrop.h"

int
inject_qualify(const struct config *cfg, const char *s, size_t len,
    struct buf *out)
{
	struct buf path = BUF_INIT;
	enum addr_result result;
	size_t used, before = out->len;

	/* As a path, so that "@route:" goes and brackets are harmless. */
	if (len > 0 && s[0] == '<')
		buf_add(&path, s, len);
	else {
		buf_addc(&path, '<');
		buf_add(&path, s, len);
		buf_addc(&path, '>');
	}
	result = address_path(buf_str(&path), path.len,
	    ADDR_ALLOW_UTF8 | ADDR_ALLOW_BARE, out, &used);
	if (result == ADDR_OK && used != path.len)
		result = ADDR_SYNTAX;
	buf_release(&path);
	if (result != ADDR_OK) {
		buf_cut(out, before);
		return -1;
	}
	if (out->len > before &&
	    address_domain(buf_str(out) + before) == NULL)
		buf_addf(out, "@%s", config_home_domain(cfg));
	return 0;
}

void
inject_login(const struct config *cfg, struct buf *out)
{
	const struct passwd *pw = getpwuid(getuid());
	size_t before = out->len;

	if (pw == NULL || inject_qualify(cfg, pw->pw_name,
	    strlen(pw->pw_name), out) == -1 || out->len == before)
		buf_addf(out, "uid-%lld@%s", (long long)getuid(),
		    config_home_domain(cfg));
}

static bool
is_there(const struct inject_submission *s, const struct buf *addr)
{
	for (size_t i = 0; i < s->rcpts.n; i++)
		if (strcmp(s->rcpts.v[i], buf_str(addr)) == 0)
			return true;
	return false;
}

int
inject_submission_rcpt(struct inject_submission *s, const char *addr,
    size_t len)
{
	struct buf out = BUF_INIT;

	if (inject_qualify(s->cfg, addr, len, &out) == -1 || out.len == 0) {
		buf_release(&out);
		return -1;
	}
	for (size_t i = 0; i < out.len; i++)
		s->utf8 |= (unsigned char)out.data[i] >= 0x80;
	if (s->rcpts.n > (size_t)s->cfg->recipients_max || is_there(s, &out)) {
		buf_release(&out);
		return 0;
	}
	s->rcpts.v = xreallocarray(s->rcpts.v, s->rcpts.n + 2,
	    sizeof(*s->rcpts.v));
	s->rcpts.v[s->rcpts.n++] = buf_detach(&out);
	s->rcpts.v[s->rcpts.n] = NULL;
	return 0;
}

void
inject_submission_release(struct inject_submission *s)
{
	for (size_t i = 0; i < s->rcpts.n; i++)
		free(s->rcpts.v[i]);
	free(s->rcpts.v);
	s->rcpts = (struct strlist){ NULL, 0 };
	buf_release(&s->sender);
	buf_release(&s->head);
	inject_input_release(&s->input);
}

void
inject_result_release(struct inject_result *r)
{
	buf_release(&r->enh);
	buf_release(&r->text);
	buf_release(&r->id);
}

int
inject_exit(const struct inject_result *r)
{
	const char *enh = buf_str(&r->enh);

	if (r->code == 250)
		return EX_OK;
	if (r->code < 500)
		return EX_TEMPFAIL;
	if (strncmp(enh, "5.1.", 4) == 0)
		return EX_NOUSER;
	if (strncmp(enh, "5.6.", 4) == 0 || strcmp(enh, "5.3.4") == 0)
		return EX_DATAERR;
	return EX_UNAVAILABLE;
}

/* For inject_input_each(): content on its way into our own transaction. */
static int
content(void *txn, const char *p, size_t len)
{
	inject_content(txn, p, len);
	return 0;
}

static void
fill_envelope(struct inject_txn *t, const struct inject_submission *s)
{
	struct env_rcpt *r;

	t->fix = s->fix;
	t->env.uid = s->uid;
	t->env.body8 = s->body8;
	t->env.utf8 = s->utf8;
	t->env.ret = s->ret == NULL ? NULL : xstrdup(s->ret);
	t->env.envid = s->envid == NULL ? NULL : xstrdup(s->envid);
	inject_txn_sender(t, buf_str(&s->sender));
	for (size_t i = 0; i < s->rcpts.n; i++) {
		r = inject_txn_rcpt(t, s->rcpts.v[i]);
		if (r != NULL && s->notify != NULL)
			r->notify = notify_parse(s->notify);
	}
}

void
inject_submit_here(struct inject *in, struct inject_submission *s,
    struct inject_result *out)
{
	const struct inject_answer *a;
	struct inject_txn t;
	enum inject_verdict verdict;

	inject_txn_init(&t, in);
	fill_envelope(&t, s);
	inject_txn_go(&t, s->input.size + (int64_t)s->head.len);
	inject_content(&t, buf_str(&s->head), s->head.len);
	if (inject_input_each(&s->input, content, &t) == -1 &&
	    t.verdict == INJECT_OK)
		t.verdict = INJECT_DISK;
	verdict = inject_txn_commit(&t);
	a = inject_answer(verdict);
	out->code = a->code;
	buf_adds(&out->enh, a->enh);
	buf_adds(&out->text, a->text);
	if (verdict == INJECT_OK)
		buf_adds(&out->id, t.file.id);
	inject_txn_reset(&t);
}

/*
 * May this process write the spool?  Root may as its owner, whom it becomes
 * for good: no message is ever written as root where somebody else reads it.
 */
static bool
owns_spool(const struct config *cfg)
{
	struct stat st;

	/* Of an ordinary user's host it may not be made yet: inject_open. */
	if (stat(cfg->spool, &st) == -1)
		return errno == ENOENT && !cfg->as_root;
	if (st.st_uid == geteuid())
		return true;
	return geteuid() == 0 && privdrop(st.st_uid, st.st_gid, NULL) == 0;
}

void
inject_submit(struct inject_submission *s, struct inject_result *out)
{
	struct inject in;

	s->uid = getuid();
	if (owns_spool(s->cfg) && inject_open(&in, s->cfg) == 0) {
		inject_submit_here(&in, s, out);
		inject_close(&in);
	} else
		inject_submit_client(s, out);
}
