/*
 * inject_verdict.c - what inject says, in one table.
 *
 * Runs in inject, as facteur-queue.
 * Way 3 of 8.  From: queue/inject_txn.c.  To: the client that brought it.
 */
#include <errno.h>

#include "inject.h"

static const struct inject_answer answers[] = {
	[INJECT_OK]	  = { 250, "2.0.0", "queued" },
	[INJECT_SENDER]	  = { 553, "5.1.7", "that is no sender address" },
	[INJECT_RCPT]	  = { 553, "5.1.3", "that is no recipient address" },
	[INJECT_NO_RCPT]  = { 554, "5.5.1", "no recipients" },
	[INJECT_RCPTS]	  = { 452, "4.5.3", "too many recipients" },
	[INJECT_ENVELOPE] = { 501, "5.5.4", "bad value in the envelope" },
	[INJECT_ROOM]	  = { 452, "4.3.1", "no room in the spool" },
	[INJECT_BUSY]	  = { 452, "4.3.1", "too much mail waits here, "
	    "try again later" },
	[INJECT_DISK]	  = { 451, "4.3.0", "the spool cannot be written" },
	[INJECT_HEADER]	  = { 552, "5.6.0", "header too large" },
	[INJECT_SIZE]	  = { 552, "5.3.4", "message too large" },
	[INJECT_LOOP]	  = { 554, "5.4.6", "too many Received fields, "
	    "this message is in a loop" },
	[INJECT_CR]	  = { 554, "5.6.0", "bare CR in the message" },
	[INJECT_NUL]	  = { 554, "5.6.0", "NUL byte in the message" },
};

const struct inject_answer *
inject_answer(enum inject_verdict verdict)
{
	return &answers[verdict];
}

enum inject_verdict
inject_disk_verdict(int error)
{
	if (error == ENOSPC || error == EDQUOT)
		return INJECT_ROOM;
	return error == EINVAL ? INJECT_ENVELOPE : INJECT_DISK;
}
