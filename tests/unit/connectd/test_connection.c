/* test_connection.c -- a connection's settings are checked, and its secrets come out sealed only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fcgi-app/connectd/connection.h"

#include <stdlib.h>

#define KEY "\"auth\":{\"type\":\"api_key\",\"in\":\"header\",\"name\":\"X-Key\"},\"secret\":{\"api_key\":\"canary-1\"}"
#define URL "\"base_url\":\"https://Shop.Example:8443/v1\""
#define OAUTH "\"auth\":{\"type\":\"oauth2_refresh\",\"token_url\":\"https://id.example/token?x=1\",\"client_id\":\"c\",\"auth_in\":\"body\"," \
	"\"body\":\"json\",\"extra\":{\"audience\":\"canary-5\",\"tenant\":\"canary-6\"}},\"secret\":{\"client_secret\":\"canary-2\",\"refresh_token\":\"canary-3\"}"

static enum rc parse(const char *text, struct connection *ret, struct why *why)
{
	json_t *body;
	enum rc rc;

	assert_int_equal(json_strict(span_str(text), 8, &body, NULL), RC_OK);
	rc = connection_parse("shop", body, 1000, ret, why);
	json_decref(body);
	return rc;
}

static char *public_text(const struct connection *c)
{
	json_t *shown = connection_public(c);
	char *text = json_dumps(shown, JSON_COMPACT | JSON_SORT_KEYS);

	json_decref(shown);
	assert_non_null(text);
	return text;
}

static void what_was_not_said_has_its_default(void **state)
{
	struct connection c;
	char *text;

	(void)state;
	assert_int_equal(parse("{" URL "," KEY "}", &c, NULL), RC_OK);
	assert_string_equal(c.provider, "shop");
	assert_string_equal(c.authority, "shop.example:8443");
	assert_int_equal(c.concurrency, CONCURRENCY_DEFAULT);
	assert_false(c.http);
	assert_false(connection_serves_site(&c, span_str("shop")));
	assert_false(connection_allows(&c, span_str("GET"), span_str("orders")));
	text = public_text(&c);
	assert_non_null(strstr(text, "\"state\":\"ok\""));
	assert_null(strstr(text, "canary"));
	free(text);
	connection_done(&c);
}

static void of_extra_token_parameters_the_names_are_shown(void **state)
{
	struct connection c;
	char *text;

	(void)state;
	assert_int_equal(parse("{" URL "," OAUTH "}", &c, NULL), RC_OK);
	text = public_text(&c);
	assert_non_null(strstr(text, "\"extra\":[\"audience\",\"tenant\"]"));
	assert_null(strstr(text, "canary"));
	assert_true(json_is_object(c.auth.extra));
	free(text);
	connection_done(&c);
}

static void its_lists_say_what_it_serves(void **state)
{
	struct connection c;

	(void)state;
	assert_int_equal(parse("{" URL "," KEY ",\"sites\":[\"one\"],\"allow\":[\"GET /a/{}\",\"POST /b\"]}", &c, NULL), RC_OK);
	assert_true(connection_serves_site(&c, span_str("one")));
	assert_false(connection_serves_site(&c, span_str("two")));
	assert_true(connection_allows(&c, span_str("GET"), span_str("a/x")));
	assert_true(connection_allows(&c, span_str("POST"), span_str("b")));
	assert_false(connection_allows(&c, span_str("POST"), span_str("a/x")));
	assert_false(connection_allows(&c, span_str("GET"), span_str("a/..")));
	assert_false(connection_allows(&c, span_str("GET"), span_str("a/x%2fy")));
	connection_done(&c);
}

static void mistakes_are_named(void **state)
{
	static const struct { const char *text, *says; } bad[] = {
		{ "[]", "object" },
		{ "{" KEY "}", "base_url" },
		{ "{\"base_url\":\"http://shop.example\"," KEY "}", "https" },
		{ "{\"base_url\":\"ftp://shop.example\",\"http\":true," KEY "}", "https" },
		{ "{\"base_url\":\"https://user@shop.example\"," KEY "}", "user" },
		{ "{\"base_url\":\"https://\"," KEY "}", "host" },
		{ "{\"base_url\":\"https://shop.example/v1/\"," KEY "}", "trailing" },
		{ "{\"base_url\":\"https://shop.example/a/../b\"," KEY "}", "segments" },
		{ "{\"base_url\":\"https://shop.example?x=1\"," KEY "}", "query" },
		{ "{\"base_url\":\"https://shop.example\\\\@evil.example\"," KEY "}", "host" },
		{ "{" URL "," KEY ",\"name\":\"other\"}", "name" },
		{ "{" URL "," KEY ",\"colour\":1}", "colour" },
		{ "{" URL "," KEY ",\"sites\":[\"A B\"]}", "sites" },
		{ "{" URL "," KEY ",\"sites\":\"one\"}", "sites" },
		{ "{" URL "," KEY ",\"allow\":[\"GET orders\"]}", "allow" },
		{ "{" URL "," KEY ",\"private\":[\"10.0.0.0/33\"]}", "private" },
		{ "{" URL "," KEY ",\"private\":[\"10.0.0/8\"]}", "private" },
		{ "{" URL "," KEY ",\"private\":[\"10.0.0.0/8x\"]}", "private" },
		{ "{" URL "," KEY ",\"private\":[\"10.0.0.1/8\"]}", "private" },
		{ "{" URL "," KEY ",\"concurrency\":0}", "concurrency" },
		{ "{" URL "," KEY ",\"ca_pem\":\"x\"}", "ca_pem" },
		{ "{" URL "," KEY ",\"test\":\"POST /x\"}", "test" },
		{ "{" URL "}", "auth" },
		{ "{" URL ",\"auth\":{\"type\":\"api_key\",\"name\":\"X-Key\"}}", "api_key is missing" },
		{ "{" URL ",\"auth\":{\"type\":\"api_key\",\"name\":\"Host\"},\"secret\":{\"api_key\":\"k\"}}", "header" },
		{ "{" URL ",\"auth\":{\"type\":\"api_key\",\"name\":\"X: y\"},\"secret\":{\"api_key\":\"k\"}}", "header" },
		{ "{" URL ",\"auth\":{\"type\":\"api_key\",\"name\":\"X\"},\"secret\":{\"api_key\":\"a\\r\\nb\"}}", "control" },
		{ "{" URL ",\"auth\":{\"type\":\"api_key\",\"name\":\"X\"},\"secret\":{\"api_key\":\"a\",\"password\":\"b\"}}", "members" },
		{ "{" URL ",\"auth\":{\"type\":\"basic\",\"username\":\"a:b\"},\"secret\":{\"password\":\"p\"}}", "colon" },
		{ "{" URL ",\"auth\":{\"type\":\"none\"},\"secret\":{\"password\":\"p\"}}", "members" },
		{ "{" URL ",\"auth\":{\"type\":\"none\",\"username\":\"p\"}}", "username" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct connection c;
		struct why why = { "" };

		if (parse(bad[i].text, &c, &why) != RC_INVALID)
			fail_msg("taken: %s", bad[i].text);
		if (!strstr(why.text, bad[i].says))
			fail_msg("%s: %s", bad[i].text, why.text);
		assert_null(strstr(why.text, "canary"));
	}
}

static void networks_are_read(void **state)
{
	struct connection c;

	(void)state;
	assert_int_equal(parse("{" URL "," KEY ",\"private\":[\"127.0.0.0/8\",\"fd00::/8\",\"10.1.2.3\"]}", &c, NULL), RC_OK);
	assert_int_equal(c.private_count, 3);
	assert_int_equal(c.private_nets[0].address[0], 127);
	assert_int_equal(c.private_nets[0].bits, 8);
	assert_int_equal(c.private_nets[1].address[0], 0xfd);
	assert_int_equal(c.private_nets[2].bits, 32);
	connection_done(&c);
}

static void what_is_sealed_comes_back_whole(void **state)
{
	struct connection c, back;
	struct secret *text;

	(void)state;
	assert_int_equal(parse("{" URL "," OAUTH "}", &c, NULL), RC_OK);
	assert_true(c.auth.in_body && c.auth.json && c.auth.extra);
	c.access_token = secret_copy(span_str("canary-4"));
	c.expires_at = 5000;
	c.reauth_needed = true;
	memcpy(c.last_error, "reauth_needed", sizeof("reauth_needed"));
	text = connection_write(&c);
	assert_non_null(text);
	assert_int_equal(connection_read("other", text, &back), RC_CORRUPT);
	assert_int_equal(connection_read("shop", text, &back), RC_OK);
	assert_true(span_is(secret_span(back.client_secret), "canary-2"));
	assert_true(span_is(secret_span(back.refresh_token), "canary-3"));
	assert_true(span_is(secret_span(back.access_token), "canary-4"));
	assert_true(back.reauth_needed && back.expires_at == 5000 && back.created_at == 1000);
	assert_string_equal(back.last_error, "reauth_needed");
	assert_string_equal(json_string_value(json_object_get(back.auth.extra, "tenant")), "canary-6");
	secret_free(text);
	connection_done(&back);
	connection_done(&c);
}

static void rotate_takes_new_secrets_and_forgets_old_tokens(void **state)
{
	struct connection c;
	json_t *part = json_pack("{s:s}", "refresh_token", "new"), *wrong = json_pack("{s:s}", "api_key", "new");

	(void)state;
	assert_int_equal(parse("{" URL "," OAUTH "}", &c, NULL), RC_OK);
	c.access_token = secret_copy(span_str("old"));
	c.reauth_needed = true;
	assert_int_equal(connection_rotate(&c, wrong, 2000, NULL), RC_INVALID);
	assert_int_equal(connection_rotate(&c, NULL, 2000, NULL), RC_INVALID);
	assert_true(c.reauth_needed);
	assert_int_equal(connection_rotate(&c, part, 2000, NULL), RC_OK);
	assert_true(span_is(secret_span(c.refresh_token), "new"));
	assert_true(span_is(secret_span(c.client_secret), "canary-2"));
	assert_null(c.access_token);
	assert_false(c.reauth_needed);
	assert_int_equal(c.state_since, 2000);
	assert_int_equal(c.rotated_at, 2000);
	json_decref(part);
	json_decref(wrong);
	connection_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_not_said_has_its_default),
		cmocka_unit_test(of_extra_token_parameters_the_names_are_shown),
		cmocka_unit_test(its_lists_say_what_it_serves),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(networks_are_read),
		cmocka_unit_test(what_is_sealed_comes_back_whole),
		cmocka_unit_test(rotate_takes_new_secrets_and_forgets_old_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
