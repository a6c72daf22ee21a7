/* tlsd.h - the sessions of smtpd that have TLS. */
#ifndef SMTPD_TLSD_H
#define SMTPD_TLSD_H

#include "config.h"
#include "serve.h"
#include "smtpd.h"
#include "tls.h"

struct tlsd {
	const struct config *cfg;	/* borrowed */
	struct tls_identity tls;	/* owned */
	struct smtpd smtpd;	/* what its sessions want to know */
};

/* One client's conversation (INTERNALS 2.10); fits struct serve. arg is a struct tlsd. */
int	tlsd_session(int fd, const struct serve_conn *, void *arg);
#endif
