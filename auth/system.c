/*
 * system.c - users of the host as mail users (system_users = yes): whose is
 * NAME@one-of-our-domains, if `users` does not say?
 *
 * Runs as facteur-auth; passwords are verify.c's business.  A user of the host
 * is a mail user when his home is there and his own: daemons have none.
 * Way 1, 5 and 8 of 8.  From: auth/users.c, question.c.  To: passwd(5).
 */
#include <sys/stat.h>

#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <string.h>

#include "address.h"
#include "auth.h"
#include "log.h"
#include "seams.h"

#define FIRST_PERSON	1000	/* uids below are the system's */
#define NOBODY		65534

/* "Jean@Ours" or "Jean" to "jean" and "jean@ours". */
static bool
split(const struct config *cfg, const char *login, struct system_user *out)
{
	const char *at = strrchr(login, '@');
	size_t len = at != NULL ? (size_t)(at - login) : strlen(login);
	const char *domain = at != NULL ? at + 1 : cfg->domains.n > 0 ?
	    cfg->domains.v[0] : cfg->hostname;

	if (len == 0 || len >= sizeof(out->name) ||
	    !config_is_ours(cfg, domain, strlen(domain)))
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)login[i];

		/* What useradd(8) would call a name; no quoted local part. */
		if (!isalnum(c) && strchr("._-", c) == NULL)
			return false;
		out->name[i] = (char)tolower(c);
	}
	out->name[len] = '\0';
	buf_addf(&out->owner.address, "%s@", out->name);
	for (; *domain != '\0'; domain++)
		buf_addc(&out->owner.address,
		    (char)tolower((unsigned char)*domain));
	return true;
}

/* Is the home there, and his? */
static enum found
check_home(const struct passwd *pw)
{
	struct stat st;

	if (stat(pw->pw_dir, &st) == 0)
		return S_ISDIR(st.st_mode) && st.st_uid == pw->pw_uid ?
		    FOUND : FOUND_NONE;
	if (pw->pw_uid < FIRST_PERSON || pw->pw_uid == NOBODY)
		return FOUND_NONE;
	/* A person's home may be on a disk that is not mounted now. */
	log_errno(NULL, "home-missing user=%s home=%s", quoted(pw->pw_name),
	    quoted(pw->pw_dir));
	return FOUND_LATER;
}

enum found
system_find(const struct config *cfg, const char *login,
    struct system_user *out)
{
	const struct passwd *pw;
	enum found found;
	uid_t mail;
	gid_t gid;

	memset(out, 0, sizeof(*out));
	if (!cfg->system_users || !cfg->as_root || !split(cfg, login, out))
		return FOUND_NONE;
	errno = 0;
	pw = getpwnam(out->name);
	if (pw == NULL)
		return errno == 0 || errno == ENOENT || errno == ESRCH ?
		    FOUND_NONE : FOUND_LATER;
	if (pw->pw_uid == 0 || pw->pw_gid == 0 || seam_is_program(pw->pw_uid) ||
	    (seam_ids(SEAM_MAIL, &mail, &gid) && pw->pw_uid == mail))
		return FOUND_NONE;
	if ((found = check_home(pw)) != FOUND)
		return found;
	out->owner.uid = pw->pw_uid;
	out->owner.gid = pw->pw_gid;
	buf_adds(&out->owner.home, pw->pw_dir);
	return FOUND;
}
