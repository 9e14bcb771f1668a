/* test_tree.c -- the tree that grows with the log: its roots and proofs are those of the stored lines, whatever was
 * pruned, and a tile that is not what the log's size says stops the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "audit/audit.h"
#include "tests/lib/tmpstore.h"

#include <stdio.h>
#include <stdlib.h>

#define TILE 256
#define TILE_KEY 9

static int setup(void **state)
{
	*state = tmpstore_new();
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	tmpstore_free(*state);
	return 0;
}

/* ---- a log ---- */

static enum rc append_one(struct txn *ledger, uint64_t i)
{
	struct audit_record r = { .event = AUDIT_EVENT_ACTION, .outcome = AUDIT_OUTCOME_DONE, .time = 1000 + i };

	snprintf(r.id, sizeof(r.id), "01JD4ZK2M3N4P5Q6R7S8T9V0WX");
	return audit_append(ledger, &r, NULL);
}

/* Transactions of several hundred, so that tiles are finished, begun and gone on with within one and across two. */
static void grow_to(struct store *st, uint64_t size)
{
	struct txn *t = txn_write(st, ENV_LEDGER);
	uint64_t at = audit_size(t);

	for (; at < size; at++) {
		assert_int_equal(append_one(t, at), RC_OK);
		if (at % 777 == 776) {
			assert_int_equal(txn_end(t), RC_OK);
			t = txn_write(st, ENV_LEDGER);
		}
	}
	assert_int_equal(txn_end(t), RC_OK);
}

static struct tree_hash leaf_of_line(struct txn *t, uint64_t seq)
{
	struct tree_hash hash;
	struct span line;

	assert_true(audit_get(t, seq, &line));
	assert_int_equal(tree_leaf(line, &hash), RC_OK);
	return hash;
}

/* Of every size up to the log's, from the lines alone; to be freed. */
static struct tree_hash *roots_of_lines(struct txn *t, uint64_t size)
{
	struct tree_hash *roots = calloc(size + 1, sizeof(*roots));
	struct tree_range range = { .size = 0 };

	assert_non_null(roots);
	assert_int_equal(tree_empty(&roots[0]), RC_OK);
	for (uint64_t seq = 0; seq < size; seq++) {
		struct tree_hash leaf = leaf_of_line(t, seq);

		assert_int_equal(tree_range_add(&range, &leaf), RC_OK);
		assert_int_equal(tree_range_root(&range, &roots[seq + 1]), RC_OK);
	}
	return roots;
}

static void assert_root(struct txn *t, uint64_t size, const struct tree_hash *expected)
{
	struct tree_source source = audit_tree(t);
	struct tree_hash root;

	assert_int_equal(tree_root(&source, size, &root), RC_OK);
	assert_true(tree_hash_equal(&root, expected));
}

/* All near a border of tiles of either level, and some others. */
static bool sampled(uint64_t size)
{
	uint64_t in_tile = size % TILE, in_upper = size % (TILE * TILE);

	return size < 600 || in_upper < 3 || in_upper > TILE * TILE - 3 || size % 1009 == 0 ||
	       (size % 17 == 0 && (in_tile < 2 || in_tile > 254));
}

static void assert_inclusion(struct txn *t, uint64_t seq, uint64_t size, const struct tree_hash *root)
{
	struct tree_source source = audit_tree(t);
	struct tree_hash leaf, other;
	struct tree_proof proof;

	assert_int_equal(audit_leaf(t, seq, &leaf), RC_OK);
	other = leaf_of_line(t, seq);
	assert_true(tree_hash_equal(&leaf, &other));
	assert_int_equal(tree_prove_inclusion(&source, seq, size, &proof), RC_OK);
	assert_true(tree_check_inclusion(&leaf, seq, size, &proof, root));
}

static void assert_consistency(struct txn *t, uint64_t from, uint64_t to, const struct tree_hash *roots)
{
	struct tree_source source = audit_tree(t);
	struct tree_proof proof;

	assert_int_equal(tree_prove_consistency(&source, from, to, &proof), RC_OK);
	assert_true(tree_check_consistency(from, &roots[from], to, &roots[to], &proof));
}

static void roots_are_those_of_the_stored_lines(void **state)
{
	const uint64_t size = TILE * TILE + 2 * TILE + 100;
	struct tree_hash *roots;
	struct txn *t;

	grow_to(*state, size);
	t = txn_read(*state, ENV_LEDGER);
	roots = roots_of_lines(t, size);
	for (uint64_t n = 0; n <= size; n++)
		if (sampled(n))
			assert_root(t, n, &roots[n]);
	for (uint64_t seq = 0; seq < size; seq += 1 + seq / 7)
		assert_inclusion(t, seq, size, &roots[size]);
	for (uint64_t from = 1; from <= size; from += 1 + from / 9)
		assert_consistency(t, from, size, roots);
	assert_int_equal(txn_rc(t), RC_OK);
	txn_abort(t);
	free(roots);
}

/* Not only the last state of a log is right: each is, as it grows. */
static void every_state_of_a_growing_log_has_its_root(void **state)
{
	static const uint64_t sizes[] = { 0, 1, 2, 3, 254, 255, 256, 257, 258, 511, 512, 513, 1024 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct tree_hash *roots;
		struct txn *t;

		grow_to(*state, sizes[i]);
		t = txn_read(*state, ENV_LEDGER);
		roots = roots_of_lines(t, sizes[i]);
		for (uint64_t n = 0; n <= sizes[i]; n++)
			assert_root(t, n, &roots[n]);
		txn_abort(t);
		free(roots);
	}
}

static void an_abandoned_append_leaves_no_leaf(void **state)
{
	struct tree_hash *roots;
	struct txn *t;

	grow_to(*state, 255);
	t = txn_write(*state, ENV_LEDGER);
	for (uint64_t i = 0; i < 300; i++)
		assert_int_equal(append_one(t, i), RC_OK);
	txn_abort(t);
	grow_to(*state, 260);
	t = txn_read(*state, ENV_LEDGER);
	roots = roots_of_lines(t, 260);
	assert_root(t, 260, &roots[260]);
	txn_abort(t);
	free(roots);
}

static void what_is_not_there_is_not_found(void **state)
{
	struct tree_source source;
	struct tree_hash hash;
	struct txn *t;

	grow_to(*state, 300);
	t = txn_read(*state, ENV_LEDGER);
	source = audit_tree(t);
	assert_int_equal(audit_leaf(t, 299, &hash), RC_OK);
	assert_int_equal(audit_leaf(t, 300, &hash), RC_NOT_FOUND);
	assert_int_equal(audit_leaf(t, 512, &hash), RC_NOT_FOUND);
	assert_int_equal(audit_leaf(t, UINT64_MAX, &hash), RC_NOT_FOUND);
	assert_int_equal(source.get(source.arg, 2, 74, &hash), RC_OK);             /* 296 to 299 */
	assert_int_equal(source.get(source.arg, 2, 75, &hash), RC_NOT_FOUND);
	assert_int_equal(source.get(source.arg, 8, 0, &hash), RC_OK);
	assert_int_equal(source.get(source.arg, 8, 1, &hash), RC_NOT_FOUND);
	assert_int_equal(source.get(source.arg, 16, 0, &hash), RC_NOT_FOUND);
	assert_int_equal(source.get(source.arg, 63, 0, &hash), RC_NOT_FOUND);
	assert_int_equal(source.get(source.arg, 64, 0, &hash), RC_INVALID);
	assert_int_equal(source.get(source.arg, 7, UINT64_MAX, &hash), RC_INVALID);
	assert_int_equal(txn_rc(t), RC_OK);
	txn_abort(t);
}

/* ---- hostile tiles ---- */

static struct span tile_key(uint8_t key[TILE_KEY], uint8_t level, uint64_t index)
{
	key[0] = level;
	be64_put(key + 1, index);
	return span_of(key, TILE_KEY);
}

/* size bytes: what it held, then zeroes. SIZE_MAX: removed. */
static void spoil(struct txn *t, uint8_t level, uint64_t index, size_t size)
{
	uint8_t key[TILE_KEY], row[2 * TILE * TREE_HASH_SIZE] = { 0 };
	struct span old = { 0 };

	if (size == SIZE_MAX) {
		assert_true(txn_del(t, DB_TREE, tile_key(key, level, index)));
		return;
	}
	if (txn_get(t, DB_TREE, tile_key(key, level, index), &old))
		memcpy(row, old.data, old.size < size ? old.size : size);
	txn_put(t, DB_TREE, tile_key(key, level, index), span_of(row, size));
}

struct spoilt { uint64_t log; uint8_t level; uint64_t index; size_t size; };

static void a_last_tile_of_another_size_stops_the_log(void **state)
{
	static const struct spoilt cases[] = {
		/* the leaves' */
		{ 300, 0, 1, SIZE_MAX }, { 300, 0, 1, 0 }, { 300, 0, 1, 43 * 32 }, { 300, 0, 1, 45 * 32 }, { 300, 0, 1, 44 * 32 - 1 },
		{ 300, 0, 1, 44 * 32 + 1 }, { 300, 0, 1, 256 * 32 }, { 300, 0, 1, 300 * 32 }, { 1, 0, 0, SIZE_MAX }, { 1, 0, 0, 0 },
		/* one that nobody began */
		{ 256, 0, 1, 32 }, { 256, 0, 1, 0 }, { 0, 0, 0, 32 }, { 0, 0, 0, 8192 },
		/* the level above, when a tile is begun, and when one is full */
		{ 512, 1, 0, SIZE_MAX }, { 512, 1, 0, 32 }, { 512, 1, 0, 3 * 32 }, { 512, 1, 0, 65 }, { 511, 1, 0, SIZE_MAX },
		{ 511, 1, 0, 2 * 32 }, { 511, 1, 0, 0 }, { 255, 1, 0, 32 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct spoilt *c = &cases[i];
		struct store *st = tmpstore_new();
		uint64_t records;
		struct txn *t;

		assert_non_null(st);
		grow_to(st, c->log);
		t = txn_write(st, ENV_LEDGER);
		records = txn_count(t, DB_RECORDS);
		spoil(t, c->level, c->index, c->size);
		assert_int_equal(txn_rc(t), RC_OK);
		assert_int_equal(append_one(t, c->log), RC_CORRUPT);
		assert_int_equal(txn_end(t), RC_CORRUPT);
		t = txn_read(st, ENV_LEDGER);
		assert_int_equal(txn_count(t, DB_RECORDS), records);
		txn_abort(t);
		tmpstore_free(st);
	}
	(void)state;
}

static void a_tile_of_another_size_is_never_read(void **state)
{
	static const size_t sizes[] = { 0, 31, 32, 255 * 32, 256 * 32 - 1, 256 * 32 + 1, 257 * 32, 512 * 32 };
	struct tree_hash hash;

	grow_to(*state, 600);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct txn *t = txn_write(*state, ENV_LEDGER);
		struct tree_source source = audit_tree(t);

		spoil(t, 0, 0, sizes[i]);
		spoil(t, 1, 0, sizes[i]);
		assert_int_equal(audit_leaf(t, 0, &hash), RC_CORRUPT);
		assert_int_equal(source.get(source.arg, 7, 1, &hash), RC_CORRUPT);
		assert_int_equal(source.get(source.arg, 8, 0, &hash), RC_CORRUPT);
		assert_int_equal(tree_root(&source, 600, &hash), RC_CORRUPT);
		txn_abort(t);
	}
}

static void put_line(struct txn *t, uint64_t seq)
{
	uint8_t key[8];

	be64_put(key, seq);
	txn_put(t, DB_RECORDS, span_of(key, sizeof(key)), span_str("{}"));
	assert_int_equal(txn_rc(t), RC_OK);
}

static void a_record_without_its_leaf_stops_the_log(void **state)
{
	static const uint64_t seqs[] = { 300, 511, 512, 70000, (uint64_t)1 << 40 };

	grow_to(*state, 300);
	for (size_t i = 0; i < ARRAY_LEN(seqs); i++) {
		struct txn *t = txn_write(*state, ENV_LEDGER);

		put_line(t, seqs[i]);
		assert_int_equal(append_one(t, 0), RC_CORRUPT);
		txn_abort(t);
	}
}

static void records_without_any_tree_stop_the_log(void **state)
{
	static const uint64_t sizes[] = { 1, 255, 256, 257, 512, 65536 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct txn *t = txn_write(*state, ENV_LEDGER);

		put_line(t, sizes[i] - 1);
		assert_int_equal(append_one(t, 0), RC_CORRUPT);
		txn_abort(t);
	}
}

static void a_log_that_was_cut_stops(void **state)
{
	struct txn *t;
	uint8_t key[8];

	grow_to(*state, 300);
	t = txn_write(*state, ENV_LEDGER);
	be64_put(key, 299);
	assert_true(txn_del(t, DB_RECORDS, span_of(key, sizeof(key))));
	assert_int_equal(append_one(t, 0), RC_CORRUPT);
	txn_abort(t);
}

/* ---- pruning ---- */

/* Slice by slice; returns how many it took. */
static size_t prune(struct store *st, uint64_t from, uint64_t to, size_t max)
{
	size_t slices = 0;

	for (; from < to; slices++) {
		struct txn *t = txn_write(st, ENV_LEDGER);
		uint64_t before = txn_count(t, DB_RECORDS), next = 0;

		assert_int_equal(audit_prune(t, from, to, max, &next), RC_OK);
		assert_in_range(next, from + 1, to);
		assert_true(before - txn_count(t, DB_RECORDS) <= max);
		assert_int_equal(txn_end(t), RC_OK);
		from = next;
	}
	return slices;
}

static uint64_t rows(struct store *st, enum db db)
{
	struct txn *t = txn_read(st, ENV_LEDGER);
	uint64_t count = txn_count(t, db);

	txn_abort(t);
	return count;
}

static void what_is_left_after_a_prune_proves_as_before(void **state)
{
	const uint64_t size = 5 * TILE + 17, to = 3 * TILE;
	struct tree_hash *roots, hash;
	struct txn *t;

	grow_to(*state, size);
	t = txn_read(*state, ENV_LEDGER);
	roots = roots_of_lines(t, size);
	txn_abort(t);
	assert_int_equal(prune(*state, 0, to, TILE + 100), 3);
	assert_int_equal(rows(*state, DB_RECORDS), size - to);
	assert_int_equal(rows(*state, DB_TREE), 4);            /* leaves of 3, 4 and the begun 5, and the roots of 0 to 4 */
	t = txn_read(*state, ENV_LEDGER);
	for (uint64_t n = to; n <= size; n++) {
		assert_root(t, n, &roots[n]);
		assert_consistency(t, n, size, roots);
	}
	for (uint64_t seq = to; seq < size; seq++)
		assert_inclusion(t, seq, size, &roots[size]);
	assert_int_equal(audit_leaf(t, to - 1, &hash), RC_NOT_FOUND);
	assert_int_equal(audit_leaf(t, 0, &hash), RC_NOT_FOUND);
	assert_int_equal(audit_size(t), size);
	txn_abort(t);
	free(roots);
}

static void a_log_of_which_all_was_pruned_goes_on(void **state)
{
	struct tree_range range = { .size = 0 };
	struct tree_hash root;
	struct txn *t;

	grow_to(*state, 2 * TILE);
	t = txn_read(*state, ENV_LEDGER);
	for (uint64_t seq = 0; seq < 2 * TILE; seq++) {
		struct tree_hash leaf = leaf_of_line(t, seq);

		assert_int_equal(tree_range_add(&range, &leaf), RC_OK);
	}
	txn_abort(t);
	assert_int_equal(prune(*state, 0, 2 * TILE, SIZE_MAX), 1);
	assert_int_equal(rows(*state, DB_RECORDS), 0);
	grow_to(*state, 3 * TILE + 1);
	t = txn_read(*state, ENV_LEDGER);
	for (uint64_t seq = 2 * TILE; seq <= 3 * TILE; seq++) {
		struct tree_hash leaf = leaf_of_line(t, seq);

		assert_int_equal(tree_range_add(&range, &leaf), RC_OK);
	}
	assert_int_equal(tree_range_root(&range, &root), RC_OK);
	assert_root(t, 3 * TILE + 1, &root);
	txn_abort(t);
}

static void pruning_again_or_from_the_middle_is_no_harm(void **state)
{
	grow_to(*state, 10 * TILE);
	prune(*state, 4 * TILE, 6 * TILE, 2 * TILE);
	assert_int_equal(rows(*state, DB_RECORDS), 8 * TILE);
	assert_int_equal(prune(*state, 0, 8 * TILE, 4 * TILE), 2);     /* what is gone already costs nothing */
	assert_int_equal(rows(*state, DB_RECORDS), 2 * TILE);
	assert_int_equal(prune(*state, 0, 8 * TILE, TILE), 1);
	assert_int_equal(rows(*state, DB_TREE), 3);
	grow_to(*state, 10 * TILE + 3);
}

static void only_whole_bundles_that_are_there_are_pruned(void **state)
{
	static const struct { uint64_t from, to; size_t max; } cases[] = {
		{ 0, 255, 1000 }, { 0, 257, 1000 }, { 1, 256, 1000 }, { 256, 0, 1000 }, { 0, 512, 1000 }, { 0, 256, 255 },
		{ 0, 256, 0 }, { 0, (uint64_t)1 << 63, 1000 },
	};

	grow_to(*state, 300);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct txn *t = txn_write(*state, ENV_LEDGER);
		uint64_t next = 99;

		assert_int_equal(audit_prune(t, cases[i].from, cases[i].to, cases[i].max, &next), RC_INVALID);
		assert_int_equal(next, 99);
		assert_int_equal(txn_end(t), RC_OK);
	}
	assert_int_equal(rows(*state, DB_RECORDS), 300);
}

/* A row between two records whose key is no seq: what it is nobody knows, so it is not pruned over. */
static void a_false_row_stops_a_prune(void **state)
{
	struct txn *t;
	uint64_t next = 99;

	grow_to(*state, 600);
	prune(*state, 0, 256, 256);
	t = txn_write(*state, ENV_LEDGER);
	txn_put(t, DB_RECORDS, span_of("\0\0\0\0\0\0\1\0\0", 9), span_str("{}"));
	assert_int_equal(audit_prune(t, 256, 512, 1000, &next), RC_CORRUPT);
	assert_int_equal(txn_end(t), RC_CORRUPT);
	assert_int_equal(next, 99);
	assert_int_equal(rows(*state, DB_RECORDS), 344);
}

static void a_transaction_that_failed_does_nothing(void **state)
{
	struct tree_hash hash;
	uint64_t next = 99;
	bool more = true;
	struct txn *t;

	grow_to(*state, 300);
	t = txn_write(*state, ENV_LEDGER);
	txn_fail(t, RC_IO);
	assert_int_equal(append_one(t, 0), RC_IO);
	assert_int_equal(audit_leaf(t, 0, &hash), RC_IO);
	assert_int_equal(audit_prune(t, 0, 256, 1000, &next), RC_IO);
	assert_int_equal(audit_index(t, INDEX_BUNDLE, &more), RC_IO);
	assert_false(audit_index_behind(t));
	txn_abort(t);
	assert_int_equal(append_one(NULL, 0), RC_NOMEM);
	assert_int_equal(audit_leaf(NULL, 0, &hash), RC_NOMEM);
	assert_int_equal(audit_prune(NULL, 0, 256, 1000, &next), RC_NOMEM);
	assert_true(next == 99 && more);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(roots_are_those_of_the_stored_lines),
		TEST(every_state_of_a_growing_log_has_its_root),
		TEST(an_abandoned_append_leaves_no_leaf),
		TEST(what_is_not_there_is_not_found),
		TEST(a_last_tile_of_another_size_stops_the_log),
		TEST(a_tile_of_another_size_is_never_read),
		TEST(a_record_without_its_leaf_stops_the_log),
		TEST(records_without_any_tree_stop_the_log),
		TEST(a_log_that_was_cut_stops),
		TEST(what_is_left_after_a_prune_proves_as_before),
		TEST(a_log_of_which_all_was_pruned_goes_on),
		TEST(pruning_again_or_from_the_middle_is_no_harm),
		TEST(only_whole_bundles_that_are_there_are_pruned),
		TEST(a_false_row_stops_a_prune),
		TEST(a_transaction_that_failed_does_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
