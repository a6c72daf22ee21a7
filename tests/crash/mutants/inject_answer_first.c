/*
 * inject_answer_first - the mistake: `ok` goes out, then the message is made
 * durable.
 *
 * program: queue/inject.c
 * wrap: spool_commit
 */
#include <stdio.h>
#include <unistd.h>

#include "spool.h"

int	__real_spool_commit(struct spool_file *, const struct envelope *);
int	__wrap_spool_commit(struct spool_file *, const struct envelope *);

int
__wrap_spool_commit(struct spool_file *f, const struct envelope *e)
{
	char line[128];
	int n = snprintf(line, sizeof(line), "ok id=%s size=%lld\n", f->id,
	    (long long)f->size);

	(void)!write(STDIN_FILENO, line, (size_t)n);
	return __real_spool_commit(f, e);
}
