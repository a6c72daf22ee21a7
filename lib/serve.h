/*
 * serve.h - one connection, one process, one conversation.
 *
 * The same program can be started three ways (DESIGN section 3): fd 0 is a
 * socket (inetd): one session; LISTEN_FDS (systemd, s6, facteur run): this acceptor has
 * a child for each connection; a pipe or terminal on fd 0: one session for scripts.
 */
#ifndef LIB_SERVE_H
#define LIB_SERVE_H

#include <stdbool.h>

#include "netaddr.h"

struct serve_conn {
	const char *name;	/* the listener's name: "smtp", "submission", "inject", ... ; "" when there is none (fd 0); borrowed */
	struct netaddr peer;	/* AF_UNIX when it is neither TCP nor told by the tcp-environ variables */
	bool	is_socket;	/* false: pipe or terminal */
};

struct serve {
	/* The conversation; fd is owned by it.  Its result is the child's exit status. */
	int	(*session)(int fd, const struct serve_conn *, void *arg);
	void	*arg;
	unsigned max;		/* children at once; above it new connections wait in the backlog; TCP ones get `busy` once no child has ended for SERVE_PATIENCE */
	unsigned spares;	/* children forked, and behind their walls, before their client comes; 0: when he is there */
	unsigned max_per_client;	/* TCP: for one address or /64; 0: no cap */
	unsigned reserved;	/* of max, only for listeners for which is_reserved(name) */
	bool	(*is_reserved)(const char *name);	/* NULL: none */
	const char *busy;	/* one line for a client that is turned away: "421 4.3.2 too busy\r\n" */
	/*
	 * Called once, when all is open and before the first client: gives up
	 * what is no longer needed (root, the file system).  0, or -1 with errno.
	 * NULL: nothing.
	 */
	int	(*confine)(void *arg);
	/*
	 * Called in each child or worker, before the first byte of a client: what
	 * the parent still needed is given up too.  As above.
	 */
	int	(*confine_session)(void *arg);
	/* Checks the client of a Unix socket by uid; NULL: only our own uid and root. */
	bool	(*allowed)(const char *name, int64_t uid);
};

/*
 * How were we started?  SERVE_LISTEN: LISTEN_FDS is there (fds from 3 on; LISTEN_FDNAMES names them, colon-separated);
 * SERVE_SOCKET: fd 0 is a connected socket; SERVE_PIPE: neither.
 */
#define SERVE_SPARES	4	/* for a server whose clients come one by one, each with little to say */
#define SERVE_PATIENCE	2000	/* ms */
#define SERVE_LISTENERS	64	/* listening descriptors that one program may have */
#define SERVE_GRACE	2000	/* ms from SIGTERM for the children until SIGKILL */

enum serve_mode { SERVE_LISTEN, SERVE_SOCKET, SERVE_PIPE };
enum serve_mode serve_mode(void);
/* The listening descriptors, closed on exec; returns their number and fills fd and name (names are copied once and live on). -1 with errno. */
int	serve_listeners(int fd[], const char *name[], int max);

/* The descriptor whose number this variable tells, closed on exec now; -1: none, or whoever set it did not start this very process with listeners. */
int serve_inherited(const char *variable);

/*
 * SERVE_LISTEN: the acceptor; has a child of its own for each connection until
 * SIGTERM, then closes the listeners, lets children end (they get SIGTERM too)
 * and returns 0.  In a session signals are back to default and the listeners closed.
 * SERVE_SOCKET, SERVE_PIPE: runs one session and returns its status (fd 0 is
 * handed over; for a pipe the session writes to fd 1: see serve_conn.is_socket).
 */
int	serve_run(const struct serve *);
/*
 * A pool of workers for trusted clients: n processes, more under load up to s->max, each accepting and
 * running session() again and again (a worker that dies is replaced, rate-limited).
 * Returns 0 after SIGTERM, when all have finished what they were doing: an idle
 * worker ends at once; a busy one reads its connection to the end of what has arrived already
 * (it then sees EOF), so a request that is complete is answered, and one that is not
 * never happened.  What is left after SERVE_GRACE is killed.
 */
int	serve_pool(const struct serve *, unsigned n);
/* Has SIGTERM come? (set by the handler that serve_* install; event loops may ask too) */
bool	serve_stopping(void);
#endif
