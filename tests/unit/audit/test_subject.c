/* Subjects and the clear identities behind them: pseudonym keys in the vault, sealed rows in the ledger. */
#include "audit/audit.h"
#include "tests/lib/tmpstore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define DAY UINT64_C(86400)
#define NOW (UINT64_C(20412) * DAY)
#define SUBJECT "h1:00112233445566778899aabbccddeeff"
#define OTHER "h1:ffeeddccbbaa99887766554433221100"

static int setup(void **state)
{
	*state = tmpstore_new();
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	tmpstore_free(*state);
	return 0;
}

static enum rc make_key(struct store *st, const char *site)
{
	struct txn *t = txn_write(st, ENV_VAULT);
	enum rc rc = audit_pseudonym_make(st, t, site), ended = txn_end(t);

	assert_int_equal(ended, RC_OK);
	return rc;
}

static enum rc get_key(struct store *st, const char *site, struct secret **ret)
{
	struct txn *t = txn_read(st, ENV_VAULT);
	enum rc rc = audit_pseudonym_get(st, t, span_str(site), ret);

	txn_abort(t);
	return rc;
}

static void subject_at(struct store *st, const char *site, const char *email, char out[SUBJECT_MAX])
{
	struct secret *key = NULL;
	struct hmac_key *hmac = NULL;

	assert_int_equal(get_key(st, site, &key), RC_OK);
	assert_int_equal(hmac_key_new(secret_span(key), &hmac), RC_OK);
	assert_int_equal(audit_subject(hmac, span_str(email), out), RC_OK);
	hmac_key_free(hmac);
	secret_free(key);
}

static void a_subject_is_the_hmac_of_the_email(void **state)
{
	/* Expected: Python's hmac module. */
	struct hmac_key *key = NULL;
	char subject[SUBJECT_MAX];

	(void)state;
	assert_int_equal(hmac_key_new(span_str("0123456789abcdef0123456789abcdef"), &key), RC_OK);
	assert_int_equal(audit_subject(key, span_str("alex@example.com"), subject), RC_OK);
	assert_string_equal(subject, "h1:b4de149f0c18d746a43f22cd5b75836e");
	hmac_key_free(key);
}

static void a_person_is_one_subject_at_a_site_and_another_elsewhere(void **state)
{
	char first[SUBJECT_MAX], again[SUBJECT_MAX], elsewhere[SUBJECT_MAX], other[SUBJECT_MAX];

	assert_int_equal(make_key(*state, "demo"), RC_OK);
	assert_int_equal(make_key(*state, "shop"), RC_OK);
	subject_at(*state, "demo", "alex@example.com", first);
	subject_at(*state, "demo", "alex@example.com", again);
	subject_at(*state, "demo", "jordan@example.com", other);
	subject_at(*state, "shop", "alex@example.com", elsewhere);
	assert_string_equal(first, again);
	assert_string_not_equal(first, other);
	assert_string_not_equal(first, elsewhere);
}

static void a_pseudonym_key_is_never_replaced(void **state)
{
	struct secret *before = NULL, *after = NULL;

	assert_int_equal(make_key(*state, "demo"), RC_OK);
	assert_int_equal(get_key(*state, "demo", &before), RC_OK);
	assert_int_equal(make_key(*state, "demo"), RC_EXISTS);
	assert_int_equal(get_key(*state, "demo", &after), RC_OK);
	assert_true(span_equal(secret_span(before), secret_span(after)));
	secret_free(before);
	secret_free(after);
}

static void a_site_without_a_key_has_none(void **state)
{
	struct secret *key = NULL;

	assert_int_equal(get_key(*state, "demo", &key), RC_NOT_FOUND);
	assert_int_equal(get_key(*state, "", &key), RC_INVALID);
	assert_null(key);
}

static void a_key_moved_to_another_site_does_not_open(void **state)
{
	struct secret *key = NULL;
	struct buf copy = BUF_INIT;
	struct span row;
	struct txn *t;

	assert_int_equal(make_key(*state, "demo"), RC_OK);
	t = txn_write(*state, ENV_VAULT);
	assert_true(txn_get(t, DB_PSEUDONYMS, span_str("demo"), &row));
	buf_add_span(&copy, row);
	txn_put(t, DB_PSEUDONYMS, span_str("shop"), buf_span(&copy));
	assert_int_equal(txn_end(t), RC_OK);
	assert_int_equal(get_key(*state, "shop", &key), RC_UNSEALED);
	assert_null(key);
	buf_done(&copy);
}

/* ---- identities ---- */

static void keep(struct store *st, const char *site, const char *subject, const char *name, uint64_t now)
{
	struct txn *t = txn_write(st, ENV_LEDGER);

	assert_int_equal(audit_identity_keep(st, t, site, subject, "alex@example.com", name, now), RC_OK);
	assert_int_equal(txn_end(t), RC_OK);
}

static enum rc get(struct store *st, const char *site, const char *subject, struct audit_identity *ret)
{
	struct txn *t = txn_read(st, ENV_LEDGER);
	enum rc rc = audit_identity_get(st, t, site, subject, ret);

	txn_abort(t);
	return rc;
}

/* The row's bytes; the caller's buffer. */
static void row_of(struct store *st, const char *key, size_t key_size, struct buf *out)
{
	struct txn *t = txn_read(st, ENV_LEDGER);
	struct span row;

	assert_true(txn_get(t, DB_IDENTITIES, span_of(key, key_size), &row));
	buf_clear(out);
	buf_add_span(out, row);
	txn_abort(t);
}

static void put_row(struct store *st, const char *key, size_t key_size, struct span row)
{
	struct txn *t = txn_write(st, ENV_LEDGER);

	txn_put(t, DB_IDENTITIES, span_of(key, key_size), row);
	assert_int_equal(txn_end(t), RC_OK);
}

#define KEY "demo\0" SUBJECT
#define OTHER_KEY "demo\0" OTHER
#define KEY_SIZE (sizeof(KEY) - 1)

static void an_identity_is_kept_and_read_back(void **state)
{
	struct audit_identity id;

	assert_int_equal(get(*state, "demo", SUBJECT, &id), RC_NOT_FOUND);
	keep(*state, "demo", SUBJECT, "Alex \xc3\x89", NOW);
	assert_int_equal(get(*state, "demo", SUBJECT, &id), RC_OK);
	assert_string_equal(id.email, "alex@example.com");
	assert_string_equal(id.name, "Alex \xc3\x89");
	assert_int_equal(id.seen_at, NOW);
	assert_int_equal(get(*state, "demo", OTHER, &id), RC_NOT_FOUND);
	assert_int_equal(get(*state, "shop", SUBJECT, &id), RC_NOT_FOUND);
	keep(*state, "shop", SUBJECT, "", NOW);
	assert_int_equal(get(*state, "shop", SUBJECT, &id), RC_OK);
	assert_string_equal(id.name, "");
}

static void a_row_does_not_show_the_email(void **state)
{
	struct buf row = BUF_INIT;

	keep(*state, "demo", SUBJECT, "Alex", NOW);
	row_of(*state, KEY, KEY_SIZE, &row);
	assert_true(row.size > 16);
	assert_null(memmem(row.data, row.size, "alex", 4));
	assert_null(memmem(row.data, row.size, "Alex", 4));
	buf_done(&row);
}

static void an_identity_is_refreshed_once_a_day(void **state)
{
	struct buf first = BUF_INIT, later = BUF_INIT;
	struct audit_identity id;

	keep(*state, "demo", SUBJECT, "Alex", NOW);
	row_of(*state, KEY, KEY_SIZE, &first);
	keep(*state, "demo", SUBJECT, "Alexandra", NOW + DAY - 1);
	row_of(*state, KEY, KEY_SIZE, &later);
	assert_true(span_equal(buf_span(&first), buf_span(&later)));
	keep(*state, "demo", SUBJECT, "Alexandra", NOW + DAY);
	assert_int_equal(get(*state, "demo", SUBJECT, &id), RC_OK);
	assert_string_equal(id.name, "Alexandra");
	assert_int_equal(id.seen_at, NOW + DAY);
	buf_done(&first);
	buf_done(&later);
}

static void a_row_moved_or_altered_does_not_open(void **state)
{
	struct audit_identity id;
	struct buf row = BUF_INIT;

	keep(*state, "demo", SUBJECT, "Alex", NOW);
	row_of(*state, KEY, KEY_SIZE, &row);
	put_row(*state, OTHER_KEY, KEY_SIZE, buf_span(&row));
	assert_int_equal(get(*state, "demo", OTHER, &id), RC_UNSEALED);
	for (size_t i = 0; i < row.size; i++) {
		row.data[i] ^= 1;
		put_row(*state, KEY, KEY_SIZE, buf_span(&row));
		assert_int_not_equal(get(*state, "demo", SUBJECT, &id), RC_OK);
		row.data[i] ^= 1;
	}
	for (size_t size = 0; size < row.size; size++) {
		put_row(*state, KEY, KEY_SIZE, span_of(row.data, size));
		assert_int_equal(get(*state, "demo", SUBJECT, &id), RC_CORRUPT);
	}
	buf_done(&row);
}

static void a_row_that_does_not_decode_is_written_anew(void **state)
{
	struct audit_identity id;

	put_row(*state, KEY, KEY_SIZE, span_of("junk", 4));
	keep(*state, "demo", SUBJECT, "Alex", NOW);
	assert_int_equal(get(*state, "demo", SUBJECT, &id), RC_OK);
	assert_string_equal(id.name, "Alex");
}

static void names_that_cannot_be_a_place_are_refused(void **state)
{
	struct audit_identity id;

	assert_int_equal(get(*state, "", SUBJECT, &id), RC_INVALID);
	assert_int_equal(get(*state, "demo", "", &id), RC_INVALID);
	assert_int_equal(get(*state, "demo", SUBJECT "0", &id), RC_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void a_known_name_is_not_lost_to_a_record_without_one(void **state)
{
	struct audit_identity id;

	keep(*state, "demo", SUBJECT, "", NOW);
	assert_int_equal(get(*state, "demo", SUBJECT, &id), RC_OK);
	assert_string_equal(id.name, "");
	keep(*state, "demo", SUBJECT, "Alex", NOW + 1);                 /* the same day, and yet */
	assert_int_equal(get(*state, "demo", SUBJECT, &id), RC_OK);
	assert_string_equal(id.name, "Alex");
	keep(*state, "demo", SUBJECT, "", NOW + 3 * 86400);
	assert_int_equal(get(*state, "demo", SUBJECT, &id), RC_OK);
	assert_string_equal(id.name, "Alex");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_subject_is_the_hmac_of_the_email),
		TEST(a_person_is_one_subject_at_a_site_and_another_elsewhere),
		TEST(a_pseudonym_key_is_never_replaced),
		TEST(a_site_without_a_key_has_none),
		TEST(a_key_moved_to_another_site_does_not_open),
		TEST(an_identity_is_kept_and_read_back),
		TEST(a_row_does_not_show_the_email),
		TEST(an_identity_is_refreshed_once_a_day),
		TEST(a_known_name_is_not_lost_to_a_record_without_one),
		TEST(a_row_moved_or_altered_does_not_open),
		TEST(a_row_that_does_not_decode_is_written_anew),
		TEST(names_that_cannot_be_a_place_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
