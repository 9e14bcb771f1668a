/* test_mint.c -- what Postern signs itself, its own checks accept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/lib/tokenring.h"

static json_t *claims_of(const char *text)
{
	json_t *claims = json_loads(text, 0, NULL);

	assert_non_null(claims);
	return claims;
}

static void a_minted_token_verifies(void **state)
{
	json_t *claims = claims_of("{\"email\":\"alex@example.com\",\"exp\":1763690060,\"name\":\"\xc3\x84nne\"}");
	struct buf text = BUF_INIT;
	struct tokenring r;
	struct token t;

	(void)state;
	tokenring_init(&r);
	assert_true(tokenring_add_key(&r, 0));
	assert_int_equal(token_mint(r.ring.keys[0].secret, "k_aaaaaaaa", claims, &text), RC_OK);
	token_init(&t, buf_span(&text));
	assert_int_equal(token_verify(&t, &r.context), REASON_NONE);
	assert_true(span_is(t.kid, "k_aaaaaaaa"));
	assert_true(json_equal(t.claims, claims));
	token_done(&t);
	tokenring_done(&r);
	buf_done(&text);
	json_decref(claims);
}

/* A vector computed elsewhere, with Python's hmac and base64. */
static void the_bytes_are_those_of_any_other_library(void **state)
{
	static const char expected[] =
		"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJlbWFpbCI6ImFsZXhAZXhhbXBsZS5jb20iLCJleHAiOjE3NjM2OTAwNjB9."
		"kCPWDDpLEwRMOdC2h2tdIcKjfyFxybJDZ0ZLVuxlyyM";
	json_t *claims = claims_of("{\"exp\":1763690060,\"email\":\"alex@example.com\"}");
	struct secret *secret = secret_copy(span_str("test-secret-one-0123456789-0123456789-0123456789"));
	struct buf text = BUF_INIT;

	(void)state;
	assert_non_null(secret);
	assert_int_equal(token_mint(secret, NULL, claims, &text), RC_OK);
	assert_string_equal(text.data, expected);
	buf_clear(&text);
	assert_int_equal(token_mint(secret, "", claims, &text), RC_OK);
	assert_string_equal(text.data, expected);
	buf_done(&text);
	secret_free(secret);
	json_decref(claims);
}

static void a_secret_under_32_bytes_signs_nothing(void **state)
{
	json_t *claims = claims_of("{}");
	struct buf text = BUF_INIT;

	(void)state;
	for (size_t size = 0; size < 32; size++) {
		struct secret *secret = secret_new(size);

		assert_int_equal(token_mint(secret, NULL, claims, &text), RC_INVALID);
		secret_free(secret);
	}
	assert_int_equal(token_mint(NULL, NULL, claims, &text), RC_INVALID);
	assert_int_equal(text.size, 0);
	buf_done(&text);
	json_decref(claims);
}

static void claims_are_an_object(void **state)
{
	json_t *claims = claims_of("[1]");
	struct secret *secret = secret_copy(span_str("test-secret-one-0123456789-0123456789-0123456789"));
	struct buf text = BUF_INIT;

	(void)state;
	assert_int_equal(token_mint(secret, NULL, claims, &text), RC_INVALID);
	assert_int_equal(token_mint(secret, NULL, NULL, &text), RC_INVALID);
	assert_int_equal(text.size, 0);
	buf_done(&text);
	secret_free(secret);
	json_decref(claims);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_minted_token_verifies),
		cmocka_unit_test(the_bytes_are_those_of_any_other_library),
		cmocka_unit_test(a_secret_under_32_bytes_signs_nothing),
		cmocka_unit_test(claims_are_an_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
