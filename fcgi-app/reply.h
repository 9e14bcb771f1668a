/* reply.h -- an answer as FastCGI: STDOUT and END_REQUEST, written by libfcgi. */
#ifndef POSTERN_FCGI_APP_REPLY_H
#define POSTERN_FCGI_APP_REPLY_H

#include "request.h"

#include <sys/types.h>

/* An answer too long for a socket's buffer waits in a memory file, so that no thread waits for a slow reader. */
struct spool { int fd; off_t at, size; };          /* fd -1: none */

enum reply_result { REPLY_SENT, REPLY_SPOOLED, REPLY_FAILED };

/* Writes the answer to the peer's socket (non-blocking: a peer that does not read its answers is FAILED), or to
 * *ret_spool. */
enum reply_result reply_write(struct inbound *in, int socket, const struct answer *a, bool head,
			      struct spool *ret_spool);

enum spool_result { SPOOL_EMPTY, SPOOL_WAIT, SPOOL_BROKEN };
enum spool_result spool_send(struct spool *s, int socket);
void spool_done(struct spool *s);

#endif
