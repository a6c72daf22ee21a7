/* foreign.h - what lies in queue/ and is no message, reported once. */
#ifndef QUEUE_FOREIGN_H
#define QUEUE_FOREIGN_H

/* One line in the log, the first time this name is seen so; keeps errno. */
void	foreign_report(const char *name, const char *why);
/* The name is gone: what comes under it next is reported anew. */
void	foreign_gone(const char *name);
#endif
