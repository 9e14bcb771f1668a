/* fuzz-actions.c -- an actions document, as an admin imports it.
 *
 * What is refused is refused with a place and a sentence; what is loaded says of itself what design 7 promises, its
 * canonical text loads to the same, and what its connectors make of a visitor's request is well formed. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/upstream.h"

#include "action/action.h"
#include "base/text.h"

#include <stdlib.h>

static const struct identity alex = {
	.decision = DECISION_VERIFIED, .email = "alex@example.com", .name = "Alex", .user_id = "1042",
};
static const struct identity nobody = { .decision = DECISION_ANONYMOUS };

static void check_name(const char *name)
{
	REQUIRE(name[0] >= 'a' && name[0] <= 'z' && strlen(name) < ACTION_NAME_MAX);
	for (; *name; name++)
		REQUIRE((*name >= 'a' && *name <= 'z') || ascii_is_digit(*name) || *name == '_');
}

/* No property of a personal action is named as an identity, at any depth of its schema. */
static void check_properties(const json_t *schema, bool identity_allowed)
{
	static const char *const names[] = { "email", "name", "user_id", "identity" };
	const char *name;
	json_t *below;

	json_object_foreach(json_object_get(schema, "properties"), name, below) {
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			REQUIRE((identity_allowed && i < 2) || !ascii_equal_nocase(span_str(name), names[i]));
		check_properties(below, false);
	}
	if (json_object_get(schema, "items"))
		check_properties(json_object_get(schema, "items"), false);
}

static void run_bound(struct operation *op)
{
	const struct upstream_request *r = operation_request(op);
	json_t *result = NULL;

	if (r) {
		require_upstream_request(r);
		if (operation_answer(op, 200, span_str("{\"a\":[{\"email\":\"alex@example.com\"}]}"), &result) == REASON_NONE)
			REQUIRE(result);
	}
	json_decref(result);
	operation_free(op);
}

static void bind_as(const struct action *a, const struct identity *who, struct span body)
{
	struct intent i = { 0 };
	struct problems problems = { 0 };
	bool verified = who->decision == DECISION_VERIFIED;
	json_t *claims = json_pack("{s:s}", "plan", "gold");
	struct operation *op = NULL;

	if (intent_parse(a, body, &i, &problems) == REASON_NONE) {
		struct binding b = { .site = "demo", .identity = who, .input = i.parameters, .claims = verified ? claims : NULL,
				     .owner = a->access == ACCESS_PERSONAL ? who->email : "" };

		if (intent_pin(a, who, &i, &problems) == REASON_NONE) {
			b.input = i.parameters;
			if (connector_bind(a->connector, &b, &op) == REASON_NONE)
				run_bound(op);
		}
	}
	intent_done(&i);
	problems_done(&problems);
	json_decref(claims);
}

static void check_action(const struct catalogue *c, const struct action *a)
{
	static const char *const bodies[] = { "", "{\"parameters\":{\"id\":\"1042\",\"q\":\"a b/..%2f\",\"n\":7,\"x\":[\"y\"]}}" };

	check_name(a->name);
	REQUIRE(catalogue_find(c, span_str(a->name)) == a);
	REQUIRE(a->schema && a->connector && a->title && a->description);
	check_properties(a->parameters, a->access == ACCESS_PUBLIC);
	REQUIRE(a->access == ACCESS_PUBLIC || (!a->takes_email && !a->takes_name));
	REQUIRE(!(connector_leaves(a->connector) && connector_writes(a->connector)));
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		bind_as(a, &alex, span_str(bodies[i]));
		if (a->access == ACCESS_PUBLIC)
			bind_as(a, &nobody, span_str(bodies[i]));
	}
}

static void check_canonical(struct span input, const struct catalogue *c)
{
	json_t *document = fuzz_json(input);
	struct buf text = BUF_INIT;
	struct catalogue *again = NULL;

	REQUIRE(document);
	json_canonical(&text, document);
	if (text.size <= ACTIONS_SIZE_MAX) {
		REQUIRE(catalogue_load(buf_span(&text), &again, NULL) == RC_OK);
		REQUIRE(catalogue_count(again) == catalogue_count(c));
	}
	catalogue_free(again);
	buf_done(&text);
	json_decref(document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = span_of(data, size);
	struct problems problems = { 0 };
	struct catalogue *c = NULL;
	enum rc rc = catalogue_load(input, &c, &problems);

	REQUIRE(rc == RC_OK || rc == RC_INVALID);
	REQUIRE((rc == RC_OK) == (problems.count == 0));
	for (size_t i = 0; i < problems_kept(&problems); i++) {
		REQUIRE(problems.list[i].pointer[0] == '\0' || problems.list[i].pointer[0] == '/');
		REQUIRE(problems.list[i].detail[0]);
	}
	if (rc == RC_OK) {
		REQUIRE(catalogue_count(c) <= ACTIONS_MAX);
		for (size_t i = 0; i < catalogue_count(c); i++)
			check_action(c, catalogue_at(c, i));
		check_canonical(input, c);
	}
	catalogue_free(c);
	problems_done(&problems);
	return 0;
}
