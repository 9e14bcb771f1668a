/* test_codes.c -- every code has a name of its own and a sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/codes.h"

#include <string.h>

static void every_reason_is_found_by_its_own_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < REASON_COUNT; i++) {
		assert_int_equal(reason_from_name(reason_name((enum reason)i)), i);
		assert_true(strlen(reason_text((enum reason)i)) > 0);
	}
}

static void unknown_names_are_no_reason(void **state)
{
	(void)state;
	assert_int_equal(reason_from_name("no_such_reason"), REASON_COUNT);
	assert_int_equal(reason_from_name(""), REASON_COUNT);
	assert_int_equal(reason_from_name(NULL), REASON_COUNT);
}

static void numbers_outside_the_lists_are_answered(void **state)
{
	(void)state;
	assert_string_equal(reason_name(REASON_COUNT), "unknown");
	assert_int_equal(reason_status(REASON_COUNT), 0);
	assert_string_equal(rc_name((enum rc)9999), "unknown");
}

static void outcomes_have_different_names(void **state)
{
	(void)state;
	for (int i = RC_OK; i <= RC_READ_ONLY; i++)
		for (int j = RC_OK; j < i; j++)
			assert_string_not_equal(rc_name((enum rc)i), rc_name((enum rc)j));
}

static void the_public_learns_of_expiry_alone(void **state)
{
	(void)state;
	for (int r = REASON_TOKEN_MALFORMED; r <= REASON_EMAIL_MALFORMED; r++)
		assert_int_equal(reason_public((enum reason)r),
				 r == REASON_TOKEN_EXPIRED ? REASON_TOKEN_EXPIRED : REASON_TOKEN_INVALID);
	assert_int_equal(reason_public(REASON_EMAIL_RESERVED), REASON_EMAIL_RESERVED);
	assert_int_equal(reason_public(REASON_PLAN_REQUIRED), REASON_PLAN_REQUIRED);
	assert_int_equal(reason_public(REASON_NONE), REASON_NONE);
}

static void the_public_learns_little_of_an_upstream(void **state)
{
	(void)state;
	for (int r = REASON_CONNECTION_UNKNOWN; r <= REASON_PROVIDER_UNREACHABLE; r++)
		assert_int_equal(reason_public((enum reason)r), REASON_UPSTREAM_FAILED);
	assert_int_equal(reason_public(REASON_OUTCOME_UNKNOWN), REASON_UPSTREAM_FAILED);
	assert_int_equal(reason_public(REASON_CONNECTION_BUSY), REASON_OVERLOADED);
	assert_int_equal(reason_public(REASON_OWNER_MISMATCH), REASON_NOT_FOUND);
	assert_int_equal(reason_public(REASON_UPSTREAM_TIMEOUT), REASON_UPSTREAM_TIMEOUT);
}

static void the_deepest_cause_wins(void **state)
{
	struct why why = { "" };

	(void)state;
	why_set(&why, "line %d", 7);
	why_set(&why, "the file");
	why_set(NULL, "nobody asked");
	assert_string_equal(why.text, "line 7");
}

static void a_long_cause_is_cut(void **state)
{
	struct why why = { "" };

	(void)state;
	why_set(&why, "%2000s", "x");
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_is_found_by_its_own_name),
		cmocka_unit_test(unknown_names_are_no_reason),
		cmocka_unit_test(numbers_outside_the_lists_are_answered),
		cmocka_unit_test(outcomes_have_different_names),
		cmocka_unit_test(the_public_learns_of_expiry_alone),
		cmocka_unit_test(the_public_learns_little_of_an_upstream),
		cmocka_unit_test(the_deepest_cause_wins),
		cmocka_unit_test(a_long_cause_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
