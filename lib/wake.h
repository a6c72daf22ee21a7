/*
 * wake.h - signals as a descriptor, for loops that sleep in poll or epoll:
 * no signal falls between the question and the sleep.
 *
 * One for each process.  A child that was forked without wake_child() ends on
 * SIGTERM as if nothing were installed.
 */
#ifndef LIB_WAKE_H
#define LIB_WAKE_H

#include <stdbool.h>

/*
 * Installs handlers for SIGTERM and SIGINT ("please stop") and gives the
 * descriptor that becomes readable when one came.  The same at every call in
 * one process.  -1 with errno.
 */
int	wake_open(void) __attribute__((warn_unused_result));
/* The same for the end of children, without meaning stop. 0, or -1 with errno. */
int	wake_on_children(void) __attribute__((warn_unused_result));
/* And for SIGHUP: "accept nothing more, end when your children have ended". */
int	wake_on_hangup(void) __attribute__((warn_unused_result));
bool	wake_draining(void);
/* Makes the descriptor quiet again; ask for what happened afterwards. */
void	wake_clear(void);
/* In a forked child: signals do what they do in a fresh program, the descriptor is closed. */
void	wake_child(void);
/* SIGTERM to this process when its parent ends, however that ends. -1: the parent (`parent`) is gone already. */
int	wake_with_parent(int parent) __attribute__((warn_unused_result));
#endif
