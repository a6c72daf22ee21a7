/*
 * config_keys.c - every key of facteur.conf: one row each, their defaults, and
 * how each kind of value is shown.  config_values.c reads them.
 *
 * Runs at every privilege, before the first byte of mail.
 * Way 0 of 8: what all programs read first.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>

#include "config_keys.h"

#define DAY	((int64_t)86400)
#define YEAR	(365 * DAY)
#define MEGA	((int64_t)1024 * 1024)

#define AT(member)	#member, offsetof(struct config, member)

/* ---- printers ---------------------------------------------------------- */

static const void *
member(const struct config *cfg, const struct key *k)
{
	return (const char *)cfg + k->offset;
}

static void
show_text(const struct config *cfg, const struct key *k, struct buf *out)
{
	const char *s = *(char *const *)member(cfg, k);

	buf_adds(out, *s != '\0' ? s : "none");
}

static void
show_list(const struct config *cfg, const struct key *k, struct buf *out)
{
	const struct strlist *l = member(cfg, k);

	for (size_t i = 0; i < l->n; i++)
		buf_addf(out, "%s%s", i > 0 ? " " : "", l->v[i]);
	if (l->n == 0)
		buf_adds(out, "none");
}

static void
show_number(const struct config *cfg, const struct key *k, struct buf *out)
{
	buf_addf(out, "%" PRId64, *(const int64_t *)member(cfg, k));
}

/* In the largest unit that leaves no rest. */
static void
show_in_units(int64_t n, const struct unit *units, struct buf *out)
{
	for (; units->letter != '\0'; units++)
		if (n >= units->factor && n % units->factor == 0) {
			buf_addf(out, "%" PRId64 "%c", n / units->factor,
			    units->letter);
			return;
		}
	buf_addf(out, "%" PRId64, n);
}

static void
show_size(const struct config *cfg, const struct key *k, struct buf *out)
{
	show_in_units(*(const int64_t *)member(cfg, k), key_sizes, out);
}

static void
show_span(const struct config *cfg, const struct key *k, struct buf *out)
{
	show_in_units(*(const int64_t *)member(cfg, k), key_spans, out);
}

static void
show_bool(const struct config *cfg, const struct key *k, struct buf *out)
{
	buf_adds(out, *(const bool *)member(cfg, k) ? "yes" : "no");
}

/* ---- the table --------------------------------------------------------- */

const struct key config_keys[] = {
	/* member; reader; printer; default of root, of a user; min, max */
	{ AT(hostname), key_set_host, show_text, NULL, NULL, 0, 0 },
	{ AT(domains), key_set_domains, show_list, NULL, NULL, 0, 0 },
	{ AT(spool), key_set_path, show_text, "/var/spool/facteur", "spool",
	    0, 0 },
	{ AT(run), key_set_path, show_text, "/run/facteur", NULL, 0,
	    CONFIG_RUN_MAX },
	{ AT(mail), key_set_path, show_text, "/var/mail/facteur", "mail",
	    0, 0 },
	{ AT(listen_smtp), key_set_listen, show_list, ":25", "none", 0, 0 },
	{ AT(listen_submission), key_set_listen, show_list, ":587", "none",
	    0, 0 },
	{ AT(listen_submissions), key_set_listen, show_list, ":465", "none",
	    0, 0 },
	{ AT(listen_lmtp), key_set_listen, show_list, "none", "none", 0, 0 },
	{ AT(listen_pop3), key_set_listen, show_list, ":110", "none", 0, 0 },
	{ AT(listen_pop3s), key_set_listen, show_list, ":995", "none", 0, 0 },
	{ AT(resolver), key_set_resolver, show_text, "", "", 0, 0 },
	{ AT(remote_port), key_set_number, show_number, "25", "25", 1, 65535 },
	{ AT(relay_host), key_set_relay, show_text, "", "", 0, 0 },
	{ AT(tls_cert), key_set_path, show_text, "", "", 0, 0 },
	{ AT(tls_key), key_set_path, show_text, NULL, NULL, 0, 0 },
	{ AT(message_size), key_set_size, show_size, "50M", "50M", 1024,
	    2048 * MEGA - 1 },
	{ AT(trusted), key_set_networks, show_list, "none", "none", 0, 0 },
	{ AT(system_users), key_set_bool, show_bool, "no", "no", 0, 0 },
	{ AT(recipient_delimiter), key_set_delimiter, show_text, "+", "+",
	    0, 0 },
	{ AT(connections), key_set_number, show_number, "200", "200",
	    1, 100000 },
	/* Nobody but this machine and friends meets a user's own server. */
	{ AT(connections_per_address), key_set_number, show_number, "20", "200",
	    0, 100000 },
	{ AT(recipients_max), key_set_number, show_number, "1000", "1000",
	    1, 1000000 },
	{ AT(queue_lifetime), key_set_span, show_span, "5d", "5d", 1, YEAR },
	{ AT(bounce_lifetime), key_set_span, show_span, "1d", "1d", 1, YEAR },
	{ AT(delay_notice), key_set_span, show_span, "4h", "4h", 0, YEAR },
	{ AT(history_days), key_set_number, show_number, "14", "14", 0, 3650 },
	{ AT(stats_file), key_set_path, show_text, "", "", 0, 0 },
	{ AT(remote_concurrency), key_set_number, show_number, "100", "100",
	    1, 10000 },
	{ AT(local_concurrency), key_set_number, show_number, "20", "20",
	    1, 10000 },
	{ AT(site_concurrency), key_set_number, show_number, "20", "20",
	    1, 10000 },
	{ AT(inject_workers), key_set_number, show_number, "20", "20",
	    1, 1000 },
	{ AT(require_sandbox), key_set_bool, show_bool, "no", "no", 0, 0 },
};
const size_t config_nkeys = sizeof(config_keys) / sizeof(config_keys[0]);

void
config_default(const struct config *cfg, const struct key *k, struct buf *out)
{
	const char *text = cfg->as_root ? k->root : k->user;

	if (text != NULL)
		buf_adds(out, text);
	else if (k->offset == offsetof(struct config, hostname))
		config_host_name(out);
	else if (k->offset == offsetof(struct config, domains))
		buf_adds(out, cfg->hostname);
	else if (k->offset == offsetof(struct config, tls_key))
		buf_adds(out, cfg->tls_cert);	/* both may lie in one file */
	else
		config_run_dir(cfg->confdir, out);
}

void
config_release(struct config *cfg)
{
	for (size_t i = 0; i < config_nkeys; i++) {
		char *at = (char *)cfg + config_keys[i].offset;

		if (config_keys[i].show == show_text) {
			free(*(char **)(void *)at);
			*(char **)(void *)at = NULL;
		} else if (config_keys[i].show == show_list) {
			strlist_release((struct strlist *)(void *)at);
		}
	}
}
