/* options.h - getopt_long(3) without its abbreviations. */
#ifndef LIB_OPTIONS_H
#define LIB_OPTIONS_H

#include <getopt.h>

/*
 * As getopt_long(), but a long option has to be written out: `rm --al` is a
 * mistake, not `rm --all`.  Says what is wrong on standard error, as getopt
 * does, and returns '?'.
 */
int	options_next(int argc, char *argv[], const char *letters,
	    const struct option *words);
#endif
