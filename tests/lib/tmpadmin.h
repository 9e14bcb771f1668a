/* tmpadmin.h -- an admin with a data directory of a test's own. */
#ifndef POSTERN_TESTS_LIB_TMPADMIN_H
#define POSTERN_TESTS_LIB_TMPADMIN_H

#include "admin/admin.h"

/* valgrind has not the address space that the usual sizes take. */
#define TMPADMIN_MAP (UINT64_C(4) << 30)

struct tmpadmin {
	struct admin *a;
	char *dir;
	enum reason reason;            /* for the calls under test */
	struct why why;
};

/* A fresh directory with one site, "acme", without a key. NULL, with a line on stderr: could not. */
struct tmpadmin *tmpadmin_new(void);
void tmpadmin_free(struct tmpadmin *t);
/* The same as a fixture of cmocka. */
int tmpadmin_setup(void **state);
int tmpadmin_teardown(void **state);
/* Closes and opens again, as the next command would. false: could not. */
bool tmpadmin_reopen(struct tmpadmin *t, bool read_only);

/* The whole log, a new array of records. NULL: it does not read. */
json_t *tmpadmin_records(struct tmpadmin *t);
/* The last record but `back`: borrowed from records. */
const json_t *record_at(const json_t *records, size_t back);
/* Has it this text as member, or as member of detail? */
bool record_has(const json_t *record, const char *member, const char *text);

#endif
