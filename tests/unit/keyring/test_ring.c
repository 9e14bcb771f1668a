/* test_ring.c -- making, scheduling and retiring keys, and what a tampered row becomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "keyring/ring-private.h"
#include "tests/lib/tmpstore.h"

#include <stdio.h>
#include <stdlib.h>

/* The process remembers the latest end of a key it saw pass: each test has a time of its own, later than the last. */
static uint64_t now = 1763690000;

static void add_site(struct store *st, const char *id)
{
	struct txn *t = txn_write(st, ENV_VAULT);
	struct site s;

	site_init(&s);
	snprintf(s.id, sizeof(s.id), "%s", id);
	assert_int_equal(site_add(t, &s), RC_OK);
	assert_int_equal(txn_end(t), RC_OK);
}

static int setup(void **state)
{
	*state = tmpstore_new();
	if (!*state)
		return -1;
	now += 1000000;
	add_site(*state, "demo");
	add_site(*state, "other");
	return 0;
}

static int teardown(void **state)
{
	tmpstore_free(*state);
	return 0;
}

/* One change in a transaction of its own; refused: nothing is kept. */
static enum reason finish(struct txn *t, enum rc rc, enum reason reason)
{
	if (rc == RC_REFUSED) {
		txn_abort(t);
		return reason;
	}
	assert_int_equal(rc, RC_OK);
	assert_int_equal(txn_end(t), RC_OK);
	return REASON_NONE;
}

static enum reason create(struct store *st, const char *site, const char *text, struct key *ret)
{
	struct secret *imported = text ? secret_copy(span_str(text)) : NULL;
	struct txn *t = txn_write(st, ENV_VAULT);
	enum reason reason = REASON_NONE;
	enum rc rc = keyring_create(st, t, site, "label", imported, now, ret, &reason);

	secret_free(imported);
	return finish(t, rc, reason);
}

static void create_kid(struct store *st, const char *site, char kid[KID_MAX])
{
	struct key k;

	assert_int_equal(create(st, site, NULL, &k), REASON_NONE);
	memcpy(kid, k.kid, KID_MAX);
	key_done(&k);
}

static enum reason retire(struct store *st, const char *site, const char *kid)
{
	struct txn *t = txn_write(st, ENV_VAULT);
	enum reason reason = REASON_NONE;
	enum rc rc = keyring_retire(st, t, site, kid, now, &reason);

	return finish(t, rc, reason);
}

static enum reason schedule(struct store *st, const char *site, const char *kid, uint64_t retire_at)
{
	struct txn *t = txn_write(st, ENV_VAULT);
	enum reason reason = REASON_NONE;
	enum rc rc = keyring_schedule(st, t, site, kid, retire_at, now, &reason);

	return finish(t, rc, reason);
}

static enum rc load(struct store *st, const char *site, bool want_secrets, struct keyring *ret)
{
	struct txn *t = txn_read(st, ENV_VAULT);
	enum rc rc = keyring_get(st, t, span_str(site), want_secrets, ret);

	txn_abort(t);
	return rc;
}

static bool tombstone(struct store *st, const char *site, const char *kid, struct key *ret)
{
	struct txn *t = txn_read(st, ENV_VAULT);
	bool there = keyring_tombstone(t, span_str(site), span_str(kid), ret);

	assert_int_equal(txn_rc(t), RC_OK);
	txn_abort(t);
	return there;
}

static void a_site_without_keys_has_an_empty_ring(void **state)
{
	struct keyring r;

	assert_int_equal(load(*state, "demo", true, &r), RC_OK);
	assert_int_equal(r.count, 0);
	assert_int_equal(r.version, 0);
	assert_int_equal(load(*state, "nobody", true, &r), RC_OK);
	assert_int_equal(r.count, 0);
	keyring_done(&r);
}

static void a_created_key_is_in_the_ring_with_its_secret(void **state)
{
	struct keyring r;
	struct key k;

	assert_int_equal(create(*state, "demo", NULL, &k), REASON_NONE);
	assert_true(kid_valid(span_str(k.kid)));
	assert_true(key_secret_text_ok(secret_span(k.secret)));
	assert_int_equal(load(*state, "demo", true, &r), RC_OK);
	assert_int_equal(r.count, 1);
	assert_int_equal(r.version, 1);
	assert_string_equal(r.keys[0].kid, k.kid);
	assert_string_equal(r.keys[0].label, "label");
	assert_string_equal(r.keys[0].fingerprint, k.fingerprint);
	assert_int_equal(strspn(k.fingerprint, "0123456789abcdef"), 8);
	assert_int_equal(r.keys[0].created_at, now);
	assert_int_equal(r.keys[0].retire_at, 0);
	assert_non_null(r.keys[0].hmac);
	assert_true(span_equal(secret_span(r.keys[0].secret), secret_span(k.secret)));
	keyring_done(&r);
	key_done(&k);
}

static void listing_opens_no_secret(void **state)
{
	struct keyring r;
	char kid[KID_MAX];

	create_kid(*state, "demo", kid);
	assert_int_equal(load(*state, "demo", false, &r), RC_OK);
	assert_int_equal(r.count, 1);
	assert_string_equal(r.keys[0].kid, kid);
	assert_null(r.keys[0].secret);
	assert_null(r.keys[0].hmac);
	keyring_done(&r);
}

static void the_stored_row_does_not_show_the_secret(void **state)
{
	struct txn *t;
	struct span row;
	struct key k;

	assert_int_equal(create(*state, "demo", NULL, &k), REASON_NONE);
	t = txn_read(*state, ENV_VAULT);
	assert_true(txn_get(t, DB_RINGS, span_str("demo"), &row));
	assert_null(memmem(row.data, row.size, k.secret->data + 11, 16));
	txn_abort(t);
	key_done(&k);
}

static void every_change_raises_the_versions(void **state)
{
	struct site_head head;
	struct keyring r;
	char kid[KID_MAX];
	struct txn *t;

	create_kid(*state, "demo", kid);
	assert_int_equal(schedule(*state, "demo", kid, now + 60), REASON_NONE);
	assert_int_equal(retire(*state, "demo", kid), REASON_NONE);
	assert_int_equal(load(*state, "demo", true, &r), RC_OK);
	assert_int_equal(r.version, 3);
	assert_int_equal(r.count, 0);
	t = txn_read(*state, ENV_VAULT);
	assert_true(site_head_get(t, span_str("demo"), &head));
	txn_abort(t);
	assert_int_equal(head.ring, 3);
	keyring_done(&r);
}

static void a_fourth_key_is_refused(void **state)
{
	struct keyring r;
	struct key k;

	for (int i = 0; i < RING_MAX; i++) {
		assert_int_equal(create(*state, "demo", NULL, &k), REASON_NONE);
		key_done(&k);
	}
	assert_int_equal(create(*state, "demo", NULL, &k), REASON_RING_FULL);
	assert_int_equal(load(*state, "demo", false, &r), RC_OK);
	assert_int_equal(r.count, RING_MAX);
	keyring_done(&r);
	assert_int_equal(create(*state, "other", NULL, &k), REASON_NONE);
	key_done(&k);
}

static void a_key_whose_time_has_passed_gives_up_its_slot(void **state)
{
	char kids[RING_MAX][KID_MAX], fourth[KID_MAX];
	struct keyring r;
	struct key gone;

	for (int i = 0; i < RING_MAX; i++)
		create_kid(*state, "demo", kids[i]);
	assert_int_equal(schedule(*state, "demo", kids[1], now + 60), REASON_NONE);
	assert_int_equal(create(*state, "demo", NULL, &gone), REASON_RING_FULL);
	now += 60;
	create_kid(*state, "demo", fourth);
	assert_int_equal(load(*state, "demo", true, &r), RC_OK);
	assert_int_equal(r.count, RING_MAX);
	assert_string_equal(r.keys[0].kid, kids[0]);
	assert_string_equal(r.keys[1].kid, kids[2]);
	assert_string_equal(r.keys[2].kid, fourth);
	keyring_done(&r);
	assert_true(tombstone(*state, "demo", kids[1], &gone));
	assert_int_equal(gone.retire_at, now);
}

static void a_known_secret_is_refused_on_every_site_for_ever(void **state)
{
	static const char text[] = "an imported secret of enough bytes!";
	struct key k;

	assert_int_equal(create(*state, "demo", text, &k), REASON_NONE);
	assert_int_equal(create(*state, "demo", text, &(struct key){ 0 }), REASON_KEY_KNOWN);
	assert_int_equal(create(*state, "other", text, &(struct key){ 0 }), REASON_KEY_KNOWN);
	assert_int_equal(retire(*state, "demo", k.kid), REASON_NONE);
	assert_int_equal(create(*state, "other", text, &(struct key){ 0 }), REASON_KEY_KNOWN);
	key_done(&k);
}

/* RFC 2104: a key over one block is used as its hash, so both spellings sign alike. */
static void the_hash_of_a_long_secret_is_the_same_secret(void **state)
{
	struct secret *hash = secret_new(SHA256_SIZE);
	enum reason reason = REASON_NONE;
	struct key k = { 0 };
	char text[66] = { 0 };
	struct txn *t;

	/* A hash with a NUL byte could not be imported at all. */
	for (char c = 'a';; c++) {
		memset(text, c, 65);
		assert_int_equal(crypto_sha256(span_str(text), hash->data), RC_OK);
		if (!memchr(hash->data, 0, SHA256_SIZE) && hash->data[SHA256_SIZE - 1] != '\n')
			break;
	}
	assert_int_equal(create(*state, "demo", text, &k), REASON_NONE);
	t = txn_write(*state, ENV_VAULT);
	assert_int_equal(keyring_create(*state, t, "other", "", hash, now, &(struct key){ 0 }, &reason), RC_REFUSED);
	assert_int_equal(reason, REASON_KEY_KNOWN);
	txn_abort(t);
	key_done(&k);
	secret_free(hash);
}

static void unfit_secrets_are_refused(void **state)
{
	struct secret *nul = secret_new(40);
	enum reason reason = REASON_NONE;
	char text[514];
	struct key k;
	struct txn *t;

	memset(text, 'x', sizeof(text));
	text[513] = '\0';
	assert_int_equal(create(*state, "demo", text, &k), REASON_SECRET_INVALID);
	text[31] = '\0';
	assert_int_equal(create(*state, "demo", text, &k), REASON_SECRET_INVALID);
	assert_int_equal(create(*state, "demo", "", &k), REASON_SECRET_INVALID);
	assert_int_equal(create(*state, "demo", "0123456789012345678901234567890\n", &k), REASON_SECRET_INVALID);
	assert_int_equal(create(*state, "demo", "postern_sk_0123456789012345678901234567890123456789012345678", &k),
			 REASON_SECRET_INVALID);
	memset(nul->data, 'x', 39);
	t = txn_write(*state, ENV_VAULT);
	assert_int_equal(keyring_create(*state, t, "demo", "", nul, now, &k, &reason), RC_REFUSED);
	assert_int_equal(reason, REASON_SECRET_INVALID);
	txn_abort(t);
	secret_free(nul);
}

static void one_final_newline_of_an_import_is_dropped(void **state)
{
	struct key k;

	assert_int_equal(create(*state, "demo", "an imported secret of enough bytes!\n", &k), REASON_NONE);
	assert_true(span_is(secret_span(k.secret), "an imported secret of enough bytes!"));
	key_done(&k);
	assert_int_equal(create(*state, "demo", "two newlines follow this secret here\n\n", &k), REASON_NONE);
	assert_true(span_is(secret_span(k.secret), "two newlines follow this secret here\n"));
	key_done(&k);
}

static void a_label_too_long_is_refused(void **state)
{
	struct txn *t = txn_write(*state, ENV_VAULT);
	char label[KEY_LABEL_MAX + 1];
	enum reason reason;
	struct key k;

	memset(label, 'x', KEY_LABEL_MAX);
	label[KEY_LABEL_MAX] = '\0';
	assert_int_equal(keyring_create(*state, t, "demo", label, NULL, now, &k, &reason), RC_INVALID);
	assert_int_equal(keyring_create(*state, t, "demo", label + 1, NULL, now, &k, &reason), RC_OK);
	assert_string_equal(k.label, label + 1);
	key_done(&k);
	txn_abort(t);
}

static void a_key_of_no_site_is_not_made(void **state)
{
	struct txn *t = txn_write(*state, ENV_VAULT);
	enum reason reason;
	struct key k;

	assert_int_equal(keyring_create(*state, t, "nobody", "", NULL, now, &k, &reason), RC_NOT_FOUND);
	assert_int_equal(txn_end(t), RC_NOT_FOUND);
}

static void a_retired_key_leaves_a_tombstone_without_secret(void **state)
{
	char kid[KID_MAX];
	struct keyring r;
	struct key gone;

	create_kid(*state, "demo", kid);
	assert_false(tombstone(*state, "demo", kid, NULL));
	now += 5;
	assert_int_equal(retire(*state, "demo", kid), REASON_NONE);
	assert_true(tombstone(*state, "demo", kid, &gone));
	assert_string_equal(gone.kid, kid);
	assert_string_equal(gone.label, "label");
	assert_int_equal(gone.created_at, now - 5);
	assert_int_equal(gone.retire_at, now);
	assert_null(gone.secret);
	assert_false(tombstone(*state, "other", kid, NULL));
	assert_int_equal(load(*state, "demo", true, &r), RC_OK);
	assert_int_equal(r.count, 0);
	assert_int_equal(retire(*state, "demo", kid), REASON_KEY_GONE);
	assert_int_equal(schedule(*state, "demo", kid, 0), REASON_KEY_GONE);
}

static void only_the_key_that_is_named_leaves_the_ring(void **state)
{
	char kid[RING_MAX][KID_MAX];
	struct keyring r;

	for (size_t i = 0; i < RING_MAX; i++)
		create_kid(*state, "demo", kid[i]);
	assert_int_equal(retire(*state, "demo", kid[0]), REASON_NONE);
	assert_true(tombstone(*state, "demo", kid[0], NULL));
	assert_int_equal(load(*state, "demo", true, &r), RC_OK);
	assert_int_equal(r.count, 2);
	assert_string_equal(r.keys[0].kid, kid[1]);
	assert_string_equal(r.keys[1].kid, kid[2]);
	keyring_done(&r);
	assert_int_equal(schedule(*state, "demo", kid[1], now), REASON_NONE);
	assert_true(tombstone(*state, "demo", kid[1], NULL));
	assert_int_equal(load(*state, "demo", true, &r), RC_OK);
	assert_int_equal(r.count, 1);
	assert_string_equal(r.keys[0].kid, kid[2]);
	keyring_done(&r);
}

static void unknown_keys_are_told_apart_from_retired_ones(void **state)
{
	char kid[KID_MAX];

	create_kid(*state, "demo", kid);
	assert_int_equal(retire(*state, "other", kid), REASON_KEY_UNKNOWN);
	assert_int_equal(retire(*state, "demo", "k_aaaaaaaa"), REASON_KEY_UNKNOWN);
	assert_int_equal(schedule(*state, "demo", "no kid at all", now + 9), REASON_KEY_UNKNOWN);
}

static void a_scheduled_key_can_be_kept(void **state)
{
	struct key_name due[4];
	char kid[KID_MAX];
	struct keyring r;
	struct txn *t;

	create_kid(*state, "demo", kid);
	assert_int_equal(schedule(*state, "demo", kid, now + 60), REASON_NONE);
	assert_int_equal(schedule(*state, "demo", kid, now + 90), REASON_NONE);
	assert_int_equal(load(*state, "demo", true, &r), RC_OK);
	assert_int_equal(r.keys[0].retire_at, now + 90);
	keyring_done(&r);
	t = txn_read(*state, ENV_VAULT);
	assert_int_equal(txn_count(t, DB_RETIRING), 1);
	txn_abort(t);
	assert_int_equal(schedule(*state, "demo", kid, 0), REASON_NONE);
	t = txn_read(*state, ENV_VAULT);
	assert_int_equal(txn_count(t, DB_RETIRING), 0);
	assert_int_equal(keyring_due(t, now + 1000, due, 4), 0);
	txn_abort(t);
	assert_int_equal(load(*state, "demo", true, &r), RC_OK);
	assert_int_equal(r.keys[0].retire_at, 0);
	keyring_done(&r);
}

static void a_key_past_its_time_cannot_be_kept(void **state)
{
	char kid[KID_MAX];

	create_kid(*state, "demo", kid);
	assert_int_equal(schedule(*state, "demo", kid, now + 60), REASON_NONE);
	now += 60;
	assert_int_equal(schedule(*state, "demo", kid, 0), REASON_KEY_GONE);
	now -= 30;
	assert_int_equal(schedule(*state, "demo", kid, now + 600), REASON_KEY_GONE);
	now += 30;
}

static void a_schedule_that_is_not_ahead_retires_at_once(void **state)
{
	char kid[KID_MAX];
	struct key gone;

	create_kid(*state, "demo", kid);
	assert_int_equal(schedule(*state, "demo", kid, now - 5), REASON_NONE);
	assert_true(tombstone(*state, "demo", kid, &gone));
	assert_int_equal(gone.retire_at, now);
}

static void keys_are_due_in_the_order_of_their_ends(void **state)
{
	char first[KID_MAX], second[KID_MAX], later[KID_MAX];
	struct key_name due[4];
	struct key gone;
	struct txn *t;

	create_kid(*state, "demo", second);
	create_kid(*state, "other", first);
	create_kid(*state, "demo", later);
	assert_int_equal(schedule(*state, "demo", second, now + 60), REASON_NONE);
	assert_int_equal(schedule(*state, "other", first, now + 30), REASON_NONE);
	assert_int_equal(schedule(*state, "demo", later, now + 61), REASON_NONE);
	t = txn_read(*state, ENV_VAULT);
	assert_int_equal(keyring_due(t, now + 29, due, 4), 0);
	assert_int_equal(keyring_due(t, now + 60, due, 1), 1);
	assert_int_equal(keyring_due(t, now + 60, due, 4), 2);
	txn_abort(t);
	assert_string_equal(due[0].kid, first);
	assert_string_equal(due[0].site, "other");
	assert_string_equal(due[1].kid, second);
	now += 100;
	assert_int_equal(retire(*state, due[0].site, due[0].kid), REASON_NONE);
	assert_true(tombstone(*state, "other", first, &gone));
	assert_int_equal(gone.retire_at, now - 70);      /* when it ended, not when that was noticed */
	t = txn_read(*state, ENV_VAULT);
	assert_int_equal(keyring_due(t, now, due, 4), 2);
	txn_abort(t);
}

static void a_removed_site_leaves_only_what_its_secrets_are_known_by(void **state)
{
	static const char text[] = "an imported secret of enough bytes!";
	char kept[KID_MAX], retired[KID_MAX], elsewhere[KID_MAX];
	struct keyring r;
	struct key k;
	struct txn *t;

	assert_int_equal(create(*state, "demo", text, &k), REASON_NONE);
	key_done(&k);
	create_kid(*state, "demo", kept);
	create_kid(*state, "demo", retired);
	create_kid(*state, "other", elsewhere);
	assert_int_equal(schedule(*state, "demo", kept, now + 60), REASON_NONE);
	assert_int_equal(schedule(*state, "other", elsewhere, now + 60), REASON_NONE);
	assert_int_equal(retire(*state, "demo", retired), REASON_NONE);
	t = txn_write(*state, ENV_VAULT);
	assert_int_equal(site_remove(t, "demo", now), RC_OK);
	keyring_remove_site(*state, t, "demo");
	assert_int_equal(txn_end(t), RC_OK);

	assert_int_equal(load(*state, "demo", true, &r), RC_OK);
	assert_int_equal(r.count, 0);
	assert_false(tombstone(*state, "demo", retired, NULL));
	t = txn_read(*state, ENV_VAULT);
	assert_int_equal(txn_count(t, DB_RETIRING), 1);
	txn_abort(t);
	assert_int_equal(create(*state, "other", text, &k), REASON_KEY_KNOWN);
	assert_int_equal(load(*state, "other", true, &r), RC_OK);
	assert_int_equal(r.count, 1);
	keyring_done(&r);
}

static void a_removed_site_takes_no_other_site_s_tombstones(void **state)
{
	char kid[KID_MAX];
	struct txn *t;

	add_site(*state, "demo2");
	create_kid(*state, "demo2", kid);
	assert_int_equal(retire(*state, "demo2", kid), REASON_NONE);
	t = txn_write(*state, ENV_VAULT);
	assert_int_equal(site_remove(t, "demo", now), RC_OK);
	keyring_remove_site(*state, t, "demo");
	assert_int_equal(txn_end(t), RC_OK);
	assert_true(tombstone(*state, "demo2", kid, NULL));
}

/* ---- what somebody who can write the file, but has no master key, achieves ---- */

static void any_flipped_byte_of_the_row_is_corrupt(void **state)
{
	char kid[KID_MAX], *bytes;
	struct keyring r;
	struct span row;
	struct txn *t;
	size_t size;

	create_kid(*state, "demo", kid);
	t = txn_write(*state, ENV_VAULT);
	assert_true(txn_get(t, DB_RINGS, span_str("demo"), &row));
	size = row.size;
	bytes = malloc(size);
	assert_non_null(bytes);
	memcpy(bytes, row.data, size);
	for (size_t i = 0; i < size; i++) {
		bytes[i] ^= 1;
		txn_put(t, DB_RINGS, span_str("demo"), span_of(bytes, size));
		assert_int_equal(keyring_get(*state, t, span_str("demo"), true, &r), RC_CORRUPT);
		assert_int_equal(keyring_get(*state, t, span_str("demo"), false, &r), RC_CORRUPT);
		bytes[i] ^= 1;
	}
	for (size_t n = 0; n < size; n++) {
		txn_put(t, DB_RINGS, span_str("demo"), span_of(bytes, n));
		assert_int_equal(keyring_get(*state, t, span_str("demo"), true, &r), RC_CORRUPT);
	}
	txn_abort(t);
	free(bytes);
}

static void a_row_moved_to_another_site_is_corrupt(void **state)
{
	char kid[KID_MAX], bytes[2000];
	enum reason reason = REASON_NONE;
	struct keyring r;
	struct span row;
	struct key k;
	struct txn *t;

	create_kid(*state, "demo", kid);
	t = txn_write(*state, ENV_VAULT);
	assert_true(txn_get(t, DB_RINGS, span_str("demo"), &row));
	assert_true(row.size <= sizeof(bytes));
	memcpy(bytes, row.data, row.size);
	txn_put(t, DB_RINGS, span_str("other"), span_of(bytes, row.size));
	assert_int_equal(keyring_get(*state, t, span_str("other"), true, &r), RC_CORRUPT);
	assert_int_equal(keyring_create(*state, t, "other", "", NULL, now, &k, &reason), RC_CORRUPT);
	assert_int_equal(keyring_get(*state, t, span_str("demo"), true, &r), RC_OK);
	keyring_done(&r);
	txn_abort(t);
}

/* Writes a ring's row with a MAC that is right, as only who has the master key can. */
static void put_signed(struct store *st, struct txn *t, const char *site, struct span body)
{
	struct buf row = BUF_INIT, signed_bytes = BUF_INIT;
	uint8_t mac[SHA256_SIZE];

	buf_put_bytes(&signed_bytes, span_str(site));
	buf_put_bytes(&signed_bytes, body);
	assert_int_equal(crypto_hmac(secret_span(store_vault_key(st, "ring")), buf_span(&signed_bytes), mac), RC_OK);
	buf_add(&row, body.data, body.size);
	buf_add(&row, mac, sizeof(mac));
	txn_put(t, DB_RINGS, span_str(site), buf_span(&row));
	assert_int_equal(txn_rc(t), RC_OK);
	buf_done(&row);
	buf_done(&signed_bytes);
}

static void a_secret_moved_to_another_site_does_not_open(void **state)
{
	struct buf body = BUF_INIT;
	char kid[KID_MAX];
	struct keyring r;
	struct span row;
	struct txn *t;

	create_kid(*state, "demo", kid);
	t = txn_write(*state, ENV_VAULT);
	assert_true(txn_get(t, DB_RINGS, span_str("demo"), &row));
	buf_add(&body, row.data, row.size - SHA256_SIZE);
	put_signed(*state, t, "other", buf_span(&body));
	assert_int_equal(keyring_get(*state, t, span_str("other"), false, &r), RC_OK);     /* the MAC is right */
	keyring_done(&r);
	assert_int_equal(keyring_get(*state, t, span_str("other"), true, &r), RC_UNSEALED);
	txn_abort(t);
	buf_done(&body);
}

static void a_secret_under_another_kid_does_not_open(void **state)
{
	const size_t kid_at = 1 + 8 + 1 + 4;
	struct buf body = BUF_INIT;
	char kid[KID_MAX];
	struct keyring r;
	struct span row;
	struct txn *t;

	create_kid(*state, "demo", kid);
	t = txn_write(*state, ENV_VAULT);
	assert_true(txn_get(t, DB_RINGS, span_str("demo"), &row));
	buf_add(&body, row.data, row.size - SHA256_SIZE);
	assert_memory_equal(body.data + kid_at, kid, KID_MAX - 1);
	body.data[kid_at + 2] = kid[2] == 'a' ? 'b' : 'a';
	put_signed(*state, t, "demo", buf_span(&body));
	assert_int_equal(keyring_get(*state, t, span_str("demo"), true, &r), RC_UNSEALED);
	txn_abort(t);
	buf_done(&body);
}

/* No admin can make one; a row that has one is not believed. */
static void a_key_that_could_be_guessed_is_corrupt(void **state)
{
	static const struct { const char *text; enum rc rc; } cases[] = {
		{ "x", RC_CORRUPT },
		{ "a secret of thirty-one bytes ..", RC_CORRUPT },
		{ "a secret of thirty-two bytes ...", RC_OK },
	};
	char kid[KID_MAX];
	struct keyring got;
	struct ring r;
	struct txn *t;

	create_kid(*state, "demo", kid);
	t = txn_write(*state, ENV_VAULT);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(ring_load(*state, t, span_str("demo"), i == 0, &r), RC_OK);
		secret_free(r.keys.keys[0].secret);
		r.keys.keys[0].secret = secret_copy(span_str(cases[i].text));
		assert_int_equal(ring_save(*state, t, "demo", &r), RC_OK);
		ring_done(&r);
		assert_int_equal(keyring_get(*state, t, span_str("demo"), true, &got), cases[i].rc);
		if (cases[i].rc == RC_OK)
			keyring_done(&got);
	}
	txn_abort(t);
}

/* Even with the ring's MAC made anew: the secret is sealed into its retire_at. */
static void a_key_given_more_time_does_not_open(void **state)
{
	const size_t retire_at = 1 + 8 + 1 + (4 + 10) + (4 + 5) + (4 + 8) + 8;      /* its place in a row labelled "label" */
	struct buf body = BUF_INIT;
	uint8_t end[8];
	char kid[KID_MAX];
	struct keyring r;
	struct span row;
	struct txn *t;

	create_kid(*state, "demo", kid);
	assert_int_equal(schedule(*state, "demo", kid, now + 60), REASON_NONE);
	t = txn_write(*state, ENV_VAULT);
	assert_true(txn_get(t, DB_RINGS, span_str("demo"), &row));
	buf_add(&body, row.data, row.size - SHA256_SIZE);
	assert_true(be64_get((const uint8_t *)body.data + retire_at) == now + 60);
	be64_put(end, now + 600);
	memcpy(body.data + retire_at, end, sizeof(end));
	put_signed(*state, t, "demo", buf_span(&body));
	assert_int_equal(keyring_get(*state, t, span_str("demo"), false, &r), RC_OK);      /* the MAC is right */
	keyring_done(&r);
	assert_int_equal(keyring_get(*state, t, span_str("demo"), true, &r), RC_UNSEALED);
	txn_abort(t);
	buf_done(&body);
}

static void kids_have_one_form(void **state)
{
	static const char *const bad[] = {
		"", "k_", "k_aaaaaaa", "k_aaaaaaaaa", "K_aaaaaaaa", "k-aaaaaaaa", "k_aaaaaaa1", "k_aaaaaaaA", "k_aaaaaaa8",
		"k_aaaaaaa{",
	};

	(void)state;
	assert_true(kid_valid(span_str("k_7f3aqc2d")));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(kid_valid(span_str(bad[i])));
}

static void the_secret_text_has_a_check_sum(void **state)
{
	struct key k;
	char text[KEY_SECRET_TEXT + 1];

	assert_int_equal(create(*state, "demo", NULL, &k), REASON_NONE);
	assert_int_equal(k.secret->size, KEY_SECRET_TEXT);
	memcpy(text, k.secret->data, KEY_SECRET_TEXT);
	text[KEY_SECRET_TEXT] = 'x';
	key_done(&k);
	assert_true(key_secret_text_ok(span_of(text, KEY_SECRET_TEXT)));
	assert_false(key_secret_text_ok(span_of(text, KEY_SECRET_TEXT - 1)));
	assert_false(key_secret_text_ok(span_of(text, KEY_SECRET_TEXT + 1)));
	for (size_t i = 0; i < KEY_SECRET_TEXT; i++) {
		char c = text[i];

		text[i] = c == 'b' ? 'c' : 'b';
		assert_false(key_secret_text_ok(span_of(text, KEY_SECRET_TEXT)));
		text[i] = '-';
		assert_false(key_secret_text_ok(span_of(text, KEY_SECRET_TEXT)));
		text[i] = c;
	}
	/* One made elsewhere, of the bytes 1 to 32, by another implementation. */
	assert_true(key_secret_text_ok(span_str("postern_sk_0Eoh211G4c8wtVWM00my5rsNSFlKgaWqQ4mb8gdEqno3sUOxB")));
}

/* Rows that are wrong though their MAC is right, as a later version of us or a fault of ours would write them. */
static void a_row_of_another_form_is_corrupt(void **state)
{
	const size_t count_at = 1 + 8, kid_at = count_at + 1 + 4;
	struct buf body = BUF_INIT;
	char kid[KID_MAX], kid_byte;
	struct keyring r;
	struct span row;
	struct txn *t;

	create_kid(*state, "demo", kid);
	t = txn_write(*state, ENV_VAULT);
	assert_true(txn_get(t, DB_RINGS, span_str("demo"), &row));
	buf_add(&body, row.data, row.size - SHA256_SIZE);
	for (size_t size = 0; size < body.size; size++) {
		put_signed(*state, t, "demo", span_of(body.data, size));
		assert_int_equal(keyring_get(*state, t, span_str("demo"), false, &r), RC_CORRUPT);
	}
	body.data[0]++;
	put_signed(*state, t, "demo", buf_span(&body));
	assert_int_equal(keyring_get(*state, t, span_str("demo"), false, &r), RC_CORRUPT);
	body.data[0]--;
	for (char count = 0; count <= RING_MAX + 1; count++) {
		body.data[count_at] = count;
		put_signed(*state, t, "demo", buf_span(&body));
		assert_int_equal(keyring_get(*state, t, span_str("demo"), false, &r), count == 1 ? RC_OK : RC_CORRUPT);
	}
	keyring_done(&r);
	body.data[count_at] = 1;
	kid_byte = body.data[kid_at];
	body.data[kid_at] = 'K';
	put_signed(*state, t, "demo", buf_span(&body));
	assert_int_equal(keyring_get(*state, t, span_str("demo"), false, &r), RC_CORRUPT);
	body.data[kid_at] = kid_byte;
	buf_add_char(&body, '\0');
	put_signed(*state, t, "demo", buf_span(&body));
	assert_int_equal(keyring_get(*state, t, span_str("demo"), false, &r), RC_CORRUPT);
	txn_abort(t);
	buf_done(&body);
}

static void a_ring_that_does_not_decode_is_not_changed(void **state)
{
	enum reason reason = REASON_NONE;
	char kid[KID_MAX];
	struct txn *t;
	struct key k;

	create_kid(*state, "demo", kid);
	t = txn_write(*state, ENV_VAULT);
	put_signed(*state, t, "demo", span_str("\2"));
	assert_int_equal(keyring_retire(*state, t, "demo", kid, now, &reason), RC_CORRUPT);
	assert_int_equal(keyring_schedule(*state, t, "demo", kid, now + 9, now, &reason), RC_CORRUPT);
	assert_int_equal(keyring_create(*state, t, "demo", "", NULL, now, &k, &reason), RC_CORRUPT);
	assert_int_equal(reason, REASON_NONE);
	txn_abort(t);
}

static void put_tombstone(struct txn *t, const char *kid, struct span row)
{
	char key[5 + KID_MAX] = "demo";

	memcpy(key + 5, kid, KID_MAX - 1);
	txn_put(t, DB_TOMBSTONES, span_of(key, 5 + KID_MAX - 1), row);
}

/* One that is there and cannot be read: the key it stands for may be the one that was retired. */
static void a_tombstone_that_does_not_decode_fails_the_transaction(void **state)
{
	static const char *const rows[] = { "", "\1", "\2", "\1\0\0\0\0" };
	enum reason reason = REASON_NONE;
	struct txn *t;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		t = txn_write(*state, ENV_VAULT);
		put_tombstone(t, "k_aaaaaaaa", span_str(rows[i]));
		assert_false(keyring_tombstone(t, span_str("demo"), span_str("k_aaaaaaaa"), NULL));
		assert_int_equal(txn_rc(t), RC_CORRUPT);
		assert_int_equal(keyring_retire(*state, t, "demo", "k_aaaaaaaa", now, &reason), RC_CORRUPT);
		txn_abort(t);
	}
	t = txn_write(*state, ENV_VAULT);
	put_tombstone(t, "k_aaaaaaaa", span_str("\1"));
	assert_int_equal(keyring_retire(*state, t, "demo", "k_aaaaaaaa", now, &reason), RC_CORRUPT);
	txn_abort(t);
}

static void only_a_site_s_own_name_is_looked_up(void **state)
{
	struct txn *t = txn_read(*state, ENV_VAULT);
	struct keyring r;

	assert_false(keyring_tombstone(t, span_str("Demo"), span_str("k_aaaaaaaa"), NULL));
	assert_false(keyring_tombstone(t, span_str(""), span_str("k_aaaaaaaa"), NULL));
	assert_int_equal(keyring_get(*state, t, span_str("../demo"), true, &r), RC_OK);
	assert_int_equal(r.count, 0);
	assert_int_equal(txn_rc(t), RC_OK);
	txn_abort(t);
}

static void a_due_row_that_is_none_fails_the_transaction(void **state)
{
	static const struct { const char *bytes; size_t size; } rows[] = {
		{ "\0\0\0", 3 },
		{ "\0\0\0\0\0\0\0\1", 8 },
		{ "\0\0\0\0\0\0\0\1" "demo", 12 },
		{ "\0\0\0\0\0\0\0\1" "Demo\0k_aaaaaaaa", 23 },
		{ "\0\0\0\0\0\0\0\1" "demo\0K_aaaaaaaa", 23 },
	};
	struct key_name due[4];
	struct txn *t;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		t = txn_write(*state, ENV_VAULT);
		txn_put(t, DB_RETIRING, span_of(rows[i].bytes, rows[i].size), span_of("", 0));
		assert_int_equal(keyring_due(t, now, due, 4), 0);
		assert_int_equal(txn_rc(t), RC_CORRUPT);
		txn_abort(t);
		t = txn_write(*state, ENV_VAULT);
		txn_put(t, DB_RETIRING, span_of(rows[i].bytes, rows[i].size), span_of("", 0));
		assert_int_equal(site_remove(t, "demo", now), RC_OK);
		keyring_remove_site(*state, t, "demo");         /* a site can go in spite of them */
		assert_int_equal(txn_rc(t), RC_OK);
		txn_abort(t);
	}
}

static void what_was_seen_to_be_due_stays_due(void **state)
{
	struct key_name due[4];
	char kid[KID_MAX];
	struct keyring r;
	struct txn *t;

	create_kid(*state, "demo", kid);
	assert_int_equal(schedule(*state, "demo", kid, now + 60), REASON_NONE);
	assert_int_equal(load(*state, "demo", false, &r), RC_OK);
	assert_int_equal(key_state_at(&r.keys[0], now + 60), KEY_RETIRED);
	keyring_done(&r);
	t = txn_read(*state, ENV_VAULT);
	assert_int_equal(keyring_due(t, now, due, 4), 1);       /* the clock stepped back */
	assert_string_equal(due[0].kid, kid);
	txn_abort(t);
}

static void our_own_form_of_a_secret_is_imported(void **state)
{
	struct secret *made = NULL;
	enum reason reason = REASON_NONE;
	struct txn *t;
	struct key k;

	assert_int_equal(secret_text_make(&made), RC_OK);
	t = txn_write(*state, ENV_VAULT);
	assert_int_equal(keyring_create(*state, t, "demo", NULL, made, now, &k, &reason), RC_OK);
	assert_string_equal(k.label, "");
	assert_true(span_equal(secret_span(k.secret), secret_span(made)));
	key_done(&k);
	made->data[KEY_SECRET_TEXT - 1] = made->data[KEY_SECRET_TEXT - 1] == 'a' ? 'b' : 'a';
	assert_int_equal(keyring_create(*state, t, "demo", NULL, made, now, &k, &reason), RC_REFUSED);
	assert_int_equal(reason, REASON_SECRET_INVALID);
	assert_int_equal(keyring_create(*state, t, "Demo", NULL, NULL, now, &k, &reason), RC_INVALID);
	txn_abort(t);
	secret_free(made);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(a_site_without_keys_has_an_empty_ring),
		WITH_STORE(a_created_key_is_in_the_ring_with_its_secret),
		WITH_STORE(listing_opens_no_secret),
		WITH_STORE(the_stored_row_does_not_show_the_secret),
		WITH_STORE(every_change_raises_the_versions),
		WITH_STORE(a_fourth_key_is_refused),
		WITH_STORE(a_key_whose_time_has_passed_gives_up_its_slot),
		WITH_STORE(a_known_secret_is_refused_on_every_site_for_ever),
		WITH_STORE(the_hash_of_a_long_secret_is_the_same_secret),
		WITH_STORE(unfit_secrets_are_refused),
		WITH_STORE(one_final_newline_of_an_import_is_dropped),
		WITH_STORE(a_label_too_long_is_refused),
		WITH_STORE(a_key_of_no_site_is_not_made),
		WITH_STORE(a_retired_key_leaves_a_tombstone_without_secret),
		WITH_STORE(only_the_key_that_is_named_leaves_the_ring),
		WITH_STORE(unknown_keys_are_told_apart_from_retired_ones),
		WITH_STORE(a_scheduled_key_can_be_kept),
		WITH_STORE(a_key_past_its_time_cannot_be_kept),
		WITH_STORE(a_schedule_that_is_not_ahead_retires_at_once),
		WITH_STORE(keys_are_due_in_the_order_of_their_ends),
		WITH_STORE(a_removed_site_leaves_only_what_its_secrets_are_known_by),
		WITH_STORE(a_removed_site_takes_no_other_site_s_tombstones),
		WITH_STORE(any_flipped_byte_of_the_row_is_corrupt),
		WITH_STORE(a_row_moved_to_another_site_is_corrupt),
		WITH_STORE(a_secret_moved_to_another_site_does_not_open),
		WITH_STORE(a_secret_under_another_kid_does_not_open),
		WITH_STORE(a_key_that_could_be_guessed_is_corrupt),
		WITH_STORE(a_key_given_more_time_does_not_open),
		cmocka_unit_test(kids_have_one_form),
		WITH_STORE(the_secret_text_has_a_check_sum),
		WITH_STORE(a_row_of_another_form_is_corrupt),
		WITH_STORE(a_ring_that_does_not_decode_is_not_changed),
		WITH_STORE(a_tombstone_that_does_not_decode_fails_the_transaction),
		WITH_STORE(only_a_site_s_own_name_is_looked_up),
		WITH_STORE(a_due_row_that_is_none_fails_the_transaction),
		WITH_STORE(what_was_seen_to_be_due_stays_due),
		WITH_STORE(our_own_form_of_a_secret_is_imported),
	};

	secret_process_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
