/* test_crypto.c -- known answers, and what must not open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/crypto.h"
#include "base/encode.h"

#include <pthread.h>

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

static void parts_hash_as_one_text(void **state)
{
	struct span parts[] = { span_str("a"), span_of(NULL, 0), span_str("b"), span_str("c") };
	uint8_t out[SHA256_SIZE];

	(void)state;
	assert_int_equal(crypto_sha256_parts(parts, ARRAY_LEN(parts), out), RC_OK);
	assert_hex(out, sizeof(out), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(crypto_sha256_parts(NULL, 0, out), RC_OK);
	assert_hex(out, sizeof(out), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

#define HASHES 20000

/* A chain of hashes, each of the one before. */
static void *hash_chain(void *out)
{
	uint8_t hash[SHA256_SIZE] = { 0 };

	for (int i = 0; i < HASHES; i++)
		if (crypto_sha256(span_of(hash, sizeof(hash)), hash) != RC_OK)
			return NULL;
	memcpy(out, hash, sizeof(hash));
	return out;
}

static void threads_hash_without_each_other(void **state)
{
	uint8_t expected[SHA256_SIZE], out[4][SHA256_SIZE] = { { 0 } };
	pthread_t threads[4];

	(void)state;
	assert_non_null(hash_chain(expected));
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hash_chain, out[i]), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_memory_equal(out[i], expected, sizeof(expected));
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

static unsigned nibble(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

static size_t from_hex(uint8_t *out, const char *hex)
{
	size_t size = strlen(hex) / 2;

	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
	return size;
}

/* RFC 8032 7.1, tests 1 to 3. */
static const struct { const char *seed, *public, *text, *signature; } rfc8032[] = {
	{ "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
	  "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
	  "",
	  "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
	  "d25bf5f0595bbe24655141438e7a100b" },
	{ "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
	  "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
	  "72",
	  "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
	  "387b2eaeb4302aeeb00d291612bb0c00" },
	{ "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
	  "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
	  "af82",
	  "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
	  "4a7c15e9716ed28dc027beceea1ec40a" },
};

static void ed25519_gives_the_known_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rfc8032); i++) {
		uint8_t bytes[ED25519_SIGNATURE_SIZE], text[2], public[ED25519_PUBLIC_SIZE];
		struct secret *seed = secret_copy(span_of(bytes, from_hex(bytes, rfc8032[i].seed)));
		size_t text_size = from_hex(text, rfc8032[i].text);
		struct span data = span_of(text_size ? text : NULL, text_size);

		assert_int_equal(ed25519_public(seed, public), RC_OK);
		assert_hex(public, sizeof(public), rfc8032[i].public);
		assert_int_equal(ed25519_sign(seed, data, bytes), RC_OK);
		assert_hex(bytes, sizeof(bytes), rfc8032[i].signature);
		assert_true(ed25519_verify(public, data, bytes));
		secret_free(seed);
	}
}

static void one_flipped_bit_does_not_verify(void **state)
{
	uint8_t all[ED25519_PUBLIC_SIZE + ED25519_SIGNATURE_SIZE + 2];
	uint8_t *signature = all + ED25519_PUBLIC_SIZE, *text = signature + ED25519_SIGNATURE_SIZE;

	(void)state;
	from_hex(all, rfc8032[2].public);
	from_hex(signature, rfc8032[2].signature);
	from_hex(text, rfc8032[2].text);
	assert_true(ed25519_verify(all, span_of(text, 2), signature));
	for (size_t bit = 0; bit < sizeof(all) * 8; bit++) {
		all[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(ed25519_verify(all, span_of(text, 2), signature));
		all[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_false(ed25519_verify(all, span_of(text, 1), signature));
}

/* RFC 8032 5.1.7: S is below the group's order, or one signature would have two spellings. And y = 2 is on no curve. */
static void a_second_spelling_of_a_signature_does_not_verify(void **state)
{
	uint8_t public[ED25519_PUBLIC_SIZE], signature[ED25519_SIGNATURE_SIZE] = { 0 }, order[32] = { 0 };
	unsigned carry = 0;

	(void)state;
	from_hex(public, rfc8032[0].public);
	from_hex(signature, rfc8032[0].signature);
	from_hex(order, "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
	assert_true(ed25519_verify(public, span_of(NULL, 0), signature));
	for (size_t i = 0; i < sizeof(order); i++, carry >>= 8) {
		carry += (unsigned)signature[32 + i] + order[i];
		signature[32 + i] = (uint8_t)carry;
	}
	assert_false(ed25519_verify(public, span_of(NULL, 0), signature));
	memset(public, 0, sizeof(public));
	public[0] = 2;
	assert_false(ed25519_verify(public, span_of(NULL, 0), signature));
}

static void made_seeds_differ_and_sign(void **state)
{
	uint8_t public[ED25519_PUBLIC_SIZE], signature[ED25519_SIGNATURE_SIZE];
	struct secret *a = NULL, *b = NULL;

	(void)state;
	assert_int_equal(ed25519_make(&a), RC_OK);
	assert_int_equal(ed25519_make(&b), RC_OK);
	assert_int_equal(a->size, ED25519_SEED_SIZE);
	assert_false(span_equal(secret_span(a), secret_span(b)));
	assert_int_equal(ed25519_public(a, public), RC_OK);
	assert_int_equal(ed25519_sign(a, span_str("text"), signature), RC_OK);
	assert_true(ed25519_verify(public, span_str("text"), signature));
	assert_int_equal(ed25519_sign(b, span_str("text"), signature), RC_OK);
	assert_false(ed25519_verify(public, span_str("text"), signature));
	secret_free(a);
	secret_free(b);
}

static void a_seed_of_another_size_is_refused(void **state)
{
	static const size_t sizes[] = { 0, 31, 33, 64 };
	uint8_t out[ED25519_SIGNATURE_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct secret *seed = secret_new(sizes[i]);

		assert_int_equal(ed25519_public(seed, out), RC_INVALID);
		assert_int_equal(ed25519_sign(seed, span_str("text"), out), RC_INVALID);
		secret_free(seed);
	}
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

static void bytes_are_compared_to_their_end(void **state)
{
	uint8_t a[SHA256_SIZE] = { 0 }, b[SHA256_SIZE] = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(a); i++) {
		b[i] = 1;
		assert_false(crypto_equal(a, b, sizeof(a)));
		assert_true(crypto_equal(a, b, i));
		b[i] = 0;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_gives_the_known_answers),
		cmocka_unit_test(parts_hash_as_one_text),
		cmocka_unit_test(threads_hash_without_each_other),
		cmocka_unit_test(hmac_gives_the_known_answers),
		cmocka_unit_test(a_key_in_place_signs_again_and_again),
		cmocka_unit_test(a_key_under_32_bytes_is_refused),
		cmocka_unit_test(sealed_bytes_open_in_their_place_alone),
		cmocka_unit_test(one_flipped_bit_or_missing_byte_does_not_open),
		cmocka_unit_test(the_same_bytes_seal_differently_each_time),
		cmocka_unit_test(a_master_key_of_another_size_is_refused),
		cmocka_unit_test(ed25519_gives_the_known_answers),
		cmocka_unit_test(one_flipped_bit_does_not_verify),
		cmocka_unit_test(a_second_spelling_of_a_signature_does_not_verify),
		cmocka_unit_test(made_seeds_differ_and_sign),
		cmocka_unit_test(a_seed_of_another_size_is_refused),
		cmocka_unit_test(random_bytes_differ),
		cmocka_unit_test(bytes_are_compared_to_their_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
