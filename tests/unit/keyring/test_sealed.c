/* test_sealed.c -- a ring as workers load it: checked whole, its keys opened one by one as they are tried. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "keyring/ring-private.h"
#include "tests/lib/tmpstore.h"

#include <stdio.h>
#include <stdlib.h>

static const uint64_t now = 1763690000;
#define UNKNOWN_KID "k_zzzzzzzz"

struct ground {
	struct store *store;
	struct key key[RING_MAX];      /* as they were made, with their secrets */
};

static int setup(void **state)
{
	struct ground *g = calloc(1, sizeof(*g));
	enum reason reason;
	struct txn *t;
	struct site s;

	if (!g)
		return -1;
	*state = g;
	if (!(g->store = tmpstore_new()))
		return -1;
	t = txn_write(g->store, ENV_VAULT);
	site_init(&s);
	snprintf(s.id, sizeof(s.id), "demo");
	assert_int_equal(site_add(t, &s), RC_OK);
	for (size_t i = 0; i < RING_MAX; i++)
		assert_int_equal(keyring_create(g->store, t, "demo", "", NULL, now, &g->key[i], &reason), RC_OK);
	assert_int_equal(txn_end(t), RC_OK);
	return 0;
}

static int teardown(void **state)
{
	struct ground *g = *state;

	for (size_t i = 0; i < RING_MAX; i++)
		key_done(&g->key[i]);
	tmpstore_free(g->store);
	free(g);
	return 0;
}

/* The transaction is over before a key is opened. */
static void load(struct ground *g, struct keyring *ret)
{
	struct txn *t = txn_read(g->store, ENV_VAULT);

	assert_int_equal(keyring_get_sealed(g->store, t, span_str("demo"), ret), RC_OK);
	txn_abort(t);
	assert_int_equal(ret->count, RING_MAX);
}

/* Verifies what key i signs, or with `wrong` what it nearly does. */
static enum reason verify(struct ground *g, struct keyring *r, size_t i, const char *kid, bool wrong, const struct key **ret)
{
	struct span bytes = span_str("header.payload");
	uint8_t signature[SHA256_SIZE];

	*ret = NULL;
	assert_int_equal(crypto_hmac(secret_span(g->key[i].secret), bytes, signature), RC_OK);
	signature[SHA256_SIZE - 1] ^= wrong;
	return keyring_verify(r, span_str(kid), false, now, bytes, signature, ret);
}

static unsigned opened(const struct keyring *r)
{
	unsigned bits = 0;

	for (size_t i = 0; i < r->count; i++) {
		assert_null(r->keys[i].secret);          /* its text is not kept */
		bits |= (unsigned)(r->keys[i].hmac != NULL) << i;
	}
	return bits;
}

static void loading_opens_no_key(void **state)
{
	struct ground *g = *state;
	struct keyring r;

	load(g, &r);
	assert_int_equal(opened(&r), 0);
	for (size_t i = 0; i < RING_MAX; i++)
		assert_string_equal(r.keys[i].kid, g->key[i].kid);
	keyring_done(&r);
}

static void a_token_opens_the_key_it_names(void **state)
{
	struct ground *g = *state;
	const struct key *match;
	struct keyring r;

	load(g, &r);
	for (size_t i = RING_MAX; i-- > 0; ) {
		assert_int_equal(verify(g, &r, i, g->key[i].kid, false, &match), REASON_NONE);
		assert_ptr_equal(match, &r.keys[i]);
		assert_int_equal(opened(&r), 7U << i & 7);
	}
	assert_int_equal(verify(g, &r, 0, g->key[1].kid, false, &match), REASON_SIGNATURE_MISMATCH);
	assert_int_equal(verify(g, &r, 1, g->key[1].kid, false, &match), REASON_NONE);
	keyring_done(&r);
}

static void a_token_without_known_kid_opens_all(void **state)
{
	static const char *const kids[] = { "", UNKNOWN_KID };
	struct ground *g = *state;
	const struct key *match;
	struct keyring r;

	for (size_t n = 0; n < ARRAY_LEN(kids); n++)
		for (size_t i = 0; i < RING_MAX; i++) {
			load(g, &r);
			assert_int_equal(verify(g, &r, i, kids[n], false, &match), REASON_NONE);
			assert_ptr_equal(match, &r.keys[i]);
			assert_int_equal(opened(&r), 7);
			keyring_done(&r);
		}
}

/* Else the next refusal would take a time that tells which kid this one named. */
static void a_refusal_opens_all_whatever_it_named(void **state)
{
	struct ground *g = *state;
	const char *const kids[] = { "", UNKNOWN_KID, g->key[0].kid, g->key[1].kid, g->key[2].kid };
	const struct key *match;
	struct keyring r;

	for (size_t n = 0; n < ARRAY_LEN(kids); n++) {
		load(g, &r);
		assert_int_equal(verify(g, &r, 1, kids[n], true, &match), REASON_SIGNATURE_MISMATCH);
		assert_null(match);
		assert_int_equal(opened(&r), 7);
		keyring_done(&r);
	}
}

static void a_retired_key_is_not_opened(void **state)
{
	struct ground *g = *state;
	struct txn *t = txn_write(g->store, ENV_VAULT);
	const struct key *match;
	enum reason reason;
	struct keyring r;

	assert_int_equal(keyring_schedule(g->store, t, "demo", g->key[1].kid, now, now - 1, &reason), RC_OK);
	assert_int_equal(txn_end(t), RC_OK);
	load(g, &r);
	assert_int_equal(verify(g, &r, 1, g->key[1].kid, false, &match), REASON_KEY_RETIRED);
	assert_int_equal(verify(g, &r, 1, "", false, &match), REASON_SIGNATURE_MISMATCH);
	assert_int_equal(opened(&r), 5);
	keyring_done(&r);
}

/* The MAC is asked for before anything of the row is believed. */
static void any_flipped_byte_of_the_row_is_corrupt(void **state)
{
	struct ground *g = *state;
	struct txn *t = txn_write(g->store, ENV_VAULT);
	struct buf row = BUF_INIT;
	struct keyring r;
	struct span was;

	assert_true(txn_get(t, DB_RINGS, span_str("demo"), &was));
	buf_add_span(&row, was);
	for (size_t i = 0; i < row.size; i++) {
		row.data[i] ^= 1;
		txn_put(t, DB_RINGS, span_str("demo"), buf_span(&row));
		assert_int_equal(keyring_get_sealed(g->store, t, span_str("demo"), &r), RC_CORRUPT);
		row.data[i] ^= 1;
	}
	txn_abort(t);
	buf_done(&row);
}

/* The ring with key 1 in another's clothes, under a MAC that is right, as only who has the master key can make it. */
static void load_forged(struct ground *g, void (*change)(struct ring *r), struct keyring *ret)
{
	struct txn *t = txn_write(g->store, ENV_VAULT);
	struct ring r;

	assert_int_equal(ring_load(g->store, t, span_str("demo"), true, &r), RC_OK);
	change(&r);
	assert_int_equal(ring_save(g->store, t, "demo", &r), RC_OK);
	ring_done(&r);
	assert_int_equal(keyring_get_sealed(g->store, t, span_str("demo"), ret), RC_OK);
	txn_abort(t);
}

static void make_short(struct ring *r)
{
	secret_free(r->keys.keys[1].secret);
	r->keys.keys[1].secret = secret_copy(span_str("a secret of thirty-one bytes .."));
}

static void a_key_that_could_be_guessed_verifies_nothing(void **state)
{
	struct span bytes = span_str("header.payload");
	struct ground *g = *state;
	uint8_t signature[SHA256_SIZE];
	const struct key *match = NULL;
	struct keyring r;

	load_forged(g, make_short, &r);
	assert_int_equal(crypto_hmac(span_str("a secret of thirty-one bytes .."), bytes, signature), RC_OK);
	assert_int_equal(keyring_verify(&r, span_str(g->key[1].kid), false, now, bytes, signature, &match), REASON_VAULT_UNAVAILABLE);
	assert_null(match);
	keyring_done(&r);
}

/* What is sealed stays in its place: moved to another, it is no key, and no other is believed in its stead. */
static void a_key_that_does_not_open_refuses(void **state)
{
	struct ground *g = *state;
	const struct key *match;
	struct keyring r;

	load(g, &r);
	r.keys[1].retire_at = now + 600;                 /* not as it was sealed */
	assert_int_equal(verify(g, &r, 1, g->key[1].kid, false, &match), REASON_VAULT_UNAVAILABLE);
	assert_null(match);
	assert_int_equal(verify(g, &r, 0, "", false, &match), REASON_VAULT_UNAVAILABLE);
	assert_null(match);
	assert_int_equal(opened(&r) & 2, 0);
	assert_int_equal(verify(g, &r, 0, g->key[0].kid, false, &match), REASON_NONE);
	keyring_done(&r);
}

static void a_site_without_keys_has_an_empty_ring(void **state)
{
	struct ground *g = *state;
	struct txn *t = txn_read(g->store, ENV_VAULT);
	const struct key *match;
	struct keyring r;

	assert_int_equal(keyring_get_sealed(g->store, t, span_str("nobody"), &r), RC_OK);
	txn_abort(t);
	assert_int_equal(r.count, 0);
	assert_int_equal(verify(g, &r, 0, "", false, &match), REASON_RING_EMPTY);
	keyring_done(&r);
}

#define WITH_RING(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RING(loading_opens_no_key),
		WITH_RING(a_token_opens_the_key_it_names),
		WITH_RING(a_token_without_known_kid_opens_all),
		WITH_RING(a_refusal_opens_all_whatever_it_named),
		WITH_RING(a_retired_key_is_not_opened),
		WITH_RING(any_flipped_byte_of_the_row_is_corrupt),
		WITH_RING(a_key_that_could_be_guessed_verifies_nothing),
		WITH_RING(a_key_that_does_not_open_refuses),
		WITH_RING(a_site_without_keys_has_an_empty_ring),
	};

	secret_process_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
