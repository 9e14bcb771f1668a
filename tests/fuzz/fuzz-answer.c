/* fuzz-answer.c -- what another system answered: a byte for its status, then the body.
 *
 * A visitor gets an answer only where a plain reading of it says that it is theirs, and only the parts that the action
 * names. */
#include "tests/fuzz/fuzz.h"

#include "action/action.h"

#include <stdio.h>
#include <stdlib.h>

#define ACTION(name, more) \
	"{\"name\":\"" name "\",\"access\":\"personal\",\"effect\":\"read\",\"parameters\":{\"type\":\"object\"},\"connector\":" \
	"{\"type\":\"http\",\"connection\":\"shop\",\"method\":\"GET\",\"path\":[\"customers\",{\"$identity\":\"email\"}]" more "}}"
static const char document[] = "{\"actions\":["
	ACTION("whole", "") ","
	ACTION("mapped", ",\"result\":{\"state\":\"/state\",\"items\":{\"$each\":\"/items\",\"of\":{\"n\":\"/a~1b/0\"}}}") ","
	ACTION("by_email", ",\"owner_check\":{\"pointer\":\"/owner/email\",\"equals\":{\"$identity\":\"email\"}}") ","
	ACTION("by_id", ",\"owner_check\":{\"pointer\":\"/owner/id\",\"equals\":{\"$identity\":\"user_id\"}}") ","
	ACTION("each", ",\"owner_check\":{\"each\":\"/items\",\"pointer\":\"/owner/email\",\"equals\":{\"$identity\":\"email\"}}")
	"]}";

static const struct identity alex = {
	.decision = DECISION_VERIFIED, .email = "alex@example.com", .name = "Alex", .user_id = "1042",
};

static const json_t *owner(const json_t *answer, const char *member)
{
	return json_object_get(json_object_get(answer, "owner"), member);
}

static bool is_alex(const json_t *email)
{
	return json_is_string(email) && strcasecmp(json_string_value(email), alex.email) == 0;
}

static bool whole(const json_t *answer, const json_t *result)
{
	return json_equal(answer, result);
}

/* Two members at most, and nothing in them that did not stand there. */
static bool mapped(const json_t *answer, const json_t *result)
{
	const json_t *state = json_object_get(answer, "state"), *items = json_object_get(answer, "items");
	const json_t *list = json_object_get(result, "items");

	if (json_is_null(answer))
		return true;
	if (json_object_size(result) != (size_t)(state != NULL) + json_is_array(items))
		return false;
	if (state && !json_equal(state, json_object_get(result, "state")))
		return false;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(items, i);
		const json_t *n = json_array_get(json_object_get(one, "a/b"), 0), *got = json_object_get(json_array_get(list, i), "n");

		if ((n != NULL) != (got != NULL) || (n && !json_equal(n, got)))
			return false;
	}
	return json_array_size(list) == json_array_size(items) || !json_is_array(items);
}

static bool by_email(const json_t *answer, const json_t *result)
{
	return is_alex(owner(answer, "email")) && json_equal(answer, result);
}

static bool by_id(const json_t *answer, const json_t *result)
{
	const json_t *id = owner(answer, "id");

	return (json_is_integer(id) ? json_integer_value(id) == 1042 : span_is(json_span(id), "1042")) && json_equal(answer, result);
}

static bool each(const json_t *answer, const json_t *result)
{
	const json_t *items = json_object_get(answer, "items");

	for (size_t i = 0; i < json_array_size(items); i++)
		if (!is_alex(owner(json_array_get(items, i), "email")))
			return false;
	return json_is_array(items) && json_equal(answer, result);
}

static const struct { const char *name; bool (*holds)(const json_t *answer, const json_t *result); } checks[] = {
	{ "whole", whole }, { "mapped", mapped }, { "by_email", by_email }, { "by_id", by_id }, { "each", each },
};

static struct operation *bound(const struct catalogue *c, const char *name)
{
	const struct action *a = catalogue_find(c, span_str(name));
	json_t *input = json_object();
	struct binding b = { .site = "demo", .identity = &alex, .owner = alex.email, .input = input };
	struct operation *op = NULL;

	REQUIRE(a && input && connector_bind(a->connector, &b, &op) == REASON_NONE);
	json_decref(input);
	return op;
}

static void check_answer(size_t n, const struct operation *op, int status, struct span body)
{
	json_t *result = NULL, *answer = NULL;
	enum reason why = operation_answer(op, status, body, &result);

	REQUIRE(why == REASON_NONE || !result);
	if (why != REASON_NONE)
		return;
	answer = body.size && status != 204 ? fuzz_json(body) : json_null();
	REQUIRE(status >= 200 && status <= 299 && answer && result && checks[n].holds(answer, result));
	json_decref(answer);
	json_decref(result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = { 200, 201, 204, 299, 300, 404, 409, 422, 500, 504, 100, 0, -1, 999 };
	static struct catalogue *c;
	static struct operation *ops[ARRAY_LEN(checks)];
	struct span rest = span_of(data, size);
	int status = statuses[fuzz_byte(&rest) % ARRAY_LEN(statuses)];

	if (!c)
		REQUIRE(catalogue_load(span_str(document), &c, NULL) == RC_OK);
	for (size_t n = 0; n < ARRAY_LEN(checks); n++) {
		if (!ops[n])
			ops[n] = bound(c, checks[n].name);
		check_answer(n, ops[n], status, rest);
	}
	return 0;
}
