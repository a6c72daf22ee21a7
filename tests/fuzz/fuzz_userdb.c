/*
 * fuzz_userdb.c - any line of CONFDIR/users is a user, blank, or refused; a
 * user's home never leaves the mail directory.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "userdb.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Without a home of its own the path is MAIL/one-part/one-part. */
static void
check_home(const struct user *u)
{
	struct buf b = BUF_INIT;
	const char *p;
	unsigned slashes = 0;

	user_home(u, "/m", &b);
	assert(buf_ok(&b) && strncmp(buf_str(&b), "/", 1) == 0);
	if (u->home[0] == '\0') {
		for (p = buf_str(&b); (p = strchr(p, '/')) != NULL; p++)
			slashes++;
		assert(slashes == 3);
		assert(strstr(buf_str(&b), "/.") == NULL);
		assert(strstr(buf_str(&b), "//") == NULL);
	}
	buf_release(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct user u;

	if (userdb_parse_line((const char *)data, len, &u) == 1) {
		assert(u.address != NULL && u.hash != NULL && u.home != NULL);
		assert(strlen(u.hash) > 0);
		check_home(&u);
		user_release(&u);
	}
	return 0;
}
