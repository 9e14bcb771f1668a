/* test_authorization.c -- no token, one token, or malformed: never anything between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "token/token.h"

#include <stdlib.h>

#define JWT "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"

static enum reason read_value(const char *value, struct span *ret)
{
	return token_from_authorization(1, span_str(value), ret);
}

static void no_parameter_is_no_token(void **state)
{
	struct span token;

	(void)state;
	assert_int_equal(token_from_authorization(0, span_of(NULL, 0), &token), REASON_NO_TOKEN);
	assert_int_equal(token_from_authorization(0, span_str("Bearer " JWT), &token), REASON_NO_TOKEN);
}

static void the_token_is_borrowed_without_its_spaces(void **state)
{
	static const char *const values[] = {
		"Bearer " JWT, "bearer " JWT, "BEARER " JWT, "bEaReR    " JWT, " Bearer " JWT "  ", "Bearer " JWT " ",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct span token = { 0 };

		assert_int_equal(read_value(values[i], &token), REASON_NONE);
		assert_true(span_is(token, JWT));
		assert_ptr_equal(token.data, strstr(values[i], JWT));
	}
}

static void another_scheme_is_no_token(void **state)
{
	static const char *const values[] = {
		"Basic YTpi", "Basic", " Basic YTpi ", "Negotiate YII==", "Token abc", "ApiKey abc.def",
		"X!#$%&'*+-.^_`|~9 abc",
		"Bearer2 abc", "Bearers abc", "Bear er", "Hawk id=\"x\"", "A a.b.c.d", "A a..c", "A .b.c", "A a.b.",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct span token;

		if (read_value(values[i], &token) != REASON_NO_TOKEN)
			fail_msg("%s", values[i]);
	}
}

static void anything_else_is_malformed(void **state)
{
	static const char *const values[] = {
		"", " ", "    ", "Bearer", "Bearer ", "bearer   ", "Bearer\t" JWT, "\tBearer " JWT, "Bearer:" JWT,
		"Bearer=" JWT,
		JWT, "a.b.c", "\"Bearer " JWT "\"", "Basic " JWT, "Basic x " JWT " y", "Token token=\"" JWT "\"",
		"Basic a,b",
		", Basic a", "Basic a\x01", "Basic a\x7f", "Basic\ta", "Ba(sic a", "Basic: a", "\xc3\xa4 a",
		"Basic a\r\nX: y",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct span token;

		if (read_value(values[i], &token) != REASON_TOKEN_MALFORMED)
			fail_msg("%s", values[i]);
	}
}

/* What follows the scheme may be anything here: the first check of a token refuses what is none. */
static void bytes_inside_a_token_are_left_to_its_first_check(void **state)
{
	static const char *const values[] = {
		"Bearer a b", "Bearer " JWT ", Bearer " JWT, "Bearer \"" JWT "\"", "Bearer Bearer " JWT,
		"Bearer a\x01", "Bearer  \t" JWT,
	};
	struct site site;
	struct keyring ring = { 0 };
	struct token_context c = { .site = &site, .ring = &ring };

	(void)state;
	site_init(&site);
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct span text;
		struct token t;

		assert_int_equal(read_value(values[i], &text), REASON_NONE);
		token_init(&t, text);
		assert_int_equal(token_verify(&t, &c), REASON_TOKEN_MALFORMED);
		token_done(&t);
	}
	site_done(&site);
}

static void several_parameters_are_malformed_whatever_they_are(void **state)
{
	struct span token;

	(void)state;
	assert_int_equal(token_from_authorization(2, span_str("Bearer " JWT), &token), REASON_TOKEN_MALFORMED);
	assert_int_equal(token_from_authorization(2, span_str("Basic YTpi"), &token), REASON_TOKEN_MALFORMED);
	assert_int_equal(token_from_authorization(1000, span_str(""), &token), REASON_TOKEN_MALFORMED);
}

static enum reason of_size(const char *scheme, size_t size, char fill)
{
	char *value = malloc(size);
	struct span token;
	enum reason reason;

	assert_non_null(value);
	memset(value, fill, size);
	memcpy(value, scheme, strlen(scheme));
	reason = token_from_authorization(1, span_of(value, size), &token);
	free(value);
	return reason;
}

static void eight_kibibytes_are_the_limit(void **state)
{
	(void)state;
	assert_int_equal(of_size("Bearer ", 7 + TOKEN_MAX, 'A'), REASON_NONE);
	assert_int_equal(of_size("Bearer ", 7 + TOKEN_MAX + 1, 'A'), REASON_TOKEN_MALFORMED);
	assert_int_equal(of_size("Basic ", TOKEN_MAX, 'A'), REASON_NO_TOKEN);
	assert_int_equal(of_size("Basic ", TOKEN_MAX + 1, 'A'), REASON_TOKEN_MALFORMED);
	assert_int_equal(of_size("", 100000, ' '), REASON_TOKEN_MALFORMED);
}

static void a_nul_byte_hides_nothing(void **state)
{
	struct span token;

	(void)state;
	assert_int_equal(token_from_authorization(1, span_of("Basic a\0b", 9), &token), REASON_TOKEN_MALFORMED);
	assert_int_equal(token_from_authorization(1, span_of("\0Bearer a.b.c", 13), &token), REASON_TOKEN_MALFORMED);
	assert_int_equal(token_from_authorization(1, span_of("Bearer\0a.b.c", 12), &token), REASON_TOKEN_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_parameter_is_no_token),
		cmocka_unit_test(the_token_is_borrowed_without_its_spaces),
		cmocka_unit_test(another_scheme_is_no_token),
		cmocka_unit_test(anything_else_is_malformed),
		cmocka_unit_test(bytes_inside_a_token_are_left_to_its_first_check),
		cmocka_unit_test(several_parameters_are_malformed_whatever_they_are),
		cmocka_unit_test(eight_kibibytes_are_the_limit),
		cmocka_unit_test(a_nul_byte_hides_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
