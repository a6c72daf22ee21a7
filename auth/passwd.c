/*
 * passwd - sets, deletes and lists the users of CONFDIR/users.
 *
 * `facteur passwd`, run by the administrator as who owns the file.  The file
 * is replaced in one step; all other lines stay as they are, to the byte.
 *
 * Way: beside it.  From: the administrator.  To: CONFDIR/users, auth/users.c.
 */
#include <err.h>
#include <readpassphrase.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "address.h"
#include "config.h"
#include "edit.h"
#include "hash.h"
#include "privdrop.h"
#include "userdb.h"

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: facteur passwd [-d] ADDRESS\n"
	    "       facteur passwd -l\n");
	exit(EX_USAGE);
}

static int
list(const char *path)
{
	struct userdb db;
	struct buf complaints = BUF_INIT;

	if (userdb_read(path, &db, &complaints) == -1)
		err(EX_NOINPUT, "%s", path);
	fputs(buf_str(&complaints), stderr);
	for (size_t i = 0; i < db.n; i++)
		printf("%s%s\n", db.v[i].address,
		    db.v[i].hash[0] == '*' ? " (no login)" : "");
	userdb_release(&db);
	buf_release(&complaints);
	return fflush(stdout) == EOF ? EX_IOERR : EX_OK;
}

/* Canonical, lower case, of one of our domains; else dies and says why. */
static void
check_address(const struct config *cfg, const char *s, struct buf *out)
{
	const char *domain;

	if (address_parse(s, strlen(s), ADDR_ALLOW_UTF8, out) != ADDR_OK)
		errx(EX_DATAERR, "%s: not an address like billy@example.org",
		    s);
	for (size_t i = 0; i < out->len; i++)
		if (out->data[i] >= 'A' && out->data[i] <= 'Z')
			out->data[i] += 'a' - 'A';
	if (strchr(buf_str(out), ':') != NULL)
		errx(EX_DATAERR, "%s: no ':' is possible in the users file",
		    s);
	domain = address_domain(buf_str(out));
	if (domain != NULL && config_is_ours(cfg, domain, strlen(domain)))
		return;
	fprintf(stderr, "passwd: %s: not one of our domains:",
	    domain != NULL ? domain : s);
	for (size_t i = 0; i < cfg->domains.n; i++)
		fprintf(stderr, " %s", cfg->domains.v[i]);
	fputs("\n", stderr);
	exit(EX_DATAERR);
}

static void
ask_twice(char *out, size_t size)
{
	char again[PASSWORD_MAX + 2];

	if (readpassphrase("New password: ", out, size, 0) == NULL ||
	    readpassphrase("Once more: ", again, sizeof(again), 0) == NULL)
		errx(EX_NOINPUT, "no password");
	if (strcmp(out, again) != 0)
		errx(EX_DATAERR, "the two are not the same");
	explicit_bzero(again, sizeof(again));
}

static void
read_line(char *out, size_t size)
{
	size_t n;

	if (fgets(out, (int)size, stdin) == NULL)
		errx(EX_NOINPUT, "no password on standard input");
	n = strcspn(out, "\n");
	if (n > 0 && out[n] == '\n' && out[n - 1] == '\r')
		n--;
	out[n] = '\0';
}

/* From a person, or one line from a script. */
static void
get_password(char *out, size_t size)
{
	if (isatty(STDIN_FILENO))
		ask_twice(out, size);
	else
		read_line(out, size);
	if (out[0] == '\0')
		errx(EX_DATAERR, "an empty password is none");
	if (strlen(out) > PASSWORD_MAX)
		errx(EX_DATAERR, "a password has at most %d bytes",
		    PASSWORD_MAX);
	for (const char *p = out; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			errx(EX_DATAERR, "a control character in it");
}

static int
set(const struct config *cfg, const char *path, const char *arg, bool delete)
{
	char password[PASSWORD_MAX + 2];	/* one more shows too long */
	struct buf address = BUF_INIT, hash = BUF_INIT;
	int r;

	check_address(cfg, arg, &address);
	if (!delete) {
		get_password(password, sizeof(password));
		if (password_hash(password, &hash) == -1)
			err(EX_OSERR, "cannot make a hash");
		explicit_bzero(password, sizeof(password));
	}
	r = users_edit(cfg, path, buf_str(&address),
	    delete ? NULL : buf_str(&hash));
	if (r == -1)
		err(EX_CANTCREAT, "%s", path);
	if (r == 0 && delete)
		errx(EX_NOUSER, "%s: no such user", buf_str(&address));
	buf_release(&hash);
	buf_release(&address);
	return EX_OK;
}

int
main(int argc, char *argv[])
{
	const char *confdir = NULL;
	bool delete = false, show = false;
	struct config *cfg;
	struct buf path = BUF_INIT;
	int ch, r;

	process_init();
	while ((ch = getopt(argc, argv, "C:dl")) != -1)
		switch (ch) {
		case 'C':
			confdir = optarg;
			break;
		case 'd':
			delete = true;
			break;
		case 'l':
			show = true;
			break;
		default:
			usage();
		}
	if (argc - optind != (show ? 0 : 1) || (show && delete))
		usage();
	cfg = config_or_die(confdir);
	buf_addf(&path, "%s/users", cfg->confdir);
	r = show ? list(buf_str(&path)) :
	    set(cfg, buf_str(&path), argv[optind], delete);
	buf_release(&path);
	config_free(cfg);
	return r;
}
