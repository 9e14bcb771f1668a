/* prove.c -- one record with what shows, without the others, that it is in the log (c2sp.org/tlog-proof). */
#include "admin/log-private.h"

#define NUMBER(n)       ((unsigned long long)(n))
#define BASE64_HASH_MAX 45 /* of 32 bytes, with the terminator */

static void proof_format(struct buf *out, uint64_t seq, const struct tree_proof *proof, struct span note)
{
	char text[BASE64_HASH_MAX];

	buf_addf(out, "c2sp.org/tlog-proof@v1\nindex %llu\n", NUMBER(seq));
	for (size_t i = 0; i < proof->count; i++) {
		base64_encode(text, sizeof(text), span_of(proof->hash[i].at, TREE_HASH_SIZE));
		buf_addf(out, "%s\n", text);
	}
	buf_add_char(out, '\n');
	buf_add_span(out, note);
}

/* What does not prove it is not handed out. RC_CORRUPT. */
static enum rc prove(struct txn *ledger, uint64_t seq, const struct checkpoint *c, struct buf *ret_line,
                     struct tree_proof *ret)
{
	struct tree_source tree = log_tree(ledger);
	struct tree_hash leaf;
	struct span line;
	enum rc rc;

	if (!audit_get(ledger, seq, &line))
		return txn_rc(ledger) != RC_OK ? txn_rc(ledger) : RC_CORRUPT;
	if ((rc = tree_leaf(line, &leaf)) != RC_OK || (rc = tree_prove_inclusion(&tree, seq, c->size, ret)) != RC_OK)
		return rc == RC_NOT_FOUND ? RC_CORRUPT : rc;
	if (!tree_check_inclusion(&leaf, seq, c->size, ret, &c->root))
		return RC_CORRUPT;
	buf_add_span(ret_line, line);
	return ret_line->failed ? RC_NOMEM : RC_OK;
}

/* Is there such a record, and does the checkpoint speak of it? */
static enum rc covered(struct admin *a, uint64_t seq, const struct checkpoint *c, enum reason *ret_reason,
                       struct why *why)
{
	struct log_name name;
	enum rc rc = admin_log_name(a, &name, why);

	if (rc != RC_OK)
		return rc;
	if (seq < name.first)
		why_set(why, "record %llu was pruned: the log begins with %llu", NUMBER(seq), NUMBER(name.first));
	else if (seq >= c->size)
		why_set(why,
		        "no checkpoint covers record %llu yet: the last one is of %llu records; "
		        "postern audit checkpoint signs another",
		        NUMBER(seq), NUMBER(c->size));
	else
		return RC_OK;
	return refuse(REASON_NOT_FOUND, ret_reason);
}

enum rc admin_prove(struct admin *a, uint64_t seq, struct buf *ret_line, struct buf *ret_proof, enum reason *ret_reason,
                    struct why *why)
{
	struct buf note = BUF_INIT;
	struct tree_proof proof = { 0 };
	struct checkpoint c;
	struct txn *ledger;
	enum rc rc = admin_checkpoint_last(a, &note, &c, NULL, why);

	if (rc == RC_NOT_FOUND)
		rc = refuse(REASON_NOT_FOUND, ret_reason);
	if (rc != RC_OK || (rc = covered(a, seq, &c, ret_reason, why)) != RC_OK)
		goto out;
	ledger = txn_read(a->store, ENV_LEDGER);
	rc = prove(ledger, seq, &c, ret_line, &proof);
	txn_abort(ledger);
	if (rc == RC_OK)
		proof_format(ret_proof, seq, &proof, buf_span(&note));
	if (rc == RC_OK && ret_proof->failed)
		rc = RC_NOMEM;
	if (rc != RC_OK)
		why_set(why, "record %llu cannot be proved under the last checkpoint: postern audit verify says more",
		        NUMBER(seq));
out:
	buf_done(&note);
	return rc;
}
