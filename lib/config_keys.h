/*
 * config_keys.h - private to config*.c: the table of keys, and how each kind
 * of value is read, checked and shown.
 */
#ifndef LIB_CONFIG_KEYS_H
#define LIB_CONFIG_KEYS_H

#include "config.h"

struct key {
	const char *name;
	size_t	offset;		/* of its member in struct config */
	/* Reads value into the member. 0, or -1 and what is wrong in why. */
	int	(*set)(struct config *, const struct key *, const char *value, struct buf *why);
	void	(*show)(const struct config *, const struct key *, struct buf *out);
	const char *root, *user;	/* default as text, of a host and in unprivileged mode; NULL: computed */
	int64_t	min, max;	/* of numbers; max of a path's bytes, 0: none */
};

/* In the order of config.h: a computed default looks at keys above its own. */
extern const struct key config_keys[];
extern const size_t config_nkeys;

/* config_values.c: the readers, and the units they know, largest first as shown. */
struct unit { char letter; int64_t factor; };
extern const struct unit key_sizes[], key_spans[];

int	key_set_host(struct config *, const struct key *, const char *, struct buf *why);
int	key_set_domains(struct config *, const struct key *, const char *, struct buf *why);
int	key_set_path(struct config *, const struct key *, const char *, struct buf *why);
int	key_set_listen(struct config *, const struct key *, const char *, struct buf *why);
int	key_set_networks(struct config *, const struct key *, const char *, struct buf *why);
int	key_set_resolver(struct config *, const struct key *, const char *, struct buf *why);
int	key_set_relay(struct config *, const struct key *, const char *, struct buf *why);
int	key_set_delimiter(struct config *, const struct key *, const char *, struct buf *why);
int	key_set_number(struct config *, const struct key *, const char *, struct buf *why);
int	key_set_size(struct config *, const struct key *, const char *, struct buf *why);
int	key_set_span(struct config *, const struct key *, const char *, struct buf *why);
int	key_set_bool(struct config *, const struct key *, const char *, struct buf *why);

/* The default of a key, appended. */
void	config_default(const struct config *, const struct key *, struct buf *out);
/* config_load() from memory; confdir as it is. The text is cut up. For it and the fuzzer. */
struct config *config_from_text(const char *confdir, bool as_root, struct buf *text, struct buf *why);
/* Frees what the members own. */
void	config_release(struct config *);
void	strlist_add(struct strlist *, const char *);
void	strlist_release(struct strlist *);

/* config_paths.c: what the machine says. Appended. */
void	config_host_name(struct buf *out);
void	config_run_dir(const char *confdir, struct buf *out);
#endif
