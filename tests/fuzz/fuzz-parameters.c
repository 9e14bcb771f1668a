/* fuzz-parameters.c -- a schema, and on the lines after it a visitor's body for an action that has it.
 *
 * Nothing that says who the visitor is survives in the parameters of a personal action, at any depth; what survives is the
 * same when it is sent again; and a verdict is the same twice, with a place for every fault. */
#include "tests/fuzz/fuzz.h"

#include "action/action.h"
#include "base/text.h"

#include <stdlib.h>
#include <time.h>

#define DEPTH 32

static const struct identity alex = {
	.decision = DECISION_VERIFIED, .email = "alex@example.com", .name = "Alex", .user_id = "1042",
};

static struct catalogue *make(json_t *schema, const char *access)
{
	json_t *document = json_pack("{s:[{s:s,s:s,s:s,s:O,s:{s:s,s:i}}]}", "actions", "name", "a", "access", access, "effect", "read",
				     "parameters", schema, "connector", "type", "static", "result", 1);
	struct buf text = BUF_INIT;
	struct catalogue *c = NULL;
	enum rc rc;

	REQUIRE(document);
	json_canonical(&text, document);
	rc = catalogue_load(buf_span(&text), &c, NULL);
	REQUIRE((rc == RC_OK) == (c != NULL));
	buf_done(&text);
	json_decref(document);
	return c;
}

static void require_no_identity(const json_t *value)
{
	static const char *const names[] = { "email", "name", "user_id", "identity" };
	const char *name;
	json_t *below;
	size_t at;

	json_object_foreach((json_t *)value, name, below) {
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			REQUIRE(!ascii_equal_nocase(span_str(name), names[i]));
		require_no_identity(below);
	}
	json_array_foreach(value, at, below)
		require_no_identity(below);
}

static void check_ignored(const json_t *ignored)
{
	REQUIRE(json_is_array(ignored) && json_array_size(ignored) <= IGNORED_MAX);
	for (size_t i = 0; i < json_array_size(ignored); i++) {
		struct span p = json_span(json_array_get(ignored, i));

		REQUIRE(p.size > 0 && p.size <= IGNORED_POINTER_MAX && pointer_valid(p));
	}
}

/* Sent again as it came out, nothing more is taken out of it. */
static void check_again(const struct action *a, const struct intent *i)
{
	json_t *body = json_pack("{s:O}", "parameters", i->parameters);
	struct buf text = BUF_INIT;
	struct intent again = { 0 };

	json_canonical(&text, body);
	REQUIRE(intent_parse(a, buf_span(&text), &again, NULL) == REASON_NONE);
	REQUIRE(json_equal(again.parameters, i->parameters) && json_array_size(again.ignored) == 0);
	intent_done(&again);
	buf_done(&text);
	json_decref(body);
}

/* A pattern has 10 ms of the processor; one that took longer may be found to match once, and once not. */
#define PATTERN_TIME (CLOCKS_PER_SEC / 100)

static void check_verdict(const struct action *a, struct intent *i)
{
	struct problems problems = { 0 }, more = { 0 };
	clock_t start = clock();
	enum reason why = intent_pin(a, &alex, i, &problems);
	bool valid = schema_validate(a->schema, i->parameters, span_str("/parameters"), &more);

	REQUIRE(why == REASON_NONE || why == REASON_PARAMETERS_INVALID);
	REQUIRE((why == REASON_NONE) == (problems.count == 0) && valid == (more.count == 0));
	if (clock() - start < PATTERN_TIME)
		REQUIRE(more.count == problems.count);
	for (size_t n = 0; n < problems_kept(&problems); n++)
		REQUIRE(memcmp(problems.list[n].pointer, "/parameters", 11) == 0 && pointer_valid(span_str(problems.list[n].pointer)));
	problems_done(&problems);
	problems_done(&more);
}

static void check_body(const struct action *a, struct span body)
{
	struct problems problems = { 0 };
	struct intent i = { 0 };
	enum reason why = intent_parse(a, body, &i, &problems);

	REQUIRE(why == REASON_NONE || why == REASON_REQUEST_MALFORMED);
	if (why == REASON_NONE) {
		REQUIRE(json_is_object(i.parameters));
		check_ignored(i.ignored);
		if (a->access == ACCESS_PERSONAL)
			require_no_identity(i.parameters);
		REQUIRE(!i.conversation[0] || conversation_id_valid(span_str(i.conversation)));
		check_again(a, &i);
		check_verdict(a, &i);
		if (a->takes_email)
			REQUIRE(span_is(json_span(json_object_get(i.parameters, "email")), alex.email));
	}
	intent_done(&i);
	problems_done(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const accesses[] = { "personal", "public" };
	struct span rest = span_of(data, size), text = span_of("", 0);
	json_t *schema = NULL;

	fuzz_cut(&rest, '\n', &text);
	if (json_strict(text, DEPTH, &schema, NULL) != RC_OK)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(accesses); i++) {
		struct catalogue *c = make(schema, accesses[i]);

		if (c)
			check_body(catalogue_at(c, 0), rest);
		catalogue_free(c);
	}
	json_decref(schema);
	return 0;
}
