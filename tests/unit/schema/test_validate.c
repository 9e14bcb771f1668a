/* What a schema lets through. */
#include "schema/schema.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static json_t *parse(const char *text)
{
	json_t *value = NULL;

	assert_int_equal(json_strict(span_str(text), 64, &value, NULL), RC_OK);
	return value;
}

static struct schema *schema_of(const char *source)
{
	struct schema *s = NULL;
	json_t *value = parse(source);

	assert_int_equal(schema_compile(value, span_str(""), &s, NULL), RC_OK);
	json_decref(value);
	return s;
}

static bool fits(const char *source, const char *text)
{
	struct schema *s = schema_of(source);
	json_t *value = parse(text);
	bool valid = schema_validate(s, value, span_str(""), NULL);

	json_decref(value);
	schema_free(s);
	return valid;
}

struct example { const char *schema, *value; bool fits; };

static void try_all(const struct example *e, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fits(e[i].schema, e[i].value) != e[i].fits)
			fail_msg("%s with %s", e[i].schema, e[i].value);
}

static void types_are_told_apart(void **state)
{
	static const struct example examples[] = {
		{ "{\"type\":\"integer\"}",	"1",		true },
		{ "{\"type\":\"integer\"}",	"1.0",		true },
		{ "{\"type\":\"integer\"}",	"1e300",	true },
		{ "{\"type\":\"integer\"}",	"1.5",		false },
		{ "{\"type\":\"integer\"}",	"\"1\"",	false },
		{ "{\"type\":\"number\"}",	"1",		true },
		{ "{\"type\":\"number\"}",	"1.5",		true },
		{ "{\"type\":\"boolean\"}",	"false",	true },
		{ "{\"type\":\"boolean\"}",	"0",		false },
		{ "{\"type\":\"null\"}",	"null",		true },
		{ "{\"type\":\"string\"}",	"null",		false },
		{ "{\"type\":\"object\"}",	"[]",		false },
		{ "{\"type\":\"array\"}",	"[]",		true },
		{ "{\"type\":[\"string\",\"null\"]}", "null",	true },
		{ "{\"type\":[\"string\",\"null\"]}", "1",	false },
		{ "{}",				"[1,{}]",	true },
	};

	(void)state;
	try_all(examples, ARRAY_LEN(examples));
}

static void numbers_are_compared_exactly(void **state)
{
	static const struct example examples[] = {
		{ "{\"maximum\":9007199254740992}",	"9007199254740993",	false },
		{ "{\"maximum\":9007199254740992.0}",	"9007199254740993",	false },
		{ "{\"maximum\":9223372036854775807}",	"9223372036854775808.0", false },
		{ "{\"minimum\":-9223372036854775808}",	"-1e30",		false },
		{ "{\"minimum\":0.5}",			"0",			false },
		{ "{\"minimum\":0.5}",			"1",			true },
		{ "{\"minimum\":-0.5}",			"0",			true },
		{ "{\"maximum\":-0.5}",			"-1",			true },
		{ "{\"minimum\":1}",			"1.0",			true },
		{ "{\"const\":1}",			"1.0",			true },
		{ "{\"enum\":[1,2]}",			"3",			false },
		{ "{\"enum\":[{\"a\":[1]}]}",		"{\"a\":[1]}",		true },
		{ "{\"enum\":[{\"a\":[1]}]}",		"{\"a\":[2]}",		false },
		{ "{\"enum\":[{\"a\":[1]}]}",		"{\"a\":[1.0]}",	true },
		{ "{\"const\":[1.0]}",			"[true]",		false },
		{ "{\"const\":\"a\"}",			"\"A\"",		false },
		{ "{\"const\":null}",			"null",			true },
		{ "{\"const\":null}",			"0",			false },
	};

	(void)state;
	try_all(examples, ARRAY_LEN(examples));
}

static void lengths_count_characters(void **state)
{
	static const struct example examples[] = {
		{ "{\"maxLength\":1}",	"\"\xc3\xa9\"",			true },
		{ "{\"maxLength\":1}",	"\"\xf0\x9f\x8e\x92\"",		true },
		{ "{\"maxLength\":1}",	"\"ab\"",			false },
		{ "{\"minLength\":2}",	"\"\xf0\x9f\x8e\x92\"",		false },
		{ "{\"minLength\":0}",	"\"\"",				true },
		{ "{\"minLength\":9}",	"7",				true },
		{ "{\"minItems\":1}",	"[]",				false },
		{ "{\"maxItems\":1}",	"[1,2]",			false },
		{ "{\"items\":{\"type\":\"string\"}}", "[\"a\",1]",	false },
	};

	(void)state;
	try_all(examples, ARRAY_LEN(examples));
}

static void objects_are_as_open_as_the_schema_says(void **state)
{
	static const struct example examples[] = {
		{ "{\"properties\":{\"a\":{\"type\":\"string\"}}}",	"{\"b\":1}",	true },
		{ "{\"properties\":{\"a\":{\"type\":\"string\"}}}",	"{\"a\":1}",	false },
		{ "{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"b\":1}", false },
		{ "{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"a\":1}", true },
		{ "{\"additionalProperties\":false}",			"{}",		true },
		{ "{\"properties\":{\"a\":{}},\"required\":[\"a\"]}",	"{}",		false },
		{ "{\"properties\":{\"a\":{}},\"required\":[\"a\"]}",	"{\"a\":null}",	true },
		/* a default is never filled in */
		{ "{\"properties\":{\"a\":{\"default\":1}},\"required\":[\"a\"]}", "{}", false },
	};

	(void)state;
	try_all(examples, ARRAY_LEN(examples));
}

static void patterns_read_as_ecma_262(void **state)
{
	static const struct example examples[] = {
		{ "{\"pattern\":\"^[a-z]+$\"}",		"\"abc\"",		true },
		{ "{\"pattern\":\"^[a-z]+$\"}",		"\"abc\\n\"",		false },
		{ "{\"pattern\":\"b\"}",		"\"abc\"",		true },
		{ "{\"pattern\":\"^$\"}",		"\"\"",			true },
		{ "{\"pattern\":\"^\\\\d$\"}",		"\"\xd9\xa3\"",		false },
		{ "{\"pattern\":\"^\\\\u00e9$\"}",	"\"\xc3\xa9\"",		true },
		{ "{\"pattern\":\"^.$\"}",		"\"\xf0\x9f\x8e\x92\"",	true },
		{ "{\"pattern\":\"(a)(b)(c)\"}",	"\"abc\"",		true },
		{ "{\"pattern\":\"^a\"}",		"7",			true },
	};

	(void)state;
	try_all(examples, ARRAY_LEN(examples));
}

/* "aaaa...b" makes a nested repeat try every split: 2^n of them without a limit. */
static void greedy_pattern_ends_soon_and_does_not_match(void **state)
{
	char text[4096];
	uint64_t start = clock_mono_ms();

	(void)state;
	memset(text, 'a', sizeof(text));
	text[0] = text[sizeof(text) - 2] = '"';
	text[sizeof(text) - 3] = 'b';
	text[sizeof(text) - 1] = '\0';
	assert_false(fits("{\"pattern\":\"^(a+)+$\"}", text));
	assert_false(fits("{\"pattern\":\"(a|aa)+$\"}", text));
	assert_true(clock_mono_ms() - start < 5000);
}

static void dates_are_days_of_the_calendar(void **state)
{
	static const struct example examples[] = {
		{ "{\"format\":\"date\"}", "\"2026-11-24\"",	true },
		{ "{\"format\":\"date\"}", "\"2028-02-29\"",	true },
		{ "{\"format\":\"date\"}", "\"2000-02-29\"",	true },
		{ "{\"format\":\"date\"}", "\"2026-02-29\"",	false },
		{ "{\"format\":\"date\"}", "\"2100-02-29\"",	false },
		{ "{\"format\":\"date\"}", "\"2026-11-31\"",	false },
		{ "{\"format\":\"date\"}", "\"2026-13-01\"",	false },
		{ "{\"format\":\"date\"}", "\"2026-00-01\"",	false },
		{ "{\"format\":\"date\"}", "\"2026-01-00\"",	false },
		{ "{\"format\":\"date\"}", "\"2026-1-01\"",	false },
		{ "{\"format\":\"date\"}", "\"2026-11-24 \"",	false },
		{ "{\"format\":\"date\"}", "\"\"",		false },
		{ "{\"format\":\"date\"}", "7",			true },
	};

	(void)state;
	try_all(examples, ARRAY_LEN(examples));
}

static void times_are_rfc_3339(void **state)
{
	static const struct { const char *text; bool fits; } examples[] = {
		{ "2026-11-24T10:00:00Z",		true },
		{ "2026-11-24t10:00:00z",		true },
		{ "2026-11-24T10:00:00.5+01:00",	true },
		{ "2026-11-24T10:00:00-23:59",		true },
		{ "2026-12-31T23:59:60Z",		true },
		{ "2027-01-01T00:59:60+01:00",		true },
		{ "2026-12-31T15:59:60-08:00",		true },
		{ "2026-12-31T22:59:60Z",		false },
		{ "2026-11-24T24:00:00Z",		false },
		{ "2026-11-24T10:60:00Z",		false },
		{ "2026-11-24T10:00:61Z",		false },
		{ "2026-11-24T10:00Z",			false },
		{ "2026-11-24T10:00:00",		false },
		{ "2026-11-24 10:00:00Z",		false },
		{ "2026-11-24T10:00:00.Z",		false },
		{ "2026-11-24T10:00:00+24:00",		false },
		{ "2026-11-24T10:00:00+0100",		false },
		{ "2026-02-30T10:00:00Z",		false },
		{ "2026-11-24",				false },
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		snprintf(text, sizeof(text), "\"%s\"", examples[i].text);
		if (fits("{\"format\":\"date-time\"}", text) != examples[i].fits)
			fail_msg("%s", text);
	}
}

static void fault_names_its_place_and_never_the_value(void **state)
{
	struct problems problems = { 0 };
	struct schema *s =
	    schema_of("{\"properties\":{\"list\":{\"items\":{\"properties\":{\"x\":{\"type\":\"integer\"}},"
		      "\"required\":[\"x\"],\"additionalProperties\":false}}}}");
	json_t *value = parse("{\"list\":[{\"x\":\"hunter2\"},{\"y\":\"hunter2\"}]}");

	(void)state;
	assert_false(schema_validate(s, value, span_str("/parameters"), &problems));
	assert_int_equal(problems.count, 3);
	assert_string_equal(problems.list[0].pointer, "/parameters/list/0/x");
	assert_string_equal(problems.list[1].pointer, "/parameters/list/1/x");
	assert_string_equal(problems.list[2].pointer, "/parameters/list/1/y");
	for (size_t i = 0; i < problems_kept(&problems); i++)
		assert_null(strstr(problems.list[i].detail, "hunter2"));
	problems_done(&problems);
	json_decref(value);
	schema_free(s);
}

static void long_name_does_not_make_a_long_pointer(void **state)
{
	struct problems problems = { 0 };
	struct schema *s = schema_of("{\"additionalProperties\":false}");
	char name[4096];
	json_t *value = json_object();

	(void)state;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(json_object_set_new(value, name, json_true()), 0);
	assert_false(schema_validate(s, value, span_str("/parameters"), &problems));
	assert_string_equal(problems.list[0].pointer, "/parameters");
	problems_done(&problems);
	json_decref(value);
	schema_free(s);
}

/* Possessive by itself, so few steps, but each scans all that follows: quadratic without a bound on the subject. */
static void long_subject_is_bounded_where_steps_are_few(void **state)
{
	struct schema *s = schema_of("{\"type\":\"string\",\"pattern\":\"[a-z0-9.]+@[a-z]\"}");
	static const size_t sizes[] = { 60000, 4096, 4000 };      /* longest first: each cuts the text */
	char text[60001];
	json_t *value;
	uint64_t before, used;

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		text[sizes[i]] = '\0';
		value = json_string(text);
		before = clock_thread_us();
		assert_false(schema_validate(s, value, span_str(""), NULL));
		used = clock_thread_us() - before;
		assert_in_range(used, 0, 500000);
		json_decref(value);
	}
	schema_free(s);
}

/* Below the limit on steps at each place of the subject, but at 4,096 of them; or a scan of it all in each step. */
static void what_the_limit_on_steps_does_not_see_is_bounded_by_time(void **state)
{
	static const char *const patterns[] = {
		"[a-z]*[a-z]*[0-9]", "a{0,40}a{0,40}a{0,40}[yz]", "(?=.*x)a", "(?i)(?:[^X]*+x|.)*?[yz]",
		"(?:(?:\\\\p{L}|\\\\d)*+!|\\\\w)+[yz]",
	};
	char text[4097];
	json_t *value;

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	value = json_string(text);
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		char source[128];
		struct schema *s;
		uint64_t before;

		snprintf(source, sizeof(source), "{\"pattern\":\"%s\"}", patterns[i]);
		s = schema_of(source);
		before = clock_thread_us();
		assert_false(schema_validate(s, value, span_str(""), NULL));
		assert_in_range(clock_thread_us() - before, 0, 60000);     /* without it: 14 s for the first */
		schema_free(s);
	}
	json_decref(value);
}

static void many_hostile_subjects_share_one_bound(void **state)
{
	struct schema *s = schema_of("{\"type\":\"array\",\"items\":{\"type\":\"string\",\"pattern\":\"^(a+)+$\"}}");
	json_t *value = json_array();
	uint64_t before, used;

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(json_array_append_new(value, json_string("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!")), 0);
	before = clock_thread_us();
	assert_false(schema_validate(s, value, span_str(""), NULL));
	used = clock_thread_us() - before;
	/* one at its limit costs a few ms; a thousand of them took 1.5 s */
	assert_in_range(used, 1, 500000);
	json_decref(value);
	schema_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_are_told_apart),
		cmocka_unit_test(numbers_are_compared_exactly),
		cmocka_unit_test(lengths_count_characters),
		cmocka_unit_test(objects_are_as_open_as_the_schema_says),
		cmocka_unit_test(patterns_read_as_ecma_262),
		cmocka_unit_test(greedy_pattern_ends_soon_and_does_not_match),
		cmocka_unit_test(dates_are_days_of_the_calendar),
		cmocka_unit_test(times_are_rfc_3339),
		cmocka_unit_test(fault_names_its_place_and_never_the_value),
		cmocka_unit_test(long_name_does_not_make_a_long_pointer),
		cmocka_unit_test(long_subject_is_bounded_where_steps_are_few),
		cmocka_unit_test(what_the_limit_on_steps_does_not_see_is_bounded_by_time),
		cmocka_unit_test(many_hostile_subjects_share_one_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
