/* test_verify.c -- which key made a signature, and whether it still counts. No store: rings made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "keyring/keyring.h"

#include <stdio.h>

/* Later in each test: the process remembers the latest end it saw pass. */
static uint64_t now = 1763690000;
static struct keyring ring;
static const char *const kids[RING_MAX] = { "k_aaaaaaaa", "k_bbbbbbbb", "k_cccccccc" };

static int setup(void **state)
{
	(void)state;
	now += 1000000;
	ring = (struct keyring){ .count = RING_MAX };
	for (size_t i = 0; i < RING_MAX; i++) {
		char text[64];

		snprintf(text, sizeof(text), "secret number %zu, of more than 32 bytes", i);
		memcpy(ring.keys[i].kid, kids[i], KID_MAX);
		ring.keys[i].secret = secret_copy(span_str(text));
		if (hmac_key_new(span_str(text), &ring.keys[i].hmac) != RC_OK)
			return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	keyring_done(&ring);
	return 0;
}

static const struct key *matched;

/* Verifies what key i of the full ring signs. */
static enum reason verify(size_t i, const char *kid, bool is_tombstone)
{
	struct span bytes = span_str("header.payload");
	uint8_t signature[SHA256_SIZE];

	matched = NULL;
	assert_int_equal(crypto_hmac(secret_span(ring.keys[i].secret), bytes, signature), RC_OK);
	return keyring_verify(&ring, span_str(kid), is_tombstone, now, bytes, signature, &matched);
}

static void every_key_verifies_what_it_signed(void **state)
{
	(void)state;
	for (size_t i = 0; i < RING_MAX; i++) {
		assert_int_equal(verify(i, "", false), REASON_NONE);
		assert_ptr_equal(matched, &ring.keys[i]);
		assert_int_equal(verify(i, kids[i], false), REASON_NONE);
		assert_ptr_equal(matched, &ring.keys[i]);
	}
}

/* Two keys of one secret, which no vault holds: the last is told only where the first did not end the search, so that the time
 * it takes does not tell which key fits. */
static void every_key_is_tried_though_one_fits(void **state)
{
	(void)state;
	hmac_key_free(ring.keys[2].hmac);
	ring.keys[2].hmac = NULL;
	assert_int_equal(hmac_key_new(secret_span(ring.keys[0].secret), &ring.keys[2].hmac), RC_OK);
	assert_int_equal(verify(0, "", false), REASON_NONE);
	assert_ptr_equal(matched, &ring.keys[2]);
}

static void a_kid_of_the_ring_makes_only_that_key_count(void **state)
{
	(void)state;
	assert_int_equal(verify(0, kids[1], false), REASON_SIGNATURE_MISMATCH);
	assert_null(matched);
}

static void a_kid_nobody_knows_leaves_all_keys(void **state)
{
	(void)state;
	assert_int_equal(verify(2, "k_zzzzzzzz", false), REASON_NONE);
	assert_int_equal(verify(2, "their own naming", false), REASON_NONE);
	assert_ptr_equal(matched, &ring.keys[2]);
}

static void a_tombstones_kid_is_a_retired_key(void **state)
{
	(void)state;
	assert_int_equal(verify(0, "k_zzzzzzzz", true), REASON_KEY_RETIRED);
	assert_null(matched);
}

static void a_wrong_signature_is_a_mismatch(void **state)
{
	struct span bytes = span_str("header.payload");
	uint8_t signature[SHA256_SIZE];

	(void)state;
	matched = NULL;
	assert_int_equal(crypto_hmac(secret_span(ring.keys[0].secret), bytes, signature), RC_OK);
	for (size_t bit = 0; bit < SHA256_SIZE * 8; bit++) {
		signature[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_int_equal(keyring_verify(&ring, span_str(""), false, now, bytes, signature, &matched),
				 REASON_SIGNATURE_MISMATCH);
		signature[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	assert_int_equal(keyring_verify(&ring, span_str(""), false, now, span_str("header.payloae"), signature, &matched),
			 REASON_SIGNATURE_MISMATCH);
	assert_null(matched);
}

static void a_retiring_key_verifies_until_its_second(void **state)
{
	(void)state;
	ring.keys[1].retire_at = now + 10;
	assert_int_equal(key_state_at(&ring.keys[0], now), KEY_ACTIVE);
	assert_int_equal(key_state_at(&ring.keys[1], now), KEY_RETIRING);
	now += 9;
	assert_int_equal(verify(1, kids[1], false), REASON_NONE);
	now += 1;
	assert_int_equal(verify(1, kids[1], false), REASON_KEY_RETIRED);
	assert_int_equal(verify(1, "", false), REASON_SIGNATURE_MISMATCH);
	assert_int_equal(verify(0, "", false), REASON_NONE);
}

static void no_clock_brings_a_key_back(void **state)
{
	(void)state;
	ring.keys[1].retire_at = now + 10;
	assert_int_equal(verify(1, "", false), REASON_NONE);
	now += 10;
	assert_int_equal(verify(1, "", false), REASON_SIGNATURE_MISMATCH);
	now -= 10;
	assert_int_equal(verify(1, "", false), REASON_SIGNATURE_MISMATCH);
	assert_int_equal(verify(1, kids[1], false), REASON_KEY_RETIRED);
	assert_int_equal(key_state_at(&ring.keys[1], 0), KEY_RETIRED);
	now += 10;
}

static void a_ring_without_a_key_that_verifies_is_empty(void **state)
{
	(void)state;
	for (size_t i = 0; i < RING_MAX; i++)
		ring.keys[i].retire_at = now;
	assert_int_equal(verify(0, "", false), REASON_RING_EMPTY);
	assert_int_equal(verify(0, kids[0], false), REASON_RING_EMPTY);
	assert_int_equal(verify(0, "k_zzzzzzzz", true), REASON_RING_EMPTY);
	assert_int_equal(keyring_verify(&(struct keyring){ 0 }, span_of(NULL, 0), false, now, span_str("x"),
					(uint8_t[SHA256_SIZE]){ 0 }, &matched), REASON_RING_EMPTY);
}

static void a_ring_that_was_only_listed_verifies_nothing(void **state)
{
	(void)state;
	hmac_key_free(ring.keys[0].hmac);
	ring.keys[0].hmac = NULL;
	assert_int_equal(verify(0, kids[0], false), REASON_SIGNATURE_MISMATCH);
}

static void states_have_names(void **state)
{
	(void)state;
	assert_string_equal(key_state_name(KEY_ACTIVE), "active");
	assert_string_equal(key_state_name(KEY_RETIRING), "retiring");
	assert_string_equal(key_state_name(KEY_RETIRED), "retired");
	assert_string_equal(key_state_name((enum key_state)9), "unknown");
}

#define WITH_RING(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RING(every_key_verifies_what_it_signed),
		WITH_RING(every_key_is_tried_though_one_fits),
		WITH_RING(a_kid_of_the_ring_makes_only_that_key_count),
		WITH_RING(a_kid_nobody_knows_leaves_all_keys),
		WITH_RING(a_tombstones_kid_is_a_retired_key),
		WITH_RING(a_wrong_signature_is_a_mismatch),
		WITH_RING(a_retiring_key_verifies_until_its_second),
		WITH_RING(no_clock_brings_a_key_back),
		WITH_RING(a_ring_without_a_key_that_verifies_is_empty),
		WITH_RING(a_ring_that_was_only_listed_verifies_nothing),
		cmocka_unit_test(states_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
