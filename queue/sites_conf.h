/*
 * sites_conf.h - CONFDIR/sites, and the table of large providers behind it:
 * what the administrator knows about destinations.  See sites(5).
 */
#ifndef QUEUE_SITES_CONF_H
#define QUEUE_SITES_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "site.h"

/*
 * Reads the file; complaints get "sites:12: what", one a line.  A bad line is
 * skipped.  0 (also when there is no file), -1 with errno.
 */
int	sites_conf_read(const char *path, struct buf *complaints) __attribute__((warn_unused_result));
/* Reads it again if it has changed since; logs complaints. True: it had. */
bool	sites_conf_refresh(const char *path);
/* Narrows or widens *limits by the first row that matches the site's key. */
void	sites_conf_limits(const char *key, struct site_limits *limits);
/* Milliseconds that the site is to be left alone after this reply; 0: no rule says so. */
int64_t	sites_conf_pause(const char *key, const char *text);
void	sites_conf_release(void);
#endif
