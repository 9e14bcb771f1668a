/* fuzz-call.c -- a visitor's body for actions that call another system.
 *
 * The request keeps the shape that the action gave it: each value arrives where it was meant to, whole, as data, and
 * the visitor's email stands where the action says and comes from nowhere else. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/upstream.h"

#include "action/action.h"

#include <stdlib.h>

#define PARAMETERS "\"parameters\":{\"type\":\"object\",\"properties\":{\"id\":{},\"q\":{},\"data\":{}},\"required\":[\"id\"]}"
#define ACTION(name, effect, method, more) \
	"{\"name\":\"" name "\",\"access\":\"personal\",\"effect\":\"" effect "\"," PARAMETERS ",\"connector\":{\"type\":\"http\"," \
	"\"connection\":\"shop\",\"method\":\"" method "\",\"path\":[\"customers\",{\"$identity\":\"email\"},\"parcels\",{\"$input\":\"id\"}]," \
	more "}}"
static const char document[] = "{\"actions\":["
	ACTION("look", "read", "GET", "\"query\":{\"q\":{\"$input\":\"q\"},\"who\":{\"$identity\":\"user_id\"}},"
	       "\"headers\":{\"X-Note\":{\"$input\":\"q\"}}") ","
	ACTION("change", "write", "PUT", "\"json\":{\"owner\":{\"$identity\":\"email\"},\"data\":{\"$input\":\"data\"}}") ","
	ACTION("send", "write", "POST", "\"form\":{\"id\":{\"$input\":\"id\"},\"q\":{\"$input\":\"q\"}}")
	"]}";

static const struct identity alex = {
	.decision = DECISION_VERIFIED, .email = "alex@example.com", .name = "Alex", .user_id = "10 42",
};

/* A scalar as text: new memory. */
static struct buf text_of(const json_t *value)
{
	struct buf b = BUF_INIT;

	if (json_is_string(value))
		buf_add_span(&b, json_span(value));
	else
		json_canonical(&b, value);
	buf_add(&b, "", 0);
	return b;
}

static void require_same(struct buf got, const json_t *value)
{
	struct buf want = text_of(value);

	REQUIRE(span_equal(buf_span(&got), buf_span(&want)));
	buf_done(&want);
	buf_done(&got);
}

static void check_path(const struct upstream_request *r, const json_t *input)
{
	static const char *const fixed[] = { "customers", "alex@example.com", "parcels" };
	struct buf segment = BUF_INIT;

	for (size_t n = 0; n < ARRAY_LEN(fixed); n++) {
		REQUIRE(upstream_segment(r, n, &segment) && span_is(buf_span(&segment), fixed[n]));
		buf_clear(&segment);
	}
	REQUIRE(upstream_segment(r, 3, &segment));
	require_same(segment, json_object_get(input, "id"));
	segment = BUF_INIT;
	REQUIRE(!upstream_segment(r, 4, &segment));
}

static void check_pair(struct span pairs, const char *name, const json_t *value)
{
	struct buf got = BUF_INIT;
	size_t count = json_is_array(value) ? json_array_size(value) : value != NULL;

	for (size_t i = 0; i < count; i++) {
		REQUIRE(upstream_pair(pairs, name, i, &got));
		require_same(got, json_is_array(value) ? json_array_get(value, i) : value);
		got = BUF_INIT;
	}
	REQUIRE(!upstream_pair(pairs, name, count, &got));
}

static void check_look(const struct upstream_request *r, const json_t *input)
{
	const json_t *q = json_object_get(input, "q");
	json_t *who = json_string(alex.user_id);
	struct span note;

	check_pair(upstream_query(r), "q", q);
	check_pair(upstream_query(r), "who", who);
	REQUIRE(fuzz_header(buf_span(&r->headers), "Nango-Proxy-X-Note", &note) == (q != NULL));
	if (q) {
		struct buf b = BUF_INIT;

		buf_add_span(&b, note);
		require_same(b, q);
	}
	json_decref(who);
}

static void check_change(const struct upstream_request *r, const json_t *input)
{
	json_t *body = fuzz_json(buf_span(&r->body));
	const json_t *data = json_object_get(input, "data");

	REQUIRE(json_object_size(body) == 1 + (data != NULL));
	REQUIRE(span_is(json_span(json_object_get(body, "owner")), alex.email));
	REQUIRE(!data || json_equal(data, json_object_get(body, "data")));
	json_decref(body);
}

static void check_send(const struct upstream_request *r, const json_t *input)
{
	check_pair(buf_span(&r->body), "id", json_object_get(input, "id"));
	check_pair(buf_span(&r->body), "q", json_object_get(input, "q"));
}

static const struct { const char *name; void (*check)(const struct upstream_request *r, const json_t *input); } shapes[] = {
	{ "look", check_look }, { "change", check_change }, { "send", check_send },
};

static void call(const struct catalogue *c, size_t n, struct span body)
{
	const struct action *a = catalogue_find(c, span_str(shapes[n].name));
	struct binding b = { .site = "demo", .identity = &alex, .owner = alex.email };
	struct intent i = { 0 };
	struct operation *op = NULL;

	if (intent_parse(a, body, &i, NULL) == REASON_NONE && intent_pin(a, &alex, &i, NULL) == REASON_NONE) {
		b.input = i.parameters;
		if (connector_bind(a->connector, &b, &op) == REASON_NONE) {
			const struct upstream_request *r = operation_request(op);

			require_upstream_request(r);
			check_path(r, i.parameters);
			shapes[n].check(r, i.parameters);
		}
	}
	operation_free(op);
	intent_done(&i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct catalogue *c;

	if (!c)
		REQUIRE(catalogue_load(span_str(document), &c, NULL) == RC_OK);
	for (size_t n = 0; n < ARRAY_LEN(shapes); n++)
		call(c, n, span_of(data, size));
	return 0;
}
