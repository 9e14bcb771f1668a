/* tmplog.h -- a log as a worker that was taken over might leave it: any line anywhere, with a tree that fits, so that
 * the log goes on. */
#ifndef POSTERN_TESTS_LIB_TMPLOG_H
#define POSTERN_TESTS_LIB_TMPLOG_H

#include "audit/audit.h"

/* Puts the line as record seq, not before the log's end, and its leaf behind as many as there should be. */
enum rc tmplog_put(struct txn *ledger, uint64_t seq, struct span line);
/* The same as the next record. ret_seq may be NULL. */
enum rc tmplog_add(struct txn *ledger, struct span line, uint64_t *ret_seq);
/* No record, no tree, no index: the next record is the first. */
enum rc tmplog_clear(struct txn *ledger);

#endif
