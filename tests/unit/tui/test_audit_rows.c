/* test_audit_rows.c -- the window on the log holds neighbouring records, whichever way and however far one goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/text.h"
#include "console/tui/audit-rows.h"
#include "tests/lib/tmpadmin.h"

#include <stdio.h>
#include <stdlib.h>

#define RECORDS 3000

static enum rc append_many(struct txn *ledger, void *arg)
{
	enum rc rc = RC_OK;

	for (unsigned i = 0; i < RECORDS && rc == RC_OK; i++) {
		struct audit_record r;

		audit_record_init(&r, AUDIT_EVENT_ACTION, i % 7 == 0 ? AUDIT_OUTCOME_BLOCKED : AUDIT_OUTCOME_DONE);
		snprintf(r.site, sizeof(r.site), "%s", i % 2 ? "acme" : "other");
		r.reason = i % 7 == 0 ? REASON_TOKEN_EXPIRED : REASON_NONE;
		rc = audit_append(ledger, &r, arg);
	}
	return rc;
}

static int setup(void **state)
{
	struct tmpadmin *t = tmpadmin_new();
	struct writer *w;
	uint64_t last;

	*state = t;
	if (!t || admin_writer(t->a, &w) != RC_OK)
		return -1;
	return writer_call(w, append_many, &last) == RC_OK ? 0 : -1;
}

static int teardown(void **state)
{
	tmpadmin_free(*state);
	return 0;
}

static uint64_t log_size(struct tmpadmin *t)
{
	struct txn *ledger = txn_read(admin_store(t->a), ENV_LEDGER);
	uint64_t size = audit_size(ledger);

	txn_abort(ledger);
	return size;
}

static void older(struct tmpadmin *t, struct audit_rows *r, const struct audit_filter *f, size_t want, size_t slice)
{
	size_t added, dropped, before = r->count;

	assert_int_equal(audit_rows_older(r, t->a, f, want, slice, &added, &dropped), RC_OK);
	assert_true(added <= want);
	assert_int_equal(r->count, before + added - dropped);
}

static void newer(struct tmpadmin *t, struct audit_rows *r, const struct audit_filter *f, size_t want, size_t slice)
{
	size_t added, dropped, before = r->count;

	assert_int_equal(audit_rows_newer(r, t->a, f, want, slice, &added, &dropped), RC_OK);
	assert_true(added <= want);
	assert_int_equal(r->count, before + added - dropped);
}

/* Neighbours: without a filter no number is missing, none is there twice. */
static void assert_whole(const struct audit_rows *r)
{
	for (size_t i = 1; i < r->count; i++)
		assert_int_equal(r->row[i].seq, r->row[i - 1].seq + 1);
}

static void from_the_newest_back_to_the_first_and_forward_again(void **state)
{
	struct audit_rows *r = malloc(sizeof(*r));
	struct audit_filter any = { 0 };
	uint64_t size = log_size(*state);

	assert_non_null(r);
	audit_rows_reset(r, UINT64_MAX);
	older(*state, r, &any, 10, 100);
	assert_int_equal(r->row[r->count - 1].seq, size - 1);
	while (!r->oldest) {
		older(*state, r, &any, 100, 64);
		assert_whole(r);
		assert_true(r->count <= AUDIT_WINDOW);
	}
	assert_int_equal(r->row[0].seq, 0);
	assert_int_equal(r->count, AUDIT_WINDOW);
	assert_false(r->newest);
	while (!r->newest) {
		newer(*state, r, &any, 100, 64);
		assert_whole(r);
	}
	assert_int_equal(r->row[r->count - 1].seq, size - 1);
	assert_false(r->oldest);
	free(r);
}

static void random_walks_keep_it_whole(void **state)
{
	struct audit_rows *r = malloc(sizeof(*r));
	struct audit_filter any = { 0 };
	uint64_t size = log_size(*state);

	assert_non_null(r);
	srand(7);
	for (int turn = 0; turn < 40; turn++) {
		audit_rows_reset(r, (uint64_t)rand() % (size + 5));
		for (int i = 0; i < 60; i++) {
			size_t want = 1 + (size_t)rand() % 200, slice = 1 + (size_t)rand() % 300;

			if (rand() % 2)
				older(*state, r, &any, want, slice);
			else
				newer(*state, r, &any, want, slice);
			assert_whole(r);
			if (r->count > 0) {
				assert_int_equal(r->oldest, r->row[0].seq == 0);
				assert_int_equal(r->newer, r->row[r->count - 1].seq + 1);
				assert_int_equal(r->older, r->row[0].seq);
			}
		}
	}
	free(r);
}

static void a_filter_finds_each_match_once(void **state)
{
	struct audit_rows *r = malloc(sizeof(*r));
	struct audit_filter f = { .site = "acme", .has_outcome = true, .outcome = AUDIT_OUTCOME_BLOCKED };
	size_t matches = 0;

	assert_non_null(r);
	for (unsigned i = 0; i < RECORDS; i++)
		matches += i % 7 == 0 && i % 2;
	audit_rows_reset(r, UINT64_MAX);
	while (!r->oldest)
		older(*state, r, &f, 50, 97);
	assert_int_equal(r->count, matches);
	for (size_t i = 0; i < r->count; i++) {
		assert_string_equal(r->row[i].site, "acme");
		assert_string_equal(r->row[i].reason, "token_expired");
		assert_true(i == 0 || r->row[i].seq > r->row[i - 1].seq);
	}
	free(r);
}

static void a_record_from_a_stranger_becomes_a_row_or_an_empty_one(void **state)
{
	static const char *const lines[] = {
		"{\"site\":5,\"event\":{},\"outcome\":null,\"reason\":[],\"time\":\"x\",\"count\":-4}",
		"{\"time\":-1,\"detail\":7,\"subject\":\"\"}",
		"{}",
	};
	struct record_row row;
	char *longest = malloc(9000);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		json_t *record;

		assert_int_equal(json_strict(span_str(lines[i]), 8, &record, NULL), RC_OK);
		record_row_fill(&row, 3, record);
		assert_int_equal(row.seq, 3);
		assert_int_equal(row.time_us, 0);
		assert_int_equal(row.count, 0);
		assert_string_equal(row.site, "");
		assert_string_equal(row.who, "");
		assert_false(row.broken);
		json_decref(record);
	}
	record_row_fill(&row, 4, NULL);
	assert_true(row.broken);

	assert_non_null(longest);
	for (size_t i = 0; i < 3000; i++)
		memcpy(longest + 3 * i, "\u20ac", 3);
	longest[8999] = '\0';
	longest[8997] = '\0';
	json_t *record = json_pack("{ssss}", "site", longest, "reason", longest);
	assert_non_null(record);
	record_row_fill(&row, 5, record);
	assert_true(utf8_valid(span_str(row.site)));
	assert_true(utf8_valid(span_str(row.reason)));
	assert_int_equal(strlen(row.site), 63);
	json_decref(record);
	free(longest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_the_newest_back_to_the_first_and_forward_again),
		cmocka_unit_test(random_walks_keep_it_whole),
		cmocka_unit_test(a_filter_finds_each_match_once),
		cmocka_unit_test(a_record_from_a_stranger_becomes_a_row_or_an_empty_one),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
