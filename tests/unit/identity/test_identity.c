/* test_identity.c -- the person pinned from a verified token: nothing else, and nothing half. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/lib/tokenring.h"

#include <stdio.h>
#include <stdlib.h>

static int setup(void **state)
{
	struct tokenring *r = calloc(1, sizeof(*r));

	if (!r)
		return -1;
	tokenring_init(r);
	*state = r;
	return tokenring_add_key(r, 0) ? 0 : -1;
}

static int teardown(void **state)
{
	tokenring_done(*state);
	free(*state);
	return 0;
}

/* Pins what a truly signed token says. */
static struct identity pin(struct tokenring *r, const char *payload)
{
	struct buf text = BUF_INIT;
	struct identity id;
	struct token t;

	memset(&id, 0x55, sizeof(id));
	token_sign(&text, span_str(TEST_HEADER), span_str(payload), span_str(test_secret(1)));
	assert_false(text.failed);
	token_init(&t, buf_span(&text));
	assert_int_equal(token_verify(&t, &r->context), REASON_NONE);
	identity_pin(&id, &t, &r->site);
	token_done(&t);
	buf_done(&text);
	return id;
}

static void a_verified_visitor_has_all_three(void **state)
{
	struct identity id = pin(*state,
		"{\"email\":\"Alex@Example.com\",\"name\":\"Alex Doe\",\"user_id\":\"u_1\",\"exp\":1763690060.9}");

	assert_int_equal(id.decision, DECISION_VERIFIED);
	assert_int_equal(id.reason, REASON_NONE);
	assert_string_equal(id.email, "alex@example.com");
	assert_string_equal(id.name, "Alex Doe");
	assert_string_equal(id.user_id, "u_1");
	assert_true(id.has_expiry);
	assert_int_equal(id.expires_at, 1763690060);
}

static void only_an_email_is_required(void **state)
{
	struct identity id = pin(*state, "{\"email\":\"alex@example.com\"}");

	assert_int_equal(id.decision, DECISION_VERIFIED);
	assert_string_equal(id.name, "");
	assert_string_equal(id.user_id, "");
	assert_false(id.has_expiry);
}

static void a_reserved_or_private_domain_is_anonymous_and_no_more(void **state)
{
	static const struct { const char *payload; enum reason why; const char *email; } rows[] = {
		{ "{\"email\":\"a@x.test\",\"name\":\"A\",\"user_id\":\"1\",\"exp\":1763690060}",
		  REASON_EMAIL_RESERVED, "a@x.test" },
		{ "{\"email\":\"a@x.lan\",\"name\":\"A\",\"user_id\":\"1\",\"exp\":1763690060}",
		  REASON_EMAIL_NOT_PUBLIC, "a@x.lan" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct identity id = pin(*state, rows[i].payload);

		assert_int_equal(id.decision, DECISION_ANONYMOUS);
		assert_int_equal(id.reason, rows[i].why);
		assert_string_equal(id.email, rows[i].email);
		assert_string_equal(id.name, "");
		assert_string_equal(id.user_id, "");
	}
}

static void a_bad_email_blocks(void **state)
{
	static const struct { const char *payload; enum reason why; } rows[] = {
		{ "{}", REASON_EMAIL_MISSING }, { "{\"email\":null}", REASON_EMAIL_MISSING },
		{ "{\"email\":7}", REASON_EMAIL_MISSING },
		{ "{\"email\":[\"a@b.co\"]}", REASON_EMAIL_MISSING }, { "{\"email\":\"\"}", REASON_EMAIL_MALFORMED },
		{ "{\"email\":\"a@b@c.co\"}", REASON_EMAIL_MALFORMED },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct identity id = pin(*state, rows[i].payload);

		assert_int_equal(id.decision, DECISION_BLOCKED);
		assert_int_equal(id.reason, rows[i].why);
		assert_string_equal(id.email, "");
	}
}

static void a_token_that_did_not_verify_pins_nobody(void **state)
{
	struct tokenring *r = *state;
	struct token t = { .claims = json_pack("{s:s}", "email", "alex@example.com") };
	struct identity id;

	assert_non_null(t.claims);
	identity_pin(&id, &t, &r->site);
	assert_int_equal(id.decision, DECISION_BLOCKED);
	assert_int_not_equal(id.reason, REASON_NONE);
	assert_string_equal(id.email, "");
	token_done(&t);
	t = (struct token){ .key = &r->ring.keys[0] };
	identity_pin(&id, &t, &r->site);
	assert_int_equal(id.decision, DECISION_BLOCKED);
	token_done(&t);
}

static void a_name_is_cleaned_and_cut(void **state)
{
	static const char *const json[] = { "7", "null", "\"\"", "\"   \"", "\"\\u202e\\u0007\"", "[\"A\"]",
		"{\"a\":\"b\"}" };
	struct buf payload = BUF_INIT;
	struct identity id;

	id = pin(*state, "{\"email\":\"a@b.co\",\"name\":\"  A\\u001bl\\u202eex\\n \"}");
	assert_string_equal(id.name, "Alex");
	for (size_t i = 0; i < ARRAY_LEN(json); i++) {
		buf_clear(&payload);
		buf_addf(&payload, "{\"email\":\"a@b.co\",\"name\":%s}", json[i]);
		id = pin(*state, payload.data);
		assert_int_equal(id.decision, DECISION_VERIFIED);
		assert_string_equal(id.name, "");
	}

	/* 255 bytes, then a character of two: it does not fit into 256 and is not cut in half. */
	buf_clear(&payload);
	buf_add_str(&payload, "{\"email\":\"a@b.co\",\"name\":\"");
	for (int i = 0; i < 255; i++)
		buf_add_char(&payload, 'x');
	buf_add_str(&payload, "\xc3\xa4tail\"}");
	id = pin(*state, payload.data);
	assert_int_equal(strlen(id.name), 255);
	buf_done(&payload);
}

static void a_user_id_is_a_short_string_or_an_integer(void **state)
{
	static const struct { const char *json, *expected; } rows[] = {
		{ "\"abc\"", "abc" }, { "42", "42" }, { "-7", "-7" },
		{ "9223372036854775807", "9223372036854775807" }, { "0", "0" },
		{ "\" x \"", " x " }, { "1.5", "" }, { "1e3", "" }, { "true", "" }, { "null", "" },
		{ "\"\"", "" }, { "[1]", "" }, { "{}", "" },
	};
	struct buf payload = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct identity id;

		buf_clear(&payload);
		buf_addf(&payload, "{\"email\":\"a@b.co\",\"user_id\":%s}", rows[i].json);
		id = pin(*state, payload.data);
		assert_int_equal(id.decision, DECISION_VERIFIED);
		assert_string_equal(id.user_id, rows[i].expected);
	}
	for (size_t size = 127; size <= 129; size++) {
		struct identity id;

		buf_clear(&payload);
		buf_add_str(&payload, "{\"email\":\"a@b.co\",\"user_id\":\"");
		for (size_t i = 0; i < size; i++)
			buf_add_char(&payload, 'u');
		buf_add_str(&payload, "\"}");
		id = pin(*state, payload.data);
		assert_int_equal(strlen(id.user_id), size <= 128 ? size : 0);
	}
	buf_done(&payload);
}

static void no_other_claim_names_anyone(void **state)
{
	struct identity id = pin(*state,
		"{\"email\":\"alex@example.com\",\"sub\":\"jordan@example.com\",\"Email\":\"x@y.zz\",\"Name\":\"J\","
				 "\"userId\":\"9\",\"identity\":{\"email\":\"jordan@example.com\"}}");

	assert_string_equal(id.email, "alex@example.com");
	assert_string_equal(id.name, "");
	assert_string_equal(id.user_id, "");
}

static void decisions_have_names_and_zero_is_blocked(void **state)
{
	const struct identity forgotten = { 0 };
	struct identity id;

	(void)state;
	assert_string_equal(decision_name(forgotten.decision), "blocked");
	assert_string_equal(decision_name(DECISION_ANONYMOUS), "anonymous");
	assert_string_equal(decision_name(DECISION_VERIFIED), "verified");
	assert_string_equal(decision_name((enum decision)9), "blocked");
	memset(&id, 0x55, sizeof(id));
	identity_anonymous(&id, REASON_NO_TOKEN);
	assert_true(id.decision == DECISION_ANONYMOUS && id.reason == REASON_NO_TOKEN && !id.email[0] &&
		!id.has_expiry);
	memset(&id, 0x55, sizeof(id));
	identity_blocked(&id, REASON_TOKEN_EXPIRED);
	assert_true(id.decision == DECISION_BLOCKED && id.reason == REASON_TOKEN_EXPIRED && !id.email[0] &&
		!id.user_id[0]);
}

static enum reason run_check(const char *name, const char *email, const struct site *site)
{
	struct identity id = { .decision = DECISION_BLOCKED };

	snprintf(id.email, sizeof(id.email), "%s", email);
	for (size_t i = 0; i < identity_check_count; i++)
		if (strcmp(identity_checks[i].name, name) == 0)
			return identity_checks[i].run(&id, NULL, site);
	fail_msg("there is no check %s", name);
	return REASON_NONE;
}

/* As `token explain` runs them: each says its own fault, and none that of the other. */
static void each_check_of_a_domain_says_its_own_fault(void **state)
{
	struct tokenring *r = *state;

	assert_int_equal(run_check("email_reserved", "a@x.test", &r->site), REASON_EMAIL_RESERVED);
	assert_int_equal(run_check("email_public", "a@x.test", &r->site), REASON_NONE);
	assert_int_equal(run_check("email_reserved", "a@x.lan", &r->site), REASON_NONE);
	assert_int_equal(run_check("email_public", "a@x.lan", &r->site), REASON_EMAIL_NOT_PUBLIC);
	assert_int_equal(run_check("email_reserved", "", &r->site), REASON_EMAIL_MALFORMED);
	assert_int_equal(run_check("email_public", "", &r->site), REASON_EMAIL_MALFORMED);
}

static void an_expiry_that_is_no_time_is_not_kept(void **state)
{
	struct tokenring *r = *state;
	struct token t = { .claims = json_pack("{s:s}", "email", "alex@example.com"), .key = &r->ring.keys[0],
	                   .exp = { .present = true, .at = 1e300 } };
	struct identity id;

	assert_non_null(t.claims);
	identity_pin(&id, &t, &r->site);
	assert_int_equal(id.decision, DECISION_VERIFIED);
	assert_false(id.has_expiry);
	assert_int_equal(id.expires_at, 0);
	token_done(&t);
}

#define WITH_RING(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RING(a_verified_visitor_has_all_three),
		WITH_RING(only_an_email_is_required),
		WITH_RING(a_reserved_or_private_domain_is_anonymous_and_no_more),
		WITH_RING(a_bad_email_blocks),
		WITH_RING(a_token_that_did_not_verify_pins_nobody),
		WITH_RING(a_name_is_cleaned_and_cut),
		WITH_RING(a_user_id_is_a_short_string_or_an_integer),
		WITH_RING(no_other_claim_names_anyone),
		cmocka_unit_test(decisions_have_names_and_zero_is_blocked),
		WITH_RING(each_check_of_a_domain_says_its_own_fault),
		WITH_RING(an_expiry_that_is_no_time_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
