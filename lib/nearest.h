/* nearest.h - "did you mean": the word of a list that is closest to a mistyped one. */
#ifndef LIB_NEAREST_H
#define LIB_NEAREST_H

#include <stddef.h>

/*
 * Single-character edits (insert, delete, replace, swap of neighbours)
 * between two words, of which only the first 63 characters count.
 */
unsigned edit_distance(const char *, const char *);
/* The i-th of n words, from name(arg, i), with the smallest distance to `word`; the first of equals. NULL when n is 0. */
const char *nearest(const char *word, const char *(*name)(const void *, size_t), const void *arg, size_t n);
#endif
