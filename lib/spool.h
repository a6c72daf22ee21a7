/*
 * spool.h - files in the spool: creating, committing, opening, naming.
 * The rules of INTERNALS section 3 are kept here and nowhere else.
 */
#ifndef LIB_SPOOL_H
#define LIB_SPOOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "buf.h"
#include "envelope.h"
#include "id.h"

struct spool {
	int	root;		/* owned dirfd of SPOOL */
	int	queue, hold, bad;	/* owned dirfds */
	bool	named;		/* files are called tmp.ID from the start, as
				 * O_TMPFILE or /proc is missing here */
	bool	one_flush;	/* a file's flush makes its name durable too */
};

#define SPOOL_INIT { -1, -1, -1, -1, false, false }
#define SPOOL_NAME_MAX	(ID_LEN + 1 + 20)

/* Opens the directories; with create they are made (0700). -1 with errno. */
int	spool_open(struct spool *, const char *path, bool create)
	    __attribute__((warn_unused_result));
void	spool_close(struct spool *);
/*
 * Lets commits do with one flush where that is proven to be enough, and leaves
 * two otherwise.  Finding out may itself cost one: for servers.
 */
void	spool_try_one_flush(struct spool *);
/*
 * Can no change of this file system come to disk without all that were made
 * before it (INTERNALS 3.6)?  False if in doubt.  Finding out may cost a flush.
 */
bool	spool_keeps_order(const struct spool *);
/*
 * Is it "ID.SIZE"? Fills both (each may be NULL). SIZE is decimal without
 * leading zeros.
 */
bool	spool_name_parse(const char *name, char id[ID_LEN + 1],
	    int64_t *size_out);
void	spool_name(char out[SPOOL_NAME_MAX + 1], const char *id, int64_t size);

/* A message on its way into the spool. */
struct spool_file {
	int	fd;		/* owned; -1: none */
	int	dir;		/* borrowed: spool.queue */
	char	id[ID_LEN + 1];
	int64_t	size;		/* bytes of message written so far */
	uint32_t crc;		/* over them */
	bool	named, one_flush;	/* as in struct spool */
	bool	linked;		/* ID.SIZE is in the directory */
	bool	committed;
	int	error;		/* errno of what failed first: of no use */
	struct buf pending;	/* owned; not yet written */
	struct buf outcomes;	/* owned; lines to stand behind the ready line */
};

#define SPOOL_FILE_INIT { .fd = -1 }

/*
 * A new ID.  The file follows when there is more than fits in memory, or at
 * the commit.
 */
void	spool_begin(struct spool_file *, const struct spool *);
/* The same, with a nameless, locked file. -1 with errno. */
int	spool_create(struct spool_file *, const struct spool *)
	    __attribute__((warn_unused_result));
/* Message bytes (LF line ends). -1 with errno; the file is then of no use. */
int	spool_write(struct spool_file *, const void *, size_t)
	    __attribute__((warn_unused_result));
/*
 * Writes the envelope and its ready line, makes file and name durable.  Only
 * after a 0 may anyone say "250".  On -1 (errno) nothing is left behind.
 */
int	spool_commit(struct spool_file *, const struct envelope *)
	    __attribute__((warn_unused_result));
/*
 * The bytes that spool_commit() would write, in memory that nobody can change
 * any more: for a delivery before the commit.  A descriptor (the caller's), or
 * -1 with errno: EFBIG where some of it was written to the file already.
 */
int	spool_in_memory(const struct spool_file *, const struct envelope *)
	    __attribute__((warn_unused_result));
/* Is fd of that kind? */
bool	spool_is_in_memory(int fd);
/*
 * Releases from any state; what was not committed is taken away. Keeps errno.
 * Unlocks.
 */
void	spool_file_close(struct spool_file *);

/*
 * Opens a queue file for its owner, the queue: a regular file with one link,
 * ours ("ours" is who owns the directory), opened
 * O_RDWR|O_APPEND|O_NOFOLLOW|O_NONBLOCK and locked (shared, not waiting).
 * fd, or -1: ENOENT (gone), EWOULDBLOCK (still being written), EINVAL (not
 * such a file), other.
 */
int	spool_open_file(int dir, const char *name)
	    __attribute__((warn_unused_result));
/*
 * Reads and replays the envelope behind `size` bytes, as envelope_parse; a file
 * shorter than that is damage too.  -1 with env->damage NULL: errno says why it
 * cannot be read now.
 */
int	spool_read_envelope(int fd, int64_t size, struct envelope *)
	    __attribute__((warn_unused_result));
/*
 * Compares the ready line's checksum with the content. 1 right, 0 wrong, -1
 * errno.
 */
int	spool_verify(int fd, int64_t size, const struct envelope *)
	    __attribute__((warn_unused_result));
/*
 * Bytes and inodes left for a message of `need` bytes (twice it and a
 * reserve)? Else false.
 */
bool	spool_has_room(const struct spool *, int64_t need);
#endif
