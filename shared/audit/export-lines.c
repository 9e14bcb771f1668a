/* export-lines.c -- the stored lines as they are, a slice at a time: nothing is parsed. */
#include "audit/audit.h"

enum rc audit_lines(struct txn *ledger, uint64_t from, size_t max_rows, audit_each each, void *arg, uint64_t *ret_next,
                    bool *ret_end)
{
	uint64_t next = from;
	struct span key, line;
	uint8_t start[8];
	bool found, more = true;
	struct walk w;

	be64_put(start, from);
	walk_begin(&w, ledger, DB_RECORDS);
	found = walk_seek(&w, span_of(start, sizeof(start)), &key, &line);
	for (size_t rows = 0; found && more && rows < max_rows; rows++) {
		uint64_t seq = key.size == 8 ? be64_get(key.data) : UINT64_MAX;

		if (seq == UINT64_MAX) {               /* no log has a record of that number */
			txn_fail(ledger, RC_CORRUPT);
			break;
		}
		next = seq + 1;
		more = each(seq, line, NULL, arg);
		found = walk_next(&w, &key, &line);
	}
	walk_end(&w);
	if (txn_rc(ledger) == RC_OK) {
		*ret_next = next;
		*ret_end = !found;
	}
	return txn_rc(ledger);
}
