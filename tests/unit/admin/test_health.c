/* test_health.c -- the health snapshot: its counts, also over a log that lies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/lib/tmpadmin.h"
#include "tests/lib/tmplog.h"
#include "base/clock.h"
#include "base/version.h"

#include <stdio.h>

#define HOUR 3600

/* A log without the records of making acme. */
static int setup(void **st)
{
	struct tmpadmin *t;
	struct txn *ledger;

	secret_process_init();
	*st = t = tmpadmin_new();
	if (!t)
		return -1;
	ledger = txn_write(admin_store(t->a), ENV_LEDGER);
	if (tmplog_clear(ledger) != RC_OK)
		return -1;
	return txn_end(ledger) == RC_OK ? 0 : -1;
}

static int teardown(void **st)
{
	tmpadmin_free(*st);
	return 0;
}

static void put_row(struct tmpadmin *t, enum db db, struct span key, struct span row)
{
	struct txn *txn = txn_write(admin_store(t->a), db == DB_CHECKPOINTS ? ENV_VAULT : ENV_LEDGER);

	txn_put(txn, db, key, row);
	assert_int_equal(txn_end(txn), RC_OK);
}

static void put_line(struct tmpadmin *t, uint64_t seq, const char *line)
{
	uint8_t key[8];

	be64_put(key, seq);
	put_row(t, DB_RECORDS, span_of(key, sizeof(key)), span_str(line));
}

/* count records from seq on, all of one time. */
static void put_records(struct tmpadmin *t, uint64_t seq, uint64_t count, uint64_t ago_s)
{
	struct txn *ledger = txn_write(admin_store(t->a), ENV_LEDGER);
	char line[64];
	uint8_t key[8];

	snprintf(line, sizeof(line), "{\"time\":%llu}", (unsigned long long)(clock_us() - ago_s * 1000000));
	for (uint64_t i = seq; i < seq + count; i++) {
		be64_put(key, i);
		txn_put(ledger, DB_RECORDS, span_of(key, sizeof(key)), span_str(line));
	}
	assert_int_equal(txn_end(ledger), RC_OK);
}

static struct health health_of(struct tmpadmin *t)
{
	struct health h;

	assert_int_equal(admin_health(t->a, &h, &t->why), RC_OK);
	assert_true(json_is_array(h.warnings));
	return h;
}

static void assert_records(struct tmpadmin *t, uint64_t all, uint64_t in_1h, uint64_t in_24h)
{
	struct health h = health_of(t);

	assert_int_equal(h.records, all);
	assert_int_equal(h.records_1h, in_1h);
	assert_int_equal(h.records_24h, in_24h);
	health_done(&h);
}

static void a_fresh_installation_is_empty_and_has_no_worker(void **st)
{
	struct health h = health_of(*st);

	assert_in_range(h.now_s, clock_s() - 60, clock_s());
	assert_string_equal(h.version, POSTERN_VERSION);
	assert_int_equal(h.vault_schema, VAULT_SCHEMA);
	assert_int_equal(h.ledger_schema, LEDGER_SCHEMA);
	assert_int_equal(h.workers, 0);
	assert_int_equal(h.records + h.records_1h + h.records_24h, 0);
	assert_true(h.space.used > 0 && h.space.used < h.space.limit && h.vault_bytes > 0);
	assert_true(h.seconds_left == UINT64_MAX);
	assert_true(h.vault_readers.max > 0 && h.ledger_readers.max > 0);
	assert_false(h.has_checkpoint);
	assert_int_equal(json_array_size(h.warnings), 1);
	assert_non_null(strstr(json_string_value(json_array_get(h.warnings, 0)), "No worker"));
	health_done(&h);
	assert_null(h.warnings);
	health_done(&h);
}

static void workers_are_those_of_the_table(void **st)
{
	struct tmpadmin *t = *st;
	uint8_t key[24] = { 1 };
	struct buf row = BUF_INIT;
	struct health h;

	be64_put(key + 16, 4711);
	buf_put_u64(&row, clock_s());
	buf_put_u64(&row, 1763690000);
	buf_put_u64(&row, 4711);
	buf_put_u32(&row, 3);
	buf_put_bytes(&row, span_str("1.2"));
	put_row(t, DB_WORKERS, span_of(key, sizeof(key)), buf_span(&row));
	put_row(t, DB_WORKERS, span_str("no worker"), span_str("garbage"));
	h = health_of(t);
	assert_int_equal(h.workers, 1);
	assert_int_equal(h.worker[0].pid, 4711);
	assert_string_equal(h.worker[0].version, "1.2");
	health_done(&h);
	buf_done(&row);
}

static void records_are_counted_by_their_times(void **st)
{
	struct tmpadmin *t = *st;

	put_records(t, 0, 70, 48 * HOUR);
	assert_records(t, 70, 0, 0);
	put_records(t, 70, 33, 5 * HOUR);
	assert_records(t, 103, 0, 33);
	put_records(t, 103, 20, 60);
	assert_records(t, 123, 20, 53);
	put_records(t, 123, 1, 0);
	assert_records(t, 124, 21, 54);
}

static void a_log_that_begins_late_counts_what_is_there(void **st)
{
	struct tmpadmin *t = *st;

	put_records(t, 1000, 10, 48 * HOUR);
	put_records(t, 1010, 5, 60);
	assert_records(t, 15, 5, 5);
}

/* A line that is no record, or of a time that cannot be, moves the counts a little and breaks nothing. */
static void false_records_lead_no_search_astray(void **st)
{
	static const char *const lines[] = { "", "{", "[]", "{\"time\":-5}", "{\"time\":\"now\"}", "{\"time\":1e300}",
	                                     "\xff" };
	struct tmpadmin *t = *st;
	struct health h;

	put_records(t, 0, 100, 48 * HOUR);
	put_records(t, 100, 100, 60);
	for (uint64_t seq = 3; seq < 200; seq += 10)
		put_line(t, seq, lines[seq / 10 % ARRAY_LEN(lines)]);
	h = health_of(t);
	assert_int_equal(h.records, 200);
	assert_in_range(h.records_1h, 99, 101);
	assert_int_equal(h.records_1h, h.records_24h);
	health_done(&h);
	for (uint64_t seq = 0; seq < 200; seq++)
		put_line(t, seq, lines[seq % ARRAY_LEN(lines)]);
	assert_records(t, 200, 0, 0);
	for (uint64_t seq = 0; seq < 200; seq++)
		put_line(t, seq, "{\"time\":9223372036854775807}");
	assert_records(t, 200, 200, 200);
}

static void a_line_too_long_for_a_record_is_none(void **st)
{
	static char line[AUDIT_LINE_MAX + 2];
	struct tmpadmin *t = *st;

	memset(line, ' ', sizeof(line) - 1);
	snprintf(line, 64, "{\"time\":%llu}", (unsigned long long)clock_us());
	line[strlen(line)] = ' ';
	assert_int_equal(strlen(line), AUDIT_LINE_MAX + 1);
	put_line(t, 0, line);
	assert_records(t, 1, 0, 0);
	line[AUDIT_LINE_MAX] = '\0';
	put_line(t, 0, line);
	assert_records(t, 1, 1, 1);
}

static void no_more_are_counted_than_there_are(void **st)
{
	struct tmpadmin *t = *st;

	put_records(t, 5, 3, 60);
	put_records(t, UINT64_C(1) << 62, 1, 60);
	assert_records(t, 4, 4, 4);
}

static void a_log_that_cannot_go_on_is_the_gravest_warning(void **st)
{
	static const uint8_t longer[9] = { 0xff }, last[8] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct tmpadmin *t = *st;

	put_records(t, 0, 9, 60);
	for (int i = 0; i < 2; i++) {
		struct span key = i == 0 ? span_of(last, sizeof(last)) : span_of(longer, sizeof(longer));
		struct health h;

		put_row(t, DB_RECORDS, key, span_str("{}"));
		h = health_of(t);
		assert_int_equal(h.records, 10 + i);
		assert_non_null(strstr(json_string_value(json_array_get(h.warnings, 0)), "no record"));
		health_done(&h);
	}
}

/* Rows under another key before the log do not make it begin beyond its end. */
static void a_log_that_begins_in_no_record_is_searched_all_the_same(void **st)
{
	static const uint8_t shorter[3] = { 0 };
	struct tmpadmin *t = *st;

	put_row(t, DB_RECORDS, span_of(shorter, sizeof(shorter)), span_str("{}"));
	put_records(t, 0, 40, 48 * HOUR);
	put_records(t, 40, 7, 60);
	assert_records(t, 48, 7, 7);
}

static void put_checkpoint(struct tmpadmin *t, uint64_t incarnation, uint64_t size, uint64_t at_s)
{
	struct buf row = BUF_INIT;
	uint8_t key[16];

	be64_put(key, incarnation);
	be64_put(key + 8, size);
	buf_put_u64(&row, at_s);
	buf_put_bytes(&row, span_str("note"));
	put_row(t, DB_CHECKPOINTS, span_of(key, sizeof(key)), buf_span(&row));
	buf_done(&row);
}

static void the_last_checkpoint_is_the_one_of_most_records(void **st)
{
	struct tmpadmin *t = *st;
	struct health h;

	put_checkpoint(t, 0, 300, 1000);
	put_checkpoint(t, 0, 20, 2000);
	h = health_of(t);
	assert_true(h.has_checkpoint);
	assert_int_equal(h.checkpoint_size, 300);
	assert_int_equal(h.checkpoint_at_s, 1000);
	health_done(&h);
	put_checkpoint(t, 1, 40, 3000);        /* the log began anew */
	h = health_of(t);
	assert_int_equal(h.checkpoint_size, 40);
	assert_int_equal(h.checkpoint_at_s, 3000);
	health_done(&h);
}

static void the_time_left_follows_from_the_rate(void **st)
{
	struct tmpadmin *t = *st;
	struct health few, many;
	uint64_t daily;

	put_records(t, 0, 4000, 48 * HOUR);
	put_records(t, 4000, 40, 60);
	few = health_of(t);
	put_records(t, 4040, 4000, 60);
	many = health_of(t);
	assert_true(few.seconds_left < UINT64_MAX);
	/* a hundred times the records at half of what one cost on average... */
	assert_in_range(few.seconds_left / many.seconds_left, 50, 250);
	/* ...and by itself: what is left of 97 %, at what 40 records a day cost */
	daily = few.space.used / few.records * 40;
	assert_in_range(few.seconds_left, (few.space.limit - few.space.used) / daily * 86400 / 2,
	                (few.space.limit - few.space.used) / daily * 86400 * 2);
	health_done(&few);
	health_done(&many);
}

/* ---- keys ---- */

static void use(struct tmpadmin *t, const char *kid)
{
	struct use_counter *u = use_counter_new();
	struct txn *ledger = txn_write(admin_store(t->a), ENV_LEDGER);

	assert_non_null(u);
	use_counter_add(u, "acme", kid, clock_s());
	assert_true(use_counter_take(u));
	assert_int_equal(use_counter_run(ledger, u), RC_OK);
	assert_int_equal(txn_end(ledger), RC_OK);
	use_counter_done(u, RC_OK);
	use_counter_free(u);
}

static bool warns_of(struct tmpadmin *t, const char *text)
{
	struct health h = health_of(t);
	bool found = false;

	for (size_t i = 0; i < json_array_size(h.warnings); i++)
		found |= strstr(json_string_value(json_array_get(h.warnings, i)), text) != NULL;
	health_done(&h);
	return found;
}

static void a_key_that_ends_soon_and_is_in_use_is_named(void **st)
{
	struct tmpadmin *t = *st;
	struct key_ref ref = { .site = "acme" };
	struct key k = { 0 }, other = { 0 };

	assert_int_equal(admin_key_create(t->a, "acme", NULL, &other, &t->reason, &t->why), RC_OK);
	assert_int_equal(admin_key_create(t->a, "acme", NULL, &k, &t->reason, &t->why), RC_OK);
	ref.kid = k.kid;
	use(t, k.kid);
	assert_false(warns_of(t, k.kid));
	assert_int_equal(admin_key_retire(t->a, &ref, clock_s() + 72 * HOUR, false, &t->reason, &t->why), RC_OK);
	assert_false(warns_of(t, k.kid));
	assert_int_equal(admin_key_retire(t->a, &ref, clock_s() + HOUR, false, &t->reason, &t->why), RC_OK);
	assert_true(warns_of(t, k.kid));
	ref.kid = other.kid;           /* ends soon, and was never used */
	assert_int_equal(admin_key_retire(t->a, &ref, clock_s() + HOUR, true, &t->reason, &t->why), RC_OK);
	assert_false(warns_of(t, other.kid));
	key_done(&k);
	key_done(&other);
}

#define WITH_ADMIN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ADMIN(a_fresh_installation_is_empty_and_has_no_worker),
		WITH_ADMIN(workers_are_those_of_the_table),
		WITH_ADMIN(records_are_counted_by_their_times),
		WITH_ADMIN(a_log_that_begins_late_counts_what_is_there),
		WITH_ADMIN(false_records_lead_no_search_astray),
		WITH_ADMIN(a_line_too_long_for_a_record_is_none),
		WITH_ADMIN(no_more_are_counted_than_there_are),
		WITH_ADMIN(a_log_that_cannot_go_on_is_the_gravest_warning),
		WITH_ADMIN(a_log_that_begins_in_no_record_is_searched_all_the_same),
		WITH_ADMIN(the_last_checkpoint_is_the_one_of_most_records),
		WITH_ADMIN(the_time_left_follows_from_the_rate),
		WITH_ADMIN(a_key_that_ends_soon_and_is_in_use_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
