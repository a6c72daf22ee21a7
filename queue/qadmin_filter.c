/*
 * qadmin_filter.c - which messages an administrator means: the options that
 * `facteur ls` and the verbs that act have in common.
 *
 * Runs as the caller.  From: argv.  To: queue/qadmin_ls.c, queue/qadmin_act.c.
 */
#include <err.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "address.h"
#include "log.h"
#include "options.h"
#include "qadmin.h"

enum { OPT_ID = 256, OPT_SITE, OPT_SENDER, OPT_RECIPIENT, OPT_AGE, OPT_REASON,
	OPT_HELD, OPT_ALL, OPT_JSON, OPT_YES, OPT_TEXT };

static const struct option options[] = {
	{ "id",	       required_argument, NULL, OPT_ID },
	{ "site",      required_argument, NULL, OPT_SITE },
	{ "sender",    required_argument, NULL, OPT_SENDER },
	{ "recipient", required_argument, NULL, OPT_RECIPIENT },
	{ "age",       required_argument, NULL, OPT_AGE },
	{ "reason",    required_argument, NULL, OPT_REASON },
	{ "held",      no_argument,	  NULL, OPT_HELD },
	{ "all",       no_argument,	  NULL, OPT_ALL },
	{ "json",      no_argument,	  NULL, OPT_JSON },
	{ "dry-run",   no_argument,	  NULL, 'n' },
	{ "yes",       no_argument,	  NULL, OPT_YES },
	{ "text",      required_argument, NULL, OPT_TEXT },
	{ NULL, 0, NULL, 0 }
};

bool
filter_age(struct filter *f, const char *text)
{
	static const struct { char letter; int64_t seconds; } units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
		{ 'w', 604800 }
	};
	bool less = *text == '<';
	int64_t n = 0, *age = less ? &f->younger : &f->older;

	text += less || *text == '>';
	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++)
		if ((n = n * 10 + (*text - '0')) > 1000000)
			return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].letter == text[0] && text[1] == '\0' &&
		    n > 0 && *age == 0) {
			*age = n * units[i].seconds * 1000000;
			return true;
		}
	return false;
}

/*
 * Once, and not empty: of two only one would count, and what a script's unset
 * variable leaves would mean other messages than its writer had in mind.
 */
static void
set_text(const char **what, const char *option)
{
	if (*optarg == '\0')
		errx(EX_USAGE, "--%s: it is empty%s", option,
		    strcmp(option, "sender") == 0 ?
		    "; the null sender is '<>'" : "");
	if (*what != NULL)
		errx(EX_USAGE, "--%s: given twice", option);
	*what = optarg;
}

static void
one_option(struct selection *s, int ch, bool act)
{
	struct filter *f = &s->filter;

	switch (ch) {
	case OPT_ID:
		set_text(&f->id, "id");
		break;
	case OPT_SITE:
		set_text(&f->site, "site");
		break;
	case OPT_SENDER:
		set_text(&f->sender, "sender");
		if (strcmp(f->sender, "<>") == 0)
			f->sender = "";
		break;
	case OPT_RECIPIENT:
		set_text(&f->recipient, "recipient");
		break;
	case OPT_AGE:
		if (!filter_age(f, optarg))
			errx(EX_USAGE, "--age %s: like 2h, >2h (older) or <30m "
			    "(younger), each once; s m h d w", quoted(optarg));
		break;
	case OPT_REASON:
		set_text(&f->reason, "reason");
		break;
	case OPT_HELD:
		f->held = true;
		break;
	case OPT_ALL:
		f->all = true;
		break;
	case OPT_JSON:
		s->json = true;
		break;
	case 'n':
		s->dry_run = true;
		break;
	case OPT_YES:
		s->yes = true;
		break;
	case OPT_TEXT:
		s->text = optarg;
		break;
	default:
		exit(EX_USAGE);
	}
	if (act ? ch == OPT_JSON : ch == 'n' || ch == OPT_YES ||
	    ch == OPT_TEXT)
		errx(EX_USAGE, "an option of another verb; see facteur-ls(8)");
}

/* Who is named twice is meant once. */
static void
add_id(struct selection *s, char *id)
{
	for (int i = 0; i < s->nids; i++)
		if (strcmp(s->ids[i], id) == 0)
			return;
	s->ids[s->nids++] = id;
}

/* What the queue manager knows of sites; without it a domain is its own. */
static void
ask_sites(struct filter *f, const struct config *cfg)
{
	struct stream s;

	if (control_open(cfg, &s) == -1) {
		warn("--site looks at domains and hosts only: the queue "
		    "manager cannot be asked");
		return;
	}
	sites_ask(&s, NULL, &f->sites);
	stream_release(&s);
}

void
selection_parse(struct selection *s, const struct config *cfg, bool act,
    int argc, char *argv[])
{
	int ch;

	memset(s, 0, sizeof(*s));
	s->filter.relay_host = cfg->relay_host;
	optind = 0;		/* getopt begins anew; argv[-1] is the verb */
	while ((ch = options_next(argc + 1, argv - 1, act ? "n" : "", options)) != -1)
		one_option(s, ch, act);
	s->ids = argv - 1 + optind;
	for (int i = optind; i < argc + 1; i++)
		add_id(s, argv[i - 1]);
	if (s->filter.site != NULL)
		ask_sites(&s->filter, cfg);
}

void
selection_release(struct selection *s)
{
	sites_view_release(&s->filter.sites);
}

bool
filter_is_set(const struct filter *f)
{
	return f->id != NULL || f->site != NULL || f->sender != NULL ||
	    f->recipient != NULL || f->reason != NULL || f->older != 0 ||
	    f->younger != 0 || f->held;
}

static bool
matches(const char *glob, const char *text)
{
	return text != NULL && fnmatch(glob, text, FNM_CASEFOLD) == 0;
}

/* Its domain, the site behind that, the way it was sent, or the host of the last attempt. */
static bool
site_matches(const struct filter *f, const struct env_rcpt *r)
{
	const char *domain = address_domain(r->addr);

	if (r->route != NULL && matches(f->site, r->route))
		return true;
	return matches(f->site, domain) || matches(f->site, r->host) ||
	    (domain != NULL &&
	    matches(f->site, sites_view_domain(&f->sites, domain)));
}

/* As it stands, or as a pattern; either may be anywhere in the text. */
static bool
reason_matches(const char *reason, const char *text)
{
	struct buf glob = BUF_INIT;
	bool r;

	if (text == NULL)
		return false;
	buf_addf(&glob, "*%s*", reason);
	r = strcasestr(text, reason) != NULL || matches(buf_str(&glob), text);
	buf_release(&glob);
	return r;
}

static bool
rcpt_matches(const struct filter *f, const struct env_rcpt *r)
{
	return rcpt_is_open(r) &&
	    (f->recipient == NULL || matches(f->recipient, r->addr)) &&
	    (f->site == NULL || site_matches(f, r)) &&
	    (f->reason == NULL || reason_matches(f->reason, r->text));
}

/* One recipient has to fulfil all that is asked of recipients. */
static bool
any_rcpt_matches(const struct filter *f, const struct envelope *env)
{
	if (f->recipient == NULL && f->site == NULL && f->reason == NULL)
		return true;
	for (unsigned i = 0; i < env->nrcpts; i++)
		if (rcpt_matches(f, &env->rcpts[i]))
			return true;
	return false;
}

bool
filter_matches(const struct filter *f, const struct entry *e, int64_t now)
{
	if (!filter_is_set(f))
		return true;
	if (f->id != NULL && !matches(f->id, e->id))
		return false;
	if (f->held && !entry_is_held(e))
		return false;
	if (!e->readable)	/* nothing is known of it but its name */
		return f->site == NULL && f->sender == NULL &&
		    f->recipient == NULL && f->reason == NULL &&
		    f->older == 0 && f->younger == 0;
	if (f->older != 0 && now - e->env.arrived < f->older)
		return false;
	if (f->younger != 0 && now - e->env.arrived >= f->younger)
		return false;
	if (f->sender != NULL && !matches(f->sender, e->env.sender))
		return false;
	return any_rcpt_matches(f, &e->env);
}
