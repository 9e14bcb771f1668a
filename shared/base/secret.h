/* secret.h -- the one type for key bytes: one way to make it, one way to lose it.
 *
 * The bytes live in OpenSSL's secure heap where the system grants one (locked, left out of core
 * dumps), are zeroed when made and wiped when freed. They never enter argv, a log, an error text, a
 * JSON value or an LMDB row unsealed. Print "(hidden)". */
#ifndef POSTERN_BASE_SECRET_H
#define POSTERN_BASE_SECRET_H

#include "base/codes.h"
#include "base/span.h"

struct secret {
	unsigned char *data;    /* size bytes, then one zero byte that does not count */
	size_t size;
};

/* Before the first secret, in main(): no core dumps, not traceable, the secure heap. A system that
 * grants no locked memory is no error. */
void secret_process_init(void);

struct secret *secret_new(size_t size);              /* zeroed; NULL: out of memory */
struct secret *secret_copy(struct span bytes);
void           secret_free(struct secret *s);        /* wipes; NULL is fine */
void           secret_wipe(void *data, size_t size); /* for bytes that passed through a stack buffer */

static inline struct span secret_span(const struct secret *s)
{
	return span_of(s->data, s->size);
}

/* The whole of a file or descriptor as a secret, at most max bytes. RC_NOT_FOUND, RC_IO, RC_INVALID (longer). */
enum rc secret_read_file(const char *path, size_t max, struct secret **ret) MUST_CHECK;
enum rc secret_read_fd(int fd, size_t max, struct secret **ret) MUST_CHECK;

#endif
