/* test_key_list.c -- the ring as it is shown: its version, what lives, and its keys' use in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "tests/lib/tmpadmin.h"

#define NOW UINT64_C(1763690000)
#define HOUR 3600
#define DAY (24 * HOUR)

static void create(struct tmpadmin *t, char kid[KID_MAX])
{
	struct key k = { 0 };

	assert_int_equal(admin_key_create(t->a, "acme", "shop", &k, &t->reason, &t->why), RC_OK);
	memcpy(kid, k.kid, KID_MAX);
	key_done(&k);
}

static void live_keys_come_first_and_the_ring_has_a_version(void **st)
{
	struct tmpadmin *t = *st;
	struct key_rows rows = { 0 };
	char kids[3][KID_MAX];
	uint64_t before;

	assert_int_equal(admin_key_list(t->a, "acme", &rows, &t->reason, &t->why), RC_OK);
	assert_true(rows.count == 0 && rows.live == 0);
	before = rows.ring;
	for (size_t i = 0; i < 3; i++)
		create(t, kids[i]);
	for (size_t i = 0; i < 2; i++) {
		struct key_ref k = { "acme", kids[i], 0 };

		assert_int_equal(admin_key_retire(t->a, &k, 0, false, &t->reason, &t->why), RC_OK);
	}
	assert_int_equal(admin_key_list(t->a, "acme", &rows, &t->reason, &t->why), RC_OK);
	assert_int_equal(rows.count, 3);
	assert_int_equal(rows.live, 1);
	assert_int_equal(rows.ring, before + 5);
	assert_string_equal(rows.row[0].key.kid, kids[2]);
	assert_true(!rows.row[0].tombstone && rows.row[1].tombstone && rows.row[2].tombstone);
	key_rows_done(&rows);
	assert_true(rows.count == 0 && rows.live == 0 && rows.ring == 0);
}

static void a_ring_without_this_row_verifies_nothing(void **st)
{
	struct key_row row[] = {
		{ .state = KEY_ACTIVE },
		{ .state = KEY_RETIRING, .key.retire_at = NOW + 10 },
		{ .state = KEY_RETIRED, .key.retire_at = NOW - 10 },
		{ .state = KEY_RETIRED, .key.retire_at = NOW - 99, .tombstone = true },
	};
	struct key_rows rows = { .count = 4, .live = 3, .row = row };

	(void)st;
	assert_false(key_row_is_last(&rows, 0, NOW));
	assert_false(key_row_is_last(&rows, 1, NOW));
	assert_true(key_row_is_last(&rows, 0, NOW + 10));      /* the other one's time is over by then */
	assert_false(key_row_is_last(&rows, 1, NOW + 10));     /* and it verifies nothing to miss */
	row[0].state = KEY_RETIRED;
	assert_true(key_row_is_last(&rows, 1, NOW));
	for (size_t i = 2; i < 6; i++)
		assert_false(key_row_is_last(&rows, i, NOW));
}

static void use_is_said_in_words(void **st)
{
	static const struct { struct key_use use; const char *text; } table[] = {
		{ { 0 }, "never used: safe to retire" },
		{ { .last_used_at = NOW - 3, .uses_1h = 1204, .uses_24h = 99999 },
		  "verified 1,204 tokens in the last hour, last 3 s ago" },
		{ { .last_used_at = NOW - 12 * 60, .uses_1h = 1, .uses_24h = 1 },
		  "verified 1 token in the last hour, last 12 min ago" },
		{ { .last_used_at = NOW, .uses_1h = 1234567, .uses_24h = 1234567 },
		  "verified 1,234,567 tokens in the last hour, last 0 s ago" },
		{ { .last_used_at = NOW - 5 * HOUR, .uses_24h = 999 },
		  "verified 999 tokens in the last 24 h, last 5 h ago" },
		{ { .last_used_at = NOW - DAY }, "last used 24 h ago" },
		{ { .last_used_at = NOW - DAY - 1 }, "not used for 24 h: safe to retire" },
		{ { .last_used_at = NOW - 26 * HOUR }, "not used for 26 h: safe to retire" },
		{ { .last_used_at = NOW - 41 * DAY }, "not used for 41 d: safe to retire" },
		/* rows of a ledger that contradicts itself are never called safe */
		{ { .last_used_at = NOW + 99, .uses_1h = 2 }, "verified 2 tokens in the last hour, last 0 s ago" },
		{ { .last_used_at = 0, .uses_1h = 2 }, "verified 2 tokens in the last hour" },
		{ { .last_used_at = NOW - 41 * DAY, .uses_24h = 2 },
		  "verified 2 tokens in the last 24 h, last 41 d ago" },
		{ { .last_used_at = 1, .uses_1h = UINT64_MAX },
		  "verified 18,446,744,073,709,551,615 tokens in the last hour, last 20413 d ago" },
	};
	char text[KEY_USE_TEXT_MAX];

	(void)st;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct key_row row[] = { { .state = KEY_ACTIVE, .use = table[i].use }, { .state = KEY_ACTIVE } };
		const struct key_rows rows = { .count = 2, .live = 2, .row = row };

		assert_string_equal(key_use_text(&rows, 0, NOW, text), table[i].text);
	}
}

/* A backend may have its secret and not have begun. */
static void a_key_younger_than_a_token_may_live_is_not_used_yet(void **st)
{
	struct key_row row[] = { { .state = KEY_ACTIVE, .key.created_at = NOW - DAY + 1 }, { .state = KEY_ACTIVE } };
	const struct key_rows rows = { .count = 2, .live = 2, .row = row };
	char text[KEY_USE_TEXT_MAX];

	(void)st;
	assert_string_equal(key_use_text(&rows, 0, NOW, text), "not used yet");
	assert_string_equal(key_use_text(&rows, 0, NOW + 1, text), "never used: safe to retire");
	row[0].key.created_at = NOW + 5;
	assert_string_equal(key_use_text(&rows, 0, NOW, text), "not used yet");
}

static void the_last_key_is_never_said_to_be_safe_to_retire(void **st)
{
	struct key_row row[] = { { .state = KEY_ACTIVE }, { .state = KEY_RETIRING, .key.retire_at = NOW + 10 } };
	const struct key_rows rows = { .count = 2, .live = 2, .row = row };
	char text[KEY_USE_TEXT_MAX];

	(void)st;
	assert_string_equal(key_use_text(&rows, 0, NOW, text), "never used: safe to retire");
	assert_string_equal(key_use_text(&rows, 0, NOW + 10, text), "never used");
	row[0].use.last_used_at = NOW - 26 * HOUR;
	assert_string_equal(key_use_text(&rows, 0, NOW + 10, text), "not used for 26 h");
}

static void what_verifies_no_more_is_not_said_to_be_safe_to_retire(void **st)
{
	struct key_row row[] = {
		{ .state = KEY_RETIRING, .key.retire_at = NOW, .use.last_used_at = NOW - 3 * DAY },
		{ .state = KEY_ACTIVE },
		{ .state = KEY_RETIRED, .tombstone = true, .key.created_at = NOW - 9, .key.retire_at = NOW - 5 },
	};
	const struct key_rows rows = { .count = 3, .live = 2, .row = row };
	char text[KEY_USE_TEXT_MAX];

	(void)st;
	assert_string_equal(key_use_text(&rows, 2, NOW, text), "never used");
	assert_string_equal(key_use_text(&rows, 0, NOW, text), "not used for 3 d");
	assert_string_equal(key_use_text(&rows, 0, NOW - 1, text), "not used for 2 d: safe to retire");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, tmpadmin_setup, tmpadmin_teardown)
	const struct CMUnitTest tests[] = {
		TEST(live_keys_come_first_and_the_ring_has_a_version),
		cmocka_unit_test(a_ring_without_this_row_verifies_nothing),
		cmocka_unit_test(use_is_said_in_words),
		cmocka_unit_test(a_key_younger_than_a_token_may_live_is_not_used_yet),
		cmocka_unit_test(the_last_key_is_never_said_to_be_safe_to_retire),
		cmocka_unit_test(what_verifies_no_more_is_not_said_to_be_safe_to_retire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
