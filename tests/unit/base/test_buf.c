/* test_buf.c -- the growing buffer, and its JSON strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"

#include <stdlib.h>

static void adds_end_up_in_order(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_add_str(&b, "a");
	buf_add_char(&b, 'b');
	buf_addf(&b, "%s-%d", "c", -5);
	buf_add_u64(&b, 0);
	buf_add_u64(&b, UINT64_MAX);
	buf_add_span(&b, span_of(NULL, 0));
	assert_false(b.failed);
	assert_string_equal(b.data, "abc--5018446744073709551615");
	assert_int_equal(b.size, strlen(b.data));
	buf_done(&b);
}

static void a_large_buffer_keeps_every_byte(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_add_char(&b, (char)('a' + i % 26));
	assert_int_equal(b.size, 100000);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
	assert_int_equal(b.data[b.size], 0);
	buf_done(&b);
}

static void an_impossible_size_fails_for_good(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_add_str(&b, "kept");
	assert_null(buf_extend(&b, SIZE_MAX));
	assert_true(b.failed);
	buf_add_str(&b, " not added");
	assert_int_equal(b.size, 4);
	assert_null(buf_take(&b));
	assert_null(b.data);
}

static void clearing_forgets_a_failure(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_add_str(&b, "old");
	b.failed = true;
	buf_clear(&b);
	buf_add_str(&b, "new");
	assert_string_equal(b.data, "new");
	buf_done(&b);
}

static void taking_hands_over_the_memory(void **state)
{
	struct buf b = BUF_INIT;
	char *taken;

	(void)state;
	buf_add_str(&b, "mine");
	taken = buf_take(&b);
	assert_string_equal(taken, "mine");
	assert_null(b.data);
	assert_null(buf_take(&b));
	free(taken);
}

static void extending_gives_zeroed_room(void **state)
{
	struct buf b = BUF_INIT;
	char *at;

	(void)state;
	buf_add_str(&b, "x");
	at = buf_extend(&b, 3);
	assert_memory_equal(at, "\0\0\0", 3);
	memcpy(at, "abc", 3);
	assert_string_equal(b.data, "xabc");
	buf_done(&b);
}

static void json_of(struct span text, const char *expected)
{
	struct buf b = BUF_INIT;

	buf_add_json(&b, text);
	assert_string_equal(b.data, expected);
	buf_done(&b);
}

static void json_strings_are_ascii(void **state)
{
	(void)state;
	json_of(span_of(NULL, 0), "\"\"");
	json_of(span_str("plain"), "\"plain\"");
	json_of(span_str("a\"b\\c/\n\x01"), "\"a\\\"b\\\\c/\\n\\u0001\"");
	json_of(span_str("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\\u00E9\\u20AC\\uD83D\\uDE00\"");
	json_of(span_of("a\0b", 3), "\"a\\u0000b\"");
}

static void bytes_that_are_not_utf8_are_replaced_one_each(void **state)
{
	(void)state;
	json_of(span_str("a\xff\xc0\x80z"), "\"a\\uFFFD\\uFFFD\\uFFFDz\"");
	json_of(span_str("\xed\xa0\x80"), "\"\\uFFFD\\uFFFD\\uFFFD\"");
	json_of(span_str("\xe2\x82"), "\"\\uFFFD\\uFFFD\"");
}

/* Records are hashed: a line built by hand and one dumped from a tree must be the same bytes. */
static void json_strings_are_spelled_as_the_canonical_text(void **state)
{
	static const uint32_t samples[] = { 0x7e, 0x7f, 0x80, 0xe9, 0x7ff, 0x800, 0x2028, 0xfffd, 0xffff, 0x10000, 0x10ffff };
	struct buf mine = BUF_INIT, canonical = BUF_INIT;
	char text[8];

	(void)state;
	for (uint32_t i = 1; i < 0x80 + ARRAY_LEN(samples); i++) {
		uint32_t cp = i < 0x80 ? i : samples[i - 0x80];
		size_t n = 0;
		json_t *value;

		if (cp < 0x80) {
			text[n++] = (char)cp;
		} else if (cp < 0x800) {
			text[n++] = (char)(0xc0 | cp >> 6);
		} else if (cp < 0x10000) {
			text[n++] = (char)(0xe0 | cp >> 12);
			text[n++] = (char)(0x80 | (cp >> 6 & 0x3f));
		} else {
			text[n++] = (char)(0xf0 | cp >> 18);
			text[n++] = (char)(0x80 | (cp >> 12 & 0x3f));
			text[n++] = (char)(0x80 | (cp >> 6 & 0x3f));
		}
		if (cp >= 0x80)
			text[n++] = (char)(0x80 | (cp & 0x3f));
		value = json_stringn(text, n);
		assert_non_null(value);
		buf_clear(&mine);
		buf_clear(&canonical);
		buf_add_json(&mine, span_of(text, n));
		json_canonical(&canonical, value);
		json_decref(value);
		assert_string_equal(mine.data, canonical.data);
	}
	buf_done(&mine);
	buf_done(&canonical);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_end_up_in_order),
		cmocka_unit_test(a_large_buffer_keeps_every_byte),
		cmocka_unit_test(an_impossible_size_fails_for_good),
		cmocka_unit_test(clearing_forgets_a_failure),
		cmocka_unit_test(taking_hands_over_the_memory),
		cmocka_unit_test(extending_gives_zeroed_room),
		cmocka_unit_test(json_strings_are_ascii),
		cmocka_unit_test(bytes_that_are_not_utf8_are_replaced_one_each),
		cmocka_unit_test(json_strings_are_spelled_as_the_canonical_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
