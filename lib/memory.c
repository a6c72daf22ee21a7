/*
 * memory.c - memfd_create(2) on the kernels there are.
 *
 * Way 3 of 8 (a message for direct delivery), and known.c.
 */
#include <sys/mman.h>

#include <errno.h>

#include "memory.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL	0x0008U
#endif

int
memory_new(const char *name)
{
	const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);

	/* Kernels before 6.3 do not know that flag, some later ones want it. */
	return fd == -1 && errno == EINVAL ? memfd_create(name, flags) : fd;
}
