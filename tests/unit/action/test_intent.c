/* Pinning: what a request says about identity is taken out, noted, and changes nothing. */
#include "action/action.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

/* personal; public that takes both; public that takes email; public that takes neither and lets anything in */
static const char document[] =
    "{\"actions\":["
    "{\"name\":\"mine\",\"access\":\"personal\",\"effect\":\"read\",\"parameters\":{\"type\":\"object\"},"
    " \"connector\":{\"type\":\"static\",\"result\":1}},"
    "{\"name\":\"contact\",\"access\":\"public\",\"effect\":\"write\",\"parameters\":{\"type\":\"object\","
    "\"properties\":{"
    " \"email\":{\"type\":\"string\",\"minLength\":3},\"name\":{\"type\":\"string\"},\"text\":{\"type\":\"string\"},"
    "\"more\":{}},"
    " \"required\":[\"email\"],\"additionalProperties\":false},\"connector\":{\"type\":\"static\",\"result\":1}},"
    "{\"name\":\"named\",\"access\":\"public\",\"effect\":\"read\",\"parameters\":{\"type\":\"object\","
    "\"properties\":{"
    " \"name\":{}},\"required\":[\"name\"]},\"connector\":{\"type\":\"static\",\"result\":1}}]}";

static struct catalogue *catalogue;

static int load(void **state)
{
	(void)state;
	return catalogue_load(span_str(document), &catalogue, NULL) == RC_OK ? 0 : -1;
}

static int unload(void **state)
{
	(void)state;
	catalogue_free(catalogue);
	return 0;
}

static const struct action *action(const char *name)
{
	const struct action *a = catalogue_find(catalogue, span_str(name));

	assert_non_null(a);
	return a;
}

static struct intent parsed(const char *name, const char *body)
{
	struct intent i;

	assert_int_equal(intent_parse(action(name), span_str(body), &i, NULL), REASON_NONE);
	return i;
}

static void json_is(const json_t *value, const char *text)
{
	struct buf b = BUF_INIT;

	json_canonical(&b, value);
	assert_string_equal(b.data, text);
	buf_done(&b);
}

static struct identity visitor(enum decision decision, const char *email, const char *name)
{
	struct identity who = { .decision = decision };

	snprintf(who.email, sizeof(who.email), "%s", email);
	snprintf(who.name, sizeof(who.name), "%s", name);
	return who;
}

/* The whole of it: parse, pin, and what is left. */
static void comes_out(const char *name, const char *body, const struct identity *who, enum reason why,
		      const char *parameters, const char *ignored)
{
	struct intent i = parsed(name, body);

	assert_int_equal(intent_pin(action(name), who, &i, NULL), why);
	json_is(i.parameters, parameters);
	json_is(i.ignored, ignored);
	intent_done(&i);
}

static void identity_fields_are_removed_from_everywhere(void **state)
{
	struct identity alex = visitor(DECISION_VERIFIED, "alex@example.com", "Alex");

	(void)state;
	comes_out("mine", "{\"email\":\"j\",\"NAME\":1,\"User_Id\":{},\"identity\":null,\"parameters\":{\"a\":1}}",
		  &alex, REASON_NONE, "{\"a\":1}", "[\"/email\",\"/NAME\",\"/User_Id\",\"/identity\"]");
	comes_out("mine",
		  "{\"parameters\":{\"Email\":1,\"a\":[{\"identity\":1,\"b\":{\"USER_ID\":2}},[{\"name\":3}]]}}",
		  &alex, REASON_NONE, "{\"a\":[{\"b\":{}},[{}]]}",
		  "[\"/parameters/Email\",\"/parameters/a/0/identity\",\"/parameters/a/0/b/USER_ID\",\"/parameters/a/"
		  "1/0/name\"]");
	comes_out("mine", "{\"parameters\":{\"a/~b\":{\"email\":1}}}", &alex, REASON_NONE, "{\"a/~b\":{}}",
		  "[\"/parameters/a~1~0b/email\"]");
}

static void names_that_only_look_like_it_stay(void **state)
{
	struct identity alex = visitor(DECISION_VERIFIED, "alex@example.com", "Alex");

	(void)state;
	comes_out(
	    "mine", "{\"parameters\":{\"emails\":1,\"e-mail\":2,\"userid\":3,\"username\":4,\"u\\u017fer_id\":5}}",
	    &alex, REASON_NONE, "{\"e-mail\":2,\"emails\":1,\"userid\":3,\"username\":4,\"u\\u017Fer_id\":5}", "[]");
}

static void declared_contact_of_an_anonymous_visitor_stays(void **state)
{
	struct identity nobody = visitor(DECISION_ANONYMOUS, "", "");
	struct identity reserved = visitor(DECISION_ANONYMOUS, "alex@shop.test", "Alex");

	(void)state;
	comes_out("contact", "{\"parameters\":{\"email\":\"s@x.org\",\"name\":\"Sam\"}}", &nobody, REASON_NONE,
		  "{\"email\":\"s@x.org\",\"name\":\"Sam\"}", "[]");
	/* a reserved email is nobody's: it is not pinned */
	comes_out("contact", "{\"parameters\":{\"email\":\"s@x.org\"}}", &reserved, REASON_NONE,
		  "{\"email\":\"s@x.org\"}", "[]");
	comes_out("contact", "{\"parameters\":{}}", &nobody, REASON_PARAMETERS_INVALID, "{}", "[]");
}

static void declared_contact_is_declared_at_its_place_only(void **state)
{
	struct identity nobody = visitor(DECISION_ANONYMOUS, "", "");

	(void)state;
	comes_out("contact",
		  "{\"email\":\"t@x.org\",\"parameters\":{\"email\":\"s@x.org\",\"more\":{\"email\":\"u@x.org\"}}}",
		  &nobody, REASON_NONE, "{\"email\":\"s@x.org\",\"more\":{}}",
		  "[\"/email\",\"/parameters/more/email\"]");
	comes_out("contact", "{\"parameters\":{\"email\":\"s@x.org\",\"Name\":\"Sam\"}}", &nobody, REASON_NONE,
		  "{\"email\":\"s@x.org\"}", "[\"/parameters/Name\"]");
	comes_out("named", "{\"parameters\":{\"email\":\"s@x.org\",\"name\":1}}", &nobody, REASON_NONE, "{\"name\":1}",
		  "[\"/parameters/email\"]");
}

static void declared_contact_of_a_verified_visitor_is_the_pinned_one(void **state)
{
	struct identity alex = visitor(DECISION_VERIFIED, "alex@example.com", "Alex");

	(void)state;
	comes_out("contact", "{\"parameters\":{\"email\":\"jordan@example.com\"}}", &alex, REASON_NONE,
		  "{\"email\":\"alex@example.com\",\"name\":\"Alex\"}", "[\"/parameters/email\"]");
	comes_out("contact", "{\"parameters\":{\"email\":\"alex@example.com\"}}", &alex, REASON_NONE,
		  "{\"email\":\"alex@example.com\",\"name\":\"Alex\"}", "[]");
	comes_out("contact", "{}", &alex, REASON_NONE, "{\"email\":\"alex@example.com\",\"name\":\"Alex\"}", "[]");
	/* replaced before validation: what was given need not even fit */
	comes_out("contact", "{\"parameters\":{\"email\":7}}", &alex, REASON_NONE,
		  "{\"email\":\"alex@example.com\",\"name\":\"Alex\"}", "[\"/parameters/email\"]");
}

static void declared_contact_that_the_token_lacks_is_removed(void **state)
{
	struct identity alex = visitor(DECISION_VERIFIED, "alex@example.com", "");

	(void)state;
	comes_out("contact", "{\"parameters\":{\"name\":\"Jordan\"}}", &alex, REASON_NONE,
		  "{\"email\":\"alex@example.com\"}", "[\"/parameters/name\"]");
	comes_out("named", "{\"parameters\":{\"name\":\"Jordan\"}}", &alex, REASON_PARAMETERS_INVALID, "{}",
		  "[\"/parameters/name\"]");
}

static void what_is_ignored_is_bounded(void **state)
{
	struct buf body = BUF_INIT;
	struct intent i;

	(void)state;
	buf_add_str(&body, "{\"parameters\":{\"list\":[");
	for (size_t n = 0; n < 100; n++)
		buf_add_str(&body, n ? ",{\"email\":1}" : "{\"email\":1}");
	buf_add_str(&body, "]}}");
	i = parsed("mine", body.data);
	assert_int_equal(json_array_size(i.ignored), IGNORED_MAX);
	assert_string_equal(json_string_value(json_array_get(i.ignored, 0)), "/parameters/list/0/email");
	assert_string_equal(json_string_value(json_array_get(i.ignored, IGNORED_MAX - 1)), "/parameters/list/15/email");
	buf_clear(&body);
	json_canonical(&body, i.parameters);
	assert_null(strstr(body.data, "email"));
	intent_done(&i);
	buf_done(&body);
}

static void long_pointer_is_listed_by_its_beginning(void **state)
{
	struct buf body = BUF_INIT;
	struct intent i;

	(void)state;
	buf_add_str(&body, "{\"parameters\":{\"");
	for (size_t n = 0; n < IGNORED_POINTER_MAX; n++)
		buf_add_char(&body, 'x');
	buf_add_str(&body, "\":{\"email\":1}}}");
	i = parsed("mine", body.data);
	json_is(i.ignored, "[\"/parameters\"]");
	intent_done(&i);
	buf_done(&body);
}

static void malformed(const char *body, const char *pointer)
{
	struct problems problems = { 0 };
	struct intent i;

	if (intent_parse(action("mine"), span_str(body), &i, &problems) != REASON_REQUEST_MALFORMED)
		fail_msg("%s", body);
	assert_int_equal(problems.count, 1);
	assert_string_equal(problems.list[0].pointer, pointer);
	problems_done(&problems);
}

static void unknown_member_is_malformed(void **state)
{
	(void)state;
	malformed("{\"parameter\":{}}", "/parameter");
	malformed("{\"Parameters\":{}}", "/Parameters");
	malformed("{\"parameters\":[]}", "/parameters");
	malformed("{\"parameters\":null}", "/parameters");
	malformed("{\"conversation\":\"\"}", "/conversation");
	malformed("{\"conversation\":\"a b\"}", "/conversation");
	malformed("{\"conversation\":7}", "/conversation");
	malformed("[]", "");
	malformed("{", "");
	malformed("{\"parameters\":{},\"parameters\":{}}", "");
	malformed("{\"parameters\":{\"email\":1,\"email\":2}}", "");
	malformed("{\"parameters\":{\"a\":\"\\u0000\"}}", "");
	malformed("{\"parameters\":{\"a\":\"\xff\"}}", "");
	malformed(" ", "");
}

static void empty_body_is_an_empty_object(void **state)
{
	struct intent i = parsed("mine", "");

	(void)state;
	json_is(i.parameters, "{}");
	json_is(i.ignored, "[]");
	assert_string_equal(i.conversation, "");
	intent_done(&i);
}

static void conversation_is_taken_as_it_is(void **state)
{
	struct intent i = parsed("mine", "{\"conversation\":\"aZ_9-\"}");
	char id[130];

	(void)state;
	assert_string_equal(i.conversation, "aZ_9-");
	intent_done(&i);
	memset(id, 'a', sizeof(id));
	assert_true(conversation_id_valid(span_of(id, 128)));
	assert_false(conversation_id_valid(span_of(id, 129)));
	assert_false(conversation_id_valid(span_of(id, 0)));
	assert_false(conversation_id_valid(span_str("a.b")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity_fields_are_removed_from_everywhere),
		cmocka_unit_test(names_that_only_look_like_it_stay),
		cmocka_unit_test(declared_contact_of_an_anonymous_visitor_stays),
		cmocka_unit_test(declared_contact_is_declared_at_its_place_only),
		cmocka_unit_test(declared_contact_of_a_verified_visitor_is_the_pinned_one),
		cmocka_unit_test(declared_contact_that_the_token_lacks_is_removed),
		cmocka_unit_test(what_is_ignored_is_bounded),
		cmocka_unit_test(long_pointer_is_listed_by_its_beginning),
		cmocka_unit_test(unknown_member_is_malformed),
		cmocka_unit_test(empty_body_is_an_empty_object),
		cmocka_unit_test(conversation_is_taken_as_it_is),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
