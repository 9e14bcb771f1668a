/* The actions document: every mistake with its place, and the demo's own. */
#include "tests/lib/tmpstore.h"
#include "action/action.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define STATIC ",\"connector\":{\"type\":\"static\",\"result\":1}"
#define OBJECT ",\"parameters\":{\"type\":\"object\"}"
#define GOOD "{\"name\":\"a\",\"access\":\"public\",\"effect\":\"read\"" OBJECT STATIC "}"

static void loads(const char *text)
{
	struct problems problems = { 0 };
	struct catalogue *c = NULL;

	if (catalogue_load(span_str(text), &c, &problems) != RC_OK)
		fail_msg("%s: %s", problems.list[0].pointer, problems.list[0].detail);
	catalogue_free(c);
}

static void mistaken(const char *text, const char *pointer)
{
	struct problems problems = { 0 };
	struct catalogue *c = NULL;

	assert_int_equal(catalogue_load(span_str(text), &c, &problems), RC_INVALID);
	assert_null(c);
	if (problems.count != 1 || strcmp(problems.list[0].pointer, pointer) != 0)
		fail_msg("%zu problems in %s, the first at %s", problems.count, text, problems.list[0].pointer);
	problems_done(&problems);
}

/* Of the one action of a document with these members. */
static void action_mistaken(const char *members, const char *pointer)
{
	struct buf text = BUF_INIT;
	struct buf at = BUF_INIT;

	buf_addf(&text, "{\"actions\":[{%s}]}", members);
	buf_addf(&at, "/actions/0%s", pointer);
	mistaken(text.data, at.data);
	buf_done(&text);
	buf_done(&at);
}

static void document_is_an_object_of_actions(void **state)
{
	(void)state;
	loads("{\"actions\":[]}");
	loads("{\"actions\":[" GOOD "]}");
	mistaken("[]", "");
	mistaken("{\"actions\":[],\"actions\":[]}", "");
	mistaken("{\"actions\":{}}", "/actions");
	mistaken("{}", "/actions");
	mistaken("{\"actions\":[],\"version\":1}", "/version");
	mistaken("{\"actions\":[7]}", "/actions/0");
	mistaken("{\"actions\":[" GOOD "," GOOD "]}", "/actions/1/name");
}

static void members_of_an_action_are_checked(void **state)
{
	static const char rest[] = ",\"access\":\"public\",\"effect\":\"read\"" OBJECT STATIC;
	struct buf members = BUF_INIT;

	(void)state;
	action_mistaken("\"name\":\"Aa\",\"access\":\"public\",\"effect\":\"read\"" OBJECT STATIC, "/name");
	action_mistaken("\"access\":\"public\",\"effect\":\"read\"" OBJECT STATIC, "/name");
	action_mistaken("\"name\":\"a\",\"access\":\"private\",\"effect\":\"read\"" OBJECT STATIC, "/access");
	action_mistaken("\"name\":\"a\",\"effect\":\"read\"" OBJECT STATIC, "/access");
	action_mistaken("\"name\":\"a\",\"access\":\"public\",\"effect\":\"change\"" OBJECT STATIC, "/effect");
	action_mistaken("\"name\":\"a\",\"access\":\"public\",\"effect\":\"read\"" STATIC, "/parameters");
	action_mistaken(
	    "\"name\":\"a\",\"access\":\"public\",\"effect\":\"read\",\"parameters\":{\"type\":\"array\"}" STATIC,
	    "/parameters/type");
	action_mistaken(
	    "\"name\":\"a\",\"access\":\"public\",\"effect\":\"read\",\"parameters\":{\"type\":[\"object\"]}" STATIC,
	    "/parameters/type");
	action_mistaken("\"name\":\"a\",\"access\":\"public\",\"effect\":\"read\",\"parameters\":{\"type\":"
			"\"object\",\"allOf\":[]}" STATIC,
			"/parameters/allOf");
	action_mistaken("\"name\":\"a\",\"access\":\"public\",\"effect\":\"read\"" OBJECT, "/connector");
	action_mistaken("\"name\":\"a\",\"access\":\"public\",\"effect\":\"read\"" OBJECT
			",\"connector\":{\"type\":\"ftp\"}",
			"/connector/type");
	buf_addf(&members, "\"name\":\"a\",\"title\":7%s", rest);
	action_mistaken(members.data, "/title");
	buf_clear(&members);
	buf_addf(&members, "\"name\":\"a\",\"titel\":\"x\"%s", rest);
	action_mistaken(members.data, "/titel");
	buf_done(&members);
}

static void parameters_are(const char *access, const char *properties, const char *pointer)
{
	struct buf members = BUF_INIT;

	buf_addf(&members, "\"name\":\"a\",\"access\":\"%s\",\"effect\":\"read\",\"parameters\":{\"type\":\"object\","
		 "\"properties\":{%s}}" STATIC, access, properties);
	if (pointer) {
		action_mistaken(members.data, pointer);
	} else {
		struct buf text = BUF_INIT;

		buf_addf(&text, "{\"actions\":[{%s}]}", members.data);
		loads(text.data);
		buf_done(&text);
	}
	buf_done(&members);
}

static void personal_action_declares_no_identity(void **state)
{
	(void)state;
	parameters_are("personal", "\"emails\":{}", NULL);
	parameters_are("personal", "\"email\":{}", "/parameters/properties/email");
	parameters_are("personal", "\"Name\":{}", "/parameters/properties/Name");
	parameters_are("personal", "\"USER_ID\":{}", "/parameters/properties/USER_ID");
	parameters_are("personal", "\"identity\":{}", "/parameters/properties/identity");
	parameters_are("personal", "\"a\":{\"properties\":{\"b\":{\"properties\":{\"email\":{}}}}}",
		       "/parameters/properties/a/properties/b/properties/email");
	parameters_are("personal", "\"a\":{\"items\":{\"items\":{\"properties\":{\"eMail\":{}}}}}",
		       "/parameters/properties/a/items/items/properties/eMail");
}

static void public_action_declares_email_and_name_at_the_top(void **state)
{
	(void)state;
	parameters_are("public", "\"email\":{},\"name\":{}", NULL);
	parameters_are("public", "\"Email\":{}", "/parameters/properties/Email");
	parameters_are("public", "\"user_id\":{}", "/parameters/properties/user_id");
	parameters_are("public", "\"identity\":{}", "/parameters/properties/identity");
	parameters_are("public", "\"a\":{\"properties\":{\"email\":{}}}", "/parameters/properties/a/properties/email");
	parameters_are("public", "\"a\":{\"items\":{\"properties\":{\"name\":{}}}}",
		       "/parameters/properties/a/items/properties/name");
}

#define HTTP(more)                                                                                                   \
	",\"connector\":{\"type\":\"http\",\"connection\":\"shop\",\"method\":\"GET\",\"path\":[\"o\"]" more "}"
#define READS(access) "\"name\":\"a\",\"access\":\"" access "\",\"effect\":\"read\""
#define WHOSE ",\"parameters\":{\"type\":\"object\",\"properties\":{\"customer_id\":{\"type\":\"string\"}}}"

/* The connector sees what the action is and takes: its access, its effect, its parameters. */
static void http_connector_goes_with_its_action(void **state)
{
	(void)state;
	loads("{\"actions\":[{" READS("public") OBJECT HTTP("") "}]}");
	action_mistaken(READS("personal") OBJECT HTTP(""), "/connector");
	action_mistaken(READS("public") WHOSE HTTP(""), "/connector/not_identity");
	loads("{\"actions\":[{" READS("public") WHOSE HTTP(",\"not_identity\":[\"customer_id\"]") "}]}");
}

static void too_many_actions_are_refused(void **state)
{
	struct buf text = BUF_INIT;

	(void)state;
	buf_add_str(&text, "{\"actions\":[");
	for (size_t i = 0; i <= ACTIONS_MAX; i++)
		buf_add_str(&text, i ? ",1" : "1");
	buf_add_str(&text, "]}");
	mistaken(text.data, "/actions");
	buf_done(&text);
}

static void stored_document_is_canonical_and_seen_by_its_version(void **state)
{
	struct store *st = tmpstore_new();
	struct site_head before = { 0 }, after = { 0 };
	struct site site;
	struct span row;
	struct txn *t;

	(void)state;
	assert_non_null(st);
	site_init(&site);
	strcpy(site.id, "demo");
	t = txn_write(st, ENV_VAULT);
	assert_int_equal(site_add(t, &site), RC_OK);
	site_done(&site);
	assert_int_equal(catalogue_read(t, span_str("demo"), &row), RC_NOT_FOUND);
	site_head_get(t, span_str("demo"), &before);
	assert_int_equal(catalogue_store(t, "demo", span_str(" {\"actions\" : [ ] }\n")), RC_OK);
	assert_int_equal(catalogue_store(t, "demo", span_str("{")), RC_INVALID);
	assert_int_equal(txn_end(t), RC_OK);
	t = txn_read(st, ENV_VAULT);
	assert_int_equal(catalogue_read(t, span_str("demo"), &row), RC_OK);
	assert_true(span_is(row, "{\"actions\":[]}"));
	assert_int_equal(catalogue_read(t, span_str("other"), &row), RC_NOT_FOUND);
	site_head_get(t, span_str("demo"), &after);
	assert_true(after.actions > before.actions);
	txn_abort(t);
	tmpstore_free(st);
}

static void demo_has_what_the_product_names(void **state)
{
	static const struct { const char *name; enum access access; enum effect effect; } expected[] = {
		{ "browse_products",		ACCESS_PUBLIC,		EFFECT_READ },
		{ "book_call",			ACCESS_PUBLIC,		EFFECT_WRITE },
		{ "open_ticket",		ACCESS_PUBLIC,		EFFECT_WRITE },
		{ "list_orders",		ACCESS_PERSONAL,	EFFECT_READ },
		{ "track_order",		ACCESS_PERSONAL,	EFFECT_READ },
		{ "track_parcel",		ACCESS_PERSONAL,	EFFECT_READ },
		{ "list_invoices",		ACCESS_PERSONAL,	EFFECT_READ },
		{ "show_subscription",		ACCESS_PERSONAL,	EFFECT_READ },
		{ "change_plan",		ACCESS_PERSONAL,	EFFECT_WRITE },
		{ "pause_subscription",		ACCESS_PERSONAL,	EFFECT_WRITE },
		{ "cancel_subscription",	ACCESS_PERSONAL,	EFFECT_DESTRUCTIVE },
		{ "list_tickets",		ACCESS_PERSONAL,	EFFECT_READ },
		{ "check_booking",		ACCESS_PERSONAL,	EFFECT_READ },
		{ "book_appointment",		ACCESS_PERSONAL,	EFFECT_WRITE },
		{ "reschedule_booking",		ACCESS_PERSONAL,	EFFECT_WRITE },
		{ "cancel_booking",		ACCESS_PERSONAL,	EFFECT_DESTRUCTIVE },
	};
	struct problems problems = { 0 };
	struct catalogue *c = NULL;
	struct buf text = BUF_INIT;

	(void)state;
	assert_int_equal(file_read("data/demo/actions.json", ACTIONS_SIZE_MAX, &text), RC_OK);
	if (catalogue_load(buf_span(&text), &c, &problems) != RC_OK)
		fail_msg("%s: %s", problems.list[0].pointer, problems.list[0].detail);
	assert_int_equal(catalogue_count(c), ARRAY_LEN(expected));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		const struct action *a = catalogue_find(c, span_str(expected[i].name));

		assert_non_null(a);
		assert_ptr_equal(a, catalogue_at(c, i));
		assert_int_equal(a->access, expected[i].access);
		assert_int_equal(a->effect, expected[i].effect);
		assert_true(a->title[0] && a->description[0]);
	}
	assert_null(catalogue_at(c, ARRAY_LEN(expected)));
	assert_null(catalogue_find(c, span_str("list_order")));
	catalogue_free(c);
	buf_done(&text);
}

static void demo_documents_parse(void **state)
{
	struct buf text = BUF_INIT;
	const char *line, *end;
	size_t count = 0;

	(void)state;
	assert_int_equal(file_read("data/demo/documents.jsonl", 1 << 20, &text), RC_OK);
	for (line = text.data; (end = strchr(line, '\n')); line = end + 1, count++) {
		struct why why = { "" };
		struct document d;

		if (document_parse(span_of(line, (size_t)(end - line)), &d, &why) != RC_OK)
			fail_msg("line %zu: %s", count + 1, why.text);
		json_decref(d.data);
	}
	assert_true(count > 20);
	buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(document_is_an_object_of_actions),
		cmocka_unit_test(members_of_an_action_are_checked),
		cmocka_unit_test(personal_action_declares_no_identity),
		cmocka_unit_test(public_action_declares_email_and_name_at_the_top),
		cmocka_unit_test(http_connector_goes_with_its_action),
		cmocka_unit_test(too_many_actions_are_refused),
		cmocka_unit_test(stored_document_is_canonical_and_seen_by_its_version),
		cmocka_unit_test(demo_has_what_the_product_names),
		cmocka_unit_test(demo_documents_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
