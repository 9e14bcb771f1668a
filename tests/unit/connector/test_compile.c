/* What a connector may say: every mistake is found, with its place. */
#include "connector/connector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#define PARAMETERS "{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\"},\"n\":{\"type\":\"integer\"}}}"

static json_t *parse(const char *text)
{
	json_t *value = NULL;

	assert_int_equal(json_strict(span_str(text), 64, &value, NULL), RC_OK);
	return value;
}

static enum rc compile(const char *source, enum effect effect, struct connector **ret, struct problems *problems)
{
	json_t *parameters = parse(PARAMETERS);
	json_t *value = parse(source);
	struct connector_rules rules = { ACCESS_PERSONAL, effect, parameters };
	enum rc rc = connector_compile(value, span_str("/connector"), &rules, ret, problems);

	json_decref(parameters);
	json_decref(value);
	return rc;
}

static void compiles(const char *source, enum effect effect, bool writes)
{
	struct connector *c = NULL;

	assert_int_equal(compile(source, effect, &c, NULL), RC_OK);
	assert_int_equal(connector_writes(c), writes);
	assert_false(connector_leaves(c));
	connector_free(c);
}

static void mistaken(const char *source, enum effect effect, const char *pointer)
{
	struct problems problems = { 0 };
	struct connector *c = NULL;

	assert_int_equal(compile(source, effect, &c, &problems), RC_INVALID);
	assert_null(c);
	if (problems.count != 1 || strcmp(problems.list[0].pointer, pointer) != 0)
		fail_msg("%zu problems in %s, the first at %s", problems.count, source, problems.list[0].pointer);
	problems_done(&problems);
}

#define DOCUMENTS(operation, more)                                                                                   \
	"{\"type\":\"documents\",\"collection\":\"c\",\"operation\":\"" operation "\"" more "}"
#define SET ",\"set\":{\"a\":1}"
#define ID ",\"id\":{\"$input\":\"id\"}"

static void every_operation_compiles(void **state)
{
	(void)state;
	compiles(DOCUMENTS("get", ID), EFFECT_READ, false);
	compiles(DOCUMENTS("get", ",\"id\":\"current\""), EFFECT_READ, false);
	compiles(DOCUMENTS("list", ""), EFFECT_READ, false);
	compiles(DOCUMENTS("list", ",\"after\":{\"$input\":\"id\"}"), EFFECT_READ, false);
	compiles(DOCUMENTS("create", SET), EFFECT_WRITE, true);
	compiles(DOCUMENTS("update", ID SET), EFFECT_WRITE, true);
	compiles(DOCUMENTS("update", ID SET ",\"when\":{\"s\":[\"open\",null]}"), EFFECT_DESTRUCTIVE, true);
	compiles(DOCUMENTS("delete", ID), EFFECT_DESTRUCTIVE, true);
	compiles("{\"type\":\"static\",\"result\":null}", EFFECT_READ, false);
	compiles("{\"type\":\"static\",\"result\":{\"a\":1}}", EFFECT_WRITE, false);
}

static void operation_goes_with_its_effect(void **state)
{
	(void)state;
	mistaken(DOCUMENTS("get", ID), EFFECT_WRITE, "/connector/operation");
	mistaken(DOCUMENTS("list", ""), EFFECT_DESTRUCTIVE, "/connector/operation");
	mistaken(DOCUMENTS("create", SET), EFFECT_READ, "/connector/operation");
	mistaken(DOCUMENTS("update", ID SET), EFFECT_READ, "/connector/operation");
	mistaken(DOCUMENTS("delete", ID), EFFECT_READ, "/connector/operation");
}

static void members_are_those_of_the_operation(void **state)
{
	(void)state;
	mistaken(DOCUMENTS("get", ""), EFFECT_READ, "/connector/id");
	mistaken(DOCUMENTS("get", ID SET), EFFECT_READ, "/connector/set");
	mistaken(DOCUMENTS("list", ID), EFFECT_READ, "/connector/id");
	mistaken(DOCUMENTS("create", ID SET), EFFECT_WRITE, "/connector/id");
	mistaken(DOCUMENTS("create", ""), EFFECT_WRITE, "/connector/set");
	mistaken(DOCUMENTS("create", SET ",\"when\":{\"s\":[1]}"), EFFECT_WRITE, "/connector/when");
	mistaken(DOCUMENTS("update", ID), EFFECT_WRITE, "/connector/set");
	mistaken(DOCUMENTS("delete", ID SET), EFFECT_WRITE, "/connector/set");
	mistaken(DOCUMENTS("list", ",\"owner\":\"x\""), EFFECT_READ, "/connector/owner");
	mistaken(DOCUMENTS("drop", ""), EFFECT_READ, "/connector/operation");
	mistaken("{\"type\":\"documents\",\"collection\":\"C\",\"operation\":\"list\"}", EFFECT_READ,
		 "/connector/collection");
	mistaken("{\"type\":\"documents\",\"operation\":\"list\"}", EFFECT_READ, "/connector/collection");
}

static void type_is_one_we_have(void **state)
{
	struct problems problems = { 0 };
	struct connector *c = NULL;

	(void)state;
	mistaken("{\"type\":\"ftp\"}", EFFECT_READ, "/connector/type");
	mistaken("{}", EFFECT_READ, "/connector/type");
	mistaken("[]", EFFECT_READ, "/connector");
	mistaken("{\"type\":\"static\"}", EFFECT_READ, "/connector/result");
	mistaken("{\"type\":\"static\",\"result\":1,\"x\":1}", EFFECT_READ, "/connector/x");
	assert_int_equal(compile("{\"type\":\"ftp\"}", EFFECT_READ, &c, &problems), RC_INVALID);
	assert_string_equal(problems.list[0].detail, "must be documents, static or http");
	problems_done(&problems);
}

#define CREATE(value) DOCUMENTS("create", ",\"set\":{\"a\":" value "}")

static void reference_names_what_there_is(void **state)
{
	(void)state;
	compiles(CREATE("{\"$input\":\"n\"}"), EFFECT_WRITE, true);
	compiles(CREATE("{\"$identity\":\"user_id\"}"), EFFECT_WRITE, true);
	compiles(CREATE("{\"$claim\":\"tier\"}"), EFFECT_WRITE, true);
	compiles(CREATE("{\"deep\":[1,{\"$input\":\"n\"}]}"), EFFECT_WRITE, true);
	mistaken(CREATE("{\"$input\":\"x\"}"), EFFECT_WRITE, "/connector/set/a/$input");
	mistaken(CREATE("{\"deep\":[{\"$input\":\"x\"}]}"), EFFECT_WRITE, "/connector/set/a/deep/0/$input");
	mistaken(CREATE("{\"$identity\":\"sub\"}"), EFFECT_WRITE, "/connector/set/a/$identity");
	mistaken(CREATE("{\"$input\":\"n\",\"x\":1}"), EFFECT_WRITE, "/connector/set/a");
	mistaken(CREATE("{\"x\":1,\"$inputs\":\"n\"}"), EFFECT_WRITE, "/connector/set/a");
	mistaken(CREATE("{\"$input\":7}"), EFFECT_WRITE, "/connector/set/a");
	mistaken(CREATE("{\"$env\":\"HOME\"}"), EFFECT_WRITE, "/connector/set/a");
	mistaken(DOCUMENTS("create", ",\"set\":{\"$input\":\"n\"}"), EFFECT_WRITE, "/connector/set");
	mistaken(DOCUMENTS("create", ",\"set\":{}"), EFFECT_WRITE, "/connector/set");
}

static void identity_and_time_claims_are_not_readable(void **state)
{
	static const char *const names[] = {
		"email", "name", "user_id", "sub", "exp", "iat", "nbf", "iss", "aud", "jti", "Email", "SUB",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct buf source = BUF_INIT;

		buf_addf(&source, CREATE("{\"$claim\":\"%s\"}"), names[i]);
		mistaken(source.data, EFFECT_WRITE, "/connector/set/a/$claim");
		buf_done(&source);
	}
}

static void id_constant_must_be_possible(void **state)
{
	(void)state;
	mistaken(DOCUMENTS("get", ",\"id\":\"\""), EFFECT_READ, "/connector/id");
	mistaken(DOCUMENTS("get", ",\"id\":7"), EFFECT_READ, "/connector/id");
	mistaken(DOCUMENTS("get", ",\"id\":\"a\\nb\""), EFFECT_READ, "/connector/id");
	mistaken(DOCUMENTS("get", ",\"id\":{\"x\":1}"), EFFECT_READ, "/connector/id");
}

static void when_takes_constants_only(void **state)
{
	(void)state;
	mistaken(DOCUMENTS("delete", ID ",\"when\":{}"), EFFECT_WRITE, "/connector/when");
	mistaken(DOCUMENTS("delete", ID ",\"when\":{\"s\":\"open\"}"), EFFECT_WRITE, "/connector/when/s");
	mistaken(DOCUMENTS("delete", ID ",\"when\":{\"s\":[]}"), EFFECT_WRITE, "/connector/when/s");
	mistaken(DOCUMENTS("delete", ID ",\"when\":{\"s\":[{\"$input\":\"n\"}]}"), EFFECT_WRITE, "/connector/when/s/0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_operation_compiles),
		cmocka_unit_test(operation_goes_with_its_effect),
		cmocka_unit_test(members_are_those_of_the_operation),
		cmocka_unit_test(type_is_one_we_have),
		cmocka_unit_test(reference_names_what_there_is),
		cmocka_unit_test(identity_and_time_claims_are_not_readable),
		cmocka_unit_test(id_constant_must_be_possible),
		cmocka_unit_test(when_takes_constants_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
