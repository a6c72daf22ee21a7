/*
 * config_paths.c - where things lie: our programs, our sockets, the private
 * run directory of an ordinary user, and what this host is called.
 *
 * Runs at every privilege.
 * Way 0 of 8: how the programs find each other.
 */
#include <sys/stat.h>

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "config_keys.h"

#define HOST_DIR	"/etc/facteur"

const char *
config_dir(const char *confdir)
{
	if (confdir == NULL || *confdir == '\0')
		confdir = getenv("FACTEUR_CONF");
	return confdir != NULL && *confdir != '\0' ? confdir : HOST_DIR;
}

/*
 * A function of the directory alone, so that the server and every caller of
 * `sendmail` agree on where the sockets are, whoever they are.
 */
bool
config_is_host(const char *confdir)
{
	const char *single = getenv("FACTEUR_SINGLE_UID");
	char *real;
	struct stat st;
	bool host;

	if (single != NULL && *single != '\0' && strcmp(single, "0") != 0)
		return false;
	if (stat(confdir, &st) == -1 || st.st_uid != 0)
		return false;
	real = realpath(confdir, NULL);
	host = real != NULL && strcmp(real, HOST_DIR) == 0;
	free(real);
	return host || getpwnam(CONFIG_WALL_USER) != NULL;
}

/* Adds what stands on the first line of a small file, if anything. */
static void
add_first_line(const char *path, struct buf *out)
{
	char line[256];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return;
	n = read(fd, line, sizeof(line) - 1);
	(void)close(fd);
	if (n <= 0)
		return;
	line[n] = '\0';
	line[strcspn(line, " \t\r\n")] = '\0';
	buf_adds(out, line);
}

/*
 * The host's full name, asking nobody: no resolver may hold up a start.  The
 * kernel's name if it has a dot, else /etc/hostname's, else NAME.localdomain.
 */
void
config_host_name(struct buf *out)
{
	char name[256];
	struct buf file = BUF_INIT;

	if (gethostname(name, sizeof(name)) == -1)
		name[0] = '\0';
	name[sizeof(name) - 1] = '\0';
	if (strchr(name, '.') == NULL) {
		add_first_line("/etc/hostname", &file);
		if (strchr(buf_str(&file), '.') != NULL || name[0] == '\0')
			(void)strlcpy(name, buf_str(&file), sizeof(name));
		buf_release(&file);
	}
	for (char *p = name; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	if (name[0] != '\0' && name[strlen(name) - 1] == '.')
		name[strlen(name) - 1] = '\0';
	if (!is_hostname(name, strlen(name)) || strlen(name) > 240)
		(void)strlcpy(name, "localhost", sizeof(name));
	buf_adds(out, name);
	if (strchr(name, '.') == NULL)
		buf_adds(out, ".localdomain");
}

static bool
is_private_dir(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
	    st.st_uid == geteuid() && (st.st_mode & 077) == 0;
}

/* The CRC of zlib, for which every session would have to carry that library. */
static uint32_t
crc(const char *s)
{
	uint32_t sum = UINT32_MAX;

	for (; *s != '\0'; s++) {
		sum ^= (unsigned char)*s;
		for (int bit = 0; bit < 8; bit++)
			sum = sum >> 1 ^ (sum & 1 ? 0xedb88320 : 0);
	}
	return ~sum;
}

/*
 * Of an ordinary user: short, because names of sockets are short, and private.
 * Not from $XDG_RUNTIME_DIR but from what it stands for: a cron job and a
 * login of the same user must come to the same answer.
 */
void
config_run_dir(const char *confdir, struct buf *out)
{
	unsigned uid = (unsigned)geteuid();
	uint32_t hash = crc(confdir);
	struct buf user = BUF_INIT;

	buf_addf(&user, "/run/user/%u", uid);
	if (is_private_dir(user.data))
		buf_addf(out, "%s/facteur-%08" PRIx32, user.data, hash);
	else
		buf_addf(out, "/tmp/facteur-%u/%08" PRIx32, uid, hash);
	buf_release(&user);
}

/* One of four strings that live until the fourth call from now. */
static struct buf *
ring(void)
{
	static struct buf bufs[4];
	static unsigned next;
	struct buf *b = &bufs[next++ % 4];

	buf_reset(b);
	return b;
}

static bool in_jail;

void
config_in_jail(void)
{
	in_jail = true;
}

/* The jail is run/net: what does not lie there cannot be reached from it. */
const char *
config_socket(const struct config *cfg, const char *name)
{
	struct buf *b = ring();

	if (in_jail)
		buf_addf(b, "/%s", strncmp(name, "net/", 4) == 0 ?
		    name + 4 : name);
	else
		buf_addf(b, "%s/%s", cfg->run, name);
	return buf_str(b);
}

static bool
is_command(const char *name)
{
	return strcmp(name, "facteur") == 0 || strcmp(name, "sendmail") == 0 ||
	    strcmp(name, "mailq") == 0;
}

/*
 * The tree is ROOT/bin and ROOT/libexec/facteur; this program lies in one of
 * them (or, a test, in another folder of ROOT).
 */
const char *
program_path(const char *name)
{
	static const char inner[] = "/libexec/facteur";
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	struct buf *b = ring();
	char *slash;
	size_t len;

	if (n <= 0)
		n = (ssize_t)strlcpy(self, "/usr/bin/facteur", sizeof(self));
	self[n] = '\0';
	if ((slash = strrchr(self, '/')) != NULL)
		*slash = '\0';		/* the directory */
	len = strlen(self);
	if (len >= sizeof(inner) - 1 &&
	    strcmp(self + len - (sizeof(inner) - 1), inner) == 0)
		self[len - (sizeof(inner) - 1)] = '\0';
	else if ((slash = strrchr(self, '/')) != NULL)
		*slash = '\0';		/* ROOT */
	buf_addf(b, "%s/%s/%s", self,
	    is_command(name) ? "bin" : "libexec/facteur", name);
	return buf_str(b);
}
