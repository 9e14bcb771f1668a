/* test_codec.c -- rows are hostile until every length was checked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/codec.h"

static void a_row_reads_back_as_it_was_written(void **state)
{
	struct buf b = BUF_INIT;
	struct dec d;
	char text[8];

	(void)state;
	buf_put_u8(&b, 0xfe);
	buf_put_u32(&b, 0x01020304);
	buf_put_u64(&b, UINT64_MAX - 1);
	buf_put_bytes(&b, span_str("text"));
	buf_put_bytes(&b, span_of(NULL, 0));
	buf_add_str(&b, "xyz");
	d = dec_of(buf_span(&b));
	assert_int_equal(dec_u8(&d), 0xfe);
	assert_int_equal(dec_u32(&d), 0x01020304);
	assert_true(dec_u64(&d) == UINT64_MAX - 1);
	dec_text(&d, text, sizeof(text));
	assert_string_equal(text, "text");
	assert_int_equal(dec_bytes(&d).size, 0);
	assert_false(dec_end(&d));
	assert_true(span_is(dec_fixed(&d, 3), "xyz"));
	assert_true(dec_end(&d));
	buf_done(&b);
}

static void every_shortened_row_is_bad(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	buf_put_u64(&b, 1);
	buf_put_bytes(&b, span_str("abc"));
	for (size_t size = 0; size < b.size; size++) {
		struct dec d = dec_of(span_of(b.data, size));

		dec_u64(&d);
		dec_bytes(&d);
		assert_false(dec_end(&d));
	}
	buf_done(&b);
}

static void a_length_past_the_end_yields_nothing(void **state)
{
	static const uint8_t row[] = { 0xff, 0xff, 0xff, 0xff, 'a', 'b' };
	struct dec d = dec_of(span_of(row, sizeof(row)));

	(void)state;
	assert_int_equal(dec_bytes(&d).size, 0);
	assert_true(d.bad);
	assert_int_equal(dec_u8(&d), 0);
	assert_false(dec_end(&d));
}

static void bytes_left_over_are_bad(void **state)
{
	struct dec d = dec_of(span_of("ab", 2));

	(void)state;
	dec_u8(&d);
	assert_false(dec_end(&d));
	assert_false(d.bad);
}

static void text_with_a_nul_or_too_long_is_bad(void **state)
{
	static const uint8_t nul[] = { 0, 0, 0, 3, 'a', 0, 'b' };
	static const uint8_t four[] = { 0, 0, 0, 4, 'a', 'b', 'c', 'd' };
	char out[4] = "old";
	struct dec d = dec_of(span_of(nul, sizeof(nul)));

	(void)state;
	dec_text(&d, out, sizeof(out));
	assert_true(d.bad);
	assert_string_equal(out, "");
	d = dec_of(span_of(four, sizeof(four)));
	dec_text(&d, out, sizeof(out));
	assert_true(d.bad);
	assert_string_equal(out, "");
}

static void an_empty_row_ends_at_once(void **state)
{
	struct dec d = dec_of(span_of(NULL, 0));

	(void)state;
	assert_true(dec_end(&d));
	assert_int_equal(dec_u8(&d), 0);
	assert_true(d.bad);
}

static void big_endian_keys_sort_as_numbers(void **state)
{
	static const uint64_t numbers[] = { 0, 1, 255, 256, UINT32_MAX, UINT64_C(1) << 40, UINT64_MAX };
	uint8_t last[8] = { 0 }, key[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		be64_put(key, numbers[i]);
		assert_true(be64_get(key) == numbers[i]);
		if (i)
			assert_true(memcmp(last, key, 8) < 0);
		memcpy(last, key, 8);
	}
	for (size_t i = 0; i < ARRAY_LEN(numbers) && numbers[i] <= UINT32_MAX; i++) {
		be32_put(key, (uint32_t)numbers[i]);
		be64_put(last, numbers[i]);
		assert_memory_equal(key, last + 4, 4);
		assert_int_equal(be32_get(key), numbers[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_reads_back_as_it_was_written),
		cmocka_unit_test(every_shortened_row_is_bad),
		cmocka_unit_test(a_length_past_the_end_yields_nothing),
		cmocka_unit_test(bytes_left_over_are_bad),
		cmocka_unit_test(text_with_a_nul_or_too_long_is_bad),
		cmocka_unit_test(an_empty_row_ends_at_once),
		cmocka_unit_test(big_endian_keys_sort_as_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
