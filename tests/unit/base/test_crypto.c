/* test_crypto.c -- known answers, and what must not open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/crypto.h"
#include "base/encode.h"

static void assert_hex(const uint8_t *data, size_t size, const char *expected)
{
	char hex[129];

	hex_encode(hex, data, size);
	assert_string_equal(hex, expected);
}

static void sha256_gives_the_known_answers(void **state)
{
	uint8_t out[SHA256_SIZE];

	(void)state;
	assert_int_equal(crypto_sha256(span_str("abc"), out), RC_OK);
	assert_hex(out, sizeof(out), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(crypto_sha256(span_of(NULL, 0), out), RC_OK);
	assert_hex(out, sizeof(out), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* RFC 4231, test cases 1, 2 and 6; and no key at all. */
static void hmac_gives_the_known_answers(void **state)
{
	uint8_t out[SHA256_SIZE], key[131];

	(void)state;
	memset(key, 0x0b, 20);
	assert_int_equal(crypto_hmac(span_of(key, 20), span_str("Hi There"), out), RC_OK);
	assert_hex(out, sizeof(out), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	assert_int_equal(crypto_hmac(span_str("Jefe"), span_str("what do ya want for nothing?"), out), RC_OK);
	assert_hex(out, sizeof(out), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	assert_int_equal(crypto_hmac(span_of(key, sizeof(key)),
				     span_str("Test Using Larger Than Block-Size Key - Hash Key First"), out), RC_OK);
	assert_hex(out, sizeof(out), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	assert_int_equal(crypto_hmac(span_of(NULL, 0), span_of(NULL, 0), out), RC_OK);
	assert_hex(out, sizeof(out), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void a_key_in_place_signs_again_and_again(void **state)
{
	static const char *const texts[] = { "", "a", "header.payload", "a" };
	struct span key = span_str("0123456789abcdef0123456789abcdef-and-more");
	struct hmac_key *k = NULL;
	uint8_t kept[SHA256_SIZE], once[SHA256_SIZE];

	(void)state;
	assert_int_equal(hmac_key_new(key, &k), RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(hmac_key_sign(k, span_str(texts[i]), kept), RC_OK);
		assert_int_equal(crypto_hmac(key, span_str(texts[i]), once), RC_OK);
		assert_memory_equal(kept, once, sizeof(kept));
	}
	hmac_key_free(k);
	hmac_key_free(NULL);
}

static void a_key_under_32_bytes_is_refused(void **state)
{
	struct hmac_key *k = NULL;

	(void)state;
	assert_int_equal(hmac_key_new(span_of("0123456789abcdef0123456789abcde", 31), &k), RC_INVALID);
	assert_int_equal(hmac_key_new(span_of(NULL, 0), &k), RC_INVALID);
	assert_null(k);
	assert_int_equal(hmac_key_new(span_of("0123456789abcdef0123456789abcdef", 32), &k), RC_OK);
	hmac_key_free(k);
}

static void sealed_bytes_open_in_their_place_alone(void **state)
{
	struct secret *key = secret_copy(span_str("0123456789abcdef0123456789abcdef"));
	struct secret *other = secret_copy(span_str("0123456789abcdef0123456789abcdeg"));
	struct secret *plain = NULL;
	struct buf sealed = BUF_INIT;

	(void)state;
	buf_add_str(&sealed, "before");
	assert_int_equal(aead_seal(key, span_str("place"), span_str("the bytes"), &sealed), RC_OK);
	assert_int_equal(sealed.size, 6 + 9 + AEAD_OVERHEAD);
	assert_memory_equal(sealed.data, "before", 6);
	struct span s = span_of(sealed.data + 6, sealed.size - 6);

	assert_int_equal(aead_open(key, span_str("place"), s, &plain), RC_OK);
	assert_true(span_is(secret_span(plain), "the bytes"));
	secret_free(plain);
	plain = NULL;
	assert_int_equal(aead_open(key, span_str("Place"), s, &plain), RC_UNSEALED);
	assert_int_equal(aead_open(key, span_str(""), s, &plain), RC_UNSEALED);
	assert_int_equal(aead_open(other, span_str("place"), s, &plain), RC_UNSEALED);
	assert_null(plain);
	secret_free(key);
	secret_free(other);
	buf_done(&sealed);
}

static void one_flipped_bit_or_missing_byte_does_not_open(void **state)
{
	struct secret *key = secret_copy(span_str("0123456789abcdef0123456789abcdef"));
	struct secret *plain = NULL;
	struct buf sealed = BUF_INIT;

	(void)state;
	assert_int_equal(aead_seal(key, span_of(NULL, 0), span_str("x"), &sealed), RC_OK);
	for (size_t bit = 0; bit < sealed.size * 8; bit++) {
		sealed.data[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(aead_open(key, span_of(NULL, 0), buf_span(&sealed), &plain), RC_UNSEALED);
		sealed.data[bit / 8] ^= (char)(1 << bit % 8);
	}
	for (size_t size = 0; size < sealed.size; size++)
		assert_int_equal(aead_open(key, span_of(NULL, 0), span_of(sealed.data, size), &plain), RC_UNSEALED);
	assert_null(plain);
	assert_int_equal(aead_open(key, span_of(NULL, 0), buf_span(&sealed), &plain), RC_OK);
	secret_free(plain);
	secret_free(key);
	buf_done(&sealed);
}

static void the_same_bytes_seal_differently_each_time(void **state)
{
	struct secret *key = secret_copy(span_str("0123456789abcdef0123456789abcdef"));
	struct secret *plain = NULL;
	struct buf a = BUF_INIT, b = BUF_INIT;

	(void)state;
	assert_int_equal(aead_seal(key, span_str("p"), span_of(NULL, 0), &a), RC_OK);
	assert_int_equal(aead_seal(key, span_str("p"), span_of(NULL, 0), &b), RC_OK);
	assert_false(span_equal(buf_span(&a), buf_span(&b)));
	assert_int_equal(aead_open(key, span_str("p"), buf_span(&a), &plain), RC_OK);
	assert_int_equal(plain->size, 0);
	secret_free(plain);
	secret_free(key);
	buf_done(&a);
	buf_done(&b);
}

static void a_master_key_of_another_size_is_refused(void **state)
{
	struct secret *key = secret_new(31), *plain = NULL;
	uint8_t sealed[AEAD_OVERHEAD] = { 0 };
	struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(aead_seal(key, span_str("p"), span_str("x"), &out), RC_INVALID);
	assert_int_equal(out.size, 0);
	assert_int_equal(aead_open(key, span_str("p"), span_of(sealed, sizeof(sealed)), &plain), RC_INVALID);
	secret_free(key);
	buf_done(&out);
}

static void random_bytes_differ(void **state)
{
	uint8_t a[32], b[32];

	(void)state;
	assert_int_equal(crypto_random(a, sizeof(a)), RC_OK);
	assert_int_equal(crypto_random(b, sizeof(b)), RC_OK);
	assert_false(crypto_equal(a, b, sizeof(a)));
	assert_true(crypto_equal(a, a, sizeof(a)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_gives_the_known_answers),
		cmocka_unit_test(hmac_gives_the_known_answers),
		cmocka_unit_test(a_key_in_place_signs_again_and_again),
		cmocka_unit_test(a_key_under_32_bytes_is_refused),
		cmocka_unit_test(sealed_bytes_open_in_their_place_alone),
		cmocka_unit_test(one_flipped_bit_or_missing_byte_does_not_open),
		cmocka_unit_test(the_same_bytes_seal_differently_each_time),
		cmocka_unit_test(a_master_key_of_another_size_is_refused),
		cmocka_unit_test(random_bytes_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
