/*
 * pop3d_no_quit - the mistake: what was marked is removed at the end of any
 * session, not only after QUIT (RFC 1939 section 6).
 *
 * program: pop3d/pop3d.c
 * wrap: drop_close
 */
#include "../../../pop3d/drop.h"

void	__real_drop_close(struct drop *);
void	__wrap_drop_close(struct drop *);

void
__wrap_drop_close(struct drop *d)
{
	(void)drop_commit(d);
	__real_drop_close(d);
}
