/* prune.c -- removing the oldest records: with their leaves and what the index has of them. The tree above the leaves
 * stays, 32 bytes for 256 records: by it all that follows is proved as before. */
#include "audit/audit-private.h"

/* Stands on the first record from this one on. */
static bool seek_record(struct walk *w, uint64_t from, struct span *ret_key)
{
	struct span line;
	uint8_t start[8];

	be64_put(start, from);
	return walk_seek(w, span_of(start, sizeof(start)), ret_key, &line);
}

static uint64_t seq_of(struct txn *ledger, struct span key)
{
	if (record_key_valid(key))
		return be64_get(key.data);
	txn_fail(ledger, RC_CORRUPT);
	return UINT64_MAX;
}

static uint64_t first_record(struct txn *ledger, uint64_t from)
{
	uint64_t seq = UINT64_MAX;
	struct span key;
	struct walk w;

	walk_begin(&w, ledger, DB_RECORDS);
	if (seek_record(&w, from, &key))
		seq = seq_of(ledger, key);
	walk_end(&w);
	return seq;
}

/* The first bundle from this one on of which anything is left; `none`: nothing is. */
static uint64_t first_left(struct txn *ledger, uint64_t bundle, uint64_t none)
{
	uint64_t record = first_record(ledger, bundle * AUDIT_BUNDLE) / AUDIT_BUNDLE, tile;

	if (tree_first_tile(ledger, bundle, &tile) && tile < none)
		none = tile;
	return record < none ? record : none;
}

static void remove_records(struct txn *ledger, uint64_t from, uint64_t to)
{
	struct span key, line;
	struct walk w;

	walk_begin(&w, ledger, DB_RECORDS);
	for (bool found = seek_record(&w, from, &key); found && seq_of(ledger, key) < to;
	     found = walk_next(&w, &key, &line))
		walk_del(&w);
	walk_end(&w);
}

static void remove_bundle(struct txn *ledger, uint64_t bundle)
{
	uint64_t from = bundle * AUDIT_BUNDLE, to = from + AUDIT_BUNDLE;

	remove_records(ledger, from, to);
	tree_remove_tile(ledger, bundle);
	if (to % INDEX_BUNDLE == 0)
		index_forget(ledger, from / INDEX_BUNDLE);
}

enum rc audit_prune(struct txn *ledger, uint64_t from, uint64_t to, size_t max, uint64_t *ret_next)
{
	uint64_t size = audit_size(ledger), bundle = from / AUDIT_BUNDLE, end = to / AUDIT_BUNDLE;

	if (txn_rc(ledger) != RC_OK)
		return txn_rc(ledger);
	if (from % AUDIT_BUNDLE || to % AUDIT_BUNDLE || from > to || to > size || max < AUDIT_BUNDLE)
		return RC_INVALID;
	for (size_t left = max / AUDIT_BUNDLE; left > 0 && txn_rc(ledger) == RC_OK; left--) {
		bundle = first_left(ledger, bundle, end);
		if (bundle >= end)
			break;
		remove_bundle(ledger, bundle++);
	}
	if (bundle * AUDIT_BUNDLE == size)
		audit_keep_size(ledger, size);
	if (txn_rc(ledger) == RC_OK)
		*ret_next = bundle * AUDIT_BUNDLE;
	return txn_rc(ledger);
}
