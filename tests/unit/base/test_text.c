/* test_text.c -- outside text is shown only as visible characters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/codes.h"
#include "base/text.h"

#include <stdlib.h>

static void shown(struct span in, const char *expected)
{
	char out[128];

	assert_string_equal(text_show(out, sizeof(out), in), expected);
}

static void ordinary_text_is_shown_as_it_is(void **state)
{
	(void)state;
	shown(span_str(""), "");
	shown(span_of(NULL, 0), "");
	shown(span_str("Zo\xc3\xab"), "Zo\xc3\xab");
	shown(span_str("\xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80"), "\xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80");
}

static void escapes_for_the_terminal_become_visible(void **state)
{
	(void)state;
	shown(span_str("\x1b[2Jx\r\n\t\x7f"), "\\x1b[2Jx\\x0d\\x0a\\x09\\x7f");
	shown(span_of("a\0b", 3), "a\\x00b");
	shown(span_str("\xc2\x9b" "31m"), "\\u009b31m");
	shown(span_str("\xe2\x80\xa8"), "\\u2028");
}

static void bidi_and_invisible_characters_become_visible(void **state)
{
	(void)state;
	shown(span_str("a\xe2\x80\xae" "b"), "a\\u202eb");
	shown(span_str("\xe2\x81\xa6\xe2\x80\x8b\xef\xbb\xbf"), "\\u2066\\u200b\\ufeff");
	shown(span_str("\xf3\xa0\x81\x81"), "\\U000e0041");
}

static void bytes_that_are_not_utf8_become_visible(void **state)
{
	(void)state;
	shown(span_str("a\xff\x9b" "b"), "a\\xff\\x9bb");
	shown(span_str("\xc0\xaf"), "\\xc0\\xaf");
	shown(span_str("\xe2\x82"), "\\xe2\\x82");
}

/* Every room, every cut: whole characters, terminated, and "..." where something is missing. */
static void a_cut_never_splits_a_character(void **state)
{
	static const char text[] = "\xe6\x97\xa5\xc3\xab\x1b\xf0\x9f\x98\x80z\xe6\x9c\xac" "end";
	char whole[64];
	size_t size;

	(void)state;
	text_show(whole, sizeof(whole), span_str(text));
	size = strlen(whole);
	for (size_t room = 8; room <= size + 2; room++) {
		char *out = malloc(room);      /* exact, so that a write past it is seen */
		size_t n;

		assert_non_null(out);
		text_show(out, room, span_str(text));
		n = strlen(out);
		assert_true(n < room);
		assert_true(utf8_valid(span_str(out)));
		if (room > size) {
			assert_string_equal(out, whole);
		} else {
			assert_string_equal(out + n - 3, "...");
			assert_memory_equal(out, whole, n - 3);
		}
		free(out);
	}
}

static void text_that_just_fits_is_not_cut(void **state)
{
	char out[9];

	(void)state;
	assert_string_equal(text_show(out, sizeof(out), span_str("12345678")), "12345678");
	assert_string_equal(text_show(out, sizeof(out), span_str("123456789")), "12345...");
}

static void utf8_has_one_spelling_each(void **state)
{
	static const char *const bad[] = {
		"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf",
		"\xed\xa0\x80", "\xed\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc3", "\xe2\x82", "\xf0\x9f\x98",
		"\xc3z", "\xe2z\x82", "\xe2\x82z",
	};
	static const char *const good[] = {
		"", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf",
		"\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(utf8_valid(span_str(bad[i])));
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(utf8_valid(span_str(good[i])));
}

static void every_character_is_put_as_it_is_read(void **state)
{
	(void)state;
	for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
		char bytes[4];
		const uint8_t *at = (const uint8_t *)bytes;
		size_t size;

		if (cp >= 0xd800 && cp <= 0xdfff)
			continue;
		size = utf8_put(bytes, cp);
		assert_int_equal(utf8_next(&at, at + size), cp);
		assert_ptr_equal(at, bytes + size);
	}
}

static void a_bad_byte_costs_one_byte(void **state)
{
	static const uint8_t text[] = { 0xe2, 0x82, 'a' };
	const uint8_t *at = text;

	(void)state;
	assert_true(utf8_next(&at, text + sizeof(text)) == UTF8_BAD);
	assert_ptr_equal(at, text + 1);
}

static void cleaned(const char *in, const char *expected)
{
	char out[32];

	assert_int_equal(text_clean(out, sizeof(out), span_str(in)), strlen(expected));
	assert_string_equal(out, expected);
}

static void names_are_cleaned_and_trimmed(void **state)
{
	(void)state;
	cleaned("  Alex  Example ", "Alex  Example");
	cleaned("\xc2\xa0\xe3\x80\x80" "Alex\xe2\x80\x83", "Alex");
	cleaned("Al\x1b" "ex\xe2\x80\xae\n\xff", "Alex");
	cleaned(" \t\xe2\x80\x8b ", "");
	cleaned("", "");
}

static void a_long_name_is_cut_on_a_character(void **state)
{
	char out[6];

	(void)state;
	assert_int_equal(text_clean(out, sizeof(out), span_str("abcd\xc3\xab")), 4);
	assert_string_equal(out, "abcd");
	assert_int_equal(text_clean(out, sizeof(out), span_str("abc d e")), 5);
	assert_int_equal(text_clean(out, sizeof(out), span_str("abcd efg")), 4);
	assert_string_equal(out, "abcd");
}

/* RFC 9110 5.5; a reader may strip more than space and tab, so nothing it could strip is let in. */
static void a_header_carries_a_text_exactly_or_not_at_all(void **state)
{
	static const char *const fits[] = {
		"", "1001", "x", "Alex Winter", "a  b", "a,b;c=\"d\"", "caf\xc3\xa9", "\xe6\x9d\x8e", "\xf0\x9f\x99\x82", "a\xc2\xa0z",
		"a\xe2\x80\x8dz",
	};
	static const char *const does_not[] = {
		" ", " 1001", "1001 ", "\t1001", "1001\t", "10\t01", "1001\r\nX: y", "1001\n", "1001\r", "\n1001", "\x01", "a\x1b[m",
		"a\x7f", "a\xc2\x85", "a\xc2\x85z", "a\xe2\x80\xa8z", "a\xc2\xa0", "\xc2\xa0z", "\xe3\x80\x80z", "a\xe3\x80\x80",
		"\xef\xbb\xbfz", "a\xef\xbb\xbf", "a\xe2\x80\x8b", "a\xff", "\xc3", "a\xed\xa0\x80z",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fits); i++)
		assert_true(text_fits_header(span_str(fits[i])));
	for (size_t i = 0; i < ARRAY_LEN(does_not); i++) {
		if (text_fits_header(span_str(does_not[i])))
			print_error("text %zu\n", i);
		assert_false(text_fits_header(span_str(does_not[i])));
	}
	assert_true(text_fits_header(span_of(NULL, 0)));
	assert_false(text_fits_header(span_of("a\0b", 3)));
}

static void letters_are_lowered_in_ascii_alone(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		bool upper = c >= 'A' && c <= 'Z';

		assert_int_equal(ascii_lower((char)c), (char)(upper ? c + 32 : c));
		assert_int_equal(ascii_is_digit((char)c), c >= '0' && c <= '9');
		assert_int_equal(ascii_is_alpha((char)c), upper || (c >= 'a' && c <= 'z'));
	}
	assert_true(ascii_equal_nocase(span_str("BeArEr"), "bearer"));
	assert_false(ascii_equal_nocase(span_str("bearer "), "bearer"));
	assert_false(ascii_equal_nocase(span_str("\xe2\x84\xaa"), "k"));      /* the Kelvin sign folds to k in Unicode */
	assert_true(ascii_equal_nocase(span_of(NULL, 0), ""));
}

static void visible_and_printable_differ_by_the_space(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		const char text[] = { 'a', (char)c, 'z' };

		assert_int_equal(ascii_is_visible(span_of(text, 3)), c > 0x20 && c < 0x7f);
		assert_int_equal(ascii_is_printable(span_of(text, 3)), c >= 0x20 && c < 0x7f);
		assert_int_equal(ascii_fits_header(span_of(text, 3)), c >= 0x20 && c < 0x7f);
	}
	assert_true(ascii_is_visible(span_of(NULL, 0)) && ascii_is_printable(span_of(NULL, 0)));
	assert_false(ascii_fits_header(span_of(NULL, 0)));
	assert_false(ascii_fits_header(span_str(" a")) || ascii_fits_header(span_str("a ")) || ascii_fits_header(span_str(" ")));
	assert_true(ascii_fits_header(span_str("a")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_text_is_shown_as_it_is),
		cmocka_unit_test(escapes_for_the_terminal_become_visible),
		cmocka_unit_test(bidi_and_invisible_characters_become_visible),
		cmocka_unit_test(bytes_that_are_not_utf8_become_visible),
		cmocka_unit_test(a_cut_never_splits_a_character),
		cmocka_unit_test(text_that_just_fits_is_not_cut),
		cmocka_unit_test(utf8_has_one_spelling_each),
		cmocka_unit_test(every_character_is_put_as_it_is_read),
		cmocka_unit_test(a_bad_byte_costs_one_byte),
		cmocka_unit_test(names_are_cleaned_and_trimmed),
		cmocka_unit_test(a_long_name_is_cut_on_a_character),
		cmocka_unit_test(a_header_carries_a_text_exactly_or_not_at_all),
		cmocka_unit_test(letters_are_lowered_in_ascii_alone),
		cmocka_unit_test(visible_and_printable_differ_by_the_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
