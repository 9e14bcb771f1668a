/* tree.c -- the log's tree as rows: tiles of 256 hashes. Level 0 holds the leaves' hashes, each level above the roots of
 * the full tiles below it. A tile holds exactly what the log's size says, or nothing is read from it and nothing added. */
#include "audit/audit-private.h"

#define TILE_BITS 8
#define TILE_HASHES ((size_t)1 << TILE_BITS)
#define TILE_LEVELS 8                  /* the 2^63 leaves of the largest log */
#define TILE_KEY_SIZE 9

_Static_assert(AUDIT_BUNDLE == 1 << TILE_BITS, "a bundle's leaves are one tile");

struct tile { uint8_t key[TILE_KEY_SIZE]; struct tree_hash hash[TILE_HASHES]; };

static struct span tile_key(uint8_t key[TILE_KEY_SIZE], unsigned level, uint64_t index)
{
	key[0] = (uint8_t)level;
	be64_put(key + 1, index);
	return span_of(key, TILE_KEY_SIZE);
}

/* How many hashes there are at a level of tiles in a log of so many records, and how many of them in one tile. */
static uint64_t level_count(uint64_t size, unsigned level)
{
	return size >> (level * TILE_BITS);
}

static size_t tile_count(uint64_t size, unsigned level, uint64_t index)
{
	uint64_t count = level_count(size, level), full = count >> TILE_BITS;

	if (index != full)
		return index < full ? TILE_HASHES : 0;
	return count & (TILE_HASHES - 1);
}

static enum rc tile_read(struct txn *ledger, uint64_t size, unsigned level, uint64_t index, struct span *ret)
{
	uint8_t key[TILE_KEY_SIZE];
	struct span row;

	if (!txn_get(ledger, DB_TREE, tile_key(key, level, index), &row))
		return txn_rc(ledger) != RC_OK ? txn_rc(ledger) : RC_NOT_FOUND;
	if (row.size == 0 || row.size != tile_count(size, level, index) * TREE_HASH_SIZE)
		return RC_CORRUPT;
	*ret = row;
	return RC_OK;
}

/* Halves them until one is left, in place. count is a power of two. */
static enum rc root_of(struct tree_hash *hash, size_t count)
{
	enum rc rc = RC_OK;

	for (; count > 1; count /= 2)
		for (size_t i = 0; i < count / 2 && rc == RC_OK; i++)
			rc = tree_node(&hash[2 * i], &hash[2 * i + 1], &hash[i]);
	return rc;
}

/* ---- adding ---- */

/* The tile into which the next hash of a level goes, with what it holds. */
static enum rc tile_open(struct txn *ledger, uint64_t size, unsigned level, struct tile *t)
{
	uint64_t index = level_count(size, level) >> TILE_BITS;
	struct span row = { 0 };
	enum rc rc = tile_read(ledger, size, level, index, &row);

	if (rc == RC_NOT_FOUND)
		rc = tile_count(size, level, index) == 0 ? RC_OK : RC_CORRUPT;
	if (rc != RC_OK)
		return rc;
	tile_key(t->key, level, index);
	if (row.size)
		memcpy(t->hash, row.data, row.size);
	return RC_OK;
}

/* Adds *hash, the next of its level; *ret_full: the tile is full now, and *hash is its root. */
static enum rc tile_add(struct txn *ledger, uint64_t size, unsigned level, struct tree_hash *hash, bool *ret_full)
{
	size_t at = level_count(size, level) & (TILE_HASHES - 1);
	struct tile t;
	enum rc rc = tile_open(ledger, size, level, &t);

	if (rc != RC_OK)
		return rc;
	t.hash[at] = *hash;
	txn_put(ledger, DB_TREE, span_of(t.key, sizeof(t.key)), span_of(t.hash, (at + 1) * TREE_HASH_SIZE));
	*ret_full = at + 1 == TILE_HASHES;
	if (*ret_full && (rc = root_of(t.hash, TILE_HASHES)) == RC_OK)
		*hash = t.hash[0];
	return rc;
}

/* Does the last tile of every level above hold what it should? Asked once a bundle: else a tree whose upper part is
 * missing would be found out only where that grows. */
static enum rc check_above(struct txn *ledger, uint64_t size)
{
	struct span row;
	enum rc rc = RC_OK;

	for (unsigned level = 1; level < TILE_LEVELS && level_count(size, level) > 0 && rc == RC_OK; level++)
		rc = tile_read(ledger, size, level, (level_count(size, level) - 1) >> TILE_BITS, &row);
	return rc == RC_NOT_FOUND ? RC_CORRUPT : rc;
}

enum rc tree_add(struct txn *ledger, uint64_t seq, struct span line)
{
	struct tree_hash hash;
	bool full = true;
	enum rc rc = seq < LOG_MAX ? tree_leaf(line, &hash) : RC_CORRUPT;

	if (rc == RC_OK && seq % TILE_HASHES == 0)
		rc = check_above(ledger, seq);
	for (unsigned level = 0; full && rc == RC_OK; level++)
		rc = tile_add(ledger, seq, level, &hash, &full);
	txn_fail(ledger, rc);
	return txn_rc(ledger);
}

/* ---- reading ---- */

/* A subtree of 2^level leaves lies within one tile: it is made of 2^(level % 8) of its hashes. */
static enum rc get(void *arg, unsigned level, uint64_t index, struct tree_hash *ret)
{
	struct txn *ledger = arg;
	struct tree_hash hash[TILE_HASHES / 2];
	unsigned within = level % TILE_BITS;
	size_t count = (size_t)1 << within, at;
	uint64_t size = audit_size(ledger);
	struct span row = { 0 };
	enum rc rc;

	if (level >= TREE_LEVELS || index > UINT64_MAX >> within)
		return RC_INVALID;
	at = (index << within) & (TILE_HASHES - 1);
	if ((rc = txn_rc(ledger)) != RC_OK ||
	    (rc = tile_read(ledger, size, level / TILE_BITS, (index << within) >> TILE_BITS, &row)) != RC_OK)
		return rc;
	if ((at + count) * TREE_HASH_SIZE > row.size)
		return RC_NOT_FOUND;
	memcpy(hash, (const struct tree_hash *)row.data + at, count * TREE_HASH_SIZE);
	if ((rc = root_of(hash, count)) == RC_OK)
		*ret = hash[0];
	return rc;
}

struct tree_source audit_tree(struct txn *ledger)
{
	return (struct tree_source){ .get = get, .arg = ledger };
}

enum rc audit_leaf(struct txn *ledger, uint64_t seq, struct tree_hash *ret)
{
	return get(ledger, 0, seq, ret);
}

bool audit_tile(struct txn *ledger, unsigned level, uint64_t index, struct span *ret_hashes)
{
	uint8_t key[TILE_KEY_SIZE];

	return txn_get(ledger, DB_TREE, tile_key(key, level, index), ret_hashes);
}

/* ---- pruning ---- */

bool tree_first_tile(struct txn *ledger, uint64_t from, uint64_t *ret)
{
	uint8_t start[TILE_KEY_SIZE];
	struct span key, row;
	struct walk w;
	bool found;

	walk_begin(&w, ledger, DB_TREE);
	found = walk_seek(&w, tile_key(start, 0, from), &key, &row) && key.size == TILE_KEY_SIZE &&
	        *(const uint8_t *)key.data == 0;
	if (found)
		*ret = be64_get((const uint8_t *)key.data + 1);
	walk_end(&w);
	return found;
}

void tree_remove_tile(struct txn *ledger, uint64_t index)
{
	uint8_t key[TILE_KEY_SIZE];

	txn_del(ledger, DB_TREE, tile_key(key, 0, index));
}
