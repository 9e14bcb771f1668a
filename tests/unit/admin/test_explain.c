/* test_explain.c -- the token debugger says what the request path would, and goes on where that stops. */
#include "tests/lib/tmpadmin.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct secret *secret;

static int setup(void **st)
{
	struct tmpadmin *t = tmpadmin_new();
	struct key k = { 0 };

	*st = t;
	if (!t || admin_key_create(t->a, "acme", NULL, &k, &t->reason, &t->why) != RC_OK)
		return -1;
	secret = k.secret;
	k.secret = NULL;
	key_done(&k);
	return 0;
}

static int teardown(void **st)
{
	secret_free(secret);
	tmpadmin_free(*st);
	return 0;
}

/* A token of these claims, with `before` before and `after` behind it, explained. */
static struct explained explain(struct tmpadmin *t, const char *before, json_t *claims, const char *after)
{
	struct explained e = { 0 };
	struct buf text = BUF_INIT;

	assert_non_null(claims);
	buf_add_str(&text, before);
	assert_int_equal(token_mint(secret, NULL, claims, &text), RC_OK);
	buf_add_str(&text, after);
	assert_int_equal(admin_token_explain(t->a, "acme", buf_span(&text), &e, &t->reason, &t->why), RC_OK);
	assert_non_null(e.checks);
	assert_non_null(e.hints);
	json_decref(claims);
	buf_done(&text);
	return e;
}

static json_t *good_claims(void)
{
	json_int_t now = (json_int_t)clock_s();

	return json_pack("{sssIsI}", "email", "alex@example.com", "iat", now, "exp", now + 600);
}

static const char *verdict(const struct explained *e, const char *check)
{
	json_t *one;
	size_t i;

	json_array_foreach(e->checks, i, one)
		if (span_is(json_span(json_object_get(one, "check")), check))
			return json_string_value(json_object_get(one, "verdict"));
	fail_msg("there is no check %s", check);
	return "";
}

static void every_check_is_in_the_table_of_verdicts(void **st)
{
	struct explained e = explain(*st, "", good_claims(), "");

	assert_int_equal(e.decision, DECISION_VERIFIED);
	assert_int_equal(json_array_size(e.checks), token_check_count + identity_check_count);
	for (size_t i = 0; i < token_check_count; i++)
		assert_string_equal(verdict(&e, token_checks[i].name), "passed");
	for (size_t i = 0; i < identity_check_count; i++)
		assert_string_equal(verdict(&e, identity_checks[i].name), "passed");
	assert_string_equal(e.identity.email, "alex@example.com");
	explained_done(&e);
}

static void a_token_is_found_as_people_paste_it(void **st)
{
	static const struct { const char *before, *after; } pastes[] = {
		{ "", "\n" }, { "  ", "\r\n" }, { "Bearer ", "" }, { "bearer  ", " " }, { "Authorization: Bearer ", "\r\n" },
		{ "authorization:Bearer ", "" }, { "Authorization: ", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(pastes); i++) {
		struct explained e = explain(*st, pastes[i].before, good_claims(), pastes[i].after);

		assert_int_equal(e.decision, DECISION_VERIFIED);
		explained_done(&e);
	}
}

static void what_would_be_malformed_in_a_request_is_malformed_here(void **st)
{
	static const struct { const char *before, *after; } pastes[] = {
		{ "Bearer ", ", Bearer x" }, { "Basic ", "" }, { "", " x" }, { "Bearer ", "\nx" },
	};

	for (size_t i = 0; i < ARRAY_LEN(pastes); i++) {
		struct explained e = explain(*st, pastes[i].before, good_claims(), pastes[i].after);

		assert_int_equal(e.decision, DECISION_BLOCKED);
		assert_int_equal(e.reason, REASON_TOKEN_MALFORMED);
		explained_done(&e);
	}
}

static void identity_is_looked_at_only_behind_a_good_signature(void **st)
{
	struct explained e = explain(*st, "", good_claims(), "A");

	assert_int_equal(e.decision, DECISION_BLOCKED);
	for (size_t i = 0; i < identity_check_count; i++)
		assert_string_equal(verdict(&e, identity_checks[i].name), "not_checked");
	assert_string_equal(e.identity.email, "");
	explained_done(&e);
}

static void an_expired_token_still_tells_about_its_email(void **st)
{
	json_int_t then = (json_int_t)clock_s() - 7200;
	struct explained e = explain(*st, "", json_pack("{sssIsI}", "email", "alex@corp", "iat", then, "exp", then + 60), "");

	assert_int_equal(e.reason, REASON_TOKEN_EXPIRED);
	assert_string_equal(verdict(&e, "signature"), "passed");
	assert_string_equal(verdict(&e, "email"), "passed");
	assert_string_equal(verdict(&e, "email_public"), "failed");
	assert_string_equal(e.identity.email, "");       /* blocked: as nobody */
	explained_done(&e);
}

static void an_unknown_site_is_refused(void **st)
{
	struct tmpadmin *t = *st;
	struct explained e = { 0 };

	assert_int_equal(admin_token_explain(t->a, "nope", span_str("x"), &e, &t->reason, &t->why), RC_REFUSED);
	assert_int_equal(t->reason, REASON_SITE_UNKNOWN);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(every_check_is_in_the_table_of_verdicts),
		TEST(a_token_is_found_as_people_paste_it),
		TEST(what_would_be_malformed_in_a_request_is_malformed_here),
		TEST(identity_is_looked_at_only_behind_a_good_signature),
		TEST(an_expired_token_still_tells_about_its_email),
		TEST(an_unknown_site_is_refused),
	};

	secret_process_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
