/* test_scan.c -- reading the log in slices, oldest first and newest first, in a real ledger: every record once,
 * whatever else is there. What a filter chooses is test_log.c's too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "audit/audit.h"
#include "tests/lib/tmpstore.h"

#include <stdio.h>
#include <stdlib.h>

#define ROWS_MAX 64

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

static void append(struct store *st, const struct audit_record *r)
{
	struct txn *t = txn_write(st, ENV_LEDGER);

	assert_int_equal(audit_append(t, r, NULL), RC_OK);
	assert_int_equal(txn_end(t), RC_OK);
}

static void put_row(struct store *st, struct span key, const char *line)
{
	struct txn *t = txn_write(st, ENV_LEDGER);

	txn_put(t, DB_RECORDS, key, span_str(line));
	assert_int_equal(txn_end(t), RC_OK);
}

static void put_line(struct store *st, uint64_t seq, const char *line)
{
	uint8_t key[8];

	be64_put(key, seq);
	put_row(st, span_of(key, sizeof(key)), line);
}

static void delete_line(struct store *st, uint64_t seq)
{
	struct txn *t = txn_write(st, ENV_LEDGER);
	uint8_t key[8];

	be64_put(key, seq);
	assert_true(txn_del(t, DB_RECORDS, span_of(key, sizeof(key))));
	assert_int_equal(txn_end(t), RC_OK);
}

/* Ten records, 0 to 9: sites demo and shop in turn; of every three the first is blocked, from 198.51.100.0/24; the
 * others are done, from 203.0.113.0/24, under k_aaaaaaaa (the even) or k_bbbbbbbb. 3 claims a retired k_aaaaaaaa. Times
 * 1000 to 1009. */
static void append_one(struct store *st, uint64_t i)
{
	bool blocked = i % 3 == 0;
	struct audit_record r;

	audit_record_init(&r, AUDIT_EVENT_ACTION, blocked ? AUDIT_OUTCOME_BLOCKED : AUDIT_OUTCOME_DONE);
	snprintf(r.site, sizeof(r.site), "%s", i % 2 ? "shop" : "demo");
	snprintf(r.remote, sizeof(r.remote), "%s", blocked ? "198.51.100.0/24" : "203.0.113.0/24");
	snprintf(r.kid, sizeof(r.kid), "%s", blocked ? "" : i % 2 ? "k_bbbbbbbb" : "k_aaaaaaaa");
	snprintf(r.kid_claimed, sizeof(r.kid_claimed), "%s", i == 3 ? "k_aaaaaaaa" : "");
	r.reason = i == 3 ? REASON_KEY_RETIRED : blocked ? REASON_SIGNATURE_MISMATCH : REASON_NONE;
	r.time = 1000 + i;
	append(st, &r);
}

static void fill(struct store *st)
{
	for (uint64_t i = 0; i < 10; i++)
		append_one(st, i);
}

/* ---- what a scan showed ---- */

struct row { uint64_t seq; char *line; bool parsed; };
struct seen { struct row row[ROWS_MAX]; size_t count, stop_at; };

static bool see(uint64_t seq, struct span line, const json_t *record, void *arg)
{
	struct seen *s = arg;

	assert_true(s->count < ROWS_MAX);
	s->row[s->count++] = (struct row){ seq, strndup(line.data, line.size), record != NULL };
	return s->count != s->stop_at;
}

static void seen_done(struct seen *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->row[i].line);
	*s = (struct seen){ .count = 0 };
}

typedef enum rc (*scan_call)(struct txn *ledger, const struct audit_filter *f, uint64_t at, size_t max_rows,
                             audit_each each, void *arg, uint64_t *ret_next, bool *ret_end);

static enum rc slice(struct store *st, scan_call scan, const struct audit_filter *f, uint64_t *at, size_t rows,
                     struct seen *s, bool *ret_end)
{
	struct txn *t = txn_read(st, ENV_LEDGER);
	enum rc rc = scan(t, f, *at, rows, see, s, at, ret_end);

	txn_abort(t);
	return rc;
}

/* Slice after slice, to the end. */
static void see_all(struct store *st, scan_call scan, const struct audit_filter *f, uint64_t at, size_t rows,
                    struct seen *s)
{
	bool end = false;

	for (int slices = 0; !end; slices++) {
		assert_in_range(slices, 0, ROWS_MAX + 1);
		assert_int_equal(slice(st, scan, f, &at, rows, s, &end), RC_OK);
	}
}

/* The log under f is exactly these, newest first: in slices of any size, and the forward scan finds the same, the other
 * way round. */
static void assert_back(struct store *st, const struct audit_filter *f, uint64_t before, const char *expected)
{
	static const size_t sizes[] = { 1, 2, 3, 7, 1000, SIZE_MAX };
	struct seen forward = { .count = 0 };

	see_all(st, audit_scan, f, 0, 4, &forward);
	while (forward.count > 0 && forward.row[forward.count - 1].seq >= before)
		free(forward.row[--forward.count].line);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct seen back = { .count = 0 };
		char found[ROWS_MAX * 4] = "";

		see_all(st, audit_scan_back, f, before, sizes[i], &back);
		for (size_t r = 0, at = 0; r < back.count; r++, at = strlen(found))
			snprintf(found + at, sizeof(found) - at, "%u ", (unsigned)back.row[r].seq);
		assert_string_equal(found, expected);
		assert_int_equal(back.count, forward.count);
		for (size_t r = 0; r < back.count; r++) {
			const struct row *other = &forward.row[forward.count - 1 - r];

			assert_int_equal(back.row[r].seq, other->seq);
			assert_string_equal(back.row[r].line, other->line);
			assert_int_equal(back.row[r].parsed, other->parsed);
		}
		seen_done(&back);
	}
	seen_done(&forward);
}

static const struct audit_filter all = { .site = NULL };

/* ---- backwards ---- */

static void newest_first_is_the_forward_scan_reversed(void **state)
{
	fill(*state);
	assert_back(*state, &all, UINT64_MAX, "9 8 7 6 5 4 3 2 1 0 ");
}

static void an_empty_log_has_nothing_either_way(void **state)
{
	assert_back(*state, &all, UINT64_MAX, "");
	assert_back(*state, &all, 0, "");
	assert_back(*state, &all, 5, "");
}

static void it_begins_before_the_record_named(void **state)
{
	fill(*state);
	assert_back(*state, &all, 0, "");
	assert_back(*state, &all, 1, "0 ");
	assert_back(*state, &all, 4, "3 2 1 0 ");
	assert_back(*state, &all, 9, "8 7 6 5 4 3 2 1 0 ");
	assert_back(*state, &all, 10, "9 8 7 6 5 4 3 2 1 0 ");
	assert_back(*state, &all, 1000, "9 8 7 6 5 4 3 2 1 0 ");
	assert_back(*state, &all, UINT64_MAX - 1, "9 8 7 6 5 4 3 2 1 0 ");
}

static void pruned_rows_are_stepped_over(void **state)
{
	fill(*state);
	for (uint64_t i = 0; i < 3; i++)
		delete_line(*state, i);
	delete_line(*state, 6);
	assert_back(*state, &all, UINT64_MAX, "9 8 7 5 4 3 ");
	assert_back(*state, &all, 7, "5 4 3 ");
	assert_back(*state, &all, 6, "5 4 3 ");
	assert_back(*state, &all, 2, "");
}

static void after_is_where_it_ends(void **state)
{
	const struct { uint64_t after, before; const char *found; } cases[] = {
		{ 0, UINT64_MAX, "9 8 7 6 5 4 3 2 1 " }, { 6, UINT64_MAX, "9 8 7 " }, { 8, UINT64_MAX, "9 " },
		{ 9, UINT64_MAX, "" }, { 1000, UINT64_MAX, "" }, { UINT64_MAX - 1, UINT64_MAX, "" },
		{ UINT64_MAX, UINT64_MAX, "" }, { UINT64_MAX, 5, "" }, { UINT64_MAX, 0, "" },
		{ 3, 6, "5 4 " }, { 3, 5, "4 " }, { 3, 4, "" }, { 3, 2, "" }, { 0, 0, "" },
	};

	fill(*state);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct audit_filter f = { .has_after = true, .after = cases[i].after };

		assert_back(*state, &f, cases[i].before, cases[i].found);
	}
}

static void filters_choose_the_same_both_ways(void **state)
{
	const struct { struct audit_filter filter; const char *found; } cases[] = {
		{ { .site = "demo" }, "8 6 4 2 0 " },
		{ { .remote = "198.51.100.0/24" }, "9 6 3 0 " },
		{ { .remote = "203.0.113.0/24", .site = "demo" }, "8 4 2 " },
		{ { .remote = "203.0.113.0" }, "" },
		{ { .remote = "203.0.113.0/24\",\"seq" }, "" },
		{ { .kid = "k_bbbbbbbb" }, "7 5 1 " },
		{ { .kid = "k_aaaaaaaa" }, "8 4 2 " },
		{ { .kid = "k_aaaaaaa" }, "" },
		{ { .kid = "k_aaaaaaaa", .remote = "198.51.100.0/24" }, "" },
		{ { .reason = REASON_SIGNATURE_MISMATCH, .remote = "198.51.100.0/24", .site = "demo" }, "6 0 " },
		{ { .has_outcome = true, .outcome = AUDIT_OUTCOME_BLOCKED, .since = 1001, .until = 1007 }, "6 3 " },
		{ { .kid = "k_bbbbbbbb", .has_after = true, .after = 1 }, "7 5 " },
		/* all seven texts at once */
		{ { .subject = "h1:00", .kid = "k_bbbbbbbb", .remote = "203.0.113.0/24", .action = "a", .site = "shop",
		    .reason = REASON_PLAN_REQUIRED, .has_outcome = true, .outcome = AUDIT_OUTCOME_DONE }, "" },
	};

	fill(*state);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_back(*state, &cases[i].filter, UINT64_MAX, cases[i].found);
}

static void a_network_in_another_text_is_no_remote(void **state)
{
	json_t *ignored = json_pack("[s]", "\"remote\":\"203.0.113.0/24\"");
	json_t *detail = json_pack("{ss}", "kid", "k_aaaaaaaa");
	struct audit_record r;

	audit_record_init(&r, AUDIT_EVENT_ACTION, AUDIT_OUTCOME_DONE);
	r.ignored = ignored;
	r.detail = detail;
	append(*state, &r);
	assert_back(*state, &(struct audit_filter){ .remote = "203.0.113.0/24" }, UINT64_MAX, "");
	assert_back(*state, &(struct audit_filter){ .kid = "k_aaaaaaaa" }, UINT64_MAX, "");
	assert_back(*state, &all, UINT64_MAX, "0 ");
	json_decref(ignored);
	json_decref(detail);
}

static void a_slice_is_so_many_rows_whether_they_match_or_not(void **state)
{
	struct audit_filter oldest = { .until = 1001 };
	struct seen s = { .count = 0 };
	uint64_t at = UINT64_MAX;
	bool end = true;

	fill(*state);
	assert_int_equal(slice(*state, audit_scan_back, &oldest, &at, 4, &s, &end), RC_OK);
	assert_true(s.count == 0 && at == 6 && !end);
	assert_int_equal(slice(*state, audit_scan_back, &oldest, &at, 0, &s, &end), RC_OK);
	assert_true(s.count == 0 && at == 6 && !end);
	assert_int_equal(slice(*state, audit_scan_back, &oldest, &at, 6, &s, &end), RC_OK);
	assert_true(s.count == 1 && at == 0 && end);
	seen_done(&s);
}

static void the_caller_may_stop_and_go_on_backwards(void **state)
{
	struct seen s = { .stop_at = 3 };
	uint64_t at = UINT64_MAX;
	bool end = true;

	fill(*state);
	assert_int_equal(slice(*state, audit_scan_back, &all, &at, 1000, &s, &end), RC_OK);
	assert_true(s.count == 3 && s.row[2].seq == 7 && at == 7 && !end);
	append_one(*state, 10);        /* what is newer comes no more */
	assert_int_equal(slice(*state, audit_scan_back, &all, &at, 1000, &s, &end), RC_OK);
	assert_true(s.count == 10 && s.row[3].seq == 6 && s.row[9].seq == 0 && at == 0 && end);
	assert_int_equal(slice(*state, audit_scan_back, &all, &at, 1000, &s, &end), RC_OK);
	assert_true(s.count == 10 && at == 0 && end);
	seen_done(&s);
}

/* ---- hostile rows ---- */

static void lines_that_do_not_parse_come_without_record_either_way(void **state)
{
	static const char *const lines[] = {
		"not json \"site\":\"demo\"", "[\"site\",\"demo\"]", "{\"site\":\"demo\",\"site\":\"demo\",\"time\":7}",
		"{\"site\":\"demo\",\"time\":\"soon\"}", "", "{\"remote\":\"203.0.113.0/24\"",
		"{\"remote\":[\"203.0.113.0/24\"]}",
		"\x1b[2J", "{\"site\":\"demo\"}",
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		put_line(*state, i, lines[i]);
	assert_back(*state, &all, UINT64_MAX, "8 7 6 5 4 3 2 1 0 ");
	assert_back(*state, &(struct audit_filter){ .site = "demo" }, UINT64_MAX, "8 3 2 0 ");
	assert_back(*state, &(struct audit_filter){ .site = "demo", .since = 1 }, UINT64_MAX, "2 ");
	assert_back(*state, &(struct audit_filter){ .site = "demo", .until = 8 }, UINT64_MAX, "2 ");
	assert_back(*state, &(struct audit_filter){ .site = "demo", .since = 8 }, UINT64_MAX, "");
	assert_back(*state, &(struct audit_filter){ .remote = "203.0.113.0/24" }, UINT64_MAX, "5 ");
}

static char *long_line(const char *head, size_t size)
{
	char *line = malloc(size + 1);

	assert_non_null(line);
	memset(line, ' ', size);
	memcpy(line, head, strlen(head));
	memcpy(line + size - strlen("\"site\":\"shop\"}"), "\"site\":\"shop\"}", strlen("\"site\":\"shop\"}") + 1);
	return line;
}

/* A worker that was taken over may write rows of gigabytes: what is behind the length of a record is not looked at. */
static void a_line_longer_than_a_record_is_none(void **state)
{
	char *fits = long_line("{\"outcome\":\"done\",", AUDIT_LINE_MAX);
	char *longer = long_line("{\"outcome\":\"done\",", AUDIT_LINE_MAX + 20);
	struct seen s = { .count = 0 };
	uint64_t at = 0;
	bool end;

	put_line(*state, 0, fits);
	put_line(*state, 1, longer);
	assert_int_equal(slice(*state, audit_scan, &all, &at, 9, &s, &end), RC_OK);
	assert_int_equal(s.count, 2);
	assert_true(s.row[0].parsed);
	assert_false(s.row[1].parsed);
	assert_string_equal(s.row[1].line, longer);
	assert_back(*state, &(struct audit_filter){ .has_outcome = true, .outcome = AUDIT_OUTCOME_DONE }, UINT64_MAX, "1 0 ");
	assert_back(*state, &(struct audit_filter){ .site = "shop" }, UINT64_MAX, "0 ");
	seen_done(&s);
	free(fits);
	free(longer);
}

/* Shown are those that the scan passed before the false row; what it returned for the next slice stays untouched. */
static void assert_corrupt(struct store *st, scan_call scan, uint64_t from, size_t shown)
{
	struct seen s = { .count = 0 };
	uint64_t at = from;
	bool end = true;

	assert_int_equal(slice(st, scan, &all, &at, 1000, &s, &end), RC_CORRUPT);
	assert_int_equal(s.count, shown);
	assert_true(at == from && end);
	seen_done(&s);
}

static void a_key_of_another_size_is_corrupt(void **state)
{
	const struct { struct span key; size_t forward, back; } cases[] = {
		/* these sort before all: a forward scan seeks past them */
		{ span_of("\0", 1), 10, 10 },
		{ span_of("\0\0\0\0\0\0\0\4", 7), 10, 10 },
		/* between 4 and 5 */
		{ span_of("\0\0\0\0\0\0\0\4\0", 9), 5, 5 },
		/* behind all */
		{ span_of("\xff", 1), 10, 0 },
		{ span_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9), 10, 0 },
	};

	fill(*state);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct txn *t;

		put_row(*state, cases[i].key, "{}");
		if (i >= 2)
			assert_corrupt(*state, audit_scan, 0, cases[i].forward);
		assert_corrupt(*state, audit_scan_back, UINT64_MAX, cases[i].back);
		t = txn_write(*state, ENV_LEDGER);
		assert_true(txn_del(t, DB_RECORDS, cases[i].key));
		assert_int_equal(txn_end(t), RC_OK);
	}
	assert_back(*state, &all, UINT64_MAX, "9 8 7 6 5 4 3 2 1 0 ");
}

/* After it no seq could follow, and a scan would begin again at 0. */
static void the_last_number_there_is_belongs_to_no_record(void **state)
{
	struct span line;
	struct txn *t;

	fill(*state);
	put_line(*state, UINT64_MAX, "{\"seq\":18446744073709551615}");
	assert_corrupt(*state, audit_scan, 0, 10);
	assert_corrupt(*state, audit_scan, 10, 0);
	assert_corrupt(*state, audit_scan, UINT64_MAX, 0);
	assert_corrupt(*state, audit_scan_back, UINT64_MAX, 0);
	assert_back(*state, &(struct audit_filter){ .has_after = true, .after = UINT64_MAX }, UINT64_MAX, "");
	t = txn_read(*state, ENV_LEDGER);
	assert_false(audit_get(t, UINT64_MAX, &line));
	txn_abort(t);
}

static void a_false_row_beyond_the_slice_is_no_concern_of_it(void **state)
{
	struct audit_filter newest = { .has_after = true, .after = 4 };
	struct seen s = { .count = 0 };
	uint64_t at = UINT64_MAX;
	bool end = true;

	fill(*state);
	put_row(*state, span_of("\0\0\0\0\0\0\0\4\0", 9), "{}");
	assert_int_equal(slice(*state, audit_scan_back, &all, &at, 5, &s, &end), RC_OK);
	assert_true(s.count == 5 && at == 5 && !end);
	assert_int_equal(slice(*state, audit_scan_back, &all, &at, 5, &s, &end), RC_CORRUPT);
	at = UINT64_MAX;
	assert_int_equal(slice(*state, audit_scan_back, &newest, &at, 5, &s, &end), RC_OK);
	assert_true(s.count == 10 && !end);            /* it may lie after 4: that is for the next slice to say */
	seen_done(&s);
}

static void a_transaction_that_failed_reads_nothing(void **state)
{
	struct txn *t;
	struct seen s = { .count = 0 };
	struct span line;
	uint64_t next = 7;
	bool end = false;

	fill(*state);
	t = txn_read(*state, ENV_LEDGER);
	txn_fail(t, RC_IO);
	assert_int_equal(audit_scan_back(t, &all, UINT64_MAX, 10, see, &s, &next, &end), RC_IO);
	assert_int_equal(audit_scan(t, &all, 0, 10, see, &s, &next, &end), RC_IO);
	assert_true(s.count == 0 && next == 7 && !end);
	assert_false(audit_get(t, 0, &line));
	txn_abort(t);
	assert_int_equal(audit_scan_back(NULL, &all, UINT64_MAX, 10, see, &s, &next, &end), RC_NOMEM);
}

/* ---- one record ---- */

static void one_line_is_got_as_it_is_stored(void **state)
{
	struct span line;
	struct txn *t;

	fill(*state);
	delete_line(*state, 4);
	put_line(*state, 10, "whatever is there");
	t = txn_read(*state, ENV_LEDGER);
	assert_true(audit_get(t, 10, &line) && span_is(line, "whatever is there"));
	assert_true(audit_get(t, 9, &line) && memmem(line.data, line.size, "\"seq\":9,", 8));
	assert_false(audit_get(t, 4, &line));
	assert_false(audit_get(t, 11, &line));
	assert_false(audit_get(t, UINT64_MAX, &line));
	assert_int_equal(txn_rc(t), RC_OK);
	txn_abort(t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(newest_first_is_the_forward_scan_reversed),
		TEST(an_empty_log_has_nothing_either_way),
		TEST(it_begins_before_the_record_named),
		TEST(pruned_rows_are_stepped_over),
		TEST(after_is_where_it_ends),
		TEST(filters_choose_the_same_both_ways),
		TEST(a_network_in_another_text_is_no_remote),
		TEST(a_slice_is_so_many_rows_whether_they_match_or_not),
		TEST(the_caller_may_stop_and_go_on_backwards),
		TEST(lines_that_do_not_parse_come_without_record_either_way),
		TEST(a_line_longer_than_a_record_is_none),
		TEST(a_key_of_another_size_is_corrupt),
		TEST(the_last_number_there_is_belongs_to_no_record),
		TEST(a_false_row_beyond_the_slice_is_no_concern_of_it),
		TEST(a_transaction_that_failed_reads_nothing),
		TEST(one_line_is_got_as_it_is_stored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
