/*
 * eol.h - what a line is.  The one state machine between the wire form of a
 * message (CRLF, dots doubled, RFC 5321 section 4.5.2, RFC 1939 section 3) and the stored form
 * (LF), in both directions.
 *
 * The decoder knows only CRLF as a line end.  A bare CR or a bare LF is never
 * repaired and never ends anything: the message is read to its real end and
 * marked bad (SMTP smuggling).  The encoder cannot emit either: for every input the wire form
 * contains CRLF "." CRLF exactly once, at the end.  CR CR LF is no line end
 * either: of two CRs in a row neither belongs to a CRLF.
 *
 * Room is reserved for a slice of the input, not for its exact result: a
 * capped `out` needs 32 KiB more than it will hold.
 */
#ifndef LIB_EOL_H
#define LIB_EOL_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

struct dot_in {			/* opaque; eol.c explains the states */
	int	state;
	bool	bad_eol;	/* a bare CR or LF was seen */
	bool	nul;		/* a NUL byte was seen */
	bool	done;		/* CRLF "." CRLF (or "." CRLF at the very start) was seen */
};

void	dot_in_init(struct dot_in *);
/*
 * Decodes wire bytes, appending stored bytes to `out`; stops after the end
 * mark.  Returns how many input bytes were used (all of them unless done).
 * Once bad_eol or nul is set, output is of no use and is no longer produced; the
 * end is still found.  Any split of the input gives the same result.
 */
size_t	dot_in(struct dot_in *, const char *in, size_t len, struct buf *out);

struct dot_out {
	bool	bol;		/* at the beginning of a line */
	bool	stuff;		/* double leading dots (SMTP, POP3); false: only LF -> CRLF */
	bool	bad;		/* stored bytes held a CR or a NUL that cannot be sent as they are */
	bool	lenient;	/* POP3: send a stored CR LF as CRLF, a lone CR as it is, NUL as 0x80; never bad */
	bool	cr;		/* lenient: the last byte was a CR */
};

void	dot_out_init(struct dot_out *, bool stuff, bool lenient);
/* Encodes stored bytes, appending wire bytes to `out`.  Stops at a byte it may not send (bad). */
void	dot_out(struct dot_out *, const char *in, size_t len, struct buf *out);
/* Ends the last line if needed; with `stuff` adds the end mark.  Nothing at all when bad: drop the connection. */
void	dot_out_end(struct dot_out *, struct buf *out);
#endif
