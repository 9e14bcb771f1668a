/* append.c -- the next line of the log, and its leaf. seq is the row's key, big-endian: LMDB's order is the log's. */
#include "audit/audit-private.h"

/* The next seq of a log whose rows were all pruned: 8 bytes, big-endian. Whoever removes the last row writes it in the
 * same transaction, so that no seq is ever given twice. */
#define NEXT_SEQ_ROW "next_seq"

bool record_key_valid(struct span key)
{
	return key.size == 8 && be64_get(key.data) < LOG_MAX;
}

void audit_keep_size(struct txn *ledger, uint64_t size)
{
	uint8_t row[8];

	be64_put(row, size);
	txn_put(ledger, DB_LEDGER_META, span_str(NEXT_SEQ_ROW), span_of(row, sizeof(row)));
}

static uint64_t corrupt(struct txn *ledger)
{
	txn_fail(ledger, RC_CORRUPT);
	return 0;
}

static uint64_t kept_size(struct txn *ledger)
{
	struct span row;

	if (!txn_get(ledger, DB_LEDGER_META, span_str(NEXT_SEQ_ROW), &row))
		return 0;
	return row.size == 8 && be64_get(row.data) <= LOG_MAX ? be64_get(row.data) : corrupt(ledger);
}

uint64_t audit_size(struct txn *ledger)
{
	struct span key, row;
	struct walk w;
	uint64_t next;

	walk_begin(&w, ledger, DB_RECORDS);
	if (!walk_prev(&w, &key, &row))
		next = kept_size(ledger);
	else
		next = record_key_valid(key) ? be64_get(key.data) + 1 : corrupt(ledger);
	walk_end(&w);
	return next;
}

enum rc audit_append(struct txn *ledger, const struct audit_record *r, uint64_t *ret_seq)
{
	struct buf line = BUF_INIT;
	uint8_t key[8];
	uint64_t seq;
	enum rc rc;

	seq = audit_size(ledger);
	if ((rc = txn_rc(ledger)) != RC_OK ||
	    (rc = audit_format(&line, r, seq)) != RC_OK ||
	    (rc = tree_add(ledger, seq, buf_span(&line))) != RC_OK)
		goto out;
	be64_put(key, seq);
	txn_append(ledger, DB_RECORDS, span_of(key, sizeof(key)), buf_span(&line));
	if ((rc = txn_rc(ledger)) == RC_OK && ret_seq)
		*ret_seq = seq;
out:
	buf_done(&line);
	return rc;
}
