/* test_json.c -- the strict door, the canonical text, pointers, problems. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/json.h"
#include "base/problems.h"

#include <stdio.h>
#include <stdlib.h>

static enum rc parse(struct span text, unsigned depth)
{
	struct why why = { "" };
	json_t *value = NULL;
	enum rc rc = json_strict(text, depth, &value, &why);

	if (rc == RC_OK) {
		assert_non_null(value);
		assert_string_equal(why.text, "");
		json_decref(value);
	} else {
		assert_null(value);
		assert_true(strlen(why.text) > 0);
	}
	return rc;
}

static void any_one_value_is_taken(void **state)
{
	static const char *const good[] = { "{}", "[]", "1", "-0.5e3", "\"x\"", "null", " true ", "{\"a\":[1,{\"b\":null}]}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(parse(span_str(good[i]), 32), RC_OK);
}

static void what_is_not_strict_json_is_refused(void **state)
{
	static const char *const bad[] = {
		"", " ", "{", "{}{}", "{} x", "[1,]", "{\"a\":1,}", "{'a':1}", "{a:1}", "01", "NaN", "Infinity", "1e999",
		"99999999999999999999", "\"\x01\"", "\"\xff\"", "\"\xed\xa0\x80\"", "\"\\ud800\"", "\"\\u0000\"", "\xef\xbb\xbf{}",
		"{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "{\"x\":{\"a\":1,\"a\":1}}", "// c\n{}", "]", "}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(parse(span_str(bad[i]), 32), RC_INVALID);
}

static void a_nul_byte_is_refused_wherever_it_is(void **state)
{
	(void)state;
	assert_int_equal(parse(span_of("{}\0", 3), 32), RC_INVALID);
	assert_int_equal(parse(span_of("\0{}", 3), 32), RC_INVALID);
	assert_int_equal(parse(span_of("\"a\0b\"", 5), 32), RC_INVALID);
}

/* ---- the canonical text, beside jansson's own ---- */

static unsigned random_state;

static unsigned any(unsigned below)
{
	random_state = random_state * 1103515245 + 12345;
	return (random_state >> 16) % below;
}

static json_t *any_text(void)
{
	static const char *const pieces[] = {
		"", "a", "B", "order_id", "\"", "\\", "/", "\n\t\b\f\r", "\x01\x1f", "\x7f", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x9a\xb2", "~",
	};
	char text[64] = "";

	for (unsigned i = any(4); i > 0; i--)
		strcat(text, pieces[any(ARRAY_LEN(pieces))]);
	return json_string(text);
}

static json_t *any_scalar(void)
{
	static const json_int_t numbers[] = { 0, 1, -1, 42, 1795281562, INT64_MAX, INT64_MIN, -9007199254740993 };

	switch (any(6)) {
	case 0: return json_integer(numbers[any(ARRAY_LEN(numbers))]);
	case 1: return json_real((double)any(100000) / 7 - 3000);
	case 2: return json_boolean(any(2));
	case 3: return json_null();
	default: return any_text();
	}
}

static json_t *any_value(unsigned depth)
{
	unsigned kind = depth ? any(4) : 0, count = any(20) == 0 ? 40 : any(6);
	json_t *value = kind == 1 ? json_array() : kind >= 2 ? json_object() : any_scalar();

	for (unsigned i = 0; kind == 1 && i < count; i++)
		json_array_append_new(value, any_value(depth - 1));
	for (unsigned i = 0; kind >= 2 && i < count; i++) {
		json_t *name = any_text();
		char key[80];

		snprintf(key, sizeof(key), "%s%u", json_string_value(name), any(50));
		json_object_set_new(value, key, any_value(depth - 1));
		json_decref(name);
	}
	return value;
}

static void canonical_text_is_jansson_s(void **state)
{
	(void)state;
	for (random_state = 1; random_state < 3000000000U; random_state += 20000003U) {
		unsigned seed = random_state;
		json_t *value = any_value(4);
		char *expected = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
		struct buf b = BUF_INIT;

		json_canonical(&b, value);
		assert_false(b.failed);
		assert_string_equal(b.data, expected);
		buf_done(&b);
		free(expected);
		json_decref(value);
		random_state = seed;
	}
}

static void depth_counts_outside_strings_alone(void **state)
{
	(void)state;
	assert_int_equal(parse(span_str("[[[1]]]"), 3), RC_OK);
	assert_int_equal(parse(span_str("[[[1]]]"), 2), RC_INVALID);
	assert_int_equal(parse(span_str("[{\"a\":[]},{\"b\":[]}]"), 3), RC_OK);
	assert_int_equal(parse(span_str("[\"[[[[[[\\\"[[[[\"]"), 1), RC_OK);
	assert_int_equal(parse(span_str("[\"\\\\\",[]]"), 1), RC_INVALID);
	assert_int_equal(parse(span_str("{\"a\":[{\"b\":[1]}]}"), 4), RC_OK);
	assert_int_equal(parse(span_str("{\"a\":[{\"b\":[1]}]}"), 3), RC_INVALID);
	assert_int_equal(parse(span_str("[]"), 0), RC_INVALID);
	assert_int_equal(parse(span_str("{}"), 0), RC_INVALID);
	assert_int_equal(parse(span_str("1"), 0), RC_OK);
	assert_int_equal(parse(span_str("\"\\"), 1), RC_INVALID);
}

static void very_deep_nesting_is_refused_before_it_recurses(void **state)
{
	size_t size = 1000000;
	char *text = malloc(size);

	(void)state;
	assert_non_null(text);
	memset(text, '[', size);
	assert_int_equal(parse(span_of(text, size), 32), RC_INVALID);
	free(text);
}

static void a_refusal_does_not_quote_the_input(void **state)
{
	struct why why = { "" };
	json_t *value;

	(void)state;
	assert_int_equal(json_strict(span_str("{\"a\": sekrit}"), 32, &value, &why), RC_INVALID);
	assert_null(strstr(why.text, "sekrit"));
	assert_non_null(strstr(why.text, "line 1"));
	why = (struct why){ "" };
	assert_int_equal(json_strict(span_str("{\"sekrit\":1,\"sekrit\":2}"), 32, &value, &why), RC_INVALID);
	assert_null(strstr(why.text, "sekrit"));
}

static void canonical_text_is_compact_sorted_and_ascii(void **state)
{
	struct buf b = BUF_INIT;
	const char *text = "{ \"b\": [1, 2.5, \"\xc3\xa9/\"], \"a\": {\"z\": null, \"B\": true} }";
	json_t *value = NULL;

	(void)state;
	assert_int_equal(json_strict(span_str(text), 32, &value, NULL), RC_OK);
	json_canonical(&b, value);
	assert_string_equal(b.data, "{\"a\":{\"B\":true,\"z\":null},\"b\":[1,2.5,\"\\u00E9/\"]}");
	json_decref(value);
	buf_clear(&b);
	json_canonical(&b, NULL);
	assert_true(b.failed);
	buf_done(&b);
}

static void pointers_escape_their_two_signs(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	pointer_add(&b, span_str("parameters"));
	pointer_add(&b, span_str("a/b~c"));
	pointer_add_index(&b, 12);
	pointer_add(&b, span_str(""));
	assert_string_equal(b.data, "/parameters/a~1b~0c/12/");
	buf_done(&b);
}

static void points_at(const json_t *value, const char *pointer, json_int_t expected)
{
	const json_t *there = pointer_get(value, span_str(pointer));

	assert_true(pointer_valid(span_str(pointer)));
	if (expected < 0)
		assert_null(there);
	else
		assert_int_equal(json_integer_value(there), expected);
}

static void pointers_lead_to_one_place(void **state)
{
	const char *text = "{\"a\":[{\"b\":1},2],\"\":3,\"x/y\":4,\"m~n\":5,\"~1\":6,\"0\":7,\"s\":\"text\"}";
	json_t *value = NULL;

	(void)state;
	assert_int_equal(json_strict(span_str(text), 8, &value, NULL), RC_OK);
	assert_ptr_equal(pointer_get(value, span_str("")), value);
	points_at(value, "/a/0/b", 1);
	points_at(value, "/a/1", 2);
	points_at(value, "/", 3);
	points_at(value, "/x~1y", 4);
	points_at(value, "/m~0n", 5);
	points_at(value, "/~01", 6);
	points_at(value, "/0", 7);
	points_at(value, "/a/2", -1);
	points_at(value, "/a/01", -1);
	points_at(value, "/a/-", -1);
	points_at(value, "/a/-1", -1);
	points_at(value, "/a/18446744073709551617", -1);
	points_at(value, "/s/0", -1);
	points_at(value, "/a/0/b/c", -1);
	points_at(value, "/none", -1);
	json_decref(value);
}

static void what_is_no_pointer_is_told(void **state)
{
	static const char *const bad[] = { "a", "a/b", "#/a", "/~", "/~2", "/a~", "/\xff" };
	char longest[POINTER_MAX + 2];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(pointer_valid(span_str(bad[i])));
	memset(longest, '/', sizeof(longest));
	assert_true(pointer_valid(span_of(longest, POINTER_MAX)));
	assert_false(pointer_valid(span_of(longest, POINTER_MAX + 1)));
	assert_false(pointer_valid(span_of("/a\0", 3)));
}

static void only_a_string_has_bytes(void **state)
{
	json_t *text = json_stringn("ab", 2), *number = json_integer(1);

	(void)state;
	assert_true(span_is(json_span(text), "ab"));
	assert_int_equal(json_span(number).size, 0);
	assert_int_equal(json_span(NULL).size, 0);
	json_decref(text);
	json_decref(number);
}

static void problems_past_the_limit_are_counted(void **state)
{
	struct problems p = { 0 };

	(void)state;
	assert_int_equal(problems_kept(&p), 0);
	for (int i = 0; i < PROBLEMS_MAX + 5; i++)
		problems_add(&p, span_of("/a/bcd", 4), "fault %d", i);
	problems_add(NULL, span_str("/x"), "nobody asked");
	assert_int_equal(p.count, PROBLEMS_MAX + 5);
	assert_int_equal(problems_kept(&p), PROBLEMS_MAX);
	assert_string_equal(p.list[3].pointer, "/a/b");
	assert_string_equal(p.list[3].detail, "fault 3");
	problems_done(&p);
	assert_int_equal(p.count, 0);
	problems_add(&p, span_of(NULL, 0), "whole");
	assert_string_equal(p.list[0].pointer, "");
	problems_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_one_value_is_taken),
		cmocka_unit_test(what_is_not_strict_json_is_refused),
		cmocka_unit_test(a_nul_byte_is_refused_wherever_it_is),
		cmocka_unit_test(depth_counts_outside_strings_alone),
		cmocka_unit_test(very_deep_nesting_is_refused_before_it_recurses),
		cmocka_unit_test(a_refusal_does_not_quote_the_input),
		cmocka_unit_test(canonical_text_is_compact_sorted_and_ascii),
		cmocka_unit_test(canonical_text_is_jansson_s),
		cmocka_unit_test(pointers_escape_their_two_signs),
		cmocka_unit_test(pointers_lead_to_one_place),
		cmocka_unit_test(what_is_no_pointer_is_told),
		cmocka_unit_test(only_a_string_has_bytes),
		cmocka_unit_test(problems_past_the_limit_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
