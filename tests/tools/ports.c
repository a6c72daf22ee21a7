/*
 * ports - finds free TCP ports for the tests and the demo.
 *
 * `ports N ADDR...` prints N ports, each free on all the addresses now.  They
 * lie below the range from which the kernel hands out ports of its own, and
 * begin at a random place: two users at once hardly ever meet.
 */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST	10000u
#define LAST	32000u

/* Bound for a moment without SO_REUSEADDR: nobody else has it. */
static bool
is_free(const char *addr, unsigned port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	if (fd == -1)
		err(1, "socket");
	a.sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, addr, &a.sin_addr) != 1)
		errx(1, "%s: not an address", addr);
	r = bind(fd, (struct sockaddr *)&a, sizeof(a));
	if (r == -1 && errno != EADDRINUSE && errno != EACCES)
		err(1, "%s port %u", addr, port);
	(void)close(fd);
	return r == 0;
}

int
main(int argc, char *argv[])
{
	const char *error = NULL;
	unsigned port, n;
	int i;

	if (argc < 3)
		errx(64, "usage: ports N ADDR...");
	n = (unsigned)strtonum(argv[1], 1, 100, &error);
	if (error != NULL)
		errx(64, "%s: %s", argv[1], error);
	port = FIRST + arc4random_uniform(LAST - FIRST);
	for (unsigned tries = 0; n > 0 && tries < LAST - FIRST; tries++) {
		port = port < LAST ? port + 1 : FIRST;
		for (i = 2; i < argc && is_free(argv[i], port); i++)
			continue;
		if (i == argc) {
			printf("%u\n", port);
			n--;
		}
	}
	if (n > 0)
		errx(1, "no free ports");
	return fflush(stdout) == EOF;
}
