/* test_workers.c -- the table of live workers: what a worker writes, and what is made of rows that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "path/path-private.h"
#include "tests/lib/tmpstore.h"

#include <stdio.h>
#include <unistd.h>

#define KEY_SIZE 24
#define ROWS 8

static struct path worker = { .o = { .threads = 6, .version = "1.2.3" }, .started_at = 1763690000 };

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

static void run(struct store *st, enum rc (*job)(struct txn *ledger, void *path))
{
	struct txn *t = txn_write(st, ENV_LEDGER);

	assert_int_equal(job(t, &worker), RC_OK);
	assert_int_equal(txn_end(t), RC_OK);
}

static size_t rows(struct store *st, struct worker_row *ret, size_t max)
{
	struct txn *t = txn_read(st, ENV_LEDGER);
	size_t count = worker_rows(t, ret, max);

	assert_int_equal(txn_end(t), RC_OK);
	return count;
}

/* ---- rows of others, bytes as given ---- */

static void key_of(uint8_t key[KEY_SIZE], uint8_t boot, uint64_t pid)
{
	memset(key, boot, KEY_SIZE);
	be64_put(key + KEY_SIZE - 8, pid);
}

static void row_of(struct buf *b, const struct worker_row *r, struct span version)
{
	buf_clear(b);
	buf_put_u64(b, r->beat_s);
	buf_put_u64(b, r->started_at);
	buf_put_u64(b, r->pid);
	buf_put_u32(b, r->threads);
	buf_put_bytes(b, version);
	assert_false(b->failed);
}

static void put(struct store *st, struct span key, struct span row)
{
	struct txn *t = txn_write(st, ENV_LEDGER);

	txn_put(t, DB_WORKERS, key, row);
	assert_int_equal(txn_end(t), RC_OK);
}

static void put_row(struct store *st, const struct worker_row *r, struct span version)
{
	struct buf b = BUF_INIT;
	uint8_t key[KEY_SIZE];

	key_of(key, 7, r->pid);
	row_of(&b, r, version);
	put(st, span_of(key, sizeof(key)), buf_span(&b));
	buf_done(&b);
}

static void a_worker_reads_back_as_it_is(void **state)
{
	struct worker_row r[ROWS];

	assert_int_equal(rows(*state, r, ROWS), 0);
	run(*state, worker_beat);
	run(*state, worker_beat);
	assert_int_equal(rows(*state, r, ROWS), 1);
	assert_int_equal(r[0].pid, getpid());
	assert_in_range(r[0].beat_s, clock_s() - 60, clock_s());
	assert_int_equal(r[0].started_at, 1763690000);
	assert_int_equal(r[0].threads, 6);
	assert_string_equal(r[0].version, "1.2.3");
	assert_true(r[0].this_boot);
	run(*state, worker_leave);
	assert_int_equal(rows(*state, r, ROWS), 0);
}

static void a_row_of_another_boot_says_so(void **state)
{
	struct worker_row other = { .pid = 4711, .beat_s = clock_s(), .started_at = 9, .threads = 2 }, r[ROWS];

	put_row(*state, &other, span_str("0.9 \x1b[2J\xff"));
	assert_int_equal(rows(*state, r, ROWS), 1);
	assert_false(r[0].this_boot);
	assert_int_equal(r[0].pid, 4711);
	/* as it stands: whoever shows it makes it harmless */
	assert_string_equal(r[0].version, "0.9 \x1b[2J\xff");
}

static void no_more_rows_are_given_than_asked_for(void **state)
{
	struct worker_row one = { .beat_s = clock_s() }, r[3] = { { .pid = 99 }, { .pid = 99 }, { .pid = 99 } };

	for (one.pid = 1; one.pid <= 5; one.pid++)
		put_row(*state, &one, span_str("1"));
	assert_int_equal(rows(*state, r, 2), 2);
	assert_int_equal(r[0].pid, 1);
	assert_int_equal(r[1].pid, 2);
	assert_int_equal(r[2].pid, 99);
	assert_int_equal(rows(*state, r, 0), 0);
}

/* Every length but the right one, and members no worker writes. The honest row behind them is still found. */
static void rows_that_are_no_workers_are_left_out(void **state)
{
	static const struct worker_row lies[] = {
		{ .pid = 0 }, { .pid = UINT64_C(1) << 31 }, { .pid = UINT64_MAX }, { .pid = 5, .beat_s = UINT64_MAX },
		{ .pid = 6, .started_at = UINT64_MAX }, { .pid = 7, .beat_s = (uint64_t)INT64_MAX / 1000000 + 1 },
	};
	struct worker_row honest = { .pid = 40, .beat_s = 1, .started_at = 1, .threads = 1 }, r[ROWS];
	char longest[WORKER_VERSION_MAX];
	uint8_t key[KEY_SIZE + 1] = { 0 };
	struct buf b = BUF_INIT;

	memset(longest, 'v', sizeof(longest));
	for (size_t i = 0; i < ARRAY_LEN(lies); i++)
		put_row(*state, &lies[i], span_str("1"));
	honest.pid = 20;
	put_row(*state, &honest, span_of("a\0b", 3));
	honest.pid = 21;
	put_row(*state, &honest, span_of(longest, sizeof(longest)));
	honest.pid = 40;
	row_of(&b, &honest, span_str("1.0"));
	for (size_t n = 0; n < b.size; n++) {
		key_of(key, 7, 100 + n);
		put(*state, span_of(key, KEY_SIZE), span_of(b.data, n));
	}
	key_of(key, 7, 41);            /* another's row */
	put(*state, span_of(key, KEY_SIZE), buf_span(&b));
	for (size_t n = 1; n <= KEY_SIZE + 1; n++)
		if (n != KEY_SIZE)
			put(*state, span_of(key, n), buf_span(&b));
	put_row(*state, &honest, span_of(longest, sizeof(longest) - 1));
	buf_add_char(&b, 'x');
	key_of(key, 9, 40);
	put(*state, span_of(key, KEY_SIZE), buf_span(&b));
	assert_int_equal(rows(*state, r, ROWS), 1);
	assert_int_equal(r[0].pid, 40);
	assert_int_equal(strlen(r[0].version), WORKER_VERSION_MAX - 1);
	buf_done(&b);
}

/* Also one whose clock ran ahead: no later beat would ever be later than it. */
static void a_lost_row_goes_with_somebodys_beat(void **state)
{
	struct worker_row past = { .pid = 1, .beat_s = clock_s() - 3600 }, r[ROWS];
	struct worker_row ahead = { .pid = 2, .beat_s = clock_s() + 3600 };
	struct worker_row present = { .pid = 3, .beat_s = clock_s() };

	put_row(*state, &past, span_str("1"));
	put_row(*state, &ahead, span_str("1"));
	put_row(*state, &present, span_str("1"));
	run(*state, worker_beat);
	assert_int_equal(rows(*state, r, ROWS), 3);
	run(*state, worker_beat);
	assert_int_equal(rows(*state, r, ROWS), 2);
	run(*state, worker_beat);
	assert_int_equal(rows(*state, r, ROWS), 2);
	for (size_t i = 0; i < 2; i++)
		assert_true(r[i].pid == 3 || r[i].pid == (uint64_t)getpid());
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(a_worker_reads_back_as_it_is),
		WITH_STORE(a_row_of_another_boot_says_so),
		WITH_STORE(no_more_rows_are_given_than_asked_for),
		WITH_STORE(rows_that_are_no_workers_are_left_out),
		WITH_STORE(a_lost_row_goes_with_somebodys_beat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
