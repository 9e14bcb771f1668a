/* The table of readers: what is told of it, and what becomes of those who died. */
#include "store/store-private.h"

#include "tests/lib/child.h"
#include "tests/lib/tmpstore.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

static char big[100000];

static enum rc put_big(struct txn *ledger, void *arg)
{
	txn_put(ledger, DB_DOCUMENTS, span_str(arg), span_of(big, sizeof(big)));
	return RC_OK;
}

/* ---- what is told ---- */

static void assert_readers(struct store *st, enum env env, unsigned used, uint64_t behind)
{
	struct store_readers r = { 99, 99, 99 };

	assert_int_equal(store_readers(st, env, &r), RC_OK);
	assert_int_equal(r.used, used);
	assert_int_equal(r.max, MAX_READERS);
	assert_int_equal(r.behind, behind);
}

static void commit(struct store *st, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		struct txn *t = txn_write(st, ENV_LEDGER);

		txn_put(t, DB_KEY_USE, span_str("a"), span_str("b"));
		assert_int_equal(txn_end(t), RC_OK);
	}
}

static void the_oldest_snapshot_is_told_by_its_distance(void **state)
{
	struct store *st = tmpstore_new();
	struct txn *first, *second, *vault;

	(void)state;
	assert_non_null(st);
	first = txn_read(st, ENV_LEDGER);
	assert_readers(st, ENV_LEDGER, 1, 0);
	commit(st, 3);
	second = txn_read(st, ENV_LEDGER);
	assert_readers(st, ENV_LEDGER, 2, 3);
	commit(st, 2);
	assert_readers(st, ENV_LEDGER, 2, 5);
	txn_abort(first);
	vault = txn_read(st, ENV_VAULT);
	assert_readers(st, ENV_VAULT, 1, 0);
	txn_abort(vault);
	assert_int_equal(txn_end(second), RC_OK);
	assert_int_equal(store_reader_check(st), 0);
	tmpstore_free(st);
}

static void a_slot_without_a_snapshot_holds_nothing_back(void **state)
{
	struct store *st = tmpstore_new();
	struct reader *r;

	(void)state;
	assert_non_null(st);
	assert_int_equal(reader_new(st, &r), RC_OK);
	assert_int_equal(txn_rc(reader_begin(r, ENV_LEDGER)), RC_OK);
	commit(st, 4);
	assert_readers(st, ENV_LEDGER, 1, 4);
	reader_end(r, ENV_LEDGER);
	assert_readers(st, ENV_LEDGER, 1, 0);
	reader_free(r);
	assert_readers(st, ENV_LEDGER, 0, 0);
	tmpstore_free(st);
}

/* ---- those of other processes ---- */

struct holder {
	const char *dir;
	unsigned readers;
};

static int hold_readers(struct child *self, void *arg)
{
	const struct holder *h = arg;
	struct store *st = tmpstore_open(h->dir, STORE_WORKER, NULL, NULL);
	enum rc rc = st ? RC_OK : RC_IO;

	for (unsigned i = 0; i < h->readers && rc == RC_OK; i++)
		rc = txn_rc(txn_read(st, ENV_LEDGER));
	child_say(self, rc == RC_OK ? 'r' : 'x');
	child_hear(self);
	return 0;
}

static void hold(struct child *c, struct store *st, unsigned readers)
{
	struct holder h = { .dir = store_dir(st), .readers = readers };

	assert_true(child_start(c, hold_readers, &h));
	assert_int_equal(child_hear(c), 'r');
}

static void slots_of_a_killed_process_are_cleared(void **state)
{
	struct store *st = tmpstore_new();
	struct child c;

	(void)state;
	assert_non_null(st);
	assert_int_equal(store_reader_check(st), 0);
	hold(&c, st, 10);
	assert_int_equal(store_reader_check(st), 0);
	assert_int_equal(child_kill(&c), 1000 + SIGKILL);
	assert_in_range(store_reader_check(st), 10, 11);      /* perhaps one of the vault's */
	assert_int_equal(store_reader_check(st), 0);
	tmpstore_free(st);
}

static void a_full_table_of_dead_readers_is_cleared_by_the_next_read(void **state)
{
	struct store *st = tmpstore_new();
	struct child c;
	struct txn *t;

	(void)state;
	assert_non_null(st);
	hold(&c, st, MAX_READERS - 1);
	t = txn_read(st, ENV_LEDGER);      /* the last slot */
	assert_int_equal(txn_rc(t), RC_OK);
	assert_int_equal(txn_end(txn_read(st, ENV_LEDGER)), RC_BUSY);
	assert_int_equal(child_kill(&c), 1000 + SIGKILL);
	assert_int_equal(txn_end(txn_read(st, ENV_LEDGER)), RC_OK);
	txn_abort(t);
	tmpstore_free(st);
}

/* A snapshot keeps its pages from being used again; one of a dead process must not. */
static void pages_held_by_a_dead_reader_are_used_again(void **state)
{
	struct store *st = tmpstore_new_with(STORE_ADMIN, 0, MIB);
	struct writer *w = NULL;
	struct child c;

	(void)state;
	assert_non_null(st);
	hold(&c, st, 1);
	assert_int_equal(child_kill(&c), 1000 + SIGKILL);
	assert_int_equal(writer_start(st, &w), RC_OK);
	for (int i = 0; i < 50; i++)
		assert_int_equal(writer_call(w, put_big, (void *)"same"), RC_OK);
	assert_true(writer_stop(w, 1000));
	tmpstore_free(st);
}

static void pages_held_by_a_living_reader_are_not(void **state)
{
	struct store *st = tmpstore_new_with(STORE_ADMIN, 0, MIB);
	struct writer *w = NULL;
	struct child c;
	enum rc rc = RC_OK;

	(void)state;
	assert_non_null(st);
	hold(&c, st, 1);
	assert_int_equal(writer_start(st, &w), RC_OK);
	for (int i = 0; i < 50 && rc == RC_OK; i++)
		rc = writer_call(w, put_big, (void *)"same");
	assert_int_equal(rc, RC_NOSPACE);
	child_say(&c, 'q');
	assert_int_equal(child_wait(&c), 0);
	assert_int_equal(writer_call(w, put_big, (void *)"same"), RC_OK);
	assert_true(writer_stop(w, 1000));
	tmpstore_free(st);
}

static void other_processes_count_until_they_are_cleared(void **state)
{
	struct store *st = tmpstore_new();
	struct child c;

	(void)state;
	assert_non_null(st);
	hold(&c, st, 7);
	commit(st, 2);
	assert_readers(st, ENV_LEDGER, 7, 2);
	assert_int_equal(child_kill(&c), 1000 + SIGKILL);
	assert_readers(st, ENV_LEDGER, 7, 2);
	assert_in_range(store_reader_check(st), 7, 8);
	assert_readers(st, ENV_LEDGER, 0, 0);
	tmpstore_free(st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_oldest_snapshot_is_told_by_its_distance),
		cmocka_unit_test(a_slot_without_a_snapshot_holds_nothing_back),
		cmocka_unit_test(slots_of_a_killed_process_are_cleared),
		cmocka_unit_test(a_full_table_of_dead_readers_is_cleared_by_the_next_read),
		cmocka_unit_test(pages_held_by_a_dead_reader_are_used_again),
		cmocka_unit_test(pages_held_by_a_living_reader_are_not),
		cmocka_unit_test(other_processes_count_until_they_are_cleared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
