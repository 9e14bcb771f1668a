/* test_export.c -- the forms of an export, byte for byte with the files in golden/, over ordinary and hostile lines; and
 * what must be true of every row whatever the line. POSTERN_WRITE_GOLDEN=1 writes the files instead: read the diff. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "audit/audit.h"
#include "base/file.h"
#include "base/text.h"
#include "tests/lib/tmpstore.h"

#include <stdio.h>
#include <stdlib.h>

#define GOLDEN "tests/unit/audit/golden/export."
#define GOLDEN_MAX (1u << 20)
#define ORIGIN "postern/shop.example.com/0b9c4d1e-7a53-4f0e-9d7e-2f3f6f1f5a11"

#define ID "\"id\":\"01JD4ZK2M3N4P5Q6R7S8T9V0WX\""

static const char *const lines[] = {
	/* as they are written */
	"{\"action\":\"track_order\",\"conversation\":\"5f0c2a917bd34e68\",\"duration_ms\":12,\"effect\":\"read\",\"event\":\"action\"," ID
	",\"kid\":\"k_7f3aqc2d\",\"outcome\":\"done\",\"remote\":\"203.0.113.0/24\",\"seq\":0,\"site\":\"demo\",\"status\":200,"
	"\"subject\":\"h1:3f00000000000000000000000000000f\",\"time\":1763690000123456,\"token\":\"9c1d22aa\",\"v\":1}",
	"{\"action\":\"cancel_order\",\"effect\":\"destructive\",\"event\":\"action\"," ID ",\"ignored\":[\"/email\",\"/parameters/name\"],"
	"\"outcome\":\"blocked\",\"reason\":\"token_expired\",\"remote\":\"2001:db8:0:ff00::/56\",\"seq\":1,\"site\":\"demo\","
	"\"status\":401,\"time\":1763690000123457,\"v\":1}",
	"{\"count\":4711,\"event\":\"identity\",\"first\":1763690000000000,"
	ID ",\"last\":1763690009999999,\"outcome\":\"blocked\",\"reason\":\"key_retired\",\"kid_claimed\":\"k_aaaaaaaa\",\"seq\":2,"
	"\"site\":\"demo\",\"time\":1763690010000000,\"v\":1}",
	"{\"actor\":\"1000:alice\",\"detail\":{\"change\":\"create\",\"fingerprint\":\"9c1d22aa\",\"label\":\"a, \\\"b\\\" | c=d \\\\ ]\"},"
	"\"event\":\"key\"," ID ",\"kid\":\"k_7f3aqc2d\",\"outcome\":\"done\",\"seq\":3,\"site\":\"demo\",\"time\":1763690000123458,\"v\":1}",
	"{\"actor\":\"-:root\",\"detail\":{\"change\":\"export\",\"with_identity\":true},\"event\":\"audit\"," ID
	",\"outcome\":\"done\",\"seq\":4,\"time\":1763690000123459,\"v\":1}",
	/* as somebody who took a worker over may write them */
	"{\"site\":\"a\\\"b|c=d\\\\e]f,g;h\",\"action\":\"\\n\\r\\t\\u001b[31m\\u007f\\u0085\\u2028\",\"event\":\"e|v\\\\\",\"outcome\":\"o\\nx\","
	"\"reason\":\"r=1|cs1=forged\\\\\",\"seq\":5}",
	"{\"site\":\"=1+1\",\"action\":\"+1\",\"kid\":\"-1\",\"token\":\"@SUM(A1)\",\"subject\":\"'quoted\",\"remote\":\" =1\","
	"\"conversation\":\"\\uff1d1\",\"actor\":\"\\t=1\",\"expiry\":\"\\\"=1\\\"\",\"seq\":6}",
	"{\"seq\":999,\"time\":-5,\"status\":\"200\",\"count\":1.5,\"site\":7,\"subject\":{\"a\":[1]},\"detail\":\"text\",\"outcome\":null,"
	"\"first\":9007199254740992,\"last\":9007199254740991,\"unknown\":\"\\u202e\",\"\\\"=\\n|\":true}",
	"{\"detail\":{\"change\":[\"x\"],\"\\u202e=\":1},\"ignored\":{},\"event\":\"key\",\"outcome\":\"perhaps\",\"seq\":8,\"v\":1}",
	"{\"outcome\":\"done|\",\"effect\":\"write\",\"seq\":9,\"token\":\"ends with a pipe |\",\"kid\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}",
	"{}",
	"",
	"not a record \x1b[2J\n\"\\",
	"{\"site\":\"invalid \xff\xfe utf-8\"}",
	"{\"seq\":14,\"seq\":14}",
	"[\"seq\",15]",
	"{\"seq\":16",
};

/* What is too long for a golden file: seq 17 and 18. */
static char *long_line(size_t size)
{
	char *line = malloc(size + 1);

	assert_non_null(line);
	memset(line, 'x', size);
	memcpy(line, "{\"site\":\"", 9);
	memcpy(line + size - 2, "\"}", 3);
	return line;
}

/* ---- a row ---- */

static const struct audit_identity alex = { "=alex+\"|x\"@example.com", "Al=ex | \\ \"A\"\n", 0 };

static void make_row(struct buf *out, const char *form, uint64_t seq, struct span line, bool joined)
{
	struct audit_row row = { .origin = ORIGIN, .seq = seq, .line = line, .joined = joined };
	const struct audit_form *f = audit_form_find(form);
	json_t *record = NULL;

	assert_non_null(f);
	if (json_strict(line, 32, &record, NULL) == RC_OK && json_is_object(record))
		row.record = record;
	row.who = joined && json_object_get(record, "subject") ? &alex : NULL;
	assert_int_equal(f->row(out, &row), RC_OK);
	assert_false(out->failed);
	json_decref(record);
}

typedef void (*each_row)(const char *form, uint64_t seq, struct span line, const struct buf *row);

static void for_each(const char *form, each_row each)
{
	struct buf row = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		buf_clear(&row);
		make_row(&row, form, i, span_str(lines[i]), true);
		each(form, i, span_str(lines[i]), &row);
	}
	for (size_t i = 0; i < 2; i++) {
		char *line = long_line(AUDIT_LINE_MAX + i);

		buf_clear(&row);
		make_row(&row, form, ARRAY_LEN(lines) + i, span_str(line), true);
		each(form, ARRAY_LEN(lines) + i, span_str(line), &row);
		free(line);
	}
	buf_done(&row);
}

/* ---- golden files ---- */

static void assert_golden(const char *form)
{
	const struct audit_form *f = audit_form_find(form);
	struct buf made = BUF_INIT, kept = BUF_INIT;
	char path[128];

	snprintf(path, sizeof(path), GOLDEN "%s", form);
	for (int joined = 0; joined < 2; joined++) {
		if (f->head)
			f->head(&made, joined);
		if (f->head)
			buf_add_str(&made, f->row_end);
		for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
			make_row(&made, form, i, span_str(lines[i]), joined);
			buf_add_str(&made, f->row_end);
		}
	}
	if (getenv("POSTERN_WRITE_GOLDEN"))
		assert_int_equal(file_replace(path, buf_span(&made), 0644), RC_OK);
	assert_int_equal(file_read(path, GOLDEN_MAX, &kept), RC_OK);
	assert_int_equal(made.size, kept.size);
	assert_memory_equal(made.data, kept.data, made.size);
	buf_done(&made);
	buf_done(&kept);
}

static void csv_is_as_it_was(void **state) { (void)state; assert_golden("csv"); }
static void ecs_is_as_it_was(void **state) { (void)state; assert_golden("ecs"); }
static void cef_is_as_it_was(void **state) { (void)state; assert_golden("cef"); }

static void there_is_no_other_form(void **state)
{
	(void)state;
	assert_null(audit_form_find("json"));
	assert_null(audit_form_find(""));
	assert_null(audit_form_find("CSV"));
}

/* ---- what is true of every row ---- */

/* One line of text that no terminal and no reader of lines takes for more. */
static void is_harmless(const char *form, uint64_t seq, struct span line, const struct buf *row)
{
	const uint8_t *at = (const uint8_t *)row->data, *end = at + row->size;

	(void)form;
	(void)line;
	(void)seq;
	while (at < end) {
		uint32_t cp = utf8_next(&at, end);

		assert_true(cp != UTF8_BAD && !text_is_bidi(cp));
		assert_false(text_is_control(cp));
	}
}

static void has_seq_and_leaf(const char *form, uint64_t seq, struct span line, const struct buf *row)
{
	struct tree_hash leaf;
	char hex[2 * TREE_HASH_SIZE + 1], number[64];

	assert_int_equal(tree_leaf(line, &leaf), RC_OK);
	hex_encode(hex, leaf.at, sizeof(leaf.at));
	assert_non_null(strstr(row->data, hex));
	assert_non_null(strstr(row->data, ORIGIN));
	snprintf(number, sizeof(number), strcmp(form, "csv") == 0 ? ",%llu," :
	         strcmp(form, "ecs") == 0 ? "\"sequence\":%llu," : "externalId=%llu ", (unsigned long long)seq);
	assert_non_null(strstr(row->data, number));
}

static void every_row_is_one_harmless_line(void **state)
{
	(void)state;
	for_each("csv", is_harmless);
	for_each("ecs", is_harmless);
	for_each("cef", is_harmless);
}

static void every_row_leads_to_its_proof(void **state)
{
	(void)state;
	for_each("csv", has_seq_and_leaf);
	for_each("ecs", has_seq_and_leaf);
	for_each("cef", has_seq_and_leaf);
}

/* Cells of RFC 4180, so many as the head has. */
static size_t cells(const char *row)
{
	bool quoted = false;
	size_t count = 1;

	for (; *row; row++) {
		if (*row == '"')
			quoted = !quoted;
		else if (*row == ',' && !quoted)
			count++;
	}
	assert_false(quoted);
	return count;
}

static void has_all_cells(const char *form, uint64_t seq, struct span line, const struct buf *row)
{
	struct buf head = BUF_INIT;

	(void)seq;
	(void)line;
	audit_form_find(form)->head(&head, true);
	assert_int_equal(cells(row->data), cells(head.data));
	buf_done(&head);
}

static void every_csv_row_has_all_cells(void **state)
{
	(void)state;
	for_each("csv", has_all_cells);
}

static void is_json(const char *form, uint64_t seq, struct span line, const struct buf *row)
{
	json_t *document = NULL;

	(void)form;
	(void)seq;
	(void)line;
	assert_int_equal(json_strict(buf_span(row), 8, &document, NULL), RC_OK);
	assert_true(json_is_string(json_object_get(document, "@timestamp")));
	json_decref(document);
}

static void every_ecs_row_is_json_without_a_name_twice(void **state)
{
	(void)state;
	for_each("ecs", is_json);
}

/* Seven pipes of the header, then keys of letters and digits, each once, before an equals sign that is not escaped. */
static void is_cef(const char *form, uint64_t seq, struct span line, const struct buf *row)
{
	size_t pipes = 0;
	char name[64];

	(void)form;
	(void)seq;
	(void)line;
	for (const char *at = row->data; *at; at++) {
		if (*at == '\\') {
			assert_true(at[1] && strchr(pipes < 7 ? "\\|" : "\\=nr", at[1]));
			at++;
		} else if (*at == '|' && pipes < 7) {
			pipes++;
		} else if (*at == '=' && pipes == 7) {
			const char *key = at;

			while (ascii_is_alpha(key[-1]) || ascii_is_digit(key[-1]))
				key--;
			assert_true(key < at && (key[-1] == ' ' || strncmp(key, "externalId", 10) == 0));
			snprintf(name, sizeof(name), "%.*s", (int)(at - key + 2), key - 1);
			assert_ptr_equal(strstr(row->data, name), key - 1);
		}
	}
	assert_int_equal(pipes, 7);
}

static void every_cef_row_keeps_to_its_frame(void **state)
{
	(void)state;
	for_each("cef", is_cef);
}

static void is_stored(const char *form, uint64_t seq, struct span line, const struct buf *row)
{
	const char *joined = row->data ? strstr(row->data, ",\"identity\":") : NULL;

	(void)form;
	(void)seq;
	if (!joined) {
		assert_true(span_equal(buf_span(row), line));
	} else {
		assert_memory_equal(row->data, line.data, line.size - 1);
		assert_ptr_equal(joined, row->data + line.size - 1);
	}
}

static void jsonl_rows_are_the_stored_bytes_with_the_identity_last(void **state)
{
	(void)state;
	for_each("jsonl", is_stored);
}

static void a_line_longer_than_any_record_is_cut_and_no_record(void **state)
{
	char *just = long_line(AUDIT_LINE_MAX), *over = long_line(AUDIT_LINE_MAX + 1);
	struct buf row = BUF_INIT;

	(void)state;
	make_row(&row, "ecs", 0, span_str(just), false);
	assert_non_null(strstr(row.data, "\"kind\":\"event\""));
	buf_clear(&row);
	make_row(&row, "ecs", 0, span_str(over), false);
	assert_non_null(strstr(row.data, "\"kind\":\"pipeline_error\""));
	assert_in_range(row.size, AUDIT_LINE_MAX, AUDIT_LINE_MAX + 2048);
	buf_done(&row);
	free(just);
	free(over);
}

/* ---- the lines that prove ---- */

static void lines_that_prove_are_canonical(void **state)
{
	struct tree_range range = { .size = 3, .count = 2 };
	struct tree_proof proof = { .count = 1 };
	struct buf out = BUF_INIT;

	(void)state;
	memset(range.hash[1].at, 0xff, TREE_HASH_SIZE);
	audit_form_range(&out, &range);
	assert_string_equal(out.data, "{\"export\":1,\"first\":3,\"hashes\":[\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\","
	                    "\"//////////////////////////////////////////8=\"]}");
	buf_clear(&out);
	audit_form_proof(&out, 7, &proof);
	assert_string_equal(out.data, "{\"proof\":[\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"],\"seq\":7}");
	buf_clear(&out);
	proof.count = 0;
	audit_form_consistency(&out, 256, &proof);
	assert_string_equal(out.data, "{\"consistency\":[],\"size\":256}");
	buf_done(&out);
}

/* ---- the stored lines ---- */

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

static void put_row(struct store *st, struct span key, struct span line)
{
	struct txn *t = txn_write(st, ENV_LEDGER);

	txn_put(t, DB_RECORDS, key, line);
	assert_int_equal(txn_end(t), RC_OK);
}

static void put_line(struct store *st, uint64_t seq)
{
	char line[32];
	uint8_t key[8];

	be64_put(key, seq);
	snprintf(line, sizeof(line), "line %llu", (unsigned long long)seq);
	put_row(st, span_of(key, sizeof(key)), span_str(line));
}

struct seen { char text[256]; size_t count, stop_at; };

static bool see(uint64_t seq, struct span line, const json_t *record, void *arg)
{
	struct seen *s = arg;
	char expected[32];

	assert_null(record);
	snprintf(expected, sizeof(expected), "line %llu", (unsigned long long)seq);
	assert_true(span_is(line, expected));
	snprintf(s->text + strlen(s->text), sizeof(s->text) - strlen(s->text), "%llu ", (unsigned long long)seq);
	return ++s->count != s->stop_at;
}

static enum rc slice(struct store *st, uint64_t from, size_t rows, struct seen *s, uint64_t *ret_next, bool *ret_end)
{
	struct txn *t = txn_read(st, ENV_LEDGER);
	enum rc rc = audit_lines(t, from, rows, see, s, ret_next, ret_end);

	txn_abort(t);
	return rc;
}

static void stored_lines_come_in_slices_each_once(void **state)
{
	struct seen s = { .count = 0 };
	uint64_t next = 0;
	bool end = true;

	assert_int_equal(slice(*state, 0, 4, &s, &next, &end), RC_OK);
	assert_true(end && next == 0 && s.count == 0);
	for (uint64_t seq = 3; seq < 10; seq++)
		put_line(*state, seq);
	assert_int_equal(slice(*state, 0, 4, &s, &next, &end), RC_OK);
	assert_true(!end && next == 7);
	assert_int_equal(slice(*state, next, 4, &s, &next, &end), RC_OK);
	assert_true(end && next == 10);
	assert_string_equal(s.text, "3 4 5 6 7 8 9 ");
	assert_int_equal(slice(*state, next, 4, &s, &next, &end), RC_OK);
	assert_true(end && next == 10 && s.count == 7);
	s = (struct seen){ .stop_at = 2 };
	assert_int_equal(slice(*state, 5, 4, &s, &next, &end), RC_OK);
	assert_true(!end && next == 7);
	assert_string_equal(s.text, "5 6 ");
}

static void a_false_key_is_corrupt(void **state)
{
	struct seen s = { .count = 0 };
	uint64_t next = 0;
	bool end = false;

	put_line(*state, 0);
	put_row(*state, span_of("\xff\xff\xff\xff\xff\xff\xff\xff", 8), span_str("x"));
	assert_int_equal(slice(*state, 0, 4, &s, &next, &end), RC_CORRUPT);
	assert_string_equal(s.text, "0 ");
	put_row(*state, span_of("\1", 1), span_str("x"));
	assert_int_equal(slice(*state, 1, 4, &s, &next, &end), RC_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(csv_is_as_it_was),
		cmocka_unit_test(ecs_is_as_it_was),
		cmocka_unit_test(cef_is_as_it_was),
		cmocka_unit_test(there_is_no_other_form),
		cmocka_unit_test(every_row_is_one_harmless_line),
		cmocka_unit_test(every_row_leads_to_its_proof),
		cmocka_unit_test(every_csv_row_has_all_cells),
		cmocka_unit_test(every_ecs_row_is_json_without_a_name_twice),
		cmocka_unit_test(every_cef_row_keeps_to_its_frame),
		cmocka_unit_test(jsonl_rows_are_the_stored_bytes_with_the_identity_last),
		cmocka_unit_test(a_line_longer_than_any_record_is_cut_and_no_record),
		cmocka_unit_test(lines_that_prove_are_canonical),
		cmocka_unit_test_setup_teardown(stored_lines_come_in_slices_each_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_false_key_is_corrupt, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
