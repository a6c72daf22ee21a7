/* memory.h - anonymous memory as a descriptor, to be handed to another program. */
#ifndef LIB_MEMORY_H
#define LIB_MEMORY_H

/*
 * An empty memfd that can be sealed and is closed on exec; it is the caller's.
 * Where the kernel can (6.3) it is not executable and never will be.  -1 with
 * errno.
 */
int	memory_new(const char *name) __attribute__((warn_unused_result));
#endif
