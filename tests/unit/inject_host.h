/*
 * inject_host.h - for the tests of inject: a host of its own for each test,
 * with a spool, and a socket where the queue manager would listen.
 */
#ifndef INJECT_HOST_H
#define INJECT_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../queue/inject.h"

static char dir[64];
static struct config *cfg;
static struct inject in;
static int manager_fd;		/* bound, not yet listening */

static void
host_open(const char *conf, const char *manager_socket, int type)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct buf why = BUF_INIT, text = BUF_INIT, file = BUF_INIT;
	int fd;

	strlcpy(dir, "/tmp/test_inject.XXXXXX", sizeof(dir));
	assert_non_null(mkdtemp(dir));
	buf_addf(&file, "%s/facteur.conf", dir);
	buf_addf(&text, "hostname = emc.fr\nrun = %s\n%s", dir, conf);
	fd = open(file.data, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, text.data, text.len), text.len);
	close(fd);
	if ((cfg = config_load(dir, false, &why)) == NULL)
		fail_msg("%s", buf_str(&why));
	strlcpy(un.sun_path, config_socket(cfg, manager_socket),
	    sizeof(un.sun_path));
	manager_fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(manager_fd, (struct sockaddr *)&un, sizeof(un)),
	    0);
	assert_int_equal(inject_open(&in, cfg), 0);
	buf_release(&why);
	buf_release(&text);
	buf_release(&file);
}

static int
remove_host(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	inject_close(&in);
	close(manager_fd);
	config_free(cfg);
	pid = fork();
	if (pid == 0) {
		execl("/bin/rm", "rm", "-rf", dir, (char *)NULL);
		_exit(1);
	}
	return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

/* Takes the only message out of the queue, into out; false: there is none. */
static bool
stored(struct buf *out)
{
	DIR *d = fdopendir(openat(in.spool.queue, ".", O_RDONLY));
	struct dirent *e;
	bool found = false;

	buf_reset(out);
	while ((e = readdir(d)) != NULL) {
		char block[4096];
		ssize_t n;
		int fd;

		if (e->d_name[0] == '.')
			continue;
		assert_false(found);
		found = true;
		fd = openat(in.spool.queue, e->d_name, O_RDONLY);
		while ((n = read(fd, block, sizeof(block))) > 0)
			buf_add(out, block, (size_t)n);
		close(fd);
		unlinkat(in.spool.queue, e->d_name, 0);
	}
	closedir(d);
	return found;
}

#define HOST_TEST(f) cmocka_unit_test_setup_teardown(f, make_host, \
	    remove_host)
#endif
