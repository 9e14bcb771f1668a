/* test_encode.c -- bytes as text, one spelling a value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/codes.h"
#include "base/encode.h"

static void decoded(const char *text, const char *expected, long size)
{
	uint8_t out[16];

	assert_int_equal(base64url_decode(out, sizeof(out), span_str(text)), size);
	if (size > 0)
		assert_memory_equal(out, expected, (size_t)size);
}

static void base64url_decodes_the_known_answers(void **state)
{
	(void)state;
	decoded("", "", 0);
	decoded("Zg", "f", 1);
	decoded("Zm8", "fo", 2);
	decoded("Zm9v", "foo", 3);
	decoded("Zm9vYmE", "fooba", 5);
	decoded("-_-_", "\xfb\xff\xbf", 3);
}

static void a_second_spelling_of_base64url_is_refused(void **state)
{
	static const char *const bad[] = {
		"Z", "Zm9vY", "Zh", "Zm9", "Zg==", "Zg=", "+_+_", "Zm/v", "Zm9v\n", " Zm9v",
		"Zm.v", "Z\xc3\xa9v", "Zm9v=", "Zj", "Zm-",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		decoded(bad[i], NULL, -1);
	assert_int_equal(base64url_decode((uint8_t[4]){ 0 }, 4, span_of("Zm\0v", 4)), -1);
}

/* Every byte in every place of a text of several groups. */
static void base64url_holds_no_other_byte(void **state)
{
	char text[21];
	uint8_t out[16];

	(void)state;
	for (size_t at = 0; at < sizeof(text) - 1; at++) {
		for (int byte = 0; byte < 256; byte++) {
			bool digit = byte && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", byte);

			memset(text, 'A', sizeof(text));
			text[at] = (char)byte;
			assert_int_equal(base64url_run(span_of(text, sizeof(text) - 1)), digit ? sizeof(text) - 1 : at);
			assert_int_equal(base64url_decode(out, sizeof(out), span_of(text, sizeof(text) - 1)), digit ? 15 : -1);
		}
	}
	assert_int_equal(base64url_run(span_of(NULL, 0)), 0);
}

static void base64url_stays_within_its_room(void **state)
{
	uint8_t out[3];
	char text[5];

	(void)state;
	assert_int_equal(base64url_decode(out, sizeof(out), span_str("Zm9vYg")), -1);
	assert_int_equal(base64url_decode(out, sizeof(out), span_str("Zm9v")), 3);
	assert_int_equal(base64url_encode(text, sizeof(text), span_str("foob")), 0);
	assert_string_equal(text, "");
	assert_int_equal(base64url_encode(text, sizeof(text), span_str("foo")), 4);
	assert_string_equal(text, "Zm9v");
}

static void every_length_survives_base64url(void **state)
{
	uint8_t in[256], out[256];
	char text[400];

	(void)state;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(255 - i * 7);
	for (size_t size = 0; size <= sizeof(in); size++) {
		size_t n = base64url_encode(text, sizeof(text), span_of(in, size));

		assert_int_equal(n, strlen(text));
		assert_int_equal(base64url_decode(out, sizeof(out), span_of(text, n)), size);
		assert_memory_equal(in, out, size);
	}
}

static void standard(const char *text, const char *expected, long size)
{
	uint8_t out[16];
	char back[25];

	assert_int_equal(base64_decode(out, sizeof(out), span_str(text)), size);
	if (size < 0)
		return;
	assert_memory_equal(out, expected, (size_t)size);
	assert_int_equal(base64_encode(back, sizeof(back), span_of(expected, (size_t)size)), strlen(text));
	assert_string_equal(back, text);
}

/* RFC 4648 10, and the two digits that base64url has not. */
static void base64_gives_the_known_answers(void **state)
{
	(void)state;
	standard("", "", 0);
	standard("Zg==", "f", 1);
	standard("Zm8=", "fo", 2);
	standard("Zm9v", "foo", 3);
	standard("Zm9vYg==", "foob", 4);
	standard("Zm9vYmE=", "fooba", 5);
	standard("Zm9vYmFy", "foobar", 6);
	standard("+/+/", "\xfb\xff\xbf", 3);
}

static void a_second_spelling_of_base64_is_refused(void **state)
{
	static const char *const bad[] = {
		"Z", "Zg", "Zg=", "Zg===", "Zm8", "Zm8==", "Zm9v=", "Zm9v====", "=", "==", "===", "====", "Z===",
		"=Zg=", "Zg==Zg==", "Zm=v", "Zh==", "Zm9=", "-_-_", "Zm9v\n", " Zm9v", "Zm9\n", "Zg=\n", "Zm.v", "Z\xc3\xa9v",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		standard(bad[i], NULL, -1);
	assert_int_equal(base64_decode((uint8_t[4]){ 0 }, 4, span_of("Zm\0v", 4)), -1);
}

static void base64_stays_within_its_room(void **state)
{
	uint8_t out[3];
	char text[5] = "kept";

	(void)state;
	assert_int_equal(base64_decode(out, sizeof(out), span_str("Zm9vYg==")), -1);
	assert_int_equal(base64_decode(out, 1, span_str("Zm8=")), -1);
	assert_int_equal(base64_decode(out, 1, span_str("Zg==")), 1);
	assert_int_equal(base64_encode(text, sizeof(text), span_str("foo")), 4);
	assert_int_equal(base64_encode(text, 0, span_str("f")), 0);
	assert_string_equal(text, "Zm9v");
	assert_int_equal(base64_encode(text, 4, span_str("f")), 0);
	assert_string_equal(text, "");
}

static void every_length_survives_base64(void **state)
{
	uint8_t in[256], out[256];
	char text[400];

	(void)state;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(255 - i * 7);
	for (size_t size = 0; size <= sizeof(in); size++) {
		size_t n = base64_encode(text, sizeof(text), span_of(in, size));

		assert_int_equal(n, strlen(text));
		assert_int_equal(n, (size + 2) / 3 * 4);
		assert_int_equal(base64_decode(out, sizeof(out), span_of(text, n)), size);
		assert_memory_equal(in, out, size);
	}
}

static void hex_is_lower_case(void **state)
{
	char out[9];

	(void)state;
	hex_encode(out, "\x00\x9f\xab\xff", 4);
	assert_string_equal(out, "009fabff");
	hex_encode(out, NULL, 0);
	assert_string_equal(out, "");
}

static void base62_writes_the_most_significant_digit_first(void **state)
{
	static const uint8_t all[32] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	};
	char out[44] = { 0 };

	(void)state;
	base62_encode(out, 3, (const uint8_t[]){ 0 }, 1);
	assert_memory_equal(out, "000", 3);
	base62_encode(out, 3, (const uint8_t[]){ 61 }, 1);
	assert_memory_equal(out, "00z", 3);
	base62_encode(out, 3, (const uint8_t[]){ 0, 62 }, 2);
	assert_memory_equal(out, "010", 3);
	base62_encode(out, 6, (const uint8_t[]){ 0xff, 0xff, 0xff, 0xff }, 4);
	assert_memory_equal(out, "4gfFC3", 6);
	base62_encode(out, 2, (const uint8_t[]){ 0x0f, 0x04 }, 2);      /* 62 * 62: past the digits there are */
	assert_memory_equal(out, "00", 2);
	base62_encode(out, 43, all, sizeof(all));
	assert_string_equal(out, "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1");
}

static void crc32_is_zlibs(void **state)
{
	(void)state;
	assert_int_equal(crc32_of(span_str("123456789")), 0xcbf43926);
	assert_int_equal(crc32_of(span_of(NULL, 0)), 0);
}

static void ulids_sort_by_time_and_differ(void **state)
{
	char early[ULID_MAX], late[ULID_MAX], again[ULID_MAX];

	(void)state;
	assert_true(ulid_make(early, UINT64_C(1469918176385)));
	assert_memory_equal(early, "01ARYZ6S41", 10);
	assert_int_equal(strlen(early), 26);
	assert_true(ulid_make(late, UINT64_C(1469918176386)));
	assert_true(strcmp(early, late) < 0);
	assert_true(ulid_make(again, UINT64_C(1469918176385)));
	assert_string_not_equal(early, again);
	assert_int_equal(strspn(early, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), 26);
	assert_true(ulid_make(late, (UINT64_C(1) << 48) - 1));
	assert_memory_equal(late, "7ZZZZZZZZZ", 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64url_decodes_the_known_answers),
		cmocka_unit_test(a_second_spelling_of_base64url_is_refused),
		cmocka_unit_test(base64url_holds_no_other_byte),
		cmocka_unit_test(base64url_stays_within_its_room),
		cmocka_unit_test(every_length_survives_base64url),
		cmocka_unit_test(base64_gives_the_known_answers),
		cmocka_unit_test(a_second_spelling_of_base64_is_refused),
		cmocka_unit_test(base64_stays_within_its_room),
		cmocka_unit_test(every_length_survives_base64),
		cmocka_unit_test(hex_is_lower_case),
		cmocka_unit_test(base62_writes_the_most_significant_digit_first),
		cmocka_unit_test(crc32_is_zlibs),
		cmocka_unit_test(ulids_sort_by_time_and_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
