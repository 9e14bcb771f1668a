/* vault.h -- a data directory as an admin has it: a site with a key, a log of some hundred records under two checkpoints,
 * and a row of every kind in the ledger. */
#ifndef POSTERN_TESTS_FUZZ_VAULT_H
#define POSTERN_TESTS_FUZZ_VAULT_H

#include "tests/fuzz/fuzz.h"

#include "admin/admin.h"

#define VAULT_SITE "demo"
#define VAULT_RECORDS 300              /* before the site's own few */

/* Made in dir, which must not exist; open for an admin. */
struct admin *vault_make(const char *dir);
struct admin *vault_open(const char *dir, bool read_only, enum rc *ret);

/* Reads all that admin programs read of a ledger, and requires of each answer that it is one: whatever it says, it ends.
 * What verifying the log found is *ret. */
void vault_read_all(struct admin *a, struct verification *ret);

#endif
