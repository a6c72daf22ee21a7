/*
 * fill_queue - puts many deferred messages into a queue/ that nobody works on,
 * for bench/queue.sh:  fill_queue QUEUEDIR COUNT
 *
 * Way 4 of 8, as a test sees it.  Not flushed: this is for a tmpfs.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "date.h"
#include "envelope.h"
#include "spool.h"

static const char content[] = "Received: from bench\nSubject: bench\n\nHello\n";

static void
one(int dir, unsigned i, int64_t now)
{
	char id[ID_LEN + 1], name[SPOOL_NAME_MAX + 1], addr[64];
	struct envelope e;
	struct buf b = BUF_INIT;
	int fd;

	envelope_init(&e);
	e.arrived = now - 3600 * INT64_C(1000000);
	e.sender = xstrdup("jean-bob@emc.fr");
	(void)snprintf(addr, sizeof(addr), "r%u@d%u.example", i, i % 1000);
	(void)envelope_add(&e, addr);
	buf_adds(&b, content);
	if (envelope_encode(&e, &b) == -1)
		errx(1, "envelope_encode");
	envelope_ready(&b, (uint32_t)crc32(0, (const Bytef *)b.data,
	    (uInt)b.len));
	envelope_defer(&b, 1, now, now + 3 * 3600 * INT64_C(1000000) +
	    (int64_t)i * 1000, "mx[192.0.2.1]", NULL, "450 4.2.0 not now");
	id_new(id);
	spool_name(name, id, (int64_t)sizeof(content) - 1);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1 || write(fd, b.data, b.len) != (ssize_t)b.len ||
	    close(fd) == -1)
		err(1, "%s", name);
	envelope_release(&e);
	buf_release(&b);
}

int
main(int argc, char *argv[])
{
	const char *bad = NULL;
	unsigned count;
	int dir;

	if (argc != 3)
		errx(64, "usage: fill_queue QUEUEDIR COUNT");
	count = (unsigned)strtonum(argv[2], 1, 10000000, &bad);
	if (bad != NULL)
		errx(64, "%s: %s", argv[2], bad);
	if ((dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		err(1, "%s", argv[1]);
	for (unsigned i = 0; i < count; i++)
		one(dir, i, date_now_usec());
	return 0;
}
