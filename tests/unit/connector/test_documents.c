/* Documents against a real store: one's own rows, nobody else's, and each operation. */
#include "tests/lib/tmpstore.h"
#include "connector/connector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define PARAMETERS "{\"type\":\"object\",\"properties\":{\"id\":{},\"text\":{}}}"
#define GET "{\"type\":\"documents\",\"collection\":\"orders\",\"operation\":\"get\",\"id\":{\"$input\":\"id\"}}"
#define LIST "{\"type\":\"documents\",\"collection\":\"orders\",\"operation\":\"list\",\"after\":{\"$input\":\"id\"}}"
#define CREATE                                                                                                       \
	"{\"type\":\"documents\",\"collection\":\"orders\",\"operation\":\"create\",\"set\":{\"state\":\"open\","    \
	"\"text\":{\"$input\":\"text\"},\"deep\":[{\"$input\":\"text\"},{\"who\":{\"$identity\":\"email\"}}]}}"
#define UPDATE                                                                                                       \
	"{\"type\":\"documents\",\"collection\":\"orders\",\"operation\":\"update\",\"id\":{\"$input\":\"id\"},"     \
	"\"set\":{\"text\":{\"$input\":\"text\"}},\"when\":{\"state\":[\"open\",\"held\"]}}"
#define DELETE                                                                                                       \
	"{\"type\":\"documents\",\"collection\":\"orders\",\"operation\":\"delete\",\"id\":{\"$input\":\"id\"},"     \
	"\"when\":{\"state\":[\"open\"]}}"

static struct identity alex = { .decision = DECISION_VERIFIED, .email = "alex@example.com" };
static struct identity jordan = { .decision = DECISION_VERIFIED, .email = "jordan@example.com" };
static struct identity nobody = { .decision = DECISION_ANONYMOUS };

static int setup(void **state)
{
	*state = tmpstore_new();
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	tmpstore_free(*state);
	return 0;
}

static json_t *parse(const char *text)
{
	json_t *value = NULL;

	assert_int_equal(json_strict(span_str(text), 64, &value, NULL), RC_OK);
	return value;
}

static struct connector *compile(const char *source, enum access access)
{
	json_t *parameters = parse(PARAMETERS);
	json_t *value = parse(source);
	bool reads = strstr(source, "\"get\"") || strstr(source, "\"list\"");
	struct connector_rules rules = { access, reads ? EFFECT_READ : EFFECT_WRITE, parameters };
	struct connector *c = NULL;

	assert_int_equal(connector_compile(value, span_str(""), &rules, &c, NULL), RC_OK);
	json_decref(parameters);
	json_decref(value);
	return c;
}

static void put(struct store *st, const char *line)
{
	struct txn *t = txn_write(st, ENV_LEDGER);
	struct document d;

	assert_int_equal(document_parse(span_str(line), &d, NULL), RC_OK);
	assert_int_equal(document_put(t, "demo", &d), RC_OK);
	json_decref(d.data);
	assert_int_equal(txn_end(t), RC_OK);
}

static enum reason bind(const struct connector *c, const struct identity *who, const char *owner, const char *input,
			const char *claims, struct operation **ret)
{
	json_t *values = parse(input);
	json_t *claimed = claims ? parse(claims) : NULL;
	struct binding b = { "demo", who, owner, values, claimed };
	enum reason why = connector_bind(c, &b, ret);

	json_decref(values);
	json_decref(claimed);
	return why;
}

/* Runs as this person (public: as nobody), and commits what was done. The result is the caller's. */
static enum reason run(struct store *st, const char *source, const struct identity *who, const char *input,
		       json_t **ret)
{
	bool personal = who->decision == DECISION_VERIFIED;
	struct connector *c = compile(source, personal ? ACCESS_PERSONAL : ACCESS_PUBLIC);
	struct operation *op = NULL;
	enum reason why = bind(c, who, who->email, input, NULL, &op);

	*ret = NULL;
	if (why == REASON_NONE) {
		struct txn *t = connector_writes(c) ? txn_write(st, ENV_LEDGER) : txn_read(st, ENV_LEDGER);

		why = operation_run(op, t, ret);
		assert_int_equal(txn_end(t), RC_OK);
	}
	operation_free(op);
	connector_free(c);
	return why;
}

static void answers(struct store *st, const char *source, const struct identity *who, const char *input,
		    const char *expected)
{
	struct buf b = BUF_INIT;
	json_t *result;

	assert_int_equal(run(st, source, who, input, &result), REASON_NONE);
	json_canonical(&b, result);
	assert_string_equal(b.data, expected);
	buf_done(&b);
	json_decref(result);
}

static void refuses(struct store *st, const char *source, const struct identity *who, const char *input,
		    enum reason expected)
{
	json_t *result;

	assert_int_equal(run(st, source, who, input, &result), expected);
	assert_null(result);
}

#define ALEX_1                                                                                                       \
	"{\"collection\":\"orders\",\"id\":\"1\",\"owner\":\"Alex@Example.com\",\"data\":{\"state\":\"open\","       \
	"\"text\":\"a\"}}"
#define JORDAN_2                                                                                                     \
	"{\"collection\":\"orders\",\"id\":\"2\",\"owner\":\"jordan@example.com\",\"data\":{\"state\":\"done\"}}"
#define NOBODY_3 "{\"collection\":\"orders\",\"id\":\"3\",\"owner\":null,\"data\":{\"state\":\"open\"}}"

static void row_is_its_owners_alone(void **state)
{
	put(*state, ALEX_1);
	put(*state, JORDAN_2);
	put(*state, NOBODY_3);
	answers(*state, GET, &alex, "{\"id\":\"1\"}", "{\"data\":{\"state\":\"open\",\"text\":\"a\"},\"id\":\"1\"}");
	answers(*state, GET, &alex, "{\"id\":1}", "{\"data\":{\"state\":\"open\",\"text\":\"a\"},\"id\":\"1\"}");
	refuses(*state, GET, &alex, "{\"id\":\"2\"}", REASON_NOT_FOUND);
	refuses(*state, GET, &alex, "{\"id\":\"3\"}", REASON_NOT_FOUND);
	refuses(*state, GET, &nobody, "{\"id\":\"1\"}", REASON_NOT_FOUND);
	answers(*state, GET, &nobody, "{\"id\":\"3\"}", "{\"data\":{\"state\":\"open\"},\"id\":\"3\"}");
	refuses(*state, UPDATE, &alex, "{\"id\":\"2\",\"text\":\"x\"}", REASON_NOT_FOUND);
	refuses(*state, DELETE, &alex, "{\"id\":\"3\"}", REASON_NOT_FOUND);
	refuses(*state, GET, &alex, "{\"id\":\"2\",\"owner\":\"jordan@example.com\"}", REASON_NOT_FOUND);
	answers(*state, LIST, &jordan, "{}",
		"{\"items\":[{\"data\":{\"state\":\"done\"},\"id\":\"2\"}],\"next\":null}");
	answers(*state, LIST, &nobody, "{}",
		"{\"items\":[{\"data\":{\"state\":\"open\"},\"id\":\"3\"}],\"next\":null}");
}

static void id_cannot_reach_into_another_range(void **state)
{
	put(*state, JORDAN_2);
	refuses(*state, GET, &nobody, "{\"id\":\"jordan@example.com\"}", REASON_NOT_FOUND);
	refuses(*state, GET, &alex, "{}", REASON_PARAMETERS_INVALID);
	refuses(*state, GET, &alex, "{\"id\":\"\"}", REASON_PARAMETERS_INVALID);
	refuses(*state, GET, &alex, "{\"id\":\"a\\u001fb\"}", REASON_PARAMETERS_INVALID);
	refuses(*state, GET, &alex, "{\"id\":[\"2\"]}", REASON_PARAMETERS_INVALID);
	refuses(*state, GET, &alex, "{\"id\":1.5}", REASON_PARAMETERS_INVALID);
}

static void longest_key_fits(void **state)
{
	struct document d = { 0 };
	char site[SITE_ID_MAX];
	struct txn *t = txn_write(*state, ENV_LEDGER);

	memset(site, 's', sizeof(site) - 1);
	memset(d.collection, 'c', sizeof(d.collection) - 1);
	memset(d.owner, 'o', sizeof(d.owner) - 1);
	memset(d.id, 'i', sizeof(d.id) - 1);
	site[sizeof(site) - 1] = '\0';
	d.data = json_object();
	assert_int_equal(document_put(t, site, &d), RC_OK);
	assert_int_equal(txn_end(t), RC_OK);
	json_decref(d.data);
}

static void created_row_is_the_same_when_run_twice(void **state)
{
	struct connector *c = compile(CREATE, ACCESS_PERSONAL);
	struct operation *op = NULL;
	json_t *first = NULL, *second = NULL;
	struct txn *t;

	assert_int_equal(bind(c, &alex, alex.email, "{\"text\":\"hello\"}", NULL, &op), REASON_NONE);
	t = txn_write(*state, ENV_LEDGER);
	assert_int_equal(operation_run(op, t, &first), REASON_NONE);
	txn_abort(t);
	t = txn_write(*state, ENV_LEDGER);
	assert_int_equal(operation_run(op, t, &second), REASON_NONE);
	assert_int_equal(txn_count(t, DB_DOCUMENTS), 1);
	assert_int_equal(txn_end(t), RC_OK);
	assert_true(json_equal(first, second));
	assert_int_equal(json_string_length(json_object_get(first, "id")), 26);
	operation_free(op);
	connector_free(c);
	json_decref(first);
	json_decref(second);
}

static void reference_without_a_value_leaves_its_member_out(void **state)
{
	json_t *result;

	assert_int_equal(run(*state, CREATE, &alex, "{}", &result), REASON_NONE);
	json_object_del(result, "id");
	assert_null(json_object_get(json_object_get(result, "data"), "text"));
	assert_int_equal(json_array_size(json_object_get(json_object_get(result, "data"), "deep")), 1);
	json_decref(result);
}

static void input_is_data_and_never_a_reference(void **state)
{
	json_t *result, *text;

	assert_int_equal(run(*state, CREATE, &alex, "{\"text\":{\"$identity\":\"email\"}}", &result), REASON_NONE);
	text = json_object_get(json_object_get(result, "data"), "text");
	assert_string_equal(json_string_value(json_object_get(text, "$identity")), "email");
	json_decref(result);
}

#define CLAIM(name)                                                                                                  \
	"{\"type\":\"documents\",\"collection\":\"c\",\"operation\":\"create\",\"set\":{\"a\":{\"$claim\":\"" name   \
	"\"}}}"
#define ID_OF(name)                                                                                                  \
	"{\"type\":\"documents\",\"collection\":\"c\",\"operation\":\"get\",\"id\":{\"$claim\":\"" name "\"}}"
#define WHO(field)                                                                                                   \
	"{\"type\":\"documents\",\"collection\":\"c\",\"operation\":\"create\",\"set\":{\"a\":{\"$identity\":"       \
	"\"" field "\"}}}"

static void binds(const char *source, enum access access, const struct identity *who, const char *claims,
		  enum reason expected)
{
	struct connector *c = compile(source, access);
	struct operation *op = NULL;

	assert_int_equal(bind(c, who, access == ACCESS_PERSONAL ? who->email : "", "{}", claims, &op), expected);
	operation_free(op);
	connector_free(c);
}

static void missing_identity_or_claim_refuses(void **state)
{
	struct identity reserved = { .decision = DECISION_ANONYMOUS, .email = "alex@shop.test" };

	(void)state;
	binds(CLAIM("tier"), ACCESS_PERSONAL, &alex, "{\"tier\":\"gold\"}", REASON_NONE);
	binds(CLAIM("tier"), ACCESS_PERSONAL, &alex, "{\"tier\":null}", REASON_IDENTITY_INCOMPLETE);
	binds(CLAIM("tier"), ACCESS_PERSONAL, &alex, "{}", REASON_IDENTITY_INCOMPLETE);
	binds(CLAIM("tier"), ACCESS_PUBLIC, &nobody, NULL, REASON_IDENTITY_INCOMPLETE);
	binds(CLAIM("tier"), ACCESS_PUBLIC, &reserved, "{\"tier\":\"gold\"}", REASON_IDENTITY_INCOMPLETE);
	binds(ID_OF("shop"), ACCESS_PERSONAL, &alex, "{\"shop\":\"s1\"}", REASON_NONE);
	binds(ID_OF("shop"), ACCESS_PERSONAL, &alex, "{\"shop\":\"\"}", REASON_IDENTITY_INCOMPLETE);
	binds(ID_OF("shop"), ACCESS_PERSONAL, &alex, "{\"shop\":false}", REASON_IDENTITY_INCOMPLETE);
	binds(WHO("email"), ACCESS_PERSONAL, &alex, NULL, REASON_NONE);
	binds(WHO("user_id"), ACCESS_PERSONAL, &alex, NULL, REASON_IDENTITY_INCOMPLETE);
	binds(WHO("email"), ACCESS_PUBLIC, &alex, NULL, REASON_NONE);
	binds(WHO("email"), ACCESS_PUBLIC, &reserved, NULL, REASON_IDENTITY_INCOMPLETE);
}

static void owner_other_than_the_pinned_email_is_refused(void **state)
{
	struct connector *personal = compile(GET, ACCESS_PERSONAL);
	struct connector *public = compile(GET, ACCESS_PUBLIC);
	struct identity reserved = { .decision = DECISION_ANONYMOUS, .email = "alex@x.test" };
	struct identity unnamed = { .decision = DECISION_VERIFIED };
	struct operation *op = NULL;

	(void)state;
	assert_int_equal(bind(personal, &reserved, "alex@x.test", "{\"id\":\"2\"}", NULL, &op), REASON_IDENTITY_INCOMPLETE);
	assert_int_equal(bind(personal, &unnamed, "", "{\"id\":\"2\"}", NULL, &op), REASON_IDENTITY_INCOMPLETE);
	assert_int_equal(bind(personal, &alex, "jordan@example.com", "{\"id\":\"2\"}", NULL, &op),
			 REASON_IDENTITY_INCOMPLETE);
	assert_int_equal(bind(personal, &alex, "", "{\"id\":\"2\"}", NULL, &op), REASON_IDENTITY_INCOMPLETE);
	assert_int_equal(bind(personal, &nobody, "", "{\"id\":\"2\"}", NULL, &op), REASON_IDENTITY_INCOMPLETE);
	assert_int_equal(bind(public, &alex, "alex@example.com", "{\"id\":\"2\"}", NULL, &op),
			 REASON_IDENTITY_INCOMPLETE);
	assert_null(op);
	connector_free(personal);
	connector_free(public);
}

static void update_changes_the_named_members_only(void **state)
{
	put(*state, ALEX_1);
	answers(*state, UPDATE, &alex, "{\"id\":\"1\",\"text\":\"b\"}",
		"{\"data\":{\"state\":\"open\",\"text\":\"b\"},\"id\":\"1\"}");
	answers(*state, UPDATE, &alex, "{\"id\":\"1\"}", "{\"data\":{\"state\":\"open\",\"text\":\"b\"},\"id\":\"1\"}");
	answers(*state, GET, &alex, "{\"id\":\"1\"}", "{\"data\":{\"state\":\"open\",\"text\":\"b\"},\"id\":\"1\"}");
}

static void state_that_does_not_allow_it_is_a_conflict(void **state)
{
	put(*state, JORDAN_2);
	put(*state, "{\"collection\":\"orders\",\"id\":\"4\",\"owner\":\"jordan@example.com\",\"data\":{}}");
	refuses(*state, UPDATE, &jordan, "{\"id\":\"2\",\"text\":\"x\"}", REASON_CONFLICT);
	refuses(*state, DELETE, &jordan, "{\"id\":\"2\"}", REASON_CONFLICT);
	refuses(*state, DELETE, &jordan, "{\"id\":\"4\"}", REASON_CONFLICT);
	answers(*state, GET, &jordan, "{\"id\":\"2\"}", "{\"data\":{\"state\":\"done\"},\"id\":\"2\"}");
}

static void deleted_row_is_gone(void **state)
{
	put(*state, ALEX_1);
	answers(*state, DELETE, &alex, "{\"id\":\"1\"}", "{\"id\":\"1\"}");
	refuses(*state, DELETE, &alex, "{\"id\":\"1\"}", REASON_NOT_FOUND);
}

static void row_larger_than_a_row_is_refused(void **state)
{
	char *input = malloc(DOCUMENT_SIZE_MAX + 64);
	char *half = malloc(DOCUMENT_SIZE_MAX);

	assert_true(input && half);
	sprintf(input, "{\"id\":\"1\",\"text\":\"%0*d\"}", DOCUMENT_SIZE_MAX, 0);
	refuses(*state, CREATE, &alex, input, REASON_PARAMETERS_INVALID);
	put(*state, ALEX_1);
	refuses(*state, UPDATE, &alex, input, REASON_PARAMETERS_INVALID);
	sprintf(half, "{\"collection\":\"orders\",\"id\":\"5\",\"owner\":\"alex@example.com\",\"data\":"
		"{\"state\":\"open\",\"other\":\"%0*d\"}}", DOCUMENT_SIZE_MAX / 2, 0);
	put(*state, half);
	sprintf(input, "{\"id\":\"5\",\"text\":\"%0*d\"}", DOCUMENT_SIZE_MAX / 2, 0);
	refuses(*state, UPDATE, &alex, input, REASON_PARAMETERS_INVALID);
	free(input);
	free(half);
}

static void put_many(struct store *st, unsigned count)
{
	char line[256];

	for (unsigned i = 0; i < count; i++) {
		snprintf(line, sizeof(line),
			 "{\"collection\":\"orders\",\"id\":\"%03u\",\"owner\":\"alex@example.com\","
			 "\"data\":{}}",
			 i);
		put(st, line);
	}
}

static size_t page(struct store *st, const char *after, char *next, size_t room)
{
	char input[64] = "{}";
	json_t *result;
	size_t count;

	if (after[0])
		snprintf(input, sizeof(input), "{\"id\":\"%s\"}", after);
	assert_int_equal(run(st, LIST, &alex, input, &result), REASON_NONE);
	count = json_array_size(json_object_get(result, "items"));
	if (json_is_null(json_object_get(result, "next")))
		next[0] = '\0';
	else
		snprintf(next, room, "%s", json_string_value(json_object_get(result, "next")));
	json_decref(result);
	return count;
}

static void list_goes_on_where_the_page_ended(void **state)
{
	char next[DOCUMENT_ID_MAX], after[DOCUMENT_ID_MAX];

	put_many(*state, LIST_PAGE + 7);
	assert_int_equal(page(*state, "", next, sizeof(next)), LIST_PAGE);
	assert_string_equal(next, "049");
	memcpy(after, next, sizeof(after));
	assert_int_equal(page(*state, after, next, sizeof(next)), 7);
	assert_string_equal(next, "");
	/* a cursor whose row is gone still has its place */
	assert_int_equal(page(*state, "0491", next, sizeof(next)), 7);
	assert_int_equal(page(*state, "999", next, sizeof(next)), 0);
}

static void full_last_page_has_no_next(void **state)
{
	char next[DOCUMENT_ID_MAX];

	put_many(*state, LIST_PAGE);
	assert_int_equal(page(*state, "", next, sizeof(next)), LIST_PAGE);
	assert_string_equal(next, "");
}

static void plant(struct store *st, struct span key, struct span row)
{
	struct txn *t = txn_write(st, ENV_LEDGER);

	txn_put(t, DB_DOCUMENTS, key, row);
	assert_int_equal(txn_end(t), RC_OK);
}

static void corrupt(struct store *st, const char *source, const char *input)
{
	struct connector *c = compile(source, ACCESS_PERSONAL);
	struct operation *op = NULL;
	json_t *result = NULL;
	struct txn *t = connector_writes(c) ? txn_write(st, ENV_LEDGER) : txn_read(st, ENV_LEDGER);

	assert_int_equal(bind(c, &alex, alex.email, input, NULL, &op), REASON_NONE);
	assert_int_equal(operation_run(op, t, &result), REASON_AUDIT_UNAVAILABLE);
	assert_null(result);
	assert_int_equal(txn_rc(t), RC_CORRUPT);
	txn_abort(t);
	operation_free(op);
	connector_free(c);
}

static void row_that_does_not_decode_is_an_error_and_no_answer(void **state)
{
	static const char key[] = "demo\0orders\0alex@example.com\0" "1";
	static const char bad_id[] = "demo\0orders\0alex@example.com\0\x1b";
	static const char *const rows[] = { "", "{", "[]", "{\"a\":1,\"a\":2}", "{\"a\":\"\xff\"}" };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		plant(*state, span_of(key, sizeof(key) - 1), span_str(rows[i]));
		corrupt(*state, GET, "{\"id\":\"1\"}");
		corrupt(*state, UPDATE, "{\"id\":\"1\",\"text\":\"x\"}");
		corrupt(*state, DELETE, "{\"id\":\"1\"}");
		corrupt(*state, LIST, "{}");
	}
	plant(*state, span_of(key, sizeof(key) - 1), span_str("{}"));
	plant(*state, span_of(bad_id, sizeof(bad_id) - 1), span_str("{}"));
	corrupt(*state, LIST, "{}");
}

static void static_result_is_as_written(void **state)
{
	answers(*state, "{\"type\":\"static\",\"result\":{\"hours\":[9,18]}}", &nobody, "{}", "{\"hours\":[9,18]}");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(row_is_its_owners_alone),
		TEST(id_cannot_reach_into_another_range),
		TEST(longest_key_fits),
		TEST(created_row_is_the_same_when_run_twice),
		TEST(reference_without_a_value_leaves_its_member_out),
		TEST(input_is_data_and_never_a_reference),
		TEST(missing_identity_or_claim_refuses),
		TEST(owner_other_than_the_pinned_email_is_refused),
		TEST(update_changes_the_named_members_only),
		TEST(state_that_does_not_allow_it_is_a_conflict),
		TEST(deleted_row_is_gone),
		TEST(row_larger_than_a_row_is_refused),
		TEST(list_goes_on_where_the_page_ended),
		TEST(full_last_page_has_no_next),
		TEST(row_that_does_not_decode_is_an_error_and_no_answer),
		TEST(static_result_is_as_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
