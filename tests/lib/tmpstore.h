/* tmpstore.h -- a data directory of its own for a test: made by store_init(), removed with everything in it. */
#ifndef POSTERN_TESTS_LIB_TMPSTORE_H
#define POSTERN_TESTS_LIB_TMPSTORE_H

#include "store/store.h"

/* What a test's environments may grow to. The real sizes are more address space than a memory checker has. */
#define TMPSTORE_MAP (UINT64_C(4) << 30)

/* A new empty directory below $TMPDIR or /tmp, to be given to tmpdir_free(). NULL: could not. */
char *tmpdir_new(void);
void  tmpdir_free(char *dir);                          /* removes all that is in it; NULL is fine */
/* dir/name, valid until the next call of this thread but seven. */
const char *tmpdir_path(const char *dir, const char *name);

/* A fresh store, open for an admin. NULL, with a line on stderr: could not. */
struct store *tmpstore_new(void);
/* The same with map sizes (bytes; 0: TMPSTORE_MAP) and another mode. */
struct store *tmpstore_new_with(enum store_mode mode, uint64_t vault_map, uint64_t ledger_map);
void          tmpstore_free(struct store *st);         /* closes it and removes its directory; NULL is fine */

/* Opens dir again, e.g. in a child process or after store_close(). NULL on failure, with *ret_rc and why (both may be
 * NULL). */
struct store *tmpstore_open(const char *dir, enum store_mode mode, enum rc *ret_rc, struct why *why);

#endif
