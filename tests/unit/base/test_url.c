/* test_url.c -- what is encoded is data, and what may be a segment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/url.h"

static void encodes(struct span text, const char *expected)
{
	struct buf b = BUF_INIT;

	buf_add_char(&b, '=');
	url_encode(&b, text);
	assert_string_equal(b.data + 1, expected);
	assert_int_equal(url_encoded(NULL, text), strlen(expected));
	buf_done(&b);
}

static void only_unreserved_bytes_stay(void **state)
{
	(void)state;
	encodes(span_str("AZaz09-._~"), "AZaz09-._~");
	encodes(span_str("a b+c&d=e?f#g/h%2f"), "a%20b%2Bc%26d%3De%3Ff%23g%2Fh%252f");
	encodes(span_str("\r\n\"'\\\x7f"), "%0D%0A%22%27%5C%7F");
	encodes(span_str("\xc3\xa9\xff"), "%C3%A9%FF");
	encodes(span_of("a\0b", 3), "a%00b");
	encodes(span_str(""), "");
}

static void a_segment_stays_one(void **state)
{
	static const char *const good[] = { "1042", "a b", ".hidden", "v1.2", "...a", "\xc3\xa9",
					     "alex@example.com", "a;b=c" };
	static const char *const bad[] = {
		"", ".", "..", "...", "../x", "a/b", "/", "a\\b", "%2e", "a%2fb", "a\nb", "a\r\nb", "\x7f", "\xff",
		"\xc0\xaf", "a\xc2\x85", "\xed\xa0\x80",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(url_segment_valid(span_str(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(url_segment_valid(span_str(bad[i])));
	assert_false(url_segment_valid(span_of("a\0b", 3)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_unreserved_bytes_stay),
		cmocka_unit_test(a_segment_stays_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
