/* test_connection_secret.c -- what goes to postern-connectd as a secret is one JSON object with the names it takes,
 * whatever was given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "admin/admin.h"

#include <string.h>

/* NULL: it was refused. */
static json_t *made(const char *type, const char *text, size_t size)
{
	struct secret *given = secret_copy(span_of(text, size)), *ret = NULL;
	struct why why = { { 0 } };
	json_t *object = NULL;
	enum rc rc;

	assert_non_null(given);
	rc = admin_connection_secret(type, given, &ret, &why);
	if (rc == RC_OK)
		assert_int_equal(json_strict(secret_span(ret), 2, &object, NULL), RC_OK);
	else
		assert_true(rc == RC_INVALID && why.text[0] && !ret);
	secret_free(given);
	secret_free(ret);
	return object;
}

static void a_bare_secret_comes_through_whatever_is_in_it(void **state)
{
	char text[127];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i + 1);
	for (size_t size = 1; size <= sizeof(text); size++) {
		json_t *object = made("api_key", text, size);
		size_t want = size - (text[size - 1] == '\n');

		assert_int_equal(json_object_size(object), 1);
		assert_int_equal(json_string_length(json_object_get(object, "api_key")), want);
		assert_memory_equal(json_string_value(json_object_get(object, "api_key")), text, want);
		json_decref(object);
	}
}

static void each_type_has_its_name(void **state)
{
	static const char *const names[][2] = {
		{ "api_key", "api_key" }, { "basic", "password" }, { "oauth2_client", "client_secret" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		json_t *object = made(names[i][0], "s", 1);

		assert_non_null(json_object_get(object, names[i][1]));
		json_decref(object);
	}
	assert_false(admin_connection_has_secret("none"));
	assert_null(made("none", "s", 1));
	assert_null(made("nonsense", "s", 1));
}

static void what_is_no_text_is_refused(void **state)
{
	(void)state;
	assert_null(made("api_key", "", 0));
	assert_null(made("api_key", "\n", 1));
	assert_null(made("api_key", "\xff", 1));
	assert_null(made("api_key", "a\0b", 3));
}

static void two_secrets_come_as_an_object_of_texts(void **state)
{
	static const char *const good[] = {
		"{\"client_secret\":\"a\",\"refresh_token\":\"b\"}", " {\n\"refresh_token\" :\t\"\\u0062\\\"}\" }\n\n",
	};
	static const char *const bad[] = {
		"b", "\"b\"", "{}", "[\"b\"]", "{\"refresh_token\":1}", "{\"refresh_token\":null}", "{\"refresh_token\":{\"a\":\"b\"}}",
		"{\"refresh_token\":\"b\"", "{\"refresh_token\":\"b\",}", "{\"refresh_token\":\"b\"}}", "{\"refresh_token\":\"b\"},\"http\":true",
		"{\"refresh_token\":\"b\\\"}", "{\"refresh_token\":\"b\",\"http\":\"x\"}", "{\"refresh_token\" \"b\"}", "{\"refresh_token\":\"b\nc\"}",
		"{\"", "{\"refresh_token\":\"", "{\"refresh_token\":\"\\", "{\"api_key\":\"b\"}", "{", "\"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		json_t *object = made("oauth2_refresh", good[i], strlen(good[i]));

		assert_non_null(json_object_get(object, "refresh_token"));
		json_decref(object);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_null(made("oauth2_refresh", bad[i], strlen(bad[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bare_secret_comes_through_whatever_is_in_it),
		cmocka_unit_test(each_type_has_its_name),
		cmocka_unit_test(what_is_no_text_is_refused),
		cmocka_unit_test(two_secrets_come_as_an_object_of_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
