/* tmplog.c -- lines planted in the log, and an emptied log. */
#include "tests/lib/tmplog.h"

#include "audit/audit-private.h"

#define TILE_HASHES 256
#define TILE_LEVELS 8

/* The last tile of each level of a log of so many records; what their hashes are nobody who appends can tell. */
static void fake_tiles(struct txn *ledger, uint64_t size)
{
	static const struct tree_hash hashes[TILE_HASHES];

	for (unsigned level = 0; level < TILE_LEVELS && size >> (8 * level) > 0; level++) {
		uint64_t last = (size >> (8 * level)) - 1;
		uint8_t key[9] = { (uint8_t)level };

		be64_put(key + 1, last / TILE_HASHES);
		txn_put(ledger, DB_TREE, span_of(key, sizeof(key)),
		        span_of(hashes, (last % TILE_HASHES + 1) * sizeof(*hashes)));
	}
}

enum rc tmplog_put(struct txn *ledger, uint64_t seq, struct span line)
{
	uint8_t key[8];
	enum rc rc;

	if (seq != audit_size(ledger))
		fake_tiles(ledger, seq);
	rc = tree_add(ledger, seq, line);
	be64_put(key, seq);
	txn_put(ledger, DB_RECORDS, span_of(key, sizeof(key)), line);
	return rc == RC_OK ? txn_rc(ledger) : rc;
}

enum rc tmplog_add(struct txn *ledger, struct span line, uint64_t *ret_seq)
{
	uint64_t seq = audit_size(ledger);

	if (ret_seq)
		*ret_seq = seq;
	return tmplog_put(ledger, seq, line);
}

enum rc tmplog_clear(struct txn *ledger)
{
	static const enum db tables[] = { DB_RECORDS, DB_TREE, DB_INDEX };

	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		struct span key, row;
		struct walk w;

		walk_begin(&w, ledger, tables[i]);
		while (walk_next(&w, &key, &row))
			walk_del(&w);
		walk_end(&w);
	}
	return txn_rc(ledger);
}
