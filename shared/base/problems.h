/* problems.h -- what is wrong with a piece of JSON: each place (JSON Pointer, RFC 6901) and a sentence. */
#ifndef POSTERN_BASE_PROBLEMS_H
#define POSTERN_BASE_PROBLEMS_H

#include "base/buf.h"

#define PROBLEMS_MAX 16        /* further ones are counted, not kept */

struct problem { char *pointer, *detail; };      /* owned */
struct problems {
	size_t count;                            /* all that were found */
	struct problem list[PROBLEMS_MAX];
};

void problems_done(struct problems *p);
/* detail is formatted; it may quote names from our own schema and, in an admin's import only, from the file. NULL p is fine. */
void problems_add(struct problems *p, struct span pointer, const char *fmt, ...) PRINTF_LIKE(3, 4);
size_t problems_kept(const struct problems *p);

#endif
