/* Transactions remember their first error; rows come back as they went in; walks keep their place. */
#include "store/store-private.h"

#include "tests/lib/tmpstore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

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

static struct span numbered(char out[16], unsigned n)
{
	return span_of(out, (size_t)snprintf(out, 16, "k%06u", n));
}

static void fill(struct store *st, unsigned count)
{
	struct txn *t = txn_write(st, ENV_LEDGER);
	char key[16];

	for (unsigned i = 0; i < count; i++)
		txn_append(t, DB_DOCUMENTS, numbered(key, i), span_str("row"));
	assert_int_equal(txn_end(t), RC_OK);
}

static void a_row_is_read_back_after_the_commit(void **state)
{
	struct txn *t = txn_write(*state, ENV_LEDGER);
	struct span row = { 0 };

	txn_put(t, DB_DOCUMENTS, span_str("a"), span_str("one"));
	txn_put(t, DB_DOCUMENTS, span_str("a"), span_str("two"));
	assert_true(txn_get(t, DB_DOCUMENTS, span_str("a"), &row));
	assert_true(span_is(row, "two"));
	assert_int_equal(txn_end(t), RC_OK);
	t = txn_read(*state, ENV_LEDGER);
	assert_true(txn_get(t, DB_DOCUMENTS, span_str("a"), &row));
	assert_true(span_is(row, "two"));
	assert_int_equal(txn_count(t, DB_DOCUMENTS), 1);
	assert_int_equal(txn_end(t), RC_OK);
}

static void what_is_not_there_is_an_answer_not_an_error(void **state)
{
	struct txn *t = txn_write(*state, ENV_LEDGER);
	char big[600] = { 0 };
	struct span row;

	assert_false(txn_get(t, DB_DOCUMENTS, span_str("a"), &row));
	assert_false(txn_get(t, DB_DOCUMENTS, span_str(""), &row));
	assert_false(txn_get(t, DB_DOCUMENTS, span_of(big, sizeof(big)), &row));
	assert_false(txn_del(t, DB_DOCUMENTS, span_str("a")));
	assert_int_equal(txn_rc(t), RC_OK);
	assert_int_equal(txn_end(t), RC_OK);
}

static void an_aborted_write_leaves_nothing(void **state)
{
	struct txn *t = txn_write(*state, ENV_LEDGER);
	struct span row;

	txn_put(t, DB_DOCUMENTS, span_str("a"), span_str("one"));
	txn_abort(t);
	t = txn_read(*state, ENV_LEDGER);
	assert_false(txn_get(t, DB_DOCUMENTS, span_str("a"), &row));
	txn_abort(t);
}

static void the_first_error_sticks_and_turns_the_end_into_an_abort(void **state)
{
	struct txn *t = txn_write(*state, ENV_LEDGER);
	struct span row;

	txn_put(t, DB_DOCUMENTS, span_str("a"), span_str("one"));
	txn_fail(t, RC_REFUSED);
	txn_fail(t, RC_IO);
	txn_put(t, DB_DOCUMENTS, span_str("b"), span_str("two"));
	assert_false(txn_get(t, DB_DOCUMENTS, span_str("a"), &row));
	assert_int_equal(txn_count(t, DB_DOCUMENTS), 0);
	assert_int_equal(txn_end(t), RC_REFUSED);
	t = txn_read(*state, ENV_LEDGER);
	assert_int_equal(txn_count(t, DB_DOCUMENTS), 0);
	txn_abort(t);
}

static void a_key_that_cannot_be_stored_fails_the_write(void **state)
{
	char big[512] = { 0 };
	struct txn *t = txn_write(*state, ENV_LEDGER);

	txn_put(t, DB_DOCUMENTS, span_of(big, 511), span_str("fits"));
	assert_int_equal(txn_rc(t), RC_OK);
	txn_put(t, DB_DOCUMENTS, span_of(big, 512), span_str("does not"));
	assert_int_equal(txn_end(t), RC_INVALID);
}

static void a_read_cannot_write(void **state)
{
	struct txn *t = txn_read(*state, ENV_LEDGER);

	txn_put(t, DB_DOCUMENTS, span_str("a"), span_str("one"));
	assert_int_equal(txn_end(t), RC_READ_ONLY);
}

static void a_table_of_the_other_environment_is_refused(void **state)
{
	struct txn *t = txn_write(*state, ENV_LEDGER);

	txn_put(t, DB_SITES, span_str("a"), span_str("one"));
	assert_int_equal(txn_end(t), RC_INVALID);
}

static void an_append_out_of_order_is_refused(void **state)
{
	struct txn *t = txn_write(*state, ENV_LEDGER);

	txn_append(t, DB_RECORDS, span_str("b"), span_str("one"));
	txn_append(t, DB_RECORDS, span_str("a"), span_str("two"));
	assert_int_equal(txn_end(t), RC_EXISTS);
}

static void no_transaction_is_out_of_memory_and_every_call_a_no_op(void **state)
{
	struct walk w;
	struct span k, v;

	(void)state;
	txn_put(NULL, DB_RECORDS, span_str("b"), span_str("one"));
	txn_append(NULL, DB_RECORDS, span_str("b"), span_str("one"));
	assert_false(txn_get(NULL, DB_RECORDS, span_str("b"), &v));
	assert_false(txn_del(NULL, DB_RECORDS, span_str("b")));
	assert_int_equal(txn_count(NULL, DB_RECORDS), 0);
	txn_fail(NULL, RC_IO);
	txn_ring_changed(NULL, span_str("x"));
	walk_begin(&w, NULL, DB_RECORDS);
	assert_false(walk_seek(&w, span_str("a"), &k, &v));
	assert_false(walk_next(&w, &k, &v));
	assert_false(walk_prev(&w, &k, &v));
	walk_del(&w);
	walk_end(&w);
	assert_int_equal(txn_rc(NULL), RC_NOMEM);
	assert_int_equal(txn_end(NULL), RC_NOMEM);
	txn_abort(NULL);
}

static void a_walk_goes_both_ways_and_stops_at_both_ends(void **state)
{
	struct span k, v;
	struct walk w;
	struct txn *t;

	fill(*state, 3);
	t = txn_read(*state, ENV_LEDGER);
	walk_begin(&w, t, DB_DOCUMENTS);
	assert_true(walk_next(&w, &k, &v) && span_is(k, "k000000"));
	assert_true(walk_next(&w, &k, &v) && span_is(k, "k000001"));
	assert_true(walk_prev(&w, &k, &v) && span_is(k, "k000000"));
	assert_false(walk_prev(&w, &k, &v));
	assert_false(walk_prev(&w, &k, &v));
	assert_true(walk_next(&w, &k, &v) && span_is(k, "k000000"));
	assert_true(walk_seek(&w, span_str("k0000015"), &k, &v) && span_is(k, "k000002"));
	assert_false(walk_next(&w, &k, &v));
	assert_false(walk_next(&w, &k, &v));
	assert_true(walk_prev(&w, &k, &v) && span_is(k, "k000002"));
	walk_end(&w);
	walk_begin(&w, t, DB_DOCUMENTS);
	assert_true(walk_prev(&w, &k, &v) && span_is(k, "k000002"));
	assert_false(walk_seek(&w, span_str("z"), &k, &v));
	assert_false(walk_next(&w, &k, &v));
	assert_true(walk_prev(&w, &k, &v) && span_is(k, "k000002"));
	assert_true(walk_seek(&w, span_str(""), &k, &v) && span_is(k, "k000000"));
	walk_end(&w);
	assert_int_equal(txn_end(t), RC_OK);
}

static void a_walk_over_nothing_finds_nothing(void **state)
{
	struct txn *t = txn_read(*state, ENV_LEDGER);
	struct span k, v;
	struct walk w;

	walk_begin(&w, t, DB_DOCUMENTS);
	assert_false(walk_next(&w, &k, &v));
	assert_false(walk_prev(&w, &k, &v));
	assert_false(walk_seek(&w, span_str("a"), &k, &v));
	walk_end(&w);
	assert_int_equal(txn_end(t), RC_OK);
}

/* Enough rows for several pages, so that pages empty and merge under the walk. */
static void rows_deleted_on_the_way_are_gone_and_none_is_passed_over(void **state)
{
	enum { COUNT = 3000 };
	unsigned seen = 0;
	struct span k, v;
	struct walk w;
	struct txn *t;

	fill(*state, COUNT);
	t = txn_write(*state, ENV_LEDGER);
	walk_begin(&w, t, DB_DOCUMENTS);
	while (walk_next(&w, &k, &v)) {
		char want[16];

		assert_true(span_equal(k, numbered(want, seen)));
		if (seen++ % 3 != 2)
			walk_del(&w);
	}
	walk_end(&w);
	assert_int_equal(seen, COUNT);
	assert_int_equal(txn_count(t, DB_DOCUMENTS), COUNT / 3);
	walk_begin(&w, t, DB_DOCUMENTS);
	while (walk_prev(&w, &k, &v)) {
		walk_del(&w);
		seen--;
	}
	walk_end(&w);
	assert_int_equal(seen, COUNT - COUNT / 3);
	assert_int_equal(txn_count(t, DB_DOCUMENTS), 0);
	assert_int_equal(txn_end(t), RC_OK);
}

static void walk_del_stands_on_a_row_of_a_write_or_fails(void **state)
{
	struct span k, v;
	struct walk w;
	struct txn *t;

	fill(*state, 1);
	t = txn_read(*state, ENV_LEDGER);
	walk_begin(&w, t, DB_DOCUMENTS);
	assert_true(walk_next(&w, &k, &v));
	walk_del(&w);
	walk_end(&w);
	assert_int_equal(txn_end(t), RC_READ_ONLY);
	t = txn_write(*state, ENV_LEDGER);
	walk_begin(&w, t, DB_DOCUMENTS);
	walk_del(&w);
	walk_end(&w);
	assert_int_equal(txn_end(t), RC_INVALID);
}

static void a_reader_sees_a_snapshot_until_it_begins_anew(void **state)
{
	struct reader *r;
	struct txn *t;

	assert_int_equal(reader_new(*state, &r), RC_OK);
	t = reader_begin(r, ENV_LEDGER);
	assert_int_equal(txn_count(t, DB_DOCUMENTS), 0);
	fill(*state, 5);
	assert_int_equal(txn_count(t, DB_DOCUMENTS), 0);
	assert_int_equal(txn_rc(t), RC_OK);
	t = reader_begin(r, ENV_LEDGER);
	assert_int_equal(txn_count(t, DB_DOCUMENTS), 5);
	assert_int_equal(txn_end(t), RC_OK);
	reader_end(r, ENV_LEDGER);
	reader_end(r, ENV_LEDGER);
	reader_end(r, ENV_VAULT);
	t = reader_begin(r, ENV_VAULT);
	assert_int_equal(txn_rc(t), RC_OK);
	reader_free(r);
}

static void a_reader_that_was_ended_reads_nothing(void **state)
{
	struct reader *r;
	struct txn *t;
	struct span row;

	assert_int_equal(reader_new(*state, &r), RC_OK);
	t = reader_begin(r, ENV_LEDGER);
	reader_end(r, ENV_LEDGER);
	assert_false(txn_get(t, DB_LEDGER_META, span_str("schema"), &row));
	assert_int_equal(txn_rc(t), RC_INVALID);
	t = reader_begin(r, ENV_LEDGER);
	assert_true(txn_get(t, DB_LEDGER_META, span_str("schema"), &row));
	reader_free(r);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_row_is_read_back_after_the_commit),
		T(what_is_not_there_is_an_answer_not_an_error),
		T(an_aborted_write_leaves_nothing),
		T(the_first_error_sticks_and_turns_the_end_into_an_abort),
		T(a_key_that_cannot_be_stored_fails_the_write),
		T(a_read_cannot_write),
		T(a_table_of_the_other_environment_is_refused),
		T(an_append_out_of_order_is_refused),
		T(no_transaction_is_out_of_memory_and_every_call_a_no_op),
		T(a_walk_goes_both_ways_and_stops_at_both_ends),
		T(a_walk_over_nothing_finds_nothing),
		T(rows_deleted_on_the_way_are_gone_and_none_is_passed_over),
		T(walk_del_stands_on_a_row_of_a_write_or_fails),
		T(a_reader_sees_a_snapshot_until_it_begins_anew),
		T(a_reader_that_was_ended_reads_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
