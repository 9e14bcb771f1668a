/* test_oauth.c -- what a token endpoint is asked, and what is taken from its answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fcgi-app/connectd/credential.h"
#include "fcgi-app/connectd/oauth.h"
#include "fcgi-app/connectd/refresh.h"

#include <stdio.h>

static struct secret *secret(const char *text)
{
	return secret_copy(span_str(text));
}

static void is(struct secret *s, const char *expected)
{
	assert_non_null(s);
	assert_string_equal((const char *)s->data, expected);
	assert_int_equal(s->size, strlen(expected));
}

/* ---- the request ---- */

static void body_is(struct connection *c, const char *expected)
{
	struct secret *body = oauth_body(c);

	is(body, expected);
	secret_free(body);
}

static void a_form_carries_every_byte_of_a_secret(void **state)
{
	struct connection c = { .auth = { .type = AUTH_OAUTH2_REFRESH, .client_id = "id", .scope = "a b" } };

	(void)state;
	c.refresh_token = secret("x&scope=admin=+%\xc3\xa9\r\n");
	body_is(&c, "grant_type=refresh_token&refresh_token=x%26scope%3Dadmin%3D%2B%25%C3%A9%0D%0A&scope=a%20b");
	secret_free(c.refresh_token);
}

static void extra_parameters_never_stand_in_for_ours(void **state)
{
	json_t *extra = json_pack("{s:s, s:s}", "grant_type", "password", "audience", "shop");
	struct connection c = {
		.auth = { .type = AUTH_OAUTH2_CLIENT, .client_id = "id", .in_body = true, .json = true, .extra = extra },
	};

	(void)state;
	c.client_secret = secret("s\"s");
	body_is(&c, "{\"grant_type\":\"client_credentials\",\"audience\":\"shop\",\"client_id\":\"id\","
		    "\"client_secret\":\"s\\\"s\"}");
	assert_string_equal(json_string_value(json_object_get(extra, "grant_type")), "password");
	secret_free(c.client_secret);
	json_decref(extra);
}

static void no_request_is_made_without_its_secret(void **state)
{
	struct connection c = { .auth = { .type = AUTH_OAUTH2_REFRESH, .client_id = "id" } };

	(void)state;
	assert_null(oauth_body(&c));
	c.auth = (struct auth){ .type = AUTH_OAUTH2_CLIENT, .client_id = "id", .in_body = true };
	assert_null(oauth_body(&c));
}

/* ---- the answer ---- */

static void reads_as(int status, const char *body, enum call_error expected)
{
	struct oauth_tokens t;
	enum call_error e = oauth_read(status, span_str(body), &t);

	if (e != expected)
		fail_msg("%d %s: %d instead of %d", status, body, (int)e, (int)expected);
	assert_true((e == CALL_OK) == (t.access_token != NULL));
	if (e != CALL_OK)
		assert_null(t.refresh_token);
	oauth_tokens_done(&t);
}

static void tokens_are_taken(void **state)
{
	struct oauth_tokens t;

	(void)state;
	assert_int_equal(oauth_read(200, span_str("{\"access_token\":\"a\",\"token_type\":\"bearer\",\"expires_in\":3600,"
						  "\"refresh_token\":\"r\",\"more\":{}}"), &t), CALL_OK);
	is(t.access_token, "a");
	is(t.refresh_token, "r");
	assert_int_equal(t.expires_in, 3600);
	oauth_tokens_done(&t);
	assert_int_equal(oauth_read(200, span_str("{\"access_token\":\"a\",\"refresh_token\":null}"), &t), CALL_OK);
	assert_null(t.refresh_token);
	assert_int_equal(t.expires_in, 0);
	oauth_tokens_done(&t);
}

static void a_lifetime_is_clamped(void **state)
{
	static const struct { const char *said; int64_t taken; } cases[] = {
		{ "1", 1 }, { "0", 1 }, { "-5", 1 }, { "59.9", 59 }, { "\"3600\"", 3600 }, { "\"0\"", 1 },
		{ "9007199254740993", TOKEN_SECONDS_MAX }, { "1e300", TOKEN_SECONDS_MAX }, { "null", 0 },
		{ "\"9999999999999999999\"", TOKEN_SECONDS_MAX },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char body[128];
		struct oauth_tokens t;

		snprintf(body, sizeof(body), "{\"access_token\":\"a\",\"expires_in\":%s}", cases[i].said);
		assert_int_equal(oauth_read(200, span_str(body), &t), CALL_OK);
		if (t.expires_in != cases[i].taken)
			fail_msg("%s is taken for %lld", cases[i].said, (long long)t.expires_in);
		oauth_tokens_done(&t);
	}
}

static void an_answer_that_is_none_is_refused(void **state)
{
	static const char *const bodies[] = {
		"", "null", "[]", "\"a\"", "{}", "{\"access_token\":\"\"}", "{\"access_token\":1}", "{\"access_token\":null}",
		"{\"access_token\":\"a\"", "{\"access_token\":\"a\",\"access_token\":\"b\"}", "{\"access_token\":\"a\\r\\nX: y\"}",
		"{\"access_token\":\"a b\"}", "{\"access_token\":\"\\u00e9\"}", "{\"access_token\":\"a\",\"token_type\":\"mac\"}",
		"{\"access_token\":\"a\",\"token_type\":7}", "{\"access_token\":\"a\",\"expires_in\":\"soon\"}",
		"{\"access_token\":\"a\",\"expires_in\":\"\"}", "{\"access_token\":\"a\",\"expires_in\":\"-1\"}",
		"{\"access_token\":\"a\",\"expires_in\":true}", "{\"access_token\":\"a\",\"refresh_token\":\"\"}",
		"{\"access_token\":\"a\",\"refresh_token\":5}", "{\"error\":\"invalid_client\"}", "{\"error\":[\"invalid_grant\"]}",
		"{\"a\":[[[[[[[[[1]]]]]]]]],\"access_token\":\"a\"}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
		reads_as(200, bodies[i], CALL_CREDENTIALS_FAILED);
	reads_as(400, "{\"access_token\":\"a\"}", CALL_CREDENTIALS_FAILED);
	reads_as(500, "{\"error\":\"invalid_grant\"}", CALL_CREDENTIALS_FAILED);
}

static void invalid_grant_asks_for_a_person(void **state)
{
	(void)state;
	reads_as(400, "{\"error\":\"invalid_grant\",\"error_description\":\"revoked\"}", CALL_REAUTH_NEEDED);
	reads_as(401, "{\"error\":\"invalid_grant\"}", CALL_REAUTH_NEEDED);
	reads_as(200, "{\"error\":\"invalid_grant\"}", CALL_REAUTH_NEEDED);
	reads_as(400, "{\"error\":\"invalid_request\"}", CALL_CREDENTIALS_FAILED);
}

/* ---- when it is due ---- */

static void a_refresh_is_due_ahead_of_expiry(void **state)
{
	struct connection c = { .refreshed_at = 1000 };

	(void)state;
	assert_false(refresh_fresh(&c, 1000));
	c.access_token = secret("a");
	assert_true(refresh_fresh(&c, 1000000));                /* the server did not say */
	c.expires_at = 1000 + 3600;
	assert_true(refresh_fresh(&c, 1000 + 3539));
	assert_false(refresh_fresh(&c, 1000 + 3540));
	c.expires_at = 1000 + 100;
	assert_true(refresh_fresh(&c, 1000 + 89));
	assert_false(refresh_fresh(&c, 1000 + 90));
	c.expires_at = 1000 + 20;
	assert_true(refresh_fresh(&c, 1000 + 14));
	assert_false(refresh_fresh(&c, 1000 + 15));
	c.expires_at = 1000 + 3;
	assert_false(refresh_fresh(&c, 1000));
	secret_free(c.access_token);
}

/* ---- what a request carries ---- */

static void credentials_are_put_in_their_place(void **state)
{
	struct connection c = { .auth = { .type = AUTH_API_KEY, .name = "X-Key", .prefix = "Token " } };
	struct credential got;

	(void)state;
	c.api_key = secret("k&y=1");
	assert_int_equal(credential_make(&c, &got), RC_OK);
	is(got.header, "X-Key: Token k&y=1");
	credential_done(&got);
	c.auth = (struct auth){ .type = AUTH_API_KEY, .in_query = true, .name = "api key", .prefix = "" };
	assert_int_equal(credential_make(&c, &got), RC_OK);
	is(got.query, "api%20key=k%26y%3D1");
	credential_done(&got);
	secret_free(c.api_key);
	c = (struct connection){ .auth = { .type = AUTH_BASIC, .username = "Aladdin" } };
	c.password = secret("open sesame");
	assert_int_equal(credential_make(&c, &got), RC_OK);
	is(got.header, "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
	credential_done(&got);
	secret_free(c.password);
}

static void a_key_that_would_split_a_header_is_refused(void **state)
{
	struct connection c = { .auth = { .type = AUTH_API_KEY, .name = "X-Key", .prefix = "" } };
	struct credential got;

	(void)state;
	assert_int_equal(credential_make(&c, &got), RC_INVALID);
	c.api_key = secret("k\r\nX-Admin: 1");
	assert_int_equal(credential_make(&c, &got), RC_INVALID);
	assert_null(got.header);
	secret_free(c.api_key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_form_carries_every_byte_of_a_secret),
		cmocka_unit_test(extra_parameters_never_stand_in_for_ours),
		cmocka_unit_test(no_request_is_made_without_its_secret),
		cmocka_unit_test(tokens_are_taken),
		cmocka_unit_test(a_lifetime_is_clamped),
		cmocka_unit_test(an_answer_that_is_none_is_refused),
		cmocka_unit_test(invalid_grant_asks_for_a_person),
		cmocka_unit_test(a_refresh_is_due_ahead_of_expiry),
		cmocka_unit_test(credentials_are_put_in_their_place),
		cmocka_unit_test(a_key_that_would_split_a_header_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
