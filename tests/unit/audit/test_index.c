/* test_index.c -- scans that use the index find just what scans without it find: in random logs with hostile lines, under
 * random filters, with no, half and all of an index; and what rows of an index that lies can do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "audit/audit-private.h"
#include "tests/lib/tmpstore.h"

#include <stdio.h>
#include <stdlib.h>

#define BUNDLES 3
#define LOG_SIZE (BUNDLES * INDEX_BUNDLE + 100)

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

/* ---- chance that is the same every time ---- */

static uint64_t dice_state;

static size_t dice(size_t sides)
{
	dice_state = dice_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (size_t)(dice_state >> 33) % sides;
}

/* ---- a log ---- */

static const char *const sites[] = { "demo", "shop", "acme", "x" };
static const char *const subjects[] = {
	"h1:00000000000000000000000000000000", "h1:00000000000000000000000000000001", "h1:00000000000000000000000000000002",
	"h1:00000000000000000000000000000003",
};

#define TIME_OF(seq) (1000000 + (seq) * 10)

static void append(struct txn *t, uint64_t seq)
{
	struct audit_record r = { .event = AUDIT_EVENT_ACTION, .outcome = (enum audit_outcome)dice(4) };

	snprintf(r.id, sizeof(r.id), "01JD4ZK2M3N4P5Q6R7S8T9V0WX");
	snprintf(r.site, sizeof(r.site), "%s", dice(10) ? sites[dice(ARRAY_LEN(sites))] : "");
	if (dice(300) == 0)
		snprintf(r.subject, sizeof(r.subject), "%s", subjects[dice(ARRAY_LEN(subjects))]);
	snprintf(r.kid, sizeof(r.kid), dice(2) ? "k_aaaaaaaa" : "k_bbbbbbbb");
	r.time = TIME_OF(seq) + dice(2000);                /* clocks step back, and forth */
	assert_int_equal(audit_append(t, &r, NULL), RC_OK);
}

static void put(struct txn *t, enum db db, uint64_t n, struct span row)
{
	uint8_t key[8];

	be64_put(key, n);
	txn_put(t, db, span_of(key, sizeof(key)), row);
	assert_int_equal(txn_rc(t), RC_OK);
}

static void grow(struct store *st, uint64_t size)
{
	struct txn *t = txn_write(st, ENV_LEDGER);

	for (uint64_t seq = audit_size(t); seq < size; seq++)
		append(t, seq);
	assert_int_equal(txn_end(t), RC_OK);
}

static const char *const hostile_lines[] = {
	"", "x", "{", "not json \"site\":\"demo\" \"time\":1005000", "[\"site\",\"demo\"]", "[\"site\":\"demo\"",
	"{\"site\":\"demo\",\"site\":\"shop\",\"time\":1010000}", "{\"site\":[\"demo\"],\"time\":1010000}",
	"{\"site\" : \"demo\",\"time\":1010000}", "{\"site\":\"de\\u006do\",\"time\":1010000}",
	"{\"site\":\"demo\\\"\",\"time\":1010000}", "{\"site\":\"demo\\\\\",\"time\":1010000}",
	"{\"site\":\"\\u00e9\",\"time\":1010000}", "{\"site\":\"\xc3\xa9\",\"time\":1010000}", "{\"site\":\"\",\"time\":1010000}",
	"{\"detail\":{\"site\":\"demo\",\"time\":1},\"site\":\"shop\",\"time\":1010000}",
	"{\"detail\":{\"outcome\":\"done\"},\"outcome\":\"blocked\",\"site\":\"x\",\"subject\":\"h1:00000000000000000000000000000000\"}",
	"{\"site\":\"demo\",\"time\":\"soon\"}", "{\"site\":\"demo\",\"time\":-1010000}", "{\"site\":\"demo\",\"time\":1010000.5}",
	"{\"site\":\"demo\",\"time\":99999999999999999999999999}", "{\"site\":\"demo\",\"time\":18446744073709551615}",
	"{\"site\":\"demo\",\"time\":9223372036854775807}", "{\"site\":\"demo\",\"time\":1010000", "\"site\":\"demo", "\"site\":\"",
	"\"site\":", "{\"site\":\"d\\u0000\",\"time\":1010000}", "{\"site\":\"demo\",\"subject\":\"\\\"site\\\":\\\"shop\\\"\"}",
};

/* As a worker that was taken over might leave them. spoil: with a line that has the same member many times, whose bundle
 * is not indexed. */
static void plant_hostile_lines(struct store *st, uint64_t from, uint64_t to, bool spoil)
{
	struct txn *t = txn_write(st, ENV_LEDGER);
	struct buf line = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(hostile_lines); i++)
		put(t, DB_RECORDS, from + dice(to - from), span_str(hostile_lines[i]));
	put(t, DB_RECORDS, from + dice(to - from), span_of("{\"site\":\"demo\"\0}", 16));
	for (size_t i = 0; spoil && i < 20; i++)
		buf_add_str(&line, "\"site\":\"demo\",\"time\":7,\"site\":\"other\",");
	if (spoil)
		put(t, DB_RECORDS, from + dice(to - from), buf_span(&line));
	assert_int_equal(txn_end(t), RC_OK);
	buf_done(&line);
}

static void remove_some(struct store *st, size_t count)
{
	struct txn *t = txn_write(st, ENV_LEDGER);

	for (size_t i = 0; i < count; i++) {
		uint8_t key[8];

		be64_put(key, dice(LOG_SIZE - 1));
		txn_del(t, DB_RECORDS, span_of(key, sizeof(key)));
	}
	assert_int_equal(txn_end(t), RC_OK);
}

/* ---- what scans find ---- */

struct found { uint64_t *seq; size_t count, slices; };

static bool find(uint64_t seq, struct span line, const json_t *record, void *arg)
{
	struct found *f = arg;

	(void)line, (void)record;
	assert_true(f->count < LOG_SIZE);
	f->seq[f->count++] = seq;
	return true;
}

typedef enum rc (*scan_call)(struct txn *ledger, const struct audit_filter *f, uint64_t at, size_t max_rows,
                             audit_each each, void *arg, uint64_t *ret_next, bool *ret_end);

static struct found scan(struct txn *t, scan_call call, const struct audit_filter *f, size_t rows)
{
	struct found found = { .seq = calloc(LOG_SIZE, sizeof(*found.seq)) };
	uint64_t at = call == audit_scan ? 0 : UINT64_MAX;

	assert_non_null(found.seq);
	for (bool end = false; !end; found.slices++)
		assert_int_equal(call(t, f, at, rows, find, &found, &at, &end), RC_OK);
	return found;
}

/* Both ways, one in slices of a few rows, one of many. */
static void assert_found(struct txn *t, const struct audit_filter *f, const struct found *expected)
{
	const bool back_first = dice(2);

	for (int pass = 0; pass < 2; pass++) {
		const bool back = back_first != (pass == 1);
		struct found found = scan(t, back ? audit_scan_back : audit_scan, f, 1 + dice(pass ? 20000 : 100));

		assert_int_equal(found.count, expected->count);
		for (size_t n = 0; n < found.count; n++)
			assert_int_equal(found.seq[back ? found.count - 1 - n : n], expected->seq[n]);
		free(found.seq);
	}
}

#define MAYBE(sides, value, otherwise) (dice(sides) == 0 ? (value) : (otherwise))

static const char *const odd_values[] = {
	"", "demo\"", "demo\\", "\xc3\xa9", "de", "demo\",\"x", "other", "\"site\":\"shop\"",
	"a-value-that-is-longer-than-any-that-a-member-of-a-record-can-ever-have-and-still-is-looked-for",
};

static struct audit_filter random_filter(void)
{
	struct audit_filter f = { .has_outcome = dice(3) == 0, .outcome = (enum audit_outcome)dice(5) };

	f.site = MAYBE(2, sites[dice(ARRAY_LEN(sites))], NULL);
	f.site = MAYBE(6, odd_values[dice(ARRAY_LEN(odd_values))], f.site);
	f.subject = MAYBE(3, subjects[dice(ARRAY_LEN(subjects))], NULL);
	f.subject = MAYBE(9, odd_values[dice(ARRAY_LEN(odd_values))], f.subject);
	f.kid = MAYBE(5, "k_bbbbbbbb", NULL);
	f.since = MAYBE(3, TIME_OF(dice(LOG_SIZE)), 0);
	f.until = MAYBE(3, TIME_OF(dice(LOG_SIZE)), 0);
	f.has_after = dice(5) == 0;
	f.after = dice(LOG_SIZE);
	return f;
}

#define FILTERS 24

struct expectation { struct audit_filter filter; struct found found; };

/* Without an index. */
static void expect(struct store *st, struct expectation e[FILTERS])
{
	struct txn *t = txn_read(st, ENV_LEDGER);

	assert_int_equal(txn_count(t, DB_INDEX), 0);
	for (size_t i = 0; i < FILTERS; i++) {
		e[i].filter = random_filter();
		e[i].found = scan(t, audit_scan, &e[i].filter, SIZE_MAX);
	}
	txn_abort(t);
}

static void expectations_done(struct expectation e[FILTERS])
{
	for (size_t i = 0; i < FILTERS; i++)
		free(e[i].found.seq);
}

static void assert_all_found(struct store *st, const struct expectation e[FILTERS])
{
	struct txn *t = txn_read(st, ENV_LEDGER);

	for (size_t i = 0; i < FILTERS; i++)
		assert_found(t, &e[i].filter, &e[i].found);
	txn_abort(t);
}

/* *ret_more as audit_index() says. */
static void index_some(struct store *st, size_t max, bool *ret_more)
{
	struct txn *t = txn_write(st, ENV_LEDGER);

	assert_int_equal(audit_index(t, max, ret_more), RC_OK);
	assert_int_equal(txn_end(t), RC_OK);
}

static void index_all(struct store *st)
{
	bool more = true;

	while (more)
		index_some(st, SIZE_MAX, &more);
}

/* Bundles that are indexed; none of their rows takes more than a page. */
#define PAGE_ROOM (4096 - 16)
static uint64_t index_rows(struct store *st)
{
	struct txn *t = txn_read(st, ENV_LEDGER);
	uint64_t bundles = 0;
	struct span key, row;
	struct walk w;

	walk_begin(&w, t, DB_INDEX);
	while (walk_next(&w, &key, &row)) {
		bundles += key.size == 8;
		assert_true(row.size <= PAGE_ROOM);
	}
	walk_end(&w);
	txn_abort(t);
	return bundles;
}

static bool behind(struct store *st)
{
	struct txn *t = txn_read(st, ENV_LEDGER);
	bool is = audit_index_behind(t);

	assert_int_equal(txn_rc(t), RC_OK);
	txn_abort(t);
	return is;
}

/* ---- the same as without ---- */

static void scans_find_the_same_with_any_part_of_the_index(void **state)
{
	struct expectation e[FILTERS];
	bool more = true;

	dice_state = 1;
	grow(*state, LOG_SIZE);
	plant_hostile_lines(*state, 0, LOG_SIZE, false);
	plant_hostile_lines(*state, INDEX_BUNDLE, INDEX_BUNDLE + 200, false);
	remove_some(*state, 500);
	expect(*state, e);
	for (uint64_t bundle = 1; more; bundle++) {
		index_some(*state, INDEX_BUNDLE, &more);
		assert_int_equal(index_rows(*state), bundle);
		assert_all_found(*state, e);
	}
	assert_int_equal(index_rows(*state), BUNDLES);
	expectations_done(e);
}

static void a_line_with_too_many_members_leaves_its_bundle_unindexed(void **state)
{
	struct expectation e[FILTERS];

	dice_state = 2;
	grow(*state, LOG_SIZE);
	plant_hostile_lines(*state, INDEX_BUNDLE, 2 * INDEX_BUNDLE, true);
	expect(*state, e);
	index_all(*state);
	assert_int_equal(index_rows(*state), BUNDLES - 1);
	assert_false(behind(*state));
	assert_all_found(*state, e);
	expectations_done(e);
}

/* A row that was planted before the bundle was whole does not outlive it. */
static void a_bundle_that_cannot_be_indexed_keeps_no_row(void **state)
{
	struct txn *t;

	dice_state = 9;
	grow(*state, LOG_SIZE);
	plant_hostile_lines(*state, INDEX_BUNDLE, 2 * INDEX_BUNDLE, true);
	t = txn_write(*state, ENV_LEDGER);
	put(t, DB_INDEX, 1, span_of("\0\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", INDEX_HEAD));
	assert_int_equal(txn_end(t), RC_OK);
	index_all(*state);
	assert_int_equal(index_rows(*state), BUNDLES - 1);
}

static void a_pruned_log_is_scanned_the_same(void **state)
{
	struct expectation e[FILTERS];
	const uint64_t to = INDEX_BUNDLE + 5 * AUDIT_BUNDLE;
	uint64_t next = 0;
	struct txn *t;

	dice_state = 3;
	grow(*state, LOG_SIZE);
	t = txn_write(*state, ENV_LEDGER);
	assert_int_equal(audit_prune(t, 0, to, SIZE_MAX, &next), RC_OK);
	assert_int_equal(txn_end(t), RC_OK);
	expect(*state, e);
	index_all(*state);
	assert_int_equal(index_rows(*state), BUNDLES - 1);
	assert_all_found(*state, e);
	expectations_done(e);
}

/* ---- what it is for ---- */

static size_t slices(struct store *st, scan_call call, const struct audit_filter *f, size_t rows, size_t expected)
{
	struct txn *t = txn_read(st, ENV_LEDGER);
	struct found found = scan(t, call, f, rows);

	assert_int_equal(found.count, expected);
	free(found.seq);
	txn_abort(t);
	return found.slices;
}

/* Two records of 8,192 name the subject, one of the second bundle's site is "rare". */
static void fill_with_rarities(struct store *st)
{
	struct txn *t = txn_write(st, ENV_LEDGER);

	for (uint64_t seq = 0; seq < 2 * INDEX_BUNDLE; seq++) {
		struct audit_record r = { .event = AUDIT_EVENT_ACTION, .outcome = AUDIT_OUTCOME_DONE, .time = 1000 + seq };

		snprintf(r.id, sizeof(r.id), "01JD4ZK2M3N4P5Q6R7S8T9V0WX");
		snprintf(r.site, sizeof(r.site), seq == 8000 ? "rare" : "demo");
		snprintf(r.subject, sizeof(r.subject), "%s", subjects[seq == 77 || seq == 5000]);
		assert_int_equal(audit_append(t, &r, NULL), RC_OK);
	}
	assert_int_equal(txn_end(t), RC_OK);
}

static void with_an_index_few_rows_are_looked_at(void **state)
{
	static const struct { struct audit_filter filter; size_t found, rows; } cases[] = {
		{ { .subject = "h1:00000000000000000000000000000001" }, 2, 4 },
		{ { .site = "rare" }, 1, 3 },
		{ { .site = "rare", .subject = "h1:00000000000000000000000000000001" }, 0, 2 },
		{ { .site = "demo", .has_outcome = true, .outcome = AUDIT_OUTCOME_BLOCKED }, 0, 2 },
		{ { .since = 1000 + 2 * INDEX_BUNDLE }, 0, 2 },
		{ { .until = 1000 }, 0, 2 },
		{ { .since = 1000 + INDEX_BUNDLE, .until = 1001 + INDEX_BUNDLE }, 1, INDEX_BUNDLE + 1 },
	};

	fill_with_rarities(*state);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_true(slices(*state, audit_scan, &cases[i].filter, INDEX_BUNDLE + 2, cases[i].found) > 1);
	index_all(*state);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(slices(*state, audit_scan, &cases[i].filter, cases[i].rows, cases[i].found), 1);
		assert_int_equal(slices(*state, audit_scan_back, &cases[i].filter, cases[i].rows, cases[i].found), 1);
	}
}

/* A row that is well formed and names no record. */
static void attack_an_index_that_hides_all_of_a_bundle(void **state)
{
	struct audit_filter f = { .site = "demo" };
	uint8_t row[20] = { 0 }, key[8] = { 0 };
	struct txn *t;

	fill_with_rarities(*state);
	t = txn_write(*state, ENV_LEDGER);
	memset(row + 8, 0xff, 8);
	txn_put(t, DB_INDEX, span_of(key, sizeof(key)), span_of(row, sizeof(row)));
	assert_int_equal(txn_end(t), RC_OK);
	slices(*state, audit_scan, &f, INDEX_BUNDLE, INDEX_BUNDLE - 1);
	f.unindexed = true;
	slices(*state, audit_scan, &f, INDEX_BUNDLE, 2 * INDEX_BUNDLE - 1);
	slices(*state, audit_scan_back, &f, INDEX_BUNDLE, 2 * INDEX_BUNDLE - 1);
	f.until = 1000 + INDEX_BUNDLE;
	slices(*state, audit_scan, &f, INDEX_BUNDLE, INDEX_BUNDLE);
	f.since = f.until;
	slices(*state, audit_scan, &f, INDEX_BUNDLE, 0);
}

/* For who follows the log: where nothing is left, the next record is what comes next. */
static void a_scan_that_passed_over_all_goes_on_at_the_end(void **state)
{
	struct audit_filter none = { .site = "nobody" };
	struct txn *t;
	uint64_t next = 0;
	bool end = false;

	fill_with_rarities(*state);
	index_all(*state);
	t = txn_read(*state, ENV_LEDGER);
	assert_int_equal(audit_scan(t, &none, 0, 1, find, NULL, &next, &end), RC_OK);
	assert_true(next % INDEX_BUNDLE == 0 && next > 0 && !end);
	assert_int_equal(audit_scan(t, &none, 0, 100, find, NULL, &next, &end), RC_OK);
	assert_true(next == 2 * INDEX_BUNDLE && end);
	assert_int_equal(audit_scan(t, &none, next, 100, find, NULL, &next, &end), RC_OK);
	assert_true(next == 2 * INDEX_BUNDLE && end);
	assert_int_equal(audit_scan_back(t, &none, UINT64_MAX, 1, find, NULL, &next, &end), RC_OK);
	assert_true(next % INDEX_BUNDLE == 0 && next < 2 * INDEX_BUNDLE && !end);
	assert_int_equal(audit_scan_back(t, &none, next, 100, find, NULL, &next, &end), RC_OK);
	assert_true(next == 0 && end);
	txn_abort(t);
}

/* ---- building ---- */

static void only_whole_bundles_are_indexed(void **state)
{
	bool more = true;

	dice_state = 4;
	assert_false(behind(*state));
	index_some(*state, SIZE_MAX, &more);
	assert_false(more);
	grow(*state, INDEX_BUNDLE - 1);
	assert_false(behind(*state));
	index_some(*state, SIZE_MAX, &more);
	assert_int_equal(index_rows(*state), 0);
	grow(*state, INDEX_BUNDLE);
	assert_true(behind(*state));
	index_some(*state, SIZE_MAX, &more);
	assert_false(more || behind(*state));
	assert_int_equal(index_rows(*state), 1);
	grow(*state, 3 * INDEX_BUNDLE + 1);
	index_some(*state, 2 * INDEX_BUNDLE - 1, &more);
	assert_true(more && behind(*state));
	assert_int_equal(index_rows(*state), 2);
	index_some(*state, INDEX_BUNDLE, &more);
	assert_false(more || behind(*state));
	assert_int_equal(index_rows(*state), 3);
}

static void less_than_a_bundle_cannot_be_asked_for(void **state)
{
	struct txn *t = txn_write(*state, ENV_LEDGER);
	bool more = true;

	assert_int_equal(audit_index(t, INDEX_BUNDLE - 1, &more), RC_INVALID);
	assert_int_equal(audit_index(t, 0, &more), RC_INVALID);
	assert_true(more);
	assert_int_equal(txn_end(t), RC_OK);
}

static void an_index_goes_with_the_last_record_of_its_bundle(void **state)
{
	struct txn *t;
	uint64_t next = 0;

	dice_state = 5;
	grow(*state, 2 * INDEX_BUNDLE);
	index_all(*state);
	for (uint64_t left = 2; next < 2 * INDEX_BUNDLE; left = 2 - next / INDEX_BUNDLE) {
		assert_int_equal(index_rows(*state), left);
		t = txn_write(*state, ENV_LEDGER);
		assert_int_equal(audit_prune(t, next, 2 * INDEX_BUNDLE, 3 * AUDIT_BUNDLE, &next), RC_OK);
		assert_int_equal(txn_end(t), RC_OK);
	}
	assert_int_equal(index_rows(*state), 0);
	assert_false(behind(*state));
	grow(*state, 3 * INDEX_BUNDLE);
	assert_true(behind(*state));
	index_all(*state);
	assert_int_equal(index_rows(*state), 1);
}

static void where_it_stands_is_not_believed(void **state)
{
	static const struct span rows[] = {
		{ "", 0 }, { "\0\0\0\0\0\0\2", 7 }, { "\0\0\0\0\0\0\0\2\0", 9 }, { "\0\0\0\0\0\0\0\4", 8 },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff", 8 },
	};

	dice_state = 6;
	grow(*state, LOG_SIZE);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct txn *t;

		index_all(*state);
		assert_false(behind(*state));
		t = txn_write(*state, ENV_LEDGER);
		txn_put(t, DB_LEDGER_META, span_str("indexed_parts"), rows[i]);
		put(t, DB_INDEX, 0, span_str("nonsense"));
		assert_int_equal(txn_end(t), RC_OK);
		assert_true(behind(*state));
	}
	index_all(*state);
	assert_int_equal(index_rows(*state), BUNDLES);
}

static void a_false_key_among_the_records_stops_the_index_alone(void **state)
{
	struct txn *t;
	bool more = true;

	dice_state = 7;
	grow(*state, LOG_SIZE);
	t = txn_write(*state, ENV_LEDGER);
	txn_put(t, DB_RECORDS, span_of("\0\0\0\0\0\0\0\4\0", 9), span_str("{}"));
	assert_int_equal(txn_end(t), RC_OK);
	t = txn_write(*state, ENV_LEDGER);
	assert_int_equal(audit_index(t, INDEX_BUNDLE, &more), RC_CORRUPT);
	assert_int_equal(txn_end(t), RC_CORRUPT);
	assert_int_equal(index_rows(*state), 0);
}

/* ---- rows that lie ---- */

/* In place of what is there, in parts as they have to be. */
static void put_index(struct store *st, uint64_t bundle, struct buf *row)
{
	struct txn *t = txn_write(st, ENV_LEDGER);
	size_t count = (row->size - INDEX_HEAD) / INDEX_ENTRY, at = 0;

	for (size_t i = 0; i < 4; i++)
		row->data[INDEX_HEAD - 1 - i] = (char)(count >> 8 * i);
	index_forget(t, bundle);
	for (size_t part = 0; part == 0 || part * INDEX_PART < count; part++) {
		size_t end = INDEX_HEAD + INDEX_ENTRY * (count < (part + 1) * INDEX_PART ? count : (part + 1) * INDEX_PART);
		uint8_t key[INDEX_KEY];

		txn_put(t, DB_INDEX, index_key(key, bundle, part), span_of(row->data + at, end - at));
		at = end;
	}
	assert_int_equal(txn_end(t), RC_OK);
}

/* The first part alone, as it is given; the others stay. */
static void put_first(struct store *st, uint64_t bundle, struct span row)
{
	struct txn *t = txn_write(st, ENV_LEDGER);

	put(t, DB_INDEX, bundle, row);
	assert_int_equal(txn_end(t), RC_OK);
}

/* All times; the entries are as given. */
static void row_begin(struct buf *row)
{
	buf_clear(row);
	buf_put_u64(row, 0);
	buf_put_u64(row, UINT64_MAX);
	buf_put_u32(row, 0);
}

static void row_add(struct buf *row, uint32_t hash, uint16_t record)
{
	buf_put_u32(row, hash);
	buf_put_u8(row, (uint8_t)(record >> 8));
	buf_put_u8(row, (uint8_t)record);
}

static uint32_t hash_of(const char *text)
{
	return index_hash(span_str(text));
}

/* A log, and what a filter for demo finds in it; its bundle 1 gets another row. */
struct lied_to { struct audit_filter filter; struct found truth; };

static struct lied_to before_the_lie(struct store *st)
{
	struct lied_to l = { .filter = { .site = "demo" } };
	struct txn *t;

	dice_state = 8;
	grow(st, LOG_SIZE);
	t = txn_read(st, ENV_LEDGER);
	l.truth = scan(t, audit_scan, &l.filter, SIZE_MAX);
	txn_abort(t);
	index_all(st);
	return l;
}

static void assert_no_harm(struct store *st, const struct lied_to *l)
{
	struct txn *t = txn_read(st, ENV_LEDGER);

	assert_found(t, &l->filter, &l->truth);
	txn_abort(t);
}

static void a_row_that_does_not_decode_is_none(void **state)
{
	struct lied_to l = before_the_lie(*state);
	struct buf row = BUF_INIT;

	for (size_t size = 0; size < 64; size++) {
		buf_clear(&row);
		if (size > 0)
			memset(buf_extend(&row, size), 1, size);           /* of 16,843,009 entries */
		put_first(*state, 1, buf_span(&row));
		assert_no_harm(*state, &l);
	}
	for (uint32_t count = 1; count < 5000; count += 97) {
		row_begin(&row);
		row.data[INDEX_HEAD - 2] = (char)(count >> 8);
		row.data[INDEX_HEAD - 1] = (char)count;
		memset(buf_extend(&row, INDEX_ENTRY * 5), 0, INDEX_ENTRY * 5);  /* fewer than it says, or more */
		put_first(*state, 1, buf_span(&row));
		assert_no_harm(*state, &l);
	}
	row_begin(&row);
	memset(buf_extend(&row, (INDEX_ENTRIES_MAX + 1) * INDEX_ENTRY), 0, (INDEX_ENTRIES_MAX + 1) * INDEX_ENTRY);
	put_index(*state, 1, &row);
	assert_no_harm(*state, &l);
	row_begin(&row);
	for (size_t i = 0; i < 4; i++)
		row_add(&row, hash_of("\"site\":\"demo\""), i == 2 ? INDEX_BUNDLE : (uint16_t)i);
	put_index(*state, 1, &row);
	assert_no_harm(*state, &l);
	row_begin(&row);
	row_add(&row, hash_of("\"site\":\"demo\""), UINT16_MAX);
	put_index(*state, 1, &row);
	assert_no_harm(*state, &l);
	buf_done(&row);
	free(l.truth.seq);
}

/* A part that is gone, or is another's, is found out: all records are looked at. */
static void an_index_without_one_of_its_parts_is_none(void **state)
{
	struct lied_to l = before_the_lie(*state);

	for (size_t part = 1; part < 8; part++) {
		struct txn *t = txn_write(*state, ENV_LEDGER);
		uint8_t key[INDEX_KEY];

		if (part % 2)
			assert_true(txn_del(t, DB_INDEX, index_key(key, part % 3, part)));
		else
			txn_put(t, DB_INDEX, index_key(key, part % 3, part), span_str("short"));
		assert_int_equal(txn_end(t), RC_OK);
		assert_no_harm(*state, &l);
	}
	free(l.truth.seq);
}

static void a_row_that_names_every_record_shows_none_it_should_not(void **state)
{
	struct lied_to l = before_the_lie(*state);
	struct buf row = BUF_INIT;

	row_begin(&row);
	for (size_t i = 0; i < 2 * INDEX_BUNDLE; i++)
		row_add(&row, hash_of("\"site\":\"demo\""), (uint16_t)(i * 7 % INDEX_BUNDLE));
	put_index(*state, 1, &row);
	assert_no_harm(*state, &l);
	buf_done(&row);
	free(l.truth.seq);
}

/* What it can do. */
static void a_row_that_lies_can_only_hide(void **state)
{
	struct lied_to l = before_the_lie(*state);
	struct buf row = BUF_INIT;
	struct found found;
	struct txn *t;

	for (int round = 0; round < 20; round++) {
		row_begin(&row);
		for (size_t i = 0; i < 1 + dice(5000); i++)
			row_add(&row, dice(2) ? hash_of("\"site\":\"demo\"") : (uint32_t)dice(UINT32_MAX),
			        (uint16_t)dice(INDEX_BUNDLE));
		put_index(*state, 1, &row);
		t = txn_read(*state, ENV_LEDGER);
		found = scan(t, audit_scan, &l.filter, 1 + dice(3000));
		for (size_t i = 0, truth = 0; i < found.count; i++) {
			while (truth < l.truth.count && l.truth.seq[truth] != found.seq[i])
				assert_int_equal(l.truth.seq[truth++] / INDEX_BUNDLE, 1);
			assert_in_range(truth++, 0, l.truth.count - 1);
		}
		free(found.seq);
		found = scan(t, audit_scan, &(struct audit_filter){ .site = NULL }, SIZE_MAX);
		assert_int_equal(found.count, LOG_SIZE);
		free(found.seq);
		txn_abort(t);
	}
	buf_done(&row);
	free(l.truth.seq);
}

static void a_row_of_the_unfinished_bundle_is_none(void **state)
{
	struct lied_to l = before_the_lie(*state);
	struct buf row = BUF_INIT;

	row_begin(&row);
	for (uint64_t bundle = BUNDLES; bundle < BUNDLES + 3; bundle++)
		put_index(*state, bundle, &row);
	put_index(*state, UINT64_MAX, &row);
	assert_no_harm(*state, &l);
	buf_done(&row);
	free(l.truth.seq);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(scans_find_the_same_with_any_part_of_the_index),
		TEST(a_line_with_too_many_members_leaves_its_bundle_unindexed),
		TEST(a_bundle_that_cannot_be_indexed_keeps_no_row),
		TEST(a_pruned_log_is_scanned_the_same),
		TEST(with_an_index_few_rows_are_looked_at),
		TEST(attack_an_index_that_hides_all_of_a_bundle),
		TEST(a_scan_that_passed_over_all_goes_on_at_the_end),
		TEST(only_whole_bundles_are_indexed),
		TEST(less_than_a_bundle_cannot_be_asked_for),
		TEST(an_index_goes_with_the_last_record_of_its_bundle),
		TEST(where_it_stands_is_not_believed),
		TEST(a_false_key_among_the_records_stops_the_index_alone),
		TEST(a_row_that_does_not_decode_is_none),
		TEST(an_index_without_one_of_its_parts_is_none),
		TEST(a_row_that_names_every_record_shows_none_it_should_not),
		TEST(a_row_that_lies_can_only_hide),
		TEST(a_row_of_the_unfinished_bundle_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
