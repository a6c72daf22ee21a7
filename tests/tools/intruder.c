/*
 * intruder - a front that was taken over: becomes UID:GID, alone, in the jail,
 * and tries one thing.
 *
 * intruder UID GID JAIL open PATH	prints "opened", or why not
 * intruder UID GID JAIL ask SOCKET FRAME...	sends the frames, each a line,
 *	prints what comes back, and "closed" at the end
 * intruder UID GID JAIL hold ADDR PORT LINE...	sends the lines, prints what
 *	comes back, and stays until the other side ends, at most a minute
 * JAIL may be "-": only the uid is taken.
 */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE	3000	/* ms without an answer */

static void
become(const char *uid, const char *gid, const char *jail)
{
	gid_t g = (gid_t)strtonum(gid, 1, INT32_MAX, NULL);
	uid_t u = (uid_t)strtonum(uid, 1, INT32_MAX, NULL);

	if (strcmp(jail, "-") != 0 && (chroot(jail) == -1 ||
	    chdir("/") == -1))
		err(1, "%s", jail);
	if (u == 0 || g == 0 || setgroups(0, NULL) == -1 ||
	    setresgid(g, g, g) == -1 || setresuid(u, u, u) == -1 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		err(1, "cannot become %s:%s", uid, gid);
}

static int
dial(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path))
		errx(1, "too long");
	if (fd == -1 || connect(fd, (struct sockaddr *)&sun,
	    sizeof(sun)) == -1) {
		printf("connect: %s\n", strerror(errno));
		exit(0);
	}
	return fd;
}

static void
ask(const char *path, char *frames[])
{
	int fd = dial(path);
	struct pollfd p = { fd, POLLIN, 0 };
	char in[4096];
	ssize_t n;

	for (; *frames != NULL; frames++)
		if (dprintf(fd, "%s\n", *frames) < 0)
			break;		/* what came back tells */
	while (poll(&p, 1, PATIENCE) == 1 &&
	    (n = read(fd, in, sizeof(in))) > 0)
		printf("%.*s", (int)n, in);
	if (p.revents != 0)
		printf("closed\n");
}

static void
hold(const char *addr, const char *port, char *lines[])
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char in[4096];
	ssize_t n;

	sin.sin_port = htons((uint16_t)strtonum(port, 1, 65535, NULL));
	if (inet_pton(AF_INET, addr, &sin.sin_addr) != 1 || fd == -1 ||
	    connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		err(1, "%s:%s", addr, port);
	(void)alarm(60);
	for (; *lines != NULL; lines++)
		if (dprintf(fd, "%s\r\n", *lines) < 0)
			err(1, "write");
	while ((n = read(fd, in, sizeof(in))) > 0) {
		printf("%.*s", (int)n, in);
		(void)fflush(stdout);
	}
}

int
main(int argc, char *argv[])
{
	if (argc < 6)
		errx(64, "usage: intruder UID GID JAIL open|ask ...");
	become(argv[1], argv[2], argv[3]);
	if (strcmp(argv[4], "hold") == 0 && argc > 6)
		hold(argv[5], argv[6], argv + 7);
	else if (strcmp(argv[4], "ask") == 0)
		ask(argv[5], argv + 6);
	else if (open(argv[5], O_RDONLY | O_NONBLOCK | O_CLOEXEC) != -1)
		printf("opened\n");
	else
		printf("%s\n", strerror(errno));
	return 0;
}
