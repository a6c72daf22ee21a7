/* unsaved.h - outcome lines that could not be written, by queue ID. */
#ifndef QUEUE_UNSAVED_H
#define QUEUE_UNSAVED_H

#include <stdbool.h>

#include "buf.h"

/* Takes the lines over (the buffer is empty then), in place of older ones. */
void	unsaved_keep(const char *id, struct buf *lines);
/* Gives them back, into an empty buffer. False: there are none. */
bool	unsaved_take(const char *id, struct buf *out);
void	unsaved_forget(const char *id);
#endif
