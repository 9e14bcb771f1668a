/* Appending to the log and reading it back, in a real ledger. */
#include "audit/audit.h"
#include "tests/lib/tmpstore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

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

static struct audit_record record_of(const char *site, const char *action, enum reason reason, uint64_t time)
{
	struct audit_record r;

	audit_record_init(&r, AUDIT_EVENT_ACTION, reason == REASON_NONE ? AUDIT_OUTCOME_DONE : AUDIT_OUTCOME_REFUSED);
	snprintf(r.site, sizeof(r.site), "%s", site);
	snprintf(r.action, sizeof(r.action), "%s", action);
	snprintf(r.subject, sizeof(r.subject), "h1:%032u", reason == REASON_NONE ? 1 : 2);
	r.reason = reason;
	r.time = time;
	return r;
}

static void append(struct store *st, const struct audit_record *r, uint64_t expected_seq)
{
	struct txn *t = txn_write(st, ENV_LEDGER);
	uint64_t seq = UINT64_MAX;

	assert_int_equal(audit_append(t, r, &seq), RC_OK);
	assert_int_equal(txn_end(t), RC_OK);
	assert_int_equal(seq, expected_seq);
}

static void put_row(struct store *st, enum db db, struct span key, const char *row, size_t size)
{
	struct txn *t = txn_write(st, ENV_LEDGER);

	txn_put(t, db, key, span_of(row, size));
	assert_int_equal(txn_end(t), RC_OK);
}

static void put_line(struct store *st, uint64_t seq, const char *line)
{
	uint8_t key[8];

	be64_put(key, seq);
	put_row(st, DB_RECORDS, span_of(key, sizeof(key)), line, strlen(line));
}

static uint64_t size_of_log(struct store *st)
{
	struct txn *t = txn_read(st, ENV_LEDGER);
	uint64_t size = audit_size(t);

	assert_int_equal(txn_rc(t), RC_OK);
	txn_abort(t);
	return size;
}

/* Six records: demo 0 2 4, shop 1 3 5; refused 3 4; times 1000, 1001, ... */
static void fill(struct store *st)
{
	for (uint64_t i = 0; i < 6; i++) {
		struct audit_record r = record_of(i % 2 ? "shop" : "demo", i < 2 ? "list_orders" : "track_order",
						  i == 3 || i == 4 ? REASON_PLAN_REQUIRED : REASON_NONE, 1000 + i);

		append(st, &r, i);
	}
}

struct seen { uint64_t seq[16]; size_t count, without_record, stop_at; };

static bool see(uint64_t seq, struct span line, const json_t *record, void *arg)
{
	struct seen *s = arg;

	assert_true(line.size > 0);
	assert_true(s->count < ARRAY_LEN(s->seq));
	s->seq[s->count++] = seq;
	s->without_record += record == NULL;
	if (record)
		assert_int_equal(json_integer_value(json_object_get(record, "seq")), (json_int_t)seq);
	return s->count != s->stop_at;
}

static enum rc scan(struct store *st, const struct audit_filter *f, uint64_t *from, size_t max_rows, struct seen *s,
                    bool *ret_end)
{
	struct txn *t = txn_read(st, ENV_LEDGER);
	enum rc rc = audit_scan(t, f, *from, max_rows, see, s, from, ret_end);

	txn_abort(t);
	return rc;
}

/* The whole log under f is exactly these; slices of three rows find the same as one. */
static void assert_found(struct store *st, const struct audit_filter *f, const char *expected)
{
	for (size_t rows = 1000; rows > 0; rows = rows == 1000 ? 3 : 0) {
		struct seen s = { .count = 0 };
		uint64_t from = 0;
		char found[64] = "";
		bool end = false;

		for (int slices = 0; !end; slices++) {
			assert_in_range(slices, 0, 8);
			assert_int_equal(scan(st, f, &from, rows, &s, &end), RC_OK);
		}
		for (size_t i = 0; i < s.count; i++)
			snprintf(found + 2 * i, sizeof(found) - 2 * i, "%u ", (unsigned)s.seq[i]);
		assert_string_equal(found, expected);
	}
}

static void seq_counts_from_0_without_a_gap(void **state)
{
	struct store *st = *state;

	assert_int_equal(size_of_log(st), 0);
	fill(st);
	assert_int_equal(size_of_log(st), 6);
}

static void the_stored_line_is_the_formatted_one(void **state)
{
	struct audit_record r = record_of("demo", "track_order", REASON_NONE, 1000);
	struct buf line = BUF_INIT;
	uint8_t key[8] = { 0 };
	struct span row;
	struct txn *t;

	append(*state, &r, 0);
	assert_int_equal(audit_format(&line, &r, 0), RC_OK);
	t = txn_read(*state, ENV_LEDGER);
	assert_true(txn_get(t, DB_RECORDS, span_of(key, sizeof(key)), &row));
	assert_true(span_equal(row, buf_span(&line)));
	txn_abort(t);
	buf_done(&line);
}

static void several_records_of_one_transaction_follow_each_other(void **state)
{
	struct audit_record r = record_of("demo", "track_order", REASON_NONE, 1000);
	struct txn *t = txn_write(*state, ENV_LEDGER);
	uint64_t seq = 0;

	assert_int_equal(audit_append(t, &r, NULL), RC_OK);
	assert_int_equal(audit_append(t, &r, &seq), RC_OK);
	assert_int_equal(seq, 1);
	assert_int_equal(txn_end(t), RC_OK);
	assert_int_equal(size_of_log(*state), 2);
}

static void a_record_that_cannot_be_a_line_takes_no_seq(void **state)
{
	struct audit_record r = record_of("demo", "track_order", REASON_NONE, 1000);
	struct txn *t = txn_write(*state, ENV_LEDGER);
	uint64_t seq = 99;

	r.id[0] = '\0';
	assert_int_equal(audit_append(t, &r, &seq), RC_INVALID);
	assert_int_equal(seq, 99);
	assert_int_equal(audit_size(t), 0);
	assert_int_equal(txn_end(t), RC_OK);
}

static void a_pruned_log_keeps_counting(void **state)
{
	struct audit_record r = record_of("demo", "track_order", REASON_NONE, 1000);
	struct txn *t = txn_write(*state, ENV_LEDGER);
	uint64_t next = 0;

	for (size_t i = 0; i < AUDIT_BUNDLE; i++)
		assert_int_equal(audit_append(t, &r, NULL), RC_OK);
	assert_int_equal(audit_prune(t, 0, AUDIT_BUNDLE, AUDIT_BUNDLE, &next), RC_OK);
	assert_int_equal(txn_count(t, DB_RECORDS), 0);
	assert_int_equal(txn_end(t), RC_OK);
	assert_int_equal(size_of_log(*state), AUDIT_BUNDLE);
	append(*state, &r, AUDIT_BUNDLE);
	append(*state, &r, AUDIT_BUNDLE + 1);
}

/* Neither a size nor a seq is ever made of it. */
static void assert_stops_the_log(struct store *st)
{
	struct audit_record r = record_of("demo", "track_order", REASON_NONE, 1000);
	struct txn *t = txn_write(st, ENV_LEDGER);
	uint64_t seq = 99;

	assert_int_equal(audit_append(t, &r, &seq), RC_CORRUPT);
	assert_int_equal(seq, 99);
	txn_abort(t);
	t = txn_read(st, ENV_LEDGER);
	assert_int_equal(audit_size(t), 0);
	assert_int_equal(txn_rc(t), RC_CORRUPT);
	txn_abort(t);
}

static void a_key_of_another_length_stops_the_log(void **state)
{
	struct audit_filter all = { .site = NULL };
	struct seen s = { .count = 0 };
	uint64_t from = 0;
	bool end;

	put_row(*state, DB_RECORDS, span_of("\xff\xff\xff", 3), "{}", 2);
	assert_stops_the_log(*state);
	assert_int_equal(scan(*state, &all, &from, 10, &s, &end), RC_CORRUPT);
	assert_int_equal(s.count, 0);
}

/* After it no seq could follow: the log must not begin again at 0. */
static void a_last_seq_beyond_all_stops_the_log(void **state)
{
	static const uint64_t beyond[] = { INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX - 1, UINT64_MAX };

	fill(*state);
	for (size_t i = 0; i < ARRAY_LEN(beyond); i++) {
		struct txn *t;
		uint8_t key[8];

		put_line(*state, beyond[i], "{}");
		assert_stops_the_log(*state);
		be64_put(key, beyond[i]);
		t = txn_write(*state, ENV_LEDGER);
		assert_true(txn_del(t, DB_RECORDS, span_of(key, sizeof(key))));
		assert_int_equal(txn_end(t), RC_OK);
	}
	assert_int_equal(size_of_log(*state), 6);
}

static void a_kept_size_that_is_none_stops_the_log(void **state)
{
	static const struct span rows[] = {
		{ "", 0 }, { "\0\0\0\0\0\0\0", 7 }, { "\0\0\0\0\0\0\0\0\0", 9 },
		{ "\x80\0\0\0\0\0\0\0", 8 }, { "\xff\xff\xff\xff\xff\xff\xff\xff", 8 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		put_row(*state, DB_LEDGER_META, span_str("next_seq"), rows[i].data, rows[i].size);
		assert_stops_the_log(*state);
	}
}

static void an_empty_log_is_at_its_end(void **state)
{
	assert_found(*state, &(struct audit_filter){ .site = NULL }, "");
}

static void filters_choose_by_member(void **state)
{
	const struct { struct audit_filter filter; const char *found; } cases[] = {
		{ { .site = NULL }, "0 1 2 3 4 5 " },
		{ { .site = "demo" }, "0 2 4 " },
		{ { .site = "dem" }, "" },
		{ { .site = "demo\",\"x" }, "" },
		{ { .action = "list_orders" }, "0 1 " },
		{ { .subject = "h1:00000000000000000000000000000002" }, "3 4 " },
		{ { .reason = REASON_PLAN_REQUIRED }, "3 4 " },
		{ { .has_outcome = true, .outcome = AUDIT_OUTCOME_DONE }, "0 1 2 5 " },
		{ { .has_outcome = true, .outcome = AUDIT_OUTCOME_INTENDED }, "" },
		{ { .site = "shop", .action = "track_order", .has_outcome = true, .outcome = AUDIT_OUTCOME_DONE },
		  "5 " },
		{ { .has_after = true, .after = 0 }, "1 2 3 4 5 " },
		{ { .has_after = true, .after = 5 }, "" },
		{ { .has_after = true, .after = UINT64_MAX }, "" },
		{ { .since = 1004 }, "4 5 " },
		{ { .until = 1001 }, "0 " },
		{ { .since = 1001, .until = 1003, .site = "shop" }, "1 " },
	};

	fill(*state);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_found(*state, &cases[i].filter, cases[i].found);
}

static void a_word_in_a_text_is_not_a_member(void **state)
{
	struct audit_record r = record_of("demo", "track_order", REASON_NONE, 1000);
	json_t *ignored = json_pack("[s]", "/parameters/\"site\":\"shop\"");
	json_t *detail = json_pack("{ss}", "site", "shop");

	r.ignored = ignored;
	r.detail = detail;
	append(*state, &r, 0);
	assert_found(*state, &(struct audit_filter){ .site = "shop" }, "");
	assert_found(*state, &(struct audit_filter){ .site = "demo" }, "0 ");
	json_decref(ignored);
	json_decref(detail);
}

static void the_caller_may_stop_and_go_on(void **state)
{
	struct audit_filter all = { .site = NULL };
	struct seen s = { .stop_at = 2 };
	uint64_t from = 0;
	bool end;

	fill(*state);
	assert_int_equal(scan(*state, &all, &from, 1000, &s, &end), RC_OK);
	assert_int_equal(s.count, 2);
	assert_int_equal(from, 2);
	assert_false(end);
	assert_int_equal(scan(*state, &all, &from, 1000, &s, &end), RC_OK);
	assert_int_equal(s.count, 6);
	assert_int_equal(from, 6);
	assert_true(end);
	/* what comes later is found from there */
	append(*state, &(struct audit_record){ .id = "01JD4ZK2M3N4P5Q6R7S8T9V0WX" }, 6);
	assert_int_equal(scan(*state, &all, &from, 1000, &s, &end), RC_OK);
	assert_int_equal(s.seq[6], 6);
	assert_int_equal(from, 7);
}

static void lines_that_do_not_parse_are_shown_without_record(void **state)
{
	static const char *const lines[] = {
		"not json \"site\":\"demo\"", "[\"site\",\"demo\"]", "{\"site\":\"demo\",\"site\":\"demo\",\"time\":7}",
		"{\"site\":\"demo\",\"time\":\"soon\",\"seq\":3}",
	};
	struct audit_filter all = { .site = NULL }, demo = { .site = "demo", .since = 1 };
	struct seen s = { .count = 0 };
	uint64_t from = 0;
	bool end;

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		put_line(*state, i, lines[i]);
	assert_int_equal(scan(*state, &all, &from, 1000, &s, &end), RC_OK);
	assert_int_equal(s.count, 4);
	assert_int_equal(s.without_record, 3);
	assert_found(*state, &demo, "2 ");
	demo.until = 7;
	assert_found(*state, &demo, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(seq_counts_from_0_without_a_gap),
		TEST(the_stored_line_is_the_formatted_one),
		TEST(several_records_of_one_transaction_follow_each_other),
		TEST(a_record_that_cannot_be_a_line_takes_no_seq),
		TEST(a_pruned_log_keeps_counting),
		TEST(a_key_of_another_length_stops_the_log),
		TEST(a_last_seq_beyond_all_stops_the_log),
		TEST(a_kept_size_that_is_none_stops_the_log),
		TEST(an_empty_log_is_at_its_end),
		TEST(filters_choose_by_member),
		TEST(a_word_in_a_text_is_not_a_member),
		TEST(the_caller_may_stop_and_go_on),
		TEST(lines_that_do_not_parse_are_shown_without_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
