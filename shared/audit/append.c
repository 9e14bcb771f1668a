/* append.c -- the next line of the log. seq is the row's key, big-endian, so LMDB's order is the log's. */
#include "audit/audit.h"

/* The next seq of a log whose rows were all pruned: 8 bytes, big-endian. Whoever removes the last row writes it in the
 * same transaction, so that no seq is ever given twice. */
#define NEXT_SEQ_ROW "next_seq"

static uint64_t decode_seq(struct txn *ledger, struct span bytes)
{
	if (bytes.size == 8)
		return be64_get(bytes.data);
	txn_fail(ledger, RC_CORRUPT);
	return 0;
}

uint64_t audit_size(struct txn *ledger)
{
	struct span key, row;
	struct walk w;
	uint64_t next = 0;

	walk_begin(&w, ledger, DB_RECORDS);
	if (walk_prev(&w, &key, &row))
		next = decode_seq(ledger, key) + 1;
	else if (txn_get(ledger, DB_LEDGER_META, span_str(NEXT_SEQ_ROW), &row))
		next = decode_seq(ledger, row);
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
	    (rc = audit_format(&line, r, seq)) != RC_OK)
		goto out;
	be64_put(key, seq);
	txn_append(ledger, DB_RECORDS, span_of(key, sizeof(key)), buf_span(&line));
	if ((rc = txn_rc(ledger)) == RC_OK && ret_seq)
		*ret_seq = seq;
out:
	buf_done(&line);
	return rc;
}
