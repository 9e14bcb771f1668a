/* data/audit-line.schema.json and the writer know the same members and the same words. The lines the other tests cause
 * are validated against the schema itself; here no name may be missing on either side. */
#include "audit/audit.h"

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <stdio.h>

static json_t *defs;       /* borrowed from the schema in *state */

static int load(void **state)
{
	struct buf text = BUF_INIT;
	json_t *schema = NULL;
	int loaded = file_read("data/audit-line.schema.json", 1 << 20, &text) == RC_OK &&
		     json_strict(buf_span(&text), 32, &schema, NULL) == RC_OK;

	buf_done(&text);
	*state = schema;
	defs = json_object_get(schema, "$defs");
	return loaded && defs ? 0 : -1;
}

static int unload(void **state)
{
	json_decref(*state);
	return 0;
}

static bool listed(const char *def, const char *word)
{
	const json_t *list = json_object_get(json_object_get(defs, def), "enum");
	const json_t *value;
	size_t i;

	assert_true(json_is_array(list));
	json_array_foreach(list, i, value) {
		if (span_is(json_span(value), word))
			return true;
	}
	return false;
}

static size_t words(const char *def)
{
	return json_array_size(json_object_get(json_object_get(defs, def), "enum"));
}

static void schema_lists_the_writers_words(void **state)
{
	static const enum audit_event events[] = {
#define X(id, name) AUDIT_EVENT_##id,
		AUDIT_EVENT_LIST(X)
#undef X
	};
	static const enum audit_outcome outcomes[] = {
#define X(id, name) AUDIT_OUTCOME_##id,
		AUDIT_OUTCOME_LIST(X)
#undef X
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		assert_true(listed("event", audit_event_name(events[i])));
	assert_int_equal(words("event"), ARRAY_LEN(events));
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++)
		assert_true(listed("outcome", audit_outcome_name(outcomes[i])));
	assert_int_equal(words("outcome"), ARRAY_LEN(outcomes));
	for (enum reason r = REASON_NONE + 1; r < REASON_COUNT; r++)
		assert_true(listed("reason", reason_name(r)));
	assert_int_equal(words("reason"), REASON_COUNT - 1);
}

/* Every member with its least value: the names the writer knows. *ret is new. */
static void write_all_members(json_t **ret)
{
	struct audit_record r = {
		.id = "i", .reason = REASON_NO_TOKEN, .site = "s", .action = "a", .effect = "read", .conversation = "c",
		.kid = "k", .kid_claimed = "k", .remote = "r", .subject = "s", .token = "t", .expiry_none = true, .status = 200,
		.has_duration = true, .count = 1, .first = 1, .last = 1, .actor = "a",
	};
	json_t *ignored = json_pack("[s]", "/email"), *detail = json_object();
	struct buf line = BUF_INIT;

	r.ignored = ignored;
	r.detail = detail;
	assert_int_equal(audit_format(&line, &r, 0), RC_OK);
	assert_int_equal(json_strict(buf_span(&line), 32, ret, NULL), RC_OK);
	buf_done(&line);
	json_decref(ignored);
	json_decref(detail);
}

/* All members of all events, as the schema names them. New. */
static json_t *schema_members(void)
{
	json_t *all = json_object(), *properties;
	char name[32];

	assert_non_null(all);
#define X(id, text) \
	snprintf(name, sizeof(name), "%s_event", text); \
	properties = json_object_get(json_object_get(defs, name), "properties"); \
	assert_true(json_is_object(properties)); \
	assert_true(json_is_false(json_object_get(json_object_get(defs, name), "additionalProperties"))); \
	assert_int_equal(json_object_update(all, properties), 0);
	AUDIT_EVENT_LIST(X)
#undef X
	return all;
}

static void schema_and_writer_know_the_same_members(void **state)
{
	json_t *written, *all = schema_members(), *value;
	const char *name;

	(void)state;
	write_all_members(&written);
	json_object_foreach(written, name, value)
		assert_non_null(json_object_get(all, name));
	assert_int_equal(json_object_size(written), json_object_size(all));
	json_decref(written);
	json_decref(all);
}

/* Counts the references below value and checks each. */
static size_t check_references(json_t *value)
{
	const char *name;
	json_t *child;
	size_t i, count = 0;

	json_object_foreach(value, name, child) {
		if (strcmp(name, "$ref") == 0) {
			assert_memory_equal(json_string_value(child), "#/$defs/", 8);
			assert_non_null(json_object_get(defs, json_string_value(child) + 8));
			count++;
		}
		count += check_references(child);
	}
	json_array_foreach(value, i, child)
		count += check_references(child);
	return count;
}

static void every_reference_of_the_schema_leads_somewhere(void **state)
{
	assert_true(check_references(*state) > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schema_lists_the_writers_words),
		cmocka_unit_test(schema_and_writer_know_the_same_members),
		cmocka_unit_test(every_reference_of_the_schema_leads_somewhere),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
