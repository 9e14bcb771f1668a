/* Conversations and whose they are. */
#include "tests/lib/tmpstore.h"
#include "path/path-private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define NOW UINT64_C(1763690000)
#define ALEX "h1:00000000000000000000000000000001"
#define JORDAN "h1:00000000000000000000000000000002"

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

static const uint8_t *conversation(unsigned n)
{
	static uint8_t id[CONVERSATION_KEY_SIZE];

	memset(id, 0, sizeof(id));
	be64_put(id, n);
	return id;
}

static enum reason claim(struct store *st, unsigned n, const char *subject, uint64_t now_s)
{
	struct txn *t = txn_write(st, ENV_LEDGER);
	enum reason reason = pin_claim(t, "demo", conversation(n), subject, now_s * 1000000);

	assert_int_equal(txn_end(t), RC_OK);
	return reason;
}

static bool owner_is(struct store *st, unsigned n, const char *subject, uint64_t now_s)
{
	struct txn *t = txn_read(st, ENV_LEDGER);
	char owner[SUBJECT_MAX] = "";
	bool there = pin_get(t, "demo", conversation(n), now_s, owner);

	txn_abort(t);
	return subject ? there && strcmp(owner, subject) == 0 : !there;
}

static uint64_t rows(struct store *st, enum db db)
{
	struct txn *t = txn_read(st, ENV_LEDGER);
	uint64_t count = txn_count(t, db);

	txn_abort(t);
	return count;
}

static void first_claim_wins_and_another_subject_conflicts(void **state)
{
	assert_int_equal(claim(*state, 1, ALEX, NOW), REASON_NONE);
	assert_int_equal(claim(*state, 1, JORDAN, NOW + 1), REASON_CONVERSATION_CONFLICT);
	assert_true(owner_is(*state, 1, ALEX, NOW + 1));
	assert_int_equal(claim(*state, 2, JORDAN, NOW + 1), REASON_NONE);
}

static void same_conversation_of_another_site_is_another_conversation(void **state)
{
	struct txn *t;

	assert_int_equal(claim(*state, 1, ALEX, NOW), REASON_NONE);
	t = txn_write(*state, ENV_LEDGER);
	assert_int_equal(pin_claim(t, "demo-2", conversation(1), JORDAN, NOW * 1000000), REASON_NONE);
	assert_int_equal(txn_end(t), RC_OK);
	assert_true(owner_is(*state, 1, ALEX, NOW));
}

static void pin_ends_after_a_day_and_is_then_anybodys(void **state)
{
	assert_int_equal(claim(*state, 1, ALEX, NOW), REASON_NONE);
	assert_true(owner_is(*state, 1, ALEX, NOW + PIN_SECONDS - 1));
	assert_true(owner_is(*state, 1, NULL, NOW + PIN_SECONDS));
	assert_int_equal(claim(*state, 1, JORDAN, NOW + PIN_SECONDS), REASON_NONE);
	assert_true(owner_is(*state, 1, JORDAN, NOW + PIN_SECONDS));
}

static void owner_extends_and_not_more_than_hourly(void **state)
{
	assert_int_equal(claim(*state, 1, ALEX, NOW), REASON_NONE);
	assert_int_equal(claim(*state, 1, ALEX, NOW + 3599), REASON_NONE);
	assert_true(owner_is(*state, 1, NULL, NOW + PIN_SECONDS));              /* not written within the hour */
	assert_int_equal(claim(*state, 1, ALEX, NOW + 3700), REASON_NONE);
	assert_true(owner_is(*state, 1, ALEX, NOW + PIN_SECONDS + 3699));
	assert_int_equal(rows(*state, DB_PINS), 1);
	assert_int_equal(rows(*state, DB_PIN_ORDER), 1);
	assert_int_equal(rows(*state, DB_PIN_EXPIRY), 1);
}

static void oldest_of_a_subjects_pins_makes_room_and_no_one_elses(void **state)
{
	assert_int_equal(claim(*state, 1000, JORDAN, NOW - 10), REASON_NONE);
	for (unsigned i = 0; i < PINS_PER_SUBJECT + 3; i++)
		assert_int_equal(claim(*state, i, ALEX, NOW + i), REASON_NONE);
	assert_true(owner_is(*state, 0, NULL, NOW + 100));
	assert_true(owner_is(*state, 2, NULL, NOW + 100));
	assert_true(owner_is(*state, 3, ALEX, NOW + 100));
	assert_true(owner_is(*state, 1000, JORDAN, NOW + 100));
	assert_int_equal(rows(*state, DB_PINS), PINS_PER_SUBJECT + 1);
	assert_int_equal(rows(*state, DB_PIN_ORDER), PINS_PER_SUBJECT + 1);
	assert_int_equal(rows(*state, DB_PIN_EXPIRY), PINS_PER_SUBJECT + 1);
}

static void expired_pins_are_cleared_a_few_per_claim(void **state)
{
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(claim(*state, i, ALEX, NOW), REASON_NONE);
	assert_int_equal(claim(*state, 100, JORDAN, NOW + PIN_SECONDS), REASON_NONE);
	assert_int_equal(rows(*state, DB_PINS), 10 - 4 + 1);
	assert_int_equal(claim(*state, 101, JORDAN, NOW + PIN_SECONDS), REASON_NONE);
	assert_int_equal(rows(*state, DB_PINS), 10 - 8 + 2);
}

/* Too many have expired for the last to be cleared away before it is asked for. */
static void an_expired_pin_that_is_still_there_is_nobodys(void **state)
{
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(claim(*state, i, ALEX, NOW + i), REASON_NONE);
	assert_int_equal(claim(*state, 9, JORDAN, NOW + PIN_SECONDS + 8), REASON_CONVERSATION_CONFLICT);
	assert_int_equal(claim(*state, 9, JORDAN, NOW + PIN_SECONDS + 9), REASON_NONE);
	assert_true(owner_is(*state, 9, JORDAN, NOW + PIN_SECONDS + 9));
}

static void erased(struct store *st, const char *subject, size_t expected)
{
	struct txn *t = txn_write(st, ENV_LEDGER);

	assert_int_equal(pin_remove(t, "demo", subject, 100), expected);
	assert_int_equal(txn_end(t), RC_OK);
}

static void erasing_a_subject_takes_its_pins_and_no_one_elses(void **state)
{
	struct txn *t;

	assert_int_equal(claim(*state, 1, ALEX, NOW), REASON_NONE);
	assert_int_equal(claim(*state, 2, ALEX, NOW), REASON_NONE);
	assert_int_equal(claim(*state, 3, JORDAN, NOW), REASON_NONE);
	t = txn_write(*state, ENV_LEDGER);
	assert_int_equal(pin_claim(t, "demo-2", conversation(1), ALEX, NOW * 1000000), REASON_NONE);
	assert_int_equal(txn_end(t), RC_OK);
	erased(*state, ALEX, 2);
	assert_true(owner_is(*state, 1, NULL, NOW));
	assert_true(owner_is(*state, 2, NULL, NOW));
	assert_true(owner_is(*state, 3, JORDAN, NOW));
	assert_int_equal(rows(*state, DB_PINS), 2);
	assert_int_equal(rows(*state, DB_PIN_ORDER), 2);
	assert_int_equal(rows(*state, DB_PIN_EXPIRY), 2);
	erased(*state, ALEX, 0);
}

/* The ledger is hostile: a row of one subject's order that names what is another's by now. */
static void erasing_follows_no_stale_row_into_anothers_conversation(void **state)
{
	struct buf key = BUF_INIT;
	uint8_t at[8];
	struct txn *t;

	assert_int_equal(claim(*state, 3, JORDAN, NOW), REASON_NONE);
	be64_put(at, NOW * 1000000);
	buf_add(&key, "demo\0" ALEX, 5 + sizeof(ALEX));
	buf_add(&key, at, sizeof(at));
	buf_add(&key, conversation(3), CONVERSATION_KEY_SIZE);
	t = txn_write(*state, ENV_LEDGER);
	txn_put(t, DB_PIN_ORDER, buf_span(&key), span_of(NULL, 0));
	assert_int_equal(txn_end(t), RC_OK);
	erased(*state, ALEX, 1);
	assert_true(owner_is(*state, 3, JORDAN, NOW));
	assert_int_equal(rows(*state, DB_PIN_ORDER), 1);
	buf_done(&key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(first_claim_wins_and_another_subject_conflicts, setup, teardown),
		cmocka_unit_test_setup_teardown(same_conversation_of_another_site_is_another_conversation, setup, teardown),
		cmocka_unit_test_setup_teardown(pin_ends_after_a_day_and_is_then_anybodys, setup, teardown),
		cmocka_unit_test_setup_teardown(owner_extends_and_not_more_than_hourly, setup, teardown),
		cmocka_unit_test_setup_teardown(oldest_of_a_subjects_pins_makes_room_and_no_one_elses, setup, teardown),
		cmocka_unit_test_setup_teardown(expired_pins_are_cleared_a_few_per_claim, setup, teardown),
		cmocka_unit_test_setup_teardown(an_expired_pin_that_is_still_there_is_nobodys, setup, teardown),
		cmocka_unit_test_setup_teardown(erasing_a_subject_takes_its_pins_and_no_one_elses, setup, teardown),
		cmocka_unit_test_setup_teardown(erasing_follows_no_stale_row_into_anothers_conversation, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
