/* Idempotency-Keys: claimed, finished, freed, replayed, expired, removed. */
#include "tests/lib/tmpstore.h"
#include "path/path-private.h"
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define NOW UINT64_C(1763690000)
#define ALEX "h1:00000000000000000000000000000001"
#define JORDAN "h1:00000000000000000000000000000002"
#define CANARY "answer-canary"

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

static struct idempotency named(struct store *st, const char *site, const char *subject, const char *action, const char *key, int n)
{
	json_t *parameters = json_pack("{si}", "n", n);
	struct idempotency k;

	assert_int_equal(idempotency_make(st, site, subject, action, span_str(key), parameters, &k), RC_OK);
	json_decref(parameters);
	return k;
}

static struct idempotency alexs(struct store *st, const char *key, int n)
{
	return named(st, "demo", ALEX, "book", key, n);
}

/* What a claim answers; the stored text is CANARY. */
static enum reason claim(struct store *st, struct idempotency k, uint64_t now_s)
{
	struct txn *t = txn_write(st, ENV_LEDGER);
	json_t *result = NULL;
	enum reason reason = idempotency_claim(st, t, &k, now_s, &result);

	assert_int_equal(txn_end(t), RC_OK);
	assert_int_equal(reason == REASON_REPLAYED, result != NULL);
	if (result)
		assert_string_equal(json_string_value(result), CANARY);
	json_decref(result);
	return reason;
}

static void finish(struct store *st, struct idempotency k)
{
	struct txn *t = txn_write(st, ENV_LEDGER);
	json_t *result = json_string(CANARY);

	idempotency_finish(st, t, &k, result);
	json_decref(result);
	assert_int_equal(txn_end(t), RC_OK);
}

static void release(struct store *st, struct idempotency k)
{
	struct txn *t = txn_write(st, ENV_LEDGER);

	idempotency_free(t, &k);
	assert_int_equal(txn_end(t), RC_OK);
}

static void make(struct store *st, struct idempotency k, uint64_t now_s)
{
	assert_int_equal(claim(st, k, now_s), REASON_NONE);
	finish(st, k);
}

/* Rows, and as many index rows. */
static uint64_t rows(struct store *st)
{
	struct txn *t = txn_read(st, ENV_LEDGER);
	uint64_t count = txn_count(t, DB_IDEMPOTENCY);

	assert_int_equal(txn_count(t, DB_IDEMPOTENCY_EXPIRY), count);
	txn_abort(t);
	return count;
}

static void one_in_flight_conflicts_and_a_done_one_is_answered_again(void **state)
{
	struct idempotency k = alexs(*state, "k", 1);

	assert_int_equal(claim(*state, k, NOW), REASON_NONE);
	assert_int_equal(claim(*state, k, NOW + 1), REASON_CONFLICT);
	finish(*state, k);
	assert_int_equal(claim(*state, k, NOW + 2), REASON_REPLAYED);
	assert_int_equal(claim(*state, alexs(*state, "k", 2), NOW + 2), REASON_CONFLICT);
	assert_int_equal(claim(*state, k, NOW + 3), REASON_REPLAYED);
	assert_int_equal(rows(*state), 1);
}

static void freed_is_as_if_never_used(void **state)
{
	struct idempotency k = alexs(*state, "k", 1);

	assert_int_equal(claim(*state, k, NOW), REASON_NONE);
	release(*state, k);
	assert_int_equal(rows(*state), 0);
	assert_int_equal(claim(*state, alexs(*state, "k", 2), NOW), REASON_NONE);
	finish(*state, k);
	release(*state, k);                             /* what is done stays done */
	assert_int_equal(rows(*state), 1);
}

static void every_part_of_the_scope_makes_it_another(void **state)
{
	static const struct { const char *site, *subject, *action, *key; } others[] = {
		{ "demo-2", ALEX, "book", "k" }, { "demo", JORDAN, "book", "k" }, { "demo", ALEX, "cancel", "k" },
		{ "demo", ALEX, "book", "K" }, { "demo", ALEX, "boo", "kk" },
	};
	size_t count = sizeof(others) / sizeof(others[0]);

	make(*state, alexs(*state, "k", 1), NOW);
	for (size_t i = 0; i < count; i++)
		make(*state, named(*state, others[i].site, others[i].subject, others[i].action, others[i].key, 1), NOW);
	assert_int_equal(rows(*state), count + 1);
}

static void it_ends_after_a_day(void **state)
{
	struct idempotency k = alexs(*state, "k", 1);

	make(*state, k, NOW);
	assert_int_equal(claim(*state, k, NOW + IDEMPOTENCY_SECONDS - 1), REASON_REPLAYED);
	assert_int_equal(claim(*state, alexs(*state, "k", 2), NOW + IDEMPOTENCY_SECONDS), REASON_NONE);
	assert_int_equal(rows(*state), 1);
}

static struct idempotency numbered(struct store *st, const char *subject, int n)
{
	char key[16];

	snprintf(key, sizeof(key), "n%d", n);
	return named(st, "demo", subject, "book", key, 1);
}

/* One visitor's; the other's are not counted and do not go, nor does what is in flight, however old it is. */
static void the_oldest_answer_gives_way_to_the_65th(void **state)
{
	struct idempotency flies = alexs(*state, "flies", 1), others = numbered(*state, JORDAN, 0);

	assert_int_equal(claim(*state, flies, NOW), REASON_NONE);
	make(*state, others, NOW);
	for (int i = 1; i <= IDEMPOTENCY_PER_SUBJECT; i++)
		make(*state, numbered(*state, ALEX, i), NOW + (uint64_t)i);
	assert_int_equal(rows(*state), IDEMPOTENCY_PER_SUBJECT + 2);
	assert_int_equal(claim(*state, numbered(*state, ALEX, 1), NOW + 100), REASON_REPLAYED);
	make(*state, numbered(*state, ALEX, 100), NOW + 100);
	assert_int_equal(rows(*state), IDEMPOTENCY_PER_SUBJECT + 2);
	assert_int_equal(claim(*state, flies, NOW + 101), REASON_CONFLICT);
	assert_int_equal(claim(*state, others, NOW + 101), REASON_REPLAYED);
	assert_int_equal(claim(*state, numbered(*state, ALEX, 2), NOW + 101), REASON_REPLAYED);
	make(*state, numbered(*state, ALEX, 1), NOW + 101);
	assert_int_equal(rows(*state), IDEMPOTENCY_PER_SUBJECT + 2);
	assert_int_equal(claim(*state, numbered(*state, ALEX, 3), NOW + 102), REASON_REPLAYED);
	assert_int_equal(claim(*state, numbered(*state, ALEX, 2), NOW + 102), REASON_NONE);
}

/* Nor do those that are made at once become more, or push answers out that are there. */
static void answers_that_come_at_once_are_64_too(void **state)
{
	for (int i = 0; i < 2 * IDEMPOTENCY_PER_SUBJECT; i++)
		assert_int_equal(claim(*state, numbered(*state, ALEX, i), NOW + (uint64_t)i), REASON_NONE);
	for (int i = 0; i < 2 * IDEMPOTENCY_PER_SUBJECT; i++)
		finish(*state, numbered(*state, ALEX, i));
	assert_int_equal(rows(*state), IDEMPOTENCY_PER_SUBJECT);
	for (int i = 0; i < IDEMPOTENCY_PER_SUBJECT; i++)
		assert_int_equal(claim(*state, numbered(*state, ALEX, IDEMPOTENCY_PER_SUBJECT + i), NOW + 200), REASON_REPLAYED);
	for (int i = 0; i < IDEMPOTENCY_PER_SUBJECT; i++)
		assert_int_equal(claim(*state, numbered(*state, ALEX, i), NOW + 200), REASON_NONE);
	assert_int_equal(claim(*state, numbered(*state, ALEX, IDEMPOTENCY_PER_SUBJECT), NOW + 200), REASON_REPLAYED);
}

static void attack_ever_new_keys_of_calls_that_nobody_knows_the_end_of(void **state)
{
	struct txn *t = txn_write(*state, ENV_LEDGER);
	json_t *result = NULL;

	for (int i = 0; i < IDEMPOTENCY_OPEN_MAX; i++) {
		struct idempotency k = numbered(*state, ALEX, i);

		assert_int_equal(idempotency_claim(*state, t, &k, NOW, &result), REASON_NONE);
	}
	assert_int_equal(txn_end(t), RC_OK);
	assert_int_equal(claim(*state, numbered(*state, ALEX, -1), NOW), REASON_RATE_LIMITED);
	assert_int_equal(claim(*state, numbered(*state, ALEX, 7), NOW), REASON_CONFLICT);
	make(*state, numbered(*state, JORDAN, -1), NOW);
	release(*state, numbered(*state, ALEX, 7));
	make(*state, numbered(*state, ALEX, -1), NOW);
	assert_int_equal(claim(*state, numbered(*state, ALEX, -2), NOW), REASON_NONE);
	assert_int_equal(claim(*state, numbered(*state, ALEX, -3), NOW), REASON_RATE_LIMITED);
	assert_int_equal(claim(*state, numbered(*state, ALEX, -1), NOW), REASON_REPLAYED);
	assert_int_equal(rows(*state), IDEMPOTENCY_OPEN_MAX + 2);
	assert_int_equal(claim(*state, numbered(*state, ALEX, -3), NOW + IDEMPOTENCY_SECONDS), REASON_NONE);
}

/* Those whose day is over do not count. */
static void what_has_expired_makes_no_answer_give_way(void **state)
{
	uint64_t later = NOW + IDEMPOTENCY_SECONDS;

	for (int i = 0; i < IDEMPOTENCY_PER_SUBJECT - 1; i++)
		make(*state, numbered(*state, ALEX, i), NOW);
	make(*state, numbered(*state, ALEX, 90), NOW + 1);
	make(*state, numbered(*state, ALEX, 91), later);
	assert_int_equal(rows(*state), IDEMPOTENCY_PER_SUBJECT + 1);
	assert_int_equal(claim(*state, numbered(*state, ALEX, 90), later), REASON_REPLAYED);
}

static void expired_ones_are_cleared_a_few_at_a_time(void **state)
{
	char key[16];

	for (int i = 0; i < 10; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		make(*state, alexs(*state, key, 1), i == 9 ? NOW + 1 : NOW);
	}
	for (uint64_t left = 10, now_s = NOW + IDEMPOTENCY_SECONDS - 1, i = 0; i < 5; i++, now_s = NOW + IDEMPOTENCY_SECONDS) {
		struct txn *t = txn_write(*state, ENV_LEDGER);

		idempotency_sweep(t, now_s);
		assert_int_equal(txn_end(t), RC_OK);
		left -= i == 0 ? 0 : left > 5 ? 4 : left - 1;
		assert_int_equal(rows(*state), left);
	}
}

/* What was erased while the change was on its way is not kept after it. */
static void an_erased_one_stays_away(void **state)
{
	struct idempotency k = alexs(*state, "k", 1);
	struct txn *t;

	assert_int_equal(claim(*state, k, NOW), REASON_NONE);
	make(*state, alexs(*state, "done", 1), NOW);
	make(*state, named(*state, "demo", JORDAN, "book", "k", 1), NOW);
	make(*state, named(*state, "demo-2", ALEX, "book", "k", 1), NOW);
	t = txn_write(*state, ENV_LEDGER);
	assert_int_equal(idempotency_remove(t, "demo", ALEX, 1), 1);
	assert_int_equal(idempotency_remove(t, "demo", ALEX, 10), 1);
	assert_int_equal(txn_end(t), RC_OK);
	assert_int_equal(rows(*state), 2);
	finish(*state, k);
	assert_int_equal(rows(*state), 2);
	t = txn_write(*state, ENV_LEDGER);
	assert_int_equal(idempotency_remove(t, "demo", NULL, 10), 1);
	assert_int_equal(txn_end(t), RC_OK);
	assert_int_equal(rows(*state), 1);
}

/* The one row there is, with one byte changed or moved under another key. */
static void spoil(struct store *st, size_t at, const struct idempotency *to)
{
	struct txn *t = txn_write(st, ENV_LEDGER);
	uint8_t copy[512], name[512];
	struct span key, row;
	struct walk w;

	walk_begin(&w, t, DB_IDEMPOTENCY);
	assert_true(walk_next(&w, &key, &row));
	memcpy(name, key.data, key.size);
	memcpy(copy, row.data, row.size);
	key.data = name;
	row.data = copy;
	walk_end(&w);
	if (to)
		memcpy(name + key.size - IDEMPOTENCY_HASH_SIZE, to->scope, IDEMPOTENCY_HASH_SIZE);
	else
		copy[at] ^= 1;
	txn_put(t, DB_IDEMPOTENCY, key, row);
	assert_int_equal(txn_end(t), RC_OK);
}

static void fails(struct store *st, struct idempotency k, enum rc why)
{
	struct txn *t = txn_write(st, ENV_LEDGER);
	json_t *result = NULL;

	assert_int_equal(idempotency_claim(st, t, &k, NOW + 1, &result), REASON_AUDIT_UNAVAILABLE);
	assert_null(result);
	assert_int_equal(txn_end(t), why);
}

static void attack_an_answer_of_another_row_is_not_given(void **state)
{
	struct idempotency k = alexs(*state, "k", 1), other = alexs(*state, "other", 1);

	make(*state, k, NOW);
	memcpy(other.parameters, k.parameters, sizeof(other.parameters));
	spoil(*state, 0, &other);
	fails(*state, other, RC_UNSEALED);
	assert_int_equal(claim(*state, k, NOW + 1), REASON_REPLAYED);
}

static void attack_a_longer_life_does_not_open(void **state)
{
	struct idempotency k = alexs(*state, "k", 1);

	make(*state, k, NOW);
	spoil(*state, 7, NULL);
	fails(*state, k, RC_UNSEALED);
}

static void attack_a_row_that_is_none_is_refused_and_removed(void **state)
{
	struct idempotency k = alexs(*state, "k", 1);
	struct txn *t;

	make(*state, k, NOW);
	spoil(*state, 8, NULL);                        /* the state: 2 becomes 3 */
	fails(*state, k, RC_CORRUPT);
	t = txn_write(*state, ENV_LEDGER);
	txn_put(t, DB_IDEMPOTENCY_EXPIRY, span_of("", 1), span_of(NULL, 0));
	idempotency_sweep(t, NOW);
	assert_int_equal(txn_count(t, DB_IDEMPOTENCY_EXPIRY), 1);
	assert_int_equal(idempotency_remove(t, "demo", NULL, 10), 1);
	assert_int_equal(txn_end(t), RC_OK);
}

static void nothing_of_it_stands_there_in_clear(void **state)
{
	struct idempotency k = alexs(*state, "key-canary", 1);
	struct span key, row;
	struct walk w;
	struct txn *t;

	make(*state, k, NOW);
	t = txn_read(*state, ENV_LEDGER);
	walk_begin(&w, t, DB_IDEMPOTENCY);
	assert_true(walk_next(&w, &key, &row));
	assert_null(memmem(row.data, row.size, "canary", 6));
	assert_null(memmem(key.data, key.size, "canary", 6));
	walk_end(&w);
	txn_abort(t);
	assert_memory_not_equal(k.parameters, alexs(*state, "another", 1).parameters, SHA256_SIZE);
}

static void keys_are_visible_ascii(void **state)
{
	char longest[IDEMPOTENCY_KEY_MAX + 2];

	(void)state;
	memset(longest, '~', sizeof(longest));
	assert_true(idempotency_key_valid(span_str("!")));
	assert_true(idempotency_key_valid(span_of(longest, IDEMPOTENCY_KEY_MAX)));
	assert_false(idempotency_key_valid(span_of(longest, IDEMPOTENCY_KEY_MAX + 1)));
	assert_false(idempotency_key_valid(span_str("")));
	assert_false(idempotency_key_valid(span_str("a b")));
	assert_false(idempotency_key_valid(span_str("a\x7f")));
	assert_false(idempotency_key_valid(span_str("\xc3\xa9")));
	assert_false(idempotency_key_valid(span_of("a\0b", 3)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_in_flight_conflicts_and_a_done_one_is_answered_again, setup, teardown),
		cmocka_unit_test_setup_teardown(freed_is_as_if_never_used, setup, teardown),
		cmocka_unit_test_setup_teardown(every_part_of_the_scope_makes_it_another, setup, teardown),
		cmocka_unit_test_setup_teardown(it_ends_after_a_day, setup, teardown),
		cmocka_unit_test_setup_teardown(the_oldest_answer_gives_way_to_the_65th, setup, teardown),
		cmocka_unit_test_setup_teardown(answers_that_come_at_once_are_64_too, setup, teardown),
		cmocka_unit_test_setup_teardown(attack_ever_new_keys_of_calls_that_nobody_knows_the_end_of, setup, teardown),
		cmocka_unit_test_setup_teardown(what_has_expired_makes_no_answer_give_way, setup, teardown),
		cmocka_unit_test_setup_teardown(expired_ones_are_cleared_a_few_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(an_erased_one_stays_away, setup, teardown),
		cmocka_unit_test_setup_teardown(attack_an_answer_of_another_row_is_not_given, setup, teardown),
		cmocka_unit_test_setup_teardown(attack_a_longer_life_does_not_open, setup, teardown),
		cmocka_unit_test_setup_teardown(attack_a_row_that_is_none_is_refused_and_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_of_it_stands_there_in_clear, setup, teardown),
		cmocka_unit_test_setup_teardown(keys_are_visible_ascii, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
