/*
 * session.h - the POP3 session, for whoever has become the mailbox owner:
 * `launch` (after a login) and pop3d itself as a filter.
 */
#ifndef POP3D_SESSION_H
#define POP3D_SESSION_H

/*
 * Runs the TRANSACTION and UPDATE states of RFC 1939 on a Maildir, as the
 * user we already are, until QUIT or the end of the input.  maildir may be
 * relative; it and its three directories are made (0700) where missing, but
 * not the directory above.  user is only for the log.  Takes both descriptors
 * over (they may be equal).
 *
 * The first line sent is "+OK ..." or "-ERR [IN-USE] ..." / "-ERR [SYS/TEMP]
 * ...".  Returns an exit status of sysexits(3): EX_OK, or EX_TEMPFAIL when
 * the mailbox could not be opened or not everything could be deleted.
 */
int pop3_session(int rfd, int wfd, const char *maildir, const char *user);
#endif
