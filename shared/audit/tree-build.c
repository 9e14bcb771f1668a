/* tree-build.c -- the tree of a log whose records were written before there was one: ledgers of schema 1. */
#include "audit/audit-private.h"

static bool is_record(struct span key, uint64_t seq)
{
	return record_key_valid(key) && be64_get(key.data) == seq;
}

/* The rows must be 0, 1, 2 and so on: nobody pruned a log without a tree. What the lines say is not looked at; that is
 * for audit verify. */
enum rc audit_tree_build(struct txn *ledger, uint64_t *ret_size)
{
	struct span key, line;
	struct walk w;
	uint64_t seq = 0;
	enum rc rc = txn_count(ledger, DB_TREE) == 0 ? RC_OK : RC_EXISTS;

	walk_begin(&w, ledger, DB_RECORDS);
	for (; rc == RC_OK && walk_next(&w, &key, &line); seq++)
		rc = is_record(key, seq) ? tree_add(ledger, seq, line) : RC_CORRUPT;
	walk_end(&w);
	*ret_size = seq;
	return rc == RC_OK ? txn_rc(ledger) : rc;
}
