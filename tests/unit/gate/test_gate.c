/* test_gate.c -- the whole table, cell by cell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gate/gate.h"

static const enum plan plans[] = { PLAN_FREE, PLAN_PRO, PLAN_BUSINESS };

static enum reason ask(enum decision d, enum reason why, enum access access, enum plan plan)
{
	struct identity who = { .decision = d, .reason = why };

	return gate_check(&who, access, plan);
}

static void anyone_not_blocked_may_run_a_public_action(void **state)
{
	(void)state;
	for (size_t p = 0; p < ARRAY_LEN(plans); p++) {
		assert_int_equal(ask(DECISION_ANONYMOUS, REASON_NO_TOKEN, ACCESS_PUBLIC, plans[p]), REASON_NONE);
		assert_int_equal(ask(DECISION_ANONYMOUS, REASON_EMAIL_RESERVED, ACCESS_PUBLIC, plans[p]),
			REASON_NONE);
		assert_int_equal(ask(DECISION_VERIFIED, REASON_NONE, ACCESS_PUBLIC, plans[p]), REASON_NONE);
	}
}

static void a_personal_action_needs_a_verified_visitor_and_a_plan(void **state)
{
	(void)state;
	assert_int_equal(ask(DECISION_VERIFIED, REASON_NONE, ACCESS_PERSONAL, PLAN_FREE), REASON_PLAN_REQUIRED);
	assert_int_equal(ask(DECISION_VERIFIED, REASON_NONE, ACCESS_PERSONAL, PLAN_PRO), REASON_NONE);
	assert_int_equal(ask(DECISION_VERIFIED, REASON_NONE, ACCESS_PERSONAL, PLAN_BUSINESS), REASON_NONE);
}

static void an_anonymous_visitor_is_asked_to_sign_in_whatever_the_plan(void **state)
{
	static const enum reason whys[] = { REASON_NO_TOKEN, REASON_EMAIL_RESERVED, REASON_EMAIL_NOT_PUBLIC };

	(void)state;
	for (size_t p = 0; p < ARRAY_LEN(plans); p++) {
		for (size_t i = 0; i < ARRAY_LEN(whys); i++)
			assert_int_equal(ask(DECISION_ANONYMOUS, whys[i], ACCESS_PERSONAL, plans[p]),
				REASON_SIGN_IN_REQUIRED);
	}
}

/* The public learns that a token expired, for its signature verified; of any other fault only that there was one. */
static void a_bad_token_runs_nothing_and_tells_little(void **state)
{
	(void)state;
	for (int why = REASON_TOKEN_MALFORMED; why <= REASON_EMAIL_MALFORMED; why++) {
		enum reason told = why == REASON_TOKEN_EXPIRED ? REASON_TOKEN_EXPIRED : REASON_TOKEN_INVALID;

		for (size_t p = 0; p < ARRAY_LEN(plans); p++) {
			assert_int_equal(ask(DECISION_BLOCKED, (enum reason)why, ACCESS_PUBLIC, plans[p]), told);
			assert_int_equal(ask(DECISION_BLOCKED, (enum reason)why, ACCESS_PERSONAL, plans[p]), told);
		}
	}
}

static void a_decision_never_made_is_blocked(void **state)
{
	const struct identity nobody = { 0 };

	(void)state;
	assert_int_equal(gate_check(&nobody, ACCESS_PUBLIC, PLAN_PRO), REASON_TOKEN_INVALID);
	assert_int_equal(gate_check(&nobody, ACCESS_PERSONAL, PLAN_PRO), REASON_TOKEN_INVALID);
}

static void a_value_outside_its_enumeration_is_the_strictest(void **state)
{
	(void)state;
	assert_int_equal(ask((enum decision)7, REASON_NONE, ACCESS_PUBLIC, PLAN_PRO), REASON_TOKEN_INVALID);
	assert_int_equal(ask(DECISION_ANONYMOUS, REASON_NO_TOKEN, (enum access)7, PLAN_PRO), REASON_SIGN_IN_REQUIRED);
	assert_int_equal(ask(DECISION_VERIFIED, REASON_NONE, ACCESS_PERSONAL, (enum plan)7), REASON_PLAN_REQUIRED);
}

static void access_has_two_names(void **state)
{
	(void)state;
	assert_string_equal(access_name(ACCESS_PUBLIC), "public");
	assert_string_equal(access_name(ACCESS_PERSONAL), "personal");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anyone_not_blocked_may_run_a_public_action),
		cmocka_unit_test(a_personal_action_needs_a_verified_visitor_and_a_plan),
		cmocka_unit_test(an_anonymous_visitor_is_asked_to_sign_in_whatever_the_plan),
		cmocka_unit_test(a_bad_token_runs_nothing_and_tells_little),
		cmocka_unit_test(a_decision_never_made_is_blocked),
		cmocka_unit_test(a_value_outside_its_enumeration_is_the_strictest),
		cmocka_unit_test(access_has_two_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
