/* test_stats.c -- the log counted: folded records whole, filters, hostile lines without harm, and lists that end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/lib/tmpadmin.h"

#include <stdio.h>
#include <stdlib.h>

#define US_PER_DAY UINT64_C(86400000000)
#define DAY_0 (UINT64_C(20410) * US_PER_DAY)           /* 2025-11-18 */

static int setup(void **st)
{
	struct tmpadmin *t;

	secret_process_init();
	*st = t = tmpadmin_new();
	return t ? 0 : -1;
}

static int teardown(void **st)
{
	tmpadmin_free(*st);
	return 0;
}

/* ---- a log: what stood there is gone, so that a test knows all of it ---- */

struct rows { const char *const *line; size_t count; };

static enum rc replace_run(struct txn *ledger, void *arg)
{
	const struct rows *rows = arg;
	struct span key, row;
	struct walk w;

	walk_begin(&w, ledger, DB_RECORDS);
	while (walk_next(&w, &key, &row))
		walk_del(&w);
	walk_end(&w);
	for (size_t i = 0; i < rows->count; i++) {
		uint8_t seq[8];

		be64_put(seq, i);
		txn_put(ledger, DB_RECORDS, span_of(seq, sizeof(seq)), span_str(rows->line[i]));
	}
	return txn_rc(ledger);
}

static void put_lines(struct tmpadmin *t, const char *const *line, size_t count)
{
	struct rows rows = { line, count };
	struct writer *writer;

	assert_int_equal(admin_writer(t->a, &writer), RC_OK);
	assert_int_equal(writer_call(writer, replace_run, &rows), RC_OK);
}

static json_t *count_all(struct tmpadmin *t, const struct audit_filter *f)
{
	json_t *stats = NULL;

	assert_int_equal(admin_stats(t->a, f, NULL, NULL, &stats, &t->why), RC_OK);
	return stats;
}

static void assert_stats(struct tmpadmin *t, const struct audit_filter *f, const char *expected)
{
	json_t *stats = count_all(t, f);
	struct buf text = BUF_INIT;

	json_canonical(&text, stats);
	assert_string_equal(text.data, expected);
	buf_done(&text);
	json_decref(stats);
}

static const struct audit_filter all = { .site = NULL };

static const char *const ordinary[] = {
	"{\"action\":\"track\",\"event\":\"action\",\"kid\":\"k_aaaaaaaa\",\"outcome\":\"done\",\"seq\":0,\"site\":\"acme\","
	"\"time\":1763424000000000}",
	"{\"action\":\"track\",\"event\":\"action\",\"outcome\":\"blocked\",\"reason\":\"token_expired\",\"seq\":1,\"site\":\"acme\","
	"\"time\":1763510399999999}",
	"{\"count\":4711,\"event\":\"identity\",\"outcome\":\"blocked\",\"reason\":\"token_expired\",\"seq\":2,\"site\":\"other\","
	"\"time\":1763510400000000}",
	"{\"action\":\"cancel\",\"event\":\"action\",\"kid\":\"k_aaaaaaaa\",\"outcome\":\"failed\",\"reason\":\"upstream_failed\",\"seq\":3,"
	"\"site\":\"acme\",\"time\":1763510400000001}",
};

static void every_list_counts_and_folded_records_count_whole(void **state)
{
	put_lines(*state, ordinary, ARRAY_LEN(ordinary));
	assert_stats(*state, &all,
	             "{\"actions\":{\"cancel\":1,\"track\":2},\"counted\":4714,\"days\":["
	             "{\"blocked\":1,\"day\":\"2025-11-18\",\"done\":1,\"failed\":0,\"intended\":0,\"refused\":0},"
	             "{\"blocked\":4711,\"day\":\"2025-11-19\",\"done\":0,\"failed\":1,\"intended\":0,\"refused\":0}],"
	             "\"first\":0,\"from\":1763424000000000,\"keys\":{\"k_aaaaaaaa\":2},\"last\":3,"
	             "\"reasons\":{\"token_expired\":4712,\"upstream_failed\":1},\"records\":4,"
	             "\"sites\":{\"acme\":3,\"other\":4711},\"to\":1763510400000001}");
}

static void filters_choose_what_is_counted(void **state)
{
	struct audit_filter f = { .site = "acme", .has_after = true, .after = 0 };
	json_t *stats;

	put_lines(*state, ordinary, ARRAY_LEN(ordinary));
	stats = count_all(*state, &f);
	assert_int_equal(json_integer_value(json_object_get(stats, "records")), 2);
	assert_int_equal(json_integer_value(json_object_get(stats, "first")), 1);
	json_decref(stats);
}

static void an_empty_log_has_no_range(void **state)
{
	put_lines(*state, NULL, 0);
	assert_stats(*state, &all, "{\"actions\":{},\"counted\":0,\"days\":[],\"first\":null,\"from\":null,\"keys\":{},\"last\":null,"
	             "\"reasons\":{},\"records\":0,\"sites\":{},\"to\":null}");
}

static void hostile_lines_are_counted_as_what_no_name_can_be(void **state)
{
	static const char *const hostile[] = {
		"not a record \x1b[2J", "{\"seq\":1,\"seq\":1}", "[]", "",
		"{\"action\":\"Track\\u001b\",\"count\":-5,\"kid\":\"k_\",\"outcome\":\"perhaps\",\"reason\":\"none of ours\",\"site\":7,\"time\":-1}",
		"{\"action\":{},\"count\":\"9\",\"kid\":[],\"outcome\":\"done\",\"reason\":null,\"site\":\"(other)\",\"time\":9007199254740992}",
		"{\"count\":9007199254740991,\"outcome\":\"done\",\"site\":\"acme\",\"time\":9007199254740991}",
		"{\"count\":9007199254740991,\"outcome\":\"done\",\"site\":\"acme\",\"time\":0}",
	};

	put_lines(*state, hostile, ARRAY_LEN(hostile));
	assert_stats(*state, &all,
	             "{\"actions\":{\"(other)\":2},\"counted\":9007199254740991,\"days\":["
	             "{\"blocked\":0,\"day\":\"1970-01-01\",\"done\":9007199254740991,\"failed\":0,\"intended\":0,\"refused\":0},"
	             "{\"blocked\":0,\"day\":\"2255-06-05\",\"done\":9007199254740991,\"failed\":0,\"intended\":0,\"refused\":0},"
	             "{\"blocked\":0,\"day\":\"(other)\",\"done\":1,\"failed\":0,\"intended\":0,\"refused\":0}],"
	             "\"first\":0,\"from\":0,\"keys\":{\"(other)\":2},\"last\":7,\"reasons\":{\"(other)\":2},\"records\":8,"
	             "\"sites\":{\"(other)\":2,\"acme\":9007199254740991},\"to\":9007199254740991}");
}

/* ---- more names than a list takes ---- */

static char **many_lines(size_t count)
{
	char **line = calloc(count, sizeof(*line));

	assert_non_null(line);
	for (size_t i = 0; i < count; i++)
		assert_true(asprintf(&line[i], "{\"outcome\":\"done\",\"site\":\"s%zu\",\"time\":%llu}", i,
		                     (unsigned long long)(DAY_0 + (count - i) * US_PER_DAY)) > 0);
	return line;
}

static void lists_end_and_the_rest_is_other(void **state)
{
	size_t count = STATS_NAMES + 500;
	char **line = many_lines(count);
	json_t *stats, *sites, *days;

	put_lines(*state, (const char *const *)line, count);
	stats = count_all(*state, &all);
	sites = json_object_get(stats, "sites");
	days = json_object_get(stats, "days");
	assert_int_equal(json_object_size(sites), STATS_NAMES + 1);
	assert_int_equal(json_integer_value(json_object_get(sites, "s0")), 1);
	assert_int_equal(json_integer_value(json_object_get(sites, STATS_OTHER)), 500);
	assert_int_equal(json_array_size(days), STATS_NAMES + 1);
	for (size_t i = 1; i < STATS_NAMES; i++)
		assert_true(strcmp(json_string_value(json_object_get(json_array_get(days, i - 1), "day")),
		                   json_string_value(json_object_get(json_array_get(days, i), "day"))) < 0);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(days, STATS_NAMES), "done")), 500);
	json_decref(stats);
	for (size_t i = 0; i < count; i++)
		free(line[i]);
	free(line);
}

static bool stop_at_once(uint64_t done, uint64_t of, void *arg)
{
	(void)done;
	(void)of;
	(*(int *)arg)++;
	return false;
}

static void progress_may_stop_it(void **state)
{
	struct tmpadmin *t = *state;
	json_t *stats = NULL;
	int calls = 0;

	put_lines(t, ordinary, ARRAY_LEN(ordinary));
	assert_int_equal(admin_stats(t->a, &all, stop_at_once, &calls, &stats, &t->why), RC_STOPPING);
	assert_true(calls == 1 && !stats);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_list_counts_and_folded_records_count_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(filters_choose_what_is_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(an_empty_log_has_no_range, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile_lines_are_counted_as_what_no_name_can_be, setup, teardown),
		cmocka_unit_test_setup_teardown(lists_end_and_the_rest_is_other, setup, teardown),
		cmocka_unit_test_setup_teardown(progress_may_stop_it, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
