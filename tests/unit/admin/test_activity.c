/* test_activity.c -- what the end of the log says of sites: read in slices, and not led astray by false records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/lib/tmpadmin.h"
#include "tests/lib/tmplog.h"
#include "base/clock.h"

#include <stdio.h>

#define SECOND UINT64_C(1000000)

struct fixture {
	struct tmpadmin *t;
	struct activity *x;
	uint64_t now;                  /* microseconds; every record of a test is older */
};

static void add(struct tmpadmin *t, const char *id)
{
	struct txn *vault = txn_write(admin_store(t->a), ENV_VAULT);
	struct site s;

	site_init(&s);
	snprintf(s.id, sizeof(s.id), "%s", id);
	assert_int_equal(site_add(vault, &s), RC_OK);
	assert_int_equal(txn_end(vault), RC_OK);
	site_done(&s);
}

/* The records of making acme go. */
static void empty_log(struct tmpadmin *t)
{
	struct txn *ledger = txn_write(admin_store(t->a), ENV_LEDGER);

	assert_int_equal(tmplog_clear(ledger), RC_OK);
	assert_int_equal(txn_end(ledger), RC_OK);
}

static int setup(void **st)
{
	static struct fixture f;

	secret_process_init();
	f = (struct fixture){ .t = tmpadmin_new(), .x = activity_new(), .now = clock_us() };
	if (!f.t || !f.x)
		return -1;
	empty_log(f.t);
	add(f.t, "b");
	add(f.t, "c");
	*st = &f;
	return 0;
}

static int teardown(void **st)
{
	struct fixture *f = *st;

	activity_free(f->x);
	activity_free(NULL);
	tmpadmin_free(f->t);
	return 0;
}

static void put(struct fixture *f, const char *site, enum audit_outcome outcome, uint64_t ago_s, uint64_t count)
{
	struct txn *ledger = txn_write(admin_store(f->t->a), ENV_LEDGER);
	struct audit_record r;

	audit_record_init(&r, AUDIT_EVENT_ACTION, outcome);
	snprintf(r.site, sizeof(r.site), "%s", site);
	r.time = f->now - ago_s * SECOND;
	r.count = count;
	assert_int_equal(audit_append(ledger, &r, NULL), RC_OK);
	assert_int_equal(txn_end(ledger), RC_OK);
}

/* Bytes as they are, under a key as it is. */
static void put_raw(struct fixture *f, struct span key, const char *line)
{
	struct txn *ledger = txn_write(admin_store(f->t->a), ENV_LEDGER);

	txn_put(ledger, DB_RECORDS, key, span_str(line));
	assert_int_equal(txn_end(ledger), RC_OK);
}

/* ...as the next record. */
static void put_line(struct fixture *f, const char *line)
{
	struct txn *ledger = txn_write(admin_store(f->t->a), ENV_LEDGER);

	assert_int_equal(tmplog_add(ledger, span_str(line), NULL), RC_OK);
	assert_int_equal(txn_end(ledger), RC_OK);
}

/* Of a blocked token, with a count as it is. */
static const char *blocked_line(char out[200], const char *site, uint64_t at_us, const char *count)
{
	snprintf(out, 200, "{\"count\":%s,\"outcome\":\"blocked\",\"site\":\"%s\",\"time\":%llu}", count, site,
	         (unsigned long long)at_us);
	return out;
}

static bool read_some(struct fixture *f, size_t max_rows)
{
	bool more = false;

	assert_int_equal(activity_read(f->x, f->t->a, max_rows, &more, &f->t->why), RC_OK);
	return more;
}

static void read_all(struct fixture *f)
{
	while (read_some(f, 1000))
		;
}

/* ago_s of its last record; UINT64_MAX: nothing is known of it. */
static void assert_activity(struct fixture *f, const char *site, uint64_t ago_s, uint64_t blocked)
{
	struct site_activity got = { 9, 9 };

	activity_get(f->x, site, f->now, &got);
	assert_int_equal(got.last_at_us, ago_s == UINT64_MAX ? 0 : f->now - ago_s * SECOND);
	assert_int_equal(got.blocked_1m, blocked);
}

static void the_last_record_and_the_last_minute_are_told(void **st)
{
	struct fixture *f = *st;

	put(f, "acme", AUDIT_OUTCOME_BLOCKED, 100, 0);
	put(f, "acme", AUDIT_OUTCOME_BLOCKED, 61, 0);
	put(f, "acme", AUDIT_OUTCOME_BLOCKED, 50, 0);
	put(f, "b", AUDIT_OUTCOME_DONE, 40, 0);
	put(f, "acme", AUDIT_OUTCOME_BLOCKED, 5, 0);
	put(f, "acme", AUDIT_OUTCOME_REFUSED, 4, 0);
	read_all(f);
	assert_activity(f, "acme", 4, 2);
	assert_activity(f, "b", 40, 0);
	assert_activity(f, "c", UINT64_MAX, 0);
	f->now += 30 * SECOND;
	assert_activity(f, "acme", 34, 1);
	f->now += 3600 * SECOND;
	assert_activity(f, "acme", 3634, 0);
}

static void a_folded_record_counts_whole(void **st)
{
	struct fixture *f = *st;
	char line[200];

	put(f, "acme", AUDIT_OUTCOME_BLOCKED, 3, 250);
	put(f, "acme", AUDIT_OUTCOME_DONE, 3, 99);
	put(f, "acme", AUDIT_OUTCOME_BLOCKED, 2, 0);
	read_all(f);
	assert_activity(f, "acme", 2, 251);
	/* the most that one record may add is bounded, and so is a second's sum */
	for (int i = 0; i < 3; i++)
		put_line(f, blocked_line(line, "b", f->now - SECOND, "9223372036854775807"));
	read_all(f);
	assert_activity(f, "b", 1, UINT32_MAX);
}

/* Records of concurrent workers are not quite in order, and reading back meets them the other way round. */
static void the_order_of_records_does_not_matter(void **st)
{
	struct fixture *f = *st;

	put(f, "acme", AUDIT_OUTCOME_BLOCKED, 10, 0);
	put(f, "acme", AUDIT_OUTCOME_BLOCKED, 59, 0);
	put(f, "acme", AUDIT_OUTCOME_BLOCKED, 3, 0);
	read_all(f);
	put(f, "acme", AUDIT_OUTCOME_BLOCKED, 40, 0);
	put(f, "acme", AUDIT_OUTCOME_BLOCKED, 1, 0);
	put(f, "acme", AUDIT_OUTCOME_BLOCKED, 2, 0);
	read_all(f);
	assert_activity(f, "acme", 1, 6);
}

static void no_call_reads_more_than_it_may_and_what_is_new_comes_first(void **st)
{
	struct fixture *f = *st;

	put(f, "acme", AUDIT_OUTCOME_DONE, 9, 0);
	put(f, "b", AUDIT_OUTCOME_DONE, 8, 0);
	put(f, "c", AUDIT_OUTCOME_DONE, 7, 0);
	assert_true(read_some(f, 1));
	assert_activity(f, "c", 7, 0);
	assert_activity(f, "b", UINT64_MAX, 0);
	put(f, "c", AUDIT_OUTCOME_DONE, 6, 0);
	put(f, "c", AUDIT_OUTCOME_DONE, 5, 0);
	assert_true(read_some(f, 1));
	assert_activity(f, "c", 6, 0);
	assert_true(read_some(f, 2));          /* one ahead, and one back */
	assert_activity(f, "c", 5, 0);
	assert_activity(f, "b", 8, 0);
	assert_activity(f, "acme", UINT64_MAX, 0);
	assert_true(read_some(f, 0));
	assert_activity(f, "acme", UINT64_MAX, 0);
	assert_false(read_some(f, 5));
	assert_activity(f, "acme", 9, 0);
	assert_false(read_some(f, 5));
}

static void nothing_is_counted_twice(void **st)
{
	struct fixture *f = *st;

	for (int i = 0; i < 7; i++)
		put(f, "acme", AUDIT_OUTCOME_BLOCKED, 3, 0);
	while (read_some(f, 2))
		;
	for (int i = 0; i < 5; i++) {
		put(f, "acme", AUDIT_OUTCOME_BLOCKED, 3, 0);
		read_some(f, 3);
	}
	read_all(f);
	assert_activity(f, "acme", 3, 12);
}

static void an_empty_log_is_followed_from_its_first_record(void **st)
{
	struct fixture *f = *st;

	assert_false(read_some(f, 10));
	put(f, "acme", AUDIT_OUTCOME_BLOCKED, 2, 0);
	put(f, "b", AUDIT_OUTCOME_BLOCKED, 1, 0);
	read_all(f);
	assert_activity(f, "acme", 2, 1);
	assert_activity(f, "b", 1, 1);
}

static void only_the_end_of_a_long_log_is_read(void **st)
{
	struct fixture *f = *st;
	struct txn *ledger;
	uint8_t key[8];

	put(f, "acme", AUDIT_OUTCOME_DONE, 9, 0);
	put(f, "b", AUDIT_OUTCOME_DONE, 8, 0);
	ledger = txn_write(admin_store(f->t->a), ENV_LEDGER);
	for (uint64_t i = 0; i < ACTIVITY_ROWS - 1; i++) {
		be64_put(key, 2 + i);
		txn_append(ledger, DB_RECORDS, span_of(key, sizeof(key)), span_str("{}"));
	}
	assert_int_equal(txn_end(ledger), RC_OK);
	read_all(f);
	assert_activity(f, "b", 8, 0);
	assert_activity(f, "acme", UINT64_MAX, 0);
}

/* As after a long stop of the reader, or where a row's number is a lie. */
static void a_gap_too_long_to_read_is_left_out(void **st)
{
	struct fixture *f = *st;
	uint8_t key[8];
	char line[200];

	put(f, "acme", AUDIT_OUTCOME_BLOCKED, 9, 0);
	read_all(f);
	be64_put(key, UINT64_C(1) << 60);
	put_raw(f, span_of(key, sizeof(key)), blocked_line(line, "acme", f->now - SECOND, "1"));
	read_all(f);
	be64_put(key, (UINT64_C(1) << 60) + 1);
	put_raw(f, span_of(key, sizeof(key)), blocked_line(line, "acme", f->now, "1"));
	read_all(f);
	assert_activity(f, "acme", 0, 3);
}

static void records_that_lie_are_passed_over(void **st)
{
	static const char *const lines[] = {
		"", "{", "[]", "7", "\"text\"", "null", "{}", "\xff\xfe", "{\"site\":\"acme\"}",
		"{\"site\":\"acme\",\"time\":0}",
		"{\"outcome\":\"blocked\",\"site\":\"acme\",\"time\":-1}",
		"{\"outcome\":\"blocked\",\"site\":\"acme\",\"time\":1.5e15}",
		"{\"outcome\":\"blocked\",\"site\":\"acme\",\"time\":9223372036854775807}",
		"{\"outcome\":\"blocked\",\"site\":\"acme\",\"time\":\"1763690000123456\"}",
		"{\"outcome\":\"blocked\",\"site\":\"Acme\",\"time\":1763690000123456}",
		"{\"outcome\":\"blocked\",\"site\":\"ac\\u0000me\",\"time\":1763690000123456}",
		"{\"outcome\":\"blocked\",\"site\":\"../acme\",\"time\":1763690000123456}",
		"{\"outcome\":\"blocked\",\"site\":[\"acme\"],\"time\":1763690000123456}",
		"{\"outcome\":\"blocked\",\"site\":\"\",\"time\":1763690000123456}",
		"{\"outcome\":\"blocked\",\"site\":\"unheard-of\",\"time\":1763690000123456}",
		"{\"site\":\"a123456789a123456789a123456789a123456789a123456789a123456789abcd\",\"time\":1}",
	};
	static const char *const counts[] = { "-5", "\"many\"", "1.5" };
	struct fixture *f = *st;
	struct site_activity got;
	char line[200];

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		put_line(f, lines[i]);
	put_line(f, blocked_line(line, "acme", f->now + 3600 * SECOND, "1"));
	put(f, "b", AUDIT_OUTCOME_BLOCKED, 2, 0);
	while (read_some(f, 3))
		;
	assert_activity(f, "acme", UINT64_MAX, 0);
	assert_activity(f, "b", 2, 1);
	activity_get(f->x, "unheard-of", f->now, &got);
	assert_int_equal(got.last_at_us, 0);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		put_line(f, blocked_line(line, "c", f->now - SECOND, counts[i]));
	read_all(f);
	assert_activity(f, "c", 1, 3);
}

/* Reading back ends there; what is before it in the log is not to be had, what comes after it is. */
static void a_row_that_is_no_record_ends_the_way_back(void **st)
{
	struct fixture *f = *st;
	uint8_t key[9] = { 0 };

	put(f, "acme", AUDIT_OUTCOME_DONE, 9, 0);
	put_line(f, "{}");
	put_raw(f, span_of(key, sizeof(key)), "{}");      /* sorts behind record 0 */
	put(f, "b", AUDIT_OUTCOME_DONE, 3, 0);
	read_all(f);
	put(f, "c", AUDIT_OUTCOME_DONE, 2, 0);
	read_all(f);
	assert_activity(f, "acme", UINT64_MAX, 0);
	assert_activity(f, "b", 3, 0);
	assert_activity(f, "c", 2, 0);
}

static void a_log_that_ends_in_no_record_is_an_error(void **st)
{
	static const uint8_t key[9] = { 0xff };
	struct fixture *f = *st;
	bool more = false;

	put(f, "acme", AUDIT_OUTCOME_DONE, 9, 0);
	put_raw(f, span_of(key, sizeof(key)), "{}");
	assert_int_equal(activity_read(f->x, f->t->a, 10, &more, &f->t->why), RC_CORRUPT);
	assert_true(strlen(f->t->why.text) > 0);
	assert_activity(f, "acme", UINT64_MAX, 0);
}

static void a_site_that_was_removed_is_not_followed(void **st)
{
	struct fixture *f = *st;
	struct txn *vault = txn_write(admin_store(f->t->a), ENV_VAULT);

	put(f, "b", AUDIT_OUTCOME_BLOCKED, 2, 0);
	assert_int_equal(site_remove(vault, "b", clock_s()), RC_OK);
	assert_int_equal(txn_end(vault), RC_OK);
	read_all(f);
	assert_activity(f, "b", UINT64_MAX, 0);
}

static void the_last_event_is_a_record_or_a_token_that_verified(void **st)
{
	struct site_row row = { .last_verified_at = 7 };

	(void)st;
	assert_int_equal(site_last_event(&row, &(struct site_activity){ 0 }), 7);
	assert_int_equal(site_last_event(&row, &(struct site_activity){ .last_at_us = 9 * SECOND + 1 }), 9);
	row.last_verified_at = 0;
	assert_int_equal(site_last_event(&row, &(struct site_activity){ 0 }), 0);
}

#define WITH_LOG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_LOG(the_last_record_and_the_last_minute_are_told),
		WITH_LOG(a_folded_record_counts_whole),
		WITH_LOG(the_order_of_records_does_not_matter),
		WITH_LOG(no_call_reads_more_than_it_may_and_what_is_new_comes_first),
		WITH_LOG(nothing_is_counted_twice),
		WITH_LOG(an_empty_log_is_followed_from_its_first_record),
		WITH_LOG(only_the_end_of_a_long_log_is_read),
		WITH_LOG(a_gap_too_long_to_read_is_left_out),
		WITH_LOG(records_that_lie_are_passed_over),
		WITH_LOG(a_row_that_is_no_record_ends_the_way_back),
		WITH_LOG(a_log_that_ends_in_no_record_is_an_error),
		WITH_LOG(a_site_that_was_removed_is_not_followed),
		cmocka_unit_test(the_last_event_is_a_record_or_a_token_that_verified),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
