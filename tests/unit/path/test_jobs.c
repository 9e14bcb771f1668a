/* test_jobs.c -- a worker's housekeeping indexes the log behind its end, a bundle a job and some jobs a tick; other
 * programs do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "path/path-private.h"
#include "tests/lib/tmpstore.h"

#include <stdlib.h>
#include <time.h>

#define JOBS_PER_TICK 16

struct fixture { struct store *st; struct writer *w; struct path *p; };

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	return f && (f->st = tmpstore_new()) && writer_start(f->st, &f->w) == RC_OK ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	bool ended = writer_stop(f->w, 20000);

	path_free(f->p);
	tmpstore_free(f->st);
	free(f);
	return ended ? 0 : -1;
}

static void begin(struct fixture *f, bool worker)
{
	const struct path_options o = { .store = f->st, .writer = f->w, .version = "1", .threads = 1, .worker = worker };

	assert_int_equal(path_new(&o, &f->p), RC_OK);
}

static enum rc append_to(struct txn *ledger, void *arg)
{
	const uint64_t *size = arg;
	enum rc rc = RC_OK;

	for (uint64_t seq = audit_size(ledger); seq < *size && rc == RC_OK; seq++) {
		struct audit_record r = { .event = AUDIT_EVENT_ACTION, .outcome = AUDIT_OUTCOME_DONE, .site = "acme", .time = seq };

		memcpy(r.id, "01JD4ZK2M3N4P5Q6R7S8T9V0WX", sizeof(r.id));
		rc = audit_append(ledger, &r, NULL);
	}
	return rc;
}

static void grow(struct fixture *f, uint64_t size)
{
	assert_int_equal(writer_call(f->w, append_to, &size), RC_OK);
}

static enum rc put_false_row(struct txn *ledger, void *arg)
{
	static const uint8_t key[9] = { 0, 0, 0, 0, 0, 0, 0, 4, 0 };

	(void)arg;
	txn_put(ledger, DB_RECORDS, span_of(key, sizeof(key)), span_str("{}"));
	return txn_rc(ledger);
}

static enum rc nothing(struct txn *ledger, void *arg)
{
	(void)arg;
	return txn_rc(ledger);
}

/* All that a tick queued is over, and what that queued in its turn. */
static uint64_t rows_after_tick(struct fixture *f)
{
	uint64_t deadline = clock_mono_ms() + 60000, rows;
	struct span key, row;
	struct walk w;
	struct txn *t;

	path_tick(f->p);
	assert_int_equal(writer_call(f->w, nothing, NULL), RC_OK);
	while (atomic_load(&f->p->indexing) > 0) {
		assert_true(clock_mono_ms() < deadline);
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	t = txn_read(f->st, ENV_LEDGER);
	walk_begin(&w, t, DB_INDEX);
	for (rows = 0; walk_next(&w, &key, &row);)
		rows += key.size == 8;                 /* the first part of each bundle */
	walk_end(&w);
	assert_int_equal(txn_rc(t), RC_OK);
	txn_abort(t);
	return rows;
}

static void a_worker_indexes_what_the_log_has_grown_by(void **state)
{
	struct fixture *f = *state;

	begin(f, true);
	assert_int_equal(rows_after_tick(f), 0);
	grow(f, INDEX_BUNDLE - 1);
	assert_int_equal(rows_after_tick(f), 0);
	grow(f, 3 * INDEX_BUNDLE + 1);
	assert_int_equal(rows_after_tick(f), 3);
	grow(f, 4 * INDEX_BUNDLE);
	assert_int_equal(rows_after_tick(f), 4);
}

static void a_tick_indexes_only_so_much(void **state)
{
	struct fixture *f = *state;

	begin(f, true);
	for (uint64_t bundle = 1; bundle <= JOBS_PER_TICK + 1; bundle++)
		grow(f, bundle * INDEX_BUNDLE);
	assert_int_equal(rows_after_tick(f), JOBS_PER_TICK);
	assert_int_equal(rows_after_tick(f), JOBS_PER_TICK + 1);
}

static void who_is_no_worker_indexes_nothing(void **state)
{
	struct fixture *f = *state;

	begin(f, false);
	grow(f, INDEX_BUNDLE);
	assert_int_equal(rows_after_tick(f), 0);
}

/* What is left of the space is the records'. */
static void a_full_ledger_is_not_indexed(void **state)
{
	struct fixture *f = *state;

	begin(f, true);
	grow(f, INDEX_BUNDLE);
	atomic_store(&f->p->space_used, 98);
	atomic_store(&f->p->space_limit, 100);
	job_index(f->p);
	assert_int_equal(atomic_load(&f->p->indexing), 0);
}

/* A log that nobody can index costs a worker nothing but the try, and nobody else's record. */
static void a_log_that_is_not_to_be_indexed_is_left_alone(void **state)
{
	struct fixture *f = *state;

	begin(f, true);
	grow(f, INDEX_BUNDLE);
	assert_int_equal(writer_call(f->w, put_false_row, NULL), RC_OK);
	assert_int_equal(rows_after_tick(f), 0);
	grow(f, INDEX_BUNDLE + 1);
	assert_int_equal(rows_after_tick(f), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_worker_indexes_what_the_log_has_grown_by),
		TEST(a_tick_indexes_only_so_much),
		TEST(who_is_no_worker_indexes_nothing),
		TEST(a_full_ledger_is_not_indexed),
		TEST(a_log_that_is_not_to_be_indexed_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
