/*
 * id.h - queue IDs: 16 characters of 0-9 and lower-case letters without
 * vowels (no accidental words), sorted by time: 11 of microseconds since 1970,
 * 5 of process and chance.  Unique by construction: within a process the
 * microseconds strictly rise; two processes differ in the last five.
 */
#ifndef LIB_ID_H
#define LIB_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ID_LEN	16

/* Writes a new ID, NUL-terminated. Reads the clock and arc4random. */
void	id_new(char out[ID_LEN + 1]);
bool	is_id(const char *s, size_t len);
/* Microseconds since 1970 at which the ID was made; -1 if it is none. */
int64_t	id_usec(const char *id);
#endif
