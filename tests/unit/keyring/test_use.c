/* test_use.c -- uses are counted once, over processes, re-run jobs and failed commits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/encode.h"
#include "keyring/keyring.h"
#include "tests/lib/tmpstore.h"

#include <stdio.h>
#include <stdlib.h>

#define NOW UINT64_C(1763690000)
#define KID "k_aaaaaaaa"

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

static void flush(struct store *st, struct use_counter *u)
{
	struct txn *t = txn_write(st, ENV_LEDGER);

	assert_true(use_counter_take(u));
	assert_int_equal(use_counter_run(t, u), RC_OK);
	assert_int_equal(txn_end(t), RC_OK);
	use_counter_done(u, RC_OK);
}

static void assert_use(struct store *st, const char *site, uint64_t at, uint64_t last, uint64_t in_1h, uint64_t in_24h)
{
	struct txn *t = txn_read(st, ENV_LEDGER);
	struct key_use use = { 9, 9, 9, 9 };

	key_use_get(t, site, KID, at, &use);
	txn_abort(t);
	assert_int_equal(use.last_used_at, last);
	assert_int_equal(use.uses_1h, in_1h);
	assert_int_equal(use.uses_24h, in_24h);
	assert_true(use.uses_1m <= use.uses_1h);
}

static uint64_t uses_1m(struct store *st, uint64_t at)
{
	struct txn *t = txn_read(st, ENV_LEDGER);
	struct key_use use = { 9, 9, 9, 9 };

	key_use_get(t, "demo", KID, at, &use);
	txn_abort(t);
	assert_true(use.uses_1m <= use.uses_1h);
	return use.uses_1m;
}

static void a_key_never_used_counts_nothing(void **state)
{
	struct use_counter *u = use_counter_new();

	assert_use(*state, "demo", NOW, 0, 0, 0);
	assert_false(use_counter_pending(u));
	assert_false(use_counter_take(u));
	use_counter_free(u);
	use_counter_free(NULL);
}

static void uses_are_counted_by_key_and_site(void **state)
{
	struct use_counter *u = use_counter_new();

	for (int i = 0; i < 5; i++)
		use_counter_add(u, "demo", KID, NOW + (uint64_t)i);
	use_counter_add(u, "other", KID, NOW);
	use_counter_add(u, "demo", "k_bbbbbbbb", NOW);
	assert_true(use_counter_pending(u));
	flush(*state, u);
	assert_false(use_counter_pending(u));
	assert_use(*state, "demo", NOW + 10, NOW + 4, 5, 5);
	assert_use(*state, "other", NOW + 10, NOW, 1, 1);
	use_counter_free(u);
}

static void several_processes_add_up(void **state)
{
	struct use_counter *a = use_counter_new(), *b = use_counter_new();

	use_counter_add(a, "demo", KID, NOW);
	use_counter_add(b, "demo", KID, NOW + 70);
	flush(*state, b);
	flush(*state, a);      /* the older minute comes later */
	assert_use(*state, "demo", NOW + 100, NOW + 70, 2, 2);
	use_counter_free(a);
	use_counter_free(b);
}

static void a_job_run_twice_counts_once(void **state)
{
	struct use_counter *u = use_counter_new();
	struct txn *t = txn_write(*state, ENV_LEDGER);

	use_counter_add(u, "demo", KID, NOW);
	use_counter_add(u, "demo", KID, NOW + 65);
	assert_true(use_counter_take(u));
	assert_int_equal(use_counter_run(t, u), RC_OK);
	txn_abort(t);          /* another job failed: all run again */
	use_counter_add(u, "demo", KID, NOW + 66);
	t = txn_write(*state, ENV_LEDGER);
	assert_int_equal(use_counter_run(t, u), RC_OK);
	assert_int_equal(txn_end(t), RC_OK);
	use_counter_done(u, RC_OK);
	assert_use(*state, "demo", NOW + 70, NOW + 65, 2, 2);
	assert_true(use_counter_pending(u));
	flush(*state, u);
	assert_use(*state, "demo", NOW + 70, NOW + 66, 3, 3);
	use_counter_free(u);
}

static void a_failed_commit_loses_nothing(void **state)
{
	struct use_counter *u = use_counter_new();

	use_counter_add(u, "demo", KID, NOW);
	assert_true(use_counter_take(u));
	use_counter_add(u, "demo", KID, NOW + 1);
	assert_false(use_counter_take(u));      /* one batch at a time */
	use_counter_done(u, RC_WITHDRAWN);
	flush(*state, u);
	assert_use(*state, "demo", NOW + 1, NOW + 1, 2, 2);
	use_counter_free(u);
}

static void uses_leave_the_windows_as_time_passes(void **state)
{
	struct use_counter *u = use_counter_new();
	uint64_t start = NOW - NOW % 3600;

	use_counter_add(u, "demo", KID, start);
	use_counter_add(u, "demo", KID, start + 1800);
	flush(*state, u);
	assert_use(*state, "demo", start + 3599, start + 1800, 2, 2);
	assert_use(*state, "demo", start + 3600, start + 1800, 1, 2);
	assert_use(*state, "demo", start + 1800 + 3600, start + 1800, 0, 2);
	assert_use(*state, "demo", start + 24 * 3600 - 1, start + 1800, 0, 2);
	assert_use(*state, "demo", start + 24 * 3600, start + 1800, 0, 0);
	use_counter_add(u, "demo", KID, start + 48 * 3600);
	flush(*state, u);
	assert_use(*state, "demo", start + 48 * 3600, start + 48 * 3600, 1, 1);
	use_counter_free(u);
}

static void add(struct use_counter *u, uint64_t at, int times)
{
	for (int i = 0; i < times; i++)
		use_counter_add(u, "demo", KID, at);
}

static void the_last_minute_is_this_one_and_a_share_of_the_one_before(void **state)
{
	struct use_counter *u = use_counter_new();
	uint64_t minute = NOW - NOW % 60;

	assert_int_equal(uses_1m(*state, minute), 0);
	add(u, minute - 60, 600);
	add(u, minute, 120);
	add(u, minute + 60, 7);
	flush(*state, u);
	assert_int_equal(uses_1m(*state, minute), 120 + 600);         /* all of the minute before is */
	assert_int_equal(uses_1m(*state, minute + 15), 120 + 450);
	assert_int_equal(uses_1m(*state, minute + 59), 120 + 10);
	assert_int_equal(uses_1m(*state, minute + 60), 7 + 120);      /* and nothing of what lies ahead */
	assert_int_equal(uses_1m(*state, minute + 90), 7 + 60);
	assert_int_equal(uses_1m(*state, minute + 120), 7);
	assert_int_equal(uses_1m(*state, minute + 150), 4);           /* 3.5: to the nearest */
	assert_int_equal(uses_1m(*state, minute + 180), 0);
	assert_int_equal(uses_1m(*state, minute + 3600 + 60), 0);     /* the same bucket, an hour later */
	use_counter_free(u);
}

static void the_first_minute_there_ever_was_has_none_before_it(void **state)
{
	struct use_counter *u = use_counter_new();

	add(u, 5, 3);
	flush(*state, u);
	assert_int_equal(uses_1m(*state, 0), 3);
	assert_int_equal(uses_1m(*state, 60), 3);
	use_counter_free(u);
}

static void every_minute_of_a_day_is_counted(void **state)
{
	struct use_counter *u = use_counter_new();
	uint64_t start = NOW - NOW % 3600;

	for (uint64_t m = 0; m < 24 * 60; m++) {
		use_counter_add(u, "demo", KID, start + m * 60);
		if (m % 7 == 0)
			flush(*state, u);
	}
	if (use_counter_pending(u))
		flush(*state, u);
	assert_use(*state, "demo", start + 24 * 3600 - 60, start + 24 * 3600 - 60, 60, 24 * 60);
	use_counter_free(u);
}

static void many_keys_are_counted_apart(void **state)
{
	struct use_counter *u = use_counter_new();
	char site[32];

	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 3000; i++) {
			snprintf(site, sizeof(site), "site-%d", i);
			use_counter_add(u, site, KID, NOW);
		}
	flush(*state, u);
	assert_use(*state, "site-0", NOW, NOW, 2, 2);
	assert_use(*state, "site-2999", NOW, NOW, 2, 2);
	use_counter_add(u, "site-7", KID, NOW);
	flush(*state, u);
	assert_use(*state, "site-7", NOW, NOW, 3, 3);
	use_counter_free(u);
}

/* The ledger is hostile: any bytes give an answer, and counting goes on. */
static void a_damaged_row_counts_from_nothing(void **state)
{
	static const char key[] = "demo\0" KID;
	struct span where = span_of(key, sizeof(key) - 1);
	struct use_counter *u = use_counter_new();
	char bytes[1 + 8 + 8 + 60 * 4 + 8 + 24 * 4];
	struct txn *t;

	memset(bytes, 0xff, sizeof(bytes));
	for (size_t size = 0; size <= sizeof(bytes); size++) {
		struct key_use use;

		bytes[0] = 1;
		t = txn_write(*state, ENV_LEDGER);
		txn_put(t, DB_KEY_USE, where, span_of(bytes, size));
		key_use_get(t, "demo", KID, NOW, &use);
		assert_true(use.last_used_at <= NOW);
		assert_int_equal(use.uses_1m, 0);
		assert_int_equal(use.uses_1h, 0);
		assert_int_equal(use.uses_24h, 0);
		if (size < sizeof(bytes))
			txn_abort(t);
		else
			assert_int_equal(txn_end(t), RC_OK);
	}
	use_counter_add(u, "demo", KID, NOW);
	flush(*state, u);
	assert_use(*state, "demo", NOW, NOW, 1, 1);
	use_counter_free(u);
}

/* A process that was held up writes what the others left behind: the day's count has it, the hour's no more. */
static void a_late_process_counts_where_there_is_still_room(void **state)
{
	struct use_counter *late = use_counter_new(), *early = use_counter_new();

	use_counter_add(late, "demo", KID, NOW - 2 * 3600);
	use_counter_add(early, "demo", KID, NOW);
	flush(*state, early);
	flush(*state, late);
	assert_use(*state, "demo", NOW, NOW, 1, 2);
	use_counter_free(late);
	use_counter_free(early);
}

/* format, last use, minutes' newest, hours' newest; every bucket is full */
static void put_full_row(struct store *st, uint64_t last, uint64_t minute, uint64_t hour)
{
	static const char key[] = "demo\0" KID;
	struct buf b = BUF_INIT;
	struct txn *t = txn_write(st, ENV_LEDGER);

	buf_put_u8(&b, 1);
	buf_put_u64(&b, last);
	buf_put_u64(&b, minute);
	for (int i = 0; i < 60; i++)
		buf_put_u32(&b, UINT32_MAX);
	buf_put_u64(&b, hour);
	for (int i = 0; i < 24; i++)
		buf_put_u32(&b, UINT32_MAX);
	txn_put(t, DB_KEY_USE, span_of(key, sizeof(key) - 1), buf_span(&b));
	assert_int_equal(txn_end(t), RC_OK);
	buf_done(&b);
}

static void a_full_bucket_stays_full(void **state)
{
	struct use_counter *u = use_counter_new();
	const uint64_t most = UINT32_MAX;

	put_full_row(*state, NOW, NOW / 60, NOW / 3600);
	add(u, NOW, 5);
	flush(*state, u);
	assert_use(*state, "demo", NOW, NOW, 60 * most, 24 * most);
	use_counter_free(u);
}

/* Each of a row's three times by itself: one far ahead would keep every later use out. */
static void a_row_written_under_a_wrong_clock_begins_anew(void **state)
{
	const uint64_t ahead = NOW + 2 * 86400;
	const struct { uint64_t last, minute, hour; } rows[] = {
		{ ahead, NOW / 60, NOW / 3600 }, { NOW, ahead / 60, NOW / 3600 }, { NOW, NOW / 60, ahead / 3600 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct use_counter *u = use_counter_new();

		put_full_row(*state, rows[i].last, rows[i].minute, rows[i].hour);
		use_counter_add(u, "demo", KID, NOW);
		flush(*state, u);
		assert_use(*state, "demo", NOW, NOW, 1, 1);
		use_counter_free(u);
	}
}

/* The ledger cannot be written for long: memory has an end, and what is known already still counts. */
static void the_table_has_an_end(void **state)
{
	const uint64_t minutes = 200000;
	struct use_counter *u = use_counter_new();
	struct txn *t;

	for (uint64_t m = 0; m < minutes; m++)
		use_counter_add(u, "demo", KID, NOW + m * 60);
	for (int i = 0; i < 3; i++)
		use_counter_add(u, "demo", KID, NOW);
	flush(*state, u);
	t = txn_read(*state, ENV_LEDGER);
	assert_int_equal(txn_count(t, DB_KEY_USE), 1);
	txn_abort(t);
	assert_false(use_counter_pending(u));
	use_counter_add(u, "demo", KID, NOW + minutes * 60);
	assert_true(use_counter_pending(u));
	use_counter_done(u, RC_OK);            /* nothing was taken */
	assert_true(use_counter_pending(u));
	use_counter_free(u);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(a_key_never_used_counts_nothing),
		WITH_STORE(uses_are_counted_by_key_and_site),
		WITH_STORE(several_processes_add_up),
		WITH_STORE(a_job_run_twice_counts_once),
		WITH_STORE(a_failed_commit_loses_nothing),
		WITH_STORE(uses_leave_the_windows_as_time_passes),
		WITH_STORE(the_last_minute_is_this_one_and_a_share_of_the_one_before),
		WITH_STORE(the_first_minute_there_ever_was_has_none_before_it),
		WITH_STORE(every_minute_of_a_day_is_counted),
		WITH_STORE(many_keys_are_counted_apart),
		WITH_STORE(a_damaged_row_counts_from_nothing),
		WITH_STORE(a_late_process_counts_where_there_is_still_room),
		WITH_STORE(a_full_bucket_stays_full),
		WITH_STORE(a_row_written_under_a_wrong_clock_begins_anew),
		WITH_STORE(the_table_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
