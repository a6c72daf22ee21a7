/*
 * powercut.h - what the tools of the power-cut suite share: the record of all
 * writes and flushes, and messages that can tell whether they are whole.
 */
#ifndef POWERCUT_H
#define POWERCUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISKS	2	/* images recorded together: one instant cuts both */

/* WORK/log: one of these for each request, a write's bytes behind it. */
struct record {
	uint32_t kind;
	uint32_t disk;
	uint64_t at;		/* byte offset in the image */
	uint64_t len;		/* bytes that follow; 0 for a flush */
};

enum record_kind { RECORD_WRITE = 1, RECORD_FLUSH = 2 };

/* WORK/position, mapped: how many records there are, so far. */
typedef _Atomic uint64_t position;

/* Whom a message is for, as bits. */
enum { TO_BILLY = 1, TO_JEAN = 2, TO_REMOTE = 4, TO_ALL = 3 };

#define ADDR_BILLY	"billy@cut.test"
#define ADDR_JEAN	"jean-bob@cut.test"
#define ADDR_REMOTE	"far@elsewhere.test"

/*
 * A message says in its header what it must be: "X-Check: N BYTES CRC", with
 * the size and the crc32 of its body.
 */
#define CHECK_FIELD	"X-Check: "
#endif
