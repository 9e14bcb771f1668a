/* What a schema may say: every mistake is found, with its place. */
#include "schema/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static json_t *parse(const char *text)
{
	json_t *value = NULL;

	assert_int_equal(json_strict(span_str(text), 64, &value, NULL), RC_OK);
	return value;
}

static void compiles(const char *source)
{
	struct problems problems = { 0 };
	struct schema *s = NULL;
	json_t *value = parse(source);

	assert_int_equal(schema_compile(value, span_str(""), &s, &problems), RC_OK);
	assert_int_equal(problems.count, 0);
	assert_non_null(s);
	schema_free(s);
	json_decref(value);
}

/* One mistake and no other, at this place. */
static void mistaken(const char *source, const char *pointer)
{
	struct problems problems = { 0 };
	struct schema *s = NULL;
	json_t *value = parse(source);

	assert_int_equal(schema_compile(value, span_str("/at"), &s, &problems), RC_INVALID);
	assert_null(s);
	assert_int_equal(problems.count, 1);
	assert_string_equal(problems.list[0].pointer, pointer);
	problems_done(&problems);
	json_decref(value);
}

static void every_keyword_compiles(void **state)
{
	(void)state;
	compiles("{}");
	compiles("{\"type\":\"object\",\"title\":\"t\",\"description\":\"d\",\"default\":{},\"properties\":{"
		 "\"a\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":5,\"pattern\":\"^a\",\"format\":\"date\"},"
		 "\"b\":{\"type\":[\"integer\",\"null\"],\"minimum\":0,\"maximum\":1.5},"
		 "\"c\":{\"type\":\"array\",\"items\":{\"enum\":[1,\"x\"]},\"minItems\":0,\"maxItems\":3},"
		 "\"d\":{\"const\":null}},\"required\":[\"a\",\"b\"],\"additionalProperties\":false}");
}

static void unknown_keyword_is_a_mistake(void **state)
{
	(void)state;
	mistaken("{\"typo\":1}", "/at/typo");
	mistaken("{\"prefixItems\":[]}", "/at/prefixItems");
	mistaken("{\"$ref\":\"#\"}", "/at/$ref");
	mistaken("{\"properties\":{\"a/b\":{\"items\":{\"x~y\":1}}}}", "/at/properties/a~1b/items/x~0y");
}

static void keyword_with_a_wrong_value_is_a_mistake(void **state)
{
	static const struct { const char *source, *pointer; } cases[] = {
		{ "[]",						"/at" },
		{ "{\"type\":\"text\"}",			"/at/type" },
		{ "{\"type\":[]}",				"/at/type" },
		{ "{\"type\":[\"string\",7]}",			"/at/type/1" },
		{ "{\"title\":7}",				"/at/title" },
		{ "{\"minLength\":-1}",				"/at/minLength" },
		{ "{\"maxItems\":1.5}",				"/at/maxItems" },
		{ "{\"minimum\":\"1\"}",			"/at/minimum" },
		{ "{\"pattern\":\"(\"}",			"/at/pattern" },
		{ "{\"pattern\":7}",				"/at/pattern" },
		{ "{\"format\":\"email\"}",			"/at/format" },
		{ "{\"enum\":[]}",				"/at/enum" },
		{ "{\"enum\":[1],\"const\":1}",			"/at/const" },
		{ "{\"additionalProperties\":{}}",		"/at/additionalProperties" },
		{ "{\"properties\":[]}",			"/at/properties" },
		{ "{\"properties\":{\"a\":true}}",		"/at/properties/a" },
		{ "{\"required\":\"a\"}",			"/at/required" },
		{ "{\"properties\":{\"a\":{}},\"required\":[\"a\",\"b\"]}", "/at/required/1" },
		{ "{\"properties\":{\"a\":{}},\"required\":[\"a\",\"a\"]}", "/at/required/1" },
		{ "{\"items\":[]}",				"/at/items" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		mistaken(cases[i].source, cases[i].pointer);
}

static void keyword_of_another_type_is_a_mistake(void **state)
{
	(void)state;
	mistaken("{\"type\":\"integer\",\"maxLength\":3}", "/at/maxLength");
	mistaken("{\"type\":\"string\",\"properties\":{}}", "/at/properties");
	compiles("{\"type\":[\"integer\",\"string\"],\"maxLength\":3}");
}

static void contradiction_is_a_mistake(void **state)
{
	(void)state;
	mistaken("{\"minLength\":3,\"maxLength\":2}", "/at/minLength");
	mistaken("{\"minItems\":3,\"maxItems\":2}", "/at/minItems");
	mistaken("{\"minimum\":2,\"maximum\":1.5}", "/at/minimum");
	mistaken("{\"type\":\"string\",\"enum\":[\"a\",1]}", "/at");
}

static void every_mistake_is_named_at_once(void **state)
{
	struct problems problems = { 0 };
	struct schema *s = NULL;
	json_t *value = parse("{\"a\":1,\"minLength\":-1,\"properties\":{\"p\":{\"b\":2}}}");

	(void)state;
	assert_int_equal(schema_compile(value, span_str(""), &s, &problems), RC_INVALID);
	assert_int_equal(problems.count, 3);
	problems_done(&problems);
	json_decref(value);
}

/* {"items":{"items": ... {} }} */
static char *nested(size_t depth)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < depth; i++)
		buf_add_str(&b, "{\"items\":");
	buf_add_str(&b, "{}");
	for (size_t i = 0; i < depth; i++)
		buf_add_char(&b, '}');
	return buf_take(&b);
}

static void deep_schema_is_refused(void **state)
{
	struct schema *s = NULL;
	char *fits = nested(SCHEMA_DEPTH_MAX - 1);
	char *deep = nested(SCHEMA_DEPTH_MAX);
	json_t *value = parse(deep);

	(void)state;
	compiles(fits);
	assert_int_equal(schema_compile(value, span_str(""), &s, NULL), RC_INVALID);
	json_decref(value);
	free(fits);
	free(deep);
}

static void large_pattern_is_refused(void **state)
{
	(void)state;
	mistaken("{\"pattern\":\"((((a{1,100}){1,100}){1,100}){1,100})\"}", "/at/pattern");
	mistaken("{\"pattern\":\"(abc[^d]){3000}\"}", "/at/pattern");
	mistaken("{\"pattern\":\"\\\\C\"}", "/at/pattern");
	mistaken("{\"pattern\":\"(a*)\\\\1[0-9]\"}", "/at/pattern");     /* its cost has no bound */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_keyword_compiles),
		cmocka_unit_test(unknown_keyword_is_a_mistake),
		cmocka_unit_test(keyword_with_a_wrong_value_is_a_mistake),
		cmocka_unit_test(keyword_of_another_type_is_a_mistake),
		cmocka_unit_test(contradiction_is_a_mistake),
		cmocka_unit_test(every_mistake_is_named_at_once),
		cmocka_unit_test(deep_schema_is_refused),
		cmocka_unit_test(large_pattern_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
