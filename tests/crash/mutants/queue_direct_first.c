/*
 * queue_direct_first - the mistake: inject hears `done` before the message is
 * delivered.
 *
 * program: queue/queue.c
 * wrap: active_begin
 */
#include "../../../queue/queue.h"

void	__real_active_begin(struct msg *, int, const struct envelope *,
	    struct site *, struct direct *);
void	__wrap_active_begin(struct msg *, int, const struct envelope *,
	    struct site *, struct direct *);

void
__wrap_active_begin(struct msg *m, int fd, const struct envelope *env,
    struct site *caller, struct direct *waiter)
{
	struct buf b = BUF_INIT;

	if (waiter != NULL) {
		ctl_begin(&b, "done");
		ctl_end(&b);
		peer_send((struct peer *)waiter, &b, -1);
		buf_release(&b);
	}
	__real_active_begin(m, fd, env, caller, waiter);
}
