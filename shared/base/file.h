/* file.h -- small files, whole: read with a bound, written so that a crash leaves old or new. */
#ifndef POSTERN_BASE_FILE_H
#define POSTERN_BASE_FILE_H

#include "base/buf.h"

#include <sys/types.h>

/* Reads at most max bytes. RC_NOT_FOUND, RC_IO, RC_INVALID (longer). Path "-" is standard input. */
enum rc file_read(const char *path, size_t max, struct buf *out) MUST_CHECK;

/* Creates path with exactly `mode`; RC_EXISTS if it is there. Synced, with its directory. */
enum rc file_create(const char *path, struct span content, mode_t mode) MUST_CHECK;

/* Replaces path through a synced temporary in the same directory, keeping owner and mode of what was there
 * (else `mode`). */
enum rc file_replace(const char *path, struct span content, mode_t mode) MUST_CHECK;

#endif
