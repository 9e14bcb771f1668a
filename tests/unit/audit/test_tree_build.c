/* test_tree_build.c -- the tree of records that had none is, row by row, the one that appending them would have made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "audit/audit.h"
#include "tests/lib/tmpstore.h"

#include <stdio.h>

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

static void grow_to(struct store *st, uint64_t size)
{
	struct txn *t = txn_write(st, ENV_LEDGER);

	for (uint64_t at = audit_size(t); at < size; at++) {
		struct audit_record r = { .event = AUDIT_EVENT_ACTION, .outcome = AUDIT_OUTCOME_DONE, .time = 1000 + at };

		snprintf(r.id, sizeof(r.id), "01JD4ZK2M3N4P5Q6R7S8T9V0WX");
		assert_int_equal(audit_append(t, &r, NULL), RC_OK);
	}
	assert_int_equal(txn_end(t), RC_OK);
}

/* Every row of the tree, one after the other. */
static void tree_rows(struct txn *t, struct buf *out)
{
	struct span key, row;
	struct walk w;

	walk_begin(&w, t, DB_TREE);
	while (walk_next(&w, &key, &row)) {
		buf_put_bytes(out, key);
		buf_put_bytes(out, row);
	}
	walk_end(&w);
	assert_false(out->failed);
}

static void clear_tree(struct txn *t)
{
	struct span key, row;
	struct walk w;

	walk_begin(&w, t, DB_TREE);
	while (walk_next(&w, &key, &row))
		walk_del(&w);
	walk_end(&w);
}

static void the_tree_is_the_same(void **state)
{
	static const uint64_t sizes[] = { 0, 1, 2, 255, 256, 257, 513, 66000 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct buf was = BUF_INIT, is = BUF_INIT;
		uint64_t size = 99;
		struct txn *t;

		grow_to(*state, sizes[i]);
		t = txn_write(*state, ENV_LEDGER);
		tree_rows(t, &was);
		clear_tree(t);
		assert_int_equal(audit_tree_build(t, &size), RC_OK);
		assert_int_equal(size, sizes[i]);
		tree_rows(t, &is);
		assert_int_equal(is.size, was.size);
		assert_true(was.size == 0 || memcmp(is.data, was.data, was.size) == 0);
		assert_int_equal(txn_end(t), RC_OK);
		buf_done(&was);
		buf_done(&is);
	}
}

static void a_log_with_a_tree_keeps_it(void **state)
{
	uint64_t size = 0;
	struct txn *t;

	grow_to(*state, 3);
	t = txn_write(*state, ENV_LEDGER);
	assert_int_equal(audit_tree_build(t, &size), RC_EXISTS);
	txn_abort(t);
}

static enum rc build_without(struct store *st, uint64_t missing, uint64_t *ret_size)
{
	struct txn *t = txn_write(st, ENV_LEDGER);
	uint8_t key[8];
	enum rc rc;

	be64_put(key, missing);
	assert_true(txn_del(t, DB_RECORDS, span_of(key, sizeof(key))));
	clear_tree(t);
	rc = audit_tree_build(t, ret_size);
	txn_abort(t);
	return rc;
}

static void a_hole_is_no_log(void **state)
{
	uint64_t size;

	grow_to(*state, 300);
	assert_int_equal(build_without(*state, 0, &size), RC_CORRUPT);
	assert_int_equal(build_without(*state, 256, &size), RC_CORRUPT);
	assert_int_equal(build_without(*state, 299, &size), RC_OK);
	assert_int_equal(size, 299);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = { T(the_tree_is_the_same), T(a_log_with_a_tree_keeps_it), T(a_hole_is_no_log) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
