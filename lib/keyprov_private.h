/* keyprov_private.h - shared by keyprov*.c only. */
#ifndef LIB_KEYPROV_PRIVATE_H
#define LIB_KEYPROV_PRIVATE_H

#include <openssl/core_dispatch.h>

#include "keyprov.h"

typedef void (*fn)(void);

/* A key as OpenSSL sees it. */
struct half {
	EVP_PKEY *pub;		/* owned; of the default provider */
	const struct keyprov_signer *signer;	/* borrowed; NULL: public only */
	char	 id[KEYPROV_ID + 1];
};

extern const OSSL_DISPATCH keyprov_signature[];
#endif
